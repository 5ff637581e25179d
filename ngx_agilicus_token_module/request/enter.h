
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_ENTER_H_INCLUDED_
#define _NGX_AGT_REQUEST_ENTER_H_INCLUDED_


#include "request/context.h"


/*
 * How a subrequest, or a redirected request, has arrived; NULL where nothing
 * is known of it.
 */
ngx_agt_arrival_t *ngx_agt_arrival_find(
    ngx_agt_client_t *client, ngx_http_request_t *r);

/*
 * The handler of the server's rewrite phase, which runs before anything else
 * after an internal redirect and in a subrequest.
 */
ngx_int_t ngx_agt_enter_server_rewrite_handler(ngx_http_request_t *r);

/*
 * The handler of the rewrite phase, which runs before nginx's own "set", "if"
 * and "rewrite" of the location; and that of the log phase, which runs before
 * the access log is written.
 */
ngx_int_t ngx_agt_enter_rewrite_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_enter_log_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_ENTER_H_INCLUDED_ */
