
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/look_up.h"
#include "request/access.h"
#include "request/early.h"
#include "request/gate.h"
#include "request/trace.h"
#include "request/wait.h"
#include "zone/digest_cache.h"
#include "zone/issued.h"


/* milliseconds after which facts are old for a refusal that may have ended */
#define NGX_AGT_LOOK_UP_OLD  1000


static ngx_int_t ngx_agt_find(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_found_t *found);
static ngx_int_t ngx_agt_keep_entry(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_worker_entry_t *entry);
static ngx_int_t ngx_agt_use(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, ngx_agt_found_t *found,
    const ngx_agt_clock_t *now);
static ngx_agt_reason_e ngx_agt_look_through(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, ngx_agt_found_t *found,
    const ngx_agt_clock_t *now);
static ngx_inline uint64_t ngx_agt_limit(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_clock_t *now, ngx_uint_t *watched);
static void ngx_agt_refresh(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_look_up_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);
static void ngx_agt_look_up_answer(ngx_agt_ctx_t *ctx,
    ngx_agt_answer_t *answer);
static ngx_uint_t ngx_agt_look_up_stale_key(ngx_agt_ctx_t *ctx,
    const ngx_agt_clock_t *now);
static ngx_uint_t ngx_agt_look_up_feed_is_dead(ngx_http_request_t *r,
    const ngx_agt_clock_t *now);
static void ngx_agt_hit(ngx_agt_zone_t *first, ngx_agt_ctx_t *ctx);
static ngx_int_t ngx_agt_look_up_raw(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_clock_t *now);
static ngx_agt_reason_e ngx_agt_look_up_keep_raw(ngx_agt_ctx_t *ctx,
    const ngx_str_t *raw, const ngx_agt_clock_t *now);


ngx_int_t
ngx_agt_look_up(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_zone_t          *first;
    ngx_agt_clock_t          now;
    ngx_agt_found_t          found;
    ngx_agt_reason_e         denied;
    const ngx_agt_origin_t  *origin;

    origin = lcf->origin;
    first = ngx_agt_request_first_zone(r);

    ngx_agt_clock_now(&now);

    if (origin->zone) {
        rc = ngx_agt_find(r, ctx, lcf, &found);

        if (rc == NGX_ERROR) {
            return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                                        NGX_AGT_REASON_INTERNAL);
        }

        if (rc == NGX_OK) {
            rc = ngx_agt_use(r, ctx, lcf, &found, &now);

            if (rc == NGX_OK && ctx->api_key) {
                rc = ngx_agt_look_up_raw(ctx, lcf, &now);
            }

            if (rc == NGX_OK) {
                ngx_agt_hit(first, ctx);
                return NGX_OK;
            }
        }
    }

    /* a token that is denied here needs no call, with or without facts */

    denied = ngx_agt_denials_check(ngx_agt_request_denials(r),
                                   origin->api->digest,
                                   ngx_agt_look_up_denial_key(ctx), NULL, 0,
                                   &now);

    if (denied != NGX_AGT_REASON_NONE) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_REVOKED, denied);
        ngx_agt_hit(first, ctx);

        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "agilicus token miss, too old: %d", ctx->seen != 0);

    return ctx->has_facts ? NGX_DECLINED : ngx_agt_gate(r, ctx, lcf);
}


static void
ngx_agt_hit(ngx_agt_zone_t *first, ngx_agt_ctx_t *ctx)
{
    /* a token found in the preaccess phase was counted there */

    if (ctx->life == NGX_AGT_LIFE_PREVIEWED) {
        return;
    }

    /* only an active token is worth a place */

    if (ctx->class == NGX_AGT_CLASS_ACTIVE && !ctx->remembered) {
        ngx_agt_digest_cache_add(&ctx->token, ctx->digest);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "agilicus token hit, age: %L ms, updating: %d",
                   ctx->sent ? (int64_t) (ngx_agt_clock_mono() - ctx->sent)
                             : -1,
                   ctx->cache == NGX_AGT_CACHE_UPDATING);

    if (ctx->cache == NGX_AGT_CACHE_UPDATING) {
        ngx_agt_zone_count(first, NGX_AGT_COUNT_UPDATING);
        return;
    }

    ctx->cache = NGX_AGT_CACHE_HIT;
    ngx_agt_zone_count(first, NGX_AGT_COUNT_HIT);
}


