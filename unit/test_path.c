
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "rules/path.h"


static void test_decoded(void);
static void test_refused(void);
static void test_fault(void);
static void test_bytes(void);
static void test_utf8(void);
static void test_queries(void);
static void test_compare(void);
static void test_query_in_place_of_path(void);
static void test_long(void);
static ngx_int_t decode(const char *raw, size_t len, ngx_str_t *path);
static ngx_uint_t matches(const char *pattern, const char *path,
    const char *query, ngx_uint_t search, ngx_uint_t separate);


static u_char                          buf[1024];
static ngx_agt_path_t       subject;
static ngx_agt_regex_t  *patterns;


/* a path of a request, and what it says */

static const char  *decoded[] = {
    "/", "/",
    "/a", "/a",
    "/a/", "/a/",
    "/a/b.c/d", "/a/b.c/d",
    "/%61", "/a",
    "/a%20b", "/a b",
    "/a+b", "/a+b",
    "/%c3%A9", "/\xc3\xa9",
    "/\xc3\xa9", "/\xc3\xa9",
    "/%E2%82%AC/x", "/\xe2\x82\xac/x",
    "/a%25", "/a%",
    "/a%25z", "/a%z",
    "/100%25/x", "/100%/x",
    "/a%25%34", "/a%4",
    "/...", "/...",
    "/...%20", "/... ",
    "/..%20a", "/.. a",
    "/%20..", "/ ..",
    "/a%20", "/a ",
    "/%20", "/ ",
    "/..a", "/..a",
    "/.a", "/.a",
    "/a..", "/a..",
    "/a.", "/a.",
    "/.../", "/.../",
    "/a;x", "/a;x",
    "/a;x/b;y", "/a;x/b;y",
    "/...;x", "/...;x",
    "/a;..", "/a;..",
    "/a%3bx", "/a;x",
    "/a%23", "/a#",
    "/a%26=%3d", "/a&==",
    "/~*'()!$,:@", "/~*'()!$,:@",
    NULL
};


static const char  *refused[] = {
    "", "a", "*", "?", "%2f", "http://a/b", "\\", " /a",

    /* a separator, as some read it */
    "/%2f", "/%2F", "/a%2fb", "/..%2fadmin", "/%5c", "/%5C", "/\\", "/a\\b",
    "/..\\a", "//", "//a", "/a//b", "/a//", "///",

    /* dot segments */
    "/.", "/..", "/./", "/../", "/a/.", "/a/..", "/./a", "/../a", "/a/./b",
    "/a/../b", "/%2e", "/%2e%2e", "/.%2e", "/%2E./a", "/a/%2e%2e/admin",
    "/..;", "/..;x", "/..;/a", "/.;x", "/a/..;/admin", "/allowed;x/..;y/admin",
    "/..%20", "/.%20", "/..%20%20/a", "/..%20;x/a", "/a/.%20/b",
    "/..%3bx/a", "/%2e%2e%3b/a", "/.;", "/.;/",

    /* nothing but parameters */
    "/;", "/;x", "/;x/a", "/a/;x/b", "/%3bx/a", "/a/;",

    /* bytes that end a text or a line */
    "/%00", "/a%00b", "/%01", "/%0a", "/%0D%0A", "/%1f", "/%7f", "/a b",
    "/a\tb", "/a\x01", "/a\x7f", "/a\n",

    /* a query or a fragment, as some read it */
    "/a?b", "/a#b", "/#", "/a%3fb", "/a%3Fb", "/admin#/public",

    /* escapes that are none */
    "/%", "/a%", "/a%2", "/%zz", "/%2g", "/%g2", "/%%", "/%u002e/", "/%-1",
    "/% 2", "/%+2", "/%0x", "/%g4\x8f\xbf\xbf", "/%g2\x80\x80\x80",

    /* escapes within escapes */
    "/%252e", "/%252E%252e/a", "/%25%32%65", "/%2%35e", "/%25%32e", "/%252f",
    "/a%2500", "/%25252e", "/%25AB", "/%2541",

    /* not UTF-8 */
    "/%c0%ae%c0%ae/", "/%c0%af", "/%e0%80%af", "/%ff", "/%80", "/%c3",
    "/%c3/", "/%c3%28", "/%ed%a0%80", "/%f4%90%80%80", "/%f8%88%80%80%80",
    "/%e2%82%28", "/%e2%28%82", "/%f0%9f%98%28", "/%f0%9f%28%80",
    "/%f0%9f%98", "/%e2%82%c0", "/%f0%9f%98%c0",
    "/\xff", "/\xc3", "/%e2%82", "/%e2\x82", "/\xc3%28", "/%C3%A9%A9",
    NULL
};


