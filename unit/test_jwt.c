
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/jwt.h"
#include "token/base64url.h"


static void test_base64url(void);
static void test_base64url_all(void);
static void test_split(void);
static void test_header(void);
static void test_header_limits(void);
static void test_exp(void);
static ngx_int_t split(const char *text);
static ngx_int_t header_of(const char *json);
static ngx_int_t exp_of(const char *json);
static void encode(const char *json, ngx_str_t *part);


static u_char                buf[200000];
static int64_t               exp_read;
static ngx_agt_jwt_t         jwt;
static ngx_agt_jwt_header_t  header;


int
main(void)
{
    ngx_agt_json_init();

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    test_base64url();
    test_base64url_all();
    test_split();
    test_header();
    test_header_limits();
    test_exp();

    return unit_done();
}


/* RFC 4648, section 10 */

static void
test_base64url(void)
{
    u_char       out[16];
    size_t       len;
    ngx_str_t    text;
    ngx_uint_t   i;

    static const struct {
        const char  *text;
        const char  *data;   /* NULL: no spelling of anything */
    } rows[] = {
        { "", "" },
        { "Zg", "f" },
        { "Zm8", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYg", "foob" },
        { "Zm9vYmE", "fooba" },
        { "Zm9vYmFy", "foobar" },
        { "_-__", "\xff\xef\xff" },

        { "Z", NULL },
        { "Zm9vY", NULL },
        { "Zg==", NULL },
        { "Zm8=", NULL },
        { "Zh", NULL },
        { "Zm9", NULL },
        { "Zm9vYmF", NULL },
        { "/+//", NULL },
        { "Zm 9v", NULL },
        { "Zm9v\n", NULL },
        { "Zm.v", NULL },
        { "Zm9\xc3", NULL }
    };

    unit_test("data has one spelling in base64url");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = unit_str(rows[i].text);
        len = 99;

        unit_check_note(ngx_agt_base64url_is(&text) == (rows[i].data != NULL),
                        rows[i].text);

        if (rows[i].data == NULL) {
            unit_check_note(ngx_agt_base64url_decode(&text, out, sizeof(out),
                                                     &len) == NGX_ERROR,
                            rows[i].text);
            free(text.data);
            continue;
        }

        unit_check_note(ngx_agt_base64url_decode(&text, out,
                                                 strlen(rows[i].data), &len)
                        == NGX_OK, rows[i].text);
        unit_check_note(len == strlen(rows[i].data)
                        && memcmp(out, rows[i].data, len) == 0, rows[i].text);
        unit_check_note(len == 0
                        || ngx_agt_base64url_decode(&text, out, len - 1, &len)
                           == NGX_ERROR, rows[i].text);

        ngx_agt_base64url_encode((u_char *) rows[i].data,
                                 strlen(rows[i].data), out);

        unit_check_note(ngx_agt_base64url_len(strlen(rows[i].data))
                        == text.len
                        && memcmp(out, text.data, text.len) == 0,
                        rows[i].text);
        free(text.data);
    }
}


static void
test_base64url_all(void)
{
    u_char      data[4], text[8], again[4];
    size_t      len;
    ngx_str_t   s;
    ngx_uint_t  i, n, good;

    unit_test("no other spelling is read");

    good = 0;

    for (i = 0; i < 0x10000; i++) {
        s.data = text;
        s.len = 2;
        text[0] = (u_char) (i >> 8);
        text[1] = (u_char) i;

        if (ngx_agt_base64url_decode(&s, again, sizeof(again), &len)
            == NGX_OK)
        {
            good++;
            ngx_agt_base64url_encode(again, len, text + 2);
            unit_check(len == 1 && memcmp(text, text + 2, 2) == 0);
        }
    }

    unit_check(good == 256);

    for (n = 0; n <= sizeof(data); n++) {
        for (i = 0; i < 256; i++) {
            memset(data, (int) i, sizeof(data));

            ngx_agt_base64url_encode(data, n, text);
            s.len = ngx_agt_base64url_len(n);

            unit_check(ngx_agt_base64url_decode(&s, again, n, &len) == NGX_OK
                       && len == n && memcmp(data, again, n) == 0);
        }
    }
}


