
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/sources.h"
#include "request/access.h"
#include "request/context.h"
#include "request/early.h"
#include "request/enter.h"
#include "request/headers.h"
#include "zone/digest_cache.h"
#include "token/bearer.h"


/* a result beside those of bearer: there is no memory */
#define NGX_AGT_CLIENT_NO_MEMORY  16


static void ngx_agt_client_cleanup(void *data);
static ngx_uint_t ngx_agt_sources_from(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_source_t *source,
    size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_credentials(
    ngx_agt_ctx_t *ctx, size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_cookie(
    ngx_agt_client_t *client, ngx_str_t *name, size_t max,
    ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_query(ngx_http_request_t *r,
    ngx_agt_client_t *client, ngx_str_t *name, size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_taken(ngx_agt_ctx_t *ctx, ngx_uint_t rc);
static ngx_uint_t ngx_agt_sources_digest(ngx_agt_ctx_t *ctx);
static ngx_int_t ngx_agt_sources_cut(ngx_http_request_t *r, ngx_str_t *name);
static ngx_int_t ngx_agt_sources_cut_args(ngx_http_request_t *r,
    ngx_str_t *args, ngx_str_t *name);
static void ngx_agt_sources_cut_all(ngx_http_request_t *r);
static void ngx_agt_sources_cut_done(ngx_http_request_t *r);
static ngx_int_t ngx_agt_sources_cut_target(ngx_http_request_t *r,
    ngx_str_t *line, ngx_str_t *name);
static void ngx_agt_sources_split_target(ngx_str_t *line, ngx_str_t *args);


static const ngx_agt_source_t  ngx_agt_header_source = {
    NGX_AGT_SOURCE_HEADER,
    ngx_null_string
};


/*
 * The client's part is found by its cleanup, since contexts do not survive an
 * internal redirect; the pool is the main request's also in subrequests.
 */

ngx_agt_client_t *
ngx_agt_client_get(ngx_http_request_t *r)
{
    ngx_str_t            value;
    ngx_pool_cleanup_t  *cln;
    ngx_agt_client_t    *client;

    client = ngx_agt_client_find(r);

    if (client) {
        return client;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_agt_client_t));
    if (cln == NULL) {
        return NULL;
    }

    client = cln->data;

    ngx_memzero(client, sizeof(ngx_agt_client_t));

    /* as the client sent it, whatever is rewritten or cut later */

    client->target = r->main->unparsed_uri;

    ngx_agt_headers_credentials(r, &client->sent);

    if (client->sent.authorization) {
        client->authorization = client->sent.authorization->value;
    }

    /* nginx refuses two of them, but its error page may lead to here */

    if (r->main->internal) {
        client->repeated = (ngx_agt_headers_count(r, "Authorization", &value)
                            > 1);
    }

    if (ngx_agt_early_is_lost(r)) {
        client->assigned = NGX_AGT_EARLY_TOKEN | NGX_AGT_EARLY_USER;
    }

    cln->handler = ngx_agt_client_cleanup;

    return client;
}


ngx_agt_client_t *
ngx_agt_client_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_agt_client_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_agt_client_cleanup(void *data)
{
    ngx_agt_client_t *client = data;

    ngx_agt_held_t  *held;

    client->last = NULL;

    for (held = client->held; held; held = held->next) {
        ngx_agt_worker_cache_release(held->entry);
    }

    client->held = NULL;
}


ngx_agt_ctx_t *
ngx_agt_ctx_find(ngx_http_request_t *r)
{
    ngx_agt_ctx_t     *ctx;
    ngx_agt_client_t  *client;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx) {
        return ctx;
    }

    /* a clone goes on with what its parent was allowed, in its location */

    if (r != r->main && r->loc_conf == r->parent->loc_conf) {
        return ngx_agt_ctx_find(r->parent);
    }

    client = ngx_agt_client_find(r);

    return client ? client->last : NULL;
}


ngx_uint_t
ngx_agt_sources_take_header(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t  rc;

    ctx->source = &ngx_agt_header_source;

    if (ctx->client->repeated) {
        return ngx_agt_sources_taken(ctx, NGX_AGT_BEARER_REPEATED);
    }

    rc = ngx_agt_bearer_header(&ctx->client->authorization,
                               lcf->max_size, &ctx->token);

    return ngx_agt_sources_taken(ctx, rc) && ngx_agt_sources_digest(ctx);
}


/*
 * All places that the location allows are looked at, so that a token in two of
 * them is seen.
 */

ngx_uint_t
ngx_agt_sources_take(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t          token;
    ngx_uint_t         i, n, rc, found;
    ngx_agt_source_t  *sources;

    if (lcf->sources) {
        sources = lcf->sources->elts;
        n = lcf->sources->nelts;

    } else {
        sources = (ngx_agt_source_t *)
                      &ngx_agt_header_source;
        n = 1;
    }

    found = NGX_AGT_BEARER_NONE;

    for (i = 0; i < n; i++) {

        ngx_str_null(&token);

        rc = ngx_agt_sources_from(r, ctx, &sources[i], lcf->max_size, &token);

        if (rc == NGX_AGT_CLIENT_NO_MEMORY
            || (sources[i].type == NGX_AGT_SOURCE_QUERY
                && ngx_agt_sources_cut(r, &sources[i].name) != NGX_OK))
        {
            /* an error page must not see the token */

            ngx_agt_sources_cut_all(r);

            ngx_str_null(&ctx->token);
            ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                                 NGX_AGT_REASON_INTERNAL);
            return 0;
        }

        if (rc == NGX_AGT_BEARER_NONE) {
            continue;
        }

        if (found == NGX_AGT_BEARER_NONE) {
            found = rc;
            ctx->token = token;
            ctx->source = &sources[i];

        } else {
            found = NGX_AGT_BEARER_REPEATED;
        }
    }

    if (found == NGX_AGT_BEARER_FOUND
        && ctx->source->type == NGX_AGT_SOURCE_QUERY)
    {
        ctx->client->in_query = 1;
    }

    return ngx_agt_sources_taken(ctx, found) && ngx_agt_sources_digest(ctx);
}


static ngx_uint_t
ngx_agt_sources_digest(ngx_agt_ctx_t *ctx)
{
    ngx_str_t  part;

    if (!ctx->remembered) {
        part = ctx->token;

        if (ngx_agt_digest(ctx->digest, &part, 1) != NGX_OK) {
            ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                                 NGX_AGT_REASON_INTERNAL);
            return 0;
        }
    }

    ctx->has_digest = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "agilicus token taken from %s, digest %08xD",
                   ctx->source->type == NGX_AGT_SOURCE_HEADER ? "header"
                   : ctx->source->type == NGX_AGT_SOURCE_COOKIE ? "cookie"
                   : "query", ngx_agt_digest_head(ctx->digest));

    return 1;
}


