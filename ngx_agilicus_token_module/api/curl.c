
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/curl_internal.h"
#include "api/curl_answer.h"
#include "api/curl_socket.h"
#include "api/curl_tls.h"

#include <malloc.h>


/* easy handles that are kept for the next operations */
#define NGX_AGT_CURL_MAX_IDLE     64

/* seconds for which an address is kept */
#define NGX_AGT_CURL_ADDRESS      60L


static ngx_int_t ngx_agt_curl_setup(ngx_agt_curl_op_t *op);
static ngx_int_t ngx_agt_curl_prepare(
    ngx_agt_curl_op_t *op,
    ngx_agt_curl_request_t *request);
static ngx_int_t ngx_agt_curl_add(ngx_agt_curl_op_t *op, const char *line);
static ngx_int_t ngx_agt_curl_bearer(ngx_agt_curl_op_t *op, ngx_str_t *bearer);
static ngx_agt_curl_op_t *ngx_agt_curl_get(ngx_agt_curl_t *pool);
static void ngx_agt_curl_put(ngx_agt_curl_op_t *op);
static void ngx_agt_curl_wipe(ngx_agt_curl_op_t *op);
static void ngx_agt_curl_free(ngx_agt_curl_op_t *op);
static void ngx_agt_curl_done(ngx_agt_curl_op_t *op, CURLcode code);
static void *ngx_agt_curl_memory_alloc(size_t size);
static void *ngx_agt_curl_memory_realloc(void *p, size_t size);
static void ngx_agt_curl_memory_free(void *p);


const char *
ngx_agt_curl_words(ngx_uint_t code)
{
    return curl_easy_strerror((CURLcode) code);
}


ngx_agt_curl_t *
ngx_agt_curl_create(const ngx_agt_curl_profile_t *profile,
    ngx_uint_t max_connections, ngx_log_t *log)
{
    CURLM           *multi;
    ngx_agt_curl_t  *pool;

    /* libcurl builds requests, with their tokens, in memory of its own */

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT,
                             ngx_agt_curl_memory_alloc,
                             ngx_agt_curl_memory_free,
                             ngx_agt_curl_memory_realloc, strdup,
                             calloc)
        != CURLE_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "agilicus token: curl_global_init_mem() failed");
        return NULL;
    }

    pool = ngx_calloc(sizeof(ngx_agt_curl_t), log);
    if (pool == NULL) {
        curl_global_cleanup();
        return NULL;
    }

    pool->profile = profile;
    pool->log = log;

    ngx_queue_init(&pool->ops);
    ngx_queue_init(&pool->idle);

    ngx_agt_curl_init_events(pool);

    if (profile->tls && profile->verify) {
        pool->store = ngx_agt_curl_load_store(&profile->trusted, log);
        if (pool->store == NULL) {
            goto failed;
        }
    }

    pool->get_headers = curl_slist_append(NULL, "Accept: application/json");
    pool->post_headers = curl_slist_append(NULL, "Accept: application/json");

    if (pool->get_headers == NULL || pool->post_headers == NULL
        || curl_slist_append(pool->post_headers,
                             "Content-Type: application/json") == NULL
        || curl_slist_append(pool->post_headers, "Expect:") == NULL)
    {
        goto failed;
    }

    multi = curl_multi_init();
    if (multi == NULL) {
        goto failed;
    }

    pool->multi = multi;

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                          ngx_agt_curl_socket) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_agt_curl_set_timer) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                             (long) CURLPIPE_NOTHING) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             (long) max_connections) != CURLM_OK)
    {
        goto failed;
    }

    return pool;

failed:

    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "agilicus token: libcurl could not be set up");

    ngx_agt_curl_destroy(pool);

    return NULL;
}


void
ngx_agt_curl_destroy(ngx_agt_curl_t *pool)
{
    ngx_queue_t        *q;
    ngx_agt_curl_op_t  *op;

    while (!ngx_queue_empty(&pool->ops)) {
        q = ngx_queue_head(&pool->ops);
        op = ngx_queue_data(q, ngx_agt_curl_op_t, queue);

        ngx_agt_curl_cancel(op);
    }

    while (!ngx_queue_empty(&pool->idle)) {
        q = ngx_queue_head(&pool->idle);
        op = ngx_queue_data(q, ngx_agt_curl_op_t, queue);

        ngx_queue_remove(q);
        ngx_agt_curl_free(op);
    }

    if (pool->multi) {
        (void) curl_multi_cleanup(pool->multi);
    }

    ngx_agt_curl_stop_events(pool);

    curl_slist_free_all(pool->get_headers);
    curl_slist_free_all(pool->post_headers);

    if (pool->store) {
        X509_STORE_free(pool->store);
    }

    ngx_free(pool);

    curl_global_cleanup();
}


