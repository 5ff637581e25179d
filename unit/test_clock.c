
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <time.h>

static int  test_gettime(clockid_t id, struct timespec *ts);

#define clock_gettime  test_gettime
#include "zone/clock.c"
#undef clock_gettime


static uint64_t  boot, mono;


int
main(void)
{
    uint64_t      before;
    ngx_atomic_t  said;

    unit_test("the clock counts what the machine sleeps");

    boot = 5000000;
    mono = 5000000;
    stub_clock(5000000, 1700000000);

    unit_check(ngx_agt_clock_mono() == 5000000);

    /* awake, and nginx's own clock goes on within a second */

    stub_clock(5000400, 1700000000);
    unit_check(ngx_agt_clock_mono() == 5000400);

    boot += 3600000 + 1000;
    mono += 1000;
    stub_clock(5001000, 1700003601);
    unit_check(ngx_agt_clock_mono() == 5001000 + 3600000);

    stub_clock(5001500, 1700003601);
    unit_check(ngx_agt_clock_mono() == 5001500 + 3600000);

    unit_test("it never goes back, whatever the two clocks say");

    before = ngx_agt_clock_mono();
    mono += 500000;
    stub_clock(5501500, 1700004101);
    unit_check(ngx_agt_clock_mono() == before + 500000);

    unit_test("the direct reading is behind no other");

    boot = 9000000;
    mono = 5400000;
    stub_clock(5399999, 1700004200);
    unit_check(ngx_agt_clock_mono_now() > ngx_agt_clock_mono());
    stub_clock(5400000, 1700004200);
    unit_check(ngx_agt_clock_mono_now() > ngx_agt_clock_mono());

    unit_test("one of all callers may speak in a period");

    said = 0;
    unit_check(ngx_agt_clock_once(&said, 1700000000, 60) == 1);
    unit_check(said == 1700000000);
    unit_check(ngx_agt_clock_once(&said, 1700000000, 60) == 0);
    unit_check(ngx_agt_clock_once(&said, 1700000059, 60) == 0);
    unit_check(ngx_agt_clock_once(&said, 1700000060, 60) == 1);
    unit_check(ngx_agt_clock_once(&said, 1700000060, 1) == 0);
    unit_check(ngx_agt_clock_once(&said, 1700000061, 1) == 1);

    unit_test("another may be a second ahead, and the clock may be set back");

    unit_check(ngx_agt_clock_once(&said, 1700000060, 1) == 0);
    unit_check(ngx_agt_clock_once(&said, 1700000060, 60) == 0);
    unit_check(ngx_agt_clock_once(&said, 1700000059, 60) == 1);
    unit_check(said == 1700000059);

    return unit_done();
}


static int
test_gettime(clockid_t id, struct timespec *ts)
{
    uint64_t  ms;

    ms = (id == CLOCK_BOOTTIME) ? boot : mono;

    ts->tv_sec = (time_t) (ms / 1000);
    ts->tv_nsec = (long) (ms % 1000) * 1000000;

    return 0;
}
