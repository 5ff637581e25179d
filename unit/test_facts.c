
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/facts.h"


#define AUD     NGX_AGT_FACTS_AUD
#define SCOPES  NGX_AGT_FACTS_SCOPES
#define ROLES   NGX_AGT_FACTS_ROLES
#define CLAIMS  NGX_AGT_FACTS_CLAIMS
#define RESOURCES  NGX_AGT_FACTS_RESOURCES
#define LISTS   NGX_AGT_FACTS_LISTS


static void test_round_trip(void);
static void test_address(void);
static void test_flags(void);
static void test_sizes(void);
static void test_truncated(void);
static void test_flipped(void);
static void test_longest(void);
static void test_order(void);
static void test_lookup(void);
static void test_broken_lists(void);
static void test_empty(void);
static size_t build(u_char *buf, size_t size);
static void read_all(const ngx_agt_facts_t *facts,
    const u_char *start, size_t len);
static void set(ngx_str_t *s, const char *text);


/* what build() puts into the lists: the list, and then its strings */

static const struct {
    ngx_agt_facts_list_e  list;
    const char           *items[8];
} contents[] = {
    { AUD, { "urn:api:agilicus:gateway", "b", NULL } },
    { SCOPES, { "urn:agilicus:users:owner", "read", "read:all", "", NULL } },
    { ROLES, { "app", "editor", "app", "viewer", "other", "owner", NULL } },
    { RESOURCES, { "database", "d1", "owner", NULL } },
    { CLAIMS, { "creating_org", "o1", "last_mfa_time", "17", "", "", NULL } },
};


int
main(void)
{
    test_round_trip();
    test_address();
    test_flags();
    test_sizes();
    test_truncated();
    test_flipped();
    test_longest();
    test_order();
    test_lookup();
    test_broken_lists();
    test_empty();

    return unit_done();
}


static void
set(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = strlen(text);
}


static size_t
build(u_char *buf, size_t size)
{
    ngx_str_t                s;
    ngx_uint_t               i, n;
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    ngx_memzero(&facts, sizeof(facts));

    facts.exp = 1700000000;
    facts.has_exp = 1;
    facts.iat = INT64_MIN;
    facts.has_iat = 1;
    facts.nbf = INT64_MAX;
    facts.has_nbf = 1;
    facts.end = INT64_MAX - 1;
    facts.has_end = 1;
    facts.mfa = INT64_MAX - 2;
    facts.has_mfa = 1;
    facts.masquerading = 1;

    set(&facts.sub, "subject");
    set(&facts.email, "u@example.com");
    set(&facts.org, "");
    set(&facts.root_org, "root");
    set(&facts.jti, "jti-1");
    set(&facts.session, "s");

    ngx_agt_facts_begin(&b, buf, size, &facts);

    for (i = 0; i < LISTS; i++) {
        ngx_agt_facts_list(&b, contents[i].list);

        for (n = 0; contents[i].items[n]; n++) {
            set(&s, contents[i].items[n]);
            ngx_agt_facts_add(&b, &s);
        }
    }

    return ngx_agt_facts_end(&b);
}


static void
test_round_trip(void)
{
    size_t           len;
    u_char           buf[1024];
    ngx_str_t        s;
    ngx_uint_t       i, n;
    ngx_agt_facts_t  facts;

    unit_test("what is packed is read back");

    len = build(buf, sizeof(buf));

    unit_check(len > 0);

    ngx_memset(&facts, 0xff, sizeof(facts));

    unit_check(ngx_agt_facts_open(&facts, buf, len) == NGX_OK);

    unit_check(facts.has_exp && facts.exp == 1700000000);
    unit_check(facts.has_iat && facts.iat == INT64_MIN);
    unit_check(facts.has_nbf && facts.nbf == INT64_MAX);
    unit_check(facts.has_end && facts.end == INT64_MAX - 1);
    unit_check(facts.has_mfa && facts.mfa == INT64_MAX - 2);
    unit_check(facts.masquerading);
    unit_check(!facts.has_rules);

    unit_check(unit_equal(&facts.sub, "subject"));
    unit_check(unit_equal(&facts.email, "u@example.com"));
    unit_check(unit_equal(&facts.org, ""));
    unit_check(unit_equal(&facts.root_org, "root"));
    unit_check(unit_equal(&facts.jti, "jti-1"));
    unit_check(unit_equal(&facts.session, "s"));

    for (i = 0; i < LISTS; i++) {
        for (n = 0; contents[i].items[n]; n++) {
            unit_check(ngx_agt_facts_next(&facts.lists[i], &s) == NGX_OK);
            unit_check_note(unit_equal(&s, contents[i].items[n]),
                            contents[i].items[n]);
        }

        unit_check(ngx_agt_facts_next(&facts.lists[i], &s) == NGX_DONE);
        unit_check(ngx_agt_facts_next(&facts.lists[i], &s) == NGX_DONE);
    }
}


