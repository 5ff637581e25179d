
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/sources.h"
#include "request/access.h"
#include "request/cut_protocol.h"
#include "request/cut_query.h"
#include "request/headers.h"
#include "zone/digest_cache.h"
#include "zone/seal.h"
#include "rules/path.h"
#include "token/basic.h"


/* a result beside those of bearer: there is no memory, or no digest */
#define NGX_AGT_CLIENT_NO_MEMORY  16


static ngx_uint_t ngx_agt_sources_of(const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_source_t **sources);
static ngx_uint_t ngx_agt_sources_from(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_source_t *source,
    size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_credentials(
    ngx_agt_ctx_t *ctx, size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_basic(ngx_agt_ctx_t *ctx, size_t max,
    ngx_str_t *token);
static ngx_int_t ngx_agt_sources_basic_digest(ngx_agt_ctx_t *ctx,
    const ngx_agt_basic_t *basic);
static ngx_uint_t ngx_agt_sources_fields(ngx_agt_client_t *client,
    const char *field, ngx_agt_bearer_field_pt read, const ngx_str_t *name,
    size_t max, ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_query(ngx_http_request_t *r,
    ngx_agt_client_t *client, const ngx_str_t *name, size_t max,
    ngx_str_t *token);
static ngx_uint_t ngx_agt_sources_taken(ngx_agt_ctx_t *ctx, ngx_uint_t rc);
static ngx_uint_t ngx_agt_sources_digest(ngx_agt_ctx_t *ctx);


static const ngx_agt_source_t  ngx_agt_header_source = {
    NGX_AGT_SOURCE_HEADER,
    ngx_null_string
};

static const char  *ngx_agt_source_words[] = {
    [NGX_AGT_SOURCE_HEADER] = "header",
    [NGX_AGT_SOURCE_COOKIE] = "cookie",
    [NGX_AGT_SOURCE_QUERY] = "query",
    [NGX_AGT_SOURCE_SUBPROTOCOL] = "subprotocol",
    [NGX_AGT_SOURCE_BASIC] = "API key"
};


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
    ngx_str_t                token;
    ngx_uint_t               i, n, rc, found;
    const ngx_agt_source_t  *sources;

    n = ngx_agt_sources_of(lcf, &sources);

    found = NGX_AGT_BEARER_NONE;

    for (i = 0; i < n; i++) {

        ngx_str_null(&token);

        rc = ngx_agt_sources_from(r, ctx, &sources[i], lcf->max_size, &token);

        if (rc == NGX_AGT_CLIENT_NO_MEMORY) {
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


static ngx_inline ngx_uint_t
ngx_agt_sources_of(const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_source_t **sources)
{
    if (lcf->places) {
        *sources = lcf->places->elts;
        return lcf->places->nelts;
    }

    *sources = &ngx_agt_header_source;

    return 1;
}


void
ngx_agt_sources_detail(const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_detail_t *d)
{
    ngx_str_t                token;
    ngx_uint_t               i, n, rc;
    ngx_agt_ctx_t            again;
    const ngx_agt_source_t  *sources;

    static const char  *words[] = {
        ": a token",
        ": none",
        ": no token by its syntax",
        ": longer than ",
        ": more than one"
    };

    /* the places are looked at once more, for a copy of the context */

    again = *ctx;

    n = ngx_agt_sources_of(lcf, &sources);

    if (ctx->revoke) {
        sources = &ngx_agt_header_source;
        n = 1;
    }

    for (i = 0; i < n; i++) {
        ngx_agt_detail_words(d, i ? ", " : "");
        ngx_agt_detail_words(d, ngx_agt_source_words[sources[i].type]);

        if (sources[i].name.len) {
            ngx_agt_detail_words(d, " ");
            ngx_agt_detail_text(d, &sources[i].name);
        }

        rc = ngx_agt_sources_from(ctx->request, &again, &sources[i],
                                  lcf->max_size, &token);

        if (rc > NGX_AGT_BEARER_REPEATED) {
            continue;
        }

        if (rc == NGX_AGT_BEARER_NONE
            && sources[i].type == NGX_AGT_SOURCE_HEADER
            && ctx->request->headers_in.authorization)
        {
            ngx_agt_detail_words(d, ": another scheme");
            continue;
        }

        ngx_agt_detail_words(d, words[rc]);

        if (rc == NGX_AGT_BEARER_TOO_LONG) {
            ngx_agt_detail_number(d, (int64_t) lcf->max_size);
            ngx_agt_detail_words(d, " bytes");
        }
    }
}


static ngx_uint_t
ngx_agt_sources_digest(ngx_agt_ctx_t *ctx)
{
    if (!ctx->remembered
        && ngx_agt_digest(ctx->digest, &ctx->token, 1) != NGX_OK)
    {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             NGX_AGT_REASON_INTERNAL);
        return 0;
    }

    ctx->has_digest = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "agilicus token taken from %s, digest %08xD",
                   ngx_agt_source_words[ctx->source->type],
                   ngx_agt_digest_head(ctx->digest));

    return 1;
}


static ngx_uint_t
ngx_agt_sources_taken(ngx_agt_ctx_t *ctx, ngx_uint_t rc)
{
    static const ngx_agt_reason_e  reasons[] = {
        [NGX_AGT_BEARER_NONE] = NGX_AGT_REASON_NO_TOKEN,
        [NGX_AGT_BEARER_MALFORMED] = NGX_AGT_REASON_SYNTAX,
        [NGX_AGT_BEARER_TOO_LONG] = NGX_AGT_REASON_TOO_LONG,
        [NGX_AGT_BEARER_REPEATED] = NGX_AGT_REASON_MULTIPLE
    };

    if (rc == NGX_AGT_BEARER_FOUND) {
        return 1;
    }

    ngx_str_null(&ctx->token);

    ngx_agt_decision_set(ctx,
                         rc == NGX_AGT_BEARER_NONE ? NGX_AGT_VERDICT_MISSING
                                                   : NGX_AGT_VERDICT_MALFORMED,
                         reasons[rc]);
    return 0;
}


static ngx_uint_t
ngx_agt_sources_from(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_source_t *source,
    size_t max, ngx_str_t *token)
{
    switch (source->type) {

    case NGX_AGT_SOURCE_COOKIE:
        return ngx_agt_sources_fields(ctx->client, "Cookie",
                                      ngx_agt_bearer_cookie, &source->name,
                                      max, token);

    case NGX_AGT_SOURCE_QUERY:
        return ngx_agt_sources_query(r, ctx->client, &source->name, max, token);

    case NGX_AGT_SOURCE_SUBPROTOCOL:
        return !ngx_agt_cut_protocol_is(r) ? NGX_AGT_BEARER_NONE
               : ngx_agt_sources_fields(ctx->client, NGX_AGT_PROTOCOLS,
                                        ngx_agt_bearer_subprotocol,
                                        &source->name, max, token);

    case NGX_AGT_SOURCE_BASIC:
        return ngx_agt_sources_basic(ctx, max, token);

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


/*
 * An API key stays in its field, in base64, and is decoded where it is needed.
 * Its digest counts as remembered: the cache of digests compares with tokens,
 * and no token may have the digest of a key.
 */

static ngx_uint_t
ngx_agt_sources_basic(ngx_agt_ctx_t *ctx, size_t max, ngx_str_t *token)
{
    ngx_str_t        rest;
    ngx_uint_t       rc;
    ngx_agt_basic_t  basic;

    if (ctx->client->repeated) {
        ctx->client->basic = 1;
        return NGX_AGT_BEARER_REPEATED;
    }

    rc = ngx_agt_bearer_basic(&ctx->client->authorization, &rest);

    if (rc == NGX_AGT_BEARER_NONE) {
        return rc;
    }

    ctx->client->basic = 1;

    if (rc != NGX_AGT_BEARER_FOUND) {
        return rc;
    }

    rc = ngx_agt_basic_read(&rest, max, &basic);

    if (rc == NGX_AGT_BEARER_FOUND) {

        if (!ngx_agt_path_whole_utf8(&basic.user)
            || !ngx_agt_path_whole_utf8(&basic.key))
        {
            /* the body of the call could not say it */

            rc = NGX_AGT_BEARER_MALFORMED;

        } else if (ngx_agt_sources_basic_digest(ctx, &basic) != NGX_OK) {
            rc = NGX_AGT_CLIENT_NO_MEMORY;

        } else {
            ctx->remembered = 1;
            ctx->api_key = 1;

            *token = rest;
        }
    }

    ngx_explicit_memzero(&basic, sizeof(ngx_agt_basic_t));

    return rc;
}


/* a user name has less than 256 bytes */

static ngx_int_t
ngx_agt_sources_basic_digest(ngx_agt_ctx_t *ctx, const ngx_agt_basic_t *basic)
{
    u_char     len;
    ngx_str_t  parts[4];

    len = (u_char) basic->user.len;

    ngx_str_set(&parts[0], "\0API key\0");
    parts[1].data = &len;
    parts[1].len = sizeof(len);
    parts[2] = basic->user;
    parts[3] = basic->key;

    return ngx_agt_seal_digest(ctx->digest, parts, 4);
}


/* all fields of a name, of which one may hold a token */

static ngx_uint_t
ngx_agt_sources_fields(ngx_agt_client_t *client, const char *field,
    ngx_agt_bearer_field_pt read, const ngx_str_t *name, size_t max,
    ngx_str_t *token)
{
    ngx_str_t           one;
    ngx_uint_t          rc, found, seen;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    seen = 0;
    found = NGX_AGT_BEARER_NONE;

    ngx_agt_headers_begin(&place, &client->sent.headers, field);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        rc = read(&h->value, name, max, &seen, &one);

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
ngx_agt_sources_query(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_str_t *name, size_t max, ngx_str_t *token)
{
    u_char     *buf;
    ngx_str_t   args;

    ngx_agt_cut_query_split(&client->target, &args);

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
