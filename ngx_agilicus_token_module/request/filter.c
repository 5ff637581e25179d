
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/filter.h"
#include "request/context.h"
#include "request/early.h"
#include "request/headers.h"
#include "request/sources.h"


static ngx_int_t ngx_agt_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_agt_is_private(ngx_http_request_t *r);
static ngx_uint_t ngx_agt_has_word(const ngx_str_t *value,
    const char *word, size_t len);


static ngx_http_output_header_filter_pt  ngx_agt_next_header_filter;


void
ngx_agt_filter_init(void)
{
    ngx_agt_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_agt_header_filter;
}


/*
 * RFC 6750, section 2.3: what is answered to a token in the query must not be
 * kept by a shared cache, which knows the query but not that it is a secret.
 */

static ngx_int_t
ngx_agt_header_filter(ngx_http_request_t *r)
{
    ngx_agt_client_t  *client;

    static const ngx_str_t  name = ngx_string("Cache-Control");
    static const ngx_str_t  value = ngx_string("private");

    /* the request may have ended before its location's rewrite phase */

    (void) ngx_agt_sources_cut_query(r);

    client = ngx_agt_client_find(r);

    if (client == NULL) {
        return ngx_agt_next_header_filter(r);
    }

    /* what auth_request_set takes of this answer was not read early */

    ngx_agt_early_close(r, client);

    if (r != r->main || !client->in_query || ngx_agt_is_private(r))
    {
        return ngx_agt_next_header_filter(r);
    }

    if (ngx_agt_headers_set(r, NULL, &name, &value) == NULL) {
        return NGX_ERROR;
    }

    return ngx_agt_next_header_filter(r);
}


static ngx_uint_t
ngx_agt_is_private(ngx_http_request_t *r)
{
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    for (h = ngx_agt_headers_first(&place, &r->headers_out.headers,
                                   "Cache-Control");
         h;
         h = ngx_agt_headers_next(&place))
    {
        if (h->hash
            && (ngx_agt_has_word(&h->value, "private", 7)
                || ngx_agt_has_word(&h->value, "no-store", 8)))
        {
            return 1;
        }
    }

    return 0;
}


/* a directive by itself: 'private="X-Name"' keeps only that header private */

static ngx_uint_t
ngx_agt_has_word(const ngx_str_t *value, const char *word, size_t len)
{
    u_char  *p, *last, *start;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != ' ' && *p != '\t' && *p != ',') {
            p++;
        }

        if ((size_t) (p - start) == len
            && ngx_strncasecmp(start, (u_char *) word, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
