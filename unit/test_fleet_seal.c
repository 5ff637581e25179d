
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "fleet/seal.h"


#define LEN    NGX_AGT_FLEET_SEAL_LEN
#define SALT   2
#define NONCE  (SALT + 32)
#define TEXT   (NONCE + 12)


static void test_lengths(void);
static void test_flips(void);
static void test_cut(void);
static void test_fleets(void);
static void test_epochs(void);
static void test_keys(void);
static void test_format(void);
static void test_nonces(void);
static void test_cache(void);
static void test_failures(void);
static void test_names(void);
static ngx_uint_t fails(void);
static ngx_agt_fleet_seal_t *fleet(const char *of_keys, const char *of_name);
static ngx_int_t open_with(ngx_agt_fleet_seal_t *s, const u_char *sealed,
    size_t len);
static ngx_uint_t is_zero(const u_char *p, size_t len);
static void hkdf(const u_char *key, const u_char *salt, const char *info,
    u_char *derived);
static void seal_elsewhere(const u_char *key, u_char *sealed, ngx_uint_t v,
    ngx_uint_t k, const char *text, const char *of_name);


static u_char      out[4096];
static ngx_uint_t  version;
static ngx_uint_t  kind;
static ngx_uint_t  derivations;
static ngx_uint_t  keys_left;    /* in contexts of libcrypto */
static ngx_int_t   calls = -1;   /* of libcrypto that succeed; -1: all */
static ngx_str_t   text = ngx_string("a denial of the fleet");


static ngx_uint_t
fails(void)
{
    if (calls == 0) {
        return 1;
    }

    if (calls > 0) {
        calls--;
    }

    return 0;
}


/* in place of libcrypto's own functions, which they call unless they fail */

#define REAL(name)  ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))


int
RAND_bytes(unsigned char *buf, int num)
{
    int  i;

    for (i = 0; i < num; i++) {
        buf[i] = (u_char) stub_random();
    }

    return !fails();
}


EVP_CIPHER_CTX *
EVP_CIPHER_CTX_new(void)
{
    return fails() ? NULL : REAL(EVP_CIPHER_CTX_new)();
}


EVP_KDF *
EVP_KDF_fetch(OSSL_LIB_CTX *libctx, const char *algorithm, const char *propq)
{
    return fails() ? NULL : REAL(EVP_KDF_fetch)(libctx, algorithm, propq);
}


EVP_KDF_CTX *
EVP_KDF_CTX_new(EVP_KDF *kdf)
{
    return fails() ? NULL : REAL(EVP_KDF_CTX_new)(kdf);
}


int
EVP_KDF_derive(EVP_KDF_CTX *ctx, unsigned char *key, size_t keylen,
    const OSSL_PARAM params[])
{
    derivations++;
    keys_left |= 1;

    return fails() ? 0 : REAL(EVP_KDF_derive)(ctx, key, keylen, params);
}


void
EVP_KDF_CTX_reset(EVP_KDF_CTX *ctx)
{
    keys_left &= ~(ngx_uint_t) 1;

    REAL(EVP_KDF_CTX_reset)(ctx);
}


int
EVP_CIPHER_CTX_reset(EVP_CIPHER_CTX *ctx)
{
    keys_left &= ~(ngx_uint_t) 2;

    return REAL(EVP_CIPHER_CTX_reset)(ctx);
}


int
EVP_CipherInit_ex(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
    ENGINE *engine, const unsigned char *key, const unsigned char *iv, int enc)
{
    keys_left |= 2;

    return fails() ? 0 : REAL(EVP_CipherInit_ex)(ctx, cipher, engine, key, iv,
                                                 enc);
}


int
EVP_CipherUpdate(EVP_CIPHER_CTX *ctx, unsigned char *o, int *outl,
    const unsigned char *in, int inl)
{
    return fails() ? 0 : REAL(EVP_CipherUpdate)(ctx, o, outl, in, inl);
}


int
EVP_CipherFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *o, int *outl)
{
    return fails() ? 0 : REAL(EVP_CipherFinal_ex)(ctx, o, outl);
}


