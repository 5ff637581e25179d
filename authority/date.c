/*
 * Dates and durations.
 */

#include "date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


typedef struct {
    const char  *p;
    const char  *end;
} ag_cursor_t;


typedef struct {
    int64_t  year, month, day;
    int64_t  hour, minute, second;
} ag_civil_t;


static int ag_date_epoch(const char *text, size_t len, int64_t *seconds);
static int ag_date_day(ag_cursor_t *cur, ag_civil_t *civil);
static int ag_date_time(ag_cursor_t *cur, ag_civil_t *civil, int64_t *up);
static int ag_date_zone(ag_cursor_t *cur, int64_t *offset);
static bool ag_date_number(ag_cursor_t *cur, int digits, int64_t min,
    int64_t max, int64_t *value);
static bool ag_date_char(ag_cursor_t *cur, const char *set);
static int64_t ag_date_days_in_month(int64_t year, int64_t month);
static int64_t ag_date_days_from_civil(int64_t year, int64_t month,
    int64_t day);
static void ag_date_civil_from_seconds(int64_t seconds, ag_civil_t *civil);


int64_t
ag_date_now(void)
{
    return (int64_t) time(NULL);
}


int
ag_date_parse(const char *text, size_t len, int64_t *seconds)
{
    int64_t      up, offset;
    ag_civil_t   civil;
    ag_cursor_t  cur;

    if (len > 0 && strspn(text, "0123456789") >= len) {
        return ag_date_epoch(text, len, seconds);
    }

    cur.p = text;
    cur.end = text + len;
    up = 0;
    offset = 0;

    memset(&civil, 0, sizeof(ag_civil_t));

    if (ag_date_day(&cur, &civil) != AG_OK) {
        return AG_MALFORMED;
    }

    if (cur.p < cur.end
        && (ag_date_time(&cur, &civil, &up) != AG_OK
            || ag_date_zone(&cur, &offset) != AG_OK
            || cur.p != cur.end))
    {
        return AG_MALFORMED;
    }

    *seconds = ag_date_days_from_civil(civil.year, civil.month, civil.day)
               * 86400
               + civil.hour * 3600 + civil.minute * 60 + civil.second
               + up - offset;

    return AG_OK;
}


static int
ag_date_epoch(const char *text, size_t len, int64_t *seconds)
{
    size_t  i;

    if (len > 12) {
        return AG_MALFORMED;
    }

    *seconds = 0;

    for (i = 0; i < len; i++) {
        *seconds = *seconds * 10 + (text[i] - '0');
    }

    return AG_OK;
}


static int
ag_date_day(ag_cursor_t *cur, ag_civil_t *civil)
{
    if (!ag_date_number(cur, 4, 1, 9999, &civil->year)
        || !ag_date_char(cur, "-")
        || !ag_date_number(cur, 2, 1, 12, &civil->month)
        || !ag_date_char(cur, "-")
        || !ag_date_number(cur, 2, 1, 31, &civil->day)
        || civil->day > ag_date_days_in_month(civil->year, civil->month))
    {
        return AG_MALFORMED;
    }

    return AG_OK;
}


static int
ag_date_time(ag_cursor_t *cur, ag_civil_t *civil, int64_t *up)
{
    const char  *start;

    if (!ag_date_char(cur, "Tt ")
        || !ag_date_number(cur, 2, 0, 23, &civil->hour)
        || !ag_date_char(cur, ":")
        || !ag_date_number(cur, 2, 0, 59, &civil->minute))
    {
        return AG_MALFORMED;
    }

    if (!ag_date_char(cur, ":")) {
        return AG_OK;
    }

    /* 60 is a leap second; it counts as the second that follows */

    if (!ag_date_number(cur, 2, 0, 60, &civil->second)) {
        return AG_MALFORMED;
    }

    if (!ag_date_char(cur, ".,")) {
        return AG_OK;
    }

    for (start = cur->p; cur->p < cur->end; cur->p++) {
        if (*cur->p < '0' || *cur->p > '9') {
            break;
        }

        *up |= (*cur->p != '0');
    }

    return cur->p > start ? AG_OK : AG_MALFORMED;
}


