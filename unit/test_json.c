
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>
#include <time.h>

#include "unit.h"

#include "json/body.h"
#include "json/members.h"
#include "json/object.h"
#include "json/token.h"


#define AUD        NGX_AGT_FACTS_AUD
#define SCOPES     NGX_AGT_FACTS_SCOPES
#define ROLES      NGX_AGT_FACTS_ROLES
#define CLAIMS     NGX_AGT_FACTS_CLAIMS

#define SAYS_NO    NGX_AGT_REASON_SAYS_NO
#define REFRESH    NGX_AGT_REASON_REFRESH_TOKEN
#define BOUND      NGX_AGT_REASON_BOUND_TOKEN
#define DATE       NGX_AGT_REASON_DATE

/* 2027-01-15T08:00:00Z */
#define NOW        1800000000

#define BODY       NGX_AGT_JSON_MAX_BODY
#define SIZE       (2 * BODY)

/* what hostile input may cost, in milliseconds */
#define BUDGET     (50 * UNIT_SLOW)


static void test_whole(void);
static void test_truncated(void);
static void test_not_a_token(void);
static void test_declined(void);
static void test_dates(void);
static void test_not_before(void);
static void test_members(void);
static void test_lists(void);
static void test_resources(void);
static void test_object(void);
static void test_documented(void);
static void test_claims(void);
static void test_markers(void);
static ngx_int_t read_marker(char *text, const char *name, const char *value,
    ngx_uint_t user);
static void test_unicode(void);
static void test_depth(void);
static void test_values(void);
static void test_large(void);
static void test_buffer_sizes(void);
static void test_allocations(void);
static void test_introspect(void);
static void test_introspect_key(void);
static void test_api_key(void);
static void test_raw_exp(void);
static void test_api_key_end(void);
static ngx_int_t read_api_key(const char *text);
static ngx_int_t read_token(const char *text);
static ngx_int_t read_bytes(const void *data, size_t len);
static ngx_uint_t has(ngx_agt_facts_list_e list, const char *text);
static ngx_uint_t has_role(const char *app, const char *role);
static const char *claim(const char *name);
static void *counted_malloc(size_t size);
static void counted_free(void *p);


/* the token that was read last */

static u_char                           buf[SIZE];
static ngx_agt_facts_t       facts;
static ngx_agt_json_token_t  token;
static ngx_str_t             raw;


static const char  sample[] =
    "{\"sub\":\"123\",\"sub_email\":\"u@example.com\",\"org\":\"o1\","
    "\"root_org\":\"o0\",\"jti\":\"tuU7smH86zAXMl76sua6xQ\","
    "\"session\":\"s1\",\"iat\":\"2021-03-24T10:00:00.123456+00:00\","
    "\"exp\":\"2021-03-24T11:00:00Z\",\"aud\":[\"urn:api:agilicus:gateway\","
    "\"urn:api:agilicus:users\"],\"roles\":{\"my-app\":[\"editor\","
    "\"vi\\u00e9wer\"],\"other\":\"owner\"},"
    "\"scopes\":[\"urn:agilicus:users:owner\",\"urn:agilicus:api:*?\"],"
    "\"creating_org\":\"o2\",\"last_mfa_time\":1616580000,"
    "\"masquerading\":false,\"resource_permissions\":[{\"user_id\":\"1\"}],"
    "\"user\":{\"id\":\"123\",\"enabled\":true}}";


int
main(void)
{
    ngx_agt_json_init();
    ngx_agt_json_init();

    test_whole();
    test_truncated();
    test_not_a_token();
    test_declined();
    test_dates();
    test_not_before();
    test_members();
    test_lists();
    test_resources();
    test_object();
    test_documented();
    test_claims();
    test_markers();
    test_unicode();
    test_depth();
    test_values();
    test_large();
    test_buffer_sizes();
    test_allocations();
    test_introspect();
    test_introspect_key();
    test_api_key();
    test_api_key_end();
    test_raw_exp();

    return unit_done();
}


static ngx_int_t
read_bytes(const void *data, size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = unit_copy(data, len);

    rc = ngx_agt_json_token(copy.data, copy.len, NOW, buf, SIZE, &token);

    free(copy.data);

    if (rc == NGX_OK) {
        unit_check(token.reason == NGX_AGT_REASON_NONE);
        unit_check(ngx_agt_facts_open(&facts, token.facts.data,
                                      token.facts.len)
                   == NGX_OK);
    } else {
        unit_check(token.facts.len == 0);
        unit_check((token.reason != NGX_AGT_REASON_NONE)
                   == (rc == NGX_DECLINED));
    }

    return rc;
}


static ngx_int_t
read_token(const char *text)
{
    return read_bytes(text, strlen(text));
}


static ngx_uint_t
has(ngx_agt_facts_list_e list, const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return ngx_agt_facts_has(&facts.lists[list], &s);
}


static ngx_uint_t
has_role(const char *app, const char *role)
{
    ngx_str_t  name, value;

    name.data = (u_char *) app;
    name.len = strlen(app);
    value.data = (u_char *) role;
    value.len = strlen(role);

    return ngx_agt_facts_has_pair(&facts.lists[ROLES], &name, &value);
}


static const char *
claim(const char *name)
{
    ngx_str_t  key, value;

    static char  text[256];

    key.data = (u_char *) name;
    key.len = strlen(name);

    if (ngx_agt_facts_find(&facts.lists[CLAIMS], &key, &value) != NGX_OK)
    {
        return "(none)";
    }

    (void) ngx_agt_json_claim_text(&value);

    (void) snprintf(text, sizeof(text), "%.*s", (int) value.len, value.data);

    return text;
}


static void
test_whole(void)
{
    unit_test("a whole Token");

    unit_check(read_token(sample) == NGX_OK);

    unit_check(unit_equal(&facts.sub, "123"));
    unit_check(unit_equal(&facts.email, "u@example.com"));
    unit_check(unit_equal(&facts.org, "o1"));
    unit_check(unit_equal(&facts.root_org, "o0"));
    unit_check(unit_equal(&facts.jti, "tuU7smH86zAXMl76sua6xQ"));
    unit_check(unit_equal(&facts.session, "s1"));

    unit_check(facts.has_exp && facts.exp == 1616583600);
    unit_check(facts.has_iat && facts.iat == 1616580000);
    unit_check(!facts.has_nbf);
    unit_check(!facts.masquerading);

    unit_check(has(AUD, "urn:api:agilicus:gateway"));
    unit_check(has(AUD, "urn:api:agilicus:users"));
    unit_check(has(SCOPES, "urn:agilicus:users:owner"));
    unit_check(has(SCOPES, "urn:agilicus:api:*?"));
    unit_check(!has(SCOPES, "urn:agilicus:api:*"));
    unit_check(has_role("my-app", "editor"));
    unit_check(has_role("my-app", "vi\xc3\xa9wer"));
    unit_check(has_role("other", "owner"));
    unit_check(!has_role("other", "editor"));

    unit_check(strcmp(claim("creating_org"), "o2") == 0);
    unit_check(facts.has_mfa && facts.mfa == 1616580000);
    unit_check(strcmp(claim("last_mfa_time"), "(none)") == 0);
    unit_check(strcmp(claim("sub"), "(none)") == 0);
    unit_check(strcmp(claim("user"), "(none)") == 0);
    unit_check(strcmp(claim("masquerading"), "false") == 0);

    unit_test("the smallest Token");

    unit_check(read_token("{\"sub\":\"x\"}") == NGX_OK);
    unit_check(!facts.has_exp && !facts.has_iat && !facts.has_nbf);
    unit_check(facts.org.len == 0 && facts.jti.len == 0);

    unit_test("white space, order and unknown members change nothing");

    unit_check(read_token(" \r\n\t{ \"x\" : [ { } , [ ] , null , -0.5e-3 ] ,\n"
                          "\t\"y\" : { \"sub\" : 1 } , \"sub\"\t:\"x\" } \n")
               == NGX_OK);
    unit_check(unit_equal(&facts.sub, "x"));
}


