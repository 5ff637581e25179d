
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "ngx_agilicus_token_secret.h"


#define SESSION  NGX_AGILICUS_TOKEN_TOMBSTONE_SESSION
#define SUBJECT  NGX_AGILICUS_TOKEN_TOMBSTONE_SUBJECT


static void test_round_trip(void);
static void test_refusal(void);
static void test_pack(void);
static void test_limits(void);
static void test_binding(void);
static void test_nothing_readable(void);
static void test_reap(void);
static void test_reap_all(void);
static void test_reap_some(void);
static void test_allocations(void);
static void start(void);
static void parent(uint64_t n, const char *jti, const char *session,
    const char *sub, int64_t iat);
static ngx_int_t store(uint64_t n, ngx_agilicus_token_reason_e reason,
    const char *token, ngx_uint_t verified);
static ngx_int_t find(uint64_t n);
static ngx_uint_t reap(ngx_uint_t step);
static void reaped(void *data, const ngx_str_t *token, int64_t exp);
static void deny(ngx_agilicus_token_tombstone_e kind, const char *value);
static void name(u_char *key, uint64_t n);


static ngx_agilicus_token_zone_t       *zone;
static ngx_agilicus_token_denials_t    *denials;
static ngx_agilicus_token_clock_t       now;
static ngx_agilicus_token_secret_t      secret;
static ngx_agilicus_token_facts_t       facts;
static ngx_agilicus_token_parent_t      whose;
static u_char                           digest[32];
static u_char                           packed[8192];
static size_t                           packed_len;
static u_char                           buf[NGX_AGILICUS_TOKEN_SECRET_MAX];

static const u_char  api[32] = "an API";
static ngx_str_t     own_jti = ngx_string("its own");

/* what was reaped */
static char          got[1000][64];
static int64_t       got_exp[1000];
static ngx_uint_t    ngot;


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 176);

    if (ngx_agilicus_token_digest_init() != NGX_OK
        || ngx_agilicus_token_seal_init(&stub_log) != NGX_OK)
    {
        return 1;
    }

    test_round_trip();
    test_refusal();
    test_pack();
    test_limits();
    test_binding();
    test_nothing_readable();
    test_reap();
    test_reap_all();
    test_reap_some();
    test_allocations();

    stub_zone_free(zone);
    stub_denials_free(denials);

    return unit_done();
}


static void
test_round_trip(void)
{
    unit_test("a token is found as it was stored");

    start();
    parent(1, "jti", "session", "sub", 5);

    unit_check(find(1) == NGX_DECLINED);
    unit_check(store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, "reissued", 1)
               == NGX_OK);

    unit_check(find(1) == NGX_OK);
    unit_check(secret.class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE);
    unit_check(secret.reason == NGX_AGILICUS_TOKEN_REASON_REISSUE);
    unit_check(secret.sent == 1000000 && secret.serial == 1);
    unit_check(secret.has_exp && secret.exp == 1700000600);
    unit_check(secret.verified && unit_equal(&secret.jti, "its own"));
    unit_check(secret.clean == 0);
    unit_check(unit_equal(&secret.token, "reissued"));
    unit_check(secret.token.data == buf);
    unit_check(find(2) == NGX_DECLINED);

    unit_test("whether it was looked at is kept, and so is the lack of an exp");

    whose.digest = NULL;
    whose.facts = NULL;

    packed_len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                &whose, 0, 0, NULL);
    unit_check(store(2, NGX_AGILICUS_TOKEN_REASON_CREATE, "created", 2)
               == NGX_OK);
    unit_check(find(2) == NGX_OK);
    unit_check(!secret.verified && !secret.has_exp && secret.serial == 2);
    unit_check(secret.reason == NGX_AGILICUS_TOKEN_REASON_CREATE);
    unit_check(unit_equal(&secret.token, "created"));
}


