
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/time.h"


typedef struct {
    const u_char  *pos;
    const u_char  *end;
} ngx_agt_time_text_t;


static ngx_int_t ngx_agt_time_date(ngx_agt_time_text_t *t, int64_t *sec);
static ngx_int_t ngx_agt_time_clock(ngx_agt_time_text_t *t, int64_t *clock);
static ngx_int_t ngx_agt_time_zone(ngx_agt_time_text_t *t, int64_t *offset);
static ngx_int_t ngx_agt_time_epoch(ngx_agt_time_text_t *t, int64_t *sec);
static ngx_int_t ngx_agt_time_fraction(
    ngx_agt_time_text_t *t, ngx_uint_t *nonzero);
static ngx_int_t ngx_agt_time_number(
    ngx_agt_time_text_t *t, ngx_uint_t digits);
static ngx_uint_t ngx_agt_time_skip(ngx_agt_time_text_t *t, u_char c);
static int64_t ngx_agt_time_days(int64_t year, int64_t month, int64_t day);
static u_char *ngx_agt_time_print(u_char *p, int64_t value,
    ngx_uint_t digits, u_char last);


#define NGX_AGT_TIME_DAY   86400

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z */
#define NGX_AGT_TIME_MIN   (-62167219200)
#define NGX_AGT_TIME_MAX   253402300799


ngx_int_t
ngx_agt_time_parse(const u_char *p, size_t len, int64_t *sec)
{
    int64_t              value;
    ngx_int_t            rc;
    ngx_agt_time_text_t  t;

    if (len == 0) {
        return NGX_ERROR;
    }

    t.pos = p;
    t.end = p + len;

    if (len > 4 && p[4] == '-') {
        rc = ngx_agt_time_date(&t, &value);

    } else {
        rc = ngx_agt_time_epoch(&t, &value);
    }

    if (rc != NGX_OK || t.pos != t.end) {
        return NGX_ERROR;
    }

    *sec = value;

    return NGX_OK;
}


ngx_int_t
ngx_agt_time_real(double value, int64_t *sec)
{
    int64_t  whole;

    /* 2^63; written so that NaN fails */

    if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) {
        return NGX_ERROR;
    }

    /* a double with a fraction is far from the limits, so this fits */

    whole = (int64_t) value;

    if ((double) whole > value) {
        whole--;
    }

    *sec = whole;

    return NGX_OK;
}


ngx_int_t
ngx_agt_time_format(int64_t sec, u_char *out)
{
    int64_t  days, era, day, year, month;

    if (sec < NGX_AGT_TIME_MIN || sec > NGX_AGT_TIME_MAX) {
        return NGX_ERROR;
    }

    /* count from 400 years earlier, so that no number is negative */

    sec -= NGX_AGT_TIME_MIN;
    sec += (int64_t) 146097 * NGX_AGT_TIME_DAY;

    /* years begin in March, so that the leap day is the last */

    days = sec / NGX_AGT_TIME_DAY - 60;
    sec %= NGX_AGT_TIME_DAY;

    era = days / 146097;
    day = days % 146097;

    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;

    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;

    year += era * 400 - 400 + (month > 9);
    month += (month > 9) ? -9 : 3;

    out = ngx_agt_time_print(out, year, 4, '-');
    out = ngx_agt_time_print(out, month, 2, '-');
    out = ngx_agt_time_print(out, day + 1, 2, 'T');
    out = ngx_agt_time_print(out, sec / 3600, 2, ':');
    out = ngx_agt_time_print(out, sec / 60 % 60, 2, ':');
    (void) ngx_agt_time_print(out, sec % 60, 2, 'Z');

    return NGX_OK;
}


int64_t
ngx_agt_time_add(int64_t a, int64_t b)
{
    int64_t  sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return (b < 0) ? INT64_MIN : INT64_MAX;
    }

    return sum;
}


int64_t
ngx_agt_time_sub(int64_t a, int64_t b)
{
    int64_t  difference;

    if (__builtin_sub_overflow(a, b, &difference)) {
        return (b < 0) ? INT64_MAX : INT64_MIN;
    }

    return difference;
}


