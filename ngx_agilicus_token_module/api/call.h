
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_H_INCLUDED_
#define _NGX_AGT_API_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/limits.h"
#include "api/status_codes.h"
#include "json/json.h"
#include "zone/cache.h"
#include "zone/flight.h"


/*
 * Calls to the Tokens API: one call for all requests that need the same answer,
 * on any worker, within the limits of this worker and the budgets of all.
 *
 * Three promises: a call never calls back before the function that joined it
 * returns; the callback comes exactly once unless the waiter leaves first;
 * after the callback the call holds no pointer to the waiter.
 */

typedef struct ngx_agt_call_s  ngx_agt_call_t;


typedef struct ngx_agt_waiter_s  ngx_agt_waiter_t;


/* lies in the memory of the request or object that waits */

struct ngx_agt_waiter_s {
    ngx_queue_t       queue;
    void             *call;        /* or revocation; NULL: not waiting */

    /* stops waiting; set while it waits */
    void            (*leave)(ngx_agt_waiter_t *waiter);

    void            (*done)(void *data, ngx_agt_answer_t *answer);
    void             *data;

    ngx_agt_limits_hold_t   place;       /* where it waits */
    unsigned          joined:1;    /* another request made the call */
};


/* a kind of call */

typedef struct {
    /*
     * Stores what later requests can use of an answer.  "answer" comes with the
     * meaning of its status.  Where its class is NONE, the function reads the
     * body and fills in the answer for the waiters; where it leaves the class
     * at NONE, the answer decides nothing.  May be NULL.
     */
    void       (*read)(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
                    ngx_agt_answer_t *answer);

    /*
     * Finds the entry that a call of the same key in another worker has stored:
     * of answer->class or, where that is NONE, of any class; never the entry
     * that was there when the last request was made (call->seen).  NGX_DECLINED
     * where there is no such entry: the call is then made here.  NULL for types
     * whose calls are not shared.
     */
    ngx_int_t  (*adopt)(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

    /*
     * Where an answer is only a step: sets the call up for the next step and
     * returns 1, else 0.  May be NULL.
     */
    ngx_uint_t (*next)(ngx_agt_call_t *call, ngx_agt_curl_result_t *result);
} ngx_agt_call_type_t;


/*
 * A request for a call.  Everything but api, origin and URL is copied; "data"
 * is for the type, which finds it in call->data.
 */

typedef struct {
    const ngx_agt_call_type_t      *type;
    ngx_agt_operation_e             operation;
    ngx_agt_api_t                  *api;
    const ngx_agt_origin_t         *origin;

    /*
     * What is sent, but for the handler.  The timeout is that of this waiter;
     * with an origin, the call itself lasts api->longest.
     */
    ngx_agt_curl_request_t          curl;

    /*
     * "key" is the digest of the token or purpose that is asked about.  Of a
     * call that is shared, "context" is the digest of everything else that its
     * answer depends on: calls of one type are joined only if both are equal.
     */
    const u_char                   *key;
    const u_char                   *context;
    unsigned                        shared:1;

    /* serial of the entry that was found and is too old; 0: none */
    uint64_t                        seen;

    /*
     * The client on whose account the waiter waits; NULL: no client's.  A call
     * that is charged takes from the budgets of API and client.
     */
    const ngx_agt_budget_client_t  *client;
    ngx_agt_limits_kind_e           kind;
    unsigned                        charged:1;

    /* of a shared call: none is made within a second after one that failed */
    unsigned                        paced:1;

    /*
     * Budgets of which a call that is charged takes a guess; NULL: none.  The
     * guess is given back unless the API has said something against the key.
     */
    const ngx_agt_budget_guess_t   *guess;

    ngx_str_t                       data;
} ngx_agt_call_request_t;


struct ngx_agt_call_s {
    ngx_rbtree_node_t           node;
    ngx_queue_t                 queue;      /* of its state */
    ngx_queue_t                 waiters;
    ngx_agt_curl_op_t          *op;         /* while it is sent */

    const ngx_agt_call_type_t  *type;
    ngx_agt_operation_e         operation;  /* the present step */
    ngx_agt_api_t              *api;
    const ngx_agt_origin_t     *origin;
    ngx_agt_curl_request_t      curl;       /* with the headers of the request
                                               that began it */
    ngx_str_t                   data;
    ngx_msec_t                  patience;   /* longest of its waiters */

    u_char                      key[NGX_AGT_DIGEST_LEN];
    ngx_agt_cache_key_t         entry;      /* of "key" in the origin's zone */
    u_char                      identity[NGX_AGT_DIGEST_LEN];
    ngx_agt_flight_t            flight;

    ngx_agt_budget_client_t     client;     /* that is charged */
    ngx_agt_budget_guess_t      guess;
    ngx_agt_limits_hold_t             place;      /* while it is sent */
    ngx_agt_limits_kind_e       kind;
    ngx_uint_t                  nwaiters;

    uint64_t                    seen;
    uint64_t                    started;
    uint64_t                    sent;
    ngx_uint_t                  state;
    unsigned                    shared:1;
    unsigned                    charged:1;
    unsigned                    paced:1;
    unsigned                    has_client:1;
    unsigned                    has_guess:1;
    unsigned                    guessed:1;  /* the guess was taken */
    unsigned                    retried:1;
    unsigned                    stepped:1;
    unsigned                    left:1;     /* no waiter is left */
};


/*
 * Set up and take down the state of calls in a worker; "conf" lives as long as
 * the worker.  NGX_ERROR, with the cause logged, where libcurl failed.
 */
ngx_int_t ngx_agt_call_init(const ngx_agt_api_conf_t *conf, ngx_log_t *log);
void ngx_agt_call_exit(void);

/*
 * Sets the bearer of a call for its next step.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_call_bearer(ngx_agt_call_t *call, const ngx_str_t *bearer);

/*
 * Returns the configuration that this worker was set up with, or NULL.
 */
const ngx_agt_api_conf_t *ngx_agt_call_conf(void);

/*
 * Returns the connections of an API in this worker, which are made at the first
 * call where no worker was started; NULL for lack of memory.
 */
ngx_agt_curl_t *ngx_agt_call_curl(const ngx_agt_api_t *api);

/*
 * Returns a buffer of 2 * NGX_AGT_JSON_MAX_BODY bytes for facts, rules and
 * tokens that are read from an answer.  All answers share it: its content lives
 * until the callbacks of that answer have returned, or until the next look-up
 * or call, whichever comes first.
 */
u_char *ngx_agt_call_buffer(void);

/*
 * Zeroes the token of an answer, if it has one, once all waiters have taken it.
 * In builds for tests with NGX_AGT_SCRIBBLE the whole buffer is overwritten.
 */
void ngx_agt_call_forget(ngx_agt_answer_t *answer);

/*
 * Zeroes and frees memory of ngx_alloc(), such as the body of a request; does
 * nothing where there is none.
 */
void ngx_agt_call_wipe(ngx_str_t *str);

/*
 * Makes a call, or joins one under way on this worker, or follows one on
 * another.  Without a waiter the call is made in the background, and not at all
 * if one is under way already or there is no room to send it at once.
 *
 * NGX_AGAIN  the waiter waits, or the background call is under way
 * NGX_OK     another worker's call has ended just now: "answer" is its
 * NGX_ERROR  the waiter does not wait: "answer" has class SHED or
 *            INDETERMINATE, the reason and retry_after
 */
ngx_int_t ngx_agt_call_join(const ngx_agt_call_request_t *request,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Returns 1 if this worker may write a line about the call's API that one of
 * all workers writes, once a second at most; see ngx_agt_api_state_t.
 */
ngx_uint_t ngx_agt_call_may_say(const ngx_agt_call_t *call, ngx_uint_t line);

/*
 * Stops waiting.  The call goes on and its answer is stored, unless no other
 * waiter is left and the call was not sent yet, or another call needs its
 * place: then it ends as if it had not been made, and the breaker is not told
 * of it.
 */
void ngx_agt_call_leave(ngx_agt_waiter_t *waiter);


#endif /* _NGX_AGT_API_CALL_H_INCLUDED_ */
