
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/bearer.h"


#define FOUND      NGX_AGT_BEARER_FOUND
#define NONE       NGX_AGT_BEARER_NONE
#define MALFORMED  NGX_AGT_BEARER_MALFORMED
#define TOO_LONG   NGX_AGT_BEARER_TOO_LONG
#define REPEATED   NGX_AGT_BEARER_REPEATED

#define MAX        64


typedef struct {
    const char   *value;
    ngx_uint_t    rc;
    const char   *token;
} row_t;


static void test_header(void);
static void test_scheme_bytes(void);
static void test_token_bytes(void);
static void test_long(void);
static void test_lengths(void);
static void test_subprotocol(void);
static void test_cookie(void);
static void test_cookies(void);
static void test_query(void);
static void test_query_bytes(void);
static void test_query_lengths(void);
static void test_cut(const char *name, ngx_uint_t cookie, const char *rows[]);
static ngx_uint_t is_token_byte(ngx_uint_t c);


static const row_t  headers[] = {
    { "Bearer tok", FOUND, "tok" },
    { "bEaReR tok", FOUND, "tok" },
    { "Bearer    tok", FOUND, "tok" },
    { "Bearer a", FOUND, "a" },
    { "Bearer a==", FOUND, "a==" },
    { "Bearer a=====", FOUND, "a=====" },
    { "Bearer -._~+/az09AZ==", FOUND, "-._~+/az09AZ==" },
    { "Bearer Bearer", FOUND, "Bearer" },
    { " Bearer tok", FOUND, "tok" },
    { "\tBearer tok", FOUND, "tok" },
    { "Bearer tok ", FOUND, "tok" },
    { "Bearer tok\t", FOUND, "tok" },
    { "\t \tBearer  tok== \t ", FOUND, "tok==" },

    { "", NONE, NULL },
    { " ", NONE, NULL },
    { "\t", NONE, NULL },
    { " \t ", NONE, NULL },
    { "\tBasic dTpw", NONE, NULL },
    { ",", NONE, NULL },
    { "=", NONE, NULL },
    { "Basic dTpw", NONE, NULL },
    { "Basic Bearer tok", NONE, NULL },
    { "XBearer tok", NONE, NULL },
    { "Bearertok", NONE, NULL },
    { "Beare tok", NONE, NULL },
    { "BearerX tok", NONE, NULL },
    { "Bearer-tok", NONE, NULL },
    { "Bearer. tok", NONE, NULL },
    { "Digest x=\"Bearer tok\"", NONE, NULL },
    { "DPoP tok", NONE, NULL },
    { "=Bearer tok", NONE, NULL },
    { "\"Bearer\" tok", NONE, NULL },
    { "Bear\xc4\x93r tok", NONE, NULL },

    { "Bearer", MALFORMED, NULL },
    { "Bearer ", MALFORMED, NULL },
    { "Bearer    ", MALFORMED, NULL },
    { "Bearer a b", MALFORMED, NULL },
    { "Bearer a, Basic eA==", MALFORMED, NULL },
    { "Bearer a,Bearer b", MALFORMED, NULL },
    { "Bearer a,", MALFORMED, NULL },
    { "Bearer\ttok", MALFORMED, NULL },
    { "Bearer \ttok", MALFORMED, NULL },
    { "Bearer\t", MALFORMED, NULL },
    { "\tBearer\t", MALFORMED, NULL },
    { "Bearer  \t tok", MALFORMED, NULL },
    { "\vBearer tok", NONE, NULL },
    { "Bearer tok\v", MALFORMED, NULL },
    { "Bearer tok\r", MALFORMED, NULL },
    { "Bearer=tok", MALFORMED, NULL },
    { "Bearer,tok", MALFORMED, NULL },
    { "Bearer:tok", MALFORMED, NULL },
    { "Bearer/tok", MALFORMED, NULL },
    { "Bearer\"tok\"", MALFORMED, NULL },
    { "Bearer \"tok\"", MALFORMED, NULL },
    { "Bearer a=b", MALFORMED, NULL },
    { "Bearer a==b", MALFORMED, NULL },
    { "Bearer =", MALFORMED, NULL },
    { "Bearer ==", MALFORMED, NULL },
    { "Bearer =a", MALFORMED, NULL },
    { "Bearer a%20", MALFORMED, NULL },
    { "Bearer a\xc3\xa4", MALFORMED, NULL },
    { "Bearer realm=\"x\"", MALFORMED, NULL },

    { NULL, 0, NULL }
};


