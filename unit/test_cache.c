
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/cache.h"


#define ACTIVE   NGX_AGT_CLASS_ACTIVE
#define INVALID  NGX_AGT_CLASS_INVALID

#define TOKEN    NGX_AGT_DENIAL_TOKEN
#define JTI      NGX_AGT_DENIAL_JTI
#define SESSION  NGX_AGT_DENIAL_SESSION
#define SUBJECT  NGX_AGT_DENIAL_SUBJECT

#define NONE     NGX_AGT_REASON_NONE


static void test_no_digest(void);
static void test_find(void);
static void test_copies(void);
static void test_scratch(void);
static void replace_larger(void);
static void test_order(void);
static void test_classes(void);
static void test_too_large(void);
static void test_floods(void);
static void test_note(void);
static void test_note_other_table(void);
static void test_remove(void);
static void test_limit(void);
static void test_denied(void);
static void test_subject(void);
static void test_apart(void);
static void test_deny(void);
static void test_lost(void);
static void test_generation(void);
static void test_first_asked(void);
static void test_purged(void);
static void start(size_t size);
static ngx_int_t put(uint64_t n, ngx_agt_class_e class,
    const char *facts, const char *rules, uint64_t sent);
static ngx_int_t find(uint64_t n, ngx_uint_t want_rules);
static void note(uint64_t n, ngx_atomic_uint_t generation, uint32_t late);
static ngx_int_t deny(const char *of, ngx_agt_denial_kind_e kind,
    const char *value, int64_t until, int64_t before);
static ngx_agt_reason_e denied(const char *of, const char *jti,
    const char *session, const char *sub, ngx_int_t iat);
static ngx_agt_cache_key_t *key_of(uint64_t n);


static ngx_agt_zone_t   *zone;
static ngx_agt_denials_t  *denials;
static ngx_agt_clock_t   now;
static ngx_agt_found_t   found;
static ngx_atomic_uint_t            generation;
static u_char                       token[32] = "a token's digest";
static size_t                       grow;
static ngx_uint_t                   growing;


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 124);

    test_no_digest();

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    test_find();
    test_copies();
    test_scratch();
    test_order();
    test_classes();
    test_too_large();
    test_floods();
    test_note();
    test_note_other_table();
    test_remove();
    test_limit();
    test_denied();
    test_subject();
    test_apart();
    test_deny();
    test_lost();
    test_generation();
    test_first_asked();
    test_purged();

    stub_zone_free(zone);

    return unit_done();
}


/* the digest is there in every process that serves; if not, all is denied */

static void
test_no_digest(void)
{
    unit_test("what cannot be looked up is denied");

    start(1 << 20);

    unit_check(denied("api", NULL, NULL, NULL, 0) == NGX_AGT_REASON_REVOKED);
    unit_check(deny("api", JTI, "x", now.wall + 100, 0) == NGX_ERROR);
    unit_check(denials->sh->generation == 0);
}


static void
test_find(void)
{
    unit_test("an entry is found as it was stored");

    start(1 << 20);
    generation = 17;

    unit_check(find(1, 1) == NGX_DECLINED);
    unit_check(put(1, ACTIVE, "facts", "and rules", 5000) == NGX_OK);

    unit_check(find(1, 1) == NGX_OK);
    unit_check(found.class == ACTIVE);
    unit_check(found.reason == NGX_AGT_REASON_STATUS);
    unit_check(found.sent == 5000 && found.clean == 17 && found.late == 0);
    unit_check(unit_equal(&found.facts, "facts"));
    unit_check(unit_equal(&found.rules, "and rules"));
    unit_check(found.rules_len == 9);

    unit_test("rules are copied only where they are wanted");

    unit_check(find(1, 0) == NGX_OK);
    unit_check(unit_equal(&found.facts, "facts"));
    unit_check(found.rules.len == 0 && found.rules_len == 9);

    unit_test("other keys and contexts are others");

    unit_check(find(2, 1) == NGX_DECLINED);
    key_of(1)->origin = 2;
    unit_check(ngx_agt_cache_find(zone, key_of(0), 1, &found) == NGX_DECLINED);

    unit_test("stored entries are counted");

    unit_check(zone->sh->counts[NGX_AGT_COUNT_STORED] == 1);
    unit_check(zone->sh->counts[NGX_AGT_COUNT_NOT_STORED] == 0);
}


