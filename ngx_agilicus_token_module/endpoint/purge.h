
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_PURGE_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_PURGE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Answers a DELETE in a location with "agilicus_token_status purge": drops the
 * facts of the tokens that the argument "jti", "session" or "sub" names, or all
 * facts with "all=1", from all zones.  The API is then asked anew.  Denials
 * stay.  The body of the request must have been discarded.  Returns the status:
 * 204, 400 without such an argument, or 500 if memory cannot be had.
 */
ngx_int_t ngx_agt_purge(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_PURGE_H_INCLUDED_ */
