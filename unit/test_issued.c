
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/issued.h"




static void test_round_trip(void);
static void test_refusal(void);
static void test_pack(void);
static void test_limits(void);
static void test_binding(void);
static void test_nothing_readable(void);
static void test_allocations(void);
static void test_raw(void);
static void test_end(void);
static void test_too_long(void);
static void test_no_key(void);
static void start(void);
static void child(const char *jti, const char *session, const char *sub,
    int64_t iat);
static void pack(void);
static ngx_int_t store(uint64_t n, ngx_agt_reason_e reason,
    const char *token, ngx_uint_t verified);
static ngx_int_t find(uint64_t n);
static void name(u_char *key, uint64_t n);


static ngx_agt_zone_t       *zone;
static ngx_agt_clock_t       now;
static ngx_agt_issued_t      secret;
static ngx_agt_facts_t       facts;
static u_char                           packed[8192];
static size_t                           packed_len;
static u_char                           buf[NGX_AGT_ISSUED_MAX];



int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 176);

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    test_no_key();

    if (ngx_agt_seal_init(&stub_log) != NGX_OK) {
        return 1;
    }

    test_round_trip();
    test_refusal();
    test_pack();
    test_limits();
    test_binding();
    test_nothing_readable();
    test_allocations();
    test_raw();
    test_end();
    test_too_long();

    stub_zone_free(zone);

    return unit_done();
}


static void
test_round_trip(void)
{
    u_char  key[32];

    unit_test("a token is found as it was stored");

    start();
    child("jti", "session", "sub", 5);

    unit_check(find(1) == NGX_DECLINED);
    unit_check(store(1, NGX_AGT_REASON_REISSUE, "reissued", 1) == NGX_OK);

    unit_check(find(1) == NGX_OK);
    unit_check(secret.class == NGX_AGT_CLASS_ACTIVE);
    unit_check(secret.reason == NGX_AGT_REASON_REISSUE);
    unit_check(secret.sent == 1000000 && secret.serial == 1);
    unit_check(secret.has_exp && secret.exp == 1700000600);
    unit_check(secret.verified && secret.late == 0);
    unit_check(secret.facts.len == packed_len
               && memcmp(secret.facts.data, packed, packed_len) == 0);
    unit_check(secret.clean == 0);
    unit_check(unit_equal(&secret.token, "reissued"));
    unit_check(secret.token.data == buf);
    unit_check(find(2) == NGX_DECLINED);

    unit_test("whether it was looked at is kept, and so is the lack of an exp");

    packed_len = ngx_agt_issued_pack(packed, sizeof(packed), 0, 0);
    unit_check(store(2, NGX_AGT_REASON_CREATE, "created", 2) == NGX_OK);
    unit_check(find(2) == NGX_OK);
    unit_check(!secret.verified && !secret.has_exp && secret.serial == 2);
    unit_check(secret.reason == NGX_AGT_REASON_CREATE);
    unit_check(unit_equal(&secret.token, "created"));

    unit_test("how late a token was seen is told with it");

    name(key, 1);

    ngx_agt_table_find(zone->facts, key, 1)->late = 3;

    unit_check(find(1) == NGX_OK && secret.late == 3);
    unit_check(find(2) == NGX_OK && secret.late == 0);
}


static void
test_refusal(void)
{
    u_char               key[32];
    ngx_str_t            none = ngx_null_string;
    ngx_agt_cache_key_t  k;

    unit_test("a refusal is found as one, without a token");

    start();
    name(key, 5);
    k.key = key;
    k.origin = 1;

    unit_check(ngx_agt_cache_store(zone, &k, NGX_AGT_CLASS_INVALID,
                                         NGX_AGT_REASON_REISSUE,
                                         &none, &none, 77, 77, 0) == NGX_OK);

    unit_check(find(5) == NGX_OK);
    unit_check(secret.class == NGX_AGT_CLASS_INVALID);
    unit_check(secret.reason == NGX_AGT_REASON_REISSUE);
    unit_check(secret.sent == 77 && secret.token.len == 0);
}


