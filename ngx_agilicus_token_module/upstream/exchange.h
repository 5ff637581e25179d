
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_


#include "request/context.h"
#include "api/issue.h"


/*
 * An exchange: the edge gets a token for upstream, by reissue or by creation.
 * A token that is kept is taken if it is fresh, else the API is asked for one.
 * Each step may wait; the request's phases run again then, and ctx->life says
 * where the exchange is.
 */

typedef struct ngx_agt_exchange_s  ngx_agt_exchange_t;


/* one kind of exchange */

typedef struct {
    ngx_agt_life_e    life;     /* while the API is asked */
    ngx_agt_reason_e  reason;   /* where the API refuses */

    /*
     * Sets "key" and "what" of the exchange.  Returns NGX_OK, or the status
     * that refuses the request.
     */
    ngx_int_t       (*prepare)(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
                               const ngx_agt_loc_conf_t *lcf);

    /* asks the API, and returns as ngx_agt_call_join() */
    ngx_int_t       (*ask)(const ngx_agt_issue_t *issue,
                           ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

    /*
     * Goes on with the token of the exchange: with one that was kept, as
     * "kept" says, or with a new one, where "kept" is NULL.  Returns NGX_OK,
     * NGX_AGAIN if the request waits, NGX_DECLINED if a kept token may not be
     * used, or the status that refuses the request.
     */
    ngx_int_t       (*given)(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
                             const ngx_agt_loc_conf_t *lcf,
                             const ngx_agt_issued_t *kept);

    /*
     * Refuses the request where the API says that its token is revoked; NULL
     * where the API is not told of a token.
     */
    ngx_int_t       (*revoked)(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
                               const ngx_agt_loc_conf_t *lcf);
} ngx_agt_exchange_type_t;


struct ngx_agt_exchange_s {
    const ngx_agt_exchange_type_t  *type;

    u_char                          key[NGX_AGT_DIGEST_LEN];
    ngx_agt_cache_key_t             place;   /* of "key" in the zone */
    ngx_agt_json_create_t           what;    /* of a reissue: "org" */
    uint64_t                        seen;    /* serial of the kept token */

    ngx_str_t                       token;   /* zeroed with the pool */
    u_char                          digest[NGX_AGT_DIGEST_LEN];
    u_char                          own[NGX_AGT_DIGEST_LEN]; /* of denials */
    uint64_t                        sent;    /* ms, monotonic */
    ngx_str_t                       packed;  /* facts of "token" */
    ngx_agt_facts_t                 facts;

    ngx_agt_class_e                 class;   /* of the answer */
    ngx_agt_reason_e                reason;
    uint16_t                        cause;   /* see ngx_agt_cause_e */

    unsigned                        again:1; /* the kept token was refused */
};


/*
 * Begins an exchange, or goes on with it after the request has waited.  Returns
 * NGX_OK if it is complete, NGX_AGAIN if the request waits, or the status that
 * refuses the request.
 */
ngx_int_t ngx_agt_exchange(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_exchange_type_t *type);

/*
 * Takes the answer of an exchange, for ngx_agt_wait(): a token, or facts of
 * the token in VERIFY.
 */
void ngx_agt_exchange_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);

/*
 * Returns 1 if the value may be a name in a body for the API: not empty, and
 * UTF-8, which is all that JSON can say; else 0.
 */
ngx_uint_t ngx_agt_exchange_is_name(const ngx_str_t *value);

/*
 * Sets the verdict, with the cause of the exchange, and returns the status that
 * refuses the request.
 */
ngx_int_t ngx_agt_exchange_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason);


#endif /* _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_ */