static void
test_truncated(void)
{
    size_t  len;

    unit_test("a Token that breaks off anywhere is none");

    for (len = 0; len < sizeof(sample) - 1; len++) {
        unit_check(read_bytes(sample, len) == NGX_ERROR);
    }
}


static void
test_not_a_token(void)
{
    size_t  i;

    static const char  *rows[] = {
        "", " ", "\n", "null", "true", "1", "\"x\"", "[]", "[{}]", "{}",
        "[{\"sub\":\"x\"}]", "<html></html>", "{", "}", "{]", "[}", "[", "]",
        "]]]]", "{\"sub\"}", "{\"sub\":}", "{sub:\"x\"}", "{'sub':'x'}",
        "{\"sub\":\"x\"", "{\"sub\":\"x\"}}", "{\"sub\":\"x\"}{}",
        "{\"sub\":\"x\"} x", "{\"sub\":\"x\"},", "{\"sub\":\"x\",}",
        "{,\"sub\":\"x\"}", "{\"sub\":\"x\";}", "{\"sub\":\"x\"}//",
        "/**/{\"sub\":\"x\"}", "{\"sub\":\"x\"}\x01",
        "\xef\xbb\xbf{\"sub\":\"x\"}",
        "{\"sub\":null}", "{\"sub\":\"\"}", "{\"sub\":1}", "{\"sub\":true}",
        "{\"sub\":[\"x\"]}", "{\"sub\":{\"x\":\"x\"}}", "{\"Sub\":\"x\"}",
        "{\"sub\":\"x\",\"org\":1}", "{\"sub\":\"x\",\"org\":[]}",
        "{\"sub\":\"x\",\"jti\":{}}", "{\"sub\":\"x\",\"jti\":false}",
        "{\"sub\":\"x\",\"session\":1.5}", "{\"sub\":\"x\",\"root_org\":0}",
        "{\"sub\":\"x\",\"sub_email\":[\"a@b\"]}",

        /* duplicates, also where they say the same or are written otherwise */

        "{\"sub\":\"x\",\"sub\":\"x\"}", "{\"sub\":\"x\",\"sub\":null}",
        "{\"sub\":\"x\",\"s\\u0075b\":\"y\"}",
        "{\"sub\":\"x\",\"a\":{\"b\":1,\"b\":2}}",
        "{\"sub\":\"x\",\"exp\":1,\"exp\":\"never\"}",

        /* numbers that do not exist or do not fit */

        "{\"sub\":\"x\",\"n\":1e999}", "{\"sub\":\"x\",\"n\":-1E400}",
        "{\"sub\":\"x\",\"n\":9223372036854775808}",
        "{\"sub\":\"x\",\"n\":-9223372036854775809}",
        "{\"sub\":\"x\",\"n\":0x10}", "{\"sub\":\"x\",\"n\":NaN}",
        "{\"sub\":\"x\",\"n\":Infinity}", "{\"sub\":\"x\",\"n\":-Infinity}",
        "{\"sub\":\"x\",\"n\":01}", "{\"sub\":\"x\",\"n\":-01}",
        "{\"sub\":\"x\",\"n\":1.}", "{\"sub\":\"x\",\"n\":.5}",
        "{\"sub\":\"x\",\"n\":+1}", "{\"sub\":\"x\",\"n\":-}",
        "{\"sub\":\"x\",\"n\":1e}", "{\"sub\":\"x\",\"n\":1e+}",
        "{\"sub\":\"x\",\"n\":1 2}", "{\"sub\":\"x\",\"n\":True}",
    };

    unit_test("what is not a Token");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(read_token(rows[i]) == NGX_ERROR, rows[i]);
    }

    unit_check(read_bytes("{\"sub\":\"x\"}\0", 12) == NGX_ERROR);
    unit_check(read_bytes("{\"sub\":\"x\0y\"}", 13) == NGX_ERROR);
    unit_check(read_bytes("\0{\"sub\":\"x\"}", 12) == NGX_ERROR);
}


static void
test_declined(void)
{
    size_t  i;

    static const struct {
        const char       *text;
        ngx_agt_reason_e  reason;
    } rows[] = {
        { "\"active\":false", SAYS_NO },
        { "\"active\":0", SAYS_NO },
        { "\"active\":1", SAYS_NO },
        { "\"active\":\"true\"", SAYS_NO },
        { "\"active\":{}", SAYS_NO },
        { "\"active\":[true]", SAYS_NO },
        { "\"refresh_token_jti\":\"j\"", REFRESH },
        { "\"refresh_token_jti\":\"\"", REFRESH },
        { "\"refresh_token_jti\":1", REFRESH },
        { "\"refresh_token_jti\":false", REFRESH },
        { "\"cnf\":{\"jkt\":\"x\"}", BOUND },
        { "\"cnf\":{\"x5t#S256\":\"x\"}", BOUND },
        { "\"cnf\":{}", BOUND },
        { "\"cnf\":\"x\"", BOUND },
        { "\"exp\":\"never\"", DATE },
        { "\"nbf\":[]", DATE },
        { "\"token_validity\":{\"start\":\"soon\"}", DATE },
        { "\"token_validity\":{\"start\":true}", DATE },
        { "\"token_validity\":\"2021-03-24T11:00:00Z\"", DATE },
        { "\"token_validity\":[]", DATE },
    };

    unit_test("a token that no user may use");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char  text[128];

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",%s}",
                        rows[i].text);

        unit_check_note(read_token(text) == NGX_DECLINED, text);
        unit_check_note(token.reason == rows[i].reason, text);
    }

    unit_check(read_token("{\"active\":false}") == NGX_DECLINED);
    unit_check(token.reason == SAYS_NO);

    unit_test("null is as good as absent");

    unit_check(read_token("{\"sub\":\"x\",\"cnf\":null,"
                          "\"refresh_token_jti\":null,\"exp\":null,"
                          "\"nbf\":null,\"iat\":null,\"org\":null,"
                          "\"token_validity\":null,\"aud\":null,"
                          "\"scopes\":null,\"roles\":null,\"hosts\":null,"
                          "\"masquerading\":null,\"other\":null}")
               == NGX_OK);
    unit_check(!facts.has_exp && !facts.has_nbf && !facts.has_iat);
    unit_check(!facts.masquerading);
    unit_check(strcmp(claim("other"), "(none)") == 0);

    unit_check(read_token("{\"sub\":\"x\",\"active\":true}") == NGX_OK);
}


/* a word of the list, in each place and with each value that it may have */

