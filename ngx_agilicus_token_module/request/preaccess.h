
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_
#define _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_


#include "request/context.h"


/*
 * The handler of the preaccess phase, where it is configured.
 */
ngx_int_t ngx_agt_preaccess_handler(ngx_http_request_t *r);

/*
 * Does what ngx_agt_access_learn() does, for a request whose token the
 * preaccess phase has looked up before.  NGX_AGAIN if the request waits now,
 * NGX_OK with something to decide on.
 */
ngx_int_t ngx_agt_preaccess_learn_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Sets the verdict if facts that served in place of an answer have become too
 * old for that since.
 */
void ngx_agt_preaccess_check_stale(ngx_agt_ctx_t *ctx);


#endif /* _NGX_AGT_REQUEST_PREACCESS_H_INCLUDED_ */