int
main(void)
{
    patterns = ngx_agt_regex_create(16);

    test_decoded();
    test_refused();
    test_fault();
    test_bytes();
    test_utf8();
    test_queries();
    test_compare();
    test_query_in_place_of_path();
    test_long();

    ngx_agt_path_free(&subject);
    ngx_agt_regex_destroy(patterns);

    return unit_done();
}


static ngx_int_t
decode(const char *raw, size_t len, ngx_str_t *path)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   copy;

    copy = unit_copy(raw, len);
    p = malloc(len ? len : 1);

    ngx_str_null(path);

    rc = ngx_agt_path_decode(&copy, p, path);

    if (rc == NGX_OK) {
        unit_check(path->data == p || path->data == copy.data);
        unit_check(path->len <= len);

        ngx_memcpy(buf, path->data, path->len);
        path->data = buf;

    } else {
        unit_check(rc == NGX_DECLINED);
        unit_check(path->data == NULL);
    }

    free(p);
    free(copy.data);

    return rc;
}


static void
test_decoded(void)
{
    ngx_str_t     path;
    const char  **row;

    unit_test("paths are decoded once");

    for (row = decoded; *row; row += 2) {
        unit_check_note(decode(row[0], strlen(row[0]), &path) == NGX_OK,
                        row[0]);
        unit_check_note(unit_equal(&path, row[1]), row[0]);
    }
}


static void
test_refused(void)
{
    ngx_str_t     path;
    const char  **row;

    unit_test("paths that could be read in two ways are refused");

    for (row = refused; *row; row++) {
        unit_check_note(decode(*row, strlen(*row), &path) == NGX_DECLINED,
                        *row);
    }

    unit_check(decode("/a\0b", 4, &path) == NGX_DECLINED);
}


static void
test_fault(void)
{
    char       *raw;
    size_t      i;
    u_char     *p;
    ngx_str_t   copy, fault, path;

    static const char  *faults[] = {
        "/a%2fb", "%2f",
        "/a/b%5cc/%2f", "%5c",
        "/a\\b", "\\",
        "/a b", " ",
        "/a%00", "%00",
        "/a%zz", "%zz",
        "/a%", "%",
        "/a%4", "%4",
        "/a#b", "#",
        "//", "/",
        "/a//b", "/",
        "/a/../b", "/..",
        "/a/%2e%2E", "/%2e%2E",
        "/a/..;x/b", "/..;x",
        "/a/;x", "/;x",
        "/%2541", "/%2541",
        "/a\xff", "/a\xff",
        "/a/%e2%82", "/%e2%82",
        "a/b", "a/b",
        "", "",
        NULL
    };

    unit_test("the part of a path that is at fault is found");

    for (i = 0; faults[i]; i += 2) {
        copy = unit_copy(faults[i], strlen(faults[i]));
        p = malloc(copy.len ? copy.len : 1);

        ngx_agt_path_fault(&copy, p, &fault);

        unit_check_note(unit_equal(&fault, faults[i + 1]), faults[i]);

        free(p);
        free(copy.data);
    }

    /* each path that is not taken has a part that is not, and ends in time */

    for (i = 0; refused[i]; i++) {
        copy = unit_copy(refused[i], strlen(refused[i]));
        p = malloc(copy.len ? copy.len : 1);

        ngx_agt_path_fault(&copy, p, &fault);

        unit_check_note(fault.data >= copy.data && fault.len <= copy.len
                        && fault.data + fault.len <= copy.data + copy.len,
                        refused[i]);

        free(p);
        free(copy.data);
    }

    raw = malloc(65536);
    memset(raw, '/', 65536);

    for (i = 1; i < 65536; i += 2) {
        raw[i] = 'a';
    }

    raw[65535] = '\n';

    copy = unit_copy(raw, 65536);
    p = malloc(copy.len);

    unit_check(ngx_agt_path_decode(&copy, p, &path) == NGX_DECLINED);
    ngx_agt_path_fault(&copy, p, &fault);
    unit_check(unit_equal(&fault, "\n"));

    free(p);
    free(copy.data);
    free(raw);
}