static ngx_uint_t
ngx_agt_sources_taken(ngx_agt_ctx_t *ctx, ngx_uint_t rc)
{
    if (rc == NGX_AGT_BEARER_FOUND) {
        return 1;
    }

    ngx_str_null(&ctx->token);

    switch (rc) {

    case NGX_AGT_BEARER_NONE:
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MISSING,
                             NGX_AGT_REASON_NO_TOKEN);
        return 0;

    case NGX_AGT_BEARER_TOO_LONG:
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MALFORMED,
                             NGX_AGT_REASON_TOO_LONG);
        return 0;

    case NGX_AGT_BEARER_REPEATED:
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MALFORMED,
                             NGX_AGT_REASON_MULTIPLE);
        return 0;

    default: /* NGX_AGT_BEARER_MALFORMED */
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MALFORMED,
                             NGX_AGT_REASON_SYNTAX);
        return 0;
    }
}


static ngx_uint_t
ngx_agt_sources_from(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_source_t *source,
    size_t max, ngx_str_t *token)
{
    ngx_str_t  name;

    name = source->name;

    switch (source->type) {

    case NGX_AGT_SOURCE_COOKIE:
        return ngx_agt_sources_cookie(ctx->client, &name, max, token);

    case NGX_AGT_SOURCE_QUERY:
        return ngx_agt_sources_query(r, ctx->client, &name, max, token);

    default: /* NGX_AGT_SOURCE_HEADER */
        return ngx_agt_sources_credentials(ctx, max, token);
    }
}


/* the syntax of a remembered token has been checked */

static ngx_uint_t
ngx_agt_sources_credentials(ngx_agt_ctx_t *ctx, size_t max, ngx_str_t *token)
{
    ngx_str_t      rest;
    ngx_uint_t     rc;
    const u_char  *digest;

    if (ctx->client->repeated) {
        return NGX_AGT_BEARER_REPEATED;
    }

    rc = ngx_agt_bearer_credentials(&ctx->client->authorization, &rest);

    if (rc != NGX_AGT_BEARER_FOUND) {
        return rc;
    }

    if (rest.len <= max) {
        digest = ngx_agt_digest_cache_find(&rest);

        if (digest) {
            ngx_memcpy(ctx->digest, digest, NGX_AGT_DIGEST_LEN);
            ctx->remembered = 1;

            *token = rest;

            return NGX_AGT_BEARER_FOUND;
        }
    }

    return ngx_agt_bearer_value(&rest, max, token);
}


static ngx_uint_t
ngx_agt_sources_cookie(ngx_agt_client_t *client,
    ngx_str_t *name, size_t max, ngx_str_t *token)
{
    ngx_str_t           one;
    ngx_uint_t          rc, found, seen;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    seen = 0;
    found = NGX_AGT_BEARER_NONE;

    for (h = ngx_agt_headers_first(&place, &client->sent.headers, "Cookie");
         h;
         h = ngx_agt_headers_next(&place))
    {
        rc = ngx_agt_bearer_cookie(&h->value, name, max, &seen, &one);

        if (rc == NGX_AGT_BEARER_REPEATED) {
            return rc;
        }

        if (rc != NGX_AGT_BEARER_NONE) {
            found = rc;
            *token = one;
        }
    }

    return found;
}


