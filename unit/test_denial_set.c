
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/denial_set.h"


#define MAX_KEYS  20000
#define BUCKET    8

#define BY_FEED   NGX_AGT_DENIED_BY_FEED
#define BY_API    NGX_AGT_DENIED_BY_API
#define UNTOLD    NGX_AGT_DENIED_UNTOLD
#define BY_HOOK   NGX_AGT_DENIED_BY_HOOK


/* what is known of the denial of a key */

typedef struct {
    uint64_t    mono;
    int64_t     wall;
    int64_t     before;
    uint32_t    kind;
    unsigned    stands:1;       /* it was put up and is not lost */
    unsigned    lapsed:1;       /* it has ended at some time since */
} known_t;


static void test_sizes(void);
static void test_ends(void);
static void test_bits(void);
static void test_strengthen(void);
static void test_model(void);
static void run(size_t size, ngx_uint_t nkeys, ngx_uint_t ops,
    uint64_t lasts, ngx_uint_t steps);
static void add(ngx_uint_t k, uint64_t lasts);
static ngx_uint_t live(const known_t *k);
static void lapse(ngx_uint_t nkeys);
static void walk(ngx_uint_t nkeys);
static void test_sources(void);
static void test_protected(void);
static void test_full(void);
static void test_torn(void);
static void test_twice(void);
static void make(size_t size);
static ngx_int_t put(uint64_t n, uint64_t mono, int64_t wall, int64_t up_to);
static void name(u_char *key, uint64_t n);


static u_char                           *mem;
static size_t                            total;
static ngx_agt_denial_set_t  *set;
static ngx_agt_clock_t        now;
static uint64_t                          gone, made;
static ngx_uint_t                        source = BY_FEED;
static uint64_t                          secret[2] = { 17, 4711 };
static known_t                           all[MAX_KEYS];
static ngx_uint_t                        lost;

/* the set as it was */
static u_char                            before[131072]
                                         __attribute__((aligned(64)));


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 171);

    test_sizes();
    test_ends();
    test_bits();
    test_strengthen();
    test_model();
    test_full();
    test_sources();
    test_protected();
    test_torn();
    test_twice();

    free(mem);

    return unit_done();
}


static void
test_sizes(void)
{
    size_t      size;
    ngx_uint_t  i, n;

    unit_test("a set lies within its memory, whatever that is");

    make(NGX_AGT_DENIAL_SET_MIN);
    unit_check(ngx_agt_denial_set_init(mem,
                  NGX_AGT_DENIAL_SET_MIN - 1, secret) == NULL);

    now.mono = 1000;
    now.wall = 5000;

    for (size = NGX_AGT_DENIAL_SET_MIN; size < 6000; size += 13) {
        make(size);

        n = ngx_agt_denial_set_capacity(set);
        unit_check(n >= BUCKET && (n + 1) * 64 <= size);

        for (i = 0; i < 4 * n; i++) {
            unit_check(put(i, 2000, 6000, 0) != NGX_DECLINED);
        }

        i = 0;
        lost = 0;

        while (ngx_agt_denial_set_next(set, &i, &now)) {
            lost++;
        }

        unit_check(lost <= n && lost > n / 2);
        unit_check(set->added == 4 * n && set->lost == 4 * n - lost);
    }
}


/* both clocks must have passed the end */

