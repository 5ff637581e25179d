
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/exchange.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/context.h"
#include "request/recheck.h"
#include "rules/path.h"


/*
 * Tokens for upstream, between the access phase and the content.  Each step may
 * wait; the phase runs again then and finds where it was.
 */

static void ngx_agt_wipe_secret(void *data);


void
ngx_agt_exchange_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ctx->class = answer->class;
    ctx->answer_reason = answer->reason;
    ctx->retry_after = answer->retry_after;

    if (answer->class != NGX_AGT_CLASS_ACTIVE) {
        return;
    }

    if (ctx->step == NGX_AGT_STEP_VERIFY) {

        if (ngx_agt_keep_child(ctx, &answer->facts) == NGX_OK) {
            return;
        }

        goto failed;
    }

    ctx->given = answer->sent;

    if (ngx_agt_keep_secret(ctx->request, &answer->token, &ctx->upstream)
        == NGX_OK)
    {
        return;
    }

failed:

    ctx->class = NGX_AGT_CLASS_INDETERMINATE;
    ctx->answer_reason = NGX_AGT_REASON_INTERNAL;
}


/* what the API says of the token that goes upstream */

ngx_int_t
ngx_agt_keep_child(ngx_agt_ctx_t *ctx, const ngx_str_t *packed)
{
    u_char  *p;

    /* facts begin with integers */

    p = ngx_palloc(ctx->request->pool, packed->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, packed->data, packed->len);

    ctx->child_packed.data = p;
    ctx->child_packed.len = packed->len;

    return ngx_agt_facts_open(&ctx->child, p, packed->len);
}


/* a token of the edge's, in the request's pool, zeroed with it */

ngx_int_t
ngx_agt_keep_secret(ngx_http_request_t *r, const ngx_str_t *token,
    ngx_str_t *kept)
{
    ngx_str_t           *s;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    s = cln->data;

    s->len = 0;
    s->data = ngx_pnalloc(r->pool, token->len);

    if (s->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->data, token->data, token->len);
    s->len = token->len;

    cln->handler = ngx_agt_wipe_secret;

    *kept = *s;

    return NGX_OK;
}


ngx_uint_t
ngx_agt_secret_is_fresh(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_secret_t *secret)
{
    uint64_t             age, late;
    ngx_agt_clock_t      now;
    ngx_agt_found_t      found;
    ngx_agt_cache_key_t  key;

    ngx_agt_zone_now(&now);

    age = now.mono - ngx_min(secret->sent, now.mono);

    if (secret->class != NGX_AGT_CLASS_ACTIVE) {
        return age < lcf->lifetimes.invalid;
    }

    if (!secret->has_exp) {
        return age < lcf->lifetimes.watched;
    }

    if (secret->late) {
        return 0;
    }

    if (now.wall < secret->exp) {
        return 1;
    }

    /* it stays expired, wherever the clock is set to */

    late = (uint64_t) now.wall - (uint64_t) secret->exp + 1;

    ngx_memzero(&found, sizeof(ngx_agt_found_t));
    found.serial = secret->serial;

    key.key = ctx->key;
    key.context = lcf->origin->context;

    ngx_agt_cache_note(lcf->origin->zone, &key, &found, 0,
                       (uint32_t) ngx_min(late, 0xffffffff));
    return 0;
}


static void
ngx_agt_wipe_secret(void *data)
{
    ngx_str_t *s = data;

    ngx_explicit_memzero(s->data, s->len);
}


/* what goes into a question to the API: a name that others could read as one */

ngx_uint_t
ngx_agt_is_name(const ngx_str_t *value)
{
    size_t   n;
    u_char  *p, *last;

    last = value->data + value->len;

    for (p = value->data; p < last; p += n) {
        n = ngx_agt_path_utf8(p, last);

        if (n == 0) {
            return 0;
        }
    }

    return value->len != 0;
}


ngx_int_t
ngx_agt_exchange_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason)
{
    ngx_str_null(&ctx->upstream);

    ctx->step = NGX_AGT_STEP_DONE;

    ngx_agt_decision_set(ctx, verdict, reason);
    ngx_agt_access_conclude(r, ctx, lcf);

    /* the response of the client's request goes on beside a subrequest */

    if (r == r->main && ctx->client->watched) {
        ngx_agt_recheck_remove(ctx->client);
    }

    return ngx_agt_challenge_set(r, ctx);
}