static ngx_int_t
ngx_agt_time_date(ngx_agt_time_text_t *t, int64_t *sec)
{
    int64_t     clock, offset;
    ngx_int_t   year, month, day, last;
    ngx_uint_t  nonzero;

    static const u_char  months[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    year = ngx_agt_time_number(t, 4);
    if (year == NGX_ERROR || !ngx_agt_time_skip(t, '-')) {
        return NGX_ERROR;
    }

    month = ngx_agt_time_number(t, 2);
    if (month < 1 || month > 12 || !ngx_agt_time_skip(t, '-')) {
        return NGX_ERROR;
    }

    last = months[month - 1];

    if (month == 2
        && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    {
        last = 29;
    }

    day = ngx_agt_time_number(t, 2);
    if (day < 1 || day > last) {
        return NGX_ERROR;
    }

    if (!ngx_agt_time_skip(t, 'T')
        && !ngx_agt_time_skip(t, 't')
        && !ngx_agt_time_skip(t, ' '))
    {
        return NGX_ERROR;
    }

    if (ngx_agt_time_clock(t, &clock) != NGX_OK
        || ngx_agt_time_fraction(t, &nonzero) != NGX_OK
        || ngx_agt_time_zone(t, &offset) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *sec = ngx_agt_time_days(year, month, day)
           * NGX_AGT_TIME_DAY
           + clock - offset;

    return NGX_OK;
}


static ngx_int_t
ngx_agt_time_clock(ngx_agt_time_text_t *t, int64_t *clock)
{
    ngx_int_t  hour, minute, second;

    hour = ngx_agt_time_number(t, 2);
    if (hour < 0 || hour > 23 || !ngx_agt_time_skip(t, ':')) {
        return NGX_ERROR;
    }

    minute = ngx_agt_time_number(t, 2);
    if (minute < 0 || minute > 59 || !ngx_agt_time_skip(t, ':')) {
        return NGX_ERROR;
    }

    second = ngx_agt_time_number(t, 2);
    if (second < 0 || second > 60) {
        return NGX_ERROR;
    }

    *clock = hour * 3600 + minute * 60 + second;

    return NGX_OK;
}


/* the rest of the text must be a zone: "Z", an offset from UTC, or empty */

static ngx_int_t
ngx_agt_time_zone(ngx_agt_time_text_t *t, int64_t *offset)
{
    ngx_int_t   hour, minute;
    ngx_uint_t  west;

    *offset = 0;

    if (t->pos == t->end
        || ngx_agt_time_skip(t, 'Z')
        || ngx_agt_time_skip(t, 'z'))
    {
        return NGX_OK;
    }

    west = ngx_agt_time_skip(t, '-');

    if (!west && !ngx_agt_time_skip(t, '+')) {
        return NGX_ERROR;
    }

    hour = ngx_agt_time_number(t, 2);
    if (hour < 0 || hour > 23) {
        return NGX_ERROR;
    }

    (void) ngx_agt_time_skip(t, ':');

    minute = ngx_agt_time_number(t, 2);
    if (minute < 0 || minute > 59) {
        return NGX_ERROR;
    }

    *offset = hour * 3600 + minute * 60;

    if (west) {
        *offset = -*offset;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_time_epoch(ngx_agt_time_text_t *t, int64_t *sec)
{
    int64_t        value;
    ngx_uint_t     negative, nonzero;
    const u_char  *start;

    value = 0;
    negative = ngx_agt_time_skip(t, '-');

    /* counted below zero, where there is room for one more */

    for (start = t->pos; t->pos < t->end; t->pos++) {

        if (*t->pos < '0' || *t->pos > '9') {
            break;
        }

        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_sub_overflow(value, *t->pos - '0', &value))
        {
            return NGX_ERROR;
        }
    }

    if (t->pos == start) {
        return NGX_ERROR;
    }

    if (ngx_agt_time_fraction(t, &nonzero) != NGX_OK) {
        return NGX_ERROR;
    }

    if (negative) {

        if (nonzero && __builtin_sub_overflow(value, 1, &value)) {
            return NGX_ERROR;
        }

        *sec = value;

        return NGX_OK;
    }

    return __builtin_sub_overflow(0, value, sec) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_agt_time_fraction(ngx_agt_time_text_t *t, ngx_uint_t *nonzero)
{
    const u_char  *start;

    *nonzero = 0;

    if (!ngx_agt_time_skip(t, '.')) {
        return NGX_OK;
    }

    for (start = t->pos; t->pos < t->end; t->pos++) {

        if (*t->pos < '0' || *t->pos > '9') {
            break;
        }

        if (*t->pos != '0') {
            *nonzero = 1;
        }
    }

    return (t->pos == start) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_agt_time_number(ngx_agt_time_text_t *t, ngx_uint_t digits)
{
    ngx_int_t  value;

    if ((size_t) (t->end - t->pos) < digits) {
        return NGX_ERROR;
    }

    value = 0;

    while (digits--) {

        if (*t->pos < '0' || *t->pos > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*t->pos++ - '0');
    }

    return value;
}


static ngx_uint_t
ngx_agt_time_skip(ngx_agt_time_text_t *t, u_char c)
{
    if (t->pos == t->end || *t->pos != c) {
        return 0;
    }

    t->pos++;

    return 1;
}


/* days from the epoch to a date of the Gregorian calendar */

static int64_t
ngx_agt_time_days(int64_t year, int64_t month, int64_t day)
{
    /* the year begins in March and 400 years earlier, see _format() */

    year += 400;

    if (month < 3) {
        month += 9;
        year--;

    } else {
        month -= 3;
    }

    return year * 365 + year / 4 - year / 100 + year / 400
           + (153 * month + 2) / 5 + day - 1
           - 719468 - 146097;
}


static u_char *
ngx_agt_time_print(u_char *p, int64_t value, ngx_uint_t digits, u_char last)
{
    ngx_uint_t  i;

    for (i = digits; i > 0; i--) {
        p[i - 1] = (u_char) ('0' + value % 10);
        value /= 10;
    }

    p[digits] = last;

    return p + digits + 1;
}
