
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "token/digest.h"
#include "zone/digest_cache.h"
#include "zone/worker_cache.h"


#define LEN     NGX_AGT_DIGEST_LEN
#define SIZE    NGX_AGT_WORKER_CACHE_MIN
#define TOKENS  64


typedef ngx_agt_worker_entry_t  entry_t;


static void test_found(void);
static void test_keys(void);
static void test_held(void);
static void test_full(void);
static void test_large(void);
static void test_churn(void);
static void test_zeroed(void);
static void test_model(void);
static void test_none(void);
static void anew(void);
static const entry_t *add(uint64_t n, size_t rules, uint64_t serial);
static const entry_t *find(uint64_t n);
static ngx_uint_t is_whole(const entry_t *entry, uint64_t n, size_t rules,
    uint64_t serial);
static ngx_uint_t sane(void);
static ngx_agt_worker_key_t *key_of(uint64_t n);


static size_t  used, held;


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 5);

    test_found();
    test_keys();
    test_held();
    test_full();
    test_large();
    test_churn();
    test_zeroed();
    test_model();
    test_none();

    return unit_done();
}


static void
test_found(void)
{
    const entry_t  *e;

    unit_test("an entry is found as it was added, until it is replaced");

    anew();

    unit_check(find(1) == NULL);

    e = add(1, 1000, 7);
    unit_check(is_whole(e, 1, 1000, 7));
    unit_check(find(1) == e && find(2) == NULL);

    ngx_agt_worker_cache_release(e);
    unit_check(find(1) == e && is_whole(e, 1, 1000, 7));

    e = add(1, 0, 8);
    unit_check(is_whole(e, 1, 0, 8) && find(1) == e);
    unit_check(sane() && held == used);

    ngx_agt_worker_cache_release(e);
    unit_check(sane() && held == 0 && used != 0);

    ngx_agt_worker_cache_drop(find(1));
    unit_check(find(1) == NULL);
    unit_check(sane() && used == 0);
}


static void
test_keys(void)
{
    u_char                token[LEN], origin[LEN];
    ngx_uint_t            i;
    ngx_agt_worker_key_t  key;

    unit_test("keys are compared as a whole");

    anew();

    key = *key_of(1);

    memcpy(token, key.token, LEN);
    memcpy(origin, key.origin, LEN);
    key.token = token;
    key.origin = origin;

    (void) add(1, 10, 1);
    unit_check(ngx_agt_worker_cache_find(&key) != NULL);

    for (i = 0; i < 8 * LEN; i++) {
        token[i / 8] ^= (u_char) (1 << i % 8);
        unit_check(ngx_agt_worker_cache_find(&key) == NULL);
        token[i / 8] ^= (u_char) (1 << i % 8);

        origin[i / 8] ^= (u_char) (1 << i % 8);
        unit_check(ngx_agt_worker_cache_find(&key) == NULL);
        origin[i / 8] ^= (u_char) (1 << i % 8);
    }

    for (i = 0; i < 64; i++) {
        key.zone ^= (uint64_t) 1 << i;
        unit_check(ngx_agt_worker_cache_find(&key) == NULL);
        key.zone ^= (uint64_t) 1 << i;
    }

    unit_check(ngx_agt_worker_cache_find(&key) != NULL);
}


static void
test_held(void)
{
    uint64_t        n;
    const entry_t  *e, *other;

    unit_test("what is held is neither freed nor overwritten");

    anew();

    e = add(1, 2000, 1);

    ngx_agt_worker_cache_hold(find(1));

    /* replaced: a request that holds it reads on */

    other = add(1, 500, 2);
    unit_check(other != e && find(1) == other);
    ngx_agt_worker_cache_release(other);

    for (n = 2; n < 2000; n++) {
        other = add(n, n % 3000, n);

        if (other) {
            unit_check(is_whole(other, n, n % 3000, n));
            ngx_agt_worker_cache_release(other);
        }

        unit_check(is_whole(e, 1, 2000, 1));
    }

    unit_check(sane() && held != 0);

    ngx_agt_worker_cache_release(e);
    unit_check(is_whole(e, 1, 2000, 1));

    ngx_agt_worker_cache_release(e);
    unit_check(sane() && held == 0);
}