static const row_t  cookies[] = {
    { "tok=abc", FOUND, "abc" },
    { "a=1; tok=abc; b=2", FOUND, "abc" },
    { "a=1;tok=abc;b=2", FOUND, "abc" },
    { " \t tok=abc \t ;", FOUND, "abc" },
    { ";;; tok=a==", FOUND, "a==" },
    { "xtok=b; tok=a; tokx=c", FOUND, "a" },

    { "", NONE, NULL },
    { ";", NONE, NULL },
    { " ; ; ", NONE, NULL },
    { "TOK=abc", NONE, NULL },
    { "xtok=abc", NONE, NULL },
    { "tokx=abc", NONE, NULL },
    { "a=tok=abc", NONE, NULL },
    { "a=1&tok=abc", NONE, NULL },
    { "a=1,tok=abc", NONE, NULL },
    { "t ok=abc", NONE, NULL },
    { "=tok", NONE, NULL },
    { "\"tok\"=abc", NONE, NULL },
    { "t%6fk=abc", NONE, NULL },

    { "tok", MALFORMED, NULL },
    { "tok\t", MALFORMED, NULL },
    { "tok =", MALFORMED, NULL },
    { "tok;", MALFORMED, NULL },
    { "tok; x=", MALFORMED, NULL },
    { "x=;tok;y=", MALFORMED, NULL },
    { "tok=\"\"", MALFORMED, NULL },
    { "tok=\"abc\"", MALFORMED, NULL },
    { "tok=a b", MALFORMED, NULL },
    { "tok=a,b", MALFORMED, NULL },
    { "tok=a%3d", MALFORMED, NULL },
    { "tok =abc", MALFORMED, NULL },
    { "tok= abc", MALFORMED, NULL },
    { "tok==", MALFORMED, NULL },

    { "tok=a; tok=b", REPEATED, NULL },
    { "tok=a;tok=a", REPEATED, NULL },
    { "tok=a;tok", REPEATED, NULL },
    { "tok;tok=a", REPEATED, NULL },
    { "tok=a; tok =b", REPEATED, NULL },
    { "x=\"; tok=a; \"; tok=b", REPEATED, NULL },
    { "tok=; tok=a", REPEATED, NULL },
    { "tok=a; tok=", REPEATED, NULL },
    { "tok=; tok=", REPEATED, NULL },
    { "tok=;tok", REPEATED, NULL },

    { NULL, 0, NULL }
};


/* no token, but the name stands there */

static const char  *empty_cookies[] = {
    "tok=", "tok= ", " tok=\t", "tok=;", "a=1; tok=; b=2", "a=1;tok= ;b=2",
    "; tok=;", NULL
};


