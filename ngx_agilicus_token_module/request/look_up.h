
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_
#define _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_


#include "request/context.h"


/*
 * Looks for what is known of the token.  NGX_OK with something to decide on,
 * NGX_DECLINED if the API must be asked.
 */
ngx_int_t ngx_agt_look_up(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Asks the API for the token's facts.  NGX_AGAIN if the request waits, NGX_OK
 * with something to decide on.
 */
ngx_int_t ngx_agt_look_up_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Fills in "introspect" for the token of the context, on account of no client.
 */
void ngx_agt_look_up_question(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_introspect_t *introspect);

/*
 * The key under which the request's token is denied, or NULL where none could
 * be made.
 */
const u_char *ngx_agt_look_up_denial_key(ngx_agt_ctx_t *ctx);

/*
 * Looks for a denial of the request's token, by its facts too where they are
 * known.  Returns the reason, or NONE.
 */
ngx_agt_reason_e ngx_agt_look_up_denial(
    ngx_agt_ctx_t *ctx, const ngx_agt_clock_t *now);

/*
 * Whether the feed would tell of a revocation at this API.
 */
ngx_uint_t ngx_agt_look_up_watched(ngx_http_request_t *r,
    ngx_agt_api_t *api, const ngx_agt_clock_t *now);

/*
 * Whether facts that are in the context may be used at their age.  NGX_OK, or
 * NGX_DECLINED if the API must be asked.
 */
ngx_int_t ngx_agt_look_up_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Copies packed facts to the request's pool and opens them there.  NGX_ERROR
 * for lack of memory, or where they are none.
 */
ngx_int_t ngx_agt_ctx_keep_facts(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *packed);

/*
 * Copies packed rules to the request's pool.
 */
ngx_int_t ngx_agt_ctx_keep_rules(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *rules);

/*
 * The zone that budgets and counters lie in, and the denials.
 */
ngx_agt_zone_t *ngx_agt_request_first_zone(ngx_http_request_t *r);
ngx_agt_denials_t *ngx_agt_request_denials(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_ */
