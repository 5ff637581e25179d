
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/call_follow.h"
#include "api/call_send.h"
#include "api/tick.h"


static ngx_int_t ngx_agt_call_background(
    const ngx_agt_call_request_t *request, const u_char *identity,
    ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_call_make(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static ngx_uint_t ngx_agt_call_failed(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static void ngx_agt_call_prolong(ngx_agt_call_t *call,
    const ngx_agt_call_request_t *request);
static void ngx_agt_call_add(ngx_agt_call_t *call, ngx_agt_waiter_t *waiter);
static void ngx_agt_call_remove(ngx_agt_waiter_t *waiter);
static ngx_int_t ngx_agt_call_identity(
    const ngx_agt_call_request_t *request, u_char *identity);
static ngx_agt_call_t *ngx_agt_call_find(const u_char *identity);
static ngx_uint_t ngx_agt_call_same(const u_char *key);
static ngx_agt_call_t *ngx_agt_call_create(
    const ngx_agt_call_request_t *request, const u_char *identity);
static ngx_int_t ngx_agt_call_copy(ngx_str_t *dst, const ngx_str_t *src);
static void ngx_agt_call_give_guess(ngx_agt_call_t *call,
    const ngx_agt_answer_t *answer);
static void ngx_agt_call_release(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);
static void ngx_agt_call_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


ngx_agt_call_worker_t  ngx_agt_worker;


ngx_int_t
ngx_agt_call_init(const ngx_agt_api_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    ngx_memzero(w, sizeof(ngx_agt_call_worker_t));

    w->conf = conf;
    w->log = log;

    ngx_queue_init(&w->pending);
    ngx_queue_init(&w->following);
    ngx_queue_init(&w->sent);
    ngx_rbtree_init(&w->calls, &w->sentinel, ngx_agt_call_insert);

    ngx_agt_limits_init(&w->places, conf->max_inflight);

    ngx_agt_tick_init(&w->poll, ngx_agt_call_poll, log);

    w->turn.handler = ngx_agt_call_turn;
    w->turn.log = log;

    if (ngx_agt_digest_init() != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "agilicus token: no SHA-256 from libcrypto");
        return NGX_ERROR;
    }

    w->buf = ngx_alloc(2 * NGX_AGT_JSON_MAX_BODY, log);
    w->pools = ngx_calloc((conf->napis + 1) * sizeof(ngx_agt_curl_t *), log);

    if (w->pools == NULL || w->buf == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->napis; i++) {
        if (ngx_agt_call_curl(conf->apis[i]) == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_agt_json_init();

    return ngx_agt_wake_init(&conf->wake, ngx_worker,
                             ngx_agt_call_follow, log);
}


void
ngx_agt_call_exit(void)
{
    ngx_uint_t              i;
    ngx_rbtree_node_t      *node;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    if (w->pools == NULL) {
        return;
    }

    ngx_agt_wake_exit();

    for (i = 0; i < w->conf->napis; i++) {
        if (w->pools[i]) {
            ngx_agt_curl_destroy(w->pools[i]);
        }
    }

    while (w->calls.root != &w->sentinel) {
        node = ngx_rbtree_min(w->calls.root, &w->sentinel);
        ngx_agt_call_free((ngx_agt_call_t *) node);
    }

    ngx_agt_seams.del_timer(&w->poll);
    ngx_agt_seams.unpost(&w->turn);

    ngx_free(w->pools);
    ngx_free(w->buf);

    w->pools = NULL;
    w->buf = NULL;
}


ngx_int_t
ngx_agt_call_bearer(ngx_agt_call_t *call, const ngx_str_t *bearer)
{
    return ngx_agt_call_copy(&call->curl.bearer, bearer);
}


const ngx_agt_api_conf_t *
ngx_agt_call_conf(void)
{
    return ngx_agt_worker.pools ? ngx_agt_worker.conf : NULL;
}


u_char *
ngx_agt_call_buffer(void)
{
    return ngx_agt_worker.buf;
}


void
ngx_agt_call_forget(ngx_agt_answer_t *answer)
{
    if (answer->token.len) {
        ngx_explicit_memzero(answer->token.data, answer->token.len);
        ngx_str_null(&answer->token);
    }

#ifdef NGX_AGT_SCRIBBLE
    ngx_memset(ngx_agt_worker.buf, 0xa5, 2 * NGX_AGT_JSON_MAX_BODY);
#endif
}


ngx_int_t
ngx_agt_call_join(const ngx_agt_call_request_t *request,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    u_char                  identity[NGX_AGT_DIGEST_LEN];
    ngx_int_t               rc;
    ngx_agt_call_t         *call;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    ngx_agt_answer_init(answer);

    if (w->pools == NULL) {
        return NGX_ERROR;
    }

    ngx_agt_cache_forget();

    if (ngx_agt_call_identity(request, identity) != NGX_OK) {
        return NGX_ERROR;
    }

    call = request->shared ? ngx_agt_call_find(identity) : NULL;

    if (waiter == NULL) {
        return call ? NGX_AGAIN
                    : ngx_agt_call_background(request, identity, answer);
    }

    /* first a place, then the budgets: a client pays for no call without one */

    rc = ngx_agt_limits_wait(&w->places, &waiter->place, request->kind,
                             request->client, ngx_agt_call_same(request->key));

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_BUSY:
        return ngx_agt_call_shed(answer, NGX_AGT_REASON_CLIENT_PLACES,
                                 NGX_AGT_COUNT_SHED_CLIENT_PLACES);

    case NGX_DECLINED:
        return ngx_agt_call_shed(answer, NGX_AGT_REASON_PLACES,
                                 NGX_AGT_COUNT_SHED_PLACES);

    default:
        return NGX_ERROR;
    }

    if (call) {
        ngx_agt_call_add(call, waiter);
        ngx_agt_call_prolong(call, request);

        waiter->joined = 1;

        return NGX_AGAIN;
    }

    call = ngx_agt_call_create(request, identity);
    if (call == NULL) {
        ngx_agt_limits_release(&waiter->place);
        return NGX_ERROR;
    }

    ngx_agt_call_add(call, waiter);

    rc = ngx_agt_call_make(call, answer);

    waiter->joined = (rc == NGX_OK || rc == NGX_DONE);

    if (rc == NGX_OK || rc == NGX_ERROR) {
        ngx_agt_call_free(call);
        return rc;
    }

    return NGX_AGAIN;
}


/* requests that wait must not wait behind background calls */

static ngx_int_t
ngx_agt_call_background(const ngx_agt_call_request_t *request,
    const u_char *identity, ngx_agt_answer_t *answer)
{
    ngx_int_t        rc;
    ngx_agt_call_t  *call;

    if (!ngx_agt_limits_has_room(&ngx_agt_worker.places)) {
        answer->class = NGX_AGT_CLASS_SHED;
        answer->reason = NGX_AGT_REASON_PLACES;

        return NGX_ERROR;
    }

    call = ngx_agt_call_create(request, identity);
    if (call == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_call_make(call, answer);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_agt_call_free(call);

    return rc == NGX_DONE ? NGX_AGAIN : rc;
}


/*
 * NGX_AGAIN  the call is made here
 * NGX_DONE   another worker makes it
 * NGX_OK     another worker's call has ended: "answer" is its
 * NGX_ERROR  it is not made, with "answer" set
 */

static ngx_int_t
ngx_agt_call_make(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    if (ngx_agt_call_lead(call) != NGX_OK) {
        return NGX_DONE;
    }

    /* between the look-up and the lead another call may have ended */

    if (ngx_agt_call_ended(call, answer)) {
        return NGX_OK;
    }

    if (ngx_agt_call_failed(call, answer)
        || ngx_agt_call_charge(call, answer) != NGX_OK
        || ngx_agt_call_start(call, answer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/* 1 if the failure of another call is the answer to a call that is paced */

static ngx_uint_t
ngx_agt_call_failed(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_agt_flight_result_t  result;

    if (!call->paced
        || !ngx_agt_flight_failed(ngx_agt_worker.conf->first, call->identity,
                                  ngx_current_msec, &result))
    {
        return 0;
    }

    answer->class = result.class;
    answer->reason = result.reason;
    answer->retry_after = result.retry_after;
    answer->transient = result.transient != 0;
    answer->cause = result.cause;

    return 1;
}


static void
ngx_agt_call_prolong(ngx_agt_call_t *call,
    const ngx_agt_call_request_t *request)
{
    /* the entry that this request found too old is no answer */

    if (request->seen) {
        call->seen = request->seen;
    }

    if (call->left) {
        call->left = 0;
        ngx_agt_worker.left--;
    }

    /* first the mark: this may wait for a mutex, and others follow the mark */

    ngx_agt_flight_extend(ngx_agt_worker.conf->first, &call->flight,
                          ngx_current_msec + request->curl.timeout
                          + NGX_AGT_CALL_MARGIN);

    call->patience = ngx_max(call->patience, request->curl.timeout);

    /* a pending call may go before others for the new waiter */

    if (call->state == NGX_AGT_CALL_PENDING) {
        ngx_agt_seams.post(&ngx_agt_worker.turn);
    }
}


ngx_int_t
ngx_agt_call_shed(ngx_agt_answer_t *answer, ngx_agt_reason_e reason,
    ngx_agt_count_e count)
{
    answer->class = NGX_AGT_CLASS_SHED;
    answer->reason = reason;

    ngx_agt_zone_count(ngx_agt_worker.conf->first, count);

    return NGX_ERROR;
}


static void
ngx_agt_call_add(ngx_agt_call_t *call, ngx_agt_waiter_t *waiter)
{
    waiter->call = call;
    waiter->leave = ngx_agt_call_leave;

    ngx_queue_insert_tail(&call->waiters, &waiter->queue);
    call->nwaiters++;
}


static void
ngx_agt_call_remove(ngx_agt_waiter_t *waiter)
{
    ngx_agt_call_t  *call;

    call = waiter->call;

    ngx_queue_remove(&waiter->queue);
    call->nwaiters--;

    waiter->call = NULL;

    ngx_agt_limits_release(&waiter->place);
}


void
ngx_agt_call_leave(ngx_agt_waiter_t *waiter)
{
    ngx_agt_call_t  *call;

    call = waiter->call;

    if (call == NULL) {
        return;
    }

    ngx_agt_call_remove(waiter);

    if (!ngx_queue_empty(&call->waiters)) {
        return;
    }

    if (call->state == NGX_AGT_CALL_PENDING
        || call->state == NGX_AGT_CALL_FOLLOWING)
    {
        ngx_agt_call_free(call);
        return;
    }

    /* the edge must hear of a new token, or it outlives its parent */

    if (call->state == NGX_AGT_CALL_SENT
        && (call->operation == NGX_AGT_OPERATION_INTROSPECT
            || call->operation == NGX_AGT_OPERATION_INTROSPECT_KEY))
    {
        call->left = 1;
        ngx_agt_worker.left++;

        /*
         * A call that has taken too long is not joined any more.  Requests on
         * other workers that wait for it already go on waiting, and its answer
         * is still read.
         */

        if (ngx_agt_seams.mono() - call->started >= call->patience) {
            ngx_agt_flight_left(ngx_agt_worker.conf->first, &call->flight);

            ngx_rbtree_delete(&ngx_agt_worker.calls, &call->node);

            ngx_memzero(call->identity, NGX_AGT_DIGEST_LEN);
            call->node.key = 0;

            ngx_rbtree_insert(&ngx_agt_worker.calls, &call->node);
        }

        if (!ngx_queue_empty(&ngx_agt_worker.pending)) {
            ngx_agt_seams.post(&ngx_agt_worker.turn);
        }
    }
}


/*
 * The identity is the digest of everything that decides an answer: operation,
 * context and key.  All parts but the first have one length.  A call that is
 * not shared has the identity zero, which is never looked for.
 */

static ngx_int_t
ngx_agt_call_identity(const ngx_agt_call_request_t *request, u_char *identity)
{
    ngx_str_t  parts[3];

    if (!request->shared) {
        ngx_memzero(identity, NGX_AGT_DIGEST_LEN);
        return NGX_OK;
    }

    parts[0] = *ngx_agt_operation_word(request->operation);
    parts[1].data = (u_char *) request->context;
    parts[1].len = NGX_AGT_DIGEST_LEN;
    parts[2].data = (u_char *) request->key;
    parts[2].len = NGX_AGT_DIGEST_LEN;

    return ngx_agt_digest(identity, parts, 3);
}


/*
 * Returns how many wait for calls on account of the same token: calls that are
 * not shared, or that other locations make, are counted too.  The number is
 * needed, and counted, where more than half of the places are taken.
 */

static ngx_uint_t
ngx_agt_call_same(const u_char *key)
{
    ngx_uint_t              same;
    ngx_agt_call_t         *call;
    ngx_rbtree_node_t      *node;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;
    same = 0;

    if (w->calls.root == &w->sentinel
        || w->places.waiting[NGX_AGT_LIMITS_SHARED]
           <= NGX_AGT_LIMITS_WAITING / 2)
    {
        return 0;
    }

    for (node = ngx_rbtree_min(w->calls.root, &w->sentinel);
         node;
         node = ngx_rbtree_next(&w->calls, node))
    {
        call = (ngx_agt_call_t *) node;

        if (ngx_memcmp(call->key, key, NGX_AGT_DIGEST_LEN) != 0) {
            continue;
        }

        same += call->nwaiters;
    }

    return same;
}


static ngx_agt_call_t *
ngx_agt_call_find(const u_char *identity)
{
    ngx_int_t           rc;
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node, *sentinel;
    ngx_agt_call_t     *call;

    ngx_memcpy(&key, identity, sizeof(ngx_rbtree_key_t));

    node = ngx_agt_worker.calls.root;
    sentinel = ngx_agt_worker.calls.sentinel;

    while (node != sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        call = (ngx_agt_call_t *) node;

        rc = ngx_memcmp(identity, call->identity, NGX_AGT_DIGEST_LEN);
        if (rc == 0) {
            return call;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_agt_call_t *
ngx_agt_call_create(const ngx_agt_call_request_t *request,
    const u_char *identity)
{
    ngx_agt_call_t  *call;

    call = ngx_calloc(sizeof(ngx_agt_call_t), ngx_agt_worker.log);
    if (call == NULL) {
        return NULL;
    }

    call->type = request->type;
    call->operation = request->operation;
    call->api = request->api;
    call->origin = request->origin;
    call->curl = request->curl;
    ngx_str_null(&call->curl.body);
    ngx_str_null(&call->curl.bearer);
    ngx_str_null(&call->curl.headers);

    call->entry.key = call->key;

    if (request->origin) {
        call->entry.origin = request->origin->number;
        call->curl.timeout = ngx_max(call->curl.timeout, call->api->longest);
    }

    call->patience = request->curl.timeout;
    call->seen = request->seen;
    call->started = ngx_agt_seams.mono();

    ngx_queue_init(&call->waiters);

    call->kind = request->kind;
    call->shared = request->shared;
    call->charged = request->charged;
    call->paced = request->shared && request->paced;

    if (request->client) {
        call->client = *request->client;
        call->has_client = 1;
    }

    if (request->guess) {
        call->guess = *request->guess;
        call->has_guess = 1;
    }

    ngx_memcpy(call->key, request->key, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(call->identity, identity, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(&call->node.key, identity, sizeof(ngx_rbtree_key_t));

    ngx_rbtree_insert(&ngx_agt_worker.calls, &call->node);

    if (ngx_agt_call_copy(&call->curl.body, &request->curl.body) != NGX_OK
        || ngx_agt_call_copy(&call->curl.bearer, &request->curl.bearer)
           != NGX_OK
        || ngx_agt_call_copy(&call->curl.headers, &request->curl.headers)
           != NGX_OK
        || ngx_agt_call_copy(&call->data, &request->data) != NGX_OK)
    {
        ngx_agt_call_free(call);
        return NULL;
    }

    return call;
}


static ngx_int_t
ngx_agt_call_copy(ngx_str_t *dst, const ngx_str_t *src)
{
    if (src->len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_alloc(src->len, ngx_agt_worker.log);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->len = src->len;

    return NGX_OK;
}


ngx_int_t
ngx_agt_call_charge(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_int_t                  rc;
    const ngx_agt_api_conf_t  *conf;

    if (!call->charged) {
        return NGX_OK;
    }

    conf = ngx_agt_worker.conf;
    rc = NGX_OK;

    /* while a call is under way, its guess counts as one that fails */

    if (call->has_guess) {
        rc = ngx_agt_budget_take_guess(conf->first, &call->guess,
                                       ngx_current_msec, &answer->retry_after);
        call->guessed |= (rc == NGX_OK);
    }

    if (rc == NGX_OK) {
        rc = ngx_agt_budget_take(conf->first, call->api->state, &conf->rate,
                                 call->has_client ? &call->client : NULL,
                                 ngx_current_msec, &answer->retry_after);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_BUSY:
        return ngx_agt_call_shed(answer, NGX_AGT_REASON_CLIENT_RATE,
                                 NGX_AGT_COUNT_SHED_CLIENT_RATE);

    default:
        return ngx_agt_call_shed(answer, NGX_AGT_REASON_RATE,
                                 NGX_AGT_COUNT_SHED_RATE);
    }
}


/* "answer" is NULL where there is none */

static void
ngx_agt_call_give_guess(ngx_agt_call_t *call, const ngx_agt_answer_t *answer)
{
    if (!call->guessed) {
        return;
    }

    call->guessed = 0;

    if (answer && (answer->class == NGX_AGT_CLASS_INVALID
                   || answer->class == NGX_AGT_CLASS_REVOKED
                   || answer->class == NGX_AGT_CLASS_REFUSED))
    {
        return;
    }

    ngx_agt_budget_give_guess(ngx_agt_worker.conf->first, &call->guess,
                              ngx_current_msec);
}


void
ngx_agt_call_end(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_queue_t       *q;
    ngx_agt_waiter_t  *waiter;

    ngx_agt_call_give_guess(call, answer);
    ngx_agt_call_release(call, answer);
    ngx_agt_limits_release(&call->place);

    /* a callback may take other waiters away: always begin at the head */

    while (!ngx_queue_empty(&call->waiters)) {
        q = ngx_queue_head(&call->waiters);
        waiter = ngx_queue_data(q, ngx_agt_waiter_t, queue);

        ngx_agt_call_remove(waiter);

        waiter->done(waiter->data, answer);
    }

    ngx_agt_call_forget(answer);
    ngx_agt_call_free(call);
}


/* gives the mark back and wakes the workers that follow it */

static void
ngx_agt_call_release(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    uint64_t                   wake;
    const ngx_agt_api_conf_t  *conf;
    ngx_agt_flight_result_t    result;

    if (call->flight.id == 0 || call->state == NGX_AGT_CALL_FOLLOWING) {
        return;
    }

    conf = ngx_agt_worker.conf;

    ngx_memzero(&result, sizeof(ngx_agt_flight_result_t));

    if (answer) {
        result.class = answer->class;
        result.reason = answer->reason;
        result.retry_after = (int32_t) ngx_min(answer->retry_after, 86400);
        result.transient = answer->transient;
        result.cause = answer->cause;
    }

    wake = ngx_agt_flight_end(conf->first, &call->flight, &result,
                              ngx_current_msec);
    call->flight.id = 0;

    ngx_agt_wake_up(&conf->wake, wake);
}


void
ngx_agt_call_free(ngx_agt_call_t *call)
{
    while (!ngx_queue_empty(&call->waiters)) {
        ngx_agt_call_remove(ngx_queue_data(ngx_queue_head(&call->waiters),
                                           ngx_agt_waiter_t, queue));
    }

    ngx_agt_limits_release(&call->place);
    ngx_agt_call_give_guess(call, NULL);

    if (call->state == NGX_AGT_CALL_FOLLOWING) {
        ngx_agt_flight_unfollow(ngx_agt_worker.conf->first, &call->flight);
    }

    ngx_agt_call_release(call, NULL);

    ngx_rbtree_delete(&ngx_agt_worker.calls, &call->node);

    if (call->state == NGX_AGT_CALL_PENDING
        || call->state == NGX_AGT_CALL_FOLLOWING)
    {
        ngx_queue_remove(&call->queue);
    }

    ngx_agt_call_wipe(&call->curl.body);
    ngx_agt_call_wipe(&call->curl.bearer);
    ngx_agt_call_wipe(&call->curl.headers);
    ngx_agt_call_wipe(&call->data);

    ngx_free(call);
}


void
ngx_agt_call_wipe(ngx_str_t *str)
{
    if (str->data) {
        ngx_explicit_memzero(str->data, str->len);
        ngx_free(str->data);
    }
}


static void
ngx_agt_call_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;
    ngx_agt_call_t      *call;

    call = (ngx_agt_call_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            p = (ngx_memcmp(call->identity,
                            ((ngx_agt_call_t *) temp)->identity,
                            NGX_AGT_DIGEST_LEN)
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
