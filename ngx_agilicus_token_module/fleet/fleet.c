
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/append.h"
#include "fleet/feed.h"
#include "fleet/fleet.h"
#include "fleet/lead.h"
#include "fleet/read.h"
#include "zone/process.h"


/* milliseconds between two looks: of the worker that appends, of others */
#define NGX_AGT_FLEET_TICK        10
#define NGX_AGT_FLEET_IDLE_TICK   250

/* milliseconds for which the lease of the edge is taken, and its renewal */
#define NGX_AGT_FLEET_LOCAL       3000
#define NGX_AGT_FLEET_RENEW       250

/* milliseconds between two pings, and two looks at the server */
#define NGX_AGT_FLEET_PING        250
#define NGX_AGT_FLEET_SECOND      1000

/* letters of the code of an error of Redis, at most */
#define NGX_AGT_FLEET_CODE        16

/* milliseconds without an error, after which it is logged again */
#define NGX_AGT_FLEET_ERRED       10000

/* milliseconds of the first and the longest pause of reconnecting */
#define NGX_AGT_FLEET_PAUSE       20
#define NGX_AGT_FLEET_PAUSE_MAX   500

/* milliseconds between two times at which an edge tells its leeway */
#define NGX_AGT_FLEET_RETELL      600000

/* milliseconds after which a writer of which nothing stands is forgotten */
#define NGX_AGT_FLEET_FORGET      3600000


