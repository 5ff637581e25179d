
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_
#define _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_


#include "request/context.h"


/*
 * Looks the token up in the worker, the zone and the denials.  Returns NGX_OK
 * if the context has an answer or a decision, NGX_DECLINED if the API must be
 * asked.
 */
ngx_int_t ngx_agt_look_up(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Asks the API for the token's facts.  Returns NGX_AGAIN if the request waits,
 * NGX_OK if the context has an answer or a decision.
 */
ngx_int_t ngx_agt_look_up_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Returns 1 if newer facts may end a refusal for which the user can do
 * something at the API: these are older than a second, and this request has not
 * asked for newer ones; else 0.
 */
ngx_uint_t ngx_agt_look_up_is_old(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);

/*
 * Asks the API for newer facts than those of the context, at most once a second
 * and token, on any worker: requests meanwhile wait for the same call, and get
 * its failure.  Takes the decision back.  Returns as ngx_agt_look_up_ask().
 */
ngx_int_t ngx_agt_look_up_newer(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * Fills in "introspect" for the token of the context, without a client to
 * charge.
 */
void ngx_agt_look_up_question(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_introspect_t *introspect);

/*
 * Returns the key under which the request's token is denied, which belongs to
 * the context, or NULL if digesting failed.
 */
const u_char *ngx_agt_look_up_denial_key(ngx_agt_ctx_t *ctx);

/*
 * Notes, for this request and in the entry that it has used, how late the token
 * is at "wall" (seconds since the epoch), where that is later than it was seen
 * before: a token that was seen to have expired stays so when the clock is set
 * back.  To be called when the request has waited since it looked the entry up.
 */
void ngx_agt_look_up_note_late(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, int64_t wall);

/*
 * Looks for a denial of the request's token, and of its facts if they are
 * known.  Returns the reason of the denial, or NGX_AGT_REASON_NONE.
 */
ngx_agt_reason_e ngx_agt_look_up_denial(
    ngx_agt_ctx_t *ctx, const ngx_agt_clock_t *now);

/*
 * Returns 1 if the feed of this API is healthy, and would report a revocation,
 * else 0.
 */
ngx_uint_t ngx_agt_look_up_watched(ngx_http_request_t *r,
    ngx_agt_api_t *api, const ngx_agt_clock_t *now);

/*
 * Whether facts in the context may be used at their age: NGX_OK if so, at once
 * or while they are refreshed; NGX_DECLINED if the API must be asked first.
 */
ngx_int_t ngx_agt_look_up_age(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_clock_t *now);

/*
 * Copies packed facts into "pool": "*packed" is the copy, in which "facts" lie.
 * Returns NGX_OK, or NGX_ERROR if there is no memory or the bytes are no facts.
 */
ngx_int_t ngx_agt_look_up_keep(ngx_pool_t *pool, const ngx_str_t *found,
    ngx_str_t *packed, ngx_agt_facts_t *facts);

/*
 * Does the same for the facts of the request's token, in the request's pool.
 */
ngx_int_t ngx_agt_ctx_keep_facts(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *packed);

/*
 * Copies packed rules to the request's pool.  NGX_OK, or NGX_ERROR if there is
 * no memory.
 */
ngx_int_t ngx_agt_ctx_keep_rules(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *rules);

/*
 * Return the zone that holds budgets and counters, and the denials.
 */
ngx_agt_zone_t *ngx_agt_request_first_zone(ngx_http_request_t *r);
ngx_agt_denials_t *ngx_agt_request_denials(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_LOOK_UP_H_INCLUDED_ */