/*
 * Finds the token's entry in the zone.  The facts, and the rules where the
 * location has rules, are then the request's own: held in the worker's memory,
 * or copied.  Returns NGX_OK, NGX_DECLINED if there is no entry, or NGX_ERROR
 * if it cannot be read.
 */

static ngx_int_t
ngx_agt_find(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_found_t *found)
{
    ngx_int_t                      rc;
    ngx_uint_t                     want;
    ngx_agt_zone_t                *zone;
    ngx_agt_worker_key_t           mine;
    const ngx_agt_worker_entry_t  *entry;

    zone = lcf->origin->zone;

    mine.token = ctx->digest;
    mine.origin = lcf->origin->facts;
    mine.zone = zone->sh->hash_key[0];

    want = lcf->rules ? NGX_AGT_CACHE_RULES : NGX_AGT_CACHE_FACTS;

    entry = ngx_agt_worker_cache_find(&mine);

    if (entry && (entry->has_rules || !lcf->rules)) {

        ngx_agt_worker_cache_hold(entry);

        rc = ngx_agt_cache_find(zone, &ctx->place, NGX_AGT_CACHE_HEAD, found);

        if (rc == NGX_OK && entry->serial == found->serial) {
            return ngx_agt_keep_entry(r, ctx, entry);
        }

        ngx_agt_worker_cache_release(entry);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_agt_cache_find(zone, &ctx->place, want, found);

    if (rc != NGX_OK || found->class != NGX_AGT_CLASS_ACTIVE) {
        return rc;
    }

    entry = ngx_agt_worker_cache_add(&mine, &found->facts,
                                        &found->rules, found->serial,
                                        lcf->rules || found->rules_len == 0);
    if (entry) {
        return ngx_agt_keep_entry(r, ctx, entry);
    }

    if (ngx_agt_ctx_keep_facts(r, ctx, &found->facts) != NGX_OK
        || ngx_agt_ctx_keep_rules(r, ctx, &found->rules) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The request holds an entry from now on.  The entry is released when the
 * client's request ends: until then variables and headers may be made of it,
 * even after later decisions on this request.
 */

static ngx_int_t
ngx_agt_keep_entry(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_worker_entry_t *entry)
{
    ngx_agt_held_t  *held;

    held = ngx_palloc(r->pool, sizeof(ngx_agt_held_t));

    if (held == NULL) {
        ngx_agt_worker_cache_release(entry);
        return NGX_ERROR;
    }

    held->entry = entry;
    held->next = ctx->client->held;
    ctx->client->held = held;

    ctx->packed = entry->packed;
    ctx->facts = entry->facts;
    ctx->rules = entry->rules;
    ctx->has_facts = 1;

    return NGX_OK;
}


/* NGX_OK if the entry decides, NGX_DECLINED if it is too old */

static ngx_int_t
ngx_agt_use(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf,
    ngx_agt_found_t *found, const ngx_agt_clock_t *now)
{
    uint64_t          limit;
    ngx_agt_reason_e  denied;

    ctx->seen = found->serial;
    ctx->sent = found->sent;
    ctx->first_asked = found->asked;

    denied = ngx_agt_look_through(r, ctx, lcf, found, now);

    if (denied != NGX_AGT_REASON_NONE) {
        return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_REVOKED, denied);
    }

    if (found->class != NGX_AGT_CLASS_ACTIVE) {
        limit = ngx_agt_cache_limit(&lcf->lifetimes, ctx->digest,
                                    found->class, 0, 0);

        if (now->mono - ngx_min(found->sent, now->mono) >= limit
            || (found->reason == NGX_AGT_REASON_SIGNATURE
                && !ngx_agt_gate_refuses(r, ctx, lcf)))
        {
            return NGX_DECLINED;
        }

        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_INVALID, found->reason);
        ctx->cause = ngx_agt_cache_cause(found);

        return NGX_OK;
    }

    return ngx_agt_look_up_age(r, ctx, lcf, now);
}


/*
 * Looks for a denial, unless the entry was already checked for all denials.
 * Notes in the entry that it was checked, and how late it was seen.
 */

static ngx_agt_reason_e
ngx_agt_look_through(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_found_t *found, const ngx_agt_clock_t *now)
{
    uint32_t           late;
    ngx_atomic_uint_t  generation;
    ngx_agt_reason_e   denied;

    generation = ngx_agt_denials_generation(ngx_agt_request_denials(r));

    ctx->clean = generation;

    late = ctx->has_facts ? ngx_agt_policy_late(&ctx->facts, now->wall) : 0;

    ctx->late = ngx_max(found->late, late);

    if (found->clean >= generation && late == 0) {
        return NGX_AGT_REASON_NONE;
    }

    denied = ngx_agt_look_up_denial(ctx, now);

    if (denied == NGX_AGT_REASON_NONE) {
        ngx_agt_cache_note(lcf->origin->zone, &ctx->place, found, generation,
                           late);
    }

    return denied;
}


void
ngx_agt_look_up_note_late(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    int64_t wall)
{
    uint32_t         late;
    ngx_agt_found_t  found;

    late = ngx_agt_policy_late(&ctx->facts, wall);

    if (late <= ctx->late) {
        return;
    }

    ctx->late = late;

    if (ctx->seen == 0 || lcf->origin == NULL || lcf->origin->zone == NULL) {
        return;
    }

    found.serial = ctx->seen;

    ngx_agt_cache_note(lcf->origin->zone, &ctx->place, &found, 0, late);
}


const u_char *
ngx_agt_look_up_denial_key(ngx_agt_ctx_t *ctx)
{
    if (ctx->token.len == 0 || ctx->token.data[ctx->token.len - 1] != '='
        || ctx->api_key)
    {
        return ctx->digest;
    }

    if (!ctx->has_unpadded) {

        if (ngx_agt_denials_token(ctx->unpadded, &ctx->token, ctx->digest)
            != NGX_OK)
        {
            return NULL;
        }

        ctx->has_unpadded = 1;
    }

    return ctx->unpadded;
}


ngx_agt_reason_e
ngx_agt_look_up_denial(ngx_agt_ctx_t *ctx, const ngx_agt_clock_t *now)
{
    ngx_agt_reason_e    denied;
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_request_denials(ctx->request);

    denied = ngx_agt_denials_check(denials, ctx->api->digest,
                                   ngx_agt_look_up_denial_key(ctx),
                                   ctx->has_facts ? &ctx->facts : NULL,
                                   ctx->first_asked, now);

    if (denied == NGX_AGT_REASON_NONE && ctx->raw.len) {
        denied = ngx_agt_denials_check(denials, ctx->api->digest,
                                       ctx->raw_key, NULL, 0, now);
    }

    return denied;
}


/*
 * Finds the raw token of an API key whose facts were found.  NGX_OK, with a
 * decision where it is denied; NGX_DECLINED if the API must be asked, for an
 * API key without its raw token is of no use.
 */

static ngx_int_t
ngx_agt_look_up_raw(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_clock_t *now)
{
    ngx_str_t         raw;
    ngx_agt_reason_e  denied;

    if (ctx->class != NGX_AGT_CLASS_ACTIVE
        || ngx_agt_policy_expired(&ctx->facts, ctx->leeway, ctx->late,
                                  now->wall))
    {
        return NGX_OK;
    }

    if (lcf->origin->zone == NULL
        || ngx_agt_issued_find_raw(lcf->origin->zone, &ctx->place, ctx->sent,
                                   ngx_agt_call_buffer(), &raw)
           != NGX_OK)
    {
        ctx->class = NGX_AGT_CLASS_NONE;
        return NGX_DECLINED;
    }

    denied = ngx_agt_look_up_keep_raw(ctx, &raw, now);

    if (raw.len) {
        ngx_explicit_memzero(raw.data, raw.len);
    }

    if (denied == NGX_AGT_REASON_INTERNAL) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE, denied);

    } else if (denied != NGX_AGT_REASON_NONE) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_REVOKED, denied);
    }

    return NGX_OK;
}


