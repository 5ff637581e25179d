
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_
#define _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_


#include "request/context.h"
#include "token/detail.h"


/*
 * Takes the token from the places that the location allows, as the client sent
 * it.  Returns 1 with token and digest in the context, or 0 with a decision.
 */
ngx_uint_t ngx_agt_sources_take(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Takes the token from the Authorization header only.  Returns as the above.
 */
ngx_uint_t ngx_agt_sources_take_header(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);

/*
 * Adds to a detail what each place that the location allows has.
 */
void ngx_agt_sources_detail(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_detail_t *d);


#endif /* _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_ */
