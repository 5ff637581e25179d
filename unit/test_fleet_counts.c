
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "fleet/counts.h"


#define NEW        NGX_AGT_COUNTS_NEW
#define GAP        NGX_AGT_COUNTS_GAP
#define DUPLICATE  NGX_AGT_COUNTS_DUPLICATE
#define FULL       NGX_AGT_COUNTS_FULL

#define MAX        NGX_AGT_FLEET_NUMBER_MAX

/* of the random test */
#define WRITERS    4
#define NUMBERS    40


static void test_size(void);
static void test_order(void);
static void test_first(void);
static void test_marks(void);
static void test_lines(void);
static void test_trimmed(void);
static void test_steps(void);
static void test_resend(void);
static void test_full(void);
static void test_expire(void);
static void test_untold(void);
static void test_lacks(void);
static void test_clear(void);
static void test_wrap(void);
static void test_merge(void);
static void test_died(void);
static void test_random(void);
static void test_catch_up(void);
static void begin(ngx_uint_t n);
static ngx_agt_counts_number_e take(char writer, uint64_t number);
static ngx_uint_t is_used(char writer, uint64_t number);
static ngx_uint_t mark(const char *text);
static const char *lines_of(void);
static const u_char *id(char writer);


static u_char            *mem;
static ngx_agt_counts_t  *counts;
static uint64_t           now;


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 816);

    test_size();
    test_order();
    test_first();
    test_marks();
    test_lines();
    test_trimmed();
    test_steps();
    test_resend();
    test_full();
    test_expire();
    test_untold();
    test_lacks();
    test_clear();
    test_wrap();
    test_merge();
    test_died();
    test_random();
    test_catch_up();

    free(mem);

    return unit_done();
}


static void
test_size(void)
{
    size_t      size;
    ngx_uint_t  n;

    unit_test("counts take the memory that they are said to take");

    for (n = 1; n < 40; n++) {
        begin(n);

        for (size = 0; size < n; size++) {
            unit_check(take((char) ('a' + size), 1) == NEW);
        }

        unit_check(take('Z', 1) == FULL);
    }

    free(mem);
    mem = malloc(ngx_agt_counts_size(1));

    unit_check(ngx_agt_counts_init(mem, ngx_agt_counts_size(1) - 1) == NULL);
    unit_check(ngx_agt_counts_init(mem, 0) == NULL);
}


