
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <time.h>

#include "unit.h"

#include "json/token.h"
#include "json/document.h"
#include "rules/path.h"
#include "rules/regex.h"
#include "rules/rules.h"
#include "rules/ruleset.h"


#define SIZE  (4 << 20)

/* what a decision may take, in milliseconds of processor time */
#define BUDGET  5


static void test_hosts(void);
static void test_methods(void);
static void test_parts(void);
static void test_templates(void);
static void test_parameters(void);
static void test_reasons(void);
static void test_body(void);
static void test_truth_table(void);
static void test_matchers(void);
static void test_matched_template(void);
static void test_views(void);
static void test_packed(void);
static void test_flipped(void);
static void test_many(void);
static void test_spent(void);
static void test_allocations(void);
static void load(const char *hosts);
static void load_rules(const char *list);
static const char *ask(const char *method, const char *target);
static const char *ask_host(const char *host, const char *method,
    const char *target);
static ngx_int_t decide(const char *host, const char *method,
    const char *target, ngx_agt_reason_e *reason);
static const char *word(ngx_int_t rc, ngx_agt_reason_e reason);
static void *counted_alloc(size_t size);
static void counted_free(void *p);


static char                             text[1 << 20];
static u_char                           buf[SIZE];
static ngx_uint_t                       search;
static const char                      *body;
static ngx_agt_rules_t      *rules;
static ngx_agt_json_token_t  token;

static size_t  allowed, blocks;


int
main(void)
{
    ngx_agt_regex_set_alloc(counted_alloc, counted_free);

    allowed = (size_t) -1;
    rules = ngx_agt_rules_create(256);

    test_hosts();
    test_methods();
    test_parts();
    test_templates();
    test_parameters();
    test_reasons();
    test_body();
    test_truth_table();
    test_matchers();
    test_matched_template();
    test_views();
    test_packed();
    test_flipped();
    test_many();
    test_spent();

    ngx_agt_rules_destroy(rules);
    ngx_agt_rules_destroy(NULL);

    unit_test("nothing is left behind");
    unit_check(blocks == 0);

    test_allocations();

    return unit_done();
}


static void *
counted_alloc(size_t size)
{
    if (allowed == 0) {
        return NULL;
    }

    allowed--;
    blocks++;

    return malloc(size);
}


static void
counted_free(void *p)
{
    if (p) {
        blocks--;
        free(p);
    }
}


static void
load(const char *hosts)
{
    size_t  len;

    len = (size_t) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"hosts\":%s}",
                            hosts);

    unit_check(len < sizeof(text));
    unit_check(ngx_agt_json_token((u_char *) text, len, 0, buf, SIZE, &token)
               == NGX_OK);
}


static void
load_rules(const char *list)
{
    char  *hosts;

    hosts = malloc(strlen(list) + 64);
    (void) sprintf(hosts, "[{\"upstream_host\":\"a.example\","
                          "\"allowed_list\":[%s]}]", list);
    load(hosts);
    free(hosts);
}


static ngx_int_t
decide(const char *host, const char *method, const char *target,
    ngx_agt_reason_e *reason)
{
    u_char                   *path;
    ngx_int_t                 rc;
    ngx_str_t                 raw;
    const char               *query;
    ngx_agt_rules_view_t      view;
    ngx_agt_json_document_t  *document;

    ngx_memzero(&view, sizeof(view));

    view.host = unit_str(host);
    view.method = unit_str(method);
    view.search = (search != 0);

    query = strchr(target, '?');

    raw = unit_copy(target, query ? (size_t) (query - target)
                                  : strlen(target));
    view.query = unit_str(query ? query + 1 : "");
    view.has_query = (query != NULL);

    path = malloc(raw.len + 1);
    document = NULL;

    if (ngx_agt_path_decode(&raw, path, &view.path) == NGX_OK) {

        rc = ngx_agt_rules_decide(rules, &token.rules, &view, reason);

        if (rc == NGX_AGAIN && body) {
            document = ngx_agt_json_document((u_char *) body, strlen(body));
            view.state = NGX_AGT_RULES_ABSENT;

            if (document) {
                view.state = NGX_AGT_RULES_GIVEN;
                view.body = document;
                view.pointer = ngx_agt_json_pointer;
            }

            rc = ngx_agt_rules_decide(rules, &token.rules, &view, reason);
            unit_check(rc != NGX_AGAIN);
        }

    } else {
        rc = NGX_DECLINED;
        *reason = NGX_AGT_REASON_PATH;
    }

    ngx_agt_json_release(&document);

    free(path);
    free(raw.data);
    free(view.query.data);
    free(view.method.data);
    free(view.host.data);

    return rc;
}


static const char *
word(ngx_int_t rc, ngx_agt_reason_e reason)
{
    if (rc == NGX_OK) {
        unit_check(reason == NGX_AGT_REASON_NONE);
        return "allow";
    }

    if (rc == NGX_AGAIN) {
        return "again";
    }

    unit_check(rc == NGX_DECLINED);

    return (const char *) ngx_agt_reason_word(reason)->data;
}


static const char *
ask_host(const char *host, const char *method, const char *target)
{
    ngx_int_t         rc;
    ngx_agt_reason_e  reason;

    rc = decide(host, method, target, &reason);

    return word(rc, reason);
}


static const char *
ask(const char *method, const char *target)
{
    return ask_host("a.example", method, target);
}


#define expect(answer, word)                                                  \
    unit_check_note(strcmp(answer, word) == 0, answer)


