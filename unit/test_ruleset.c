
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "rules/syntax.h"


#define PATH       NGX_AGT_RULESET_PATH
#define TEMPLATE   NGX_AGT_RULESET_TEMPLATE
#define QUERY      NGX_AGT_RULESET_QUERY
#define MATCHER    NGX_AGT_RULESET_MATCHER
#define CRITERION  NGX_AGT_RULESET_CRITERION
#define OPERAND    NGX_AGT_RULESET_OPERAND
#define BODY       NGX_AGT_RULESET_BODY

#define LITERAL    NGX_AGT_RULESET_LITERAL
#define PREFIX     NGX_AGT_RULESET_PREFIX
#define PATTERN    NGX_AGT_RULESET_PATTERN

#define HAS_VALUE  NGX_AGT_RULESET_HAS_VALUE


static void test_round_trip(void);
static void test_dropped(void);
static void test_sizes(void);
static void test_truncated(void);
static void test_flipped(void);
static void test_literals(void);
static void test_hosts(void);
static void test_methods(void);
static void test_pointers(void);
static void test_longest(void);
static size_t build(u_char *buf, size_t size, ngx_agt_ruleset_builder_t *b);
static ngx_uint_t read_all(const u_char *packed, size_t len);
static ngx_str_t str(const char *text);


int
main(void)
{
    test_round_trip();
    test_dropped();
    test_sizes();
    test_truncated();
    test_flipped();
    test_literals();
    test_hosts();
    test_methods();
    test_pointers();
    test_longest();

    return unit_done();
}


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static size_t
build(u_char *buf, size_t size, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t  host, other, get, all, path, pattern, template, name, value;

    host = str("Example.COM:443");
    other = str("b.test.");
    get = str("get");
    all = str("all");
    path = str("^/a\\.b.*");
    pattern = str("/x/[0-9]+");
    template = str("/c/{id}");
    name = str("id");
    value = str("/v");

    ngx_agt_ruleset_begin(b, buf, size);

    (void) ngx_agt_ruleset_host(b, &host);

    ngx_agt_ruleset_rule(b);
    ngx_agt_ruleset_separate_query(b);
    ngx_agt_ruleset_method(b, &get);
    ngx_agt_ruleset_path(b, &path);
    ngx_agt_ruleset_path(b, &pattern);
    ngx_agt_ruleset_template(b, &template, 1);
    ngx_agt_ruleset_query(b, &name, &value);
    ngx_agt_ruleset_query(b, &value, NULL);
    ngx_agt_ruleset_matchers(b, 1);
    ngx_agt_ruleset_matcher(b, &name, 1, 1);
    ngx_agt_ruleset_criterion(b, NGX_AGT_RULESET_IN, NULL, 1);
    ngx_agt_ruleset_string(b, &value);
    ngx_agt_ruleset_number(b, INT64_MIN);
    ngx_agt_ruleset_criterion(b, NGX_AGT_RULESET_LESS, &name, 0);
    ngx_agt_ruleset_body(b, &value, &name);
    ngx_agt_ruleset_rule_end(b);

    ngx_agt_ruleset_rule(b);
    ngx_agt_ruleset_method(b, &all);
    ngx_agt_ruleset_path(b, &path);
    ngx_agt_ruleset_rule_end(b);

    (void) ngx_agt_ruleset_host(b, &other);

    ngx_agt_ruleset_rule(b);
    ngx_agt_ruleset_method(b, &get);
    ngx_agt_ruleset_template(b, &template, 0);
    ngx_agt_ruleset_rule_end(b);

    return ngx_agt_ruleset_end(b);
}


