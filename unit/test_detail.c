
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/detail.h"


#define NOW  1800000000

#define S(s)  ngx_string(s)


static void test_requirements(void);
static void test_bytes(void);
static void test_room(void);
static void test_numbers(void);
static void make(void);
static void add(ngx_agt_facts_builder_t *b, ngx_agt_facts_list_e list,
    const char *words);
static const char *text_of(const ngx_agt_requirement_t *requirement);


/* what a requirement that is not met says of the token that make() has made */

static const struct {
    ngx_agt_require_e  kind;
    ngx_uint_t         any;
    time_t             age;
    ngx_str_t          values[8];
    ngx_uint_t         nvalues;
    const char        *text;
} rows[] = {

    { NGX_AGT_REQUIRE_EXPIRY, 0, 0, { S("") }, 0,
      "agilicus_token_require_expiry 2: the token has no exp" },
    { NGX_AGT_REQUIRE_MASQUERADING, 0, 0, { S("") }, 0,
      "agilicus_token_deny_masquerading 2: the user acts as another" },
    { NGX_AGT_REQUIRE_MFA, 0, 300, { S("") }, 0,
      "agilicus_token_require_mfa 2: needs a sign-in at most 300 s ago; "
      "the last was 1000 s ago" },

    /* of scopes, those that are missing */

    { NGX_AGT_REQUIRE_SCOPES, 0, 0, { S("a"), S("x"), S("b"), S("y") }, 4,
      "agilicus_token_require_scopes 2: lacks 'x', 'y'; has 'a', 'b', 'c', "
      "'d' and 2 more" },
    { NGX_AGT_REQUIRE_SCOPES, 1, 0, { S("x"), S("y") }, 2,
      "agilicus_token_require_scopes 2: needs one of 'x', 'y'; has 'a', 'b', "
      "'c', 'd' and 2 more" },
    { NGX_AGT_REQUIRE_SCOPES, 0, 0,
      { S("1"), S("2"), S("3"), S("4"), S("5") }, 5,
      "agilicus_token_require_scopes 2: lacks '1', '2', '3', '4' and 1 more; "
      "has 'a', 'b', 'c', 'd' and 2 more" },
    { NGX_AGT_REQUIRE_AUDIENCE, 0, 0, { S("other") }, 1,
      "agilicus_token_require_audience 2: needs one of 'other'; has 'app'" },
    { NGX_AGT_REQUIRE_ORG, 0, 0, { S("acme"), S("north") }, 2,
      "agilicus_token_require_org 2: needs one of 'acme', 'north'; "
      "has 'south'" },

    /* roles of that application, roles on that resource */

    { NGX_AGT_REQUIRE_ROLE, 0, 0, { S("meters"), S("owner") }, 2,
      "agilicus_token_require_role 2: needs one of 'owner' in 'meters'; "
      "has 'reader'" },
    { NGX_AGT_REQUIRE_ROLE, 0, 0, { S("none"), S("reader") }, 2,
      "agilicus_token_require_role 2: needs one of 'reader' in 'none'; "
      "has none" },
    { NGX_AGT_REQUIRE_RESOURCE, 0, 0,
      { S("share"), S("plans"), S("owner"), S("editor") }, 4,
      "agilicus_token_require_resource 2: needs one of 'owner', 'editor' on "
      "'share' 'plans'; has 'viewer'" },
    { NGX_AGT_REQUIRE_RESOURCE, 0, 0, { S("share"), S("x"), S("viewer") }, 3,
      "agilicus_token_require_resource 2: needs one of 'viewer' on 'share' "
      "'x'; has none" },

    /* values that no token meets */

    { NGX_AGT_REQUIRE_SCOPES, 0, 0, { S("a"), S("") }, 2,
      "agilicus_token_require_scopes 2: value 2 is empty" },
    { NGX_AGT_REQUIRE_ROLE, 0, 0, { S(""), S("x") }, 2,
      "agilicus_token_require_role 2: value 1 is empty" },
    { NGX_AGT_REQUIRE_VALUES, 0, 0, { S("1"), S("0") }, 2,
      "agilicus_token_require 2: value 2 is '0'" },
    { NGX_AGT_REQUIRE_VALUES, 0, 0, { S("false") }, 1,
      "agilicus_token_require 2: value 1 is 'false'" },
    { NGX_AGT_REQUIRE_VALUES, 0, 0, { S("") }, 1,
      "agilicus_token_require 2: value 1 is empty" },

    /* a value from outside stays within its apostrophes, and on its line */

    { NGX_AGT_REQUIRE_ORG, 0, 0, { S("a'; has 'b\r\n\"\\,\x1b") }, 1,
      "agilicus_token_require_org 2: needs one of "
      "'a%27; has %27b%0D%0A%22%5C%2C%1B'; has 'south'" },
};


