
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_


#include "request/context.h"


/*
 * 1 if this is the Authorization field, else 0.
 */
ngx_uint_t ngx_agt_is_authorization(ngx_table_elt_t *h);

/*
 * Puts these credentials in place of those in the request's headers, in a new
 * list.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_restore(ngx_http_request_t *r,
    const ngx_agt_credentials_t *sent);


#endif /* _NGX_AGT_UPSTREAM_HIDE_H_INCLUDED_ */