static void
test_ends(void)
{
    u_char      key[32];
    ngx_uint_t  i;

    static const struct {
        uint64_t     mono;
        int64_t      wall;
        ngx_uint_t   stands;
    } tests[] = {
        { 1000, 5000, 1 },
        { 1999, 5999, 1 },
        { 1999, 6000, 1 },
        { 1999, 7000, 1 },
        { 1999, INT64_MAX, 1 },
        { 2000, 5999, 1 },
        { 9000, 5999, 1 },
        { 9000, 0, 1 },
        { 9000, INT64_MIN, 1 },
        { 2000, 6000, 0 },
        { 2001, 6001, 0 },
        { 9000, 9000, 0 }
    };

    unit_test("a denial ends when both clocks have passed its end");

    name(key, 1);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        make(4096);

        now.mono = 1000;
        now.wall = 5000;

        unit_check(put(1, 2000, 6000, 0) == NGX_OK);
        unit_check(ngx_agt_denial_set_find(set, key, &now));

        now.mono = tests[i].mono;
        now.wall = tests[i].wall;

        unit_check((ngx_agt_denial_set_find(set, key, &now) != NULL)
                   == tests[i].stands);
    }

    unit_test("one that has no end in reach lasts");

    make(4096);

    now.mono = 1000;
    now.wall = 5000;

    unit_check(put(1, UINT64_MAX, INT64_MAX, 0) == NGX_OK);
    unit_check(put(2, 0, INT64_MAX, 0) == NGX_OK);
    unit_check(put(3, 0, INT64_MIN, 0) == NGX_OK);

    now.wall = INT64_MAX - 1;
    now.mono = UINT64_MAX - 1;

    unit_check(ngx_agt_denial_set_find(set, key, &now));
    name(key, 2);
    unit_check(ngx_agt_denial_set_find(set, key, &now));
    name(key, 3);
    unit_check(ngx_agt_denial_set_find(set, key, &now) == NULL);
}


static void
test_bits(void)
{
    u_char      key[32];
    ngx_uint_t  i;

    unit_test("a key with another bit anywhere is another key");

    make(4096);
    name(key, 1);

    now.mono = 1000;
    now.wall = 5000;

    unit_check(put(1, 2000, 6000, 0) == NGX_OK);

    for (i = 0; i < 256; i++) {
        key[i / 8] ^= (u_char) (1 << i % 8);
        unit_check(ngx_agt_denial_set_find(set, key, &now) == NULL);
        key[i / 8] ^= (u_char) (1 << i % 8);
    }

    unit_check(ngx_agt_denial_set_find(set, key, &now) != NULL);
}


static void
test_strengthen(void)
{
    u_char             key[32];
    ngx_agt_denial_t  *s;

    unit_test("a denial is never weakened");

    make(4096);
    name(key, 1);

    now.mono = 1000;
    now.wall = 5000;

    unit_check(put(1, 9000, 13000, 4000) == NGX_OK);
    unit_check(put(1, 2000, 6000, 3000) == NGX_DECLINED);

    s = ngx_agt_denial_set_find(set, key, &now);
    unit_check(s && s->mono == 9000 && s->wall == 13000 && s->before == 4000);

    unit_check(put(1, 9500, 6000, 3000) == NGX_DECLINED);
    unit_check(s->mono == 9500 && s->wall == 13000 && s->before == 4000);

    unit_check(put(1, 2000, 13500, 3000) == NGX_DECLINED);
    unit_check(s->mono == 9500 && s->wall == 13500 && s->before == 4000);

    unit_test("one that denies more is looked at again");

    unit_check(put(1, 2000, 6000, 4001) == NGX_OK);
    unit_check(s->mono == 9500 && s->wall == 13500 && s->before == 4001);
    unit_check(set->added == 1 && set->lost == 0);

    unit_test("one that was over and came back is looked at again");

    now.mono = 9500;
    now.wall = 13500;
    unit_check(!ngx_agt_denial_set_find(set, key, &now));

    /* by now it may have been found clean; then the clock is set back */

    now.wall = 13000;
    unit_check(ngx_agt_denial_set_find(set, key, &now));
    unit_check(put(1, 12000, 16000, 4001) == NGX_OK);
    unit_check(put(1, 13000, 17000, 4001) == NGX_DECLINED);

    now.mono = 11999;
    now.wall = 20000;
    unit_check(ngx_agt_denial_set_find(set, key, &now));
}


static void
test_model(void)
{
    unit_test("a million operations agree with a model: room for all");

    run(131072, 600, 250000, 50000, 1);
    run(131072, 600, 250000, 50000, 0);

    unit_test("a million operations agree with a model: room for some");

    run(NGX_AGT_DENIAL_SET_MIN, 100, 250000, 3000, 1);
    run(65536, 2000, 250000, 40000, 1);
}