static void
test_markers(void)
{
    char         text[256], name[64];
    ngx_uint_t   i, v, user, no;
    ngx_int_t    rc;

    static const char  *yes[] = { "active", "enabled", "valid", NULL };

    static const char  *words[] = {
        "revoked", "disabled", "expired", "deleted", "suspended", "blocked",
        "locked", "inactive", "invalid", NULL
    };

    static const char  *ends[] = { "_at", "_at_time" };

    static const struct {
        const char  *value;
        ngx_uint_t   yes;       /* says no where it must be true */
        ngx_uint_t   word;      /* where it must be false */
        ngx_uint_t   time;      /* where it must be ahead; 2: it is */
        ngx_uint_t   status;    /* where it must be active; 2: of a user not */
    } values[] = {
        { "true", 0, 1, 1, 1 },
        { "false", 1, 0, 1, 1 },
        { "null", 1, 0, 0, 0 },
        { "0", 1, 1, 1, 1 },
        { "1", 1, 1, 1, 1 },
        { "\"\"", 1, 1, 1, 1 },
        { "\"true\"", 1, 1, 1, 1 },
        { "\"false\"", 1, 1, 1, 1 },
        { "\"active\"", 1, 1, 1, 0 },
        { "\"Active\"", 1, 1, 1, 1 },
        { "\"pending\"", 1, 1, 1, 2 },
        { "\"disabled\"", 1, 1, 1, 1 },
        { "{}", 1, 1, 1, 1 },
        { "[]", 1, 1, 1, 1 },
        { "[false]", 1, 1, 1, 1 },
        { "\"2026-01-01T00:00:00Z\"", 1, 1, 1, 1 },
        { "\"2027-01-15T07:59:59Z\"", 1, 1, 1, 1 },
        { "\"2027-01-15T08:00:00Z\"", 1, 1, 1, 1 },
        { "\"2027-01-15T08:00:01Z\"", 1, 1, 2, 1 },
        { "\"2027-01-15 09:00:00.5\"", 1, 1, 2, 1 },
        { "1800000000", 1, 1, 1, 1 },
        { "1800000001", 1, 1, 2, 1 },
        { "1800000000.9", 1, 1, 1, 1 },
        { "\"1900000000\"", 1, 1, 2, 1 },
        { "\"9999-13-01T00:00:00Z\"", 1, 1, 1, 1 },
        { "1e300", 1, 1, 1, 1 },
        { "-1", 1, 1, 1, 1 }
    };

    unit_test("a member that says no, of the Token or of its user");

    for (v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        for (user = 0; user < 2; user++) {
            for (i = 0; yes[i]; i++) {
                rc = read_marker(text, yes[i], values[v].value, user);
                unit_check_note((rc == NGX_DECLINED) == values[v].yes, text);
            }

            for (i = 0; words[i]; i++) {
                rc = read_marker(text, words[i], values[v].value, user);
                unit_check_note((rc == NGX_DECLINED) == values[v].word, text);

                (void) snprintf(name, sizeof(name), "%s%s", words[i],
                                ends[(i + v) % 2]);

                rc = read_marker(text, name, values[v].value, user);
                no = values[v].time;

                unit_check_note((rc == NGX_DECLINED) == (no == 1), text);

                if (rc == NGX_OK) {
                    unit_check_note(facts.has_end == (no == 2), text);
                    unit_check_note(no != 2 || facts.end > NOW, text);
                }
            }

            for (i = 0; i < 2; i++) {
                rc = read_marker(text, i ? "status" : "oper_status",
                                 values[v].value, user);
                no = values[v].status;

                unit_check_note((rc == NGX_DECLINED)
                                == (no == 1 || (no == 2 && !user)), text);
            }
        }
    }

    unit_test("other members say nothing, and a user need be no object");

    unit_check(read_token("{\"sub\":\"x\",\"Revoked\":true,\"revoke\":1,"
                          "\"revoked_by\":\"y\",\"revoked_on\":\"z\","
                          "\"state\":\"off\",\"valid_at\":\"never\","
                          "\"active_at\":0,\"status_at\":0,"
                          "\"session\":\"s\",\"masquerading\":false,"
                          "\"roles\":{\"revoked\":\"true\"},"
                          "\"more\":{\"revoked\":true},"
                          "\"user\":{\"more\":{\"enabled\":false},"
                          "\"type\":\"user\",\"roles\":[{"
                          "\"disabled\":true}]}}")
               == NGX_OK);
    unit_check(!facts.has_end);

    unit_check(read_token("{\"sub\":\"x\",\"user\":null}") == NGX_OK);
    unit_check(read_token("{\"sub\":\"x\",\"user\":\"y\"}") == NGX_OK);
    unit_check(read_token("{\"sub\":\"x\",\"user\":[{\"enabled\":false}]}")
               == NGX_OK);

    unit_test("the first end of several is that of the facts");

    unit_check(read_token("{\"sub\":\"x\",\"exp\":1800009999,"
                          "\"disabled_at_time\":1800000300,"
                          "\"user\":{\"disabled_at_time\":1800000200,"
                          "\"enabled\":true,\"status\":\"pending\","
                          "\"deleted_at\":\"1800000400\"},"
                          "\"expired_at\":1800000500}")
               == NGX_OK);
    unit_check(facts.has_end && facts.end == 1800000200);
    unit_check(facts.has_exp && facts.exp == 1800009999);

    unit_test("it goes before all else that a Token may lack");

    unit_check(read_token("{\"user\":{\"locked\":\"yes\"},\"exp\":[]}")
               == NGX_DECLINED);
    unit_check(token.reason == SAYS_NO);
    unit_check(strcmp(ngx_agt_json_token_member(token.member), "user.locked")
               == 0);

    unit_test("any other number of a member has no name");

    unit_check(*ngx_agt_json_token_member(0) == '\0');
    unit_check(*ngx_agt_json_token_member(1000) == '\0');
    unit_check(*ngx_agt_json_token_member((ngx_uint_t) -1) == '\0');
}


/* a Token with this member, and with the user's, which says nothing */

static ngx_int_t
read_marker(char *text, const char *name, const char *value, ngx_uint_t user)
{
    ngx_int_t    rc;
    const char  *member;

    (void) snprintf(text, 256, "{\"sub\":\"x\",%s\"%s\":%s%s}",
                    user ? "\"user\":{\"id\":\"u\"," : "", name, value,
                    user ? "}" : "");

    rc = read_token(text);

    unit_check_note(rc == NGX_OK || rc == NGX_DECLINED, text);

    if (rc == NGX_DECLINED) {
        unit_check_note(token.reason == SAYS_NO, text);
        member = ngx_agt_json_token_member(token.member);

        unit_check_note(strcmp(member + (user ? 5 : 0), name) == 0
                        && (!user || strncmp(member, "user.", 5) == 0),
                        text);
    } else {
        unit_check_note(token.member == 0, text);
    }

    return rc;
}


static void
test_dates(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        ngx_int_t    rc;
        int64_t      sec;
    } rows[] = {
        { "0", NGX_OK, 0 },
        { "-0", NGX_OK, 0 },
        { "-1", NGX_OK, -1 },
        { "1616583600", NGX_OK, 1616583600 },
        { "2147483648", NGX_OK, 2147483648LL },
        { "4294967296", NGX_OK, 4294967296LL },
        { "9007199254740993", NGX_OK, 9007199254740993LL },
        { "9223372036854775807", NGX_OK, INT64_MAX },
        { "-9223372036854775808", NGX_OK, INT64_MIN },
        { "1616583600.9", NGX_OK, 1616583600 },
        { "1.6165836e9", NGX_OK, 1616583600 },
        { "-0.5", NGX_OK, -1 },
        { "-0.0", NGX_OK, 0 },
        { "1e18", NGX_OK, 1000000000000000000LL },
        { "\"1616583600\"", NGX_OK, 1616583600 },
        { "\"1616583600.5\"", NGX_OK, 1616583600 },
        { "\"2021-03-24T11:00:00Z\"", NGX_OK, 1616583600 },
        { "\"2021-03-24 11:00:00.5\"", NGX_OK, 1616583600 },
        { "\"2021-03-24T\\u0031\\u0031:00:00Z\"", NGX_OK, 1616583600 },

        { "1e19", NGX_DECLINED, 0 },
        { "-1e19", NGX_DECLINED, 0 },
        { "1e300", NGX_DECLINED, 0 },
        { "\"\"", NGX_DECLINED, 0 },
        { "\" \"", NGX_DECLINED, 0 },
        { "\"never\"", NGX_DECLINED, 0 },
        { "\"1e9\"", NGX_DECLINED, 0 },
        { "\"9223372036854775808\"", NGX_DECLINED, 0 },
        { "\"2021-03-24\"", NGX_DECLINED, 0 },
        { "[]", NGX_DECLINED, 0 },
        { "[1616583600]", NGX_DECLINED, 0 },
        { "{}", NGX_DECLINED, 0 },
        { "true", NGX_DECLINED, 0 },
        { "false", NGX_DECLINED, 0 },

        { "9223372036854775808", NGX_ERROR, 0 },
        { "1e999", NGX_ERROR, 0 },
        { "01", NGX_ERROR, 0 },
        { "NaN", NGX_ERROR, 0 },
    };

    unit_test("exp, nbf and iat in every form");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char  text[128];

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"exp\":%s}",
                        rows[i].text);

        unit_check_note(read_token(text) == rows[i].rc, text);

        if (rows[i].rc == NGX_OK) {
            unit_check_note(facts.has_exp && facts.exp == rows[i].sec, text);

        } else if (rows[i].rc == NGX_DECLINED) {
            unit_check_note(token.reason == DATE, text);
        }

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"nbf\":%s}",
                        rows[i].text);

        unit_check_note(read_token(text) == rows[i].rc, text);

        if (rows[i].rc == NGX_OK) {
            unit_check_note(facts.has_nbf && facts.nbf == rows[i].sec, text);
        }

        /* an unreadable iat is as good as none */

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"iat\":%s}",
                        rows[i].text);

        unit_check_note(read_token(text) == (rows[i].rc == NGX_ERROR
                                             ? NGX_ERROR : NGX_OK), text);

        if (rows[i].rc == NGX_OK) {
            unit_check_note(facts.has_iat && facts.iat == rows[i].sec, text);

        } else if (rows[i].rc == NGX_DECLINED) {
            unit_check_note(!facts.has_iat && facts.iat == 0, text);
        }
    }
}


