
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/host_rules.h"
#include "request/destination.h"
#include "request/enter.h"
#include "request/headers.h"
#include "json/document.h"
#include "rules/path.h"
#include "token/bearer.h"
#include "token/text.h"


/* compiled patterns that a worker keeps */
#define NGX_AGT_HOST_RULES_PATTERNS   1024

/* bytes of a body that rules may look into */
#define NGX_AGT_HOST_RULES_MAX_BODY   65536

/* nanoseconds that reading a byte of a body costs at most */
#define NGX_AGT_HOST_RULES_BYTE       24


static ngx_int_t ngx_agt_host_rules_view(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_rules_view_t *view);
static void ngx_agt_host_rules_body(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_agt_rules_view_t *view);
static ngx_uint_t ngx_agt_host_rules_can_read(ngx_http_request_t *r);
static ngx_uint_t ngx_agt_host_rules_is_clear(ngx_http_request_t *r);
static ngx_uint_t ngx_agt_host_rules_is_utf8(const ngx_str_t *type);
static void ngx_agt_host_rules_read(ngx_http_request_t *r);


static ngx_agt_rules_t  *ngx_agt_host_rules;


ngx_int_t
ngx_agt_host_rules_init(void)
{
    ngx_agt_host_rules = ngx_agt_rules_create(NGX_AGT_HOST_RULES_PATTERNS);

    return ngx_agt_host_rules ? NGX_OK : NGX_ERROR;
}


void
ngx_agt_host_rules_exit(void)
{
    if (ngx_agt_host_rules) {
        ngx_agt_rules_destroy(ngx_agt_host_rules);
        ngx_agt_host_rules = NULL;
    }
}


