
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "api/limits.h"


#define SHARED    NGX_AGT_LIMITS_SHARED
#define SIGN_OUT  NGX_AGT_LIMITS_SIGN_OUT
#define FEED      NGX_AGT_LIMITS_FEED

#define MAX       64


static void test_half(void);
static void test_client(void);
static void test_token(void);
static void test_all(void);
static void test_sign_outs(void);
static void test_calls(void);
static void test_sign_out_calls(void);
static void test_memory(void);
static void begin(void);
static void end(void);
static ngx_int_t wait_for(ngx_agt_limits_kind_e kind, ngx_uint_t client,
    ngx_uint_t same);
static ngx_uint_t fill(ngx_agt_limits_kind_e kind, ngx_uint_t client,
    ngx_uint_t n);


static ngx_agt_limits_t       places;
static ngx_agt_limits_hold_t  held[2048];
static ngx_uint_t             n;


int
main(int argc, char **argv)
{
    test_half();
    test_client();
    test_token();
    test_all();
    test_sign_outs();
    test_calls();
    test_sign_out_calls();
    test_memory();

    return unit_done();
}


static void
test_half(void)
{
    unit_test("while half of the places is free, a client takes what it wants");

    begin();
    unit_check(fill(SHARED, 1, 600) == 513);
    unit_check(wait_for(SHARED, 1, 0) == NGX_BUSY);

    /* a place that is given back is one again */

    ngx_agt_limits_release(&held[0]);
    unit_check(wait_for(SHARED, 1, 0) == NGX_OK);
    unit_check(wait_for(SHARED, 1, 0) == NGX_BUSY);
    end();
}


static void
test_client(void)
{
    unit_test("beyond that, another client has an eighth");

    begin();
    (void) fill(SHARED, 1, 513);
    unit_check(fill(SHARED, 2, 200) == 128);
    unit_check(wait_for(SHARED, 2, 0) == NGX_BUSY);
    unit_check(fill(SHARED, 3, 200) == 128);
    end();
}


static void
test_token(void)
{
    unit_test("and a token has a quarter, whichever clients wait for it");

    begin();
    unit_check(wait_for(SHARED, 1, 500) == NGX_OK);
    (void) fill(SHARED, 1, 600);
    unit_check(wait_for(SHARED, 2, 255) == NGX_OK);
    unit_check(wait_for(SHARED, 2, 256) == NGX_DECLINED);
    unit_check(wait_for(SHARED, 2, 0) == NGX_OK);
    end();
}


static void
test_all(void)
{
    ngx_uint_t  i, taken;

    unit_test("there are 1,024 in all");

    begin();

    for (i = 0, taken = 0; i < 1500; i++) {
        taken += (wait_for(SHARED, i + 1, 0) == NGX_OK);
    }

    unit_check(taken == 1024);
    unit_check(wait_for(SHARED, 9999, 0) == NGX_DECLINED);

    /* calls that no client waits for are bound by the same number */

    unit_check(wait_for(SHARED, 0, 0) == NGX_DECLINED);
    end();
}


static void
test_sign_outs(void)
{
    ngx_uint_t  i, taken;

    unit_test("sign-outs wait where all do, and then in 64 places of their "
              "own");

    begin();
    unit_check(fill(SIGN_OUT, 1, 513) == 513);
    unit_check(places.waiting[SIGN_OUT] == 0);

    /* this client has its share of the others: eight are left to it */

    unit_check(fill(SIGN_OUT, 1, 20) == 8);
    unit_check(wait_for(SIGN_OUT, 1, 0) == NGX_BUSY);
    unit_check(wait_for(SHARED, 1, 0) == NGX_BUSY);

    for (i = 0; i < 511; i++) {
        unit_check(wait_for(SHARED, i + 2, 0) == NGX_OK);
    }

    for (i = 0, taken = 0; i < 100; i++) {
        taken += (wait_for(SIGN_OUT, 1000 + i, 0) == NGX_OK);
    }

    unit_check(taken == 56 && places.waiting[SIGN_OUT] == 64);
    unit_check(wait_for(SIGN_OUT, 2000, 0) == NGX_DECLINED);

    /* the feed needs none */

    unit_check(wait_for(FEED, 0, 0) == NGX_OK);
    end();
}


