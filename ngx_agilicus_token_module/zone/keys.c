
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/keys.h"
#include "zone/process.h"


/* which keys are tried */
#define NGX_AGT_KEYS_NAMED     0   /* those of a name */
#define NGX_AGT_KEYS_NAMELESS  1   /* those that the API gives no name */
#define NGX_AGT_KEYS_ALL       2


/* a worker's copy; a key is made ready when it is first tried */

typedef struct {
    ngx_atomic_uint_t   version;
    ngx_uint_t          n;
    ngx_agt_key_t       keys[NGX_AGT_ZONE_KEYS];
    ngx_agt_es256_t    *ready[NGX_AGT_ZONE_KEYS];
} ngx_agt_keys_copy_t;


static ngx_uint_t ngx_agt_keys_is_fetched_locked(const ngx_agt_keys_sh_t *sh,
    uint64_t now);
static ngx_uint_t ngx_agt_keys_is_due_locked(const ngx_agt_keys_sh_t *sh,
    uint64_t now, ngx_msec_t interval);
static ngx_uint_t ngx_agt_keys_replace_locked(ngx_agt_keys_sh_t *sh,
    const ngx_agt_key_t *keys, ngx_uint_t n, uint64_t now);
static ngx_uint_t ngx_agt_keys_has(const ngx_agt_key_t *keys, ngx_uint_t n,
    const ngx_agt_key_t *key);
static ngx_uint_t ngx_agt_keys_keep(ngx_agt_key_t *keys, ngx_uint_t n,
    const ngx_agt_key_t *key);
static ngx_int_t ngx_agt_keys_try(ngx_uint_t which, const u_char *name,
    const u_char *digest, const u_char *signature, uint64_t now);
static ngx_uint_t ngx_agt_keys_is_past(const ngx_agt_key_t *key,
    uint64_t now);


static ngx_agt_keys_copy_t  ngx_agt_keys;


void
ngx_agt_keys_configure(ngx_agt_zone_t *zone, const u_char *source,
    uint32_t cycle)
{
    ngx_atomic_uint_t   version;
    ngx_agt_keys_sh_t  *sh;

    sh = zone->keys;

    ngx_agt_zone_lock(zone);

    if (ngx_memcmp(sh->source, source, NGX_AGT_DIGEST_LEN) != 0) {

        version = sh->version;
        ngx_memzero(sh, sizeof(ngx_agt_keys_sh_t));
        sh->version = version + 1;

        ngx_memcpy(sh->source, source, NGX_AGT_DIGEST_LEN);
    }

    sh->cycle = cycle;

    ngx_agt_zone_unlock(zone);
}


void
ngx_agt_keys_put(ngx_agt_zone_t *zone, const ngx_agt_key_t *keys,
    ngx_uint_t n, uint64_t now)
{
    ngx_agt_zone_lock(zone);
    (void) ngx_agt_keys_replace_locked(zone->keys, keys, n, now);
    ngx_agt_zone_unlock(zone);
}


ngx_int_t
ngx_agt_keys_begin(ngx_agt_zone_t *zone, const u_char *source,
    uint32_t cycle, uint64_t now, ngx_msec_t interval, ngx_msec_t timeout)
{
    ngx_int_t           rc;
    ngx_agt_keys_sh_t  *sh;

    sh = zone->keys;
    rc = NGX_DECLINED;

    ngx_agt_zone_lock(zone);

    if (sh->cycle == cycle
        && ngx_memcmp(sh->source, source, NGX_AGT_DIGEST_LEN) == 0
        && !ngx_agt_keys_is_fetched_locked(sh, now)
        && ngx_agt_keys_is_due_locked(sh, now, interval))
    {
        sh->pid = (int32_t) ngx_pid;
        sh->until = now + timeout;
        sh->begun = ngx_max(now, 1);
        sh->missed = 1;
        sh->fetches++;

        if (interval == 0) {
            sh->wanted = sh->begun;
        }

        rc = NGX_OK;
    }

    ngx_agt_zone_unlock(zone);

    return rc;
}


static ngx_uint_t
ngx_agt_keys_is_fetched_locked(const ngx_agt_keys_sh_t *sh, uint64_t now)
{
    return sh->pid && sh->until > now && ngx_agt_process_lives(sh->pid);
}


static ngx_uint_t
ngx_agt_keys_is_due_locked(const ngx_agt_keys_sh_t *sh, uint64_t now,
    ngx_msec_t interval)
{
    if (interval == 0) {
        return sh->wanted == 0 || now >= sh->wanted + NGX_AGT_KEYS_AGAIN;
    }

    if (sh->missed) {
        interval = ngx_min(interval, NGX_AGT_KEYS_AGAIN);
    }

    return sh->begun == 0 || now >= sh->begun + interval;
}


