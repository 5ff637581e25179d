
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/flight.h"


#define CYCLE  3


static void test_one(void);
static void test_results(void);
static void test_keys(void);
static void test_wake(void);
static void test_dead(void);
static void test_deadline(void);
static void test_taken_over(void);
static void test_stale_marks(void);
static void test_full(void);
static void test_lingering(void);
static void test_failed(void);
static void test_model(void);
static void start(void);
static ngx_int_t lead(ngx_pid_t pid, uint64_t n, uint64_t now,
    ngx_agt_flight_t *flight);
static uint64_t end(const ngx_agt_flight_t *flight, uint32_t class,
    uint64_t now);
static ngx_int_t look(ngx_pid_t pid,
    const ngx_agt_flight_t *flight, uint64_t now);


static ngx_agt_zone_t           *zone;
static ngx_agt_flight_result_t   result;
static u_char                               key[NGX_AGT_DIGEST_LEN];


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 136);

    test_one();
    test_results();
    test_keys();
    test_wake();
    test_dead();
    test_deadline();
    test_taken_over();
    test_stale_marks();
    test_full();
    test_lingering();
    test_failed();
    test_model();

    stub_zone_free(zone);

    return unit_done();
}


static void
test_one(void)
{
    ngx_pid_t         pid;
    ngx_agt_flight_t  leads, follows[20];

    unit_test("one leads, and all others follow");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    unit_check(leads.id != 0);
    unit_check(ngx_agt_flight_count(zone, 1000) == 1);

    for (pid = 2; pid < 20; pid++) {
        unit_check(lead(pid, 7, 1001, &follows[pid]) == NGX_AGAIN);
        unit_check(follows[pid].id == leads.id
                   && follows[pid].place == leads.place);
        unit_check(look(pid, &follows[pid], 1002) == NGX_AGAIN);
    }

    /* even the process that leads the call follows it, if it asks again */

    unit_check(lead(1, 7, 1003, &follows[1]) == NGX_AGAIN);
    unit_check(ngx_agt_flight_count(zone, 1003) == 1);

    unit_test("when it has ended, all learn how");

    (void) end(&leads, 2, 1500);
    unit_check(ngx_agt_flight_count(zone, 1500) == 0);

    for (pid = 1; pid < 20; pid++) {
        memset(&result, 0, sizeof(result));
        unit_check(look(pid, &follows[pid], 1500 + pid) == NGX_OK);
        unit_check(result.class == 2 && result.reason == 12
                   && result.retry_after == -1 && result.transient == 1);
    }

    unit_test("and the next who asks leads anew");

    unit_check(lead(5, 7, 1501, &follows[5]) == NGX_OK);
    unit_check(follows[5].id > leads.id);

    unit_check(look(6, &leads, 1502) == NGX_OK
               || look(6, &leads, 1502) == NGX_DECLINED);
}


static void
test_results(void)
{
    ngx_agt_flight_t  leads, follows, none;

    unit_test("a mark that is given up without a result has no leader");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    unit_check(lead(2, 7, 1000, &follows) == NGX_AGAIN);

    (void) end(&leads, 0, 1100);

    unit_check(look(2, &follows, 1100) == NGX_DECLINED);
    unit_check(lead(2, 7, 1100, &follows) == NGX_OK);
    unit_check(ngx_agt_flight_count(zone, 1100) == 1);

    unit_test("no mark at all is gone");

    memset(&none, 0, sizeof(none));
    unit_check(look(1, &none, 1100) == NGX_DECLINED);
    unit_check(end(&none, 1, 1100) == 0);

    none.id = 1;
    none.place = zone->sh->flights;
    unit_check(look(1, &none, 1100) == NGX_DECLINED);
    unit_check(end(&none, 1, 1100) == 0);

    none.place = (ngx_uint_t) -1;
    unit_check(look(1, &none, 1100) == NGX_DECLINED);
    unit_check(ngx_agt_flight_count(zone, 1100) == 1);
}


