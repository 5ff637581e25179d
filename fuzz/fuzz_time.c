
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <errno.h>
#include <math.h>
#include <time.h>

#include "fuzz.h"

#include "token/time.h"


static void fuzz_epoch(const char *text, int64_t sec);
static void fuzz_date(const char *text, int64_t sec);
static void fuzz_format(int64_t sec);


void
fuzz_target(const uint8_t *data, size_t size)
{
    char       *text;
    double      value;
    int64_t     sec;
    ngx_int_t   rc;

    if (size >= sizeof(value)) {
        memcpy(&value, data, sizeof(value));

        if (ngx_agt_time_real(value, &sec) == NGX_OK) {
            fuzz_check((double) sec == floor(value));
        }

        memcpy(&sec, data, sizeof(sec));
        fuzz_format(sec % 260000000000LL);
    }

    sec = 42;
    rc = ngx_agt_time_parse(data, size, &sec);

    if (rc != NGX_OK) {
        fuzz_check(rc == NGX_ERROR && sec == 42);
        return;
    }

    fuzz_accepted++;

    text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';

    fuzz_check(strlen(text) == size);

    if (size > 4 && text[4] == '-') {
        fuzz_date(text, sec);

    } else {
        fuzz_epoch(text, sec);
    }

    free(text);

    fuzz_format(sec);
}


static void
fuzz_epoch(const char *text, int64_t sec)
{
    char       *end;
    long long   value;

    errno = 0;
    value = strtoll(text, &end, 10);

    fuzz_check(errno == 0);

    if (*end == '.' && text[0] == '-'
        && strspn(end + 1, "0") != strlen(end + 1))
    {
        value--;
    }

    fuzz_check(sec == value);
}


static void
fuzz_date(const char *text, int64_t sec)
{
    int          hour, minute;
    char         sign;
    struct tm    tm;
    long long    offset;
    const char  *zone;

    memset(&tm, 0, sizeof(tm));

    fuzz_check(sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year,
                      &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
                      &tm.tm_sec) == 6);

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;

    zone = text + 19;

    if (*zone == '.') {
        zone += 1 + strspn(zone + 1, "0123456789");
    }

    offset = 0;

    if (*zone == '+' || *zone == '-') {
        fuzz_check(sscanf(zone, zone[3] == ':' ? "%c%2d:%2d" : "%c%2d%2d",
                          &sign, &hour, &minute) == 3);

        offset = hour * 3600 + minute * 60;
        offset = (sign == '-') ? -offset : offset;
    }

    fuzz_check(sec == (long long) timegm(&tm) - offset);
}


static void
fuzz_format(int64_t sec)
{
    u_char   out[NGX_AGT_TIME_LEN];
    int64_t  back;

    if (ngx_agt_time_format(sec, out) != NGX_OK) {
        fuzz_check(sec < -62167219200LL || sec > 253402300799LL);
        return;
    }

    fuzz_check(ngx_agt_time_parse(out, sizeof(out), &back) == NGX_OK);
    fuzz_check(back == sec);
}