static void
test_split(void)
{
    ngx_uint_t  i;

    static const char  *none[] = {
        "", ".", "..", "a", "opaque", "YQ.YQ", "YQ..YQ", ".YQ.YQ",
        "YQ.YQ.YQ.YQ", "YQ.YQ.YQ.", "YQ.YQ.YQ=", "YQ.YQ.YQ==", "YQ=.YQ.YQ",
        "Y.YQ.YQ", "YQ.Y.YQ", "YQ.YQ.Y", "YR.YQ.YQ", "YQ.YR.YQ", "YQ.YQ.YR",
        "Y+.YQ.YQ", "YQ.Y/.YQ", "YQ.YQ.~Q", "YQ YQ.YQ.YQ"
    };

    unit_test("a JWT is three parts in base64url");

    unit_check(split("YQ.YWI.YWJj") == NGX_OK);
    unit_check(unit_equal(&jwt.header, "YQ"));
    unit_check(unit_equal(&jwt.claims, "YWI"));
    unit_check(unit_equal(&jwt.signature, "YWJj"));
    unit_check(unit_equal(&jwt.input, "YQ.YWI"));

    unit_check(split("YQ.YQ.") == NGX_OK);
    unit_check(jwt.signature.len == 0);

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        unit_check_note(split(none[i]) == NGX_DECLINED, none[i]);
    }
}


static void
test_header(void)
{
    u_char      digest[NGX_AGT_DIGEST_LEN];
    ngx_str_t   kid;
    ngx_uint_t  i;

    static const struct {
        const char         *json;
        ngx_agt_jwt_alg_e   alg;
    } algs[] = {
        { "{\"alg\":\"ES256\"}", NGX_AGT_JWT_ES256 },
        { "{\"alg\":\"none\"}", NGX_AGT_JWT_UNSIGNED },
        { "{\"alg\":\"NonE\"}", NGX_AGT_JWT_UNSIGNED },
        { "{\"alg\":\"HS256\"}", NGX_AGT_JWT_UNSIGNED },
        { "{\"alg\":\"HS512\"}", NGX_AGT_JWT_UNSIGNED },
        { "{\"alg\":\"hs256\"}", NGX_AGT_JWT_UNSIGNED },
        { "{\"alg\":\"\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"H\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"es256\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"ES256K\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"ES384\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"RS256\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"EdDSA\"}", NGX_AGT_JWT_OTHER },
        { "{\"alg\":\"nonesuch\"}", NGX_AGT_JWT_OTHER }
    };

    static const char  *none[] = {
        "", "{", "[]", "\"ES256\"", "null", "{}", "{\"kid\":\"a\"}",
        "{\"alg\":null}", "{\"alg\":256}", "{\"alg\":[\"ES256\"]}",
        "{\"alg\":\"ES256\",\"kid\":null}", "{\"alg\":\"ES256\",\"kid\":1}",
        "{\"alg\":\"ES256\",\"kid\":[\"a\"]}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\\u0000b\"}",
        "{\"alg\":\"ES256\"} x", "\xef\xbb\xbf{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"x\":\"\xff\"}", "{'alg':'ES256'}"
    };

    unit_test("the header of a JWT says by what it is signed");

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        unit_check_note(header_of(algs[i].json) == NGX_OK, algs[i].json);
        unit_check_note(header.alg == algs[i].alg, algs[i].json);
        unit_check_note(!header.has_kid, algs[i].json);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        unit_check_note(header_of(none[i]) == NGX_DECLINED, none[i]);
    }

    unit_test("a key is named by its identifier, and by nothing else");

    ngx_str_set(&kid, "one");
    unit_check(ngx_agt_digest(digest, &kid, 1) == NGX_OK);

    unit_check(header_of("{\"alg\":\"ES256\",\"kid\":\"one\"}") == NGX_OK);
    unit_check(header.has_kid
               && memcmp(header.kid, digest, sizeof(digest)) == 0);

    unit_check(header_of("{\"kid\":\"\\u006fne\",\"typ\":\"JWT\",\"alg\":"
                         "\"ES256\",\"crit\":[\"b64\"],\"b64\":false,"
                         "\"jwk\":{\"kty\":\"EC\"},\"jku\":\"https://a\","
                         "\"x5u\":\"https://a\",\"x5c\":[\"a\"]}")
               == NGX_OK);
    unit_check(header.has_kid && header.alg == NGX_AGT_JWT_ES256
               && memcmp(header.kid, digest, sizeof(digest)) == 0);

    unit_check(header_of("{\"alg\":\"ES256\",\"kid\":\"\"}") == NGX_OK);
    unit_check(header.has_kid
               && memcmp(header.kid, digest, sizeof(digest)) != 0);
}