static int
ag_date_zone(ag_cursor_t *cur, int64_t *offset)
{
    int64_t  hours, minutes, sign;

    if (cur->p == cur->end || ag_date_char(cur, "Zz")) {
        return AG_OK;
    }

    sign = (*cur->p == '-') ? -1 : 1;
    minutes = 0;

    if (!ag_date_char(cur, "+-") || !ag_date_number(cur, 2, 0, 23, &hours)) {
        return AG_MALFORMED;
    }

    if (cur->p < cur->end) {
        (void) ag_date_char(cur, ":");

        if (!ag_date_number(cur, 2, 0, 59, &minutes)) {
            return AG_MALFORMED;
        }
    }

    *offset = sign * (hours * 3600 + minutes * 60);

    return AG_OK;
}


static bool
ag_date_number(ag_cursor_t *cur, int digits, int64_t min, int64_t max,
    int64_t *value)
{
    int64_t  n;

    if (cur->end - cur->p < digits) {
        return false;
    }

    for (n = 0; digits; digits--, cur->p++) {
        if (*cur->p < '0' || *cur->p > '9') {
            return false;
        }

        n = n * 10 + (*cur->p - '0');
    }

    *value = n;

    return n >= min && n <= max;
}


static bool
ag_date_char(ag_cursor_t *cur, const char *set)
{
    if (cur->p == cur->end || *cur->p == '\0' || !strchr(set, *cur->p)) {
        return false;
    }

    cur->p++;

    return true;
}


static int64_t
ag_date_days_in_month(int64_t year, int64_t month)
{
    static const int64_t  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (month == 2
        && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    {
        return 29;
    }

    return days[month - 1];
}


/* proleptic Gregorian calendar, years counted from March */

static int64_t
ag_date_days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t  era, yoe, doy;

    year -= (month <= 2);
    era = year / 400;
    yoe = year - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}


static void
ag_date_civil_from_seconds(int64_t seconds, ag_civil_t *civil)
{
    time_t     when;
    struct tm  tm;

    when = (time_t) seconds;

    memset(&tm, 0, sizeof(struct tm));
    (void) gmtime_r(&when, &tm);

    civil->year = (int64_t) tm.tm_year + 1900;
    civil->month = tm.tm_mon + 1;
    civil->day = tm.tm_mday;
    civil->hour = tm.tm_hour;
    civil->minute = tm.tm_min;
    civil->second = tm.tm_sec;
}


void
ag_date_render(ag_text_t *text, int64_t seconds, ag_date_format_e format)
{
    char        date[80];
    ag_civil_t  civil;

    if (format == AG_DATE_NUMBER) {
        ag_text_number(text, seconds);
        return;
    }

    if (format == AG_DATE_EPOCH) {
        ag_text_raw(text, "\"");
        ag_text_number(text, seconds);
        ag_text_raw(text, "\"");
        return;
    }

    ag_date_civil_from_seconds(seconds, &civil);

    snprintf(date, sizeof(date), "\"%04d-%02d-%02d%c%02d:%02d:%02d%s\"",
             (int) civil.year, (int) civil.month, (int) civil.day,
             format == AG_DATE_PYTHON ? ' ' : 'T',
             (int) civil.hour, (int) civil.minute, (int) civil.second,
             format == AG_DATE_PYTHON ? "" : "Z");

    ag_text_raw(text, date);
}


json_t *
ag_date_json(int64_t seconds)
{
    json_t     *value;
    ag_text_t   text;

    memset(&text, 0, sizeof(ag_text_t));

    ag_date_render(&text, seconds, AG_DATE_RFC3339);

    value = text.failed ? NULL : json_loads(text.data, JSON_DECODE_ANY, NULL);

    ag_text_free(&text);

    return value;
}


int
ag_date_duration(const char *text, int64_t *milliseconds)
{
    size_t       i;
    int64_t      n;
    const char  *p;

    static const struct {
        const char  *unit;
        int64_t      factor;
    } units[] = {
        { "",   1000 },
        { "ms", 1 },
        { "s",  1000 },
        { "m",  60 * 1000 },
        { "h",  3600 * 1000 },
        { "d",  86400 * 1000 }
    };

    n = 0;

    for (p = text; *p >= '0' && *p <= '9'; p++) {
        if (p - text == 12) {
            return AG_MALFORMED;
        }

        n = n * 10 + (*p - '0');
    }

    if (p == text) {
        return AG_MALFORMED;
    }

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(p, units[i].unit) == 0) {
            *milliseconds = n * units[i].factor;

            return *milliseconds <= (int64_t) AG_DURATION_MAX * 1000
                   ? AG_OK : AG_MALFORMED;
        }
    }

    return AG_MALFORMED;
}
