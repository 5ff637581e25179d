
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/cache.h"


/* of a look-up; the first ones need no lock unless there is a change */
#define NGX_AGT_CACHE_TRIES       8
#define NGX_AGT_CACHE_FREE_TRIES  4


/* where look-ups copy to: grows to the largest entry seen, is never freed */

typedef struct {
    u_char                        *data;
    size_t                         size;
} ngx_agt_scratch_t;


static ngx_agt_entry_t *ngx_agt_cache_find_locked(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key);
static ngx_int_t ngx_agt_cache_copy(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, ngx_uint_t want, ngx_agt_found_t *found,
    size_t *len);
static ngx_int_t ngx_agt_cache_grow(size_t size);


static ngx_agt_scratch_t  ngx_agt_scratch;


ngx_int_t
ngx_agt_cache_find(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, ngx_uint_t want, ngx_agt_found_t *found)
{
    size_t             len;
    ngx_int_t          rc;
    ngx_uint_t         try, locked;
    ngx_atomic_uint_t  changes;

    ngx_agt_cache_forget();

    for (try = 0; try < NGX_AGT_CACHE_TRIES; try++) {

        len = 0;
        locked = !ngx_agt_zone_read_begin(zone, &changes)
                 || try >= NGX_AGT_CACHE_FREE_TRIES;

        if (locked) {
            ngx_agt_zone_lock(zone);
        }

        rc = ngx_agt_cache_copy(zone, key, want, found, &len);

        if (locked) {
            ngx_agt_zone_unlock(zone);

        } else if (!ngx_agt_zone_read_end(zone, changes)) {
            continue;
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }

        /* no memory is asked for while the zone is locked */

        if (ngx_agt_cache_grow(len) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/*
 * The copy.  Without the lock, others may change all of this meanwhile: each
 * length is read once, and looked at before it is used.  NGX_AGAIN where "len"
 * bytes of scratch are needed.
 */

static ngx_int_t
ngx_agt_cache_copy(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    ngx_uint_t want, ngx_agt_found_t *found, size_t *len)
{
    size_t                           facts, rules;
    ngx_agt_table_t                 *table;
    ngx_agt_table_seen_t             seen;
    const volatile ngx_agt_entry_t  *e;

    table = zone->facts;
    e = ngx_agt_table_peek(table, key->key, key->origin, &seen);

    if (e == NULL) {
        table = zone->invalid;
        e = ngx_agt_table_peek(table, key->key, key->origin, &seen);
        if (e == NULL) {
            return NGX_DECLINED;
        }
    }

    facts = (want == NGX_AGT_CACHE_HEAD) ? 0 : e->facts_len;
    rules = e->rules_len;

    *len = facts + (want == NGX_AGT_CACHE_RULES ? rules : 0);

    if (!ngx_agt_table_holds(table, (const ngx_agt_entry_t *) e, *len)) {
        return NGX_DECLINED;
    }

    if (*len > ngx_agt_scratch.size) {
        return NGX_AGAIN;
    }

    found->class = (ngx_agt_class_e) e->class;
    found->reason = (ngx_agt_reason_e) e->reason;
    found->sent = e->sent;
    found->asked = e->asked;
    found->serial = e->serial;
    found->clean = (ngx_atomic_uint_t) e->clean;
    found->late = e->late;
    found->rules_len = rules;

    if (*len) {
        ngx_memcpy(ngx_agt_scratch.data, (u_char *) e->data, *len);
    }

    found->facts.len = facts;
    found->facts.data = ngx_agt_scratch.data;
    found->rules.len = *len - facts;
    found->rules.data = ngx_agt_scratch.data + facts;

    ngx_agt_table_touch(table, &seen);

    return NGX_OK;
}


uint16_t
ngx_agt_cache_cause(const ngx_agt_found_t *found)
{
    uint16_t  cause;

    if (found->class == NGX_AGT_CLASS_ACTIVE
        || found->facts.len != sizeof(cause))
    {
        return 0;
    }

    ngx_memcpy(&cause, found->facts.data, sizeof(cause));

    return cause;
}


ngx_int_t
ngx_agt_cache_store(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    ngx_agt_class_e class, ngx_agt_reason_e reason,
    const ngx_str_t *facts, const ngx_str_t *rules, uint64_t sent,
    uint64_t asked, ngx_atomic_uint_t generation)
{
    ngx_agt_entry_t  *e;
    ngx_agt_table_t  *table, *other;

    if (class == NGX_AGT_CLASS_ACTIVE) {
        table = zone->facts;
        other = zone->invalid;

    } else {
        table = zone->invalid;
        other = zone->facts;
    }

    ngx_agt_zone_lock(zone);

    if (sent <= zone->sh->purged) {
        ngx_agt_zone_unlock(zone);
        return NGX_DECLINED;
    }

    e = ngx_agt_cache_find_locked(zone, key);

    if (e && e->sent > sent) {
        ngx_agt_zone_unlock(zone);
        return NGX_OK;
    }

    if (e) {
        asked = ngx_min(asked, e->asked);
    }

    ngx_agt_zone_begin_locked(zone);

    e = ngx_agt_table_find(other, key->key, key->origin);

    if (e) {
        ngx_agt_table_remove(other, e);
    }

    e = ngx_agt_table_store(table, key->key, key->origin,
                            facts->len + rules->len);

    if (e) {
        e->class = (uint8_t) class;
        e->reason = (uint8_t) reason;
        e->sent = sent;
        e->asked = asked;
        e->clean = generation;
        e->facts_len = (uint32_t) facts->len;
        e->rules_len = (uint32_t) rules->len;

        if (facts->len) {
            ngx_memcpy(e->data, facts->data, facts->len);
        }

        if (rules->len) {
            ngx_memcpy(e->data + facts->len, rules->data, rules->len);
        }
    }

    ngx_agt_zone_end_locked(zone);
    ngx_agt_zone_unlock(zone);

    ngx_agt_zone_count(zone, e ? NGX_AGT_COUNT_STORED
                                    : NGX_AGT_COUNT_NOT_STORED);

    return e ? NGX_OK : NGX_DECLINED;
}


void
ngx_agt_cache_purged(ngx_agt_zone_t *zone)
{
    uint64_t  now;

    ngx_agt_zone_lock(zone);

    /* with the mutex held: a later store is of a later call, or is declined */

    now = ngx_agt_clock_mono_now();
    zone->sh->purged = ngx_max(zone->sh->purged, now);

    ngx_agt_zone_unlock(zone);
}


void
ngx_agt_cache_remove(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key)
{
    ngx_agt_entry_t  *e;

    ngx_agt_zone_lock(zone);
    ngx_agt_zone_begin_locked(zone);

    e = ngx_agt_table_find(zone->facts, key->key, key->origin);

    if (e) {
        ngx_agt_table_remove(zone->facts, e);
    }

    e = ngx_agt_table_find(zone->invalid, key->key, key->origin);

    if (e) {
        ngx_agt_table_remove(zone->invalid, e);
    }

    ngx_agt_zone_end_locked(zone);
    ngx_agt_zone_unlock(zone);
}


void
ngx_agt_cache_note(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    const ngx_agt_found_t *found, ngx_atomic_uint_t generation, uint32_t late)
{
    ngx_agt_entry_t  *e;

    ngx_agt_zone_lock(zone);

    e = ngx_agt_cache_find_locked(zone, key);

    if (e && e->serial == found->serial) {
        e->clean = ngx_max(e->clean, generation);
        e->late = ngx_max(e->late, late);
    }

    ngx_agt_zone_unlock(zone);
}


static ngx_agt_entry_t *
ngx_agt_cache_find_locked(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key)
{
    ngx_agt_entry_t  *e;

    e = ngx_agt_table_find(zone->facts, key->key, key->origin);

    if (e) {
        return e;
    }

    return ngx_agt_table_find(zone->invalid, key->key, key->origin);
}


void
ngx_agt_cache_forget(void)
{
#ifdef NGX_AGT_SCRIBBLE

    ngx_agt_scratch_t  *scratch;

    scratch = &ngx_agt_scratch;

    if (scratch->data) {
        ngx_memset(scratch->data, 0xa5, scratch->size);
        ngx_free(scratch->data);

        scratch->data = NULL;
        scratch->size = 0;
    }

#endif
}


static ngx_int_t
ngx_agt_cache_grow(size_t size)
{
    u_char  *p;

    size = ngx_align(size, 4096);

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_agt_scratch.data) {
        ngx_free(ngx_agt_scratch.data);
    }

    ngx_agt_scratch.data = p;
    ngx_agt_scratch.size = size;

    return NGX_OK;
}


uint64_t
ngx_agt_cache_limit(const ngx_agt_lifetimes_t *lifetimes, const u_char *key,
    ngx_agt_class_e class, ngx_uint_t has_exp, ngx_uint_t watched)
{
    uint64_t  limit;

    if (class == NGX_AGT_CLASS_ACTIVE) {
        limit = watched ? lifetimes->watched : lifetimes->active;

        if (!has_exp) {
            limit = ngx_min(limit, lifetimes->active);
        }

    } else {
        limit = lifetimes->invalid;
    }

    return limit - limit / 10 * key[NGX_AGT_DIGEST_LEN - 1] / 256;
}
