
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/gate.h"
#include "request/access.h"
#include "token/base64url.h"
#include "token/time.h"


/* checks in a second, of one worker */
#define NGX_AGT_GATE_CHECKS  1000


static const ngx_agt_jwsk_conf_t *ngx_agt_gate_conf(ngx_http_request_t *r,
    const ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_uint_t ngx_agt_gate_may_check(ngx_agt_zone_t *first, uint64_t now);
static ngx_int_t ngx_agt_gate_check(const ngx_agt_jwsk_conf_t *conf,
    ngx_agt_zone_t *first, const ngx_agt_jwt_t *jwt, time_t leeway,
    const ngx_agt_clock_t *now, ngx_agt_decision_t *decision,
    uint16_t *cause);
static ngx_uint_t ngx_agt_gate_is_settled(const ngx_agt_jwsk_conf_t *conf,
    ngx_agt_zone_t *first, const ngx_agt_clock_t *now);
static ngx_int_t ngx_agt_gate_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_decision_t *decision, const ngx_agt_clock_t *now);


ngx_int_t
ngx_agt_gate(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    u_char                      fingerprint[NGX_AGT_FINGERPRINT_LEN];
    uint16_t                    cause;
    ngx_agt_jwt_t               jwt;
    ngx_agt_zone_t             *first;
    ngx_agt_clock_t             now;
    ngx_agt_decision_t          decision;
    const ngx_agt_jwsk_conf_t  *conf;
    const ngx_agt_main_conf_t  *mcf;

    conf = ngx_agt_gate_conf(r, ctx, lcf);

    if (conf == NULL) {
        return NGX_DECLINED;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    first = mcf->api.first;

    ngx_agt_clock_now(&now);

    if (ngx_agt_keys_see(first, conf->source) == 0) {
        return NGX_DECLINED;
    }

    decision.verdict = NGX_AGT_VERDICT_INVALID;
    decision.reason = NGX_AGT_REASON_SIGNATURE;
    cause = NGX_AGT_CAUSE_NO_JWT;

    if (ngx_agt_jwt_split(&ctx->token, &jwt) != NGX_OK) {

        if (!conf->strict) {
            return NGX_DECLINED;
        }

    } else {

        if (!ngx_agt_gate_may_check(first, now.mono)
            || ngx_agt_gate_check(conf, first, &jwt, lcf->leeway, &now,
                                  &decision, &cause)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (conf->mode == NGX_AGT_REPORT) {
        ngx_agt_zone_count(first, NGX_AGT_COUNT_GATE_REPORTED);
        ngx_agt_digest_fingerprint(ctx->digest, fingerprint);

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "agilicus token: the signature gate would refuse: %V, "
                      "%V, %s, fingerprint %*s",
                      ngx_agt_verdict_word(decision.verdict),
                      ngx_agt_reason_word(decision.reason),
                      ngx_agt_cause_words(cause),
                      sizeof(fingerprint), fingerprint);

        return NGX_DECLINED;
    }

    ngx_agt_zone_count(first, NGX_AGT_COUNT_GATE_REFUSED);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "agilicus token gate: %s", ngx_agt_cause_words(cause));

    ctx->cause = cause;

    return ngx_agt_gate_refuse(r, ctx, lcf, &decision, &now);
}


ngx_uint_t
ngx_agt_gate_refuses(ngx_http_request_t *r, const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    const ngx_agt_jwsk_conf_t  *conf;

    conf = ngx_agt_gate_conf(r, ctx, lcf);

    return conf && conf->mode == NGX_AGT_ON;
}


/* NULL where the location's tokens are not checked, or this one is not */

static const ngx_agt_jwsk_conf_t *
ngx_agt_gate_conf(ngx_http_request_t *r, const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    if (mcf->jwsk.api == NULL
        || !ngx_agt_digest_equal(mcf->jwsk.api->digest,
                                 lcf->origin->api->digest))
    {
        return NULL;
    }

    /* an API key has no signature; the API itself has created a token */

    if (ctx->api_key || ctx->source == NULL) {
        return NULL;
    }

    return &mcf->jwsk;
}


static ngx_uint_t
ngx_agt_gate_may_check(ngx_agt_zone_t *first, uint64_t now)
{
    static uint64_t    second;
    static ngx_uint_t  checks;

    if (now - second >= 1000) {
        second = now;
        checks = 0;
    }

    if (checks == NGX_AGT_GATE_CHECKS) {
        ngx_agt_zone_count(first, NGX_AGT_COUNT_GATE_UNCHECKED);
        return 0;
    }

    checks++;
    ngx_agt_zone_count(first, NGX_AGT_COUNT_GATE_CHECKED);

    return 1;
}


/*
 * NGX_OK if the token is to be refused, with the decision and the cause, else
 * NGX_DECLINED.  The decision is "invalid" already.
 */

static ngx_int_t
ngx_agt_gate_check(const ngx_agt_jwsk_conf_t *conf, ngx_agt_zone_t *first,
    const ngx_agt_jwt_t *jwt, time_t leeway, const ngx_agt_clock_t *now,
    ngx_agt_decision_t *decision, uint16_t *cause)
{
    size_t                len;
    u_char                digest[NGX_AGT_DIGEST_LEN];
    u_char                signature[NGX_AGT_ES256_SIGNATURE];
    int64_t               exp;
    ngx_uint_t            whole, settled;
    ngx_agt_keys_e        verdict;
    ngx_agt_jwt_header_t  header;

    if (ngx_agt_jwt_header(jwt, &header) != NGX_OK) {
        return conf->strict ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_agt_digest(digest, &jwt->input, 1) != NGX_OK) {
        return NGX_DECLINED;
    }

    whole = ngx_agt_base64url_decode(&jwt->signature, signature,
                                     sizeof(signature), &len) == NGX_OK
            && len == sizeof(signature);

    verdict = ngx_agt_keys_judge(&header, digest, whole ? signature : NULL,
                                 now->mono);

    switch (verdict) {

    case NGX_AGT_KEYS_GOOD:

        /* what cannot be read is left to the API */

        if (ngx_agt_jwt_exp(jwt, &exp) != NGX_OK
            || now->wall < ngx_agt_time_add(exp, leeway))
        {
            return NGX_DECLINED;
        }

        decision->verdict = NGX_AGT_VERDICT_EXPIRED;
        decision->reason = NGX_AGT_REASON_EXPIRED;
        *cause = NGX_AGT_CAUSE_PAST_EXP;

        return NGX_OK;

    case NGX_AGT_KEYS_FORGED:
        *cause = NGX_AGT_CAUSE_FORGED;

        return NGX_OK;

    case NGX_AGT_KEYS_UNVERIFIED:
        *cause = NGX_AGT_CAUSE_UNSIGNED;

        return ngx_agt_gate_is_settled(conf, first, now) ? NGX_OK
                                                         : NGX_DECLINED;

    case NGX_AGT_KEYS_UNKNOWN:
        *cause = NGX_AGT_CAUSE_NO_KEY;

        settled = ngx_agt_gate_is_settled(conf, first, now);

        return (settled && conf->strict) ? NGX_OK : NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}


/*
 * A token that the keys do not know may have been signed by a key that is newer
 * than they are, so they are fetched once more before it is refused.
 */

static ngx_uint_t
ngx_agt_gate_is_settled(const ngx_agt_jwsk_conf_t *conf,
    ngx_agt_zone_t *first, const ngx_agt_clock_t *now)
{
    ngx_int_t  rc;

    if (conf->keys) {
        return 1;
    }

    rc = ngx_agt_keys_settled(first, now->mono);

    if (rc == NGX_DECLINED) {
        ngx_agt_jwsk_wanted();
    }

    return rc == NGX_OK;
}


/* "expired" depends on the location, so it is not remembered */

static ngx_int_t
ngx_agt_gate_refuse(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_decision_t *decision,
    const ngx_agt_clock_t *now)
{
    ngx_str_t  cause;

    static const ngx_str_t  none = ngx_null_string;

    ngx_agt_decision_set(ctx, decision->verdict, decision->reason);

    if (lcf->origin->zone && decision->verdict == NGX_AGT_VERDICT_INVALID) {
        cause.data = (u_char *) &ctx->cause;
        cause.len = sizeof(ctx->cause);

        (void) ngx_agt_cache_store(lcf->origin->zone, &ctx->place,
                                   NGX_AGT_CLASS_INVALID, decision->reason,
                                   &cause, &none, now->mono, now->mono, 0);
    }

    return NGX_OK;
}
