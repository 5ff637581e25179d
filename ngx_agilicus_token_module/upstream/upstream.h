
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_


#include "request/context.h"


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
