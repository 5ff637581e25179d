
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/bearer.h"
#include "token/text.h"


static ngx_uint_t ngx_agt_bearer_is_run(const u_char *p, size_t len);
static ngx_uint_t ngx_agt_bearer_of_scheme(const ngx_str_t *value,
    const u_char *scheme, size_t len, ngx_str_t *rest);
static ngx_uint_t ngx_agt_bearer_has_scheme(const ngx_str_t *text,
    const u_char *scheme, size_t len);
static ngx_uint_t ngx_agt_bearer_is_pair(const ngx_str_t *pair,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_agt_bearer_is_subprotocol(ngx_str_t *element,
    const ngx_str_t *prefix);
static ngx_uint_t ngx_agt_bearer_is_cookie(const ngx_str_t *piece,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_agt_bearer_decode(ngx_str_t *value,
    size_t max, u_char *buf, ngx_str_t *token);


/* bytes that are looked at together */
typedef u_char  ngx_agt_bearer_bytes_t
    __attribute__((vector_size(16)));

#define TOKEN68  0x01    /* RFC 9110, section 11.2, without "=" */
#define TCHAR    0x02    /* RFC 9110, section 5.6.2 */

static const u_char  ngx_agt_bearer_class[256] = {
    ['0' ... '9'] = TOKEN68|TCHAR,
    ['A' ... 'Z'] = TOKEN68|TCHAR,
    ['a' ... 'z'] = TOKEN68|TCHAR,
    ['-'] = TOKEN68|TCHAR,
    ['.'] = TOKEN68|TCHAR,
    ['_'] = TOKEN68|TCHAR,
    ['~'] = TOKEN68|TCHAR,
    ['+'] = TOKEN68|TCHAR,
    ['/'] = TOKEN68,
    ['!'] = TCHAR,
    ['#'] = TCHAR,
    ['$'] = TCHAR,
    ['%'] = TCHAR,
    ['&'] = TCHAR,
    ['\''] = TCHAR,
    ['*'] = TCHAR,
    ['^'] = TCHAR,
    ['`'] = TCHAR,
    ['|'] = TCHAR
};


#define ngx_agt_bearer_is(c, class)                                           \
    (ngx_agt_bearer_class[c] & (class))

#define ngx_agt_bearer_is_space(c)  ((c) == ' ' || (c) == '\t')


ngx_uint_t
ngx_agt_bearer_header(ngx_str_t *value, size_t max, ngx_str_t *token)
{
    ngx_str_t   rest;
    ngx_uint_t  rc;

    rc = ngx_agt_bearer_credentials(value, &rest);

    if (rc != NGX_AGT_BEARER_FOUND) {
        return rc;
    }

    return ngx_agt_bearer_value(&rest, max, token);
}


ngx_uint_t
ngx_agt_bearer_credentials(const ngx_str_t *value, ngx_str_t *rest)
{
    return ngx_agt_bearer_of_scheme(value, (u_char *) "bearer",
                                    sizeof("bearer") - 1, rest);
}


ngx_uint_t
ngx_agt_bearer_basic(const ngx_str_t *value, ngx_str_t *rest)
{
    return ngx_agt_bearer_of_scheme(value, (u_char *) "basic",
                                    sizeof("basic") - 1, rest);
}


/* "scheme" is in lower case */

static ngx_uint_t
ngx_agt_bearer_of_scheme(const ngx_str_t *value, const u_char *scheme,
    size_t len, ngx_str_t *rest)
{
    u_char     *p, *end;
    ngx_str_t   text;

    if (value->len == 0) {
        return NGX_AGT_BEARER_NONE;
    }

    text = *value;

    if (text.data[0] <= ' ' || text.data[text.len - 1] <= ' ') {
        ngx_agt_bearer_strip(&text);
    }

    if (!ngx_agt_bearer_has_scheme(&text, scheme, len)) {
        return NGX_AGT_BEARER_NONE;
    }

    p = text.data + len;
    end = text.data + text.len;

    if (p == end || *p != ' ') {
        return NGX_AGT_BEARER_MALFORMED;
    }

    while (p < end && *p == ' ') {
        p++;
    }

    rest->data = p;
    rest->len = (size_t) (end - p);

    return NGX_AGT_BEARER_FOUND;
}


ngx_uint_t
ngx_agt_bearer_value(ngx_str_t *value, size_t max, ngx_str_t *token)
{
    if (!ngx_agt_bearer_is_token68(value)) {
        return NGX_AGT_BEARER_MALFORMED;
    }

    if (value->len > max) {
        return NGX_AGT_BEARER_TOO_LONG;
    }

    *token = *value;

    return NGX_AGT_BEARER_FOUND;
}


ngx_uint_t
ngx_agt_bearer_cookie(ngx_str_t *value, const ngx_str_t *name,
    size_t max, ngx_uint_t *seen, ngx_str_t *token)
{
    ngx_str_t   rest, pair, found;
    ngx_uint_t  rc;

    rc = NGX_AGT_BEARER_NONE;
    rest = *value;

    while (ngx_agt_text_piece(&rest, ';', &pair)) {

        if (!ngx_agt_bearer_is_cookie(&pair, name, &found)) {
            continue;
        }

        if (++(*seen) > 1) {
            return NGX_AGT_BEARER_REPEATED;
        }

        /* "name=" is no token; a name without "=" is no such cookie */

        if (found.len || found.data == pair.data || found.data[-1] != '=') {
            rc = ngx_agt_bearer_value(&found, max, token);
        }
    }

    return rc;
}


ngx_uint_t
ngx_agt_bearer_query(ngx_str_t *args, const ngx_str_t *name,
    size_t max, u_char *buf, ngx_str_t *token)
{
    ngx_str_t   rest, pair, value;
    ngx_uint_t  seen;

    seen = 0;
    rest = *args;

    while (ngx_agt_text_piece(&rest, '&', &pair)) {

        if (ngx_agt_bearer_is_pair(&pair, name, &value) && ++seen > 1) {
            return NGX_AGT_BEARER_REPEATED;
        }
    }

    if (seen == 0) {
        return NGX_AGT_BEARER_NONE;
    }

    return ngx_agt_bearer_decode(&value, max, buf, token);
}


ngx_uint_t
ngx_agt_bearer_in_query(ngx_str_t *args, ngx_str_t *name)
{
    ngx_str_t  rest, pair, value;

    rest = *args;

    while (ngx_agt_text_piece(&rest, '&', &pair)) {
        if (ngx_agt_bearer_is_pair(&pair, name, &value)) {
            return 1;
        }
    }

    return 0;
}


size_t
ngx_agt_bearer_cut_query(ngx_str_t *args, ngx_str_t *name, u_char *dst)
{
    u_char      *d;
    ngx_str_t    rest, pair, value;
    ngx_uint_t   kept;

    d = dst;
    kept = 0;
    rest = *args;

    while (ngx_agt_text_piece(&rest, '&', &pair)) {

        if (ngx_agt_bearer_is_pair(&pair, name, &value)) {
            continue;
        }

        if (kept++) {
            *d++ = '&';
        }

        d = ngx_cpymem(d, pair.data, pair.len);
    }

    return (size_t) (d - dst);
}


ngx_uint_t
ngx_agt_bearer_subprotocol(ngx_str_t *value, const ngx_str_t *prefix,
    size_t max, ngx_uint_t *seen, ngx_str_t *token)
{
    ngx_str_t   rest, element;
    ngx_uint_t  rc;

    rc = NGX_AGT_BEARER_NONE;
    rest = *value;

    while (ngx_agt_text_piece(&rest, ',', &element)) {

        if (!ngx_agt_bearer_is_subprotocol(&element, prefix)) {
            continue;
        }

        if (++(*seen) > 1) {
            return NGX_AGT_BEARER_REPEATED;
        }

        element.data += prefix->len;
        element.len -= prefix->len;

        rc = ngx_agt_bearer_value(&element, max, token);
    }

    return rc;
}


/* takes the white space off the element, too */

static ngx_uint_t
ngx_agt_bearer_is_subprotocol(ngx_str_t *element, const ngx_str_t *prefix)
{
    ngx_agt_bearer_strip(element);

    return element->len >= prefix->len
           && ngx_memcmp(element->data, prefix->data, prefix->len) == 0;
}


size_t
ngx_agt_bearer_cut_subprotocol(ngx_str_t *value, const ngx_str_t *prefix,
    u_char *dst)
{
    u_char     *d;
    ngx_str_t   rest, element, bare;

    d = dst;
    rest = *value;

    while (ngx_agt_text_piece(&rest, ',', &element)) {
        bare = element;

        if (ngx_agt_bearer_is_subprotocol(&bare, prefix)) {
            continue;
        }

        if (d == dst) {
            element = bare;

        } else {
            *d++ = ',';
        }

        d = ngx_cpymem(d, element.data, element.len);
    }

    return (size_t) (d - dst);
}


size_t
ngx_agt_bearer_cut_cookie(ngx_str_t *value, ngx_str_t *name, u_char *dst)
{
    u_char     *d;
    ngx_str_t   rest, pair, bare, found;

    d = dst;
    rest = *value;

    while (ngx_agt_text_piece(&rest, ';', &pair)) {
        bare = pair;
        ngx_agt_bearer_strip(&bare);

        if (bare.len == 0 || ngx_agt_bearer_is_cookie(&pair, name, &found)) {
            continue;
        }

        if (d == dst) {
            pair.len -= (size_t) (bare.data - pair.data);
            pair.data = bare.data;

        } else {
            *d++ = ';';
        }

        d = ngx_cpymem(d, pair.data, pair.len);
    }

    return (size_t) (d - dst);
}


void
ngx_agt_bearer_strip(ngx_str_t *value)
{
    while (value->len && ngx_agt_bearer_is_space(value->data[0])) {
        value->data++;
        value->len--;
    }

    while (value->len
           && ngx_agt_bearer_is_space(value->data[value->len - 1]))
    {
        value->len--;
    }
}


ngx_uint_t
ngx_agt_bearer_is_token68(const ngx_str_t *s)
{
    size_t  len;

    len = s->len;

    while (len && s->data[len - 1] == '=') {
        len--;
    }

    return len != 0 && ngx_agt_bearer_is_run(s->data, len);
}


/*
 * Returns 1 if all "len" bytes are of 1*( ALPHA / DIGIT / "-" / "." / "_" / "~"
 * / "+" / "/" ), else 0.  Many bytes are compared at once, since a token has
 * close to a thousand: a comparison of vectors gives all ones for each byte
 * that passes.
 */

static ngx_uint_t
ngx_agt_bearer_is_run(const u_char *p, size_t len)
{
    uint64_t                all[2];
    ngx_agt_bearer_bytes_t  c, good;

    ngx_memset(&good, 0xff, sizeof(good));

    while (len >= sizeof(c)) {
        ngx_memcpy(&c, p, sizeof(c));

        /* "-", ".", "/" and the digits follow each other */

        good &= (ngx_agt_bearer_bytes_t)
                    (((c | 0x20) - 'a' < 26) | (c - '-' < 13)
                     | (c == '_') | (c == '~') | (c == '+'));

        p += sizeof(c);
        len -= sizeof(c);
    }

    ngx_memcpy(all, &good, sizeof(all));

    if ((all[0] & all[1]) != (uint64_t) -1) {
        return 0;
    }

    while (len && ngx_agt_bearer_is(*p, TOKEN68)) {
        p++;
        len--;
    }

    return len == 0;
}


static ngx_uint_t
ngx_agt_bearer_has_scheme(const ngx_str_t *text, const u_char *scheme,
    size_t len)
{
    size_t  i;

    if (text->len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (ngx_tolower(text->data[i]) != scheme[i]) {
            return 0;
        }
    }

    /* a longer word is another scheme */

    return i == text->len || !ngx_agt_bearer_is(text->data[i], TCHAR);
}


/* tells whether a piece is "name=value" or "name"; the value may be empty */

static ngx_uint_t
ngx_agt_bearer_is_pair(const ngx_str_t *pair, const ngx_str_t *name,
    ngx_str_t *value)
{
    size_t  n;

    n = ngx_agt_text_until(pair->data, pair->len, '=');

    if (n != name->len || ngx_memcmp(pair->data, name->data, n) != 0) {
        return 0;
    }

    n += (n < pair->len);

    value->data = pair->data + n;
    value->len = pair->len - n;

    return 1;
}


/*
 * Some readers of cookies ignore white space around the "=" too.  A pair that
 * such a reader would take for the cookie counts here, with a malformed value.
 */

static ngx_uint_t
ngx_agt_bearer_is_cookie(const ngx_str_t *piece, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_str_t  pair;

    pair = *piece;
    ngx_agt_bearer_strip(&pair);

    if (ngx_agt_bearer_is_pair(&pair, name, value)) {
        return 1;
    }

    pair.len = ngx_agt_text_until(pair.data, pair.len, '=');
    ngx_agt_bearer_strip(&pair);

    return ngx_agt_bearer_is_pair(&pair, name, value);
}


static ngx_uint_t
ngx_agt_bearer_decode(ngx_str_t *value, size_t max, u_char *buf,
    ngx_str_t *token)
{
    u_char      *p, *end;
    size_t       n;
    ngx_int_t    escaped;
    ngx_uint_t   c, padding;

    n = 0;
    padding = 0;

    p = value->data;
    end = value->data + value->len;

    while (p < end) {
        c = *p++;

        if (c == '+') {
            return NGX_AGT_BEARER_MALFORMED;
        }

        if (c == '%') {

            escaped = ngx_agt_text_escaped(p, end);

            if (escaped == NGX_ERROR) {
                return NGX_AGT_BEARER_MALFORMED;
            }

            c = (ngx_uint_t) escaped;
            p += 2;
        }

        if (c == '=' && n) {
            padding = 1;

        } else if (padding || !ngx_agt_bearer_is(c, TOKEN68)) {
            return NGX_AGT_BEARER_MALFORMED;
        }

        /*
         * Bytes beyond "max" are still read: a malformed value is not TOO_LONG.
         */

        if (n < max) {
            buf[n] = (u_char) c;
        }

        n++;
    }

    if (n == 0) {
        return NGX_AGT_BEARER_MALFORMED;
    }

    if (n > max) {
        return NGX_AGT_BEARER_TOO_LONG;
    }

    token->data = buf;
    token->len = n;

    return NGX_AGT_BEARER_FOUND;
}
