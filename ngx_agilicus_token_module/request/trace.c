
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/trace.h"


/* bytes of a value at most: a client's value must not make the API refuse */
#define NGX_AGT_TRACE_MAX  1024


static ngx_uint_t ngx_agt_trace_is_good(const ngx_str_t *value);


void
ngx_agt_trace_headers(ngx_http_request_t *r, const ngx_agt_loc_conf_t *lcf,
    ngx_str_t *lines)
{
    size_t                   len;
    u_char                  *p;
    ngx_str_t               *values;
    ngx_uint_t               i, n;
    ngx_agt_trace_header_t  *header;

    ngx_str_null(lines);

    if (lcf->api_headers == NULL) {
        return;
    }

    header = lcf->api_headers->elts;
    n = lcf->api_headers->nelts;
    len = 0;

    values = ngx_palloc(r->pool, n * sizeof(ngx_str_t));
    if (values == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_complex_value(r, &header[i].value, &values[i]) != NGX_OK)
        {
            return;
        }

        if (!ngx_agt_trace_is_good(&values[i])) {
            values[i].len = 0;
            continue;
        }

        len += header[i].name.len + sizeof(": ") + values[i].len;
    }

    if (len == 0) {
        return;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    lines->data = p;

    for (i = 0; i < n; i++) {

        if (values[i].len == 0) {
            continue;
        }

        p = ngx_cpymem(p, header[i].name.data, header[i].name.len);
        *p++ = ':';
        *p++ = ' ';
        p = ngx_cpymem(p, values[i].data, values[i].len);
        *p++ = '\0';
    }

    lines->len = p - lines->data;
}


static ngx_uint_t
ngx_agt_trace_is_good(const ngx_str_t *value)
{
    size_t  i;

    if (value->len > NGX_AGT_TRACE_MAX) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}