static void
run(size_t size, ngx_uint_t nkeys, ngx_uint_t ops, uint64_t lasts,
    ngx_uint_t steps)
{
    u_char             key[32];
    known_t           *known;
    ngx_uint_t         i, k;
    ngx_agt_denial_t  *s;

    make(size);
    memset(all, 0, sizeof(all));

    now.mono = 100000;
    now.wall = 1700000000;
    lost = 0;

    for (i = 0; i < ops; i++) {
        k = stub_below(nkeys);
        known = &all[k];

        switch (stub_below(20)) {

        case 0 ... 9:
            name(key, k);
            s = ngx_agt_denial_set_find(set, key, &now);

            if (s) {
                unit_check(known->stands && live(known));
                unit_check(s->mono == known->mono && s->wall == known->wall
                           && s->before == known->before
                           && ngx_agt_denial_kind(s)
                              == known->kind);
            } else {
                unit_check(!known->stands || known->lapsed || !live(known));
            }

            break;

        case 10:        /* time goes by, and all that is over has lapsed */
            now.mono += stub_below(lasts / 10);
            now.wall += (int64_t) stub_below(lasts / 10000 + 2);
            lapse(nkeys);
            break;

        case 11:
            if (steps && stub_below(50) == 0) {
                now.wall += (int64_t) stub_below(7201) - 3600;
                lapse(nkeys);
            }

            break;

        case 12:
            if (stub_below(200) == 0) {
                walk(nkeys);
            }

            break;

        default:
            add(k, lasts);
            break;
        }

        if (unit_failed) {
            printf("# operation %lu of a set of %lu bytes\n",
                   (unsigned long) i, (unsigned long) size);
            return;
        }
    }

    unit_check(lost == set->lost);
}


static void
add(ngx_uint_t k, uint64_t lasts)
{
    u_char             key[32];
    known_t           *known, fresh;
    uint64_t           end;
    ngx_int_t          rc;
    ngx_uint_t         i, j, stood, place;
    ngx_agt_denial_t  *s, *bucket, *victim;

    known = &all[k];
    stood = known->stands && live(known);

    memset(&fresh, 0, sizeof(known_t));

    fresh.mono = now.mono + stub_below(lasts);
    fresh.wall = now.wall + (int64_t) stub_below(lasts / 1000 + 1);
    fresh.before = (int64_t) stub_below(4);
    fresh.kind = (uint32_t) (k % NGX_AGT_DENIAL_KINDS);
    fresh.stands = 1;

    memcpy(before, mem, total);

    name(key, k);
    s = ngx_agt_denial_set_find(set, key, &now);

    rc = put(k, fresh.mono, fresh.wall, fresh.before);

    if (s) {
        unit_check(stood);

        /* declined only if it has stood all the time, and denies no more */

        if (rc == NGX_DECLINED) {
            unit_check(fresh.before <= known->before && !known->lapsed);
        } else {
            unit_check(rc == NGX_OK);
        }

        known->mono = ngx_max(known->mono, fresh.mono);
        known->wall = ngx_max(known->wall, fresh.wall);
        known->before = ngx_max(known->before, fresh.before);
        known->lapsed = !live(known);

        return;
    }

    unit_check(!stood || known->lapsed);
    unit_check(rc == NGX_OK || rc == NGX_BUSY);

    *known = fresh;
    known->lapsed = !live(known);

    /* where it lies now: was that free, or all of the bucket taken? */

    for (i = 0; i < ngx_agt_denial_set_capacity(set); i++) {
        s = (ngx_agt_denial_t *) set + BUCKET + i;

        if (s->mono && memcmp(s->key, key, 32) == 0) {
            victim = (ngx_agt_denial_t *)
                         (before + ((u_char *) s - mem));

            if (victim->mono != s->mono || memcmp(victim->key, key, 32) != 0) {
                break;
            }
        }
    }

    unit_check(i < ngx_agt_denial_set_capacity(set));

    victim = (ngx_agt_denial_t *) (before + ((u_char *) s - mem));
    bucket = (ngx_agt_denial_t *) before + BUCKET + i / BUCKET * BUCKET;
    place = 0;

    for (j = 0; j < BUCKET; j++) {
        place += (bucket[j].mono
                  && (bucket[j].mono > now.mono || bucket[j].wall > now.wall));
    }

    unit_check(rc == NGX_OK || place == BUCKET);

    if (rc == NGX_OK && place == BUCKET) {

        /* it has moved to its other bucket, as it was */

        s = ngx_agt_denial_set_find(set, victim->key, &now);
        unit_check(s && memcmp(s, victim, sizeof(ngx_agt_denial_t)) == 0);
    }

    if (rc == NGX_BUSY) {
        lost++;

        memcpy(&k, victim->key, sizeof(ngx_uint_t));
        unit_check(all[k].stands && live(&all[k]));
        all[k].stands = 0;

        end = ngx_max(all[k].mono, now.mono
                      + (uint64_t) ngx_max(all[k].wall - now.wall, 0) * 1000);
        unit_check(gone == end);

        /* of those in its bucket the one that would have ended first */

        for (j = 0; j < BUCKET; j++) {
            unit_check(ngx_max(bucket[j].mono, now.mono
                               + (uint64_t) ngx_max(bucket[j].wall - now.wall,
                                                    0) * 1000)
                       >= end);
        }
    }
}


