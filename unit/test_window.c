
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "api/window.h"


#define LIMIT  100
#define ROWS   20000


typedef struct {
    int64_t     exp;            /* INT64_MAX: none */
    int64_t     iat;
    ngx_uint_t  seen;
} row_t;


static void test_init(void);
static void test_split(void);
static void test_pivots(void);
static void test_edges(void);
static void test_random(void);
static void test_down(void);
static void test_again(void);
static void test_whole(void);
static void test_asked(void);
static void test_poll(void);
static ngx_uint_t poll(ngx_uint_t n, int64_t floor, int64_t now,
    ngx_uint_t *truncated);
static ngx_uint_t list(const ngx_agt_window_t *window,
    ngx_uint_t n, int64_t *pivot);
static int compare(const void *a, const void *b);
static int64_t any_time(void);


static ngx_agt_window_t   room[NGX_AGT_WINDOW_MAX];
static ngx_agt_windows_t  w = { room, 0 };
static row_t                         rows[ROWS];


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 162);

    test_init();
    test_split();
    test_pivots();
    test_edges();
    test_random();
    test_down();
    test_again();
    test_whole();
    test_asked();
    test_poll();

    return unit_done();
}


static void
test_init(void)
{
    ngx_uint_t  i;

    static const int64_t  floors[] = {
        0, 1, -1, 1700000000, INT64_MAX, INT64_MAX - 1, INT64_MIN,
        INT64_MIN + 1
    };

    unit_test("two windows cover everything");

    for (i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        memset(room, 0xa5, sizeof(room));

        ngx_agt_windows_init(&w, floors[i]);

        unit_check(w.n == 2);
        unit_check(ngx_agt_windows_whole(&w, floors[i]));
        unit_check(!room[0].done && !room[0].out && room[0].rows == 0);
        unit_check(!room[1].done && !room[1].out && room[1].rows == 0);
    }
}


static void
test_split(void)
{
    ngx_uint_t  i;

    unit_test("the second half begins with the pivot");

    ngx_agt_windows_init(&w, 1000);

    room[0].done = 1;
    room[0].out = 1;
    room[0].rows = 100;
    room[1].done = 1;
    room[1].rows = 7;

    unit_check(ngx_agt_windows_split(&w, 0, 2000, 1500) == NGX_OK);

    unit_check(w.n == 3 && ngx_agt_windows_whole(&w, 1000));
    unit_check(room[0].from == 1000 && room[0].to == 1999);
    unit_check(room[1].from == 2000 && room[1].to == NGX_AGT_WINDOW_FUTURE);

    for (i = 0; i < 2; i++) {
        unit_check(room[i].by == NGX_AGT_WINDOW_EXP);
        unit_check(!room[i].done && !room[i].out && room[i].rows == 0);
    }

    unit_check(room[2].by == NGX_AGT_WINDOW_IAT
               && room[2].done && room[2].rows == 7);

    unit_check(ngx_agt_windows_split(&w, 2, 1600, 1500) == NGX_OK);
    unit_check(w.n == 4 && ngx_agt_windows_whole(&w, 1000));
    unit_check(room[2].from == NGX_AGT_WINDOW_PAST
               && room[2].to == 1599 && room[3].from == 1600);

    unit_test("a second cannot be split, nor can too many windows be made");

    unit_check(ngx_agt_windows_split(&w, 0, 1001, 1500) == NGX_OK);
    unit_check(room[0].from == 1000 && room[0].to == 1000);
    unit_check(ngx_agt_windows_split(&w, 0, 1000, 1500) == NGX_DECLINED);
    unit_check(w.n == 5);

    while (w.n < NGX_AGT_WINDOW_MAX) {
        if (ngx_agt_windows_split(&w, w.n - 1, room[w.n - 1].from + 10, 0)
            != NGX_OK)
        {
            break;
        }
    }

    unit_check(w.n == NGX_AGT_WINDOW_MAX);
    unit_check(ngx_agt_windows_whole(&w, 1000));
    unit_check(ngx_agt_windows_split(&w, w.n - 1, room[w.n - 1].from + 10, 0)
               == NGX_DECLINED);
    unit_check(w.n == NGX_AGT_WINDOW_MAX);
}