static void
test_keys(void)
{
    u_char            other[NGX_AGT_DIGEST_LEN];
    ngx_uint_t        i;
    ngx_agt_flight_t  flight;

    unit_test("what differs in any part of its identity is another call");

    start();

    memset(other, 0x11, sizeof(other));

    unit_check(ngx_agt_flight_lead(zone, other, 1000, 5000, 0,
                                   CYCLE, &flight) == NGX_OK);

    for (i = 16; i < sizeof(other); i++) {
        other[i] ^= 1;

        unit_check(ngx_agt_flight_lead(zone, other, 1000, 1001, 0,
                                       CYCLE, &flight) == NGX_OK);
        (void) end(&flight, 0, 1000);

        other[i] ^= 1;
    }

    unit_check(ngx_agt_flight_lead(zone, other, 1000, 5000, 0,
                                   CYCLE, &flight) == NGX_AGAIN);
}


static void
test_wake(void)
{
    ngx_uint_t        worker;
    ngx_agt_flight_t  leads, follows;

    unit_test("those who follow are woken, of this configuration only");

    start();

    ngx_pid = 1;
    unit_check(ngx_agt_flight_lead(zone, key, 1000, 5000, 9, CYCLE,
                                   &leads) == NGX_OK);

    for (worker = 0; worker < 5; worker++) {
        unit_check(ngx_agt_flight_lead(zone, key, 1000, 5000,
                                       worker * 20, CYCLE, &follows)
                   == NGX_AGAIN);
    }

    unit_check(ngx_agt_flight_lead(zone, key, 1000, 5000, 3,
                                   CYCLE - 1, &follows)
               == NGX_AGAIN);

    unit_check(end(&leads, 1, 2000) == (((uint64_t) 1 << 0)
                                        | ((uint64_t) 1 << 20)
                                        | ((uint64_t) 1 << 40)
                                        | ((uint64_t) 1 << 60)
                                        | ((uint64_t) 1 << 16)));

    unit_check(lead(1, 8, 3000, &leads) == NGX_OK);
    unit_check(end(&leads, 1, 3000) == 0);
}


static void
test_dead(void)
{
    ngx_agt_flight_t  leads, follows, other;

    unit_test("a leader that is gone is noticed, and followed no more");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    unit_check(lead(2, 7, 1000, &follows) == NGX_AGAIN);
    unit_check(look(2, &follows, 1010) == NGX_AGAIN);

    stub_dead = 1;

    unit_check(look(2, &follows, 1010) == NGX_DECLINED);

    unit_test("the first to come takes over, the next one follows it");

    unit_check(lead(2, 7, 1010, &follows) == NGX_OK);
    unit_check(follows.id != leads.id);
    unit_check(lead(3, 7, 1010, &other) == NGX_AGAIN);
    unit_check(other.id == follows.id);
    unit_check(look(3, &other, 1010) == NGX_AGAIN);
    unit_check(ngx_agt_flight_count(zone, 1010) == 1);

    (void) end(&follows, 3, 1020);
    unit_check(look(3, &other, 1020) == NGX_OK && result.class == 3);

    /* a process that asks after itself is there */

    stub_dead = 0;
    unit_check(lead(1, 9, 1100, &leads) == NGX_OK);
    stub_dead = 1;
    unit_check(lead(1, 9, 1100, &follows) == NGX_AGAIN);
    unit_check(look(1, &leads, 1100) == NGX_AGAIN);

    stub_dead = 0;
}