static u_char           packed[4096];
static ngx_agt_facts_t  facts;


int
main(void)
{
    make();

    test_requirements();
    test_bytes();
    test_room();
    test_numbers();

    return unit_done();
}


static void
test_requirements(void)
{
    ngx_uint_t             i, kind;
    const char            *text;
    ngx_agt_requirement_t  r;

    unit_test("a requirement says what it needs, and what the token has");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&r, 0, sizeof(r));

        r.kind = rows[i].kind;
        r.any = rows[i].any;
        r.age = rows[i].age;
        r.values = rows[i].values;
        r.nvalues = rows[i].nvalues;
        r.position = 2;

        text = text_of(&r);

        unit_check_note(strcmp(text, rows[i].text) == 0, text);
    }

    for (kind = 0; kind < NGX_AGT_REQUIRE_KINDS; kind++) {

        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (rows[i].kind == (ngx_agt_require_e) kind) {
                break;
            }
        }

        unit_check(i < sizeof(rows) / sizeof(rows[0]));
    }

    unit_test("a sign-in may be ahead, or never have been");

    memset(&r, 0, sizeof(r));

    r.kind = NGX_AGT_REQUIRE_MFA;
    r.age = 5;
    r.position = 1;

    facts.mfa = NOW + 90;

    unit_check(strcmp(text_of(&r), "agilicus_token_require_mfa 1: needs a "
                      "sign-in at most 5 s ago; the last was 90 s ahead")
               == 0);

    facts.has_mfa = 0;

    unit_check(strcmp(text_of(&r), "agilicus_token_require_mfa 1: needs a "
                      "sign-in at most 5 s ago; the last was never")
               == 0);
}


static void
test_bytes(void)
{
    size_t            len, j;
    u_char            buf[NGX_AGT_DETAIL_LEN], byte;
    ngx_str_t         text;
    ngx_uint_t        c;
    ngx_agt_detail_t  d;

    unit_test("no byte of a text can end it, a line, or a field of a log");

    for (c = 0; c < 256; c++) {
        byte = (u_char) c;
        text.data = &byte;
        text.len = 1;

        ngx_agt_detail_begin(&d, buf);
        ngx_agt_detail_text(&d, &text);
        len = ngx_agt_detail_end(&d);

        unit_check(len == 3 || len == 5);
        unit_check((len == 3)
                   == (c >= 0x20 && c <= 0x7e && c != '\'' && c != '"'
                       && c != '\\' && c != ','));

        for (j = 0; j < len; j++) {
            unit_check(buf[j] >= 0x20 && buf[j] <= 0x7e && buf[j] != '"'
                       && buf[j] != '\\');
            unit_check((buf[j] == '\'') == (j == 0 || j == len - 1));
        }
    }
}


