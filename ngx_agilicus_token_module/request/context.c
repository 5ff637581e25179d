
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/context.h"
#include "request/early.h"


static void ngx_agt_client_cleanup(void *data);
static void ngx_agt_secret_wipe(void *data);


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
ngx_agt_ctx_here(ngx_http_request_t *r)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    /* a clone goes on with what its parent was allowed, in its location */

    while (ctx == NULL && r != r->main && r->loc_conf == r->parent->loc_conf) {
        r = r->parent;
        ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);
    }

    return ctx;
}


ngx_agt_ctx_t *
ngx_agt_ctx_find(ngx_http_request_t *r)
{
    ngx_agt_ctx_t     *ctx;
    ngx_agt_client_t  *client;

    ctx = ngx_agt_ctx_here(r);

    if (ctx) {
        return ctx;
    }

    client = ngx_agt_client_find(r);

    return client ? client->last : NULL;
}


ngx_int_t
ngx_agt_secret_copy(ngx_pool_t *pool, const ngx_str_t *secret, ngx_str_t *copy)
{
    ngx_str_t           *s;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    s = cln->data;

    s->len = 0;
    s->data = ngx_pnalloc(pool, secret->len);

    if (s->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->data, secret->data, secret->len);
    s->len = secret->len;

    cln->handler = ngx_agt_secret_wipe;

    *copy = *s;

    return NGX_OK;
}


static void
ngx_agt_secret_wipe(void *data)
{
    ngx_str_t *s = data;

    ngx_explicit_memzero(s->data, s->len);
}
