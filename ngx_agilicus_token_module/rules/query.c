
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/query.h"
#include "token/text.h"


/*
 * The result for one piece of a query, as bits: MEETS if all readers find the
 * parameter with the right value in it, FAILS if some reader could find the
 * parameter with another value.
 */

#define NGX_AGT_QUERY_OTHER  0
#define NGX_AGT_QUERY_MEETS  1
#define NGX_AGT_QUERY_FAILS  2


static ngx_uint_t ngx_agt_query_piece(const ngx_str_t *piece,
    const ngx_str_t *name, const ngx_str_t *exact);
static ngx_uint_t ngx_agt_query_is_clear(const u_char *p, const u_char *end);
static ngx_uint_t ngx_agt_query_is(const u_char *p,
    const u_char *end, const ngx_str_t *text);
static ngx_uint_t ngx_agt_query_is_like(const u_char *p,
    const u_char *end, const ngx_str_t *name);
static ngx_int_t ngx_agt_query_next(const u_char **p, const u_char *end);
static ngx_int_t ngx_agt_query_fold(ngx_int_t c);


ngx_uint_t
ngx_agt_query_match(const ngx_str_t *query, const ngx_str_t *name,
    const ngx_str_t *exact)
{
    ngx_str_t   rest, piece, part;
    ngx_uint_t  whole, split;

    if (query->len == 0) {
        return 0;
    }

    whole = NGX_AGT_QUERY_OTHER;
    split = NGX_AGT_QUERY_OTHER;
    rest = *query;

    while (ngx_agt_text_piece(&rest, '&', &piece)) {
        whole |= ngx_agt_query_piece(&piece, name, exact);

        /* once more, like readers that end a parameter at ";" */

        while (ngx_agt_text_piece(&piece, ';', &part)) {
            split |= ngx_agt_query_piece(&part, name, exact);
        }

        if (whole > NGX_AGT_QUERY_MEETS || split > NGX_AGT_QUERY_MEETS) {
            return 0;
        }
    }

    return whole == NGX_AGT_QUERY_MEETS && split == NGX_AGT_QUERY_MEETS;
}


static ngx_uint_t
ngx_agt_query_piece(const ngx_str_t *piece, const ngx_str_t *name,
    const ngx_str_t *exact)
{
    ngx_uint_t     same;
    const u_char  *p, *last, *end;

    p = piece->data;
    last = p + ngx_agt_text_until(p, piece->len, '=');
    end = p + piece->len;

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

        if (ngx_agt_query_fold(c) != ngx_agt_query_fold(name->data[n++])) {
            return 0;
        }
    }

    return n == name->len || name->data[n] == '[';
}


/* the next byte, decoded, or NGX_ERROR for a broken escape */

static ngx_int_t
ngx_agt_query_next(const u_char **p, const u_char *end)
{
    ngx_int_t  c;

    c = *(*p)++;

    if (c != '%') {
        return c;
    }

    c = ngx_agt_text_escaped(*p, end);

    if (c != NGX_ERROR) {
        *p += 2;
    }

    return c;
}


static ngx_int_t
ngx_agt_query_fold(ngx_int_t c)
{
    if (c == '.' || c == ' ' || c == '+') {
        return '_';
    }

    return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}
