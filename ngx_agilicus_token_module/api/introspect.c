
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/introspect.h"
#include "zone/children.h"
#include "zone/issued.h"
#include "json/token.h"
#include "token/basic.h"
#include "token/time.h"


/* the data of a call of introspection */

typedef struct {
    u_char      key[NGX_AGT_DIGEST_LEN];
    ngx_msec_t  invalid;
} ngx_agt_introspect_data_t;


static ngx_int_t ngx_agt_introspect_token(
    const ngx_agt_introspect_t *introspect, ngx_agt_call_request_t *request,
    ngx_agt_introspect_data_t *data);
static ngx_int_t ngx_agt_introspect_key(const ngx_agt_introspect_t *introspect,
    ngx_agt_call_request_t *request, ngx_agt_budget_guess_t *guess);
static void ngx_agt_introspect_read(
    ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer);
static void ngx_agt_introspect_read_token(
    ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer);
static void ngx_agt_introspect_cause(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer, ngx_uint_t cause);
static ngx_int_t ngx_agt_introspect_adopt(
    ngx_agt_call_t *call, ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_introspect_adopt_raw(ngx_agt_call_t *call,
    ngx_agt_found_t *found, ngx_agt_answer_t *answer);
static void ngx_agt_introspect_remember(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static ngx_uint_t ngx_agt_introspect_denied(
    ngx_agt_call_t *call, ngx_agt_answer_t *answer,
    ngx_atomic_uint_t *generation);
static void ngx_agt_introspect_mark(ngx_agt_call_t *call,
    const ngx_agt_answer_t *answer);
static uint64_t ngx_agt_introspect_asked(ngx_agt_call_t *call, uint64_t sent);
static int64_t ngx_agt_introspect_until(
    const ngx_agt_facts_t *facts,
    const ngx_agt_clock_t *now);
static ngx_uint_t ngx_agt_introspect_entry(ngx_uint_t *i,
    ngx_agt_api_t *api, const u_char *digest, const u_char *key,
    ngx_agt_zone_t **zone, ngx_agt_cache_key_t *entry);
static const ngx_agt_introspect_data_t *ngx_agt_introspect_data(
    ngx_agt_call_t *call);


static const ngx_agt_call_type_t  ngx_agt_introspect_call = {
    ngx_agt_introspect_read,
    ngx_agt_introspect_adopt,
    NULL
};


ngx_int_t
ngx_agt_introspect(
    const ngx_agt_introspect_t *introspect,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    ngx_int_t                  rc;
    ngx_agt_call_request_t     request;
    ngx_agt_budget_guess_t     guess;
    ngx_agt_introspect_data_t  data;

    request = introspect->call;

    request.type = &ngx_agt_introspect_call;
    request.api = request.origin->api;
    request.curl.max_body = NGX_AGT_JSON_MAX_BODY;
    request.context = request.origin->calls;
    request.shared = (request.origin->zone != NULL);

    if (request.api->credential_introspect) {
        request.curl.bearer = request.api->credential;
    }

    data.invalid = introspect->invalid;

    request.data.data = (u_char *) &data;
    request.data.len = sizeof(ngx_agt_introspect_data_t);

    if (introspect->api_key) {
        ngx_memcpy(data.key, request.key, NGX_AGT_DIGEST_LEN);

        rc = ngx_agt_introspect_key(introspect, &request, &guess);

    } else {
        rc = ngx_agt_introspect_token(introspect, &request, &data);
    }

    if (rc != NGX_OK) {
        ngx_agt_answer_init(answer);

        return NGX_ERROR;
    }

    rc = ngx_agt_call_join(&request, waiter, answer);

    ngx_agt_call_wipe(&request.curl.body);

    return rc;
}


static ngx_int_t
ngx_agt_introspect_token(const ngx_agt_introspect_t *introspect,
    ngx_agt_call_request_t *request, ngx_agt_introspect_data_t *data)
{
    size_t  len;

    request->operation = NGX_AGT_OPERATION_INTROSPECT;
    request->curl.url = request->api->introspect;

    if (ngx_agt_denials_token(data->key, &introspect->token, request->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = ngx_agt_json_introspect(NULL, &introspect->token,
                                  &request->origin->options);

    request->curl.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request->curl.body.data == NULL) {
        return NGX_ERROR;
    }

    request->curl.body.len =
        ngx_agt_json_introspect(request->curl.body.data, &introspect->token,
                                &request->origin->options);

    return NGX_OK;
}


/* the key stands in the clear here and in the body only */

static ngx_int_t
ngx_agt_introspect_key(const ngx_agt_introspect_t *introspect,
    ngx_agt_call_request_t *request, ngx_agt_budget_guess_t *guess)
{
    size_t                         len;
    ngx_int_t                      rc;
    ngx_agt_basic_t                basic;
    const ngx_agt_json_options_t  *options;

    request->operation = NGX_AGT_OPERATION_INTROSPECT_KEY;
    request->curl.url = request->api->introspect_key;

    options = &request->origin->options;

    rc = NGX_ERROR;

    if (ngx_agt_basic_read(&introspect->token, introspect->token.len, &basic)
        != NGX_AGT_BEARER_FOUND)
    {
        goto done;
    }

    if (request->client) {

        if (ngx_agt_budget_guess(guess, request->client, request->api->digest,
                                 &basic.user)
            != NGX_OK)
        {
            goto done;
        }

        request->guess = guess;
    }

    len = ngx_agt_json_introspect_key(NULL, &basic.user, &basic.key, options);

    request->curl.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request->curl.body.data) {
        request->curl.body.len =
            ngx_agt_json_introspect_key(request->curl.body.data, &basic.user,
                                        &basic.key, options);
        rc = NGX_OK;
    }

done:

    ngx_explicit_memzero(&basic, sizeof(ngx_agt_basic_t));

    return rc;
}


static void
ngx_agt_introspect_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer)
{
    ngx_agt_clock_t  now;

    if (answer->class == NGX_AGT_CLASS_NONE) {
        ngx_agt_introspect_read_token(call, result, answer);
    }

    ngx_agt_clock_now(&now);

    /* an API may need a while until it knows a token that it has given */

    if (answer->class == NGX_AGT_CLASS_INVALID
        && answer->reason == NGX_AGT_REASON_UNKNOWN
        && ngx_agt_children_young(ngx_agt_call_conf()->denials,
                                  call->api->digest,
                                  ngx_agt_introspect_data(call)->key, &now))
    {
        answer->class = NGX_AGT_CLASS_INDETERMINATE;
        answer->reason = NGX_AGT_REASON_STATUS;
        answer->retry_after = 1;

        ngx_agt_introspect_cause(call, result, answer, NGX_AGT_CAUSE_YOUNG);
    }

    ngx_agt_introspect_remember(call, answer);
}


static void
ngx_agt_introspect_read_token(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer)
{
    u_char                fingerprint[NGX_AGT_FINGERPRINT_LEN];
    ngx_int_t             rc;
    ngx_agt_json_token_t  token;

    /* no type at all is taken for JSON, which is then read strictly */

    if (ngx_agt_json_type(&result->content_type) == NGX_AGT_JSON_TYPE_OTHER)
    {
        ngx_agt_introspect_cause(call, result, answer, NGX_AGT_CAUSE_TYPE);
        return;
    }

    if (call->operation == NGX_AGT_OPERATION_INTROSPECT_KEY) {
        rc = ngx_agt_json_api_key(result->body.data, result->body.len,
                                  ngx_time(), ngx_agt_call_buffer(),
                                  2 * NGX_AGT_JSON_MAX_BODY, &token,
                                  &answer->token);
    } else {
        rc = ngx_agt_json_token(result->body.data, result->body.len,
                                ngx_time(), ngx_agt_call_buffer(),
                                2 * NGX_AGT_JSON_MAX_BODY, &token);
    }

    if (rc == NGX_ERROR) {
        ngx_agt_introspect_cause(call, result, answer,
                                 NGX_AGT_CAUSE_NO_FACTS);
        return;
    }

    if (rc == NGX_DECLINED) {
        answer->class = NGX_AGT_CLASS_INVALID;
        answer->reason = token.reason;

        if (token.reason == NGX_AGT_REASON_DATE) {
            ngx_agt_introspect_cause(call, result, answer,
                                     NGX_AGT_CAUSE_DATES);
        }

        if (token.member) {
            ngx_agt_introspect_cause(call, result, answer,
                                     NGX_AGT_CAUSE_MEMBER + token.member);
        }

        /*
         * A member that refuses tokens may be new to the API, and then no token
         * is active any more.
         */

        if (token.member
            && ngx_agt_call_may_say(call, NGX_AGT_API_LINE_SAYS_NO))
        {
            ngx_agt_digest_fingerprint(call->key, fingerprint);

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "agilicus token: the member \"%s\" of an answer says "
                          "no, Tokens API \"%V\", fingerprint %*s",
                          ngx_agt_json_token_member(token.member),
                          &call->api->url, sizeof(fingerprint), fingerprint);
        }

        return;
    }

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
    answer->cause = 0;
    answer->facts = token.facts;
    answer->rules = token.rules;
}


