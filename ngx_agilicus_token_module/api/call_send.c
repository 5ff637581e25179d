
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/call_send.h"
#include "zone/calls.h"


#define NGX_AGT_CALL_WHOSE      ", fingerprint "
#define NGX_AGT_CALL_WHOSE_LEN                                                \
    (sizeof(NGX_AGT_CALL_WHOSE) - 1 + NGX_AGT_FINGERPRINT_LEN)


static ngx_int_t ngx_agt_call_send(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static ngx_agt_call_t *ngx_agt_call_next(void);
static ngx_agt_waiter_t *ngx_agt_call_first(ngx_agt_call_t *call,
    ngx_uint_t room);
static ngx_uint_t ngx_agt_call_room(void);
static void ngx_agt_call_done(void *data, ngx_agt_curl_result_t *result);
static ngx_uint_t ngx_agt_call_retry(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result);
static ngx_uint_t ngx_agt_call_is_once(const ngx_agt_call_t *call);
static ngx_uint_t ngx_agt_call_step(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result);
static ngx_agt_calls_result_e ngx_agt_call_result(
    const ngx_agt_answer_t *answer);
static void ngx_agt_call_report(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static void ngx_agt_call_log(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static u_char *ngx_agt_call_whose(const ngx_agt_call_t *call, u_char *buf);


ngx_int_t
ngx_agt_call_start(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_uint_t              alone;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    if (call->kind == NGX_AGT_LIMITS_FEED) {
        ngx_agt_limits_call(&w->places, &call->place, call->kind, NULL);

        return ngx_agt_call_send(call, answer);
    }

    alone = ngx_queue_empty(&w->pending);

    call->state = NGX_AGT_CALL_PENDING;
    ngx_queue_insert_tail(&w->pending, &call->queue);

    if (!alone) {
        ngx_agt_seams.post(&w->turn);
        return NGX_OK;
    }

    return ngx_agt_call_next() ? ngx_agt_call_send(call, answer) : NGX_OK;
}


/*
 * Takes the pending call that is to be sent now out of its queue, with a place;
 * returns NULL where no call can be sent.  A call goes first if one of its
 * waiters is of a client that holds few calls; calls of sign-outs also have
 * places of their own.
 */

static ngx_agt_call_t *
ngx_agt_call_next(void)
{
    ngx_uint_t              room;
    ngx_queue_t            *q;
    ngx_agt_call_t         *call;
    ngx_agt_waiter_t       *waiter;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    if (ngx_queue_empty(&w->pending)) {
        return NULL;
    }

    room = ngx_agt_call_room();

    for (q = ngx_queue_head(&w->pending);
         q != ngx_queue_sentinel(&w->pending);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_agt_call_t, queue);
        waiter = ngx_agt_call_first(call, room);

        if (waiter) {
            goto found;
        }
    }

    if (!room) {
        return NULL;
    }

    call = ngx_queue_data(ngx_queue_head(&w->pending), ngx_agt_call_t, queue);
    waiter = ngx_queue_empty(&call->waiters)
             ? NULL : ngx_queue_data(ngx_queue_head(&call->waiters),
                                     ngx_agt_waiter_t, queue);

found:

    ngx_queue_remove(&call->queue);
    call->state = NGX_AGT_CALL_NEW;

    ngx_agt_limits_call(&w->places, &call->place,
                        room ? NGX_AGT_LIMITS_SHARED : NGX_AGT_LIMITS_SIGN_OUT,
                        waiter ? &waiter->place : NULL);

    return call;
}


/* returns the waiter for which the call is sent before others, or NULL */

static ngx_agt_waiter_t *
ngx_agt_call_first(ngx_agt_call_t *call, ngx_uint_t room)
{
    ngx_queue_t       *q;
    ngx_agt_limits_t  *places;
    ngx_agt_waiter_t  *waiter;

    places = &ngx_agt_worker.places;

    for (q = ngx_queue_head(&call->waiters);
         q != ngx_queue_sentinel(&call->waiters);
         q = ngx_queue_next(q))
    {
        waiter = ngx_queue_data(q, ngx_agt_waiter_t, queue);

        if (room ? ngx_agt_limits_is_first(places, &waiter->place)
                 : ngx_agt_limits_may_sign_out(places, &waiter->place))
        {
            return waiter;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_agt_call_send(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_agt_curl_t  *pool;

    answer->class = NGX_AGT_CLASS_INDETERMINATE;
    answer->reason = NGX_AGT_REASON_INTERNAL;

    pool = ngx_agt_call_curl(call->api);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    if (!call->retried && !call->stepped
        && call->operation != NGX_AGT_OPERATION_KEYS
        && ngx_agt_breaker_pass(ngx_agt_worker.conf->first, call->api->state,
                                &ngx_agt_worker.conf->breaker, ngx_current_msec,
                                call->curl.timeout, &answer->retry_after)
           != NGX_OK)
    {
        answer->transient = 1;

        (void) ngx_agt_call_shed(answer, NGX_AGT_REASON_BREAKER,
                                 NGX_AGT_COUNT_SHED_BREAKER);

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_agt_worker.log, 0,
                       "agilicus token %V is not sent, the breaker is open "
                       "for %T s", ngx_agt_operation_word(call->operation),
                       answer->retry_after);

        return NGX_ERROR;
    }

    call->curl.handler = ngx_agt_call_done;
    call->curl.data = call;

    /* a kept connection may be lost, and libcurl would send it once more */

    call->curl.fresh = call->retried || ngx_agt_call_is_once(call);

    call->sent = ngx_agt_seams.mono();

    call->op = ngx_agt_seams.submit(pool, &call->curl);

    if (call->op == NULL) {
        return NGX_ERROR;
    }

    call->state = NGX_AGT_CALL_SENT;
    ngx_queue_insert_tail(&ngx_agt_worker.sent, &call->queue);
    ngx_agt_worker.left += call->left;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_agt_worker.log, 0,
                   "agilicus token %V sent, again: %d, digest %08xD",
                   ngx_agt_operation_word(call->operation),
                   (int) call->retried,
                   ngx_agt_digest_head(call->key));

    return NGX_OK;
}


/*
 * Returns 1 if one more call may be sent now.  A call that all waiters have
 * left goes on while there are places, for its answer is of use later; where
 * there are none, the latest of these calls is dropped.  The oldest eighth
 * stays: their end tells whether the API fails, or is only slower than some
 * clients are patient.
 */

static ngx_uint_t
ngx_agt_call_room(void)
{
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_agt_call_t         *call;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;
    n = w->conf->max_inflight;

    if (ngx_agt_limits_has_room(&w->places)) {
        return 1;
    }

    if (w->left <= (n > 1 ? (n + 7) / 8 : 0)) {
        return 0;
    }

    for (q = ngx_queue_last(&w->sent);
         q != ngx_queue_sentinel(&w->sent);
         q = ngx_queue_prev(q))
    {
        call = ngx_queue_data(q, ngx_agt_call_t, queue);

        if (call->left
            && call->place.held == &w->places.calls[NGX_AGT_LIMITS_SHARED])
        {
            /* followers on other workers of such a call ask anew */

            ngx_agt_seams.cancel(call->op);
            ngx_queue_remove(&call->queue);

            w->left--;

            ngx_agt_calls_count(w->conf->first, call->api->state,
                                call->operation, NGX_AGT_CALLS_DROPPED, 0);

            call->state = NGX_AGT_CALL_NEW;

            ngx_agt_call_free(call);
            return 1;
        }
    }

    return 0;
}


void
ngx_agt_call_turn(ngx_event_t *ev)
{
    ngx_agt_call_t    *call;
    ngx_agt_answer_t   answer;

    for ( ;; ) {
        call = ngx_agt_call_next();

        if (call == NULL) {
            return;
        }

        ngx_agt_answer_init(&answer);

        if (ngx_agt_call_send(call, &answer) != NGX_OK) {
            ngx_agt_call_end(call, &answer);
        }
    }
}


ngx_agt_curl_t *
ngx_agt_call_curl(const ngx_agt_api_t *api)
{
    if (ngx_agt_worker.pools[api->index] == NULL) {
        ngx_agt_worker.pools[api->index] =
            ngx_agt_curl_create(&api->profile,
                                ngx_agt_worker.conf->max_inflight
                                + NGX_AGT_LIMITS_SIGN_OUT_CALLS
                                + NGX_AGT_LIMITS_FEED_CALLS
                                + NGX_AGT_LIMITS_KEYS_CALLS,
                                ngx_agt_worker.log);
    }

    return ngx_agt_worker.pools[api->index];
}


static void
ngx_agt_call_done(void *data, ngx_agt_curl_result_t *result)
{
    ngx_agt_call_t *call = data;

    ngx_uint_t           operation;
    ngx_msec_t           elapsed;
    ngx_agt_zone_t      *first;
    ngx_agt_answer_t     answer;
    const ngx_agt_api_t  *api;

    /* a call that is sent again, or has a next step, forgets this one */

    api = call->api;
    operation = call->operation;
    first = ngx_agt_worker.conf->first;
    elapsed = (ngx_msec_t) (ngx_agt_seams.mono() - call->sent);

    ngx_agt_worker.left -= call->left;

    ngx_queue_remove(&call->queue);
    call->state = NGX_AGT_CALL_NEW;
    call->op = NULL;

    if (ngx_agt_call_retry(call, result)) {
        ngx_agt_calls_count(first, api->state, operation,
                            NGX_AGT_CALLS_RETRIED, elapsed);
        return;
    }

    if (ngx_agt_call_step(call, result)) {
        ngx_agt_calls_count(first, api->state, operation,
                            NGX_AGT_CALLS_OK, elapsed);
        return;
    }

    ngx_agt_answer_read(call->operation, result, &answer);

    answer.sent = call->sent;
    answer.elapsed = (ngx_msec_t) (ngx_agt_seams.mono() - call->started);

    if (result->error == NGX_AGT_CURL_OK && call->type->read) {
        call->type->read(call, result, &answer);
    }

    if (answer.class == NGX_AGT_CLASS_NONE) {
        answer.class = NGX_AGT_CLASS_INDETERMINATE;
    }

    ngx_agt_calls_count(first, api->state, operation,
                        ngx_agt_call_result(&answer), elapsed);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, ngx_agt_worker.log, 0,
                   "agilicus token %V answered, status %ui, reason \"%V\", "
                   "%M ms, digest %08xD",
                   ngx_agt_operation_word(call->operation), result->status,
                   ngx_agt_reason_word(answer.reason), answer.elapsed,
                   ngx_agt_digest_head(call->key));

    ngx_agt_call_report(call, result, &answer);
    ngx_agt_call_end(call, &answer);

    ngx_agt_call_turn(NULL);
}


/* a call whose connection was lost before any answer is sent once more */

static ngx_uint_t
ngx_agt_call_retry(ngx_agt_call_t *call, ngx_agt_curl_result_t *result)
{
    uint64_t          passed;
    ngx_agt_answer_t  answer;

    if (result->error != NGX_AGT_CURL_BROKEN
        || result->attempts > 1 || call->retried
        || ngx_agt_call_is_once(call))
    {
        return 0;
    }

    passed = ngx_agt_seams.mono() - call->sent;

    if (passed >= call->curl.timeout) {
        return 0;
    }

    call->retried = 1;
    call->curl.timeout -= (ngx_msec_t) passed;

    return ngx_agt_call_send(call, &answer) == NGX_OK;
}


/* such a call, sent twice, may make two tokens; the first would be lost */

static ngx_uint_t
ngx_agt_call_is_once(const ngx_agt_call_t *call)
{
    return call->operation == NGX_AGT_OPERATION_REISSUE
           || call->operation == NGX_AGT_OPERATION_CREATE;
}


static ngx_uint_t
ngx_agt_call_step(ngx_agt_call_t *call, ngx_agt_curl_result_t *result)
{
    uint64_t          passed;
    ngx_agt_answer_t  answer;

    if (call->type->next == NULL
        || result->error != NGX_AGT_CURL_OK
        || !call->type->next(call, result))
    {
        return 0;
    }

    passed = ngx_agt_seams.mono() - call->sent;

    call->curl.timeout -= (ngx_msec_t) ngx_min(passed, call->curl.timeout - 1);
    call->retried = 0;
    call->stepped = 1;

    ngx_agt_answer_init(&answer);

    if (ngx_agt_call_send(call, &answer) == NGX_OK) {
        return 1;
    }

    /*
     * The next step was not sent, and the answer of the last one decides
     * nothing.
     */

    answer.elapsed = (ngx_msec_t) (ngx_agt_seams.mono() - call->started);
    ngx_agt_call_end(call, &answer);
    ngx_agt_call_turn(NULL);

    return 1;
}


static ngx_agt_calls_result_e
ngx_agt_call_result(const ngx_agt_answer_t *answer)
{
    switch (answer->class) {

    case NGX_AGT_CLASS_ACTIVE:
        return NGX_AGT_CALLS_OK;

    case NGX_AGT_CLASS_INVALID:
        return NGX_AGT_CALLS_INVALID;

    case NGX_AGT_CLASS_REVOKED:
        return NGX_AGT_CALLS_REVOKED;

    case NGX_AGT_CLASS_REFUSED:
        return NGX_AGT_CALLS_REFUSED;

    default:
        break;
    }

    switch (answer->reason) {

    case NGX_AGT_REASON_THROTTLED:
        return NGX_AGT_CALLS_THROTTLED;

    case NGX_AGT_REASON_TIMEOUT:
        return NGX_AGT_CALLS_TIMEOUT;

    case NGX_AGT_REASON_NOT_THE_API:
        return NGX_AGT_CALLS_NOT_THE_API;

    default:
        return answer->transient ? NGX_AGT_CALLS_FAILED
                                 : NGX_AGT_CALLS_UNUSABLE;
    }
}


static void
ngx_agt_call_report(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_int_t                  rc;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_worker.conf;

    if (call->operation == NGX_AGT_OPERATION_KEYS) {

        /* whether there are keys says nothing of introspection */

        ngx_agt_call_log(call, result, answer);
        return;
    }

    rc = ngx_agt_breaker_report(conf->first, call->api->state,
              &conf->breaker, ngx_current_msec, answer->transient,
              result->status == 429 ? result->retry_after : 0);

    ngx_agt_call_log(call, result, answer);

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_WARN, ngx_agt_worker.log, 0,
                      "agilicus token: Tokens API \"%V\" fails, breaker opens",
                      &call->api->url);

    } else if (rc == NGX_DONE) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_agt_worker.log, 0,
                      "agilicus token: Tokens API \"%V\" answers again, "
                      "breaker closes", &call->api->url);
    }
}


