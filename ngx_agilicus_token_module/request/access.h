
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_
#define _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_


#include "request/context.h"


/*
 * The phase handlers.  The first runs where its turn comes in the access phase,
 * the last after all others of that phase, the third before the content: for
 * subrequests, which have no access phase, and for what goes upstream.
 */
ngx_int_t ngx_agt_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_access_last_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_precontent_handler(ngx_http_request_t *r);

/*
 * Takes the token, looks for what is known of it, and asks the API if need be.
 * NGX_AGAIN if the request waits now, NGX_OK with something to decide
 * on.
 */
ngx_int_t ngx_agt_access_learn(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Sets the verdict if the token has been denied since denials were looked
 * through for ctx->clean.
 */
void ngx_agt_access_look_again(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * Makes a context for a decision about the request; NULL for lack of memory.
 */
ngx_agt_ctx_t *ngx_agt_ctx_create(ngx_http_request_t *r);

/*
 * Says what was decided.
 */
void ngx_agt_decision_set(ngx_agt_ctx_t *ctx,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason);

/*
 * Counts and logs what was decided, and sets its status.
 */
void ngx_agt_access_conclude(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_REQUEST_ACCESS_H_INCLUDED_ */