static void
test_deadline(void)
{
    ngx_agt_flight_t  leads, follows;

    unit_test("a call that should have ended long ago is given up");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    unit_check(lead(2, 7, 4999, &follows) == NGX_AGAIN);
    unit_check(look(2, &follows, 4999) == NGX_AGAIN);

    /* the process that follows waits for as long as the one that leads */

    unit_check(look(2, &follows, 8998) == NGX_AGAIN);
    unit_check(look(2, &follows, 8999) == NGX_DECLINED);
    unit_check(ngx_agt_flight_count(zone, 8999) == 0);
    unit_check(lead(2, 7, 8999, &follows) == NGX_OK);
    unit_check(follows.id != leads.id);

    /* a late result of the old call is not taken for that of the new one */

    unit_check(end(&leads, 5, 9100) == 0);
    unit_check(look(3, &follows, 9100) == NGX_AGAIN);
    unit_check(look(3, &leads, 9100) == NGX_DECLINED);

    /* a call that all have left goes with the last follower */

    unit_check(lead(1, 8, 1000, &leads) == NGX_OK);
    unit_check(lead(2, 8, 1000, &follows) == NGX_AGAIN);
    ngx_agt_flight_left(zone, &leads);
    unit_check(look(2, &follows, 1001) == NGX_AGAIN);
    ngx_agt_flight_unfollow(zone, &follows);
    unit_check(lead(2, 8, 1001, &follows) == NGX_OK);
}


static void
test_taken_over(void)
{
    ngx_uint_t        i;
    ngx_agt_flight_t  leads, late, follows;

    unit_test("who was thought dead ends nothing but its own call");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    stub_dead = 1;
    unit_check(lead(2, 7, 1000, &late) == NGX_OK);
    stub_dead = 0;
    unit_check(lead(3, 7, 1000, &follows) == NGX_AGAIN);

    unit_check(end(&leads, 4, 1100) == 0);
    unit_check(look(3, &follows, 1100) == NGX_AGAIN);

    (void) end(&late, 1, 1200);
    unit_check(look(3, &follows, 1200) == NGX_OK && result.class == 1);

    unit_test("no mark is ever taken for another in the same place");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    (void) end(&leads, 0, 1000);

    for (i = 0; i < 1000; i++) {
        unit_check(lead(1, 7, 1000, &late) == NGX_OK);
        unit_check(late.id > leads.id);
        unit_check(look(2, &leads, 1000) == NGX_DECLINED);
        (void) end(&late, 0, 1000);
    }

    unit_test("who comes too late for a new waiter does not lead any more");

    start();

    unit_check(lead(1, 7, 1000, &leads) == NGX_OK);
    ngx_agt_flight_extend(zone, &leads, 6000);
    unit_check(leads.id != 0);
    unit_check(lead(2, 7, 6000, &late) == NGX_OK);
    ngx_agt_flight_extend(zone, &leads, 9000);
    unit_check(leads.id == 0);
    unit_check(lead(3, 7, 6001, &follows) == NGX_AGAIN);
    unit_check(follows.id == late.id);
}


/* a zone that is used for long has no marks that stay for ever */

static void
test_stale_marks(void)
{
    uint64_t          now;
    ngx_uint_t        i, n;
    ngx_agt_flight_t  flight;

    unit_test("marks of calls that were not ended are used again");

    start();
    now = 1000;
    n = 0;

    for (i = 0; i < 100000; i++) {
        n += (lead(1 + (ngx_pid_t) (i % 4), 1000 + i, now, &flight) == NGX_OK);

        if (i % 4 == 0) {
            (void) end(&flight, 1, now);
        }

        now += 4100 / zone->sh->flights * 2;
    }

    unit_check(n > 99000);
    unit_check(ngx_agt_flight_count(zone, now + 4000) == 0);
}