static void
test_address(void)
{
    size_t           len, shift;
    u_char           buf[1024], moved[1024 + 16];
    ngx_agt_facts_t  facts;

    unit_test("the packed form can lie at any address");

    len = build(buf, sizeof(buf));

    for (shift = 0; shift < 16; shift++) {
        ngx_memcpy(moved + shift, buf, len);

        unit_check(ngx_agt_facts_open(&facts, moved + shift, len) == NGX_OK);
        unit_check(unit_equal(&facts.sub, "subject"));
        read_all(&facts, moved + shift, len);
    }

    unit_test("the same facts give the same bytes");

    ngx_memset(moved, 0xa5, sizeof(moved));

    unit_check(build(moved, 1024) == len);
    unit_check(memcmp(buf, moved, len) == 0);
}


static void
test_flags(void)
{
    u_char                   buf[256];
    size_t                   len;
    unsigned                 i;
    ngx_agt_facts_t          facts, back;
    ngx_agt_facts_builder_t  b;

    unit_test("each flag stands for itself, and no time without its flag");

    for (i = 0; i < 256; i++) {
        ngx_memzero(&facts, sizeof(facts));

        facts.exp = 1;
        facts.iat = 2;
        facts.nbf = 3;
        facts.has_exp = i & 1;
        facts.has_iat = (i >> 1) & 1;
        facts.has_nbf = (i >> 2) & 1;
        facts.masquerading = (i >> 3) & 1;
        facts.has_rules = (i >> 4) & 1;
        facts.odd_scopes = (i >> 5) & 1;
        facts.end = 4;
        facts.has_end = (i >> 6) & 1;
        facts.mfa = 5;
        facts.has_mfa = (i >> 7) & 1;

        ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
        len = ngx_agt_facts_end(&b);

        unit_check(ngx_agt_facts_open(&back, buf, len) == NGX_OK);

        unit_check(back.has_exp == facts.has_exp);
        unit_check(back.has_iat == facts.has_iat);
        unit_check(back.has_nbf == facts.has_nbf);
        unit_check(back.masquerading == facts.masquerading);
        unit_check(back.has_rules == facts.has_rules);
        unit_check(back.odd_scopes == facts.odd_scopes);
        unit_check(back.has_end == facts.has_end);
        unit_check(back.end == (facts.has_end ? 4 : 0));
        unit_check(back.has_mfa == facts.has_mfa);
        unit_check(back.mfa == (facts.has_mfa ? 5 : 0));

        unit_check(back.exp == (facts.has_exp ? 1 : 0));
        unit_check(back.iat == (facts.has_iat ? 2 : 0));
        unit_check(back.nbf == (facts.has_nbf ? 3 : 0));
    }
}


static void
test_sizes(void)
{
    size_t   len, size;
    u_char   buf[1024], *p;

    unit_test("a buffer of any size holds all or nothing");

    len = build(buf, sizeof(buf));

    for (size = 0; size <= len + 2; size++) {
        p = malloc(size ? size : 1);

        unit_check(build(p, size) == (size < len ? 0 : len));

        if (size >= len) {
            unit_check(memcmp(p, buf, len) == 0);
        }

        free(p);
    }
}


static void
test_truncated(void)
{
    size_t           len, n;
    u_char           buf[1024];
    ngx_str_t        copy;
    ngx_agt_facts_t  facts;

    unit_test("a packed form of another length is none");

    len = build(buf, sizeof(buf));

    for (n = 0; n < len; n++) {
        copy = unit_copy(buf, n);

        unit_check(ngx_agt_facts_open(&facts, copy.data, n) == NGX_ERROR);

        free(copy.data);
    }

    unit_check(ngx_agt_facts_open(&facts, buf, len + 1) == NGX_ERROR);
}


/* whatever opens can be read to its end without leaving it */

