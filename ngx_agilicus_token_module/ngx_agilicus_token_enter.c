
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


/*
 * The handlers that run when a request comes into a location, before anything
 * else reads it there, and when it has left all of them.
 */

ngx_int_t
ngx_agilicus_token_rewrite_handler(ngx_http_request_t *r)
{
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