static const row_t  queries[] = {
    { "tok=abc", FOUND, "abc" },
    { "a=1&tok=abc&b=2", FOUND, "abc" },
    { "&&tok=abc&", FOUND, "abc" },
    { "tok=a%2Bb", FOUND, "a+b" },
    { "tok=a%2bb", FOUND, "a+b" },
    { "tok=a%2F%2f", FOUND, "a//" },
    { "tok=a==", FOUND, "a==" },
    { "tok=a%3D%3d", FOUND, "a==" },
    { "tok=%61%42", FOUND, "aB" },

    { "", NONE, NULL },
    { "&", NONE, NULL },
    { "&&&", NONE, NULL },
    { "xtok=a", NONE, NULL },
    { "tokx=a", NONE, NULL },
    { "TOK=a", NONE, NULL },
    { "a=1;tok=a", NONE, NULL },
    { "a=1?tok=a", NONE, NULL },
    { "a=tok=a", NONE, NULL },
    { "a=%26tok=a", NONE, NULL },
    { "t%6fk=a", NONE, NULL },
    { "tok%3Da", NONE, NULL },
    { " tok=a", NONE, NULL },
    { "tok[]=a", NONE, NULL },
    { "=tok", NONE, NULL },

    { "tok", MALFORMED, NULL },
    { "tok=", MALFORMED, NULL },
    { "tok=&a=1", MALFORMED, NULL },
    { "tok&a=1", MALFORMED, NULL },
    { "tok=a+b", MALFORMED, NULL },
    { "tok=+", MALFORMED, NULL },
    { "tok=%", MALFORMED, NULL },
    { "tok=a%", MALFORMED, NULL },
    { "tok=a%4", MALFORMED, NULL },
    { "tok=a%4&b=1", MALFORMED, NULL },
    { "tok=a%zz", MALFORMED, NULL },
    { "tok=a%4g", MALFORMED, NULL },
    { "tok=a%g4", MALFORMED, NULL },
    { "tok=a%00", MALFORMED, NULL },
    { "tok=a%20b", MALFORMED, NULL },
    { "tok=a%0a", MALFORMED, NULL },
    { "tok=a%252B", MALFORMED, NULL },
    { "tok=a%u0041", MALFORMED, NULL },
    { "tok=a%c3%a4", MALFORMED, NULL },
    { "tok=a;b=1", MALFORMED, NULL },
    { "tok==", MALFORMED, NULL },
    { "tok=%3D", MALFORMED, NULL },
    { "tok=a=b", MALFORMED, NULL },
    { "tok=a%3Db", MALFORMED, NULL },
    { "tok=a#tok=b", MALFORMED, NULL },

    { "tok=a&tok=b", REPEATED, NULL },
    { "tok=a&tok=a", REPEATED, NULL },
    { "tok=a&b=1&tok", REPEATED, NULL },
    { "tok=+&tok=+", REPEATED, NULL },

    { NULL, 0, NULL }
};


/* each query, and the part of it that is left, in turn */

static const char  *cut_queries[] = {
    "", "",
    "tok=a", "",
    "tok", "",
    "tok=", "",
    "tok=a&tok=b", "",
    "tok=a&", "",
    "&tok=a", "",
    "tok=a&&", "&",
    "&&tok=a", "&",
    "&tok=a&", "&",
    "a=1", "a=1",
    "a=1&", "a=1&",
    "&a=1", "&a=1",
    "&", "&",
    "&&&", "&&&",
    "a=1&tok=a", "a=1",
    "tok=a&a=1", "a=1",
    "a=1&tok=a&b=%zz+%26", "a=1&b=%zz+%26",
    "a=1&&tok=a&&b=2", "a=1&&&b=2",
    "tok=a&a=1&tok=b&b=2&tok=c", "a=1&b=2",
    "xtok=a&TOK=b&tokx=c&t%6fk=d", "xtok=a&TOK=b&tokx=c&t%6fk=d",
    "a=tok=b", "a=tok=b",
    "a=1;tok=b", "a=1;tok=b",
    NULL
};


static const char  *cut_cookies[] = {
    "", "",
    "tok=a", "",
    "tok", "",
    " tok = a ", "",
    "tok=a;", "",
    "tok=a; ", "",
    "; tok=a", "",
    " ; ;tok=a; ;", "",
    "tok=a; tok=b", "",
    "a=1", "a=1",
    "a=1; b=\"x y\"", "a=1; b=\"x y\"",
    "a=1; tok=a", "a=1",
    "tok=a; a=1", "a=1",
    "a=1; tok=a; b=2", "a=1; b=2",
    "a=1;tok=a;b=2", "a=1;b=2",
    "a=1; tok =a; b=2", "a=1; b=2",
    "TOK=a; xtok=b; tokx=c", "TOK=a; xtok=b; tokx=c",
    NULL
};


