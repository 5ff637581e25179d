
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed.h"
#include "api/feed_list.h"
#include "api/feed_sessions.h"
#include "api/seams.h"
#include "api/tick.h"
#include "api/window.h"
#include "token/digest.h"
#include "zone/feed_state.h"
#include "zone/process.h"


/* milliseconds between two looks at the lease, and for which it is taken */
#define NGX_AGT_FEED_TICK           500
#define NGX_AGT_FEED_LEASE          3000

/* seconds by which the API's clock may differ from the edge's */
#define NGX_AGT_FEED_MARGIN         3600

/* calls at once */
#define NGX_AGT_FEED_CALLS          NGX_AGT_LIMITS_FEED_CALLS

/* answers of a poll that may exceed the largest body */
#define NGX_AGT_FEED_MAX_TOO_LARGE  64

/* windows that the API may ignore before a poll asks for no more */
#define NGX_AGT_FEED_MAX_OUTSIDE    8


typedef struct {
    const ngx_agt_feed_conf_t  *conf;
    ngx_agt_denials_t          *denials;
    ngx_event_t                 tick;
    ngx_log_t                  *log;

    ngx_agt_windows_t           windows;
    ngx_agt_feed_list_t         lists[NGX_AGT_FEED_CALLS];
    ngx_agt_feed_sessions_t     sessions;

    /* this poll */
    int64_t                     floor;     /* no token expires before it */
    uint64_t                    start;     /* ms */
    ngx_uint_t                  rows;
    ngx_uint_t                  calls;
    ngx_uint_t                  denied;
    ngx_uint_t                  truncated; /* windows, sessions */
    ngx_uint_t                  too_large; /* answers */
    ngx_uint_t                  outside;   /* windows that were ignored */

    uint64_t                    next;      /* ms: when the next poll begins */

    unsigned                    known:1;   /* windows are */
    unsigned                    polling:1;
    unsigned                    failed:1;
    unsigned                    said_wrong:1;
    unsigned                    said_outside:1;
    unsigned                    said_sessions:1;
    unsigned                    said_others:1;
} ngx_agt_feed_worker_t;


static void ngx_agt_feed_id(ngx_agt_denials_t *denials,
    const ngx_agt_feed_conf_t *conf, u_char *id);
