
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/numbers.h"


#define MANY  4000


static void test_off(void);
static void test_order(void);
static void test_strengthened(void);
static void test_learned(void);
static void test_death(void);
static void test_old(void);
static void test_moved(void);
static void test_again(void);
static void test_recent(void);
static void begin(void);
static void make(size_t size);
static ngx_int_t deny(ngx_uint_t n, ngx_agt_denial_source_e source,
    int64_t until, int64_t before);
static ngx_int_t learn(ngx_uint_t n, ngx_agt_denial_source_e source,
    int64_t until, int64_t before);
static ngx_agt_denial_t *find(ngx_uint_t n);
static ngx_uint_t take(uint64_t from, ngx_uint_t n);
static void key_of(u_char *key, ngx_uint_t n);


static const u_char        api[32] = "an API";
static ngx_agt_clock_t     now = { 1000000, 1700000000 };
static ngx_agt_denials_t  *denials;
static ngx_agt_numbered_t  taken[MANY];


int
main(int argc, char **argv)
{
    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 53);

    test_off();
    test_order();
    test_strengthened();
    test_learned();
    test_death();
    test_old();
    test_moved();
    test_again();
    test_recent();

    stub_denials_free(denials);

    return unit_done();
}


static void
test_off(void)
{
    unit_test("without a fleet there are no numbers; with one, all get them");

    make(NGX_AGT_DENIALS_DEFAULT_SIZE);

    unit_check(deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0) == NGX_OK);
    unit_check(find(1)->number == 0);
    unit_check(ngx_agt_numbers_last(denials) == 0);

    ngx_agt_numbers_begin(denials, &now);
    unit_check(find(1)->number == 1);
    unit_check(ngx_agt_numbers_last(denials) == 1);

    /* off, and on again: a numbered denial may have become stronger */

    denials->sh->numbers.on = 0;
    unit_check(deny(1, NGX_AGT_DENIED_BY_HOOK, 200, 0) == NGX_DECLINED);
    unit_check(find(1)->number == 1);
    ngx_agt_numbers_begin(denials, &now);
    unit_check(find(1)->number == 2);
}


static void
test_order(void)
{
    ngx_agt_denial_args_t  args;

    unit_test("numbers are told in their order");

    begin();

    unit_check(take(1, 10) == 0);
    unit_check(deny(1, NGX_AGT_DENIED_UNTOLD, 100, 0) == NGX_OK);
    unit_check(deny(2, NGX_AGT_DENIED_BY_FEED, 100, 0) == NGX_OK);
    unit_check(ngx_agt_numbers_reserve(denials) == 3);
    unit_check(deny(3, NGX_AGT_DENIED_BY_API, 100, 0) == NGX_OK);

    unit_check(take(1, 10) == 4);
    unit_check(taken[0].number == 1 && !taken[0].empty);
    unit_check(taken[1].number == 2 && !taken[1].empty);
    unit_check(taken[2].number == 3 && taken[2].empty);
    unit_check(taken[3].number == 4 && !taken[3].empty);
    unit_check(memcmp(&taken[3].denial, find(3), sizeof(ngx_agt_denial_t))
               == 0);

    unit_check(take(2, 2) == 2 && taken[0].number == 2);
    unit_check(take(4, 10) == 1 && take(5, 10) == 0 && take(9, 10) == 0);

    /* other edges are not told of a token that was never active here */

    memset(&args, 0, sizeof(args));
    args.api = api;
    args.source = NGX_AGT_DENIED_BY_API;
    args.value.data = (u_char *) api;
    args.value.len = 32;
    args.until = now.wall + 100;
    args.unknown = 1;

    unit_check(ngx_agt_denials_add(denials, &args, &now) == NGX_OK);
    unit_check(ngx_agt_numbers_last(denials) == 4);

    /* one that has ended is told as empty */

    now.mono += 200000;
    now.wall += 200;
    unit_check(take(1, 10) == 4 && taken[0].empty && taken[3].empty);
    now.mono -= 200000;
    now.wall -= 200;
}


static void
test_strengthened(void)
{
    unit_test("what says more is told once more");

    begin();

    (void) deny(1, NGX_AGT_DENIED_BY_FEED, 100, 0);

    unit_check(deny(1, NGX_AGT_DENIED_BY_FEED, 100, 0) == NGX_DECLINED);
    unit_check(find(1)->number == 1);

    /* no other edge was told the number yet */

    (void) deny(1, NGX_AGT_DENIED_BY_FEED, 150, 0);
    unit_check(find(1)->number == 1 && ngx_agt_numbers_last(denials) == 1);
    unit_check(take(1, 10) == 1 && taken[0].denial.wall == now.wall + 150);

    /* a later end, an earlier date, a source that protects */

    (void) deny(1, NGX_AGT_DENIED_BY_FEED, 160, 0);
    unit_check(find(1)->number == 2);
    unit_check(take(1, 10) == 2 && taken[0].empty && !taken[1].empty);

    (void) deny(1, NGX_AGT_DENIED_BY_FEED, 160, 7);
    unit_check(find(1)->number == 3 && take(3, 1) == 1);

    (void) deny(1, NGX_AGT_DENIED_BY_API, 160, 7);
    unit_check(find(1)->number == 3);

    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 160, 7);
    unit_check(find(1)->number == 4 && take(4, 1) == 1);

    (void) deny(1, NGX_AGT_DENIED_BY_FEED, 120, 2);
    unit_check(find(1)->number == 4);
}


