
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_feed.h"
#include "ngx_agilicus_token_json_body.h"
#include "ngx_agilicus_token_time.h"
#include "ngx_agilicus_token_window.h"


/* calls at once */
#define NGX_AGILICUS_TOKEN_FEED_CALLS   4

/* milliseconds between two looks at the lease, and for which it is taken */
#define NGX_AGILICUS_TOKEN_FEED_TICK    500
#define NGX_AGILICUS_TOKEN_FEED_LEASE   3000

/* seconds by which the API's clock may be ahead of ours */
#define NGX_AGILICUS_TOKEN_FEED_MARGIN  3600

/* the longest URL's query */
#define NGX_AGILICUS_TOKEN_FEED_QUERY_LEN                                    \
    (sizeof("?revoked=true&limit=100&exp_from=2026-11-23T16%3A20%3A19Z"      \
            "&exp_to=2026-11-23T16%3A20%3A19Z"))

/* the last second that a date of the API can say: tokens that never expire
   have none */
#define NGX_AGILICUS_TOKEN_FEED_LAST_EXP  253402300799


/* a call for a window */

typedef struct {
    ngx_agilicus_token_waiter_t    waiter;
    ngx_str_t                      url;
    ngx_agilicus_token_window_t    window;
    ngx_uint_t                     rows;
    int64_t                        pivot;
    int64_t                        values[NGX_AGILICUS_TOKEN_FEED_MAX_LIMIT];
    ngx_uint_t                     nvalues;
    unsigned                       busy:1;
} ngx_agilicus_token_feed_slot_t;


typedef struct {
    const ngx_agilicus_token_feed_conf_t  *conf;
    ngx_agilicus_token_zone_t             *first;
    ngx_event_t                            tick;
    ngx_connection_t                       dummy;
    ngx_log_t                             *log;

    ngx_agilicus_token_windows_t           windows;
    ngx_agilicus_token_feed_slot_t         slots[NGX_AGILICUS_TOKEN_FEED_CALLS];

    int64_t                                floor;
    uint64_t                               start;     /* of this poll, ms */
    uint64_t                               next;      /* of the next one, ms */
    ngx_uint_t                             rows;
    ngx_uint_t                             truncated;

    unsigned                               known:1;   /* windows are */
    unsigned                               polling:1;
    unsigned                               failed:1;
} ngx_agilicus_token_feed_worker_t;


static void ngx_agilicus_token_feed_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agilicus_token_feed_lease(void);
static void ngx_agilicus_token_feed_release(void);
static void ngx_agilicus_token_feed_poll(void);
static void ngx_agilicus_token_feed_next(void);
static ngx_int_t ngx_agilicus_token_feed_call(
    ngx_agilicus_token_feed_slot_t *slot,
    ngx_agilicus_token_window_t *window);
static void ngx_agilicus_token_feed_url(ngx_agilicus_token_feed_slot_t *slot);
static u_char *ngx_agilicus_token_feed_date(u_char *p, int64_t sec);
static void ngx_agilicus_token_feed_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_feed_row(void *data,
    const ngx_agilicus_token_json_row_t *row);