int
EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX *ctx, int type, int arg, void *ptr)
{
    return fails() ? 0 : REAL(EVP_CIPHER_CTX_ctrl)(ctx, type, arg, ptr);
}


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 813);
    stub_log.log_level = NGX_LOG_DEBUG;

    test_lengths();
    test_flips();
    test_cut();
    test_fleets();
    test_epochs();
    test_keys();
    test_format();
    test_nonces();
    test_cache();
    test_failures();
    test_names();

    return unit_done();
}


static void
test_lengths(void)
{
    size_t                 len;
    u_char                 opened[301];
    ngx_str_t              plain, sealed;
    ngx_agt_fleet_seal_t  *s;

    unit_test("what is sealed opens, whatever its length");

    s = fleet("a", "edge");

    for (len = 0; len <= 300; len++) {
        plain = unit_copy(out, len);
        memset(plain.data, 'T', len);

        sealed = unit_copy(out, len + LEN);
        opened[len] = 0x5a;

        unit_check(ngx_agt_fleet_seal_close(s, 1 + len % 255, &plain,
                                            sealed.data) == NGX_OK);
        unit_check(len < 4 || memmem(sealed.data, sealed.len, "TTTT", 4)
                              == NULL);

        unit_check(ngx_agt_fleet_seal_open(s, &sealed, opened, len, &version,
                                           &kind) == NGX_OK);
        unit_check(version == NGX_AGT_FLEET_VERSION && kind == 1 + len % 255);
        unit_check(memcmp(opened, plain.data, len) == 0);
        unit_check(opened[len] == 0x5a);

        unit_check(len == 0
                   || ngx_agt_fleet_seal_open(s, &sealed, opened, len - 1,
                                              &version, &kind)
                      == NGX_DECLINED);

        free(plain.data);
        free(sealed.data);
    }

    ngx_agt_fleet_seal_free(s);
    ngx_agt_fleet_seal_free(NULL);
}


static void
test_flips(void)
{
    size_t                 i;
    u_char                 sealed[64 + LEN];
    ngx_uint_t             bit, cold;
    ngx_agt_fleet_seal_t  *s, *other;

    unit_test("a flipped bit anywhere breaks the seal, and nothing comes out");

    s = fleet("a", "edge");

    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);

    for (cold = 0; cold < 2; cold++) {
        other = fleet("a", "edge");

        /* the derived key of the writer is known, or it is not */

        unit_check(cold || open_with(other, sealed, text.len + LEN) == NGX_OK);

        for (i = 0; i < text.len + LEN; i++) {
            for (bit = 0; bit < 8; bit++) {
                sealed[i] ^= (u_char) (1 << bit);

                unit_check(open_with(other, sealed, text.len + LEN)
                           == NGX_DECLINED);
                unit_check(is_zero(out, text.len));

                sealed[i] ^= (u_char) (1 << bit);
            }
        }

        unit_check(open_with(other, sealed, text.len + LEN) == NGX_OK);
        unit_check(memcmp(out, text.data, text.len) == 0);

        ngx_agt_fleet_seal_free(other);
    }

    ngx_agt_fleet_seal_free(s);
}


static void
test_cut(void)
{
    size_t                 len;
    u_char                 sealed[64 + LEN];
    ngx_agt_fleet_seal_t  *s;

    unit_test("a seal that is cut short, or goes on, does not open");

    s = fleet("a", "edge");
    memset(sealed, 0, sizeof(sealed));

    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);

    for (len = 0; len < sizeof(sealed); len++) {
        unit_check((open_with(s, sealed, len) == NGX_OK)
                   == (len == text.len + LEN));
    }

    ngx_agt_fleet_seal_free(s);
}