static void
test_bytes(void)
{
    char        raw[] = "/aX/b", escaped[] = "/a%00/b";
    ngx_str_t   path;
    ngx_uint_t  c, good;

    unit_test("each byte value in a path, as it is and escaped");

    for (c = 0; c < 256; c++) {
        raw[2] = (char) c;

        good = c > ' ' && c < 0x7f && c != '\\' && c != '%' && c != '?'
               && c != '#' && c != '/';

        unit_check((decode(raw, 5, &path) == NGX_OK) == good);

        escaped[3] = "0123456789abcdef"[c >> 4];
        escaped[4] = "0123456789ABCDEF"[c & 15];

        good = c >= ' ' && c < 0x7f && c != '\\' && c != '/' && c != '?';

        unit_check((decode(escaped, 7, &path) == NGX_OK) == good);

        if (good) {
            unit_check(path.len == 5 && path.data[2] == c);
        }
    }
}


static void
test_utf8(void)
{
    u_char      text[4];
    size_t      len;
    ngx_uint_t  c;

    unit_test("every character of Unicode is one, and surrogates are not");

    for (c = 0; c < 0x120000; c++) {

        if (c < 0x80) {
            text[0] = (u_char) c;
            len = 1;

        } else if (c < 0x800) {
            text[0] = (u_char) (0xc0 | c >> 6);
            text[1] = (u_char) (0x80 | (c & 0x3f));
            len = 2;

        } else if (c < 0x10000) {
            text[0] = (u_char) (0xe0 | c >> 12);
            text[1] = (u_char) (0x80 | (c >> 6 & 0x3f));
            text[2] = (u_char) (0x80 | (c & 0x3f));
            len = 3;

        } else {
            text[0] = (u_char) (0xf0 | c >> 18);
            text[1] = (u_char) (0x80 | (c >> 12 & 0x3f));
            text[2] = (u_char) (0x80 | (c >> 6 & 0x3f));
            text[3] = (u_char) (0x80 | (c & 0x3f));
            len = 4;
        }

        if ((c >= 0xd800 && c < 0xe000) || c >= 0x110000) {
            unit_check(ngx_agt_path_utf8(text, text + len) == 0);

        } else {
            unit_check(ngx_agt_path_utf8(text, text + len) == len);
        }

        while (--len) {
            unit_check(ngx_agt_path_utf8(text, text + len) == 0);
        }
    }
}


static void
test_queries(void)
{
    char        text[] = "a=X";
    ngx_str_t   s;
    ngx_uint_t  c;

    unit_test("queries that rules can be applied to");

    s.data = (u_char *) text;
    s.len = 3;

    for (c = 0; c < 256; c++) {
        text[2] = (char) c;
        unit_check(ngx_agt_path_is_query(&s)
                   == (c > ' ' && c < 0x7f && c != '#'));
    }

    ngx_str_set(&s, "a=\xc3\xa9&b=%zz");
    unit_check(ngx_agt_path_is_query(&s));

    ngx_str_set(&s, "a=\xc3");
    unit_check(!ngx_agt_path_is_query(&s));

    ngx_str_null(&s);
    unit_check(ngx_agt_path_is_query(&s));
}


/* as a rule with this one path would, on a request with or without a query */

static ngx_uint_t
matches(const char *pattern, const char *path, const char *query,
    ngx_uint_t search, ngx_uint_t separate)
{
    u_char                     packed[4096];
    ngx_str_t                  s, p, q;
    ngx_uint_t                 n, rc;
    ngx_agt_ruleset_rule_t     rule;
    ngx_agt_ruleset_host_t     host;
    ngx_agt_ruleset_item_t     item;
    ngx_agt_ruleset_cursor_t   hosts;
    ngx_agt_ruleset_builder_t  b;

    ngx_agt_ruleset_begin(&b, packed, sizeof(packed));

    ngx_str_set(&s, "a");
    (void) ngx_agt_ruleset_host(&b, &s);

    ngx_agt_ruleset_rule(&b);
    ngx_str_set(&s, "all");
    ngx_agt_ruleset_method(&b, &s);

    s.data = (u_char *) pattern;
    s.len = strlen(pattern);
    ngx_agt_ruleset_path(&b, &s);
    ngx_agt_ruleset_rule_end(&b);

    unit_check(ngx_agt_ruleset_open(&hosts, &n, packed,
                                          ngx_agt_ruleset_end(&b))
               == NGX_OK);
    unit_check(ngx_agt_ruleset_next_host(&hosts, &host) == NGX_OK);
    unit_check(ngx_agt_ruleset_next_rule(&host.rules, &rule) == NGX_OK);
    unit_check(ngx_agt_ruleset_next_item(&rule.items,
                                       NGX_AGT_RULESET_PATH, &item)
               == NGX_OK);

    p.data = (u_char *) path;
    p.len = strlen(path);
    q.data = (u_char *) query;
    q.len = query ? strlen(query) : 0;

    ngx_agt_regex_begin(patterns, 0);
    ngx_agt_path_begin(&subject, patterns, &p, &q, query != NULL, search);

    rc = ngx_agt_path_match(&subject, &item, separate);

    unit_check(rc == 0 || rc == 1);

    return rc;
}