static void
test_calls(void)
{
    ngx_uint_t             i;
    ngx_agt_limits_hold_t  calls[MAX];

    unit_test("a client with a quarter of the calls lets others go first");

    begin();
    memset(calls, 0, sizeof(calls));

    unit_check(wait_for(SHARED, 1, 0) == NGX_OK);
    unit_check(wait_for(SHARED, 2, 0) == NGX_OK);
    unit_check(wait_for(SHARED, 0, 0) == NGX_OK);

    for (i = 0; i < MAX; i++) {
        unit_check(ngx_agt_limits_has_room(&places));
        unit_check(ngx_agt_limits_is_first(&places, &held[0]) == (i < 16));

        ngx_agt_limits_call(&places, &calls[i], SHARED, &held[0]);
    }

    unit_check(!ngx_agt_limits_has_room(&places));
    unit_check(ngx_agt_limits_is_first(&places, &held[1]));

    /* a revocation that is told again is of no client, and can wait */

    unit_check(!ngx_agt_limits_is_first(&places, &held[2]));

    for (i = 0; i < MAX; i++) {
        ngx_agt_limits_release(&calls[i]);
        ngx_agt_limits_release(&calls[i]);
    }

    unit_check(places.calls[SHARED] == 0);
    unit_check(ngx_agt_limits_is_first(&places, &held[0]));

    /* where there are less than four, a client has one */

    places.max_calls = 2;
    unit_check(ngx_agt_limits_is_first(&places, &held[0]));
    ngx_agt_limits_call(&places, &calls[0], SHARED, &held[0]);
    unit_check(!ngx_agt_limits_is_first(&places, &held[0]));
    ngx_agt_limits_release(&calls[0]);
    end();
}


static void
test_sign_out_calls(void)
{
    ngx_uint_t             i;
    ngx_agt_limits_hold_t  calls[8];

    unit_test("besides, there are eight calls of sign-outs, two for a client");

    begin();
    memset(calls, 0, sizeof(calls));

    for (i = 0; i < 5; i++) {
        unit_check(wait_for(SIGN_OUT, i + 1, 0) == NGX_OK);
    }

    unit_check(wait_for(SHARED, 9, 0) == NGX_OK);
    unit_check(!ngx_agt_limits_may_sign_out(&places, &held[5]));

    for (i = 0; i < 8; i++) {
        unit_check(ngx_agt_limits_may_sign_out(&places, &held[i / 2]));
        ngx_agt_limits_call(&places, &calls[i], SIGN_OUT, &held[i / 2]);
        unit_check(i % 2 == 0
                   || !ngx_agt_limits_may_sign_out(&places, &held[i / 2]));
    }

    unit_check(!ngx_agt_limits_may_sign_out(&places, &held[4]));
    unit_check(ngx_agt_limits_has_room(&places));

    for (i = 0; i < 8; i++) {
        ngx_agt_limits_release(&calls[i]);
    }

    unit_check(ngx_agt_limits_may_sign_out(&places, &held[4]));

    unit_test("those of no client, which are told again, take half of them");

    unit_check(wait_for(SIGN_OUT, 0, 0) == NGX_OK);

    for (i = 0; i < 4; i++) {
        unit_check(ngx_agt_limits_may_sign_out(&places, &held[6]));
        ngx_agt_limits_call(&places, &calls[i], SIGN_OUT, &held[6]);
    }

    unit_check(!ngx_agt_limits_may_sign_out(&places, &held[6]));
    unit_check(ngx_agt_limits_may_sign_out(&places, &held[4]));

    for (i = 0; i < 4; i++) {
        ngx_agt_limits_release(&calls[i]);
    }

    end();
}


static void
test_memory(void)
{
    unit_test("without memory there is no place, and none is lost");

    begin();
    stub_allocations = 0;
    unit_check(wait_for(SHARED, 1, 0) == NGX_ERROR);
    stub_allocations = -1;
    unit_check(places.waiting[SHARED] == 0);
    end();
}


static void
begin(void)
{
    ngx_agt_limits_init(&places, MAX);
    memset(held, 0, sizeof(held));
    n = 0;
}


/* all is given back, and no client is remembered */

static void
end(void)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_agt_limits_release(&held[i]);
    }

    for (i = 0; i < NGX_AGT_LIMITS_KINDS; i++) {
        unit_check(places.waiting[i] == 0 && places.calls[i] == 0);
    }

    unit_check(ngx_queue_empty(&places.clients));
}


static ngx_int_t
wait_for(ngx_agt_limits_kind_e kind, ngx_uint_t client, ngx_uint_t same)
{
    ngx_int_t                rc;
    ngx_agt_budget_client_t  address;

    memset(&address, 0, sizeof(address));
    memcpy(&address, &client, sizeof(client));

    rc = ngx_agt_limits_wait(&places, &held[n], kind,
                             client ? &address : NULL, same);
    if (rc == NGX_OK) {
        n++;
    }

    return rc;
}


/* how many of "count" places a client gets */

static ngx_uint_t
fill(ngx_agt_limits_kind_e kind, ngx_uint_t client, ngx_uint_t count)
{
    ngx_uint_t  i, taken;

    for (i = 0, taken = 0; i < count; i++) {
        taken += (wait_for(kind, client, 0) == NGX_OK);
    }

    return taken;
}