ngx_agt_curl_op_t *
ngx_agt_curl_submit(ngx_agt_curl_t *pool, ngx_agt_curl_request_t *request)
{
    CURLMcode           rc;
    ngx_agt_curl_op_t  *op;

    op = ngx_agt_curl_get(pool);
    if (op == NULL) {
        return NULL;
    }

    if (ngx_agt_curl_prepare(op, request) != NGX_OK) {
        ngx_agt_curl_put(op);
        return NULL;
    }

    rc = curl_multi_add_handle(pool->multi, op->easy);

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, pool->log, 0,
                      "agilicus token: curl_multi_add_handle() failed: %s",
                      curl_multi_strerror(rc));
        ngx_agt_curl_put(op);
        return NULL;
    }

    ngx_queue_insert_tail(&pool->ops, &op->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, pool->log, 0,
                   "agilicus token curl submit: %p", op);

    return op;
}


void
ngx_agt_curl_perform(ngx_agt_curl_t *pool, ngx_agt_curl_request_t *request)
{
    CURLcode            code;
    ngx_agt_curl_op_t  *op;

    op = ngx_agt_curl_get(pool);
    if (op == NULL) {
        return;
    }

    if (ngx_agt_curl_prepare(op, request) == NGX_OK) {
        code = curl_easy_perform(op->easy);
        ngx_time_update();
        ngx_agt_curl_done(op, code);
    }

    ngx_agt_curl_put(op);
}


void
ngx_agt_curl_cancel(ngx_agt_curl_op_t *op)
{
    ngx_queue_remove(&op->queue);

    (void) curl_multi_remove_handle(op->pool->multi, op->easy);

    ngx_agt_curl_put(op);
}


static ngx_agt_curl_op_t *
ngx_agt_curl_get(ngx_agt_curl_t *pool)
{
    ngx_queue_t        *q;
    ngx_agt_curl_op_t  *op;

    if (!ngx_queue_empty(&pool->idle)) {
        q = ngx_queue_head(&pool->idle);
        ngx_queue_remove(q);
        pool->nidle--;

        return ngx_queue_data(q, ngx_agt_curl_op_t, queue);
    }

    op = ngx_calloc(sizeof(ngx_agt_curl_op_t), pool->log);
    if (op == NULL) {
        return NULL;
    }

    op->pool = pool;
    op->easy = curl_easy_init();

    if (op->easy == NULL || ngx_agt_curl_setup(op) != NGX_OK) {
        ngx_agt_curl_free(op);
        return NULL;
    }

    return op;
}


static void
ngx_agt_curl_put(ngx_agt_curl_op_t *op)
{
    ngx_agt_curl_t  *pool;

    pool = op->pool;

    ngx_agt_curl_wipe(op);

    if (pool->nidle >= NGX_AGT_CURL_MAX_IDLE) {
        ngx_agt_curl_free(op);
        return;
    }

    ngx_queue_insert_head(&pool->idle, &op->queue);
    pool->nidle++;
}


static void
ngx_agt_curl_wipe(ngx_agt_curl_op_t *op)
{
    struct curl_slist  *item;

    if (op->easy) {
        (void) curl_easy_setopt(op->easy, CURLOPT_POSTFIELDS, NULL);
        (void) curl_easy_setopt(op->easy, CURLOPT_HTTPHEADER, NULL);
    }

    for (item = op->headers; item; item = item->next) {
        ngx_explicit_memzero(item->data, ngx_strlen(item->data));
    }

    curl_slist_free_all(op->headers);
    op->headers = NULL;

    if (op->body.data) {
        ngx_explicit_memzero(op->body.data, op->body.len);
        ngx_free(op->body.data);
        ngx_str_null(&op->body);
    }

    if (op->buf) {
        ngx_explicit_memzero(op->buf, op->len);
        ngx_free(op->buf);
        op->buf = NULL;
    }

    op->len = 0;
    op->size = 0;
    op->header_len = 0;
    op->type_len = 0;
    op->status = 0;
    op->attempts = 0;
    op->retry_after = 0;
    op->heading = 0;
    op->headed = 0;
    op->too_large = 0;
    op->encoded = 0;
    op->error[0] = '\0';
}