static void
test_pack(void)
{
    size_t           len;
    u_char          *p;
    ngx_agt_facts_t  back;

    unit_test("of a token that was not looked at only its end is kept");

    packed_len = ngx_agt_issued_pack(packed, sizeof(packed), 1, 1700000600);

    unit_check(packed_len > 0);
    unit_check(ngx_agt_facts_open(&back, packed, packed_len) == NGX_OK);
    unit_check(back.has_exp && back.exp == 1700000600);
    unit_check(back.sub.len == 0 && back.jti.len == 0 && back.org.len == 0);

    unit_test("what does not fit is not packed");

    for (len = 0; len < packed_len; len++) {
        p = malloc(len + 1);
        unit_check(ngx_agt_issued_pack(p, len, 1, 5) == 0);
        free(p);
    }

    p = malloc(packed_len);
    unit_check(ngx_agt_issued_pack(p, packed_len, 1, 1700000600)
               == packed_len);
    free(p);
}


static void
test_limits(void)
{
    char    *token;
    size_t   len;

    unit_test("a token is kept up to its limit");

    start();
    child("jti", "session", "sub", 5);

    token = malloc(NGX_AGT_ISSUED_MAX + 2);

    for (len = NGX_AGT_ISSUED_MAX - 1; len <= NGX_AGT_ISSUED_MAX + 1; len++)
    {
        memset(token, 'x', len);
        token[len] = '\0';

        unit_check((store(1, NGX_AGT_REASON_REISSUE, token, 1) == NGX_OK)
                   == (len <= NGX_AGT_ISSUED_MAX));

        unit_check(find(1) == NGX_OK);
        unit_check(secret.token.len == ngx_min(len, NGX_AGT_ISSUED_MAX));
    }

    free(token);
}


/* an entry that was put under another key, or that was tampered with */

static void
test_binding(void)
{
    u_char            key[32], other[32];
    size_t            i, len;
    ngx_agt_entry_t  *e, *f;

    unit_test("a token moved to another key does not open");

    start();
    child("jti", "session", "sub", 5);

    (void) store(1, NGX_AGT_REASON_REISSUE, "alice's", 1);
    (void) store(2, NGX_AGT_REASON_REISSUE, "mallory's", 1);

    name(key, 1);
    name(other, 2);

    e = ngx_agt_table_find(zone->facts, key, 1);
    len = e->facts_len + e->rules_len;
    f = ngx_agt_table_store(zone->facts, other, 1, len);

    f->class = e->class;
    f->reason = e->reason;
    f->facts_len = e->facts_len;
    f->rules_len = e->rules_len;
    memcpy(f->data, e->data, len);

    unit_check(find(1) == NGX_OK && unit_equal(&secret.token, "alice's"));
    unit_check(find(2) == NGX_DECLINED);

    unit_test("a token that was changed does not open");

    e = ngx_agt_table_find(zone->facts, key, 1);

    for (i = e->facts_len; i < len; i++) {
        e->data[i] ^= 1;
        unit_check(find(1) == NGX_DECLINED);
        e->data[i] ^= 1;
    }

    unit_check(find(1) == NGX_OK);

    /* one that is no seal, or no facts, at all */

    e->rules_len = 5;
    unit_check(find(1) == NGX_DECLINED);
    e->rules_len = 0;
    unit_check(find(1) == NGX_DECLINED);
    e->facts_len = 3;
    unit_check(find(1) == NGX_DECLINED);
}


static void
test_nothing_readable(void)
{
    unit_test("no token can be read in the zone");

    start();
    child("jti", "session", "sub", 5);

    (void) store(1, NGX_AGT_REASON_REISSUE, "canary-canary-canary", 1);

    unit_check(find(1) == NGX_OK);
    unit_check(memmem(zone->shm_zone->shm.addr, zone->shm_zone->shm.size,
                      "canary", 6) == NULL);
}


