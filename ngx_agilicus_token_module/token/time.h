
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_TIME_H_INCLUDED_
#define _NGX_AGT_TOKEN_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* "2026-11-23T16:20:19Z" */
#define NGX_AGT_TIME_LEN  20


/*
 * Reads a date of the Tokens API into seconds since the epoch.  Taken are:
 *
 *     RFC 3339 with "T", "t" or one space between date and time, an optional
 *     fraction of any length (dropped: towards the past), and "Z", "z",
 *     +hh:mm, -hh:mm, +hhmm, -hhmm, or no zone, which means UTC; "-00:00" is
 *     UTC; second 60 is the first of the next minute
 *
 *     an epoch as digits, with an optional "-" and an optional fraction
 *
 * The whole string must be read; no white space around it.  Returns NGX_OK, or
 * NGX_ERROR where it is not a date or not a date that exists: "*sec" is then
 * untouched.  An epoch too large for 64 bits is NGX_ERROR.
 */
ngx_int_t ngx_agt_time_parse(const u_char *p, size_t len, int64_t *sec);

/*
 * Reads an epoch that JSON gave as a real number, rounding towards the past.
 * Returns NGX_OK, or NGX_ERROR where the number is not finite or does not fit
 * 64 bits.
 */
ngx_int_t ngx_agt_time_real(double value, int64_t *sec);

/*
 * Writes "sec" as RFC 3339 in UTC to "out" (NGX_AGT_TIME_LEN bytes, not
 * terminated).  Returns NGX_OK, or NGX_ERROR, with "out" untouched, outside the
 * years 0 to 9999.
 */
ngx_int_t ngx_agt_time_format(int64_t sec, u_char *out);

/*
 * a + b and a - b that stay at INT64_MAX and INT64_MIN in place of wrapping.
 */
int64_t ngx_agt_time_add(int64_t a, int64_t b);
int64_t ngx_agt_time_sub(int64_t a, int64_t b);


#endif /* _NGX_AGT_TOKEN_TIME_H_INCLUDED_ */
