
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_api.h"


struct ngx_agilicus_token_call_s {
    ngx_rbtree_node_t                   node;
    ngx_queue_t                         queue;     /* of calls not sent yet */
    ngx_queue_t                         waiters;

    const ngx_agilicus_token_origin_t  *origin;
    ngx_msec_t                          connect_timeout;
    ngx_msec_t                          timeout;
    ngx_msec_t                          started;
    uint64_t                            sent;

    ngx_str_t                           body;
    u_char                              digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];

    unsigned                            keyed:1;   /* others may join */
    unsigned                            pending:1; /* in the queue */
    unsigned                            retried:1;
};


typedef struct {
    const ngx_agilicus_token_api_conf_t  *conf;
    ngx_agilicus_token_curl_t           **pools;
    ngx_rbtree_t                          calls;
    ngx_rbtree_node_t                     sentinel;
    ngx_queue_t                           pending;
    ngx_uint_t                            inflight;
    ngx_uint_t                            waiting;
    ngx_log_t                            *log;

    u_char                               *buf;     /* facts being read */
    time_t                                logged;
    unsigned                              failing:1;
} ngx_agilicus_token_api_worker_t;


static ngx_agilicus_token_call_t *ngx_agilicus_token_api_find(
    const ngx_agilicus_token_introspect_t *introspect);
static ngx_agilicus_token_call_t *ngx_agilicus_token_api_create(
    const ngx_agilicus_token_introspect_t *introspect);
static ngx_agilicus_token_curl_t *ngx_agilicus_token_api_pool(
    ngx_agilicus_token_api_t *api);
static ngx_int_t ngx_agilicus_token_api_send(ngx_agilicus_token_call_t *call);
static void ngx_agilicus_token_api_send_pending(void);
static void ngx_agilicus_token_api_done(void *data,
    ngx_agilicus_token_curl_result_t *result);