static void
test_order(void)
{
    unit_test("numbers come one after the other, once each");

    begin(4);

    unit_check(!is_used('a', 7) && take('a', 7) == NEW && is_used('a', 7));
    unit_check(!is_used('a', 8) && take('a', 8) == NEW && is_used('a', 8));
    unit_check(!is_used('b', 8) && take('b', 1) == NEW);
    unit_check(take('a', 7) == DUPLICATE);
    unit_check(take('a', 8) == DUPLICATE);
    unit_check(take('a', 9) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(ngx_agt_counts_read(counts, id('a'), 9) == 9);
    unit_check(ngx_agt_counts_read(counts, id('b'), 1) == 1);
    unit_check(ngx_agt_counts_read(counts, id('c'), 1) == 0);

    unit_test("a number that is left out is missing until it comes");

    unit_check(take('a', 13) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == 3);
    unit_check(!is_used('a', 11) && take('a', 11) == NEW);
    unit_check(is_used('a', 11) && take('a', 11) == DUPLICATE);
    unit_check(ngx_agt_counts_missing(counts) == 2);
    unit_check(take('a', 10) == NEW);
    unit_check(take('a', 10) == DUPLICATE);
    unit_check(take('a', 12) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(take('a', 12) == DUPLICATE && take('a', 13) == DUPLICATE);

    unit_check(take('a', 20) == GAP);
    unit_check(take('a', 14) == NEW && take('a', 19) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == 4);
    unit_check(take('a', 14) == DUPLICATE && take('a', 19) == DUPLICATE);

    /* another writer's numbers are its own */

    unit_check(take('b', 16) == GAP);
    unit_check(take('b', 15) == NEW && !is_used('a', 15));
    unit_check(ngx_agt_counts_missing(counts) == 4 + 13);
}


static void
test_first(void)
{
    unit_test("a lower number than the first seen lowers the first");

    begin(4);

    unit_check(take('a', 9) == NEW);
    unit_check(!is_used('a', 8));
    unit_check(take('a', 8) == NEW && is_used('a', 8));
    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(take('a', 5) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == 2);
    unit_check(take('a', 7) == NEW && take('a', 6) == NEW);
    unit_check(take('a', 5) == DUPLICATE);

    unit_test("once a mark has told the first, a lower one is no more");

    mark("a:5-9");
    unit_check(is_used('a', 4) && take('a', 4) == DUPLICATE);
    unit_check(take('a', 3) == DUPLICATE);
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("a mark tells of lower numbers that were never read");

    begin(4);

    unit_check(take('a', 9) == NEW);
    mark("a:6-9");
    unit_check(ngx_agt_counts_missing(counts) == 3);
    unit_check(take('a', 5) == DUPLICATE);
    unit_check(take('a', 8) == NEW && take('a', 7) == NEW);
    unit_check(take('a', 6) == NEW);
    unit_check(ngx_agt_counts_whole(counts));

    /* an older mark cannot lower it again */

    mark("a:2-9");
    unit_check(ngx_agt_counts_whole(counts) && take('a', 5) == DUPLICATE);
}


static void
test_marks(void)
{
    unit_test("counts are not whole before a mark");

    begin(4);

    unit_check(!ngx_agt_counts_whole(counts));
    unit_check(take('a', 1) == NEW);
    unit_check(!ngx_agt_counts_whole(counts));
    mark("a:1-1");
    unit_check(ngx_agt_counts_whole(counts));

    begin(4);
    mark("");
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("numbers up to the last of a mark are missing if not read");

    mark("a:1-3 b:2-2");
    unit_check(!ngx_agt_counts_whole(counts));
    unit_check(ngx_agt_counts_missing(counts) == 4);
    unit_check(take('a', 3) == NEW && take('a', 1) == NEW);
    unit_check(take('b', 2) == NEW && take('a', 2) == NEW);
    unit_check(ngx_agt_counts_whole(counts));

    mark("a:1-5");
    unit_check(ngx_agt_counts_missing(counts) == 2);
    unit_check(take('a', 6) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == 2);

    unit_test("numbers below the first of a mark are not missing any more");

    mark("a:5-5");
    unit_check(ngx_agt_counts_missing(counts) == 1);
    mark("a:6-5");
    unit_check(ngx_agt_counts_whole(counts));
    unit_check(take('a', 6) == DUPLICATE);

    mark("a:9-8");
    unit_check(ngx_agt_counts_whole(counts));
    unit_check(take('a', 8) == DUPLICATE);
    unit_check(take('a', 9) == NEW);

    mark("a:12-15");
    unit_check(ngx_agt_counts_missing(counts) == 4);

    unit_test("a writer without a line is left as it is");

    mark("b:2-2");
    unit_check(ngx_agt_counts_missing(counts) == 4);

    unit_test("a writer of which nothing stands takes no place");

    begin(1);
    mark("a:9-8 b:1-1");
    unit_check(ngx_agt_counts_refused(counts) == 0);
    unit_check(ngx_agt_counts_missing(counts) == 1);
    unit_check(take('b', 1) == NEW);
    unit_check(ngx_agt_counts_whole(counts));
}


static void
test_lines(void)
{
    unit_test("the lines of a mark say what stands, and what was read");

    begin(4);

    unit_check(strcmp(lines_of(), "") == 0);

    (void) take('a', 4);
    (void) take('a', 5);
    (void) take('b', 1);
    unit_check(strcmp(lines_of(), "a:4-5 b:1-1") == 0);

    unit_test("a line ends in front of the lowest number that is missing");

    (void) take('a', 9);
    (void) take('a', 7);
    unit_check(strcmp(lines_of(), "a:4-5 b:1-1") == 0);
    (void) take('a', 6);
    unit_check(strcmp(lines_of(), "a:4-7 b:1-1") == 0);
    (void) take('a', 8);
    unit_check(strcmp(lines_of(), "a:4-9 b:1-1") == 0);

    begin(4);
    mark("a:4-6");
    unit_check(strcmp(lines_of(), "a:4-3") == 0);

    unit_test("all from a number on are read only where none before is "
              "unknown");

    begin(4);

    (void) take('a', 4);
    (void) take('a', 5);
    unit_check(ngx_agt_counts_read(counts, id('a'), 4) == 5);
    unit_check(ngx_agt_counts_read(counts, id('a'), 9) == 5);
    unit_check(ngx_agt_counts_read(counts, id('a'), 3) == 0);
    (void) take('a', 7);
    unit_check(ngx_agt_counts_read(counts, id('a'), 4) == 5);
    (void) take('a', 2);
    unit_check(ngx_agt_counts_read(counts, id('a'), 2) == 2);
    (void) take('a', 3);
    unit_check(ngx_agt_counts_read(counts, id('a'), 3) == 5);
}


static void
test_trimmed(void)
{
    unit_test("what is trimmed need not be there any more");

    begin(4);

    (void) take('a', 4);
    (void) take('a', 9);
    mark("");

    unit_check(ngx_agt_counts_first(counts, id('a')) == 4);
    unit_check(ngx_agt_counts_first(counts, id('b')) == 0);

    ngx_agt_counts_trimmed(counts, id('a'), 5);
    unit_check(ngx_agt_counts_first(counts, id('a')) == 6);
    unit_check(strcmp(lines_of(), "a:6-5") == 0);
    unit_check(ngx_agt_counts_missing(counts) == 3);
    unit_check(take('a', 5) == DUPLICATE);

    ngx_agt_counts_trimmed(counts, id('a'), 3);
    unit_check(strcmp(lines_of(), "a:6-5") == 0);

    ngx_agt_counts_trimmed(counts, id('a'), 9);
    unit_check(strcmp(lines_of(), "a:10-9") == 0);
    unit_check(ngx_agt_counts_whole(counts));

    ngx_agt_counts_trimmed(counts, id('b'), 9);
    unit_check(strcmp(lines_of(), "a:10-9") == 0);

    unit_test("what is below the first one does not tell it");

    begin(4);
    (void) take('a', 4);
    ngx_agt_counts_trimmed(counts, id('a'), 2);
    unit_check(take('a', 3) == NEW);
}


static void
test_steps(void)
{
    unit_test("a gap is read for once, and then asked for");

    begin(4);
    now = 5000;

    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WAIT);
    mark("");
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WHOLE);

    (void) take('a', 1);
    (void) take('a', 3);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_READ);
    unit_check(!ngx_agt_counts_whole(counts));

    (void) take('a', 2);
    unit_check(ngx_agt_counts_whole(counts));
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WHOLE);

    (void) take('a', 5);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_READ);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_ASK);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WAIT);
    unit_check(ngx_agt_counts_step(counts, now + 9999) == NGX_AGT_COUNTS_WAIT);
    unit_check(ngx_agt_counts_step(counts, now + 10000) == NGX_AGT_COUNTS_ASK);
    unit_check(ngx_agt_counts_step(counts, now + 19999) == NGX_AGT_COUNTS_WAIT);
    unit_check(ngx_agt_counts_step(counts, now + 20000) == NGX_AGT_COUNTS_ASK);

    unit_test("after it was asked for, a mark heals, and nothing else");

    (void) take('a', 4);
    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(!ngx_agt_counts_whole(counts));
    unit_check(ngx_agt_counts_step(counts, now + 90000) == NGX_AGT_COUNTS_WAIT);

    mark("a:1-6");
    unit_check(!ngx_agt_counts_whole(counts));
    (void) take('a', 6);
    unit_check(!ngx_agt_counts_whole(counts));

    mark("a:1-6");
    unit_check(ngx_agt_counts_whole(counts));
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WHOLE);

    (void) take('a', 8);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_READ);
}