/* a pivot that does not lie in the window, or would leave one half empty */

static void
test_pivots(void)
{
    int64_t     mid;
    ngx_uint_t  i, j;

    static const struct {
        int64_t  from;
        int64_t  to;
    } windows[] = {
        { 1000, 1001 },
        { 1000, 1002 },
        { 1000, 2000 },
        { -5, 5 },
        { 0, INT64_MAX },
        { -1, INT64_MAX },
        { INT64_MAX - 1, INT64_MAX },
        { INT64_MIN, INT64_MIN + 1 },
        { INT64_MIN, INT64_MAX },
        { INT64_MIN, 0 },
        { INT64_MIN, -1 },
        { INT64_MIN + 1, INT64_MAX },
        { INT64_MIN + 1, INT64_MAX - 1 },
        { INT64_MIN, INT64_MAX - 1 },
        { -4611686018427387905, 4611686018427387905 }
    };

    static const int64_t  pivots[] = {
        INT64_MIN, INT64_MIN + 1, -4611686018427387905, -1, 0, 1, 999, 1000,
        1001, 1002, 2000, 2001, 4611686018427387905, INT64_MAX - 1, INT64_MAX
    };

    static const int64_t  nows[] = {
        1500, 0, -1, 1700000000, INT64_MAX, INT64_MIN
    };

    unit_test("a window is split in two whatever the pivot is");

    for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        for (j = 0; j < 15 * 6; j++) {
            memset(room, 0, 4 * sizeof(room[0]));

            room[0].by = NGX_AGT_WINDOW_IAT;
            room[0].from = windows[i].from;
            room[0].to = windows[i].to;
            w.n = 1;

            unit_check(ngx_agt_windows_split(&w, 0, pivots[j / 6], nows[j % 6])
                       == NGX_OK);

            unit_check(w.n == 2);
            unit_check(room[0].from == windows[i].from);
            unit_check(room[1].to == windows[i].to);
            unit_check(room[0].to >= room[0].from);
            unit_check(room[1].to >= room[1].from);
            unit_check(room[0].to != INT64_MAX
                       && room[1].from == room[0].to + 1);

            if (pivots[j / 6] > windows[i].from
                && pivots[j / 6] <= windows[i].to)
            {
                unit_check(room[1].from == pivots[j / 6]);
            }
        }
    }

    unit_test("an open window is split near where tokens are");

    ngx_agt_windows_init(&w, 1700000000 - 3600);

    unit_check(ngx_agt_windows_split(&w, 0, 0, 1700000000) == NGX_OK);
    unit_check(room[1].from > 1700000000 - 3600
               && room[1].from < 1700000000 + 86400 * 7);

    unit_check(ngx_agt_windows_split(&w, 2, NGX_AGT_WINDOW_PAST, 1700000000)
               == NGX_OK);
    unit_check(room[3].from == 1700000000);

    /* and further away each time, so that far tokens are come by */

    for (i = 0; i < 40; i++) {
        mid = room[1].from;

        unit_check(ngx_agt_windows_split(&w, 1, mid, 1700000000) == NGX_OK);
        unit_check(room[2].from > mid);

        room[1] = room[2];
        memmove(&room[2], &room[3], (w.n - 3) * sizeof(room[0]));
        w.n--;
        room[0].to = room[1].from - 1;
    }

    unit_check(ngx_agt_windows_whole(&w, 1700000000 - 3600));
    unit_check(room[1].from > 1700000000 + (int64_t) 86400 * 1000000);
}


/* down to both ends of time, from either side */

static void
test_edges(void)
{
    ngx_uint_t  i, n, last;

    unit_test("windows at the ends of time are split to the last second");

    for (last = 0; last < 2; last++) {

        ngx_agt_windows_init(&w, INT64_MIN + 1);

        i = last ? 0 : 1;

        for (n = 0; n < 200; n++) {

            if (ngx_agt_windows_split(&w, last ? i : w.n - 2 + i,
                                      INT64_MIN, 1700000000)
                != NGX_OK)
            {
                break;
            }

            unit_check(ngx_agt_windows_whole(&w, INT64_MIN + 1));
        }

        unit_check(n < 200);
    }
}


