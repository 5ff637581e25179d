
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_REISSUE_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_REISSUE_H_INCLUDED_


#include "request/context.h"


/*
 * Gets the request's token reissued for upstream.  NGX_OK, NGX_AGAIN while the
 * request waits, or the status of a refusal.
 */
ngx_int_t ngx_agt_reissue(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_UPSTREAM_REISSUE_H_INCLUDED_ */