static void
test_resend(void)
{
    unit_test("after everything was sent again, old numbers need not be there");

    begin(4);

    (void) take('a', 1);
    (void) take('a', 4);
    (void) take('b', 1);
    mark("");

    /* "c" sends again, then "a" what the others have not read */

    ngx_agt_counts_resend(counts);
    (void) take('c', 1);
    (void) take('c', 2);
    (void) take('a', 6);
    unit_check(ngx_agt_counts_missing(counts) == 3);

    ngx_agt_counts_resent(counts);
    unit_check(ngx_agt_counts_missing(counts) == 1);
    unit_check(strcmp(lines_of(), "a:5-4 b:2-1 c:1-2") == 0);
    unit_check(take('a', 5) == NEW);
    unit_check(take('a', 3) == DUPLICATE);
    unit_check(ngx_agt_counts_whole(counts));

    /* once; and never without having been asked */

    ngx_agt_counts_resent(counts);
    unit_check(strcmp(lines_of(), "a:5-6 b:2-1 c:1-2") == 0);
}


static void
test_full(void)
{
    unit_test("a writer without a place makes the counts unwhole");

    begin(2);
    now = 1000;

    (void) take('a', 1);
    (void) take('b', 1);
    mark("a:1-1 b:1-1");
    unit_check(ngx_agt_counts_whole(counts));

    unit_check(!is_used('c', 1) && take('c', 1) == FULL);
    unit_check(!is_used('c', 1) && take('c', 1) == FULL);
    unit_check(ngx_agt_counts_refused(counts) == 2);
    unit_check(!ngx_agt_counts_whole(counts));
    mark("a:1-1 b:1-1");
    unit_check(!ngx_agt_counts_whole(counts));
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WAIT);

    begin(2);
    mark("a:1-1 b:1-1 c:1-1");
    unit_check(ngx_agt_counts_refused(counts) == 1);

    unit_test("when there is a place, everything is read anew");

    mark("a:2-1");
    (void) take('b', 1);
    now = 2000;
    ngx_agt_counts_expire(counts, now, 1000);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_READ);
    unit_check(ngx_agt_counts_refused(counts) == 0);
    unit_check(strcmp(lines_of(), "") == 0);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WAIT);
    mark("b:1-1 c:1-1");
    (void) take('b', 1);
    (void) take('c', 1);
    unit_check(ngx_agt_counts_whole(counts));
}