static void
test_not_before(void)
{
    unit_test("nbf is the later of the two");

    unit_check(read_token("{\"sub\":\"x\",\"nbf\":5,"
                          "\"token_validity\":{\"start\":7}}") == NGX_OK);
    unit_check(facts.has_nbf && facts.nbf == 7);

    unit_check(read_token("{\"sub\":\"x\",\"nbf\":9,"
                          "\"token_validity\":{\"start\":7}}") == NGX_OK);
    unit_check(facts.has_nbf && facts.nbf == 9);

    unit_check(read_token("{\"sub\":\"x\",\"token_validity\":{\"start\":"
                          "\"1970-01-01T00:00:08Z\"}}") == NGX_OK);
    unit_check(facts.has_nbf && facts.nbf == 8);

    unit_check(read_token("{\"sub\":\"x\",\"token_validity\":{\"start\":-1}}")
               == NGX_OK);
    unit_check(facts.has_nbf && facts.nbf == -1);

    unit_check(read_token("{\"sub\":\"x\",\"token_validity\":"
                          "{\"start\":null,\"duration\":1}}") == NGX_OK);
    unit_check(!facts.has_nbf);
}


static void
test_members(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        unsigned     masquerading;
    } rows[] = {
        { "true", 1 }, { "false", 0 }, { "null", 0 }, { "0", 1 },
        { "\"false\"", 1 }, { "\"\"", 1 }, { "[]", 1 }, { "{}", 1 },
    };

    static const struct {
        const char  *text;
        unsigned     odd;
    } odd[] = {
        { "null", 0 }, { "[]", 0 }, { "[\"a\",\"b\"]", 0 }, { "\"a b\"", 1 },
        { "[\"a\",1]", 1 }, { "{}", 1 }, { "true", 1 }, { "0", 1 },
        { "\"\"", 1 }, { "[[\"a\"]]", 1 },
    };

    static const struct {
        const char  *text;
        unsigned     has;
        int64_t      mfa;
    } times[] = {
        { "1616580000", 1, 1616580000 }, { "0", 1, 0 },
        { "9223372036854775807", 1, INT64_MAX }, { "-1", 0, 0 },
        { "null", 0, 0 }, { "1616580000.0", 0, 0 }, { "1.6e9", 0, 0 },
        { "true", 0, 0 }, { "\"1616580000\"", 0, 0 },
        { "\"2021-03-24T10:00:00Z\"", 0, 0 }, { "[1616580000]", 0, 0 },
        { "{}", 0, 0 },
    };

    unit_test("the time of a sign-in is an integer, or none");

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char  text[128];

        (void) snprintf(text, sizeof(text),
                        "{\"sub\":\"x\",\"last_mfa_time\":%s}",
                        times[i].text);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(facts.has_mfa == times[i].has, text);
        unit_check_note(facts.mfa == times[i].mfa, text);
    }

    unit_test("whatever is not false is masquerading");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char  text[128];

        (void) snprintf(text, sizeof(text),
                        "{\"sub\":\"x\",\"masquerading\":%s}", rows[i].text);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(facts.masquerading == rows[i].masquerading, text);
    }

    unit_test("scopes that are there are a list of strings, or odd");

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char  text[128];

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"scopes\":%s}",
                        odd[i].text);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(facts.odd_scopes == odd[i].odd, text);
    }

    unit_check(read_token("{\"sub\":\"x\"}") == NGX_OK && !facts.odd_scopes);
}


/* the object of the facts of a Token, read as a Token, gives the same facts */

static void
test_object(void)
{
    u_char          *text;
    size_t           i, len;
    json_t          *root;
    ngx_agt_facts_t  same;

    static const struct {
        const char  *token;
        const char  *object;
    } rows[] = {
        { "{\"sub\":\"x\"}",
          "{\"masquerading\":false,\"sub\":\"x\",\"aud\":[],\"scopes\":[],"
          "\"roles\":{},\"resource_permissions\":[]}" },
        { "{\"sub\":\"x\",\"masquerading\":{},\"exp\":\"4102444800\","
          "\"iat\":-5,\"last_mfa_time\":7,\"n\":-0.0,\"s\":\"true\","
          "\"t\":true,\"e\":\"\",\"a\":[1],\"z\":null}",
          "{\"masquerading\":true,\"sub\":\"x\",\"iat\":-5,\"exp\":4102444800,"
          "\"last_mfa_time\":7,\"aud\":[],\"scopes\":[],\"roles\":{},"
          "\"resource_permissions\":[],\"n\":0,\"s\":\"true\",\"t\":true,"
          "\"e\":\"\"}" },
        { "{\"sub\":\"\\\"\\\\\\u0001\\u007f\\u20ac\","
          "\"org\":\"o\",\"aud\":\"b\","
          "\"roles\":{\"a\":[\"p\",\"q\"],\"b\":[],\"c\":\"r\"},"
          "\"Masquerading\":1,\"\\n\":\"\\u0000x\"}", NULL },
        { "{\"sub\":\"\\\"\\\\\\u0001\\u007f\\u20ac\","
          "\"org\":\"o\",\"aud\":\"b\","
          "\"roles\":{\"a\":[\"p\",\"q\"],\"b\":[],\"c\":\"r\"},"
          "\"Masquerading\":1,\"\\n\":\"\\u001fx\"}",
          "{\"masquerading\":false,"
          "\"sub\":\"\\\"\\\\\\u0001\\u007f\xe2\x82\xac\","
          "\"org\":\"o\",\"aud\":[\"b\"],\"scopes\":[],"
          "\"roles\":{\"a\":[\"p\",\"q\"],\"c\":[\"r\"]},"
          "\"resource_permissions\":[],\"Masquerading\":1,"
          "\"\\u000a\":\"\\u001fx\"}" },
        { "{\"sub\":\"u\",\"org\":\"o\",\"sub_email\":\"e\",\"jti\":\"j\","
          "\"root_org\":\"r\",\"session\":\"s\",\"scopes\":[\"x\",\"\"],"
          "\"resource_permissions\":[{\"user_id\":\"u\",\"org_id\":\"o\","
          "\"resource_type\":\"t\",\"resource_id\":\"i\","
          "\"resource_role_name\":\"n\"},{}],\"hosts\":[],\"user\":{}}",
          "{\"masquerading\":false,\"sub\":\"u\",\"sub_email\":\"e\","
          "\"org\":\"o\",\"root_org\":\"r\",\"jti\":\"j\",\"session\":\"s\","
          "\"aud\":[],\"scopes\":[\"x\",\"\"],\"roles\":{},"
          "\"resource_permissions\":[{\"user_id\":\"u\",\"org_id\":\"o\","
          "\"resource_type\":\"t\",\"resource_id\":\"i\","
          "\"resource_role_name\":\"n\"}]}" },
        { sample, NULL }
    };

    unit_test("the facts of a token are one object");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        if (read_token(rows[i].token) != NGX_OK) {
            unit_check_note(strstr(rows[i].token, "\\u0000"), rows[i].token);
            continue;
        }

        len = ngx_agt_json_object(NULL, &facts);
        text = malloc(len + 1);

        unit_check(ngx_agt_json_object(text, &facts) == len);
        text[len] = '\0';

        if (rows[i].object) {
            unit_check_note(strcmp((char *) text, rows[i].object) == 0,
                            (char *) text);
        }

        root = json_loadb((char *) text, len, JSON_REJECT_DUPLICATES, NULL);
        unit_check_note(json_is_object(root), (char *) text);
        json_decref(root);

        same = facts;

        unit_check(read_token((char *) text) == NGX_OK);
        unit_check(facts.masquerading == same.masquerading);
        unit_check(facts.has_mfa == same.has_mfa && facts.mfa == same.mfa);
        unit_check(facts.has_exp == same.has_exp && facts.exp == same.exp);
        unit_check(facts.has_iat == same.has_iat && facts.iat == same.iat);

        unit_check(ngx_agt_json_object(NULL, &facts) == len);

        free(text);
    }
}


