
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>

#include "unit.h"

#include "json/token.h"
#include "rules/ruleset.h"


#define SIZE  (1 << 20)


static void test_understood(void);
static void test_rules(void);
static void test_hosts(void);
static void test_members(void);
static void test_buffer_sizes(void);
static void test_large(void);
static void test_allocations(void);
static ngx_int_t read_hosts(const char *hosts);
static ngx_int_t read_rule(const char *rule);
static void *counted_malloc(size_t size);
static void counted_free(void *p);


static char                             text[65536];
static u_char                           buf[SIZE];
static ngx_uint_t                       nrules;
static ngx_agt_json_token_t  token;

static size_t  allowed, blocks;


/* the documented example of CreateTokenRequest, which is all there can be */

static const char  example[] =
    "{\"methods\":[\"get\"],\"paths\":[\"paths_example\"],"
    "\"template_paths\":[{\"template\":\"/collection/{guid}/subcollection/"
    "{sub_guid}\",\"prefix\":false}],"
    "\"query_parameters\":[{\"name\":\"name_example\","
    "\"exact_match\":\"exact_match_example\"}],"
    "\"body\":{\"json\":[{\"name\":\"name_example\","
    "\"exact_match\":\"exact_match_example\",\"match_type\":\"string\","
    "\"pointer\":\"/foo/0/a~1b/2\"}]},\"resource_info\":{},"
    "\"matchers\":{\"matchers\":[{\"extractor_name\":\"resource_guid\","
    "\"inverted\":false,\"join_operation\":\"and\",\"criteria\":["
    "{\"operator\":\"equals\",\"match_literal\":null,"
    "\"match_extractor\":\"port\"}]}],\"join_operation\":\"and\"},"
    "\"separate_query\":true}";


int
main(void)
{
    ngx_agt_json_init();

    test_understood();
    test_rules();
    test_hosts();
    test_members();
    test_buffer_sizes();
    test_large();
    test_allocations();

    return unit_done();
}


static ngx_int_t
read_hosts(const char *hosts)
{
    ngx_int_t                 rc;
    ngx_str_t                 copy;
    ngx_agt_facts_t           facts;
    ngx_agt_ruleset_cursor_t  cursor;

    (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"hosts\":%s}", hosts);

    copy = unit_str(text);
    rc = ngx_agt_json_token(copy.data, copy.len, 0, buf, SIZE, &token);
    free(copy.data);

    nrules = 0;

    if (rc != NGX_OK) {
        unit_check(token.rules.len == 0 && token.facts.len == 0);
        return rc;
    }

    unit_check(ngx_agt_facts_open(&facts, token.facts.data, token.facts.len)
               == NGX_OK);
    unit_check(unit_equal(&facts.sub, "x"));
    unit_check(facts.has_rules == (token.rules.len != 0));

    if (token.rules.len) {
        unit_check(ngx_agt_ruleset_open(&cursor, &nrules,
                                        token.rules.data,
                                        token.rules.len)
                   == NGX_OK);
        unit_check(nrules > 0);
    }

    return rc;
}


static ngx_int_t
read_rule(const char *rule)
{
    char  hosts[4096];

    (void) snprintf(hosts, sizeof(hosts), "[{\"upstream_host\":\"a\","
                    "\"allowed_list\":[%s]}]", rule);

    return read_hosts(hosts);
}


static void
test_understood(void)
{
    unit_test("the documented example is understood");

    unit_check(read_rule(example) == NGX_OK);
    unit_check(nrules == 1 && token.dropped == 0);

    unit_check(read_hosts("[{\"upstream_host\":\"example.com\",\"app_id\":"
                          "\"a1\",\"admin_org_id\":\"o1\",\"allowed_list\":"
                          "[{\"methods\":[\"get\"],\"paths\":[\"/.*\"]}]}]")
               == NGX_OK);
    unit_check(nrules == 1);

    unit_test("a token without rules has none");

    unit_check(read_hosts("null") == NGX_OK && nrules == 0);
    unit_check(read_hosts("[]") == NGX_OK && nrules == 0);
    unit_check(read_hosts("[{\"upstream_host\":\"a\"}]") == NGX_OK
               && nrules == 0 && token.dropped == 0);
    unit_check(read_hosts("[{\"upstream_host\":\"a\",\"allowed_list\":[]}]")
               == NGX_OK && nrules == 0);
    unit_check(read_hosts("[{\"upstream_host\":\"a\",\"allowed_list\":null}]")
               == NGX_OK && nrules == 0);

    unit_test("hosts of another type are as good as none");

    unit_check(read_hosts("{}") == NGX_OK && nrules == 0);
    unit_check(read_hosts("\"a\"") == NGX_OK && nrules == 0);
    unit_check(read_hosts("1") == NGX_OK && nrules == 0);
    unit_check(read_hosts("true") == NGX_OK && nrules == 0);
    unit_check(read_hosts("[1,null,[],\"a\"]") == NGX_OK && nrules == 0);
}