static void
test_compare(void)
{
    size_t  i;

    /* F: matches as a whole, S: matches anywhere */

    static const struct {
        const char  *pattern;
        const char  *path;
        const char  *how;
    } rows[] = {
        { "/api", "/api", "FS" },
        { "/api", "/api/", "S" },
        { "/api", "/apix", "S" },
        { "/api", "/api/x", "S" },
        { "/api", "/API", "" },
        { "/api", "/x/api", "S" },
        { "/api", "/ap", "" },
        { "/api", "/", "" },
        { "^/api", "/api", "FS" },
        { "^/api", "/api/x", "S" },
        { "^/api", "/x/api", "" },
        { "/api$", "/api", "FS" },
        { "/api$", "/x/api", "S" },
        { "/api$", "/api/x", "" },
        { "^/api$", "/api", "FS" },
        { "^/api$", "/api/x", "" },
        { "^/api$", "/x/api", "" },

        { "/.*", "/", "FS" },
        { "/.*", "/a/b", "FS" },
        { ".*", "/a/b", "FS" },
        { "^.*$", "/a/b", "FS" },
        { "/api.*", "/api", "FS" },
        { "/api.*", "/apix/y", "FS" },
        { "/api.*", "/x/api", "S" },
        { "^/api.*", "/x/api", "" },
        { "/api/.*$", "/api/x", "FS" },
        { "/api/.*", "/api", "" },
        { "/api/.*", "/x/api/y", "S" },

        { "/a\\.b", "/a.b", "FS" },
        { "/a\\.b", "/axb", "" },
        { "/a.b", "/axb", "FS" },
        { "/a\\/b", "/a/b", "FS" },
        { "/a\\-b.*", "/a-b/c", "FS" },
        { "/a\\\\b", "/a\\b", "FS" },

        { "", "/", "" },
        { "^", "/a", "" },
        { "$", "/a", "" },
        { "^$", "/a", "" },

        { "/b[0-9]", "/b1", "FS" },
        { "/b[0-9]", "/a/b1", "S" },
        { "/b[0-9]", "/b", "" },
        { "^/b[0-9]", "/a/b1", "" },
        { "/[^/]+/x", "/a/x", "FS" },
        { "/[^/]+/x", "/a/b/x", "S" },
        { "/(a|b)/.*", "/b/c", "FS" },
        { "/a|/b", "/b", "FS" },
        { "/a|/b", "/c/b", "S" },
        { "/a?b", "/b", "FS" },
        { "/ab*", "/abbb", "FS" },
        { "/ab+c", "/abbc", "FS" },
        { "/ab{2}", "/abb", "FS" },
        { "/ab{2}", "/ab{2}", "" },
        { "(?i)/API/.*", "/api/x", "FS" },
        { "/api/v[0-9]/.*", "/api/v1/x", "FS" },
        { "/api/v[0-9]/.*", "/api/vx/x", "" },
        { "^/api/v[0-9]", "/x/api/v1", "" },
        { "/(?!admin).*", "/public", "FS" },
        { "/(?!admin).*", "/admin", "" },
        { "/.", "/\xc3\xa9", "FS" },
        { "/[\xc3\xa9\xe2\x82\xac]", "/\xe2\x82\xac", "FS" },
        { "/[\xc3\xa9\xe2\x82\xac]+", "/\xe2\x82\xa9", "" },
        { "/\xc3\xa9+", "/\xc3\xa9\xc3\xa9", "FS" },
        { "/\xc3\xa9?x", "/x", "FS" },

        { "(", "/(", "" },
        { "/[a", "/[a", "" },
        { "/a)|(?:.*", "/b", "" },
        { "/(*ACCEPT)", "/", "" },
        { "/\\Qa", "/a", "" },
    };

    unit_test("paths of rules, as a whole and anywhere");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(matches(rows[i].pattern, rows[i].path, NULL, 0, 0)
                        == (strchr(rows[i].how, 'F') != NULL),
                        rows[i].pattern);
        unit_check_note(matches(rows[i].pattern, rows[i].path, NULL, 1, 0)
                        == (strchr(rows[i].how, 'S') != NULL),
                        rows[i].pattern);

        /* a separate query is as good as none */

        unit_check_note(matches(rows[i].pattern, rows[i].path, "q=1", 0, 1)
                        == (strchr(rows[i].how, 'F') != NULL),
                        rows[i].pattern);
    }

    unit_test("a path that is not UTF-8 matches no pattern");

    unit_check(!matches("/[^/]+", "/\xff", NULL, 0, 0));
    unit_check(!matches("/.+", "/a\xc3", NULL, 1, 0));
}