static void
test_fleets(void)
{
    char                   name[NGX_AGT_FLEET_NAME_MAX + 2];
    u_char                 sealed[64 + LEN];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s, *other;

    static const char  *names[] = { "", "edg", "edge1", "Edge", "edge:",
                                    "egde" };

    unit_test("a seal of a fleet of another name does not open");

    s = fleet("a", "edge");
    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        other = fleet("a", names[i]);
        unit_check(open_with(other, sealed, text.len + LEN) == NGX_DECLINED);
        ngx_agt_fleet_seal_free(other);
    }

    other = fleet("a", "edge");
    unit_check(open_with(other, sealed, text.len + LEN) == NGX_OK);
    ngx_agt_fleet_seal_free(other);
    ngx_agt_fleet_seal_free(s);

    unit_test("a name has its bounds");

    memset(name, 'n', sizeof(name));
    name[NGX_AGT_FLEET_NAME_MAX] = '\0';

    s = fleet("a", name);
    unit_check(s != NULL);
    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);
    unit_check(open_with(s, sealed, text.len + LEN) == NGX_OK);
    ngx_agt_fleet_seal_free(s);

    name[NGX_AGT_FLEET_NAME_MAX] = 'n';
    name[NGX_AGT_FLEET_NAME_MAX + 1] = '\0';

    unit_check(fleet("a", name) == NULL);
    unit_check(fleet("", "edge") == NULL);
}


static void
test_epochs(void)
{
    u_char                 sealed[64 + LEN], epoch[NGX_AGT_FLEET_EPOCH_LEN];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s, *other;

    unit_test("a seal of another epoch does not open");

    s = fleet("a", "edge");
    other = fleet("a", "edge");
    memset(epoch, '0', sizeof(epoch));

    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);
    unit_check(open_with(other, sealed, text.len + LEN) == NGX_OK);

    ngx_agt_fleet_seal_epoch(other, epoch);
    unit_check(open_with(other, sealed, text.len + LEN) == NGX_DECLINED);

    ngx_agt_fleet_seal_epoch(s, epoch);
    unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);
    unit_check(open_with(other, sealed, text.len + LEN) == NGX_OK);

    for (i = 0; i < sizeof(epoch); i++) {
        epoch[i] ^= 1;
        ngx_agt_fleet_seal_epoch(other, epoch);
        unit_check(open_with(other, sealed, text.len + LEN) == NGX_DECLINED);
        epoch[i] ^= 1;
    }

    ngx_agt_fleet_seal_epoch(other, epoch);
    unit_check(open_with(other, sealed, text.len + LEN) == NGX_OK);

    ngx_agt_fleet_seal_free(s);
    ngx_agt_fleet_seal_free(other);
}


static void
test_keys(void)
{
    u_char                 sealed[64 + LEN];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s, *other;

    static const struct {
        const char  *seals;
        const char  *opens;
        ngx_int_t    rc;
    } pairs[] = {
        { "a", "a", NGX_OK },
        { "a", "b", NGX_DECLINED },
        { "a", "ba", NGX_OK },
        { "a", "ab", NGX_OK },
        { "a", "bc", NGX_DECLINED },
        { "ab", "a", NGX_OK },
        { "ab", "b", NGX_DECLINED },
        { "ab", "ca", NGX_OK }
    };

    unit_test("the first key seals, and every key opens");

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        s = fleet(pairs[i].seals, "edge");
        other = fleet(pairs[i].opens, "edge");

        unit_check(ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK);
        unit_check_note(open_with(other, sealed, text.len + LEN)
                        == pairs[i].rc, pairs[i].opens);

        /* and once more, with the key that was derived */

        unit_check_note(open_with(other, sealed, text.len + LEN)
                        == pairs[i].rc, pairs[i].opens);

        ngx_agt_fleet_seal_free(s);
        ngx_agt_fleet_seal_free(other);
    }
}


/* what is promised, made without the code under test */

static void
test_format(void)
{
    u_char                 key[32], sealed[64 + LEN];
    ngx_uint_t             v, k;
    ngx_agt_fleet_seal_t  *s;

    unit_test("it is AES-256-GCM with a key of HKDF-SHA256");

    s = fleet("a", "edge");
    memset(key, 'a', 32);

    for (v = 0; v < 256; v += 15) {
        for (k = 0; k < 256; k += 17) {
            seal_elsewhere(key, sealed, v, k, "sealed elsewhere", "edge");

            unit_check(open_with(s, sealed, 16 + LEN) == NGX_OK);
            unit_check(memcmp(out, "sealed elsewhere", 16) == 0);
            unit_check(version == v && kind == k);
        }
    }

    ngx_agt_fleet_seal_free(s);
}


