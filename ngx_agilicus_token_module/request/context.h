
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_
#define _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_


#include "ngx_agilicus_token_module.h"
#include "request/headers.h"
#include "zone/worker_cache.h"


/*
 * The state of a request while the module works on it: the client's part, which
 * lasts as long as the client's request, and one context for each decision.
 */

typedef struct ngx_agt_ctx_s  ngx_agt_ctx_t;

typedef struct ngx_agt_held_s  ngx_agt_held_t;


/* takes the answer that a request has waited for; see wait */

typedef void (*ngx_agt_wait_take_pt)(ngx_agt_ctx_t *ctx,
    ngx_agt_answer_t *answer);


/* entries of the worker's copies that a request holds until it ends */

struct ngx_agt_held_s {
    const ngx_agt_worker_entry_t  *entry;
    ngx_agt_held_t                *next;
};


/*
 * How a subrequest was made, and the credentials that the location before an
 * internal redirect has left in the headers; see enter.
 */

typedef struct ngx_agt_arrival_s  ngx_agt_arrival_t;

struct ngx_agt_arrival_s {
    ngx_http_request_t    *request;
    ngx_str_t              uri;
    ngx_str_t              args;
    ngx_str_t              method;
    ngx_agt_credentials_t  left;
    ngx_agt_arrival_t     *next;
    unsigned               has_left:1;
};


/*
 * The client's part of a request: the credentials as the client sent them, and
 * the last decision.  It outlives the contexts, which an internal redirect
 * clears.
 */

typedef struct {
    ngx_str_t                   authorization;
    ngx_agt_credentials_t       sent;
    ngx_agt_arrival_t          *arrivals;
    ngx_str_t                   target;
    ngx_agt_ctx_t              *last;
    ngx_agt_held_t             *held;

    /* while the response is looked at again; see recheck */
    ngx_queue_t                 queue;
    ngx_agt_ctx_t              *watching;   /* of the main request */
    ngx_agt_ctx_t              *parts;      /* of subrequests */
    uint64_t                    since;
    unsigned                    watched:1;

    /* a location has changed Authorization or cookies for its upstream */
    unsigned                    changed:1;

    /* variables as they were at the first read that came too early */
    ngx_http_variable_value_t  *early_values;
    const ngx_str_t            *early_name; /* until it is logged */
    ngx_uint_t                  early_reads;
    ngx_uint_t                  assigned;   /* after such reads */
    unsigned                    early:1;    /* a member above is set */
    unsigned                    user_read:1;

    /* the first refusal of "report" has been logged */
    unsigned                    reported:1;

    unsigned                    in_query:1; /* the token was there */
    unsigned                    repeated:1; /* Authorization was */

    /* a location that takes API keys was entered: Basic goes no further */
    unsigned                    basic:1;
} ngx_agt_client_t;


/*
 * The life of a decision:
 *
 * from       to         when
 *
 * NEW        PREVIEWED  the preaccess phase has found facts: the access phase
 *                       looks them up once more
 *            KNOWN      there is something to decide on
 * PREVIEWED  KNOWN      as above
 * KNOWN      READING    rules of the token look into the body
 *            TOKENLESS  there is no token, and one is to be created when the
 *                       access phase has let the request in
 *            DONE       there is a decision
 *            NEW        newer facts may end a refusal: the API is asked
 * READING    READ       the body has come
 * READ       DONE       there is a decision
 * TOKENLESS  CREATE     the API is asked to create a token
 *            NEW        a created token was kept, and is now the request's
 *            DONE       the request is refused
 * CREATE     NEW        a token was created, and is now the request's
 *            DONE       the request is refused
 * DONE       TOKENLESS  a token that was kept is refused: one more is created
 *            REISSUE    the API is asked to reissue the token
 *            VERIFY     a reissued token was kept: the API is asked about it
 *            GIVEN      a reissued token was kept, and goes upstream
 * REISSUE    VERIFY     a token was reissued: the API is asked about it
 *            DONE       the request is refused
 * VERIFY     GIVEN      the reissued token goes upstream
 *            DONE       the request is refused
 * GIVEN      DONE       the request is refused: its target holds the token
 *
 * A request waits for a call, and ctx->waiter.call is set, in NEW, PREVIEWED,
 * CREATE, REISSUE and VERIFY only.  The values are in the order of a request:
 * before DONE there is no decision.
 */

typedef enum {
    NGX_AGT_LIFE_NEW = 0,
    NGX_AGT_LIFE_PREVIEWED,
    NGX_AGT_LIFE_KNOWN,
    NGX_AGT_LIFE_READING,
    NGX_AGT_LIFE_READ,
    NGX_AGT_LIFE_TOKENLESS,
    NGX_AGT_LIFE_CREATE,
    NGX_AGT_LIFE_DONE,
    NGX_AGT_LIFE_REISSUE,
    NGX_AGT_LIFE_VERIFY,
    NGX_AGT_LIFE_GIVEN
} ngx_agt_life_e;


