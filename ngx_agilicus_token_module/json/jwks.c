
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/jwks.h"
#include "json/read.h"
#include "token/base64url.h"


/* values in a set */
#define NGX_AGT_JWKS_MAX_VALUES  4096


static const char *ngx_agt_jwks_keys(json_t *set, ngx_agt_key_t *keys,
    ngx_uint_t *n);
static ngx_uint_t ngx_agt_jwks_is_ours(json_t *jwk);
static ngx_uint_t ngx_agt_jwks_verifies(json_t *jwk);
static ngx_uint_t ngx_agt_jwks_says(json_t *jwk, const char *name,
    const char *text);
static ngx_int_t ngx_agt_jwks_name(json_t *jwk, ngx_agt_key_t *key);
static ngx_int_t ngx_agt_jwks_point(json_t *jwk, ngx_agt_key_t *key);
static ngx_int_t ngx_agt_jwks_coordinate(json_t *jwk, const char *name,
    u_char *out);


ngx_int_t
ngx_agt_json_jwks(const u_char *body, size_t len, ngx_agt_key_t *keys,
    ngx_uint_t *n, const char **wrong)
{
    json_t  *root, *set;

    *n = 0;
    *wrong = "it is no set of keys";

    root = ngx_agt_json_load(body, len, NGX_AGT_JWKS_MAX,
                             NGX_AGT_JWKS_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    /* API: "keys" is not required */

    set = ngx_agt_json_get(root, "keys");

    if (set == NULL || json_is_array(set)) {
        *wrong = ngx_agt_jwks_keys(set, keys, n);
    }

    json_decref(root);

    return *wrong ? NGX_ERROR : NGX_OK;
}


/*
 * Returns NULL, or what is wrong.  Names are compared before points are looked
 * at, so that it does not depend on a broken key which key a name is of.
 */

static const char *
ngx_agt_jwks_keys(json_t *set, ngx_agt_key_t *keys, ngx_uint_t *n)
{
    size_t          i, j, named;
    json_t         *jwk;
    ngx_agt_key_t  *key;

    u_char  names[NGX_AGT_ES256_KEYS][NGX_AGT_DIGEST_LEN];

    if (json_array_size(set) > NGX_AGT_ES256_KEYS) {
        return "it has more than 32 keys";
    }

    named = 0;

    json_array_foreach(set, i, jwk) {

        if (!json_is_object(jwk)) {
            return "one of its keys is no object";
        }

        if (!ngx_agt_jwks_is_ours(jwk)) {
            continue;
        }

        key = &keys[*n];
        ngx_memzero(key, sizeof(ngx_agt_key_t));

        if (ngx_agt_jwks_name(jwk, key) != NGX_OK) {
            continue;
        }

        if (key->named) {
            for (j = 0; j < named; j++) {
                if (ngx_agt_digest_equal(names[j], key->name)) {
                    return "two of its keys have one \"kid\"";
                }
            }

            ngx_memcpy(names[named++], key->name, NGX_AGT_DIGEST_LEN);
        }

        if (ngx_agt_jwks_point(jwk, key) == NGX_OK) {
            (*n)++;
        }
    }

    return *n ? NULL : "it has no key for ES256";
}


static ngx_uint_t
ngx_agt_jwks_is_ours(json_t *jwk)
{
    return ngx_agt_jwks_says(jwk, "kty", "EC")
           && ngx_agt_jwks_says(jwk, "crv", "P-256")
           && (json_object_get(jwk, "use") == NULL
               || ngx_agt_jwks_says(jwk, "use", "sig"))
           && (json_object_get(jwk, "alg") == NULL
               || ngx_agt_jwks_says(jwk, "alg", "ES256"))
           && ngx_agt_jwks_verifies(jwk)
           && json_object_get(jwk, "d") == NULL;
}


static ngx_uint_t
ngx_agt_jwks_verifies(json_t *jwk)
{
    size_t   i;
    json_t  *operations, *operation;

    operations = json_object_get(jwk, "key_ops");

    if (operations == NULL) {
        return 1;
    }

    json_array_foreach(operations, i, operation) {
        if (json_is_string(operation)
            && ngx_strcmp(json_string_value(operation), "verify") == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_agt_jwks_says(json_t *jwk, const char *name, const char *text)
{
    json_t  *value;

    value = json_object_get(jwk, name);

    return json_is_string(value)
           && ngx_strcmp(json_string_value(value), text) == 0;
}


/* NGX_ERROR for a "kid" that is no string */

static ngx_int_t
ngx_agt_jwks_name(json_t *jwk, ngx_agt_key_t *key)
{
    json_t     *kid;
    ngx_str_t   text;

    kid = json_object_get(jwk, "kid");

    if (kid == NULL) {
        return NGX_OK;
    }

    if (!json_is_string(kid)) {
        return NGX_ERROR;
    }

    ngx_agt_json_text(kid, &text);

    key->named = 1;

    return ngx_agt_digest(key->name, &text, 1);
}


static ngx_int_t
ngx_agt_jwks_point(json_t *jwk, ngx_agt_key_t *key)
{
    ngx_agt_es256_t  *es256;

    if (ngx_agt_jwks_coordinate(jwk, "x", key->point) != NGX_OK
        || ngx_agt_jwks_coordinate(jwk, "y",
                                   key->point + NGX_AGT_ES256_COORDINATE)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    es256 = ngx_agt_es256_open(key->point);
    if (es256 == NULL) {
        return NGX_ERROR;
    }

    ngx_agt_es256_close(es256);

    return key->named ? NGX_OK : ngx_agt_es256_name(key);
}


static ngx_int_t
ngx_agt_jwks_coordinate(json_t *jwk, const char *name, u_char *out)
{
    size_t      len;
    ngx_str_t  text;

    /* RFC 7518, section 6.2.1.2: leading zeros are not left out */

    if (ngx_agt_json_string(jwk, name, &text) != NGX_OK
        || ngx_agt_base64url_decode(&text, out, NGX_AGT_ES256_COORDINATE, &len)
            != NGX_OK
        || len != NGX_AGT_ES256_COORDINATE)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
