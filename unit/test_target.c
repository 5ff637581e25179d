
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "rules/target.h"


static void test_methods(void);
static void test_destinations(void);
static void test_authorities(void);
static void test_same(void);
static void test_lines(void);
static ngx_uint_t is(const ngx_str_t *text, const char *wanted);
static ngx_str_t text(const char *s);


int
main(void)
{
    test_methods();
    test_destinations();
    test_authorities();
    test_same();
    test_lines();

    return unit_done();
}


static ngx_str_t
text(const char *s)
{
    return unit_copy(s, strlen(s));
}


static ngx_uint_t
is(const ngx_str_t *value, const char *wanted)
{
    return value->len == strlen(wanted)
           && (value->len == 0
               || memcmp(value->data, wanted, value->len) == 0);
}


static void
test_methods(void)
{
    ngx_str_t   method;
    ngx_uint_t  i;

    static const struct {
        const char       *method;
        ngx_agt_target_e  target;
    } rows[] = {
        { "COPY", NGX_AGT_TARGET_DESTINATION },
        { "MOVE", NGX_AGT_TARGET_DESTINATION },
        { "BIND", NGX_AGT_TARGET_ELSEWHERE },
        { "REBIND", NGX_AGT_TARGET_ELSEWHERE },
        { "BCOPY", NGX_AGT_TARGET_ELSEWHERE },
        { "BMOVE", NGX_AGT_TARGET_ELSEWHERE },
        { "LINK", NGX_AGT_TARGET_ELSEWHERE },
        { "UNLINK", NGX_AGT_TARGET_ELSEWHERE },
        { "MERGE", NGX_AGT_TARGET_ELSEWHERE },
        { "UPDATE", NGX_AGT_TARGET_ELSEWHERE },
        { "VERSION-CONTROL", NGX_AGT_TARGET_ELSEWHERE },
        { "BASELINE-CONTROL", NGX_AGT_TARGET_ELSEWHERE },
        { "MKREDIRECTREF", NGX_AGT_TARGET_ELSEWHERE },
        { "UPDATEREDIRECTREF", NGX_AGT_TARGET_ELSEWHERE },
        { "GET", NGX_AGT_TARGET_NONE },
        { "PUT", NGX_AGT_TARGET_NONE },
        { "POST", NGX_AGT_TARGET_NONE },
        { "DELETE", NGX_AGT_TARGET_NONE },
        { "LOCK", NGX_AGT_TARGET_NONE },
        { "UNLOCK", NGX_AGT_TARGET_NONE },
        { "MKCOL", NGX_AGT_TARGET_NONE },
        { "COPYX", NGX_AGT_TARGET_NONE },
        { "COP", NGX_AGT_TARGET_NONE },
        { "copy", NGX_AGT_TARGET_NONE },
        { "", NGX_AGT_TARGET_NONE },
    };

    unit_test("where a method names a second target");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        method = text(rows[i].method);

        unit_check_note(ngx_agt_target_of(&method)
                        == rows[i].target, rows[i].method);
        free(method.data);
    }
}


static void
test_destinations(void)
{
    ngx_str_t         value;
    ngx_uint_t        i;
    ngx_agt_target_t  t;

    static const struct {
        const char  *value, *host;
        ngx_uint_t   port;
        const char  *path, *query;
    } good[] = {
        { "/a/b", "", 0, "/a/b", NULL },
        { "/", "", 0, "/", NULL },
        { " \t/a\t ", "", 0, "/a", NULL },
        { "/a?", "", 0, "/a", "" },
        { "/a?b?c", "", 0, "/a", "b?c" },
        { "//h/a", "", 0, "//h/a", NULL },
        { "/%2e%2e/#", "", 0, "/%2e%2e/#", NULL },
        { "http://h/a", "h", 0, "/a", NULL },
        { "hTTp://H.Example/a", "H.Example", 0, "/a", NULL },
        { "https://h/a?b", "h", 0, "/a", "b" },
        { "http://h:80/a", "h", 0, "/a", NULL },
        { "https://h:443/a", "h", 0, "/a", NULL },
        { "http://h:443/a", "h", 443, "/a", NULL },
        { "https://h:80/a", "h", 80, "/a", NULL },
        { "http://h.:8080/a", "h", 8080, "/a", NULL },
        { "http://h:/a", "h", 0, "/a", NULL },
        { "http://127.0.0.1:81/a", "127.0.0.1", 81, "/a", NULL },
        { "http://[::1]/a", "[::1]", 0, "/a", NULL },
        { "http://[::1]:81/a", "[::1]", 81, "/a", NULL },
    };

    static const char  *bad[] = {
        "", " ", "\t", "a", "a/b", "*", "?a", "#", ".", "../a",
        "http:", "http:/", "http://", "http:///a", "http:/h/a", "http:h/a",
        "http://h", "http://h?a", "http://h#/a", "http://h /a", "ftp://h/a",
        "dav://h/a", "://h/a", "h/a", "h:80/a", "\\a", "http:\\\\h\\a",
        "http://u@h/a", "http://u:p@h/a", "http://@h/a", "http://h@/a",
        "http://local%68ost/a", "http://h%00/a", "http://h\\/a",
        "http://h:0/a", "http://h:65536/a", "http://h:808080/a",
        "http://h:8a/a", "http://h:-1/a", "http://h:1:2/a", "http://h::1/a",
        "http://:80/a", "http://./a", "http://../a", "http://a..b/a",
        "http://::1/a", "http://[::1/a", "http://[]/a", "http://[::1]x/a",
        "http://b\xc3\xbc/a", "http://h,i/a", "http://h;i/a", "http://*/a",
    };

    unit_test("destinations that can be read");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        value = text(good[i].value);

        unit_check_note(ngx_agt_target_read(&value, &t) == NGX_OK
                        && is(&t.authority.host, good[i].host)
                        && t.authority.port == good[i].port
                        && is(&t.path, good[i].path)
                        && t.has_query == (good[i].query != NULL)
                        && is(&t.query, good[i].query ? good[i].query : ""),
                        good[i].value);
        free(value.data);
    }

    unit_test("destinations that cannot");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        value = text(bad[i]);

        unit_check_note(ngx_agt_target_read(&value, &t)
                        == NGX_DECLINED, bad[i]);
        free(value.data);
    }
}


