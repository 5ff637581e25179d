
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_


/*
 * What the files of what goes upstream share; nobody else includes this.
 */

#include "request/context.h"

/*
 * Replaces the list of the request's headers by a copy without identity
 * headers, which only the edge may set.  The old one stays where it is:
 * pointers into it are good.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_identity_remove(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf);

/*
 * Adds the identity headers of an allowed request, as configured, to what goes
 * upstream.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_identity_add(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Adds a header to the request; name and value are not copied and live as long
 * as the request.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_add_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);

/*
 * hide: takes what the client presented out of all that upstream sees: bearer
 * credentials, the cookies that tokens may come in, and any field or cookie
 * that repeats the token.  Where it stands in the target too, there is nothing
 * to be had but a refusal.  NGX_OK, or a status.
 */
ngx_int_t ngx_agt_hide(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * hide: takes bearer credentials out, whoever's they are.  NGX_OK, or NGX_ERROR
 * if there is no memory.
 */
ngx_int_t ngx_agt_hide_bearer(ngx_http_request_t *r);

/*
 * Prepares the request's headers for upstream, once it may go on.  Returns
 * NGX_OK, or the status to refuse it with.
 */
ngx_int_t ngx_agt_upstream_prepare(ngx_http_request_t *r);

/*
 * The token that upstream gets, as far as it is known; empty if none.
 */
ngx_int_t ngx_agt_upstream_value(ngx_http_request_t *r, ngx_str_t *token);


#endif /* _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_ */