static void
ngx_agt_curl_free(ngx_agt_curl_op_t *op)
{
    ngx_agt_curl_wipe(op);

    if (op->easy) {
        curl_easy_cleanup(op->easy);
    }

    ngx_free(op);
}


/* sets an option of the handle "e" of "pool", or ends the function */

#define set(option, value)                                                   \
    if (curl_easy_setopt(e, CURLOPT_##option, value) != CURLE_OK) {          \
        ngx_log_error(NGX_LOG_CRIT, pool->log, 0, "agilicus token: "         \
                      "libcurl refused the option " #option);                \
        return NGX_ERROR;                                                    \
    }


/* options that are the same for all requests are set once */

static ngx_int_t
ngx_agt_curl_setup(ngx_agt_curl_op_t *op)
{
    CURL                          *e;
    struct curl_blob               blob;
    ngx_agt_curl_t                *pool;
    const ngx_agt_curl_profile_t  *profile;

    e = op->easy;
    pool = op->pool;
    profile = pool->profile;

    set(NOSIGNAL, 1L);
    set(QUICK_EXIT, 1L);
    set(PRIVATE, op);
    set(ERRORBUFFER, op->error);
    set(USERAGENT, "ngx_agilicus_token_module");
    set(FOLLOWLOCATION, 0L);
    set(HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    set(HTTP09_ALLOWED, 0L);
    set(PROTOCOLS_STR, profile->tls ? "https" : "http");
    set(MAXLIFETIME_CONN, 300L);
    set(TCP_KEEPALIVE, 1L);
    set(SUPPRESS_CONNECT_HEADERS, 1L);

    /* set, so that the environment is never asked */
    set(PROXY, profile->proxy.len ? (char *) profile->proxy.data : "");
    set(NOPROXY, "");

    set(HEADERFUNCTION, ngx_agt_curl_header);
    set(HEADERDATA, op);
    set(WRITEFUNCTION, ngx_agt_curl_write);
    set(WRITEDATA, op);
    set(PREREQFUNCTION, ngx_agt_curl_prereq);
    set(PREREQDATA, op);
    set(OPENSOCKETFUNCTION, ngx_agt_curl_open_socket);
    set(OPENSOCKETDATA, pool);
    set(CLOSESOCKETFUNCTION, ngx_agt_curl_close_socket);
    set(CLOSESOCKETDATA, pool);

    if (!profile->tls) {
        return NGX_OK;
    }

    /* libcurl reads no files: the callback hands over the store */

    set(CAINFO, NULL);
    set(CAPATH, NULL);
    set(SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    set(SSL_VERIFYPEER, profile->verify ? 1L : 0L);
    set(SSL_VERIFYHOST, profile->verify ? 2L : 0L);
    set(SSL_CTX_FUNCTION, ngx_agt_curl_ssl_ctx);
    set(SSL_CTX_DATA, pool);

    if (profile->certificate.len) {
        blob.data = profile->certificate.data;
        blob.len = profile->certificate.len;
        blob.flags = CURL_BLOB_NOCOPY;
        set(SSLCERT_BLOB, &blob);

        blob.data = profile->certificate_key.data;
        blob.len = profile->certificate_key.len;
        set(SSLKEY_BLOB, &blob);

        /* never ask a terminal */
        set(KEYPASSWD, "");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_curl_prepare(ngx_agt_curl_op_t *op, ngx_agt_curl_request_t *request)
{
    CURL               *e;
    u_char             *line;
    struct curl_slist  *headers;
    ngx_agt_curl_t     *pool;

    e = op->easy;
    pool = op->pool;

    op->max_body = request->max_body;
    op->handler = request->handler;
    op->data = request->data;
    op->started = ngx_current_msec;
    op->retry_after = 0;

    headers = request->body.len ? pool->post_headers : pool->get_headers;

    if (request->body.len) {
        op->body.data = ngx_alloc(request->body.len, pool->log);
        if (op->body.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(op->body.data, request->body.data, request->body.len);
        op->body.len = request->body.len;
    }

    if (request->bearer.len
        && ngx_agt_curl_bearer(op, &request->bearer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (line = request->headers.data;
         line < request->headers.data + request->headers.len;
         line += ngx_strlen(line) + 1)
    {
        if (ngx_agt_curl_add(op, (char *) line) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (op->headers) {

        /* the pool's own headers follow; its list is not freed with this one */

        for ( /* void */ ; headers; headers = headers->next) {
            if (ngx_agt_curl_add(op, headers->data) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        headers = op->headers;
    }

    set(URL, (char *) request->url.data);
    set(HTTPHEADER, headers);
    set(FRESH_CONNECT, (long) request->fresh);
    set(DNS_CACHE_TIMEOUT, pool->lost ? 0L : NGX_AGT_CURL_ADDRESS);
    set(CONNECTTIMEOUT_MS, (long) request->connect_timeout);
    set(TIMEOUT_MS, (long) request->timeout);

    if (op->body.len == 0) {
        set(HTTPGET, 1L);

        return NGX_OK;
    }

    set(POST, 1L);
    set(POSTFIELDSIZE_LARGE, (curl_off_t) op->body.len);
    set(POSTFIELDS, (char *) op->body.data);

    return NGX_OK;
}

#undef set


static ngx_int_t
ngx_agt_curl_add(ngx_agt_curl_op_t *op, const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(op->headers, line);
    if (list == NULL) {
        return NGX_ERROR;
    }

    op->headers = list;

    return NGX_OK;
}


static ngx_int_t
ngx_agt_curl_bearer(ngx_agt_curl_op_t *op, ngx_str_t *bearer)
{
    size_t      len;
    u_char     *line;
    ngx_int_t   rc;

    len = sizeof("Authorization: Bearer ") - 1 + bearer->len;

    line = ngx_alloc(len + 1, op->pool->log);
    if (line == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(ngx_cpymem(line, "Authorization: Bearer ",
                           sizeof("Authorization: Bearer ") - 1),
                bearer->data, bearer->len) = '\0';

    rc = ngx_agt_curl_add(op, (char *) line);

    ngx_explicit_memzero(line, len);
    ngx_free(line);

    return rc;
}


void
ngx_agt_curl_drain(ngx_agt_curl_t *pool)
{
    int                 left;
    char               *private;
    CURL               *easy;
    CURLMsg            *msg;
    CURLcode            code;
    ngx_agt_curl_op_t  *op;

    for ( ;; ) {
        msg = curl_multi_info_read(pool->multi, &left);

        if (msg == NULL) {
            return;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* removing the handle frees the message */

        easy = msg->easy_handle;
        code = msg->data.result;

        private = NULL;
        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);

        (void) curl_multi_remove_handle(pool->multi, easy);

        op = (ngx_agt_curl_op_t *) private;

        ngx_queue_remove(&op->queue);

        ngx_agt_curl_done(op, code);

        ngx_agt_curl_put(op);
    }
}


static void
ngx_agt_curl_done(ngx_agt_curl_op_t *op, CURLcode code)
{
    curl_off_t             connected;
    ngx_agt_curl_result_t  result;

    ngx_memzero(&result, sizeof(ngx_agt_curl_result_t));

    /* the API may have moved: the next call looks its name up again */

    connected = 0;
    (void) curl_easy_getinfo(op->easy, CURLINFO_CONNECT_TIME_T, &connected);

    if (op->attempts == 0 && connected == 0) {
        op->pool->lost = 1;
    }

    result.error = ngx_agt_curl_class(op, code);
    result.message = ngx_agt_curl_message(op, result.error, code);
    result.code = (ngx_uint_t) code;
    result.elapsed = ngx_current_msec - op->started;
    result.retry_after = op->retry_after;
    result.attempts = op->attempts;

    if (result.error == NGX_AGT_CURL_OK) {
        result.status = op->status;
        result.body.data = op->buf;
        result.body.len = op->len;
        result.content_type.data = op->type;
        result.content_type.len = op->type_len;
        result.whole = (code == CURLE_OK && !op->encoded);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, op->pool->log, 0,
                   "agilicus token curl done: %p, %d, status %ui, %M ms",
                   op, (int) code, op->status, result.elapsed);

    op->handler(op->data, &result);
}


/*
 * Memory of libcurl, which is zeroed as it is given back: requests and answers
 * with tokens lie in it.  realloc() could leave a copy of them behind, so it is
 * not used.
 */

static void
ngx_agt_curl_memory_free(void *p)
{
    if (p) {
        ngx_explicit_memzero(p, malloc_usable_size(p));
        free(p);
    }
}


static void *
ngx_agt_curl_memory_alloc(size_t size)
{
    return calloc(1, size);
}


static void *
ngx_agt_curl_memory_realloc(void *p, size_t size)
{
    void  *larger;

    larger = calloc(1, size);

    if (larger && p) {
        ngx_memcpy(larger, p, ngx_min(size, malloc_usable_size(p)));
        ngx_agt_curl_memory_free(p);
    }

    return larger;
}
