
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
 * Adds $agilicus_token_upstream, the token that upstream gets as far as it is
 * known; before the configuration is read.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_upstream_add_variables(ngx_conf_t *cf);


#endif /* _NGX_AGT_UPSTREAM_UPSTREAM_H_INCLUDED_ */
