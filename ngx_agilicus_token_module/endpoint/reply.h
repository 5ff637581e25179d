
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_REPLY_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_REPLY_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * What the content handlers of this room answer with.
 */

/*
 * Refuses the method of a request with 405 and the header "Allow", which names
 * the methods in "allow", a constant string.  A preflight that the location
 * lets pass is answered with 204 instead.  Returns the status, for the caller
 * to return; 500 if memory cannot be had.
 */
ngx_int_t ngx_agt_reply_not_allowed(ngx_http_request_t *r, const char *allow);

/*
 * Sends a body with status 200, of the type "type", a constant string, and with
 * "Cache-Control: no-store".  The body is the content of the buffer, which must
 * live as long as the request.  Returns what a content handler returns.
 */
ngx_int_t ngx_agt_reply_send(ngx_http_request_t *r, const char *type,
    ngx_buf_t *b);


#endif /* _NGX_AGT_ENDPOINT_REPLY_H_INCLUDED_ */
