
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_


/*
 * What the files of exchanges share; nobody else includes this.
 */

#include "request/context.h"
#include "api/issue.h"

/*
 * Returns 1 if what the secret says may still be used: a token until its own
 * expiry, which is noted once it was seen, or for as long as facts are kept if
 * it has none; a refusal for the lifetime of refusals; else 0.
 */
ngx_uint_t ngx_agt_secret_is_fresh(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_secret_t *secret);

/*
 * Copies a token of the edge's own into the request's pool, with a clean-up
 * that zeroes it there.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_keep_secret(ngx_http_request_t *r,
    const ngx_str_t *token, ngx_str_t *kept);

/*
 * Copies facts of the token that goes upstream into the request's pool and
 * opens them there.  NGX_OK, or NGX_ERROR.
 */
ngx_int_t ngx_agt_keep_child(ngx_agt_ctx_t *ctx, const ngx_str_t *packed);

/*
 * Returns 1 if the value may name somebody or something to the API: not empty,
 * and UTF-8, which is all that JSON can say; else 0.
 */
ngx_uint_t ngx_agt_is_name(const ngx_str_t *value);

/* sets the verdict and returns the HTTP status that refuses the request */
ngx_int_t ngx_agt_exchange_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason);

/*
 * Takes the answer of an exchange, for ngx_agt_wait().
 */
void ngx_agt_exchange_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);


#endif /* _NGX_AGT_UPSTREAM_EXCHANGE_H_INCLUDED_ */