static void
test_hosts(void)
{
    unit_test("no rules, no request");

    load("[]");
    expect(ask("GET", "/"), "rule");

    load_rules("");
    expect(ask("GET", "/"), "rule");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a\"],\"x\":1}");
    expect(ask("GET", "/a"), "rule");

    unit_test("hosts");

    load("[{\"upstream_host\":\"A.Example:443\",\"allowed_list\":["
         "{\"methods\":[\"get\"],\"paths\":[\"/a\"]}]},"
         "{\"upstream_host\":\"b.example\",\"allowed_list\":["
         "{\"methods\":[\"get\"],\"paths\":[\"/b\"]}]},"
         "{\"upstream_host\":\"a.example.\",\"allowed_list\":["
         "{\"methods\":[\"get\"],\"paths\":[\"/c\"]}]},"
         "{\"upstream_host\":\"*\",\"allowed_list\":["
         "{\"methods\":[\"all\"],\"paths\":[\"/.*\"]}]}]");

    expect(ask_host("a.example", "GET", "/a"), "allow");
    expect(ask_host("A.EXAMPLE.:8080", "GET", "/a"), "allow");
    expect(ask_host("b.example", "GET", "/b"), "allow");
    expect(ask_host("a.example", "GET", "/c"), "allow");
    expect(ask_host("a.example", "GET", "/b"), "path");
    expect(ask_host("b.example", "GET", "/a"), "path");
    expect(ask_host("c.example", "GET", "/a"), "host");
    expect(ask_host("a.example.evil", "GET", "/a"), "host");
    expect(ask_host("evila.example", "GET", "/a"), "host");
    expect(ask_host("*", "GET", "/a"), "host");
    expect(ask_host("", "GET", "/a"), "host");
    expect(ask_host("[::1]", "GET", "/a"), "host");
}


static void
test_methods(void)
{
    unit_test("methods");

    load_rules("{\"methods\":[\"get\",\"post\",\"foo_bar\"],"
               "\"paths\":[\"/a\"]},"
               "{\"methods\":[\"all\"],\"paths\":[\"/b\"]},"
               "{\"methods\":[\"head\"],\"paths\":[\"/c\"]}");

    expect(ask("GET", "/a"), "allow");
    expect(ask("POST", "/a"), "allow");
    expect(ask("HEAD", "/a"), "path");
    expect(ask("DELETE", "/a"), "path");
    expect(ask("get", "/a"), "path");
    expect(ask("FOO_BAR", "/a"), "path");
    expect(ask("", "/a"), "path");
    expect(ask("GETX", "/a"), "path");

    expect(ask("GET", "/b"), "allow");
    expect(ask("FOO_BAR", "/b"), "allow");
    expect(ask("PROPFIND", "/b"), "allow");

    expect(ask("HEAD", "/c"), "allow");
    expect(ask("GET", "/c"), "path");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a\"]}");

    expect(ask("HEAD", "/a"), "method");
    expect(ask("FOO_BAR", "/a"), "method");
}


static void
test_parts(void)
{
    unit_test("all parts of a rule must match");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a/.*\"],"
               "\"template_paths\":[{\"template\":\"/{x}/b\",\"prefix\":"
               "false}],\"query_parameters\":[{\"name\":\"q\",\"exact_match\":"
               "\"1\"}],\"separate_query\":true}");

    expect(ask("GET", "/a/b?q=1"), "allow");
    expect(ask("PUT", "/a/b?q=1"), "method");
    expect(ask("GET", "/a/c?q=1"), "path");
    expect(ask("GET", "/c/b?q=1"), "path");
    expect(ask("GET", "/a/b?q=2"), "query");
    expect(ask("GET", "/a/b"), "query");
    expect(ask("GET", "/a/b?q=1&q=1"), "allow");
    expect(ask("GET", "/a/b?q=1&q=2"), "query");

    unit_test("one rule must match in all its parts");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a\"]},"
               "{\"methods\":[\"put\"],\"paths\":[\"/b\"]}");

    expect(ask("GET", "/a"), "allow");
    expect(ask("PUT", "/b"), "allow");
    expect(ask("GET", "/b"), "path");
    expect(ask("PUT", "/a"), "path");

    unit_test("one path of many");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"(\",\"/x\",\"/[ab]\","
               "\"/c.*\"]}");

    expect(ask("GET", "/a"), "allow");
    expect(ask("GET", "/x"), "allow");
    expect(ask("GET", "/cde"), "allow");
    expect(ask("GET", "/d"), "path");

    unit_test("the query is seen unless it is separate");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"^/part1/part2$\"]}");

    expect(ask("GET", "/part1/part2"), "allow");
    expect(ask("GET", "/part1/part2?key=value"), "path");
    expect(ask("GET", "/part1/part2?"), "path");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"^/part1/part2$\"],"
               "\"separate_query\":true}");

    expect(ask("GET", "/part1/part2?key=value"), "allow");
    expect(ask("GET", "/part1/part2?"), "allow");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/part1\\\\?key=value\"]}");

    expect(ask("GET", "/part1?key=value"), "allow");
    expect(ask("GET", "/part1?key=valve"), "path");
    expect(ask("GET", "/part2?key=value"), "path");
    expect(ask("GET", "/part1"), "path");
    expect(ask("GET", "/part1%3fkey=value"), "path");

    unit_test("anywhere in the path, if so configured");

    search = 1;

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/public\"]}");

    expect(ask("GET", "/x/public/y"), "allow");
    expect(ask("GET", "/public?x=/admin"), "allow");
    expect(ask("GET", "/admin?/public"), "path");
    expect(ask("GET", "/admin?x=/public"), "path");
    expect(ask("GET", "/admin#/public"), "path");

    search = 0;

    expect(ask("GET", "/x/public/y"), "path");
    expect(ask("GET", "/public?x=/admin"), "path");
    expect(ask("GET", "/admin?/public"), "path");
}


