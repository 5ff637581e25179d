
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_
#define _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_


#include "request/context.h"


/*
 * Sets up a worker.  "shortest" is the shortest time in milliseconds of any
 * location within which a response must be cut, or 0 if there is none.
 */
void ngx_agt_recheck_init(ngx_msec_t shortest, ngx_log_t *log);

/*
 * Looks at an allowed request from time to time while its response runs, and
 * cuts the response when the token has expired or is denied.  For a subrequest
 * the response of the main request is cut: each part of a page counts.  NGX_OK,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_recheck_add(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * Ends that, since the request was refused after all or has ended.  "client" is
 * the client's part of the request.
 */
void ngx_agt_recheck_remove(void *client);


#endif /* _NGX_AGT_REQUEST_RECHECK_H_INCLUDED_ */