/* what becomes of each member that the API documents, as the tables say */

#define DOCUMENTED(name, use, variable, noticed)                              \
    { name, DOCUMENTED_##use, variable },

typedef struct {
    const char  *name;
    enum {
        DOCUMENTED_ENFORCED = 0,
        DOCUMENTED_EXPOSED,
        DOCUMENTED_IGNORED
    } use;
    const char  *variable;
} documented_t;

static const documented_t  of_token[] = {
    NGX_AGT_JSON_TOKEN_MEMBERS(DOCUMENTED)
};

static const documented_t  of_user[] = {
    NGX_AGT_JSON_USER_MEMBERS(DOCUMENTED)
};


static void
test_documented(void)
{
    char         text[256];
    u_char       bare[512];
    size_t       i, j, len;
    ngx_uint_t   refused, kept;

    static const char  *odd[] = {
        "false", "\"disabled\"", "\"2001-01-01T00:00:00Z\"", "0", "[]", "{}"
    };

    unit_test("members that are ignored refuse no token, and are not kept");

    for (i = 0; i < sizeof(of_user) / sizeof(of_user[0]); i++) {
        unit_check(read_token("{\"sub\":\"x\",\"exp\":4102444800}") == NGX_OK);

        len = token.facts.len;
        memcpy(bare, token.facts.data, len);

        refused = 0;
        kept = 0;

        for (j = 0; j < sizeof(odd) / sizeof(odd[0]); j++) {
            (void) snprintf(text, sizeof(text),
                            "{\"sub\":\"x\",\"exp\":4102444800,"
                            "\"user\":{\"%s\":%s}}",
                            of_user[i].name, odd[j]);

            if (read_token(text) != NGX_OK) {
                refused++;

            } else if (token.facts.len != len
                       || memcmp(token.facts.data, bare, len) != 0)
            {
                kept++;
            }
        }

        unit_check_note(kept == 0, of_user[i].name);
        unit_check_note((refused != 0)
                        == (of_user[i].use == DOCUMENTED_ENFORCED),
                        of_user[i].name);
    }

    unit_test("members of a Token are kept where they are exposed");

    for (i = 0; i < sizeof(of_token) / sizeof(of_token[0]); i++) {

        if (of_token[i].use != DOCUMENTED_EXPOSED) {
            continue;
        }

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"exp\":4102444800,"
                        "\"%s\":\"disabled\"}", of_token[i].name);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(token.facts.len > len, text);
    }

    unit_test("a member has the variable that the table says");

    for (i = 0; i < sizeof(of_token) / sizeof(of_token[0]); i++) {
        unit_check(strcmp(ngx_agt_json_member_variable(
                              (const u_char *) of_token[i].name,
                              strlen(of_token[i].name)),
                          of_token[i].variable)
                   == 0);
    }

    unit_check(strcmp(ngx_agt_json_member_variable((const u_char *) "su", 2),
                      "claim")
               == 0);
    unit_check(strcmp(ngx_agt_json_member_variable((const u_char *) "subs", 4),
                      "claim")
               == 0);
}


/* rows of resources: which count for subject "u" and organisation "o" */

static void
test_resources(void)
{
    char            text[1024], kept[512];
    size_t          i;
    ngx_str_t       s;
    ngx_agt_list_t  list;

#define ROW(user, org, type, id, role)                                        \
    "{\"user_id\":" user ",\"org_id\":" org ",\"resource_type\":" type        \
    ",\"resource_id\":" id ",\"resource_role_name\":" role ",\"id\":\"x\"}"
#define GOOD  ROW("\"u\"", "\"o\"", "\"database\"", "\"d\"", "\"owner\"")

    static const struct {
        const char  *rows;
        const char  *kept;
    } rows[] = {
        { "[" GOOD "]", "database d owner " },
        { "[" GOOD "," GOOD "]", "database d owner database d owner " },
        { "[null,1,\"a\",[],{}," GOOD "]", "database d owner " },
        { "[" ROW("\"v\"", "\"o\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"u\"", "\"p\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"U\"", "\"o\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"u2\"", "\"o\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("null", "\"o\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"u\"", "null", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("[\"u\"]", "\"o\"", "\"t\"", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"u\"", "\"o\"", "1", "\"i\"", "\"r\"") "]", "" },
        { "[" ROW("\"u\"", "\"o\"", "\"t\"", "null", "\"r\"") "]", "" },
        { "[" ROW("\"u\"", "\"o\"", "\"t\"", "\"i\"", "[\"r\"]") "]", "" },
        { "[" ROW("\"u\"", "\"o\"", "\"t\"", "\"i\"", "true") "]", "" },
        { "[" ROW("\"u\"", "\"o\"", "\"t\"", "\"i\"", "null") "]", "" },
        { GOOD, "" }, { "[[" GOOD "]]", "" }, { "{\"a\":" GOOD "}", "" },
        { "null", "" }, { "[]", "" }, { "\"database d owner\"", "" },
        { "true", "" }, { "1", "" }, { "[\"database\",\"d\",\"owner\"]", "" }
    };

    unit_test("a resource counts for the token's own user and organisation");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"sub\":\"u\",\"org\":\"o\","
                        "\"resource_permissions\":%s}", rows[i].rows);

        unit_check_note(read_token(text) == NGX_OK, text);

        list = facts.lists[NGX_AGT_FACTS_RESOURCES];
        kept[0] = '\0';

        while (ngx_agt_facts_next(&list, &s) == NGX_OK) {
            (void) snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept),
                            "%.*s ", (int) s.len, (char *) s.data);
        }

        unit_check_note(strcmp(kept, rows[i].kept) == 0, text);
    }

    /* a token without an organisation has no rights in one */

    (void) snprintf(text, sizeof(text), "{\"sub\":\"u\",\"org\":\"\","
                    "\"resource_permissions\":[%s]}",
                    ROW("\"u\"", "\"\"", "\"t\"", "\"i\"", "\"r\""));

    unit_check(read_token(text) == NGX_OK);

    list = facts.lists[NGX_AGT_FACTS_RESOURCES];
    unit_check(ngx_agt_facts_next(&list, &s) == NGX_DONE);

#undef ROW
#undef GOOD
}


