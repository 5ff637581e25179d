
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_HOOK_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_HOOK_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The content handler of "agilicus_token_revocation_hook".  A POST names
 * tokens, sessions and subjects in JSON.  They are denied at this edge for
 * every API before 204 is answered.
 */
ngx_int_t ngx_agt_hook_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_HOOK_H_INCLUDED_ */
