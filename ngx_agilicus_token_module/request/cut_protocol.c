
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/cut_protocol.h"
#include "request/headers.h"
#include "token/bearer.h"
#include "token/text.h"


static ngx_uint_t ngx_agt_cut_protocol_has(ngx_http_request_t *r,
    ngx_str_t *prefix);
static ngx_int_t ngx_agt_cut_protocol_keep(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);


ngx_uint_t
ngx_agt_cut_protocol_is(ngx_http_request_t *r)
{
    ngx_str_t           rest, name;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    if (r->main->method != NGX_HTTP_GET) {
        return 0;
    }

    ngx_agt_headers_begin(&place, &r->headers_in.headers, "Upgrade");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        rest = h->value;

        while (ngx_agt_text_piece(&rest, ',', &name)) {
            ngx_agt_bearer_strip(&name);

            if (ngx_agt_text_is(&name, "websocket")) {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_agt_cut_protocol(ngx_http_request_t *r, ngx_str_t *prefix)
{
    ngx_int_t            rc;
    ngx_table_elt_t     *h;
    ngx_agt_headers_t    place;
    ngx_http_request_t  *pr;

    if (!ngx_agt_cut_protocol_is(r)) {
        return NGX_OK;
    }

    rc = NGX_OK;

    /* the parents of a subrequest may still go upstream */

    for (pr = r; pr; pr = pr->parent) {

        if (!ngx_agt_cut_protocol_has(pr, prefix)) {
            continue;
        }

        /* the client's part keeps the list as the client sent it */

        if (ngx_agt_client_get(pr) != NULL
            && ngx_agt_headers_copy(pr, ngx_agt_cut_protocol_keep, prefix)
               == NGX_OK)
        {
            continue;
        }

        rc = NGX_ERROR;

        ngx_agt_headers_begin(&place, &pr->headers_in.headers,
                              NGX_AGT_PROTOCOLS);

        while ((h = ngx_agt_headers_next(&place)) != NULL) {
            h->value.len = 0;
        }
    }

    return rc;
}


static ngx_uint_t
ngx_agt_cut_protocol_has(ngx_http_request_t *r, ngx_str_t *prefix)
{
    ngx_str_t           token;
    ngx_uint_t          seen;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    seen = 0;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, NGX_AGT_PROTOCOLS);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        (void) ngx_agt_bearer_subprotocol(&h->value, prefix, 0, &seen, &token);
    }

    return seen != 0;
}


static ngx_int_t
ngx_agt_cut_protocol_keep(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    const ngx_str_t *prefix = data;

    u_char  *p;

    if (!ngx_agt_headers_is(h, NGX_AGT_PROTOCOLS)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, h->value.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->value.len = ngx_agt_bearer_cut_subprotocol(&h->value, prefix, p);
    h->value.data = p;
    p[h->value.len] = '\0';

    return h->value.len ? NGX_OK : NGX_DECLINED;
}
