
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/hide.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/headers.h"
#include "token/bearer.h"
#include "token/text.h"


/* a token with fewer bytes is not looked for outside of its place */
#define NGX_AGT_HIDE_MIN  16


static ngx_uint_t ngx_agt_hide_has(const ngx_str_t *text,
    const ngx_str_t *token);
static ngx_int_t ngx_agt_hide_args_have(ngx_http_request_t *r,
    const ngx_str_t *token);
static void ngx_agt_hide_values(ngx_http_request_t *r, const ngx_str_t *token);
static ngx_int_t ngx_agt_hide_keep(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data);
static ngx_int_t ngx_agt_hide_keep_basic(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_uint_t ngx_agt_hide_has_scheme(ngx_table_elt_t *h,
    const char *scheme);
static ngx_int_t ngx_agt_hide_cookie(ngx_http_request_t *r,
    ngx_str_t *name, const ngx_str_t *token);
static size_t ngx_agt_hide_cut_cookies(ngx_str_t *value,
    const ngx_str_t *token, u_char *dst);


ngx_int_t
ngx_agt_hide(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t          rc;
    ngx_uint_t         i, n;
    ngx_agt_source_t  *sources;

    if (ngx_agt_headers_copy(r, ngx_agt_hide_keep, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = lcf->sources ? lcf->sources->nelts : 0;
    sources = n ? lcf->sources->elts : NULL;

    for (i = 0; i < n; i++) {
        if (sources[i].type == NGX_AGT_SOURCE_COOKIE
            && ngx_agt_hide_cookie(r, &sources[i].name, NULL)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx == NULL || ctx->source == NULL || ctx->token.len == 0) {
        return NGX_OK;
    }

    if (ngx_agt_hide_cookie(r, NULL, &ctx->token) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_hide_values(r, &ctx->token);

    rc = ngx_agt_hide_args_have(r, &ctx->token);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK
        || ngx_agt_hide_has(&r->uri, &ctx->token)
        || ngx_agt_hide_has(&r->main->unparsed_uri, &ctx->token))
    {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MALFORMED,
                             NGX_AGT_REASON_MULTIPLE);
        ngx_agt_access_conclude(r, ctx, lcf);

        if (lcf->enable == NGX_AGT_REPORT) {
            return NGX_OK;
        }

        return ngx_agt_challenge_set(r, ctx);
    }

    return NGX_OK;
}


/* a short token could stand anywhere by chance */

static ngx_uint_t
ngx_agt_hide_has(const ngx_str_t *text, const ngx_str_t *token)
{
    return token->len >= NGX_AGT_HIDE_MIN
           && text->len >= token->len
           && memmem(text->data, text->len, token->data, token->len) != NULL;
}


/* NGX_OK if the token stands in the arguments, as they are or decoded */

static ngx_int_t
ngx_agt_hide_args_have(ngx_http_request_t *r, const ngx_str_t *token)
{
    u_char     *src, *dst;
    ngx_str_t   text;

    if (ngx_agt_hide_has(&r->args, token)) {
        return NGX_OK;
    }

    if (ngx_strlchr(r->args.data, r->args.data + r->args.len, '%') == NULL) {
        return NGX_DECLINED;
    }

    text.data = ngx_pnalloc(r->pool, r->args.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    src = r->args.data;
    dst = text.data;

    ngx_unescape_uri(&dst, &src, r->args.len, 0);

    text.len = dst - text.data;

    return ngx_agt_hide_has(&text, token) ? NGX_OK : NGX_DECLINED;
}


/*
 * nginx keeps values of variables.  A value with the token in it is made anew,
 * or is emptied if "set" has assigned it.
 */

static void
ngx_agt_hide_values(ngx_http_request_t *r, const ngx_str_t *token)
{
    ngx_str_t                   text;
    ngx_uint_t                  i;
    ngx_http_variable_t        *variables;
    ngx_http_variable_value_t  *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    variables = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        v = &r->variables[i];

        if (!v->valid) {
            continue;
        }

        text.data = v->data;
        text.len = v->len;

        if (!ngx_agt_hide_has(&text, token)) {
            continue;
        }

        if (variables[i].flags & NGX_HTTP_VAR_WEAK) {
            v->len = 0;

        } else {
            v->valid = 0;
        }
    }
}


ngx_int_t
ngx_agt_hide_bearer(ngx_http_request_t *r)
{
    return ngx_agt_headers_copy(r, ngx_agt_hide_keep, NULL);
}


ngx_int_t
ngx_agt_hide_basic(ngx_http_request_t *r, const ngx_str_t *api_key)
{
    ngx_agt_hide_values(r, api_key);

    return ngx_agt_headers_copy(r, ngx_agt_hide_keep_basic, NULL);
}


static ngx_int_t
ngx_agt_hide_keep_basic(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    if (ngx_agt_hide_has_scheme(h, "basic")) {
        r->headers_in.authorization = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_hide_keep(ngx_http_request_t *r, ngx_table_elt_t *h, const void *data)
{
    const ngx_agt_ctx_t *ctx = data;

    if (ngx_agt_hide_has_scheme(h, "bearer")) {
        r->headers_in.authorization = NULL;
        return NGX_DECLINED;
    }

    if (ctx && ctx->source && ctx->token.len
        && !ngx_agt_headers_is(h, "Cookie")
        && ngx_agt_hide_has(&h->value, &ctx->token))
    {
        return (ngx_agt_headers_forget(r, h) == NGX_OK) ? NGX_DECLINED
                                                        : NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Whatever stands after the scheme: another reader may be less strict.  The
 * scheme is in lower case.
 */

static ngx_uint_t
ngx_agt_hide_has_scheme(ngx_table_elt_t *h, const char *scheme)
{
    ngx_str_t  value;

    value = h->value;
    ngx_agt_bearer_strip(&value);

    return ngx_agt_headers_is(h, "Authorization")
           && ngx_agt_text_begins(value.data, value.data + value.len, scheme);
}


/*
 * Cuts the cookie of this name, or all cookies that hold the token, out of
 * copies of the Cookie fields and of the variables $cookie_...
 */

static ngx_int_t
ngx_agt_hide_cookie(ngx_http_request_t *r, ngx_str_t *name,
    const ngx_str_t *token)
{
    u_char             *p;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, "Cookie");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        p = ngx_pnalloc(r->pool, h->value.len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        h->value.len = name ? ngx_agt_bearer_cut_cookie(&h->value, name, p)
                            : ngx_agt_hide_cut_cookies(&h->value, token, p);
        h->value.data = p;
        p[h->value.len] = '\0';
    }

    return ngx_agt_headers_link_cookies(r);
}


static size_t
ngx_agt_hide_cut_cookies(ngx_str_t *value, const ngx_str_t *token, u_char *dst)
{
    u_char     *p, *d, *last;
    ngx_str_t   pair;

    d = dst;
    p = value->data;
    last = p + value->len;

    while (p < last) {
        pair.data = p;

        while (p < last && *p != ';') {
            p++;
        }

        pair.len = p - pair.data;
        p++;

        if (ngx_agt_hide_has(&pair, token)) {
            continue;
        }

        if (d != dst) {
            *d++ = ';';

        } else {
            while (pair.len && *pair.data == ' ') {
                pair.data++;
                pair.len--;
            }
        }

        d = ngx_cpymem(d, pair.data, pair.len);
    }

    return d - dst;
}
