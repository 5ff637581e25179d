
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/issue.h"
#include "api/revocation.h"
#include "json/answer.h"
#include "token/bearer.h"
#include "token/time.h"
#include "zone/children.h"


/* seconds before its end from which a created token is not used any more */
#define NGX_AGT_ISSUE_MARGIN  30


/* facts about the token of a call: the call's "data" */

typedef struct {
    u_char                   parent    /* key of its denials */
                             [NGX_AGT_DIGEST_LEN];
    u_char                   asked     /* key of the token itself */
                             [NGX_AGT_DIGEST_LEN];
    int64_t                  exp;      /* of the parent, or after */
    uint32_t                 has_exp;  /* which none is used */
    uint32_t                 has_parent;
    ngx_agt_ledger_record_t  record;   /* of the child to come */
} ngx_agt_issue_data_t;


static void ngx_agt_issue_request(const ngx_agt_issue_t *issue,
    ngx_agt_call_request_t *request, ngx_agt_issue_data_t *data);
static ngx_int_t ngx_agt_issue_join(
    ngx_agt_call_request_t *request,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);
static void ngx_agt_issue_read_reissue(
    ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer);
static void ngx_agt_issue_read_create(
    ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer);
static void ngx_agt_issue_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer, ngx_agt_reason_e reason);
static ngx_uint_t ngx_agt_issue_next_create(
    ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result);
static void ngx_agt_issue_take(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer, ngx_agt_reason_e reason);
static ngx_int_t ngx_agt_issue_record(
    ngx_agt_call_t *call, const ngx_str_t *token);
static void ngx_agt_issue_revoke(ngx_agt_call_t *call, const ngx_str_t *token);
static void ngx_agt_issue_deny(ngx_agt_call_t *call);
static void ngx_agt_issue_refused(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_issue_adopt(
    ngx_agt_call_t *call, ngx_agt_answer_t *answer);


static const ngx_agt_call_type_t  ngx_agt_reissuing = {
    ngx_agt_issue_read_reissue,
    ngx_agt_issue_adopt,
    NULL
};


static const ngx_agt_call_type_t  ngx_agt_creating = {
    ngx_agt_issue_read_create,
    ngx_agt_issue_adopt,
    ngx_agt_issue_next_create
};


ngx_int_t
ngx_agt_issue_reissue(const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    size_t                  len;
    u_char                  digest[NGX_AGT_DIGEST_LEN];
    const ngx_str_t        *org;
    ngx_agt_issue_data_t    data;
    ngx_agt_call_request_t  request;

    ngx_agt_issue_request(issue, &request, &data);

    request.type = &ngx_agt_reissuing;
    request.operation = NGX_AGT_OPERATION_REISSUE;
    request.curl.url = request.api->reissue;

    data.has_parent = 1;
    data.has_exp = issue->facts->has_exp;
    data.exp = issue->facts->exp;

    ngx_memcpy(data.parent, issue->parent, NGX_AGT_DIGEST_LEN);

    if (ngx_agt_digest(digest, &issue->token, 1) == NGX_OK
        && ngx_agt_denials_token(data.asked, &issue->token, digest) == NGX_OK
        && ngx_agt_children_of(&data.record, request.api->digest,
                               data.parent, issue->raw, issue->facts,
                               issue->asked)
            == NGX_OK)
    {
        request.data.len = sizeof(ngx_agt_issue_data_t);
    }

    org = &issue->what.org;
    len = ngx_agt_json_reissue(NULL, &issue->token, org);

    request.curl.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request.curl.body.data) {
        request.curl.body.len = ngx_agt_json_reissue(request.curl.body.data,
                                                     &issue->token, org);
    }

    return ngx_agt_issue_join(&request, waiter, answer);
}


