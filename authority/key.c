/*
 * Signing keys.
 */

#include "key.h"
#include "base64.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AG_COORDINATE_SIZE  32
#define AG_COORDINATE_TEXT  (ag_base64_length(AG_COORDINATE_SIZE) + 1)
#define AG_DER_SIZE         80  /* of a P-256 signature; 72 is the most */


struct ag_key_s {
    EVP_PKEY  *pkey;
    char       x[AG_COORDINATE_TEXT];
    char       y[AG_COORDINATE_TEXT];
    char       id[ag_base64_length(AG_DIGEST_SIZE) + 1];
};


static ag_key_t *ag_key_wrap(EVP_PKEY *pkey);
static int ag_key_coordinate(const EVP_PKEY *pkey, const char *name,
    char *text);
static int ag_key_thumbprint(ag_key_t *key);


ag_key_t *
ag_key_generate(void)
{
    return ag_key_wrap(EVP_EC_gen("P-256"));
}


ag_key_t *
ag_key_import(const unsigned char *der, size_t len)
{
    if (len > LONG_MAX) {
        return NULL;
    }

    return ag_key_wrap(d2i_AutoPrivateKey(NULL, &der, (long) len));
}


/* takes the pkey over, also on failure */

static ag_key_t *
ag_key_wrap(EVP_PKEY *pkey)
{
    char       group[32];
    ag_key_t  *key;

    if (pkey == NULL) {
        return NULL;
    }

    key = calloc(1, sizeof(ag_key_t));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return NULL;
    }

    key->pkey = pkey;

    if (!EVP_PKEY_is_a(pkey, "EC")
        || EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1
        || strcmp(group, "prime256v1") != 0
        || ag_key_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, key->x) != AG_OK
        || ag_key_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key->y) != AG_OK
        || ag_key_thumbprint(key) != AG_OK)
    {
        ag_key_free(key);
        return NULL;
    }

    return key;
}


static int
ag_key_coordinate(const EVP_PKEY *pkey, const char *name, char *text)
{
    int             n;
    BIGNUM         *bn;
    unsigned char   bytes[AG_COORDINATE_SIZE];

    bn = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1) {
        return AG_ERROR;
    }

    n = BN_bn2binpad(bn, bytes, AG_COORDINATE_SIZE);

    BN_free(bn);

    if (n != AG_COORDINATE_SIZE) {
        return AG_ERROR;
    }

    ag_base64_encode(text, bytes, AG_COORDINATE_SIZE);

    return AG_OK;
}


static int
ag_key_thumbprint(ag_key_t *key)
{
    int            n;
    char           text[256];
    unsigned char  digest[AG_DIGEST_SIZE];

    n = snprintf(text, sizeof(text),
                 "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                 key->x, key->y);

    if (ag_key_digest(text, (size_t) n, digest) != AG_OK) {
        return AG_ERROR;
    }

    ag_base64_encode(key->id, digest, AG_DIGEST_SIZE);

    return AG_OK;
}


int
ag_key_export(const ag_key_t *key, unsigned char **der, size_t *len)
{
    int  n;

    *der = NULL;

    n = i2d_PrivateKey(key->pkey, der);
    if (n <= 0) {
        return AG_ERROR;
    }

    *len = (size_t) n;

    return AG_OK;
}


void
ag_key_wipe(unsigned char *der, size_t len)
{
    OPENSSL_clear_free(der, len);
}


void
ag_key_free(ag_key_t *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}


const char *
ag_key_id(const ag_key_t *key)
{
    return key->id;
}


json_t *
ag_key_jwk(const ag_key_t *key, bool named)
{
    if (key == NULL) {
        return NULL;
    }

    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s, s:s}",
                     "kty", "EC", "crv", "P-256",
                     "use", named ? "sig" : NULL,
                     "alg", named ? "ES256" : NULL,
                     "kid", named ? key->id : NULL,
                     "x", key->x, "y", key->y);
}


int
ag_key_sign(const ag_key_t *key, const char *data, size_t len,
    unsigned char signature[AG_SIGNATURE_SIZE])
{
    int                   rc;
    size_t                size;
    ECDSA_SIG            *sig;
    EVP_MD_CTX           *ctx;
    unsigned char         der[AG_DER_SIZE];
    const unsigned char  *p;

    rc = AG_ERROR;
    sig = NULL;
    size = sizeof(der);

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) != 1
        || EVP_DigestSign(ctx, der, &size, (const unsigned char *) data, len)
           != 1)
    {
        goto done;
    }

    p = der;
    sig = d2i_ECDSA_SIG(NULL, &p, (long) size);

    if (sig
        && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32) == 32
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32) == 32)
    {
        rc = AG_OK;
    }

done:

    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);

    return rc;
}


int
ag_key_verify(const ag_key_t *key, const char *data, size_t len,
    const unsigned char signature[AG_SIGNATURE_SIZE])
{
    int             n, rc;
    BIGNUM         *r, *s;
    ECDSA_SIG      *sig;
    EVP_MD_CTX     *ctx;
    unsigned char  *p;
    unsigned char   der[AG_DER_SIZE];

    rc = AG_DECLINED;
    ctx = NULL;

    sig = ECDSA_SIG_new();
    r = BN_bin2bn(signature, 32, NULL);
    s = BN_bin2bn(signature + 32, 32, NULL);

    if (sig == NULL || r == NULL || s == NULL) {
        BN_free(r);
        BN_free(s);
        goto done;
    }

    /* never fails for numbers that are there; it takes both over */

    (void) ECDSA_SIG_set0(sig, r, s);

    p = der;
    n = i2d_ECDSA_SIG(sig, NULL);

    if (n <= 0 || n > AG_DER_SIZE || i2d_ECDSA_SIG(sig, &p) != n) {
        goto done;
    }

    ctx = EVP_MD_CTX_new();

    if (ctx
        && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1
        && EVP_DigestVerify(ctx, der, (size_t) n,
                            (const unsigned char *) data, len) == 1)
    {
        rc = AG_OK;
    }

done:

    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(sig);

    return rc;
}


int
ag_key_digest(const char *data, size_t len,
    unsigned char digest[AG_DIGEST_SIZE])
{
    return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1
           ? AG_OK : AG_ERROR;
}
