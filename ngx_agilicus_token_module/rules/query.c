
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/path.h"
#include "rules/query.h"
#include "token/bearer.h"


/*
 * The result for one piece of a query, as bits: MEETS if all readers find the
 * parameter with the right value in it, FAILS if some reader could find the
 * parameter with another value.
 */

#define NGX_AGT_QUERY_OTHER  0
#define NGX_AGT_QUERY_MEETS  1
#define NGX_AGT_QUERY_FAILS  2


static ngx_uint_t ngx_agt_query_pieces(const u_char *p,
    const u_char *end, const ngx_str_t *name, const ngx_str_t *exact);
static ngx_uint_t ngx_agt_query_piece(const u_char *p,
    const u_char *end, const ngx_str_t *name, const ngx_str_t *exact);
static ngx_uint_t ngx_agt_query_is_clear(const u_char *p, const u_char *end);
static ngx_uint_t ngx_agt_query_is(const u_char *p,
    const u_char *end, const ngx_str_t *text);
static ngx_uint_t ngx_agt_query_is_like(const u_char *p,
    const u_char *end, const ngx_str_t *name);
static ngx_int_t ngx_agt_query_next(const u_char **p, const u_char *end);
static ngx_int_t ngx_agt_query_fold(ngx_int_t c);
static const u_char *ngx_agt_query_find(const u_char *p,
    const u_char *end, u_char c);


ngx_uint_t
ngx_agt_query_match(const ngx_str_t *query, const ngx_str_t *name,
    const ngx_str_t *exact)
{
    ngx_uint_t     whole, split;
    const u_char  *p, *end, *last;

    if (query->len == 0) {
        return 0;
    }

    whole = NGX_AGT_QUERY_OTHER;
    split = NGX_AGT_QUERY_OTHER;

    p = query->data;
    end = p + query->len;

    for ( ;; ) {
        last = ngx_agt_query_find(p, end, '&');

        whole |= ngx_agt_query_piece(p, last, name, exact);

        /* once more, like readers that end a parameter at ";" */

        split |= ngx_agt_query_pieces(p, last, name, exact);

        if (whole > NGX_AGT_QUERY_MEETS
            || split > NGX_AGT_QUERY_MEETS
            || last == end)
        {
            break;
        }

        p = last + 1;
    }

    return whole == NGX_AGT_QUERY_MEETS && split == NGX_AGT_QUERY_MEETS;
}


static ngx_uint_t
ngx_agt_query_pieces(const u_char *p, const u_char *end,
    const ngx_str_t *name, const ngx_str_t *exact)
{
    ngx_uint_t     rc;
    const u_char  *last;

    rc = NGX_AGT_QUERY_OTHER;

    for ( ;; ) {
        last = ngx_agt_query_find(p, end, ';');

        rc |= ngx_agt_query_piece(p, last, name, exact);

        if (last == end) {
            return rc;
        }

        p = last + 1;
    }
}


static ngx_uint_t
ngx_agt_query_piece(const u_char *p, const u_char *end,
    const ngx_str_t *name, const ngx_str_t *exact)
{
    ngx_uint_t     same;
    const u_char  *last;

    last = ngx_agt_query_find(p, end, '=');

    if (!ngx_agt_query_is_clear(p, last)) {
        return NGX_AGT_QUERY_FAILS;
    }

    same = ngx_agt_query_is(p, last, name);

    if (!same && !ngx_agt_query_is_like(p, last, name)) {
        return NGX_AGT_QUERY_OTHER;
    }

    if (last < end) {
        last++;
    }

    if (exact && !ngx_agt_query_is(last, end, exact)) {
        return NGX_AGT_QUERY_FAILS;
    }

    return same ? NGX_AGT_QUERY_MEETS : NGX_AGT_QUERY_OTHER;
}


/* 1 if all readers decode a name in the same way, else 0 */

static ngx_uint_t
ngx_agt_query_is_clear(const u_char *p, const u_char *end)
{
    ngx_int_t  c;

    while (p < end) {
        c = ngx_agt_query_next(&p, end);

        if (c == NGX_ERROR || c == '%') {
            return 0;
        }
    }

    return 1;
}


/* 1 if all readers take it for "text"; they differ about "+" */

static ngx_uint_t
ngx_agt_query_is(const u_char *p, const u_char *end, const ngx_str_t *text)
{
    size_t  n;

    for (n = 0; p < end; n++) {

        if (n == text->len
            || *p == '+'
            || ngx_agt_query_next(&p, end) != text->data[n])
        {
            return 0;
        }
    }

    return n == text->len;
}


/*
 * Returns 1 if some reader could take the text for the name.  White space
 * around it is ignored, and so is the rest of the text from a NUL or a bracket
 * on.
 */

static ngx_uint_t
ngx_agt_query_is_like(const u_char *p, const u_char *end,
    const ngx_str_t *name)
{
    size_t      n;
    ngx_int_t   c;
    ngx_uint_t  begun;

    n = 0;
    begun = 0;

    while (n < name->len && name->data[n] == ' ') {
        n++;
    }

    while (p < end) {
        c = ngx_agt_query_next(&p, end);

        if (c == 0) {
            break;
        }

        if ((c == ' ' || c == '+') && (!begun || n == name->len)) {
            continue;
        }

        begun = 1;

        if (n == name->len) {
            return c == '[';
        }

        if (ngx_agt_query_fold(c) != ngx_agt_query_fold(name->data[n++]))
        {
            return 0;
        }
    }

    return n == name->len || name->data[n] == '[';
}


/* the next byte, decoded, or NGX_ERROR for a broken escape */

static ngx_int_t
ngx_agt_query_next(const u_char **p, const u_char *end)
{
    ngx_int_t      hi, lo;
    const u_char  *q;

    q = *p;
    *p = q + 1;

    if (*q != '%') {
        return *q;
    }

    if (end - q < 3) {
        return NGX_ERROR;
    }

    hi = ngx_agt_bearer_hex(q[1]);
    lo = ngx_agt_bearer_hex(q[2]);

    if (hi == NGX_ERROR || lo == NGX_ERROR) {
        return NGX_ERROR;
    }

    *p = q + 3;

    return hi << 4 | lo;
}


static ngx_int_t
ngx_agt_query_fold(ngx_int_t c)
{
    if (c == '.' || c == ' ' || c == '+') {
        return '_';
    }

    return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}


static const u_char *
ngx_agt_query_find(const u_char *p, const u_char *end, u_char c)
{
    const u_char  *found;

    found = memchr(p, c, (size_t) (end - p));

    return found ? found : end;
}
