
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_PREFLIGHT_H_INCLUDED_
#define _NGX_AGT_REQUEST_PREFLIGHT_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Returns 1 if the request is a CORS preflight, which a browser sends before a
 * request from another origin: OPTIONS with Origin and
 * Access-Control-Request-Method, both not empty.  Else 0.
 */
ngx_uint_t ngx_agt_preflight_is(ngx_http_request_t *r);

/*
 * Returns 1 if a request that has reached its content handler is a preflight
 * without a token that the location lets pass, else 0.
 */
ngx_uint_t ngx_agt_preflight_passes(ngx_http_request_t *r);

/*
 * The handler of the content phase, registered where a preflight may pass.
 * NGX_HTTP_NO_CONTENT for one that passes, else NGX_DECLINED.
 */
ngx_int_t ngx_agt_preflight_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_PREFLIGHT_H_INCLUDED_ */