static void
read_all(const ngx_agt_facts_t *facts, const u_char *start, size_t len)
{
    ngx_str_t       s;
    ngx_uint_t      i, n;
    ngx_agt_list_t  list;

    const ngx_str_t  *strings[] = {
        &facts->sub, &facts->email, &facts->org, &facts->root_org,
        &facts->jti, &facts->session
    };

    for (i = 0; i < 6; i++) {
        unit_check(strings[i]->data >= start
                   && strings[i]->data + strings[i]->len <= start + len);
    }

    for (i = 0; i < LISTS; i++) {
        list = facts->lists[i];

        for (n = 0; ngx_agt_facts_next(&list, &s) == NGX_OK; n++) {
            unit_check(s.data >= start && s.data + s.len <= start + len);
            unit_check(n < len);
        }

        (void) ngx_agt_facts_has(&facts->lists[i], &facts->sub);
        (void) ngx_agt_facts_has_pair(&facts->lists[i],
                                      &facts->sub, &facts->jti);
        (void) ngx_agt_facts_find(&facts->lists[i], &facts->sub, &s);
    }
}


static void
test_flipped(void)
{
    size_t           len, i;
    u_char           buf[1024];
    ngx_str_t        copy;
    ngx_uint_t       c;
    ngx_agt_facts_t  facts;

    unit_test("a changed byte never leads out of the packed form");

    len = build(buf, sizeof(buf));
    copy = unit_copy(buf, len);

    for (i = 0; i < len; i++) {
        for (c = 0; c < 256; c++) {
            copy.data[i] = (u_char) c;

            if (ngx_agt_facts_open(&facts, copy.data, len) == NGX_OK)
            {
                read_all(&facts, copy.data, len);
            }
        }

        copy.data[i] = buf[i];
    }

    unit_test("another version is refused");

    copy.data[0]++;

    unit_check(ngx_agt_facts_open(&facts, copy.data, len) == NGX_ERROR);

    free(copy.data);
}


static void
test_longest(void)
{
    size_t                   len, size;
    u_char                  *buf, *text;
    ngx_uint_t               over;
    ngx_agt_facts_t          facts, back;
    ngx_agt_facts_builder_t  b;
    ngx_str_t                s;

    unit_test("the longest string fits, a longer one does not");

    size = 4 * NGX_AGT_FACTS_MAX_STR;
    buf = malloc(size);
    text = malloc(size);

    ngx_memset(text, 'a', size);

    for (over = 0; over < 2; over++) {
        ngx_memzero(&facts, sizeof(facts));

        facts.session.data = text;
        facts.session.len = NGX_AGT_FACTS_MAX_STR + over;

        ngx_agt_facts_begin(&b, buf, size, &facts);
        len = ngx_agt_facts_end(&b);

        unit_check((len > 0) == !over);

        if (len) {
            unit_check(ngx_agt_facts_open(&back, buf, len) == NGX_OK);
            unit_check(back.session.len == NGX_AGT_FACTS_MAX_STR);
        }

        ngx_memzero(&facts, sizeof(facts));

        s.data = text;
        s.len = NGX_AGT_FACTS_MAX_STR + over;

        ngx_agt_facts_begin(&b, buf, size, &facts);
        ngx_agt_facts_list(&b, SCOPES);
        ngx_agt_facts_add(&b, &s);
        len = ngx_agt_facts_end(&b);

        unit_check((len > 0) == !over);

        if (len) {
            unit_check(ngx_agt_facts_open(&back, buf, len) == NGX_OK);
            unit_check(ngx_agt_facts_has(&back.lists[SCOPES], &s));
        }
    }

    free(text);
    free(buf);
}


static void
test_order(void)
{
    u_char                   buf[256];
    ngx_str_t                s = ngx_string("x");
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    ngx_memzero(&facts, sizeof(facts));

    unit_test("lists out of order, twice or unknown give nothing");

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
    ngx_agt_facts_list(&b, ROLES);
    ngx_agt_facts_list(&b, AUD);
    unit_check(ngx_agt_facts_end(&b) == 0);

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
    ngx_agt_facts_list(&b, SCOPES);
    ngx_agt_facts_list(&b, SCOPES);
    unit_check(ngx_agt_facts_end(&b) == 0);

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
    ngx_agt_facts_list(&b, LISTS);
    unit_check(ngx_agt_facts_end(&b) == 0);

    unit_test("a string outside of a list gives nothing");

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
    ngx_agt_facts_add(&b, &s);
    unit_check(ngx_agt_facts_end(&b) == 0);

    unit_test("lists that are left out are empty");

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
    ngx_agt_facts_list(&b, ROLES);
    ngx_agt_facts_add(&b, &s);

    unit_check(ngx_agt_facts_open(&facts, buf, ngx_agt_facts_end(&b))
               == NGX_OK);

    unit_check(!ngx_agt_facts_has(&facts.lists[AUD], &s));
    unit_check(!ngx_agt_facts_has(&facts.lists[SCOPES], &s));
    unit_check(ngx_agt_facts_has(&facts.lists[ROLES], &s));
    unit_check(!ngx_agt_facts_has(&facts.lists[CLAIMS], &s));
}


