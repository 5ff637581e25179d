
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/policy.h"


#define NOW  1700000000

#define SCOPES    NGX_AGT_REQUIRE_SCOPES
#define AUDIENCE  NGX_AGT_REQUIRE_AUDIENCE
#define ORG       NGX_AGT_REQUIRE_ORG
#define ROLE      NGX_AGT_REQUIRE_ROLE
#define RESOURCE  NGX_AGT_REQUIRE_RESOURCE
#define VALUES    NGX_AGT_REQUIRE_VALUES

#define SCOPE_UNMET                                                           \
    NGX_AGT_VERDICT_FORBIDDEN, NGX_AGT_REASON_SCOPE
#define AUDIENCE_UNMET                                                        \
    NGX_AGT_VERDICT_INVALID, NGX_AGT_REASON_AUDIENCE
#define ORG_UNMET                                                             \
    NGX_AGT_VERDICT_FORBIDDEN, NGX_AGT_REASON_ORG
#define ROLE_UNMET                                                            \
    NGX_AGT_VERDICT_FORBIDDEN, NGX_AGT_REASON_ROLE
#define RESOURCE_UNMET                                                        \
    NGX_AGT_VERDICT_FORBIDDEN, NGX_AGT_REASON_RESOURCE
#define VALUE_UNMET                                                           \
    NGX_AGT_VERDICT_FORBIDDEN, NGX_AGT_REASON_REQUIRE
#define VALUE_UNMET_401                                                       \
    NGX_AGT_VERDICT_INVALID, NGX_AGT_REASON_REQUIRE
#define MET  0, 0
#define EXPIRY_UNMET                                                          \
    NGX_AGT_REQUIRE_EXPIRY, NGX_AGT_VERDICT_INVALID, NGX_AGT_REASON_NO_EXPIRY
#define MASQUERADING_UNMET                                                    \
    NGX_AGT_REQUIRE_MASQUERADING, NGX_AGT_VERDICT_FORBIDDEN,                  \
    NGX_AGT_REASON_MASQUERADING


/* the values of a requirement, one word each */

typedef struct {
    ngx_agt_require_e  kind;
    ngx_uint_t         any;
    const char        *values;
    ngx_uint_t         met;
    ngx_agt_verdict_e  verdict;
    ngx_agt_reason_e   reason;
} row_t;


static void test_expiry(void);
static void test_late(void);
static void test_ended(void);
static void test_not_before(void);
static void test_require_expiry(void);
static void test_requirements(void);
static void test_order(void);
static void test_masquerading(void);
static void test_mfa(void);
static void test_rules(void);
static void ask(ngx_agt_ruling_t *of);
static void test_all(void);
static void make(void);
static void require(ngx_agt_require_e kind, ngx_agt_verdict_e verdict,
    ngx_agt_reason_e reason);
static void split(const row_t *row, ngx_agt_requirement_t *r,
    ngx_str_t *values, char *buf);
static ngx_int_t decide(int64_t now, uint32_t late);


static u_char                           packed[4096];
static ngx_agt_facts_t       facts;
static ngx_agt_policy_t      policy;
static ngx_agt_ruling_t      ruling;
static ngx_int_t                        say;
static ngx_uint_t                       asked;
static ngx_agt_decision_t    decision;
static ngx_agt_requirement_t requirements[8];
static ngx_uint_t                       nrequirements;


int
main(void)
{
    test_expiry();
    test_late();
    test_ended();
    test_not_before();
    test_require_expiry();
    test_requirements();
    test_order();
    test_masquerading();
    test_mfa();
    test_rules();
    test_all();

    return unit_done();
}