static void
test_expire(void)
{
    unit_test("a writer is forgotten when nothing of it stands");

    begin(4);
    now = 1000;
    (void) take('a', 1);
    now = 2000;
    (void) take('b', 1);
    (void) take('c', 1);
    (void) take('c', 3);
    (void) take('d', 1);
    (void) take('d', 2);

    mark("a:2-1 b:2-1 c:1-3 d:2-2");

    ngx_agt_counts_expire(counts, 1999, 1000);
    unit_check(strcmp(lines_of(), "a:2-1 b:2-1 c:1-1 d:2-2") == 0);
    ngx_agt_counts_expire(counts, 2000, 1000);
    unit_check(strcmp(lines_of(), "b:2-1 c:1-1 d:2-2") == 0);
    ngx_agt_counts_expire(counts, 900, 0);
    unit_check(strcmp(lines_of(), "b:2-1 c:1-1 d:2-2") == 0);
    ngx_agt_counts_expire(counts, 900000, 1000);
    unit_check(strcmp(lines_of(), "c:1-1 d:2-2") == 0);

    unit_test("its place is another's, of which nothing is known");

    unit_check(!is_used('e', 1) && take('e', 5) == NEW);
    unit_check(take('e', 4) == NEW);
    unit_check(strcmp(lines_of(), "e:4-5 c:1-1 d:2-2") == 0);
    unit_check(ngx_agt_counts_first(counts, id('a')) == 0);

    unit_check(take('b', 1) == NEW);
    unit_check(take('f', 1) == FULL);
}


