
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


/*
 * The handlers that run when a request comes into a location, before anything
 * else reads it there, and when it has left all of them.
 */

ngx_int_t
ngx_agilicus_token_server_rewrite_handler(ngx_http_request_t *r)
{
    ngx_agilicus_token_client_t  *client;

    if (r == r->main && !r->internal) {
        return NGX_DECLINED;
    }

    client = ngx_agilicus_token_find_client(r);

    if (client) {

        /* captures of the next location are not of the last one's reads */

        ngx_agilicus_token_early_close(r, client);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_agilicus_token_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a named location is entered here */

    if (clcf->named) {
        (void) ngx_agilicus_token_server_rewrite_handler(r);
    }

    if (ngx_agilicus_token_cut_query(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* requests that ended before the rewrite phase of their location */

ngx_int_t
ngx_agilicus_token_log_handler(ngx_http_request_t *r)
{
    (void) ngx_agilicus_token_cut_query(r);

    return NGX_OK;
}