/*
 * Takes the raw token of an API key into the context.  Returns the reason of
 * its own denial, INTERNAL if it cannot be taken, or NONE.
 */

static ngx_agt_reason_e
ngx_agt_look_up_keep_raw(ngx_agt_ctx_t *ctx, const ngx_str_t *raw,
    const ngx_agt_clock_t *now)
{
    u_char  digest[NGX_AGT_DIGEST_LEN];

    ngx_str_null(&ctx->raw);

    if (raw->len == 0) {
        return NGX_AGT_REASON_NONE;
    }

    if (ngx_agt_digest(digest, raw, 1) != NGX_OK
        || ngx_agt_denials_token(ctx->raw_key, raw, digest) != NGX_OK
        || ngx_agt_secret_copy(ctx->request->pool, raw, &ctx->raw) != NGX_OK)
    {
        return NGX_AGT_REASON_INTERNAL;
    }

    return ngx_agt_denials_check(ngx_agt_request_denials(ctx->request),
                                 ctx->api->digest, ctx->raw_key, NULL, 0, now);
}


ngx_int_t
ngx_agt_ctx_keep_rules(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
                       ngx_str_t *rules)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, rules->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (rules->len) {
        ngx_memcpy(p, rules->data, rules->len);
    }

    ctx->rules.len = rules->len;
    ctx->rules.data = p;

    return NGX_OK;
}


