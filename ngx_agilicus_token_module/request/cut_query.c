
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/cut_query.h"
#include "request/cut_protocol.h"
#include "request/context.h"
#include "request/enter.h"
#include "token/bearer.h"


static ngx_int_t ngx_agt_cut_query_parameter(ngx_http_request_t *r,
    ngx_str_t *name);
static void ngx_agt_cut_query_all(ngx_http_request_t *r);
static ngx_int_t ngx_agt_cut_query_args(ngx_http_request_t *r,
    ngx_str_t *args, ngx_str_t *name);
static void ngx_agt_cut_query_done(ngx_http_request_t *r);
static ngx_int_t ngx_agt_cut_query_target(ngx_http_request_t *r,
    ngx_str_t *line, ngx_str_t *name);


/*
 * Cuts the parameter out of everything that a log, a later phase or upstream
 * would read.  Only copies are changed, and not the bytes that the client sent.
 */

static ngx_int_t
ngx_agt_cut_query_parameter(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_http_request_t  *main, *pr;
    ngx_agt_client_t    *client;
    ngx_agt_arrival_t   *arrival;

    main = r->main;

    /* the parents of a subrequest may still go upstream */

    for (pr = r; pr; pr = pr->parent) {

        client = ngx_agt_client_find(r);
        arrival = client ? ngx_agt_arrival_find(client, pr) : NULL;

        if (arrival && ngx_agt_cut_query_args(r, &arrival->args,
                                                name) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_agt_cut_query_args(r, &pr->args, name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_agt_cut_query_target(r, &main->unparsed_uri, name) != NGX_OK
        || ngx_agt_cut_query_target(r, &main->request_line, name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_cut_query_done(r);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_cut_query_args(ngx_http_request_t *r, ngx_str_t *args,
                         ngx_str_t *name)
{
    u_char  *p;

    /* nginx leaves the pointer of an empty text as it was */

    if (args->len == 0 || !ngx_agt_bearer_in_query(args, name)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, args->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->len = ngx_agt_bearer_cut_query(args, name, p);
    args->data = p;

    return NGX_OK;
}


/* cuts the whole query, which takes no memory */

static void
ngx_agt_cut_query_all(ngx_http_request_t *r)
{
    ngx_str_t           *lines[2], args;
    ngx_uint_t           i;
    ngx_http_request_t  *pr;

    lines[0] = &r->main->unparsed_uri;
    lines[1] = &r->main->request_line;

    for (pr = r; pr; pr = pr->parent) {
        pr->args.len = 0;
    }

    for (i = 0; i < 2; i++) {
        ngx_agt_cut_query_split(lines[i], &args);

        if (args.data) {
            /* the "?" goes too */
            lines[i]->len = args.data - 1 - lines[i]->data;
        }
    }

    ngx_agt_cut_query_done(r);
}


ngx_int_t
ngx_agt_cut_query(ngx_http_request_t *r)
{
    ngx_uint_t                 i;
    ngx_agt_source_t          *sources;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF || lcf->sources == NULL) {
        return NGX_OK;
    }

    sources = lcf->sources->elts;

    for (i = 0; i < lcf->sources->nelts; i++) {

        if (sources[i].type == NGX_AGT_SOURCE_SUBPROTOCOL
            && ngx_agt_cut_protocol(r, &sources[i].name) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (sources[i].type != NGX_AGT_SOURCE_QUERY) {
            continue;
        }

        /* the client's part keeps the target as the client sent it */

        if (ngx_agt_client_get(r) == NULL
            || ngx_agt_cut_query_parameter(r, &sources[i].name) != NGX_OK)
        {
            ngx_agt_cut_query_all(r);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_agt_cut_query_done(ngx_http_request_t *r)
{
    ngx_http_request_t         *main, *pr;
    const ngx_agt_main_conf_t  *mcf;

    main = r->main;

    for (pr = r; pr && pr != main; pr = pr->parent) {
        pr->unparsed_uri = main->unparsed_uri;
        pr->request_line = main->request_line;
    }

    /* nginx keeps the values of these variables */

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    main->variables[mcf->request_uri_index].valid = 0;
    main->variables[mcf->request_index].valid = 0;
}


/* "line" is a request target, or a whole request line */

static ngx_int_t
ngx_agt_cut_query_target(ngx_http_request_t *r, ngx_str_t *line,
                           ngx_str_t *name)
{
    size_t      head, tail, len;
    u_char     *p;
    ngx_str_t   args;

    ngx_agt_cut_query_split(line, &args);

    if (!ngx_agt_bearer_in_query(&args, name)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, line->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    head = args.data - line->data;
    tail = line->len - head - args.len;

    len = ngx_agt_bearer_cut_query(&args, name, p + head);

    ngx_memcpy(p, line->data, head);

    if (len == 0) {
        /* nothing is left: the "?" goes too */
        head--;
    }

    ngx_memcpy(p + head + len, args.data + args.len, tail);

    line->data = p;
    line->len = head + len + tail;

    return NGX_OK;
}


/* the query, from behind the first "?" to a fragment, a space or the end */

void
ngx_agt_cut_query_split(ngx_str_t *line, ngx_str_t *args)
{
    u_char  *p, *last;

    ngx_str_null(args);

    last = line->data + line->len;

    for (p = line->data; p < last; p++) {

        if (*p == '#') {
            return;
        }

        if (*p == '?') {
            args->data = ++p;

            while (p < last && *p != '#' && *p != ' ') {
                p++;
            }

            args->len = p - args->data;
            return;
        }
    }
}
