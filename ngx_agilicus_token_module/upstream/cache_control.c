
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/cache_control.h"
#include "request/context.h"
#include "request/cut_query.h"
#include "request/early.h"
#include "request/headers.h"
#include "request/variables.h"
#include "token/bearer.h"
#include "token/text.h"


static ngx_int_t ngx_agt_cache_control_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_agt_cache_control_is_set(ngx_http_request_t *r);
static ngx_int_t ngx_agt_cache_control_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_output_header_filter_pt  ngx_agt_cache_control_next;


void
ngx_agt_cache_control_init(void)
{
    ngx_agt_cache_control_next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_agt_cache_control_filter;
}


/*
 * RFC 6750, section 2.3: a shared cache must not keep the response to a request
 * with a token in the query, since the cache does not know that the query holds
 * a secret.
 */

static ngx_int_t
ngx_agt_cache_control_filter(ngx_http_request_t *r)
{
    ngx_agt_client_t  *client;

    static const ngx_str_t  name = ngx_string("Cache-Control");
    static const ngx_str_t  value = ngx_string("private");

    /* the request may have ended before its location's rewrite phase */

    (void) ngx_agt_cut_query(r);

    client = ngx_agt_client_find(r);

    if (client) {

        /* what auth_request_set takes of this answer was not read early */

        ngx_agt_early_close(r, client);

        if (r == r->main && client->in_query
            && !ngx_agt_cache_control_is_set(r)
            && ngx_agt_headers_set(r, NULL, &name, &value) == NULL)
        {
            return NGX_ERROR;
        }
    }

    return ngx_agt_cache_control_next(r);
}


/* 'private="X-Name"', which keeps only that header private, is another word */

static ngx_uint_t
ngx_agt_cache_control_is_set(ngx_http_request_t *r)
{
    ngx_str_t           rest, word;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    ngx_agt_headers_begin(&place, &r->headers_out.headers, "Cache-Control");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        rest = h->value;

        while (h->hash && ngx_agt_text_piece(&rest, ',', &word)) {
            ngx_agt_bearer_strip(&word);

            if (ngx_agt_text_is(&word, "private")
                || ngx_agt_text_is(&word, "no-store"))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_agt_cache_control_add_variable(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    static ngx_str_t  name = ngx_string("agilicus_token_no_cache");

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_agt_cache_control_variable;

    return NGX_OK;
}


/*
 * RFC 9111, section 3.5: nginx's caches do not look at Authorization, and a
 * response to one token must not be given to another.
 */

static ngx_int_t
ngx_agt_cache_control_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_uint_t                 token;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    static ngx_str_t  one = ngx_string("1");

    ngx_agt_early_depends();

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF) {
        ctx = ngx_agt_ctx_find(r);
        token = (ctx != NULL);

    } else {
        ctx = ngx_agt_ctx_here(r);
        token = 1;
    }

    if (ctx && ctx->decision.verdict == NGX_AGT_VERDICT_ANONYMOUS) {
        token = 0;
    }

    if (!token && r->headers_in.authorization == NULL) {
        return ngx_agt_variables_set(v, NULL);
    }

    return ngx_agt_variables_set(v, &one);
}