ngx_uint_t
ngx_agt_keys_end(ngx_agt_zone_t *zone, const u_char *source,
    const ngx_agt_key_t *keys, ngx_uint_t n, uint64_t now)
{
    ngx_uint_t          changed;
    ngx_agt_keys_sh_t  *sh;

    sh = zone->keys;
    changed = 0;

    ngx_agt_zone_lock(zone);

    if (sh->pid == (int32_t) ngx_pid
        && ngx_memcmp(sh->source, source, NGX_AGT_DIGEST_LEN) == 0)
    {
        sh->pid = 0;

        if (n) {
            sh->good = sh->begun;
            sh->missed = 0;
            changed = ngx_agt_keys_replace_locked(sh, keys, n, now);

        } else {
            sh->failed++;
        }
    }

    ngx_agt_zone_unlock(zone);

    return changed;
}


void
ngx_agt_keys_leave(ngx_agt_zone_t *zone)
{
    ngx_agt_keys_sh_t  *sh;

    sh = zone->keys;

    ngx_agt_zone_lock(zone);

    if (sh->pid == (int32_t) ngx_pid) {
        sh->pid = 0;
        sh->begun = 0;
    }

    ngx_agt_zone_unlock(zone);
}


/*
 * The version counts up only where keys have changed, so that workers keep
 * what they have made ready.  A process that dies in here leaves no keys.
 * Returns 1 if they have changed.
 */

static ngx_uint_t
ngx_agt_keys_replace_locked(ngx_agt_keys_sh_t *sh, const ngx_agt_key_t *keys,
    ngx_uint_t n, uint64_t now)
{
    ngx_uint_t     i, all;
    ngx_agt_key_t  key;

    static ngx_agt_key_t  next[NGX_AGT_ZONE_KEYS];

    ngx_memcpy(next, keys, n * sizeof(ngx_agt_key_t));
    all = n;

    for (i = 0; i < sh->n; i++) {
        key = sh->keys[i];

        if (key.withdrawn == 0) {
            key.withdrawn = ngx_max(now, 1);
        }

        if (!ngx_agt_keys_is_past(&key, now)
            && !ngx_agt_keys_has(keys, n, &key))
        {
            all = ngx_agt_keys_keep(next, all, &key);
        }
    }

    if (all == sh->n
        && ngx_memcmp(next, sh->keys, all * sizeof(ngx_agt_key_t)) == 0)
    {
        return 0;
    }

    sh->n = 0;
    ngx_memory_barrier();

    ngx_memcpy(sh->keys, next, all * sizeof(ngx_agt_key_t));
    sh->published = (uint32_t) n;

    ngx_memory_barrier();
    sh->n = (uint32_t) all;
    sh->version++;

    return 1;
}


