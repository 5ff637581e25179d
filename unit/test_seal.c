
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include "zone/seal.h"


#define LEN    NGX_AGT_SEAL_LEN
#define NONCE  12
#define TAG    16


static void test_no_key(void);
static void test_lengths(void);
static void test_flips(void);
static void test_bound(void);
static void test_cut(void);
static void test_other(void);
static void test_other_key(void);
static void test_nonces(void);
static void test_failures(void);
static void test_digest(void);
static ngx_uint_t fails(void);
static ngx_int_t open_it(const u_char *sealed, size_t len, const char *to);
static ngx_uint_t zeroed(const u_char *p, size_t len);
static void seal_with(const u_char *key, const u_char *nonce,
    const char *plain, const char *to, u_char *out);


static u_char      out[20000];
static u_char      the_key[32];
static ngx_uint_t  keys;
static ngx_uint_t  failing;
static ngx_uint_t  swapping;     /* mlock() fails */
static ngx_int_t   calls = -1;   /* of libcrypto that succeed; -1: all */


/* in place of that of libcrypto: what the key is made of is known here */

int
RAND_bytes(unsigned char *buf, int num)
{
    int  i;

    if (failing) {
        return 0;
    }

    for (i = 0; i < num; i++) {
        buf[i] = (u_char) stub_random();
    }

    if (num == 64) {
        memcpy(the_key, buf, 32);
        keys++;
    }

    return 1;
}


int
mlock(const void *addr, size_t len)
{
    return swapping ? -1 : 0;
}


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


/* libcrypto's own functions, unless they have to fail */

#define REAL(name)  ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))


EVP_CIPHER_CTX *
EVP_CIPHER_CTX_new(void)
{
    return fails() ? NULL : REAL(EVP_CIPHER_CTX_new)();
}


int
EVP_CipherInit_ex(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
    ENGINE *engine, const unsigned char *key, const unsigned char *iv, int enc)
{
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
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 267);

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    test_no_key();
    test_lengths();
    test_flips();
    test_bound();
    test_cut();
    test_other();
    test_other_key();
    test_nonces();
    test_failures();
    test_digest();

    return unit_done();
}


static void
test_no_key(void)
{
    ngx_str_t  plain, bound;

    unit_test("without a key nothing is sealed or opened");

    plain = unit_str("token");
    bound = unit_str("key");

    unit_check(ngx_agt_seal_digest(out, &plain, 1) == NGX_ERROR);

    unit_check(ngx_agt_seal_encrypt(&plain, &bound, out) == NGX_ERROR);
    unit_check(open_it((u_char *) "................................", 32,
                       "key") == NGX_ERROR);

    failing = 1;
    stub_lines = 0;
    stub_log.log_level = NGX_LOG_DEBUG;
    unit_check(ngx_agt_seal_init(&stub_log) == NGX_ERROR);
    unit_check(stub_lines && stub_level == NGX_LOG_EMERG);
    unit_check(ngx_agt_seal_encrypt(&plain, &bound, out) == NGX_ERROR);
    failing = 0;

    /* nor without a page to keep it on */

    ngx_pagesize = 0;
    stub_lines = 0;
    unit_check(ngx_agt_seal_init(&stub_log) == NGX_ERROR);
    unit_check(stub_lines && stub_level == NGX_LOG_EMERG);
    ngx_pagesize = 4096;

    unit_test("the key is made once, and it is said that it may be swapped");

    swapping = 1;
    stub_lines = 0;
    unit_check(ngx_agt_seal_init(&stub_log) == NGX_OK);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_WARN);
    swapping = 0;

    unit_check(ngx_agt_seal_encrypt(&plain, &bound, out) == NGX_OK);
    unit_check(ngx_agt_seal_init(&stub_log) == NGX_OK);
    unit_check(keys == 1);
    unit_check(open_it(out, 5 + LEN, "key") == NGX_OK);

    unit_test("without a nonce nothing is sealed");

    failing = 1;
    unit_check(ngx_agt_seal_encrypt(&plain, &bound, out) == NGX_ERROR);
    failing = 0;

    free(plain.data);
    free(bound.data);
}


static void
test_lengths(void)
{
    size_t      len;
    ngx_str_t   plain, bound, sealed, opened;
    ngx_uint_t  i;

    unit_test("what is sealed opens, whatever its length");

    bound = unit_str("0123456789abcdef0123456789abcdef");

    for (i = 0; i <= 310; i++) {
        len = (i <= 300) ? i : 16384 / (311 - i);

        plain = unit_copy(out, len);
        memset(plain.data, 'T', len);

        opened = unit_copy(out, len);
        sealed = unit_copy(out, len + LEN);

        unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed.data) == NGX_OK);

        /* nothing of it can be read */

        unit_check(len < 4 || memmem(sealed.data, sealed.len, "TTTT", 4)
                              == NULL);

        unit_check(ngx_agt_seal_decrypt(&sealed, &bound, opened.data)
                   == NGX_OK);
        unit_check(memcmp(opened.data, plain.data, len) == 0);

        free(plain.data);
        free(sealed.data);
        free(opened.data);
    }

    free(bound.data);
}