/* a copy, which is whole whatever becomes of the entry */

static void
test_copies(void)
{
    ngx_agt_entry_t      *e;
    ngx_agt_table_seen_t  seen;

    unit_test("a found entry is a copy");

    start(1 << 20);
    (void) put(1, ACTIVE, "facts", "rules", 5000);
    (void) find(1, 1);

    unit_check(found.facts.data < zone->shm_zone->shm.addr
               || found.facts.data
                  >= zone->shm_zone->shm.addr + zone->shm_zone->shm.size);

    /* its place says that it was looked up */

    e = ngx_agt_table_peek(zone->facts, key_of(1)->key, 1, &seen);
    unit_check(e != NULL && seen.place >> 31 == 1);
    memset(e->data, 'x', 10);

    unit_check(unit_equal(&found.facts, "facts")
               && unit_equal(&found.rules, "rules"));
}


/* the buffer for copies grows, outside the lock: things may change meanwhile */

static void
test_scratch(void)
{
    char  *large;

    unit_test("a large entry is found, and so is one that grows meanwhile");

    start(1 << 20);

    large = malloc(50001);
    memset(large, 'f', 50000);
    large[50000] = '\0';

    (void) put(1, ACTIVE, large, "", 5000);

    stub_allocations = 0;
    unit_check(find(1, 1) == NGX_DECLINED);
    stub_allocations = -1;

    unit_check(find(1, 1) == NGX_OK && found.facts.len == 50000);
    unit_check(memcmp(found.facts.data, large, 50000) == 0);
    free(large);

    stub_allocated = replace_larger;

    large = malloc(100001);
    memset(large, 'g', 100000);
    large[70000] = '\0';
    (void) put(2, ACTIVE, large, "", 5000);

    growing = 1;
    grow = 80000;
    unit_check(find(2, 1) == NGX_OK && found.facts.len == 80000);
    unit_check(found.facts.data[0] == 'F' && found.facts.data[79999] == 'F');

    unit_test("one that grows for ever is not found");

    large[70000] = 'g';
    large[100000] = '\0';
    (void) put(2, ACTIVE, large, "", 5000);

    growing = 100;
    grow = 110000;
    unit_check(find(2, 1) == NGX_DECLINED);
    unit_check(growing == 100 - 8);

    growing = 0;
    unit_check(find(2, 1) == NGX_OK);

    stub_allocated = NULL;
    free(large);
}


static void
replace_larger(void)
{
    ngx_agt_entry_t  *e;

    if (growing == 0) {
        return;
    }

    e = ngx_agt_table_find(zone->facts, key_of(2)->key, 1);

    if (e == NULL) {
        return;
    }

    growing--;

    e = ngx_agt_table_store(zone->facts, key_of(2)->key, 1, grow);
    e->class = ACTIVE;
    e->facts_len = (uint32_t) grow;
    memset(e->data, 'F', grow);

    grow += 5000;
}


static void
test_order(void)
{
    unit_test("an older answer never replaces a newer one");

    start(1 << 20);

    (void) put(1, ACTIVE, "newer", "", 5000);
    unit_check(put(1, ACTIVE, "older", "", 4999) == NGX_OK);
    (void) find(1, 0);
    unit_check(unit_equal(&found.facts, "newer") && found.sent == 5000);

    unit_check(put(1, INVALID, "", "", 4999) == NGX_OK);
    (void) find(1, 0);
    unit_check(found.class == ACTIVE);

    unit_check(put(1, ACTIVE, "same", "", 5000) == NGX_OK);
    (void) find(1, 0);
    unit_check(unit_equal(&found.facts, "same"));

    unit_check(put(1, INVALID, "", "", 5001) == NGX_OK);
    unit_check(find(1, 0) == NGX_OK && found.class == INVALID);
    unit_check(found.sent == 5001);

    unit_check(put(1, ACTIVE, "older", "", 5000) == NGX_OK);
    unit_check(find(1, 0) == NGX_OK && found.class == INVALID);

    unit_check(put(1, ACTIVE, "newest", "", 5002) == NGX_OK);
    unit_check(find(1, 0) == NGX_OK && unit_equal(&found.facts, "newest"));
}


