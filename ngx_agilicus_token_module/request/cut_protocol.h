
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CUT_PROTOCOL_H_INCLUDED_
#define _NGX_AGT_REQUEST_CUT_PROTOCOL_H_INCLUDED_


#include "request/context.h"


/* the field in which clients of WebSocket offer protocols */
#define NGX_AGT_PROTOCOLS  "Sec-WebSocket-Protocol"


/*
 * Returns 1 if the client's request asks for WebSocket (RFC 6455, section 4.1):
 * a GET whose Upgrade names "websocket"; else 0.
 */
ngx_uint_t ngx_agt_cut_protocol_is(ngx_http_request_t *r);

/*
 * Cuts the protocols that begin with "prefix" out of the headers of a request
 * and of its parents, and a field of which nothing is left.  client->sent, if
 * there is one, keeps them.  Does nothing where the request does not ask for
 * WebSocket.  NGX_OK, or NGX_ERROR if there is no memory; the whole field is
 * empty then.
 */
ngx_int_t ngx_agt_cut_protocol(ngx_http_request_t *r, ngx_str_t *prefix);


#endif /* _NGX_AGT_REQUEST_CUT_PROTOCOL_H_INCLUDED_ */