static void
test_untold(void)
{
    unit_test("nothing is missing of a writer that no mark knows any more");

    begin(4);
    now = 1000;

    /* an old mark tells of entries that were trimmed since, as is "a" by now */

    mark("a:1-26 b:1-2");
    unit_check(ngx_agt_counts_missing(counts) == 28);

    now += NGX_AGT_COUNTS_UNTOLD - 1;
    mark("b:1-2");
    unit_check(ngx_agt_counts_missing(counts) == 28);

    now++;
    mark("b:1-2");
    unit_check(strcmp(lines_of(), "a:27-26 b:1-0") == 0);
    unit_check(ngx_agt_counts_missing(counts) == 2);

    unit_test("but one of which something was read lately is left as it is");

    (void) take('a', 29);
    mark("b:1-2");
    unit_check(ngx_agt_counts_missing(counts) == 4);

    mark("b:3-2");
    unit_check(ngx_agt_counts_missing(counts) == 2);
    unit_check(!ngx_agt_counts_whole(counts));

    now += NGX_AGT_COUNTS_UNTOLD;
    mark("b:3-2");
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("nor of one of which the edge that marks has read less");

    begin(4);
    now = 1000;
    (void) take('a', 1);
    (void) take('a', 3);
    mark("a:2-1");
    unit_check(ngx_agt_counts_missing(counts) == 1);
    now += NGX_AGT_COUNTS_UNTOLD - 1;
    mark("a:2-1");
    unit_check(ngx_agt_counts_missing(counts) == 1);
    now++;
    mark("a:2-3");
    unit_check(ngx_agt_counts_missing(counts) == 1);
    mark("a:2-1");
    unit_check(ngx_agt_counts_missing(counts) == 0);
}


static void
test_lacks(void)
{
    unit_test("what the edge that marks has not read is said once");

    begin(4);
    now = 1000;

    (void) take('a', 1);
    (void) take('a', 2);
    (void) take('b', 1);
    (void) take('z', 1);

    /* it may be on its way there */

    now++;
    unit_check(!mark("a:1-1 b:1-1 z:1-1"));

    now++;
    unit_check(mark("a:1-1 b:1-1 z:1-1"));
    unit_check(ngx_agt_counts_whole(counts));
    unit_check(!mark("a:1-1 b:1-1 z:1-1"));

    unit_test("also of a writer that it does not know");

    now++;
    unit_check(mark("a:1-1 z:1-1"));
    unit_check(!mark("a:1-1 z:1-1"));

    unit_test("not what it has read, or what need not be there any more");

    now++;
    (void) take('a', 3);
    unit_check(!mark("a:1-3 z:1-1"));
    now++;
    unit_check(!mark("a:4-3 z:1-1"));
    now++;
    unit_check(!mark("z:1-1"));

    unit_test("not what was read since the last mark");

    (void) take('a', 4);
    unit_check(!mark("a:4-3 z:1-1"));
    now++;
    (void) take('a', 5);
    unit_check(!mark("a:4-4 z:1-1"));

    unit_test("not of one's own numbers, which are told again anyway");

    now++;
    (void) take('z', 2);
    unit_check(!mark("a:4-5 z:1-1"));
    now++;
    unit_check(!mark("a:4-5 z:1-1"));

    unit_test("not where a number is missing here, too");

    now++;
    (void) take('a', 7);
    now++;
    unit_check(!mark("a:4-5 z:1-2"));
    now++;
    unit_check(!mark("a:4-5 z:1-2"));
    (void) take('a', 6);
    now++;
    unit_check(!mark("a:4-7 z:1-2"));
    unit_check(ngx_agt_counts_whole(counts));
}


