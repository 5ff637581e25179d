
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_
#define _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_


#include "request/context.h"


/*
 * What a worker keeps for the token's own rules.
 */
ngx_int_t ngx_agt_host_rules_init(void);
void ngx_agt_host_rules_exit(void);

/*
 * Whether the token's rules let the request through.  NGX_OK, NGX_DECLINED with
 * the reason, or NGX_AGAIN where the body must be read first.
 */
ngx_int_t ngx_agt_host_rules_match(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_reason_e *reason);

/*
 * Reads the body; the phases run again when it is there.  NGX_DONE, or a
 * status.
 */
ngx_int_t ngx_agt_host_rules_read_body(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);


#endif /* _NGX_AGT_REQUEST_HOST_RULES_H_INCLUDED_ */
