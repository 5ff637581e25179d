
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/hide.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/context.h"
#include "upstream/upstream.h"


/* bytes of a token below which it is not looked for where it should not be */
#define NGX_AGT_HIDE_MIN  16


static ngx_uint_t ngx_agt_has(const ngx_str_t *text, const ngx_str_t *token);
static ngx_int_t ngx_agt_args_have(ngx_http_request_t *r,
    const ngx_str_t *token);
static void ngx_agt_hide_values(ngx_http_request_t *r, const ngx_str_t *token);
static ngx_int_t ngx_agt_hide_headers(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);
static ngx_int_t ngx_agt_forget(ngx_http_request_t *r, ngx_table_elt_t *h);
static ngx_int_t ngx_agt_forget_field(ngx_http_request_t *r,
    ngx_table_elt_t **field, ngx_table_elt_t *h);
static ngx_uint_t ngx_agt_is_bearer(ngx_table_elt_t *h);
static ngx_uint_t ngx_agt_is_cookie(ngx_table_elt_t *h);
static ngx_int_t ngx_agt_hide_cookie(ngx_http_request_t *r,
    ngx_str_t *name, const ngx_str_t *token);
static size_t ngx_agt_cut_cookies(ngx_str_t *value,
    const ngx_str_t *token, u_char *dst);