static ngx_uint_t
ngx_agt_sources_query(ngx_http_request_t *r,
    ngx_agt_client_t *client, ngx_str_t *name, size_t max, ngx_str_t *token)
{
    u_char     *buf;
    ngx_str_t   args;

    ngx_agt_sources_split_target(&client->target, &args);

    if (args.len == 0) {
        return NGX_AGT_BEARER_NONE;
    }

    /* a value is no longer than all arguments together */

    max = ngx_min(max, args.len);

    buf = ngx_pnalloc(r->pool, max);
    if (buf == NULL) {
        return NGX_AGT_CLIENT_NO_MEMORY;
    }

    return ngx_agt_bearer_query(&args, name, max, buf, token);
}


/*
 * Cuts the parameter out of everything that a log, a later phase or upstream
 * would read.  Only copies are changed, and not the bytes that the client sent.
 */

static ngx_int_t
ngx_agt_sources_cut(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_http_request_t  *main, *pr;
    ngx_agt_client_t    *client;
    ngx_agt_arrival_t   *arrival;

    main = r->main;

    /* the parents of a subrequest may still go upstream */

    for (pr = r; pr; pr = pr->parent) {

        client = ngx_agt_client_find(r);
        arrival = client ? ngx_agt_arrival_find(client, pr) : NULL;

        if (arrival && ngx_agt_sources_cut_args(r, &arrival->args,
                                                name) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_agt_sources_cut_args(r, &pr->args, name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_agt_sources_cut_target(r, &main->unparsed_uri, name) != NGX_OK
        || ngx_agt_sources_cut_target(r, &main->request_line, name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_sources_cut_done(r);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_sources_cut_args(ngx_http_request_t *r, ngx_str_t *args,
                         ngx_str_t *name)
{
    u_char  *p;

    if (!ngx_agt_bearer_in_query(args, name)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, args->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->len = ngx_agt_bearer_cut_query(args, name, p);
    args->data = p;

    return NGX_OK;
}


/* cuts the whole query, which takes no memory */

static void
ngx_agt_sources_cut_all(ngx_http_request_t *r)
{
    ngx_str_t           *lines[2], args;
    ngx_uint_t           i;
    ngx_http_request_t  *pr;

    lines[0] = &r->main->unparsed_uri;
    lines[1] = &r->main->request_line;

    for (pr = r; pr; pr = pr->parent) {
        pr->args.len = 0;
    }

    for (i = 0; i < 2; i++) {
        ngx_agt_sources_split_target(lines[i], &args);

        if (args.data) {
            /* the "?" goes too */
            lines[i]->len = args.data - 1 - lines[i]->data;
        }
    }

    ngx_agt_sources_cut_done(r);
}


ngx_int_t
ngx_agt_sources_cut_query(ngx_http_request_t *r)
{
    ngx_uint_t                 i;
    ngx_agt_source_t          *sources;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF || lcf->sources == NULL) {
        return NGX_OK;
    }

    sources = lcf->sources->elts;

    for (i = 0; i < lcf->sources->nelts; i++) {

        if (sources[i].type != NGX_AGT_SOURCE_QUERY) {
            continue;
        }

        /* the client's part keeps the target as the client sent it */

        if (ngx_agt_client_get(r) == NULL
            || ngx_agt_sources_cut(r, &sources[i].name) != NGX_OK)
        {
            ngx_agt_sources_cut_all(r);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_agt_sources_cut_done(ngx_http_request_t *r)
{
    ngx_http_request_t         *main, *pr;
    const ngx_agt_main_conf_t  *mcf;

    main = r->main;

    for (pr = r; pr && pr != main; pr = pr->parent) {
        pr->unparsed_uri = main->unparsed_uri;
        pr->request_line = main->request_line;
    }

    /* nginx keeps the values of these variables */

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    main->variables[mcf->request_uri_index].valid = 0;
    main->variables[mcf->request_index].valid = 0;
}


/* "line" is a request target, or a whole request line */

static ngx_int_t
ngx_agt_sources_cut_target(ngx_http_request_t *r, ngx_str_t *line,
                           ngx_str_t *name)
{
    size_t      head, tail, len;
    u_char     *p;
    ngx_str_t   args;

    ngx_agt_sources_split_target(line, &args);

    if (!ngx_agt_bearer_in_query(&args, name)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, line->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    head = args.data - line->data;
    tail = line->len - head - args.len;

    len = ngx_agt_bearer_cut_query(&args, name, p + head);

    ngx_memcpy(p, line->data, head);

    if (len == 0) {
        /* nothing is left: the "?" goes too */
        head--;
    }

    ngx_memcpy(p + head + len, args.data + args.len, tail);

    line->data = p;
    line->len = head + len + tail;

    return NGX_OK;
}


/* the query, from behind the first "?" to a fragment, a space or the end */

static void
ngx_agt_sources_split_target(ngx_str_t *line, ngx_str_t *args)
{
    u_char  *p, *last;

    ngx_str_null(args);

    last = line->data + line->len;

    for (p = line->data; p < last; p++) {

        if (*p == '#') {
            return;
        }

        if (*p == '?') {
            args->data = ++p;

            while (p < last && *p != '#' && *p != ' ') {
                p++;
            }

            args->len = p - args->data;
            return;
        }
    }
}
