
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <math.h>
#include <time.h>

#include "unit.h"

#include "token/time.h"


static void test_good(void);
static void test_bad(void);
static void test_truncated(void);
static void test_bytes(void);
static void test_calendar(void);
static void test_format(void);
static void test_real(void);
static void test_arithmetic(void);
static ngx_int_t parse(const char *text, int64_t *sec);


static const struct {
    const char   *text;
    int64_t       sec;
} good[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "1970-01-01T00:00:00.00Z", 0 },
    { "1970-01-01t00:00:00z", 0 },
    { "1970-01-01 00:00:00Z", 0 },
    { "1970-01-01 00:00:00", 0 },
    { "1970-01-01T00:00:00", 0 },
    { "1970-01-01T00:00:00+00:00", 0 },
    { "1970-01-01T00:00:00-00:00", 0 },
    { "1970-01-01T00:00:00+0000", 0 },
    { "1970-01-01T00:00:00.5+0000", 0 },
    { "2002-10-02T10:00:00-05:00", 1033570800 },
    { "2015-07-07T15:49:51.230+02:00", 1436276991 },
    { "2015-07-07T15:49:51.23+02:00", 1436276991 },
    { "2015-07-07T15:49:51.23+0200", 1436276991 },
    { "2021-03-24 10:00:00.123456", 1616580000 },
    { "2021-03-24 10:00:00.123456789012345678901234567890Z", 1616580000 },
    { "1969-12-31T23:59:59Z", -1 },
    { "1969-12-31T23:59:59.9Z", -1 },
    { "2016-12-31T23:59:60Z", 1483228800 },
    { "2016-12-31T23:59:60.5Z", 1483228800 },
    { "2016-12-31T15:59:60-08:00", 1483228800 },
    { "2000-02-29T00:00:00Z", 951782400 },
    { "2024-02-29T23:59:59Z", 1709251199 },
    { "2038-01-19T03:14:08Z", 2147483648LL },
    { "2106-02-07T06:28:16Z", 4294967296LL },
    { "9999-12-31T23:59:59Z", 253402300799LL },
    { "9999-12-31T23:59:60Z", 253402300800LL },
    { "9999-12-31T23:59:59-23:59", 253402387139LL },
    { "0000-01-01T00:00:00Z", -62167219200LL },
    { "0000-01-01T00:00:00+23:59", -62167305540LL },
    { "0000-02-29T00:00:00Z", -62162121600LL },
    { "1970-01-01T00:00:00+23:59", -86340 },
    { "1970-01-01T00:00:00-23:59", 86340 },

    { "0", 0 },
    { "-0", 0 },
    { "007", 7 },
    { "1", 1 },
    { "-1", -1 },
    { "1700000000", 1700000000 },
    { "1700000000.999999", 1700000000 },
    { "0.9", 0 },
    { "-0.0", 0 },
    { "-0.1", -1 },
    { "-1.0", -1 },
    { "-1.5", -2 },
    { "2147483648", 2147483648LL },
    { "4294967296", 4294967296LL },
    { "9007199254740993", 9007199254740993LL },
    { "9223372036854775807", INT64_MAX },
    { "9223372036854775807.9", INT64_MAX },
    { "-9223372036854775807.9", INT64_MIN },
    { "-9223372036854775808", INT64_MIN },
    { "-9223372036854775808.0", INT64_MIN },
    { "000000000000000000000000000000000000000001", 1 },
};


static const char  *bad[] = {
    "", " ", "never", "now", "null", "true", "Z", "-", "+", ".", "-.", ".5",
    "1.", "-1.", "1.5.5", "1e9", "1E9", "0x10", "+1", "--1", "- 1", " 1", "1 ",
    "1\n", "1,5", "NaN", "Infinity", "1_000", "1-2",
    "9223372036854775808", "-9223372036854775809",
    "-9223372036854775808.1", "99999999999999999999999999",

    "1970-01-01", "1970-01-01T", "1970-01-01T00", "1970-01-01T00:00",
    "1970-01-01T00:00Z", "1970-01-01T00:00:0Z", "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00.", "1970-01-01T00:00:00,5Z",
    "1970-01-01  00:00:00Z", "1970-01-01\t00:00:00Z", "1970-01-01_00:00:00Z",
    "1970-01-01T00:00:00 Z", "1970-01-01T00:00:00ZZ", "1970-01-01T00:00:00Z ",
    " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00 +00:00",
    "1970-01-01T00:00:00+00", "1970-01-01T00:00:00+0", "1970-01-01T00:00:00+",
    "1970-01-01T00:00:00+00:", "1970-01-01T00:00:00+00:0",
    "1970-01-01T00:00:00+000", "1970-01-01T00:00:00+00000",
    "1970-01-01T00:00:00+00:000", "1970-01-01T00:00:00+24:00",
    "1970-01-01T00:00:00+00:60", "1970-01-01T00:00:00-24:00",
    "1970-01-01T00:00:00+-1:00", "1970-01-01T00:00:00UTC",
    "1970-01-01T00:00:00GMT", "1970-01-01T00:00:00X",
    "1970-1-1T00:00:00Z", "1970-01-1T00:00:00Z", "70-01-01T00:00:00Z",
    "19700-01-01T00:00:00Z", "-970-01-01T00:00:00Z", "+970-01-01T00:00:00Z",
    "1970/01/01T00:00:00Z", "19700101T000000Z", "1970-01-01T000000Z",
    "1970-00-01T00:00:00Z", "1970-13-01T00:00:00Z", "1970-01-00T00:00:00Z",
    "1970-01-32T00:00:00Z", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z", "2000-02-30T00:00:00Z", "1970-04-31T00:00:00Z",
    "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
    "1970-01-01T-1:00:00Z", "1970-01-01T00:-1:00Z", "1970-01-01T00:00:-1Z",
    "1970-0a-01T00:00:00Z", "1970-01-01T0a:00:00Z",
    "Thu, 01 Jan 1970 00:00:00 GMT", "1970-W01-4T00:00:00Z",
};