static void
test_templates(void)
{
    unit_test("templates of rules");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/c/{id}/s/{sub}\",\"prefix\":false},"
               "{\"template\":\"/p/{id}\",\"prefix\":true}]}");

    expect(ask("GET", "/c/1/s/2"), "allow");
    expect(ask("GET", "/c/1/s/2/x"), "path");
    expect(ask("GET", "/c/1/s"), "path");
    expect(ask("GET", "/p/1"), "allow");
    expect(ask("GET", "/p/1/x/y"), "allow");
    expect(ask("GET", "/p/"), "path");
    expect(ask("GET", "/px/1"), "path");
    expect(ask("GET", "/p/%C3%A9"), "allow");
    expect(ask("GET", "/p/a%2fb"), "path");

    unit_test("a template must match with the query behind it too");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/a\",\"prefix\":true},"
               "{\"template\":\"/b/{id}\",\"prefix\":false},"
               "{\"template\":\"/c/{id}.x\",\"prefix\":false}]}");

    expect(ask("GET", "/a?q"), "path");
    expect(ask("GET", "/a/b?q"), "allow");
    expect(ask("GET", "/b/1?q"), "allow");
    expect(ask("GET", "/b/1?/q"), "path");
    expect(ask("GET", "/c/1.x?q"), "path");
    expect(ask("GET", "/c/1?.x"), "path");

    load_rules("{\"methods\":[\"get\"],\"separate_query\":true,"
               "\"template_paths\":["
               "{\"template\":\"/a\",\"prefix\":true},"
               "{\"template\":\"/b/{id}\",\"prefix\":false}]}");

    expect(ask("GET", "/a?q"), "allow");
    expect(ask("GET", "/b/1?/q"), "allow");
    expect(ask("GET", "/b?/1"), "path");
}


static void
test_parameters(void)
{
    unit_test("a path is read without its parameters too");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/static/.*[.]css\","
               "\"/a;x\",\"/b(;x)?\",\"/c/.*\"]},"
               "{\"methods\":[\"get\"],\"template_paths\":[{\"template\":"
               "\"/t/{id}/s\",\"prefix\":true}]},"
               "{\"methods\":[\"post\"],\"paths\":[\"/p.*\"],\"body\":"
               "{\"json\":[{\"name\":\"n\",\"pointer\":\"/b\"}]}}");

    expect(ask("GET", "/static/a.css"), "allow");
    expect(ask("GET", "/static/a.css;v.css"), "allow");
    expect(ask("GET", "/static/secret;.css"), "path");
    expect(ask("GET", "/static/x;y/a.css"), "allow");
    expect(ask("GET", "/static;y/a.css"), "path");
    expect(ask("GET", "/static/a.css;v"), "path");
    expect(ask("GET", "/a;x"), "allow");
    expect(ask("GET", "/a%3bx"), "allow");
    expect(ask("GET", "/a;y"), "path");
    expect(ask("GET", "/a;x;y"), "path");
    expect(ask("GET", "/b;x"), "allow");
    expect(ask("GET", "/b%3bx"), "allow");
    expect(ask("GET", "/c/;"), "path");
    expect(ask("GET", "/c/d;x/e;y;z/"), "allow");
    expect(ask("GET", "/t/1;x/s"), "allow");
    expect(ask("GET", "/t/1/s;x"), "path");
    expect(ask("GET", "/t/1/s/a;x"), "allow");

    body = NULL;
    expect(ask("POST", "/p;x"), "again");

    body = "{\"b\":\"1\"}";
    expect(ask("POST", "/p;x"), "allow");

    body = "{}";
    expect(ask("POST", "/p;x"), "body");

    body = NULL;

    unit_test("each reading of a path may have a rule of its own");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a;x.*\"]},"
               "{\"methods\":[\"get\"],\"paths\":[\"/b;x.*\"]},"
               "{\"methods\":[\"get\"],\"paths\":[\"/a\"]}");

    expect(ask("GET", "/a;xy"), "allow");
    expect(ask("GET", "/b;xy"), "path");
    expect(ask("GET", "/a;y"), "path");

    unit_test("a path with parameters in it is meant only as a whole");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a;x\",\"/b;x/.*\","
               "\"/c;x?\"]}");

    expect(ask("GET", "/a;x"), "allow");
    expect(ask("GET", "/b;x/c"), "path");
    expect(ask("GET", "/c;x"), "path");

    search = 1;
    expect(ask("GET", "/secret/a;x"), "path");
    expect(ask("GET", "/a;x"), "path");
    search = 0;
}


