
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_API_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_agilicus_token_cache.h"
#include "ngx_agilicus_token_curl.h"
#include "ngx_agilicus_token_json.h"


/*
 * The operations of the Tokens API as calls: request, answer class, retry, one
 * call for all who need the same facts.
 *
 * Three promises: a call never calls back before the function that joined it
 * returns; the callback comes exactly once unless the waiter leaves first;
 * after it, the waiter is out of everything.
 */

/* requests that may wait for calls, per worker */
#define NGX_AGILICUS_TOKEN_API_MAX_WAITING  1024


/* a Tokens API as configured; const while serving */

typedef struct {
    ngx_str_t                          url;        /* without a last slash */
    u_char                             digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_agilicus_token_curl_profile_t  profile;
    ngx_str_t                          credential; /* empty: none */
    unsigned                           credential_introspect:1;
    ngx_uint_t                         index;      /* of the cycle's APIs */

    ngx_str_t                          introspect; /* URLs of operations, */
    ngx_str_t                          reissue;    /* null-terminated */
    ngx_str_t                          revoke;
    ngx_str_t                          validations;
    ngx_str_t                          tokens;
} ngx_agilicus_token_api_t;


/*
 * Where facts come from and where they are kept: an API with the options of
 * introspection, and a zone.  "context" is set before workers start.
 */

typedef struct {
    ngx_agilicus_token_api_t          *api;
    ngx_agilicus_token_json_options_t  options;
    ngx_agilicus_token_zone_t         *zone;       /* NULL: no cache */
    uint32_t                           context;
} ngx_agilicus_token_origin_t;


/* what is set for the whole of http */

typedef struct {
    ngx_agilicus_token_zone_t         *first;      /* tombstones, counters */
    ngx_agilicus_token_api_t         **apis;
    ngx_uint_t                         napis;
    ngx_uint_t                         max_inflight;
    time_t                             revocation_ttl;
    time_t                             max_leeway; /* of all locations */
} ngx_agilicus_token_api_conf_t;


/* what came of a call; strings live until the callback returns */

typedef struct {
    ngx_agilicus_token_class_e         class;
    ngx_agilicus_token_reason_e        reason;
    ngx_str_t                          facts;
    ngx_str_t                          rules;
    uint64_t                           sent;       /* ms, monotonic */
    ngx_msec_t                         elapsed;
    time_t                             retry_after; /* seconds; -1: none */
} ngx_agilicus_token_answer_t;


typedef struct ngx_agilicus_token_call_s  ngx_agilicus_token_call_t;


/* who waits; lies in the waiter's own memory */

typedef struct {
    ngx_queue_t                        queue;
    ngx_agilicus_token_call_t         *call;       /* NULL: not waiting */
    void                             (*done)(void *data,
                                         ngx_agilicus_token_answer_t *answer);
    void                              *data;
    unsigned                           joined:1;   /* another's call */
} ngx_agilicus_token_waiter_t;


typedef struct {
    const ngx_agilicus_token_origin_t *origin;
    ngx_str_t                          token;
    const u_char                      *digest;     /* of the token */
    ngx_msec_t                         connect_timeout;
    ngx_msec_t                         timeout;
} ngx_agilicus_token_introspect_t;


/*
 * Sets up and takes down what calls need in a worker; "conf" lives as long as
 * the worker.  NGX_ERROR, with the cause logged, where libcurl failed.
 */
ngx_int_t ngx_agilicus_token_api_init(
    const ngx_agilicus_token_api_conf_t *conf, ngx_log_t *log);
void ngx_agilicus_token_api_exit(void);

/*
 * Asks for the facts of a token (API: POST /v1/tokens/introspect), or joins a
 * call under way for the same token, options and zone; without a zone every
 * request has a call of its own.  The answer is stored before any waiter hears
 * of it, and a tombstone turns it into REVOKED.
 *
 * NGX_AGAIN  the waiter waits
 * NGX_ERROR  it does not: "reason" says why (OVERLOAD, INTERNAL)
 */
ngx_int_t ngx_agilicus_token_api_introspect(
    const ngx_agilicus_token_introspect_t *introspect,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_reason_e *reason);

/*
 * Stops waiting.  The call goes on and fills the cache, unless it was not sent
 * yet and nobody else waits for it.
 */
void ngx_agilicus_token_api_leave(ngx_agilicus_token_waiter_t *waiter);


#endif /* _NGX_AGILICUS_TOKEN_API_H_INCLUDED_ */