static ngx_int_t ngx_agilicus_token_feed_adopt(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_feed_done(void *data,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_feed_window_done(
    ngx_agilicus_token_feed_slot_t *slot, ngx_uint_t too_large);
static int64_t ngx_agilicus_token_feed_pivot(
    ngx_agilicus_token_feed_slot_t *slot);
static void ngx_agilicus_token_feed_end(void);
static void ngx_agilicus_token_feed_say(void);


static const ngx_agilicus_token_call_type_t  ngx_agilicus_token_feed_list = {
    "revocation feed",
    ngx_agilicus_token_feed_read,
    ngx_agilicus_token_feed_adopt,
    NULL
};


static ngx_agilicus_token_feed_worker_t  ngx_agilicus_token_feed;


void
ngx_agilicus_token_feed_configure(ngx_agilicus_token_zone_t *first,
    const ngx_agilicus_token_feed_conf_t *conf)
{
    ngx_agilicus_token_feed_state_t  *feed;

    feed = &first->sh->feed;

    ngx_agilicus_token_zone_lock(first);

    if (conf->api == NULL) {
        ngx_memzero(feed, sizeof(ngx_agilicus_token_feed_state_t));

    } else {

        if (ngx_memcmp(feed->api, conf->api->digest,
                       NGX_AGILICUS_TOKEN_DIGEST_LEN)
            != 0)
        {
            /* what was polled elsewhere says nothing of this API */

            ngx_memzero(feed, sizeof(ngx_agilicus_token_feed_state_t));
            ngx_memcpy(feed->api, conf->api->digest,
                       NGX_AGILICUS_TOKEN_DIGEST_LEN);
        }

        feed->interval = conf->interval;
    }

    ngx_agilicus_token_zone_unlock(first);
}


ngx_int_t
ngx_agilicus_token_feed_init(const ngx_agilicus_token_feed_conf_t *conf,
    ngx_log_t *log)
{
    size_t                             len;
    ngx_uint_t                         i;
    ngx_agilicus_token_feed_slot_t    *slot;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    ngx_memzero(f, sizeof(ngx_agilicus_token_feed_worker_t));

    if (conf->api == NULL) {
        return NGX_OK;
    }

    f->first = ngx_agilicus_token_call_conf()->first;
    f->log = log;

    f->windows.windows = ngx_alloc(NGX_AGILICUS_TOKEN_WINDOW_MAX
                                   * sizeof(ngx_agilicus_token_window_t),
                                   log);
    if (f->windows.windows == NULL) {
        return NGX_ERROR;
    }

    len = conf->api->tokens.len + NGX_AGILICUS_TOKEN_FEED_QUERY_LEN;

    for (i = 0; i < NGX_AGILICUS_TOKEN_FEED_CALLS; i++) {
        slot = &f->slots[i];

        slot->waiter.done = ngx_agilicus_token_feed_done;
        slot->waiter.data = slot;
        slot->url.data = ngx_alloc(len, log);

        if (slot->url.data == NULL) {
            return NGX_ERROR;
        }
    }

    f->conf = conf;

    f->dummy.fd = (ngx_socket_t) -1;

    f->tick.handler = ngx_agilicus_token_feed_tick;
    f->tick.data = &f->dummy;
    f->tick.log = log;
    f->tick.cancelable = 1;

    ngx_add_timer(&f->tick, 1);

    return NGX_OK;
}


void
ngx_agilicus_token_feed_exit(void)
{
    ngx_uint_t                         i;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    if (f->conf == NULL) {
        return;
    }

    ngx_agilicus_token_feed_release();

    for (i = 0; i < NGX_AGILICUS_TOKEN_FEED_CALLS; i++) {
        ngx_agilicus_token_call_leave(&f->slots[i].waiter);
        ngx_free(f->slots[i].url.data);
    }

    if (f->tick.timer_set) {
        ngx_del_timer(&f->tick);
    }

    ngx_free(f->windows.windows);

    f->conf = NULL;
}


static void
ngx_agilicus_token_feed_tick(ngx_event_t *ev)
{
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    /* a worker that only drains leaves the feed to those that serve */

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        ngx_agilicus_token_feed_release();
        return;
    }

    ngx_add_timer(ev, NGX_AGILICUS_TOKEN_FEED_TICK);

    if (!ngx_agilicus_token_feed_lease()) {
        f->polling = 0;
        return;
    }

    ngx_agilicus_token_feed_say();

    if (!f->polling && ngx_current_msec >= f->next) {
        ngx_agilicus_token_feed_poll();
    }
}


/* 1 if this worker is the poller until the lease ends */

static ngx_uint_t
ngx_agilicus_token_feed_lease(void)
{
    ngx_uint_t                         mine;
    ngx_agilicus_token_feed_state_t   *feed;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;
    feed = &f->first->sh->feed;

    ngx_agilicus_token_zone_lock(f->first);

    mine = (feed->poller == (int32_t) ngx_pid);

    if (!mine
        && (feed->poller == 0 || feed->lease <= ngx_current_msec
            || (kill(feed->poller, 0) == -1 && ngx_errno == NGX_ESRCH)))
    {
        feed->poller = (int32_t) ngx_pid;
        mine = 1;
    }

    if (mine) {
        feed->lease = ngx_current_msec + NGX_AGILICUS_TOKEN_FEED_LEASE;
    }

    ngx_agilicus_token_zone_unlock(f->first);

    return mine;
}


static void
ngx_agilicus_token_feed_release(void)
{
    ngx_agilicus_token_feed_state_t   *feed;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;
    feed = &f->first->sh->feed;

    f->polling = 0;

    ngx_agilicus_token_zone_lock(f->first);

    if (feed->poller == (int32_t) ngx_pid) {
        feed->poller = 0;
        feed->lease = 0;
    }

    ngx_agilicus_token_zone_unlock(f->first);
}


static void
ngx_agilicus_token_feed_poll(void)
{
    ngx_uint_t                         i;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    /* calls of a poll that was given up must have ended */

    for (i = 0; i < NGX_AGILICUS_TOKEN_FEED_CALLS; i++) {
        if (f->slots[i].busy) {
            return;
        }
    }

    f->floor = ngx_time() - NGX_AGILICUS_TOKEN_FEED_MARGIN
               - ngx_agilicus_token_call_conf()->max_leeway;
    f->start = ngx_current_msec;
    f->rows = 0;
    f->truncated = 0;
    f->failed = 0;
    f->polling = 1;

    if (f->known) {
        ngx_agilicus_token_windows_again(&f->windows, f->floor,
                                         f->conf->limit);
    }

    /* a clock that was set back needs other windows */

    if (!f->known
        || !ngx_agilicus_token_windows_whole(&f->windows, f->floor))
    {
        ngx_agilicus_token_windows_init(&f->windows, f->floor);
        f->known = 1;
    }

    ngx_agilicus_token_feed_next();
}


/* lets out calls for the windows that are left */

static void
ngx_agilicus_token_feed_next(void)
{
    ngx_uint_t                         i, s, busy;
    ngx_agilicus_token_window_t       *window;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    i = 0;
    busy = 0;

    for (s = 0; s < NGX_AGILICUS_TOKEN_FEED_CALLS; s++) {

        if (f->slots[s].busy) {
            busy++;
            continue;
        }

        if (f->failed || !f->polling) {
            continue;
        }

        for ( /* void */ ; i < f->windows.n; i++) {
            if (!f->windows.windows[i].done && !f->windows.windows[i].out) {
                break;
            }
        }

        if (i == f->windows.n) {
            continue;
        }

        window = &f->windows.windows[i];

        if (ngx_agilicus_token_feed_call(&f->slots[s], window) != NGX_OK) {
            f->failed = 1;
            continue;
        }

        window->out = 1;
        busy++;
    }

    if (busy == 0) {
        ngx_agilicus_token_feed_end();
    }
}


static ngx_int_t
ngx_agilicus_token_feed_call(ngx_agilicus_token_feed_slot_t *slot,
    ngx_agilicus_token_window_t *window)
{
    u_char                              key[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_agilicus_token_answer_t         answer;
    ngx_agilicus_token_feed_worker_t   *f;
    ngx_agilicus_token_call_request_t   request;

    f = &ngx_agilicus_token_feed;

    slot->window = *window;
    slot->rows = 0;
    slot->nvalues = 0;

    ngx_agilicus_token_feed_url(slot);

    ngx_memzero(key, sizeof(key));
    ngx_memzero(&request, sizeof(ngx_agilicus_token_call_request_t));

    request.type = &ngx_agilicus_token_feed_list;
    request.api = f->conf->api;
    request.origin = slot;
    request.url = slot->url;
    request.bearer = f->conf->api->credential;
    request.connect_timeout = f->conf->connect_timeout;
    request.timeout = f->conf->timeout;
    request.max_body = NGX_AGILICUS_TOKEN_JSON_MAX_LIST;
    request.key = key;

    if (ngx_agilicus_token_call_join(&request, &slot->waiter, &answer)
        != NGX_AGAIN)
    {
        return NGX_ERROR;
    }

    slot->busy = 1;
    f->first->sh->feed.calls++;

    return NGX_OK;
}


/* API: GET /v1/tokens; a second more on both sides, see window */

static void
ngx_agilicus_token_feed_url(ngx_agilicus_token_feed_slot_t *slot)
{
    u_char                            *p;
    int64_t                            to;
    const char                        *by;
    ngx_agilicus_token_window_t       *window;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;
    window = &slot->window;

    by = (window->by == NGX_AGILICUS_TOKEN_WINDOW_EXP) ? "exp" : "iat";
    to = window->to;

    p = ngx_sprintf(slot->url.data, "%V?revoked=true&limit=%ui",
                    &f->conf->api->tokens, f->conf->limit);

    if (window->from != NGX_AGILICUS_TOKEN_WINDOW_PAST) {
        p = ngx_sprintf(p, "&%s_from=", by);
        p = ngx_agilicus_token_feed_date(p, window->from - 1);
    }

    if (to == NGX_AGILICUS_TOKEN_WINDOW_FUTURE
        && window->by == NGX_AGILICUS_TOKEN_WINDOW_EXP)
    {
        to = NGX_AGILICUS_TOKEN_FEED_LAST_EXP - 1;
    }

    if (to != NGX_AGILICUS_TOKEN_WINDOW_FUTURE) {
        p = ngx_sprintf(p, "&%s_to=", by);
        p = ngx_agilicus_token_feed_date(p, to + 1);
    }

    *p = '\0';
    slot->url.len = p - slot->url.data;
}


static u_char *
ngx_agilicus_token_feed_date(u_char *p, int64_t sec)
{
    u_char      date[NGX_AGILICUS_TOKEN_TIME_LEN];
    ngx_uint_t  i;

    sec = ngx_max(ngx_min(sec, NGX_AGILICUS_TOKEN_FEED_LAST_EXP), 0);

    (void) ngx_agilicus_token_time_format(sec, date);

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
ngx_agilicus_token_feed_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_uint_t                       n;
    ngx_agilicus_token_feed_slot_t  *slot;

    if (result->status != 200) {
        return;
    }

    slot = (ngx_agilicus_token_feed_slot_t *) call->origin;

    if (ngx_agilicus_token_json_list(result->body.data, result->body.len,
                                     ngx_agilicus_token_feed_row, slot, &n)
        != NGX_OK)
    {
        answer->reason = NGX_AGILICUS_TOKEN_REASON_ANSWER;
        result->message = "answer is not a list of tokens";
        return;
    }

    slot->rows = n;

    answer->class = NGX_AGILICUS_TOKEN_CLASS_ACTIVE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_NONE;
}


/* denials count as they come; whether they are all is decided at the end */

static void
ngx_agilicus_token_feed_row(void *data,
    const ngx_agilicus_token_json_row_t *row)
{
    ngx_agilicus_token_feed_slot_t *slot = data;

    int64_t                               until, value;
    ngx_int_t                             rc;
    ngx_uint_t                            by_exp;
    ngx_agilicus_token_clock_t            now;
    ngx_agilicus_token_feed_worker_t     *f;
    const ngx_agilicus_token_api_conf_t  *conf;

    f = &ngx_agilicus_token_feed;
    conf = ngx_agilicus_token_call_conf();

    by_exp = (slot->window.by == NGX_AGILICUS_TOKEN_WINDOW_EXP);
    value = by_exp ? row->exp : row->iat;

    if ((by_exp ? row->has_exp : row->has_iat)
        && value >= slot->window.from && value <= slot->window.to
        && slot->nvalues < NGX_AGILICUS_TOKEN_FEED_MAX_LIMIT)
    {
        slot->values[slot->nvalues++] = value;
    }

    if (!row->revoked) {
        return;
    }

    ngx_agilicus_token_zone_now(&now);

    until = now.wall + conf->revocation_ttl;

    if (row->has_exp) {
        until = ngx_agilicus_token_time_add(row->exp, conf->max_leeway + 1);

        if (until <= now.wall) {
            return;
        }
    }

    rc = ngx_agilicus_token_cache_deny(conf->first, f->conf->api->digest,
                                       NGX_AGILICUS_TOKEN_TOMBSTONE_JTI,
                                       &row->jti, until, 0, &now);

    if (rc == NGX_OK || rc == NGX_BUSY) {
        conf->first->sh->feed.denied++;
    }
}


static ngx_int_t
ngx_agilicus_token_feed_adopt(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    return NGX_DECLINED;
}


static void
ngx_agilicus_token_feed_done(void *data, ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_feed_slot_t *slot = data;

    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    slot->busy = 0;

    if (f->polling) {

        if (answer->class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
            ngx_agilicus_token_feed_window_done(slot, 0);

        } else if (answer->too_large) {
            ngx_agilicus_token_feed_window_done(slot, 1);

        } else {
            f->failed = 1;
        }

        ngx_agilicus_token_feed_next();
    }
}


static void
ngx_agilicus_token_feed_window_done(ngx_agilicus_token_feed_slot_t *slot,
    ngx_uint_t too_large)
{
    int64_t                            pivot;
    ngx_uint_t                         i;
    ngx_agilicus_token_window_t       *window;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;

    /* splitting others has moved it */

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

    if (!too_large && slot->rows < f->conf->limit) {
        window->done = 1;
        window->rows = slot->rows;
        f->rows += slot->rows;
        return;
    }

    /* as many rows as there can be: there may be more */

    pivot = too_large ? window->from : ngx_agilicus_token_feed_pivot(slot);

    if (ngx_agilicus_token_windows_split(&f->windows, i, pivot, ngx_time())
        != NGX_OK)
    {
        window->done = 1;
        window->rows = slot->rows;
        f->rows += slot->rows;
        f->truncated++;
    }
}


/* the median of what came, so that both halves have some of it */

static int64_t
ngx_agilicus_token_feed_pivot(ngx_agilicus_token_feed_slot_t *slot)
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


static void
ngx_agilicus_token_feed_end(void)
{
    uint64_t                           now;
    ngx_agilicus_token_feed_state_t   *feed;
    ngx_agilicus_token_feed_worker_t  *f;

    f = &ngx_agilicus_token_feed;
    feed = &f->first->sh->feed;

    if (!f->polling) {
        return;
    }

    now = ngx_current_msec;

    f->polling = 0;

    ngx_agilicus_token_zone_lock(f->first);

    feed->polls++;

    if (feed->poller != (int32_t) ngx_pid) {

        /* another polls by now: this poll is not heard of */

        ngx_agilicus_token_zone_unlock(f->first);
        return;
    }

    if (f->failed) {
        feed->failed++;

    } else {
        feed->truncated = (uint32_t) f->truncated;

        if (f->truncated == 0) {

            /* what was revoked since it began is the next one's to find */

            feed->watermark = ngx_max(f->start, 1);
            feed->duration = now - f->start;
            feed->rows = f->rows;
        }
    }

    ngx_agilicus_token_zone_unlock(f->first);

    f->next = f->start + f->conf->interval;

    if (f->failed) {
        f->next = ngx_max(f->next, now + 1000);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, f->log, 0,
                   "agilicus token feed polled: %ui windows, %ui rows, %ui",
                   f->windows.n, f->rows, (ngx_uint_t) f->failed);

    ngx_agilicus_token_feed_say();

    if (now >= f->next) {
        ngx_agilicus_token_feed_poll();
    }
}


/* a line for each change of the feed's state */

static void
ngx_agilicus_token_feed_say(void)
{
    uint32_t                           said;
    ngx_uint_t                         level;
    ngx_agilicus_token_feed_e          state;
    ngx_agilicus_token_feed_state_t   *feed;
    ngx_agilicus_token_feed_worker_t  *f;

    static const char  *words[] = {
        "off", "not polled yet", "healthy", "late", "dead", "incomplete"
    };

    f = &ngx_agilicus_token_feed;
    feed = &f->first->sh->feed;

    ngx_agilicus_token_zone_lock(f->first);

    state = ngx_agilicus_token_zone_feed(f->first, ngx_current_msec);
    said = feed->said;
    feed->said = state;

    ngx_agilicus_token_zone_unlock(f->first);

    if (said == (uint32_t) state) {
        return;
    }

    level = (state == NGX_AGILICUS_TOKEN_FEED_HEALTHY
             || state == NGX_AGILICUS_TOKEN_FEED_INIT)
            ? NGX_LOG_NOTICE : NGX_LOG_WARN;

    ngx_log_error(level, f->log, 0,
                  "agilicus token: revocation feed is %s, was %s, "
                  "Tokens API \"%V\"", words[state], words[said],
                  &f->conf->api->url);
}
