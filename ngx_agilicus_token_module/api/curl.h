
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_H_INCLUDED_
#define _NGX_AGT_API_CURL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * libcurl's multi interface on nginx's events; no other file uses libcurl.
 * Nothing here waits for a socket, a name or a file: names are resolved by
 * libcurl's threads, certificates come in memory.
 *
 * Three promises: submit never calls the handler before it returns; the handler
 * is called exactly once unless the operation is cancelled first; after the
 * handler was called, the operation does not exist any more.
 */


/* how an operation ended, as far as transport can tell */

typedef enum {
    NGX_AGT_CURL_OK = 0,       /* a whole answer, of any status */
    NGX_AGT_CURL_RESOLVE,      /* no address for the name */
    NGX_AGT_CURL_CONNECT,      /* no connection, or none to spare */
    NGX_AGT_CURL_TLS,          /* handshake or verification */
    NGX_AGT_CURL_TIMEOUT,
    NGX_AGT_CURL_BROKEN,       /* lost before any answer */
    NGX_AGT_CURL_TRANSPORT,    /* lost or unreadable on the way */
    NGX_AGT_CURL_TOO_LARGE,    /* header or body over the limit */
    NGX_AGT_CURL_ENCODED       /* a content coding not asked for */
} ngx_agt_curl_e;


/*
 * The settings of connections.  Two APIs that differ in any of them must not
 * share connections, so each API has a pool of its own.  The caller owns
 * everything, which must live as long as the pool.
 */

typedef struct {
    ngx_str_t                      proxy;        /* null-terminated or empty */
    ngx_str_t                      trusted;      /* PEM; empty: not verified */
    ngx_str_t                      certificate;  /* PEM or empty */
    ngx_str_t                      certificate_key;
    unsigned                       verify:1;
    unsigned                       tls:1;        /* https, else http */
} ngx_agt_curl_profile_t;


typedef struct {
    ngx_agt_curl_e  error;
    ngx_uint_t      status;       /* HTTP status, with OK */
    ngx_str_t       body;         /* lives until the callback
                                                    returns, then is zeroed */
    ngx_str_t       content_type; /* likewise; may be empty */
    unsigned        whole:1;      /* is the body: always of a
                                                    2xx; else it may be cut,
                                                    or in a content coding */
    ngx_msec_t      elapsed;      /* since it was submitted */
    time_t          retry_after;  /* seconds; 0: none given */
    ngx_uint_t      attempts;     /* how often it was sent */
    const char     *message;      /* for a log: has no sent or received data */
    ngx_uint_t      code;         /* of libcurl, see ngx_agt_curl_words() */
} ngx_agt_curl_result_t;


typedef void (*ngx_agt_curl_handler_pt)(void *data,
    ngx_agt_curl_result_t *result);


/*
 * One request.  "url" is null-terminated; "body", "bearer" and "headers" are
 * copied, and zeroed when the operation ends.  "headers" are lines of further
 * headers, each with a null at its end.  With an empty body the method is GET,
 * else POST of application/json.  Times are in milliseconds.
 */

typedef struct {
    ngx_str_t                url;
    ngx_str_t                body;
    ngx_str_t                bearer;
    ngx_str_t                headers;
    ngx_msec_t               connect_timeout;
    ngx_msec_t               timeout;
    size_t                   max_body;   /* bytes */
    ngx_agt_curl_handler_pt  handler;
    void                    *data;
    unsigned                 fresh:1;    /* no kept connection */
} ngx_agt_curl_request_t;


typedef struct ngx_agt_curl_s       ngx_agt_curl_t;
typedef struct ngx_agt_curl_op_s    ngx_agt_curl_op_t;


/*
 * Tells whether the libcurl at hand will do: new enough, resolves names without
 * blocking, and uses the same OpenSSL as this module.  Returns NULL, or a
 * phrase for the cause.  May be called in the master.
 */
const char *ngx_agt_curl_unusable(void);

/*
 * Returns the file of certificate authorities that libcurl was built to trust,
 * or NULL.  May be called in the master.
 */
const char *ngx_agt_curl_system_store(void);

/*
 * Returns libcurl's words for the code of a result: a constant.
 */
const char *ngx_agt_curl_words(ngx_uint_t code);

/*
 * Makes a pool in the worker, with the certificate authorities loaded.  Never
 * call it in the master: nothing of libcurl may cross a fork.  Returns NULL
 * where libcurl or libssl failed or "trusted" has no certificate in it; the
 * cause is logged.
 */
ngx_agt_curl_t *ngx_agt_curl_create(
    const ngx_agt_curl_profile_t *profile, ngx_uint_t max_connections,
    ngx_log_t *log);

/*
 * Cancels all operations without calling their handlers, closes all connections
 * and frees the pool.
 */
void ngx_agt_curl_destroy(ngx_agt_curl_t *pool);

/*
 * Submits a request.  Returns the operation, which the pool owns, or NULL where
 * memory is short or libcurl refused; the handler is then never called.
 */
ngx_agt_curl_op_t *ngx_agt_curl_submit(
    ngx_agt_curl_t *pool,
    ngx_agt_curl_request_t *request);

/*
 * Makes a request and waits for its end, without nginx's events: only for a
 * worker that exits.  The handler is called before this function returns,
 * except where memory is short.
 */
void ngx_agt_curl_perform(ngx_agt_curl_t *pool,
    ngx_agt_curl_request_t *request);

/*
 * Ends an operation without calling its handler.  A handler must not cancel its
 * own operation.
 */
void ngx_agt_curl_cancel(ngx_agt_curl_op_t *op);


#endif /* _NGX_AGT_API_CURL_H_INCLUDED_ */
