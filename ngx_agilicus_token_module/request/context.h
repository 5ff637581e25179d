
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_
#define _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_


#include "ngx_agilicus_token_module.h"
#include "request/headers.h"


/*
 * What is known of a request while the module works on it: the client's part,
 * which lasts as long as the client's request, and one context for each
 * decision.
 */

typedef struct ngx_agt_ctx_s  ngx_agt_ctx_t;

typedef struct ngx_agt_held_s  ngx_agt_held_t;


/* takes the answer that a request has waited for; see wait */

typedef void (*ngx_agt_wait_take_pt)(ngx_agt_ctx_t *ctx,
    ngx_agt_answer_t *answer);


/* what a request reads of the worker's memory, until it ends */

struct ngx_agt_held_s {
    const ngx_agt_worker_entry_t  *entry;
    ngx_agt_held_t                *next;
};


/*
 * What a subrequest was made with, and what the location before an internal
 * redirect has left in the headers; see enter.
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
 * What belongs to the client's request as a whole and outlives the contexts
 * that an internal redirect wipes: the credentials as the client sent them,
 * and the last decision.
 */

typedef struct {
    ngx_str_t                   authorization;
    ngx_agt_credentials_t       sent;
    ngx_agt_arrival_t          *arrivals;
    ngx_str_t                   target;
    ngx_agt_ctx_t              *last;
    ngx_agt_held_t             *held;

    /* while its response is looked at again; see recheck */
    ngx_queue_t                 queue;
    ngx_agt_ctx_t              *watching;   /* the last of the main */
    ngx_agt_ctx_t              *parts;      /* what let in others */
    uint64_t                    since;
    unsigned                    watched:1;

    /* for upstream of some location: Authorization or cookies */
    unsigned                    changed:1;

    /* variables as they were at the first read that came too early */
    ngx_http_variable_value_t  *early_values;
    const ngx_str_t            *early_name; /* until it is said */
    ngx_uint_t                  early_reads;
    ngx_uint_t                  assigned;   /* after such reads */
    unsigned                    early:1;    /* something of these */
    unsigned                    user_read:1;

    /* what would have been refused has been logged */
    unsigned                    reported:1;

    unsigned                    in_query:1; /* is the token */
    unsigned                    repeated:1; /* is Authorization */
} ngx_agt_client_t;


typedef enum {
    NGX_AGT_STATE_NEW = 0,
    NGX_AGT_STATE_READING,
    NGX_AGT_STATE_ANSWERED,
    NGX_AGT_STATE_DONE
} ngx_agt_state_e;


/* where an exchange of tokens is; see exchange */

typedef enum {
    NGX_AGT_STEP_NONE = 0,
    NGX_AGT_STEP_CREATE,
    NGX_AGT_STEP_PRESENTED,
    NGX_AGT_STEP_REISSUE,
    NGX_AGT_STEP_VERIFY,
    NGX_AGT_STEP_DONE
} ngx_agt_step_e;


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
    ngx_http_request_t  *request;
    ngx_agt_client_t    *client;
    ngx_agt_state_e      state;

    ngx_str_t            token;
    const ngx_agt_source_t *source;
    u_char              digest[NGX_AGT_DIGEST_LEN];
    u_char              unpadded[NGX_AGT_DIGEST_LEN];

    ngx_agt_waiter_t    waiter;
    ngx_agt_wait_take_pt  take;
    ngx_event_t         event;      /* deadline, and wake-up */
    ngx_agt_class_e     class;      /* of the answer */

    /* what is known; lives as long as the request */
    ngx_str_t           packed;
    ngx_agt_facts_t     facts;
    ngx_agt_ctx_t      *next_part;  /* see recheck */
    ngx_str_t           rules;      /* packed */
    uint64_t            sent;       /* ms, monotonic */
    uint64_t            first_asked; /* the same */
    uint64_t            stale_until;
    uint64_t            asked;
    uint64_t            spent;      /* in preaccess */
    uint64_t            seen;       /* serial, too old */
    uint32_t            late;
    time_t              leeway;
    ngx_atomic_uint_t   clean;      /* of denials so far */
    uint64_t            rules_spent; /* nanoseconds */
    struct ngx_agt_revoke_s *revoke; /* of a sign-out */
    ngx_agt_api_t      *api;

    /* an exchange of tokens */
    ngx_agt_step_e      step;
    u_char              key[NGX_AGT_DIGEST_LEN];
    ngx_str_t           org;
    ngx_str_t           upstream;   /* given for upstream */
    ngx_str_t           child_packed;
    ngx_agt_facts_t     child;      /* of "upstream" */
    uint64_t            given;      /* ms, monotonic */
    ngx_agt_reason_e    answer_reason;

    ngx_agt_decision_t  decision;
    ngx_int_t           status;     /* of a refusal, else 0 */
    ngx_agt_cache_e     cache;
    ngx_msec_t          api_time;
    time_t              retry_after;

    unsigned            has_token:1;
    unsigned            has_digest:1;
    unsigned            has_unpadded:1;
    unsigned            remembered:1; /* digest was */
    unsigned            previewed:1;  /* in preaccess */
    unsigned            has_facts:1;
    unsigned            cut:1;      /* while it was sent */
    unsigned            has_api_time:1;
    unsigned            known:1;    /* an entry of any age */
    unsigned            body_read:1;
    unsigned            creating:1;
    unsigned            created:1;
    unsigned            again:1;
};


#endif /* _NGX_AGT_REQUEST_CONTEXT_H_INCLUDED_ */