static void
test_refusal(void)
{
    u_char                          key[32];
    ngx_str_t                       none = ngx_null_string;
    ngx_agilicus_token_cache_key_t  k;

    unit_test("a refusal is found as one, without a token");

    start();
    name(key, 5);
    k.key = key;
    k.context = 1;

    unit_check(ngx_agilicus_token_cache_store(zone, &k,
                                         NGX_AGILICUS_TOKEN_CLASS_INVALID,
                                         NGX_AGILICUS_TOKEN_REASON_REISSUE,
                                         &none, &none, 77, 77, 0) == NGX_OK);

    unit_check(find(5) == NGX_OK);
    unit_check(secret.class == NGX_AGILICUS_TOKEN_CLASS_INVALID);
    unit_check(secret.reason == NGX_AGILICUS_TOKEN_REASON_REISSUE);
    unit_check(secret.sent == 77 && secret.token.len == 0);
}


static void
test_pack(void)
{
    size_t                      len;
    u_char                     *p;
    ngx_str_t                   value;
    ngx_agilicus_token_facts_t  back;

    static ngx_str_t  claim = ngx_string("parent");

    unit_test("whose a token is can be read again");

    start();
    parent(9, "a jti", "a session", "a subject", 1234);

    unit_check(packed_len > 0);
    unit_check(ngx_agilicus_token_facts_open(&back, packed, packed_len)
               == NGX_OK);
    unit_check(unit_equal(&back.jti, "a jti")
               && unit_equal(&back.session, "a session")
               && unit_equal(&back.sub, "a subject"));
    unit_check(back.has_iat && back.iat == 1234 && back.has_exp
               && back.exp == 1700000600);
    unit_check(back.org.len == 0 && back.email.len == 0);
    unit_check(ngx_agilicus_token_facts_find(
                   &back.lists[NGX_AGILICUS_TOKEN_FACTS_CLAIMS], &claim,
                   &value)
               == NGX_OK);
    unit_check(value.len == 32 && memcmp(value.data, digest, 32) == 0);

    unit_test("what does not fit is not packed");

    for (len = 0; len < packed_len; len++) {
        p = malloc(len + 1);
        unit_check(ngx_agilicus_token_secret_pack(p, len, &whose, 1, 5,
                                                  &own_jti)
                   == 0);
        free(p);
    }

    p = malloc(packed_len);
    unit_check(ngx_agilicus_token_secret_pack(p, packed_len, &whose, 1,
                                              1700000600, &own_jti)
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
    parent(1, "jti", "session", "sub", 5);

    token = malloc(NGX_AGILICUS_TOKEN_SECRET_MAX + 2);

    for (len = NGX_AGILICUS_TOKEN_SECRET_MAX - 1;
         len <= NGX_AGILICUS_TOKEN_SECRET_MAX + 1;
         len++)
    {
        memset(token, 'x', len);
        token[len] = '\0';

        unit_check((store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, token, 1)
                    == NGX_OK)
                   == (len <= NGX_AGILICUS_TOKEN_SECRET_MAX));

        unit_check(find(1) == NGX_OK);
        unit_check(secret.token.len == ngx_min(len,
                                               NGX_AGILICUS_TOKEN_SECRET_MAX));
    }

    free(token);
}


/* an entry that was put under another key, or that was tampered with */

static void
test_binding(void)
{
    u_char                       key[32], other[32];
    size_t                       i, len;
    ngx_agilicus_token_entry_t  *e, *f;

    unit_test("a token moved to another key does not open");

    start();
    parent(1, "jti", "session", "sub", 5);

    (void) store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, "alice's", 1);
    (void) store(2, NGX_AGILICUS_TOKEN_REASON_REISSUE, "mallory's", 1);

    name(key, 1);
    name(other, 2);

    e = ngx_agilicus_token_table_find(zone->facts, key, 1);
    len = e->facts_len + e->rules_len;
    f = ngx_agilicus_token_table_store(zone->facts, other, 1, len);

    f->class = e->class;
    f->reason = e->reason;
    f->facts_len = e->facts_len;
    f->rules_len = e->rules_len;
    memcpy(f->data, e->data, len);

    unit_check(find(1) == NGX_OK && unit_equal(&secret.token, "alice's"));
    unit_check(find(2) == NGX_DECLINED);

    unit_test("a token that was changed does not open");

    e = ngx_agilicus_token_table_find(zone->facts, key, 1);

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
    parent(1, "jti", "session", "sub", 5);

    (void) store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE,
                 "canary-canary-canary", 1);

    unit_check(find(1) == NGX_OK);
    unit_check(memmem(zone->shm_zone->shm.addr, zone->shm_zone->shm.size,
                      "canary", 6) == NULL);
}