/* the prefix is "tok." */

static const row_t  subprotocols[] = {
    { "", NONE, NULL },
    { ",", NONE, NULL },
    { "chat", NONE, NULL },
    { "tok", NONE, NULL },
    { "TOK.x", NONE, NULL },
    { "tok-x", NONE, NULL },
    { "xtok.x", NONE, NULL },
    { "chat, chat tok.x", NONE, NULL },
    { "tok.x", FOUND, "x" },
    { "tok.x,chat", FOUND, "x" },
    { "chat,tok.x", FOUND, "x" },
    { " \tchat , tok.x.y-_~\t, ,soap", FOUND, "x.y-_~" },
    { "tok.tok.x", FOUND, "tok.x" },
    { "tok.", MALFORMED, NULL },
    { "chat, tok. ,soap", MALFORMED, NULL },
    { "tok.a b", MALFORMED, NULL },
    { "tok.\"a\"", MALFORMED, NULL },
    { "tok.x;y", MALFORMED, NULL },
    { "tok.x, tok.x", REPEATED, NULL },
    { "tok.,chat,tok.x", REPEATED, NULL },
    { NULL, NONE, NULL }
};


static const char  *cut_subprotocols[] = {
    "", "",
    "tok.x", "",
    " tok.x\t", "",
    "tok.", "",
    "tok.a b", "",
    "tok.x, tok.y", "",
    "chat", "chat",
    "tok", "tok",
    "chat, tok.x", "chat",
    "tok.x, chat", "chat",
    "chat, tok.x, soap", "chat, soap",
    "chat,tok.x,soap", "chat,soap",
    "chat ,\ttok.x , soap ", "chat, soap ",
    "TOK.x, xtok.x", "TOK.x, xtok.x",
    NULL
};


int
main(void)
{
    test_subprotocol();
    test_header();
    test_scheme_bytes();
    test_token_bytes();
    test_long();
    test_lengths();
    test_cookie();
    test_cookies();
    test_query();
    test_query_bytes();
    test_query_lengths();

    test_cut("a parameter is cut, all else is left", 0, cut_queries);
    test_cut("a cookie is cut, all else is left", 1, cut_cookies);

    return unit_done();
}


static void
test_header(void)
{
    ngx_str_t     value, token;
    ngx_uint_t    rc;
    const row_t  *row;

    unit_test("values of Authorization");

    for (row = headers; row->value; row++) {
        value = unit_str(row->value);
        ngx_str_null(&token);

        rc = ngx_agt_bearer_header(&value, MAX, &token);

        unit_check_note(rc == row->rc, row->value);

        if (rc == FOUND) {
            unit_check_note(unit_equal(&token, row->token), row->value);
            unit_check(token.data >= value.data
                       && token.data + token.len <= value.data + value.len);
        }

        free(value.data);
    }

    ngx_str_null(&value);

    unit_check(ngx_agt_bearer_header(&value, MAX, &token) == NONE);
}


static void
test_scheme_bytes(void)
{
    size_t      i;
    u_char      text[] = "Bearer tok";
    ngx_str_t   value, token;
    ngx_uint_t  c, rc, same;

    unit_test("each byte of the scheme is compared, letters without case");

    value.data = text;
    value.len = sizeof(text) - 1;

    for (i = 0; i < 6; i++) {
        for (c = 0; c < 256; c++) {
            text[i] = (u_char) c;

            same = (c == (u_char) "bearer"[i] || c == (u_char) "BEARER"[i]);
            rc = ngx_agt_bearer_header(&value, MAX, &token);

            unit_check(rc == (same ? FOUND : NONE));
        }

        text[i] = (u_char) "Bearer"[i];
    }

    unit_test("nothing but a space ends the scheme");

    for (c = 0; c < 256; c++) {
        text[6] = (u_char) c;
        rc = ngx_agt_bearer_header(&value, MAX, &token);

        if (c == ' ') {
            unit_check(rc == FOUND);

        } else {
            unit_check(rc == NONE || rc == MALFORMED);
        }
    }
}