static void
test_lists(void)
{
    size_t      i;
    char        text[256];
    ngx_str_t   s;

    static const char  *absent[] = {
        "1", "true", "false", "{}", "{\"read\":\"read\"}", "[1]",
        "[\"read\",1]", "[\"read\",null]", "[null,\"read\"]", "[[\"read\"]]",
        "[\"read\",[]]", "[\"read\",{}]", "[]", "null"
    };

    static const char  *no_roles[] = {
        "1", "true", "[]", "\"read\"", "[\"app\",\"read\"]",
        "{\"app\":1}", "{\"app\":\"read\",\"b\":1}",
        "{\"app\":[\"read\"],\"b\":[1]}", "{\"app\":[\"read\"],\"b\":{}}",
        "{\"app\":[\"read\"],\"b\":null}", "{\"app\":{\"read\":\"read\"}}",
        "{\"app\":[\"read\",null]}", "{}", "null"
    };

    unit_test("scopes and audiences of another form are absent as a whole");

    for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"scopes\":%s,"
                        "\"aud\":%s}", absent[i], absent[i]);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(ngx_agt_facts_next(&facts.lists[SCOPES],
                                           &s) == NGX_DONE, text);
        unit_check_note(ngx_agt_facts_next(&facts.lists[AUD], &s)
                        == NGX_DONE, text);
    }

    unit_check(read_token("{\"sub\":\"x\",\"scopes\":\"read write\"}")
               == NGX_OK);
    unit_check(!has(SCOPES, "read write") && !has(SCOPES, "read"));

    unit_test("an audience may be one string");

    unit_check(read_token("{\"sub\":\"x\",\"aud\":\"a b\"}") == NGX_OK);
    unit_check(has(AUD, "a b") && !has(AUD, "a"));

    unit_test("roles of another form are absent as a whole");

    for (i = 0; i < sizeof(no_roles) / sizeof(no_roles[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"roles\":%s}",
                        no_roles[i]);

        unit_check_note(read_token(text) == NGX_OK, text);
        unit_check_note(ngx_agt_facts_next(&facts.lists[ROLES], &s)
                        == NGX_DONE, text);
    }

    unit_check(read_token("{\"sub\":\"x\",\"roles\":{\"a\":[],\"b\":\"r\"}}")
               == NGX_OK);
    unit_check(has_role("b", "r") && !has_role("a", "r"));
}


static void
test_claims(void)
{
    char        name[8];
    ngx_uint_t  i;

    unit_test("other scalar members are claims");

    unit_check(read_token("{\"sub\":\"x\",\"s\":\"text\",\"e\":\"\","
                          "\"t\":true,\"f\":false,\"n\":null,\"i\":-7,"
                          "\"z1\":0,\"z2\":-0,\"z3\":0.0,\"z4\":-0.0,"
                          "\"z5\":0e5,\"z6\":0E-3,\"z7\":-0e+0,"
                          "\"z8\":0.00000,\"z9\":1e-999,\"zs\":\"-0\","
                          "\"max\":9223372036854775807,\"r\":1.5,"
                          "\"a\":[1],\"o\":{\"x\":1},\"tiny\":-1e-300,"
                          "\"huge\":-1.7976931348623157e308,"
                          "\"\":\"empty\",\"Sub\":\"y\",\"exp \":1}")
               == NGX_OK);

    unit_check(strcmp(claim("s"), "text") == 0);
    unit_check(strcmp(claim("e"), "") == 0);
    unit_check(strcmp(claim("t"), "true") == 0);
    unit_check(strcmp(claim("f"), "false") == 0);
    unit_check(strcmp(claim("n"), "(none)") == 0);
    unit_check(strcmp(claim("i"), "-7") == 0);
    unit_check(strcmp(claim("max"), "9223372036854775807") == 0);
    unit_check(strcmp(claim("r"), "1.5") == 0);

    /* every zero is the same one, and a string is what it is */

    for (i = 1; i <= 9; i++) {
        (void) snprintf(name, sizeof(name), "z%u", (unsigned) i);
        unit_check_note(strcmp(claim(name), "0") == 0, name);
    }

    unit_check(strcmp(claim("zs"), "-0") == 0);
    unit_check(strcmp(claim("a"), "(none)") == 0);
    unit_check(strcmp(claim("o"), "(none)") == 0);
    unit_check(strcmp(claim("tiny"), "-1e-300") == 0
               || strcmp(claim("tiny"), "-1.0000000000000001e-300") == 0);
    unit_check(strcmp(claim("huge"), "-1.7976931348623157e+308") == 0);
    unit_check(strcmp(claim(""), "empty") == 0);
    unit_check(strcmp(claim("Sub"), "y") == 0);
    unit_check(strcmp(claim("exp "), "1") == 0);
    unit_check(strcmp(claim("exp"), "(none)") == 0);
}


static void
test_unicode(void)
{
    size_t  i;
    char    text[128];

    static const char  *bad[] = {
        "\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe2\x82",
        "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xed\xa0\xbd\xed\xb8\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xfe", "\xff", "\\ud800", "\\udc00", "\\ud83d\\u0041", "\\ud83d",
        "\\udc00\\ud800", "\\u0000", "a\\u0000", "\\u12", "\\u12g4", "\\x41",
        "\\'", "\n", "\t", "\x01", "\x1f",
    };

    unit_test("no NUL and no broken text in a value or a name");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"sub\":\"x%sy\"}", bad[i]);
        unit_check_note(read_token(text) == NGX_ERROR, text);

        (void) snprintf(text, sizeof(text), "{\"sub\":\"x\",\"%s\":1}",
                        bad[i]);
        unit_check_note(read_token(text) == NGX_ERROR, text);

        (void) snprintf(text, sizeof(text),
                        "{\"sub\":\"x\",\"scopes\":[\"a\",\"%s\"]}", bad[i]);
        unit_check_note(read_token(text) == NGX_ERROR, text);
    }

    unit_test("text of all lengths of UTF-8 is kept");

    unit_check(read_token("{\"sub\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00"
                          "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}")
               == NGX_OK);
    unit_check(unit_equal(&facts.sub, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
                                      "A\xc3\xa9\xe2\x82\xac"
                                      "\xf0\x9f\x98\x80"));
}


static void
test_depth(void)
{
    char   *text;
    size_t  depth, len;

    text = malloc(BODY);

    unit_test("nesting is limited");

    for (depth = 0; depth <= 2 * NGX_AGT_JSON_MAX_DEPTH; depth++) {
        len = (size_t) sprintf(text, "{\"sub\":\"x\",\"a\":");

        memset(text + len, '[', depth);
        memset(text + len + depth, ']', depth);
        len += 2 * depth;

        if (depth == 0) {
            text[len++] = '0';
        }

        text[len++] = '}';

        unit_check(read_bytes(text, len)
                   == (depth < NGX_AGT_JSON_MAX_DEPTH ? NGX_OK : NGX_ERROR));
    }

    unit_test("brackets in a string do not nest");

    len = (size_t) sprintf(text, "{\"sub\":\"\\\"");

    memset(text + len, '[', 10000);
    len += 10000;
    len += (size_t) sprintf(text + len, "\\\\\"}");

    unit_check(read_bytes(text, len) == NGX_OK);

    unit_test("ten thousand levels are refused");

    for (len = 0; len < 10000; len++) {
        text[len] = '[';
    }

    unit_check(read_bytes(text, len) == NGX_ERROR);

    for (len = 0; len < 50000; len += 5) {
        memcpy(text + len, "{\"a\":", 5);
    }

    unit_check(read_bytes(text, len) == NGX_ERROR);

    free(text);
}


static void
test_values(void)
{
    char    *text;
    size_t   len, n, i;

    static const size_t  max = NGX_AGT_JSON_MAX_VALUES;

    text = malloc(BODY);

    unit_test("the number of values is limited, to the value");

    /* the object, the string and the array are three */

    for (n = max - 4; n <= max - 2; n++) {
        len = (size_t) sprintf(text, "{\"sub\":\"x,[{\",\"a\":[");

        for (i = 0; i < n; i++) {
            memcpy(text + len, "1 ,", 3);
            len += 3;
        }

        memcpy(text + len - 1, "] }", 3);
        len += 2;

        unit_check(read_bytes(text, len) == (n + 3 <= max ? NGX_OK
                                                          : NGX_ERROR));
    }

    unit_test("empty arrays and objects are one value each");

    for (n = max - 4; n <= max - 2; n++) {
        len = (size_t) sprintf(text, "{\"sub\":\"x\",\"a\":[");

        for (i = 0; i < n; i++) {
            memcpy(text + len, i % 2 ? "[ ]," : "{ },", 4);
            len += 4;
        }

        memcpy(text + len - 1, "]}", 2);
        len += 1;

        unit_check(read_bytes(text, len) == (n + 3 <= max ? NGX_OK
                                                          : NGX_ERROR));
    }

    free(text);
}