static void
test_learned(void)
{
    unit_test("what another edge has told is not told again");

    begin();

    (void) learn(1, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    unit_check(find(1)->number >= (NGX_AGT_NUMBER_OTHERS | now.mono));
    unit_check(deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0) == NGX_DECLINED);
    unit_check(ngx_agt_numbers_last(denials) == 0);

    /* but what this edge adds to it */

    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 200, 0);
    unit_check(find(1)->number == 1 && take(1, 1) == 1);

    /* the other says all, or more */

    (void) learn(1, NGX_AGT_DENIED_BY_HOOK, 200, 0);
    unit_check(find(1)->number == 1);
    (void) learn(1, NGX_AGT_DENIED_BY_HOOK, 300, 0);
    unit_check(find(1)->number & NGX_AGT_NUMBER_OTHERS);

    /* an edge that tells less may not know of the stronger denial */

    find(1)->number = NGX_AGT_NUMBER_OTHERS | 7;
    (void) learn(1, NGX_AGT_DENIED_BY_HOOK, 200, 0);
    unit_check(find(1)->number == (NGX_AGT_NUMBER_OTHERS | 7));
    (void) learn(1, NGX_AGT_DENIED_BY_HOOK, 300, 0);
    unit_check(find(1)->number > (NGX_AGT_NUMBER_OTHERS | 7));

    /* each says something that the other does not */

    (void) deny(2, NGX_AGT_DENIED_BY_HOOK, 200, 0);
    unit_check(find(2)->number == 2 && take(2, 1) == 1);
    (void) learn(2, NGX_AGT_DENIED_BY_HOOK, 100, 9);
    unit_check(find(2)->number == 3);
    unit_check(take(3, 1) == 1 && taken[0].denial.wall == now.wall + 200
               && taken[0].denial.before == 9);
}


static void
test_death(void)
{
    unit_test("a process that dies leaves nothing untold");

    begin();

    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) deny(2, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) learn(3, NGX_AGT_DENIED_BY_HOOK, 100, 0);

    /* it died before a denial had its number, and as the number was given */

    find(1)->number = 0;
    denials->sh->numbers.next = 4;
    denials->sh->changes |= 1;

    ngx_agt_denials_lock(denials);
    ngx_agt_denials_unlock(denials);

    unit_check(find(2)->number == 2);
    unit_check(find(1)->number == 4);
    unit_check(find(3)->number & NGX_AGT_NUMBER_OTHERS);
    unit_check(take(1, 10) == 4);
    unit_check(taken[0].empty && !taken[1].empty);
    unit_check(taken[2].empty && !taken[3].empty);
}


static void
test_old(void)
{
    ngx_uint_t  i, n;

    unit_test("numbers are found that are older than the places");

    make(512 * 1024);
    ngx_agt_numbers_begin(denials, &now);

    for (i = 0; i < denials->sh->numbers.nplaces + 200; i++) {
        (void) deny(i, NGX_AGT_DENIED_BY_API, 1000, 0);
    }

    unit_check(take(1, MANY) == i);

    for (i = 0, n = 0; i < denials->sh->numbers.nplaces + 200; i++) {
        n += !taken[i].empty && taken[i].denial.number == i + 1;
    }

    unit_check(n + denials->sh->lost == i);
    unit_check(n > i / 2);
}


static void
test_moved(void)
{
    ngx_uint_t  i, n, full, from;

    unit_test("numbers are found whose denials were moved to make room");

    begin();

    full = ngx_agt_denial_set_capacity(denials->set) * 9 / 10;

    for (n = 1; n <= full; n++) {
        unit_check(deny(n, NGX_AGT_DENIED_BY_HOOK, 100, 0) == NGX_OK);
    }

    for (from = 1; from <= full; from += n) {
        n = take(from, 100);

        for (i = 0; i < n; i++) {
            unit_check(!taken[i].empty);
        }
    }
}


