
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/window.h"
#include "token/time.h"


/* seconds from which the middle of an open window is computed */
#define NGX_AGT_WINDOW_STEP  86400


static int64_t ngx_agt_window_middle(
    const ngx_agt_window_t *window, int64_t now);
static int64_t ngx_agt_window_date(int64_t sec);


void
ngx_agt_windows_init(ngx_agt_windows_t *w, int64_t floor)
{
    ngx_memzero(w->windows, 2 * sizeof(ngx_agt_window_t));

    w->windows[0].by = NGX_AGT_WINDOW_EXP;
    w->windows[0].from = floor;
    w->windows[0].to = NGX_AGT_WINDOW_FUTURE;

    w->windows[1].by = NGX_AGT_WINDOW_IAT;
    w->windows[1].from = NGX_AGT_WINDOW_PAST;
    w->windows[1].to = NGX_AGT_WINDOW_FUTURE;

    w->n = 2;
}


void
ngx_agt_windows_again(ngx_agt_windows_t *w, int64_t floor, ngx_uint_t limit)
{
    ngx_uint_t         i, n;
    ngx_agt_window_t  *window, *last;

    n = 0;

    for (i = 0; i < w->n; i++) {
        window = &w->windows[i];

        if (window->by == NGX_AGT_WINDOW_EXP) {

            if (window->to < floor) {
                continue;
            }

            /*
             * A token issued since then may expire earlier, or the clock was
             * set back.
             */

            if (n == 0) {
                window->from = floor;
            }
        }

        last = n ? &w->windows[n - 1] : NULL;

        if (last && last->by == window->by
            && last->rows + window->rows < limit / 2)
        {
            last->to = window->to;
            last->rows += window->rows;

        } else {
            w->windows[n] = *window;
            n++;
        }

        w->windows[n - 1].done = 0;
        w->windows[n - 1].out = 0;
    }

    w->n = n;
}


ngx_int_t
ngx_agt_windows_split(ngx_agt_windows_t *w,
    ngx_uint_t i, int64_t pivot, int64_t now)
{
    ngx_agt_window_t  *window;

    window = &w->windows[i];

    if (window->from == window->to || w->n == NGX_AGT_WINDOW_MAX) {
        return NGX_DECLINED;
    }

    if (pivot <= window->from || pivot > window->to) {
        pivot = ngx_agt_window_middle(window, now);
    }

    ngx_memmove(window + 2, window + 1,
                (w->n - i - 1) * sizeof(ngx_agt_window_t));
    w->n++;

    window[1] = window[0];

    window[0].to = pivot - 1;
    window[1].from = pivot;

    window[0].done = 0;
    window[1].done = 0;
    window[0].out = 0;
    window[1].out = 0;
    window[0].rows = 0;
    window[1].rows = 0;

    return NGX_OK;
}


/* the far end of an open window is twice as far from now as the other end */

static int64_t
ngx_agt_window_middle(const ngx_agt_window_t *window, int64_t now)
{
    int64_t   from, to, far;
    uint64_t  seconds;

    from = window->from;
    to = window->to;

    if (from == NGX_AGT_WINDOW_PAST && to == NGX_AGT_WINDOW_FUTURE)
    {
        return ngx_max(now, NGX_AGT_WINDOW_PAST + 1);
    }

    /* times come from outside, so sums stop at the limits of int64_t */

    if (from == NGX_AGT_WINDOW_PAST) {
        far = ngx_max(ngx_agt_time_sub(now, to), 0);
        far = ngx_agt_time_add(far, far);

        from = ngx_agt_time_sub(to, far);
        from = ngx_agt_time_sub(from, NGX_AGT_WINDOW_STEP);

    } else if (to == NGX_AGT_WINDOW_FUTURE) {
        far = ngx_max(ngx_agt_time_sub(from, now), 0);
        far = ngx_agt_time_add(far, far);

        to = ngx_agt_time_add(from, far);
        to = ngx_agt_time_add(to, NGX_AGT_WINDOW_STEP);
    }

    /* never the first second: the first half would be empty */

    seconds = (uint64_t) to - (uint64_t) from;

    return (int64_t) ((uint64_t) from + seconds / 2 + seconds % 2);
}


ngx_uint_t
ngx_agt_windows_whole(const ngx_agt_windows_t *w, int64_t floor)
{
    int64_t                  next;
    ngx_uint_t               i, by;
    const ngx_agt_window_t  *window;

    i = 0;

    for (by = NGX_AGT_WINDOW_EXP; by <= NGX_AGT_WINDOW_IAT; by++)
    {
        next = (by == NGX_AGT_WINDOW_EXP) ? floor : NGX_AGT_WINDOW_PAST;

        for ( ;; ) {

            if (i == w->n) {
                return 0;
            }

            window = &w->windows[i++];

            if (window->by != by || window->from != next
                || window->to < window->from)
            {
                return 0;
            }

            if (window->to == NGX_AGT_WINDOW_FUTURE) {
                break;
            }

            next = window->to + 1;
        }
    }

    return i == w->n;
}


ngx_uint_t
ngx_agt_window_first(const ngx_agt_window_t *window, int64_t *sec)
{
    if (window->from == NGX_AGT_WINDOW_PAST) {
        return 0;
    }

    *sec = ngx_agt_window_date(window->from - 1);

    return 1;
}


ngx_uint_t
ngx_agt_window_last(const ngx_agt_window_t *window, int64_t *sec)
{
    if (window->to != NGX_AGT_WINDOW_FUTURE) {
        *sec = ngx_agt_window_date(window->to + 1);
        return 1;
    }

    /* says that a token must expire at all */

    *sec = NGX_AGT_WINDOW_LAST;

    return window->by == NGX_AGT_WINDOW_EXP;
}


static int64_t
ngx_agt_window_date(int64_t sec)
{
    return ngx_max(ngx_min(sec, NGX_AGT_WINDOW_LAST), 0);
}


ngx_uint_t
ngx_agt_window_asked(const ngx_agt_window_t *window, int64_t value)
{
    int64_t  sec;

    if (ngx_agt_window_first(window, &sec) && value < sec) {
        return 0;
    }

    return !ngx_agt_window_last(window, &sec) || value <= sec
           || sec == NGX_AGT_WINDOW_LAST;
}