static void
test_round_trip(void)
{
    u_char                     buf[2048], moved[2048 + 16];
    size_t                     len, shift;
    ngx_uint_t                 n;
    ngx_agt_ruleset_host_t     host;
    ngx_agt_ruleset_rule_t     rule;
    ngx_agt_ruleset_item_t     item;
    ngx_agt_ruleset_cursor_t   hosts, *items;
    ngx_agt_ruleset_builder_t  b;

    unit_test("what is packed is read back");

    len = build(buf, sizeof(buf), &b);

    unit_check(len > 0 && b.rules == 3 && b.dropped == 0);

    unit_check(ngx_agt_ruleset_open(&hosts, &n, buf, len) == NGX_OK);
    unit_check(n == 3);

    unit_check(ngx_agt_ruleset_next_host(&hosts, &host) == NGX_OK);
    unit_check(unit_equal(&host.name, "example.com"));

    unit_check(ngx_agt_ruleset_next_rule(&host.rules, &rule) == NGX_OK);
    unit_check(rule.methods == 1);
    unit_check(rule.flags == (NGX_AGT_RULESET_SEPARATE_QUERY
                              |NGX_AGT_RULESET_ANY_MATCHER
                              |NGX_AGT_RULESET_PATHS
                              |NGX_AGT_RULESET_TEMPLATES
                              |NGX_AGT_RULESET_MATCHERS));

    items = &rule.items;

    unit_check(ngx_agt_ruleset_next_item(items, QUERY, &item) == NGX_DECLINED);
    unit_check(ngx_agt_ruleset_next_item(items, PATH, &item) == NGX_OK);
    unit_check(item.kind == PREFIX && unit_equal(&item.text, "/a.b"));
    unit_check(item.flags == NGX_AGT_RULESET_AT_START);

    unit_check(ngx_agt_ruleset_next_item(items, PATH, &item) == NGX_OK);
    unit_check(item.kind == PATTERN && unit_equal(&item.text, "/x/[0-9]+"));
    unit_check(unit_equal(&item.value, "/x/"));
    unit_check(item.hash == ngx_agt_syntax_hash(&item.text));

    unit_check(ngx_agt_ruleset_next_item(items, PATH, &item) == NGX_DECLINED);
    unit_check(ngx_agt_ruleset_next_item(items, TEMPLATE, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "/c/{id}"));
    unit_check(item.flags == NGX_AGT_RULESET_IS_PREFIX);

    unit_check(ngx_agt_ruleset_next_item(items, QUERY, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "id") && unit_equal(&item.value, "/v"));
    unit_check(item.flags == HAS_VALUE);

    unit_check(ngx_agt_ruleset_next_item(items, QUERY, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "/v") && item.flags == 0);

    unit_check(ngx_agt_ruleset_next_item(items, MATCHER, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "id"));
    unit_check(item.flags == (NGX_AGT_RULESET_INVERTED |NGX_AGT_RULESET_ANY));

    unit_check(ngx_agt_ruleset_next_item(items, CRITERION, &item) == NGX_OK);
    unit_check(item.kind == NGX_AGT_RULESET_IN);
    unit_check(item.flags == NGX_AGT_RULESET_IS_LIST);

    unit_check(ngx_agt_ruleset_next_item(items, OPERAND, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "/v") && item.flags == 0);

    unit_check(ngx_agt_ruleset_next_item(items, OPERAND, &item) == NGX_OK);
    unit_check(item.flags == NGX_AGT_RULESET_IS_NUMBER);
    unit_check(ngx_agt_ruleset_operand(&item) == INT64_MIN);

    unit_check(ngx_agt_ruleset_next_item(items, CRITERION, &item) == NGX_OK);
    unit_check(item.kind == NGX_AGT_RULESET_LESS);
    unit_check(item.flags == HAS_VALUE && unit_equal(&item.text, "id"));

    unit_check(ngx_agt_ruleset_next_item(items, BODY, &item) == NGX_OK);
    unit_check(unit_equal(&item.text, "/v") && unit_equal(&item.value, "id"));
    unit_check(items->pos == items->end);

    unit_check(ngx_agt_ruleset_next_rule(&host.rules, &rule) == NGX_OK);
    unit_check(rule.methods == NGX_AGT_RULESET_ALL);
    unit_check(rule.flags == NGX_AGT_RULESET_PATHS);
    unit_check(ngx_agt_ruleset_next_rule(&host.rules, &rule) == NGX_DONE);

    unit_check(ngx_agt_ruleset_next_host(&hosts, &host) == NGX_OK);
    unit_check(unit_equal(&host.name, "b.test"));
    unit_check(ngx_agt_ruleset_next_host(&hosts, &host) == NGX_DONE);

    unit_test("the packed form can lie at any address");

    for (shift = 0; shift < 16; shift++) {
        ngx_memcpy(moved + shift, buf, len);
        unit_check(read_all(moved + shift, len) == 3);
    }

    unit_test("the same rules give the same bytes");

    ngx_memset(moved, 0xa5, sizeof(moved));

    unit_check(build(moved, 2048, &b) == len);
    unit_check(memcmp(buf, moved, len) == 0);
}