static void
test_header_limits(void)
{
    char    json[8192];
    size_t  len;

    unit_test("a header has its limits");

    for (len = NGX_AGT_JWT_MAX_HEADER - 1; len <= NGX_AGT_JWT_MAX_HEADER + 1;
         len++)
    {
        (void) snprintf(json, sizeof(json), "{\"alg\":\"ES256\"%*s}",
                        (int) len - 15, "");

        unit_check(strlen(json) == len);
        unit_check(header_of(json)
                   == (len > NGX_AGT_JWT_MAX_HEADER ? NGX_DECLINED : NGX_OK));
    }

    (void) snprintf(json, sizeof(json), "{\"alg\":\"ES256\",\"x\":[0");

    for (len = 0; len < 300; len++) {
        strcat(json, ",0");
    }

    strcat(json, "]}");

    unit_check(header_of(json) == NGX_DECLINED);
}


static void
test_exp(void)
{
    ngx_uint_t   i;
    static char  large[100000];

    static const struct {
        const char  *json;
        ngx_int_t    rc;
        int64_t      exp;
    } rows[] = {
        { "{\"exp\":1300819380}", NGX_OK, 1300819380 },
        { "{\"exp\":1300819380.9}", NGX_OK, 1300819380 },
        { "{\"exp\":-1.5}", NGX_OK, -2 },
        { "{\"exp\":\"2026-11-23T16:20:19Z\"}", NGX_OK, 1795450819 },
        { "{}", NGX_DECLINED, 0 },
        { "{\"exp\":null}", NGX_DECLINED, 0 },
        { "{\"exp\":\"soon\"}", NGX_ERROR, 0 },
        { "{\"exp\":[1]}", NGX_ERROR, 0 },
        { "{\"exp\":true}", NGX_ERROR, 0 },
        { "{\"exp\":1e300}", NGX_ERROR, 0 },
        { "{\"exp\":1,\"exp\":2}", NGX_ERROR, 0 },
        { "[1]", NGX_ERROR, 0 },
        { "exp", NGX_ERROR, 0 }
    };

    unit_test("the expiry of a JWT is read");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exp_read = 0;

        unit_check_note(exp_of(rows[i].json) == rows[i].rc, rows[i].json);
        unit_check_note(exp_read == rows[i].exp, rows[i].json);
    }

    (void) snprintf(large, sizeof(large), "{\"exp\":7%*s}",
                    NGX_AGT_JWT_MAX_CLAIMS - 9, "");

    unit_check(exp_of(large) == NGX_OK && exp_read == 7);

    (void) snprintf(large, sizeof(large), "{\"exp\":7%*s}",
                    NGX_AGT_JWT_MAX_CLAIMS - 8, "");

    unit_check(exp_of(large) == NGX_ERROR);
}


static ngx_int_t
split(const char *text)
{
    ngx_int_t  rc;

    static ngx_str_t  token;

    free(token.data);
    token = unit_str(text);

    rc = ngx_agt_jwt_split(&token, &jwt);

    return rc;
}


static ngx_int_t
header_of(const char *json)
{
    encode(json, &jwt.header);

    return ngx_agt_jwt_header(&jwt, &header);
}


static ngx_int_t
exp_of(const char *json)
{
    encode(json, &jwt.claims);

    return ngx_agt_jwt_exp(&jwt, &exp_read);
}


static void
encode(const char *json, ngx_str_t *part)
{
    ngx_agt_base64url_encode((const u_char *) json, strlen(json), buf);

    part->data = buf;
    part->len = ngx_agt_base64url_len(strlen(json));
}
