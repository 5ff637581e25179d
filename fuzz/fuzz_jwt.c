
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>

#include "fuzz.h"

#include "json/jwks.h"
#include "json/jwt.h"
#include "token/base64url.h"


/*
 * The input is read as a set of keys, as a token, as the header and as the
 * claims of one, and as a file in PEM.
 */

static void fuzz_set(const uint8_t *data, size_t size);
static void fuzz_token(const uint8_t *data, size_t size);
static void fuzz_spelling(const ngx_str_t *text);
static void fuzz_parts_of(const uint8_t *data, size_t size);
static void fuzz_pem(const uint8_t *data, size_t size);
static void fuzz_keys(const ngx_agt_key_t *keys, ngx_uint_t n);


void
fuzz_target(const uint8_t *data, size_t size)
{
    fuzz_check(ngx_agt_digest_init() == NGX_OK);

    fuzz_set(data, size);
    fuzz_token(data, size);
    fuzz_parts_of(data, size);
    fuzz_pem(data, size);
}


static void
fuzz_set(const uint8_t *data, size_t size)
{
    json_t         *root, *set;
    ngx_uint_t      i, j, n;
    const char     *wrong;
    ngx_agt_key_t   keys[NGX_AGT_ES256_KEYS];

    if (ngx_agt_json_jwks(data, size, keys, &n, &wrong) != NGX_OK) {
        fuzz_check(wrong);
        return;
    }

    fuzz_accepted++;

    fuzz_check(wrong == NULL);
    fuzz_keys(keys, n);

    root = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, NULL);
    set = json_object_get(root, "keys");

    fuzz_check(n <= json_array_size(set));

    for (i = 0; i < n; i++) {
        for (j = 0; j < i; j++) {
            fuzz_check(!keys[i].named || !keys[j].named
                       || memcmp(keys[i].name, keys[j].name,
                                 NGX_AGT_DIGEST_LEN)
                          != 0);
        }
    }

    json_decref(root);
}


static void
fuzz_token(const uint8_t *data, size_t size)
{
    int64_t               exp;
    ngx_str_t             token;
    ngx_agt_jwt_t         jwt;
    ngx_agt_jwt_header_t  header;

    token.data = (u_char *) data;
    token.len = size;

    if (ngx_agt_jwt_split(&token, &jwt) != NGX_OK) {
        return;
    }

    fuzz_accepted++;

    fuzz_check(jwt.header.data == data);
    fuzz_check(jwt.header.len + jwt.claims.len + jwt.signature.len + 2
               == size);
    fuzz_check(jwt.input.data == data
               && jwt.input.len == jwt.header.len + 1 + jwt.claims.len);

    fuzz_spelling(&jwt.header);
    fuzz_spelling(&jwt.claims);
    fuzz_spelling(&jwt.signature);

    (void) ngx_agt_jwt_header(&jwt, &header);
    (void) ngx_agt_jwt_exp(&jwt, &exp);
}


static void
fuzz_spelling(const ngx_str_t *text)
{
    u_char  *bytes, *again;
    size_t   len;

    bytes = malloc(text->len + 1);
    again = malloc(text->len + 1);

    fuzz_check(ngx_agt_base64url_decode(text, bytes, text->len, &len)
               == NGX_OK);
    fuzz_check(ngx_agt_base64url_len(len) == text->len);

    ngx_agt_base64url_encode(bytes, len, again);

    fuzz_check(memcmp(again, text->data, text->len) == 0);

    free(bytes);
    free(again);
}


static void
fuzz_parts_of(const uint8_t *data, size_t size)
{
    json_t                *root;
    int64_t                exp;
    ngx_str_t              part;
    ngx_agt_jwt_t          jwt;
    ngx_agt_jwt_header_t   header;

    part.len = ngx_agt_base64url_len(size);
    part.data = malloc(part.len + 1);

    ngx_agt_base64url_encode(data, size, part.data);

    jwt.header = part;
    jwt.claims = part;

    if (ngx_agt_jwt_header(&jwt, &header) == NGX_OK) {
        fuzz_accepted++;

        root = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES,
                          NULL);

        fuzz_check(json_is_string(json_object_get(root, "alg")));
        fuzz_check(header.has_kid == (json_object_get(root, "kid") != NULL));
        fuzz_check((header.alg == NGX_AGT_JWT_ES256)
                   == (strcmp(json_string_value(json_object_get(root, "alg")),
                              "ES256")
                       == 0));

        json_decref(root);
    }

    (void) ngx_agt_jwt_exp(&jwt, &exp);

    free(part.data);
}


static void
fuzz_pem(const uint8_t *data, size_t size)
{
    ngx_str_t      pem;
    ngx_uint_t     n;
    ngx_agt_key_t  keys[NGX_AGT_ES256_KEYS];

    pem.data = (u_char *) data;
    pem.len = size;

    if (ngx_agt_es256_pem(&pem, keys, &n) == NGX_OK) {
        fuzz_accepted++;
        fuzz_keys(keys, n);
    }
}


static void
fuzz_keys(const ngx_agt_key_t *keys, ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_agt_es256_t  *es256;

    fuzz_check(n && n <= NGX_AGT_ES256_KEYS);

    for (i = 0; i < n; i++) {
        es256 = ngx_agt_es256_open(keys[i].point);

        fuzz_check(es256);
        fuzz_check(keys[i].withdrawn == 0);

        ngx_agt_es256_close(es256);
    }
}