static void
test_expiry(void)
{
    ngx_uint_t  i;

    static const struct {
        int64_t     exp;
        time_t      leeway;
        int64_t     now;
        ngx_uint_t  expired;
    } tests[] = {
        { NOW, 0, NOW - 1, 0 },
        { NOW, 0, NOW, 1 },
        { NOW, 0, NOW + 1, 1 },
        { NOW, 1, NOW, 0 },
        { NOW, 1, NOW + 1, 1 },
        { NOW, 30, NOW + 29, 0 },
        { NOW, 30, NOW + 30, 1 },
        { NOW, 30, NOW + 31, 1 },
        { 0, 0, -1, 0 },
        { 0, 0, 0, 1 },
        { -1, 0, NOW, 1 },
        { -1, 3600, NOW, 1 },
        { 2147483648, 0, NOW, 0 },
        { 4294967296, 0, NOW, 0 },
        { 9007199254740993, 0, NOW, 0 },
        { INT64_MAX, 0, NOW, 0 },
        { INT64_MAX, 3600, NOW, 0 },
        { INT64_MAX, 3600, INT64_MAX - 1, 0 },
        { INT64_MAX, 3600, INT64_MAX, 1 },
        { INT64_MIN, 0, NOW, 1 },
        { INT64_MIN, 3600, NOW, 1 },
        { INT64_MIN, 0, INT64_MIN, 1 }
    };

    unit_test("a token expires with the second of its exp, leeway added");

    make();

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        facts.has_exp = 1;
        facts.exp = tests[i].exp;
        policy.leeway = tests[i].leeway;

        unit_check(ngx_agt_policy_expired(&facts, tests[i].leeway,
                                          0, tests[i].now)
                   == tests[i].expired);

        unit_check(decide(tests[i].now, 0)
                   == (tests[i].expired ? NGX_DECLINED : NGX_OK));

        if (tests[i].expired) {
            unit_check(decision.verdict == NGX_AGT_VERDICT_EXPIRED);
            unit_check(decision.reason == NGX_AGT_REASON_EXPIRED);
        } else {
            unit_check(decision.verdict == NGX_AGT_VERDICT_ACTIVE);
            unit_check(decision.reason == NGX_AGT_REASON_NONE);
        }
    }

    unit_test("one without exp never expires");

    make();
    facts.has_exp = 0;
    facts.exp = 1;

    unit_check(!ngx_agt_policy_expired(&facts, 0, 0, NOW));
    unit_check(!ngx_agt_policy_expired(&facts, 0, 5, INT64_MAX));
    unit_check(decide(INT64_MAX, 0) == NGX_OK);
}


/* seen past its exp, a token stays so whatever the clock says */

static void
test_late(void)
{
    ngx_uint_t  i;

    static const struct {
        uint32_t    late;
        time_t      leeway;
        int64_t     now;
        ngx_uint_t  expired;
    } tests[] = {
        { 0, 0, NOW - 3600, 0 },
        { 1, 0, NOW - 3600, 1 },
        { 2, 0, NOW - 3600, 1 },
        { 1, 1, NOW - 3600, 0 },
        { 2, 1, NOW - 3600, 1 },
        { 30, 30, NOW - 3600, 0 },
        { 31, 30, NOW - 3600, 1 },
        { 1, 30, NOW + 29, 0 },
        { 1, 30, NOW + 30, 1 },
        { 0xffffffff, 3600, INT64_MIN, 1 },
        { 0xffffffff, (time_t) 0xffffffff, NOW, 0 }
    };

    unit_test("a clock that is set back revives nothing");

    make();
    facts.has_exp = 1;
    facts.exp = NOW;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        policy.leeway = tests[i].leeway;

        unit_check(ngx_agt_policy_expired(&facts, tests[i].leeway,
                                          tests[i].late,
                                          tests[i].now)
                   == tests[i].expired);

        unit_check(decide(tests[i].now, tests[i].late)
                   == (tests[i].expired ? NGX_DECLINED : NGX_OK));
    }

    facts.exp = INT64_MIN;
    unit_check(ngx_agt_policy_expired(&facts, 0, 1, INT64_MIN));
}


/* what a member of the Token ends has no leeway, and stays ended too */