static void ngx_agt_fleet_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agt_fleet_ended(ngx_agt_fleet_worker_t *w, uint64_t now);
static ngx_uint_t ngx_agt_fleet_lease(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_release(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_end(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_reader_ready(ngx_agt_fleet_connection_t *conn);
static void ngx_agt_fleet_teller_ready(ngx_agt_fleet_connection_t *conn);
static void ngx_agt_fleet_lost(ngx_agt_fleet_connection_t *conn);
static void ngx_agt_fleet_session(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_tell(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_ask(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_pong(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_role(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_judge(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_say(ngx_agt_fleet_worker_t *w, uint64_t now);


static ngx_agt_fleet_worker_t  ngx_agt_fleet;


void
ngx_agt_fleet_configure(ngx_agt_denials_t *denials,
    const ngx_agt_fleet_conf_t *conf, uint32_t cycle, time_t leeway)
{
    ngx_agt_clock_t         now;
    ngx_agt_fleet_state_t  *state;

    state = &denials->sh->fleet;

    ngx_agt_clock_now(&now);

    if (conf->on && !state->on) {
        (void) ngx_agt_counts_init(denials->counts, denials->sh->counts_size);
        ngx_memzero(state->epoch, NGX_AGT_FLEET_EPOCH_LEN);
        state->marked = 0;
        state->dump = 0;
        state->dump_last = 0;
        state->asked = 0;
        state->unopened = 0;
        state->lacks = 0;
        state->full = 0;
        ngx_agt_numbers_begin(denials, &now);
    }

    ngx_agt_denials_lock(denials);

    if (!conf->on) {
        denials->sh->numbers.on = 0;
        state->until = NGX_AGT_FLEET_ALWAYS;
        state->state = NGX_AGT_FLEET_OFF;

    } else if (!state->on) {
        state->until = 0;
        state->state = NGX_AGT_FLEET_INIT;
        state->said = NGX_AGT_FLEET_OFF;
        state->knew = 0;
    }

    if (state->on != conf->on) {
        ngx_agt_feed_state_forget_locked(denials);
        state->polls = 0;
    }

    /*
     * Those that had ended by the shorter leeway count again, and are not here
     * any more.
     */

    if (state->cycle && (uint64_t) leeway > state->leeway) {
        ngx_agt_denials_extend_locked(denials,
                                      leeway - (int64_t) state->leeway, &now);

        if (state->on && conf->on) {
            state->ended_by = (uint64_t) now.wall - state->leeway;
            state->until = 0;
        }
    }

    state->leeway = (uint64_t) leeway;

    state->on = (uint32_t) conf->on;

    /* older workers lose the lease */

    state->cycle = cycle;
    state->worker = 0;
    state->lease = 0;

    ngx_agt_denials_unlock(denials);
}


ngx_int_t
ngx_agt_fleet_init(const ngx_agt_fleet_conf_t *conf,
    ngx_agt_denials_t *denials, uint32_t cycle, time_t leeway, ngx_log_t *log)
{
    ngx_agt_fleet_worker_t  *w;

    w = &ngx_agt_fleet;

    ngx_memzero(w, sizeof(ngx_agt_fleet_worker_t));

    if (!conf->on) {
        return NGX_OK;
    }

    /* after the fork: no two processes seal with one key */

    w->seal = ngx_agt_fleet_seal_new(conf->keys, &conf->name, log);
    if (w->seal == NULL) {
        return NGX_ERROR;
    }

    w->conf = conf;
    w->denials = denials;
    w->state = &denials->sh->fleet;
    w->counts = denials->counts;
    w->log = log;
    w->cycle = cycle;
    w->leeway = leeway;

    if (ngx_agt_fleet_names_init(&w->names, &conf->servers, conf->resolver, log)
        != NGX_OK)
    {
        ngx_agt_fleet_seal_free(w->seal);
        return NGX_ERROR;
    }

    w->reader.conf = conf;
    w->reader.names = &w->names;
    w->reader.log = log;
    w->reader.data = w;
    w->reader.ready = ngx_agt_fleet_reader_ready;
    w->reader.lost = ngx_agt_fleet_lost;

    w->teller.conf = conf;
    w->teller.names = &w->names;
    w->teller.log = log;
    w->teller.data = w;
    w->teller.ready = ngx_agt_fleet_teller_ready;
    w->teller.lost = ngx_agt_fleet_lost;

    w->dummy.fd = (ngx_socket_t) -1;

    w->tick.handler = ngx_agt_fleet_tick;
    w->tick.data = &w->dummy;
    w->tick.log = log;

    /* not cancelable: a worker must not end before it has told the fleet */

    ngx_add_timer(&w->tick, 1);

    return NGX_OK;
}


void
ngx_agt_fleet_exit(void)
{
    ngx_agt_fleet_worker_t  *w;

    w = &ngx_agt_fleet;

    if (w->conf == NULL) {
        return;
    }

    ngx_agt_fleet_release(w);

    if (w->tick.timer_set) {
        ngx_del_timer(&w->tick);
    }

    ngx_agt_fleet_names_free(&w->names);
    ngx_agt_fleet_seal_free(w->seal);

    w->conf = NULL;
}


static void
ngx_agt_fleet_tick(ngx_event_t *ev)
{
    uint64_t                 now;
    ngx_agt_fleet_worker_t  *w;

    w = &ngx_agt_fleet;

    now = ngx_agt_clock_mono();

    if ((ngx_exiting || ngx_terminate || ngx_quit)
        && ngx_agt_fleet_ended(w, now))
    {
        ngx_agt_fleet_release(w);
        return;
    }

    if (!ngx_agt_fleet_lease(w, now)) {
        ngx_agt_fleet_end(w);
        w->holder = 0;
        ngx_add_timer(ev, ngx_exiting ? NGX_AGT_FLEET_TICK
                                      : NGX_AGT_FLEET_IDLE_TICK);
        return;
    }

    if (!w->holder) {
        w->holder = 1;
        w->read_back = 0;
        w->retry = 0;
        w->pause = 0;

        ngx_agt_fleet_feed_begin(w, now);
    }

    ngx_agt_fleet_connection_check(&w->reader);
    ngx_agt_fleet_connection_check(&w->teller);

    if (ngx_agt_fleet_read_is_wrong(w)) {
        ngx_agt_fleet_end(w);
    }

    if (!w->reader.open && now >= w->retry) {

        /* a reader that was closed alone leaves a teller */

        if (w->teller.open) {
            ngx_agt_fleet_end(w);
        }

        if (ngx_agt_fleet_names_ready(&w->names, w->reader.server,
                                      w->conf->timeout))
        {
            ngx_agt_fleet_connection_open(&w->reader);
        }
    }

    if (w->known) {
        ngx_agt_fleet_session(w, now);
    }

    /* after a reload, a worker of the older configuration judges no more */

    ngx_agt_denials_lock(w->denials);

    if (ngx_agt_fleet_is_holder(w)) {
        ngx_agt_fleet_judge(w, now);
    }

    ngx_agt_denials_unlock(w->denials);

    ngx_agt_fleet_feed_check(w, now);
    ngx_agt_fleet_say(w, now);

    ngx_add_timer(ev, NGX_AGT_FLEET_TICK);
}


/*
 * 1 if a worker that drains is done with the fleet.  After a reload, it leaves
 * the fleet to the workers that serve.  Where the whole nginx ends, there are
 * none: the worker goes on as long as it serves requests, and then until all
 * that was denied here is appended, or for a moment where Redis does not take
 * it.
 */

static ngx_uint_t
ngx_agt_fleet_ended(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    if (ngx_terminate || w->state->cycle != w->cycle) {
        return 1;
    }

    if (ngx_event_no_timers_left() != NGX_OK) {
        w->idle = 0;
        return 0;
    }

    if (w->idle == 0) {
        w->idle = now;
    }

    return w->state->appended >= ngx_agt_numbers_last(w->denials)
           || now - w->idle >= NGX_AGT_FLEET_SILENCE;
}


/* 1 if this worker reads and appends until the lease ends */

static ngx_uint_t
ngx_agt_fleet_lease(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_uint_t              mine;
    ngx_agt_fleet_state_t  *state;

    state = w->state;

    if (w->holder && now - w->checked < NGX_AGT_FLEET_RENEW
        && ngx_agt_fleet_is_holder(w))
    {
        return 1;
    }

    w->checked = now;

    ngx_agt_denials_lock(w->denials);

    mine = 0;

    if (state->cycle == w->cycle) {
        mine = (state->worker == (int32_t) ngx_pid);

        if (!mine && (state->worker == 0 || state->lease <= now
                      || !ngx_agt_process_lives(state->worker)))
        {
            state->worker = (int32_t) ngx_pid;
            mine = 1;
        }

        if (mine) {
            state->lease = now + NGX_AGT_FLEET_LOCAL;
        }
    }

    ngx_agt_denials_unlock(w->denials);

    return mine;
}


ngx_uint_t
ngx_agt_fleet_is_holder(ngx_agt_fleet_worker_t *w)
{
    return w->state->worker == (int32_t) ngx_pid
           && w->state->cycle == w->cycle;
}


static void
ngx_agt_fleet_release(ngx_agt_fleet_worker_t *w)
{
    /* where the whole nginx ends, no other worker appends it later */

    ngx_agt_fleet_append(w);
    ngx_agt_fleet_connection_flush(&w->teller);

    ngx_agt_fleet_end(w);

    ngx_agt_denials_lock(w->denials);

    if (ngx_agt_fleet_is_holder(w)) {
        w->state->worker = 0;
        w->state->lease = 0;
    }

    ngx_agt_denials_unlock(w->denials);

    w->holder = 0;
}


/* ends the session */

static void
ngx_agt_fleet_end(ngx_agt_fleet_worker_t *w)
{
    w->known = 0;
    w->caught = 0;
    w->stuck = 0;
    w->leads = 0;
    w->state->leads = 0;
    w->trimming = 0;
    w->asking = 0;

    ngx_agt_fleet_names_stop(&w->names);
    ngx_agt_fleet_connection_close(&w->reader);
    ngx_agt_fleet_connection_close(&w->teller);
}


/* what is told must be told to the server that is read */

static void
ngx_agt_fleet_reader_ready(ngx_agt_fleet_connection_t *conn)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    w->teller.server = w->reader.server;
    w->teller.addr = w->reader.addr;

    ngx_agt_fleet_connection_open(&w->teller);
}


static void
ngx_agt_fleet_teller_ready(ngx_agt_fleet_connection_t *conn)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    w->state->connections++;
    w->ponged = 0;
    w->ping = 0;
    w->second = 0;
    w->since = ngx_agt_clock_mono();
    w->hello = 0;
    w->unread = 0;

    ngx_agt_fleet_read_begin(w);
}


/* edges that have lost it at the same time do not all pause for as long */

static void
ngx_agt_fleet_lost(ngx_agt_fleet_connection_t *conn)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (conn->untaken) {
        w->careful = 1;
    }

    /* it may have been no primary for others for a while */

    if (conn->answer) {
        w->state->until = 0;
    }

    ngx_agt_fleet_error(w, conn->why, conn->answer);

    if (conn == &w->teller) {
        ngx_agt_fleet_connection_next(&w->reader);
    }

    ngx_agt_fleet_end(w);

    w->pause = ngx_min(ngx_max(2 * w->pause, NGX_AGT_FLEET_PAUSE),
                       NGX_AGT_FLEET_PAUSE_MAX);

    w->retry = ngx_agt_clock_mono() + w->pause / 2
               + (uint64_t) ngx_random() % (w->pause / 2 + 1);
}


static void
ngx_agt_fleet_session(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_str_t  args[1];

    if (now >= w->ping) {
        w->ping = now + NGX_AGT_FLEET_PING;

        ngx_str_set(&args[0], "PING");

        (void) ngx_agt_fleet_connection_send(&w->teller, args, 1, 0,
                                             ngx_agt_fleet_pong, 0);
    }

    if (now >= w->second) {
        w->second = now + NGX_AGT_FLEET_SECOND;

        if (w->state->unopened
            && now - w->state->unopened >= NGX_AGT_FLEET_UNOPENED)
        {
            w->state->unopened = 0;
        }

        ngx_agt_denials_lock(w->denials);
        ngx_agt_counts_expire(w->counts, now, NGX_AGT_FLEET_FORGET);
        ngx_agt_denials_unlock(w->denials);

        ngx_agt_fleet_tell(w, now);
        ngx_agt_fleet_ask(w);
        ngx_agt_fleet_lead_ask(w);
        ngx_agt_fleet_feed_ask(w, now);
    }

    ngx_agt_fleet_read_check(w, now);
    ngx_agt_fleet_append_check(w, now);
    ngx_agt_fleet_lead_check(w, now);
    ngx_agt_fleet_append(w);
}


/*
 * Each session begins with an entry of this edge: it tells the leeway, and
 * shows that the server that is read is the one that is told.
 */

static void
ngx_agt_fleet_tell(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_uint_t  leeway;

    leeway = ngx_agt_fleet_leeway(w);

    if (w->hello == 0 || leeway > w->leeway_told
        || now - w->hello_at >= NGX_AGT_FLEET_RETELL)
    {
        w->hello = ngx_agt_numbers_reserve(w->denials);
        w->hello_at = now;
        w->leeway_told = leeway;
    }
}


/* asks whether this is still the server and the stream that it was */

static void
ngx_agt_fleet_ask(ngx_agt_fleet_worker_t *w)
{
    ngx_str_t  args[1];

    ngx_str_set(&args[0], "ROLE");

    if (ngx_agt_fleet_connection_send(&w->teller, args, 1, 0,
                                      ngx_agt_fleet_role, 0)
        != NGX_OK)
    {
        return;
    }

    /* the answer is compared with the last entry at the time of the question */

    if (w->asking) {
        return;
    }

    w->asked_last = w->last;

    w->asking = (ngx_agt_fleet_read_ask(w, &w->teller, ngx_agt_fleet_asked)
                 == NGX_OK);
}


static void
ngx_agt_fleet_pong(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (!ngx_agt_fleet_reply_is(reply, "PONG")) {
        ngx_agt_fleet_connection_refuse(conn, reply, "it refuses a PING");
        return;
    }

    w->ponged = sent;
}


static void
ngx_agt_fleet_role(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    if (ngx_agt_fleet_reply_role(reply) != NGX_OK) {
        ngx_agt_fleet_connection_refuse(conn, reply, "it is not a primary");
    }
}


static void
ngx_agt_fleet_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_stream_t   stream;
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;
    w->asking = 0;

    if (ngx_agt_fleet_reply_info(reply, &stream) != NGX_OK) {
        ngx_agt_fleet_connection_refuse(conn, reply,
                                        "it does not tell of the stream");
        return;
    }

    if (stream.epoch.len != NGX_AGT_FLEET_EPOCH_LEN
        || ngx_memcmp(stream.epoch.data, w->epoch, NGX_AGT_FLEET_EPOCH_LEN)
           != 0)
    {
        w->state->until = 0;
        ngx_agt_fleet_connection_fail(conn, "it was emptied");
        return;
    }

    w->redis = stream.now - (int64_t) ngx_agt_clock_mono();
    w->length = stream.length;

    if (ngx_agt_fleet_id_compare(&w->asked_last, &stream.last) > 0) {
        w->state->until = 0;
        ngx_agt_fleet_connection_fail(conn,
                                      "its stream is behind what was read");
    }
}


/* until when all of the fleet is known here */

static void
ngx_agt_fleet_judge(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    uint64_t         until;
    ngx_agt_fleet_e  state;

    until = ngx_min(w->ponged, w->caught + NGX_AGT_FLEET_BLOCK)
            + NGX_AGT_FLEET_SILENCE;

    if (w->state->unopened) {
        state = NGX_AGT_FLEET_UNREADABLE;

    } else if (w->state->full) {
        state = NGX_AGT_FLEET_FULL;

    } else if (ngx_agt_counts_missing(w->counts)
               || ngx_agt_counts_refused(w->counts))
    {
        state = NGX_AGT_FLEET_GAP;

    } else if (!w->known || w->ponged == 0 || w->caught == 0
               || w->read_back < w->hello)
    {

        /* one that starts is not away before Redis has had its time */

        if (w->known) {
            w->state->state = NGX_AGT_FLEET_INIT;

        } else if (w->state->state != NGX_AGT_FLEET_INIT
                   || now - w->feed.begun >= NGX_AGT_FLEET_SILENCE)
        {
            w->state->state = NGX_AGT_FLEET_AWAY;
        }

        /* an edge that was healthy is so until "until" */

        return;

    } else if (!ngx_agt_counts_whole(w->counts)) {
        state = NGX_AGT_FLEET_INIT;

    } else if (now > until) {
        state = NGX_AGT_FLEET_AWAY;

    } else if (now > w->state->marked
               || ngx_agt_fleet_ahead() - w->redis > NGX_AGT_FLEET_SKEW
               || ngx_agt_fleet_wall() / 1000
                  < ngx_max(w->state->gone, w->state->ended_by)
                    + (uint64_t) w->leeway)
    {
        /*
         * A clock that is ahead takes denials for ended that are not.  Denials
         * that count by the leeway of this edge may have been trimmed, or have
         * ended here before it was as long.
         */

        state = NGX_AGT_FLEET_OLD;

    } else {
        w->state->state = NGX_AGT_FLEET_HEALTHY;
        w->state->until = ngx_min(until, w->state->marked);
        w->state->knew = 1;
        w->pause = 0;

        if (now - w->erred >= NGX_AGT_FLEET_ERRED) {
            w->nerrors = 0;
        }

        return;
    }

    w->state->state = state;
    w->state->until = 0;
}


/* a line for each change of the state */

static void
ngx_agt_fleet_say(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_uint_t       said, level;
    ngx_agt_fleet_e  state;

    /* those of the status */

    static const char  *words[] = {
        "off", "init", "healthy", "away", "gap", "unreadable", "full", "old"
    };

    state = ngx_agt_fleet_state(w->denials, now);
    said = w->state->said;

    if (said == (ngx_uint_t) state) {
        return;
    }

    w->state->said = state;

    level = (state == NGX_AGT_FLEET_HEALTHY || state == NGX_AGT_FLEET_INIT)
            ? NGX_LOG_NOTICE : NGX_LOG_WARN;

    ngx_log_error(level, w->log, 0,
                  "agilicus token: fleet is %s, was %s, Redis \"%V\"",
                  words[state], words[said],
                  ngx_agt_fleet_connection_url(&w->reader));
}


ngx_agt_fleet_e
ngx_agt_fleet_state(ngx_agt_denials_t *denials, uint64_t now)
{
    ngx_agt_fleet_state_t  *state;

    state = &denials->sh->fleet;

    if (!state->on) {
        return NGX_AGT_FLEET_OFF;
    }

    if (now <= state->until) {
        return NGX_AGT_FLEET_HEALTHY;
    }

    return (state->state == NGX_AGT_FLEET_HEALTHY)
           ? NGX_AGT_FLEET_AWAY : (ngx_agt_fleet_e) state->state;
}


uint64_t
ngx_agt_fleet_missing(ngx_agt_denials_t *denials)
{
    return denials->sh->fleet.on ? ngx_agt_counts_missing(denials->counts) : 0;
}


void
ngx_agt_fleet_error(ngx_agt_fleet_worker_t *w, const char *what,
    const ngx_agt_fleet_reply_t *reply)
{
    size_t                  len;
    ngx_uint_t              i;
    const ngx_str_t        *text;
    ngx_agt_fleet_error_t   error;

    w->state->errors++;
    w->erred = ngx_agt_clock_mono();

    text = reply ? &reply->text : NULL;
    len = 0;

    /* its code alone: what follows may repeat a command, with a password */

    if (text && reply->type == NGX_AGT_FLEET_REPLY_ERROR) {
        while (len < text->len && len < NGX_AGT_FLEET_CODE
               && text->data[len] >= 'A' && text->data[len] <= 'Z')
        {
            len++;
        }
    }

    error.server = w->reader.server;
    error.len = (size_t) (ngx_snprintf(error.text, NGX_AGT_FLEET_ERROR_LEN,
                                       "%s%s%*s%s", what, len ? ": \"" : "",
                                       len, len ? text->data : (u_char *) "",
                                       len ? "\"" : "")
                          - error.text);

    for (i = 0; i < w->nerrors; i++) {
        if (w->errors[i].server == error.server
            && w->errors[i].len == error.len
            && ngx_memcmp(w->errors[i].text, error.text, error.len) == 0)
        {
            return;
        }
    }

    if (w->nerrors == NGX_AGT_FLEET_ERRORS) {
        return;
    }

    w->errors[w->nerrors++] = error;

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "agilicus token: fleet: %*s, Redis \"%V\"",
                  error.len, error.text,
                  ngx_agt_fleet_connection_url(&w->reader));
}


/* by a clock that is behind, denials count for longer: to the next minute */

ngx_uint_t
ngx_agt_fleet_leeway(ngx_agt_fleet_worker_t *w)
{
    int64_t  leeway, behind;

    leeway = w->leeway;
    behind = w->redis - ngx_agt_fleet_ahead();

    if (behind > NGX_AGT_FLEET_SKEW / 2) {
        leeway += ngx_min(behind / 60000, NGX_AGT_FLEET_LEEWAY) * 60 + 60;
    }

    return (ngx_uint_t) ngx_min(leeway, NGX_AGT_FLEET_LEEWAY);
}


uint64_t
ngx_agt_fleet_wall(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


int64_t
ngx_agt_fleet_ahead(void)
{
    uint64_t  now;

    now = ngx_agt_clock_mono();

    return (int64_t) ngx_agt_fleet_wall() - (int64_t) now;
}
