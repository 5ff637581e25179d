
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/names.h"


static void ngx_agt_fleet_names_ask(ngx_agt_fleet_names_t *names,
    ngx_msec_t timeout);
static void ngx_agt_fleet_names_told(ngx_resolver_ctx_t *ctx);
static void ngx_agt_fleet_names_take(ngx_agt_fleet_names_t *names,
    const ngx_resolver_ctx_t *ctx);


ngx_int_t
ngx_agt_fleet_names_init(ngx_agt_fleet_names_t *names,
    const ngx_array_t *servers, ngx_resolver_t *resolver, ngx_log_t *log)
{
    names->servers = servers;
    names->resolver = resolver;
    names->log = log;

    names->found = ngx_calloc(servers->nelts * sizeof(ngx_agt_fleet_found_t),
                              log);

    return names->found ? NGX_OK : NGX_ERROR;
}


void
ngx_agt_fleet_names_free(ngx_agt_fleet_names_t *names)
{
    ngx_uint_t  i;

    ngx_agt_fleet_names_stop(names);

    if (names->found == NULL) {
        return;
    }

    for (i = 0; i < names->servers->nelts; i++) {
        if (names->found[i].pool) {
            ngx_destroy_pool(names->found[i].pool);
        }
    }

    ngx_free(names->found);
    names->found = NULL;
}


void
ngx_agt_fleet_names_stop(ngx_agt_fleet_names_t *names)
{
    if (names->ctx) {
        ngx_resolve_name_done(names->ctx);
        names->ctx = NULL;
    }

    names->done = 0;
}


ngx_uint_t
ngx_agt_fleet_names_ready(ngx_agt_fleet_names_t *names, ngx_uint_t server,
    ngx_msec_t timeout)
{
    const ngx_agt_fleet_server_t  *servers;

    servers = names->servers->elts;

    if (names->resolver == NULL || servers[server].literal) {
        return 1;
    }

    if (names->server != server) {
        ngx_agt_fleet_names_stop(names);
        names->server = server;
    }

    if (names->ctx == NULL && !names->done) {
        ngx_agt_fleet_names_ask(names, timeout);
    }

    /* it may have been told at once */

    if (names->ctx) {
        return 0;
    }

    names->done = 0;

    return 1;
}


static void
ngx_agt_fleet_names_ask(ngx_agt_fleet_names_t *names, ngx_msec_t timeout)
{
    ngx_resolver_ctx_t            *ctx;
    const ngx_agt_fleet_server_t  *servers;

    servers = names->servers->elts;

    ctx = ngx_resolve_start(names->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return;
    }

    ctx->name = servers[names->server].host;
    ctx->handler = ngx_agt_fleet_names_told;
    ctx->data = names;
    ctx->timeout = timeout;
    ctx->cancelable = 1;

    names->ctx = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        names->ctx = NULL;
    }
}


static void
ngx_agt_fleet_names_told(ngx_resolver_ctx_t *ctx)
{
    ngx_agt_fleet_names_t *names = ctx->data;

    if (ctx->state == 0 && ctx->naddrs) {
        ngx_agt_fleet_names_take(names, ctx);
    }

    ngx_resolve_name_done(ctx);

    names->ctx = NULL;
    names->done = 1;
}


static void
ngx_agt_fleet_names_take(ngx_agt_fleet_names_t *names,
    const ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_addr_t                    *addrs;
    ngx_pool_t                    *pool;
    ngx_agt_fleet_found_t         *found;
    const ngx_agt_fleet_server_t  *server;

    server = names->servers->elts;
    server += names->server;

    found = &names->found[names->server];

    pool = ngx_create_pool(1024, names->log);
    if (pool == NULL) {
        return;
    }

    addrs = ngx_pcalloc(pool, ctx->naddrs * sizeof(ngx_addr_t));
    if (addrs == NULL) {
        goto failed;
    }

    for (i = 0; i < ctx->naddrs; i++) {

        /* without TLS, what is sent can be read on the way */

        if (server->loopback
            && !ngx_agt_fleet_names_is_loopback(ctx->addrs[i].sockaddr))
        {
            if (!found->said) {
                found->said = 1;
                ngx_log_error(NGX_LOG_ERR, names->log, 0,
                              "agilicus token: fleet: \"%V\" is not on this "
                              "machine any more, its former address is used",
                              &server->url);
            }

            goto failed;
        }

        addrs[i].sockaddr = ngx_palloc(pool, ctx->addrs[i].socklen);
        if (addrs[i].sockaddr == NULL) {
            goto failed;
        }

        ngx_memcpy(addrs[i].sockaddr, ctx->addrs[i].sockaddr,
                   ctx->addrs[i].socklen);
        ngx_inet_set_port(addrs[i].sockaddr, server->port);

        addrs[i].socklen = ctx->addrs[i].socklen;
        addrs[i].name = server->host;
    }

    if (found->pool) {
        ngx_destroy_pool(found->pool);
    }

    found->pool = pool;
    found->addrs = addrs;
    found->naddrs = ctx->naddrs;
    found->said = 0;

    return;

failed:

    ngx_destroy_pool(pool);
}


const ngx_addr_t *
ngx_agt_fleet_names_addrs(const ngx_agt_fleet_names_t *names,
    ngx_uint_t server, ngx_uint_t *n)
{
    const ngx_agt_fleet_found_t   *found;
    const ngx_agt_fleet_server_t  *servers;

    found = &names->found[server];

    if (found->pool) {
        *n = found->naddrs;
        return found->addrs;
    }

    servers = names->servers->elts;
    *n = servers[server].naddrs;

    return servers[server].addrs;
}


ngx_uint_t
ngx_agt_fleet_names_is_loopback(const struct sockaddr *sa)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_UNIX:
        return 1;

    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) != 0;

    default: /* AF_INET */
        sin = (const struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
    }
}
