
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_H_INCLUDED_
#define _NGX_AGT_API_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/budget.h"
#include "zone/cache.h"
#include "api/curl.h"
#include "zone/flight.h"
#include "json/json.h"
#include "api/status_codes.h"
#include "api/wake.h"


/*
 * Calls to the Tokens API: one for all who need the same, on any worker, within
 * the limits of this worker and the budgets of all.
 *
 * Three promises: a call never calls back before the function that joined it
 * returns; the callback comes exactly once unless the waiter leaves first;
 * after it, the waiter is out of everything.
 */

/* requests that may wait for calls, per worker */
#define NGX_AGT_CALL_MAX_WAITING  1024


/* a Tokens API as configured; const while serving */

typedef struct {
    ngx_str_t               url;        /* without a last slash */
    u_char                  digest[NGX_AGT_DIGEST_LEN];

    /* of all that answers depend on; "granted" has the credential as well */
    u_char                  asked[NGX_AGT_DIGEST_LEN];
    u_char                  granted[NGX_AGT_DIGEST_LEN];

    ngx_agt_curl_profile_t  profile;
    ngx_str_t               credential; /* empty: none */
    unsigned                credential_introspect:1;
    ngx_msec_t              longest;    /* of its "api_timeout"s */
    ngx_uint_t              index;      /* of the cycle's APIs */
    ngx_uint_t              state;      /* in the first zone */

    ngx_str_t               introspect; /* URLs of operations, */
    ngx_str_t               reissue;    /* null-terminated */
    ngx_str_t               revoke;
    ngx_str_t               validations;
    ngx_str_t               tokens;
} ngx_agt_api_t;


typedef struct ngx_agt_origin_s  ngx_agt_origin_t;


/* what is set for the whole of http; const while serving */

typedef struct {
    ngx_agt_zone_t     *first;      /* budgets, counters */
    ngx_agt_denials_t  *denials;
    ngx_agt_origin_t  **origins;
    ngx_uint_t          norigins;
    ngx_agt_api_t     **apis;
    ngx_uint_t          napis;
    ngx_uint_t          max_inflight;
    ngx_agt_rate_t      rate;
    ngx_agt_breaker_t   breaker;
    time_t              revocation_ttl;
    time_t              max_leeway; /* of all locations */
    uint32_t            cycle;      /* of this configuration */
    ngx_agt_wake_t      wake;
} ngx_agt_api_conf_t;


/* what came of a call; strings live until the callback returns */

typedef struct {
    ngx_agt_class_e    class;
    ngx_agt_reason_e   reason;
    ngx_str_t          facts;
    ngx_str_t          rules;
    ngx_str_t          token;      /* of reissue and create */
    uint64_t           sent;       /* ms, monotonic */
    uint64_t           asked;      /* the same, first of all */
    ngx_atomic_uint_t  clean;      /* of denials so far */
    ngx_msec_t         elapsed;
    time_t             retry_after; /* seconds; 0: none */

    /* INDETERMINATE by transport, 429 or 5xx: the API is not to be had */
    unsigned           transient:1;
    unsigned           too_large:1;

    /* by the API itself, and not by something in front of it */
    unsigned           spoken:1;
} ngx_agt_answer_t;


typedef struct ngx_agt_call_s  ngx_agt_call_t;


typedef struct ngx_agt_waiter_s  ngx_agt_waiter_t;


/* it waits for the end of a call, and lies in memory of the one that waits */

struct ngx_agt_waiter_s {
    ngx_queue_t      queue;
    ngx_agt_call_t  *call;       /* NULL: not waiting */

    /* what to call in order to wait no more; set while it waits */
    void           (*leave)(ngx_agt_waiter_t *waiter);

    void           (*done)(void *data, ngx_agt_answer_t *answer);
    void            *data;
    unsigned         joined:1;   /* another's call */
};


/* what kind of call it is */

typedef struct {
    const char                        *name;       /* for logs */

    /*
     * Remembers what is to be remembered of an answer.  "answer" comes with
     * what its status means; where that is NONE, turns the body into the answer
     * for waiters: what is left at NONE decides nothing.
     */
    void                             (*read)(ngx_agt_call_t *call,
                                       ngx_agt_curl_result_t *result,
                                       ngx_agt_answer_t *answer);

    /*
     * Finds what a call of the same key in another worker left behind: of
     * answer->class or, where that is NONE, of any; never what was there when
     * the last request was made (call->seen).  NGX_DECLINED where there is
     * nothing: the call is then made here.
     */
    ngx_int_t                        (*adopt)(ngx_agt_call_t *call,
                                       ngx_agt_answer_t *answer);

    /*
     * Where an answer is a step only: sets the call up for the next one and
     * returns 1, else 0.  May be NULL.
     */
    ngx_uint_t                       (*next)(ngx_agt_call_t *call,
                                      ngx_agt_curl_result_t *result);
} ngx_agt_call_type_t;


/*
 * What to ask.  Everything but api, origin and url is copied; "data" is for
 * the type, which finds it in call->data.
 */