static void
test_room(void)
{
    size_t            len, n;
    u_char           *buf, many[1024];
    ngx_str_t         text;
    ngx_uint_t        times;
    ngx_agt_detail_t  d;

    unit_test("a long text is cut");

    memset(many, 'x', sizeof(many));
    many[NGX_AGT_DETAIL_TEXT] = '\n';

    text.data = many;
    buf = malloc(NGX_AGT_DETAIL_LEN);

    for (n = 0; n < 2 * NGX_AGT_DETAIL_TEXT; n++) {
        text.len = n;

        ngx_agt_detail_begin(&d, buf);
        ngx_agt_detail_text(&d, &text);
        len = ngx_agt_detail_end(&d);

        unit_check(len == (n <= NGX_AGT_DETAIL_TEXT
                           ? n + 2 : NGX_AGT_DETAIL_TEXT + 5));
        unit_check(n <= NGX_AGT_DETAIL_TEXT
                   || memcmp(buf + len - 4, "...'", 4) == 0);
    }

    unit_test("a long detail is cut, and says so");

    memset(many, '\n', sizeof(many));

    for (times = 0; times < 100; times++) {
        text.len = times;

        ngx_agt_detail_begin(&d, buf);

        for (n = 0; n < times; n++) {
            ngx_agt_detail_words(&d, "words ");
            ngx_agt_detail_number(&d, (int64_t) n);
            ngx_agt_detail_text(&d, &text);
        }

        len = ngx_agt_detail_end(&d);

        unit_check(len <= NGX_AGT_DETAIL_LEN);
        unit_check(times < 40
                   || (len > NGX_AGT_DETAIL_LEN - 16
                       && memcmp(buf + len - 3, "...", 3) == 0));
    }

    free(buf);
}


static void
test_numbers(void)
{
    size_t            i, len;
    u_char            buf[NGX_AGT_DETAIL_LEN];
    ngx_agt_detail_t  d;

    static const struct {
        int64_t      number;
        const char  *text;
    } numbers[] = {
        { 0, "0" },
        { 7, "7" },
        { 10, "10" },
        { -1, "-1" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" }
    };

    unit_test("a number of any size");

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ngx_agt_detail_begin(&d, buf);
        ngx_agt_detail_number(&d, numbers[i].number);
        len = ngx_agt_detail_end(&d);

        unit_check_note(len == strlen(numbers[i].text)
                        && memcmp(buf, numbers[i].text, len) == 0,
                        numbers[i].text);
    }
}


static void
make(void)
{
    size_t                   len;
    ngx_agt_facts_t          of;
    ngx_agt_facts_builder_t  b;

    memset(&of, 0, sizeof(of));

    of.has_mfa = 1;
    of.mfa = NOW - 1000;
    of.org.data = (u_char *) "south";
    of.org.len = strlen("south");

    ngx_agt_facts_begin(&b, packed, sizeof(packed), &of);

    add(&b, NGX_AGT_FACTS_AUD, "app");
    add(&b, NGX_AGT_FACTS_SCOPES, "a b c d e f");
    add(&b, NGX_AGT_FACTS_ROLES, "meters reader other owner");
    add(&b, NGX_AGT_FACTS_RESOURCES, "share plans viewer share other owner");

    len = ngx_agt_facts_end(&b);

    unit_check(ngx_agt_facts_open(&facts, packed, len) == NGX_OK);
}


static void
add(ngx_agt_facts_builder_t *b, ngx_agt_facts_list_e list, const char *words)
{
    char       *p, buf[256];
    ngx_str_t   item;

    ngx_agt_facts_list(b, list);

    strcpy(buf, words);

    for (p = strtok(buf, " "); p; p = strtok(NULL, " ")) {
        item.data = (u_char *) p;
        item.len = strlen(p);

        ngx_agt_facts_add(b, &item);
    }
}


static const char *
text_of(const ngx_agt_requirement_t *requirement)
{
    size_t            len;
    ngx_agt_detail_t  d;

    static u_char  text[NGX_AGT_DETAIL_LEN + 1];

    ngx_agt_detail_begin(&d, text);
    ngx_agt_detail_requirement(&d, requirement, &facts, NOW);
    len = ngx_agt_detail_end(&d);

    text[len] = '\0';

    return (char *) text;
}
