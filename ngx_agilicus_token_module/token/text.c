
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/text.h"


ngx_uint_t
ngx_agt_text_is(const ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_agt_text_begins(text->data, text->data + text->len, word);
}


ngx_uint_t
ngx_agt_text_begins(const u_char *p, const u_char *end, const char *word)
{
    for ( /* void */ ; *word; p++, word++) {

        if (p == end || ngx_tolower(*p) != (u_char) *word) {
            return 0;
        }
    }

    return 1;
}


size_t
ngx_agt_text_until(const u_char *p, size_t len, u_char c)
{
    const u_char  *found;

    found = len ? memchr(p, c, len) : NULL;

    return found ? (size_t) (found - p) : len;
}


ngx_uint_t
ngx_agt_text_piece(ngx_str_t *rest, u_char separator, ngx_str_t *piece)
{
    if (rest->data == NULL) {
        return 0;
    }

    piece->data = rest->data;
    piece->len = ngx_agt_text_until(rest->data, rest->len, separator);

    if (piece->len == rest->len) {
        ngx_str_null(rest);

    } else {
        rest->data += piece->len + 1;
        rest->len -= piece->len + 1;
    }

    return 1;
}


ngx_int_t
ngx_agt_text_hex(u_char c)
{
    if (ngx_agt_text_is_digit(c)) {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_agt_text_escaped(const u_char *p, const u_char *end)
{
    ngx_int_t  hi, lo;

    if (end - p < 2) {
        return NGX_ERROR;
    }

    hi = ngx_agt_text_hex(p[0]);
    lo = ngx_agt_text_hex(p[1]);

    return (hi == NGX_ERROR || lo == NGX_ERROR) ? NGX_ERROR : (hi << 4 | lo);
}