static void
test_large(void)
{
    char         *text;
    double        ms;
    size_t        len, i, shape, limit;
    clock_t       start;
    ngx_int_t     rc;

    static const char  *names[] = {
        "a string of the largest body", "many array elements",
        "many keys", "many empty objects", "many small objects",
        "a body that is too large", "an unfinished array of strings",
        "many escapes", "many claims"
    };

    text = malloc(BODY + 64);

    for (shape = 0; shape < sizeof(names) / sizeof(names[0]); shape++) {
        unit_test(names[shape]);

        len = (size_t) sprintf(text, "{\"sub\":\"x\",\"a\":");
        limit = BODY - 32;

        switch (shape) {

        case 0:
        case 5:
            text[len++] = '"';
            memset(text + len, 'a', BODY - len - 2);
            len = BODY - 2 + (shape == 5);
            memcpy(text + len, "\"}", 2);
            len += 2;
            break;

        case 7:
            text[len++] = '"';
            while (len < limit) {
                memcpy(text + len, "\\u00e9", 6);
                len += 6;
            }
            memcpy(text + len, "\"}", 2);
            len += 2;
            break;

        case 8:
            for (i = 0, len--, text[len - 3] = '\0', len -= 4;
                 len < limit && i < 20000; i++)
            {
                len += (size_t) sprintf(text + len, ",\"k%x\":%d", (int) i, 1);
            }
            text[len++] = '}';
            break;

        default:
            text[len++] = (shape == 2) ? '{' : '[';

            for (i = 0; len < limit && i < 39000; i++) {
                switch (shape) {
                case 1: len += (size_t) sprintf(text + len, "1,"); break;
                case 2: len += (size_t) sprintf(text + len, "\"%x\":0,",
                                                (int) i); break;
                case 3: len += (size_t) sprintf(text + len, "{},"); break;
                case 4: len += (size_t) sprintf(text + len, "{\"a\":%d},",
                                                i < 19000); break;
                default: len += (size_t) sprintf(text + len, "\"\",");
                }

                if (shape == 4 && i > 19000) {
                    break;
                }
            }

            len--;

            if (shape != 6) {
                text[len++] = (shape == 2) ? '}' : ']';
                text[len++] = '}';
            }
        }

        start = clock();
        rc = ngx_agt_json_token((u_char *) text, len, NOW, buf, SIZE, &token);
        ms = (double) (clock() - start) * 1000.0 / CLOCKS_PER_SEC;

        printf("# %zu bytes, %.1f ms\n", len, ms);

        unit_check(ms < BUDGET);

        if (shape == 5 || shape == 6 || shape == 0 || shape == 7) {

            /* what does not fit into the facts is refused, never cut */

            unit_check(rc == NGX_ERROR);

        } else {
            unit_check(rc == NGX_OK);
        }
    }

    free(text);
}


static void
test_buffer_sizes(void)
{
    u_char               *p;
    size_t                size, need;
    ngx_agt_json_token_t  t;

    unit_test("a buffer of any size holds all or nothing");

    unit_check(read_token(sample) == NGX_OK);

    need = token.facts.len;

    for (size = 0; size <= need + 1; size++) {
        p = malloc(size ? size : 1);

        unit_check(ngx_agt_json_token((const u_char *) sample,
                                      sizeof(sample) - 1, NOW, p,
                                      size, &t)
                   == (size < need ? NGX_ERROR : NGX_OK));
        unit_check(t.facts.len == (size < need ? 0 : need));

        free(p);
    }
}


static size_t  allowed, blocks;


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
        blocks = 0;

        rc = read_token(sample);

        unit_check(blocks == 0);

        if (rc == NGX_OK) {
            break;
        }

        unit_check(rc == NGX_ERROR);
    }

    unit_check(n > 50);

    unit_test("nothing is lost when a document is refused");

    allowed = 1000;

    (void) read_token("{\"sub\":\"x\",\"active\":false,\"a\":[{}]}");
    unit_check(blocks == 0);
    (void) read_token("{\"sub\":1,\"a\":[{}]}");
    unit_check(blocks == 0);
    (void) read_token("[{\"sub\":\"x\"}]");
    unit_check(blocks == 0);
    (void) read_token("{\"sub\":\"x\",\"a\":[{}");
    unit_check(blocks == 0);

    json_set_alloc_funcs(malloc, free);
}


static void
test_introspect(void)
{
    u_char                 *p;
    size_t                  len, max;
    u_char                  byte;
    json_t                 *root, *value;
    unsigned                i, c;
    ngx_str_t               s;
    ngx_agt_json_options_t  options;

    unit_test("the body of an introspection");

    ngx_memzero(&options, sizeof(options));

    s.data = (u_char *) "a-b.c_d~e+f/g==";
    s.len = 15;

    max = ngx_agt_json_introspect(NULL, &s, &options);
    p = malloc(max);

    len = ngx_agt_json_introspect(p, &s, &options);

    unit_check(len <= max);
    s.data = p;
    s.len = len;
    unit_check(unit_equal(&s, "{\"token\":\"a-b.c_d~e+f/g==\","
                              "\"introspect_options\":{\"exclude_roles\":"
                              "false,\"support_http_matchers\":false,"
                              "\"no_cache\":false}}"));
    free(p);

    unit_test("all options of an introspection");

    for (i = 0; i < 8; i++) {
        options.exclude_roles = i & 1;
        options.support_http_matchers = (i >> 1) & 1;
        options.no_cache = (i >> 2) & 1;

        s.len = 0;
        p = malloc(ngx_agt_json_introspect(NULL, &s, &options));
        len = ngx_agt_json_introspect(p, &s, &options);

        root = json_loadb((char *) p, len, JSON_REJECT_DUPLICATES, NULL);
        value = json_object_get(root, "introspect_options");

        unit_check(json_boolean_value(json_object_get(value, "exclude_roles"))
                   == (int) (i & 1));
        unit_check(json_boolean_value(json_object_get(value,
                                                    "support_http_matchers"))
                   == (int) ((i >> 1) & 1));
        unit_check(json_boolean_value(json_object_get(value, "no_cache"))
                   == (int) ((i >> 2) & 1));
        unit_check(json_object_size(root) == 2);
        unit_check(json_object_size(value) == 3);

        json_decref(root);
        free(p);
    }

    unit_test("each ASCII byte in a token stays within its string");

    s.data = &byte;
    s.len = 1;

    max = ngx_agt_json_introspect(NULL, &s, &options);

    for (c = 0; c < 128; c++) {
        byte = (u_char) c;

        p = malloc(max);
        len = ngx_agt_json_introspect(p, &s, &options);

        unit_check(len <= max);

        root = json_loadb((char *) p, len, JSON_ALLOW_NUL, NULL);
        value = json_object_get(root, "token");

        unit_check(json_is_string(value));

        unit_check(json_string_length(value) == 1
                   && json_string_value(value)[0] == (char) c);
        unit_check(json_object_size(root) == 2);

        json_decref(root);
        free(p);
    }
}


static void
test_introspect_key(void)
{
    u_char                  *out;
    size_t                   len;
    json_t                  *root, *info;
    ngx_str_t                user, key;
    ngx_agt_json_options_t   options = { 1, 0, 1 };

    static u_char  said[] = "a\"b\\c:\xc3\xa4\x7f/";

    unit_test("user name and key are escaped, and options always written");

    user.data = said;
    user.len = sizeof(said) - 1;
    key.data = said + 1;
    key.len = 1;

    len = ngx_agt_json_introspect_key(NULL, &user, &key, &options);
    out = malloc(len);

    len = ngx_agt_json_introspect_key(out, &user, &key, &options);

    root = json_loadb((char *) out, len, 0, NULL);
    info = json_object_get(root, "api_key_auth_info");

    unit_check(json_object_size(root) == 3);
    unit_check(json_object_size(info) == 2);
    unit_check(strcmp(json_string_value(json_object_get(info, "username")),
                      (char *) said) == 0);
    unit_check(strcmp(json_string_value(json_object_get(info, "key")), "\"")
               == 0);
    unit_check(json_is_false(json_object_get(root, "multi_org")));

    info = json_object_get(root, "introspect_options");

    unit_check(json_object_size(info) == 3);
    unit_check(json_is_true(json_object_get(info, "exclude_roles")));
    unit_check(json_is_false(json_object_get(info, "support_http_matchers")));
    unit_check(json_is_true(json_object_get(info, "no_cache")));

    json_decref(root);
    free(out);

    unit_test("the length that is told is enough for any of them");

    memset(said, 1, sizeof(said) - 1);
    key = user;

    len = ngx_agt_json_introspect_key(NULL, &user, &key, &options);
    out = malloc(len);
    options.exclude_roles = 0;
    options.no_cache = 0;

    unit_check(ngx_agt_json_introspect_key(out, &user, &key, &options) == len);

    free(out);
}