static void
test_again(void)
{
    u_char  key[NGX_AGT_DENIAL_KEY_LEN];

    unit_test("denials of others are told where that is asked for");

    begin();

    unit_check(ngx_agt_numbers_first(denials, &now) == 1);

    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) learn(2, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) take(1, 10);

    ngx_agt_denials_asked(denials, api, api, now.mono, now.wall + 100, &now);

    stub_clock(now.mono + 50, now.wall);
    (void) learn(3, NGX_AGT_DENIED_BY_HOOK, 100, 0);

    unit_check(ngx_agt_numbers_adopt(denials, now.mono + 50, &now) == 1);
    unit_check(find(2)->number == 2);
    unit_check(find(3)->number & NGX_AGT_NUMBER_OTHERS);

    unit_check(ngx_agt_numbers_adopt(denials, now.mono + 100, &now) == 1);
    unit_check(find(3)->number == 3);
    unit_check(take(2, 10) == 2);

    unit_check(ngx_agt_numbers_adopt(denials, NGX_AGT_NUMBERS_ALL, &now) == 3);
    unit_check(ngx_agt_numbers_last(denials) == 6);
    unit_check(take(1, 10) == 6 && taken[0].empty && taken[2].empty
               && !taken[3].empty && !taken[5].empty);

    begin();
    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) deny(2, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) take(1, 10);

    key_of(key, 1);
    unit_check(ngx_agt_numbers_of(denials, key, &now) == 1);
    unit_check(ngx_agt_numbers_first(denials, &now) == 1);
    unit_check(ngx_agt_numbers_again(denials, key, &now) == 1);
    unit_check(ngx_agt_numbers_of(denials, key, &now) == 3);
    unit_check(ngx_agt_numbers_first(denials, &now) == 2);

    unit_check(ngx_agt_numbers_renew(denials, 3, &now) == 1);
    unit_check(find(1)->number == 3 && find(2)->number == 4);
    unit_check(ngx_agt_numbers_renew(denials, NGX_AGT_NUMBER_OTHERS, &now)
               == 2);
    unit_check(ngx_agt_numbers_first(denials, &now) == 5);

    key_of(key, 9);
    unit_check(ngx_agt_numbers_again(denials, key, &now) == 0);
    unit_check(ngx_agt_numbers_of(denials, key, &now) == 0);
}


static void
test_recent(void)
{
    unit_test("the numbers of the last minute can be told once more");

    begin();

    unit_check(ngx_agt_numbers_recent(denials) == 1);

    (void) deny(1, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    (void) deny(2, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    unit_check(ngx_agt_numbers_recent(denials) == 1);

    stub_clock(now.mono + 59000, now.wall);
    (void) deny(3, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    unit_check(ngx_agt_numbers_recent(denials) == 1);

    stub_clock(now.mono + 61000, now.wall);
    (void) deny(4, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    unit_check(ngx_agt_numbers_recent(denials) <= 3);

    stub_clock(now.mono + 125000, now.wall);
    (void) deny(5, NGX_AGT_DENIED_BY_HOOK, 100, 0);
    unit_check(ngx_agt_numbers_recent(denials) == 4);

    stub_clock(now.mono + 190000, now.wall);
    unit_check(ngx_agt_numbers_recent(denials) == 6);
}


static void
make(size_t size)
{
    if (denials) {
        stub_denials_free(denials);
    }

    stub_clock(now.mono, now.wall);
    denials = stub_denials(size);
}


static void
begin(void)
{
    make(NGX_AGT_DENIALS_DEFAULT_SIZE);
    ngx_agt_numbers_begin(denials, &now);
}


static void
key_of(u_char *key, ngx_uint_t n)
{
    ngx_str_t  value;

    value.data = (u_char *) &n;
    value.len = sizeof(ngx_uint_t);

    (void) ngx_agt_denials_key(key, api, NGX_AGT_DENIAL_JTI, &value);
}


static ngx_int_t
deny(ngx_uint_t n, ngx_agt_denial_source_e source, int64_t until,
    int64_t before)
{
    ngx_agt_denial_args_t  args;

    memset(&args, 0, sizeof(args));

    args.api = api;
    args.kind = NGX_AGT_DENIAL_JTI;
    args.source = source;
    args.value.data = (u_char *) &n;
    args.value.len = sizeof(ngx_uint_t);
    args.until = now.wall + until;
    args.before = before;

    return ngx_agt_denials_add(denials, &args, &now);
}


static ngx_int_t
learn(ngx_uint_t n, ngx_agt_denial_source_e source, int64_t until,
    int64_t before)
{
    ngx_agt_denial_t  denial;

    memset(&denial, 0, sizeof(denial));

    key_of(denial.key, n);

    denial.mark = ngx_agt_denial_mark(1, source, NGX_AGT_DENIAL_JTI);
    denial.wall = now.wall + until;
    denial.before = before;

    return ngx_agt_denials_learn(denials, &denial, &now);
}


static ngx_agt_denial_t *
find(ngx_uint_t n)
{
    u_char  key[NGX_AGT_DENIAL_KEY_LEN];

    key_of(key, n);

    return ngx_agt_denial_set_find(denials->set, key, &now);
}


static ngx_uint_t
take(uint64_t from, ngx_uint_t n)
{
    return ngx_agt_numbers_take(denials, from, taken, n, &now);
}
