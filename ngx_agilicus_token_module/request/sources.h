
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_
#define _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_


#include "request/context.h"


/*
 * Returns the client's part of a request, and makes it if there is none yet;
 * NULL if there is no memory.  It lives as long as the main request.
 */
ngx_agt_client_t *ngx_agt_client_get(ngx_http_request_t *r);

/*
 * Returns the client's part of a request, or NULL if there is none yet.
 */
ngx_agt_client_t *ngx_agt_client_find(ngx_http_request_t *r);

/*
 * Returns the context of a request's last decision, also after an internal
 * redirect, or NULL if there is none.
 */
ngx_agt_ctx_t *ngx_agt_ctx_find(ngx_http_request_t *r);

/*
 * Takes the token from the places that the location allows, as the client sent
 * it.  Returns 1 with token and digest in the context, or 0 with a decision.
 */
ngx_uint_t ngx_agt_sources_take(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * If the location enforces and takes tokens from the query, cuts them out of
 * the arguments, the request line and the unparsed URI, also those of the
 * parent requests.  NGX_OK, or NGX_ERROR if there is no memory; then the whole
 * query has been cut.
 */
ngx_int_t ngx_agt_sources_cut_query(ngx_http_request_t *r);

/*
 * Takes the token from the Authorization header only.  Returns as the above.
 */
ngx_uint_t ngx_agt_sources_take_header(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_ */