static void
test_random(void)
{
    int64_t     floor, now, pivot;
    ngx_uint_t  i, n;

    unit_test("random splits leave no gap");

    for (n = 0; n < 300; n++) {
        floor = any_time();
        now = n % 3 ? 1700000000 : any_time();

        ngx_agt_windows_init(&w, floor);

        for (i = 0; i < 200; i++) {
            pivot = any_time();
            (void) ngx_agt_windows_split(&w, stub_below(w.n), pivot, now);
            unit_check(ngx_agt_windows_whole(&w, floor));
        }
    }
}


/* halving anything comes to single seconds, in few steps */

static void
test_down(void)
{
    int64_t     floor;
    ngx_uint_t  n, steps, i;

    unit_test("splitting comes to an end");

    for (n = 0; n < 2000; n++) {
        floor = any_time();

        ngx_agt_windows_init(&w, floor);

        i = n % 2;

        for (steps = 0; steps < 300; steps++) {

            if (ngx_agt_windows_split(&w, i,
                                      NGX_AGT_WINDOW_PAST,
                                      n % 3 ? 1700000000
                                                       : any_time())
                != NGX_OK)
            {
                break;
            }

            i += stub_below(2);
        }

        unit_check(steps < 300);
        unit_check(room[i].from == room[i].to);
        unit_check(ngx_agt_windows_whole(&w, floor));
    }
}


static void
test_again(void)
{
    int64_t     floor;
    ngx_uint_t  n, i, polls, sum, left;

    unit_test("another poll has no gap either, and fewer windows");

    for (n = 0; n < 300; n++) {
        floor = 1700000000 + (int64_t) stub_below(1000000) - 500000;

        ngx_agt_windows_init(&w, floor);

        for (polls = 0; polls < 10; polls++) {

            for (i = 0; i < 40; i++) {
                (void) ngx_agt_windows_split(&w, stub_below(w.n),
                              floor + (int64_t) stub_below(100000) - 20000,
                              floor);
            }

            sum = 0;

            for (i = 0; i < w.n; i++) {
                room[i].done = 1;
                room[i].rows = stub_below(stub_below(2) ? LIMIT : 10);
            }

            floor += (int64_t) stub_below(20000);

            if (stub_below(10) == 0) {
                floor -= 5000;
            }

            left = w.n;
            ngx_agt_windows_again(&w, floor, LIMIT);

            unit_check(w.n <= left);
            unit_check(ngx_agt_windows_whole(&w, floor));

            for (i = 0; i < w.n; i++) {
                unit_check(!room[i].done && !room[i].out);

                if (i) {
                    sum = room[i - 1].rows + room[i].rows;
                    unit_check(room[i - 1].by != room[i].by
                               || sum >= LIMIT / 2);
                }
            }
        }
    }

    unit_test("windows of what has expired go");

    ngx_agt_windows_init(&w, 1000);
    (void) ngx_agt_windows_split(&w, 0, 2000, 0);
    (void) ngx_agt_windows_split(&w, 1, 3000, 0);

    for (i = 0; i < w.n; i++) {
        room[i].rows = 80;
    }

    ngx_agt_windows_again(&w, 1999, LIMIT);
    unit_check(w.n == 4 && room[0].from == 1999 && room[0].to == 1999);

    ngx_agt_windows_again(&w, 2000, LIMIT);
    unit_check(w.n == 3 && room[0].from == 2000 && room[0].to == 2999);

    ngx_agt_windows_again(&w, INT64_MAX, LIMIT);
    unit_check(w.n == 2 && ngx_agt_windows_whole(&w, INT64_MAX));
}