static void
test_reap(void)
{
    ngx_uint_t  i;

    unit_test("a token goes when its parent is denied, by whatever");

    start();

    parent(1, "j1", "s1", "u1", 1000);
    (void) store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token1", 1);
    parent(2, "j2", "s2", "u2", 1000);
    (void) store(2, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token2", 1);
    parent(3, "j3", "s3", "u3", 1000);
    (void) store(3, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token3", 1);
    parent(4, "j4", "s4", "u4", 1000);
    (void) store(4, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token4", 1);

    /* issued later than the subject was denied */
    parent(5, "j5", "s5", "u4", 1700000001);
    (void) store(5, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token5", 1);

    parent(6, "j6", "s6", "u6", 1000);
    (void) store(6, NGX_AGILICUS_TOKEN_REASON_REISSUE, "token6", 1);

    /* created, not reissued: nobody's but its caller's */
    parent(7, "j2", "s3", "u4", 1000);
    (void) store(7, NGX_AGILICUS_TOKEN_REASON_CREATE, "token7", 1);

    unit_check(reap(10) == 0);

    parent(1, "", "", "", 0);
    deny(NGX_AGILICUS_TOKEN_TOMBSTONE_TOKEN, (char *) digest);
    deny(NGX_AGILICUS_TOKEN_TOMBSTONE_JTI, "j2");
    deny(SESSION, "s3");
    deny(SUBJECT, "u4");

    unit_check(reap(10) == 4);

    for (i = 0; i < 4; i++) {
        unit_check(strncmp(got[i], "token", 5) == 0
                   && got[i][5] >= '1' && got[i][5] <= '4');
        unit_check(got_exp[i] == 1700000600);
    }

    for (i = 1; i <= 7; i++) {
        unit_check((find(i) == NGX_OK) == (i > 4));
    }

    unit_check(reap(10) == 0);

    unit_test("nothing of it stays in the buffer");

    unit_check(memmem(buf, sizeof(buf), "token1", 6) == NULL
               && memmem(buf, sizeof(buf), "token4", 6) == NULL);
}


/* taking one out moves others: none of them may be missed */

static void
test_reap_all(void)
{
    char        token[32];
    ngx_uint_t  n, i, round, left, denied;

    unit_test("all of them go, however they lie");

    for (round = 0; round < 20; round++) {

        start();
        n = ngx_min(300, zone->facts->nslots * 2 / 3);
        denied = 0;

        for (i = 0; i < n; i++) {
            (void) snprintf(token, sizeof(token), "t%u", (unsigned) i);
            parent(i, i % 5 ? "gone" : "stays", "s", "u", 1000);
            unit_check(store(i, NGX_AGILICUS_TOKEN_REASON_REISSUE, token, 1)
                       == NGX_OK);
            denied += (i % 5 != 0);
        }

        unit_check(zone->facts->evictions == 0);

        deny(NGX_AGILICUS_TOKEN_TOMBSTONE_JTI, "gone");
        unit_check(reap(1 + round * 3) == denied);

        left = 0;

        for (i = 0; i < n; i++) {
            left += (find(i) == NGX_OK);
        }

        unit_check(left == n - denied);
    }
}


static void
test_reap_some(void)
{
    u_char                          key[32];
    ngx_str_t                       bytes, token;
    ngx_uint_t                      place;
    ngx_agilicus_token_cache_key_t  k;

    unit_test("those of another context are another's");

    start();
    deny(NGX_AGILICUS_TOKEN_TOMBSTONE_JTI, "gone");

    parent(1, "gone", "s", "u", 1000);

    name(key, 1);
    k.key = key;
    k.context = 2;
    bytes.data = packed;
    bytes.len = packed_len;
    ngx_str_set(&token, "token");

    unit_check(ngx_agilicus_token_secret_store(zone, &k,
                                           NGX_AGILICUS_TOKEN_REASON_REISSUE,
                                           &bytes, &token, 1000) == NGX_OK);
    unit_check(reap(1000) == 0);

    unit_test("what is no token, or nobody's, is left alone");

    whose.digest = NULL;
    packed_len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                &whose, 0, 0, &own_jti);
    (void) store(2, NGX_AGILICUS_TOKEN_REASON_REISSUE, "orphan", 1);

    packed_len = 10;
    (void) store(3, NGX_AGILICUS_TOKEN_REASON_REISSUE, "broken", 1);

    unit_check(reap(1000) == 0);

    unit_test("one without an end has none");

    start();
    parent(1, "gone", "s", "u", 1000);
    packed_len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                &whose, 0, 0, &own_jti);
    (void) store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, "endless", 1);
    deny(NGX_AGILICUS_TOKEN_TOMBSTONE_JTI, "gone");

    unit_check(reap(1000) == 1 && got_exp[0] == INT64_MAX);

    unit_test("no more places are looked at than was asked for");

    place = 0;
    unit_check(ngx_agilicus_token_secret_reap(zone, denials, 1, api, &place, 7,
                                              buf, &now, reaped, NULL)
               == NGX_AGAIN);
    unit_check(place == 7);
}


static void
test_allocations(void)
{
    unit_test("where memory is short, nothing is found");

    start();
    parent(1, "jti", "session", "sub", 5);
    (void) store(1, NGX_AGILICUS_TOKEN_REASON_REISSUE, "reissued", 1);

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
        stub_denials_free(denials);
    }

    zone = stub_zone(256 * 1024);
    denials = stub_denials(256 * 1024);

    now.mono = 1000000;
    now.wall = 1700000000;
    stub_clock(now.mono, now.wall);
}


