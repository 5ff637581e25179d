
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/children.h"
#include "zone/seal.h"
#include "token/time.h"


/* bytes of a token for which room is wanted before the API is asked for one */
#define NGX_AGT_CHILDREN_USUAL  4096


static void ngx_agt_children_replace(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now);
static ngx_int_t ngx_agt_children_end_one(ngx_agt_denials_t *denials,
    ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now);
static ngx_uint_t ngx_agt_children_of_one(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now, ngx_int_t *rc);
static ngx_int_t ngx_agt_children_spread(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now);


ngx_int_t
ngx_agt_children_of(ngx_agt_ledger_record_t *record, const u_char *api,
    const u_char *key, const u_char *raw, const ngx_agt_facts_t *facts,
    uint64_t asked)
{
    ngx_uint_t  kinds;

    if (ngx_agt_denials_keys(record->parent, &kinds, api, key, facts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    record->flags |= (uint32_t) kinds * NGX_AGT_LEDGER_HAS_PARENT(0);

    if (raw) {

        if (ngx_agt_denials_token_key(record->raw, api, NGX_AGT_DENIAL_TOKEN,
                                      raw)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        record->flags |= NGX_AGT_LEDGER_HAS_RAW;
    }

    if (facts->has_iat) {
        record->iat = facts->iat;
        record->flags |= NGX_AGT_LEDGER_HAS_IAT;
    }

    record->asked = asked;

    return NGX_OK;
}


ngx_int_t
ngx_agt_children_add(ngx_agt_denials_t *denials, const ngx_agt_child_t *child,
    const ngx_agt_clock_t *now)
{
    u_char                   sealed[NGX_AGT_LEDGER_TOKEN];
    ngx_int_t                rc;
    ngx_str_t                bound;
    ngx_uint_t               i;
    ngx_agt_ledger_t        *ledger;
    ngx_agt_ledger_record_t  record, *r;

    record = *child->record;

    if (ngx_agt_denials_token_key(record.key, child->api, NGX_AGT_DENIAL_TOKEN,
                                  child->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((record.flags & NGX_AGT_LEDGER_HAS_PARENT(NGX_AGT_DENIAL_TOKEN))
        && ngx_memcmp(record.key,
                      record.parent[NGX_AGT_DENIAL_TOKEN],
                      NGX_AGT_DENIAL_KEY_LEN)
           == 0)
    {
        return NGX_ABORT;
    }

    if (child->token.len + NGX_AGT_SEAL_LEN > sizeof(sealed)) {
        return NGX_BUSY;
    }

    bound.data = record.key;
    bound.len = NGX_AGT_DENIAL_KEY_LEN;

    if (ngx_agt_seal_encrypt(&child->token, &bound, sealed) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(record.api, child->api, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(record.print, child->digest, sizeof(record.print));

    record.len = (uint32_t) (child->token.len + NGX_AGT_SEAL_LEN);
    record.state = NGX_AGT_LEDGER_LIVE;
    record.flags |= NGX_AGT_LEDGER_CHILD;
    record.pause = NGX_AGT_CHILDREN_PAUSE;
    record.made = now->mono;

    ngx_agt_ledger_until(&record, now->wall + record.ttl, now);

    ledger = denials->ledger;

    ngx_agt_denials_lock(denials);

    if (ngx_agt_denials_find_locked(denials, record.key, now)) {
        ngx_agt_denials_unlock(denials);
        return NGX_ABORT;
    }

    /* the LIVE record of the same child of the same parent */

    i = 0;

    while ((r = ngx_agt_ledger_find(ledger, record.key, &i)) != NULL) {
        if (r->state == NGX_AGT_LEDGER_LIVE
            && ngx_memcmp(r->parent, record.parent, sizeof(r->parent)) == 0
            && ngx_memcmp(r->raw, record.raw, sizeof(r->raw)) == 0)
        {
            break;
        }
    }

    if (r) {
        r->retire = 0;

        if (!(r->flags & NGX_AGT_LEDGER_HAS_EXP)) {
            r->wall = record.wall;
            r->mono = record.mono;
        }

    } else {
        r = ngx_agt_ledger_add(ledger, &record, sealed);
    }

    rc = NGX_BUSY;

    if (r) {
        ngx_agt_children_replace(ledger, r, now);

        rc = NGX_OK;

        if (ngx_agt_denials_parent_locked(denials, r, now)) {
            (void) ngx_agt_children_end_locked(denials, r, now);
            rc = NGX_DECLINED;
        }
    }

    ngx_agt_denials_unlock(denials);

    return rc;
}


/* an older child for the same purpose is used no more */

static void
ngx_agt_children_replace(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now)
{
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    while ((r = ngx_agt_ledger_next(ledger, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_LIVE && r->retire == 0
            && ngx_memcmp(r->purpose, record->purpose, sizeof(r->purpose))
               == 0
            && ngx_memcmp(r->key, record->key, sizeof(r->key)) != 0)
        {
            r->retire = now->mono + NGX_AGT_CHILDREN_GRACE;
            ledger->wake = 0;
        }
    }
}


ngx_uint_t
ngx_agt_children_room(ngx_agt_denials_t *denials)
{
    ngx_uint_t  room;

    ngx_agt_denials_lock(denials);

    room = ngx_agt_ledger_room(denials->ledger, NGX_AGT_CHILDREN_USUAL);

    ngx_agt_denials_unlock(denials);

    return room;
}


void
ngx_agt_children_note(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_facts_t *facts,
    const ngx_agt_clock_t *now)
{
    u_char                    own[NGX_AGT_DENIAL_KEY_LEN];
    u_char                    jti[NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    if (ngx_agt_denials_token_key(own, api, NGX_AGT_DENIAL_TOKEN, key)
            != NGX_OK
        || (facts->jti.len
            && ngx_agt_denials_key(jti, api,
                                          NGX_AGT_DENIAL_JTI,
                                          &facts->jti)
               != NGX_OK))
    {
        return;
    }

    ngx_agt_denials_lock(denials);

    i = 0;

    while ((r = ngx_agt_ledger_find(denials->ledger, own, &i)) != NULL) {

        if (!(r->flags & NGX_AGT_LEDGER_CHILD)) {
            continue;
        }

        if (facts->jti.len) {
            ngx_memcpy(r->jti, jti, NGX_AGT_DENIAL_KEY_LEN);
            ngx_memory_barrier();
            r->flags |= NGX_AGT_LEDGER_HAS_JTI;
        }

        if (facts->has_exp) {
            ngx_agt_ledger_until(r, facts->exp, now);
            ngx_memory_barrier();
            r->flags |= NGX_AGT_LEDGER_HAS_EXP;
        }
    }

    ngx_agt_denials_unlock(denials);
}


ngx_uint_t
ngx_agt_children_young(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_clock_t *now)
{
    u_char                    own[NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t                i, young;
    ngx_agt_ledger_record_t  *r;

    if (denials->ledger->top == 0) {
        return 0;
    }

    if (ngx_agt_denials_token_key(own, api, NGX_AGT_DENIAL_TOKEN, key)
        != NGX_OK)
    {
        return 0;
    }

    ngx_agt_denials_lock(denials);

    i = 0;
    young = 0;

    while ((r = ngx_agt_ledger_find(denials->ledger, own, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_LIVE
            && r->made + NGX_AGT_CHILDREN_YOUNG > now->mono)
        {
            young = 1;
            break;
        }
    }

    ngx_agt_denials_unlock(denials);

    return young;
}


void
ngx_agt_children_end(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *key, const ngx_agt_clock_t *now)
{
    u_char                    own[NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    if (ngx_agt_denials_token_key(own, api, NGX_AGT_DENIAL_TOKEN, key)
        != NGX_OK)
    {
        return;
    }

    ngx_agt_denials_lock(denials);

    i = 0;

    while ((r = ngx_agt_ledger_find(denials->ledger, own, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_LIVE) {
            (void) ngx_agt_children_end_locked(denials, r, now);
        }
    }

    ngx_agt_denials_unlock(denials);
}


void
ngx_agt_children_end_all(ngx_agt_denials_t *denials,
    const u_char *purpose, const ngx_agt_clock_t *now)
{
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    ngx_agt_denials_lock(denials);

    i = 0;

    while ((r = ngx_agt_ledger_next(denials->ledger, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_LIVE
            && ngx_memcmp(r->purpose, purpose, sizeof(r->purpose)) == 0)
        {
            (void) ngx_agt_children_end_locked(denials, r, now);
        }
    }

    ngx_agt_denials_unlock(denials);
}


ngx_int_t
ngx_agt_children_end_locked(ngx_agt_denials_t *denials,
    ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now)
{
    ngx_int_t   rc;
    ngx_uint_t  compared;

    compared = (denials->ledger->compared == denials->sh->generation);

    rc = ngx_agt_children_end_one(denials, record, now);

    if (ngx_agt_children_spread(denials, now) != NGX_OK) {
        rc = NGX_ERROR;
    }

    if (compared) {
        denials->ledger->compared = denials->sh->generation;
    }

    return rc;
}


ngx_int_t
ngx_agt_children_denied_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (ngx_agt_children_of_one(denials, denial, now, &rc)
        && ngx_agt_children_spread(denials, now) != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    return rc;
}


void
ngx_agt_children_compare_locked(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    while ((r = ngx_agt_ledger_next(denials->ledger, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_LIVE
            && ngx_agt_denials_parent_locked(denials, r, now))
        {
            (void) ngx_agt_children_end_one(denials, r, now);
        }
    }

    (void) ngx_agt_children_spread(denials, now);
}


/*
 * Ends one child; its own children, if it has any, are left to a walk that
 * comes after this.  It is denied before its record says that it is.
 */

static ngx_int_t
ngx_agt_children_end_one(ngx_agt_denials_t *denials,
    ngx_agt_ledger_record_t *r, const ngx_agt_clock_t *now)
{
    ngx_int_t         rc;
    ngx_agt_denial_t  t;

    if (!(r->flags & NGX_AGT_LEDGER_HAS_EXP)) {
        ngx_agt_ledger_until(r, now->wall + r->ttl, now);
    }

    ngx_memzero(&t, sizeof(ngx_agt_denial_t));

    ngx_memcpy(t.key, r->key, NGX_AGT_DENIAL_KEY_LEN);

    t.wall = ngx_agt_time_add(r->wall, r->leeway);
    t.mono = r->mono + (uint64_t) r->leeway * 1000;
    t.mark = ngx_agt_denial_mark(now->mono, NGX_AGT_DENIED_UNTOLD,
                                    NGX_AGT_DENIAL_TOKEN);

    rc = ngx_agt_denials_put_locked(denials, &t, 0, now);

    if (r->flags & NGX_AGT_LEDGER_HAS_JTI) {
        ngx_memcpy(t.key, r->jti, NGX_AGT_DENIAL_KEY_LEN);

        t.mark = ngx_agt_denial_mark(now->mono, NGX_AGT_DENIED_UNTOLD,
                                       NGX_AGT_DENIAL_JTI);

        if (ngx_agt_denials_put_locked(denials, &t, 0, now) == NGX_ERROR) {
            rc = NGX_ERROR;
        }
    }

    r->next = now->mono;
    r->lease = 0;
    r->flags |= NGX_AGT_LEDGER_SPREADS;

    ngx_memory_barrier();
    r->state = NGX_AGT_LEDGER_DUE;

    denials->ledger->wake = 0;

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/* returns how many children of the denied token have ended */

static ngx_uint_t
ngx_agt_children_of_one(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now, ngx_int_t *rc)
{
    ngx_uint_t                i, n;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    for (n = 0; /* void */ ; n++) {
        r = ngx_agt_ledger_child(denials->ledger,
                       ngx_agt_denial_kind(denial), denial->key, &i);

        if (r == NULL) {
            return n;
        }

        if (ngx_agt_children_end_one(denials, r, now) != NGX_OK) {
            *rc = NGX_ERROR;
        }
    }
}


/* a child may have been reissued once more: on to the children of children */

static ngx_int_t
ngx_agt_children_spread(ngx_agt_denials_t *denials, const ngx_agt_clock_t *now)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_agt_denial_t          t;
    ngx_agt_ledger_record_t  *r;

    rc = NGX_OK;
    ngx_memzero(&t, sizeof(ngx_agt_denial_t));

    do {
        n = 0;
        i = 0;

        while ((r = ngx_agt_ledger_next(denials->ledger, &i)) != NULL) {

            if (!(r->flags & NGX_AGT_LEDGER_SPREADS)) {
                continue;
            }

            r->flags &= ~(uint32_t) NGX_AGT_LEDGER_SPREADS;

            t.mark = NGX_AGT_DENIAL_TOKEN;
            ngx_memcpy(t.key, r->key, sizeof(t.key));
            n += ngx_agt_children_of_one(denials, &t, now, &rc);

            if (r->flags & NGX_AGT_LEDGER_HAS_JTI) {
                t.mark = NGX_AGT_DENIAL_JTI;
                ngx_memcpy(t.key, r->jti, sizeof(t.key));
                n += ngx_agt_children_of_one(denials, &t, now, &rc);
            }
        }

    } while (n);

    return rc;
}
