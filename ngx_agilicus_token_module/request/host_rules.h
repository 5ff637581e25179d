
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_
#define _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_


#include "request/context.h"
#include "rules/rules.h"
#include "token/detail.h"


/*
 * Set up and free the compiled patterns that a worker keeps for the rules of
 * tokens.  The first returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_host_rules_init(void);
void ngx_agt_host_rules_exit(void);

/*
 * Asks the token's rules whether they allow the request.  NGX_OK if so,
 * NGX_DECLINED with the reason set if not, NGX_AGAIN if the body must be read
 * first.
 */
ngx_int_t ngx_agt_host_rules_match(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_reason_e *reason);

/*
 * Reads the body in the access phase.  NGX_DONE if the request's phases run
 * again when the body is there, or have run; else the status of a failure.
 */
ngx_int_t ngx_agt_host_rules_read_body(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);

/*
 * Gathers a body that was read into one piece, which may be its own buffer.
 * NGX_OK, NGX_DECLINED where there is none in memory or it has more than "max"
 * bytes, or NGX_ERROR.
 */
ngx_int_t ngx_agt_host_rules_gather(ngx_http_request_t *r, off_t max,
    ngx_str_t *text);

/*
 * Sets the path of a view to a raw one, decoded once, in memory of the request;
 * query and has_query are set before.  NGX_OK, NGX_DECLINED where different
 * readers could read it differently, or NGX_ERROR.  With NGX_DECLINED, the path
 * is the part of the raw one that is at fault; it is empty where the query is.
 */
ngx_int_t ngx_agt_host_rules_path(ngx_http_request_t *r,
    const ngx_str_t *raw, ngx_agt_rules_view_t *view);

/*
 * Adds to a detail how rules have refused the request of the context.
 */
void ngx_agt_host_rules_detail(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_detail_t *d);


#endif /* _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_ */