/* what is packed belongs to this parent from now on */

static void
parent(uint64_t n, const char *jti, const char *session, const char *sub,
    int64_t iat)
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

    name(digest, 1000000 + n);

    whose.digest = digest;
    whose.facts = &facts;

    packed_len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                &whose, 1, 1700000600,
                                                &own_jti);
}


static ngx_int_t
store(uint64_t n, ngx_agilicus_token_reason_e reason, const char *token,
    ngx_uint_t verified)
{
    u_char                          key[32];
    ngx_str_t                       bytes, t;
    ngx_agilicus_token_cache_key_t  k;

    name(key, n);

    k.key = key;
    k.context = 1;

    bytes.data = packed;
    bytes.len = packed_len;

    t.data = (u_char *) token;
    t.len = strlen(token);

    return ngx_agilicus_token_secret_store(zone, &k, reason, &bytes, &t,
                                           now.mono);
}


static ngx_int_t
find(uint64_t n)
{
    u_char                          key[32];
    ngx_agilicus_token_cache_key_t  k;

    name(key, n);

    k.key = key;
    k.context = 1;

    memset(&secret, 0xa5, sizeof(secret));

    return ngx_agilicus_token_secret_find(zone, &k, buf, &secret);
}


static ngx_uint_t
reap(ngx_uint_t step)
{
    ngx_int_t   rc;
    ngx_uint_t  place, n;

    ngot = 0;
    place = 0;
    n = 0;

    do {
        rc = ngx_agilicus_token_secret_reap(zone, denials, 1, api, &place, step,
                                            buf, &now, reaped, NULL);
    } while (rc == NGX_AGAIN && n++ < 100000);

    unit_check(rc == NGX_OK && place == zone->facts->nslots);

    return ngot;
}


static void
reaped(void *data, const ngx_str_t *token, int64_t exp)
{
    if (ngot < 1000 && token->len < 64) {
        memcpy(got[ngot], token->data, token->len);
        got[ngot][token->len] = '\0';
        got_exp[ngot] = exp;
        ngot++;
    }
}


static void
deny(ngx_agilicus_token_tombstone_e kind, const char *value)
{
    ngx_str_t  v;

    v.data = (u_char *) value;
    v.len = (kind == NGX_AGILICUS_TOKEN_TOMBSTONE_TOKEN) ? 32 : strlen(value);

    (void) stub_deny(denials, api, kind, &v,
                                         now.wall + 86400, now.wall, &now);
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