static ngx_uint_t
is_token_byte(ngx_uint_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || c == '-' || c == '.' || c == '_' || c == '~' || c == '+'
           || c == '/';
}


static void
test_token_bytes(void)
{
    u_char      text[] = "Bearer abc";
    ngx_str_t   value, token;
    ngx_uint_t  c, i, rc, good;

    unit_test("each byte value in each place of a token");

    value.data = text;
    value.len = sizeof(text) - 1;

    for (i = 7; i < 10; i++) {
        for (c = 0; c < 256; c++) {
            text[i] = (u_char) c;

            good = is_token_byte(c)
                   || (c == '=' && i == 9) || (c == ' ' && i != 8)
                   || (c == '\t' && i == 9);

            rc = ngx_agt_bearer_header(&value, MAX, &token);

            unit_check(rc == (good ? FOUND : MALFORMED));

            token.data = text + i;
            token.len = 1;

            unit_check(ngx_agt_bearer_is_token68(&token) == is_token_byte(c));
        }

        text[i] = 'a';
    }
}


static void
test_long(void)
{
    u_char      text[100];
    size_t      len, i;
    ngx_str_t   value, copy;
    ngx_uint_t  c, good;

    static const size_t  lengths[] = { 31, 32, 33, 63, 64, 65, 100 };

    unit_test("each byte value in each place of long tokens");

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (u_char) "aZ09-._~+/"[i % 10];
    }

    for (c = 0; c < 7; c++) {
        len = lengths[c];
        value = unit_copy(text, len);

        unit_check(ngx_agt_bearer_is_token68(&value));

        for (i = 0; i < len; i++) {
            u_char  saved = value.data[i];

            for (good = 0; good < 256; good++) {
                value.data[i] = (u_char) good;

                unit_check(ngx_agt_bearer_is_token68(&value)
                           == (is_token_byte(good)
                               || (good == '=' && i == len - 1)));
            }

            value.data[i] = saved;
        }

        free(value.data);
    }

    unit_test("padding of any length, and nothing but padding");

    for (len = 1; len < sizeof(text); len++) {
        copy = unit_copy(text, len);
        ngx_memset(copy.data, '=', len);

        unit_check(!ngx_agt_bearer_is_token68(&copy));

        copy.data[0] = 'a';
        unit_check(ngx_agt_bearer_is_token68(&copy));

        copy.data[len - 1] = 'a';
        unit_check(ngx_agt_bearer_is_token68(&copy) == (len < 3));

        free(copy.data);
    }
}


static void
test_lengths(void)
{
    size_t      len, max;
    u_char      text[7 + MAX];
    ngx_str_t   value, copy, token;
    ngx_uint_t  rc;

    unit_test("a token is as long as allowed and no longer");

    ngx_memset(text, 'a', sizeof(text));
    ngx_memcpy(text, "Bearer ", 7);

    for (len = 1; len < MAX; len++) {
        for (max = 0; max < MAX; max++) {
            copy = unit_copy(text, 7 + len);

            rc = ngx_agt_bearer_header(&copy, max, &token);
            unit_check(rc == (len <= max ? FOUND : TOO_LONG));
            unit_check(rc != FOUND || token.len == len);

            value.data = copy.data + 7;
            value.len = len;

            rc = ngx_agt_bearer_value(&value, max, &token);
            unit_check(rc == (len <= max ? FOUND : TOO_LONG));

            free(copy.data);
        }
    }

    unit_test("a long value that is no token is malformed, not too long");

    text[7 + MAX - 2] = ' ';
    value.data = text;
    value.len = sizeof(text);

    unit_check(ngx_agt_bearer_header(&value, 4, &token) == MALFORMED);
}


