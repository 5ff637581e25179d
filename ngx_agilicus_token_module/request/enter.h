
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_ENTER_H_INCLUDED_
#define _NGX_AGT_REQUEST_ENTER_H_INCLUDED_


#include "request/context.h"


/*
 * Returns the note of how a subrequest or a redirected request has arrived, or
 * NULL if there is none.
 */
ngx_agt_arrival_t *ngx_agt_arrival_find(
    ngx_agt_client_t *client, ngx_http_request_t *r);

/*
 * The handler of the server's rewrite phase, which runs before anything else
 * after an internal redirect and in a subrequest.
 */
ngx_int_t ngx_agt_enter_server_rewrite_handler(ngx_http_request_t *r);

/*
 * The handler of the rewrite phase runs before nginx's own "set", "if" and
 * "rewrite" of the location; the handler of the log phase runs before the
 * access log is written.  Both cut a token out of the query.
 */
ngx_int_t ngx_agt_enter_rewrite_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_enter_log_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_ENTER_H_INCLUDED_ */