static void
test_flips(void)
{
    size_t      i, len;
    u_char      sealed[64 + LEN];
    ngx_str_t   plain, bound;
    ngx_uint_t  bit;

    unit_test("a flipped bit anywhere breaks the seal, and nothing comes out");

    plain = unit_str("a token that is kept for later");
    bound = unit_str("its key");
    len = plain.len + LEN;

    unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed) == NGX_OK);
    unit_check(open_it(sealed, len, "its key") == NGX_OK);
    unit_check(memcmp(out, plain.data, plain.len) == 0);

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            sealed[i] ^= (u_char) (1 << bit);

            unit_check(open_it(sealed, len, "its key") == NGX_ERROR);
            unit_check(zeroed(out, plain.len));

            sealed[i] ^= (u_char) (1 << bit);
        }
    }

    unit_check(open_it(sealed, len, "its key") == NGX_OK);

    free(plain.data);
    free(bound.data);
}


static void
test_bound(void)
{
    size_t      i;
    u_char      sealed[64 + LEN];
    ngx_str_t   plain, bound, other;
    ngx_uint_t  bit;

    static u_char  zero[32];

    unit_test("a seal opens with what it was bound to, and nothing else");

    plain = unit_str("token");
    bound = unit_copy(zero, 32);

    for (i = 0; i < 32; i++) {
        bound.data[i] = (u_char) stub_random();
    }

    unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed) == NGX_OK);

    other.data = sealed;
    other.len = plain.len + LEN;

    for (i = 0; i < 32; i++) {
        for (bit = 0; bit < 8; bit++) {
            bound.data[i] ^= (u_char) (1 << bit);
            memset(out, 0xa5, plain.len);

            unit_check(ngx_agt_seal_decrypt(&other, &bound, out) == NGX_ERROR);
            unit_check(zeroed(out, plain.len));

            bound.data[i] ^= (u_char) (1 << bit);
        }
    }

    for (i = 0; i < 32; i++) {
        bound.len = i;
        unit_check(ngx_agt_seal_decrypt(&other, &bound, out) == NGX_ERROR);
    }

    bound.len = 32;
    unit_check(ngx_agt_seal_decrypt(&other, &bound, out) == NGX_OK);

    free(plain.data);
    free(bound.data);
}


static void
test_cut(void)
{
    size_t     len;
    u_char     sealed[128];
    ngx_str_t  plain, bound;

    unit_test("a seal that is cut short, or goes on, does not open");

    plain = unit_str("a token");
    bound = unit_str("key");

    memset(sealed, 0, sizeof(sealed));
    unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed) == NGX_OK);

    for (len = 0; len < sizeof(sealed); len++) {
        unit_check((open_it(sealed, len, "key") == NGX_OK)
                   == (len == plain.len + LEN));
    }

    free(plain.data);
    free(bound.data);
}


/* what is promised: AES-256-GCM with a nonce before and a tag behind */

static void
test_other(void)
{
    u_char  nonce[NONCE], sealed[64 + LEN];

    unit_test("it is AES-256-GCM");

    memset(nonce, 0x42, sizeof(nonce));
    seal_with(the_key, nonce, "sealed elsewhere", "a key", sealed);

    unit_check(open_it(sealed, strlen("sealed elsewhere") + LEN, "a key")
               == NGX_OK);
    unit_check(memcmp(out, "sealed elsewhere", 16) == 0);
}


static void
test_other_key(void)
{
    u_char      key[32], nonce[NONCE], sealed[64 + LEN];
    ngx_uint_t  i;

    unit_test("a text that was sealed with another key does not open");

    memset(nonce, 0x42, sizeof(nonce));

    for (i = 0; i < 256; i++) {
        memcpy(key, the_key, 32);
        key[i / 8] ^= (u_char) (1 << i % 8);

        seal_with(key, nonce, "sealed elsewhere", "a key", sealed);

        unit_check(open_it(sealed, strlen("sealed elsewhere") + LEN, "a key")
                   == NGX_ERROR);
        unit_check(zeroed(out, strlen("sealed elsewhere")));
    }
}