static void
test_classes(void)
{
    ngx_uint_t  i;

    unit_test("a token lies in one table only");

    start(1 << 20);

    for (i = 0; i < 100; i++) {
        (void) put(1, i % 3 ? ACTIVE : INVALID, "x", "", 5000 + i);

        unit_check(zone->facts->used + zone->invalid->used == 1);
        unit_check(zone->facts->used == (i % 3 != 0));
        unit_check(find(1, 0) == NGX_OK
                   && found.class == (i % 3 ? ACTIVE : INVALID));
    }

    unit_check((zone->sh->changes & 1) == 0);
}


static void
test_too_large(void)
{
    char  *large;

    unit_test("what does not fit is not stored, nor is what it was before");

    start(65536);

    large = malloc(60001);
    memset(large, 'f', 60000);
    large[60000] = '\0';

    (void) put(1, ACTIVE, "small", "", 5000);
    unit_check(put(1, ACTIVE, large, "", 5001) == NGX_DECLINED);
    unit_check(find(1, 0) == NGX_DECLINED);
    unit_check(zone->sh->counts[NGX_AGT_COUNT_NOT_STORED] == 1);
    unit_check((zone->sh->changes & 1) == 0);

    unit_check(put(1, ACTIVE, "small", "", 5002) == NGX_OK);
    unit_check(find(1, 0) == NGX_OK);

    free(large);
}


/* unknown tokens in any number cost no good one its place */

static void
test_floods(void)
{
    ngx_uint_t  i;

    unit_test("a flood of invalid tokens evicts nothing but its like");

    start(1 << 20);

    for (i = 1; i <= 200; i++) {
        (void) put(i, ACTIVE, "facts", "", 5000);
        (void) deny("api", JTI, "kept", now.wall + 100, 0);
    }

    for (i = 0; i < 100000; i++) {
        (void) put(1000 + i, INVALID, "", "", 5000);
    }

    for (i = 1; i <= 200; i++) {
        unit_check(find(i, 0) == NGX_OK);
    }

    unit_check(zone->facts->evictions == 0 && zone->facts->used == 200);
    unit_check(zone->invalid->evictions > 90000);
    unit_check(denied("api", "kept", NULL, NULL, 0) == NGX_AGT_REASON_JTI);
}


static void
test_note(void)
{
    unit_test("what is noted of an entry only ever grows");

    start(1 << 20);
    generation = 5;
    (void) put(1, ACTIVE, "facts", "", 5000);
    (void) find(1, 0);

    note(1, 7, 0);
    (void) find(1, 0);
    unit_check(found.clean == 7 && found.late == 0);

    note(1, 6, 3);
    (void) find(1, 0);
    unit_check(found.clean == 7 && found.late == 3);

    note(1, 8, 2);
    (void) find(1, 0);
    unit_check(found.clean == 8 && found.late == 3);

    unit_test("what is noted of an entry is not noted of the next");

    (void) find(1, 0);
    (void) put(1, ACTIVE, "facts", "", 6000);
    note(1, 20, 10);
    (void) find(1, 0);
    unit_check(found.clean == 5 && found.late == 0);

    (void) find(1, 0);
    ngx_agt_cache_remove(zone, key_of(1));
    note(1, 20, 10);
    (void) put(1, ACTIVE, "facts", "", 7000);
    (void) find(1, 0);
    unit_check(found.clean == 5 && found.late == 0);
}


/* an entry may be replaced by one of the other table */

static void
test_note_other_table(void)
{
    ngx_uint_t       i;
    ngx_agt_found_t  before;

    unit_test("nor of the next if that is of another class");

    for (i = 0; i < 4; i++) {
        start(1 << 20);
        generation = 5;

        /* as many were stored in one table as in the other */

        (void) put(1, i & 1 ? ACTIVE : INVALID, "facts", "", 5000);
        (void) find(1, 0);
        before = found;

        (void) put(1, i & 1 ? INVALID : ACTIVE, "facts", "", 6000);
        found = before;
        note(1, 20, 10);

        (void) find(1, 0);
        unit_check(found.clean == 5 && found.late == 0);
        unit_check(found.serial != before.serial);
    }
}