static void
test_cookie(void)
{
    ngx_str_t      value, token, name = ngx_string("tok");
    ngx_uint_t     rc, seen;
    const row_t   *row;
    const char   **empty;

    unit_test("cookies");

    for (row = cookies; row->value; row++) {
        value = unit_str(row->value);
        seen = 0;

        rc = ngx_agt_bearer_cookie(&value, &name, MAX, &seen, &token);

        unit_check_note(rc == row->rc, row->value);
        unit_check_note(seen == (rc == NONE ? 0 : rc == REPEATED ? 2 : 1),
                        row->value);

        if (rc == FOUND) {
            unit_check_note(unit_equal(&token, row->token), row->value);
        }

        free(value.data);
    }

    ngx_str_null(&value);
    seen = 0;

    unit_check(ngx_agt_bearer_cookie(&value, &name, MAX, &seen,
                                     &token) == NONE);

    unit_test("an empty cookie is no token, and counts as one of the name");

    for (empty = empty_cookies; *empty; empty++) {
        value = unit_str(*empty);
        seen = 0;

        unit_check_note(ngx_agt_bearer_cookie(&value, &name, MAX,
                                              &seen, &token)
                        == NONE, *empty);
        unit_check_note(seen == 1, *empty);
        unit_check_note(ngx_agt_bearer_cookie(&value, &name, MAX,
                                              &seen, &token)
                        == REPEATED, *empty);

        free(value.data);
    }
}


static void
test_subprotocol(void)
{
    ngx_str_t      value, token, rest, prefix = ngx_string("tok.");
    ngx_uint_t     rc, seen;
    const row_t   *row;
    const char   **cut;

    unit_test("protocols of WebSocket");

    for (row = subprotocols; row->value; row++) {
        value = unit_str(row->value);
        seen = 0;

        rc = ngx_agt_bearer_subprotocol(&value, &prefix, MAX, &seen, &token);

        unit_check_note(rc == row->rc, row->value);
        unit_check_note(seen == (rc == NONE ? 0 : rc == REPEATED ? 2 : 1),
                        row->value);

        if (rc == FOUND) {
            unit_check_note(unit_equal(&token, row->token), row->value);
        }

        free(value.data);
    }

    ngx_str_set(&value, "chat, tok.ab");
    seen = 0;

    unit_check(ngx_agt_bearer_subprotocol(&value, &prefix, 2, &seen, &token)
               == FOUND);
    unit_check(ngx_agt_bearer_subprotocol(&value, &prefix, 2, &seen, &token)
               == REPEATED);
    seen = 0;

    unit_check(ngx_agt_bearer_subprotocol(&value, &prefix, 1, &seen, &token)
               == TOO_LONG);

    unit_test("a protocol is cut, all else is left");

    for (cut = cut_subprotocols; *cut; cut += 2) {
        value = unit_str(cut[0]);

        rest.data = malloc(value.len ? value.len : 1);
        rest.len = ngx_agt_bearer_cut_subprotocol(&value, &prefix, rest.data);

        unit_check_note(unit_equal(&rest, cut[1]), cut[0]);

        free(rest.data);
        free(value.data);
    }
}


static void
test_cookies(void)
{
    ngx_str_t   first = ngx_string("a=1; tok=x");
    ngx_str_t   second = ngx_string("tok=y");
    ngx_str_t   other = ngx_string("b=2");
    ngx_str_t   name = ngx_string("tok");
    ngx_str_t   token;
    ngx_uint_t  seen;

    unit_test("a cookie in two fields is repeated");

    seen = 0;

    unit_check(ngx_agt_bearer_cookie(&first, &name, MAX, &seen,
                                     &token) == FOUND);
    unit_check(ngx_agt_bearer_cookie(&other, &name, MAX, &seen,
                                     &token) == NONE);
    unit_check(ngx_agt_bearer_cookie(&second, &name, MAX, &seen,
                                     &token) == REPEATED);

    unit_test("a cookie may be as long as allowed");

    seen = 0;

    unit_check(ngx_agt_bearer_cookie(&first, &name, 1, &seen,
                                     &token) == FOUND);
    seen = 0;

    unit_check(ngx_agt_bearer_cookie(&first, &name, 0, &seen,
                                     &token) == TOO_LONG);
}


