
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "unit.h"

#include "token/base64url.h"
#include "token/es256.h"


static void test_known(void);
static void test_wrong(void);
static void test_many(void);
static void test_points(void);
static void test_name(void);
static void test_pem(void);
static void decode(const char *text, u_char *out, size_t size);
static ngx_uint_t verifies(const u_char *s);
static void sign(EVP_PKEY *pkey, const u_char *data, u_char *out);
static void point_of(EVP_PKEY *pkey, u_char *point);
static size_t pem_of(const char *type, const char *group, u_char *out);


/* RFC 7515, appendix A.3 */

#define X      "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y      "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define INPUT  "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4"     \
               "MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SIGNATURE                                                             \
               "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"  \
               "SlSApmWQxfKTUJqPP3-Kg6NU1Q"

/* the order of the group, which no part of a signature reaches */
#define ORDER  "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"

#define PRIVATE                                                               \
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


static u_char            point[NGX_AGT_ES256_POINT];
static u_char            signature[NGX_AGT_ES256_SIGNATURE];
static u_char            digest[NGX_AGT_DIGEST_LEN];
static ngx_agt_es256_t  *es256;


int
main(void)
{
    ngx_str_t  input;

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    decode(X, point, 32);
    decode(Y, point + 32, 32);
    decode(SIGNATURE, signature, 64);

    ngx_str_set(&input, INPUT);
    (void) ngx_agt_digest(digest, &input, 1);

    es256 = ngx_agt_es256_open(point);

    if (es256 == NULL) {
        return 1;
    }

    test_known();
    test_wrong();
    test_many();
    test_points();
    test_name();
    test_pem();

    ngx_agt_es256_close(es256);

    return unit_done();
}


static void
test_known(void)
{
    ngx_uint_t  i;

    unit_test("the signature of RFC 7515 is good, however often it is asked");

    for (i = 0; i < 3; i++) {
        unit_check(verifies(signature));
    }
}


static void
test_wrong(void)
{
    u_char      s[NGX_AGT_ES256_SIGNATURE], order[32];
    ngx_uint_t  i;

    unit_test("no other signature is");

    for (i = 0; i < 8 * sizeof(s); i++) {
        memcpy(s, signature, sizeof(s));
        s[i / 8] ^= (u_char) (1 << i % 8);

        unit_check(!verifies(s));
    }

    for (i = 0; i < 8 * sizeof(digest); i++) {
        digest[i / 8] ^= (u_char) (1 << i % 8);
        unit_check(!verifies(signature));
        digest[i / 8] ^= (u_char) (1 << i % 8);
    }

    memset(s, 0, sizeof(s));
    unit_check(!verifies(s));

    memcpy(s, signature, 32);
    unit_check(!verifies(s));

    memset(s, 0, 32);
    memcpy(s + 32, signature + 32, 32);
    unit_check(!verifies(s));

    memset(s, 0xff, sizeof(s));
    unit_check(!verifies(s));

    decode(ORDER, order, 32);

    memcpy(s, order, 32);
    memcpy(s + 32, signature + 32, 32);
    unit_check(!verifies(s));

    memcpy(s, signature, 32);
    memcpy(s + 32, order, 32);
    unit_check(!verifies(s));

    memcpy(s, signature + 32, 32);
    memcpy(s + 32, signature, 32);
    unit_check(!verifies(s));

    unit_check(verifies(signature));
    unit_check(ERR_peek_error() == 0);
}


/* numbers of all lengths, with and without a first bit */

static void
test_many(void)
{
    u_char            p[NGX_AGT_ES256_POINT], s[NGX_AGT_ES256_SIGNATURE];
    u_char            data[NGX_AGT_DIGEST_LEN];
    EVP_PKEY         *pkey;
    ngx_uint_t        i, high, low;
    ngx_agt_es256_t  *other;

    unit_test("signatures of another implementation are good");

    pkey = EVP_EC_gen("P-256");
    point_of(pkey, p);
    other = ngx_agt_es256_open(p);

    high = 0;
    low = 0;

    for (i = 0; i < 600; i++) {
        memset(data, (int) i, sizeof(data));
        data[0] = (u_char) (i >> 8);

        sign(pkey, data, s);

        high += s[0] >> 7;
        low += (s[0] == 0 || s[32] == 0);

        unit_check(other && ngx_agt_es256_verify(other, data, s));
        unit_check(!ngx_agt_es256_verify(es256, data, s));
    }

    unit_check(high);
    unit_check(low);
    unit_check(ERR_peek_error() == 0);

    ngx_agt_es256_close(other);
    EVP_PKEY_free(pkey);
}