static void
test_remove(void)
{
    unit_test("a removed entry is gone, from either table");

    start(1 << 20);

    (void) put(1, ACTIVE, "facts", "", 5000);
    (void) put(2, INVALID, "", "", 5000);
    (void) put(3, ACTIVE, "facts", "", 5000);

    ngx_agt_cache_remove(zone, key_of(1));
    ngx_agt_cache_remove(zone, key_of(2));
    ngx_agt_cache_remove(zone, key_of(4));

    unit_check(find(1, 0) == NGX_DECLINED && find(2, 0) == NGX_DECLINED);
    unit_check(find(3, 0) == NGX_OK);
    unit_check(zone->facts->used == 1 && zone->invalid->used == 0);
    unit_check((zone->sh->changes & 1) == 0);

    /* and may be stored again by an answer of any age */

    unit_check(put(1, ACTIVE, "facts", "", 100) == NGX_OK);
    unit_check(find(1, 0) == NGX_OK);
}


static void
test_limit(void)
{
    u_char               key[32];
    uint64_t             limit, least, most, whole;
    ngx_uint_t           i, jitter;
    ngx_agt_lifetimes_t  l = { 30000, 300000, 10000, 0, 0, 0 };

    static const struct {
        ngx_agt_class_e  class;
        ngx_uint_t       has_exp;
        ngx_uint_t       watched;
        uint64_t         limit;
    } tests[] = {
        { ACTIVE, 1, 0, 30000 },
        { ACTIVE, 1, 1, 300000 },
        { ACTIVE, 0, 0, 30000 },
        { ACTIVE, 0, 1, 30000 },
        { INVALID, 0, 0, 10000 },
        { INVALID, 1, 1, 10000 }
    };

    unit_test("ages are limited as configured, and cut by up to a tenth");

    memset(key, 0xff, sizeof(key));

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        least = UINT64_MAX;
        most = 0;
        whole = tests[i].limit;

        for (jitter = 0; jitter < 256; jitter++) {
            key[31] = (u_char) jitter;

            limit = ngx_agt_cache_limit(&l, key, tests[i].class,
                                        tests[i].has_exp, tests[i].watched);
            unit_check(limit <= whole);
            unit_check(limit >= whole - whole / 10);

            least = ngx_min(least, limit);
            most = ngx_max(most, limit);
        }

        unit_check(most == whole);
        unit_check(least < whole - whole / 11);
    }

    unit_test("where watched is the shorter, it counts");

    l.watched = 5000;
    key[31] = 0;
    unit_check(ngx_agt_cache_limit(&l, key, ACTIVE, 1, 1) == 5000);
    unit_check(ngx_agt_cache_limit(&l, key, ACTIVE, 0, 1) == 5000);

    unit_test("no time at all stays none");

    memset(&l, 0, sizeof(l));

    for (i = 0; i < 4; i++) {
        key[31] = 0xff;
        unit_check(ngx_agt_cache_limit(&l, key, i & 1 ? ACTIVE : INVALID, 1,
                                       i & 2) == 0);
    }

    l.active = (ngx_msec_t) -1;
    unit_check(ngx_agt_cache_limit(&l, key, ACTIVE, 1, 0) <= (ngx_msec_t) -1);
}


static void
test_denied(void)
{
    unit_test("a token is denied by its digest, jti, session or subject");

    start(1 << 20);

    unit_check(denied("api", "j", "s", "u", 5) == NONE);

    unit_check(deny("api", JTI, "j", now.wall + 100, 0) == NGX_OK);
    unit_check(denied("api", "j", "s", "u", 5) == NGX_AGT_REASON_JTI);
    unit_check(denied("api", "j2", "s", "u", 5) == NONE);
    unit_check(denied("api", NULL, NULL, NULL, 5) == NONE);

    unit_check(deny("api", SESSION, "s", now.wall + 100, 0) == NGX_OK);
    unit_check(denied("api", "j2", "s", "u", 5) == NGX_AGT_REASON_SESSION);
    unit_check(denied("api", "j2", "s2", "u", 5) == NONE);

    unit_check(deny("api", SUBJECT, "u", now.wall + 100, 10) == NGX_OK);
    unit_check(denied("api", "j2", "s2", "u", 5) == NGX_AGT_REASON_SUBJECT);
    unit_check(denied("api", "j2", "s2", "u2", 5) == NONE);

    unit_check(deny("api", TOKEN, NULL, now.wall + 100, 0) == NGX_OK);
    unit_check(denied("api", "j2", "s2", "u2", 5) == NGX_AGT_REASON_REVOKED);
    unit_check(denied("api", NULL, NULL, NULL, 5) == NGX_AGT_REASON_REVOKED);

    token[0] ^= 1;
    unit_check(denied("api", "j2", "s2", "u2", 5) == NONE);
    token[0] ^= 1;

    unit_test("what a token does not have denies it not");

    start(1 << 20);

    (void) deny("api", JTI, "", now.wall + 100, 0);
    (void) deny("api", SESSION, "", now.wall + 100, 0);
    (void) deny("api", SUBJECT, "", now.wall + 100, now.wall);

    unit_check(denied("api", "", "", "", 5) == NONE);
}


