
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/hook.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/context.h"
#include "request/headers.h"
#include "request/host_rules.h"
#include "endpoint/reply.h"
#include "json/hook.h"


typedef struct {
    ngx_http_request_t  *request;
    ngx_uint_t           failed;
} ngx_agt_hook_t;


static void ngx_agt_hook_body(ngx_http_request_t *r);
static ngx_int_t ngx_agt_hook_take(ngx_http_request_t *r);
static void ngx_agt_hook_deny(void *data,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value);


ngx_int_t
ngx_agt_hook_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->method != NGX_HTTP_POST) {
        return ngx_agt_reply_not_allowed(r, "POST");
    }

    if (!ngx_agt_headers_is_json(r)) {
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (r->headers_in.content_length_n > NGX_AGT_JSON_MAX_HOOK) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    /* "client_body_in_file_only" is ignored: the body must be in memory */

    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r, ngx_agt_hook_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_agt_hook_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_agt_hook_take(r));
}


static ngx_int_t
ngx_agt_hook_take(ngx_http_request_t *r)
{
    ngx_int_t       rc;
    ngx_str_t       body;
    ngx_agt_ctx_t  *ctx;
    ngx_agt_hook_t  hook;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* the location's buffer has the largest size that is allowed */

    rc = ngx_agt_host_rules_gather(r, NGX_AGT_JSON_MAX_HOOK, &body);

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                 : NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    hook.request = r;
    hook.failed = 0;

    if (ngx_agt_json_hook(body.data, body.len, ngx_agt_hook_deny, &hook)
        != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!hook.failed) {
        return NGX_HTTP_NO_CONTENT;
    }

    /*
     * Names that there was room for are denied.  503 makes the sender repeat
     * the request.
     */

    ctx = ngx_agt_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                         NGX_AGT_REASON_OVERLOAD);

    ctx->life = NGX_AGT_LIFE_DONE;
    ctx->status = ngx_agt_challenge_status(&ctx->decision);

    return ngx_agt_challenge_set(r, ctx);
}


static void
ngx_agt_hook_deny(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value)
{
    ngx_agt_hook_t *hook = data;

    ngx_uint_t                  i, j;
    ngx_agt_clock_t             now;
    ngx_agt_denial_args_t       args;
    const ngx_agt_api_conf_t   *conf;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(hook->request,
                                        ngx_agilicus_token_module);
    conf = &mcf->api;

    ngx_agt_clock_now(&now);

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.kind = kind;
    args.source = NGX_AGT_DENIED_BY_HOOK;
    args.value = *value;
    args.until = now.wall + conf->revocation_ttl;
    args.before = now.wall;

    for (i = 0; i < conf->napis; i++) {

        /* settings that have the same URL share their denials */

        for (j = 0; j < i; j++) {
            if (ngx_agt_digest_equal(conf->apis[j]->digest,
                                     conf->apis[i]->digest))
            {
                break;
            }
        }

        args.api = conf->apis[i]->digest;

        if (j == i
            && ngx_agt_denials_add(conf->denials, &args, &now) == NGX_ERROR)
        {
            hook->failed = 1;
        }
    }
}
