
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/zone.h"

#include <openssl/rand.h>
#include <sys/mman.h>


/* shares of a zone in percent; facts get the rest */
#define NGX_AGT_ZONE_INVALID     10

/* bytes of a zone for each place of its tables */
#define NGX_AGT_ZONE_PER_FLIGHT  8192
#define NGX_AGT_ZONE_PER_CLIENT  2048
#define NGX_AGT_ZONE_PER_CALLS   32768
#define NGX_AGT_ZONE_PER_FACTS   192
#define NGX_AGT_ZONE_PER_INVALID 80


static ngx_int_t ngx_agt_zone_build(ngx_agt_zone_t *zone, ngx_log_t *log);
static size_t ngx_agt_zone_lay_out(ngx_agt_zone_sh_t *sh);
static void ngx_agt_zone_attach(ngx_agt_zone_t *zone);
static uint32_t ngx_agt_zone_places(size_t size, size_t per,
    size_t bucket, size_t max);


ngx_int_t
ngx_agt_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_agt_zone_t *old = data;

    ngx_agt_zone_t  *zone;

    zone = shm_zone->data;

    zone->shm_zone = shm_zone;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /* old workers use this zone: this process must not change it */

    if (old || shm_zone->shm.exists) {
        zone->sh = old ? old->sh : zone->shpool->data;

        if (zone->sh->version != NGX_AGT_ZONE_VERSION) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "agilicus token: zone \"%V\" was made by another "
                          "version of the module, restart nginx",
                          &shm_zone->shm.name);
            return NGX_ERROR;
        }

        ngx_agt_zone_attach(zone);

        return NGX_OK;
    }

#ifdef MADV_DONTDUMP

    /* data about people does not belong in a core */

    (void) madvise(shm_zone->shm.addr, shm_zone->shm.size, MADV_DONTDUMP);

#endif

    return ngx_agt_zone_build(zone, shm_zone->shm.log);
}


static ngx_int_t
ngx_agt_zone_build(ngx_agt_zone_t *zone, ngx_log_t *log)
{
    size_t              size;
    ngx_str_t          *name;
    ngx_slab_pool_t    *shpool;
    ngx_agt_zone_sh_t  *sh;

    name = &zone->shm_zone->shm.name;
    shpool = zone->shpool;

    /* takes all memory that the slab has; nothing is taken from it later */

    shpool->log_nomem = 0;

    size = shpool->pfree * ngx_pagesize;

    sh = ngx_slab_alloc(shpool, size);

    if (sh == NULL || size < sizeof(ngx_agt_zone_sh_t) + 2 * ngx_pagesize) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: zone \"%V\" is too small", name);
        return NGX_ERROR;
    }

    ngx_memzero(sh, size);

    if (RAND_bytes((u_char *) sh->hash_key, sizeof(sh->hash_key)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: RAND_bytes() failed");
        return NGX_ERROR;
    }

    sh->version = NGX_AGT_ZONE_VERSION;
    sh->size = size;

    size = ngx_agt_zone_lay_out(sh);

    zone->sh = sh;
    ngx_agt_zone_attach(zone);

    if (ngx_agt_table_init(zone->invalid,
                           sh->facts_offset - sh->invalid_offset,
                           NGX_AGT_ZONE_PER_INVALID,
                           sh->hash_key)
            == NULL
        || ngx_agt_table_init(zone->facts, size,
                              NGX_AGT_ZONE_PER_FACTS,
                              sh->hash_key)
            == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: zone \"%V\" is too small", name);
        return NGX_ERROR;
    }

    /* so entries of the two tables never have the same serial */

    zone->invalid->stores = (uint64_t) 1 << 63;

    shpool->data = sh;

    return NGX_OK;
}


/* sets the offsets and numbers of places; returns the bytes left for facts */

static size_t
ngx_agt_zone_lay_out(ngx_agt_zone_sh_t *sh)
{
    size_t  at, rest;

    sh->flights = ngx_agt_zone_places(sh->size, NGX_AGT_ZONE_PER_FLIGHT,
                                     NGX_AGT_FLIGHT_BUCKET, 16384);
    sh->clients = ngx_agt_zone_places(sh->size, NGX_AGT_ZONE_PER_CLIENT,
                                     NGX_AGT_CLIENT_BUCKET, 65536);

    sh->calls = ngx_agt_zone_places(sh->size, NGX_AGT_ZONE_PER_CALLS, 8,
                                    NGX_AGT_ZONE_CALLS);

    at = ngx_align(sizeof(ngx_agt_zone_sh_t), 64);

    if (sh->size + 2 * ngx_pagesize > NGX_AGT_ZONE_KEYS_MIN) {
        sh->keys_offset = at;
        at += ngx_align(sizeof(ngx_agt_keys_sh_t), 64);
    }

    sh->flights_offset = at;

    at += ngx_align(sh->flights * sizeof(ngx_agt_flight_mark_t), 64);
    sh->clients_offset = at;

    at += ngx_align(sh->clients * sizeof(ngx_agt_client_budget_t), 64);
    sh->calls_offset = at;

    at += ngx_align(sh->calls * sizeof(ngx_agt_calls_t), 64);
    sh->invalid_offset = at;

    rest = sh->size - at;

    at += rest / 100 * NGX_AGT_ZONE_INVALID & ~(size_t) 0x3f;
    sh->facts_offset = at;

    return sh->size - at;
}


