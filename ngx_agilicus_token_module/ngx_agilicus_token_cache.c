
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_cache.h"


/* of a look-up; the first ones need no lock unless there is a change */
#define NGX_AGILICUS_TOKEN_CACHE_TRIES       8
#define NGX_AGILICUS_TOKEN_CACHE_FREE_TRIES  4


/* where look-ups copy to: grows to the largest entry seen, is never freed */

typedef struct {
    u_char                        *data;
    size_t                         size;
} ngx_agilicus_token_scratch_t;


/* what is looked for among tombstones */

typedef struct {
    const ngx_agilicus_token_facts_t *facts;
    const ngx_agilicus_token_clock_t *now;

    ngx_uint_t                     wanted[NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS];
    u_char                         keys[NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS]
                                       [NGX_AGILICUS_TOKEN_TOMBSTONE_KEY_LEN];
} ngx_agilicus_token_denials_t;


static ngx_agilicus_token_entry_t *ngx_agilicus_token_cache_find_locked(
    ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key);
static ngx_int_t ngx_agilicus_token_cache_copy(
    ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key, ngx_uint_t want_rules,
    ngx_agilicus_token_found_t *found, size_t *len);
static ngx_int_t ngx_agilicus_token_cache_grow(size_t size);
static ngx_agilicus_token_reason_e ngx_agilicus_token_cache_search(
    ngx_agilicus_token_tombstones_t *tombstones,
    const ngx_agilicus_token_denials_t *d);
static ngx_int_t ngx_agilicus_token_cache_tombstone_key(u_char *out,
    const u_char *api, ngx_agilicus_token_tombstone_e kind,
    const ngx_str_t *value);


static ngx_agilicus_token_scratch_t  ngx_agilicus_token_scratch;


