
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/jwks.h"


static void test_keys(void);
static void test_skipped(void);
static void test_refused(void);
static void test_names(void);
static void test_limits(void);
static ngx_int_t read_set(const char *format, ...);


#define POINT  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","       \
               "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

/* another point of the curve: RFC 7517, appendix A.1 */

#define OTHER  "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","       \
               "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""

#define EC     "\"kty\":\"EC\",\"crv\":\"P-256\","
#define GOOD   "{" EC OTHER ",\"kid\":\"good\"}"


static char           body[100000];
static ngx_uint_t     n;
static const char    *wrong;
static ngx_agt_key_t  keys[NGX_AGT_ES256_KEYS];


int
main(void)
{
    ngx_agt_json_init();

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    test_keys();
    test_skipped();
    test_refused();
    test_names();
    test_limits();

    return unit_done();
}


static void
test_keys(void)
{
    ngx_uint_t  i;

    static const char  *rows[] = {
        "{" EC POINT "}",
        "{" EC POINT ",\"kid\":\"a\"}",
        "{" EC POINT ",\"kid\":\"\"}",
        "{" EC POINT ",\"use\":\"sig\"}",
        "{" EC POINT ",\"alg\":\"ES256\"}",
        "{" EC POINT ",\"key_ops\":[\"verify\"]}",
        "{" EC POINT ",\"key_ops\":[\"sign\",\"verify\"]}",
        "{" EC POINT ",\"x5c\":[\"AAAA\"],\"x5t\":\"AA\",\"other\":{}}"
    };

    unit_test("keys for ES256 count");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(read_set("{\"keys\":[%s]}", rows[i]) == NGX_OK,
                        rows[i]);
        unit_check_note(n == 1 && wrong == NULL, rows[i]);
        unit_check_note(keys[0].point[0] == 0x7f && keys[0].point[32] == 0xc7,
                        rows[i]);
        unit_check_note(keys[0].named == (strstr(rows[i], "kid") != NULL),
                        rows[i]);
        unit_check_note(keys[0].withdrawn == 0, rows[i]);
    }

    unit_check(read_set("{\"more\":1,\"keys\":[{" EC POINT "}," GOOD "]}")
               == NGX_OK && n == 2);
}


/* each beside a good one, which counts */

