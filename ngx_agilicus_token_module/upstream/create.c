
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/create.h"
#include "request/early.h"
#include "upstream/exchange.h"


static ngx_int_t ngx_agt_create_prepare(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_uint_t ngx_agt_create_identified(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf);
static ngx_uint_t ngx_agt_create_has_name(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf);
static ngx_uint_t ngx_agt_create_is_early(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_create_values(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf, ngx_agt_json_create_t *what);
static ngx_int_t ngx_agt_create_evaluate(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf, ngx_agt_json_create_t *what);
static ngx_int_t ngx_agt_create_list(ngx_http_request_t *r,
    ngx_array_t *values, ngx_str_t **list, ngx_uint_t *n);
static ngx_int_t ngx_agt_create_key(ngx_http_request_t *r,
    ngx_agt_exchange_t *x, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_create_present(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_issued_t *kept);


static const ngx_agt_exchange_type_t  ngx_agt_creation = {
    NGX_AGT_LIFE_CREATE,
    NGX_AGT_REASON_CREATE,
    ngx_agt_create_prepare,
    ngx_agt_issue_create,
    ngx_agt_create_present,
    NULL
};


ngx_int_t
ngx_agt_create(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    return ngx_agt_exchange(r, ctx, lcf, &ngx_agt_creation);
}


/*
 * The access phase has let the caller in; whether the caller was identified
 * there is looked at once more.
 */

static ngx_int_t
ngx_agt_create_prepare(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t            rc;
    ngx_uint_t           early;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    x->cause = NGX_AGT_CAUSE_NO_CALLER;

    if (!ngx_agt_create_identified(r, lcf->create)) {
        goto unidentified;
    }

    x->cause = NGX_AGT_CAUSE_NO_VALUE;

    early = ngx_agt_create_is_early(r, ctx, lcf);

    rc = ngx_agt_create_values(r, lcf->create, &x->what);

    if (rc == NGX_DECLINED) {
        goto unidentified;
    }

    x->cause = 0;

    if (early) {
        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                       NGX_AGT_VERDICT_UNAVAILABLE,
                                       NGX_AGT_REASON_EARLY);
    }

    if (rc != NGX_OK || ngx_agt_create_key(r, x, lcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;

unidentified:

    return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_MISSING,
                                   NGX_AGT_REASON_NO_IDENTITY);
}


static ngx_uint_t
ngx_agt_create_identified(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf)
{
    ngx_str_t                  *uri;
    ngx_http_variable_value_t  *v;

    if (conf->identity == NGX_AGT_CREATE_SSL) {
        v = ngx_http_get_indexed_variable(r, conf->verify_index);

        return v && !v->not_found
               && v->len == sizeof("SUCCESS") - 1
               && ngx_strncmp(v->data, "SUCCESS", v->len) == 0;
    }

    /* a subrequest has had no access phase, which would identify its caller */

    if (r != r->main) {
        return 0;
    }

    if (conf->request_index != NGX_CONF_UNSET_UINT) {
        uri = r->loc_conf[conf->request_index];

        if (uri && uri->len) {
            return 1;
        }
    }

    return ngx_agt_create_has_name(r, conf) && r->headers_in.user.len != 0;
}


/* 1 if auth_basic has checked the password that goes with $remote_user */

static ngx_uint_t
ngx_agt_create_has_name(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf)
{
    ngx_str_t                    realm;
    const ngx_agt_basic_conf_t  *basic;

    if (conf->basic_index == NGX_CONF_UNSET_UINT) {
        return 0;
    }

    /* the realm says whether it is on; it may be a variable */

    basic = r->loc_conf[conf->basic_index];

    return basic && basic->realm && basic->user_file
           && ngx_http_complex_value(r, basic->realm, &realm) == NGX_OK
           && !(realm.len == 3 && ngx_strncmp(realm.data, "off", 3) == 0);
}


/*
 * Whether a value of "set", "auth_request_set" or a capture may be made of the
 * name that goes with a password, and nothing has checked that, or of a token
 * variable.
 */

static ngx_uint_t
ngx_agt_create_is_early(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t         kinds;
    ngx_agt_client_t  *client;

    static ngx_str_t  user = ngx_string("remote_user");

    client = ctx->client;
    kinds = NGX_AGT_EARLY_TOKEN;

    ngx_agt_early_close(r, client);

    if (!ngx_agt_create_has_name(r, lcf->create)) {
        kinds |= NGX_AGT_EARLY_USER;

        if (client->user_read) {
            ngx_agt_early_warn(r, lcf, &user);
        }
    }

    return lcf->create->varies && (client->assigned & kinds);
}


/*
 * Where something else than a password identifies the caller, the name in the
 * Authorization header proves nothing, so it is treated as absent.
 */

static ngx_int_t
ngx_agt_create_values(ngx_http_request_t *r, const ngx_agt_create_conf_t *conf,
    ngx_agt_json_create_t *what)
{
    ngx_int_t                   rc;
    ngx_str_t                   user;
    ngx_http_variable_value_t  *v;

    if (ngx_agt_create_has_name(r, conf)) {
        return ngx_agt_create_evaluate(r, conf, what);
    }

    user = r->headers_in.user;
    v = &r->variables[conf->user_index];

    ngx_str_set(&r->headers_in.user, "");
    v->valid = 0;
    v->not_found = 0;

    rc = ngx_agt_create_evaluate(r, conf, what);

    r->headers_in.user = user;
    v->valid = 0;
    v->not_found = 0;

    return rc;
}


/* NGX_DECLINED if a value comes out empty or is no UTF-8 */

static ngx_int_t
ngx_agt_create_evaluate(ngx_http_request_t *r,
    const ngx_agt_create_conf_t *conf, ngx_agt_json_create_t *what)
{
    ngx_int_t  rc;

    ngx_memzero(what, sizeof(ngx_agt_json_create_t));

    if (ngx_http_complex_value(r, conf->sub, &what->sub) != NGX_OK
        || ngx_http_complex_value(r, conf->org, &what->org) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_agt_exchange_is_name(&what->sub)
        || !ngx_agt_exchange_is_name(&what->org))
    {
        return NGX_DECLINED;
    }

    rc = ngx_agt_create_list(r, conf->audiences, &what->audiences,
                             &what->naudiences);

    if (rc == NGX_OK) {
        rc = ngx_agt_create_list(r, conf->scopes, &what->scopes,
                                 &what->nscopes);
    }

    if (rc == NGX_OK) {
        rc = ngx_agt_create_list(r, conf->roles, &what->roles, &what->nroles);
    }

    what->duration = conf->duration;

    return rc;
}


static ngx_int_t
ngx_agt_create_list(ngx_http_request_t *r, ngx_array_t *values,
    ngx_str_t **list, ngx_uint_t *n)
{
    ngx_str_t                  *s;
    ngx_uint_t                  i;
    ngx_http_complex_value_t   *value;

    if (values == NULL) {
        return NGX_OK;
    }

    s = ngx_palloc(r->pool, values->nelts * sizeof(ngx_str_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (ngx_http_complex_value(r, &value[i], &s[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!ngx_agt_exchange_is_name(&s[i])) {
            return NGX_DECLINED;
        }
    }

    *list = s;
    *n = values->nelts;

    return NGX_OK;
}


/*
 * A token is kept for the request by which it was created, at one API and with
 * one credential.
 */

static ngx_int_t
ngx_agt_create_key(ngx_http_request_t *r, ngx_agt_exchange_t *x,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t  parts[3];

    ngx_str_set(&parts[0], "\0create\0");

    parts[1].data = lcf->origin->issued;
    parts[1].len = NGX_AGT_DIGEST_LEN;

    parts[2].data = ngx_pnalloc(r->pool, ngx_agt_json_create(NULL, &x->what));
    if (parts[2].data == NULL) {
        return NGX_ERROR;
    }

    parts[2].len = ngx_agt_json_create(parts[2].data, &x->what);

    return ngx_agt_digest(x->key, parts, 3);
}


/* from here on the request is one that came with this token */

static ngx_int_t
ngx_agt_create_present(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_issued_t *kept)
{
    ctx->token = ctx->exchange->token;

    if (ctx->token.len == 0
        || ngx_agt_digest(ctx->digest, &ctx->token, 1) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->has_digest = 1;
    ctx->has_unpadded = 0;
    ctx->has_facts = 0;
    ctx->late = 0;
    ctx->seen = 0;
    ctx->stale_until = 0;
    ctx->class = NGX_AGT_CLASS_NONE;
    ctx->life = NGX_AGT_LIFE_NEW;

    return NGX_OK;
}