ngx_int_t
ngx_agilicus_token_cache_find(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key, ngx_uint_t want_rules,
    ngx_agilicus_token_found_t *found)
{
    size_t             len;
    ngx_int_t          rc;
    ngx_uint_t         try, locked;
    ngx_atomic_uint_t  changes;

    for (try = 0; try < NGX_AGILICUS_TOKEN_CACHE_TRIES; try++) {

        len = 0;
        locked = !ngx_agilicus_token_zone_read_begin(zone, &changes)
                 || try >= NGX_AGILICUS_TOKEN_CACHE_FREE_TRIES;

        if (locked) {
            ngx_agilicus_token_zone_lock(zone);
        }

        rc = ngx_agilicus_token_cache_copy(zone, key, want_rules, found, &len);

        if (locked) {
            ngx_agilicus_token_zone_unlock(zone);

        } else if (!ngx_agilicus_token_zone_read_end(zone, changes)) {
            continue;
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }

        /* no memory is asked for while the zone is locked */

        if (ngx_agilicus_token_cache_grow(len) != NGX_OK) {
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
ngx_agilicus_token_cache_copy(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key, ngx_uint_t want_rules,
    ngx_agilicus_token_found_t *found, size_t *len)
{
    size_t                                      facts, rules;
    ngx_agilicus_token_table_t                 *table;
    ngx_agilicus_token_table_seen_t             seen;
    const volatile ngx_agilicus_token_entry_t  *e;

    table = zone->facts;
    e = ngx_agilicus_token_table_peek(table, key->key, key->context, &seen);

    if (e == NULL) {
        table = zone->invalid;
        e = ngx_agilicus_token_table_peek(table, key->key, key->context,
                                          &seen);
        if (e == NULL) {
            return NGX_DECLINED;
        }
    }

    facts = e->facts_len;
    rules = e->rules_len;

    *len = facts + (want_rules ? rules : 0);

    if (!ngx_agilicus_token_table_holds(table,
                                    (const ngx_agilicus_token_entry_t *) e,
                                    *len))
    {
        return NGX_DECLINED;
    }

    if (*len > ngx_agilicus_token_scratch.size) {
        return NGX_AGAIN;
    }

    found->class = (ngx_agilicus_token_class_e) e->class;
    found->reason = (ngx_agilicus_token_reason_e) e->reason;
    found->sent = e->sent;
    found->serial = e->serial;
    found->clean = (ngx_atomic_uint_t) e->clean;
    found->late = e->late;
    found->rules_len = rules;

    if (*len) {
        ngx_memcpy(ngx_agilicus_token_scratch.data, (u_char *) e->data, *len);
    }

    found->facts.len = facts;
    found->facts.data = ngx_agilicus_token_scratch.data;
    found->rules.len = *len - facts;
    found->rules.data = ngx_agilicus_token_scratch.data + facts;

    ngx_agilicus_token_table_touch(table, &seen);

    return NGX_OK;
}


ngx_int_t
ngx_agilicus_token_cache_store(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key,
    ngx_agilicus_token_class_e class, ngx_agilicus_token_reason_e reason,
    const ngx_str_t *facts, const ngx_str_t *rules, uint64_t sent,
    ngx_atomic_uint_t generation)
{
    ngx_agilicus_token_entry_t  *e;
    ngx_agilicus_token_table_t  *table, *other;

    if (class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        table = zone->facts;
        other = zone->invalid;

    } else {
        table = zone->invalid;
        other = zone->facts;
    }

    ngx_agilicus_token_zone_lock(zone);

    e = ngx_agilicus_token_cache_find_locked(zone, key);

    if (e && e->sent > sent) {
        ngx_agilicus_token_zone_unlock(zone);
        return NGX_OK;
    }

    ngx_agilicus_token_zone_begin_locked(zone);

    e = ngx_agilicus_token_table_find(other, key->key, key->context);

    if (e) {
        ngx_agilicus_token_table_remove(other, e);
    }

    e = ngx_agilicus_token_table_store(table, key->key, key->context,
                                       facts->len + rules->len);

    if (e) {
        e->class = (uint8_t) class;
        e->reason = (uint8_t) reason;
        e->sent = sent;
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

    ngx_agilicus_token_zone_end_locked(zone);
    ngx_agilicus_token_zone_unlock(zone);

    ngx_agilicus_token_zone_count(zone, e ? NGX_AGILICUS_TOKEN_COUNT_STORED
                                    : NGX_AGILICUS_TOKEN_COUNT_NOT_STORED);

    return e ? NGX_OK : NGX_DECLINED;
}


void
ngx_agilicus_token_cache_remove(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key)
{
    ngx_agilicus_token_entry_t  *e;

    ngx_agilicus_token_zone_lock(zone);
    ngx_agilicus_token_zone_begin_locked(zone);

    e = ngx_agilicus_token_table_find(zone->facts, key->key, key->context);

    if (e) {
        ngx_agilicus_token_table_remove(zone->facts, e);
    }

    e = ngx_agilicus_token_table_find(zone->invalid, key->key, key->context);

    if (e) {
        ngx_agilicus_token_table_remove(zone->invalid, e);
    }

    ngx_agilicus_token_zone_end_locked(zone);
    ngx_agilicus_token_zone_unlock(zone);
}


void
ngx_agilicus_token_cache_note(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key,
    const ngx_agilicus_token_found_t *found, ngx_atomic_uint_t generation,
    uint32_t late)
{
    ngx_agilicus_token_entry_t  *e;

    ngx_agilicus_token_zone_lock(zone);

    e = ngx_agilicus_token_cache_find_locked(zone, key);

    if (e && e->serial == found->serial) {
        e->clean = ngx_max(e->clean, generation);
        e->late = ngx_max(e->late, late);
    }

    ngx_agilicus_token_zone_unlock(zone);
}


static ngx_agilicus_token_entry_t *
ngx_agilicus_token_cache_find_locked(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key)
{
    ngx_agilicus_token_entry_t  *e;

    e = ngx_agilicus_token_table_find(zone->facts, key->key, key->context);

    if (e) {
        return e;
    }

    return ngx_agilicus_token_table_find(zone->invalid, key->key,
                                         key->context);
}


static ngx_int_t
ngx_agilicus_token_cache_grow(size_t size)
{
    u_char  *p;

    size = ngx_align(size, 4096);

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_agilicus_token_scratch.data) {
        ngx_free(ngx_agilicus_token_scratch.data);
    }

    ngx_agilicus_token_scratch.data = p;
    ngx_agilicus_token_scratch.size = size;

    return NGX_OK;
}


uint64_t
ngx_agilicus_token_cache_limit(
    const ngx_agilicus_token_lifetimes_t *lifetimes, const u_char *key,
    ngx_agilicus_token_class_e class, ngx_uint_t has_exp, ngx_uint_t watched)
{
    uint64_t  limit;

    if (class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        limit = watched ? lifetimes->watched : lifetimes->active;

        if (!has_exp) {
            limit = ngx_min(limit, lifetimes->active);
        }

    } else {
        limit = lifetimes->invalid;
    }

    return limit - limit / 10 * key[NGX_AGILICUS_TOKEN_DIGEST_LEN - 1] / 256;
}


ngx_atomic_uint_t
ngx_agilicus_token_cache_generation(ngx_agilicus_token_zone_t *first)
{
    ngx_atomic_uint_t  generation;

    generation = first->sh->generation;
    ngx_memory_barrier();

    return generation;
}


ngx_agilicus_token_reason_e
ngx_agilicus_token_cache_denied(ngx_agilicus_token_zone_t *first,
    const u_char *api, const u_char *token,
    const ngx_agilicus_token_facts_t *facts,
    const ngx_agilicus_token_clock_t *now)
{
    ngx_str_t                      value;
    ngx_uint_t                     kind, try;
    const ngx_str_t               *values[NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS];
    ngx_atomic_uint_t              changes;
    ngx_agilicus_token_reason_e    reason;
    ngx_agilicus_token_denials_t   d;

    ngx_memzero(values, sizeof(values));

    value.data = (u_char *) token;
    value.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

    values[NGX_AGILICUS_TOKEN_TOMBSTONE_TOKEN] = &value;

    if (facts) {
        values[NGX_AGILICUS_TOKEN_TOMBSTONE_JTI] = &facts->jti;
        values[NGX_AGILICUS_TOKEN_TOMBSTONE_SESSION] = &facts->session;
        values[NGX_AGILICUS_TOKEN_TOMBSTONE_SUBJECT] = &facts->sub;
    }

    for (kind = 0; kind < NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS; kind++) {

        d.wanted[kind] = (values[kind] && values[kind]->len);

        if (!d.wanted[kind]) {
            continue;
        }

        if (ngx_agilicus_token_cache_tombstone_key(d.keys[kind], api,
                                   (ngx_agilicus_token_tombstone_e) kind,
                                   values[kind])
            != NGX_OK)
        {
            /* what cannot be looked up may be denied */
            return NGX_AGILICUS_TOKEN_REASON_REVOKED;
        }
    }

    d.facts = facts;
    d.now = now;

    for (try = 0; try < NGX_AGILICUS_TOKEN_CACHE_FREE_TRIES; try++) {

        if (!ngx_agilicus_token_zone_read_begin(first, &changes)) {
            break;
        }

        reason = ngx_agilicus_token_cache_search(first->tombstones, &d);

        if (ngx_agilicus_token_zone_read_end(first, changes)) {
            return reason;
        }
    }

    ngx_agilicus_token_zone_lock(first);
    reason = ngx_agilicus_token_cache_search(first->tombstones, &d);
    ngx_agilicus_token_zone_unlock(first);

    return reason;
}


static ngx_agilicus_token_reason_e
ngx_agilicus_token_cache_search(ngx_agilicus_token_tombstones_t *tombstones,
    const ngx_agilicus_token_denials_t *d)
{
    ngx_uint_t                       kind;
    ngx_agilicus_token_tombstone_t  *s;

    static const ngx_agilicus_token_reason_e
        reasons[NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS] =
    {
        NGX_AGILICUS_TOKEN_REASON_REVOKED,
        NGX_AGILICUS_TOKEN_REASON_JTI,
        NGX_AGILICUS_TOKEN_REASON_SESSION,
        NGX_AGILICUS_TOKEN_REASON_SUBJECT
    };

    for (kind = 0; kind < NGX_AGILICUS_TOKEN_TOMBSTONE_KINDS; kind++) {

        if (!d->wanted[kind]) {
            continue;
        }

        s = ngx_agilicus_token_tombstones_find(tombstones, d->keys[kind],
                                               d->now);
        if (s == NULL) {
            continue;
        }

        if (kind == NGX_AGILICUS_TOKEN_TOMBSTONE_SUBJECT
            && d->facts->has_iat && d->facts->iat > s->before)
        {
            continue;
        }

        return reasons[kind];
    }

    return NGX_AGILICUS_TOKEN_REASON_NONE;
}


ngx_int_t
ngx_agilicus_token_cache_deny(ngx_agilicus_token_zone_t *first,
    const u_char *api, ngx_agilicus_token_tombstone_e kind,
    const ngx_str_t *value, int64_t until, int64_t before,
    const ngx_agilicus_token_clock_t *now)
{
    uint64_t                        gone, lasts;
    ngx_int_t                       rc;
    ngx_agilicus_token_tombstone_t  add;

    static int64_t                  told;

    if (ngx_agilicus_token_cache_tombstone_key(add.key, api, kind, value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* an "exp" can be any number: a century is for ever */

    lasts = until > now->wall
            ? ngx_min((uint64_t) until - (uint64_t) now->wall, 3155760000)
            : 0;

    add.kind = kind;
    add.wall = until;
    add.mono = now->mono + lasts * 1000;
    add.before = before;

    ngx_agilicus_token_zone_lock(first);

    /* one that is put up without being counted would never be looked for */

    ngx_agilicus_token_zone_begin_locked(first);

    rc = ngx_agilicus_token_tombstones_add(first->tombstones, &add, now,
                                           &gone);

    if (rc == NGX_BUSY) {
        first->sh->incomplete = ngx_max(first->sh->incomplete, gone);
    }

    if (rc != NGX_DECLINED) {
        ngx_memory_barrier();
        first->sh->generation++;
    }

    ngx_agilicus_token_zone_end_locked(first);
    ngx_agilicus_token_zone_unlock(first);

    if (rc == NGX_BUSY && told != now->wall) {
        told = now->wall;

        ngx_log_error(NGX_LOG_WARN, first->shm_zone->shm.log, 0,
                      "agilicus token: no room for all denials, make zone "
                      "\"%V\" larger", &first->shm_zone->shm.name);
    }

    return rc;
}


/*
 * SHA-256 over the kind, the digest of the API's URL and the value: the first
 * two have one length, so no two tombstones share a key by accident.
 */

static ngx_int_t
ngx_agilicus_token_cache_tombstone_key(u_char *out, const u_char *api,
    ngx_agilicus_token_tombstone_e kind, const ngx_str_t *value)
{
    u_char     k;
    ngx_str_t  parts[3];

    k = (u_char) kind;

    parts[0].data = &k;
    parts[0].len = 1;
    parts[1].data = (u_char *) api;
    parts[1].len = NGX_AGILICUS_TOKEN_DIGEST_LEN;
    parts[2] = *value;

    return ngx_agilicus_token_digest(out, parts, 3);
}
