
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/identity.h"
#include "request/context.h"
#include "request/headers.h"
#include "request/variables.h"
#include "upstream/exchange.h"


static ngx_int_t ngx_agt_identity_keep(ngx_http_request_t *r,
    ngx_table_elt_t *h, void *data);
static ngx_int_t ngx_agt_identity_connection(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf, ngx_table_elt_t *h);
static ngx_uint_t ngx_agt_identity_is_name(
    const ngx_agt_main_conf_t *mcf, const u_char *name,
    size_t len);
static u_char ngx_agt_identity_fold(u_char ch);
static ngx_int_t ngx_agt_identity_header(ngx_http_request_t *r,
    const ngx_str_t *prefix, const char *name, const ngx_str_t *value);
static ngx_uint_t ngx_agt_identity_is_value(const ngx_str_t *value);


/*
 * Only this module may set identity headers.  If they are configured anywhere,
 * fields of their names are taken out of every request before another module
 * reads it.
 */

ngx_int_t
ngx_agt_identity_post_read_handler(ngx_http_request_t *r)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    if (ngx_agt_identity_remove(r, mcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_agt_identity_remove(ngx_http_request_t *r, const ngx_agt_main_conf_t *mcf)
{
    return ngx_agt_headers_copy(r, ngx_agt_identity_keep, (void *) mcf);
}


static ngx_int_t
ngx_agt_identity_keep(ngx_http_request_t *r, ngx_table_elt_t *h, void *data)
{
    const ngx_agt_main_conf_t *mcf = data;

    if (ngx_agt_identity_is_name(mcf, h->key.data, h->key.len)) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "agilicus token: identity header taken out");
        return NGX_DECLINED;
    }

    return ngx_agt_headers_is(h, "Connection")
           ? ngx_agt_identity_connection(r, mcf, h) : NGX_OK;
}


/*
 * RFC 9110, section 7.6.1: a proxy drops the headers that Connection names.  A
 * client must not have identity headers or Authorization dropped that way where
 * "Connection" is forwarded.
 */

static ngx_int_t
ngx_agt_identity_connection(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf, ngx_table_elt_t *h)
{
    u_char      *p, *last, *start, *end, *dst;
    ngx_uint_t   names;

    p = h->value.data;
    last = p + h->value.len;

    dst = ngx_pnalloc(r->pool, h->value.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    h->value.data = dst;
    names = 0;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        end = p;

        while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (start == end
            || ngx_agt_identity_is_name(mcf, start, end - start)
            || (end - start == sizeof("Authorization") - 1
                && ngx_strncasecmp(start, (u_char *) "Authorization",
                                   end - start)
                   == 0))
        {
            continue;
        }

        if (names++) {
            *dst++ = ',';
        }

        dst = ngx_cpymem(dst, start, end - start);
    }

    *dst = '\0';
    h->value.len = dst - h->value.data;

    return NGX_OK;
}


/* whether a name begins with a configured prefix, in any spelling */

static ngx_uint_t
ngx_agt_identity_is_name(const ngx_agt_main_conf_t *mcf,
    const u_char *name, size_t len)
{
    size_t            j;
    ngx_uint_t        i;
    const ngx_str_t  *prefix;

    prefix = mcf->identity.elts;

    for (i = 0; i < mcf->identity.nelts; i++) {

        if (len < prefix[i].len) {
            continue;
        }

        for (j = 0; j < prefix[i].len; j++) {
            if (ngx_agt_identity_fold(name[j])
                != ngx_agt_identity_fold(prefix[i].data[j]))
            {
                break;
            }
        }

        if (j == prefix[i].len) {
            return 1;
        }
    }

    return 0;
}


/* CGI gives all of these characters the same name */

static u_char
ngx_agt_identity_fold(u_char ch)
{
    if (ch == '_' || ch == '.') {
        return '-';
    }

    return ngx_tolower(ch);
}


ngx_int_t
ngx_agt_identity_add(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t               scopes;
    const ngx_agt_facts_t  *facts;

    /* facts of the token that goes upstream */

    if (lcf->reissue && ctx->exchange == NULL) {
        return NGX_OK;
    }

    facts = lcf->reissue ? &ctx->exchange->facts : &ctx->facts;

    if (ngx_agt_variables_join(r->pool, &facts->lists[NGX_AGT_FACTS_SCOPES],
                               &scopes)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_agt_identity_header(r, &lcf->identity, "Sub", &facts->sub)
            != NGX_OK
        || ngx_agt_identity_header(r, &lcf->identity, "Email", &facts->email)
            != NGX_OK
        || ngx_agt_identity_header(r, &lcf->identity, "Org", &facts->org)
            != NGX_OK
        || ngx_agt_identity_header(r, &lcf->identity, "Jti", &facts->jti)
            != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_identity_header(r, &lcf->identity, "Scopes", &scopes);
}


static ngx_int_t
ngx_agt_identity_header(ngx_http_request_t *r,
    const ngx_str_t *prefix, const char *name, const ngx_str_t *value)
{
    size_t     len;
    ngx_str_t  key, copy;

    /* a claim that is no text for a header is left out */

    if (value->len == 0 || !ngx_agt_identity_is_value(value)) {
        return NGX_OK;
    }

    len = ngx_strlen(name);

    key.len = prefix->len + len;
    key.data = ngx_pnalloc(r->pool, key.len + 1);
    copy.data = ngx_pnalloc(r->pool, value->len + 1);

    if (key.data == NULL || copy.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(ngx_cpymem(key.data, prefix->data, prefix->len), name, len) =
        '\0';

    /* header values end with a null in nginx */

    copy.len = value->len;
    *ngx_cpymem(copy.data, value->data, value->len) = '\0';

    return ngx_agt_headers_add(r, &key, &copy) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_agt_identity_is_value(const ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] > 0x7e) {
            return 0;
        }
    }

    return value->data[0] != ' ' && value->data[value->len - 1] != ' ';
}
