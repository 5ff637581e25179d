
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/append.h"
#include "fleet/fleet.h"
#include "fleet/lead.h"
#include "fleet/lease.h"
#include "fleet/read.h"


/* milliseconds without a mark after which the lease is taken from its holder */
#define NGX_AGT_FLEET_UNMARKED   15000
#define NGX_AGT_FLEET_TURN       20

/* milliseconds in which an edge that knows nothing yet does not lead */
#define NGX_AGT_FLEET_NEW        5000

/* milliseconds between two times at which everything is told */
#define NGX_AGT_FLEET_DUMPS      10000

/* milliseconds in which other edges tell what this one does not know */
#define NGX_AGT_FLEET_OTHERS     7000

/* milliseconds between two looks at the beginning of the stream */
#define NGX_AGT_FLEET_TRIM       1000

/* entries that are looked at: 50 of the longest marks are 1.6 MB */
#define NGX_AGT_FLEET_TRIM_BATCH  50

/* entries that do not count and yet may stand behind one that does */
#define NGX_AGT_FLEET_HELD       10000

/* milliseconds in which all edges tell their leeway, also one that is late */
#define NGX_AGT_FLEET_HEARING    1200000

/* milliseconds for which an entry that cannot be opened is left there */
#define NGX_AGT_FLEET_LEFT       86400000