static void
test_ended(void)
{
    ngx_uint_t  i;

    static const struct {
        int64_t     exp;        /* 0: none */
        int64_t     end;
        int64_t     now;
        uint32_t    late;
        ngx_uint_t  ended;
    } tests[] = {
        { 0, NOW, NOW - 1, 0, 0 },
        { 0, NOW, NOW, 0, 1 },
        { 0, NOW, NOW + 1, 0, 1 },
        { 0, INT64_MAX, NOW, 0, 0 },
        { 0, INT64_MAX, INT64_MAX, 0, 1 },
        { 0, INT64_MIN, INT64_MIN, 0, 1 },
        { NOW + 60, NOW, NOW - 1, 0, 0 },
        { NOW + 60, NOW, NOW, 0, 1 },
        { NOW, NOW, NOW, 0, 1 },
        { NOW - 10, NOW, NOW - 1, 0, 0 },
        { NOW - 10, NOW, NOW, 0, 1 },

        /* late counts from the earlier of the two */

        { 0, NOW, NOW - 3600, 1, 1 },
        { NOW + 60, NOW, NOW - 3600, 1, 1 },
        { NOW - 10, NOW, NOW - 3600, 1, 0 },
        { NOW - 10, NOW, NOW - 3600, 10, 0 },
        { NOW - 10, NOW, NOW - 3600, 11, 1 },
        { NOW - 10, NOW, NOW - 3600, 0xffffffff, 1 }
    };

    unit_test("facts end with their own end, without leeway");

    make();
    policy.leeway = 30;
    facts.has_end = 1;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        facts.has_exp = (tests[i].exp != 0);
        facts.exp = tests[i].exp;
        facts.end = tests[i].end;

        unit_check(ngx_agt_policy_ended(&facts, tests[i].late, tests[i].now)
                   == tests[i].ended);

        if (ngx_agt_policy_expired(&facts, 30, tests[i].late, tests[i].now))
        {
            continue;
        }

        unit_check(decide(tests[i].now, tests[i].late)
                   == (tests[i].ended ? NGX_DECLINED : NGX_OK));

        if (tests[i].ended) {
            unit_check(decision.verdict == NGX_AGT_VERDICT_INVALID);
            unit_check(decision.reason == NGX_AGT_REASON_SAYS_NO);
        }
    }

    make();
    facts.has_end = 0;
    facts.end = 1;

    unit_check(!ngx_agt_policy_ended(&facts, 0, NOW));
    unit_check(decide(NOW, 0) == NGX_OK);

    unit_test("how late it is for facts is counted from what comes first");

    make();
    facts.has_exp = 0;
    facts.has_end = 0;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 0);

    facts.has_exp = 1;
    facts.exp = NOW;
    unit_check(ngx_agt_policy_late(&facts, NOW - 1) == 0);
    unit_check(ngx_agt_policy_late(&facts, NOW) == 1);
    unit_check(ngx_agt_policy_late(&facts, NOW + 9) == 10);

    facts.has_end = 1;
    facts.end = NOW - 5;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 6);

    facts.end = NOW + 5;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 1);

    facts.exp = INT64_MIN;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 0xffffffff);
    unit_check(ngx_agt_policy_late(&facts, INT64_MAX) == 0xffffffff);

    facts.exp = NOW - (int64_t) 0xfffffffe;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 0xffffffff);

    facts.exp = NOW - (int64_t) 0xfffffffd;
    unit_check(ngx_agt_policy_late(&facts, NOW) == 0xfffffffe);
}


static void
test_not_before(void)
{
    ngx_uint_t  i;

    static const struct {
        int64_t     nbf;
        time_t      leeway;
        int64_t     now;
        ngx_uint_t  early;
    } tests[] = {
        { NOW, 0, NOW - 1, 1 },
        { NOW, 0, NOW, 0 },
        { NOW, 0, NOW + 1, 0 },
        { NOW, 10, NOW - 11, 1 },
        { NOW, 10, NOW - 10, 0 },
        { INT64_MAX, 3600, NOW, 1 },
        { INT64_MIN, 3600, NOW, 0 },
        { INT64_MIN, 3600, INT64_MIN, 0 },
        { 0, 0, NOW, 0 },
        { -1, 0, NOW, 0 }
    };

    unit_test("a token counts from the second of its nbf, leeway taken off");

    make();

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        facts.has_nbf = 1;
        facts.nbf = tests[i].nbf;
        policy.leeway = tests[i].leeway;

        unit_check(ngx_agt_policy_ahead(&facts, tests[i].leeway, tests[i].now)
                   == tests[i].early);

        unit_check(decide(tests[i].now, 0)
                   == (tests[i].early ? NGX_DECLINED : NGX_OK));

        if (tests[i].early) {
            unit_check(decision.verdict == NGX_AGT_VERDICT_INVALID);
            unit_check(decision.reason == NGX_AGT_REASON_NOT_YET_VALID);
        }
    }

    make();
    facts.has_nbf = 0;
    facts.nbf = INT64_MAX;
    unit_check(decide(NOW, 0) == NGX_OK);

    /* iat decides nothing */

    facts.has_iat = 1;
    facts.iat = INT64_MAX;
    unit_check(decide(NOW, 0) == NGX_OK);
}


static void
test_require_expiry(void)
{
    unit_test("where an expiry is required, a token without one is refused");

    make();
    require(EXPIRY_UNMET);

    unit_check(decide(NOW, 0) == NGX_DECLINED);
    unit_check(decision.verdict == NGX_AGT_VERDICT_INVALID);
    unit_check(decision.reason == NGX_AGT_REASON_NO_EXPIRY);

    facts.has_exp = 1;
    facts.exp = NOW + 1;
    unit_check(decide(NOW, 0) == NGX_OK);
}