static void
test_rules(void)
{
    size_t  i;
    char    rule[2048];

    /* members besides a method, and whether the rule is understood */

    static const struct {
        const char   *members;
        ngx_uint_t    understood;
    } rows[] = {
        { "\"paths\":[\"/a\"]", 1 },
        { "\"paths\":[\"/a\",\"(\"]", 1 },
        { "\"paths\":[\"/a\"],\"template_paths\":null", 1 },
        { "\"paths\":[\"/a\"],\"template_paths\":[]", 0 },
        { "\"paths\":[]", 0 },
        { "\"paths\":null", 0 },
        { "\"paths\":\"/a\"", 0 },
        { "\"paths\":{}", 0 },
        { "\"paths\":[1]", 0 },
        { "\"paths\":[\"/a\",null]", 0 },
        { "\"paths\":[\"/a\",[\"/b\"]]", 0 },
        { "\"resource_info\":{}", 0 },

        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":true}]", 1 },
        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":true}],"
          "\"paths\":[]", 0 },
        { "\"template_paths\":[{\"template\":\"/a\"}]", 0 },
        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":null}]", 0 },
        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":0}]", 0 },
        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":\"true\"}]",
          0 },
        { "\"template_paths\":[{\"prefix\":true}]", 0 },
        { "\"template_paths\":[{\"template\":\"\",\"prefix\":true}]", 0 },
        { "\"template_paths\":[{\"template\":\"/{\",\"prefix\":true}]", 0 },
        { "\"template_paths\":[{\"template\":1,\"prefix\":true}]", 0 },
        { "\"template_paths\":[{\"template\":\"/a\",\"prefix\":true,"
          "\"x\":1}]", 0 },
        { "\"template_paths\":[\"/a\"]", 0 },
        { "\"template_paths\":[]", 0 },
        { "\"template_paths\":{}", 0 },

        { "\"paths\":[\"/a\"],\"query_parameters\":[]", 1 },
        { "\"paths\":[\"/a\"],\"query_parameters\":null", 1 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\"}]", 1 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"exact_match\":\"\",\"match_type\":\"exact\"}]", 1 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"exact_match\":null,\"match_type\":null}]", 1 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"exact_match\":\".*\",\"match_type\":\"regex\"}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"match_type\":\"\"}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"match_type\":1}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"exact_match\":1}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"n\","
          "\"negated\":true}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"name\":\"\"}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{\"exact_match\":\"\"}]",
          0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[\"n\"]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":[{}]", 0 },
        { "\"paths\":[\"/a\"],\"query_parameters\":{}", 0 },

        { "\"paths\":[\"/a\"],\"body\":{}", 1 },
        { "\"paths\":[\"/a\"],\"body\":null", 1 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[]}", 1 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":null}", 1 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"/a\"}]}", 1 },
        { "\"paths\":[\"/a\"],\"body\":[]", 0 },
        { "\"paths\":[\"/a\"],\"body\":\"x\"", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"form\":[]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":{}}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\"}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"pointer\":\"/a\"}]}",
          0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"\"}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"a\"}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"/~2\"}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"/a\",\"match_type\":\"int\"}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"/a\",\"exact_match\":1}]}", 0 },
        { "\"paths\":[\"/a\"],\"body\":{\"json\":[{\"name\":\"n\","
          "\"pointer\":\"/a\",\"x\":1}]}", 0 },

        { "\"paths\":[\"/a\"],\"resource_info\":{\"x\":1}", 1 },
        { "\"paths\":[\"/a\"],\"resource_info\":null", 1 },
        { "\"paths\":[\"/a\"],\"resource_info\":[]", 0 },
        { "\"paths\":[\"/a\"],\"resource_info\":\"x\"", 0 },

        { "\"paths\":[\"/a\"],\"separate_query\":true", 1 },
        { "\"paths\":[\"/a\"],\"separate_query\":false", 1 },
        { "\"paths\":[\"/a\"],\"separate_query\":null", 1 },
        { "\"paths\":[\"/a\"],\"separate_query\":1", 0 },
        { "\"paths\":[\"/a\"],\"separate_query\":\"true\"", 0 },

        { "\"paths\":[\"/a\"],\"priority\":1", 0 },
        { "\"paths\":[\"/a\"],\"priority\":null", 0 },
        { "\"paths\":[\"/a\"],\"Paths\":[\"/a\"]", 0 },
        { "\"paths\":[\"/a\"],\"actions\":[\"deny\"]", 0 },
        { "\"paths\":[\"/a\"],\"\":1", 0 },
    };

    unit_test("rules that are understood, and rules that are not");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(rule, sizeof(rule), "{\"methods\":[\"get\"],%s}",
                        rows[i].members);

        unit_check_note(read_rule(rule) == NGX_OK, rows[i].members);
        unit_check_note(nrules == rows[i].understood, rows[i].members);
        unit_check_note(token.dropped == !rows[i].understood,
                        rows[i].members);
    }

    unit_test("methods");

    static const struct {
        const char   *methods;
        ngx_uint_t    understood;
    } methods[] = {
        { "[\"get\"]", 1 }, { "[\"all\"]", 1 }, { "[\"foo\",\"get\"]", 1 },
        { "[]", 0 }, { "null", 0 }, { "[\"GET\"]", 0 }, { "[\"foo\"]", 0 },
        { "[\"*\"]", 0 }, { "[\"\"]", 0 }, { "\"get\"", 0 },
        { "[\"get\",1]", 0 }, { "[\"get\",null]", 0 }, { "{}", 0 },
    };

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        (void) snprintf(rule, sizeof(rule),
                        "{\"methods\":%s,\"paths\":[\"/a\"]}",
                        methods[i].methods);

        unit_check_note(read_rule(rule) == NGX_OK, rule);
        unit_check_note(nrules == methods[i].understood, rule);
    }

    unit_check(read_rule("{\"paths\":[\"/a\"]}") == NGX_OK && nrules == 0);

    unit_test("a rule that is not an object");

    unit_check(read_rule("1,null,\"a\",[],[{}]") == NGX_OK);
    unit_check(nrules == 0 && token.dropped == 5);

    unit_test("rules that are not understood leave the others alone");

    unit_check(read_rule("{\"methods\":[\"get\"],\"paths\":[\"/a\"]},"
                         "{\"methods\":[\"get\"],\"paths\":[\"/b\"],\"x\":1},"
                         "{\"methods\":[\"put\"],\"paths\":[\"/c\"]}")
               == NGX_OK);
    unit_check(nrules == 2 && token.dropped == 1);
}