static ngx_uint_t
live(const known_t *k)
{
    return k->mono > now.mono || k->wall > now.wall;
}


static void
lapse(ngx_uint_t nkeys)
{
    ngx_uint_t  k;

    for (k = 0; k < nkeys; k++) {
        if (!live(&all[k])) {
            all[k].lapsed = 1;
        }
    }
}


static void
walk(ngx_uint_t nkeys)
{
    ngx_uint_t         i, k, n, most;
    ngx_agt_denial_t  *s;

    n = 0;
    most = 0;

    for (i = 0; /* void */ ; n++) {
        s = ngx_agt_denial_set_next(set, &i, &now);

        if (s == NULL) {
            break;
        }

        memcpy(&k, s->key, sizeof(ngx_uint_t));
        unit_check(k < nkeys && all[k].stands && live(&all[k]));
    }

    unit_check(i == ngx_agt_denial_set_capacity(set));

    for (k = 0; k < nkeys; k++) {
        most += (all[k].stands && live(&all[k]));
    }

    unit_check(n <= most);
}


/* how full a set gets before the first live one must go */

static void
test_full(void)
{
    ngx_uint_t  n, capacity;

    unit_test("most of a set is used before a live one must go");

    make(2 << 20);

    now.mono = 1000;
    now.wall = 5000;

    capacity = ngx_agt_denial_set_capacity(set);

    for (n = 0; n < capacity; n++) {
        if (put(n, 2000, 6000, 0) == NGX_BUSY) {
            break;
        }
    }

    printf("# the first of %lu places is missing at %lu %%\n",
           (unsigned long) capacity, (unsigned long) (n * 100 / capacity));

    unit_check(n * 100 / capacity >= 90);
    unit_check(set->lost == 1);

    unit_test("places of those that are over are used again");

    now.mono = 3000;
    now.wall = 7000;
    set->lost = 0;

    for (n = 0; n < capacity * 9 / 10; n++) {
        unit_check(put(1000000 + n, 9000, 9000, 0) == NGX_OK);
    }

    unit_check(set->lost == 0);
}


/* the sources of denials, and the times when they were made */