static void
test_requirements(void)
{
    char        buf[256];
    ngx_uint_t  i;
    ngx_str_t   values[8];

    static const row_t  tests[] = {

        /* the token: scopes "read write x? Read:All" */

        { SCOPES, 0, "read", 1, MET },
        { SCOPES, 0, "read write", 1, MET },
        { SCOPES, 0, "write read", 1, MET },
        { SCOPES, 0, "x?", 1, MET },
        { SCOPES, 0, "x", 0, SCOPE_UNMET },
        { SCOPES, 0, "Read", 0, SCOPE_UNMET },
        { SCOPES, 0, "READ", 0, SCOPE_UNMET },
        { SCOPES, 0, "rea", 0, SCOPE_UNMET },
        { SCOPES, 0, "reads", 0, SCOPE_UNMET },
        { SCOPES, 0, "read:all", 0, SCOPE_UNMET },
        { SCOPES, 0, "Read:All", 1, MET },
        { SCOPES, 0, "xread", 0, SCOPE_UNMET },
        { SCOPES, 0, "read,write", 0, SCOPE_UNMET },
        { SCOPES, 0, "read admin", 0, SCOPE_UNMET },
        { SCOPES, 0, "admin read", 0, SCOPE_UNMET },
        { SCOPES, 0, "admin root", 0, SCOPE_UNMET },
        { SCOPES, 0, "_", 0, SCOPE_UNMET },
        { SCOPES, 0, "read _", 0, SCOPE_UNMET },
        { SCOPES, 0, "", 0, SCOPE_UNMET },

        { SCOPES, 1, "read", 1, MET },
        { SCOPES, 1, "admin read", 1, MET },
        { SCOPES, 1, "read admin", 1, MET },
        { SCOPES, 1, "admin root write", 1, MET },
        { SCOPES, 1, "admin root", 0, SCOPE_UNMET },
        { SCOPES, 1, "admin", 0, SCOPE_UNMET },
        { SCOPES, 1, "read _", 0, SCOPE_UNMET },
        { SCOPES, 1, "_ read", 0, SCOPE_UNMET },
        { SCOPES, 1, "", 0, SCOPE_UNMET },

        /* aud "app1 app2" */

        { AUDIENCE, 0, "app1", 1, MET },
        { AUDIENCE, 0, "app2", 1, MET },
        { AUDIENCE, 0, "other app2", 1, MET },
        { AUDIENCE, 0, "app2 other", 1, MET },
        { AUDIENCE, 0, "other", 0, AUDIENCE_UNMET },
        { AUDIENCE, 0, "app", 0, AUDIENCE_UNMET },
        { AUDIENCE, 0, "APP1", 0, AUDIENCE_UNMET },
        { AUDIENCE, 0, "app1 _", 0, AUDIENCE_UNMET },
        { AUDIENCE, 0, "", 0, AUDIENCE_UNMET },

        /* org "acme" */

        { ORG, 0, "acme", 1, MET },
        { ORG, 0, "other acme", 1, MET },
        { ORG, 0, "other", 0, ORG_UNMET },
        { ORG, 0, "ACME", 0, ORG_UNMET },
        { ORG, 0, "acm", 0, ORG_UNMET },
        { ORG, 0, "acme2", 0, ORG_UNMET },
        { ORG, 0, "_", 0, ORG_UNMET },
        { ORG, 0, "acme _", 0, ORG_UNMET },
        { ORG, 0, "", 0, ORG_UNMET },

        /* roles: editor in wiki, owner in shop, blog in blog */

        { ROLE, 0, "wiki editor", 1, MET },
        { ROLE, 0, "wiki owner editor", 1, MET },
        { ROLE, 0, "shop owner", 1, MET },
        { ROLE, 0, "wiki owner", 0, ROLE_UNMET },
        { ROLE, 0, "shop editor", 0, ROLE_UNMET },
        { ROLE, 0, "editor shop", 0, ROLE_UNMET },
        { ROLE, 0, "editor wiki", 0, ROLE_UNMET },
        { ROLE, 0, "owner shop", 0, ROLE_UNMET },
        { ROLE, 0, "blog editor", 0, ROLE_UNMET },
        { ROLE, 0, "blog blog", 1, MET },
        { ROLE, 0, "press editor", 0, ROLE_UNMET },
        { ROLE, 0, "wiki", 0, ROLE_UNMET },
        { ROLE, 0, "wiki editor _", 0, ROLE_UNMET },
        { ROLE, 0, "_ editor", 0, ROLE_UNMET },
        { ROLE, 0, "", 0, ROLE_UNMET },

        /* resources: "application wiki editor", "database wiki owner",
           "desktop desktop desktop", and half a row */

        { RESOURCE, 0, "application wiki editor", 1, MET },
        { RESOURCE, 0, "application wiki owner editor", 1, MET },
        { RESOURCE, 0, "application wiki editor owner", 1, MET },
        { RESOURCE, 0, "database wiki owner", 1, MET },
        { RESOURCE, 0, "desktop desktop desktop", 1, MET },
        { RESOURCE, 0, "application wiki owner", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "database wiki editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application shop editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "group wiki editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "wiki application editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "wiki editor database", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "editor database wiki", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application wiki wiki", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application wiki edit", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application wiki editors", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "Application wiki editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application wiki editor _", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application _ editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "_ wiki editor", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "group half owner", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application wiki", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "application", 0, RESOURCE_UNMET },
        { RESOURCE, 0, "", 0, RESOURCE_UNMET },

        /* any values at all */

        { VALUES, 0, "1", 1, MET },
        { VALUES, 0, "yes no", 1, MET },
        { VALUES, 0, "00", 1, MET },
        { VALUES, 0, "0", 0, VALUE_UNMET },
        { VALUES, 0, "1 0", 0, VALUE_UNMET },
        { VALUES, 0, "0 1", 0, VALUE_UNMET },
        { VALUES, 0, "_", 0, VALUE_UNMET },
        { VALUES, 0, "1 _", 0, VALUE_UNMET },
        { VALUES, 0, "", 0, VALUE_UNMET },
        { VALUES, 0, "1", 1, MET },
        { VALUES, 0, "false", 0, VALUE_UNMET },
        { VALUES, 0, "false", 0, VALUE_UNMET_401 },
        { VALUES, 0, "False", 1, MET },
        { VALUES, 0, "falsey", 1, MET },
        { VALUES, 0, "fals", 1, MET },
        { VALUES, 0, "0", 0, VALUE_UNMET_401 },
        { VALUES, 0, "_", 0, VALUE_UNMET_401 },

        /* no token meets a requirement of an unknown kind */

        { NGX_AGT_REQUIRE_KINDS, 0, "read", 0, VALUE_UNMET },
        { 99, 1, "1", 0, VALUE_UNMET }
    };

    unit_test("requirements are met exactly, and an empty value never");

    make();
    nrequirements = 1;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        split(&tests[i], &requirements[0], values, buf);

        unit_check_note(decide(NOW, 0)
                        == (tests[i].met ? NGX_OK : NGX_DECLINED),
                        tests[i].values);

        if (!tests[i].met) {
            unit_check_note(decision.verdict == tests[i].verdict
                            && decision.reason == tests[i].reason,
                            tests[i].values);
        }
    }

    unit_test("a token that has nothing meets nothing");

    memset(&facts, 0, sizeof(facts));

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        split(&tests[i], &requirements[0], values, buf);

        if (tests[i].kind == VALUES) {
            continue;
        }

        unit_check_note(decide(NOW, 0) == NGX_DECLINED, tests[i].values);
    }
}