static void
test_hosts(void)
{
    size_t  i;
    char    hosts[1024];

    static const struct {
        const char   *members;
        ngx_uint_t    understood;
    } rows[] = {
        { "\"upstream_host\":\"a\"", 1 },
        { "\"upstream_host\":\"A.b:80\",\"app_id\":\"x\"", 1 },
        { "\"upstream_host\":\"a\",\"app_id\":null,\"admin_org_id\":null", 1 },
        { "\"upstream_host\":\"a\",\"app_id\":1", 0 },
        { "\"upstream_host\":\"a\",\"admin_org_id\":[]", 0 },
        { "\"upstream_host\":\"a\",\"x\":1", 0 },
        { "\"upstream_host\":\"a\",\"denied_list\":[]", 0 },
        { "\"upstream_host\":\"a\",\"x\":null", 0 },
        { "\"upstream_host\":\"\"", 0 },
        { "\"upstream_host\":\"*\"", 0 },
        { "\"upstream_host\":\"*.a\"", 0 },
        { "\"upstream_host\":\".\"", 0 },
        { "\"upstream_host\":\"a b\"", 0 },
        { "\"upstream_host\":null", 0 },
        { "\"upstream_host\":1", 0 },
        { "\"app_id\":\"a\"", 0 },
    };

    unit_test("hosts that are understood, and hosts that are not");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(hosts, sizeof(hosts),
                        "[{%s,\"allowed_list\":[{\"methods\":[\"get\"],"
                        "\"paths\":[\"/a\"]}]}]", rows[i].members);

        unit_check_note(read_hosts(hosts) == NGX_OK, hosts);
        unit_check_note(nrules == rows[i].understood, hosts);
        unit_check_note(token.dropped == !rows[i].understood, hosts);
    }

    unit_check(read_hosts("[{\"upstream_host\":\"a\",\"allowed_list\":{}}]")
               == NGX_OK && nrules == 0);
    unit_check(read_hosts("[{\"upstream_host\":\"a\",\"allowed_list\":\"x\"}]")
               == NGX_OK && nrules == 0);
}


