
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/jwt.h"
#include "json/read.h"
#include "token/base64url.h"
#include "token/text.h"

#include <openssl/crypto.h>


/* values in a header */
#define NGX_AGT_JWT_MAX_VALUES  256


static ngx_int_t ngx_agt_jwt_members(json_t *root,
    ngx_agt_jwt_header_t *header);


ngx_int_t
ngx_agt_jwt_split(const ngx_str_t *token, ngx_agt_jwt_t *jwt)
{
    ngx_str_t  rest;

    rest = *token;

    if (!ngx_agt_text_piece(&rest, '.', &jwt->header)
        || !ngx_agt_text_piece(&rest, '.', &jwt->claims)
        || !ngx_agt_text_piece(&rest, '.', &jwt->signature)
        || rest.data)
    {
        return NGX_DECLINED;
    }

    jwt->input.data = token->data;
    jwt->input.len = (size_t) (jwt->claims.data + jwt->claims.len
                               - token->data);

    if (jwt->header.len == 0 || jwt->claims.len == 0
        || !ngx_agt_base64url_is(&jwt->header)
        || !ngx_agt_base64url_is(&jwt->claims)
        || !ngx_agt_base64url_is(&jwt->signature))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_jwt_header(const ngx_agt_jwt_t *jwt, ngx_agt_jwt_header_t *header)
{
    size_t      len;
    u_char      text[NGX_AGT_JWT_MAX_HEADER];
    json_t     *root;
    ngx_int_t   rc;

    ngx_memzero(header, sizeof(ngx_agt_jwt_header_t));

    if (ngx_agt_base64url_decode(&jwt->header, text, sizeof(text), &len)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    root = ngx_agt_json_load(text, len, sizeof(text), NGX_AGT_JWT_MAX_VALUES);
    if (root == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_agt_jwt_members(root, header);

    json_decref(root);

    return rc;
}


static ngx_int_t
ngx_agt_jwt_members(json_t *root, ngx_agt_jwt_header_t *header)
{
    json_t     *value;
    ngx_str_t   text;

    static const ngx_str_t  es256 = ngx_string("ES256");

    if (ngx_agt_json_string(root, "alg", &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    /*
     * RFC 7518, section 3.1.  Names of algorithms are case-sensitive, but
     * nothing good is called "None" or "hs256".
     */

    if (ngx_agt_text_equal(&text, &es256)) {
        header->alg = NGX_AGT_JWT_ES256;

    } else if (ngx_agt_text_is(&text, "none")
               || ngx_agt_text_begins(text.data, text.data + text.len, "hs"))
    {
        header->alg = NGX_AGT_JWT_UNSIGNED;

    } else {
        header->alg = NGX_AGT_JWT_OTHER;
    }

    value = json_object_get(root, "kid");

    if (value == NULL) {
        return NGX_OK;
    }

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    ngx_agt_json_text(value, &text);
    header->has_kid = 1;

    return (ngx_agt_digest(header->kid, &text, 1) == NGX_OK) ? NGX_OK
                                                             : NGX_DECLINED;
}


ngx_int_t
ngx_agt_jwt_exp(const ngx_agt_jwt_t *jwt, int64_t *exp)
{
    size_t      len;
    json_t     *root;
    ngx_int_t   rc;

    /* too large for a stack, and only one token is read at a time */

    static u_char  claims[NGX_AGT_JWT_MAX_CLAIMS];

    if (ngx_agt_base64url_decode(&jwt->claims, claims, sizeof(claims), &len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    root = ngx_agt_json_load(claims, len, sizeof(claims),
                             NGX_AGT_JSON_MAX_VALUES);

    OPENSSL_cleanse(claims, len);

    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_date(root, "exp", exp);

    json_decref(root);

    return rc;
}
