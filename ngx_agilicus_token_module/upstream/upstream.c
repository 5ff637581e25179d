
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/upstream.h"
#include "request/enter.h"
#include "request/headers.h"
#include "request/variables.h"
#include "upstream/exchange.h"
#include "upstream/hide.h"
#include "upstream/identity.h"


static void ngx_agt_upstream_token(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, ngx_str_t *token);
static ngx_int_t ngx_agt_upstream_hide_key(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);
static ngx_int_t ngx_agt_upstream_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_upstream_authorization(ngx_http_request_t *r,
    const ngx_str_t *token, ngx_uint_t own);


static ngx_http_variable_t  ngx_agt_upstream_variables[] = {

    { ngx_string("agilicus_token_upstream"), NULL,
      ngx_agt_upstream_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/*
 * The name of an Authorization field that was written here.  Its address tells
 * such a field from the client's own, also in copies of the list.
 */

static u_char  ngx_agt_upstream_given[] = "authorization";


ngx_int_t
ngx_agt_upstream_add_variables(ngx_conf_t *cf)
{
    return ngx_agt_variables_add_table(cf, ngx_agt_upstream_variables);
}


/*
 * Prepares what goes upstream from this location, once the request may go on.
 */

ngx_int_t
ngx_agt_upstream_prepare(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   token;
    ngx_uint_t                  hide, restore, given;
    ngx_agt_arrival_t          *arrival;
    ngx_agt_ctx_t              *ctx;
    const ngx_agt_loc_conf_t   *lcf;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);
    ctx = ngx_agt_ctx_find(r);

    /* a location that does not enforce passes the same on as the one before */

    if (lcf->enable == NGX_AGT_OFF && ctx && ctx->client->changed) {
        arrival = ngx_agt_arrival_find(ctx->client, r);

        if (arrival && arrival->has_left) {
            arrival->has_left = 0;

            if (ngx_agt_headers_restore(r, &arrival->left) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }

    hide = (lcf->enable != NGX_AGT_OFF && (!lcf->forward || lcf->reissue));

    restore = (lcf->enable != NGX_AGT_OFF && ctx && ctx->client->changed);

    ngx_agt_upstream_token(r, ctx, lcf, &token);

    /* a token that was given for one location goes upstream from no other */

    given = (lcf->enable == NGX_AGT_OFF
             && r->headers_in.authorization
             && r->headers_in.authorization->lowcase_key
                == ngx_agt_upstream_given);

    /*
     * Each location that may change the list gets a copy of its own, without
     * the identity headers of the location before, and a subrequest leaves the
     * list of its parent as it is.
     */

    if (mcf->identity.nelts || hide || restore || given || token.len) {
        if (ngx_agt_identity_remove(r, mcf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (restore && ngx_agt_headers_restore(r, &ctx->client->sent) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (mcf->api_keys && ngx_agt_upstream_hide_key(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx && (hide || token.len)) {
        ctx->client->changed = 1;
    }

    if (lcf->enable != NGX_AGT_OFF) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "agilicus token upstream, hidden: %d, token set: %s",
                       (int) hide, token.len == 0 ? "none"
                                   : lcf->reissue ? "reissued"
                                   : ctx->source ? "client's" : "created");
    }

    if (given && ngx_agt_hide_bearer(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (hide) {
        rc = ngx_agt_hide(r, ctx, lcf);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (token.len
        && ngx_agt_upstream_authorization(r, &token,
                                          !lcf->reissue && ctx->source)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx && lcf->identity && lcf->enable != NGX_AGT_OFF
        && ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE
        && ngx_agt_identity_add(r, ctx, lcf) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* the token that upstream gets in place of what the client sent, or none */

static void
ngx_agt_upstream_token(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, ngx_str_t *token)
{
    ngx_str_null(token);

    if (ctx == NULL || lcf->enable == NGX_AGT_OFF) {
        return;
    }

    if (lcf->reissue) {

        if (ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE
            && ctx->life == NGX_AGT_LIFE_GIVEN)
        {
            *token = ctx->exchange->token;
        }

        return;
    }

    if (!lcf->forward) {
        return;
    }

    if (ctx->api_key) {

        /* as a client's own token goes upstream, if another module allows */

        if (ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE
            || ctx->decision.verdict == NGX_AGT_VERDICT_FORBIDDEN)
        {
            *token = ctx->raw;
        }

        return;
    }

    /* a token that was created, or was cut out where the client sent it */

    if (ctx->source == NULL || ctx->source->type == NGX_AGT_SOURCE_QUERY
        || ctx->source->type == NGX_AGT_SOURCE_SUBPROTOCOL)
    {
        *token = ctx->token;
    }
}


/*
 * An API key goes no further than the first location that takes them: not
 * upstream from it, nor from a location after an internal redirect, nor from a
 * subrequest.  No subrequest is made before its page was entered.
 */

static ngx_int_t
ngx_agt_upstream_hide_key(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_str_t          key;
    ngx_agt_client_t  *client;

    client = ngx_agt_client_find(r);

    if (client == NULL || !client->basic) {
        return NGX_OK;
    }

    client->changed = 1;

    ngx_str_null(&key);

    if (ctx && ctx->api_key) {
        key = ctx->token;
    }

    return ngx_agt_hide_basic(r, &key);
}


static ngx_int_t
ngx_agt_upstream_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  token;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);
    ctx = ngx_agt_ctx_find(r);

    ngx_agt_upstream_token(r, ctx, lcf, &token);

    if (token.len == 0 && ctx && lcf->forward
        && lcf->reissue == NULL && lcf->enable != NGX_AGT_OFF
        && !ctx->api_key
        && ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE)
    {
        token = ctx->token;
    }

    return ngx_agt_variables_set(v, &token);
}


/* sets the one Authorization field that upstream gets */

static ngx_int_t
ngx_agt_upstream_authorization(ngx_http_request_t *r,
    const ngx_str_t *token, ngx_uint_t own)
{
    ngx_str_t           value;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    static const ngx_str_t  name = ngx_string("Authorization");

    value.len = sizeof("Bearer ") - 1 + token->len;
    value.data = ngx_pnalloc(r->pool, value.len + 1);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(ngx_cpymem(value.data, "Bearer ", sizeof("Bearer ") - 1),
                token->data, token->len) = '\0';

    ngx_agt_headers_begin(&place, &r->headers_in.headers, "Authorization");

    h = ngx_agt_headers_next(&place);

    if (h) {
        h->value = value;

    } else {
        h = ngx_agt_headers_add(r, &name, &value);
        if (h == NULL) {
            return NGX_ERROR;
        }
    }

    if (!own) {
        h->lowcase_key = ngx_agt_upstream_given;
    }

    r->headers_in.authorization = h;

    return NGX_OK;
}
