
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "unit.h"

#include "token/digest.h"


static void test_allocations(void);
static void test_known(void);
static void test_parts(void);
static void test_equal(void);
static void test_fold(void);
static ngx_uint_t is_zero(const u_char *digest);
static void *limited_malloc(size_t size, const char *file, int line);
static void *limited_realloc(void *p, size_t size, const char *file,
    int line);
static void limited_free(void *p, const char *file, int line);


static size_t  allowed;


/* FIPS 180-2, appendix B, and the empty string */

static const struct {
    const char   *text;
    ngx_uint_t    repeat;
    const char   *hex;
} known[] = {
    { "", 1,
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", 1,
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "a", 1000000,
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};


int
main(void)
{
    u_char     out[NGX_AGT_DIGEST_LEN];
    ngx_str_t  part = ngx_string("abc");

    unit_check(CRYPTO_set_mem_functions(limited_malloc, limited_realloc,
                                        limited_free));

    unit_test("nothing is digested before the algorithm was fetched");

    ngx_memset(out, 0xff, sizeof(out));

    unit_check(ngx_agt_digest(out, &part, 1) == NGX_ERROR);
    unit_check(is_zero(out));

    test_allocations();

    unit_test("the algorithm is fetched, twice at no harm");

    unit_check(ngx_agt_digest_init() == NGX_OK);
    unit_check(ngx_agt_digest_init() == NGX_OK);

    test_known();
    test_parts();
    test_equal();
    test_fold();

    return unit_done();
}


static void *
limited_malloc(size_t size, const char *file, int line)
{
    if (allowed == 0) {
        return NULL;
    }

    allowed--;

    return malloc(size);
}


static void *
limited_realloc(void *p, size_t size, const char *file, int line)
{
    if (allowed == 0) {
        return NULL;
    }

    allowed--;

    return realloc(p, size);
}


static void
limited_free(void *p, const char *file, int line)
{
    free(p);
}


static ngx_uint_t
is_zero(const u_char *digest)
{
    ngx_uint_t  i, zero;

    for (zero = 1, i = 0; i < NGX_AGT_DIGEST_LEN; i++) {
        zero &= (digest[i] == 0);
    }

    return zero;
}


static void
test_allocations(void)
{
    u_char      out[NGX_AGT_DIGEST_LEN];
    ngx_int_t   rc;
    ngx_str_t   part = ngx_string("abc");
    ngx_uint_t  n;

    unit_test("an algorithm that memory is too short for is fetched later");

    /* libcrypto itself needs memory to begin with */

    allowed = (size_t) -1;
    EVP_MD_free(EVP_MD_fetch(NULL, "SHA512", NULL));

    allowed = 0;
    unit_check(ngx_agt_digest_init() == NGX_ERROR);

    allowed = (size_t) -1;
    unit_check(ngx_agt_digest_init() == NGX_OK);

    unit_test("a digest that memory is too short for is an error");

    for (n = 0; n < 10; n++) {
        allowed = n;
        ngx_memset(out, 0xff, sizeof(out));

        rc = ngx_agt_digest(out, &part, 1);

        unit_check(rc == NGX_OK || is_zero(out));

        if (rc == NGX_OK) {
            break;
        }
    }

    unit_check(n > 0 && n < 10);

    allowed = (size_t) -1;
}


static void
test_known(void)
{
    u_char      out[NGX_AGT_DIGEST_LEN];
    u_char      hex[NGX_AGT_FINGERPRINT_LEN];
    size_t      len;
    ngx_str_t  *parts;
    ngx_uint_t  i, n;

    unit_test("known digests and their fingerprints");

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {

        parts = calloc(known[i].repeat, sizeof(ngx_str_t));
        len = strlen(known[i].text);

        for (n = 0; n < known[i].repeat; n++) {
            parts[n] = unit_copy(known[i].text, len);
        }

        unit_check(ngx_agt_digest(out, parts, known[i].repeat) == NGX_OK);

        ngx_agt_digest_fingerprint(out, hex);

        unit_check_note(memcmp(hex, known[i].hex, sizeof(hex)) == 0,
                        known[i].text);

        for (n = 0; n < sizeof(out); n++) {
            unsigned  byte;

            unit_check(sscanf(known[i].hex + 2 * n, "%2x", &byte) == 1);
            unit_check_note(out[n] == byte, known[i].text);
        }

        for (n = 0; n < known[i].repeat; n++) {
            free(parts[n].data);
        }

        free(parts);
    }
}


static void
test_parts(void)
{
    u_char     a[NGX_AGT_DIGEST_LEN];
    u_char     b[NGX_AGT_DIGEST_LEN];
    ngx_str_t  whole = ngx_string("one two three");
    ngx_str_t  parts[] = {
        ngx_string("one"), ngx_null_string, ngx_string(" two "),
        ngx_string("three")
    };

    unit_test("parts are digested as one string");

    unit_check(ngx_agt_digest(a, &whole, 1) == NGX_OK);
    unit_check(ngx_agt_digest(b, parts, 4) == NGX_OK);
    unit_check(ngx_agt_digest_equal(a, b));

    unit_check(ngx_agt_digest(b, parts, 3) == NGX_OK);
    unit_check(!ngx_agt_digest_equal(a, b));
}


static void
test_equal(void)
{
    u_char      a[NGX_AGT_DIGEST_LEN];
    u_char      b[NGX_AGT_DIGEST_LEN];
    ngx_str_t   part = ngx_string("abc");
    ngx_uint_t  i;

    unit_test("each bit of a digest counts");

    unit_check(ngx_agt_digest(a, &part, 1) == NGX_OK);

    for (i = 0; i < 8 * sizeof(a); i++) {
        ngx_memcpy(b, a, sizeof(a));
        unit_check(ngx_agt_digest_equal(a, b));

        b[i / 8] = (u_char) (b[i / 8] ^ (1 << i % 8));
        unit_check(!ngx_agt_digest_equal(a, b));
    }
}


/* the products were reckoned with numbers of any length */

static void
test_fold(void)
{
    uint64_t    a, b;
    ngx_uint_t  i;

    static const struct {
        uint64_t  a, b, folded;
    } folds[] = {
        { 0x0ULL, 0x5ULL,
          0x0ULL },
        { 0x1ULL, 0xffffffffffffffffULL,
          0xffffffffffffffffULL },
        { 0xffffffffffffffffULL, 0xffffffffffffffffULL,
          0xffffffffffffffffULL },
        { 0x100000000ULL, 0x100000000ULL,
          0x1ULL },
        { 0xffffffffULL, 0xffffffffULL,
          0xfffffffe00000001ULL },
        { 0xffffffff00000000ULL, 0xffffffff00000000ULL,
          0xfffffffe00000001ULL },
        { 0xffffffffULL, 0xffffffffffffffffULL,
          0xffffffffffffffffULL },
        { 0x8000000000000000ULL, 0x2ULL,
          0x1ULL },
        { 0x123456789abcdefULL, 0xfedcba9876543210ULL,
          0x2317228f48165bb2ULL },
        { 0xdeadbeefcafef00dULL, 0xffffffff00000001ULL,
          0xcd03700c26afc113ULL },
    };

    unit_test("two factors are folded to the halves of their product");

    for (i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
        a = folds[i].a;
        b = folds[i].b;

        unit_check(ngx_agt_digest_fold(a, b) == folds[i].folded);
        unit_check(ngx_agt_digest_fold(b, a) == folds[i].folded);
        unit_check(ngx_agt_digest_fold_halves(a, b) == folds[i].folded);
        unit_check(ngx_agt_digest_fold_halves(b, a) == folds[i].folded);
    }

    a = 1;
    b = 3;

    for (i = 0; i < 100000; i++) {
        a = a * 6364136223846793005ULL + 1442695040888963407ULL;
        b = b * 3935559000370003845ULL + 2691343689449507681ULL;

        if (ngx_agt_digest_fold(a, b) != ngx_agt_digest_fold_halves(a, b))
        {
            break;
        }
    }

    unit_check(i == 100000);
}