static void
test_clear(void)
{
    unit_test("cleared counts know nothing");

    begin(2);
    now = 7;

    (void) take('a', 1);
    (void) take('a', 3);
    (void) take('b', 1);
    (void) take('c', 1);
    mark("");
    (void) ngx_agt_counts_step(counts, now);
    (void) ngx_agt_counts_step(counts, now);

    ngx_agt_counts_clear(counts);

    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(ngx_agt_counts_refused(counts) == 0);
    unit_check(!ngx_agt_counts_whole(counts));
    unit_check(strcmp(lines_of(), "") == 0);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_WAIT);
    unit_check(take('c', 3) == NEW && take('a', 1) == NEW);

    mark("c:3-3 a:1-1");
    unit_check(ngx_agt_counts_whole(counts));

    (void) take('a', 3);
    unit_check(ngx_agt_counts_step(counts, now) == NGX_AGT_COUNTS_READ);
}


static void
test_wrap(void)
{
    unit_test("the highest number is a number as others");

    begin(4);

    unit_check(take('a', 1) == NEW);
    unit_check(take('a', MAX) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == MAX - 2);
    unit_check(take('a', MAX - 1) == NEW);
    unit_check(take('a', 2) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == MAX - 4);
    unit_check(take('a', MAX) == DUPLICATE);

    (void) take('b', 1);
    (void) take('b', MAX);
    (void) take('c', 1);
    (void) take('c', MAX);
    unit_check(ngx_agt_counts_missing(counts) == MAX);

    ngx_agt_counts_trimmed(counts, id('a'), MAX);
    ngx_agt_counts_trimmed(counts, id('b'), MAX);
    ngx_agt_counts_trimmed(counts, id('c'), MAX);
    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(take('a', MAX) == DUPLICATE);
}


static void
test_merge(void)
{
    ngx_uint_t  i;

    unit_test("without room for a gap, two of a writer become one");

    begin(3);

    (void) take('a', 1);
    (void) take('a', 3);     /* 2 */
    (void) take('a', 5);     /* 4 */
    (void) take('b', 1);
    (void) take('b', 3);     /* 2 */
    unit_check(ngx_agt_counts_missing(counts) == 3);

    /* 3 of "a" counts as missing again */

    (void) take('c', 1);
    unit_check(take('c', 4) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == 1 + 2 + 3);
    unit_check(!is_used('a', 3) && is_used('a', 5) && is_used('a', 1));

    /* "c" has one already */

    unit_check(take('c', 6) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == 1 + 4 + 3);
    unit_check(!is_used('c', 4) && is_used('c', 6));

    unit_test("a number in the middle of a gap may have to come again");

    unit_check(take('c', 4) == NEW);
    unit_check(ngx_agt_counts_missing(counts) == 1 + 4 + 3);
    unit_check(take('c', 4) == NEW);

    unit_test("reading from the start fills all gaps");

    mark("a:1-5 b:1-3 c:1-6");

    for (i = 1; i <= 6; i++) {
        (void) take('c', i);
        (void) take('a', ngx_min(i, 5));
        (void) take('b', ngx_min(i, 3));
    }

    unit_check(ngx_agt_counts_missing(counts) == 0);
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("one writer alone has one gap");

    begin(1);
    (void) take('a', 10);
    (void) take('a', 12);
    (void) take('a', 15);
    unit_check(ngx_agt_counts_missing(counts) == 4);
    (void) take('a', 8);
    unit_check(ngx_agt_counts_missing(counts) == 6);
    unit_check(is_used('a', 8) && is_used('a', 15) && !is_used('a', 10));
}


/* as a process leaves them that dies between two stores */

