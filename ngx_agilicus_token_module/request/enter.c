
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/enter.h"
#include "request/cut_query.h"
#include "request/early.h"
#include "request/headers.h"


static ngx_int_t ngx_agt_enter(ngx_http_request_t *r);
static ngx_agt_arrival_t *ngx_agt_arrival_add(
    ngx_http_request_t *r, ngx_agt_client_t *client);


/*
 * The handlers that run when a request enters a location, before any other
 * handler reads the request there, and when the request ends.
 */

ngx_int_t
ngx_agt_enter_server_rewrite_handler(ngx_http_request_t *r)
{
    if (r == r->main && !r->internal) {
        return NGX_DECLINED;
    }

    if (ngx_agt_enter(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * Runs after an internal redirect and in a subrequest.  Each location sees the
 * credentials that the client sent, and not those that the location before gave
 * its upstream.
 */

static ngx_int_t
ngx_agt_enter(ngx_http_request_t *r)
{
    ngx_agt_arrival_t          *arrival;
    ngx_agt_client_t           *client;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    client = ngx_agt_client_find(r);
    arrival = client ? ngx_agt_arrival_find(client, r) : NULL;

    if (r != r->main && mcf->rules && arrival == NULL) {

        /* rules judge the URI that a part of a page was made with */

        client = ngx_agt_client_get(r);
        arrival = client ? ngx_agt_arrival_add(r, client) : NULL;

        if (arrival == NULL) {
            return NGX_ERROR;
        }
    }

    if (client == NULL) {
        return NGX_OK;
    }

    /* captures of this location are not made of reads in the one before */

    ngx_agt_early_close(r, client);

    if (!client->changed) {
        return NGX_OK;
    }

    if (arrival == NULL) {
        arrival = ngx_agt_arrival_add(r, client);
        if (arrival == NULL) {
            return NGX_ERROR;
        }
    }

    if (arrival->has_left) {
        return NGX_OK;
    }

    ngx_agt_headers_credentials(r, &arrival->left);
    arrival->has_left = 1;

    /* nginx keeps a user name, or that there is none, from the other field */

    ngx_str_null(&r->headers_in.user);
    ngx_str_null(&r->headers_in.passwd);

    return ngx_agt_headers_restore(r, &client->sent);
}


static ngx_agt_arrival_t *
ngx_agt_arrival_add(ngx_http_request_t *r, ngx_agt_client_t *client)
{
    ngx_agt_arrival_t  *arrival;

    arrival = ngx_pcalloc(r->pool, sizeof(ngx_agt_arrival_t));
    if (arrival == NULL) {
        return NULL;
    }

    arrival->request = r;
    arrival->uri = r->uri;
    arrival->args = r->args;
    arrival->method = r->method_name;

    arrival->next = client->arrivals;
    client->arrivals = arrival;

    return arrival;
}


ngx_agt_arrival_t *
ngx_agt_arrival_find(ngx_agt_client_t *client, ngx_http_request_t *r)
{
    ngx_agt_arrival_t  *arrival;

    for (arrival = client->arrivals; arrival; arrival = arrival->next) {
        if (arrival->request == r) {
            return arrival;
        }
    }

    return NULL;
}


ngx_int_t
ngx_agt_enter_rewrite_handler(ngx_http_request_t *r)
{
    ngx_agt_client_t          *client;
    ngx_http_core_loc_conf_t  *clcf;
    const ngx_agt_loc_conf_t  *lcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a named location is entered here */

    if (clcf->named && ngx_agt_enter(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->basic.len) {

        /* an API key stays here, also if this location refuses it unread */

        client = ngx_agt_client_get(r);
        if (client == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        client->basic = 1;
    }

    if (ngx_agt_cut_query(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* for requests that ended before the rewrite phase of their location */

ngx_int_t
ngx_agt_enter_log_handler(ngx_http_request_t *r)
{
    u_char  *p;

    if (r->request_line.data == NULL && r->request_start) {

        /* nginx logs a request line that it could not parse as it came */

        for (p = r->request_start; p < r->header_in->last; p++) {
            if (*p == CR || *p == LF) {
                break;
            }
        }

        r->request_line.data = r->request_start;
        r->request_line.len = p - r->request_start;
    }

    (void) ngx_agt_cut_query(r);

    return NGX_OK;
}
