
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_
#define _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_


#include "request/context.h"


/*
 * The handlers of the access phase: the first runs where its turn comes, the
 * second after all others of that phase.
 */
ngx_int_t ngx_agt_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_access_last_handler(ngx_http_request_t *r);

/*
 * Decides about the request in its location, in a context that is made where
 * there is none, or where the last decision is complete.  Returns NGX_OK if the
 * request is allowed, NGX_AGAIN while it waits, NGX_DECLINED if a token is to
 * be created for it, else the status that refuses it.  "*out" is the context;
 * it is NULL where there was no memory for one, and where the body could not be
 * read and the status is nginx's.
 */
ngx_int_t ngx_agt_access_check(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_ctx_t **out);

/*
 * Takes the token, looks its facts up, and asks the API for them if need be.
 * NGX_AGAIN if the request waits now, NGX_OK if the context has an answer or a
 * decision.
 */
ngx_int_t ngx_agt_access_learn(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Looks for a denial of the token that has come since ctx->clean, and sets the
 * verdict if there is one.
 */
void ngx_agt_access_look_again(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * Makes a context for a decision about the request, in its pool.  Returns NULL
 * if there is no memory; a token in the query has been cut out then, too.
 */
ngx_agt_ctx_t *ngx_agt_ctx_create(ngx_http_request_t *r);

/*
 * Sets verdict and reason of the decision in the context, and returns NGX_OK.
 */
ngx_int_t ngx_agt_decision_set(ngx_agt_ctx_t *ctx,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason);

/*
 * Completes the decision: counts it, logs a refusal, and sets ctx->status.
 */
void ngx_agt_access_conclude(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_ */
