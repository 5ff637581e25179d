
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_
#define _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_


#include "request/context.h"


/*
 * Sets the headers of a refusal for ctx->decision and returns its status, or
 * NGX_HTTP_INTERNAL_SERVER_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_challenge_set(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * Takes back what a refusal has set, where an error page has led to a location
 * that allows the request, and the status is not the refusal's.
 */
void ngx_agt_challenge_withdraw(ngx_http_request_t *r);

/*
 * The status of a decision, without its headers.
 */
ngx_int_t ngx_agt_challenge_status(const ngx_agt_decision_t *decision);

/*
 * Writes what all challenges of a location begin with, when it is configured:
 * the scheme and its realm, quoted.
 */
ngx_int_t ngx_agt_challenge_init(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);


#endif /* _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_ */