static void
test_members(void)
{
    size_t  i;
    char    rule[2048];

    static const struct {
        const char   *matchers;
        ngx_uint_t    understood;
    } rows[] = {
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,"
          "\"criteria\":[{\"operator\":\"equals\",\"match_literal\":\"a\"}]}]"
          "}", 1 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":true,"
          "\"join_operation\":\"or\",\"criteria\":[{\"operator\":\"in\","
          "\"match_literal\":[\"a\",1,-2]},{\"operator\":\"undefined\"}]}],"
          "\"join_operation\":\"or\"}", 1 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,"
          "\"criteria\":[{\"operator\":\"less_than\",\"match_extractor\":"
          "\"f\"}]}]}", 1 },
        { "null", 1 },

        { "{}", 0 },
        { "[]", 0 },
        { "\"x\"", 0 },
        { "{\"matchers\":[]}", 0 },
        { "{\"matchers\":null}", 0 },
        { "{\"matchers\":{}}", 0 },
        { "{\"matchers\":[{}]}", 0 },
        { "{\"matchers\":[1]}", 0 },

#define MATCHER(members)                                                      \
    "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,\"criteria\":"\
    "[{\"operator\":\"equals\",\"match_literal\":\"a\"}]" members "}]}"

        { MATCHER(""), 1 },
        { MATCHER(",\"join_operation\":\"and\""), 1 },
        { MATCHER(",\"join_operation\":null"), 1 },
        { MATCHER(",\"join_operation\":\"xor\""), 0 },
        { MATCHER(",\"join_operation\":\"AND\""), 0 },
        { MATCHER(",\"join_operation\":1"), 0 },
        { MATCHER(",\"x\":1"), 0 },

        { "{\"matchers\":[{\"extractor_name\":\"e\",\"criteria\":"
          "[{\"operator\":\"undefined\"}]}]}", 0 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":0,"
          "\"criteria\":[{\"operator\":\"undefined\"}]}]}", 0 },
        { "{\"matchers\":[{\"inverted\":false,\"criteria\":"
          "[{\"operator\":\"undefined\"}]}]}", 0 },
        { "{\"matchers\":[{\"extractor_name\":\"\",\"inverted\":false,"
          "\"criteria\":[{\"operator\":\"undefined\"}]}]}", 0 },
        { "{\"matchers\":[{\"extractor_name\":"
          "\"01234567890123456789012345678901\",\"inverted\":false,"
          "\"criteria\":[{\"operator\":\"undefined\"}]}]}", 1 },
        { "{\"matchers\":[{\"extractor_name\":"
          "\"012345678901234567890123456789012\",\"inverted\":false,"
          "\"criteria\":[{\"operator\":\"undefined\"}]}]}", 0 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,"
          "\"criteria\":[]}]}", 0 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false}]}",
          0 },
        { "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,"
          "\"criteria\":null}]}", 0 },