static void
test_reasons(void)
{
    ngx_str_t  host, other, none;

    unit_test("the reason is the furthest part that a rule reached");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":[{\"template\":"
               "\"/{x}\",\"prefix\":false}],\"separate_query\":true,"
               "\"query_parameters\":[{\"name\":\"q\"}],"
               "\"matchers\":{\"matchers\":[{\"extractor_name\":\"x\","
               "\"inverted\":false,\"criteria\":[{\"operator\":\"equals\","
               "\"match_literal\":\"a\"}]}]},"
               "\"body\":{\"json\":[{\"name\":\"n\",\"pointer\":\"/b\"}]}},"
               "{\"methods\":[\"put\"],\"paths\":[\"/put\"]}");

    body = "{\"b\":\"1\"}";

    expect(ask_host("b", "GET", "/a?q"), "host");
    expect(ask("POST", "/a?q"), "method");
    expect(ask("PUT", "/a?q"), "path");
    expect(ask("GET", "/a/b?q"), "path");
    expect(ask("GET", "/a"), "query");
    expect(ask("GET", "/b?q"), "matcher");
    expect(ask("GET", "/a?q"), "allow");

    body = "{}";
    expect(ask("GET", "/a?q"), "body");

    body = NULL;
    expect(ask("GET", "/a?q"), "again");
    expect(ask("GET", "/b?q"), "matcher");
    expect(ask("GET", "/a"), "query");

    unit_test("the rules of a host are counted");

    load("[{\"upstream_host\":\"a\",\"allowed_list\":["
         "{\"methods\":[\"get\"],\"paths\":[\"/a\"]},"
         "{\"methods\":[\"get\"],\"paths\":[\"/b\"]}]},"
         "{\"upstream_host\":\"b\",\"allowed_list\":["
         "{\"methods\":[\"get\"],\"paths\":[\"/a\"]}]}]");

    ngx_str_set(&host, "A:80");
    unit_check(ngx_agt_rules_count(&token.rules, &host, &other) == 2);
    unit_check(unit_equal(&other, "b"));

    ngx_str_set(&host, "c");
    unit_check(ngx_agt_rules_count(&token.rules, &host, &other) == 0);
    unit_check(unit_equal(&other, "a"));

    ngx_str_null(&none);
    unit_check(ngx_agt_rules_count(&none, &host, &other) == 0);
    unit_check(other.len == 0);

    unit_test("a query that rules cannot be applied to");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/.*\"]}");

    expect(ask("GET", "/a?b#c"), "query");
    expect(ask("GET", "/a?b c"), "query");
    expect(ask("GET", "/a?\xff"), "query");
    expect(ask("GET", "/a?%ff"), "allow");
    expect(ask("GET", "/a/../b"), "path");
}


static void
test_body(void)
{
    unit_test("a body is asked for last, and only if it is needed");

    load_rules("{\"methods\":[\"post\"],\"paths\":[\"/a\"],\"body\":{\"json\":"
               "[{\"name\":\"n\",\"pointer\":\"/user_id\",\"exact_match\":"
               "\"1\"},{\"name\":\"n\",\"pointer\":\"/x/0\"}]}},"
               "{\"methods\":[\"post\",\"put\"],\"paths\":[\"/b\",\"/a\"],"
               "\"query_parameters\":[{\"name\":\"q\"}],"
               "\"separate_query\":true}");

    body = NULL;

    expect(ask("POST", "/a"), "again");
    expect(ask("POST", "/a?q"), "allow");
    expect(ask("POST", "/b"), "query");
    expect(ask("PUT", "/a"), "query");
    expect(ask("POST", "/c"), "path");

    unit_test("all constraints on a body must be met");

    body = "{\"user_id\":\"1\",\"x\":[\"y\"],\"other\":1}";
    expect(ask("POST", "/a"), "allow");

    body = "{\"user_id\":\"1\",\"x\":[\"\"]}";
    expect(ask("POST", "/a"), "allow");

    body = "{\"user_id\":\"2\",\"x\":[\"y\"]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"\",\"x\":[\"y\"]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"12\",\"x\":[\"y\"]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":1,\"x\":[\"y\"]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"1\",\"x\":[]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"1\",\"x\":[1]}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"1\",\"x\":[\"y\"],\"User_id\":\"2\"}";
    expect(ask("POST", "/a"), "body");

    body = "{\"user_id\":\"1\",\"x\":[\"y\"],\"user_id\":\"1\"}";
    expect(ask("POST", "/a"), "body");

    body = "user_id=1&x=y";
    expect(ask("POST", "/a"), "body");

    body = "";
    expect(ask("POST", "/a"), "body");

    unit_test("a rule without constraints on the body needs none");

    load_rules("{\"methods\":[\"post\"],\"paths\":[\"/a\"],\"body\":{\"json\":"
               "[]}},{\"methods\":[\"post\"],\"paths\":[\"/b\"],"
               "\"body\":{}}");

    body = NULL;
    expect(ask("POST", "/a"), "allow");
    expect(ask("POST", "/b"), "allow");
}


/* T, F, or U where it cannot be told */

static int
join(int any, int a, int b)
{
    if (any) {
        return (a == 'T' || b == 'T') ? 'T' : (a == 'U' || b == 'U') ? 'U'
                                                                     : 'F';
    }

    return (a == 'F' || b == 'F') ? 'F' : (a == 'U' || b == 'U') ? 'U' : 'T';
}


static int
invert(int a)
{
    return (a == 'T') ? 'F' : (a == 'F') ? 'T' : 'U';
}


/* criteria that are true, false, and cannot be told for the value "v" */

static const char *
criterion(int value)
{
    switch (value) {

    case 'T':
        return "{\"operator\":\"equals\",\"match_literal\":\"v\"}";

    case 'F':
        return "{\"operator\":\"equals\",\"match_literal\":\"w\"}";

    default:
        return "{\"operator\":\"undefined\"}";
    }
}