static void
test_query_in_place_of_path(void)
{
    size_t  i;

    static const struct {
        const char  *pattern;
        const char  *path;
        const char  *query;
        const char  *how;
    } rows[] = {

        /* the query is part of what is matched */
        { "^/part1/part2$", "/part1/part2", "key=value", "" },
        { "/a", "/a", "", "S" },
        { "/a", "/a", "x", "S" },
        { "/a\\?x=1", "/a", "x=1", "FS" },
        { "/a\\?x=1", "/a", "x=2", "" },
        { "^/a\\?x=.*", "/a", "x=2", "FS" },
        { "/a(\\?.*)?", "/a", "x", "FS" },
        { "/a[?]x", "/a", "x", "FS" },
        { "/.*", "/a", "x", "FS" },
        { "/a/.*", "/a/b", "x", "FS" },
        { "/a/.*", "/a", "/b", "" },
        { "/a.*", "/a", "x", "FS" },

        /* it does not stand in for the path */
        { ".*/public", "/secret", "/public", "" },
        { "/public", "/secret", "/public", "" },
        { "/public", "/secret", "x=/public", "" },
        { "/public/.*", "/secret", "/public/x", "" },
        { "/.*/view", "/secret", "x/view", "" },
        { "/.*/view(\\?.*)?", "/secret", "x/view", "" },
        { "/.*/view(\\?.*)?", "/x/view", "y", "FS" },
        { ".*/admin\\?x=1", "/public", "y=/admin?x=1", "" },
        { ".*/admin\\?x=1", "/public/admin", "x=1", "FS" },
        { "/a/.+", "/a/", "x", "" },
        { "/[^/]*/b", "/a", "/b", "" },
        { "/\\S*b", "/a", "b", "" },
        { "/[ -~]*/b", "/a", "/b", "" },
        { "/[!-?]*b", "/1", "b", "" },
        { "/[?-z]*b", "/a", "b", "" },
        { "/\\W*b", "/", "b", "" },
        { "/.?b", "/", "b", "" },
        { "/a|.*b", "/c", "b", "" },
        { "b$", "/a", "b", "" },
        { "x=1", "/a", "x=1", "" },
        { "x=1$", "/a", "y&x=1", "" },
    };

    unit_test("what stands in the query does not stand in for the path");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(matches(rows[i].pattern, rows[i].path, rows[i].query,
                                0, 0)
                        == (strchr(rows[i].how, 'F') != NULL),
                        rows[i].pattern);
        unit_check_note(matches(rows[i].pattern, rows[i].path, rows[i].query,
                                1, 0)
                        == (strchr(rows[i].how, 'S') != NULL),
                        rows[i].pattern);
    }
}


static void
test_long(void)
{
    char    *path;
    size_t   len;

    unit_test("the longest path and query, and longer ones");

    len = NGX_AGT_PATH_MAX_LEN + 1;
    path = malloc(len + 1);

    memset(path, 'a', len);
    path[0] = '/';
    path[len] = '\0';

    unit_check(matches("/.*", path, NULL, 0, 0));
    unit_check(!matches("/.*", path, "x", 0, 0));
    unit_check(!matches("/.*", "/a", path, 0, 0));

    path[len - 1] = '\0';

    unit_check(matches("/.*", path, "x", 0, 0));
    unit_check(matches("/.*", "/a", path, 0, 0));
    unit_check(matches("/.*", "/a", "x", 0, 0));

    free(path);
}