ngx_int_t
ngx_agt_look_up_age(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_clock_t *now)
{
    uint64_t          age, limit;
    ngx_uint_t        watched;
    ngx_agt_facts_t  *facts;

    facts = &ctx->facts;
    age = now->mono - ngx_min(ctx->sent, now->mono);

    /* facts of any age show that a token has expired: no call is needed */

    if (ngx_agt_policy_expired(facts, lcf->leeway, ctx->late, now->wall))
    {
        ctx->class = NGX_AGT_CLASS_ACTIVE;

        /*
         * The raw token of an API key may have expired and the key not: the
         * API, which may give another one, is asked once, and then after the
         * lifetime of refusals.
         */

        return (!ctx->api_key
                || (age < lcf->lifetimes.invalid
                    && facts->exp <= now->wall
                                     - (int64_t) ((age + 999) / 1000)))
               ? NGX_OK : NGX_DECLINED;
    }

    /* the member that set "end" may have changed: only the API knows */

    if (ngx_agt_policy_ended(facts, ctx->late, now->wall)) {
        return NGX_DECLINED;
    }

    limit = ngx_agt_limit(r, ctx, lcf, now, &watched);

    if (age < limit) {
        ctx->class = NGX_AGT_CLASS_ACTIVE;
        return NGX_OK;
    }

    if (watched && lcf->lifetimes.update
        && age <= limit + lcf->lifetimes.update
        && age < lcf->lifetimes.rights)
    {
        ctx->class = NGX_AGT_CLASS_ACTIVE;
        ctx->cache = NGX_AGT_CACHE_UPDATING;

        ngx_agt_refresh(ctx, lcf);

        return NGX_OK;
    }

    if (lcf->lifetimes.error) {
        ctx->stale_until = ctx->sent + limit + lcf->lifetimes.error;
    }

    return NGX_DECLINED;
}


/* the longest age of the facts in the context, and whether a feed watches */

static ngx_inline uint64_t
ngx_agt_limit(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_clock_t *now,
    ngx_uint_t *watched)
{
    ngx_agt_facts_t  *facts;

    facts = &ctx->facts;

    /* the feed tells of tokens, and never of a key that was revoked */

    *watched = facts->jti.len && !ctx->api_key
               && ngx_agt_look_up_watched(r, lcf->origin->api, now);

    return ngx_agt_cache_limit(&lcf->lifetimes, ctx->digest,
                               ngx_agt_policy_ahead(facts,
                                                    lcf->leeway, now->wall)
                               ? NGX_AGT_CLASS_INVALID
                               : NGX_AGT_CLASS_ACTIVE,
                               facts->has_exp, *watched);
}


/*
 * A request that made a call has asked already, unless limit_req has delayed it
 * for longer than it may wait; and no call is made after one that failed.
 */

ngx_uint_t
ngx_agt_look_up_is_old(const ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    uint64_t  now, age;

    if (ctx->renewed || ctx->life != NGX_AGT_LIFE_KNOWN
        || ctx->cache == NGX_AGT_CACHE_STALE)
    {
        return 0;
    }

    now = ngx_agt_clock_mono_now();
    age = now - ngx_min(ctx->sent, now);

    if (ctx->cache == NGX_AGT_CACHE_MISS || ctx->cache == NGX_AGT_CACHE_BYPASS)
    {
        return age >= ngx_max(lcf->api_timeout, NGX_AGT_LOOK_UP_OLD);
    }

    return age >= NGX_AGT_LOOK_UP_OLD;
}


