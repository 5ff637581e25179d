
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/challenge.h"
#include "request/headers.h"
#include "request/required_values.h"
#include "token/text.h"


/* seconds until a client may try again, if the API names none, and at most */
#define NGX_AGT_RETRY_AFTER      1
#define NGX_AGT_MAX_RETRY_AFTER  300


static ngx_int_t ngx_agt_challenge_set_basic(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_table_elt_t *bearer);
static ngx_int_t ngx_agt_challenge_value(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_agt_challenge_step_up(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, ngx_str_t *error);
static u_char *ngx_agt_challenge_scopes(
    const ngx_agt_requirement_t *requirements, ngx_uint_t n,
    u_char *p);
static ngx_uint_t ngx_agt_challenge_repeats(
    const ngx_agt_requirement_t *requirements, ngx_uint_t i,
    ngx_uint_t j);
static ngx_table_elt_t *ngx_agt_challenge_header(
    ngx_http_request_t *r, const ngx_str_t *name, ngx_str_t *value);
static void ngx_agt_challenge_drop(ngx_http_request_t *r,
    const ngx_str_t *name);
static ngx_table_elt_t *ngx_agt_challenge_find(
    ngx_http_request_t *r, const ngx_str_t *name);
static ngx_int_t ngx_agt_challenge_realm(ngx_conf_t *cf,
    const ngx_agt_loc_conf_t *conf, const char *scheme, const char *rest,
    ngx_str_t *challenge);


/* the address of its name tells that a header was set here */

static const ngx_str_t  ngx_agt_challenge_cache_control =
    ngx_string("Cache-Control");
static const ngx_str_t  ngx_agt_challenge_retry_after =
    ngx_string("Retry-After");
static const ngx_str_t  ngx_agt_challenge_authenticate =
    ngx_string("WWW-Authenticate");

/* a second one, of an address of its own */

static u_char  ngx_agt_challenge_basic_name[] = "WWW-Authenticate";

static const ngx_str_t  ngx_agt_challenge_basic = {
    sizeof(ngx_agt_challenge_basic_name) - 1,
    ngx_agt_challenge_basic_name
};


ngx_int_t
ngx_agt_challenge_status(const ngx_agt_decision_t *decision)
{
    switch (decision->verdict) {

    case NGX_AGT_VERDICT_MISSING:
    case NGX_AGT_VERDICT_INVALID:
    case NGX_AGT_VERDICT_EXPIRED:
    case NGX_AGT_VERDICT_REVOKED:
    case NGX_AGT_VERDICT_STEP_UP:
        return NGX_HTTP_UNAUTHORIZED;

    case NGX_AGT_VERDICT_MALFORMED:
        return NGX_HTTP_BAD_REQUEST;

    case NGX_AGT_VERDICT_FORBIDDEN:
        return NGX_HTTP_FORBIDDEN;

    case NGX_AGT_VERDICT_UNAVAILABLE:
        return (decision->reason == NGX_AGT_REASON_CLIENT_RATE
                || decision->reason == NGX_AGT_REASON_CLIENT_PLACES)
               ? NGX_HTTP_TOO_MANY_REQUESTS : NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


ngx_int_t
ngx_agt_challenge_set(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    time_t                     seconds;
    ngx_str_t                  value;
    ngx_table_elt_t           *h;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->error_body == NGX_AGT_ERROR_BODY_PROBLEM) {
        ctx->problem = 1;
    }

    ngx_str_set(&value, "no-store");

    if (ngx_agt_challenge_header(r, &ngx_agt_challenge_cache_control, &value)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->decision.verdict == NGX_AGT_VERDICT_UNAVAILABLE) {

        seconds = ctx->retry_after > 0 ? ctx->retry_after
                                       : NGX_AGT_RETRY_AFTER;
        seconds = ngx_min(seconds, NGX_AGT_MAX_RETRY_AFTER);

        value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
        if (value.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        value.len = ngx_sprintf(value.data, "%T", seconds) - value.data;

        if (ngx_agt_challenge_header(r, &ngx_agt_challenge_retry_after, &value)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_agt_challenge_drop(r, &ngx_agt_challenge_authenticate);
        ngx_agt_challenge_drop(r, &ngx_agt_challenge_basic);

        return ctx->status;
    }

    if (ngx_agt_challenge_value(r, ctx, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = ngx_agt_challenge_header(r, &ngx_agt_challenge_authenticate, &value);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * nginx removes the header that is linked here when another module allows
     * the request, and auth_request copies it.
     */

    r->headers_out.www_authenticate = h;

    if (ngx_agt_challenge_set_basic(r, ctx, h) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_challenge_drop(r, &ngx_agt_challenge_retry_after);

    return ctx->status;
}


/* RFC 9110, section 11.6.1: one field for each challenge, Bearer first */

static ngx_int_t
ngx_agt_challenge_set_basic(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    ngx_table_elt_t *bearer)
{
    ngx_str_t                  value;
    ngx_table_elt_t           *h;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->basic.len == 0 || ctx->status != NGX_HTTP_UNAUTHORIZED) {
        ngx_agt_challenge_drop(r, &ngx_agt_challenge_basic);
        return NGX_OK;
    }

    value = lcf->basic;

    h = ngx_agt_challenge_header(r, &ngx_agt_challenge_basic, &value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_agt_headers_link(bearer, h);

    return NGX_OK;
}


void
ngx_agt_challenge_withdraw(ngx_http_request_t *r)
{
    if (r->err_status >= NGX_HTTP_BAD_REQUEST) {
        return;
    }

    /* "no-store" stays: the next response to this URL may be another one */

    ngx_agt_challenge_drop(r, &ngx_agt_challenge_authenticate);
    ngx_agt_challenge_drop(r, &ngx_agt_challenge_basic);
    ngx_agt_challenge_drop(r, &ngx_agt_challenge_retry_after);
}


/* RFC 6750, section 3: no error where no credentials were given at all */

static ngx_int_t
ngx_agt_challenge_value(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *value)
{
    size_t                        len;
    u_char                       *p;
    ngx_str_t                     error, url;
    ngx_uint_t                    n, i, j;
    const ngx_agt_loc_conf_t     *lcf;
    const ngx_agt_requirement_t  *requirements;

    static const ngx_str_t  metadata = ngx_string(", resource_metadata=\"");

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    n = 0;
    requirements = NULL;

    switch (ctx->decision.verdict) {

    case NGX_AGT_VERDICT_MISSING:
        ngx_str_set(&error, "");
        break;

    case NGX_AGT_VERDICT_MALFORMED:
        ngx_str_set(&error, ", error=\"invalid_request\"");
        break;

    case NGX_AGT_VERDICT_STEP_UP:

        if (ngx_agt_challenge_step_up(r, lcf, &error) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    case NGX_AGT_VERDICT_FORBIDDEN:
        ngx_str_set(&error, ", error=\"insufficient_scope\"");

        if (ctx->decision.reason == NGX_AGT_REASON_SCOPE) {
            requirements = ngx_agt_required_values(r, lcf, &n);

            if (requirements == NULL) {
                return NGX_ERROR;
            }
        }

        break;

    default:
        ngx_str_set(&error, ", error=\"invalid_token\"");
        break;
    }

    /*
     * RFC 9728, section 5.1.  The URL is empty where none is configured, and
     * where its variables make something else of it.
     */

    ngx_str_null(&url);

    if (lcf->resource_metadata
        && ngx_http_complex_value(r, lcf->resource_metadata, &url) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_agt_challenge_is_url(&url)) {
        url.len = 0;
    }

    len = lcf->challenge.len + error.len + sizeof(", scope=\"\"") - 1
          + metadata.len + url.len + 1;

    for (i = 0; i < n; i++) {
        for (j = 0; j < requirements[i].nvalues; j++) {
            len += requirements[i].values[j].len + 1;
        }
    }

    value->data = ngx_pnalloc(r->pool, len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value->data, lcf->challenge.data, lcf->challenge.len);
    p = ngx_cpymem(p, error.data, error.len);

    if (n) {
        p = ngx_agt_challenge_scopes(requirements, n, p);
    }

    if (url.len) {
        p = ngx_cpymem(p, metadata.data, metadata.len);
        p = ngx_cpymem(p, url.data, url.len);
        *p++ = '"';
    }

    value->len = p - value->data;

    return NGX_OK;
}


/* RFC 9470, section 3 */

static ngx_int_t
ngx_agt_challenge_step_up(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, ngx_str_t *error)
{
    const ngx_agt_require_conf_t  *require;

    static const char  form[] = ", error=\"insufficient_user_authentication\""
                                ", max_age=\"%T\"";

    require = lcf->require[NGX_AGT_REQUIRE_MFA]->elts;

    error->data = ngx_pnalloc(r->pool, sizeof(form) + NGX_TIME_T_LEN);
    if (error->data == NULL) {
        return NGX_ERROR;
    }

    error->len = ngx_sprintf(error->data, form, require->requirement.age)
                 - error->data;

    return NGX_OK;
}


ngx_uint_t
ngx_agt_challenge_is_url(const ngx_str_t *url)
{
    size_t         i;
    const u_char  *end;

    end = url->data + url->len;

    i = ngx_agt_text_begins(url->data, end, "https://") ? 8
        : ngx_agt_text_begins(url->data, end, "http://") ? 7 : 0;

    if (i == 0 || i == url->len) {
        return 0;
    }

    for ( /* void */ ; i < url->len; i++) {
        if (url->data[i] <= 0x20 || url->data[i] >= 0x7f
            || url->data[i] == '"' || url->data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}


/*
 * RFC 6750, section 3: the scopes configured here, in order and once each.
 * Values of variables that are no scope-token are left out.
 */

static u_char *
ngx_agt_challenge_scopes(
    const ngx_agt_requirement_t *requirements, ngx_uint_t n,
    u_char *p)
{
    size_t            k;
    u_char           *start, ch;
    ngx_uint_t        i, j;
    const ngx_str_t  *scope;

    start = p;

    for (i = 0; i < n; i++) {

        if (requirements[i].kind != NGX_AGT_REQUIRE_SCOPES) {
            continue;
        }

        for (j = 0; j < requirements[i].nvalues; j++) {
            scope = &requirements[i].values[j];

            for (k = 0; k < scope->len; k++) {
                ch = scope->data[k];

                if (ch < 0x21 || ch > 0x7e || ch == '"' || ch == '\\') {
                    break;
                }
            }

            if (k == 0 || k < scope->len
                || ngx_agt_challenge_repeats(requirements, i, j))
            {
                continue;
            }

            if (p == start) {
                p = ngx_cpymem(p, ", scope=\"", sizeof(", scope=\"") - 1);

            } else {
                *p++ = ' ';
            }

            p = ngx_cpymem(p, scope->data, scope->len);
        }
    }

    if (p != start) {
        *p++ = '"';
    }

    return p;
}


static ngx_uint_t
ngx_agt_challenge_repeats(
    const ngx_agt_requirement_t *requirements, ngx_uint_t i,
    ngx_uint_t j)
{
    ngx_uint_t        k, m, end;
    const ngx_str_t  *scope;

    scope = &requirements[i].values[j];

    for (k = 0; k <= i; k++) {

        if (requirements[k].kind != NGX_AGT_REQUIRE_SCOPES) {
            continue;
        }

        end = (k == i) ? j : requirements[k].nvalues;

        for (m = 0; m < end; m++) {
            if (ngx_agt_text_equal(&requirements[k].values[m], scope)) {
                return 1;
            }
        }
    }

    return 0;
}


/*
 * A second refusal, as in an error page, writes the header of the first one
 * anew, and likewise the copy that auth_request makes from its subrequest.
 */

static ngx_table_elt_t *
ngx_agt_challenge_header(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_str_t *value)
{
    return ngx_agt_headers_set(r, ngx_agt_challenge_find(r, name), name,
                               value);
}


static void
ngx_agt_challenge_drop(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_table_elt_t  *h;

    h = ngx_agt_challenge_find(r, name);

    if (h) {
        h->hash = 0;
    }
}


static ngx_table_elt_t *
ngx_agt_challenge_find(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    ngx_agt_headers_begin(&place, &r->headers_out.headers, NULL);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        if (h->key.data == name->data) {
            return h;
        }
    }

    return NULL;
}


ngx_int_t
ngx_agt_challenge_init(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    if (ngx_agt_challenge_realm(cf, conf, "Bearer", "", &conf->challenge)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a sign-out takes no API key; RFC 7617, section 2.1: charset */

    ngx_str_set(&conf->basic, "");

    if (conf->api_keys && conf->enable != NGX_AGT_OFF && !conf->revoke
        && ngx_agt_challenge_realm(cf, conf, "Basic", ", charset=\"UTF-8\"",
                                   &conf->basic)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_challenge_realm(ngx_conf_t *cf, const ngx_agt_loc_conf_t *conf,
    const char *scheme, const char *rest, ngx_str_t *challenge)
{
    size_t   i;
    u_char  *p;

    p = ngx_pnalloc(cf->pool, ngx_strlen(scheme) + sizeof(" realm=\"\"") - 1
                              + 2 * conf->realm.len + ngx_strlen(rest));
    if (p == NULL) {
        return NGX_ERROR;
    }

    challenge->data = p;

    p = ngx_cpymem(p, scheme, ngx_strlen(scheme));
    p = ngx_cpymem(p, " realm=\"", sizeof(" realm=\"") - 1);

    for (i = 0; i < conf->realm.len; i++) {
        if (conf->realm.data[i] == '"' || conf->realm.data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = conf->realm.data[i];
    }

    *p++ = '"';
    p = ngx_cpymem(p, rest, ngx_strlen(rest));

    challenge->len = p - challenge->data;

    return NGX_OK;
}
