
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The content handler of "agilicus_token_revoke" (RFC 7009).  A POST revokes
 * the token in its Authorization header: the token is denied at this edge, on
 * all workers, and then revoked at the API, and then 204 is answered.  Neither
 * the body nor the query changes which token is revoked.
 */
ngx_int_t ngx_agt_revoke_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_REVOKE_H_INCLUDED_ */