static void
test_truth_table(void)
{
    int   i, n, a, b, want, outer, joined[2], inverted[2], c[4];
    char  rule[2048], note[64];

    static const int  values[] = { 'T', 'F', 'U' };

    unit_test("the truth table of two matchers of two criteria each");

    for (i = 0; i < 2 * 4 * 4 * 81; i++) {

        n = i;
        outer = n % 2;
        n /= 2;
        joined[0] = n % 2;
        joined[1] = n / 2 % 2;
        n /= 4;
        inverted[0] = n % 2;
        inverted[1] = n / 2 % 2;
        n /= 4;
        c[0] = n % 3;
        c[1] = n / 3 % 3;
        c[2] = n / 9 % 3;
        c[3] = n / 27 % 3;

        a = join(joined[0], values[c[0]], values[c[1]]);
        b = join(joined[1], values[c[2]], values[c[3]]);
        a = inverted[0] ? invert(a) : a;
        b = inverted[1] ? invert(b) : b;
        want = join(outer, a, b);

        (void) snprintf(rule, sizeof(rule),
            "{\"methods\":[\"get\"],\"template_paths\":[{\"template\":"
            "\"/{x}\",\"prefix\":false}],\"matchers\":{\"join_operation\":"
            "\"%s\",\"matchers\":[{\"extractor_name\":\"x\",\"inverted\":%s,"
            "\"join_operation\":\"%s\",\"criteria\":[%s,%s]},"
            "{\"extractor_name\":\"x\",\"inverted\":%s,"
            "\"join_operation\":\"%s\",\"criteria\":[%s,%s]}]}}",
            outer ? "or" : "and",
            inverted[0] ? "true" : "false", joined[0] ? "or" : "and",
            criterion(values[c[0]]), criterion(values[c[1]]),
            inverted[1] ? "true" : "false", joined[1] ? "or" : "and",
            criterion(values[c[2]]), criterion(values[c[3]]));

        (void) snprintf(note, sizeof(note), "%d: %c %c", i, a, b);

        load_rules(rule);

        unit_check_note(strcmp(ask("GET", "/v"),
                               want == 'T' ? "allow" : "matcher") == 0, note);
    }
}


static void
test_matchers(void)
{
    size_t       i;
    char         rule[1024], target[128];
    const char  *got;

    /* what "/{x}/{y}" holds, and whether the criterion on "x" holds */

    static const struct {
        const char  *criterion;
        const char  *x;
        const char  *y;
        int          value;      /* T, F, U */
    } rows[] = {
        { "\"equals\",\"match_literal\":\"a\"", "a", "-", 'T' },
        { "\"equals\",\"match_literal\":\"a\"", "A", "-", 'F' },
        { "\"equals\",\"match_literal\":\"a\"", "ab", "-", 'F' },
        { "\"equals\",\"match_literal\":\"a b\"", "a%20b", "-", 'T' },
        { "\"equals\",\"match_literal\":\"1\"", "1", "-", 'T' },
        { "\"equals\",\"match_literal\":1", "1", "-", 'T' },
        { "\"equals\",\"match_literal\":1", "2", "-", 'F' },
        { "\"equals\",\"match_literal\":1", "01", "-", 'U' },
        { "\"equals\",\"match_literal\":1", "+1", "-", 'U' },
        { "\"equals\",\"match_literal\":1", "1.0", "-", 'U' },
        { "\"equals\",\"match_literal\":1", "a", "-", 'U' },
        { "\"equals\",\"match_literal\":0", "-0", "-", 'U' },
        { "\"equals\",\"match_literal\":-1", "-1", "-", 'T' },
        { "\"equals\",\"match_literal\":9223372036854775807",
          "9223372036854775807", "-", 'T' },
        { "\"equals\",\"match_literal\":-9223372036854775808",
          "-9223372036854775808", "-", 'T' },
        { "\"equals\",\"match_literal\":9223372036854775807",
          "9223372036854775808", "-", 'U' },
        { "\"equals\",\"match_literal\":0", "18446744073709551616", "-",
          'U' },
        { "\"equals\",\"match_literal\":[\"a\"]", "a", "-", 'U' },
        { "\"equals\",\"match_extractor\":\"y\"", "a", "a", 'T' },
        { "\"equals\",\"match_extractor\":\"y\"", "a", "b", 'F' },

        { "\"not_equals\",\"match_literal\":\"a\"", "a", "-", 'F' },
        { "\"not_equals\",\"match_literal\":\"a\"", "b", "-", 'T' },
        { "\"not_equals\",\"match_literal\":1", "2", "-", 'T' },
        { "\"not_equals\",\"match_literal\":1", "1", "-", 'F' },
        { "\"not_equals\",\"match_literal\":1", "b", "-", 'U' },
        { "\"not_equals\",\"match_extractor\":\"y\"", "a", "b", 'T' },
        { "\"not_equals\",\"match_extractor\":\"y\"", "a", "a", 'F' },

        { "\"greater_than\",\"match_literal\":10", "11", "-", 'T' },
        { "\"greater_than\",\"match_literal\":10", "10", "-", 'F' },
        { "\"greater_than\",\"match_literal\":10", "9", "-", 'F' },
        { "\"greater_than\",\"match_literal\":10", "x", "-", 'U' },
        { "\"greater_than\",\"match_literal\":\"10\"", "11", "-", 'T' },
        { "\"greater_than\",\"match_literal\":\"a\"", "11", "-", 'U' },
        { "\"greater_than\",\"match_extractor\":\"y\"", "11", "2", 'T' },
        { "\"greater_than\",\"match_extractor\":\"y\"", "11", "x", 'U' },
        { "\"less_than\",\"match_literal\":10", "9", "-", 'T' },
        { "\"less_than\",\"match_literal\":10", "10", "-", 'F' },
        { "\"less_than\",\"match_literal\":10", "-11", "-", 'T' },
        { "\"less_than\",\"match_literal\":10", "", "-", 'X' },

        { "\"in\",\"match_literal\":[\"a\",\"b\"]", "b", "-", 'T' },
        { "\"in\",\"match_literal\":[\"a\",\"b\"]", "c", "-", 'F' },
        { "\"in\",\"match_literal\":[\"a\",1]", "1", "-", 'T' },
        { "\"in\",\"match_literal\":[\"a\",1]", "a", "-", 'T' },
        { "\"in\",\"match_literal\":[\"a\",1]", "b", "-", 'U' },
        { "\"in\",\"match_literal\":[]", "b", "-", 'F' },
        { "\"in\",\"match_literal\":\"b\"", "b", "-", 'U' },
        { "\"in\",\"match_extractor\":\"y\"", "b", "b", 'U' },
        { "\"not_in\",\"match_literal\":[\"a\",\"b\"]", "c", "-", 'T' },
        { "\"not_in\",\"match_literal\":[\"a\",\"b\"]", "a", "-", 'F' },
        { "\"not_in\",\"match_literal\":[\"a\",1]", "b", "-", 'U' },
        { "\"not_in\",\"match_literal\":[]", "b", "-", 'T' },

        { "\"undefined\"", "b", "-", 'U' },

        /* a value that no template names */
        { "\"equals\",\"match_extractor\":\"z\"", "a", "a", 'U' },
        { "\"not_equals\",\"match_extractor\":\"z\"", "a", "a", 'U' },
    };

    unit_test("criteria, and their inverse");

    for (i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(rule, sizeof(rule),
            "{\"methods\":[\"get\"],\"template_paths\":[{\"template\":"
            "\"/{x}/{y}\",\"prefix\":false}],\"matchers\":{\"matchers\":["
            "{\"extractor_name\":\"x\",\"inverted\":%s,"
            "\"criteria\":[{\"operator\":%s}]}]}}",
            i % 2 ? "true" : "false", rows[i / 2].criterion);

        (void) snprintf(target, sizeof(target), "/%s/%s", rows[i / 2].x,
                        rows[i / 2].y);

        load_rules(rule);
        got = ask("GET", target);

        unit_check_note(strcmp(got, rows[i / 2].value == 'X' ? "path"
                                    : rows[i / 2].value == (i % 2 ? 'F' : 'T')
                                      ? "allow" : "matcher") == 0,
                        rule);
    }
}