ngx_int_t
ngx_agt_look_up_newer(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t       watched;
    ngx_agt_clock_t  now;
    ngx_agt_found_t  found;

    ngx_agt_clock_now(&now);

    ctx->stale_until = 0;

    if (lcf->lifetimes.error) {
        ctx->stale_until = ctx->sent + ngx_agt_limit(r, ctx, lcf, &now,
                                                     &watched)
                           + lcf->lifetimes.error;
    }

    /* an entry that is no newer is no answer */

    if (lcf->origin->zone
        && ngx_agt_cache_find(lcf->origin->zone, &ctx->place,
                              NGX_AGT_CACHE_HEAD, &found)
           == NGX_OK
        && found.sent <= ctx->sent)
    {
        ctx->seen = found.serial;
    }

    ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_NONE, NGX_AGT_REASON_NONE);

    ctx->life = NGX_AGT_LIFE_NEW;
    ctx->cache = NGX_AGT_CACHE_NONE;
    ctx->renewed = 1;

    return ngx_agt_look_up_ask(r, ctx, lcf);
}


ngx_uint_t
ngx_agt_look_up_watched(ngx_http_request_t *r,
    ngx_agt_api_t *api, const ngx_agt_clock_t *now)
{
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_request_denials(r);

    return ngx_agt_denials_feed(denials, api->digest, now->mono)
           == NGX_AGT_FEED_HEALTHY;
}


static void
ngx_agt_refresh(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_answer_t      answer;
    ngx_agt_introspect_t  introspect;

    ngx_agt_look_up_question(ctx, lcf, &introspect);

    (void) ngx_agt_introspect(&introspect, NULL, &answer);
}


void
ngx_agt_look_up_question(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_introspect_t *introspect)
{
    ngx_memzero(introspect, sizeof(ngx_agt_introspect_t));

    introspect->call.origin = lcf->origin;
    introspect->call.key = ctx->digest;
    introspect->call.curl.connect_timeout = lcf->api_connect_timeout;
    introspect->call.curl.timeout = lcf->api_timeout;
    introspect->call.seen = ctx->seen;
    introspect->token = ctx->token;
    introspect->api_key = ctx->api_key;
    introspect->invalid = lcf->lifetimes.invalid;

    ngx_agt_trace_headers(ctx->request, lcf, &introspect->call.curl.headers);
}


ngx_int_t
ngx_agt_look_up_ask(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_answer_t         answer;
    ngx_agt_introspect_t     introspect;
    ngx_agt_budget_client_t  client;

    ngx_agt_look_up_question(ctx, lcf, &introspect);

    if (!ctx->has_facts) {

        /* values of the call's own headers were read before the look-up */

        ngx_agt_early_close(r, ctx->client);
    }

    /* a call for a token that was active here is not charged to the client */

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    introspect.call.client = &client;
    introspect.call.charged = !ctx->has_facts;
    introspect.call.paced = ctx->renewed;

    rc = ngx_agt_introspect(&introspect, &ctx->waiter, &answer);

    if (rc == NGX_AGAIN) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "agilicus token waits, joined: %d",
                       (int) ctx->waiter.joined);
    }

    if (rc == NGX_ERROR) {

        /* no call was made */

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "agilicus token is not asked about: %V",
                       ngx_agt_reason_word(answer.reason));

    } else if (lcf->origin->zone == NULL) {
        ctx->cache = NGX_AGT_CACHE_BYPASS;

    } else {
        ctx->cache = ctx->waiter.joined ? NGX_AGT_CACHE_JOINED
                                        : NGX_AGT_CACHE_MISS;
    }

    return ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_look_up_take);
}


/*
 * A look-up is counted when its call has ended: only then it is known whether
 * old facts have served.
 */

static void
ngx_agt_look_up_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ngx_agt_look_up_answer(ctx, answer);

    if (ctx->cache != NGX_AGT_CACHE_NONE) {
        ngx_agt_zone_count(ngx_agt_request_first_zone(ctx->request),
                           NGX_AGT_COUNT_HIT
                           + (ctx->cache - NGX_AGT_CACHE_HIT));
    }
}


/*
 * Takes the answer of a call.  If the API gave none, old facts may serve where
 * the location allows it, unless they have expired or are denied.
 */