static void
test_nonces(void)
{
    u_char      sealed[1000][5 + LEN];
    ngx_str_t   plain, bound;
    ngx_uint_t  i, j;

    unit_test("no two seals have a nonce in common");

    plain = unit_str("token");
    bound = unit_str("key");

    for (i = 0; i < 1000; i++) {
        unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed[i]) == NGX_OK);

        for (j = 0; j < i; j++) {
            if (memcmp(sealed[i], sealed[j], NONCE) == 0
                || memcmp(sealed[i] + NONCE, sealed[j] + NONCE, 5 + TAG) == 0)
            {
                unit_check(0);
            }
        }
    }

    free(plain.data);
    free(bound.data);
}


static void
test_failures(void)
{
    u_char      sealed[64 + LEN];
    ngx_int_t   rc, n;
    ngx_str_t   plain, bound;

    unit_test("whatever of libcrypto fails, nothing is sealed or opened");

    plain = unit_str("a token");
    bound = unit_str("key");

    for (n = 0; n < 20; n++) {
        calls = n;
        rc = ngx_agt_seal_encrypt(&plain, &bound, sealed);

        if (rc == NGX_OK) {
            break;
        }

        unit_check(rc == NGX_ERROR);
    }

    unit_check(n > 4 && n < 20 && calls == 0);

    for (n = 0; n < 20; n++) {
        calls = n;
        rc = open_it(sealed, plain.len + LEN, "key");

        if (rc == NGX_OK) {
            break;
        }

        /* without a context nothing has been written yet */

        unit_check(rc == NGX_ERROR && (n == 0 || zeroed(out, plain.len)));
    }

    unit_check(n > 4 && n < 20 && calls == 0);

    calls = -1;

    unit_check(memcmp(out, plain.data, plain.len) == 0);

    free(plain.data);
    free(bound.data);
}


static ngx_int_t
open_it(const u_char *sealed, size_t len, const char *to)
{
    ngx_int_t  rc;
    ngx_str_t  s, bound;

    s = unit_copy(sealed, len);
    bound = unit_str(to);

    memset(out, 0xa5, 256);
    rc = ngx_agt_seal_decrypt(&s, &bound, out);

    free(s.data);
    free(bound.data);

    return rc;
}


static ngx_uint_t
zeroed(const u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (p[i]) {
            return 0;
        }
    }

    return 1;
}


static void
seal_with(const u_char *key, const u_char *nonce, const char *plain,
    const char *to, u_char *sealed)
{
    int              n, len;
    EVP_CIPHER_CTX  *ctx;

    len = (int) strlen(plain);
    ctx = EVP_CIPHER_CTX_new();

    memcpy(sealed, nonce, NONCE);

    if (ctx == NULL
        || !EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce)
        || !EVP_EncryptUpdate(ctx, NULL, &n, (const u_char *) to,
                              (int) strlen(to))
        || !EVP_EncryptUpdate(ctx, sealed + NONCE, &n, (const u_char *) plain,
                              len)
        || !EVP_EncryptFinal_ex(ctx, sealed + NONCE + len, &n)
        || !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
                                sealed + NONCE + len))
    {
        abort();
    }

    EVP_CIPHER_CTX_free(ctx);
}


static void
test_digest(void)
{
    u_char     a[NGX_AGT_DIGEST_LEN], b[NGX_AGT_DIGEST_LEN];
    ngx_str_t  parts[7];

    unit_test("a digest is of the parts and of a key");

    memset(parts, 0, sizeof(parts));

    ngx_str_set(&parts[0], "user");
    ngx_str_set(&parts[1], "key");

    unit_check(ngx_agt_seal_digest(a, parts, 2) == NGX_OK);
    unit_check(ngx_agt_digest(b, parts, 2) == NGX_OK);
    unit_check(memcmp(a, b, sizeof(a)) != 0);

    unit_check(ngx_agt_seal_digest(b, parts, 2) == NGX_OK);
    unit_check(memcmp(a, b, sizeof(a)) == 0);

    unit_check(ngx_agt_seal_digest(b, parts, 6) == NGX_OK);
    unit_check(memcmp(a, b, sizeof(a)) == 0);

    unit_check(ngx_agt_seal_digest(b, parts, 1) == NGX_OK);
    unit_check(memcmp(a, b, sizeof(a)) != 0);

    parts[1].data = the_key;
    parts[1].len = sizeof(the_key);
    parts[2] = parts[0];

    unit_check(ngx_agt_digest(b, &parts[1], 2) == NGX_OK);
    unit_check(ngx_agt_seal_digest(a, parts, 1) == NGX_OK);
    unit_check(memcmp(a, b, sizeof(a)) != 0);

    unit_test("more parts than there is room for are refused");

    unit_check(ngx_agt_seal_digest(a, parts, 7) == NGX_ERROR);
}