static void
test_sources(void)
{
    u_char             key[32];
    ngx_uint_t         a, b, kind;
    ngx_agt_denial_t  *s;

    unit_test("a source takes the place of one that protects less");

    now.mono = 1000;
    now.wall = 5000;
    name(key, 1);

    for (a = BY_FEED; a <= BY_HOOK; a++) {
        for (b = BY_FEED; b <= BY_HOOK; b++) {
            make(4096);

            source = a;
            unit_check(put(1, 2000, 6000, 0) == NGX_OK);
            source = b;
            unit_check(put(1, 2000, 6000, 0) == NGX_DECLINED);

            s = ngx_agt_denial_set_find(set, key, &now);
            unit_check(s && ngx_agt_denial_source(s) == ngx_max(a, b));

            ngx_agt_denial_set_told(set, key, &now);

            unit_check(ngx_agt_denial_source(s)
                       == (ngx_max(a, b) == UNTOLD ? BY_API : ngx_max(a, b)));
            unit_check(s->mono == 2000 && s->wall == 6000
                       && ngx_agt_denial_kind(s) == 1);
        }
    }

    name(key, 2);
    ngx_agt_denial_set_told(set, key, &now);

    unit_test("a denial of a subject counts from when it was made last");

    source = BY_FEED;

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {
        make(4096);
        name(key, kind);

        made = 900;
        unit_check(put(kind, 2000, 6000, 0) == NGX_OK);
        made = ((uint64_t) 1 << 48) - 1;
        unit_check(put(kind, 2000, 6000, 0)
                   == (kind == NGX_AGT_DENIAL_SUBJECT
                       ? NGX_OK : NGX_DECLINED));

        s = ngx_agt_denial_set_find(set, key, &now);
        unit_check(ngx_agt_denial_made(s)
                   == (kind == NGX_AGT_DENIAL_SUBJECT ? made : 900));
        made = 800;
        unit_check(put(kind, 2000, 6000, 0) == NGX_DECLINED);
    }

    made = 0;
}


/* a set that one source has filled, and another that comes to it */

static void
test_protected(void)
{
    u_char      key[32];
    uint64_t    n;
    ngx_int_t   rc;
    ngx_uint_t  a, b, added, stand;

    unit_test("what is protected stays, and what is worth more");

    now.mono = 1000;
    now.wall = 5000;

    for (a = BY_FEED; a <= BY_HOOK; a++) {
        for (b = BY_FEED; b <= BY_HOOK; b++) {
            make(4096);
            source = a;

            for (n = 0; n < 4000; n++) {
                (void) put(n, 2000, 6000, 0);
            }

            source = b;
            added = 0;

            for (n = 10000; n < 11000; n++) {
                rc = put(n, 1500 + n % 100, 5500, 0);
                added += (rc != NGX_ERROR);

                /* protected denials themselves fill the set in the end */

                unit_check(rc == NGX_BUSY || a >= UNTOLD || b < a
                           || b >= UNTOLD);
                unit_check(rc == NGX_ERROR || (a < UNTOLD && b >= a));
                name(key, n);
                unit_check((ngx_agt_denial_set_find(set, key, &now) == NULL)
                           == (rc == NGX_ERROR));

                if (rc == NGX_ERROR) {
                    unit_check(gone == 501000);
                }
            }

            unit_check((added != 0) == (a < UNTOLD && b >= a));
        }
    }

    unit_test("what the feed can tell again goes before what the API was told");

    make(4096);

    for (n = 0; n < 2000; n++) {
        source = (n % 2) ? BY_API : BY_FEED;
        (void) put(n, 2000 + n, 6000 + (int64_t) n, 0);
    }

    stand = 0;

    for (n = 0; n < 2000; n += 2) {
        name(key, n);
        stand += (ngx_agt_denial_set_find(set, key, &now) != NULL);
    }

    unit_check(stand == 0);

    unit_test("what has ended makes room, whatever it was");

    make(4096);
    source = BY_HOOK;

    for (n = 0; n < 2000; n++) {
        (void) put(n, 2000, 6000, 0);
    }

    now.mono = 2000;
    now.wall = 6000;
    source = BY_FEED;

    unit_check(put(5000, 3000, 7000, 0) == NGX_OK);

    source = BY_FEED;
}


/* a process may die between any two writes; this is their order */