static ngx_uint_t
ngx_agt_keys_has(const ngx_agt_key_t *keys, ngx_uint_t n,
    const ngx_agt_key_t *key)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (keys[i].named == key->named
            && ngx_memcmp(keys[i].name, key->name, NGX_AGT_DIGEST_LEN) == 0
            && ngx_memcmp(keys[i].point, key->point, NGX_AGT_ES256_POINT)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Adds a withdrawn key, where there is no room in place of the one that was
 * withdrawn first.  Published keys always have room.  Returns the number.
 */

static ngx_uint_t
ngx_agt_keys_keep(ngx_agt_key_t *keys, ngx_uint_t n, const ngx_agt_key_t *key)
{
    ngx_uint_t  i, first;

    if (n < NGX_AGT_ZONE_KEYS) {
        keys[n] = *key;
        return n + 1;
    }

    first = NGX_AGT_ES256_KEYS;

    for (i = NGX_AGT_ES256_KEYS; i < n; i++) {
        if (keys[i].withdrawn < keys[first].withdrawn) {
            first = i;
        }
    }

    if (keys[first].withdrawn < key->withdrawn) {
        keys[first] = *key;
    }

    return n;
}


ngx_int_t
ngx_agt_keys_settled(ngx_agt_zone_t *zone, uint64_t now)
{
    ngx_int_t           rc;
    ngx_agt_keys_sh_t  *sh;

    sh = zone->keys;

    ngx_agt_zone_lock(zone);

    if (ngx_agt_keys_is_fetched_locked(sh, now)
        || sh->version != ngx_agt_keys.version)
    {
        rc = NGX_AGAIN;

    } else if (ngx_agt_keys_is_due_locked(sh, now, 0)) {
        rc = NGX_DECLINED;

    } else {
        rc = sh->missed ? NGX_AGAIN : NGX_OK;
    }

    ngx_agt_zone_unlock(zone);

    return rc;
}


ngx_uint_t
ngx_agt_keys_see(ngx_agt_zone_t *zone, const u_char *source)
{
    ngx_agt_keys_sh_t    *sh;
    ngx_agt_keys_copy_t  *copy;

    sh = zone->keys;
    copy = &ngx_agt_keys;

    if (copy->version == sh->version) {
        return copy->n;
    }

    ngx_agt_keys_exit();

    ngx_agt_zone_lock(zone);

    copy->version = sh->version;

    if (ngx_memcmp(sh->source, source, NGX_AGT_DIGEST_LEN) == 0) {
        copy->n = ngx_min(sh->n, NGX_AGT_ZONE_KEYS);
        ngx_memcpy(copy->keys, sh->keys, copy->n * sizeof(ngx_agt_key_t));
    }

    ngx_agt_zone_unlock(zone);

    return copy->n;
}


/*
 * A key whose name the token has is the only one that may have signed it, but
 * for keys of that name that were withdrawn.  A key without a name may be meant
 * by any name that no other key has.
 */

ngx_agt_keys_e
ngx_agt_keys_judge(const ngx_agt_jwt_header_t *header, const u_char *digest,
    const u_char *signature, uint64_t now)
{
    ngx_int_t  rc;

    if (header->alg == NGX_AGT_JWT_UNSIGNED) {
        return NGX_AGT_KEYS_FORGED;
    }

    if (header->alg != NGX_AGT_JWT_ES256) {
        return NGX_AGT_KEYS_UNKNOWN;
    }

    if (header->has_kid) {
        rc = ngx_agt_keys_try(NGX_AGT_KEYS_NAMED, header->kid, digest,
                              signature, now);

        if (rc == NGX_ERROR) {
            return NGX_AGT_KEYS_FORGED;
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_agt_keys_try(NGX_AGT_KEYS_NAMELESS, NULL, digest,
                                  signature, now);
        }

    } else {
        rc = ngx_agt_keys_try(NGX_AGT_KEYS_ALL, NULL, digest, signature, now);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_AGT_KEYS_GOOD;

    case NGX_DONE:
        return NGX_AGT_KEYS_WITHDRAWN_GOOD;

    case NGX_BUSY:
        return NGX_AGT_KEYS_OPEN;

    default:
        return header->has_kid ? NGX_AGT_KEYS_UNKNOWN
                               : NGX_AGT_KEYS_UNVERIFIED;
    }
}


/*
 * NGX_OK        a published key verifies
 * NGX_DONE      a withdrawn one does
 * NGX_BUSY      there are too many to be tried
 * NGX_ERROR     there are published ones, and none verifies
 * NGX_DECLINED  there are none, or only withdrawn ones of which none verifies
 */

static ngx_int_t
ngx_agt_keys_try(ngx_uint_t which, const u_char *name, const u_char *digest,
    const u_char *signature, uint64_t now)
{
    ngx_uint_t            i, tried;
    ngx_agt_key_t        *key;
    ngx_agt_keys_copy_t  *copy;

    u_char  candidates[NGX_AGT_KEYS_TRIED];

    copy = &ngx_agt_keys;
    tried = 0;

    for (i = 0; i < copy->n; i++) {

        key = &copy->keys[i];

        if (ngx_agt_keys_is_past(key, now)
            || (which == NGX_AGT_KEYS_NAMED
                && ngx_memcmp(key->name, name, NGX_AGT_DIGEST_LEN) != 0)
            || (which == NGX_AGT_KEYS_NAMELESS && key->named))
        {
            continue;
        }

        if (tried == NGX_AGT_KEYS_TRIED) {
            return NGX_BUSY;
        }

        candidates[tried++] = (u_char) i;
    }

    /* published keys come first */

    for (i = 0; i < tried && signature; i++) {
        key = &copy->keys[candidates[i]];

        if (copy->ready[candidates[i]] == NULL) {
            copy->ready[candidates[i]] = ngx_agt_es256_open(key->point);

            /* the key is good: memory is short */

            if (copy->ready[candidates[i]] == NULL) {
                return NGX_BUSY;
            }
        }

        if (ngx_agt_es256_verify(copy->ready[candidates[i]], digest,
                                 signature))
        {
            return key->withdrawn ? NGX_DONE : NGX_OK;
        }
    }

    return (tried && copy->keys[candidates[0]].withdrawn == 0) ? NGX_ERROR
                                                               : NGX_DECLINED;
}


static ngx_uint_t
ngx_agt_keys_is_past(const ngx_agt_key_t *key, uint64_t now)
{
    return key->withdrawn
           && now - ngx_min(key->withdrawn, now) >= NGX_AGT_KEYS_WITHDRAWN;
}


void
ngx_agt_keys_exit(void)
{
    ngx_uint_t            i;
    ngx_agt_keys_copy_t  *copy;

    copy = &ngx_agt_keys;

    for (i = 0; i < copy->n; i++) {
        ngx_agt_es256_close(copy->ready[i]);
    }

    ngx_memzero(copy, sizeof(ngx_agt_keys_copy_t));
}