ngx_int_t
ngx_agt_issue_create(const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    size_t                  len;
    time_t                  margin;
    ngx_agt_issue_data_t    data;
    ngx_agt_call_request_t  request;

    ngx_agt_issue_request(issue, &request, &data);

    request.type = &ngx_agt_creating;
    request.operation = NGX_AGT_OPERATION_VALIDATE;
    request.curl.url = request.api->validations;

    margin = ngx_min(issue->what.duration / 10, NGX_AGT_ISSUE_MARGIN);

    data.has_exp = 1;
    data.exp = ngx_time() + issue->what.duration - margin;

    request.data.len = sizeof(ngx_agt_issue_data_t);

    len = ngx_agt_json_create(NULL, &issue->what);

    request.curl.body.data = ngx_alloc(len, ngx_cycle->log);

    if (request.curl.body.data) {
        request.curl.body.len = ngx_agt_json_create(request.curl.body.data,
                                                    &issue->what);
    }

    return ngx_agt_issue_join(&request, waiter, answer);
}


/*
 * Sets members common to all calls; children for one purpose replace one
 * another.
 */

static void
ngx_agt_issue_request(const ngx_agt_issue_t *issue,
    ngx_agt_call_request_t *request, ngx_agt_issue_data_t *data)
{
    const ngx_agt_api_conf_t  *conf;

    *request = issue->call;

    request->api = request->origin->api;
    request->context = request->origin->issued;
    request->data.data = (u_char *) data;

    ngx_memzero(data, sizeof(ngx_agt_issue_data_t));

    conf = ngx_agt_call_conf();

    if (conf) {
        data->record.ttl = (uint32_t) conf->revocation_ttl;
        data->record.leeway = (uint32_t) conf->max_leeway + 1;
    }

    data->record.via = ngx_agt_api_via(request->api);

    ngx_memcpy(data->record.purpose, request->key, NGX_AGT_DIGEST_LEN);
}


static ngx_int_t
ngx_agt_issue_join(ngx_agt_call_request_t *request,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    ngx_int_t           rc;
    ngx_agt_denials_t  *denials;

    request->curl.max_body = NGX_AGT_JSON_MAX_BODY;
    request->shared = (request->origin->zone != NULL);
    request->charged = 1;

    ngx_agt_answer_init(answer);
    rc = NGX_ERROR;

    if (request->curl.body.data == NULL || request->data.len == 0
        || ngx_agt_call_conf() == NULL)
    {
        goto done;
    }

    denials = ngx_agt_call_conf()->denials;

    if (ngx_agt_children_room(denials)) {
        rc = ngx_agt_call_join(request, waiter, answer);
        goto done;
    }

    answer->cause = NGX_AGT_CAUSE_NO_ROOM;

    if (ngx_agt_clock_once(&denials->sh->said[NGX_AGT_DENIALS_LINE_RECORDS],
                           ngx_time(), 1))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "agilicus token: no room for records of tokens that are "
                      "reissued or created, make \"agilicus_token_denials\" "
                      "larger");
    }

done:

    ngx_agt_call_wipe(&request->curl.body);

    return rc;
}


static void
ngx_agt_issue_read_reissue(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_agt_issue_read(call, result, answer, NGX_AGT_REASON_REISSUE);
}


static void
ngx_agt_issue_read_create(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    if (call->operation == NGX_AGT_OPERATION_VALIDATE
        && answer->class == NGX_AGT_CLASS_ACTIVE)
    {
        /* the permission to create a token is not a token yet */

        answer->class = NGX_AGT_CLASS_INDETERMINATE;
        answer->reason = NGX_AGT_REASON_INTERNAL;
        answer->cause = 0;

        return;
    }

    ngx_agt_issue_read(call, result, answer, NGX_AGT_REASON_CREATE);
}


static void
ngx_agt_issue_read(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer, ngx_agt_reason_e reason)
{
    switch (answer->class) {

    case NGX_AGT_CLASS_NONE:
        ngx_agt_issue_take(call, result, answer, reason);
        return;

    case NGX_AGT_CLASS_INVALID:
        ngx_agt_issue_refused(call, answer);
        return;

    case NGX_AGT_CLASS_REVOKED:
        ngx_agt_issue_deny(call);
        return;

    default:
        return;
    }
}