static void ngx_agt_fleet_lead_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static ngx_uint_t ngx_agt_fleet_lead_may(ngx_agt_fleet_worker_t *w);
static ngx_uint_t ngx_agt_fleet_lead_leeway(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_lead_dump(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_lead_look(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_lead_looked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static ngx_uint_t ngx_agt_fleet_lead_counts(ngx_agt_fleet_worker_t *w,
    ngx_uint_t bears, const ngx_agt_fleet_id_t *id, const ngx_str_t *value,
    ngx_agt_fleet_entry_t *entry);
static void ngx_agt_fleet_lead_trim(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_id_t *id);
static void ngx_agt_fleet_lead_trimmed(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_lead_move(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry);
static ngx_uint_t ngx_agt_fleet_lead_bears(ngx_agt_fleet_worker_t *w);


void
ngx_agt_fleet_lead_ask(ngx_agt_fleet_worker_t *w)
{
    uint64_t  now, heard;

    if (!ngx_agt_fleet_lead_is_fit(w)) {
        return;
    }

    /* one that has just started leaves the lease to those that know more */

    if (!w->state->knew
        && ngx_agt_clock_mono() - w->since < NGX_AGT_FLEET_NEW)
    {
        return;
    }

    /* a holder that does not mark is none; edges take the lease in turn */

    now = ngx_agt_clock_mono();
    heard = ngx_max(w->state->marked, w->since) + NGX_AGT_FLEET_UNMARKED
            + (uint64_t) NGX_AGT_FLEET_TURN * w->state->writer[0];

    (void) ngx_agt_fleet_lease(w, &w->conf->lease,
                               (w->caught && now > heard)
                               ? NGX_AGT_FLEET_LEASE_TAKE
                               : NGX_AGT_FLEET_LEASE_ASK,
                               ngx_agt_fleet_lead_asked);
}


/*
 * An edge that sees entries which it cannot open may have the wrong key itself.
 * One without room for a writer cannot say which of its numbers are missing,
 * and one without room for all denials would trim those that it has not.  By a
 * clock that is wrong, marks would be too old for others, and entries that
 * still count would be trimmed; the clock of Redis is the one that all edges
 * see.
 */

ngx_uint_t
ngx_agt_fleet_lead_is_fit(ngx_agt_fleet_worker_t *w)
{
    int64_t  skew;

    skew = ngx_agt_fleet_ahead() - w->redis;

    if (skew >= -NGX_AGT_FLEET_SKEW && skew <= NGX_AGT_FLEET_SKEW) {
        w->said_clock = 0;
        return w->state->unopened == 0 && w->state->full == 0
               && ngx_agt_counts_refused(w->counts) == 0;
    }

    if (!w->said_clock) {
        w->said_clock = 1;
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "agilicus token: the clock of this edge is %s that of "
                      "Redis, so it does not lead the fleet",
                      (skew > 0) ? "ahead of" : "behind");
    }

    return 0;
}


static void
ngx_agt_fleet_lead_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (reply->type != NGX_AGT_FLEET_REPLY_INTEGER) {
        ngx_agt_fleet_error(w, "Redis refuses the lease", reply);
        w->leads = 0;
        return;
    }

    w->leads = (reply->integer == NGX_AGT_FLEET_LEASE_OURS)
               ? sent + NGX_AGT_FLEET_LEASE : 0;
}


void
ngx_agt_fleet_lead_check(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    if (!ngx_agt_fleet_lead_is_fit(w)) {
        w->leads = 0;
    }

    w->state->leads = (now < w->leads);

    if (!w->state->leads || w->caught == 0) {
        w->untold = 0;
        return;
    }

    if (w->state->dump
        && (w->dumped == 0 || now - w->dumped >= NGX_AGT_FLEET_DUMPS))
    {
        ngx_agt_fleet_lead_dump(w, now);
    }

    if (w->dumped && !w->resent && w->read_back >= w->state->dump_last
        && now - w->dumped >= NGX_AGT_FLEET_OTHERS)
    {
        w->resent = 1;

        ngx_agt_denials_lock(w->denials);
        ngx_agt_counts_resent(w->counts);
        ngx_agt_denials_unlock(w->denials);
    }

    if (now - w->marked >= NGX_AGT_FLEET_MARKS && ngx_agt_fleet_lead_may(w)) {
        w->marked = now;
        w->mark_number = ngx_agt_numbers_reserve(w->denials);
    }

    if (!w->trimming && now - w->trimmed >= NGX_AGT_FLEET_TRIM) {
        w->trimmed = now;
        ngx_agt_fleet_lead_look(w);
    }
}


/* tells everything that is known here, by numbers of this edge */

static void
ngx_agt_fleet_lead_dump(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_uint_t       n;
    ngx_agt_clock_t  clock;

    ngx_agt_clock_now(&clock);

    ngx_agt_denials_lock(w->denials);
    ngx_agt_counts_resend(w->counts);
    ngx_agt_denials_unlock(w->denials);

    /* by new numbers, since the old ones will not have to be there any more */

    n = ngx_agt_numbers_adopt(w->denials, NGX_AGT_NUMBERS_ALL, &clock);

    w->state->dump = 0;
    w->resent = 0;
    w->dumped = now;

    /* of numbers that were told before, nothing may stand any more */

    w->state->dump_last = n ? ngx_agt_numbers_last(w->denials) : 0;

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "agilicus token: this edge tells the fleet everything again, "
                  "%ui denials", n);
}


/* a mark says that everything is there, so everything must have been read */

static ngx_uint_t
ngx_agt_fleet_lead_may(ngx_agt_fleet_worker_t *w)
{
    return w->state->leads && w->caught && !w->state->dump
           && w->read_back >= w->state->dump_last;
}


void
ngx_agt_fleet_lead_mark(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_entry_t *entry)
{
    uint64_t  ended, leeway;

    static ngx_agt_fleet_line_t  lines[NGX_AGT_FLEET_WRITERS];

    if (!ngx_agt_fleet_lead_may(w) || !ngx_agt_fleet_lead_is_fit(w)) {
        entry->kind = NGX_AGT_FLEET_EMPTY;
        return;
    }

    /* the clock of this edge, and that of a reader, may be wrong by SKEW */

    ended = ngx_agt_fleet_wall() / 1000;
    leeway = ngx_agt_fleet_lead_leeway(w);
    ended -= ngx_min(ended, leeway + 2 * NGX_AGT_FLEET_SKEW / 1000);

    entry->kind = NGX_AGT_FLEET_MARK;
    entry->leeway = leeway;
    entry->u.mark.start = ngx_agt_fleet_wall();
    entry->u.mark.gone = ngx_max(ended, w->state->gone);
    entry->u.mark.n = ngx_agt_counts_lines(w->counts, lines);
    entry->u.mark.lines = lines;
}


/*
 * Edges tell their leeway again and again, so one that has gone is forgotten.
 * One that has told nothing for so long is not healthy, since it sees that
 * denials have gone that count there.
 */

void
ngx_agt_fleet_lead_hear(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, uint64_t now)
{
    ngx_agt_fleet_state_t  *state;

    state = w->state;

    if (now - state->heard_at >= NGX_AGT_FLEET_HEARING) {
        state->heard[1] = (now - state->heard_at < 2 * NGX_AGT_FLEET_HEARING)
                          ? state->heard[0] : 0;
        state->heard[0] = 0;
        state->heard_at = now;
    }

    /* an edge that has not heard all relies on the marks of others, as long */

    if (entry->kind != NGX_AGT_FLEET_MARK
        || now - w->since < NGX_AGT_FLEET_HEARING)
    {
        state->heard[0] = ngx_max(state->heard[0], entry->leeway);
    }
}


static ngx_uint_t
ngx_agt_fleet_lead_leeway(ngx_agt_fleet_worker_t *w)
{
    return ngx_max(ngx_agt_fleet_leeway(w),
                   ngx_max(w->state->heard[0], w->state->heard[1]));
}


static void
ngx_agt_fleet_lead_look(ngx_agt_fleet_worker_t *w)
{
    ngx_str_t  start, end;

    ngx_str_set(&start, "-");
    ngx_str_set(&end, "+");

    w->trimming = (ngx_agt_fleet_read_range(w, &w->teller, &start, &end,
                                            NGX_AGT_FLEET_TRIM_BATCH,
                                            ngx_agt_fleet_lead_looked)
                   == NGX_OK);
}


static void
ngx_agt_fleet_lead_looked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_int_t                rc;
    ngx_str_t                value;
    ngx_uint_t               i, trim, held, bears;
    ngx_agt_fleet_id_t       id, upto, last;
    ngx_agt_fleet_entry_t    entry;
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;
    w->trimming = 0;

    if (reply->type != NGX_AGT_FLEET_REPLY_LIST) {
        ngx_agt_fleet_error(w, "Redis refuses to show the stream", reply);
        return;
    }

    /* the clock may have been set since */

    if (!ngx_agt_fleet_lead_is_fit(w)) {
        w->untold = 0;
        return;
    }

    /* entries that have filled Redis may stand behind it */

    last = w->refused ? w->last : w->mark;

    ngx_memzero(&upto, sizeof(ngx_agt_fleet_id_t));
    trim = 0;
    held = 0;
    bears = ngx_agt_fleet_lead_bears(w);

    for (i = 0; i < reply->n; i++) {
        rc = ngx_agt_fleet_reply_entry(reply, i, &id, &value);

        if (rc == NGX_ERROR) {
            return;
        }

        if (rc == NGX_DECLINED) {
            ngx_str_null(&value);
        }

        /* an edge that starts must find what the last mark says */

        if (ngx_agt_fleet_id_compare(&id, &last) > 0) {
            break;
        }

        if (ngx_agt_fleet_lead_counts(w, bears, &id, &value, &entry)) {

            if (!held && bears) {
                break;
            }

            /* it holds back too many; a later entry shall stand for it */

            held = 1;

            if (entry.kind == NGX_AGT_FLEET_DENIAL) {
                ngx_agt_fleet_lead_move(w, &entry);
            }

            continue;
        }

        if (held) {
            continue;
        }

        trim = 1;
        upto = id;

        /* lower ones that were not trimmed were deleted: they are missed */

        if (entry.number
            && entry.number == ngx_agt_counts_first(w->counts, entry.writer))
        {
            ngx_agt_denials_lock(w->denials);
            ngx_agt_counts_trimmed(w->counts, entry.writer, entry.number);
            ngx_agt_denials_unlock(w->denials);
        }
    }

    if (!trim) {
        return;
    }

    /*
     * An edge that starts would miss what the last mark does not know to be
     * gone, so the next mark comes first; but it would hold up many.
     */

    if (!w->refused && i < NGX_AGT_FLEET_TRIM_BATCH) {

        if (w->untold == 0) {
            w->untold = ngx_agt_numbers_last(w->denials);
            w->upto = upto;
            return;
        }

        if (w->own_mark <= w->untold) {
            return;
        }

        upto = w->upto;
    }

    w->untold = 0;

    ngx_agt_fleet_lead_trim(w, &upto);
}


