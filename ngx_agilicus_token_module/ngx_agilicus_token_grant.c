
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_grant.h"
#include "ngx_agilicus_token_bearer.h"
#include "ngx_agilicus_token_reap.h"


/* seconds before its end from which a created token is not used any more */
#define NGX_AGILICUS_TOKEN_GRANT_MARGIN  30

/* bytes of what is kept beside a token */
#define NGX_AGILICUS_TOKEN_GRANT_PACKED  8192


static ngx_int_t ngx_agilicus_token_grant_join(
    ngx_agilicus_token_call_request_t *request,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_grant_read_reissue(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_grant_read_create(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_grant_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer, ngx_agilicus_token_reason_e reason);
static ngx_uint_t ngx_agilicus_token_grant_next_create(
    ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result);
static void ngx_agilicus_token_grant_take(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer, ngx_agilicus_token_reason_e reason);
static void ngx_agilicus_token_grant_refused(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_grant_adopt(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);


static const ngx_agilicus_token_call_type_t  ngx_agilicus_token_reissuing = {
    "reissue",
    ngx_agilicus_token_grant_read_reissue,
    ngx_agilicus_token_grant_adopt,
    NULL
};


static const ngx_agilicus_token_call_type_t  ngx_agilicus_token_creating = {
    "creation",
    ngx_agilicus_token_grant_read_create,
    ngx_agilicus_token_grant_adopt,
    ngx_agilicus_token_grant_next_create
};


ngx_int_t
ngx_agilicus_token_grant_reissue(const ngx_agilicus_token_reissue_t *reissue,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer)
{
    size_t                               len;
    u_char                               packed
                                         [NGX_AGILICUS_TOKEN_GRANT_PACKED];
    ngx_int_t                            rc;
    ngx_agilicus_token_call_request_t    request;
    const ngx_agilicus_token_facts_t    *facts;

    ngx_memzero(&request, sizeof(ngx_agilicus_token_call_request_t));

    facts = reissue->parent.facts;

    request.type = &ngx_agilicus_token_reissuing;
    request.operation = NGX_AGILICUS_TOKEN_OPERATION_REISSUE;
    request.api = reissue->origin->api;
    request.origin = reissue->origin;
    request.url = request.api->reissue;
    request.connect_timeout = reissue->connect_timeout;
    request.timeout = reissue->timeout;
    request.key = reissue->key;
    request.context = reissue->origin->grants;
    request.seen = reissue->seen;
    request.client = reissue->client;

    request.data.data = packed;
    request.data.len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                      &reissue->parent,
                                                      facts->has_exp,
                                                      facts->exp, NULL);

    len = ngx_agilicus_token_json_reissue(NULL, &reissue->token,
                                          &reissue->org);

    request.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request.body.data) {
        request.body.len = ngx_agilicus_token_json_reissue(request.body.data,
                                                           &reissue->token,
                                                           &reissue->org);
    }

    rc = ngx_agilicus_token_grant_join(&request, waiter, answer);

    return rc;
}


ngx_int_t
ngx_agilicus_token_grant_create(const ngx_agilicus_token_create_t *create,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer)
{
    size_t                              len;
    time_t                              margin;
    u_char                              packed
                                        [NGX_AGILICUS_TOKEN_GRANT_PACKED];
    ngx_agilicus_token_parent_t         parent;
    ngx_agilicus_token_call_request_t   request;

    ngx_memzero(&request, sizeof(ngx_agilicus_token_call_request_t));

    request.type = &ngx_agilicus_token_creating;
    request.operation = NGX_AGILICUS_TOKEN_OPERATION_VALIDATE;
    request.api = create->origin->api;
    request.origin = create->origin;
    request.url = request.api->validations;
    request.connect_timeout = create->connect_timeout;
    request.timeout = create->timeout;
    request.key = create->key;
    request.context = create->origin->grants;
    request.seen = create->seen;
    request.client = create->client;

    ngx_memzero(&parent, sizeof(ngx_agilicus_token_parent_t));

    margin = ngx_min(create->what.duration / 10,
                     NGX_AGILICUS_TOKEN_GRANT_MARGIN);

    request.data.data = packed;
    request.data.len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                      &parent, 1,
                                      ngx_time() + create->what.duration
                                      - margin, NULL);

    len = ngx_agilicus_token_json_create(NULL, &create->what);

    request.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request.body.data) {
        request.body.len = ngx_agilicus_token_json_create(request.body.data,
                                                          &create->what);
    }

    return ngx_agilicus_token_grant_join(&request, waiter, answer);
}