static void
test_full(void)
{
    ngx_int_t         rc;
    ngx_uint_t        i, n;
    ngx_agt_flight_t  flight;

    unit_test("where there is no place left, one calls without a mark");

    start();

    n = 0;

    for (i = 0; i < 10000; i++) {
        rc = lead(1, i, 1000, &flight);

        unit_check(rc == NGX_OK || rc == NGX_DECLINED);
        unit_check((rc == NGX_DECLINED) == (flight.id == 0));

        n += (rc == NGX_OK);
    }

    unit_check(n == zone->sh->flights);
    unit_check(ngx_agt_flight_count(zone, 1000) == n);

    /* and all of those are still followed */

    for (i = 0, n = 0; i < 10000; i++) {
        n += (lead(2, i, 1000, &flight) == NGX_AGAIN);
    }

    unit_check(n == zone->sh->flights);
}


/* a call that has ended stays readable, but not in the way of new calls */

static void
test_lingering(void)
{
    uint64_t          now;
    ngx_uint_t        i, n;
    ngx_agt_flight_t  flight, last;

    unit_test("calls that have ended leave their places to others");

    start();

    now = 1000;
    n = 0;

    for (i = 0; i < 20 * zone->sh->flights; i++) {
        n += (lead(1, i, now, &flight) == NGX_OK);
        (void) end(&flight, 1, now);
    }

    unit_check(n == 20 * zone->sh->flights);

    unit_test("the one that has ended last is read for longest");

    unit_check(lead(1, 5000000, now + 10, &last) == NGX_OK);
    (void) end(&last, 2, now + 10);

    /* as many as there are beside it in its two buckets, at least */

    for (i = 0; i < 8; i++) {
        unit_check(lead(1, 6000000 + i, now, &flight) == NGX_OK);
        (void) end(&flight, 1, now);
    }

    unit_check(look(2, &last, now + 20) == NGX_OK && result.class == 2);
}


static void
test_failed(void)
{
    uint64_t          now;
    ngx_uint_t        i;
    ngx_agt_flight_t  flight;

    static const struct {
        uint32_t    class;
        ngx_uint_t  failed;
    } tests[] = {
        { NGX_AGT_CLASS_NONE, 0 },
        { NGX_AGT_CLASS_ACTIVE, 0 },
        { NGX_AGT_CLASS_INVALID, 0 },
        { NGX_AGT_CLASS_REVOKED, 0 },
        { NGX_AGT_CLASS_REFUSED, 1 },
        { NGX_AGT_CLASS_INDETERMINATE, 1 },
        { NGX_AGT_CLASS_SHED, 0 }
    };

    unit_test("a call that failed is known for a second, by its key");

    start();

    now = 10000;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        unit_check(lead(1, i, now, &flight) == NGX_OK);
        unit_check(!ngx_agt_flight_failed(zone, key, now, &result));

        (void) end(&flight, tests[i].class, now + 5);
        memset(&result, 0, sizeof(result));

        unit_check(ngx_agt_flight_failed(zone, key, now + 5, &result)
                   == tests[i].failed);
        unit_check(ngx_agt_flight_failed(zone, key, now + 1004, &result)
                   == tests[i].failed);
        unit_check(!ngx_agt_flight_failed(zone, key, now + 1005, &result));

        if (tests[i].failed) {
            unit_check(result.class == tests[i].class);
            unit_check(result.reason == tests[i].class + 10);
            unit_check(result.transient);
        }

        key[31] ^= 1;
        unit_check(!ngx_agt_flight_failed(zone, key, now + 5, &result));
    }

    unit_test("the last one that has ended counts");

    unit_check(lead(1, 100, now, &flight) == NGX_OK);
    (void) end(&flight, NGX_AGT_CLASS_INDETERMINATE, now);
    unit_check(lead(1, 100, now + 10, &flight) == NGX_OK);
    unit_check(ngx_agt_flight_failed(zone, key, now + 15, &result));
    (void) end(&flight, NGX_AGT_CLASS_ACTIVE, now + 20);
    unit_check(!ngx_agt_flight_failed(zone, key, now + 25, &result));

    unit_check(lead(1, 100, now + 30, &flight) == NGX_OK);
    (void) end(&flight, NGX_AGT_CLASS_REFUSED, now + 40);
    unit_check(ngx_agt_flight_failed(zone, key, now + 45, &result));
    unit_check(result.class == NGX_AGT_CLASS_REFUSED);
}