static void
test_matched_template(void)
{
    unit_test("values come from the first template that matches");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/a/{x}\",\"prefix\":false},"
               "{\"template\":\"/{x}/{y}\",\"prefix\":false}],"
               "\"matchers\":{\"matchers\":[{\"extractor_name\":\"x\","
               "\"inverted\":false,\"criteria\":[{\"operator\":\"equals\","
               "\"match_literal\":\"a\"}]}]}}");

    expect(ask("GET", "/a/a"), "allow");
    expect(ask("GET", "/a/b"), "matcher");
    expect(ask("GET", "/b/a"), "matcher");

    unit_test("a name of another template is not known");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/a/{x}\",\"prefix\":false},"
               "{\"template\":\"/b/{y}\",\"prefix\":false}],"
               "\"matchers\":{\"join_operation\":\"or\",\"matchers\":["
               "{\"extractor_name\":\"y\",\"inverted\":false,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"1\"}]},"
               "{\"extractor_name\":\"x\",\"inverted\":true,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"1\"}]}]}}");

    expect(ask("GET", "/b/1"), "matcher");
    expect(ask("GET", "/a/2"), "matcher");

    unit_test("a name that stands for two values is not known");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/{x}/{x}\",\"prefix\":false}],"
               "\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"x\",\"inverted\":true,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"1\"}]}]}}");

    expect(ask("GET", "/2/2"), "allow");
    expect(ask("GET", "/1/1"), "matcher");
    expect(ask("GET", "/2/3"), "matcher");

    unit_test("a value that the query may be part of is not known");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/{y}/{x}\",\"prefix\":false}],"
               "\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"x\",\"inverted\":true,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"1\"}]}]}},"
               "{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/{y}/{x}\",\"prefix\":false}],"
               "\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"y\",\"inverted\":false,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"known\"}]}]}}");

    expect(ask("GET", "/a/2"), "allow");
    expect(ask("GET", "/a/2?q"), "matcher");
    expect(ask("GET", "/a/1?q"), "matcher");
    expect(ask("GET", "/known/1?q"), "allow");

    unit_test("a template that some see first is the first to all");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/a\",\"prefix\":false},"
               "{\"template\":\"/{x}\",\"prefix\":false}],"
               "\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"x\",\"inverted\":false,\"criteria\":["
               "{\"operator\":\"not_equals\",\"match_literal\":\"b\"}]}]}}");

    expect(ask("GET", "/a"), "matcher");
    expect(ask("GET", "/a?q"), "path");
    expect(ask("GET", "/c"), "allow");

    load_rules("{\"methods\":[\"get\"],\"template_paths\":["
               "{\"template\":\"/a\",\"prefix\":false},"
               "{\"template\":\"/{x}\",\"prefix\":false}]}");

    expect(ask("GET", "/a?q"), "allow");
    expect(ask("GET", "/a?/q"), "path");

    unit_test("matchers without a template are not known");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/.*\"],"
               "\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"x\",\"inverted\":true,\"criteria\":["
               "{\"operator\":\"equals\",\"match_literal\":\"1\"}]}]}}");

    expect(ask("GET", "/a"), "matcher");
}


