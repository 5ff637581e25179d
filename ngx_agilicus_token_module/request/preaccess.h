
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_
#define _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_


#include "request/context.h"


/*
 * The handler of the preaccess phase, registered if "agilicus_token_phase
 * preaccess" stands anywhere.
 */
ngx_int_t ngx_agt_preaccess_handler(ngx_http_request_t *r);

/*
 * Looks the token up in the access phase after the preaccess phase has done so.
 * NGX_AGAIN if the request waits now, NGX_OK if the context has an answer or a
 * decision.
 */
ngx_int_t ngx_agt_preaccess_learn_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Sets the verdict UNAVAILABLE if facts that serve in place of an answer of the
 * API have become too old for that.
 */
void ngx_agt_preaccess_check_stale(ngx_agt_ctx_t *ctx);


#endif /* _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_ */