/* a subject is denied what it was given up to then */

static void
test_subject(void)
{
    unit_test("a subject's later tokens are not denied");

    start(1 << 20);

    (void) deny("api", SUBJECT, "u", now.wall + 100, 1000);

    unit_check(denied("api", "j", "s", "u", 999) != NONE);
    unit_check(denied("api", "j", "s", "u", 1000) != NONE);
    unit_check(denied("api", "j", "s", "u", 1001) == NONE);

    /* one that does not say when it was issued is */

    unit_check(denied("api", "j", "s", "u", NGX_ERROR) != NONE);

    (void) deny("api", SUBJECT, "u", now.wall + 100, 2000);
    unit_check(denied("api", "j", "s", "u", 2000) != NONE);
    unit_check(denied("api", "j", "s", "u", 2001) == NONE);

    (void) deny("api", SUBJECT, "u", now.wall + 100, 500);
    unit_check(denied("api", "j", "s", "u", 2000) != NONE);

    /* for the others it does not matter */

    (void) deny("api", SESSION, "s", now.wall + 100, 0);
    unit_check(denied("api", "j", "s", "u", 5000) == NGX_AGT_REASON_SESSION);
    (void) deny("api", JTI, "j", now.wall + 100, 0);
    unit_check(denied("api", "j", "s", "u", 5000) == NGX_AGT_REASON_JTI);
}


static void
test_apart(void)
{
    ngx_uint_t  i;

    static const ngx_agt_denial_kind_e  kinds[] = {
        JTI, SESSION, SUBJECT
    };

    unit_test("kinds and APIs are apart");

    for (i = 0; i < 3; i++) {
        start(1 << 20);

        (void) deny("one", kinds[i], "same", now.wall + 100, 1000);

        unit_check((denied("one", "same", NULL, NULL, 5) != NONE) == (i == 0));
        unit_check((denied("one", NULL, "same", NULL, 5) != NONE) == (i == 1));
        unit_check((denied("one", NULL, NULL, "same", 5) != NONE) == (i == 2));

        unit_check(denied("two", "same", "same", "same", 5) == NONE);
    }
}


static void
test_deny(void)
{
    unit_test("a denial lasts until both clocks have passed its end");

    start(1 << 20);

    unit_check(deny("api", JTI, "j", now.wall + 100, 0) == NGX_OK);

    now.wall += 100;
    unit_check(denied("api", "j", NULL, NULL, 0) != NONE);
    now.mono += 99999;
    unit_check(denied("api", "j", NULL, NULL, 0) != NONE);
    now.mono += 1;
    unit_check(denied("api", "j", NULL, NULL, 0) == NONE);

    now.wall -= 1;
    unit_check(denied("api", "j", NULL, NULL, 0) != NONE);

    unit_test("one that is over already does not stand, one for ever does");

    start(1 << 20);

    unit_check(deny("api", JTI, "over", now.wall, 0) == NGX_OK);
    unit_check(denied("api", "over", NULL, NULL, 0) == NONE);
    unit_check(deny("api", JTI, "over", INT64_MIN, 0) == NGX_OK);
    unit_check(denied("api", "over", NULL, NULL, 0) == NONE);

    unit_check(deny("api", JTI, "ever", INT64_MAX, 0) == NGX_OK);
    now.wall = INT64_MAX - 1;
    unit_check(denied("api", "ever", NULL, NULL, 0) != NONE);
    now.wall = INT64_MIN;
    now.mono = (uint64_t) 1 << 50;
    unit_check(denied("api", "ever", NULL, NULL, 0) != NONE);
    unit_check(deny("api", JTI, "ever2", INT64_MAX, 0) == NGX_OK);
    unit_check(denied("api", "ever2", NULL, NULL, 0) != NONE);
}