static void
test_query(void)
{
    u_char       *buf;
    ngx_str_t     args, token, name = ngx_string("tok");
    ngx_uint_t    rc;
    const row_t  *row;

    unit_test("query strings");

    buf = malloc(MAX);

    for (row = queries; row->value; row++) {
        args = unit_str(row->value);

        rc = ngx_agt_bearer_query(&args, &name, MAX, buf, &token);

        unit_check_note(rc == row->rc, row->value);

        if (rc == FOUND) {
            unit_check_note(unit_equal(&token, row->token), row->value);
            unit_check(token.data == buf);
        }

        free(args.data);
    }

    ngx_str_null(&args);

    unit_check(ngx_agt_bearer_query(&args, &name, MAX, buf, &token) == NONE);

    free(buf);
}


static void
test_query_bytes(void)
{
    u_char      buf[MAX], raw[] = "tok=aXa", escaped[] = "tok=a%00a";
    ngx_str_t   args, token, name = ngx_string("tok");
    ngx_uint_t  c, rc, good;

    unit_test("each byte value in a parameter, raw and escaped");

    for (c = 0; c < 256; c++) {
        raw[5] = (u_char) c;

        args.data = raw;
        args.len = sizeof(raw) - 1;

        rc = ngx_agt_bearer_query(&args, &name, MAX, buf, &token);

        /* at "&" the value ends before it */

        good = (is_token_byte(c) && c != '+') || c == '&';
        unit_check(rc == (good ? FOUND : MALFORMED));

        escaped[6] = (u_char) "0123456789ABCDEF"[c >> 4];
        escaped[7] = (u_char) "0123456789abcdef"[c & 15];

        args.data = escaped;
        args.len = sizeof(escaped) - 1;

        rc = ngx_agt_bearer_query(&args, &name, MAX, buf, &token);

        unit_check(rc == (is_token_byte(c) ? FOUND : MALFORMED));
        unit_check(rc != FOUND
                   || (token.len == 3 && token.data[1] == (u_char) c));
    }
}


static void
test_query_lengths(void)
{
    size_t      max;
    u_char     *buf;
    ngx_str_t   args, token, name = ngx_string("tok");
    ngx_uint_t  rc;

    unit_test("a parameter never leaves its buffer");

    args = unit_str("tok=a%62cd%65fgh%3d");

    for (max = 1; max < 16; max++) {
        buf = malloc(max);

        rc = ngx_agt_bearer_query(&args, &name, max, buf, &token);

        unit_check(rc == (max < 9 ? TOO_LONG : FOUND));
        unit_check(rc != FOUND || unit_equal(&token, "abcdefgh="));

        free(buf);
    }

    free(args.data);
}


static void
test_cut(const char *name, ngx_uint_t cookie, const char *rows[])
{
    ngx_str_t     value, rest, tok = ngx_string("tok");
    const char  **row;

    unit_test(name);

    for (row = rows; *row; row += 2) {
        value = unit_str(row[0]);

        rest.data = malloc(value.len ? value.len : 1);

        rest.len = cookie
                   ? ngx_agt_bearer_cut_cookie(&value, &tok, rest.data)
                   : ngx_agt_bearer_cut_query(&value, &tok, rest.data);

        unit_check_note(unit_equal(&rest, row[1]), row[0]);

        unit_check_note(cookie
                        || ngx_agt_bearer_in_query(&value, &tok)
                           == (rest.len != value.len), row[0]);

        free(rest.data);
        free(value.data);
    }
}
