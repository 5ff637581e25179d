
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/destination.h"
#include "request/headers.h"
#include "request/host_rules.h"
#include "rules/target.h"


static void ngx_agt_destination_own(ngx_http_request_t *r,
    ngx_agt_authority_t *own);


/*
 * nginx prefers the host of an absolute target to the Host field, which it may
 * pass upstream nevertheless.  A request with two Host fields is refused by
 * nginx and comes here by an error page only.
 */

ngx_uint_t
ngx_agt_destination_has_two_hosts(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_uint_t           usual;
    ngx_table_elt_t     *host;
    ngx_agt_authority_t  target, field;

    /* most requests have a path for a target, and so one host only */

    if (r->main->host_start == NULL && !r->main->internal
        && r->http_version < NGX_HTTP_VERSION_20)
    {
        return 0;
    }

    if (r->main->internal && ngx_agt_headers_count(r, "Host", &value) > 1)
    {
        return 1;
    }

    host = r->headers_in.host;

    if (r->http_version >= NGX_HTTP_VERSION_20) {

        target.host = r->headers_in.server;
        target.port = 0;

        if (host == NULL) {
            return 0;
        }

        if (ngx_agt_target_authority(&host->value, 0, &field) != NGX_OK)
        {
            return 1;
        }

        field.port = 0;

        return !ngx_agt_target_is_same(&target, &field);
    }

    rc = ngx_agt_target_of_line(&r->request_line, &usual, &target);

    if (rc == NGX_DONE) {
        return 0;
    }

    return rc != NGX_OK || host == NULL
           || ngx_agt_target_authority(&host->value, usual, &field)
              != NGX_OK
           || !ngx_agt_target_is_same(&target, &field);
}


ngx_int_t
ngx_agt_destination_view(ngx_http_request_t *r, ngx_agt_rules_view_t *view)
{
    ngx_str_t            value;
    ngx_agt_target_t     target;
    ngx_agt_target_e     where;
    ngx_agt_authority_t  own;

    where = ngx_agt_target_of(&view->method);

    if (where == NGX_AGT_TARGET_NONE) {
        return NGX_DONE;
    }

    if (where != NGX_AGT_TARGET_DESTINATION
        || ngx_agt_headers_count(r, "Destination", &value) != 1
        || ngx_agt_target_read(&value, &target) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_agt_destination_own(r, &own);

    if (target.authority.host.len
        && !ngx_agt_target_is_same(&target.authority, &own))
    {
        /* rules of another host are found by its name, without a port */

        own.port = 0;

        if (target.authority.port
            || ngx_agt_target_is_same(&target.authority, &own))
        {
            return NGX_DECLINED;
        }

        view->host = target.authority.host;
    }

    view->query = target.query;
    view->has_query = target.has_query;

    return ngx_agt_host_rules_path(r, &target.path, view);
}


static void
ngx_agt_destination_own(ngx_http_request_t *r, ngx_agt_authority_t *own)
{
    ngx_uint_t  usual;

    usual = 80;

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        usual = 443;
    }

#endif

    if (ngx_agt_target_authority(r->headers_in.host
                                 ? &r->headers_in.host->value
                                 : &r->headers_in.server,
                                 usual, own)
        != NGX_OK)
    {
        ngx_str_null(&own->host);
    }
}