static void
test_allocations(void)
{
    unit_test("where memory is short, nothing is found");

    start();
    child("jti", "session", "sub", 5);
    (void) store(1, NGX_AGT_REASON_REISSUE, "reissued", 1);

    /* look-ups have a buffer by now that is large enough */

    stub_allocations = 0;
    unit_check(find(1) == NGX_OK);
    stub_allocations = -1;
}


static void
start(void)
{
    if (zone) {
        stub_zone_free(zone);
        }

    zone = stub_zone(256 * 1024);

    now.mono = 1000000;
    now.wall = 1700000000;
    stub_clock(now.mono, now.wall);
}


/* what is packed are these facts from now on */

static void
child(const char *jti, const char *session, const char *sub, int64_t iat)
{
    memset(&facts, 0, sizeof(facts));

    facts.jti.data = (u_char *) jti;
    facts.jti.len = strlen(jti);
    facts.session.data = (u_char *) session;
    facts.session.len = strlen(session);
    facts.sub.data = (u_char *) sub;
    facts.sub.len = strlen(sub);
    facts.has_iat = 1;
    facts.iat = iat;
    facts.has_exp = 1;
    facts.exp = 1700000600;

    pack();
}


static void
pack(void)
{
    ngx_agt_facts_builder_t  b;

    ngx_agt_facts_begin(&b, packed, sizeof(packed), &facts);
    packed_len = ngx_agt_facts_end(&b);
}


static ngx_int_t
store(uint64_t n, ngx_agt_reason_e reason, const char *token,
    ngx_uint_t verified)
{
    u_char               key[32];
    ngx_str_t            bytes, t;
    ngx_agt_cache_key_t  k;

    name(key, n);

    k.key = key;
    k.origin = 1;

    bytes.data = packed;
    bytes.len = packed_len;

    t.data = (u_char *) token;
    t.len = strlen(token);

    return ngx_agt_issued_store(zone, &k, reason, &bytes, &t, now.mono);
}


static ngx_int_t
find(uint64_t n)
{
    u_char               key[32];
    ngx_agt_cache_key_t  k;

    name(key, n);

    k.key = key;
    k.origin = 1;

    memset(&secret, 0xa5, sizeof(secret));

    return ngx_agt_issued_find(zone, &k, buf, &secret);
}


/* a digest, as it were */

static void
name(u_char *key, uint64_t n)
{
    uint64_t    z;
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        z = (n + 4 * i + 1) * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z ^= z >> 31;
        memcpy(key + i * 8, &z, sizeof(uint64_t));
    }
}


static void
test_raw(void)
{
    size_t               i;
    u_char               key[32], other[32];
    ngx_str_t            token, text, none = ngx_null_string;
    ngx_agt_cache_key_t  k, o;

    unit_test("a raw token is found beside the facts of its call alone");

    start();
    name(key, 7);
    name(other, 8);

    k.key = key;
    k.origin = 1;
    o = k;

    ngx_str_set(&token, "raw-token-that-is-sealed");

    unit_check(ngx_agt_issued_find_raw(zone, &k, 50, buf, &text)
               == NGX_DECLINED);
    unit_check(ngx_agt_issued_store_raw(zone, &k, &token, 50) == NGX_OK);

    unit_check(ngx_agt_issued_find_raw(zone, &k, 50, buf, &text) == NGX_OK);
    unit_check(unit_equal(&text, "raw-token-that-is-sealed"));

    memset(buf, 0, sizeof(buf));

    unit_check(ngx_agt_issued_find_raw(zone, &k, 51, buf, &text)
               == NGX_DECLINED);
    unit_check(ngx_agt_issued_find_raw(zone, &k, 49, buf, &text)
               == NGX_DECLINED);

    for (i = 0; i < sizeof(buf) && buf[i] == 0; i++) {
        /* void */
    }

    unit_check(i == sizeof(buf));

    unit_test("it lies under a key of its own, and with another origin");

    unit_check(find(7) == NGX_DECLINED);

    o.origin = 2;
    unit_check(ngx_agt_issued_find_raw(zone, &o, 50, buf, &text)
               == NGX_DECLINED);

    o.origin = 1;
    o.key = other;
    unit_check(ngx_agt_issued_find_raw(zone, &o, 50, buf, &text)
               == NGX_DECLINED);

    unit_test("that there is none is known as well");

    unit_check(ngx_agt_issued_store_raw(zone, &k, &none, 60) == NGX_OK);
    unit_check(ngx_agt_issued_find_raw(zone, &k, 60, buf, &text) == NGX_OK);
    unit_check(text.len == 0);
    unit_check(ngx_agt_issued_find_raw(zone, &k, 50, buf, &text)
               == NGX_DECLINED);
}