static void
test_order(void)
{
    char       buf[2][256];
    ngx_str_t  values[2][8];

    static const row_t  scope = { SCOPES, 0, "admin", 0, SCOPE_UNMET };
    static const row_t  org = { ORG, 0, "other", 0, ORG_UNMET };
    static const row_t  met = { SCOPES, 0, "read", 1, MET };

    unit_test("all must be met, and the first that is not is named");

    make();
    nrequirements = 2;

    split(&scope, &requirements[0], values[0], buf[0]);
    split(&org, &requirements[1], values[1], buf[1]);
    unit_check(decide(NOW, 0) == NGX_DECLINED
               && decision.reason == NGX_AGT_REASON_SCOPE);

    split(&org, &requirements[0], values[0], buf[0]);
    split(&scope, &requirements[1], values[1], buf[1]);
    unit_check(decide(NOW, 0) == NGX_DECLINED
               && decision.reason == NGX_AGT_REASON_ORG);

    split(&met, &requirements[0], values[0], buf[0]);
    split(&org, &requirements[1], values[1], buf[1]);
    unit_check(decide(NOW, 0) == NGX_DECLINED
               && decision.reason == NGX_AGT_REASON_ORG);

    split(&met, &requirements[0], values[0], buf[0]);
    split(&met, &requirements[1], values[1], buf[1]);
    unit_check(decide(NOW, 0) == NGX_OK);
}