static ngx_int_t
read_api_key(const char *text)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = unit_copy(text, strlen(text));

    rc = ngx_agt_json_api_key(copy.data, copy.len, NOW, buf, SIZE, &token,
                              &raw);
    free(copy.data);

    if (rc == NGX_OK) {
        unit_check(ngx_agt_facts_open(&facts, token.facts.data,
                                      token.facts.len)
                   == NGX_OK);
        unit_check(raw.len == 0 || raw.data == buf);

    } else {
        unit_check(token.facts.len == 0 && raw.len == 0);
        unit_check((token.reason != NGX_AGT_REASON_NONE)
                   == (rc == NGX_DECLINED));
    }

    return rc;
}


static void
test_api_key(void)
{
    char        *text;
    size_t       n;
    ngx_uint_t   i;

    static const struct {
        const char  *text;
        ngx_int_t    rc;
    } rows[] = {
        { "{}", NGX_ERROR },
        { "{\"primary_token\":null}", NGX_ERROR },
        { "{\"primary_token\":[]}", NGX_ERROR },
        { "{\"primary_token\":\"x\"}", NGX_ERROR },
        { "{\"primary_token\":{}}", NGX_ERROR },
        { "{\"sub\":\"x\",\"primary_token\":{\"org\":\"o\"}}", NGX_ERROR },
        { "{\"sub\":\"x\",\"raw_token\":\"r\"}", NGX_ERROR },
        { "[{\"primary_token\":{\"sub\":\"x\"}}]", NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":1}", NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":{}}", NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":false}",
          NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"a b\"}",
          NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"a\\r\\nb\"}",
          NGX_ERROR },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"=\"}",
          NGX_ERROR },
        { "{\"primary_token\":{\"sub\":1},\"raw_token\":\"r\"}", NGX_ERROR },

        { "{\"primary_token\":{\"active\":false}}", NGX_DECLINED },
        { "{\"primary_token\":{\"sub\":\"x\",\"cnf\":{}},"
          "\"raw_token\":\"r\"}", NGX_DECLINED },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"r\","
          "\"revoked\":true}", NGX_DECLINED },
        { "{\"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"r\","
          "\"oper_status\":\"expired\"}", NGX_DECLINED },
        { "{\"active\":false}", NGX_DECLINED }
    };

    unit_test("the answer about an API key is its primary token");

    unit_check(read_api_key("{\"primary_token\":{\"sub\":\"x\",\"org\":\"o\","
                            "\"exp\":1999999999,\"scopes\":[\"s\"]},"
                            "\"sub\":\"y\",\"sub_org_results\":[{\"sub\":"
                            "\"z\"}],\"raw_token\":\"a.b~+/-_==\"}")
               == NGX_OK);

    unit_check(unit_equal(&facts.sub, "x") && unit_equal(&facts.org, "o"));
    unit_check(facts.has_exp && facts.exp == 1999999999);
    unit_check(has(SCOPES, "s"));
    unit_check(unit_equal(&raw, "a.b~+/-_=="));

    unit_test("a raw token that is absent, null or empty is none");

    unit_check(read_api_key("{\"primary_token\":{\"sub\":\"x\"}}") == NGX_OK);
    unit_check(raw.len == 0);
    unit_check(read_api_key("{\"primary_token\":{\"sub\":\"x\"},"
                            "\"raw_token\":null}") == NGX_OK);
    unit_check(raw.len == 0);
    unit_check(read_api_key("{\"primary_token\":{\"sub\":\"x\"},"
                            "\"raw_token\":\"\"}") == NGX_OK);
    unit_check(raw.len == 0);

    unit_test("any other answer is none, or says no");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(read_api_key(rows[i].text) == rows[i].rc,
                        rows[i].text);
    }

    unit_test("a raw token is taken up to its limit");

    text = malloc(NGX_AGT_JSON_MAX_RAW + 100);

    for (n = NGX_AGT_JSON_MAX_RAW - 1; n <= NGX_AGT_JSON_MAX_RAW + 1; n++) {
        (void) sprintf(text, "{\"primary_token\":{\"sub\":\"x\"},"
                             "\"raw_token\":\"%0*d\"}", (int) n, 1);

        unit_check(read_api_key(text)
                   == (n <= NGX_AGT_JSON_MAX_RAW ? NGX_OK : NGX_ERROR));
    }

    free(text);
}


/* eyJleHAiOjE4MDAwMDAwMDV9 is {"exp":1800000005} */

static void
test_raw_exp(void)
{
    char        text[256];
    ngx_uint_t  i;

    static const struct {
        const char  *raw;
        const char  *exp;      /* of the primary token */
        int64_t      expected; /* 0: none */
    } rows[] = {
        { "x.eyJleHAiOjE4MDAwMDAwMDV9.s", "null", 1800000005 },
        { "x.eyJleHAiOjE4MDAwMDAwMDV9.s", "1800000006", 1800000005 },
        { "x.eyJleHAiOjE4MDAwMDAwMDV9.s", "1800000004", 1800000004 },
        { ".eyJleHAiOjE4MDAwMDAwMDV9.", "null", 1800000005 },
        { "x.eyJleHAiOjE4MDAwMDAwMDV9", "null", 0 },
        { "eyJleHAiOjE4MDAwMDAwMDV9", "null", 0 },
        { "x.e30.s", "null", 0 },
        { "x.e30.s", "1800000006", 1800000006 },
        { "x.!.s", "null", 0 },
        { "x..s", "1800000006", 1800000006 }
    };

    unit_test("of two expiries the earlier one counts");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) sprintf(text, "{\"primary_token\":{\"sub\":\"x\",\"exp\":%s},"
                             "\"raw_token\":\"%s\"}",
                       rows[i].exp, strchr(rows[i].raw, '!')
                                    ? "x.e.s" : rows[i].raw);

        unit_check_note(read_api_key(text) == NGX_OK, rows[i].raw);
        unit_check_note(facts.has_exp == (rows[i].expected != 0),
                        rows[i].raw);
        unit_check_note(!facts.has_exp || facts.exp == rows[i].expected,
                        rows[i].raw);
    }
}


static void
test_api_key_end(void)
{
    char        text[256];
    ngx_uint_t  i;

    static const struct {
        const char  *answer;   /* "disabled_at_time" of the answer itself */
        const char  *token;    /* and of the primary token */
        int64_t      expected; /* 0: none */
    } rows[] = {
        { "null", "null", 0 },
        { "1800000300", "null", 1800000300 },
        { "null", "1800000300", 1800000300 },
        { "1800000200", "1800000300", 1800000200 },
        { "1800000300", "1800000200", 1800000200 }
    };

    unit_test("an API key ends when its answer or its token says so");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) sprintf(text, "{\"disabled_at_time\":%s,\"primary_token\":"
                             "{\"sub\":\"x\",\"disabled_at_time\":%s}}",
                       rows[i].answer, rows[i].token);

        unit_check_note(read_api_key(text) == NGX_OK, text);
        unit_check_note(facts.has_end == (rows[i].expected != 0), text);
        unit_check_note(!facts.has_end || facts.end == rows[i].expected, text);
        unit_check_note(!facts.has_exp, text);
    }
}