static void
test_end(void)
{
    ngx_uint_t  i;

    static const struct {
        unsigned  has_exp:1;
        int64_t   exp;
        unsigned  has_end:1;
        int64_t   end;
        unsigned  has;
        int64_t   until;
    } ends[] = {
        { 1, 1700000600, 0, 0,          1, 1700000600 },
        { 1, 1700000600, 1, 1700000500, 1, 1700000500 },
        { 1, 1700000600, 1, 1700000700, 1, 1700000600 },
        { 0, 0,          1, 1700000700, 1, 1700000700 },
        { 0, 0,          0, 0,          0, 0 }
    };

    unit_test("a token ends with its exp, or before by what refuses it then");

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        start();
        child("jti", "session", "sub", 5);

        facts.has_exp = ends[i].has_exp;
        facts.exp = ends[i].exp;
        facts.has_end = ends[i].has_end;
        facts.end = ends[i].end;
        pack();

        unit_check(store(1, NGX_AGT_REASON_REISSUE, "token", 1) == NGX_OK);
        unit_check(find(1) == NGX_OK);
        unit_check(secret.has_exp == ends[i].has);
        unit_check(!secret.has_exp || secret.exp == ends[i].until);
    }
}


static void
test_too_long(void)
{
    u_char           *sealed;
    u_char            key[32];
    ngx_str_t         plain, bound;
    ngx_agt_entry_t  *e;

    unit_test("a token that is longer than the buffer is not opened");

    start();
    child("jti", "session", "sub", 5);
    name(key, 1);

    plain.len = NGX_AGT_ISSUED_MAX + 1;
    plain.data = calloc(1, plain.len);
    sealed = malloc(plain.len + NGX_AGT_SEAL_LEN);
    bound.data = key;
    bound.len = sizeof(key);

    unit_check(ngx_agt_seal_encrypt(&plain, &bound, sealed) == NGX_OK);

    e = ngx_agt_table_store(zone->facts, key, 1,
                            packed_len + plain.len + NGX_AGT_SEAL_LEN);

    e->class = NGX_AGT_CLASS_ACTIVE;
    e->facts_len = (uint32_t) packed_len;
    e->rules_len = (uint32_t) (plain.len + NGX_AGT_SEAL_LEN);
    memcpy(e->data, packed, packed_len);
    memcpy(e->data + packed_len, sealed, e->rules_len);

    unit_check(find(1) == NGX_DECLINED);

    free(plain.data);
    free(sealed);
}


static void
test_no_key(void)
{
    u_char               key[32];
    ngx_str_t            token, text;
    ngx_agt_cache_key_t  k;

    unit_test("without a key that seals, no token is stored");

    start();
    child("jti", "session", "sub", 5);
    name(key, 1);
    k.key = key;
    k.origin = 1;
    ngx_str_set(&token, "token");

    unit_check(store(1, NGX_AGT_REASON_REISSUE, "token", 1) == NGX_ERROR);
    unit_check(find(1) == NGX_DECLINED);
    unit_check(ngx_agt_issued_store_raw(zone, &k, &token, 50) == NGX_ERROR);
    unit_check(ngx_agt_issued_find_raw(zone, &k, 50, buf, &text)
               == NGX_DECLINED);
    unit_check(zone->facts->used == 0);
}
