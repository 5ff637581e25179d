
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/answer.h"
#include "json/read.h"

#include <openssl/crypto.h>


ngx_int_t
ngx_agt_json_raw_token(const u_char *body, size_t len, u_char *buf,
    size_t size, ngx_str_t *token)
{
    json_t     *root;
    ngx_int_t   rc;
    ngx_str_t   text;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_agt_json_string(root, "token", &text) == NGX_OK) {

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
