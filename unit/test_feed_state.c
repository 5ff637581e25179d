
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/feed_state.h"


#define INIT        NGX_AGT_FEED_INIT
#define HEALTHY     NGX_AGT_FEED_HEALTHY
#define LATE        NGX_AGT_FEED_LATE
#define DEAD        NGX_AGT_FEED_DEAD
#define INCOMPLETE  NGX_AGT_FEED_INCOMPLETE

#define WALL        1700000000000


static void test_alone(void);
static void test_told(void);
static void test_age(void);
static void test_newer(void);
static void test_others(void);
static void test_clock(void);
static void test_forget(void);
static void test_incomplete(void);
static void test_own(void);
static void test_turn(void);
static void test_dead(void);
static void begin(void);
static void tell(uint64_t start, uint64_t now);
static ngx_agt_feed_e state(uint64_t now);


static ngx_agt_denials_t      *denials;
static ngx_agt_feed_state_t   *feed;
static ngx_agt_fleet_state_t  *fleet;
static ngx_agt_feed_poll_t     poll;


int
main(void)
{
    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    stub_clock(1000000, WALL / 1000);

    denials = stub_denials(1 << 20);
    feed = &denials->sh->feed;
    fleet = &denials->sh->fleet;

    test_alone();
    test_told();
    test_age();
    test_newer();
    test_others();
    test_clock();
    test_forget();
    test_incomplete();
    test_own();
    test_turn();
    test_dead();

    stub_denials_free(denials);

    return unit_done();
}


static void
test_alone(void)
{
    unit_test("without a fleet, an edge polls by itself, always");

    begin();
    fleet->on = 0;

    unit_check(ngx_agt_feed_state_polls(denials, 0));
    unit_check(ngx_agt_feed_state_polls(denials, 1000000));
    unit_check(ngx_agt_feed_state_alone(denials, 60000, 1000000));
}


/* the interval is 1 s, so a poll keeps the feed healthy for 3 s */

static void
test_told(void)
{
    unit_test("a poll of another edge counts from its start");

    begin();
    unit_check(state(1000000) == INIT);

    tell(WALL - 500, 1000000);
    unit_check(state(1000000) == HEALTHY);
    unit_check(feed->watermark == 999500 && feed->answered == 999500);
    unit_check(state(1002500) == HEALTHY);
    unit_check(state(1002501) == LATE);

    unit_test("where it took long, for twice as long");

    begin();
    poll.duration = 5000;
    tell(WALL - 500, 1000000);
    unit_check(state(1009500) == HEALTHY);
    unit_check(state(1009501) == LATE);

    unit_test("but only while all of the fleet is known");

    fleet->until = 1000999;
    unit_check(state(1000999) == HEALTHY);
    unit_check(state(1001000) == LATE);
}


static void
test_age(void)
{
    unit_test("a poll that is told late is old");

    begin();
    tell(WALL - 3000, 1000000);
    unit_check(state(1000000) == HEALTHY);

    begin();
    tell(WALL - 3001, 1000000);
    unit_check(state(1000000) == LATE);

    unit_test("one from before this machine started counts for nothing");

    begin();
    tell(WALL - 999999, 1000000);
    unit_check(feed->answered == 1);

    begin();
    tell(WALL - 1000000, 1000000);
    unit_check(feed->answered == 0 && state(1000000) == INIT);

    begin();
    tell(0, 1000000);
    unit_check(feed->answered == 0);

    unit_test("one of a clock that is ahead is as old as the time of reading");

    begin();
    tell(WALL + 7200000, 1000000);
    unit_check(state(1000000) == HEALTHY);
    unit_check(state(1003000) == HEALTHY);
    unit_check(state(1003001) == LATE);
}