static void
test_lookup(void)
{
    u_char           buf[1024];
    size_t           i;
    ngx_str_t        s, name, value;
    ngx_agt_list_t   roles, claims;
    ngx_agt_facts_t  facts;

    static const struct {
        const char  *text;
        ngx_uint_t   there;
    } scopes[] = {
        { "read", 1 }, { "read:all", 1 }, { "urn:agilicus:users:owner", 1 },
        { "", 1 },
        { "Read", 0 }, { "read ", 0 }, { " read", 0 }, { "xread", 0 },
        { "rea", 0 }, { "reada", 0 }, { "read:al", 0 }, { "all", 0 },
        { "read\nread:all", 0 }, { "read?", 0 },
    };

    unit_check(ngx_agt_facts_open(&facts, buf, build(buf, sizeof(buf)))
               == NGX_OK);

    unit_test("scopes are compared byte for byte and as a whole");

    for (i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        set(&s, scopes[i].text);

        unit_check_note(ngx_agt_facts_has(&facts.lists[SCOPES], &s)
                        == scopes[i].there, scopes[i].text);
    }

    s.data = (u_char *) "read\0all";
    s.len = 8;

    unit_check(!ngx_agt_facts_has(&facts.lists[SCOPES], &s));

    unit_test("roles are compared as pairs");

    roles = facts.lists[ROLES];

    set(&name, "app");
    set(&value, "viewer");
    unit_check(ngx_agt_facts_has_pair(&roles, &name, &value));

    set(&value, "owner");
    unit_check(!ngx_agt_facts_has_pair(&roles, &name, &value));

    set(&name, "editor");
    set(&value, "app");
    unit_check(!ngx_agt_facts_has_pair(&roles, &name, &value));

    set(&name, "other");
    set(&value, "owner");
    unit_check(ngx_agt_facts_has_pair(&roles, &name, &value));

    unit_test("claims are found by name");

    claims = facts.lists[CLAIMS];

    set(&name, "last_mfa_time");
    unit_check(ngx_agt_facts_find(&claims, &name, &value) == NGX_OK);
    unit_check(unit_equal(&value, "17"));

    set(&name, "o1");
    unit_check(ngx_agt_facts_find(&claims, &name, &value) == NGX_DECLINED);
    unit_check(unit_equal(&value, "17"));
}


static void
test_broken_lists(void)
{
    size_t          i, n;
    u_char          bytes[] = { 3, 0, 'a', 'b', 'c', 2, 0, 'd' };
    ngx_str_t       copy, s, name;
    ngx_agt_list_t  list;

    unit_test("a list that breaks off ends where it does");

    for (n = 0; n <= sizeof(bytes); n++) {
        copy = unit_copy(bytes, n);

        list.pos = copy.data;
        list.end = copy.data + n;

        for (i = 0; ngx_agt_facts_next(&list, &s) == NGX_OK; i++) {
            unit_check(unit_equal(&s, "abc"));
        }

        unit_check(i == (n >= 5));
        unit_check(list.pos == list.end);

        free(copy.data);
    }

    unit_test("a name without a value is no pair");

    list.pos = bytes;
    list.end = bytes + 5;

    set(&name, "abc");

    unit_check(!ngx_agt_facts_has_pair(&list, &name, &name));
    unit_check(ngx_agt_facts_find(&list, &name, &s) == NGX_DECLINED);
}


static void
test_empty(void)
{
    u_char           buf[1024];
    ngx_str_t        none = ngx_null_string;
    ngx_agt_list_t   list = { NULL, NULL };
    ngx_agt_facts_t  facts;

    unit_test("nothing is looked up in nothing");

    unit_check(!ngx_agt_facts_has(&list, &none));
    unit_check(!ngx_agt_facts_has_pair(&list, &none, &none));
    unit_check(ngx_agt_facts_find(&list, &none, &none) == NGX_DECLINED);

    unit_check(ngx_agt_facts_open(&facts, buf, build(buf, sizeof(buf)))
               == NGX_OK);
    unit_check(ngx_agt_facts_has(&facts.lists[SCOPES], &none));
    unit_check(!ngx_agt_facts_has(&facts.lists[AUD], &none));
}