static void
test_points(void)
{
    u_char      p[NGX_AGT_ES256_POINT];
    ngx_uint_t  i;

    unit_test("a key is a point of the curve");

    for (i = 0; i < sizeof(p); i++) {
        memcpy(p, point, sizeof(p));
        p[i] ^= 1;

        unit_check(ngx_agt_es256_open(p) == NULL);
    }

    memset(p, 0, sizeof(p));
    unit_check(ngx_agt_es256_open(p) == NULL);

    memset(p, 0xff, sizeof(p));
    unit_check(ngx_agt_es256_open(p) == NULL);

    memcpy(p, point + 32, 32);
    memcpy(p + 32, point, 32);
    unit_check(ngx_agt_es256_open(p) == NULL);

    unit_check(ERR_peek_error() == 0);

    ngx_agt_es256_close(NULL);
}


/* openssl dgst -sha256 of the members in their order, by hand */

static void
test_name(void)
{
    u_char         want[NGX_AGT_DIGEST_LEN];
    ngx_str_t      text;
    ngx_agt_key_t  key;

    unit_test("a key without an identifier has its thumbprint");

    ngx_memzero(&key, sizeof(key));
    memcpy(key.point, point, sizeof(point));
    key.named = 1;

    ngx_str_set(&text, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");

    unit_check(ngx_agt_digest(want, &text, 1) == NGX_OK);
    unit_check(ngx_agt_es256_name(&key) == NGX_OK);
    unit_check(!key.named);
    unit_check(memcmp(key.name, want, sizeof(want)) == 0);
}


static void
test_pem(void)
{
    size_t         len;
    ngx_str_t      pem;
    ngx_uint_t     i, n;

    static u_char         text[20000];
    static ngx_agt_key_t  keys[NGX_AGT_ES256_KEYS];

    unit_test("public keys are read from PEM");

    ngx_str_null(&pem);
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    ngx_str_set(&pem, "no key\n");
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    /* libcrypto counts bytes in an int; not one of these is read */

    pem.len = (size_t) INT_MAX + 1;
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR && n == 0);

    pem.data = text;
    pem.len = pem_of("EC", "P-256", text);

    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_OK && n == 1);
    unit_check(!keys[0].named && keys[0].withdrawn == 0);

    for (i = 1; i < NGX_AGT_ES256_KEYS; i++) {
        pem.len += pem_of("EC", "P-256", text + pem.len);
    }

    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_OK && n == 32);
    unit_check(memcmp(keys[0].point, keys[31].point, 64) != 0);
    unit_check(memcmp(keys[0].name, keys[31].name, 32) != 0);

    len = pem.len;
    pem.len += pem_of("EC", "P-256", text + pem.len);
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    pem.len = len;
    text[len - 40] = '!';
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    pem.len = pem_of("EC", "P-384", text);
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    pem.len = pem_of("ED25519", NULL, text);
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    /* one good key does not make up for something else */

    pem.len = pem_of("EC", "P-256", text);
    ngx_memcpy(text + pem.len, PRIVATE, sizeof(PRIVATE) - 1);
    pem.len += sizeof(PRIVATE) - 1;
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    pem.len = pem_of("EC", "P-256", text);
    pem.len += pem_of("ED25519", NULL, text + pem.len);
    unit_check(ngx_agt_es256_pem(&pem, keys, &n) == NGX_ERROR);

    unit_check(ERR_peek_error() == 0);
}


static void
decode(const char *text, u_char *out, size_t size)
{
    size_t     len;
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    if (ngx_agt_base64url_decode(&s, out, size, &len) != NGX_OK
        || len != size)
    {
        abort();
    }
}


static ngx_uint_t
verifies(const u_char *s)
{
    return ngx_agt_es256_verify(es256, digest, s);
}


static void
sign(EVP_PKEY *pkey, const u_char *data, u_char *out)
{
    u_char         der[80];
    size_t         len;
    ECDSA_SIG     *sig;
    const u_char  *p;
    EVP_PKEY_CTX  *ctx;

    len = sizeof(der);
    p = der;
    ctx = EVP_PKEY_CTX_new(pkey, NULL);

    if (EVP_PKEY_sign_init(ctx) != 1
        || EVP_PKEY_sign(ctx, der, &len, data, 32) != 1)
    {
        abort();
    }

    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);

    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32);

    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);
}


static void
point_of(EVP_PKEY *pkey, u_char *p)
{
    BIGNUM  *x, *y;

    x = NULL;
    y = NULL;

    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x);
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y);

    BN_bn2binpad(x, p, 32);
    BN_bn2binpad(y, p + 32, 32);

    BN_free(x);
    BN_free(y);
}


static size_t
pem_of(const char *type, const char *group, u_char *out)
{
    BIO       *bio;
    char      *data;
    size_t     len;
    EVP_PKEY  *pkey;

    pkey = group ? EVP_PKEY_Q_keygen(NULL, NULL, type, group)
                 : EVP_PKEY_Q_keygen(NULL, NULL, type);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey);

    len = (size_t) BIO_get_mem_data(bio, &data);
    memcpy(out, data, len);

    BIO_free(bio);
    EVP_PKEY_free(pkey);

    return len;
}
