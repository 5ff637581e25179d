
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_
#define _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_


#include "request/context.h"


/*
 * Sets up in a worker; "shortest" is the shortest time of any location within
 * which a response must be cut, in milliseconds, 0 where none is.
 */
void ngx_agt_recheck_init(ngx_msec_t shortest, ngx_log_t *log);

/*
 * Looks at an allowed request from time to time, for as long as its response
 * runs, and cuts it when its token has expired or is denied.  Of a subrequest,
 * it is the response of the main request that is cut then: each part of it
 * counts that was let in.
 */
ngx_int_t ngx_agt_recheck_add(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * No longer, for the request was refused after all.
 */
void ngx_agt_recheck_remove(void *client);


#endif /* _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_ */