static uint32_t
ngx_agt_zone_places(size_t size, size_t per, size_t bucket, size_t max)
{
    size_t  n;

    n = size / per / bucket * bucket;
    n = ngx_max(n, 2 * bucket);

    return (uint32_t) ngx_min(n, max);
}


static void
ngx_agt_zone_attach(ngx_agt_zone_t *zone)
{
    u_char  *p;

    p = (u_char *) zone->sh;

    zone->keys = zone->sh->keys_offset
                 ? (ngx_agt_keys_sh_t *) (p + zone->sh->keys_offset) : NULL;
    zone->invalid = (ngx_agt_table_t *)
                        (p + zone->sh->invalid_offset);
    zone->facts = (ngx_agt_table_t *) (p + zone->sh->facts_offset);
    zone->flights = (ngx_agt_flight_mark_t *)
                        (p + zone->sh->flights_offset);
    zone->clients = (ngx_agt_client_budget_t *)
                        (p + zone->sh->clients_offset);
    zone->calls = (ngx_agt_calls_t *) (p + zone->sh->calls_offset);
}


uint32_t
ngx_agt_zone_origin(ngx_agt_zone_t *zone, const u_char *digest)
{
    uint32_t                serial;
    ngx_uint_t              i;
    ngx_agt_zone_origin_t  *c, *oldest;

    ngx_agt_zone_lock(zone);

    oldest = &zone->sh->origins[0];

    for (i = 0; i < NGX_AGT_ZONE_ORIGINS; i++) {
        c = &zone->sh->origins[i];

        if (c->serial && ngx_agt_digest_equal(c->digest, digest)) {
            serial = c->serial;
            ngx_agt_zone_unlock(zone);

            return serial;
        }

        if (c->serial < oldest->serial) {
            oldest = c;
        }
    }

    /* no key has the serial that is replaced: its facts are never found */

    serial = ++zone->sh->norigins;

    oldest->serial = serial;
    ngx_memcpy(oldest->digest, digest, NGX_AGT_DIGEST_LEN);

    ngx_agt_zone_unlock(zone);

    return serial;
}


void
ngx_agt_zone_lock(ngx_agt_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->changes & 1) {

        /* a process died in a change; the master has freed its mutex */

        ngx_agt_table_wipe(zone->facts);
        ngx_agt_table_wipe(zone->invalid);

        zone->sh->counts[NGX_AGT_COUNT_RECOVERED]++;

        ngx_memory_barrier();
        zone->sh->changes++;
    }
}


void
ngx_agt_zone_unlock(ngx_agt_zone_t *zone)
{
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_agt_zone_begin_locked(ngx_agt_zone_t *zone)
{
    zone->sh->changes++;
    ngx_memory_barrier();
}


void
ngx_agt_zone_end_locked(ngx_agt_zone_t *zone)
{
    ngx_memory_barrier();
    zone->sh->changes++;
}


ngx_uint_t
ngx_agt_zone_read_begin(ngx_agt_zone_t *zone, ngx_atomic_uint_t *changes)
{
    *changes = zone->sh->changes;
    ngx_memory_barrier();

    return (*changes & 1) == 0;
}


ngx_uint_t
ngx_agt_zone_read_end(ngx_agt_zone_t *zone, ngx_atomic_uint_t changes)
{
    ngx_memory_barrier();

    return zone->sh->changes == changes;
}


void
ngx_agt_zone_count(ngx_agt_zone_t *zone, ngx_agt_count_e count)
{
    (void) ngx_atomic_fetch_add(&zone->sh->counts[count], 1);
}


void
ngx_agt_zone_decided(ngx_agt_zone_t *zone, ngx_agt_verdict_e verdict,
    ngx_agt_reason_e reason)
{
    (void) ngx_atomic_fetch_add(&zone->sh->decisions[verdict][reason], 1);
}
