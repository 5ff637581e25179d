
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_path.h"


static ngx_int_t ngx_agilicus_token_path_unescape(const ngx_str_t *raw,
    u_char *buf, ngx_str_t *path);
static ngx_uint_t ngx_agilicus_token_path_is_plain(const ngx_str_t *path);
static ngx_uint_t ngx_agilicus_token_path_is_segment(const u_char *p,
    const u_char *end);


ngx_int_t
ngx_agilicus_token_path_decode(const ngx_str_t *raw, u_char *buf,
    ngx_str_t *path)
{
    ngx_str_t  decoded;

    if (raw->len == 0 || raw->data[0] != '/') {
        return NGX_DECLINED;
    }

    if (ngx_agilicus_token_path_unescape(raw, buf, &decoded) != NGX_OK
        || !ngx_agilicus_token_path_is_plain(&decoded))
    {
        return NGX_DECLINED;
    }

    *path = decoded;

    return NGX_OK;
}


ngx_uint_t
ngx_agilicus_token_path_is_query(const ngx_str_t *query)
{
    size_t         n;
    const u_char  *p, *end;

    p = query->data;
    end = p + query->len;

    while (p < end) {

        if (*p <= ' ' || *p == 0x7f || *p == '#') {
            return 0;
        }

        n = ngx_agilicus_token_path_utf8(p, end);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return 1;
}


size_t
ngx_agilicus_token_path_utf8(const u_char *p, const u_char *end)
{
    size_t  n;
    u_char  low, high;

    if (*p < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        low = (*p == 0xe0) ? 0xa0 : 0x80;
        high = (*p == 0xed) ? 0x9f : 0xbf;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        low = (*p == 0xf0) ? 0x90 : 0x80;
        high = (*p == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    if ((n > 2 && (p[2] & 0xc0) != 0x80) || (n > 3 && (p[3] & 0xc0) != 0x80)) {
        return 0;
    }

    return n;
}


ngx_int_t
ngx_agilicus_token_path_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}


/* what may not stand there as it is, and what may not stand there escaped */

static ngx_int_t
ngx_agilicus_token_path_unescape(const ngx_str_t *raw, u_char *buf,
    ngx_str_t *path)
{
    u_char        *d;
    ngx_int_t      hi, lo;
    ngx_uint_t     c;
    const u_char  *p, *end, *first;

    p = raw->data;
    end = p + raw->len;

    while (p < end && *p > ' ' && *p != '%' && *p != 0x7f
           && *p != '\\' && *p != '?' && *p != '#')
    {
        p++;
    }

    if (p == end) {
        *path = *raw;
        return NGX_OK;
    }

    first = raw->data;
    d = ngx_cpymem(buf, first, (size_t) (p - first));

    while (p < end) {
        c = *p++;

        if (c <= ' ' || c == 0x7f || c == '\\' || c == '?' || c == '#') {
            return NGX_DECLINED;
        }

        if (c == '%') {

            if (end - p < 2) {
                return NGX_DECLINED;
            }

            hi = ngx_agilicus_token_path_hex(p[0]);
            lo = ngx_agilicus_token_path_hex(p[1]);

            if (hi == NGX_ERROR || lo == NGX_ERROR) {
                return NGX_DECLINED;
            }

            c = (ngx_uint_t) (hi << 4 | lo);
            p += 2;

            if (c < ' ' || c == 0x7f || c == '\\' || c == '/' || c == '?') {
                return NGX_DECLINED;
            }
        }

        *d++ = (u_char) c;
    }

    path->data = buf;
    path->len = (size_t) (d - buf);

    return NGX_OK;
}


/* whether a decoded path says the same to whoever reads it again */

static ngx_uint_t
ngx_agilicus_token_path_is_plain(const ngx_str_t *path)
{
    size_t         n;
    const u_char  *p, *end, *segment;

    p = path->data + 1;
    end = path->data + path->len;
    segment = p;

    while (p < end) {

        if (*p == '/') {

            if (p == segment
                || !ngx_agilicus_token_path_is_segment(segment, p))
            {
                return 0;
            }

            segment = ++p;
            continue;
        }

        if (*p == '%' && end - p > 2
            && ngx_agilicus_token_path_hex(p[1]) != NGX_ERROR
            && ngx_agilicus_token_path_hex(p[2]) != NGX_ERROR)
        {
            return 0;
        }

        n = ngx_agilicus_token_path_utf8(p, end);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return segment == end || ngx_agilicus_token_path_is_segment(segment, end);
}


/* neither a dot segment nor empty, once its parameters are taken off */

static ngx_uint_t
ngx_agilicus_token_path_is_segment(const u_char *p, const u_char *end)
{
    size_t  n;

    for (n = 0; p + n < end && p[n] != ';'; n++) {

        if (p[n] != '.' || n == 2) {
            return 1;
        }
    }

    /* nothing, ".", or ".." */

    return 0;
}
