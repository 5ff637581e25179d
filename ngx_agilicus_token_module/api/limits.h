
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_LIMITS_H_INCLUDED_
#define _NGX_AGT_API_LIMITS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/budget.h"


/*
 * The places of a worker: how many requests may wait for calls, and how many
 * calls may be under way, shared out so that one client cannot take all of
 * them.  Sign-outs and the feed have places of their own, besides those that
 * all share.
 */

/* requests that may wait for calls; each may while half of it is free */
#define NGX_AGT_LIMITS_WAITING           1024

/* what a client and a token may hold of these once half of them are taken */
#define NGX_AGT_LIMITS_CLIENT            (NGX_AGT_LIMITS_WAITING / 8)
#define NGX_AGT_LIMITS_TOKEN             (NGX_AGT_LIMITS_WAITING / 4)

/* sign-outs that may wait besides, and what a client may hold of these */
#define NGX_AGT_LIMITS_SIGN_OUTS         64
#define NGX_AGT_LIMITS_CLIENT_SIGN_OUTS  8

/* calls of sign-outs besides, and what a client may hold of these */
#define NGX_AGT_LIMITS_SIGN_OUT_CALLS    8
#define NGX_AGT_LIMITS_CLIENT_CALLS      2

/* calls of the feed, which makes no more at once */
#define NGX_AGT_LIMITS_FEED_CALLS        4

/* the call for public keys, which counts as one of the feed's kind */
#define NGX_AGT_LIMITS_KEYS_CALLS        1


typedef enum {
    NGX_AGT_LIMITS_SHARED = 0,
    NGX_AGT_LIMITS_SIGN_OUT,
    NGX_AGT_LIMITS_FEED,

    NGX_AGT_LIMITS_KINDS
} ngx_agt_limits_kind_e;


/* what a client holds */

typedef struct {
    ngx_queue_t              queue;
    ngx_agt_budget_client_t  address;
    ngx_uint_t               waiting[NGX_AGT_LIMITS_KINDS];
    ngx_uint_t               calls[NGX_AGT_LIMITS_KINDS];
} ngx_agt_limits_client_t;


/* a place to wait, or a call under way; zeroed by its owner at first */

typedef struct {
    ngx_agt_limits_client_t  *client;  /* NULL: of no client */
    ngx_uint_t               *held;    /* count of all; NULL: not held */
    ngx_uint_t               *own;     /* count of the client, or NULL */
    unsigned                  sign_out:1;
} ngx_agt_limits_hold_t;


typedef struct {
    ngx_uint_t   max_calls;            /* that all share */
    ngx_uint_t   waiting[NGX_AGT_LIMITS_KINDS];
    ngx_uint_t   calls[NGX_AGT_LIMITS_KINDS];
    ngx_queue_t  clients;
} ngx_agt_limits_t;


void ngx_agt_limits_init(ngx_agt_limits_t *places, ngx_uint_t max_calls);

/*
 * Takes a place to wait, for a sign-out or not, on account of a client (NULL:
 * of none).  "same" is how many wait on account of the same token already.
 *
 * NGX_OK        the place is held until ngx_agt_limits_release()
 * NGX_BUSY      the client holds its share
 * NGX_DECLINED  all places are taken, or too many by this token
 * NGX_ERROR     lack of memory
 */
ngx_int_t ngx_agt_limits_wait(ngx_agt_limits_t *places,
    ngx_agt_limits_hold_t *place, ngx_agt_limits_kind_e kind,
    const ngx_agt_budget_client_t *client, ngx_uint_t same);

/*
 * Returns 1 if one more call may be made in the shared places.
 */
ngx_uint_t ngx_agt_limits_has_room(const ngx_agt_limits_t *places);

/*
 * Returns 1 if the client that holds this place to wait holds less than a
 * quarter of the shared calls, so that its call goes before those of others.
 * A place of no client does not go before others.
 */
ngx_uint_t ngx_agt_limits_is_first(const ngx_agt_limits_t *places,
    const ngx_agt_limits_hold_t *waiter);

/*
 * Returns 1 if the call of this place to wait may be made in the places of
 * sign-outs.  A sign-out of no client, which the ledger tells again, may be
 * made while half of these places are free.
 */
ngx_uint_t ngx_agt_limits_may_sign_out(const ngx_agt_limits_t *places,
    const ngx_agt_limits_hold_t *waiter);

/*
 * Counts a call of that kind as under way until ngx_agt_limits_release(), on
 * account of the client that holds "waiter" (NULL: of none).
 */
void ngx_agt_limits_call(ngx_agt_limits_t *places,
    ngx_agt_limits_hold_t *place, ngx_agt_limits_kind_e kind,
    const ngx_agt_limits_hold_t *waiter);

/*
 * Gives a place back, if it is held.
 */
void ngx_agt_limits_release(ngx_agt_limits_hold_t *place);


#endif /* _NGX_AGT_API_LIMITS_H_INCLUDED_ */
