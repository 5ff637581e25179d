
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_
#define _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_


#include "request/context.h"


/*
 * The client's part of a request, made where there is none yet; NULL for lack
 * of memory.
 */
ngx_agt_client_t *ngx_agt_client_get(ngx_http_request_t *r);

/*
 * The client's part of a request, or NULL where there is none yet.
 */
ngx_agt_client_t *ngx_agt_client_find(ngx_http_request_t *r);

/*
 * The context of a request's last decision, also after an internal redirect,
 * or NULL.
 */
ngx_agt_ctx_t *ngx_agt_ctx_find(ngx_http_request_t *r);

/*
 * Takes the token from the places that the location allows, as the client sent
 * it.  Returns 1 with token and digest in the context, 0 with a decision in it.
 */
ngx_uint_t ngx_agt_sources_take(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Where the location enforces and takes tokens from the query, cuts them from
 * the arguments, the request line and the unparsed URI, also those of the
 * parent requests.  NGX_OK, or NGX_ERROR where there is no memory: all of the
 * query has been cut then.
 */
ngx_int_t ngx_agt_sources_cut_query(ngx_http_request_t *r);

/*
 * Takes the token from the Authorization header alone.
 */
ngx_uint_t ngx_agt_sources_take_header(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_REQUEST_SOURCES_H_INCLUDED_ */
