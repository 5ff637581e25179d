
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_WINDOW_H_INCLUDED_
#define _NGX_AGT_API_WINDOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Windows of time, by which the module reads the API's list of tokens: the list
 * gives no more than a number of rows at once and has no cursor.  Together the
 * windows cover all of time, and a window that gives the most rows is split
 * until none does.  These functions are pure.
 *
 * It is not documented whether the API's ends are inclusive, so the API is
 * asked for a second more on both sides of a window; rows that come twice do no
 * harm.
 */

/* most windows; a poll of more would take too long */
#define NGX_AGT_WINDOW_MAX   4096

/* the last second that a date of the API can say: tokens that never expire
   have none */
#define NGX_AGT_WINDOW_LAST  253402300799

#define NGX_AGT_WINDOW_PAST    INT64_MIN
#define NGX_AGT_WINDOW_FUTURE  INT64_MAX


/* the date of a token that a window's times stand for */

typedef enum {
    NGX_AGT_WINDOW_EXP = 0,
    NGX_AGT_WINDOW_IAT
} ngx_agt_window_e;


typedef struct {
    ngx_agt_window_e  by;
    int64_t           from;    /* seconds since the epoch */
    int64_t           to;      /* both are in the window */
    ngx_uint_t        rows;    /* of the last poll */
    unsigned          done:1;  /* in this poll */
    unsigned          out:1;   /* a call is under way */
} ngx_agt_window_t;


typedef struct {
    ngx_agt_window_t  *windows; /* by kind, then in order */
    ngx_uint_t         n;
} ngx_agt_windows_t;


/*
 * Sets up two windows that cover everything: tokens that expire from "floor"
 * on, and tokens issued at any time.  "windows" has room for
 * NGX_AGT_WINDOW_MAX.
 */
void ngx_agt_windows_init(ngx_agt_windows_t *w, int64_t floor);

/*
 * Prepares another poll: removes windows of tokens that expired before "floor",
 * joins neighbours with few rows, and marks all windows as not done.  "limit"
 * is the most rows that a window can give.
 */
void ngx_agt_windows_again(ngx_agt_windows_t *w,
    int64_t floor, ngx_uint_t limit);

/*
 * Splits window number "i" at "pivot", the first second of the second half, or
 * in the middle of its time where "pivot" does not lie in it.  Neither half is
 * done.  NGX_DECLINED where it is a single second, or there are too many
 * windows.
 */
ngx_int_t ngx_agt_windows_split(ngx_agt_windows_t *w,
    ngx_uint_t i, int64_t pivot, int64_t now);

/*
 * Set "*sec" to the first and the last second that the API is asked for in
 * "window": one second outside the window's own, but within the dates that the
 * API can write.  Return 1 if there is such an end, or 0 where the window is
 * open.
 */
ngx_uint_t ngx_agt_window_first(const ngx_agt_window_t *window, int64_t *sec);
ngx_uint_t ngx_agt_window_last(const ngx_agt_window_t *window, int64_t *sec);

/*
 * Returns 1 if the API was asked for "value", a time of the window's kind, else
 * 0.  An API has no reason to give a row with another time.
 */
ngx_uint_t ngx_agt_window_asked(const ngx_agt_window_t *window, int64_t value);

/*
 * Checks that the windows of each kind follow each other without a gap, from
 * "floor" (exp) or the past (iat) to the future.  Returns 1 if so.
 */
ngx_uint_t ngx_agt_windows_whole(const ngx_agt_windows_t *w, int64_t floor);


#endif /* _NGX_AGT_API_WINDOW_H_INCLUDED_ */