static void
test_full(void)
{
    uint64_t        n, kept;
    const entry_t  *e[TOKENS], *more;

    unit_test("a memory that is full of what is held has no room");

    anew();

    for (kept = 0; kept < TOKENS; kept++) {

        /* the second time it has been asked for lately */

        e[kept] = add(kept, 3000, kept);

        if (e[kept] == NULL) {
            e[kept] = add(kept, 3000, kept);
        }

        if (e[kept] == NULL) {
            break;
        }
    }

    unit_check(kept > 5 && kept < TOKENS);
    unit_check(add(99, 3000, 1) == NULL && add(99, 3000, 1) == NULL);

    for (n = 0; n < kept; n++) {
        unit_check(is_whole(e[n], n, 3000, n));
    }

    unit_check(sane() && held == used);

    unit_test("... until it is released");

    ngx_agt_worker_cache_release(e[3]);
    ngx_agt_worker_cache_drop(e[3]);

    more = add(99, 3000, 1);
    unit_check(is_whole(more, 99, 3000, 1));

    for (n = 0; n < kept; n++) {
        unit_check(n == 3 || is_whole(e[n], n, 3000, n));
    }
}


static void
test_large(void)
{
    unit_test("what is larger than a quarter is not kept");

    anew();

    unit_check(add(1, SIZE / 4, 1) == NULL);
    unit_check(add(1, SIZE / 4, 1) == NULL);
    unit_check(sane() && used == 0);

    unit_check(add(1, SIZE / 10, 1) != NULL);
    unit_check(add(1, SIZE / 4, 2) == NULL && find(1) == NULL);
}


static void
test_churn(void)
{
    uint64_t        n, hits;
    const entry_t  *e;

    unit_test("tokens that come once push out none that come again");

    anew();

    for (n = 0; n < 20; n++) {
        ngx_agt_worker_cache_release(add(n, 200, n));
    }

    for (n = 0; n < 100000; n++) {
        e = add(1000 + n, 1000, n);

        if (e) {
            ngx_agt_worker_cache_release(e);
        }
    }

    hits = 0;

    for (n = 0; n < 20; n++) {
        hits += (find(n) != NULL);
    }

    unit_check(hits == 20);

    unit_test("and one that comes again finds room");

    e = add(77, 1000, 1);

    if (e == NULL) {
        e = add(77, 1000, 1);
    }

    unit_check(is_whole(e, 77, 1000, 1));
}


static void
test_zeroed(void)
{
    size_t         i, len, left;
    const u_char  *p;
    const entry_t *e;

    unit_test("what is dropped is zeroed");

    anew();

    e = add(1, 900, 1);
    p = e->packed.data;
    len = (size_t) (e->rules.data + e->rules.len - p);

    ngx_agt_worker_cache_drop(e);
    unit_check(p[0] != 0);

    ngx_agt_worker_cache_release(e);

    left = 0;

    for (i = 0; i < len; i++) {
        left += (p[i] != 0);
    }

    unit_check(left == 0);
}


static void
test_model(void)
{
    uint64_t        n, i, serials[TOKENS];
    size_t          sizes[TOKENS];
    ngx_uint_t      nheld, j;
    const entry_t  *e;

    struct {
        const entry_t  *entry;
        uint64_t        n, serial;
        size_t          size;
    }               holds[16];

    unit_test("whatever comes in whatever order, each reads its own");

    anew();

    memset(serials, 0, sizeof(serials));
    nheld = 0;

    for (i = 1; i < 200000; i++) {
        n = stub_below(TOKENS);
        e = find(n);

        unit_check(e == NULL || is_whole(e, n, sizes[n], serials[n]));

        switch (stub_below(4)) {

        case 0:
            sizes[n] = stub_below(2) ? stub_below(500) : stub_below(8000);
            serials[n] = i;
            e = add(n, sizes[n], i);
            break;

        case 1:
            if (e && stub_below(8) == 0) {
                ngx_agt_worker_cache_drop(e);
            }

            e = NULL;
            break;

        case 2:
            if (e) {
                ngx_agt_worker_cache_hold(e);
            }

            break;

        default:
            e = NULL;
        }

        if (e) {
            if (nheld == 16) {
                ngx_agt_worker_cache_release(e);

            } else {
                holds[nheld].entry = e;
                holds[nheld].n = n;
                holds[nheld].serial = serials[n];
                holds[nheld++].size = sizes[n];
            }
        }

        if (nheld && stub_below(2)) {
            j = stub_below(nheld);

            unit_check(is_whole(holds[j].entry, holds[j].n, holds[j].size,
                                holds[j].serial));

            ngx_agt_worker_cache_release(holds[j].entry);
            holds[j] = holds[--nheld];
        }

        if (i % 64 == 0) {
            unit_check(sane());
        }
    }

    while (nheld) {
        ngx_agt_worker_cache_release(holds[--nheld].entry);
    }

    unit_check(sane() && held == 0 && used != 0);
}


