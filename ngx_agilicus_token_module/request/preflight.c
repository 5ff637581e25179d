
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/preflight.h"
#include "request/context.h"


/*
 * A location that reads static files knows no OPTIONS.  This handler stands
 * before the one that would refuse the method.
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
 * Where a token is asked for, the request has been let in for being a
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

    return ctx && !ctx->has_token
           && ctx->decision.verdict == NGX_AGT_VERDICT_NONE;
}


ngx_uint_t
ngx_agt_preflight_is(ngx_http_request_t *r)
{
    ngx_str_t         value;
    ngx_uint_t        i, origin, method;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_OPTIONS) {
        return 0;
    }

    origin = 0;
    method = 0;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        value = h[i].value;
        ngx_agt_bearer_strip(&value);

        if (value.len == 0) {
            continue;
        }

        if (h[i].key.len == sizeof("Origin") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Origin",
                               h[i].key.len)
               == 0)
        {
            origin = 1;
        }

        if (h[i].key.len == sizeof("Access-Control-Request-Method") - 1
            && ngx_strncasecmp(h[i].key.data,
                               (u_char *) "Access-Control-Request-Method",
                               h[i].key.len)
               == 0)
        {
            method = 1;
        }
    }

    return origin && method;
}