static void
test_views(void)
{
    ngx_str_t             none = ngx_null_string;
    ngx_agt_reason_e      reason;
    ngx_agt_rules_view_t  view;

    unit_test("an empty view allows nothing");

    load_rules("{\"methods\":[\"all\"],\"paths\":[\".*\",\"\"]}");

    ngx_memzero(&view, sizeof(view));

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_DECLINED);
    unit_check(reason == NGX_AGT_REASON_PATH);

    ngx_str_set(&view.host, "a.example");

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_DECLINED);

    ngx_str_set(&view.path, "a");

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_DECLINED);

    ngx_str_set(&view.path, "/a");

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_OK);

    unit_check(ngx_agt_rules_decide(rules, &none, &view, &reason)
               == NGX_DECLINED);
    unit_check(reason == NGX_AGT_REASON_RULE);

    unit_test("a query is one, with or without the word");

    load_rules("{\"methods\":[\"all\"],\"paths\":[\"/a\"]}");

    ngx_str_set(&view.query, "x");
    view.has_query = 0;

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_DECLINED);
}


static void
test_packed(void)
{
    u_char                    *packed;
    size_t                     len, i, n;
    ngx_str_t                  host, get, path, pattern, name,
                                           value;
    ngx_agt_ruleset_builder_t  b;

    unit_test("what is packed as no document could say matches nothing");

    ngx_str_set(&host, "a.example");
    ngx_str_set(&get, "get");
    ngx_str_set(&path, "/{x}");
    ngx_str_set(&pattern, "/.*");
    ngx_str_set(&name, "x");
    ngx_str_set(&value, "v");

    for (i = 0; i < 8; i++) {
        packed = buf;

        ngx_agt_ruleset_begin(&b, packed, SIZE);
        (void) ngx_agt_ruleset_host(&b, &host);
        ngx_agt_ruleset_rule(&b);
        ngx_agt_ruleset_method(&b, &get);

        if (i == 1) {

            /* out of order: a query that comes too early is never looked at */

            ngx_agt_ruleset_query(&b, &name, NULL);
        }

        ngx_agt_ruleset_path(&b, &pattern);
        ngx_agt_ruleset_template(&b, &path, 0);

        if (i == 2) {
            ngx_agt_ruleset_matchers(&b, 0);
            ngx_agt_ruleset_matcher(&b, &name, 0, 0);
        }

        if (i == 3) {
            ngx_agt_ruleset_matchers(&b, 0);
        }

        if (i == 5) {

            /* a matcher that the rule does not know of is never looked at */

            ngx_agt_ruleset_matcher(&b, &name, 0, 0);
        }

        if (i > 5) {

            /* nor does an operator compare that is none */

            ngx_agt_ruleset_matchers(&b, 0);
            ngx_agt_ruleset_matcher(&b, &name, 0, 0);
            ngx_agt_ruleset_criterion(&b,
                     (i == 6) ? NGX_AGT_RULESET_UNDEFINED
                              : NGX_AGT_RULESET_UNDEFINED + 1,
                     NULL, 0);
            ngx_agt_ruleset_string(&b, &value);
        }

        ngx_agt_ruleset_rule_end(&b);
        len = ngx_agt_ruleset_end(&b);

        unit_check(len > 0 && b.rules == 1);

        token.rules.data = packed;
        token.rules.len = len;

        if (i == 4) {

            /* a kind of path that there is not: it follows the type */

            for (n = 0; n + 20 < len; n++) {
                if (memcmp(packed + n, "\1\1\0\0\1\0", 6) == 0) {
                    packed[n + 1] = 9;
                    break;
                }
            }

            unit_check(n + 20 < len);
        }

        unit_check((strcmp(ask("GET", "/v"), "allow") == 0) == (i == 0));
    }
}


static void
test_flipped(void)
{
    u_char           *saved;
    size_t            i;
    ngx_int_t         rc;
    ngx_uint_t        c, other;
    ngx_str_t         copy;
    ngx_agt_reason_e  reason;

    unit_test("a changed byte of the packed form does no harm");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/a\\\\.b.*\",\"/[xy]/b\"],"
               "\"template_paths\":[{\"template\":\"/{x}/b\",\"prefix\":"
               "true}],\"query_parameters\":[{\"name\":\"q\",\"exact_match\":"
               "\"1\"}],\"separate_query\":true,\"matchers\":{\"matchers\":["
               "{\"extractor_name\":\"x\",\"inverted\":false,\"criteria\":["
               "{\"operator\":\"in\",\"match_literal\":[\"x\",1]}]}]},"
               "\"body\":{\"json\":[{\"name\":\"n\",\"pointer\":\"/b\"}]}}");

    body = "{\"b\":\"1\"}";

    expect(ask("GET", "/x/b?q=1"), "allow");

    copy = unit_copy(token.rules.data, token.rules.len);
    saved = token.rules.data;
    token.rules = copy;
    other = 0;

    for (i = 0; i < copy.len; i++) {
        for (c = 0; c < 256; c++) {
            copy.data[i] = (u_char) c;

            rc = decide("a.example", "GET", "/x/b?q=1", &reason);
            unit_check(rc == NGX_OK || rc == NGX_DECLINED);
            other += (rc == NGX_DECLINED);

            (void) decide("a.example", "GET", "/a.bc", &reason);
        }

        copy.data[i] = saved[i];
    }

    unit_check(other > 10000);

    free(copy.data);
    body = NULL;
}


/* copies a rule, with a number for "%" */

static size_t
numbered(char *out, const char *rule, size_t number)
{
    char  *p;

    for (p = out; *rule; rule++) {
        if (*rule == '%') {
            p += sprintf(p, "%zu", number);

        } else {
            *p++ = *rule;
        }
    }

    return (size_t) (p - out);
}