static void
test_masquerading(void)
{
    unit_test("masquerading users are refused where the location says so");

    make();

    facts.masquerading = 1;
    unit_check(decide(NOW, 0) == NGX_OK);

    require(MASQUERADING_UNMET);
    unit_check(decide(NOW, 0) == NGX_DECLINED);
    unit_check(decision.verdict == NGX_AGT_VERDICT_FORBIDDEN);
    unit_check(decision.reason == NGX_AGT_REASON_MASQUERADING);

    facts.masquerading = 0;
    unit_check(decide(NOW, 0) == NGX_OK);
}


static void
test_mfa(void)
{
    size_t  i;

    static const struct {
        ngx_uint_t  has;
        int64_t     mfa;
        time_t      age;
        ngx_uint_t  met;
    } tests[] = {
        { 0, NOW, 300, 0 },
        { 0, 0, 10 * 365 * 86400, 0 },
        { 1, NOW, 300, 1 },
        { 1, NOW - 299, 300, 1 },
        { 1, NOW - 300, 300, 1 },
        { 1, NOW - 301, 300, 0 },
        { 1, NOW - 1, 1, 1 },
        { 1, NOW - 2, 1, 0 },
        { 1, NOW + 1, 1, 1 },
        { 1, NOW + 60, 300, 1 },
        { 1, NOW + 61, 300, 0 },
        { 1, NOW * (int64_t) 1000, 300, 0 },
        { 1, INT64_MAX, 300, 0 },
        { 1, 0, 300, 0 },
        { 1, INT64_MIN, 300, 0 }
    };

    unit_test("the last sign-in must not be too long ago, nor to come");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        make();
        require(NGX_AGT_REQUIRE_MFA, NGX_AGT_VERDICT_STEP_UP,
                NGX_AGT_REASON_MFA);

        requirements[0].age = tests[i].age;
        facts.has_mfa = tests[i].has & 1;
        facts.mfa = tests[i].mfa;

        unit_check(decide(NOW, 0) == (tests[i].met ? NGX_OK : NGX_DECLINED));

        if (!tests[i].met) {
            unit_check(decision.verdict == NGX_AGT_VERDICT_STEP_UP);
            unit_check(decision.reason == NGX_AGT_REASON_MFA);
        }
    }

    /* times that cannot be added up */

    make();
    require(NGX_AGT_REQUIRE_MFA, NGX_AGT_VERDICT_STEP_UP, NGX_AGT_REASON_MFA);
    requirements[0].age = 300;
    facts.has_exp = 0;
    facts.has_mfa = 1;
    facts.mfa = INT64_MAX - 1;
    unit_check(decide(INT64_MAX, 0) == NGX_OK);
    facts.mfa = INT64_MIN;
    unit_check(decide(INT64_MIN, 0) == NGX_OK);
}


static void
test_rules(void)
{
    ngx_uint_t  i;

    static const ngx_int_t  refusals[] = {
        NGX_DECLINED, NGX_ERROR, NGX_BUSY, NGX_DONE, NGX_ABORT, 1, 403
    };

    unit_test("the token's rules count where the location says so");

    make();

    ruling.rc = NGX_DECLINED;
    unit_check(decide(NOW, 0) == NGX_OK);

    policy.rules = 1;
    ruling.rc = NGX_OK;
    unit_check(decide(NOW, 0) == NGX_OK);

    ruling.reason = NGX_AGT_REASON_METHOD;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        ruling.rc = refusals[i];

        unit_check(decide(NOW, 0) == NGX_DECLINED);
        unit_check(decision.verdict == NGX_AGT_VERDICT_FORBIDDEN);
        unit_check(decision.reason == NGX_AGT_REASON_METHOD);
    }

    unit_test("and are asked for only if all depends on them");

    ruling.rc = NGX_AGAIN;
    unit_check(decide(NOW, 0) == NGX_AGAIN);

    facts.has_exp = 1;
    facts.exp = NOW;
    unit_check(decide(NOW, 0) == NGX_DECLINED);

    facts.exp = NOW + 1;
    unit_check(decide(NOW, 0) == NGX_AGAIN);

    facts.masquerading = 1;
    require(MASQUERADING_UNMET);
    unit_check(decide(NOW, 0) == NGX_DECLINED);

    unit_test("who knows what they say is asked once, and last");

    ruling.ask = ask;

    asked = 0;
    unit_check(decide(NOW, 0) == NGX_DECLINED);
    unit_check(asked == 0);

    nrequirements = 0;
    facts.exp = NOW;
    unit_check(decide(NOW, 0) == NGX_DECLINED);
    unit_check(asked == 0);

    facts.exp = NOW + 1;
    say = NGX_OK;
    unit_check(decide(NOW, 0) == NGX_OK);
    unit_check(asked == 1);

    /* what is known is not asked for */

    say = NGX_DECLINED;
    unit_check(decide(NOW, 0) == NGX_OK);
    unit_check(asked == 1);

    ruling.rc = NGX_AGAIN;
    unit_check(decide(NOW, 0) == NGX_DECLINED);
    unit_check(decision.verdict == NGX_AGT_VERDICT_FORBIDDEN);
    unit_check(decision.reason == NGX_AGT_REASON_HOST);
    unit_check(asked == 2);

    say = NGX_AGAIN;
    ruling.rc = NGX_AGAIN;
    unit_check(decide(NOW, 0) == NGX_AGAIN);
    unit_check(asked == 3);

    policy.rules = 0;
    unit_check(decide(NOW, 0) == NGX_OK);
    unit_check(asked == 3);
}


