
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_CREATE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_CREATE_H_INCLUDED_


#include "request/context.h"


/*
 * The first members of the configuration of auth_basic, whose type nginx does
 * not declare in a header.
 */

typedef struct {
    ngx_http_complex_value_t          *realm;
    ngx_http_complex_value_t          *user_file;
} ngx_agt_basic_conf_t;


/*
 * Gets a token created for a caller without a token.  NGX_OK, NGX_AGAIN while
 * the request waits, or the status of a refusal.
 */
ngx_int_t ngx_agt_create(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_UPSTREAM_CREATE_H_INCLUDED_ */