static void
test_dropped(void)
{
    u_char                     buf[2048];
    size_t                     len;
    ngx_str_t                  host, get, path, bad;
    ngx_uint_t                 n, i;
    ngx_agt_ruleset_cursor_t   hosts;
    ngx_agt_ruleset_builder_t  b;

    host = str("a");
    get = str("get");
    path = str("/a");
    bad = str("/{");

    unit_test("rules that can never match are left out");

    for (i = 0; i < 7; i++) {
        ngx_agt_ruleset_begin(&b, buf, sizeof(buf));

        if (i != 6) {
            unit_check(ngx_agt_ruleset_host(&b, &host) == NGX_OK);

        } else {
            unit_check(ngx_agt_ruleset_host(&b, &path) == NGX_DECLINED);
        }

        ngx_agt_ruleset_rule(&b);

        if (i != 0) {
            ngx_agt_ruleset_method(&b, i == 1 ? &path : &get);
        }

        if (i != 2) {
            ngx_agt_ruleset_path(&b, &path);
        }

        if (i == 3) {
            ngx_agt_ruleset_template(&b, &bad, 0);
        }

        if (i == 4) {
            ngx_agt_ruleset_never(&b);
        }

        if (i == 5) {
            bad = str("");
            ngx_agt_ruleset_body(&b, &bad, NULL);
        }

        ngx_agt_ruleset_rule_end(&b);

        len = ngx_agt_ruleset_end(&b);

        unit_check(b.rules == 0 && b.dropped == 1);
        unit_check(ngx_agt_ruleset_open(&hosts, &n, buf, len) == NGX_OK);
        unit_check(n == 0 && hosts.pos == hosts.end);
    }

    unit_test("what does not fit counts for nothing in a rule left out");

    ngx_agt_ruleset_begin(&b, buf, 64);
    (void) ngx_agt_ruleset_host(&b, &host);

    for (i = 0; i < 3; i++) {
        ngx_agt_ruleset_rule(&b);
        ngx_agt_ruleset_method(&b, &get);

        for (n = 0; n < 10; n++) {
            ngx_agt_ruleset_path(&b, &path);
        }

        ngx_agt_ruleset_never(&b);
        ngx_agt_ruleset_rule_end(&b);
    }

    ngx_agt_ruleset_rule(&b);
    ngx_agt_ruleset_method(&b, &get);
    ngx_agt_ruleset_path(&b, &path);
    ngx_agt_ruleset_rule_end(&b);

    len = ngx_agt_ruleset_end(&b);

    unit_check(len > 0 && len <= 64 && b.rules == 1 && b.dropped == 3);
    unit_check(read_all(buf, len) == 1);
}


static void
test_sizes(void)
{
    u_char                     buf[2048], *p;
    size_t                     len, size;
    ngx_agt_ruleset_builder_t  b;

    unit_test("a buffer of any size holds all or nothing");

    len = build(buf, sizeof(buf), &b);

    for (size = 0; size <= len + 2; size++) {
        p = malloc(size ? size : 1);

        unit_check(build(p, size, &b) == (size < len ? 0 : len));

        if (size >= len) {
            unit_check(memcmp(p, buf, len) == 0);
        }

        free(p);
    }
}


/* reads all that can be read; returns the number of rules */

static ngx_uint_t
read_all(const u_char *packed, size_t len)
{
    ngx_uint_t                n, rules;
    ngx_agt_ruleset_host_t    host;
    ngx_agt_ruleset_rule_t    rule;
    ngx_agt_ruleset_item_t    item;
    ngx_agt_ruleset_cursor_t  hosts, *items;

    if (ngx_agt_ruleset_open(&hosts, &n, packed, len) != NGX_OK) {
        return 0;
    }

    rules = 0;

    while (ngx_agt_ruleset_next_host(&hosts, &host) == NGX_OK) {

        unit_check(host.name.data >= packed
                   && host.name.data + host.name.len <= packed + len);

        while (ngx_agt_ruleset_next_rule(&host.rules, &rule) == NGX_OK)
        {
            rules++;
            items = &rule.items;

            while (items->pos != items->end
                   && ngx_agt_ruleset_next_item(items, *items->pos, &item)
                      == NGX_OK)
            {
                unit_check(item.text.data >= packed
                           && item.value.data + item.value.len
                              <= packed + len);

                (void) ngx_agt_ruleset_operand(&item);
            }
        }
    }

    return rules;
}