static void
test_nonces(void)
{
    u_char                 sealed[64 + LEN], other[64 + LEN];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s, *t;

    unit_test("a nonce counts up, also where a seal fails");

    s = fleet("a", "edge");

    for (i = 0; i < 1000; i++) {
        calls = (i % 10 == 9) ? 1 : -1;

        unit_check((ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK)
                   == (i % 10 != 9));
        unit_check(is_zero(&sealed[NONCE], 10));
        unit_check(sealed[NONCE + 10] == i / 256);
        unit_check(sealed[NONCE + 11] == i % 256);
    }

    calls = -1;

    unit_test("two processes have nothing in common");

    t = fleet("a", "edge");
    unit_check(ngx_agt_fleet_seal_close(t, 2, &text, other) == NGX_OK);
    unit_check(memcmp(&sealed[SALT], &other[SALT], 32) != 0);

    ngx_agt_fleet_seal_free(s);
    ngx_agt_fleet_seal_free(t);
}


static void
test_cache(void)
{
    u_char                 sealed[64 + LEN], first[64 + LEN];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s, *t;

    unit_test("a key is derived once, and libcrypto keeps none");

    s = fleet("ab", "edge");
    t = fleet("a", "edge");

    unit_check(derivations && keys_left == 0);

    unit_check(ngx_agt_fleet_seal_close(t, 2, &text, first) == NGX_OK);
    unit_check(keys_left == 0);
    unit_check(open_with(s, first, text.len + LEN) == NGX_OK);
    unit_check(keys_left == 0);

    derivations = 0;

    for (i = 0; i < 10; i++) {
        unit_check(ngx_agt_fleet_seal_close(t, 2, &text, sealed) == NGX_OK);
        unit_check(open_with(s, sealed, text.len + LEN) == NGX_OK);
    }

    unit_check(derivations == 0);

    unit_test("a text that does not open drives no key out");

    for (i = 0; i < 2000; i++) {
        memcpy(sealed, first, sizeof(sealed));
        sealed[SALT + 1 + i % 31] ^= (u_char) (1 + i % 255);
        unit_check(open_with(s, sealed, text.len + LEN) == NGX_DECLINED);
    }

    derivations = 0;
    unit_check(open_with(s, first, text.len + LEN) == NGX_OK);
    unit_check(derivations == 0);

    ngx_agt_fleet_seal_free(t);

    unit_test("there are more writers than keys that are kept");

    for (i = 0; i < 600; i++) {
        t = fleet(i % 2 ? "a" : "b", "edge");
        unit_check(ngx_agt_fleet_seal_close(t, 2, &text, sealed) == NGX_OK);
        unit_check(open_with(s, sealed, text.len + LEN) == NGX_OK);
        ngx_agt_fleet_seal_free(t);
    }

    unit_check(open_with(s, first, text.len + LEN) == NGX_OK);

    ngx_agt_fleet_seal_free(s);
}


static void
test_failures(void)
{
    u_char                 sealed[64 + LEN];
    ngx_int_t              n;
    ngx_agt_fleet_seal_t  *s, *t;

    unit_test("whatever of libcrypto fails, nothing is sealed or opened");

    for (n = 0; n < 20; n++) {
        calls = n;
        stub_lines = 0;
        s = fleet("a", "edge");

        if (s) {
            break;
        }

        unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);
    }

    unit_check(n == 5);
    calls = -1;

    t = fleet("ba", "edge");

    for (n = 0; n < 20; n++) {
        memset(sealed, 0xa5, sizeof(sealed));
        calls = n;

        if (ngx_agt_fleet_seal_close(s, 2, &text, sealed) == NGX_OK) {
            break;
        }

        unit_check(is_zero(&sealed[TEXT], text.len));
        unit_check(keys_left == 0);
    }

    unit_check(n == 5 && calls == 0);

    /* two keys are tried: eight calls are enough for the second alone */

    for (n = 0; n < 30; n++) {
        calls = n;

        if (open_with(t, sealed, text.len + LEN) == NGX_OK) {
            break;
        }

        unit_check(n < 2 || is_zero(out, text.len));
        unit_check(keys_left == 0);
    }

    unit_check(n == 12 && calls == 0);
    calls = -1;

    unit_check(memcmp(out, text.data, text.len) == 0);

    ngx_agt_fleet_seal_free(s);
    ngx_agt_fleet_seal_free(t);
}


