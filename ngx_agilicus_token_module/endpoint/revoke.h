
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The content handler of "agilicus_token_revoke".
 */
ngx_int_t ngx_agt_revoke_handler(ngx_http_request_t *r);

/*
 * Refuses a method, naming those that are allowed, or answers a preflight that
 * passes; returns the status.
 */
ngx_int_t ngx_agt_not_allowed(ngx_http_request_t *r, const char *allow);


#endif /* _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_ */