static void
test_many(void)
{
    char             *list, *path;
    size_t            len, i, shape;
    double            ms;
    ngx_int_t         rc;
    struct timespec   start, end;
    ngx_agt_reason_e  reason;

    static const struct {
        const char  *name;
        const char  *rule;
        size_t       n;
        unsigned     search;
    } shapes[] = {
        { "7,000 literals and a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"/%\"]},", 7000, 0 },
        { "7,000 literals anywhere in a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"%/\"]},", 7000, 1 },
        { "5,000 patterns and a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\".*/[0-9]x%\"]},", 5000, 0 },
        { "5,000 patterns anywhere in a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"[0-9]x%\"]},", 5000, 1 },
        { "2,900 templates and a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"template_paths\":[{\"template\":"
          "\"/{a}x%\",\"prefix\":true}]},", 2900, 0 },
        { "hostile patterns and a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"/(a+)+%\"]},", 1000, 0 },
        { "hostile patterns anywhere in a path of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"(a+)+%\"]},", 1000, 1 },
        { "constraints on a query of 8 kilobytes",
          "{\"methods\":[\"get\"],\"paths\":[\"/.*\"],\"separate_query\":true,"
          "\"query_parameters\":[{\"name\":\"a%\"}]},", 2000, 0 },
    };

    list = malloc(sizeof(text));
    path = malloc(20000);

    for (shape = 0; shape < sizeof(shapes) / sizeof(shapes[0]); shape++) {
        unit_test(shapes[shape].name);

        len = 0;

        for (i = 0; i < shapes[shape].n
                    && len < NGX_AGT_JSON_MAX_BODY - 400; i++)
        {
            len += numbered(list + len, shapes[shape].rule, i + 100000);
        }

        list[len - 1] = '\0';

        load_rules(list);

        memset(path, 'a', 8192);
        path[0] = '/';
        path[8192] = '\0';

        if (shape == 7) {
            for (i = 0; i < 8000; i += 4) {
                memcpy(path + 8192 + i, i ? "&b=1" : "?b=1", 4);
            }
            path[8192 + i] = '\0';
        }

        if (shape == 0) {
            expect(ask("GET", "/100000"), "allow");
            expect(ask("GET", "/103500"), "allow");
            expect(ask("GET", "/106000"), "allow");
            expect(ask("GET", "/106000x"), "path");
        }

        search = shapes[shape].search;

        for (i = 0; i < 3; i++) {
            (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
            rc = decide("a.example", "GET", path, &reason);
            (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);

            ms = (double) (end.tv_sec - start.tv_sec) * 1e3
                 + (double) (end.tv_nsec - start.tv_nsec) / 1e6;

            unit_check(rc == NGX_DECLINED);
            unit_check(ms < BUDGET + UNIT_SLOW);
        }

        printf("# %.2f ms\n", ms);

        search = 0;
    }

    free(path);
    free(list);
}


static void
test_spent(void)
{
    char                 *list, *path;
    size_t                len, i;
    uint64_t              spent;
    ngx_agt_reason_e      reason;
    ngx_agt_rules_view_t  view;

    unit_test("once the budget is spent, what many rules could still say is "
              "not heard");

    list = malloc(sizeof(text));
    path = malloc(8193);

    memset(path, 'a', 8192);
    path[0] = '/';
    path[8191] = '!';
    path[8192] = '\0';

    len = (size_t) sprintf(list, "{\"methods\":[\"get\"],\"paths\":"
                                 "[\"/(a+)+x\"]},");

    for (i = 0; i < 1000; i++) {
        len += (size_t) sprintf(list + len, "{\"methods\":[\"get\"],"
                                            "\"paths\":[\"/%zu\"]},", i);
    }

    (void) sprintf(list + len, "{\"methods\":[\"get\"],\"paths\":[\"%s\"]}",
                   path);

    load_rules(list);
    expect(ask("GET", path), "path");

    /* the same without the pattern that spends it */

    load_rules(strchr(list, '}') + 2);
    expect(ask("GET", path), "allow");

    unit_test("a request has one budget, whatever is decided about it");

    ngx_memzero(&view, sizeof(view));

    view.host = unit_str("a.example");
    view.method = unit_str("GET");
    view.path = unit_str(path);
    view.state = NGX_AGT_RULES_ABSENT;

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_OK);

    spent = view.spent;
    unit_check(spent > 0);

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_OK);
    unit_check(view.spent > spent);

    view.spent = NGX_AGT_REGEX_BUDGET;

    unit_check(ngx_agt_rules_decide(rules, &token.rules, &view, &reason)
               == NGX_DECLINED);

    free(view.host.data);
    free(view.method.data);
    free(view.path.data);

    free(path);
    free(list);
}


static void
test_allocations(void)
{
    size_t            n, all;
    ngx_int_t         rc;
    ngx_agt_reason_e  reason;

    unit_test("each allocation may fail, and then nothing is allowed");

    load_rules("{\"methods\":[\"get\"],\"paths\":[\"/[a-z]+\\\\?q\"]}");

    all = 0;

    for (n = 0; n < 100; n++) {
        allowed = n;

        rules = ngx_agt_rules_create(4);

        if (rules == NULL) {
            unit_check(blocks == 0);
            continue;
        }

        rc = decide("a.example", "GET", "/abc?q", &reason);

        unit_check(rc == NGX_OK || rc == NGX_DECLINED);
        all += (rc == NGX_OK);

        rc = decide("a.example", "GET", "/ab;c?q", &reason);

        unit_check(rc == NGX_DECLINED);

        allowed = 1000;

        unit_check(decide("a.example", "GET", "/abc?q", &reason) == NGX_OK);
        unit_check(decide("a.example", "GET", "/abc?r", &reason)
                   == NGX_DECLINED);

        ngx_agt_rules_destroy(rules);

        unit_check(blocks == 0);
    }

    unit_check(all > 0 && all < 100);
}