static void
test_skipped(void)
{
    ngx_uint_t  i;

    static const char  *rows[] = {
        "{}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"good\"}",
        "{\"kty\":\"oct\",\"k\":\"AQAB\",\"kid\":\"good\",\"alg\":\"HS256\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}",
        "{\"kty\":\"ec\",\"crv\":\"P-256\"," POINT "}",
        "{\"kty\":1,\"crv\":\"P-256\"," POINT "}",
        "{\"crv\":\"P-256\"," POINT "}",
        "{\"kty\":\"EC\"," POINT "}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\"," POINT "}",
        "{\"kty\":\"EC\",\"crv\":\"p-256\"," POINT "}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\"," POINT "}",
        "{" EC POINT ",\"use\":\"enc\"}",
        "{" EC POINT ",\"use\":null}",
        "{" EC POINT ",\"use\":[\"sig\"]}",
        "{" EC POINT ",\"alg\":\"ES384\"}",
        "{" EC POINT ",\"alg\":\"ECDH-ES\"}",
        "{" EC POINT ",\"alg\":null}",
        "{" EC POINT ",\"key_ops\":[]}",
        "{" EC POINT ",\"key_ops\":[\"sign\"]}",
        "{" EC POINT ",\"key_ops\":\"verify\"}",
        "{" EC POINT ",\"key_ops\":[1]}",
        "{" EC POINT ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
        "{" EC POINT ",\"d\":null}",
        "{" EC POINT ",\"kid\":1}",
        "{" EC POINT ",\"kid\":null}",
        "{" EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{" EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{" EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{" EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}",
        "{" EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{" EC "\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{" EC "\"x\":127,"
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{" EC "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
            "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
    };

    unit_test("keys of another kind, and broken ones, are skipped");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(read_set("{\"keys\":[%s,%s]}", rows[i], GOOD)
                        == NGX_OK, rows[i]);
        unit_check_note(n == 1 && keys[0].point[0] == 0x30 && keys[0].named,
                        rows[i]);

        unit_check_note(read_set("{\"keys\":[%s]}", rows[i]) == NGX_ERROR,
                        rows[i]);
        unit_check_note(n == 0 && wrong, rows[i]);
    }
}


static void
test_refused(void)
{
    ngx_uint_t  i;

    static const char  *rows[] = {
        "", "{", "[]", "null", "{}", "{\"keys\":null}", "{\"keys\":[]}",
        "{\"keys\":{}}", "{\"keys\":\"a\"}", "{\"keys\":[" GOOD "]",
        "{\"keys\":[" GOOD "]} x", "[" GOOD "]", "{\"keys\":[1," GOOD "]}",
        "{\"keys\":[" GOOD ",null]}", "{\"keys\":[" GOOD ",[]]}",
        "{\"keys\":[" GOOD "],\"keys\":[" GOOD "]}",
        "{\"keys\":[{" EC POINT ",\"kid\":\"a\",\"kid\":\"b\"}," GOOD "]}",
        "\xef\xbb\xbf{\"keys\":[" GOOD "]}",
        "<html>" GOOD "</html>"
    };

    unit_test("what is no set is refused as a whole");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(read_set("%s", rows[i]) == NGX_ERROR, rows[i]);
        unit_check_note(wrong != NULL, rows[i]);
    }
}


static void
test_names(void)
{
    unit_test("two keys of one name are refused, whatever else they are");

    unit_check(read_set("{\"keys\":[" GOOD ",{" EC POINT
                        ",\"kid\":\"good\"}]}") == NGX_ERROR);
    unit_check(wrong && strstr(wrong, "one \"kid\"") != NULL);

    unit_check(read_set("{\"keys\":[" GOOD "," GOOD "]}") == NGX_ERROR);

    unit_check(read_set("{\"keys\":[{" EC "\"x\":\"AA\",\"kid\":\"good\"},"
                        GOOD "]}") == NGX_ERROR);

    unit_check(read_set("{\"keys\":[" GOOD ",{" EC POINT
                        ",\"kid\":\"\\u0067ood\"}]}") == NGX_ERROR);

    unit_check(read_set("{\"keys\":[{" EC POINT "},{" EC OTHER "}]}")
               == NGX_OK && n == 2);
    unit_check(memcmp(keys[0].name, keys[1].name, NGX_AGT_DIGEST_LEN) != 0);
}


static void
test_limits(void)
{
    char        set[20000], *p;
    ngx_uint_t  i, many;

    unit_test("a set has its limits");

    for (many = 31; many <= 33; many++) {
        p = set;

        for (i = 0; i < many; i++) {
            p += sprintf(p, "%s{" EC POINT ",\"kid\":\"k%u\"}", i ? "," : "",
                         (unsigned) i);
        }

        unit_check(read_set("{\"keys\":[%s]}", set)
                   == (many > 32 ? NGX_ERROR : NGX_OK));
        unit_check(n == (many > 32 ? 0 : many));
    }

    /* keys of another kind count for it */

    p = set;

    for (i = 0; i < 32; i++) {
        p += sprintf(p, "{\"kty\":\"RSA\"},");
    }

    unit_check(read_set("{\"keys\":[%s%s]}", set, GOOD) == NGX_ERROR);

    unit_check(read_set("{\"keys\":[" GOOD "]%*s}",
                        NGX_AGT_JWKS_MAX - (int) strlen("{\"keys\":[" GOOD
                                                        "]}"), "")
               == NGX_OK);
    unit_check(strlen(body) == NGX_AGT_JWKS_MAX);

    unit_check(read_set("{\"keys\":[" GOOD "]%*s}", NGX_AGT_JWKS_MAX, "")
               == NGX_ERROR);
}


static ngx_int_t
read_set(const char *format, ...)
{
    va_list    args;
    ngx_int_t  rc;
    ngx_str_t  copy;

    va_start(args, format);
    (void) vsnprintf(body, sizeof(body), format, args);
    va_end(args);

    copy = unit_str(body);
    rc = ngx_agt_json_jwks(copy.data, copy.len, keys, &n, &wrong);
    free(copy.data);

    return rc;
}
