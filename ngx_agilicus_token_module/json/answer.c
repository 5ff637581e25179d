
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/answer.h"
#include "json/read.h"
#include "token/facts.h"

#include <openssl/crypto.h>


static const char *ngx_agt_json_row(json_t *value, ngx_agt_json_row_t *row);


ngx_int_t
ngx_agt_json_raw_token(const u_char *body, size_t len, u_char *buf,
    size_t size, ngx_str_t *token)
{
    json_t     *root, *value;
    ngx_int_t   rc;
    ngx_str_t   text;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    value = ngx_agt_json_get(root, "token");

    if (json_is_string(value)) {
        ngx_agt_json_text(value, &text);

        if (text.len && text.len <= size) {
            ngx_memcpy(buf, text.data, text.len);
            token->data = buf;
            token->len = text.len;
            rc = NGX_OK;
        }

        /* jansson's copy is a token too */

        OPENSSL_cleanse(text.data, text.len);
    }

    json_decref(root);

    return rc;
}


ngx_int_t
ngx_agt_json_list(const u_char *body, size_t len,
    void (*row)(void *data, const ngx_agt_json_row_t *row),
    void *data, ngx_uint_t *n, ngx_uint_t *limit)
{
    size_t              i;
    json_t             *root, *rows, *value;
    json_int_t          most;
    ngx_int_t           rc;
    ngx_agt_json_row_t  r;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_LIST,
                                     NGX_AGT_JSON_MAX_LIST_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    *n = 0;

    rows = ngx_agt_json_get(root, "tokens");
    value = ngx_agt_json_get(root, "limit");
    most = json_integer_value(value);

    /* API: "limit" is required, "tokens" is not */

    if (!json_is_integer(value) || most < 1
        || (rows && !json_is_array(rows)))
    {
        goto done;
    }

    *limit = (ngx_uint_t) most;

    *n = json_array_size(rows);

    json_array_foreach(rows, i, value) {
        ngx_memzero(&r, sizeof(ngx_agt_json_row_t));

        r.number = i + 1;
        r.wrong = ngx_agt_json_row(value, &r);

        row(data, &r);
    }

    rc = NGX_OK;

done:

    json_decref(root);

    return rc;
}


/*
 * Returns NULL, or the error in a row.  The API was asked for revoked tokens,
 * so a row is of a revoked token unless it says that it is not.
 */

static const char *
ngx_agt_json_row(json_t *value, ngx_agt_json_row_t *row)
{
    json_t     *jti, *revoked;
    ngx_int_t   exp, iat;

    if (!json_is_object(value)) {
        return "it is no object";
    }

    jti = ngx_agt_json_get(value, "jti");

    if (jti == NULL) {
        return "it has no \"jti\"";
    }

    if (!json_is_string(jti) || json_string_length(jti) == 0
        || json_string_length(jti) > NGX_AGT_FACTS_MAX_STR)
    {
        return "its \"jti\" is none that a token can have";
    }

    exp = ngx_agt_json_date(value, "exp", &row->exp);

    if (exp == NGX_ERROR) {
        return "its \"exp\" is no date";
    }

    iat = ngx_agt_json_date(value, "iat", &row->iat);

    if (iat == NGX_ERROR) {
        return "its \"iat\" is no date";
    }

    row->has_exp = (exp == NGX_OK);
    row->has_iat = (iat == NGX_OK);

    revoked = ngx_agt_json_get(value, "revoked");

    row->revoked = !json_is_false(revoked);

    ngx_agt_json_text(jti, &row->jti);

    return NULL;
}
