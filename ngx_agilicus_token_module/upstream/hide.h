
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_


#include "request/context.h"


/*
 * Takes what the client presented out of everything that upstream sees: bearer
 * credentials, the cookies that tokens may come in, and any field or cookie
 * that repeats the token.  A request whose target has the token in it, too, is
 * refused.  "ctx" may be NULL.  NGX_OK, or a status.
 */
ngx_int_t ngx_agt_hide(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Takes all bearer credentials out of the request's headers.  NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_hide_bearer(ngx_http_request_t *r);

/*
 * Takes Authorization fields of the scheme Basic out of the request's headers,
 * and the base64 of an API key, which may be empty, out of the values of
 * variables.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_hide_basic(ngx_http_request_t *r, const ngx_str_t *api_key);


#endif /* _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_ */