static void
ask(ngx_agt_ruling_t *of)
{
    asked++;
    of->rc = say;
    of->reason = NGX_AGT_REASON_HOST;
}


/* every combination there is, against the order that is promised */

static void
test_all(void)
{
    char               buf[5][64];
    ngx_int_t          rc, due;
    ngx_str_t          values[5][4];
    ngx_uint_t         exp, nbf, flags, mask, states, rule, i;
    ngx_agt_reason_e   reason;
    ngx_agt_verdict_e  verdict;

    static const row_t  rows[5][2] = {
        { { SCOPES, 0, "admin", 0, SCOPE_UNMET },
          { SCOPES, 0, "read write", 1, MET } },
        { { AUDIENCE, 0, "other", 0, AUDIENCE_UNMET },
          { AUDIENCE, 0, "app1", 1, MET } },
        { { ORG, 0, "other", 0, ORG_UNMET },
          { ORG, 0, "acme", 1, MET } },
        { { ROLE, 0, "wiki owner", 0, ROLE_UNMET },
          { ROLE, 0, "wiki editor", 1, MET } },
        { { VALUES, 0, "0", 0, VALUE_UNMET_401 },
          { VALUES, 0, "1", 1, MET } }
    };

    static const ngx_int_t  rulings[] = {
        NGX_AGAIN, NGX_OK, NGX_DECLINED, NGX_ERROR
    };

    unit_test("one combination allows, of all that there are");

    make();

    for (exp = 0; exp < 4; exp++) {
    for (nbf = 0; nbf < 3; nbf++) {
    for (flags = 0; flags < 16; flags++) {
    for (mask = 0; mask < 32; mask++) {
    for (states = 0; states < 32; states++) {
    for (rule = 0; rule < 4; rule++) {

        if (states & ~mask) {
            continue;
        }

        facts.has_exp = (exp != 0);
        facts.exp = NOW - 2 + (int64_t) exp;
        facts.has_nbf = (nbf != 0);
        facts.nbf = NOW - 1 + (int64_t) nbf;

        facts.masquerading = (flags >> 2) & 1;
        policy.rules = (flags >> 3) & 1;
        policy.leeway = 0;

        ruling.rc = rulings[rule];
        ruling.reason = NGX_AGT_REASON_PATH;

        verdict = NGX_AGT_VERDICT_ACTIVE;
        reason = NGX_AGT_REASON_NONE;
        due = NGX_OK;
        nrequirements = 0;

        if (flags & 1) {
            require(EXPIRY_UNMET);
        }

        for (i = 0; i < 5; i++) {
            if (mask & (1u << i)) {
                split(&rows[i][(states >> i) & 1],
                      &requirements[nrequirements++], values[i], buf[i]);
            }
        }

        if (flags & 2) {
            require(MASQUERADING_UNMET);
        }

        /* exp: none, a second ago, now, in a second */

        if (exp == 1 || exp == 2) {
            due = NGX_DECLINED;
            verdict = NGX_AGT_VERDICT_EXPIRED;
            reason = NGX_AGT_REASON_EXPIRED;

        } else if (nbf == 2) {
            due = NGX_DECLINED;
            verdict = NGX_AGT_VERDICT_INVALID;
            reason = NGX_AGT_REASON_NOT_YET_VALID;

        } else if (exp == 0 && (flags & 1)) {
            due = NGX_DECLINED;
            verdict = NGX_AGT_VERDICT_INVALID;
            reason = NGX_AGT_REASON_NO_EXPIRY;

        } else if (mask != states) {

            for (i = 0; !((mask & ~states) & (1u << i)); i++) {
                /* void */
            }

            due = NGX_DECLINED;
            verdict = rows[i][0].verdict;
            reason = rows[i][0].reason;

        } else if ((flags & 6) == 6) {
            due = NGX_DECLINED;
            verdict = NGX_AGT_VERDICT_FORBIDDEN;
            reason = NGX_AGT_REASON_MASQUERADING;

        } else if (flags & 8) {
            due = (rulings[rule] == NGX_ERROR) ? NGX_DECLINED : rulings[rule];

            if (due == NGX_DECLINED) {
                verdict = NGX_AGT_VERDICT_FORBIDDEN;
                reason = NGX_AGT_REASON_PATH;
            }
        }

        rc = decide(NOW, 0);
        unit_check(rc == due);

        if (rc != NGX_AGAIN) {
            unit_check(decision.verdict == verdict
                       && decision.reason == reason);
        }

    } } } } } }
}


