
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/preflight.h"
#include "request/context.h"
#include "request/headers.h"
#include "token/bearer.h"


static ngx_uint_t ngx_agt_preflight_has(ngx_http_request_t *r,
    const char *name);


/*
 * nginx's handler of static files refuses OPTIONS.  This handler runs before it
 * and answers a preflight.
 */

ngx_int_t
ngx_agt_preflight_handler(ngx_http_request_t *r)
{
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF || !ngx_agt_preflight_passes(r))
    {
        return NGX_DECLINED;
    }

    return NGX_HTTP_NO_CONTENT;
}


/*
 * In a location that enforces, the request has been allowed because it is a
 * preflight, or by another module and without a token.
 */

ngx_uint_t
ngx_agt_preflight_passes(ngx_http_request_t *r)
{
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->preflight != NGX_AGT_PREFLIGHT_PASS || !ngx_agt_preflight_is(r))
    {
        return 0;
    }

    if (lcf->enable == NGX_AGT_OFF) {
        return r->headers_in.authorization == NULL;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    return ctx && ctx->token.len == 0
           && ctx->decision.verdict == NGX_AGT_VERDICT_NONE;
}


ngx_uint_t
ngx_agt_preflight_is(ngx_http_request_t *r)
{
    return r->method == NGX_HTTP_OPTIONS
           && ngx_agt_preflight_has(r, "Origin")
           && ngx_agt_preflight_has(r, "Access-Control-Request-Method");
}


static ngx_uint_t
ngx_agt_preflight_has(ngx_http_request_t *r, const char *name)
{
    ngx_str_t           value;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, name);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        value = h->value;
        ngx_agt_bearer_strip(&value);

        if (value.len) {
            return 1;
        }
    }

    return 0;
}
