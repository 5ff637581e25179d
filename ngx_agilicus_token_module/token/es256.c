
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/es256.h"
#include "token/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>


/* the longest signature in DER: a sequence of two integers of 33 bytes */
#define NGX_AGT_ES256_DER  (2 + 2 * (2 + NGX_AGT_ES256_COORDINATE + 1))

/* digits of a coordinate, and of a thumbprint, in base64url */
#define NGX_AGT_ES256_TEXT  ngx_agt_base64url_len(32)


static u_char *ngx_agt_es256_integer(u_char *p, const u_char *number);
static ngx_int_t ngx_agt_es256_pem_key(BIO *bio, ngx_agt_key_t *keys,
    ngx_uint_t *n);
static ngx_int_t ngx_agt_es256_point(const EVP_PKEY *pkey, u_char *point);
static ngx_int_t ngx_agt_es256_coordinate(const EVP_PKEY *pkey,
    const char *name, u_char *out);


ngx_int_t
ngx_agt_es256_name(ngx_agt_key_t *key)
{
    u_char     x[NGX_AGT_ES256_TEXT], y[NGX_AGT_ES256_TEXT];
    u_char     digest[NGX_AGT_DIGEST_LEN], text[NGX_AGT_ES256_TEXT];
    ngx_str_t  parts[5], name;

    ngx_agt_base64url_encode(key->point, NGX_AGT_ES256_COORDINATE, x);
    ngx_agt_base64url_encode(key->point + NGX_AGT_ES256_COORDINATE,
                             NGX_AGT_ES256_COORDINATE, y);

    ngx_str_set(&parts[0], "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    ngx_str_set(&parts[2], "\",\"y\":\"");
    ngx_str_set(&parts[4], "\"}");

    parts[1].data = x;
    parts[1].len = sizeof(x);
    parts[3].data = y;
    parts[3].len = sizeof(y);

    if (ngx_agt_digest(digest, parts, 5) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_agt_base64url_encode(digest, sizeof(digest), text);

    name.data = text;
    name.len = sizeof(text);

    key->named = 0;

    return ngx_agt_digest(key->name, &name, 1);
}


/*
 * libcrypto checks that the point is on the curve.  Errors must not stay in
 * its queue, for nginx would take them for errors of the next TLS connection.
 */

ngx_agt_es256_t *
ngx_agt_es256_open(const u_char *point)
{
    u_char         encoded[1 + NGX_AGT_ES256_POINT];
    char           group[] = "prime256v1";
    EVP_PKEY      *pkey;
    OSSL_PARAM     params[3];
    EVP_PKEY_CTX  *make, *ctx;

    /* SEC 1, section 2.3.3: a point that is not compressed */

    encoded[0] = 0x04;
    ngx_memcpy(encoded + 1, point, NGX_AGT_ES256_POINT);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  encoded, sizeof(encoded));
    params[2] = OSSL_PARAM_construct_end();

    ctx = NULL;
    pkey = NULL;

    make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (make
        && EVP_PKEY_fromdata_init(make) == 1
        && EVP_PKEY_fromdata(make, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1)
    {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    }

    if (ctx
        && (EVP_PKEY_public_check(ctx) != 1
            || EVP_PKEY_verify_init(ctx) != 1))
    {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }

    /* the context of a key keeps it */

    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(make);

    ERR_clear_error();

    return ctx;
}


void
ngx_agt_es256_close(ngx_agt_es256_t *es256)
{
    EVP_PKEY_CTX_free(es256);
}


ngx_uint_t
ngx_agt_es256_verify(ngx_agt_es256_t *es256, const u_char *digest,
    const u_char *signature)
{
    int      rc;
    u_char  *p, der[NGX_AGT_ES256_DER];

    p = ngx_agt_es256_integer(der + 2, signature);
    p = ngx_agt_es256_integer(p, signature + NGX_AGT_ES256_COORDINATE);

    der[0] = 0x30;
    der[1] = (u_char) (p - der - 2);

    rc = EVP_PKEY_verify(es256, der, (size_t) (p - der), digest,
                         NGX_AGT_DIGEST_LEN);

    ERR_clear_error();

    return rc == 1;
}


/* DER has no leading zeros, but one where the first bit would be a sign */

static u_char *
ngx_agt_es256_integer(u_char *p, const u_char *number)
{
    size_t  len;

    len = NGX_AGT_ES256_COORDINATE;

    while (len > 1 && *number == 0) {
        number++;
        len--;
    }

    *p++ = 0x02;
    *p++ = (u_char) (len + (*number >> 7));

    if (*number & 0x80) {
        *p++ = 0;
    }

    ngx_memcpy(p, number, len);

    return p + len;
}


ngx_int_t
ngx_agt_es256_pem(const ngx_str_t *pem, ngx_agt_key_t *keys, ngx_uint_t *n)
{
    BIO            *bio;
    ngx_int_t       rc;
    unsigned long   error;

    *n = 0;

    bio = (pem->len <= INT_MAX) ? BIO_new_mem_buf(pem->data, (int) pem->len)
                                : NULL;
    if (bio == NULL) {
        return NGX_ERROR;
    }

    do {
        rc = ngx_agt_es256_pem_key(bio, keys, n);
    } while (rc == NGX_OK);

    /* no other key begins behind the last one */

    error = ERR_peek_last_error();

    if (rc == NGX_DONE && *n && ERR_GET_LIB(error) == ERR_LIB_PEM
        && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
    {
        rc = NGX_OK;

    } else {
        rc = NGX_ERROR;
    }

    BIO_free(bio);
    ERR_clear_error();

    return rc;
}


/* NGX_DONE where no more could be read, with the error in libcrypto's queue */

static ngx_int_t
ngx_agt_es256_pem_key(BIO *bio, ngx_agt_key_t *keys, ngx_uint_t *n)
{
    long                  len;
    char                 *name, *header;
    EVP_PKEY             *pkey;
    ngx_int_t             rc;
    unsigned char        *data;
    const unsigned char  *p;

    ERR_clear_error();

    if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
        return NGX_DONE;
    }

    rc = NGX_ERROR;
    pkey = NULL;
    p = data;

    if (ngx_strcmp(name, PEM_STRING_PUBLIC) == 0
        && *n < NGX_AGT_ES256_KEYS)
    {
        pkey = d2i_PUBKEY(NULL, &p, len);
    }

    if (pkey) {
        ngx_memzero(&keys[*n], sizeof(ngx_agt_key_t));

        if (ngx_agt_es256_point(pkey, keys[*n].point) == NGX_OK
            && ngx_agt_es256_name(&keys[*n]) == NGX_OK)
        {
            (*n)++;
            rc = NGX_OK;
        }
    }

    /* it may be a private key, by mistake */

    OPENSSL_cleanse(data, (size_t) len);

    EVP_PKEY_free(pkey);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);

    return rc;
}


static ngx_int_t
ngx_agt_es256_point(const EVP_PKEY *pkey, u_char *point)
{
    char  group[32];

    if (!EVP_PKEY_is_a(pkey, "EC")
        || EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1
        || ngx_strcmp(group, "prime256v1") != 0
        || ngx_agt_es256_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, point)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_es256_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y,
                                    point + NGX_AGT_ES256_COORDINATE);
}


static ngx_int_t
ngx_agt_es256_coordinate(const EVP_PKEY *pkey, const char *name, u_char *out)
{
    int      len;
    BIGNUM  *number;

    number = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1) {
        return NGX_ERROR;
    }

    len = BN_bn2binpad(number, out, NGX_AGT_ES256_COORDINATE);

    BN_free(number);

    return (len == NGX_AGT_ES256_COORDINATE) ? NGX_OK : NGX_ERROR;
}
