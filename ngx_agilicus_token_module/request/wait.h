
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_WAIT_H_INCLUDED_
#define _NGX_AGT_REQUEST_WAIT_H_INCLUDED_


#include "request/context.h"


/*
 * Asks the API for the token's facts.  NGX_AGAIN if the request waits now,
 * NGX_OK with something to decide on.
 */
ngx_int_t ngx_agt_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Has the request wait for ctx->waiter, no longer than the location says; the
 * phases run again then.  NGX_AGAIN, or NGX_ERROR with the waiter gone.
 */
ngx_int_t ngx_agt_wait(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Ends the wait when its answer has been taken.
 */
void ngx_agt_wake(ngx_agt_ctx_t *ctx);


#endif /* _NGX_AGT_REQUEST_WAIT_H_INCLUDED_ */