static void ngx_agilicus_token_api_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_api_read_token(
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static ngx_uint_t ngx_agilicus_token_api_is_json(ngx_str_t *type);
static void ngx_agilicus_token_api_store(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_api_entomb(ngx_agilicus_token_call_t *call,
    const ngx_agilicus_token_clock_t *now);
static void ngx_agilicus_token_api_wake(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_api_free(ngx_agilicus_token_call_t *call);
static void ngx_agilicus_token_api_log(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_api_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_agilicus_token_api_compare(
    ngx_agilicus_token_call_t *call, const u_char *digest,
    const ngx_agilicus_token_origin_t *origin);


static ngx_agilicus_token_api_worker_t  ngx_agilicus_token_worker;


ngx_int_t
ngx_agilicus_token_api_init(const ngx_agilicus_token_api_conf_t *conf,
    ngx_log_t *log)
{
    ngx_uint_t                        i;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    ngx_memzero(w, sizeof(ngx_agilicus_token_api_worker_t));

    w->conf = conf;
    w->log = log;

    ngx_queue_init(&w->pending);
    ngx_rbtree_init(&w->calls, &w->sentinel, ngx_agilicus_token_api_insert);

    if (ngx_agilicus_token_digest_init() != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "agilicus token: no SHA-256 from libcrypto");
        return NGX_ERROR;
    }

    w->pools = ngx_calloc(conf->napis * sizeof(ngx_agilicus_token_curl_t *)
                          + 1, log);
    w->buf = ngx_alloc(2 * NGX_AGILICUS_TOKEN_JSON_MAX_BODY, log);

    if (w->pools == NULL || w->buf == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->napis; i++) {
        if (ngx_agilicus_token_api_pool(conf->apis[i]) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_agilicus_token_api_exit(void)
{
    ngx_uint_t                        i;
    ngx_rbtree_node_t                *node;
    ngx_agilicus_token_call_t        *call;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (w->pools == NULL) {
        return;
    }

    for (i = 0; i < w->conf->napis; i++) {
        if (w->pools[i]) {
            ngx_agilicus_token_curl_destroy(w->pools[i]);
        }
    }

    while (w->calls.root != &w->sentinel) {
        node = ngx_rbtree_min(w->calls.root, &w->sentinel);
        call = (ngx_agilicus_token_call_t *) node;

        ngx_agilicus_token_api_free(call);
    }

    ngx_free(w->pools);
    ngx_free(w->buf);

    w->pools = NULL;
    w->buf = NULL;
}


ngx_int_t
ngx_agilicus_token_api_introspect(
    const ngx_agilicus_token_introspect_t *introspect,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_reason_e *reason)
{
    ngx_agilicus_token_call_t        *call;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    *reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;

    if (w->pools == NULL) {
        return NGX_ERROR;
    }

    if (w->waiting >= NGX_AGILICUS_TOKEN_API_MAX_WAITING) {
        *reason = NGX_AGILICUS_TOKEN_REASON_OVERLOAD;
        ngx_agilicus_token_zone_count(w->conf->first,
                                      NGX_AGILICUS_TOKEN_COUNT_OVERLOADS);
        return NGX_ERROR;
    }

    call = ngx_agilicus_token_api_find(introspect);

    waiter->joined = (call != NULL);

    if (call == NULL) {
        call = ngx_agilicus_token_api_create(introspect);
        if (call == NULL) {
            return NGX_ERROR;
        }
    }

    waiter->call = call;
    ngx_queue_insert_tail(&call->waiters, &waiter->queue);
    w->waiting++;

    return NGX_AGAIN;
}


void
ngx_agilicus_token_api_leave(ngx_agilicus_token_waiter_t *waiter)
{
    ngx_agilicus_token_call_t  *call;

    call = waiter->call;

    if (call == NULL) {
        return;
    }

    waiter->call = NULL;
    ngx_queue_remove(&waiter->queue);
    ngx_agilicus_token_worker.waiting--;

    if (call->pending && ngx_queue_empty(&call->waiters)) {
        ngx_agilicus_token_api_free(call);
    }
}


static ngx_agilicus_token_call_t *
ngx_agilicus_token_api_find(const ngx_agilicus_token_introspect_t *introspect)
{
    ngx_int_t                         rc;
    ngx_rbtree_node_t                *node, *sentinel;
    ngx_rbtree_key_t                  key;
    ngx_agilicus_token_call_t        *call;
    ngx_agilicus_token_api_worker_t  *w;

    if (introspect->origin->zone == NULL) {
        return NULL;
    }

    w = &ngx_agilicus_token_worker;

    ngx_memcpy(&key, introspect->digest, sizeof(ngx_rbtree_key_t));

    node = w->calls.root;
    sentinel = w->calls.sentinel;

    while (node != sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        call = (ngx_agilicus_token_call_t *) node;

        rc = ngx_agilicus_token_api_compare(call, introspect->digest,
                                            introspect->origin);
        if (rc == 0 && call->keyed) {
            return call;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_agilicus_token_call_t *
ngx_agilicus_token_api_create(
    const ngx_agilicus_token_introspect_t *introspect)
{
    size_t                            len;
    ngx_agilicus_token_call_t        *call;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    call = ngx_calloc(sizeof(ngx_agilicus_token_call_t), w->log);
    if (call == NULL) {
        return NULL;
    }

    len = ngx_agilicus_token_json_introspect_len(introspect->token.len);

    call->body.data = ngx_alloc(len, w->log);
    if (call->body.data == NULL) {
        ngx_free(call);
        return NULL;
    }

    call->body.len = ngx_agilicus_token_json_introspect(call->body.data,
                                            &introspect->token,
                                            &introspect->origin->options);

    call->origin = introspect->origin;
    call->connect_timeout = introspect->connect_timeout;
    call->timeout = introspect->timeout;
    call->started = ngx_current_msec;
    call->keyed = (introspect->origin->zone != NULL);

    ngx_memcpy(call->digest, introspect->digest,
               NGX_AGILICUS_TOKEN_DIGEST_LEN);
    ngx_memcpy(&call->node.key, introspect->digest,
               sizeof(ngx_rbtree_key_t));

    ngx_queue_init(&call->waiters);
    ngx_rbtree_insert(&w->calls, &call->node);

    if (w->inflight >= w->conf->max_inflight) {
        ngx_queue_insert_tail(&w->pending, &call->queue);
        call->pending = 1;

        return call;
    }

    if (ngx_agilicus_token_api_send(call) != NGX_OK) {
        ngx_agilicus_token_api_free(call);
        return NULL;
    }

    return call;
}


/* a pool is made when the worker starts, or late where no worker was started */

static ngx_agilicus_token_curl_t *
ngx_agilicus_token_api_pool(ngx_agilicus_token_api_t *api)
{
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (w->pools[api->index] == NULL) {
        w->pools[api->index] =
            ngx_agilicus_token_curl_create(&api->profile,
                                           w->conf->max_inflight, w->log);
    }

    return w->pools[api->index];
}


static ngx_int_t
ngx_agilicus_token_api_send(ngx_agilicus_token_call_t *call)
{
    ngx_agilicus_token_api_t           *api;
    ngx_agilicus_token_curl_t          *pool;
    ngx_agilicus_token_api_worker_t    *w;
    ngx_agilicus_token_curl_request_t   request;

    w = &ngx_agilicus_token_worker;
    api = call->origin->api;

    pool = ngx_agilicus_token_api_pool(api);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&request, sizeof(ngx_agilicus_token_curl_request_t));

    request.url = api->introspect;
    request.body = call->body;
    request.connect_timeout = call->connect_timeout;
    request.timeout = call->timeout;
    request.max_body = NGX_AGILICUS_TOKEN_JSON_MAX_BODY;
    request.handler = ngx_agilicus_token_api_done;
    request.data = call;

    if (api->credential_introspect) {
        request.bearer = api->credential;
    }

    call->sent = ngx_current_msec;

    if (ngx_agilicus_token_curl_submit(pool, &request) == NULL) {
        return NGX_ERROR;
    }

    w->inflight++;

    ngx_agilicus_token_zone_count(w->conf->first,
                                  call->retried
                                  ? NGX_AGILICUS_TOKEN_COUNT_RETRIES
                                  : NGX_AGILICUS_TOKEN_COUNT_CALLS);

    return NGX_OK;
}


static void
ngx_agilicus_token_api_send_pending(void)
{
    ngx_queue_t                      *q;
    ngx_agilicus_token_call_t        *call;
    ngx_agilicus_token_answer_t       answer;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    while (w->inflight < w->conf->max_inflight
           && !ngx_queue_empty(&w->pending))
    {
        q = ngx_queue_head(&w->pending);
        ngx_queue_remove(q);

        call = ngx_queue_data(q, ngx_agilicus_token_call_t, queue);
        call->pending = 0;

        if (ngx_agilicus_token_api_send(call) == NGX_OK) {
            continue;
        }

        ngx_memzero(&answer, sizeof(ngx_agilicus_token_answer_t));

        answer.class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
        answer.reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
        answer.retry_after = -1;

        ngx_agilicus_token_api_wake(call, &answer);
        ngx_agilicus_token_api_free(call);
    }
}


static void
ngx_agilicus_token_api_done(void *data,
    ngx_agilicus_token_curl_result_t *result)
{
    ngx_agilicus_token_call_t *call = data;

    ngx_msec_t                        left, passed;
    ngx_agilicus_token_answer_t       answer;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    w->inflight--;

    /* once more, if the connection was lost before there was any answer */

    if (result->error == NGX_AGILICUS_TOKEN_CURL_BROKEN
        && result->attempts < 2 && !call->retried)
    {
        passed = ngx_current_msec - call->started;
        left = call->timeout > passed ? call->timeout - passed : 0;

        if (left) {
            call->retried = 1;
            call->timeout = left;

            if (ngx_agilicus_token_api_send(call) == NGX_OK) {
                return;
            }
        }
    }

    ngx_agilicus_token_api_read(call, result, &answer);
    ngx_agilicus_token_api_store(call, &answer);
    ngx_agilicus_token_api_log(call, result, &answer);
    ngx_agilicus_token_api_wake(call, &answer);
    ngx_agilicus_token_api_free(call);

    ngx_agilicus_token_api_send_pending();
}


/* the class of an answer: a status that is not named here decides nothing */

static void
ngx_agilicus_token_api_read(ngx_agilicus_token_call_t *call,
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
    answer->elapsed = ngx_current_msec - call->started;
    answer->retry_after = result->retry_after;

    if (result->error != NGX_AGILICUS_TOKEN_CURL_OK) {
        return;
    }

    switch (result->status) {

    case 200:
        ngx_agilicus_token_api_read_token(result, answer);
        return;

    case 410:
        answer->class = NGX_AGILICUS_TOKEN_CLASS_REVOKED;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_REVOKED;
        return;

    case 400:
    case 404:
    case 422:
        answer->class = NGX_AGILICUS_TOKEN_CLASS_INVALID;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_UNKNOWN;
        return;

    case 401:
    case 403:
        answer->class = NGX_AGILICUS_TOKEN_CLASS_REFUSED;
        answer->reason = NGX_AGILICUS_TOKEN_REASON_CREDENTIAL;
        return;

    case 429:
        answer->reason = NGX_AGILICUS_TOKEN_REASON_THROTTLED;
        return;
    }
}


static void
ngx_agilicus_token_api_read_token(ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_int_t                         rc;
    ngx_agilicus_token_json_token_t   token;
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    answer->reason = NGX_AGILICUS_TOKEN_REASON_ANSWER;

    if (!ngx_agilicus_token_api_is_json(&result->content_type)) {
        result->message = "answer is not JSON by its type";
        return;
    }

    rc = ngx_agilicus_token_json_token(result->body.data, result->body.len,
                                       w->buf,
                                       2 * NGX_AGILICUS_TOKEN_JSON_MAX_BODY,
                                       &token);

    if (rc == NGX_ERROR) {
        result->message = "answer is not a Token";
        return;
    }

    if (rc == NGX_DECLINED) {
        answer->class = NGX_AGILICUS_TOKEN_CLASS_INVALID;
        answer->reason = token.reason;
        return;
    }

    answer->class = NGX_AGILICUS_TOKEN_CLASS_ACTIVE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_NONE;
    answer->facts = token.facts;
    answer->rules = token.rules;
}


/* no type at all is taken for JSON, which is then read strictly */

static ngx_uint_t
ngx_agilicus_token_api_is_json(ngx_str_t *type)
{
    size_t   len;
    u_char  *p;

    if (type->len == 0) {
        return 1;
    }

    p = ngx_strlchr(type->data, type->data + type->len, ';');
    len = p ? (size_t) (p - type->data) : type->len;

    while (len && type->data[len - 1] == ' ') {
        len--;
    }

    if (len == sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           == 0)
    {
        return 1;
    }

    return len > sizeof("application/+json") - 1
           && ngx_strncasecmp(type->data, (u_char *) "application/",
                              sizeof("application/") - 1)
              == 0
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


/*
 * Remembers an answer.  Tombstones are looked through after the number of the
 * last one was read and before the facts are stored: one that is put up in
 * between makes the next look-up look again.
 */

static void
ngx_agilicus_token_api_store(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_atomic_uint_t                     generation;
    ngx_agilicus_token_clock_t            now;
    ngx_agilicus_token_facts_t            facts;
    ngx_agilicus_token_reason_e           denied;
    ngx_agilicus_token_cache_key_t        key;
    const ngx_agilicus_token_origin_t    *origin;
    const ngx_agilicus_token_api_conf_t  *conf;

    conf = ngx_agilicus_token_worker.conf;
    origin = call->origin;

    key.key = call->digest;
    key.context = origin->context;

    ngx_agilicus_token_zone_now(&now);

    switch (answer->class) {

    case NGX_AGILICUS_TOKEN_CLASS_REVOKED:
        ngx_agilicus_token_api_entomb(call, &now);

        if (origin->zone) {
            ngx_agilicus_token_cache_remove(origin->zone, &key);
        }

        return;

    case NGX_AGILICUS_TOKEN_CLASS_ACTIVE:

        if (ngx_agilicus_token_facts_open(&facts, answer->facts.data,
                                          answer->facts.len)
            != NGX_OK)
        {
            answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
            answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
            return;
        }

        break;

    case NGX_AGILICUS_TOKEN_CLASS_INVALID:
        break;

    default:
        return;
    }

    generation = ngx_agilicus_token_cache_generation(conf->first);

    denied = ngx_agilicus_token_cache_denied(conf->first, origin->api->digest,
                         call->digest,
                         answer->class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE
                         ? &facts : NULL, &now);

    if (denied != NGX_AGILICUS_TOKEN_REASON_NONE) {
        answer->class = NGX_AGILICUS_TOKEN_CLASS_REVOKED;
        answer->reason = denied;

        if (origin->zone) {
            ngx_agilicus_token_cache_remove(origin->zone, &key);
        }

        return;
    }

    if (origin->zone) {
        (void) ngx_agilicus_token_cache_store(origin->zone, &key,
                                              answer->class, answer->reason,
                                              &answer->facts, &answer->rules,
                                              answer->sent, generation);
    }
}


/* 410: denied until the token would expire, as far as that was ever known */

static void
ngx_agilicus_token_api_entomb(ngx_agilicus_token_call_t *call,
    const ngx_agilicus_token_clock_t *now)
{
    int64_t                               until;
    ngx_str_t                             value;
    ngx_agilicus_token_facts_t            facts;
    ngx_agilicus_token_found_t            found;
    ngx_agilicus_token_cache_key_t        key;
    const ngx_agilicus_token_api_conf_t  *conf;

    conf = ngx_agilicus_token_worker.conf;

    until = now->wall + conf->revocation_ttl;

    key.key = call->digest;
    key.context = call->origin->context;

    if (call->origin->zone
        && ngx_agilicus_token_cache_find(call->origin->zone, &key, 0, &found)
           == NGX_OK
        && found.class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE
        && ngx_agilicus_token_facts_open(&facts, found.facts.data,
                                         found.facts.len)
           == NGX_OK
        && facts.has_exp)
    {
        until = facts.exp < INT64_MAX - conf->max_leeway - 1
                ? facts.exp + conf->max_leeway + 1 : INT64_MAX;
    }

    value.data = call->digest;
    value.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

    (void) ngx_agilicus_token_cache_deny(conf->first,
                                         call->origin->api->digest,
                                         NGX_AGILICUS_TOKEN_TOMBSTONE_TOKEN,
                                         &value, until, 0, now);
}


static void
ngx_agilicus_token_api_wake(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_queue_t                  *q;
    ngx_agilicus_token_waiter_t  *waiter;

    /* a waiter may take others with it, so always restart from the head */

    while (!ngx_queue_empty(&call->waiters)) {
        q = ngx_queue_head(&call->waiters);
        waiter = ngx_queue_data(q, ngx_agilicus_token_waiter_t, queue);

        ngx_queue_remove(q);
        waiter->call = NULL;
        ngx_agilicus_token_worker.waiting--;

        waiter->done(waiter->data, answer);
    }
}


static void
ngx_agilicus_token_api_free(ngx_agilicus_token_call_t *call)
{
    ngx_rbtree_delete(&ngx_agilicus_token_worker.calls, &call->node);

    if (call->pending) {
        ngx_queue_remove(&call->queue);
    }

    ngx_explicit_memzero(call->body.data, call->body.len);
    ngx_free(call->body.data);
    ngx_free(call);
}


/* one line a second at most says that an API fails, and one that it is back */

static void
ngx_agilicus_token_api_log(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    u_char                            fingerprint
                                      [NGX_AGILICUS_TOKEN_FINGERPRINT_LEN];
    ngx_agilicus_token_api_worker_t  *w;

    w = &ngx_agilicus_token_worker;

    if (answer->class != NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE
        && answer->class != NGX_AGILICUS_TOKEN_CLASS_REFUSED)
    {
        if (w->failing) {
            w->failing = 0;
            w->logged = 0;

            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "agilicus token: Tokens API \"%V\" answers again",
                          &call->origin->api->url);
        }

        return;
    }

    ngx_agilicus_token_zone_count(w->conf->first,
        answer->class == NGX_AGILICUS_TOKEN_CLASS_REFUSED
        ? NGX_AGILICUS_TOKEN_COUNT_CREDENTIAL_REFUSED
        : NGX_AGILICUS_TOKEN_COUNT_FAILED_CALLS);

    w->failing = 1;

    if (w->logged == ngx_time()) {
        return;
    }

    w->logged = ngx_time();

    ngx_agilicus_token_digest_fingerprint(call->digest, fingerprint);

    if (answer->class == NGX_AGILICUS_TOKEN_CLASS_REFUSED) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "agilicus token: Tokens API \"%V\" refused the edge "
                      "itself with %ui, check \"agilicus_token_api_"
                      "credential\"", &call->origin->api->url,
                      result->status);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "agilicus token: introspection failed: %V, status %ui, "
                  "%s, Tokens API \"%V\", fingerprint %*s",
                  ngx_agilicus_token_reason_word(answer->reason),
                  result->status, result->message, &call->origin->api->url,
                  sizeof(fingerprint), fingerprint);
}


static void
ngx_agilicus_token_api_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_agilicus_token_call_t   *call, *other;

    call = (ngx_agilicus_token_call_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            other = (ngx_agilicus_token_call_t *) temp;

            p = (ngx_agilicus_token_api_compare(other, call->digest,
                                                call->origin) < 0)
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


/* how what is looked for stands to a call: by digest, then by origin */

static ngx_int_t
ngx_agilicus_token_api_compare(ngx_agilicus_token_call_t *call,
    const u_char *digest, const ngx_agilicus_token_origin_t *origin)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(digest, call->digest, NGX_AGILICUS_TOKEN_DIGEST_LEN);

    if (rc != 0) {
        return rc;
    }

    if (origin == call->origin) {
        return 0;
    }

    return (origin < call->origin) ? -1 : 1;
}
