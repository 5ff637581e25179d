
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_GATE_H_INCLUDED_
#define _NGX_AGT_REQUEST_GATE_H_INCLUDED_


#include "request/context.h"


/*
 * The signature gate: a token of which nothing is known is checked with the
 * public keys of its API before the API is asked.  The gate refuses tokens; it
 * never lets a request in.
 */

/*
 * Checks the token of the context.  NGX_OK if it is refused: the context has
 * the decision, and a token with a wrong signature is remembered.  NGX_DECLINED
 * if the API is to be asked.
 */
ngx_int_t ngx_agt_gate(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);

/*
 * Returns 1 if the gate may refuse the token of the context in this location,
 * else 0: a refusal by the gate that is remembered does not count then.
 */
ngx_uint_t ngx_agt_gate_refuses(ngx_http_request_t *r,
    const ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_REQUEST_GATE_H_INCLUDED_ */