typedef enum {
    NGX_AGT_CACHE_NONE = 0,
    NGX_AGT_CACHE_HIT,
    NGX_AGT_CACHE_MISS,
    NGX_AGT_CACHE_JOINED,
    NGX_AGT_CACHE_UPDATING,
    NGX_AGT_CACHE_STALE,
    NGX_AGT_CACHE_BYPASS
} ngx_agt_cache_e;


/*
 * One decision: about a request or a subrequest in one location.  Callbacks
 * carry it themselves and never look it up.
 */

struct ngx_agt_ctx_s {
    ngx_http_request_t         *request;
    ngx_agt_client_t           *client;
    ngx_agt_life_e              life;
    uint16_t                    cause;      /* see ngx_agt_cause_e */

    ngx_str_t                   token;      /* empty: there is none; of an
                                               API key: its base64 */
    const ngx_agt_source_t     *source;     /* NULL: it was created */
    u_char                      digest[NGX_AGT_DIGEST_LEN];
    ngx_agt_cache_key_t         place;      /* of "digest" in the zone */
    u_char                      unpadded[NGX_AGT_DIGEST_LEN];

    /* the raw token of an API key, zeroed with the pool, and its denial key */
    ngx_str_t                   raw;
    u_char                      raw_key[NGX_AGT_DIGEST_LEN];

    /* see wait */
    ngx_agt_waiter_t            waiter;
    ngx_agt_wait_take_pt        take;
    ngx_event_t                 event;      /* deadline, and wake-up */
    uint64_t                    asked;      /* ms, when it waited first */
    uint64_t                    spent;      /* ms, in preaccess */

    /* what is known; lives as long as the request */
    ngx_agt_api_t              *api;
    ngx_agt_class_e             class;      /* of the answer */
    ngx_str_t                   packed;
    ngx_agt_facts_t             facts;
    ngx_str_t                   rules;      /* packed */
    uint64_t                    sent;       /* ms, monotonic */
    uint64_t                    first_asked; /* the same */
    uint64_t                    stale_until; /* the same */
    uint64_t                    seen;       /* serial of an entry, 0: none */
    uint32_t                    late;
    time_t                      leeway;
    ngx_atomic_uint_t           clean;      /* of denials so far */
    uint64_t                    rules_spent; /* nanoseconds */
    ngx_agt_ctx_t              *next_part;  /* see recheck */

    /* of a token for upstream, and of a sign-out */
    struct ngx_agt_exchange_s  *exchange;
    struct ngx_agt_revoke_s    *revoke;

    ngx_agt_decision_t          decision;
    const ngx_agt_loc_conf_t   *refused_by; /* where it was refused, or NULL */
    ngx_int_t                   status;     /* of a refusal, else 0 */
    ngx_agt_cache_e             cache;
    ngx_msec_t                  api_time;
    time_t                      retry_after; /* seconds, 0: none */

    unsigned                    has_digest:1;
    unsigned                    has_unpadded:1;
    unsigned                    remembered:1; /* digest was */
    unsigned                    api_key:1;  /* in place of a token */
    unsigned                    has_facts:1;
    unsigned                    renewed:1;  /* newer facts were asked for */
    unsigned                    cut:1;      /* while it was sent */
    unsigned                    has_api_time:1;
    unsigned                    problem:1;  /* the body is due */
    unsigned                    detailing:1; /* a detail is being made */
};


/*
 * Returns the client's part of a request, and makes it if there is none yet;
 * NULL if there is no memory.  It lives as long as the main request.
 */
ngx_agt_client_t *ngx_agt_client_get(ngx_http_request_t *r);

/*
 * Returns the client's part of a request, or NULL if there is none yet.
 */
ngx_agt_client_t *ngx_agt_client_find(ngx_http_request_t *r);

/*
 * Returns the context of the decision in the location where the request is now,
 * or NULL if there is none.
 */
ngx_agt_ctx_t *ngx_agt_ctx_here(ngx_http_request_t *r);

/*
 * Returns the context of a request's last decision, also after an internal
 * redirect, or NULL if there is none.
 */
ngx_agt_ctx_t *ngx_agt_ctx_find(ngx_http_request_t *r);

/*
 * Copies a secret into a pool, with a clean-up that zeroes the copy.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_secret_copy(ngx_pool_t *pool, const ngx_str_t *secret,
    ngx_str_t *copy);


#endif /* _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_ */