static void
test_torn(void)
{
    size_t             at, step;
    u_char            *after, key[32];
    ngx_uint_t         i, n;
    ngx_agt_denial_t  *s, *old, *new;

    unit_test("a write that was cut short harms nothing but itself");

    make(NGX_AGT_DENIAL_SET_MIN);

    now.mono = 1000;
    now.wall = 5000;

    /* the place of a dead one is used again */

    for (i = 0; i < 12; i++) {
        (void) put(i, i % 2 ? 2000 : 1, i % 2 ? 6000 : 1, 0);
    }

    after = malloc(total);

    for (n = 100; n < 140; n++) {
        memcpy(before, mem, total);
        (void) put(n, 3000, 7000, 0);
        memcpy(after, mem, total);

        name(key, n);
        s = ngx_agt_denial_set_find(set, key, &now);
        at = (size_t) ((u_char *) s - mem);
        old = (ngx_agt_denial_t *) (before + at);
        new = (ngx_agt_denial_t *) (after + at);

        for (step = 0; step <= 32 + 4; step++) {
            memcpy(mem, before, total);

            *s = *old;
            s->mono = 0;
            memcpy(s->key, new->key, ngx_min(step, 32));

            if (step > 32) {
                s->mark = new->mark;
            }

            if (step > 33) {
                s->wall = new->wall;
            }

            if (step > 34) {
                s->before = new->before;
            }

            unit_check(!ngx_agt_denial_set_find(set, key, &now));

            for (i = 0; i < ngx_agt_denial_set_capacity(set); i++) {
                old = (ngx_agt_denial_t *) before + BUCKET + i;

                if (old->mono > now.mono && (u_char *) old - before
                                            != (u_char *) s - mem)
                {
                    unit_check(ngx_agt_denial_set_find(set,
                                                  old->key, &now) != NULL);
                }
            }

            old = (ngx_agt_denial_t *) (before + at);

            unit_check(put(n, 3000, 7000, 0) != NGX_DECLINED);
            unit_check(ngx_agt_denial_set_find(set, key, &now) != NULL);
        }

        memcpy(mem, after, total);
    }

    free(after);
}


/* a process died when it had copied a denial and not yet removed the old one */

static void
test_twice(void)
{
    u_char             key[32];
    uint64_t           n;
    ngx_uint_t         i, run, twice;
    ngx_agt_denial_t  *s, *other, old;

    unit_test("a denial that lies in two places is never weakened");

    now.mono = 1000;
    now.wall = 5000;
    source = BY_HOOK;
    twice = 0;

    for (run = 0; run < 100; run++) {
        make(NGX_AGT_DENIAL_SET_MIN);
        name(key, run);

        unit_check(put(run, 2000, 6000, 0) == NGX_OK);

        /* both are the first of their buckets: they would move first */

        s = ngx_agt_denial_set_find(set, key, &now);
        i = (ngx_uint_t) (s - (ngx_agt_denial_t *) set) / BUCKET;
        other = (ngx_agt_denial_t *) set + (3 - i) * BUCKET;
        old = *s;
        s->mono = 0;

        /* where both of its buckets are one, it cannot be moved */

        *other = old;

        if (ngx_agt_denial_set_find(set, key, &now) != other) {
            continue;
        }

        s = (ngx_agt_denial_t *) set + i * BUCKET;
        *s = old;
        twice++;

        unit_check(put(run, 9000, 13000, 4) == NGX_OK);

        for (n = 0; n < 100; n++) {
            (void) put(1000 + 100 * run + n, 2000, 6000, 0);
        }

        s = ngx_agt_denial_set_find(set, key, &now);
        unit_check(s && s->mono == 9000 && s->before == 4);
    }

    unit_check(twice >= 10);
}


static void
make(size_t size)
{
    free(mem);

    if (posix_memalign((void **) &mem, 64, size) != 0) {
        abort();
    }

    memset(mem, 0xa5, size);
    total = size;

    set = ngx_agt_denial_set_init(mem, size, secret);

    if (set == NULL) {
        abort();
    }
}


static ngx_int_t
put(uint64_t n, uint64_t mono, int64_t wall, int64_t up_to)
{
    ngx_agt_denial_t  t;

    memset(&t, 0xa5, sizeof(t));

    name(t.key, n);
    t.mono = mono;
    t.wall = wall;
    t.before = up_to;
    t.mark = ngx_agt_denial_mark(made, source, n % NGX_AGT_DENIAL_KINDS);

    gone = 0;

    return ngx_agt_denial_set_add(set, &t, &now, &gone);
}


/* a digest, as it were */

static void
name(u_char *key, uint64_t n)
{
    ngx_uint_t  i;
    uint64_t    z;

    memcpy(key, &n, sizeof(uint64_t));

    for (i = 1; i < 4; i++) {
        z = (n + i) * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z ^= z >> 31;
        memcpy(key + i * 8, &z, sizeof(uint64_t));
    }
}
