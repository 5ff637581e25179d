
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/problem.h"


static ngx_int_t ngx_agt_problem_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_agt_problem_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static const ngx_str_t *ngx_agt_problem_body(ngx_int_t status);


#define ngx_agt_problem(status, title)                                        \
    { status, ngx_string("{\"type\":\"about:blank\",\"title\":\"" title       \
                         "\",\"status\":" #status "}\n") }


/*
 * RFC 9457, section 4.2.1: with "about:blank", the title is the phrase of the
 * status.  The bodies are constants: nothing of a token, a path or the API can
 * be in them.
 */

static const struct {
    ngx_int_t  status;
    ngx_str_t  body;
} ngx_agt_problems[] = {
    ngx_agt_problem(400, "Bad Request"),
    ngx_agt_problem(401, "Unauthorized"),
    ngx_agt_problem(403, "Forbidden"),
    ngx_agt_problem(429, "Too Many Requests"),
    ngx_agt_problem(503, "Service Unavailable")
};

#define NGX_AGT_NPROBLEMS                                                     \
    (sizeof(ngx_agt_problems) / sizeof(ngx_agt_problems[0]))


static ngx_http_output_header_filter_pt  ngx_agt_problem_next_header;
static ngx_http_output_body_filter_pt    ngx_agt_problem_next_body;


void
ngx_agt_problem_init(void)
{
    ngx_agt_problem_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_agt_problem_header_filter;

    ngx_agt_problem_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_agt_problem_body_filter;
}


static ngx_int_t
ngx_agt_problem_header_filter(ngx_http_request_t *r)
{
    ngx_agt_ctx_t    *ctx;
    const ngx_str_t  *body;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || !ctx->problem) {
        return ngx_agt_problem_next_header(r);
    }

    body = ngx_agt_problem_body(ctx->status);

    /* "error_page" may have made a redirect of it, which has another status */

    if (body == NULL || (ngx_int_t) r->headers_out.status != ctx->status) {
        ctx->problem = 0;
        return ngx_agt_problem_next_header(r);
    }

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = (off_t) body->len;

    return ngx_agt_problem_next_header(r);
}


/* nginx's page is sent by one call, which the body replaces */

static ngx_int_t
ngx_agt_problem_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_agt_ctx_t    *ctx;
    const ngx_str_t  *body;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || !ctx->problem || in == NULL) {
        return ngx_agt_problem_next_body(r, in);
    }

    body = ngx_agt_problem_body(ctx->status);

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ctx->problem = 0;

    return ngx_agt_problem_next_body(r, &out);
}


/* NULL for a status that no refusal has */

static const ngx_str_t *
ngx_agt_problem_body(ngx_int_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_NPROBLEMS; i++) {
        if (ngx_agt_problems[i].status == status) {
            return &ngx_agt_problems[i].body;
        }
    }

    return NULL;
}