static void
test_whole(void)
{
    ngx_agt_window_t  copy[8];

    unit_test("a gap is seen");

    ngx_agt_windows_init(&w, 1000);
    (void) ngx_agt_windows_split(&w, 0, 2000, 0);
    (void) ngx_agt_windows_split(&w, 2, 3000, 0);

    memcpy(copy, room, sizeof(copy));

    unit_check(ngx_agt_windows_whole(&w, 1000));
    unit_check(!ngx_agt_windows_whole(&w, 999));
    unit_check(!ngx_agt_windows_whole(&w, 1001));

    room[0].to = 1998;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    room[0].to = 2000;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    room[0].to = 999;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    memcpy(room, copy, sizeof(copy));

    room[1].by = NGX_AGT_WINDOW_IAT;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    memcpy(room, copy, sizeof(copy));

    room[2].from++;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    memcpy(room, copy, sizeof(copy));

    room[3].to--;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    memcpy(room, copy, sizeof(copy));

    w.n--;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    w.n += 2;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
    w.n = 0;
    unit_check(!ngx_agt_windows_whole(&w, 1000));
}


/* an API with so many revoked tokens, polled as feed polls it */

static void
test_asked(void)
{
    int64_t           sec;
    ngx_uint_t        i;
    ngx_agt_window_t  window;

    static const struct {
        ngx_agt_window_e  by;
        int64_t           from;
        int64_t           to;
        int64_t           value;
        ngx_uint_t        asked;
    } cases[] = {
#define EXP     NGX_AGT_WINDOW_EXP
#define IAT     NGX_AGT_WINDOW_IAT
#define PAST    NGX_AGT_WINDOW_PAST
#define FUTURE  NGX_AGT_WINDOW_FUTURE
#define LAST    NGX_AGT_WINDOW_LAST
        { EXP, 1000, 2000, 999, 1 },
        { EXP, 1000, 2000, 2001, 1 },
        { EXP, 1000, 2000, 998, 0 },
        { EXP, 1000, 2000, 2002, 0 },
        { EXP, 1000, 2000, INT64_MIN, 0 },
        { EXP, 1000, 2000, INT64_MAX, 0 },
        { EXP, 1000, FUTURE, LAST, 1 },
        { EXP, 1000, FUTURE, INT64_MAX, 1 },
        { EXP, 1000, FUTURE, 998, 0 },
        { IAT, PAST, FUTURE, INT64_MIN, 1 },
        { IAT, PAST, FUTURE, INT64_MAX, 1 },
        { IAT, PAST, 1000, 1001, 1 },
        { IAT, PAST, 1000, 1002, 0 },
        { IAT, PAST, 1000, INT64_MIN, 1 },
        { IAT, PAST, -7, 0, 1 },
        { IAT, PAST, -7, 1, 0 },
        { IAT, 1000, FUTURE, INT64_MAX, 1 },
        { IAT, 1000, 1000, 1001, 1 },
        { IAT, 1000, LAST, INT64_MAX, 1 },
        { IAT, INT64_MAX, FUTURE, LAST, 1 },
    };

    unit_test("what a window asks for has a second more on both sides");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&window, 0, sizeof(window));

        window.by = cases[i].by;
        window.from = cases[i].from;
        window.to = cases[i].to;

        unit_check(ngx_agt_window_asked(&window, cases[i].value)
                   == cases[i].asked);
    }

    unit_test("an end is a date, and an open window has none");

    window.by = IAT;
    window.from = PAST;
    window.to = FUTURE;

    unit_check(!ngx_agt_window_first(&window, &sec));
    unit_check(!ngx_agt_window_last(&window, &sec));

    window.by = EXP;

    unit_check(ngx_agt_window_last(&window, &sec) && sec == LAST);

    window.from = -5;
    window.to = LAST + 5;

    unit_check(ngx_agt_window_first(&window, &sec) && sec == 0);
    unit_check(ngx_agt_window_last(&window, &sec) && sec == LAST);

    window.from = 1000;
    window.to = 2000;

    unit_check(ngx_agt_window_first(&window, &sec) && sec == 999);
    unit_check(ngx_agt_window_last(&window, &sec) && sec == 2001);
#undef EXP
#undef IAT
#undef PAST
#undef FUTURE
#undef LAST
}


