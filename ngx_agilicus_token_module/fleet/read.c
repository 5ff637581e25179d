
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/append.h"
#include "fleet/feed.h"
#include "fleet/lead.h"
#include "fleet/read.h"
#include "token/time.h"

#include <openssl/rand.h>


/* entries that are read at once, at most */
#define NGX_AGT_FLEET_BATCH      1000

/*
 * milliseconds before memory that is full is tried again, by reading from the
 * start; each time twice as many, at most
 */
#define NGX_AGT_FLEET_FULL_AGAIN  10000
#define NGX_AGT_FLEET_FULL_MAX    320000

/* milliseconds by which a clock is set back without being read again */
#define NGX_AGT_FLEET_STEP        1000

/* milliseconds between two looks at an entry of an unknown version */
#define NGX_AGT_FLEET_STUCK       1000

/* milliseconds between two answers: an edge that asks again does so later */
#define NGX_AGT_FLEET_ANSWER     (NGX_AGT_COUNTS_AGAIN / 2)

/* marks after which all edges have heard of a "resend" */
#define NGX_AGT_FLEET_HEARD       2


static void ngx_agt_fleet_read_epoch(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_read_place(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_read_next(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_read_again(ngx_agt_fleet_worker_t *w);
static void ngx_agt_fleet_read_done(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_read_entry(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now);
static ngx_int_t ngx_agt_fleet_read_denial(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now);
static void ngx_agt_fleet_read_mark(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now);
static void ngx_agt_fleet_read_resend(ngx_agt_fleet_worker_t *w,
    const ngx_agt_clock_t *now);
static void ngx_agt_fleet_read_end(ngx_agt_fleet_worker_t *w, uint64_t sent);
static void ngx_agt_fleet_read_full(ngx_agt_fleet_worker_t *w, uint64_t now);
static void ngx_agt_fleet_read_own(ngx_agt_fleet_worker_t *w);
static ngx_uint_t ngx_agt_fleet_is_own(ngx_agt_fleet_worker_t *w,
    const u_char *writer);


void
ngx_agt_fleet_read_begin(ngx_agt_fleet_worker_t *w)
{
    u_char     id[NGX_AGT_FLEET_ID_LEN];
    ngx_str_t  place;

    w->known = 0;
    w->moved = 0;
    w->ranging = 1;
    w->caught = 0;
    w->last.ms = w->state->last_ms;
    w->last.seq = w->state->last_seq;

    /* this configuration may have the key that the last one had not */

    if (w->state->skipped && w->state->skipped != w->cycle) {
        w->state->until = 0;
        w->state->skipped = 0;
        w->last.ms = 0;
        w->last.seq = 0;
    }

    w->mark.ms = 0;
    w->mark.seq = 0;
    w->gone = 0;
    w->untold = 0;
    w->own_mark = 0;

    if (ngx_agt_fleet_read_ask(w, &w->reader, ngx_agt_fleet_read_epoch)
        != NGX_OK)
    {
        return;
    }

    place.data = id;
    place.len = (size_t) (ngx_agt_fleet_id_write(id, &w->last) - id);

    (void) ngx_agt_fleet_read_range(w, &w->reader, &place, &place, 1,
                                    ngx_agt_fleet_read_place);
}


ngx_int_t
ngx_agt_fleet_read_ask(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_connection_t *conn, ngx_agt_fleet_reply_pt handler)
{
    u_char     random[NGX_AGT_FLEET_EPOCH_LEN / 2];
    u_char     epoch[NGX_AGT_FLEET_EPOCH_LEN];
    ngx_str_t  args[6];

    /* where it is set, nothing is written: Redis may be full */

    static const char  script[] =
        "local v = redis.pcall('GET', KEYS[1]) "
        "local info = redis.pcall('XINFO', 'STREAM', KEYS[2]) "
        "local length, last = 0, '0-0' "
        "for i = 1, #info, 2 do "
        "if info[i] == 'length' then length = info[i + 1] end "
        "if info[i] == 'last-generated-id' then last = info[i + 1] end "
        "end "
        "local time = redis.call('TIME') "
        "local now = time[1] * 1000 + time[2] / 1000 "
        "if type(v) ~= 'string' or #v ~= #ARGV[1] "
        "or tonumber(string.match(last, '%d+')) > now + 86400000 then "
        "v, length, last = ARGV[1], 0, '0-0' "
        "redis.call('DEL', KEYS[2]) "
        "redis.call('SET', KEYS[1], v) "
        "end "
        "return { v, length, last, now }";

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_agt_fleet_connection_fail(conn, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    ngx_hex_dump(epoch, random, sizeof(random));

    ngx_str_set(&args[0], "EVAL");
    args[1].data = (u_char *) script;
    args[1].len = sizeof(script) - 1;
    ngx_str_set(&args[2], "2");
    args[3] = w->conf->epoch;
    args[4] = w->conf->stream;
    args[5].data = epoch;
    args[5].len = NGX_AGT_FLEET_EPOCH_LEN;

    return ngx_agt_fleet_connection_send(conn, args, 6, 0, handler, 0);
}


/*
 * An answer that cannot be taken, such as one with an entry that no edge wrote,
 * ends the session; without this, the next one would end at the same entry.
 */

ngx_int_t
ngx_agt_fleet_read_range(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_connection_t *conn, const ngx_str_t *start,
    const ngx_str_t *end, ngx_uint_t n, ngx_agt_fleet_reply_pt handler)
{
    u_char     count[NGX_INT_T_LEN], max[NGX_INT_T_LEN];
    ngx_str_t  args[8];

    static const char  script[] =
        "local out, size = {}, 0 "
        "for _, e in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], "
        "'COUNT', ARGV[3])) do "
        "local v = e[2][2] "
        "if #e[2] ~= 2 or e[2][1] ~= '" NGX_AGT_FLEET_FIELD "' "
        "or #v > tonumber(ARGV[4]) then v = '' end "
        "out[#out + 1] = { e[1], { '" NGX_AGT_FLEET_FIELD "', v } } "
        "size = size + #v "
        "if size > 1000000 then break end "
        "end "
        "return out";

    ngx_str_set(&args[0], "EVAL");
    args[1].data = (u_char *) script;
    args[1].len = sizeof(script) - 1;
    ngx_str_set(&args[2], "1");
    args[3] = w->conf->stream;
    args[4] = *start;
    args[5] = *end;
    args[6].data = count;
    args[6].len = (size_t) (ngx_sprintf(count, "%ui", n) - count);
    args[7].data = max;
    args[7].len = (size_t) (ngx_sprintf(max, "%ui",
                                        (ngx_uint_t) NGX_AGT_FLEET_ENTRY_MAX)
                            - max);

    return ngx_agt_fleet_connection_send(conn, args, 8, 0, handler, 1);
}


/* another epoch: everything that was in the stream has gone */

static void
ngx_agt_fleet_read_epoch(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_stream_t   stream;
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (ngx_agt_fleet_reply_info(reply, &stream) != NGX_OK
        || stream.epoch.len != NGX_AGT_FLEET_EPOCH_LEN)
    {
        ngx_agt_fleet_connection_refuse(conn, reply,
                                        "it does not tell the epoch");
        return;
    }

    if (!ngx_agt_fleet_is_holder(w)) {
        ngx_agt_fleet_connection_close(conn);
        return;
    }

    w->redis = stream.now - (int64_t) ngx_agt_clock_mono();

    ngx_memcpy(w->epoch, stream.epoch.data, NGX_AGT_FLEET_EPOCH_LEN);
    ngx_agt_fleet_seal_epoch(w->seal, w->epoch);

    if (ngx_memcmp(w->epoch, w->state->epoch, NGX_AGT_FLEET_EPOCH_LEN) == 0) {
        return;
    }

    ngx_agt_denials_lock(w->denials);

    ngx_agt_counts_clear(w->counts);

    ngx_agt_feed_state_forget_locked(w->denials);

    w->state->dump = 1;
    w->state->until = 0;
    w->state->marked = 0;
    w->state->unopened = 0;
    w->state->lacks = 0;

    /* live denials are told again, also after marks of a wrong clock */

    w->state->gone = ngx_min(w->state->gone, ngx_agt_fleet_wall() / 1000);
    w->state->last_ms = 0;
    w->state->last_seq = 0;

    ngx_memory_barrier();

    ngx_memcpy(w->state->epoch, w->epoch, NGX_AGT_FLEET_EPOCH_LEN);

    ngx_agt_denials_unlock(w->denials);

    w->moved = 1;
    w->dumped = 0;
    w->read_back = 0;
    w->last.ms = 0;
    w->last.seq = 0;
}


/*
 * Where the last entry is not there, later ones may have gone with it; so may a
 * "resend" that this edge has not answered.
 */

static void
ngx_agt_fleet_read_place(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_clock_t          now;
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (reply->type != NGX_AGT_FLEET_REPLY_LIST) {
        ngx_agt_fleet_connection_refuse(conn, reply,
                                        "it does not tell of the stream");
        return;
    }

    ngx_agt_clock_now(&now);

    if (reply->n == 0) {
        w->last.ms = 0;
        w->last.seq = 0;
        w->state->unsure = ngx_agt_numbers_last(w->denials);
        w->state->asked = now.mono;
        w->marks = 0;
    }

    w->known = 1;

    if (w->moved) {
        ngx_agt_fleet_read_resend(w, &now);

    } else {
        ngx_agt_fleet_append_begin(w, 0);
    }

    ngx_agt_fleet_read_next(w);
}


/*
 * What a clock that was ahead took for ended may count by the one that is set:
 * the edge knows nothing until it has read everything again.
 */

ngx_uint_t
ngx_agt_fleet_read_is_wrong(ngx_agt_fleet_worker_t *w)
{
    if (w->state->ended == 0
        || ngx_agt_fleet_ahead() + NGX_AGT_FLEET_STEP >= w->state->ended)
    {
        return 0;
    }

    ngx_agt_denials_lock(w->denials);

    ngx_agt_counts_clear(w->counts);

    w->state->until = 0;
    w->state->last_ms = 0;
    w->state->last_seq = 0;
    w->state->ended = 0;

    ngx_agt_denials_unlock(w->denials);

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "agilicus token: the clock was set back, the fleet's stream "
                  "is read from the start");

    return 1;
}


static void
ngx_agt_fleet_read_next(ngx_agt_fleet_worker_t *w)
{
    u_char     id[1 + NGX_AGT_FLEET_ID_LEN], count[NGX_INT_T_LEN];
    u_char     block[NGX_INT_T_LEN];
    ngx_str_t  args[8];

    if (w->ranging) {
        ngx_str_set(&args[0], "XRANGE");
        args[1] = w->conf->stream;
        id[0] = '(';
        args[2].data = id;
        args[2].len = (size_t) (ngx_agt_fleet_id_write(id + 1, &w->last) - id);
        ngx_str_set(&args[3], "+");
        ngx_str_set(&args[4], "COUNT");
        args[5].data = count;
        args[5].len = (size_t) (ngx_sprintf(count, "%ui",
                                            (ngx_uint_t) NGX_AGT_FLEET_BATCH)
                                - count);

        /* the script takes Redis ten times as long */

        if (w->careful) {
            (void) ngx_agt_fleet_read_range(w, &w->reader, &args[2], &args[3],
                                            NGX_AGT_FLEET_BATCH,
                                            ngx_agt_fleet_read_done);
            return;
        }

        (void) ngx_agt_fleet_connection_send(&w->reader, args, 6, 0,
                                             ngx_agt_fleet_read_done, 1);
        return;
    }

    ngx_str_set(&args[0], "XREAD");
    ngx_str_set(&args[1], "COUNT");
    args[2].data = count;
    args[2].len = (size_t) (ngx_sprintf(count, "%ui",
                                        (ngx_uint_t) NGX_AGT_FLEET_BATCH)
                            - count);
    ngx_str_set(&args[3], "BLOCK");
    args[4].data = block;
    args[4].len = (size_t) (ngx_sprintf(block, "%ui",
                                        (ngx_uint_t) NGX_AGT_FLEET_BLOCK)
                            - block);
    ngx_str_set(&args[5], "STREAMS");
    args[6] = w->conf->stream;
    args[7].data = id;
    args[7].len = (size_t) (ngx_agt_fleet_id_write(id, &w->last) - id);

    (void) ngx_agt_fleet_connection_send(&w->reader, args, 8,
                                         NGX_AGT_FLEET_BLOCK,
                                         ngx_agt_fleet_read_done, 0);
}


/* the next command reads from the start; until then, not all is known */

static void
ngx_agt_fleet_read_again(ngx_agt_fleet_worker_t *w)
{
    w->ranging = 1;
    w->last.ms = 0;
    w->last.seq = 0;
    w->caught = 0;
    w->state->full = 0;
    w->state->until = 0;
}


static void
ngx_agt_fleet_read_done(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_int_t                     rc;
    ngx_str_t                     value;
    ngx_uint_t                    i;
    ngx_agt_clock_t               now;
    ngx_agt_fleet_id_t            id;
    ngx_agt_fleet_entry_t         entry;
    ngx_agt_fleet_worker_t       *w;
    const ngx_agt_fleet_reply_t  *entries;

    static ngx_agt_fleet_line_t  lines[NGX_AGT_FLEET_WRITERS];

    w = conn->data;

    ngx_agt_clock_now(&now);

    /* entries, and their end, are for the worker that holds the lease */

    if (!ngx_agt_fleet_is_holder(w)) {
        ngx_agt_fleet_connection_close(conn);
        return;
    }

    if (number) {
        entries = reply;
        rc = (reply->type != NGX_AGT_FLEET_REPLY_LIST) ? NGX_ERROR
             : reply->n ? NGX_OK : NGX_DECLINED;

        w->ranging = (rc == NGX_OK);
        w->careful = (w->careful && w->ranging);

    } else {
        rc = ngx_agt_fleet_reply_read(reply, &w->conf->stream, &entries);
    }

    if (rc == NGX_ERROR) {
        ngx_agt_fleet_connection_refuse(conn, reply,
                                        "it does not let the stream be read");
        return;
    }

    for (i = 0; rc == NGX_OK && i < entries->n; i++) {

        /* another worker may read by now */

        if (!ngx_agt_fleet_is_holder(w)) {
            ngx_agt_fleet_connection_close(conn);
            return;
        }

        rc = ngx_agt_fleet_reply_entry(entries, i, &id, &value);

        if (rc == NGX_ERROR) {
            ngx_agt_fleet_connection_fail(conn, "an entry has no id");
            return;
        }

        if (rc == NGX_OK) {
            rc = ngx_agt_fleet_entry_open(w->seal, &value, &entry, lines);
        }

        if (rc == NGX_ABORT) {

            /* what it says is not known here, so all after it must wait */

            w->stuck = now.mono;
            w->state->unopened = now.mono;
            w->state->unreadable++;
            w->state->until = 0;
            break;
        }

        if (rc == NGX_OK) {
            ngx_agt_fleet_read_entry(w, &entry, &now);

        } else {
            w->state->unopened = now.mono;
            w->state->skipped = w->cycle;
            w->state->unreadable++;
            w->state->until = 0;
        }

        w->state->read++;
        w->last = id;
        rc = NGX_OK;
    }

    w->state->last_ms = w->last.ms;
    w->state->last_seq = w->last.seq;

    if (rc == NGX_ABORT) {
        return;
    }

    if (rc == NGX_DECLINED || (!number && entries->n < NGX_AGT_FLEET_BATCH)) {
        ngx_agt_fleet_read_end(w, sent);
    }

    ngx_agt_fleet_read_next(w);
}


/*
 * An entry is counted after it has been applied, so that one whose reader dies
 * in between is applied by the next one.
 */

static void
ngx_agt_fleet_read_entry(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now)
{
    ngx_uint_t               own;
    ngx_agt_counts_number_e  taken;

    own = ngx_agt_fleet_is_own(w, entry->writer);

    /* a denial that is told again is idempotent, and may have had no room */

    if (entry->kind == NGX_AGT_FLEET_DENIAL && !own
        && ngx_agt_fleet_read_denial(w, entry, now) != NGX_OK)
    {
        return;
    }

    if (ngx_agt_counts_is_used(w->counts, entry->writer, entry->number)) {
        return;
    }

    switch (entry->kind) {

    case NGX_AGT_FLEET_MARK:
        ngx_agt_fleet_read_mark(w, entry, now);
        break;

    case NGX_AGT_FLEET_RESEND:

        /*
         * Those of long ago have been answered.  All edges may notice a gap,
         * and ask: the answer to one serves all, and an edge that still misses
         * a number asks again.
         */

        if (w->caught && now->mono - w->answered >= NGX_AGT_FLEET_ANSWER) {
            ngx_agt_fleet_read_resend(w, now);
        }

        break;

    default: /* NGX_AGT_FLEET_DENIAL, NGX_AGT_FLEET_EMPTY */
        break;
    }

    ngx_agt_fleet_lead_hear(w, entry, now->mono);

    ngx_agt_denials_lock(w->denials);

    taken = ngx_agt_counts_take(w->counts, entry->writer, entry->number,
                                now->mono);

    if (taken == NGX_AGT_COUNTS_GAP || taken == NGX_AGT_COUNTS_FULL) {
        w->state->gaps++;
        w->state->until = 0;
    }

    ngx_agt_denials_unlock(w->denials);

    ngx_agt_fleet_feed_read(w, entry, taken, now->mono);
}


/*
 * NGX_ERROR where a denial found no room, or another one had to go for it: the
 * edge does not know all then, and the number is still missing.
 */

static ngx_int_t
ngx_agt_fleet_read_denial(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now)
{
    uint64_t                       wall, age, made;
    ngx_int_t                      rc;
    ngx_uint_t                     source;
    ngx_agt_denial_t               denial;
    const ngx_agt_fleet_denial_t  *d;

    d = &entry->u.denial;

    wall = ngx_agt_fleet_wall();

    ngx_memzero(&denial, sizeof(ngx_agt_denial_t));

    ngx_memcpy(denial.key, d->key, NGX_AGT_DENIAL_KEY_LEN);

    denial.wall = ngx_agt_time_add(d->exp, w->leeway);
    denial.before = d->before;

    if (denial.wall <= now->wall) {
        w->state->ended = ngx_max(w->state->ended, ngx_agt_fleet_ahead());
        return NGX_OK;
    }

    /* a clock that is behind the other's relies on the time of reading */

    age = (d->made < wall) ? wall - d->made : 0;
    made = (now->mono > age) ? now->mono - age : 1;

    source = ngx_max(d->source, NGX_AGT_DENIED_BY_FEED);
    source = ngx_min(source, NGX_AGT_DENIED_BY_HOOK);

    denial.mark = ngx_agt_denial_mark(made, source, d->kind);

    w->state->lag = age;

    rc = ngx_agt_denials_learn(w->denials, &denial, now);

    if (rc == NGX_ERROR || rc == NGX_BUSY) {
        w->state->full = now->mono;
        w->state->until = 0;

        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_agt_fleet_read_mark(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, const ngx_agt_clock_t *now)
{
    int64_t                      at;
    uint64_t                     age;
    ngx_uint_t                   i;
    const ngx_agt_fleet_mark_t  *mark;

    mark = &entry->u.mark;

    /* also where our clock is behind: the edge that marks agrees with Redis */

    at = ngx_max(ngx_agt_fleet_ahead(), w->redis - NGX_AGT_FLEET_SKEW)
         + (int64_t) now->mono;

    age = (at > (int64_t) mark->start) ? (uint64_t) at - mark->start : 0;

    /* it is not trimmed as long as it is the last one */

    w->mark = w->last;
    w->gone = mark->gone;

    if (ngx_agt_fleet_is_own(w, entry->writer)) {
        w->own_mark = entry->number;
    }

    w->state->gone = ngx_max(w->state->gone, mark->gone);

    ngx_agt_denials_lock(w->denials);

    ngx_agt_counts_mark(w->counts, mark->lines, mark->n, w->state->writer,
                        now->mono, &w->state->lacks);

    /* its age is that of the clock that says more */

    if (age < NGX_AGT_FLEET_MARK_AGE) {
        w->state->marked = ngx_max(w->state->marked,
                                   now->mono + NGX_AGT_FLEET_MARK_AGE - age);
    }

    ngx_agt_denials_unlock(w->denials);

    /*
     * Others ignore numbers of this edge that need not be there any more: a
     * live denial with such a number was not heard of, and gets another one.
     */

    for (i = 0; i < mark->n; i++) {
        if (!ngx_agt_fleet_is_own(w, mark->lines[i].writer)) {
            continue;
        }

        (void) ngx_agt_numbers_renew(w->denials, mark->lines[i].first, now);

        /*
         * An entry that Redis has acknowledged long ago and that the edge that
         * marks has not read was told to a server that the others have left, or
         * was sealed by a key that they have not.
         */

        if (w->caught
            && mark->lines[i].last < w->acked[NGX_AGT_FLEET_UNHEARD])
        {
            w->cursor = ngx_min(w->cursor, mark->lines[i].last + 1);
            ngx_memzero(w->acked, sizeof(w->acked));
        }
    }

    if (w->state->asked == 0 || w->caught == 0
        || ++w->marks < NGX_AGT_FLEET_HEARD)
    {
        return;
    }

    /* a denial that no other edge has told by now, this edge alone knows */

    (void) ngx_agt_numbers_adopt(w->denials, w->state->asked, now);

    w->state->asked = 0;
    w->state->dump = 0;
}


/* each edge tells its own denials again; the edge that leads, all it knows */

static void
ngx_agt_fleet_read_resend(ngx_agt_fleet_worker_t *w,
    const ngx_agt_clock_t *now)
{
    ngx_agt_fleet_append_begin(w, 1);

    w->answered = now->mono;
    w->state->lacks = 0;
    w->state->asked = now->mono;
    w->marks = 0;
    w->state->dump = 1;
}


/* everything that was in the stream when the command was sent is read */

static void
ngx_agt_fleet_read_end(ngx_agt_fleet_worker_t *w, uint64_t sent)
{
    uint64_t               now;
    ngx_agt_counts_step_e  step;

    now = ngx_agt_clock_mono();

    w->caught = ngx_max(sent, 1);

    ngx_agt_fleet_read_own(w);

    /* what found no room is missing, and others need not tell it again */

    if (w->state->full) {
        ngx_agt_fleet_read_full(w, now);
        return;
    }

    w->full_pause = 0;

    ngx_agt_denials_lock(w->denials);
    step = ngx_agt_counts_step(w->counts, now);
    ngx_agt_denials_unlock(w->denials);

    if (w->state->lacks && step != NGX_AGT_COUNTS_READ
        && now - w->lacked >= NGX_AGT_COUNTS_AGAIN
        && now - w->answered >= NGX_AGT_FLEET_ANSWER)
    {
        w->lacked = now;
        step = NGX_AGT_COUNTS_ASK;
    }

    switch (step) {

    case NGX_AGT_COUNTS_READ:
        ngx_agt_fleet_read_again(w);
        break;

    case NGX_AGT_COUNTS_ASK:
        w->resend_number = ngx_agt_numbers_reserve(w->denials);
        w->state->resends++;
        break;

    default:
        break;
    }
}


/* there may be room when others have ended */

static void
ngx_agt_fleet_read_full(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    if (w->full_pause == 0) {
        w->full_pause = NGX_AGT_FLEET_FULL_AGAIN;
        w->full_at = now;

    } else if (now - w->full_at >= w->full_pause) {
        w->full_pause = ngx_min(2 * w->full_pause, NGX_AGT_FLEET_FULL_MAX);
        w->full_at = now;
        ngx_agt_fleet_read_again(w);
    }
}


/*
 * Notes the number of this edge up to which all were read back.  Where the
 * counts begin behind the number of a denial that still stands, entries were
 * lost though Redis has acknowledged them.
 */

static void
ngx_agt_fleet_read_own(ngx_agt_fleet_worker_t *w)
{
    uint64_t         upto;
    ngx_agt_clock_t  now;

    if (w->read_back >= ngx_agt_numbers_last(w->denials)) {
        return;
    }

    upto = ngx_agt_counts_read(w->counts, w->state->writer, w->read_back + 1);

    if (upto == 0) {
        ngx_agt_clock_now(&now);

        upto = ngx_agt_counts_read(w->counts, w->state->writer,
                                   ngx_agt_numbers_first(w->denials, &now));
    }

    if (upto) {
        w->read_back = upto;
    }
}


void
ngx_agt_fleet_read_check(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    if (w->stuck && w->known && now - w->stuck >= NGX_AGT_FLEET_STUCK) {
        w->stuck = 0;
        ngx_agt_fleet_read_next(w);
    }
}


static ngx_uint_t
ngx_agt_fleet_is_own(ngx_agt_fleet_worker_t *w, const u_char *writer)
{
    return ngx_memcmp(writer, w->state->writer, NGX_AGT_FLEET_WRITER_LEN) == 0;
}