typedef struct {
    const ngx_agt_call_type_t      *type;
    ngx_agt_operation_e             operation;
    ngx_agt_api_t                  *api;
    const void                     *origin;
    ngx_str_t                       url;
    ngx_str_t                       body;
    ngx_str_t                       bearer;
    ngx_msec_t                      connect_timeout;

    /* of this waiter; with an origin, the call itself has api->longest */
    ngx_msec_t                      timeout;
    size_t                          max_body;

    /*
     * The digest of what is asked and, of a call that is shared, the digest of
     * all else that its answer depends on: calls of one type are one only if
     * both are the same.
     */
    const u_char                   *key;
    const u_char                   *context;
    unsigned                        shared:1;

    /* the entry that is known and too old, 0 if none */
    uint64_t                        seen;

    /* on account of a client, out of the budgets */
    const ngx_agt_budget_client_t  *client;
    unsigned                        charged:1;

    ngx_str_t                       data;
} ngx_agt_call_request_t;


struct ngx_agt_call_s {
    ngx_rbtree_node_t           node;
    ngx_queue_t                 queue;   /* of its state */
    ngx_queue_t                 waiters;
    ngx_agt_curl_op_t          *op;      /* while it is sent */

    const ngx_agt_call_type_t  *type;
    ngx_agt_operation_e         operation;  /* of this step */
    ngx_agt_api_t              *api;
    const void                 *origin;
    ngx_str_t                   url;
    ngx_str_t                   body;
    ngx_str_t                   bearer;
    ngx_str_t                   data;
    ngx_msec_t                  connect_timeout;
    ngx_msec_t                  timeout;
    ngx_msec_t                  patience; /* of all who waited */
    size_t                      max_body;

    u_char                      key
                                [NGX_AGT_DIGEST_LEN];
    u_char                      identity
                                [NGX_AGT_DIGEST_LEN];
    ngx_agt_flight_t            flight;

    ngx_agt_budget_client_t     client;

    uint64_t                    seen;
    uint64_t                    started;
    uint64_t                    sent;
    ngx_uint_t                  state;
    unsigned                    shared:1;
    unsigned                    charged:1;
    unsigned                    has_client:1;
    unsigned                    retried:1;
    unsigned                    stepped:1;
    unsigned                    left:1;  /* by all who waited */
};


/*
 * Sets up and takes down what calls need in a worker; "conf" lives as long as
 * the worker.  NGX_ERROR, with the cause logged, where libcurl failed.
 */
ngx_int_t ngx_agt_call_init(const ngx_agt_api_conf_t *conf, ngx_log_t *log);
void ngx_agt_call_exit(void);

/*
 * What an answer with any status means for an operation: reads the body where
 * that depends on it.
 */
void ngx_agt_call_meaning(ngx_agt_operation_e operation,
    const ngx_agt_curl_result_t *result, ngx_agt_meaning_t *meaning);

/*
 * Sets the bearer of a call for its next step.
 */
ngx_int_t ngx_agt_call_bearer(ngx_agt_call_t *call, const ngx_str_t *bearer);

/*
 * Tells ways of reaching one API apart: a number that is the same for the same
 * way of reaching it, also after a reload.
 */
uint32_t ngx_agt_api_via(const ngx_agt_api_t *api);

/*
 * The configuration that this worker was set up with, or NULL.
 */
const ngx_agt_api_conf_t *ngx_agt_call_conf(void);

/*
 * The connections of an API in this worker, or NULL.
 */
ngx_agt_curl_t *ngx_agt_call_curl(ngx_agt_api_t *api);

/*
 * A buffer of 2 * NGX_AGT_JSON_MAX_BODY bytes for what is read from
 * an answer, shared by all: what lies there lives until the callbacks of that
 * answer have returned, or the next look-up or call, whichever comes first.
 */
u_char *ngx_agt_call_buffer(void);

/*
 * Zeroes the token of an answer, if it has one, when all who wait have taken
 * it.  In builds for tests with NGX_AGT_SCRIBBLE all of the buffer
 * is overwritten.
 */
void ngx_agt_call_forget(ngx_agt_answer_t *answer);

/*
 * Makes a call, or joins one under way on this worker or follows one on
 * another.  Without a waiter the call is made in the background, and not at all
 * if there is one under way, or no room to send it at once.
 *
 * NGX_AGAIN  the waiter waits, or the background call is under way
 * NGX_OK     another worker's call has ended just now: "answer" is its
 * NGX_ERROR  it does not: "answer" has class SHED or INDETERMINATE, the reason
 *            and retry_after
 */
ngx_int_t ngx_agt_call_join(
    const ngx_agt_call_request_t *request,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Stops waiting.  The call goes on and is remembered, unless nobody else waits
 * for it and it was not sent yet, or another call needs its place: then it ends
 * as if it had not been made, and the breaker does not hear of it.
 */
void ngx_agt_call_leave(ngx_agt_waiter_t *waiter);


#endif /* _NGX_AGT_API_CALL_H_INCLUDED_ */