static void
test_newer(void)
{
    unit_test("an older poll changes nothing");

    begin();
    tell(WALL - 1000, 1000000);
    poll.duration = 100000;
    poll.incomplete = 1;
    tell(WALL - 2000, 1000000);
    tell(WALL - 1000, 1000000);
    unit_check(feed->watermark == 999000 && feed->duration == 100);
    unit_check(feed->truncated == 0);

    poll.duration = 100;
    poll.incomplete = 0;
    tell(WALL, 1000500);
    unit_check(feed->watermark == 1000500);

    unit_test("so does one of this edge that began earlier");

    ngx_agt_feed_state_polled_locked(denials, 1000499, 9, 3);
    unit_check(feed->watermark == 1000500 && feed->answered == 1000500);
    unit_check(feed->told && feed->own == 0 && feed->truncated == 0);
    unit_check(feed->duration == 100);

    ngx_agt_feed_state_polled_locked(denials, 1000501, 9, 0);
    unit_check(feed->watermark == 1000501 && feed->answered == 1000501);
    unit_check(feed->told == 0 && feed->own == 1000501);
    unit_check(feed->duration == 9);
}


static void
test_others(void)
{
    unit_test("a poll of another feed says nothing of this one");

    begin();
    poll.id[31] ^= 1;
    tell(WALL, 1000000);
    unit_check(state(1000000) == INIT && feed->answered == 0);

    unit_test("an edge without a feed hears of none");

    begin();
    feed->interval = 0;
    tell(WALL, 1000000);
    unit_check(feed->answered == 0 && feed->watermark == 0);
}


static void
test_clock(void)
{
    unit_test("a clock that was behind makes a poll older when it is set");

    begin();
    tell(WALL + 2000, 1000000);

    ngx_agt_feed_state_clock_locked(denials, WALL + 1000, 1001000);
    unit_check(feed->watermark == 1000000);

    ngx_agt_feed_state_clock_locked(denials, WALL + 4000, 1001000);
    unit_check(feed->watermark == 999000 && feed->answered == 999000);

    unit_test("never newer");

    ngx_agt_feed_state_clock_locked(denials, WALL, 1001000);
    unit_check(feed->watermark == 999000 && feed->answered == 999000);

    unit_test("and late, not unknown, where it is very old");

    ngx_agt_feed_state_clock_locked(denials, WALL + 2000000, 1001000);
    unit_check(feed->watermark == 1 && feed->answered == 1);
    unit_check(state(1001000) == LATE);

    unit_test("a poll of this edge is measured by its own clock alone");

    begin();
    ngx_agt_feed_state_polled_locked(denials, 1000000, 9, 0);
    ngx_agt_feed_state_clock_locked(denials, WALL + 9000, 1000100);
    unit_check(feed->watermark == 1000000);
}


static void
test_forget(void)
{
    unit_test("where something is missing, polls of others do not count");

    begin();
    ngx_agt_feed_state_forget_locked(denials);
    unit_check(state(1000000) == INIT);

    tell(WALL, 1000000);
    ngx_agt_feed_state_forget_locked(denials);
    unit_check(state(1000000) == LATE);

    unit_test("until one is told that began later");

    tell(WALL, 1000000);
    unit_check(state(1000000) == LATE);
    tell(WALL, 1000001);
    unit_check(state(1000001) == HEALTHY);

    unit_test("those of this edge do");

    ngx_agt_feed_state_polled_locked(denials, 1000002, 9, 0);
    ngx_agt_feed_state_forget_locked(denials);
    unit_check(state(1000002) == HEALTHY);
}


static void
test_incomplete(void)
{
    unit_test("an incomplete poll of another edge is one here");

    begin();
    tell(WALL, 1000000);
    poll.incomplete = 1;
    tell(WALL, 1001000);
    unit_check(state(1001000) == INCOMPLETE);
    unit_check(feed->watermark == 1000000 && feed->answered == 1001000);
    unit_check(state(1004001) == LATE);

    poll.incomplete = 0;
    tell(WALL, 1004001);
    unit_check(state(1004001) == HEALTHY);
}