static void
test_died(void)
{
    u_char      *before;
    size_t       size;
    ngx_uint_t   i;

    unit_test("a gap of a process that died may stand twice");

    begin(4);
    (void) take('a', 1);
    mark("a:1-1");

    /* it wrote the gap, and not the number behind it */

    size = ngx_agt_counts_size(4);
    before = malloc(size);
    memcpy(before, mem, size);

    (void) take('a', 4);

    for (i = 0; i < size; i++) {
        if (mem[i] == 4 && before[i] == 1) {
            mem[i] = 1;
        }
    }

    unit_check(ngx_agt_counts_missing(counts) == 2);
    unit_check(ngx_agt_counts_read(counts, id('a'), 1) == 1);

    /* the next process reads the same entry again */

    unit_check(take('a', 4) == GAP);
    unit_check(ngx_agt_counts_missing(counts) == 4);
    unit_check(strcmp(lines_of(), "a:1-1") == 0);
    unit_check(take('a', 3) == NEW && take('a', 2) == NEW);
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("a mark ends it, too");

    memcpy(mem, before, size);
    (void) take('a', 4);

    for (i = 0; i < size; i++) {
        if (mem[i] == 4 && before[i] == 1) {
            mem[i] = 1;
        }
    }

    mark("a:5-4");
    unit_check(ngx_agt_counts_whole(counts));

    unit_test("a writer that a gap is left of keeps its place until a mark");

    (void) take('a', 7);
    memcpy(before, mem, size);
    ngx_agt_counts_trimmed(counts, id('a'), 7);

    /* it told the new first, and did not take the gap away */

    for (i = 0; i < size; i++) {
        if (mem[i] == 0 && before[i] == 1) {
            mem[i] = 1;
        }
    }

    unit_check(ngx_agt_counts_missing(counts) == 2);
    ngx_agt_counts_expire(counts, 90000, 1000);
    unit_check(ngx_agt_counts_first(counts, id('a')) == 8);

    mark("a:8-7");
    unit_check(ngx_agt_counts_whole(counts));
    ngx_agt_counts_expire(counts, 90000, 1000);
    unit_check(ngx_agt_counts_first(counts, id('a')) == 0);

    free(before);
}


/*
 * Against a model that remembers each number.  With few writers, gaps are
 * merged, so that more may count as missing; never less.
 */

static void
test_random(void)
{
    uint32_t                 lacks;
    uint64_t                 number, missing;
    ngx_uint_t               n, i, w, places, used, exact, wholes;
    ngx_agt_fleet_line_t     line;
    ngx_agt_counts_number_e  rc;

    static u_char    taken[WRITERS][NUMBERS + 2];
    static uint64_t  first[WRITERS], last[WRITERS];
    static u_char    told[WRITERS];

    unit_test("nothing that is missing is forgotten, in any order");

    wholes = 0;

    for (n = 0; n < 3000; n++) {

        places = 1 + n % WRITERS;
        begin(places * (n % 3 ? 1 : 20));
        exact = (n % 3 == 0);

        memset(taken, 0, sizeof(taken));
        memset(first, 0, sizeof(first));
        memset(last, 0, sizeof(last));
        memset(told, 0, sizeof(told));

        for (i = 0; i < 120; i++) {
            w = stub_below(places);
            number = 1 + stub_below(NUMBERS);

            if (stub_below(4)) {
                number = last[w] + 1 + (stub_below(8) == 0);
                number = ngx_min(number, NUMBERS);
            }

            if (stub_below(12) == 0 && last[w]) {

                /* a mark of a poller that has read more, or less */

                memcpy(line.writer, id((char) ('a' + w)), 16);
                line.last = stub_below(last[w] + 3);
                line.last = ngx_min(line.last, NUMBERS);
                line.first = 1 + stub_below(line.last + 1);

                ngx_agt_counts_mark(counts, &line, 1, id('z'), now, &lacks);

                if (!told[w] || line.first > first[w]) {
                    first[w] = line.first;
                }

                told[w] = 1;
                last[w] = ngx_max(last[w], line.last);
                last[w] = ngx_max(last[w], first[w] - 1);

            } else {
                used = last[w] && number <= last[w]
                       && (number < first[w] ? told[w] : taken[w][number]);

                if (!used || exact) {
                    unit_check(is_used((char) ('a' + w), number) == used);
                }

                rc = take((char) ('a' + w), number);

                if (!used || exact) {
                    unit_check((rc == DUPLICATE) == used);
                }

                if (last[w] == 0) {
                    first[w] = number;
                }

                if (!told[w]) {
                    first[w] = ngx_min(first[w], number);
                }

                last[w] = ngx_max(last[w], number);
                taken[w][number] = 1;
            }

            missing = 0;

            for (w = 0; w < places; w++) {
                for (number = ngx_max(first[w], 1); number <= last[w];
                     number++)
                {
                    missing += !taken[w][number];
                }
            }

            unit_check(ngx_agt_counts_missing(counts) >= missing);
            unit_check(!exact || ngx_agt_counts_missing(counts) == missing);
            unit_check(!missing || !ngx_agt_counts_whole(counts));
            wholes += ngx_agt_counts_whole(counts);
        }

        /* all that stands is read from the start, twice at most */

        for (i = 0; i < 2; i++) {
            for (w = 0; w < places; w++) {
                for (number = ngx_max(first[w], 1); number <= last[w];
                     number++)
                {
                    (void) take((char) ('a' + w), number);
                }
            }
        }

        unit_check(ngx_agt_counts_missing(counts) == 0);
    }

    unit_check(wholes > 1000);
}


