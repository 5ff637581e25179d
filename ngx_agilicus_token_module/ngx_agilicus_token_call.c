
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_call.h"


/* milliseconds between two looks at what another worker is asking */
#define NGX_AGILICUS_TOKEN_CALL_POLL       20

/* milliseconds beyond its timeout after which a leader is given up */
#define NGX_AGILICUS_TOKEN_CALL_MARGIN     1000

#define NGX_AGILICUS_TOKEN_CALL_NEW        0
#define NGX_AGILICUS_TOKEN_CALL_PENDING    1   /* waits for its turn */
#define NGX_AGILICUS_TOKEN_CALL_SENT       2
#define NGX_AGILICUS_TOKEN_CALL_FOLLOWING  3   /* another worker asks */


typedef struct {
    const ngx_agilicus_token_api_conf_t  *conf;
    ngx_agilicus_token_curl_t           **pools;
    ngx_rbtree_t                          calls;
    ngx_rbtree_node_t                     sentinel;
    ngx_queue_t                           pending;
    ngx_queue_t                           following;
    ngx_uint_t                            inflight;
    ngx_uint_t                            waiting;
    ngx_event_t                           poll;
    ngx_connection_t                      dummy;
    ngx_log_t                            *log;
    u_char                               *buf;
    time_t                                logged;
    unsigned                              failing:1;
} ngx_agilicus_token_call_worker_t;


static ngx_agilicus_token_call_t *ngx_agilicus_token_call_find(
    const ngx_agilicus_token_call_request_t *request);
static ngx_agilicus_token_call_t *ngx_agilicus_token_call_create(
    const ngx_agilicus_token_call_request_t *request);
static ngx_int_t ngx_agilicus_token_call_copy(ngx_str_t *dst,
    const ngx_str_t *src);
static ngx_int_t ngx_agilicus_token_call_lead(
    ngx_agilicus_token_call_t *call);