int
main(void)
{
    test_good();
    test_bad();
    test_truncated();
    test_bytes();
    test_calendar();
    test_format();
    test_real();
    test_arithmetic();

    return unit_done();
}


static ngx_int_t
parse(const char *text, int64_t *sec)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = unit_str(text);
    rc = ngx_agt_time_parse(copy.data, copy.len, sec);
    free(copy.data);

    return rc;
}


static void
test_good(void)
{
    size_t   i;
    int64_t  sec;

    unit_test("dates of every form give the right instant");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        sec = 42;

        unit_check_note(parse(good[i].text, &sec) == NGX_OK, good[i].text);
        unit_check_note(sec == good[i].sec, good[i].text);
    }
}


static void
test_bad(void)
{
    size_t   i;
    int64_t  sec;

    unit_test("what is not a date is refused and leaves the result alone");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sec = 42;

        unit_check_note(parse(bad[i], &sec) == NGX_ERROR, bad[i]);
        unit_check_note(sec == 42, bad[i]);
    }

    unit_check(ngx_agt_time_parse((const u_char *) "1\0", 2, &sec)
               == NGX_ERROR);
    unit_check(ngx_agt_time_parse(
                   (const u_char *) "1970-01-01T00:00:00Z\0", 21, &sec)
               == NGX_ERROR);
}


static void
test_truncated(void)
{
    size_t      len, zone;
    int64_t     sec;
    ngx_str_t   copy;
    ngx_uint_t  whole;

    static const char  text[] = "2015-07-07T15:49:51.230+02:00";

    unit_test("a date cut short is no date, unless what is left is one");

    zone = sizeof("2015-07-07T15:49:51") - 1;

    for (len = 0; len < sizeof(text); len++) {
        copy = unit_copy(text, len);

        whole = len == sizeof(text) - 1
                || (len > 0 && len < 5) /* an epoch */
                || len == zone          /* no fraction, no zone */
                || (len > zone + 1 && len <= zone + 4);

        unit_check_note((ngx_agt_time_parse(copy.data, len, &sec)
                         == NGX_OK) == whole, text + len);

        free(copy.data);
    }
}


static void
test_bytes(void)
{
    size_t      i;
    u_char      text[] = "2016-12-31T22:59:50.5+01:00";
    int64_t     sec, was;
    ngx_uint_t  c;

    unit_test("each byte value in each place of a date");

    unit_check(ngx_agt_time_parse(text, sizeof(text) - 1, &was) == NGX_OK);

    for (i = 0; i < sizeof(text) - 1; i++) {
        u_char  saved = text[i];

        for (c = 0; c < 256; c++) {
            text[i] = (u_char) c;
            sec = INT64_MIN;

            if (ngx_agt_time_parse(text, sizeof(text) - 1, &sec) != NGX_OK)
            {
                unit_check(sec == INT64_MIN);
                continue;
            }

            /* only digits and what stands for the same may be there */

            unit_check((c >= '0' && c <= '9') || c == saved || c == 't'
                       || c == ' ' || c == '-' || c == '+');
            unit_check(sec > -63000000000LL && sec < 254000000000LL);
        }

        text[i] = saved;
    }
}


static void
test_calendar(void)
{
    char       text[64];
    int64_t    day, sec;
    struct tm  tm;
    time_t     t;

    unit_test("days of ten thousand years agree with the C library");

    for (day = -719528; day <= 2932896; day += 5) {
        t = (time_t) (day * 86400 + day % 86400);

        if (t < -62167219200LL || t > 253402300799LL) {
            continue;
        }

        (void) gmtime_r(&t, &tm);

        (void) snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec);

        if (ngx_agt_time_parse((u_char *) text, strlen(text), &sec)
            != NGX_OK
            || sec != t)
        {
            unit_check_note(0, text);
        }
    }
}


