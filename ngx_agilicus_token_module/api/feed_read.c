
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed_internal.h"
#include "json/body.h"
#include "token/time.h"


/* answers beyond the largest body that a poll puts up with */
#define NGX_AGT_FEED_MAX_TOO_LARGE  64

/* windows that the API has not looked at, and after which a poll asks for no
   more */
#define NGX_AGT_FEED_MAX_OUTSIDE  8


static void ngx_agt_feed_url(ngx_agt_feed_slot_t *slot);
static u_char *ngx_agt_feed_date(u_char *p, int64_t sec);
static void ngx_agt_feed_row(void *data, const ngx_agt_json_row_t *row);
static void ngx_agt_feed_odd(
    ngx_agt_feed_slot_t *slot,
    const ngx_agt_json_row_t *row);
static void ngx_agt_feed_window_done(
    ngx_agt_feed_slot_t *slot, ngx_uint_t too_large);
static ngx_uint_t ngx_agt_feed_hopeless(
    ngx_agt_feed_slot_t *slot, ngx_uint_t too_large);
static void ngx_agt_feed_outside(void);
static int64_t ngx_agt_feed_pivot(ngx_agt_feed_slot_t *slot);
static void ngx_agt_feed_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_feed_adopt(ngx_agt_call_t *call,
    ngx_agt_answer_t *answer);


static const ngx_agt_call_type_t  ngx_agt_feed_list = {
    "revocation feed",
    ngx_agt_feed_read,
    ngx_agt_feed_adopt,
    NULL
};


ngx_int_t
ngx_agt_feed_call(ngx_agt_feed_slot_t *slot, ngx_agt_window_t *window)
{
    u_char                  key[NGX_AGT_DIGEST_LEN];
    ngx_agt_answer_t        answer;
    ngx_agt_feed_worker_t  *f;
    ngx_agt_call_request_t  request;

    f = &ngx_agt_feed;

    slot->window = *window;
    slot->rows = 0;
    slot->nvalues = 0;
    slot->odd = 0;
    slot->asked = 0;
    slot->outside = 0;
    slot->undated = 0;

    ngx_agt_feed_url(slot);

    ngx_memzero(key, sizeof(key));
    ngx_memzero(&request, sizeof(ngx_agt_call_request_t));

    request.type = &ngx_agt_feed_list;
    request.operation = NGX_AGT_OPERATION_LIST;
    request.api = f->conf->api;
    request.origin = slot;
    request.url = slot->url;
    request.bearer = f->conf->api->credential;
    request.connect_timeout = f->conf->connect_timeout;
    request.timeout = f->conf->timeout;
    request.max_body = NGX_AGT_JSON_MAX_LIST;
    request.key = key;

    if (ngx_agt_call_join(&request, &slot->waiter, &answer) != NGX_AGAIN)
    {
        return NGX_ERROR;
    }

    slot->busy = 1;
    f->calls++;

    return NGX_OK;
}


/* API: GET /v1/tokens; a second more on both sides, see window */

static void
ngx_agt_feed_url(ngx_agt_feed_slot_t *slot)
{
    u_char                 *p;
    int64_t                 sec;
    const char             *by;
    ngx_agt_window_t       *window;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;
    window = &slot->window;

    by = (window->by == NGX_AGT_WINDOW_EXP) ? "exp" : "iat";

    p = ngx_sprintf(slot->url.data, "%V?revoked=true&limit=%ui",
                    &f->conf->api->tokens, f->conf->limit);

    if (ngx_agt_window_first(window, &sec)) {
        p = ngx_sprintf(p, "&%s_from=", by);
        p = ngx_agt_feed_date(p, sec);
    }

    if (ngx_agt_window_last(window, &sec)) {
        p = ngx_sprintf(p, "&%s_to=", by);
        p = ngx_agt_feed_date(p, sec);
    }

    *p = '\0';
    slot->url.len = p - slot->url.data;
}


static u_char *
ngx_agt_feed_date(u_char *p, int64_t sec)
{
    u_char      date[NGX_AGT_TIME_LEN];
    ngx_uint_t  i;

    (void) ngx_agt_time_format(sec, date);

    for (i = 0; i < sizeof(date); i++) {
        if (date[i] == ':') {
            p = ngx_cpymem(p, "%3A", 3);

        } else {
            *p++ = date[i];
        }
    }

    return p;
}


static void
ngx_agt_feed_read(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_uint_t            n, limit;
    ngx_agt_feed_slot_t  *slot;

    if (answer->class != NGX_AGT_CLASS_NONE) {
        return;
    }

    slot = (ngx_agt_feed_slot_t *) call->origin;

    if (ngx_agt_json_list(result->body.data, result->body.len,
                          ngx_agt_feed_row, slot, &n,
                          &limit)
        != NGX_OK)
    {
        result->message = "answer is not a list of tokens";
        return;
    }

    /* it may give fewer than it is asked for */

    slot->rows = n;
    slot->limit = ngx_min(limit, ngx_agt_feed.conf->limit);

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
}


/* denials count as they come; whether they are all is decided at the end */

