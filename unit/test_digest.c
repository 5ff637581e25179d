
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "ngx_agilicus_token_digest.h"


static void test_known(void);
static void test_parts(void);
static void test_equal(void);


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
    u_char      out[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_str_t   part = ngx_string("abc");
    ngx_uint_t  i, zero;

    unit_test("nothing is digested before the algorithm was fetched");

    ngx_memset(out, 0xff, sizeof(out));

    unit_check(ngx_agilicus_token_digest(out, &part, 1) == NGX_ERROR);

    for (zero = 1, i = 0; i < sizeof(out); i++) {
        zero &= (out[i] == 0);
    }

    unit_check(zero);

    unit_test("the algorithm is fetched, twice at no harm");

    unit_check(ngx_agilicus_token_digest_init() == NGX_OK);
    unit_check(ngx_agilicus_token_digest_init() == NGX_OK);

    test_known();
    test_parts();
    test_equal();

    return unit_done();
}


static void
test_known(void)
{
    u_char       out[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    u_char       hex[NGX_AGILICUS_TOKEN_FINGERPRINT_LEN];
    size_t       len;
    ngx_str_t   *parts;
    ngx_uint_t   i, n;

    unit_test("known digests and their fingerprints");

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {

        parts = calloc(known[i].repeat, sizeof(ngx_str_t));
        len = strlen(known[i].text);

        for (n = 0; n < known[i].repeat; n++) {
            parts[n] = unit_copy(known[i].text, len);
        }

        unit_check(ngx_agilicus_token_digest(out, parts, known[i].repeat)
                   == NGX_OK);

        ngx_agilicus_token_digest_fingerprint(out, hex);

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
    u_char     a[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    u_char     b[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_str_t  whole = ngx_string("one two three");
    ngx_str_t  parts[] = {
        ngx_string("one"), ngx_null_string, ngx_string(" two "),
        ngx_string("three")
    };

    unit_test("parts are digested as one string");

    unit_check(ngx_agilicus_token_digest(a, &whole, 1) == NGX_OK);
    unit_check(ngx_agilicus_token_digest(b, parts, 4) == NGX_OK);
    unit_check(ngx_agilicus_token_digest_equal(a, b));

    unit_check(ngx_agilicus_token_digest(b, parts, 3) == NGX_OK);
    unit_check(!ngx_agilicus_token_digest_equal(a, b));
}


static void
test_equal(void)
{
    u_char      a[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    u_char      b[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_str_t   part = ngx_string("abc");
    ngx_uint_t  i;

    unit_test("each bit of a digest counts");

    unit_check(ngx_agilicus_token_digest(a, &part, 1) == NGX_OK);

    for (i = 0; i < 8 * sizeof(a); i++) {
        ngx_memcpy(b, a, sizeof(a));
        unit_check(ngx_agilicus_token_digest_equal(a, b));

        b[i / 8] = (u_char) (b[i / 8] ^ (1 << i % 8));
        unit_check(!ngx_agilicus_token_digest_equal(a, b));
    }
}