static void
test_format(void)
{
    size_t   i;
    u_char   out[NGX_AGT_TIME_LEN];
    int64_t  sec, back;

    static const struct {
        int64_t      sec;
        const char  *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { -1, "1969-12-31T23:59:59Z" },
        { 951782399, "2000-02-28T23:59:59Z" },
        { 951782400, "2000-02-29T00:00:00Z" },
        { 951868800, "2000-03-01T00:00:00Z" },
        { 1795450819, "2026-11-23T16:20:19Z" },
        { -62167219200LL, "0000-01-01T00:00:00Z" },
        { 253402300799LL, "9999-12-31T23:59:59Z" },
    };

    unit_test("dates are written");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check(ngx_agt_time_format(rows[i].sec, out) == NGX_OK);
        unit_check_note(memcmp(out, rows[i].text, sizeof(out)) == 0,
                        rows[i].text);
    }

    unit_test("what is written is read back");

    for (sec = -62167219200LL; sec <= 253402300799LL; sec += 431999) {
        if (ngx_agt_time_format(sec, out) != NGX_OK
            || ngx_agt_time_parse(out, sizeof(out), &back)
               != NGX_OK
            || back != sec)
        {
            unit_check(back == sec);
        }
    }

    unit_test("dates that have no four-digit year are not written");

    ngx_memset(out, 'x', sizeof(out));

    unit_check(ngx_agt_time_format(-62167219201LL, out) == NGX_ERROR);
    unit_check(ngx_agt_time_format(253402300800LL, out) == NGX_ERROR);
    unit_check(ngx_agt_time_format(INT64_MIN, out) == NGX_ERROR);
    unit_check(ngx_agt_time_format(INT64_MAX, out) == NGX_ERROR);
    unit_check(out[0] == 'x' && out[sizeof(out) - 1] == 'x');
}


static void
test_real(void)
{
    size_t   i;
    int64_t  sec;

    static const struct {
        double   value;
        int64_t  sec;
    } rows[] = {
        { 0.0, 0 }, { -0.0, 0 }, { 0.9, 0 }, { -0.1, -1 }, { -1.0, -1 },
        { -1.5, -2 }, { 1700000000.999, 1700000000 },
        { 4294967296.5, 4294967296LL }, { 9007199254740992.0,
        9007199254740992LL }, { 9.2e18, 9200000000000000000LL },
        { -9223372036854775808.0, INT64_MIN }, { 1e-300, 0 }, { -1e-300, -1 },
    };

    static const double  wrong[] = {
        9223372036854775808.0, -9223372036854777856.0, 1e19, -1e19, 1e308,
        -1e308, (double) INFINITY, (double) -INFINITY, (double) NAN
    };

    unit_test("real numbers are rounded towards the past");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check(ngx_agt_time_real(rows[i].value, &sec) == NGX_OK);
        unit_check(sec == rows[i].sec);
    }

    unit_test("real numbers that do not fit are refused");

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sec = 42;

        unit_check(ngx_agt_time_real(wrong[i], &sec) == NGX_ERROR);
        unit_check(sec == 42);
    }
}


static void
test_arithmetic(void)
{
    unit_test("sums and differences stay at the limits");

    unit_check(ngx_agt_time_add(1, 2) == 3);
    unit_check(ngx_agt_time_add(INT64_MAX, 0) == INT64_MAX);
    unit_check(ngx_agt_time_add(INT64_MAX, 1) == INT64_MAX);
    unit_check(ngx_agt_time_add(INT64_MAX, INT64_MAX) == INT64_MAX);
    unit_check(ngx_agt_time_add(INT64_MIN, -1) == INT64_MIN);
    unit_check(ngx_agt_time_add(INT64_MIN, INT64_MIN) == INT64_MIN);
    unit_check(ngx_agt_time_add(INT64_MIN, INT64_MAX) == -1);
    unit_check(ngx_agt_time_add(-1, INT64_MIN) == INT64_MIN);

    unit_check(ngx_agt_time_sub(3, 2) == 1);
    unit_check(ngx_agt_time_sub(INT64_MIN, 1) == INT64_MIN);
    unit_check(ngx_agt_time_sub(INT64_MAX, -1) == INT64_MAX);
    unit_check(ngx_agt_time_sub(0, INT64_MIN) == INT64_MAX);
    unit_check(ngx_agt_time_sub(-1, INT64_MIN) == INT64_MAX);
    unit_check(ngx_agt_time_sub(INT64_MIN, INT64_MAX) == INT64_MIN);
    unit_check(ngx_agt_time_sub(INT64_MIN, INT64_MIN) == 0);
}