static void
ngx_agt_feed_row(void *data, const ngx_agt_json_row_t *row)
{
    ngx_agt_feed_slot_t *slot = data;

    int64_t                    until, value;
    ngx_int_t                  rc;
    ngx_uint_t                 by_exp;
    ngx_agt_clock_t            now;
    ngx_agt_denial_args_t      args;
    ngx_agt_feed_worker_t     *f;
    const ngx_agt_api_conf_t  *conf;

    f = &ngx_agt_feed;
    conf = ngx_agt_call_conf();

    if (row->wrong) {
        ngx_agt_feed_odd(slot, row);
        return;
    }

    by_exp = (slot->window.by == NGX_AGT_WINDOW_EXP);
    value = by_exp ? row->exp : row->iat;

    if (by_exp ? row->has_exp : row->has_iat) {

        if (ngx_agt_window_asked(&slot->window, value)) {
            slot->asked = 1;

        } else {
            slot->outside = 1;
        }

        if (value >= slot->window.from && value <= slot->window.to
            && slot->nvalues < NGX_AGT_FEED_MAX_LIMIT)
        {
            slot->values[slot->nvalues++] = value;
        }
    }

    if (!row->has_exp && !row->has_iat) {
        slot->undated = 1;
    }

    if (!row->revoked) {
        return;
    }

    ngx_agt_zone_now(&now);

    until = now.wall + conf->revocation_ttl;

    if (row->has_exp) {
        until = ngx_agt_time_add(row->exp, conf->max_leeway + 1);

        if (until <= now.wall) {
            return;
        }
    }

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.api = f->conf->api->digest;
    args.kind = NGX_AGT_DENIAL_JTI;
    args.source = NGX_AGT_DENIED_BY_FEED;
    args.value = row->jti;
    args.until = until;

    rc = ngx_agt_denials_add(f->denials, &args, &now);

    if (rc == NGX_OK || rc == NGX_BUSY) {
        f->denied++;
    }
}


/*
 * What a row names that cannot be read is not known: all others count, and
 * they are not all.  One line for each poll.
 */

static void
ngx_agt_feed_odd(ngx_agt_feed_slot_t *slot, const ngx_agt_json_row_t *row)
{
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    slot->odd = 1;

    if (f->said_odd == f->start) {
        return;
    }

    f->said_odd = f->start;

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "agilicus token: row %ui of the list of revoked tokens "
                  "cannot be read and denies nothing: %s, Tokens API \"%V\"",
                  row->number, row->wrong, &f->conf->api->url);
}


static ngx_int_t
ngx_agt_feed_adopt(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    return NGX_DECLINED;
}


void
ngx_agt_feed_done(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_feed_slot_t *slot = data;

    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    slot->busy = 0;

    if (f->polling) {

        if (answer->class == NGX_AGT_CLASS_ACTIVE) {
            ngx_agt_feed_window_done(slot, 0);

        } else if (answer->too_large) {
            ngx_agt_feed_window_done(slot, 1);

        } else {
            f->failed = 1;
        }

        ngx_agt_feed_next();
    }
}


static void
ngx_agt_feed_window_done(ngx_agt_feed_slot_t *slot, ngx_uint_t too_large)
{
    int64_t                 pivot;
    ngx_uint_t              i;
    ngx_agt_window_t       *window;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    /* splitting others has moved it */

    window = NULL;

    for (i = 0; i < f->windows.n; i++) {
        window = &f->windows.windows[i];

        if (window->out && window->by == slot->window.by
            && window->from == slot->window.from)
        {
            break;
        }
    }

    if (i == f->windows.n) {
        f->failed = 1;
        return;
    }

    window->out = 0;

    if (slot->odd) {
        f->truncated++;
    }

    if (!too_large && slot->rows < slot->limit) {
        window->done = 1;
        window->rows = slot->rows;
        f->rows += slot->rows;
        return;
    }

    /* as many rows as there can be: there may be more */

    pivot = too_large ? window->from : ngx_agt_feed_pivot(slot);

    if (ngx_agt_feed_hopeless(slot, too_large)
        || ngx_agt_windows_split(&f->windows, i, pivot, ngx_time())
           != NGX_OK)
    {
        window->done = 1;
        window->rows = slot->rows;
        f->rows += slot->rows;
        f->truncated++;
    }
}


/*
 * 1 where smaller windows would not help: the API does not look at what it is
 * asked for, or sends too much whatever it is; or a row has neither date, so
 * that only the window without ends has it.
 */

static ngx_uint_t
ngx_agt_feed_hopeless(ngx_agt_feed_slot_t *slot, ngx_uint_t too_large)
{
    if (too_large) {
        return ++ngx_agt_feed.too_large > NGX_AGT_FEED_MAX_TOO_LARGE;
    }

    if (slot->outside) {
        ngx_agt_feed_outside();
        return 1;
    }

    return !slot->asked || slot->undated;
}


/*
 * The same rows come whatever window is asked for.  Other windows may find
 * some that are not among these, so the poll goes on for a few of them, and the
 * next one begins with few.  One line until a poll is complete.
 */

static void
ngx_agt_feed_outside(void)
{
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    if (++f->outside > NGX_AGT_FEED_MAX_OUTSIDE) {
        f->known = 0;
    }

    if (f->said_outside) {
        return;
    }

    f->said_outside = 1;

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "agilicus token: rows outside of the window of time that "
                  "was asked for are in the list of revoked tokens, which "
                  "cannot be read whole while such windows are ignored, "
                  "Tokens API \"%V\"", &f->conf->api->url);
}


/* the median of what came, so that both halves have some of it */

static int64_t
ngx_agt_feed_pivot(ngx_agt_feed_slot_t *slot)
{
    int64_t     value;
    ngx_uint_t  i, j;

    if (slot->nvalues == 0) {
        return slot->window.from;
    }

    for (i = 1; i < slot->nvalues; i++) {
        value = slot->values[i];

        for (j = i; j > 0 && slot->values[j - 1] > value; j--) {
            slot->values[j] = slot->values[j - 1];
        }

        slot->values[j] = value;
    }

    for (i = slot->nvalues / 2; i < slot->nvalues; i++) {
        if (slot->values[i] > slot->window.from) {
            return slot->values[i];
        }
    }

    /* all in the first second, which then stands alone */

    return slot->window.from + 1;
}