static void
ngx_agt_look_up_answer(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ngx_agt_clock_t     now;
    ngx_agt_reason_e    denied;
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_request_denials(ctx->request);

    ngx_agt_clock_now(&now);

    ctx->life = NGX_AGT_LIFE_KNOWN;
    ctx->api_time = answer->elapsed;
    ctx->has_api_time = 1;
    ctx->retry_after = answer->retry_after;

    if (answer->class == NGX_AGT_CLASS_ACTIVE) {
        ctx->late = 0;

        if (ngx_agt_ctx_keep_facts(ctx->request, ctx, &answer->facts)
                != NGX_OK
            || ngx_agt_ctx_keep_rules(ctx->request, ctx, &answer->rules)
                != NGX_OK)
        {
            answer->class = NGX_AGT_CLASS_INDETERMINATE;
            answer->reason = NGX_AGT_REASON_INTERNAL;
            answer->transient = 0;
        }

        if (ctx->api_key && answer->class == NGX_AGT_CLASS_ACTIVE) {
            denied = ngx_agt_look_up_keep_raw(ctx, &answer->token, &now);

            if (denied != NGX_AGT_REASON_NONE) {
                answer->class = (denied == NGX_AGT_REASON_INTERNAL)
                                ? NGX_AGT_CLASS_INDETERMINATE
                                : NGX_AGT_CLASS_REVOKED;
                answer->reason = denied;
                answer->transient = 0;
            }
        }
    }

    if (answer->transient && ctx->stale_until > now.mono
        && !ngx_agt_look_up_feed_is_dead(ctx->request, &now)
        && (!ctx->api_key || ngx_agt_look_up_stale_key(ctx, &now)))
    {
        ctx->class = NGX_AGT_CLASS_ACTIVE;
        ctx->clean = ngx_agt_denials_generation(denials);
        ctx->decision.reason = ngx_agt_look_up_denial(ctx, &now);

        if (ctx->decision.reason != NGX_AGT_REASON_NONE) {
            ctx->class = NGX_AGT_CLASS_REVOKED;
            return;
        }

        ctx->cache = NGX_AGT_CACHE_STALE;

        return;
    }

    ctx->class = answer->class;
    ctx->decision.reason = answer->reason;
    ctx->cause = answer->cause;
    ctx->sent = answer->sent;
    ctx->first_asked = answer->asked;
    ctx->clean = answer->clean;

    if (answer->class != NGX_AGT_CLASS_ACTIVE) {
        ctx->has_facts = 0;
    }
}


/* 1 if the raw token of an API key with old facts is there, else 0 */

static ngx_uint_t
ngx_agt_look_up_stale_key(ngx_agt_ctx_t *ctx, const ngx_agt_clock_t *now)
{
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(ctx->request,
                                       ngx_agilicus_token_module);

    ctx->class = NGX_AGT_CLASS_ACTIVE;

    return ngx_agt_look_up_raw(ctx, lcf, now) == NGX_OK
           && ctx->decision.verdict == NGX_AGT_VERDICT_NONE;
}


/* 1 if a feed is configured and its last answer is too long ago, else 0 */

static ngx_uint_t
ngx_agt_look_up_feed_is_dead(ngx_http_request_t *r, const ngx_agt_clock_t *now)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    return mcf->feed.api
           && ngx_agt_denials_feed(mcf->api.denials,
                                   mcf->feed.api->digest,
                                   now->mono)
              == NGX_AGT_FEED_DEAD;
}


ngx_int_t
ngx_agt_ctx_keep_facts(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *packed)
{
    if (ngx_agt_look_up_keep(r->pool, packed, &ctx->packed, &ctx->facts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->has_facts = 1;

    return NGX_OK;
}


ngx_int_t
ngx_agt_look_up_keep(ngx_pool_t *pool, const ngx_str_t *found,
    ngx_str_t *packed, ngx_agt_facts_t *facts)
{
    u_char  *p;

    /* facts begin with integers */

    p = ngx_palloc(pool, found->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, found->data, found->len);

    packed->data = p;
    packed->len = found->len;

    return ngx_agt_facts_open(facts, p, packed->len);
}


ngx_agt_zone_t *
ngx_agt_request_first_zone(ngx_http_request_t *r)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    return mcf->api.first;
}


ngx_agt_denials_t *
ngx_agt_request_denials(ngx_http_request_t *r)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    return mcf->api.denials;
}