#define CRITERION(members)                                                    \
    "{\"matchers\":[{\"extractor_name\":\"e\",\"inverted\":false,\"criteria\":"\
    "[{" members "}]}]}"

        { CRITERION("\"operator\":\"undefined\""), 1 },
        { CRITERION("\"operator\":\"undefined\",\"match_literal\":null"), 1 },
        { CRITERION("\"operator\":\"undefined\",\"match_literal\":1"), 0 },
        { CRITERION("\"operator\":\"undefined\",\"match_extractor\":\"f\""),
          0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":1"), 1 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":\"\""), 1 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":null,"
                    "\"match_extractor\":\"f\""), 1 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":\"a\","
                    "\"match_extractor\":\"f\""), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":null"), 0 },
        { CRITERION("\"operator\":\"equals\""), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":true"), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":1.5"), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":{}"), 0 },
        { CRITERION("\"operator\":\"in\",\"match_literal\":[]"), 1 },
        { CRITERION("\"operator\":\"in\",\"match_literal\":[null]"), 0 },
        { CRITERION("\"operator\":\"in\",\"match_literal\":[[]]"), 0 },
        { CRITERION("\"operator\":\"in\",\"match_literal\":[true]"), 0 },
        { CRITERION("\"operator\":\"matches\",\"match_literal\":\"a\""), 0 },
        { CRITERION("\"operator\":null,\"match_literal\":\"a\""), 0 },
        { CRITERION("\"operator\":1,\"match_literal\":\"a\""), 0 },
        { CRITERION("\"match_literal\":\"a\""), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_literal\":\"a\","
                    "\"x\":1"), 0 },
        { CRITERION("\"operator\":\"equals\",\"match_extractor\":1"), 0 },
    };

    unit_test("matchers that are understood, and matchers that are not");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(rule, sizeof(rule),
                        "{\"methods\":[\"get\"],\"template_paths\":"
                        "[{\"template\":\"/{e}/{f}\",\"prefix\":false}],"
                        "\"matchers\":%s}", rows[i].matchers);

        unit_check_note(read_rule(rule) == NGX_OK, rows[i].matchers);
        unit_check_note(nrules == rows[i].understood, rows[i].matchers);
    }
}


static void
test_buffer_sizes(void)
{
    u_char               *p;
    size_t                size, need;
    ngx_str_t             body;
    ngx_agt_json_token_t  t;

    unit_test("a buffer of any size holds all or nothing");

    unit_check(read_rule(example) == NGX_OK && nrules == 1);

    body = unit_str(text);
    need = token.facts.len + token.rules.len;

    for (size = 0; size <= need + 1; size++) {
        p = malloc(size ? size : 1);

        unit_check(ngx_agt_json_token(body.data, body.len, 0, p, size, &t)
                   == (size < need ? NGX_ERROR : NGX_OK));
        unit_check(t.facts.len + t.rules.len == (size < need ? 0 : need));

        free(p);
    }

    free(body.data);
}


static void
test_large(void)
{
    char       *body;
    size_t      len, i;
    u_char     *packed;
    ngx_int_t   rc;

    unit_test("rules of the largest body");

    body = malloc(NGX_AGT_JSON_MAX_BODY);
    packed = malloc(SIZE);

    len = (size_t) sprintf(body, "{\"sub\":\"x\",\"hosts\":[{\"upstream_host\""
                                 ":\"a\",\"allowed_list\":[");

    for (i = 0; len < NGX_AGT_JSON_MAX_BODY - 100; i++) {
        len += (size_t) sprintf(body + len, "{\"methods\":[\"get\"],\"paths\":"
                                "[\"/%d\"]},", (int) i);
    }

    len--;
    len += (size_t) sprintf(body + len, "]}]}");

    rc = ngx_agt_json_token((u_char *) body, len, 0, packed, SIZE, &token);

    printf("# %zu rules in %zu bytes are %zu bytes\n", i, len,
           token.rules.len);

    unit_check(rc == NGX_OK && token.dropped == 0);

    unit_test("rules that do not fit are an error, and never cut");

    len = token.rules.len + token.facts.len;

    unit_check(ngx_agt_json_token((u_char *) body, strlen(body), 0,
                                  packed, len - 1, &token)
               == NGX_ERROR);
    unit_check(token.rules.len == 0 && token.facts.len == 0);

    free(packed);
    free(body);
}


static void *
counted_malloc(size_t size)
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
test_allocations(void)
{
    size_t     n;
    ngx_int_t  rc;

    unit_test("each allocation may fail, and none is lost");

    json_set_alloc_funcs(counted_malloc, counted_free);

    for (n = 0; /* void */ ; n++) {
        allowed = n;

        rc = read_rule(example);

        unit_check(blocks == 0);

        if (rc == NGX_OK) {
            break;
        }

        unit_check(rc == NGX_ERROR);
    }

    unit_check(n > 50 && nrules == 1);

    json_set_alloc_funcs(malloc, free);
}