static void
test_names(void)
{
    u_char                 digest[32], name[32], other[32];
    ngx_uint_t             i;
    ngx_agt_fleet_seal_t  *s;

    static const char  *keys[] = { "a", "ab" };

    unit_test("a name is HKDF-SHA256 with the first key, and no key that "
              "seals");

    memset(digest, 'd', 32);

    for (i = 0; i < 2; i++) {
        s = fleet(keys[i], "edge");

        memset(name, 'a', 32);
        hkdf(name, digest, "agilicus fleet name\1", other);

        unit_check(ngx_agt_fleet_seal_name(s, digest, name) == NGX_OK);
        unit_check(memcmp(name, other, 32) == 0);
        unit_check(keys_left == 0);

        calls = 0;
        unit_check(ngx_agt_fleet_seal_name(s, digest, name) != NGX_OK);
        calls = -1;

        ngx_agt_fleet_seal_free(s);
    }
}


/* a key of 32 times each letter */

static ngx_agt_fleet_seal_t *
fleet(const char *of_keys, const char *of_name)
{
    ngx_str_t             name;
    ngx_agt_fleet_keys_t  keys;

    memset(&keys, 0, sizeof(keys));

    for (keys.n = 0; of_keys[keys.n]; keys.n++) {
        memset(keys.keys[keys.n], of_keys[keys.n], NGX_AGT_FLEET_KEY_LEN);
    }

    name.data = (u_char *) of_name;
    name.len = strlen(of_name);

    return ngx_agt_fleet_seal_new(&keys, &name, &stub_log);
}


static ngx_int_t
open_with(ngx_agt_fleet_seal_t *s, const u_char *sealed, size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = unit_copy(sealed, len);

    memset(out, 0xa5, sizeof(out));
    rc = ngx_agt_fleet_seal_open(s, &copy, out, sizeof(out), &version, &kind);

    free(copy.data);

    return rc;
}


static ngx_uint_t
is_zero(const u_char *p, size_t len)
{
    while (len--) {
        if (*p++) {
            return 0;
        }
    }

    return 1;
}


/* RFC 5869 with one block */

static void
hkdf(const u_char *key, const u_char *salt, const char *info,
    u_char *derived)
{
    u_char  prk[32];

    if (HMAC(EVP_sha256(), salt, 32, key, 32, prk, NULL) == NULL
        || HMAC(EVP_sha256(), prk, 32, (const u_char *) info, strlen(info),
                derived, NULL)
           == NULL)
    {
        abort();
    }
}


static void
seal_elsewhere(const u_char *key, u_char *sealed, ngx_uint_t v, ngx_uint_t k,
    const char *plain, const char *of_name)
{
    int              n, len, bound_len;
    u_char           derived[32], bound[3 + 64 + 32];
    EVP_CIPHER_CTX  *ctx;

    len = (int) strlen(plain);
    bound_len = 3 + (int) strlen(of_name) + 32;

    memset(bound, 0, sizeof(bound));
    bound[0] = (u_char) v;
    bound[1] = (u_char) k;
    bound[2] = (u_char) strlen(of_name);
    memcpy(&bound[3], of_name, strlen(of_name));

    memcpy(sealed, bound, 2);
    memset(&sealed[SALT], 'S', 32);
    memset(&sealed[NONCE], 'N', 12);

    hkdf(key, &sealed[SALT], "agilicus fleet\1", derived);

    ctx = REAL(EVP_CIPHER_CTX_new)();

    if (ctx == NULL
        || !EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived,
                               &sealed[NONCE])
        || !EVP_EncryptUpdate(ctx, NULL, &n, bound, bound_len)
        || !EVP_EncryptUpdate(ctx, &sealed[TEXT], &n, (const u_char *) plain,
                              len)
        || !EVP_EncryptFinal_ex(ctx, &sealed[TEXT + len], &n)
        || !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16,
                                &sealed[TEXT + len]))
    {
        abort();
    }

    EVP_CIPHER_CTX_free(ctx);
}