static ngx_uint_t ngx_agilicus_token_call_ended(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_call_charge(
    const ngx_agilicus_token_call_request_t *request,
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_call_start(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_call_send(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_send_pending(void);
static void ngx_agilicus_token_call_done(void *data,
    ngx_agilicus_token_curl_result_t *result);
static ngx_uint_t ngx_agilicus_token_call_retry(
    ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result);
static ngx_uint_t ngx_agilicus_token_call_step(
    ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result);
static void ngx_agilicus_token_call_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_report(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_follow(void);
static void ngx_agilicus_token_call_poll(ngx_event_t *ev);
static void ngx_agilicus_token_call_look(ngx_agilicus_token_call_t *call);
static void ngx_agilicus_token_call_end(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_release(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_free(ngx_agilicus_token_call_t *call);
static void ngx_agilicus_token_call_log(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_call_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_agilicus_token_call_compare(const u_char *key,
    uint32_t context, const ngx_agilicus_token_call_type_t *type,
    ngx_agilicus_token_call_t *call);


static ngx_agilicus_token_call_worker_t  ngx_agilicus_token_worker;


ngx_int_t
ngx_agilicus_token_call_init(const ngx_agilicus_token_api_conf_t *conf,
    ngx_log_t *log)
{
    ngx_uint_t                         i;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    ngx_memzero(w, sizeof(ngx_agilicus_token_call_worker_t));

    w->conf = conf;
    w->log = log;

    ngx_queue_init(&w->pending);
    ngx_queue_init(&w->following);
    ngx_rbtree_init(&w->calls, &w->sentinel, ngx_agilicus_token_call_insert);

    w->dummy.fd = (ngx_socket_t) -1;

    w->poll.handler = ngx_agilicus_token_call_poll;
    w->poll.data = &w->dummy;
    w->poll.log = log;
    w->poll.cancelable = 1;

    if (ngx_agilicus_token_digest_init() != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "agilicus token: no SHA-256 from libcrypto");
        return NGX_ERROR;
    }

    w->buf = ngx_alloc(2 * NGX_AGILICUS_TOKEN_JSON_MAX_BODY, log);
    w->pools = ngx_calloc((conf->napis + 1)
                          * sizeof(ngx_agilicus_token_curl_t *), log);

    if (w->pools == NULL || w->buf == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->napis; i++) {
        if (ngx_agilicus_token_call_curl(conf->apis[i]) == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_agilicus_token_json_init();

    return ngx_agilicus_token_wake_init((ngx_agilicus_token_wake_t *)
                                        &conf->wake, ngx_worker,
                                        ngx_agilicus_token_call_follow, log);
}


void
ngx_agilicus_token_call_exit(void)
{
    ngx_uint_t                         i;
    ngx_rbtree_node_t                 *node;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (w->pools == NULL) {
        return;
    }

    ngx_agilicus_token_wake_exit();

    for (i = 0; i < w->conf->napis; i++) {
        if (w->pools[i]) {
            ngx_agilicus_token_curl_destroy(w->pools[i]);
        }
    }

    while (w->calls.root != &w->sentinel) {
        node = ngx_rbtree_min(w->calls.root, &w->sentinel);
        ngx_agilicus_token_call_free((ngx_agilicus_token_call_t *) node);
    }

    if (w->poll.timer_set) {
        ngx_del_timer(&w->poll);
    }

    ngx_free(w->pools);
    ngx_free(w->buf);

    w->pools = NULL;
    w->buf = NULL;
}


ngx_int_t
ngx_agilicus_token_call_bearer(ngx_agilicus_token_call_t *call,
    const ngx_str_t *bearer)
{
    return ngx_agilicus_token_call_copy(&call->bearer, bearer);
}


const ngx_agilicus_token_api_conf_t *
ngx_agilicus_token_call_conf(void)
{
    return ngx_agilicus_token_worker.pools ? ngx_agilicus_token_worker.conf
                                           : NULL;
}


u_char *
ngx_agilicus_token_call_buffer(void)
{
    return ngx_agilicus_token_worker.buf;
}


ngx_int_t
ngx_agilicus_token_call_join(const ngx_agilicus_token_call_request_t *request,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer)
{
    ngx_int_t                          rc;
    ngx_agilicus_token_call_t         *call;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    ngx_memzero(answer, sizeof(ngx_agilicus_token_answer_t));

    answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
    answer->retry_after = -1;

    if (w->pools == NULL) {
        return NGX_ERROR;
    }

    if (waiter && w->waiting >= NGX_AGILICUS_TOKEN_CALL_MAX_WAITING) {
        answer->class = NGX_AGILICUS_TOKEN_CLASS_SHED;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_OVERLOAD;

        ngx_agilicus_token_zone_count(w->conf->first,
                                      NGX_AGILICUS_TOKEN_COUNT_OVERLOADS);
        return NGX_ERROR;
    }

    call = ngx_agilicus_token_call_find(request);

    if (call && waiter == NULL) {
        return NGX_AGAIN;
    }

    if (call == NULL) {
        call = ngx_agilicus_token_call_create(request);
        if (call == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_agilicus_token_call_lead(call);

        if (rc == NGX_OK) {

            /* between the look-up and the lead another call may have ended */

            if (ngx_agilicus_token_call_ended(call, answer)) {
                ngx_agilicus_token_call_free(call);

                if (waiter) {
                    waiter->joined = 1;
                }

                return NGX_OK;
            }

            rc = ngx_agilicus_token_call_charge(request, call, answer);

            if (rc == NGX_OK) {
                rc = ngx_agilicus_token_call_start(call, answer);
            }

            if (rc != NGX_OK) {
                ngx_agilicus_token_call_free(call);
                return NGX_ERROR;
            }

            if (waiter == NULL) {
                return NGX_AGAIN;
            }

            waiter->joined = 0;

        } else {

            /* another worker asks */

            if (waiter == NULL) {
                ngx_agilicus_token_call_free(call);
                return NGX_AGAIN;
            }

            waiter->joined = 1;
        }

    } else {
        waiter->joined = 1;
    }

    waiter->call = call;
    ngx_queue_insert_tail(&call->waiters, &waiter->queue);
    w->waiting++;

    return NGX_AGAIN;
}


void
ngx_agilicus_token_call_leave(ngx_agilicus_token_waiter_t *waiter)
{
    ngx_agilicus_token_call_t  *call;

    call = waiter->call;

    if (call == NULL) {
        return;
    }

    waiter->call = NULL;
    ngx_queue_remove(&waiter->queue);
    ngx_agilicus_token_worker.waiting--;

    if (ngx_queue_empty(&call->waiters)
        && (call->state == NGX_AGILICUS_TOKEN_CALL_PENDING
            || call->state == NGX_AGILICUS_TOKEN_CALL_FOLLOWING))
    {
        ngx_agilicus_token_call_free(call);
    }
}


static ngx_agilicus_token_call_t *
ngx_agilicus_token_call_find(const ngx_agilicus_token_call_request_t *request)
{
    ngx_int_t                   rc;
    ngx_rbtree_key_t            key;
    ngx_rbtree_node_t          *node, *sentinel;
    ngx_agilicus_token_call_t  *call;

    if (!request->shared) {
        return NULL;
    }

    ngx_memcpy(&key, request->key, sizeof(ngx_rbtree_key_t));

    node = ngx_agilicus_token_worker.calls.root;
    sentinel = ngx_agilicus_token_worker.calls.sentinel;

    while (node != sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        call = (ngx_agilicus_token_call_t *) node;

        rc = ngx_agilicus_token_call_compare(request->key, request->context,
                                             request->type, call);
        if (rc == 0) {
            return call;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_agilicus_token_call_t *
ngx_agilicus_token_call_create(
    const ngx_agilicus_token_call_request_t *request)
{
    ngx_agilicus_token_call_t         *call;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    call = ngx_calloc(sizeof(ngx_agilicus_token_call_t), w->log);
    if (call == NULL) {
        return NULL;
    }

    call->type = request->type;
    call->api = request->api;
    call->origin = request->origin;
    call->url = request->url;
    call->connect_timeout = request->connect_timeout;
    call->timeout = request->timeout;
    call->max_body = request->max_body;
    call->seen = request->seen;
    call->started = ngx_current_msec;

    ngx_queue_init(&call->waiters);

    call->context = request->context;
    call->shared = request->shared;

    ngx_memcpy(call->key, request->key, NGX_AGILICUS_TOKEN_DIGEST_LEN);
    ngx_memcpy(&call->node.key, request->key, sizeof(ngx_rbtree_key_t));

    ngx_rbtree_insert(&w->calls, &call->node);

    if (ngx_agilicus_token_call_copy(&call->body, &request->body) != NGX_OK
        || ngx_agilicus_token_call_copy(&call->bearer, &request->bearer)
           != NGX_OK
        || ngx_agilicus_token_call_copy(&call->data, &request->data)
           != NGX_OK)
    {
        ngx_agilicus_token_call_free(call);
        return NULL;
    }

    return call;
}


static ngx_int_t
ngx_agilicus_token_call_copy(ngx_str_t *dst, const ngx_str_t *src)
{
    if (src->len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_alloc(src->len, ngx_agilicus_token_worker.log);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->len = src->len;

    return NGX_OK;
}


/* NGX_OK if the call is to be made here, NGX_AGAIN if it follows another */

static ngx_int_t
ngx_agilicus_token_call_lead(ngx_agilicus_token_call_t *call)
{
    ngx_int_t                          rc;
    ngx_agilicus_token_flight_key_t    key;
    ngx_agilicus_token_call_worker_t  *w;

    if (!call->shared) {
        return NGX_OK;
    }

    w = &ngx_agilicus_token_worker;

    key.key = call->key;
    key.context = call->context;

    rc = ngx_agilicus_token_flight_lead(w->conf->first, &key,
                                        ngx_current_msec,
                                        ngx_current_msec + call->timeout
                                        + NGX_AGILICUS_TOKEN_CALL_MARGIN,
                                        ngx_worker, w->conf->cycle,
                                        &call->flight);

    if (rc != NGX_AGAIN) {
        return NGX_OK;
    }

    if (call->state != NGX_AGILICUS_TOKEN_CALL_FOLLOWING) {
        call->state = NGX_AGILICUS_TOKEN_CALL_FOLLOWING;
        ngx_queue_insert_tail(&w->following, &call->queue);
    }

    if (!w->poll.timer_set) {
        ngx_add_timer(&w->poll, NGX_AGILICUS_TOKEN_CALL_POLL);
    }

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_agilicus_token_call_ended(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_answer_t  found;

    if (!call->shared) {
        return 0;
    }

    ngx_memzero(&found, sizeof(ngx_agilicus_token_answer_t));
    found.retry_after = -1;

    if (call->type->adopt(call, &found) != NGX_OK) {
        return 0;
    }

    *answer = found;

    return 1;
}


static ngx_int_t
ngx_agilicus_token_call_charge(
    const ngx_agilicus_token_call_request_t *request,
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer)
{
    ngx_int_t                             rc;
    const ngx_agilicus_token_api_conf_t  *conf;

    if (!request->charged) {
        return NGX_OK;
    }

    conf = ngx_agilicus_token_worker.conf;

    rc = ngx_agilicus_token_budget_take(conf->first, call->api->state,
                                        &conf->rate, request->client,
                                        ngx_current_msec,
                                        &answer->retry_after);
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    answer->class = NGX_AGILICUS_TOKEN_CLASS_SHED;
    answer->reason = (rc == NGX_BUSY) ? NGX_AGILICUS_TOKEN_REASON_CLIENT_RATE
                                      : NGX_AGILICUS_TOKEN_REASON_RATE;

    ngx_agilicus_token_zone_count(conf->first,
                                  NGX_AGILICUS_TOKEN_COUNT_OVERLOADS);

    return NGX_ERROR;
}


/* sends the call, or queues it; the first of them may find the breaker open */

static ngx_int_t
ngx_agilicus_token_call_start(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (w->inflight >= w->conf->max_inflight) {
        call->state = NGX_AGILICUS_TOKEN_CALL_PENDING;
        ngx_queue_insert_tail(&w->pending, &call->queue);

        return NGX_OK;
    }

    return ngx_agilicus_token_call_send(call, answer);
}


static ngx_int_t
ngx_agilicus_token_call_send(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_curl_t          *pool;
    ngx_agilicus_token_call_worker_t   *w;
    ngx_agilicus_token_curl_request_t   request;

    w = &ngx_agilicus_token_worker;

    answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;

    pool = ngx_agilicus_token_call_curl(call->api);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    if (!call->retried && !call->stepped
        && ngx_agilicus_token_breaker_pass(w->conf->first, call->api->state,
                                           &w->conf->breaker,
                                           ngx_current_msec, call->timeout,
                                           &answer->retry_after)
           != NGX_OK)
    {
        answer->class = NGX_AGILICUS_TOKEN_CLASS_SHED;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_BREAKER;
        answer->transient = 1;

        ngx_agilicus_token_zone_count(w->conf->first,
                                      NGX_AGILICUS_TOKEN_COUNT_OVERLOADS);
        return NGX_ERROR;
    }

    ngx_memzero(&request, sizeof(ngx_agilicus_token_curl_request_t));

    request.url = call->url;
    request.body = call->body;
    request.bearer = call->bearer;
    request.connect_timeout = call->connect_timeout;
    request.timeout = call->timeout;
    request.max_body = call->max_body;
    request.handler = ngx_agilicus_token_call_done;
    request.data = call;

    call->sent = ngx_current_msec;

    if (ngx_agilicus_token_curl_submit(pool, &request) == NULL) {
        return NGX_ERROR;
    }

    call->state = NGX_AGILICUS_TOKEN_CALL_SENT;
    w->inflight++;

    ngx_agilicus_token_zone_count(w->conf->first,
                                  call->retried
                                  ? NGX_AGILICUS_TOKEN_COUNT_RETRIES
                                  : NGX_AGILICUS_TOKEN_COUNT_CALLS);

    return NGX_OK;
}


static void
ngx_agilicus_token_call_send_pending(void)
{
    ngx_queue_t                       *q;
    ngx_agilicus_token_call_t         *call;
    ngx_agilicus_token_answer_t        answer;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    while (w->inflight < w->conf->max_inflight
           && !ngx_queue_empty(&w->pending))
    {
        q = ngx_queue_head(&w->pending);
        ngx_queue_remove(q);

        call = ngx_queue_data(q, ngx_agilicus_token_call_t, queue);
        call->state = NGX_AGILICUS_TOKEN_CALL_NEW;

        ngx_memzero(&answer, sizeof(ngx_agilicus_token_answer_t));
        answer.retry_after = -1;

        if (ngx_agilicus_token_call_send(call, &answer) != NGX_OK) {
            ngx_agilicus_token_call_end(call, &answer);
        }
    }
}


/* a pool is made when the worker starts, or late where no worker was started */

ngx_agilicus_token_curl_t *
ngx_agilicus_token_call_curl(ngx_agilicus_token_api_t *api)
{
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (w->pools[api->index] == NULL) {
        w->pools[api->index] =
            ngx_agilicus_token_curl_create(&api->profile,
                                           w->conf->max_inflight, w->log);
    }

    return w->pools[api->index];
}


static void
ngx_agilicus_token_call_done(void *data,
    ngx_agilicus_token_curl_result_t *result)
{
    ngx_agilicus_token_call_t *call = data;

    ngx_agilicus_token_answer_t  answer;

    ngx_agilicus_token_worker.inflight--;
    call->state = NGX_AGILICUS_TOKEN_CALL_NEW;

    if (ngx_agilicus_token_call_retry(call, result)
        || ngx_agilicus_token_call_step(call, result))
    {
        return;
    }

    ngx_agilicus_token_call_read(call, result, &answer);
    ngx_agilicus_token_call_report(call, result, &answer);
    ngx_agilicus_token_call_end(call, &answer);

    ngx_agilicus_token_call_send_pending();
}


/* once more, if the connection was lost before there was any answer */

static ngx_uint_t
ngx_agilicus_token_call_retry(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result)
{
    uint64_t                     passed;
    ngx_agilicus_token_answer_t  answer;

    if (result->error != NGX_AGILICUS_TOKEN_CURL_BROKEN
        || result->attempts > 1 || call->retried)
    {
        return 0;
    }

    passed = ngx_current_msec - call->sent;

    if (passed >= call->timeout) {
        return 0;
    }

    call->retried = 1;
    call->timeout -= (ngx_msec_t) passed;

    return ngx_agilicus_token_call_send(call, &answer) == NGX_OK;
}


static ngx_uint_t
ngx_agilicus_token_call_step(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result)
{
    uint64_t                     passed;
    ngx_agilicus_token_answer_t  answer;

    if (call->type->next == NULL
        || result->error != NGX_AGILICUS_TOKEN_CURL_OK
        || !call->type->next(call, result))
    {
        return 0;
    }

    passed = ngx_current_msec - call->sent;

    call->timeout -= (ngx_msec_t) ngx_min(passed, call->timeout - 1);
    call->retried = 0;
    call->stepped = 1;

    ngx_memzero(&answer, sizeof(ngx_agilicus_token_answer_t));
    answer.retry_after = -1;

    if (ngx_agilicus_token_call_send(call, &answer) == NGX_OK) {
        return 1;
    }

    /* the step cannot be made: what was answered before is no answer */

    answer.elapsed = (ngx_msec_t) (ngx_current_msec - call->started);
    ngx_agilicus_token_call_end(call, &answer);
    ngx_agilicus_token_call_send_pending();

    return 1;
}


/* a status that nobody names decides nothing */

static void
ngx_agilicus_token_call_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    static const ngx_agilicus_token_reason_e  reasons[] = {
        NGX_AGILICUS_TOKEN_REASON_STATUS,
        NGX_AGILICUS_TOKEN_REASON_RESOLVE,
        NGX_AGILICUS_TOKEN_REASON_CONNECT,
        NGX_AGILICUS_TOKEN_REASON_TLS,
        NGX_AGILICUS_TOKEN_REASON_TIMEOUT,
        NGX_AGILICUS_TOKEN_REASON_TRANSPORT,
        NGX_AGILICUS_TOKEN_REASON_TRANSPORT,
        NGX_AGILICUS_TOKEN_REASON_ANSWER,
        NGX_AGILICUS_TOKEN_REASON_ANSWER
    };

    ngx_memzero(answer, sizeof(ngx_agilicus_token_answer_t));

    answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    answer->reason = reasons[result->error];
    answer->sent = call->sent;
    answer->elapsed = (ngx_msec_t) (ngx_current_msec - call->started);
    answer->retry_after = result->retry_after;

    switch (result->error) {

    case NGX_AGILICUS_TOKEN_CURL_OK:
        break;

    case NGX_AGILICUS_TOKEN_CURL_TOO_LARGE:
        answer->too_large = 1;
        return;

    case NGX_AGILICUS_TOKEN_CURL_ENCODED:
        return;

    default:
        answer->transient = 1;
        return;
    }

    if (result->status == 401 || result->status == 403) {
        answer->class = NGX_AGILICUS_TOKEN_CLASS_REFUSED;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_CREDENTIAL;

    } else if (result->status == 429) {
        answer->reason = NGX_AGILICUS_TOKEN_REASON_THROTTLED;
        answer->transient = 1;

    } else if (result->status >= 500) {
        answer->transient = 1;
    }

    call->type->read(call, result, answer);
}


static void
ngx_agilicus_token_call_report(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_int_t                             rc;
    ngx_agilicus_token_call_worker_t     *w;
    const ngx_agilicus_token_api_conf_t  *conf;

    w = &ngx_agilicus_token_worker;
    conf = w->conf;

    rc = ngx_agilicus_token_breaker_report(conf->first, call->api->state,
              &conf->breaker, ngx_current_msec, answer->elapsed,
              answer->transient,
              result->status == 429 ? result->retry_after : -1);

    ngx_agilicus_token_call_log(call, result, answer);

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "agilicus token: Tokens API \"%V\" fails, breaker opens",
                      &call->api->url);

    } else if (rc == NGX_DONE) {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "agilicus token: Tokens API \"%V\" answers again, "
                      "breaker closes", &call->api->url);
    }
}


/*
 * Calls of other workers.  Woken by their end, or looking at intervals: a
 * leader that died cannot wake anybody.
 */

static void
ngx_agilicus_token_call_poll(ngx_event_t *ev)
{
    ngx_agilicus_token_call_follow();
}


static void
ngx_agilicus_token_call_follow(void)
{
    ngx_queue_t                       *q, looked;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (ngx_queue_empty(&w->following)) {
        return;
    }

    /* what ends here may make others leave, or follow anew */

    ngx_queue_init(&looked);
    ngx_queue_add(&looked, &w->following);
    ngx_queue_init(&w->following);

    while (!ngx_queue_empty(&looked)) {
        q = ngx_queue_head(&looked);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->following, q);

        ngx_agilicus_token_call_look(
            ngx_queue_data(q, ngx_agilicus_token_call_t, queue));
    }

    if (!ngx_queue_empty(&w->following) && !w->poll.timer_set) {
        ngx_add_timer(&w->poll, NGX_AGILICUS_TOKEN_CALL_POLL);
    }
}


static void
ngx_agilicus_token_call_look(ngx_agilicus_token_call_t *call)
{
    ngx_int_t                            rc;
    ngx_agilicus_token_answer_t          answer;
    ngx_agilicus_token_call_worker_t    *w;
    ngx_agilicus_token_flight_result_t   result;

    w = &ngx_agilicus_token_worker;

    rc = ngx_agilicus_token_flight_look(w->conf->first, &call->flight,
                                        ngx_current_msec, &result);
    if (rc == NGX_AGAIN) {
        return;
    }

    ngx_memzero(&answer, sizeof(ngx_agilicus_token_answer_t));

    answer.sent = call->started;
    answer.elapsed = (ngx_msec_t) (ngx_current_msec - call->started);
    answer.retry_after = -1;

    if (rc == NGX_OK) {
        answer.class = result.class;
        answer.reason = result.reason;
        answer.retry_after = result.retry_after;
        answer.transient = result.transient != 0;

        if (result.class == NGX_AGILICUS_TOKEN_CLASS_REFUSED
            || result.class == NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE
            || result.class == NGX_AGILICUS_TOKEN_CLASS_SHED
            || call->type->adopt(call, &answer) == NGX_OK)
        {
            call->flight.id = 0;
            ngx_agilicus_token_call_end(call, &answer);
            return;
        }
    }

    /* its leader is gone, or what it found is: ask, unless another does */

    if (ngx_agilicus_token_call_lead(call) == NGX_AGAIN) {
        return;
    }

    ngx_queue_remove(&call->queue);
    call->state = NGX_AGILICUS_TOKEN_CALL_NEW;

    if (ngx_agilicus_token_call_start(call, &answer) != NGX_OK) {
        ngx_agilicus_token_call_end(call, &answer);
    }
}


/* tells everybody and frees the call */

static void
ngx_agilicus_token_call_end(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_queue_t                       *q;
    ngx_agilicus_token_waiter_t       *waiter;
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    ngx_agilicus_token_call_release(call, answer);

    /* a waiter may take others with it, so always restart from the head */

    while (!ngx_queue_empty(&call->waiters)) {
        q = ngx_queue_head(&call->waiters);
        waiter = ngx_queue_data(q, ngx_agilicus_token_waiter_t, queue);

        ngx_queue_remove(q);
        waiter->call = NULL;
        w->waiting--;

        waiter->done(waiter->data, answer);
    }

    ngx_agilicus_token_call_free(call);
}


/* gives the lead back and wakes who follows */

static void
ngx_agilicus_token_call_release(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    uint64_t                              wake;
    const ngx_agilicus_token_api_conf_t  *conf;
    ngx_agilicus_token_flight_result_t    result;

    if (call->flight.id == 0
        || call->state == NGX_AGILICUS_TOKEN_CALL_FOLLOWING)
    {
        return;
    }

    conf = ngx_agilicus_token_worker.conf;

    ngx_memzero(&result, sizeof(ngx_agilicus_token_flight_result_t));

    if (answer) {
        result.class = answer->class;
        result.reason = answer->reason;
        result.retry_after = (int32_t) ngx_min(answer->retry_after, 86400);
        result.transient = answer->transient;
    }

    wake = ngx_agilicus_token_flight_end(conf->first, &call->flight, &result,
                                         ngx_current_msec);
    call->flight.id = 0;

    ngx_agilicus_token_wake_up((ngx_agilicus_token_wake_t *) &conf->wake,
                               wake);
}


static void
ngx_agilicus_token_call_free(ngx_agilicus_token_call_t *call)
{
    ngx_agilicus_token_call_release(call, NULL);

    ngx_rbtree_delete(&ngx_agilicus_token_worker.calls, &call->node);

    if (call->state == NGX_AGILICUS_TOKEN_CALL_PENDING
        || call->state == NGX_AGILICUS_TOKEN_CALL_FOLLOWING)
    {
        ngx_queue_remove(&call->queue);
    }

    if (call->body.data) {
        ngx_explicit_memzero(call->body.data, call->body.len);
        ngx_free(call->body.data);
    }

    if (call->bearer.data) {
        ngx_explicit_memzero(call->bearer.data, call->bearer.len);
        ngx_free(call->bearer.data);
    }

    if (call->data.data) {
        ngx_explicit_memzero(call->data.data, call->data.len);
        ngx_free(call->data.data);
    }

    ngx_free(call);
}


/* one line a second at most says that an API fails, and one that it is back */

static void
ngx_agilicus_token_call_log(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    u_char                             fingerprint
                                       [NGX_AGILICUS_TOKEN_FINGERPRINT_LEN];
    ngx_agilicus_token_call_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (answer->class != NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE
        && answer->class != NGX_AGILICUS_TOKEN_CLASS_REFUSED)
    {
        w->failing = 0;
        return;
    }

    ngx_agilicus_token_zone_count(w->conf->first,
        answer->class == NGX_AGILICUS_TOKEN_CLASS_REFUSED
        ? NGX_AGILICUS_TOKEN_COUNT_CREDENTIAL_REFUSED
        : NGX_AGILICUS_TOKEN_COUNT_FAILED_CALLS);

    if (w->failing && w->logged == ngx_time()) {
        return;
    }

    w->failing = 1;
    w->logged = ngx_time();

    if (answer->class == NGX_AGILICUS_TOKEN_CLASS_REFUSED) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "agilicus token: %s failed: Tokens API \"%V\" refused "
                      "the edge itself with status %ui, check "
                      "\"agilicus_token_api_credential\"", call->type->name,
                      &call->api->url, result->status);
        return;
    }

    ngx_agilicus_token_digest_fingerprint(call->key, fingerprint);

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "agilicus token: %s failed: %V, status %ui, %s, "
                  "Tokens API \"%V\", fingerprint %*s", call->type->name,
                  ngx_agilicus_token_reason_word(answer->reason),
                  result->status, result->message, &call->api->url,
                  sizeof(fingerprint), fingerprint);
}


static void
ngx_agilicus_token_call_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_agilicus_token_call_t   *call;

    call = (ngx_agilicus_token_call_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            p = (ngx_agilicus_token_call_compare(call->key, call->context,
                     call->type, (ngx_agilicus_token_call_t *) temp)
                 < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* calls that are not shared have contexts that no shared one has */

static ngx_int_t
ngx_agilicus_token_call_compare(const u_char *key, uint32_t context,
    const ngx_agilicus_token_call_type_t *type,
    ngx_agilicus_token_call_t *call)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(key, call->key, NGX_AGILICUS_TOKEN_DIGEST_LEN);

    if (rc != 0) {
        return rc;
    }

    if (context != call->context) {
        return (context < call->context) ? -1 : 1;
    }

    if (type != call->type) {
        return ((uintptr_t) type < (uintptr_t) call->type) ? -1 : 1;
    }

    return 0;
}