/*
 * Some processes, some keys: never do two processes lead a call for one key,
 * unless one of the calls is given up.
 */

static void
test_model(void)
{
    uint64_t          now;
    ngx_int_t         rc;
    ngx_pid_t         pid;
    ngx_uint_t        i, k;
    ngx_agt_flight_t  flight;

    struct {
        ngx_agt_flight_t  flight;
        ngx_pid_t         pid;
        uint64_t          deadline;
        unsigned          out:1;
    } calls[32];

    unit_test("never do two lead, in half a million operations");

    start();

    now = 1000;
    memset(calls, 0, sizeof(calls));

    for (i = 0; i < 500000; i++) {
        k = stub_below(32);
        pid = (ngx_pid_t) (1 + stub_below(4));

        switch (stub_below(6)) {

        case 0:
        case 1:
            if (stub_dead == pid) {
                break;
            }

            if (calls[k].out
                && (calls[k].deadline <= now || calls[k].pid == stub_dead))
            {
                /* taken over */
                calls[k].out = 0;
            }

            rc = lead(pid, k, now, &flight);

            if (calls[k].out) {
                unit_check(rc == NGX_AGAIN);
                unit_check(flight.id == calls[k].flight.id);
                calls[k].deadline = now + 4000;
                break;
            }

            unit_check(rc == NGX_OK || rc == NGX_DECLINED);

            if (rc == NGX_OK) {
                calls[k].flight = flight;
                calls[k].pid = pid;
                calls[k].deadline = now + 4000;
                calls[k].out = 1;
            }

            break;

        case 2:
            if (calls[k].out && calls[k].pid != stub_dead) {
                (void) end(&calls[k].flight, (uint32_t) stub_below(3), now);
                calls[k].out = 0;
            }

            break;

        case 3:
            if (calls[k].out && pid != stub_dead) {
                unit_check(look(pid, &calls[k].flight, now)
                           == (calls[k].deadline <= now
                               || calls[k].pid == stub_dead
                               ? NGX_DECLINED : NGX_AGAIN));
            }

            break;

        case 4:
            now += stub_below(50);
            break;

        case 5:
            if (stub_below(1000) == 0) {
                stub_dead = stub_below(2) ? (ngx_pid_t) (1 + stub_below(4)) : 0;
            }

            break;
        }

        if (unit_failed) {
            printf("# operation %lu\n", (unsigned long) i);
            break;
        }
    }

    stub_dead = 0;
}


static void
start(void)
{
    if (zone) {
        stub_zone_free(zone);
    }

    zone = stub_zone(1 << 20);
    stub_dead = 0;
}


static ngx_int_t
lead(ngx_pid_t pid, uint64_t n, uint64_t now, ngx_agt_flight_t *flight)
{
    uint64_t                         z;
    ngx_uint_t                       i;

    for (i = 0; i < 4; i++) {
        z = (n + i + 1) * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z ^= z >> 31;
        memcpy(key + i * 8, &z, sizeof(uint64_t));
    }

    ngx_pid = pid;

    return ngx_agt_flight_lead(zone, key, now, now + 4000,
                               (ngx_uint_t) pid, CYCLE, flight);
}


static uint64_t
end(const ngx_agt_flight_t *flight, uint32_t class, uint64_t now)
{
    ngx_agt_flight_result_t  r;

    r.class = class;
    r.reason = class + 10;
    r.retry_after = -1;
    r.transient = 1;

    return ngx_agt_flight_end(zone, flight, &r, now);
}


static ngx_int_t
look(ngx_pid_t pid, const ngx_agt_flight_t *flight, uint64_t now)
{
    ngx_pid = pid;

    return ngx_agt_flight_look(zone, flight, now, &result);
}
