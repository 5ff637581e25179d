
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/reply.h"
#include "request/headers.h"
#include "request/preflight.h"


ngx_int_t
ngx_agt_reply_not_allowed(ngx_http_request_t *r, const char *allow)
{
    ngx_str_t  value;

    static const ngx_str_t  name = ngx_string("Allow");

    if (ngx_agt_preflight_passes(r)) {
        return NGX_HTTP_NO_CONTENT;
    }

    value.data = (u_char *) allow;
    value.len = ngx_strlen(allow);

    return ngx_agt_headers_set(r, NULL, &name, &value)
           ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_agt_reply_send(ngx_http_request_t *r, const char *type, ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    static const ngx_str_t  name = ngx_string("Cache-Control");
    static const ngx_str_t  value = ngx_string("no-store");

    if (ngx_agt_headers_set(r, NULL, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