static void
test_poll(void)
{
    int64_t     now, floor;
    ngx_uint_t  i, n, round, calls, truncated, missing;

    static const ngx_uint_t  sizes[] = { 0, 1, 99, 100, 101, 1000, 10000 };

    unit_test("all rows are found, with few calls");

    now = 1700000000;

    for (n = 0; n < 7; n++) {

        floor = now - 3600;

        for (i = 0; i < sizes[n]; i++) {
            rows[i].iat = now - (int64_t) stub_below(30 * 86400);
            rows[i].exp = (i % 10 == 0) ? INT64_MAX
                          : now + (int64_t) stub_below(n % 2 ? 86400 : 3600);
        }

        ngx_agt_windows_init(&w, floor);

        for (round = 0; round < 4; round++) {

            calls = poll(sizes[n], floor, now, &truncated);
            missing = 0;

            for (i = 0; i < sizes[n]; i++) {
                missing += (rows[i].seen == 0
                            && (rows[i].exp >= floor));
            }

            unit_check(missing == 0);
            unit_check(truncated == 0);

            printf("# %lu rows, poll %lu: %lu calls\n",
                   (unsigned long) sizes[n], (unsigned long) round,
                   (unsigned long) calls);

            unit_check(calls <= 2 + sizes[n] / LIMIT * 12);

            now += 600;
            floor += 600;
            ngx_agt_windows_again(&w, floor, LIMIT);
            unit_check(ngx_agt_windows_whole(&w, floor));
        }
    }

    unit_test("more in one second than can be listed are reported");

    for (i = 0; i < 1000; i++) {
        rows[i].iat = now - 1000;
        rows[i].exp = now + (int64_t) (i < 500 ? 77 : i);
    }

    ngx_agt_windows_init(&w, now);
    (void) poll(1000, now, now, &truncated);

    unit_check(truncated == 2);

    for (i = 500; i < 1000; i++) {
        unit_check(rows[i].seen > 0);
    }
}


static ngx_uint_t
poll(ngx_uint_t n, int64_t floor, int64_t now, ngx_uint_t *truncated)
{
    int64_t     pivot;
    ngx_uint_t  i, calls, got;

    for (i = 0; i < n; i++) {
        rows[i].seen = 0;
    }

    calls = 0;
    *truncated = 0;

    for (i = 0; i < w.n; /* void */ ) {

        got = list(&room[i], n, &pivot);
        calls++;

        if (got < LIMIT) {
            room[i].done = 1;
            room[i].rows = got;
            i++;
            continue;
        }

        if (ngx_agt_windows_split(&w, i, pivot, now) != NGX_OK) {
            room[i].done = 1;
            room[i].rows = got;
            (*truncated)++;
            i++;
        }

        if (calls > 100000 || !ngx_agt_windows_whole(&w, floor))
        {
            unit_check(calls <= 100000);
            unit_check(ngx_agt_windows_whole(&w, floor));
            break;
        }
    }

    return calls;
}


/* the first so many rows of a window, in no order; the pivot as in feed */

static ngx_uint_t
list(const ngx_agt_window_t *window, ngx_uint_t n, int64_t *pivot)
{
    int64_t     value, values[LIMIT];
    ngx_uint_t  i, got, at;

    got = 0;
    at = 0;

    for (i = 0; i < n && got < LIMIT; i++) {
        value = (window->by == NGX_AGT_WINDOW_EXP) ? rows[i].exp : rows[i].iat;

        /* what never expires has no exp to be found by */

        if (window->by == NGX_AGT_WINDOW_EXP && value == INT64_MAX)
        {
            continue;
        }

        if (value >= window->from && value <= window->to) {
            rows[i].seen++;
            got++;
            values[at++] = value;
        }
    }

    *pivot = window->from;

    if (at) {
        qsort(values, at, sizeof(int64_t), compare);

        for (i = at / 2; i < at; i++) {
            if (values[i] > window->from) {
                *pivot = values[i];
                return got;
            }
        }

        *pivot = window->from + 1;
    }

    return got;
}


static int
compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}


static int64_t
any_time(void)
{
    switch (stub_below(6)) {

    case 0:
        return (int64_t) stub_random();

    case 1:
        return INT64_MAX - (int64_t) stub_below(10);

    case 2:
        return INT64_MIN + (int64_t) stub_below(10);

    case 3:
        return (int64_t) stub_below(20) - 10;

    default:
        return 1700000000 + (int64_t) stub_below(1000000) - 500000;
    }
}