static void ngx_agt_feed_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agt_feed_lease(void);
static ngx_uint_t ngx_agt_feed_is_ours_locked(void);
static void ngx_agt_feed_release(void);
static void ngx_agt_feed_poll(void);
static ngx_uint_t ngx_agt_feed_busy(void);
static void ngx_agt_feed_next(void);
static ngx_agt_window_t *ngx_agt_feed_window(void);
static void ngx_agt_feed_done(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_feed_window_done(ngx_agt_feed_list_t *list,
    ngx_uint_t too_large);
static void ngx_agt_feed_wrong(ngx_agt_feed_call_t *call);
static ngx_uint_t ngx_agt_feed_hopeless(ngx_agt_feed_list_t *list,
    ngx_uint_t too_large);
static void ngx_agt_feed_outside(void);
static void ngx_agt_feed_sessions_done(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_feed_end(void);
static void ngx_agt_feed_say(void);


static ngx_agt_feed_worker_t  ngx_agt_feed;


void
ngx_agt_feed_configure(ngx_agt_denials_t *denials,
    const ngx_agt_feed_conf_t *conf, uint32_t cycle)
{
    u_char                 id[NGX_AGT_DIGEST_LEN];
    uint64_t               lasts;
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    ngx_agt_feed_id(denials, conf, id);

    ngx_agt_denials_lock(denials);

    if (conf->api == NULL) {
        ngx_memzero(feed, sizeof(ngx_agt_feed_state_t));

    } else {

        if (ngx_memcmp(feed->api, conf->api->digest, NGX_AGT_DIGEST_LEN) != 0)
        {
            /* the state of another API does not apply to this one */

            ngx_memzero(feed, sizeof(ngx_agt_feed_state_t));
            ngx_memcpy(feed->api, conf->api->digest, NGX_AGT_DIGEST_LEN);
        }

        /* ends of denials are whole seconds */

        lasts = 1000 * ((uint64_t) conf->ttl - 1);

        /*
         * Sessions that were created earlier have not been read yet, and a
         * longer time does not apply to the denials of the last poll.
         */

        if (conf->sessions > feed->sessions || lasts > feed->lasts) {
            feed->watermark = 0;
        }

        /* nor may other edges take the last poll for one of this feed */

        if (ngx_memcmp(feed->id, id, NGX_AGT_DIGEST_LEN) != 0) {
            ngx_memcpy(feed->id, id, NGX_AGT_DIGEST_LEN);
            feed->own = 0;
        }

        feed->interval = conf->interval;
        feed->lasts = lasts;
        feed->sessions = conf->sessions;
    }

    /* older workers lose the lease */

    feed->cycle = cycle;
    feed->poller = 0;
    feed->lease = 0;

    ngx_agt_denials_unlock(denials);
}


/*
 * What edges of a fleet must have in common for a poll of one to count on
 * another; where there is no digest of it, the feed is that of no other edge.
 */

static void
ngx_agt_feed_id(ngx_agt_denials_t *denials, const ngx_agt_feed_conf_t *conf,
    u_char *id)
{
    u_char     text[4 * (NGX_INT64_LEN + 1)];
    ngx_str_t  parts[2];

    ngx_memzero(id, NGX_AGT_DIGEST_LEN);

    if (conf->api == NULL) {
        return;
    }

    parts[0].data = conf->api->digest;
    parts[0].len = NGX_AGT_DIGEST_LEN;
    parts[1].data = text;
    parts[1].len = (size_t) (ngx_sprintf(text, "%M,%T,%T,%T", conf->interval,
                                         conf->sessions, conf->leeway,
                                         conf->ttl)
                             - text);

    if (ngx_agt_digest(id, parts, 2) != NGX_OK) {
        ngx_memcpy(id, denials->sh->fleet.writer, NGX_AGT_NUMBERS_WRITER_LEN);
    }
}


ngx_int_t
ngx_agt_feed_init(const ngx_agt_feed_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    ngx_memzero(f, sizeof(ngx_agt_feed_worker_t));

    if (conf->api == NULL) {
        return NGX_OK;
    }

    f->denials = ngx_agt_call_conf()->denials;
    f->log = log;

    f->windows.windows = ngx_alloc(NGX_AGT_WINDOW_MAX
                                   * sizeof(ngx_agt_window_t), log);
    if (f->windows.windows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AGT_FEED_CALLS; i++) {
        if (ngx_agt_feed_list_init(&f->lists[i], conf, ngx_agt_feed_done, log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->sessions
        && ngx_agt_feed_sessions_init(&f->sessions, conf,
                                      ngx_agt_feed_sessions_done, log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->conf = conf;

    ngx_agt_tick_init(&f->tick, ngx_agt_feed_tick, log);
    ngx_agt_seams.add_timer(&f->tick, 1);

    return NGX_OK;
}


void
ngx_agt_feed_exit(void)
{
    ngx_uint_t              i;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    if (f->conf == NULL) {
        return;
    }

    ngx_agt_feed_release();

    for (i = 0; i < NGX_AGT_FEED_CALLS; i++) {
        ngx_agt_feed_call_exit(&f->lists[i].call);
    }

    if (f->conf->sessions) {
        ngx_agt_feed_sessions_exit(&f->sessions);
    }

    ngx_agt_seams.del_timer(&f->tick);

    ngx_free(f->windows.windows);

    f->conf = NULL;
}


static void
ngx_agt_feed_tick(ngx_event_t *ev)
{
    uint64_t  now;

    /* a worker that only drains leaves the feed to those that serve */

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        ngx_agt_feed_release();
        return;
    }

    ngx_agt_seams.add_timer(ev, NGX_AGT_FEED_TICK);

    if (!ngx_agt_feed_lease()) {
        ngx_agt_feed.polling = 0;
        return;
    }

    ngx_agt_feed_say();

    now = ngx_agt_seams.mono();

    if (!ngx_agt_feed.polling && now >= ngx_agt_feed.next
        && ngx_agt_feed_state_polls(ngx_agt_feed.denials, now))
    {
        ngx_agt_feed_poll();
    }
}


/* 1 if this worker is the poller until the lease ends */

static ngx_uint_t
ngx_agt_feed_lease(void)
{
    uint64_t               now;
    ngx_uint_t             mine;
    ngx_agt_feed_state_t  *feed;

    feed = &ngx_agt_feed.denials->sh->feed;
    now = ngx_agt_seams.mono();

    ngx_agt_denials_lock(ngx_agt_feed.denials);

    mine = (feed->poller == (int32_t) ngx_pid);

    if (!ngx_agt_feed_is_ours_locked()) {
        mine = 0;

    } else if (!mine
        && (feed->poller == 0 || feed->lease <= now
            || !ngx_agt_process_lives(feed->poller)))
    {
        feed->poller = (int32_t) ngx_pid;
        mine = 1;
    }

    if (mine) {
        feed->lease = now + NGX_AGT_FEED_LEASE;
    }

    ngx_agt_denials_unlock(ngx_agt_feed.denials);

    return mine;
}


/*
 * Returns 1 if the state is of the configuration of this worker, and so of its
 * API, else 0: workers of a newer one may have taken the state over.
 */

static ngx_uint_t
ngx_agt_feed_is_ours_locked(void)
{
    return ngx_agt_feed.denials->sh->feed.cycle == ngx_agt_call_conf()->cycle;
}


static void
ngx_agt_feed_release(void)
{
    ngx_agt_feed_state_t  *feed;

    feed = &ngx_agt_feed.denials->sh->feed;

    ngx_agt_feed.polling = 0;

    ngx_agt_denials_lock(ngx_agt_feed.denials);

    if (ngx_agt_feed_is_ours_locked() && feed->poller == (int32_t) ngx_pid) {
        feed->poller = 0;
        feed->lease = 0;
    }

    ngx_agt_denials_unlock(ngx_agt_feed.denials);
}


static void
ngx_agt_feed_poll(void)
{
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    /* calls of a poll that was given up must end first */

    if (ngx_agt_feed_busy()) {
        return;
    }

    f->floor = ngx_time() - NGX_AGT_FEED_MARGIN
               - ngx_agt_call_conf()->max_leeway;
    f->start = ngx_agt_seams.mono();
    f->rows = 0;
    f->calls = 0;
    f->denied = 0;
    f->truncated = 0;
    f->too_large = 0;
    f->outside = 0;
    f->said_wrong = 0;
    f->failed = 0;
    f->polling = 1;

    if (f->known) {
        ngx_agt_windows_again(&f->windows, f->floor, f->conf->limit);
    }

    /* a clock that was set back needs other windows */

    if (!f->known || !ngx_agt_windows_whole(&f->windows, f->floor)) {
        ngx_agt_windows_init(&f->windows, f->floor);
        f->known = 1;
    }

    if (f->conf->sessions) {
        ngx_agt_feed_sessions_begin(&f->sessions,
                                    ngx_time() - f->conf->sessions
                                    - NGX_AGT_FEED_MARGIN);
    }

    ngx_agt_feed_next();
}


/* returns how many calls are under way */

static ngx_uint_t
ngx_agt_feed_busy(void)
{
    ngx_uint_t  i, busy;

    busy = ngx_agt_feed.sessions.call.busy;

    for (i = 0; i < NGX_AGT_FEED_CALLS; i++) {
        busy += ngx_agt_feed.lists[i].call.busy;
    }

    return busy;
}


/*
 * Makes calls for the next page of sessions, of which one comes after the
 * other, and for the windows that are left; or ends the poll.
 */

static void
ngx_agt_feed_next(void)
{
    ngx_uint_t              i, busy;
    ngx_agt_window_t       *window;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    busy = ngx_agt_feed_busy();

    if (f->polling && !f->failed && f->conf->sessions
        && !f->sessions.done && !f->sessions.call.busy
        && busy < NGX_AGT_FEED_CALLS)
    {
        if (ngx_agt_feed_sessions_ask(&f->sessions) == NGX_OK) {
            f->calls++;
            busy++;

        } else {
            f->failed = 1;
        }
    }

    for (i = 0; i < NGX_AGT_FEED_CALLS && busy < NGX_AGT_FEED_CALLS; i++) {

        if (f->lists[i].call.busy) {
            continue;
        }

        window = ngx_agt_feed_window();

        if (window == NULL) {
            break;
        }

        if (ngx_agt_feed_list_ask(&f->lists[i], window) != NGX_OK) {
            f->failed = 1;
            break;
        }

        f->calls++;
        window->out = 1;
        busy++;
    }

    if (busy == 0) {
        ngx_agt_feed_end();
    }
}


/* returns a window that is to be asked for, or NULL */

static ngx_agt_window_t *
ngx_agt_feed_window(void)
{
    ngx_uint_t         i;
    ngx_agt_window_t  *window;

    /* windows that were forgotten are not asked for any more */

    if (ngx_agt_feed.failed || !ngx_agt_feed.polling || !ngx_agt_feed.known) {
        return NULL;
    }

    for (i = 0; i < ngx_agt_feed.windows.n; i++) {
        window = &ngx_agt_feed.windows.windows[i];

        if (!window->done && !window->out) {
            return window;
        }
    }

    return NULL;
}


/* the list of a window is there: the window is done, is divided, or failed */

static void
ngx_agt_feed_done(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_feed_list_t *list = data;

    list->call.busy = 0;

    if (!ngx_agt_feed.polling) {
        return;
    }

    ngx_agt_feed.denied += list->call.denied;

    if (answer->class == NGX_AGT_CLASS_ACTIVE || answer->too_large) {
        ngx_agt_feed_window_done(list, answer->too_large);

    } else {
        ngx_agt_feed.failed = 1;
    }

    ngx_agt_feed_next();
}


static void
ngx_agt_feed_window_done(ngx_agt_feed_list_t *list, ngx_uint_t too_large)
{
    int64_t                 pivot;
    ngx_uint_t              i;
    ngx_agt_window_t       *window;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    /* the window was moved if others were split meanwhile */

    window = NULL;

    for (i = 0; i < f->windows.n; i++) {
        window = &f->windows.windows[i];

        if (window->out && window->by == list->window.by
            && window->from == list->window.from)
        {
            break;
        }
    }

    if (i == f->windows.n) {
        f->failed = 1;
        return;
    }

    window->out = 0;

    ngx_agt_feed_wrong(&list->call);

    if (too_large || list->call.list.rows >= list->call.list.limit) {

        /* the list is full, so the window may hold more rows */

        pivot = too_large ? window->from : ngx_agt_feed_list_median(list);

        if (!ngx_agt_feed_hopeless(list, too_large)
            && ngx_agt_windows_split(&f->windows, i, pivot, ngx_time())
               == NGX_OK)
        {
            return;
        }

        f->truncated++;
    }

    window->done = 1;
    window->rows = list->call.list.rows;
    f->rows += list->call.list.rows;
}


/*
 * A row that cannot be read may name a revoked token or session, so the poll
 * is not complete.  One line for each poll.
 */

static void
ngx_agt_feed_wrong(ngx_agt_feed_call_t *call)
{
    if (call->wrong == NULL) {
        return;
    }

    ngx_agt_feed.truncated++;

    if (ngx_agt_feed.said_wrong) {
        return;
    }

    ngx_agt_feed.said_wrong = 1;

    ngx_log_error(NGX_LOG_ERR, ngx_agt_feed.log, 0,
                  "agilicus token: row %ui of the list of revoked %s "
                  "cannot be read and denies nothing: %s, Tokens API \"%V\"",
                  call->number,
                  call->kind == NGX_AGT_JSON_TOKENS ? "tokens" : "sessions",
                  call->wrong, &ngx_agt_feed.conf->api->url);
}


/*
 * Returns 1 where smaller windows would not help: the API ignores windows, or
 * its answers are too large for any window; or a row has neither date, so that
 * it is in no smaller window.
 */

static ngx_uint_t
ngx_agt_feed_hopeless(ngx_agt_feed_list_t *list, ngx_uint_t too_large)
{
    if (too_large) {
        return ++ngx_agt_feed.too_large > NGX_AGT_FEED_MAX_TOO_LARGE;
    }

    if (list->outside) {
        ngx_agt_feed_outside();
        return 1;
    }

    return !list->asked || list->undated;
}


/*
 * The API gives the same rows for any window.  A few other windows are still
 * asked for, since they may find further rows; then all windows are forgotten.
 * This is logged once until a poll is complete.
 */

static void
ngx_agt_feed_outside(void)
{
    if (++ngx_agt_feed.outside > NGX_AGT_FEED_MAX_OUTSIDE) {
        ngx_agt_feed.known = 0;
    }

    if (ngx_agt_feed.said_outside) {
        return;
    }

    ngx_agt_feed.said_outside = 1;

    ngx_log_error(NGX_LOG_ERR, ngx_agt_feed.log, 0,
                  "agilicus token: rows outside of the window of time that "
                  "was asked for are in the list of revoked tokens, which "
                  "cannot be read whole while such windows are ignored, "
                  "Tokens API \"%V\"", &ngx_agt_feed.conf->api->url);
}


/* a page of sessions is there: the next one is asked for, or none is left */

static void
ngx_agt_feed_sessions_done(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_feed_sessions_t *sessions = data;

    const char             *cut;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;

    sessions->call.busy = 0;

    if (!f->polling) {
        return;
    }

    f->denied += sessions->call.denied;

    cut = NULL;

    if (answer->class == NGX_AGT_CLASS_ACTIVE) {
        ngx_agt_feed_wrong(&sessions->call);
        cut = ngx_agt_feed_sessions_go_on(sessions);

    } else if (answer->too_large) {
        sessions->done = 1;
        cut = "a page is too large";

    } else {
        f->failed = 1;
    }

    if (cut) {
        f->truncated++;
    }

    /* once until a poll is complete */

    if (cut && !f->said_sessions) {
        f->said_sessions = 1;

        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "agilicus token: the list of revoked sessions cannot be "
                      "read whole: %s, Tokens API \"%V\"",
                      cut, &f->conf->api->url);
    }

    ngx_agt_feed_next();
}


static void
ngx_agt_feed_end(void)
{
    uint64_t                now;
    ngx_agt_feed_state_t   *feed;
    ngx_agt_feed_worker_t  *f;

    f = &ngx_agt_feed;
    feed = &f->denials->sh->feed;

    if (!f->polling) {
        return;
    }

    now = ngx_agt_seams.mono();

    f->polling = 0;

    ngx_agt_denials_lock(f->denials);

    if (!ngx_agt_feed_is_ours_locked() || feed->poller != (int32_t) ngx_pid)
    {
        /* another worker polls by now: this poll does not count */

        ngx_agt_denials_unlock(f->denials);
        return;
    }

    feed->polls++;
    feed->calls += f->calls;
    feed->denied += f->denied;

    if (f->failed) {
        feed->failed++;
        feed->failing = 1;

    } else {

        /* the next poll finds tokens that were revoked after this one began */

        ngx_agt_feed_state_polled_locked(f->denials, ngx_max(f->start, 1),
                                         now - f->start, f->truncated);

        if (f->truncated == 0) {
            feed->rows = f->rows;
            feed->session_rows = f->sessions.rows;
            f->said_outside = 0;
            f->said_sessions = 0;
        }
    }

    ngx_agt_denials_unlock(f->denials);

    f->next = f->start + f->conf->interval;

    if (f->failed || f->truncated) {

        /* asking again at once would not tell more */

        f->next = now + f->conf->interval;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, f->log, 0,
                   "agilicus token feed polled: %ui windows, %ui rows, %ui",
                   f->windows.n, f->rows, (ngx_uint_t) f->failed);

    if (!f->failed) {

        /* an API that ignores what it is asked for makes polls long only */

        if (f->sessions.others && !f->said_others) {
            ngx_log_error(NGX_LOG_WARN, f->log, 0,
                          "agilicus token: sessions that are not revoked are "
                          "in the list of revoked sessions, which takes longer "
                          "to read so, Tokens API \"%V\"", &f->conf->api->url);
        }

        f->said_others = f->sessions.others;
    }

    ngx_agt_feed_say();

    if (now >= f->next && ngx_agt_feed_state_polls(f->denials, now)) {
        ngx_agt_feed_poll();
    }
}


/* a line for each change of the feed's state */

static void
ngx_agt_feed_say(void)
{
    uint32_t                said;
    ngx_uint_t              level;
    ngx_agt_feed_e          state;
    ngx_agt_feed_state_t   *feed;
    ngx_agt_feed_worker_t  *f;

    static const char  *words[] = {
        "off", "not polled yet", "healthy", "late", "dead", "incomplete"
    };

    f = &ngx_agt_feed;
    feed = &f->denials->sh->feed;

    ngx_agt_denials_lock(f->denials);

    if (!ngx_agt_feed_is_ours_locked()) {
        ngx_agt_denials_unlock(f->denials);
        return;
    }

    state = ngx_agt_denials_feed(f->denials, f->conf->api->digest,
                                 ngx_agt_seams.mono());
    said = feed->said;
    feed->said = state;

    ngx_agt_denials_unlock(f->denials);

    if (said == (uint32_t) state) {
        return;
    }

    level = (state == NGX_AGT_FEED_HEALTHY || state == NGX_AGT_FEED_INIT)
            ? NGX_LOG_NOTICE : NGX_LOG_WARN;

    ngx_log_error(level, f->log, 0,
                  "agilicus token: revocation feed is %s, was %s, "
                  "Tokens API \"%V\"", words[state], words[said],
                  &f->conf->api->url);
}