/*
 * 1 if an entry must stay; "entry->number" is 0 where it cannot be opened.  One
 * that cannot stays as long as it does not hold back too many.
 */

static ngx_uint_t
ngx_agt_fleet_lead_counts(ngx_agt_fleet_worker_t *w, ngx_uint_t bears,
    const ngx_agt_fleet_id_t *id, const ngx_str_t *value,
    ngx_agt_fleet_entry_t *entry)
{
    uint64_t         own;
    ngx_int_t        rc;
    ngx_agt_clock_t  now;

    static ngx_agt_fleet_line_t  lines[NGX_AGT_FLEET_WRITERS];

    ngx_memzero(entry, sizeof(ngx_agt_fleet_entry_t));

    rc = value->len
         ? ngx_agt_fleet_entry_open(w->seal, value, entry, lines)
         : NGX_DECLINED;

    if (rc != NGX_OK) {
        ngx_memzero(entry, sizeof(ngx_agt_fleet_entry_t));

        return rc == NGX_ABORT
               || (bears
                   && id->ms + NGX_AGT_FLEET_LEFT > ngx_agt_fleet_wall());
    }

    if (entry->kind != NGX_AGT_FLEET_DENIAL) {
        return 0;
    }

    ngx_agt_clock_now(&now);

    /* no edge has a longer leeway, whatever the last mark says */

    if (entry->u.denial.exp
        < ngx_max((int64_t) w->gone,
                  now.wall - NGX_AGT_FLEET_LEEWAY - NGX_AGT_FLEET_SKEW / 1000))
    {
        return 0;
    }

    /*
     * A later entry of this edge says the same, and stands in the stream,
     * unless Redis may have lost it since.
     */

    own = ngx_agt_numbers_of(w->denials, entry->u.denial.key, &now);

    return !(own && !(own & NGX_AGT_NUMBER_OTHERS)
             && own <= w->read_back && own > w->state->unsure
             && (own > entry->number
                 || ngx_memcmp(entry->writer, w->state->writer,
                               NGX_AGT_FLEET_WRITER_LEN)
                    != 0));
}


