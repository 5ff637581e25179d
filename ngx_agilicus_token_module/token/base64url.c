
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/base64url.h"


static ngx_int_t ngx_agt_base64url_digit(u_char c);


/* the value of a digit, or NGX_ERROR */

static ngx_int_t
ngx_agt_base64url_digit(u_char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '-') {
        return 62;
    }

    return (c == '_') ? 63 : NGX_ERROR;
}


ngx_uint_t
ngx_agt_base64url_is(const ngx_str_t *text)
{
    size_t     i;
    ngx_int_t  digit;

    digit = 0;

    for (i = 0; i < text->len; i++) {
        digit = ngx_agt_base64url_digit(text->data[i]);

        if (digit == NGX_ERROR) {
            return 0;
        }
    }

    /* the last of two digits has 4 bits too many, and the last of three 2 */

    switch (text->len % 4) {

    case 1:
        return 0;

    case 2:
        return (digit & 0xf) == 0;

    case 3:
        return (digit & 0x3) == 0;

    default:
        return 1;
    }
}


ngx_int_t
ngx_agt_base64url_decode(const ngx_str_t *text, u_char *out, size_t size,
    size_t *len)
{
    size_t       i, n;
    uint32_t     bits;
    ngx_uint_t   have;

    if (!ngx_agt_base64url_is(text)) {
        return NGX_ERROR;
    }

    n = text->len / 4 * 3;

    if (text->len % 4) {
        n += text->len % 4 - 1;
    }

    if (n > size) {
        return NGX_ERROR;
    }

    bits = 0;
    have = 0;

    for (i = 0; i < text->len; i++) {
        bits = bits << 6 | (uint32_t) ngx_agt_base64url_digit(text->data[i]);
        have += 6;

        if (have >= 8) {
            have -= 8;
            *out++ = (u_char) (bits >> have);
        }
    }

    *len = n;

    return NGX_OK;
}


void
ngx_agt_base64url_encode(const u_char *data, size_t n, u_char *out)
{
    size_t      i;
    uint32_t    bits;
    ngx_uint_t  have;

    static const u_char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    bits = 0;
    have = 0;

    for (i = 0; i < n; i++) {
        bits = bits << 8 | data[i];
        have += 8;

        while (have >= 6) {
            have -= 6;
            *out++ = digits[bits >> have & 0x3f];
        }
    }

    if (have) {
        *out = digits[bits << (6 - have) & 0x3f];
    }
}
