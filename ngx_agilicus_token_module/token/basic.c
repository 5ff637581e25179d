
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/basic.h"
#include "token/base64url.h"

#include <openssl/crypto.h>


static ngx_int_t ngx_agt_basic_decode(const ngx_str_t *value,
    ngx_agt_basic_t *basic, size_t *len);


ngx_uint_t
ngx_agt_basic_read(const ngx_str_t *value, size_t max, ngx_agt_basic_t *basic)
{
    size_t   len;
    u_char  *p, *end, *colon;

    ngx_str_null(&basic->user);
    ngx_str_null(&basic->key);

    if (value->len > ngx_min(max, NGX_AGT_BASIC_MAX_BASE64)) {
        return NGX_AGT_BEARER_TOO_LONG;
    }

    if (ngx_agt_basic_decode(value, basic, &len) != NGX_OK) {
        return NGX_AGT_BEARER_MALFORMED;
    }

    colon = NULL;
    end = basic->text + len;

    for (p = basic->text; p < end; p++) {

        if (*p < 0x20 || *p == 0x7f) {
            return NGX_AGT_BEARER_MALFORMED;
        }

        if (*p == ':' && colon == NULL) {
            colon = p;
        }
    }

    if (colon == NULL || colon == basic->text || colon + 1 == end) {
        return NGX_AGT_BEARER_MALFORMED;
    }

    basic->user.data = basic->text;
    basic->user.len = (size_t) (colon - basic->text);
    basic->key.data = colon + 1;
    basic->key.len = (size_t) (end - colon) - 1;

    return NGX_AGT_BEARER_FOUND;
}


/*
 * RFC 4648, section 4: as base64url, but for two digits and the padding.  The
 * value is no longer than NGX_AGT_BASIC_MAX_BASE64.
 */

static ngx_int_t
ngx_agt_basic_decode(const ngx_str_t *value, ngx_agt_basic_t *basic,
    size_t *len)
{
    size_t      i;
    u_char      c, digits[NGX_AGT_BASIC_MAX_BASE64];
    ngx_int_t   rc;
    ngx_str_t   text;

    if (value->len % 4) {
        return NGX_ERROR;
    }

    text.data = digits;
    text.len = value->len;

    for (i = 0; i < 2 && text.len && value->data[text.len - 1] == '='; i++) {
        text.len--;
    }

    rc = NGX_OK;

    for (i = 0; i < text.len; i++) {
        c = value->data[i];

        if (c == '-' || c == '_') {
            rc = NGX_ERROR;
        }

        digits[i] = (c == '+') ? '-' : (c == '/') ? '_' : c;
    }

    if (rc == NGX_OK) {
        rc = ngx_agt_base64url_decode(&text, basic->text, sizeof(basic->text),
                                      len);
    }

    OPENSSL_cleanse(digits, sizeof(digits));

    return rc;
}