static void
test_authorities(void)
{
    ngx_str_t            value;
    ngx_agt_authority_t  a;

    unit_test("the usual port is none");

    value = text("h:80");

    unit_check(ngx_agt_target_authority(&value, 80, &a) == NGX_OK);
    unit_check(is(&a.host, "h") && a.port == 0);

    unit_check(ngx_agt_target_authority(&value, 443, &a) == NGX_OK);
    unit_check(is(&a.host, "h") && a.port == 80);

    free(value.data);
}


static void
test_same(void)
{
    ngx_str_t            x, y;
    ngx_uint_t           i;
    ngx_agt_authority_t  a, b;

    static const struct {
        const char  *a, *b;
        ngx_uint_t   same;
    } rows[] = {
        { "h", "h", 1 },
        { "h", "H.", 1 },
        { "h:80", "h", 1 },
        { "h:81", "h:81", 1 },
        { "[::A]:1", "[::a]:1", 1 },
        { "h", "i", 0 },
        { "h", "hh", 0 },
        { "h", "h.i", 0 },
        { "h:81", "h", 0 },
        { "h", "h:81", 0 },
        { "h:81", "h:82", 0 },
        { "[::1]", "[::2]", 0 },
    };

    unit_test("authorities are the same in host and port");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        x = text(rows[i].a);
        y = text(rows[i].b);

        unit_check(ngx_agt_target_authority(&x, 80, &a) == NGX_OK);
        unit_check(ngx_agt_target_authority(&y, 80, &b) == NGX_OK);

        unit_check_note(ngx_agt_target_is_same(&a, &b)
                        == rows[i].same, rows[i].b);
        free(x.data);
        free(y.data);
    }

    unit_test("no host is no host's");

    ngx_memzero(&a, sizeof(a));
    ngx_memzero(&b, sizeof(b));

    unit_check(!ngx_agt_target_is_same(&a, &b));
}


static void
test_lines(void)
{
    ngx_int_t            rc;
    ngx_str_t            line;
    ngx_uint_t           i, usual;
    ngx_agt_authority_t  a;

    static const struct {
        const char  *line;
        ngx_int_t    rc;
        const char  *host;
        ngx_uint_t   port, usual;
    } rows[] = {
        { "GET / HTTP/1.1", NGX_DONE, NULL, 0, 0 },
        { "GET  /http://h/ HTTP/1.0", NGX_DONE, NULL, 0, 0 },
        { "GET /", NGX_DONE, NULL, 0, 0 },
        { "GET http://h/ HTTP/1.1", NGX_OK, "h", 0, 80 },
        { "GET   HTTPS://h:1/ HTTP/1.1", NGX_OK, "h", 1, 443 },
        { "GET http://h HTTP/1.1", NGX_OK, "h", 0, 80 },
        { "GET http://h?a HTTP/1.1", NGX_OK, "h", 0, 80 },
        { "GET http://u@h/ HTTP/1.1", NGX_DECLINED, NULL, 0, 0 },
        { "GET ftp://h/ HTTP/1.1", NGX_DECLINED, NULL, 0, 0 },
        { "CONNECT h:80 HTTP/1.1", NGX_DECLINED, NULL, 0, 0 },
        { "OPTIONS * HTTP/1.1", NGX_DECLINED, NULL, 0, 0 },
        { "GET", NGX_DECLINED, NULL, 0, 0 },
        { "", NGX_DECLINED, NULL, 0, 0 },
    };

    unit_test("targets in a request line");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        line = text(rows[i].line);

        rc = ngx_agt_target_of_line(&line, &usual, &a);

        unit_check_note(rc == rows[i].rc, rows[i].line);

        if (rc == NGX_OK) {
            unit_check_note(is(&a.host, rows[i].host)
                            && a.port == rows[i].port
                            && usual == rows[i].usual, rows[i].line);
        }

        free(line.data);
    }
}