static void
test_truncated(void)
{
    u_char                     buf[2048];
    size_t                     len, n;
    ngx_str_t                  copy;
    ngx_uint_t                 rules;
    ngx_agt_ruleset_cursor_t   hosts;
    ngx_agt_ruleset_builder_t  b;

    unit_test("a packed form of another length is none");

    len = build(buf, sizeof(buf), &b);

    for (n = 0; n < len; n++) {
        copy = unit_copy(buf, n);

        unit_check(ngx_agt_ruleset_open(&hosts, &rules, copy.data, n)
                   == NGX_ERROR);

        free(copy.data);
    }

    unit_check(ngx_agt_ruleset_open(&hosts, &rules, buf, len + 1)
               == NGX_ERROR);
}


static void
test_flipped(void)
{
    u_char                     buf[2048];
    size_t                     len, i;
    ngx_str_t                  copy;
    ngx_uint_t                 c;
    ngx_agt_ruleset_builder_t  b;

    unit_test("a changed byte never leads out of the packed form");

    len = build(buf, sizeof(buf), &b);
    copy = unit_copy(buf, len);

    for (i = 0; i < len; i++) {
        for (c = 0; c < 256; c++) {
            copy.data[i] = (u_char) c;
            (void) read_all(copy.data, len);
        }

        copy.data[i] = buf[i];
    }

    unit_test("another version is refused");

    copy.data[4]++;
    unit_check(read_all(copy.data, len) == 0);

    free(copy.data);
}


static void
test_literals(void)
{
    u_char                    out[64];
    size_t                    i;
    ngx_str_t                 p;
    ngx_agt_syntax_literal_t  literal;

    static const struct {
        const char   *pattern;
        ngx_uint_t    kind;
        const char   *text;
        unsigned      start;
        unsigned      end;
    } rows[] = {
        { "", LITERAL, "", 0, 0 },
        { "^", LITERAL, "", 1, 0 },
        { "$", LITERAL, "", 0, 1 },
        { "^$", LITERAL, "", 1, 1 },
        { "/a", LITERAL, "/a", 0, 0 },
        { "^/a", LITERAL, "/a", 1, 0 },
        { "/a$", LITERAL, "/a", 0, 1 },
        { "^/a$", LITERAL, "/a", 1, 1 },
        { "/a\\.b\\/c\\-\\_", LITERAL, "/a.b/c-_", 0, 0 },
        { "/\\$\\^\\*\\\\", LITERAL, "/$^*\\", 0, 0 },
        { "/a b#c,d", LITERAL, "/a b#c,d", 0, 0 },
        { "/\xc3\xa9", LITERAL, "/\xc3\xa9", 0, 0 },
        { ".*", PREFIX, "", 0, 0 },
        { "^.*$", PREFIX, "", 1, 1 },
        { "/a.*", PREFIX, "/a", 0, 0 },
        { "^/a\\..*$", PREFIX, "/a.", 1, 1 },

        { "/a.*b", PATTERN, "/a", 0, 0 },
        { "/a.*?", PATTERN, "/a", 0, 0 },
        { "/a.*+", PATTERN, "/a", 0, 0 },
        { "/a.*.*", PATTERN, "/a", 0, 0 },
        { "/a.+", PATTERN, "/a", 0, 0 },
        { "/a.", PATTERN, "/a", 0, 0 },
        { "/ab*", PATTERN, "/a", 0, 0 },
        { "/ab+", PATTERN, "/a", 0, 0 },
        { "/ab?", PATTERN, "/a", 0, 0 },
        { "/ab{2}", PATTERN, "/a", 0, 0 },
        { "/ab{", PATTERN, "/a", 0, 0 },
        { "/ab}", PATTERN, "/ab", 0, 0 },
        { "/a\\.*", PATTERN, "/a", 0, 0 },
        { "/a\\.+b", PATTERN, "/a", 0, 0 },
        { "/\xc3\xa9*", PATTERN, "/", 0, 0 },
        { "^/a[b]", PATTERN, "/a", 1, 0 },
        { "/a(b)", PATTERN, "/a", 0, 0 },
        { "^/a$b", PATTERN, "/a", 1, 0 },
        { "/a^", PATTERN, "/a", 0, 0 },
        { "^^/a", PATTERN, "", 1, 0 },
        { "/a$$", PATTERN, "/a", 0, 0 },
        { "/a\\d", PATTERN, "/a", 0, 0 },
        { "/a\\Q.*", PATTERN, "/a", 0, 0 },
        { "/a\\x41", PATTERN, "/a", 0, 0 },
        { "/a\\", PATTERN, "/a", 0, 0 },
        { "/a\\\xc3\xa9", PATTERN, "/a", 0, 0 },
        { "(?i)/a", PATTERN, "", 0, 0 },
        { "/a(?i)b", PATTERN, "/a", 0, 0 },
        { "/a|/b", PATTERN, "", 0, 0 },
        { "^/a|/b", PATTERN, "", 0, 0 },
        { "/a(b|c)", PATTERN, "", 0, 0 },
        { "/a\\|b.", PATTERN, "", 0, 0 },
        { "/a\\|b", LITERAL, "/a|b", 0, 0 },
        { "*a", PATTERN, "", 0, 0 },
    };

    unit_test("patterns that are no more than a literal or a prefix");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        p = unit_str(rows[i].pattern);

        ngx_agt_syntax_literal(&p, &literal, NULL);

        unit_check_note(literal.kind == rows[i].kind, rows[i].pattern);
        unit_check_note(literal.len == strlen(rows[i].text), rows[i].pattern);
        unit_check_note(literal.at_start == rows[i].start, rows[i].pattern);
        unit_check_note(literal.at_end == rows[i].end, rows[i].pattern);

        if (literal.len) {
            ngx_agt_syntax_literal(&p, &literal, out);
            unit_check_note(memcmp(out, rows[i].text, literal.len) == 0,
                            rows[i].pattern);
        }

        free(p.data);
    }
}