static void
test_lost(void)
{
    char        jti[32];
    uint64_t    end;
    ngx_int_t   rc;
    ngx_uint_t  i, busy;

    unit_test("where a live one had to go, the zone says until when");

    start(NGX_AGT_DENIALS_MIN);

    busy = 0;
    end = 0;
    stub_lines = 0;

    for (i = 0; i < 2000; i++) {
        (void) snprintf(jti, sizeof(jti), "jti%u", (unsigned) i);
        rc = deny("api", JTI, jti, now.wall + 100 + (int64_t) (i % 7), 0);

        unit_check(rc == NGX_OK || rc == NGX_BUSY);
        busy += (rc == NGX_BUSY);

        if (rc == NGX_BUSY) {
            unit_check(denials->sh->incomplete >= end);
            end = denials->sh->incomplete;
        }
    }

    unit_check(busy > 1700);
    unit_check(busy == denials->sh->lost);

    /* and so does the log, once a second */

    unit_check(stub_lines == 1 && stub_level == NGX_LOG_WARN);

    now.mono += 1000;
    now.wall += 1;

    unit_check(deny("api", JTI, "late", now.wall + 100, 0) == NGX_BUSY);
    unit_check(stub_lines == 2);

    now.mono -= 1000;
    now.wall -= 1;

    unit_check(end >= now.mono + 100000 && end <= now.mono + 106000);

    denials->sh->feed.interval = 1000;
    denials->sh->feed.lasts = UINT64_MAX;
    denials->sh->feed.watermark = now.mono;

    unit_check(ngx_agt_denials_feed(denials, denials->sh->feed.api, now.mono)
               == NGX_AGT_FEED_INCOMPLETE);

    unit_test("when that is over, there is room for others");

    now.mono += 200000;
    now.wall += 200;

    unit_check(deny("api", JTI, "another", now.wall + 100, 0) == NGX_OK);
}


static void
test_generation(void)
{
    ngx_atomic_uint_t  g;

    unit_test("each denial that may matter counts the generation up");

    start(1 << 20);

    g = ngx_agt_denials_generation(denials);

    (void) deny("api", JTI, "j", now.wall + 100, 0);
    unit_check(ngx_agt_denials_generation(denials) > g);
    g = ngx_agt_denials_generation(denials);

    /* the feed says it again and again */

    unit_check(deny("api", JTI, "j", now.wall + 100, 0) == NGX_DECLINED);
    unit_check(deny("api", JTI, "j", now.wall + 200, 0) == NGX_DECLINED);
    unit_check(ngx_agt_denials_generation(denials) == g);

    (void) deny("api", SUBJECT, "u", now.wall + 100, 1000);
    unit_check(ngx_agt_denials_generation(denials) > g);
    g = ngx_agt_denials_generation(denials);

    (void) deny("api", SUBJECT, "u", now.wall + 100, 1001);
    unit_check(ngx_agt_denials_generation(denials) > g);
    g = ngx_agt_denials_generation(denials);

    /* one that was over, and stands again as the wall clock is set back */

    now.mono += 300000;
    now.wall += 300;
    unit_check(denied("api", "j", NULL, NULL, 0) == NONE);
    now.wall -= 150;
    unit_check(denied("api", "j", NULL, NULL, 0) != NONE);
    unit_check(deny("api", JTI, "j", now.wall + 100, 0) == NGX_OK);
    unit_check(ngx_agt_denials_generation(denials) > g);
}


/* the first call is remembered over refreshes and replacements */

static void
test_first_asked(void)
{
    unit_test("when a token was first asked about stays with its entry");

    start(1 << 20);

    (void) put(1, INVALID, "", "", 5000);
    (void) put(1, ACTIVE, "facts", "", 6000);
    (void) find(1, 0);
    unit_check(found.sent == 6000 && found.asked == 5000);

    (void) put(1, ACTIVE, "facts", "", 7000);
    (void) put(1, INVALID, "", "", 8000);
    (void) find(1, 0);
    unit_check(found.sent == 8000 && found.asked == 5000);

    unit_test("and what the caller knows of earlier calls counts");

    (void) put(2, ACTIVE, "facts", "", 7000);
    unit_check(ngx_agt_cache_store(zone, key_of(2), ACTIVE,
                                   NGX_AGT_REASON_NONE,
                                   &(ngx_str_t) ngx_null_string,
                                   &(ngx_str_t) ngx_null_string,
                                   8000, 3000, 0)
               == NGX_OK);
    (void) find(2, 0);
    unit_check(found.sent == 8000 && found.asked == 3000);
}