static void
make(void)
{
    ngx_uint_t               i;
    ngx_agt_facts_t          from;
    ngx_agt_facts_builder_t  b;

    static ngx_str_t  scopes[] = {
        ngx_string("read"), ngx_string("write"), ngx_string("x?"),
        ngx_string("Read:All")
    };

    static ngx_str_t  aud[] = { ngx_string("app1"), ngx_string("app2") };

    static ngx_str_t  roles[] = {
        ngx_string("wiki"), ngx_string("editor"), ngx_string("shop"),
        ngx_string("owner"), ngx_string("blog"), ngx_string("blog")
    };

    static ngx_str_t  resources[] = {
        ngx_string("application"), ngx_string("wiki"), ngx_string("editor"),
        ngx_string("database"), ngx_string("wiki"), ngx_string("owner"),
        ngx_string("desktop"), ngx_string("desktop"), ngx_string("desktop"),
        ngx_string("group"), ngx_string("half")
    };

    memset(&from, 0, sizeof(from));
    memset(&policy, 0, sizeof(policy));
    memset(&ruling, 0, sizeof(ruling));

    ruling.rc = NGX_AGAIN;
    nrequirements = 0;

    ngx_str_set(&from.sub, "alice");
    ngx_str_set(&from.org, "acme");

    ngx_agt_facts_begin(&b, packed, sizeof(packed), &from);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_AUD);

    for (i = 0; i < 2; i++) {
        ngx_agt_facts_add(&b, &aud[i]);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_SCOPES);

    for (i = 0; i < 4; i++) {
        ngx_agt_facts_add(&b, &scopes[i]);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_ROLES);

    for (i = 0; i < 6; i++) {
        ngx_agt_facts_add(&b, &roles[i]);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_RESOURCES);

    for (i = 0; i < 11; i++) {
        ngx_agt_facts_add(&b, &resources[i]);
    }

    if (ngx_agt_facts_open(&facts, packed, ngx_agt_facts_end(&b)) != NGX_OK)
    {
        abort();
    }
}


/* one more requirement, which is a flag */

static void
require(ngx_agt_require_e kind, ngx_agt_verdict_e verdict,
    ngx_agt_reason_e reason)
{
    ngx_agt_requirement_t  *r;

    r = &requirements[nrequirements++];

    memset(r, 0, sizeof(*r));

    r->kind = kind;
    r->verdict = verdict;
    r->reason = reason;
}


/* words are values; "_" stands for an empty one */

static void
split(const row_t *row, ngx_agt_requirement_t *r, ngx_str_t *values, char *buf)
{
    char  *p;

    r->kind = row->kind;
    r->any = row->any;
    r->verdict = row->verdict;
    r->reason = row->reason;
    r->values = values;
    r->nvalues = 0;

    strcpy(buf, row->values);

    for (p = strtok(buf, " "); p; p = strtok(NULL, " ")) {
        values[r->nvalues].data = (u_char *) p;
        values[r->nvalues].len = strcmp(p, "_") == 0 ? 0 : strlen(p);
        r->nvalues++;
    }
}


static ngx_int_t
decide(int64_t now, uint32_t late)
{
    memset(&decision, 0xa5, sizeof(decision));

    return ngx_agt_policy_decide(&facts, late, &policy,
                                 requirements, nrequirements,
                                 &ruling, now, &decision);
}