static void
test_hosts(void)
{
    size_t     i;
    ngx_int_t  rc;
    ngx_str_t  h, name;

    static const struct {
        const char  *host;
        const char  *name;
    } rows[] = {
        { "a", "a" }, { "example.com", "example.com" },
        { "EXAMPLE.Com", "EXAMPLE.Com" }, { "a.b:80", "a.b" },
        { "a.b.:80", "a.b" }, { "a.b.", "a.b" }, { "a.b:", "a.b" },
        { "a-b_c.d", "a-b_c.d" }, { "127.0.0.1", "127.0.0.1" },
        { "127.0.0.1:8080", "127.0.0.1" }, { "[::1]", "[::1]" },
        { "[::1]:443", "[::1]" }, { "xn--e1afmkfd", "xn--e1afmkfd" },

        { "", NULL }, { ".", NULL }, { ":80", NULL }, { "a..b", NULL },
        { ".a", NULL }, { "a..", NULL }, { "*", NULL }, { "*.a", NULL },
        { "a b", NULL }, { "a/b", NULL }, { "http://a", NULL },
        { "a@b", NULL }, { "a:b", NULL }, { "a:80:80", NULL },
        { "a:8x", NULL }, { "::1", NULL }, { "[]", NULL }, { "[::1", NULL },
        { "[::1]x", NULL }, { "[a b]", NULL }, { "[a/b]", NULL },
        { "[a%]", NULL }, { "\xc3\xa9", NULL }, { "a%", NULL },
        { "a?", NULL }, { "a\n", NULL }, { "a,b", NULL }, { "(a)", NULL },
    };

    static const struct {
        const char  *host;
        ngx_uint_t   same;
    } views[] = {
        { "a.example", 1 }, { "A.ExAmple", 1 }, { "A.EXAMPLE.:8080", 1 },
        { "a.example:443", 1 }, { "a.example.", 1 }, { "a.example:", 1 },
        { "a.example.evil", 0 }, { "evila.example", 0 }, { "example", 0 },
        { "b.example", 0 }, { "a.example..", 0 }, { "a.example:80:80", 0 },
        { "a.example@evil", 0 }, { "", 0 }, { ":80", 0 }, { "a.exampl", 0 },
        { "a.example ", 0 }, { "a.example:8x", 0 }, { "a,example", 0 },
        { "a.example/", 0 }, { "*.example", 0 },
    };

    unit_test("names of hosts without port and trailing dot");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        h = unit_str(rows[i].host);
        rc = ngx_agt_syntax_host_name(&h, &name);

        unit_check_note((rc == NGX_OK) == (rows[i].name != NULL),
                        rows[i].host);
        unit_check_note(rc != NGX_OK || unit_equal(&name, rows[i].name),
                        rows[i].host);
        free(h.data);
    }

    unit_test("hosts of requests are compared as a whole");

    name = str("a.example");

    for (i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        h = unit_str(views[i].host);
        unit_check_note(ngx_agt_syntax_is_host(&name, &h)
                        == views[i].same, views[i].host);
        free(h.data);
    }

    h.data = (u_char *) "a.example\0";
    h.len = 10;

    unit_check(!ngx_agt_syntax_is_host(&name, &h));
}