/* an answer that was asked for before a purge is not stored after it */

static void
test_purged(void)
{
    unit_test("no answer is stored that was asked for before a purge");

    start(1 << 20);

    stub_clock(50000, 1700000000);
    (void) put(1, ACTIVE, "facts", "", 40000);
    ngx_agt_cache_purged(zone);

    unit_check(put(1, ACTIVE, "facts", "", 45000) == NGX_DECLINED);
    unit_check(put(2, ACTIVE, "facts", "", 50001) == NGX_DECLINED);
    unit_check(put(3, INVALID, "", "", 50000) == NGX_DECLINED);
    unit_check(find(2, 0) == NGX_DECLINED && find(3, 0) == NGX_DECLINED);
    unit_check(put(2, ACTIVE, "facts", "", 50002) == NGX_OK);

    stub_clock(40000, 1700000000);
    ngx_agt_cache_purged(zone);
    unit_check(put(4, ACTIVE, "facts", "", 50000) == NGX_DECLINED);
}


static void
start(size_t size)
{
    if (zone) {
        stub_zone_free(zone);
        stub_denials_free(denials);
    }

    zone = stub_zone(size);
    denials = stub_denials(size);

    now.mono = 1000000;
    now.wall = 1700000000;
    stub_clock(now.mono, now.wall);

    generation = 0;
}


static ngx_int_t
put(uint64_t n, ngx_agt_class_e class, const char *facts,
    const char *rules, uint64_t sent)
{
    ngx_int_t  rc;
    ngx_str_t  f, r;

    f = unit_str(facts);
    r = unit_str(rules);

    rc = ngx_agt_cache_store(zone, key_of(n), class, NGX_AGT_REASON_STATUS, &f,
                             &r, sent, sent, generation);
    free(f.data);
    free(r.data);

    return rc;
}


static ngx_int_t
find(uint64_t n, ngx_uint_t want_rules)
{
    memset(&found, 0xa5, sizeof(found));

    return ngx_agt_cache_find(zone, key_of(n), want_rules, &found);
}


static void
note(uint64_t n, ngx_atomic_uint_t g, uint32_t late)
{
    ngx_agt_cache_note(zone, key_of(n), &found, g, late);
}


static ngx_int_t
deny(const char *of, ngx_agt_denial_kind_e kind, const char *value,
    int64_t until, int64_t before)
{
    u_char     api[32];
    ngx_str_t  v;

    memset(api, 0, sizeof(api));
    strcpy((char *) api, of);

    v.data = kind == TOKEN ? token : (u_char *) value;
    v.len = kind == TOKEN ? 32 : strlen(value);

    return stub_deny(denials, api, kind, &v, until, before, &now);
}


/* "iat" is NGX_ERROR for none; without a jti, session and sub, no facts */

static ngx_agt_reason_e
denied(const char *of, const char *jti, const char *session, const char *sub,
    ngx_int_t iat)
{
    u_char           api[32];
    ngx_agt_facts_t  f;

    memset(api, 0, sizeof(api));
    strcpy((char *) api, of);

    memset(&f, 0, sizeof(f));

    f.jti.data = (u_char *) jti;
    f.jti.len = jti ? strlen(jti) : 0;
    f.session.data = (u_char *) session;
    f.session.len = session ? strlen(session) : 0;
    f.sub.data = (u_char *) sub;
    f.sub.len = sub ? strlen(sub) : 0;
    f.has_iat = (iat != NGX_ERROR);
    f.iat = iat;

    return ngx_agt_denials_check(denials, api, token,
                                 jti || session || sub ? &f : NULL,
                                 NGX_AGT_NEVER_ASKED, &now);
}


/* 0: the one that was made last */

static ngx_agt_cache_key_t *
key_of(uint64_t n)
{
    uint64_t    z;
    ngx_uint_t  i;

    static u_char               key[32];
    static ngx_agt_cache_key_t  k;

    if (n == 0 && k.key) {
        return &k;
    }

    for (i = 0; i < 4; i++) {
        z = (n + 4 * i + 1) * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z ^= z >> 31;
        memcpy(key + i * 8, &z, sizeof(uint64_t));
    }

    k.key = key;
    k.origin = 1;

    return &k;
}
