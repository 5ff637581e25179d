
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Takes identity headers that a client sent out of its request; the handler of
 * the post-read phase, registered where they are configured.
 */
ngx_int_t ngx_agt_identity_post_read_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_ */