ngx_int_t
ngx_agt_restore(ngx_http_request_t *r, const ngx_agt_credentials_t *sent)
{
    ngx_uint_t         i;
    ngx_list_t         list;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, *copy;
#if (nginx_version < 1023000)
    ngx_table_elt_t  **cookies;
#endif

    if (ngx_list_init(&list, r->pool, 32, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

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

        if (ngx_agt_is_authorization(&h[i]) || ngx_agt_is_cookie(&h[i]))
        {
            continue;
        }

        copy = ngx_list_push(&list);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = h[i];
    }

    if (sent->field) {
        copy = ngx_list_push(&list);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *sent->field;
    }

    r->headers_in.authorization = sent->field;

#if (nginx_version < 1023000)

    cookies = sent->cookies.elts;

    for (i = 0; i < sent->cookies.nelts; i++) {
        h = cookies[i];

#else

    for (h = sent->cookie; h; h = h->next) {

#endif

        copy = ngx_list_push(&list);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
    }

#if (nginx_version < 1023000)
    r->headers_in.cookies = sent->cookies;
#else
    r->headers_in.cookie = sent->cookie;
#endif

    r->headers_in.headers = list;

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_hide(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t          rc;
    ngx_uint_t         i, n;
    ngx_agt_source_t  *sources;

    if (ngx_agt_hide_headers(r, ctx) != NGX_OK) {
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

    if (ctx == NULL || !ctx->has_token || ctx->created) {
        return NGX_OK;
    }

    if (ngx_agt_hide_cookie(r, NULL, &ctx->token) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_hide_values(r, &ctx->token);

    rc = ngx_agt_args_have(r, &ctx->token);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK
        || ngx_agt_has(&r->uri, &ctx->token)
        || ngx_agt_has(&r->main->unparsed_uri, &ctx->token))
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


/* a short token could stand anywhere by accident, and would say nothing */

static ngx_uint_t
ngx_agt_has(const ngx_str_t *text, const ngx_str_t *token)
{
    return token->len >= NGX_AGT_HIDE_MIN
           && text->len >= token->len
           && memmem(text->data, text->len, token->data, token->len) != NULL;
}


/* as they stand, and as whoever decodes them would read them: NGX_OK if so */

static ngx_int_t
ngx_agt_args_have(ngx_http_request_t *r, const ngx_str_t *token)
{
    u_char     *src, *dst;
    ngx_str_t   text;

    if (ngx_agt_has(&r->args, token)) {
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

    return ngx_agt_has(&text, token) ? NGX_OK : NGX_DECLINED;
}


/*
 * Variables remember what was read of the request before.  What has the token
 * in it is read anew, or, where it was set, is empty.
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

        if (!ngx_agt_has(&text, token)) {
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
    return ngx_agt_hide_headers(r, NULL);
}


static ngx_int_t
ngx_agt_hide_headers(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    if (ngx_list_init(&list, r->pool, 32, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

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

        if (ngx_agt_is_bearer(&h[i])) {
            r->headers_in.authorization = NULL;
            continue;
        }

        if (ctx && ctx->has_token && !ctx->created
            && !ngx_agt_is_cookie(&h[i])
            && ngx_agt_has(&h[i].value, &ctx->token))
        {
            if (ngx_agt_forget(r, &h[i]) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        copy = ngx_list_push(&list);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = h[i];
    }

    r->headers_in.headers = list;

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


/* fields that nginx keeps places of: variables read these, not the list */

static ngx_int_t
ngx_agt_forget(ngx_http_request_t *r, ngx_table_elt_t *h)
{
#if (NGX_HTTP_X_FORWARDED_FOR && nginx_version < 1023000)

    ngx_uint_t         i;
    ngx_array_t        fields;
    ngx_table_elt_t  **field, **copy;

    field = r->headers_in.x_forwarded_for.elts;

    if (ngx_array_init(&fields, r->pool, 2, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < r->headers_in.x_forwarded_for.nelts; i++) {

        if (field[i]->value.data == h->value.data) {
            continue;
        }

        copy = ngx_array_push(&fields);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = field[i];
    }

    r->headers_in.x_forwarded_for = fields;

#elif (NGX_HTTP_X_FORWARDED_FOR)

    if (ngx_agt_forget_field(r, &r->headers_in.x_forwarded_for, h) != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)

    if (ngx_agt_forget_field(r, &r->headers_in.via, h) != NGX_OK) {
        return NGX_ERROR;
    }

#endif

    if (ngx_agt_forget_field(r, &r->headers_in.host, h) != NGX_OK
        || ngx_agt_forget_field(r, &r->headers_in.user_agent, h)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_forget_field(r, &r->headers_in.referer, h);
}


static ngx_int_t
ngx_agt_forget_field(ngx_http_request_t *r,
    ngx_table_elt_t **field, ngx_table_elt_t *h)
{
#if (nginx_version < 1023000)

    /* the list has copies: what they point at tells which is meant */

    if (*field && (*field)->value.data == h->value.data) {
        *field = NULL;
    }

#else

    ngx_table_elt_t  *from, *copy, **last;

    from = *field;
    last = field;
    *last = NULL;

    for ( /* void */ ; from; from = from->next) {

        if (from->value.data == h->value.data) {
            continue;
        }

        /* a parent request reads the originals */

        copy = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *from;
        copy->next = NULL;

        *last = copy;
        last = &copy->next;
    }

#endif

    return NGX_OK;
}


ngx_uint_t
ngx_agt_is_authorization(ngx_table_elt_t *h)
{
    return h->key.len == sizeof("Authorization") - 1
           && ngx_strncasecmp(h->key.data, (u_char *) "Authorization",
                              h->key.len)
              == 0;
}


static ngx_uint_t
ngx_agt_is_bearer(ngx_table_elt_t *h)
{
    ngx_str_t  value;

    value = h->value;
    ngx_agt_bearer_strip(&value);

    return ngx_agt_is_authorization(h)
           && value.len >= sizeof("Bearer") - 1
           && ngx_strncasecmp(value.data, (u_char *) "Bearer",
                              sizeof("Bearer") - 1)
              == 0;
}


static ngx_uint_t
ngx_agt_is_cookie(ngx_table_elt_t *h)
{
    return h->key.len == sizeof("Cookie") - 1
           && ngx_strncasecmp(h->key.data, (u_char *) "Cookie", h->key.len)
              == 0;
}


/*
 * Cuts a cookie from copies of the fields, and from what $cookie_... reads:
 * that of the name, or any with the token.
 */

static ngx_int_t
ngx_agt_hide_cookie(ngx_http_request_t *r, ngx_str_t *name,
    const ngx_str_t *token)
{
    u_char            *p;
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **slot;
#if (nginx_version < 1023000)
    ngx_array_t        cookies;

    if (ngx_array_init(&cookies, r->pool, 2, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }
#else
    ngx_table_elt_t   *first;

    first = NULL;
    slot = &first;
#endif

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

        if (!ngx_agt_is_cookie(&h[i])) {
            continue;
        }

        p = ngx_pnalloc(r->pool, h[i].value.len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        h[i].value.len = name
                         ? ngx_agt_bearer_cut_cookie(&h[i].value, name, p)
                         : ngx_agt_cut_cookies(&h[i].value, token, p);
        h[i].value.data = p;
        p[h[i].value.len] = '\0';

#if (nginx_version < 1023000)

        slot = ngx_array_push(&cookies);
        if (slot == NULL) {
            return NGX_ERROR;
        }

        *slot = &h[i];

#else

        *slot = &h[i];
        slot = &h[i].next;
        *slot = NULL;

#endif
    }

#if (nginx_version < 1023000)
    r->headers_in.cookies = cookies;
#else
    r->headers_in.cookie = first;
#endif

    return NGX_OK;
}


static size_t
ngx_agt_cut_cookies(ngx_str_t *value, const ngx_str_t *token, u_char *dst)
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

        if (ngx_agt_has(&pair, token)) {
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