ngx_uint_t
ngx_agt_call_may_say(const ngx_agt_call_t *call, ngx_uint_t line)
{
    ngx_agt_zone_sh_t  *sh;

    sh = ngx_agt_worker.conf->first->sh;

    return ngx_agt_clock_once(&sh->api[call->api->state].said[line],
                              ngx_time(), 1);
}


/*
 * Writes ", fingerprint ..." into "buf", or nothing for a call that is not on
 * account of a token, and returns its end.
 */

static u_char *
ngx_agt_call_whose(const ngx_agt_call_t *call, u_char *buf)
{
    u_char  *p;

    static const u_char  none[NGX_AGT_DIGEST_LEN];

    if (ngx_memcmp(call->key, none, NGX_AGT_DIGEST_LEN) == 0) {
        return buf;
    }

    p = ngx_cpymem(buf, NGX_AGT_CALL_WHOSE, sizeof(NGX_AGT_CALL_WHOSE) - 1);

    ngx_agt_digest_fingerprint(call->key, p);

    return p + NGX_AGT_FINGERPRINT_LEN;
}


static void
ngx_agt_call_log(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    u_char  whose[NGX_AGT_CALL_WHOSE_LEN], *end;

    end = ngx_agt_call_whose(call, whose);

    if (result->error == NGX_AGT_CURL_OK && !answer->spoken
        && ngx_agt_call_may_say(call, NGX_AGT_API_LINE_FOREIGN))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_agt_worker.log, 0,
                      "agilicus token: %V: status %ui without a JSON object, "
                      "which is not how a Tokens API answers: is "
                      "\"agilicus_token_api\" right? It is \"%V\"%*s",
                      ngx_agt_operation_word(call->operation), result->status,
                      &call->api->url, (size_t) (end - whose), whose);
    }

    if (answer->class != NGX_AGT_CLASS_INDETERMINATE
        && answer->class != NGX_AGT_CLASS_REFUSED)
    {
        return;
    }

    if (answer->reason == NGX_AGT_REASON_NOT_THE_API
        || !ngx_agt_call_may_say(call, NGX_AGT_API_LINE_FAILED))
    {
        return;
    }

    if (answer->class == NGX_AGT_CLASS_REFUSED) {
        ngx_log_error(NGX_LOG_ERR, ngx_agt_worker.log, 0,
                      "agilicus token: %V failed: Tokens API \"%V\" refused "
                      "the edge itself with status %ui, check "
                      "\"agilicus_token_api_credential\"",
                      ngx_agt_operation_word(call->operation),
                      &call->api->url, result->status);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_agt_worker.log, 0,
                  "agilicus token: %V failed: %V, status %ui, %s, "
                  "Tokens API \"%V\"%*s",
                  ngx_agt_operation_word(call->operation),
                  ngx_agt_reason_word(answer->reason),
                  result->status, result->message, &call->api->url,
                  (size_t) (end - whose), whose);
}