ngx_int_t
ngx_agt_host_rules_match(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_reason_e *reason)
{
    ngx_int_t                 rc, second;
    ngx_agt_rules_view_t      view;
    ngx_agt_json_document_t  *document;

    *reason = NGX_AGT_REASON_PATH;

    if (ngx_agt_host_rules == NULL) {
        *reason = NGX_AGT_REASON_INTERNAL;
        return NGX_DECLINED;
    }

    ngx_memzero(&view, sizeof(ngx_agt_rules_view_t));

    if (ngx_agt_host_rules_view(r, ctx, lcf, &view) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* this decision and the one that asked for the body share a budget */

    view.spent = (ctx->life == NGX_AGT_LIFE_READ) ? ctx->rules_spent : 0;

    ngx_agt_host_rules_body(r, ctx, &view);

    rc = ngx_agt_rules_decide(ngx_agt_host_rules, &ctx->rules, &view, reason);

    if (rc != NGX_DECLINED) {
        second = ngx_agt_destination_view(r, &view);

        if (second == NGX_OK) {
            second = ngx_agt_rules_decide(
                                                ngx_agt_host_rules,
                                                &ctx->rules, &view, reason);

        } else if (second != NGX_DONE) {
            *reason = NGX_AGT_REASON_PATH;
        }

        if (second != NGX_OK && second != NGX_DONE) {
            rc = second;
        }
    }

    ctx->rules_spent = view.spent;

    document = view.body;
    ngx_agt_json_release(&document);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    *reason = NGX_AGT_REASON_BODY;

    return (ctx->life == NGX_AGT_LIFE_READ) ? NGX_DECLINED : NGX_AGAIN;
}


/*
 * Rules see the method and target that the client sent, also after an internal
 * redirect.  For a subrequest they see those that it was made with; the target
 * is escaped as a client would have had to escape it.
 */

static ngx_int_t
ngx_agt_host_rules_view(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_rules_view_t *view)
{
    size_t              escapes;
    u_char             *p;
    ngx_str_t           raw, uri;
    ngx_agt_arrival_t  *arrival;

    /* the host of the request, and never the server_name of its server */

    view->host = r->headers_in.server;

    if (lcf->rules_host
        && ngx_http_complex_value(r, lcf->rules_host, &view->host) != NGX_OK)
    {
        return NGX_ERROR;
    }

    view->search = (lcf->rules_search != 0);

    if (r == r->main) {

        /* nginx makes it GET for an error page and X-Accel-Redirect */

        view->method = r->request_line;

        p = ngx_strlchr(view->method.data,
                        view->method.data + view->method.len, ' ');
        if (p == NULL) {
            return NGX_ERROR;
        }

        view->method.len = p - view->method.data;

        raw = r->unparsed_uri;

        p = ngx_strlchr(raw.data, raw.data + raw.len, '?');

        if (p) {
            view->has_query = 1;
            view->query.data = p + 1;
            view->query.len = raw.data + raw.len - (p + 1);

            raw.len = p - raw.data;
        }

    } else {
        arrival = ngx_agt_arrival_find(ctx->client, r);
        if (arrival == NULL) {
            return NGX_ERROR;
        }

        view->method = arrival->method;
        view->query = arrival->args;
        view->has_query = (arrival->args.len != 0);

        uri = arrival->uri;

        escapes = 2 * ngx_escape_uri(NULL, uri.data, uri.len, NGX_ESCAPE_URI);

        raw.data = ngx_pnalloc(r->pool, uri.len + escapes);
        if (raw.data == NULL) {
            return NGX_ERROR;
        }

        raw.len = uri.len + escapes;

        if (escapes) {
            (void) ngx_escape_uri(raw.data, uri.data, uri.len,
                                  NGX_ESCAPE_URI);
        } else {
            ngx_memcpy(raw.data, uri.data, uri.len);
        }
    }

    return ngx_agt_host_rules_path(r, &raw, view);
}


ngx_int_t
ngx_agt_host_rules_path(ngx_http_request_t *r, const ngx_str_t *raw,
    ngx_agt_rules_view_t *view)
{
    u_char  *buf;

    if (view->has_query && !ngx_agt_path_is_query(&view->query)) {
        return NGX_DECLINED;
    }

    buf = ngx_pnalloc(r->pool, raw->len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_agt_path_decode(raw, buf, &view->path) != NGX_OK) {
        ngx_agt_path_fault(raw, buf, &view->path);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_agt_host_rules_detail(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_detail_t *d)
{
    ngx_str_t             other;
    ngx_uint_t            n;
    ngx_agt_rules_view_t  view;

    if (ctx->decision.verdict == NGX_AGT_VERDICT_MALFORMED) {
        ngx_agt_detail_words(d, "the request names two hosts");
        return;
    }

    ngx_memzero(&view, sizeof(ngx_agt_rules_view_t));

    if (ngx_agt_host_rules_view(ctx->request, ctx, lcf, &view) != NGX_OK) {

        if (view.path.len) {
            ngx_agt_detail_text(d, &view.path);
            ngx_agt_detail_words(d, " in the path can be read in two ways");

        } else {
            ngx_agt_detail_words(d, "the query can be read in two ways");
        }

        return;
    }

    n = ngx_agt_rules_count(&ctx->rules, &view.host, &other);

    ngx_agt_detail_text(d, &view.method);
    ngx_agt_detail_words(d, ", ");
    ngx_agt_detail_number(d, (int64_t) n);
    ngx_agt_detail_words(d, n == 1 ? " rule for host " : " rules for host ");
    ngx_agt_detail_text(d, &view.host);

    if (n == 0 && other.len) {
        ngx_agt_detail_words(d, ", others for ");
        ngx_agt_detail_text(d, &other);
    }
}


static void
ngx_agt_host_rules_body(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_agt_rules_view_t *view)
{
    ngx_str_t  text;

    view->state = NGX_AGT_RULES_ABSENT;

    if (ctx->life != NGX_AGT_LIFE_READ) {

        if (ngx_agt_host_rules_can_read(r)) {
            view->state = NGX_AGT_RULES_UNREAD;
        }

        return;
    }

    if (ngx_agt_host_rules_gather(r, NGX_AGT_HOST_RULES_MAX_BODY, &text)
        != NGX_OK
        || (off_t) text.len != r->headers_in.content_length_n)
    {
        return;
    }

    view->spent += text.len * NGX_AGT_HOST_RULES_BYTE;
    view->body = ngx_agt_json_document(text.data, text.len);

    if (view->body) {
        view->state = NGX_AGT_RULES_GIVEN;
        view->pointer = ngx_agt_json_pointer;
    }
}


/* a body comes in a buffer for each read */

ngx_int_t
ngx_agt_host_rules_gather(ngx_http_request_t *r, off_t max, ngx_str_t *text)
{
    off_t         len;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL || r->request_body->bufs == NULL
        || r->request_body->temp_file)
    {
        return NGX_DECLINED;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file) {
            return NGX_DECLINED;
        }

        len += cl->buf->last - cl->buf->pos;
    }

    if (len > max) {
        return NGX_DECLINED;
    }

    text->len = (size_t) len;

    cl = r->request_body->bufs;

    if (cl->next == NULL) {
        text->data = cl->buf->pos;
        return NGX_OK;
    }

    text->data = ngx_pnalloc(r->pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = text->data;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        /* the last buffer of a chunked body has no memory */

        if (b->last != b->pos) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_agt_host_rules_can_read(ngx_http_request_t *r)
{
    off_t                      len;
    ngx_http_core_loc_conf_t  *clcf;

    if (r != r->main || r->headers_in.chunked) {
        return 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    len = r->headers_in.content_length_n;

    return len > 0 && len <= (off_t) clcf->client_body_buffer_size
           && len <= NGX_AGT_HOST_RULES_MAX_BODY
           && ngx_agt_headers_is_json(r)
           && ngx_agt_host_rules_is_clear(r);
}


/*
 * Returns 1 if upstream must read the same document from the body as rules do.
 * That is not sure if the body has two types, another charset or an encoding.
 */

static ngx_uint_t
ngx_agt_host_rules_is_clear(ngx_http_request_t *r)
{
    ngx_str_t           value;
    ngx_uint_t          types;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    types = 0;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, NULL);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        if (ngx_agt_headers_is(h, "Content-Type")
            && (types++ || !ngx_agt_host_rules_is_utf8(&h->value)))
        {
            return 0;
        }

        value = h->value;
        ngx_agt_bearer_strip(&value);

        if (ngx_agt_headers_is(h, "Content-Encoding")
            && !ngx_agt_text_is(&value, "identity"))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * In another charset the same bytes could be another document, and a comma
 * would begin a second type.
 */

static ngx_uint_t
ngx_agt_host_rules_is_utf8(const ngx_str_t *type)
{
    ngx_str_t  rest, part;

    if (ngx_strlchr(type->data, type->data + type->len, ',')) {
        return 0;
    }

    rest = *type;
    (void) ngx_agt_text_piece(&rest, ';', &part);

    while (ngx_agt_text_piece(&rest, ';', &part)) {

        if (ngx_strlcasestrn(part.data, part.data + part.len,
                             (u_char *) "charset", sizeof("charset") - 2)
            == NULL)
        {
            continue;
        }

        ngx_agt_bearer_strip(&part);

        if (!ngx_agt_text_is(&part, "charset=utf-8")
            && !ngx_agt_text_is(&part, "charset=\"utf-8\""))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_agt_host_rules_read_body(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->life = NGX_AGT_LIFE_READING;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_agt_host_rules_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_agt_host_rules_read(ngx_http_request_t *r)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    ctx->life = NGX_AGT_LIFE_READ;

    /* keeps the body for upstream */

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}