/* how long a cold edge takes with many writers is printed */

static void
test_catch_up(void)
{
    u_char      writer[NGX_AGT_FLEET_WRITER_LEN];
    uint64_t    number;
    ngx_uint_t  i;
    clock_t     start;

    unit_test("a hundred writers tell 100,000 numbers");

    begin(NGX_AGT_FLEET_WRITERS);
    memset(writer, 0, sizeof(writer));
    start = clock();

    for (number = 1; number <= 1000; number++) {
        for (i = 0; i < 100; i++) {
            writer[3] = (u_char) i;
            unit_check(ngx_agt_counts_take(counts, writer, number, 1) == NEW);
        }
    }

    unit_check(ngx_agt_counts_missing(counts) == 0);

    printf("# %.0f ms\n", 1000.0 * (double) (clock() - start) / CLOCKS_PER_SEC);
}


static void
begin(ngx_uint_t n)
{
    free(mem);

    mem = malloc(ngx_agt_counts_size(n));
    if (mem == NULL) {
        abort();
    }

    memset(mem, 0xa5, ngx_agt_counts_size(n));

    counts = ngx_agt_counts_init(mem, ngx_agt_counts_size(n));
    now = 0;
}


static ngx_agt_counts_number_e
take(char writer, uint64_t number)
{
    return ngx_agt_counts_take(counts, id(writer), number, now);
}


static ngx_uint_t
is_used(char writer, uint64_t number)
{
    return ngx_agt_counts_is_used(counts, id(writer), number);
}


/* lines as "a:1-3 b:2-2" */

static ngx_uint_t
mark(const char *text)
{
    char                  writer;
    ngx_uint_t            n;
    unsigned long long    first, last;
    uint32_t              lacks;
    ngx_agt_fleet_line_t  lines[8];

    n = 0;

    while (sscanf(text, " %c:%llu-%llu", &writer, &first, &last) == 3) {
        memcpy(lines[n].writer, id(writer), NGX_AGT_FLEET_WRITER_LEN);
        lines[n].first = first;
        lines[n].last = last;
        n++;

        text += strcspn(text + 1, " ") + 1;
    }

    lacks = 0;
    ngx_agt_counts_mark(counts, lines, n, id('z'), now, &lacks);

    return lacks;
}


static const char *
lines_of(void)
{
    int         len;
    ngx_uint_t  i, n;

    static char                  text[1000];
    static ngx_agt_fleet_line_t  lines[NGX_AGT_FLEET_WRITERS];

    n = ngx_agt_counts_lines(counts, lines);
    len = 0;
    text[0] = '\0';

    for (i = 0; i < n; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t) len,
                        "%s%c:%llu-%llu", i ? " " : "",
                        lines[i].writer[15],
                        (unsigned long long) lines[i].first,
                        (unsigned long long) lines[i].last);
    }

    return text;
}


static const u_char *
id(char writer)
{
    static u_char  bytes[NGX_AGT_FLEET_WRITER_LEN];

    bytes[NGX_AGT_FLEET_WRITER_LEN - 1] = (u_char) writer;

    return bytes;
}