static void
test_methods(void)
{
    size_t      i, j;
    char        lower[16];
    uint32_t    bit, seen;
    ngx_str_t   s;
    ngx_uint_t  n;

    static const char  *methods[] = {
        "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
        "PATCH", "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH",
        "UNLOCK"
    };

    static const char  *unknown[] = {
        "", "G", "GETS", "FOO_BAR", "ALL", "*", "Get", "MKCALENDAR", "QUERY",
        " GET", "GET ", "get"
    };

    unit_test("each method has a bit of its own, and no other has any");

    seen = NGX_AGT_RULESET_ALL;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        s = str(methods[i]);
        bit = ngx_agt_syntax_method_bit(&s);

        for (n = 0, j = 0; j < 32; j++) {
            n += (bit >> j) & 1;
        }

        unit_check_note(n == 1 && !(seen & bit), methods[i]);
        seen |= bit;

        unit_check(ngx_agt_syntax_method_name(&s) == 0);

        for (j = 0; j <= s.len; j++) {
            lower[j] = (char) ngx_tolower(methods[i][j]);
        }

        s = str(lower);
        unit_check_note(ngx_agt_syntax_method_name(&s) == bit, methods[i]);
        unit_check(ngx_agt_syntax_method_bit(&s) == 0);
    }

    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        s = str(unknown[i]);
        unit_check_note(ngx_agt_syntax_method_bit(&s) == 0, unknown[i]);
    }

    s = str("all");
    unit_check(ngx_agt_syntax_method_name(&s) == NGX_AGT_RULESET_ALL);
    unit_check(ngx_agt_syntax_method_bit(&s) == 0);
}


static void
test_pointers(void)
{
    size_t     i;
    ngx_str_t  s;

    static const char  *good[] = {
        "/", "/a", "/a/b", "//", "/a~0b", "/a~1b", "/~0~1", "/foo/0/a~1b/2",
        "/ ", "/\xc3\xa9", "/%41",
    };

    static const char  *bad[] = {
        "", "a", "a/b", "#/a", "/~", "/~2", "/a~", "/a~/b", "/~~", " /a",
    };

    unit_test("what is a JSON pointer");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        s = unit_str(good[i]);
        unit_check_note(ngx_agt_syntax_is_pointer(&s), good[i]);
        free(s.data);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = unit_str(bad[i]);
        unit_check_note(!ngx_agt_syntax_is_pointer(&s), bad[i]);
        free(s.data);
    }
}


static void
test_longest(void)
{
    u_char                    *buf;
    size_t                     size;
    ngx_str_t                  host, get, path;
    ngx_uint_t                 over;
    ngx_agt_ruleset_builder_t  b;

    unit_test("a string that is too long makes a rule that never matches");

    size = 4 * NGX_AGT_RULESET_MAX_STR;
    buf = malloc(size);

    host = str("a");
    get = str("get");
    path.data = malloc(size);
    ngx_memset(path.data, 'a', size);

    for (over = 0; over < 2; over++) {
        path.len = NGX_AGT_RULESET_MAX_STR + over;

        ngx_agt_ruleset_begin(&b, buf, size);
        (void) ngx_agt_ruleset_host(&b, &host);
        ngx_agt_ruleset_rule(&b);
        ngx_agt_ruleset_method(&b, &get);
        ngx_agt_ruleset_path(&b, &path);
        ngx_agt_ruleset_rule_end(&b);

        unit_check(ngx_agt_ruleset_end(&b) > 0);
        unit_check(b.rules == !over && b.dropped == over);
    }

    free(path.data);
    free(buf);
}