static ngx_uint_t
ngx_agt_issue_next_create(ngx_agt_call_t *call, ngx_agt_curl_result_t *result)
{
    ngx_agt_meaning_t  meaning;

    if (call->operation == NGX_AGT_OPERATION_CREATE) {
        return 0;
    }

    ngx_agt_answer_meaning(call->operation, result, &meaning);

    if (meaning.class != NGX_AGT_CLASS_ACTIVE) {
        return 0;
    }

    if (ngx_agt_call_bearer(call, &call->api->credential) != NGX_OK)
    {
        return 0;
    }

    call->curl.url = call->api->tokens;
    call->operation = NGX_AGT_OPERATION_CREATE;

    return 1;
}


static void
ngx_agt_issue_take(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer, ngx_agt_reason_e reason)
{
    u_char                       packed[512];
    ngx_int_t                    rc;
    ngx_str_t                    bytes;
    const ngx_agt_issue_data_t  *data;

    if (ngx_agt_json_raw_token(result->body.data, result->body.len,
                               ngx_agt_call_buffer(),
                               NGX_AGT_ISSUED_MAX,
                               &answer->token)
            != NGX_OK
        || !ngx_agt_bearer_is_token68(&answer->token))
    {
        ngx_str_null(&answer->token);
        answer->cause = ngx_agt_cause_of(call->operation,
                                         NGX_AGT_CAUSE_NO_TOKEN);
        result->message = ngx_agt_cause_words(NGX_AGT_CAUSE_NO_TOKEN);
        return;
    }

    data = (ngx_agt_issue_data_t *) call->data.data;

    rc = ngx_agt_issue_record(call, &answer->token);

    if (rc == NGX_ABORT && !data->has_parent) {

        /* a denied token may be given: a request that presents it is refused */

        rc = NGX_OK;
    }

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:

        /* this edge denied the parent while the call was under way */

        answer->class = NGX_AGT_CLASS_REVOKED;
        answer->reason = NGX_AGT_REASON_REVOKED;
        answer->cause = 0;
        goto withheld;

    case NGX_ABORT:

        /*
         * The client's own token, or a denied one, does not count as a new
         * token.
         */

        answer->class = NGX_AGT_CLASS_INVALID;
        answer->reason = reason;
        answer->cause = ngx_agt_cause_of(call->operation, NGX_AGT_CAUSE_OWN);

        ngx_agt_issue_refused(call, answer);
        goto withheld;

    default:
        answer->class = NGX_AGT_CLASS_INDETERMINATE;
        answer->reason = NGX_AGT_REASON_INTERNAL;
        answer->cause = ngx_agt_cause_of(call->operation,
                                         NGX_AGT_CAUSE_NO_ROOM);
        result->message = "no room for a record of the token, make "
                          "\"agilicus_token_denials\" larger";

        ngx_agt_issue_revoke(call, &answer->token);
        goto withheld;
    }

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
    answer->cause = 0;

    if (call->origin->zone) {
        bytes.data = packed;
        bytes.len = ngx_agt_issued_pack(packed, sizeof(packed),
                                        data->has_exp, data->exp);

        (void) ngx_agt_issued_store(call->origin->zone, &call->entry, reason,
                                    &bytes, &answer->token, call->sent);
    }

    return;

withheld:

    ngx_explicit_memzero(answer->token.data, answer->token.len);
    ngx_str_null(&answer->token);
}


/* returns as ngx_agt_children_add() */