static void
ngx_agt_fleet_lead_move(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry)
{
    uint64_t         own;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    own = ngx_agt_numbers_of(w->denials, entry->u.denial.key, &now);

    /* one that is on its way is not moved twice */

    if ((own & NGX_AGT_NUMBER_OTHERS) || own <= w->read_back) {
        (void) ngx_agt_numbers_again(w->denials, entry->u.denial.key, &now);
    }
}


/* 1 if not too many entries stand behind the one that counts */

static ngx_uint_t
ngx_agt_fleet_lead_bears(ngx_agt_fleet_worker_t *w)
{
    ngx_uint_t       i, n;
    ngx_agt_clock_t  now;

    if (w->length <= NGX_AGT_FLEET_HELD) {
        return 1;
    }

    ngx_agt_clock_now(&now);

    i = 0;
    n = 0;

    while (ngx_agt_denial_set_next(w->denials->set, &i, &now)) {
        n++;
    }

    return w->length <= NGX_AGT_FLEET_HELD + n;
}


/* exactly: without "=", Redis trims by whole nodes */

static void
ngx_agt_fleet_lead_trim(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_id_t *id)
{
    u_char              text[NGX_AGT_FLEET_ID_LEN];
    ngx_str_t           args[5];
    ngx_agt_fleet_id_t  next;

    next = *id;

    if (++next.seq == 0) {
        next.ms++;
    }

    ngx_str_set(&args[0], "XTRIM");
    args[1] = w->conf->stream;
    ngx_str_set(&args[2], "MINID");
    ngx_str_set(&args[3], "=");
    args[4].data = text;
    args[4].len = (size_t) (ngx_agt_fleet_id_write(text, &next) - text);

    (void) ngx_agt_fleet_connection_send(&w->teller, args, 5, 0,
                                         ngx_agt_fleet_lead_trimmed, 0);
}


static void
ngx_agt_fleet_lead_trimmed(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (reply->type != NGX_AGT_FLEET_REPLY_INTEGER) {
        ngx_agt_fleet_error(w, "Redis refuses to trim the stream", reply);
        return;
    }

    w->state->trimmed += (uint64_t) ngx_max(reply->integer, 0);

    /* there may be more */

    if (reply->integer >= NGX_AGT_FLEET_TRIM_BATCH) {
        w->trimmed = 0;
    }
}