static void
test_own(void)
{
    unit_test("a poll of this edge is told with its start by the wall clock");

    begin();
    unit_check(!ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000000));

    ngx_agt_feed_state_polled_locked(denials, 1000000, 77, 0);
    poll.incomplete = 5;
    memset(poll.id, 0, sizeof(poll.id));

    unit_check(ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000300));
    unit_check(memcmp(poll.id, feed->id, sizeof(poll.id)) == 0);
    unit_check(poll.start == WALL - 300 && poll.duration == 77);
    unit_check(poll.incomplete == 0);

    unit_test("with what was numbered by then");

    unit_check(feed->own_last == 0);
    denials->sh->numbers.next = 42;
    ngx_agt_feed_state_polled_locked(denials, 1000301, 77, 0);
    denials->sh->numbers.next = 50;
    unit_check(feed->own_last == 41);
    denials->sh->numbers.next = 1;

    unit_test("and as incomplete where it is");

    ngx_agt_feed_state_polled_locked(denials, 1000302, 77, 1);
    unit_check(ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000400));
    unit_check(poll.incomplete == 1);

    ngx_agt_feed_state_polled_locked(denials, 1000303, 77, 0);
    denials->sh->incomplete = 1000401;
    unit_check(ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000400));
    unit_check(poll.incomplete == 1);
    unit_check(ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000401));
    unit_check(poll.incomplete == 0);

    unit_test("a poll of another edge is not told as one of this edge");

    tell(WALL, 1000500);
    unit_check(!ngx_agt_feed_state_own_locked(denials, &poll, WALL, 1000600));
}


static void
test_turn(void)
{
    unit_test("of a fleet, an edge polls until it is told so");

    begin();
    unit_check(!ngx_agt_feed_state_polls(denials, 1000000));

    ngx_agt_feed_state_turn_locked(denials, 1003000, 1000000);
    unit_check(ngx_agt_feed_state_polls(denials, 1002999));
    unit_check(!ngx_agt_feed_state_polls(denials, 1003000));

    ngx_agt_feed_state_turn_locked(denials, 0, 1001000);
    unit_check(!ngx_agt_feed_state_polls(denials, 1001000));

    unit_test("and is alone with it after a time in one turn");

    ngx_agt_feed_state_turn_locked(denials, 1012000, 1010000);
    ngx_agt_feed_state_turn_locked(denials, 1020000, 1011999);
    unit_check(!ngx_agt_feed_state_alone(denials, 2000, 1012000));
    unit_check(ngx_agt_feed_state_alone(denials, 2000, 1012001));

    ngx_agt_feed_state_turn_locked(denials, 1030000, 1020000);
    unit_check(!ngx_agt_feed_state_alone(denials, 2000, 1020001));
    unit_check(!ngx_agt_feed_state_alone(denials, 2000, 1030001));
}


static void
test_dead(void)
{
    unit_test("polls of others that cease make the feed late, never dead");

    begin();
    tell(WALL, 1000000);
    unit_check(state(1003001) == LATE);
    unit_check(state(1063001) == LATE);
    unit_check(state(9000000) == LATE);

    unit_test("those of this edge do: when one has failed");

    feed->failing = 1;
    unit_check(state(1063000) == LATE);
    unit_check(state(1063001) == DEAD);

    tell(WALL, 1063001);
    unit_check(feed->failing == 0 && state(1063001) == HEALTHY);

    feed->failing = 1;
    ngx_agt_feed_state_polled_locked(denials, 1063002, 9, 0);
    unit_check(feed->failing == 0);

    unit_test("or when they have had the time for it");

    ngx_agt_feed_state_turn_locked(denials, 9999999, 1100000);
    unit_check(state(1163000) == LATE);
    unit_check(state(1163001) == DEAD);
}


static void
begin(void)
{
    memset(feed, 0, sizeof(ngx_agt_feed_state_t));
    memset(feed->api, 'A', sizeof(feed->api));
    memset(feed->id, 'F', sizeof(feed->id));
    feed->interval = 1000;
    feed->lasts = UINT64_MAX;

    fleet->on = 1;
    fleet->until = NGX_AGT_FLEET_ALWAYS;
    fleet->polls = 0;
    fleet->polls_since = 0;

    denials->sh->incomplete = 0;

    memcpy(poll.id, feed->id, sizeof(poll.id));
    poll.duration = 100;
    poll.incomplete = 0;
}


/* at "now", when the wall clock says WALL */

static void
tell(uint64_t start, uint64_t now)
{
    poll.start = start;
    ngx_agt_feed_state_told_locked(denials, &poll, WALL, now);
}


static ngx_agt_feed_e
state(uint64_t now)
{
    return ngx_agt_denials_feed(denials, feed->api, now);
}