static ngx_int_t
ngx_agt_issue_record(ngx_agt_call_t *call, const ngx_str_t *token)
{
    u_char                       digest[NGX_AGT_DIGEST_LEN];
    u_char                       key[NGX_AGT_DIGEST_LEN];
    ngx_agt_clock_t              now;
    ngx_agt_child_t              child;
    const ngx_agt_issue_data_t  *data;

    data = (ngx_agt_issue_data_t *) call->data.data;

    if (ngx_agt_digest(digest, token, 1) != NGX_OK
        || ngx_agt_denials_token(key, token, digest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the raw token of an API key is its parent under another key */

    if (data->has_parent && ngx_agt_digest_equal(key, data->asked)) {
        return NGX_ABORT;
    }

    child.api = call->api->digest;
    child.digest = digest;
    child.key = key;
    child.token = *token;
    child.record = &data->record;

    ngx_agt_clock_now(&now);

    return ngx_agt_children_add(ngx_agt_call_conf()->denials, &child, &now);
}


/* a new token that no request gets is revoked at once */

static void
ngx_agt_issue_revoke(ngx_agt_call_t *call, const ngx_str_t *token)
{
    u_char                digest[NGX_AGT_DIGEST_LEN];
    ngx_agt_answer_t      answer;
    ngx_agt_revocation_t  revocation;

    if (ngx_agt_digest(digest, token, 1) != NGX_OK) {
        return;
    }

    ngx_memzero(&revocation, sizeof(ngx_agt_revocation_t));

    revocation.api = call->api;
    revocation.token = *token;
    revocation.digest = digest;
    revocation.until = ngx_time() + ngx_agt_call_conf()->revocation_ttl;
    revocation.connect_timeout = call->curl.connect_timeout;
    revocation.timeout = call->curl.timeout;

    (void) ngx_agt_revocation_start(&revocation, NULL, &answer);
}


/* the API says that the parent is revoked: this edge denies it */

static void
ngx_agt_issue_deny(ngx_agt_call_t *call)
{
    ngx_agt_clock_t              now;
    ngx_agt_denial_args_t        args;
    const ngx_agt_api_conf_t    *conf;
    const ngx_agt_issue_data_t  *data;

    conf = ngx_agt_call_conf();
    data = (ngx_agt_issue_data_t *) call->data.data;

    if (!data->has_parent) {
        return;
    }

    ngx_agt_clock_now(&now);

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.api = call->api->digest;
    args.kind = NGX_AGT_DENIAL_TOKEN;
    args.source = NGX_AGT_DENIED_BY_API;
    args.value.data = (u_char *) data->parent;
    args.value.len = NGX_AGT_DIGEST_LEN;
    args.until = data->has_exp
                   ? ngx_agt_time_add(data->exp, conf->max_leeway + 1)
                   : now.wall + conf->revocation_ttl;

    (void) ngx_agt_denials_add(conf->denials, &args, &now);
}


static void
ngx_agt_issue_refused(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_str_t        none, cause;
    ngx_agt_clock_t  now;

    /* earlier tokens for this purpose end: the API does not give them now */

    ngx_agt_clock_now(&now);

    ngx_agt_children_end_all(ngx_agt_call_conf()->denials, call->key, &now);

    if (call->origin->zone) {
        ngx_str_null(&none);

        cause.data = (u_char *) &answer->cause;
        cause.len = sizeof(answer->cause);

        (void) ngx_agt_cache_store(call->origin->zone, &call->entry,
                                   answer->class, answer->reason,
                                   &cause, &none, call->sent, call->sent, 0);
    }
}


static ngx_int_t
ngx_agt_issue_adopt(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_agt_issued_t  secret;

    if (answer->class == NGX_AGT_CLASS_REVOKED) {
        return NGX_OK;
    }

    if (ngx_agt_issued_find(call->origin->zone, &call->entry,
                            ngx_agt_call_buffer(), &secret)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (secret.serial == call->seen
        || (answer->class != NGX_AGT_CLASS_NONE
            && secret.class != answer->class))
    {
        return NGX_DECLINED;
    }

    answer->class = secret.class;
    answer->reason = secret.reason;
    answer->cause = secret.cause;
    answer->sent = secret.sent;

    if (secret.class == NGX_AGT_CLASS_ACTIVE) {
        answer->reason = NGX_AGT_REASON_NONE;
        answer->token = secret.token;
    }

    return NGX_OK;
}