static void
ngx_agt_introspect_cause(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer, ngx_uint_t cause)
{
    answer->cause = ngx_agt_cause_of(call->operation, cause);
    result->message = ngx_agt_cause_words(cause);
}


/* finds the entry that the call of another worker has stored in the zone */

static ngx_int_t
ngx_agt_introspect_adopt(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    uint64_t           now;
    ngx_atomic_uint_t  generation;
    ngx_agt_found_t    found;

    if (answer->class == NGX_AGT_CLASS_REVOKED) {
        return NGX_OK;
    }

    if (ngx_agt_cache_find(call->origin->zone, &call->entry, 1, &found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /*
     * The entry that was too old when this call was made is no answer; nor is
     * one that is older than a call may last: its worker was stopped.
     */

    if (found.serial == call->seen
        || (answer->class != NGX_AGT_CLASS_NONE
            && found.class != answer->class))
    {
        return NGX_DECLINED;
    }

    now = ngx_agt_clock_mono();

    if (now - ngx_min(found.sent, now) > call->curl.timeout) {
        return NGX_DECLINED;
    }

    if (call->operation == NGX_AGT_OPERATION_INTROSPECT_KEY
        && found.class == NGX_AGT_CLASS_ACTIVE
        && ngx_agt_introspect_adopt_raw(call, &found, answer) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    answer->class = found.class;
    answer->reason = found.reason;
    answer->sent = found.sent;
    answer->asked = found.asked;

    if (found.class == NGX_AGT_CLASS_ACTIVE) {
        answer->facts = found.facts;
        answer->rules = found.rules;

    } else {
        answer->cause = ngx_agt_cache_cause(&found);
    }

    (void) ngx_agt_introspect_denied(call, answer, &generation);

    return NGX_OK;
}


/*
 * Finds the raw token of an API key, in a buffer of its own; its look-up ends
 * the life of the facts that were found, so they are found again.
 */

static ngx_int_t
ngx_agt_introspect_adopt_raw(ngx_agt_call_t *call, ngx_agt_found_t *found,
    ngx_agt_answer_t *answer)
{
    uint64_t         serial;
    ngx_agt_zone_t  *zone;

    zone = call->origin->zone;
    serial = found->serial;

    if (ngx_agt_issued_find_raw(zone, &call->entry, found->sent,
                                ngx_agt_call_buffer(), &answer->token)
            == NGX_OK
        && ngx_agt_cache_find(zone, &call->entry, 1, found) == NGX_OK
        && found->serial == serial)
    {
        return NGX_OK;
    }

    ngx_agt_call_forget(answer);

    return NGX_DECLINED;
}


/*
 * Remembers an answer.  Denials are looked through after the number of the
 * last one was read and before the facts are stored: one that is put up in
 * between makes the next look-up look again.
 */

static void
ngx_agt_introspect_remember(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_str_t                         facts;
    ngx_atomic_uint_t                 generation;
    ngx_agt_class_e                   class;
    ngx_agt_reason_e                  reason;
    const ngx_agt_origin_t           *origin;
    const ngx_agt_introspect_data_t  *data;

    origin = call->origin;
    data = ngx_agt_introspect_data(call);

    class = answer->class;
    reason = answer->reason;

    switch (class) {

    case NGX_AGT_CLASS_REVOKED:
        ngx_agt_introspect_revoked(call->api, call->key, data->key, NULL,
                            data->invalid);
        return;

    case NGX_AGT_CLASS_ACTIVE:
        ngx_agt_introspect_mark(call, answer);
        break;

    case NGX_AGT_CLASS_INVALID:
        break;

    default:
        return;
    }

    answer->asked = ngx_agt_introspect_asked(call, answer->sent);

    if (ngx_agt_introspect_denied(call, answer, &generation)) {

        if (answer->class != NGX_AGT_CLASS_REVOKED) {
            return;
        }

        /*
         * The time at which the token was first asked about must be known for
         * as long as its subject is denied.  A request that finds the entry
         * looks for denials again.
         */

        generation = 0;
    }

    if (origin->zone) {
        if (call->operation == NGX_AGT_OPERATION_INTROSPECT_KEY
            && class == NGX_AGT_CLASS_ACTIVE)
        {
            (void) ngx_agt_issued_store_raw(origin->zone, &call->entry,
                                            &answer->token, answer->sent);
        }

        if (class == NGX_AGT_CLASS_ACTIVE) {
            facts = answer->facts;

        } else {
            facts.data = (u_char *) &answer->cause;
            facts.len = sizeof(answer->cause);
        }

        (void) ngx_agt_cache_store(origin->zone, &call->entry, class, reason,
                                   &facts, &answer->rules, answer->sent,
                                   answer->asked, generation);
    }
}


/*
 * An "iat" in the future comes from a clock that is ahead.  It would make the
 * token look newer than a later denial of its subject, so a mark among the
 * denials is kept longer than the facts.
 */

static void
ngx_agt_introspect_mark(ngx_agt_call_t *call, const ngx_agt_answer_t *answer)
{
    ngx_agt_clock_t            now;
    ngx_agt_facts_t            facts;
    const ngx_agt_api_conf_t  *conf;

    ngx_agt_clock_now(&now);

    if (ngx_agt_facts_open(&facts, answer->facts.data, answer->facts.len)
            != NGX_OK
        || !facts.has_iat || facts.iat <= now.wall)
    {
        return;
    }

    conf = ngx_agt_call_conf();

    ngx_agt_denials_asked(conf->denials, call->api->digest,
                          ngx_agt_introspect_data(call)->key, answer->sent,
                          ngx_agt_introspect_until(&facts, &now), &now);
}


/*
 * The time of the first known call for the token, in any spelling, origin or
 * zone.
 */

static uint64_t
ngx_agt_introspect_asked(ngx_agt_call_t *call, uint64_t sent)
{
    uint64_t             asked;
    ngx_uint_t           i;
    ngx_agt_zone_t      *zone;
    ngx_agt_found_t      found;
    ngx_agt_cache_key_t  key;

    asked = sent;
    i = 0;

    while (ngx_agt_introspect_entry(&i, call->api, call->key,
                             ngx_agt_introspect_data(call)->key, &zone, &key))
    {
        if (ngx_agt_cache_find(zone, &key, 0, &found) == NGX_OK) {
            asked = ngx_min(asked, found.asked);
        }
    }

    return asked;
}


/* 1 if a denial stands against the answer, which then says so */

static ngx_uint_t
ngx_agt_introspect_denied(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer, ngx_atomic_uint_t *generation)
{
    ngx_uint_t                 active;
    ngx_agt_clock_t            now;
    ngx_agt_facts_t            facts;
    ngx_agt_reason_e           denied;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    active = (answer->class == NGX_AGT_CLASS_ACTIVE);

    if (active
        && ngx_agt_facts_open(&facts, answer->facts.data, answer->facts.len)
           != NGX_OK)
    {
        answer->class = NGX_AGT_CLASS_INDETERMINATE;
        answer->reason = NGX_AGT_REASON_INTERNAL;
        return 1;
    }

    ngx_agt_clock_now(&now);

    *generation = ngx_agt_denials_generation(conf->denials);

    denied = ngx_agt_denials_check(conf->denials, call->api->digest,
                                   ngx_agt_introspect_data(call)->key,
                                   active ? &facts : NULL, answer->asked, &now);

    if (denied == NGX_AGT_REASON_NONE) {
        answer->clean = *generation;
        return 0;
    }

    answer->class = NGX_AGT_CLASS_REVOKED;
    answer->reason = denied;

    return 1;
}


void
ngx_agt_introspect_revoked(ngx_agt_api_t *api,
    const u_char *digest, const u_char *key,
    const ngx_agt_facts_t *facts, ngx_msec_t invalid)
{
    int64_t                    until;
    ngx_uint_t                 i;
    ngx_agt_zone_t            *zone;
    ngx_agt_clock_t            now;
    ngx_agt_facts_t            known;
    ngx_agt_found_t            found;
    ngx_agt_cache_key_t        entry;
    ngx_agt_denial_args_t      args;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    ngx_agt_clock_now(&now);

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.api = api->digest;
    args.kind = NGX_AGT_DENIAL_TOKEN;
    args.source = NGX_AGT_DENIED_BY_API;
    args.value.data = (u_char *) key;
    args.value.len = NGX_AGT_DIGEST_LEN;
    args.until = now.wall + (int64_t) ((invalid + 999) / 1000);
    args.unknown = 1;

    if (facts) {
        until = ngx_agt_introspect_until(facts, &now);
        args.until = ngx_max(args.until, until);
        args.unknown = 0;
    }

    i = 0;

    while (ngx_agt_introspect_entry(&i, api, digest, key, &zone, &entry)) {

        if (ngx_agt_cache_find(zone, &entry, 0, &found) == NGX_OK
            && found.class == NGX_AGT_CLASS_ACTIVE
            && ngx_agt_facts_open(&known, found.facts.data, found.facts.len)
               == NGX_OK)
        {
            until = ngx_agt_introspect_until(&known, &now);
            args.until = ngx_max(args.until, until);
            args.unknown = 0;
        }
    }

    (void) ngx_agt_denials_add(conf->denials, &args, &now);

    i = 0;

    while (ngx_agt_introspect_entry(&i, api, digest, key, &zone, &entry)) {
        ngx_agt_cache_remove(zone, &entry);
    }
}


/* the time until which a token with these facts must be denied */

static int64_t
ngx_agt_introspect_until(const ngx_agt_facts_t *facts,
    const ngx_agt_clock_t *now)
{
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    return facts->has_exp
           ? ngx_agt_time_add(facts->exp, conf->max_leeway + 1)
           : now->wall + conf->revocation_ttl;
}


/*
 * Walks the places where facts of a token of an API may lie: each zone and
 * origin of it, by the digest of the token as it stands, and by its key for
 * denials, which is the digest of its spelling without padding.  "*i" starts at
 * 0 and is moved on; returns 0 at the end.
 */

static ngx_uint_t
ngx_agt_introspect_entry(ngx_uint_t *i, ngx_agt_api_t *api,
    const u_char *digest, const u_char *key,
    ngx_agt_zone_t **zone, ngx_agt_cache_key_t *entry)
{
    ngx_uint_t                 n;
    ngx_agt_origin_t          *origin;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    for (n = (*i)++; n < 2 * conf->norigins; n = (*i)++) {

        origin = conf->origins[n / 2];

        if (origin->zone
            && ngx_agt_digest_equal(origin->api->digest, api->digest)
            && (n % 2 == 0 || !ngx_agt_digest_equal(digest, key)))
        {
            *zone = origin->zone;
            entry->key = (n % 2) ? key : digest;
            entry->origin = origin->number;

            return 1;
        }
    }

    return 0;
}


static const ngx_agt_introspect_data_t *
ngx_agt_introspect_data(ngx_agt_call_t *call)
{
    return (const ngx_agt_introspect_data_t *) call->data.data;
}