static void
test_none(void)
{
    ngx_str_t      token = ngx_string("a-token-of-some-length");
    const entry_t *e;

    unit_test("without memory nothing is kept");

    anew();
    e = add(1, 100, 1);

    ngx_agt_worker_cache_exit();

    /* a request may outlive it */

    ngx_agt_worker_cache_release(e);

    unit_check(find(1) == NULL && add(1, 100, 1) == NULL);

    ngx_agt_digest_cache_add(&token, (u_char *) e);
    unit_check(ngx_agt_digest_cache_find(&token) == NULL);

    ngx_agt_worker_cache_exit();

    unit_test("there is none of a size that cannot be had");

    unit_check(ngx_agt_worker_cache_init((size_t) 1 << 62) == NGX_ERROR);
    unit_check(find(1) == NULL && add(1, 100, 1) == NULL);
}


static void
anew(void)
{
    ngx_agt_worker_cache_exit();

    unit_check(ngx_agt_worker_cache_init(SIZE) == NGX_OK);
    unit_check(sane() && used == 0);
}


static const entry_t *
add(uint64_t n, size_t len, uint64_t serial)
{
    size_t                   i;
    u_char                   buf[1024], sub[32], text[20000];
    ngx_str_t                packed, rules;
    const entry_t           *e;
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    memset(&facts, 0, sizeof(facts));
    facts.has_exp = 1;
    facts.exp = (int64_t) serial;
    facts.sub.data = sub;
    facts.sub.len = (size_t) snprintf((char *) sub, sizeof(sub), "user-%lu",
                                      (unsigned long) n);

    ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);

    packed.data = buf;
    packed.len = ngx_agt_facts_end(&b);

    for (i = 0; i < len; i++) {
        text[i] = (u_char) (i + n + serial);
    }

    rules.data = text;
    rules.len = len;

    e = ngx_agt_worker_cache_add(key_of(n), &packed, &rules, serial, n % 2);

    /* nothing of it is borrowed */

    memset(buf, 0xee, sizeof(buf));
    memset(text, 0xee, len);

    return e;
}


static const entry_t *
find(uint64_t n)
{
    return ngx_agt_worker_cache_find(key_of(n));
}


static ngx_uint_t
is_whole(const entry_t *e, uint64_t n, size_t len, uint64_t serial)
{
    char    sub[32];
    size_t  i, sub_len;

    sub_len = (size_t) snprintf(sub, sizeof(sub), "user-%lu",
                                (unsigned long) n);

    if (e == NULL || e->serial != serial || e->has_rules != n % 2
        || e->facts.exp != (int64_t) serial
        || e->facts.sub.len != sub_len
        || memcmp(e->facts.sub.data, sub, e->facts.sub.len) != 0
        || e->rules.len != len)
    {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (e->rules.data[i] != (u_char) (i + n + serial)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
sane(void)
{
    return ngx_agt_worker_cache_sane(&used, &held);
}


static ngx_agt_worker_key_t *
key_of(uint64_t n)
{
    static u_char                token[LEN], origin[LEN];
    static ngx_agt_worker_key_t  key;

    memset(token, 0x11, LEN);
    memcpy(token, &n, sizeof(n));
    memcpy(token + 8, &n, sizeof(n));
    token[4] = (u_char) (n * 7);
    memset(origin, 0x22, LEN);

    key.token = token;
    key.origin = origin;
    key.zone = 5;

    return &key;
}