static ngx_int_t
ngx_agilicus_token_grant_join(ngx_agilicus_token_call_request_t *request,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer)
{
    ngx_int_t                           rc;
    const ngx_agilicus_token_origin_t  *origin;

    origin = request->origin;

    request->max_body = NGX_AGILICUS_TOKEN_JSON_MAX_BODY;
    request->shared = (origin->zone != NULL);
    request->charged = 1;

    if (request->body.data == NULL || request->data.len == 0) {
        ngx_memzero(answer, sizeof(ngx_agilicus_token_answer_t));

        answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
        answer->retry_after = -1;

        rc = NGX_ERROR;

    } else {
        rc = ngx_agilicus_token_call_join(request, waiter, answer);
    }

    if (request->body.data) {
        ngx_explicit_memzero(request->body.data, request->body.len);
        ngx_free(request->body.data);
    }

    return rc;
}


static void
ngx_agilicus_token_grant_read_reissue(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_grant_read(call, result, answer,
                                  NGX_AGILICUS_TOKEN_REASON_REISSUE);
}


static void
ngx_agilicus_token_grant_read_create(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    if (call->operation == NGX_AGILICUS_TOKEN_OPERATION_VALIDATE
        && answer->class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE)
    {
        /* that it may be created is no token yet */

        answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;

        return;
    }

    ngx_agilicus_token_grant_read(call, result, answer,
                                  NGX_AGILICUS_TOKEN_REASON_CREATE);
}


static void
ngx_agilicus_token_grant_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer, ngx_agilicus_token_reason_e reason)
{
    switch (answer->class) {

    case NGX_AGILICUS_TOKEN_CLASS_NONE:
        ngx_agilicus_token_grant_take(call, result, answer, reason);
        return;

    case NGX_AGILICUS_TOKEN_CLASS_INVALID:
        ngx_agilicus_token_grant_refused(call, answer);
        return;

    default:
        return;
    }
}


static ngx_uint_t
ngx_agilicus_token_grant_next_create(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result)
{
    ngx_agilicus_token_meaning_t  meaning;

    if (call->operation == NGX_AGILICUS_TOKEN_OPERATION_CREATE) {
        return 0;
    }

    ngx_agilicus_token_call_meaning(call->operation, result, &meaning);

    if (meaning.class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return 0;
    }

    if (ngx_agilicus_token_call_bearer(call, &call->api->credential)
        != NGX_OK)
    {
        return 0;
    }

    call->url = call->api->tokens;
    call->operation = NGX_AGILICUS_TOKEN_OPERATION_CREATE;

    return 1;
}


static void
ngx_agilicus_token_grant_take(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer, ngx_agilicus_token_reason_e reason)
{
    ngx_agilicus_token_cache_key_t      key;
    const ngx_agilicus_token_origin_t  *origin;

    if (ngx_agilicus_token_json_raw_token(result->body.data, result->body.len,
                                          ngx_agilicus_token_call_buffer(),
                                          NGX_AGILICUS_TOKEN_SECRET_MAX,
                                          &answer->token)
            != NGX_OK
        || !ngx_agilicus_token_bearer_is_token68(&answer->token))
    {
        ngx_str_null(&answer->token);
        result->message = "answer has no token";
        return;
    }

    answer->class = NGX_AGILICUS_TOKEN_CLASS_ACTIVE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_NONE;

    origin = call->origin;

    if (origin->zone) {
        key.key = call->key;
        key.context = origin->context;

        (void) ngx_agilicus_token_secret_store(origin->zone, &key, reason,
                                               &call->data, &answer->token,
                                               call->sent);
        ngx_agilicus_token_reap_late(&call->data, call->api->digest);
    }
}


static void
ngx_agilicus_token_grant_refused(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_str_t                           none;
    ngx_agilicus_token_cache_key_t      key;
    const ngx_agilicus_token_origin_t  *origin;

    origin = call->origin;

    if (origin->zone) {
        key.key = call->key;
        key.context = origin->context;
        ngx_str_null(&none);

        (void) ngx_agilicus_token_cache_store(origin->zone, &key,
                                              answer->class, answer->reason,
                                              &none, &none, call->sent,
                                              call->sent, 0);
    }
}


static ngx_int_t
ngx_agilicus_token_grant_adopt(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_secret_t         secret;
    ngx_agilicus_token_cache_key_t      key;
    const ngx_agilicus_token_origin_t  *origin;

    if (answer->class == NGX_AGILICUS_TOKEN_CLASS_REVOKED) {
        return NGX_OK;
    }

    origin = call->origin;

    key.key = call->key;
    key.context = origin->context;

    if (ngx_agilicus_token_secret_find(origin->zone, &key,
                                       ngx_agilicus_token_call_buffer(),
                                       &secret)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (secret.serial == call->seen
        || (answer->class != NGX_AGILICUS_TOKEN_CLASS_NONE
            && secret.class != answer->class))
    {
        return NGX_DECLINED;
    }

    answer->class = secret.class;
    answer->reason = secret.reason;
    answer->sent = secret.sent;

    if (secret.class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        answer->reason = NGX_AGILICUS_TOKEN_REASON_NONE;
        answer->token = secret.token;
    }

    return NGX_OK;
}
