
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/append.h"
#include "fleet/feed.h"
#include "fleet/lead.h"


/* numbers that are taken at once, and entries without an answer, at most */
#define NGX_AGT_FLEET_TAKE     100
#define NGX_AGT_FLEET_UNACKED  1000

/* milliseconds in which an entry is to be read back */
#define NGX_AGT_FLEET_BACK     1000

/* times that nothing is read back, after which what is read is another one */
#define NGX_AGT_FLEET_UNREAD   5

/* milliseconds of rest after Redis has refused an entry */
#define NGX_AGT_FLEET_REFUSED  500


static ngx_int_t ngx_agt_fleet_append_one(ngx_agt_fleet_worker_t *w,
    const ngx_agt_numbered_t *numbered, const ngx_agt_clock_t *now);
static void ngx_agt_fleet_append_denial(ngx_agt_fleet_worker_t *w,
    const ngx_agt_numbered_t *numbered, const ngx_agt_clock_t *now,
    ngx_agt_fleet_entry_t *entry);
static void ngx_agt_fleet_appended(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);


void
ngx_agt_fleet_append_begin(ngx_agt_fleet_worker_t *w, ngx_uint_t all)
{
    uint64_t         from;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    from = ngx_agt_numbers_recent(w->denials);

    /* by new numbers, for there may be many old ones of which nothing stands */

    if (all) {
        (void) ngx_agt_numbers_renew(w->denials, NGX_AGT_NUMBER_OTHERS, &now);
        from = w->state->appended + 1;
    }

    w->cursor = ngx_min(w->state->appended + 1, from);
    w->hold = 0;
}


void
ngx_agt_fleet_append(ngx_agt_fleet_worker_t *w)
{
    ngx_uint_t       i, n;
    ngx_agt_clock_t  now;

    static ngx_agt_numbered_t  numbered[NGX_AGT_FLEET_TAKE];

    ngx_agt_clock_now(&now);

    while (w->known && w->teller.is_ready && now.mono >= w->hold
           && w->teller.ncommands < NGX_AGT_FLEET_UNACKED
           && w->cursor <= ngx_agt_numbers_last(w->denials))
    {
        if (!ngx_agt_fleet_is_holder(w)) {
            return;
        }

        n = ngx_agt_numbers_take(w->denials, w->cursor, numbered,
                                 NGX_AGT_FLEET_TAKE, &now);

        for (i = 0; i < n; i++) {
            if (ngx_agt_fleet_append_one(w, &numbered[i], &now) != NGX_OK) {
                return;
            }

            w->cursor = numbered[i].number + 1;
        }

        if (n == 0) {
            return;
        }
    }
}


static ngx_int_t
ngx_agt_fleet_append_one(ngx_agt_fleet_worker_t *w,
    const ngx_agt_numbered_t *numbered, const ngx_agt_clock_t *now)
{
    size_t                 len;
    ngx_str_t              args[7];
    ngx_agt_fleet_entry_t  entry;

    static u_char  sealed[NGX_AGT_FLEET_ENTRY_MAX];

    /* other edges could not open an entry that is sealed for an older epoch */

    static const char  script[] =
        "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
        "return redis.pcall('XADD', KEYS[2], '*', '" NGX_AGT_FLEET_FIELD "', "
        "ARGV[2])";

    ngx_memzero(&entry, sizeof(ngx_agt_fleet_entry_t));

    ngx_memcpy(entry.writer, w->state->writer, NGX_AGT_FLEET_WRITER_LEN);
    entry.number = numbered->number;
    entry.leeway = ngx_agt_fleet_leeway(w);

    /* these are sent once: what they say would not be true any more later */

    if (numbered->number == w->mark_number) {
        w->mark_number = 0;
        ngx_agt_fleet_lead_mark(w, &entry);

    } else if (numbered->number == w->feed.number) {
        w->feed.number = 0;
        ngx_agt_fleet_feed_poll(w, &entry);

    } else if (numbered->number == w->resend_number) {
        w->resend_number = 0;
        entry.kind = NGX_AGT_FLEET_RESEND;

    } else {
        ngx_agt_fleet_append_denial(w, numbered, now, &entry);
    }

    len = ngx_agt_fleet_entry_seal(w->seal, &entry, sealed,
                                   NGX_AGT_FLEET_ENTRY_MAX);
    if (len == 0) {
        ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                      "agilicus token: an entry of the fleet cannot be sealed");
        w->hold = now->mono + NGX_AGT_FLEET_REFUSED;
        return NGX_ERROR;
    }

    ngx_str_set(&args[0], "EVAL");
    args[1].data = (u_char *) script;
    args[1].len = sizeof(script) - 1;
    ngx_str_set(&args[2], "2");
    args[3] = w->conf->epoch;
    args[4] = w->conf->stream;
    args[5].data = w->epoch;
    args[5].len = NGX_AGT_FLEET_EPOCH_LEN;
    args[6].data = sealed;
    args[6].len = len;

    return ngx_agt_fleet_connection_send(&w->teller, args, 7, 0,
                                         ngx_agt_fleet_appended,
                                         numbered->number);
}


/* a number whose denial has gone is told all the same */

static void
ngx_agt_fleet_append_denial(ngx_agt_fleet_worker_t *w,
    const ngx_agt_numbered_t *numbered, const ngx_agt_clock_t *now,
    ngx_agt_fleet_entry_t *entry)
{
    uint64_t                 age;
    const ngx_agt_denial_t  *s;

    if (numbered->empty) {
        entry->kind = NGX_AGT_FLEET_EMPTY;
        return;
    }

    entry->kind = NGX_AGT_FLEET_DENIAL;
    entry->u.denial.made = ngx_agt_fleet_wall();

    s = &numbered->denial;

    ngx_memcpy(entry->u.denial.key, s->key, NGX_AGT_DENIAL_KEY_LEN);

    age = now->mono - ngx_min(ngx_agt_denial_made(s), now->mono);

    entry->u.denial.made -= ngx_min(age, entry->u.denial.made);
    entry->u.denial.exp = ngx_max(s->wall - w->leeway, 0);
    entry->u.denial.before = ngx_max(s->before, 0);
    entry->u.denial.kind = ngx_agt_denial_kind(s);
    entry->u.denial.source = ngx_agt_denial_source(s);
}


static void
ngx_agt_fleet_appended(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (reply->type == NGX_AGT_FLEET_REPLY_INTEGER) {
        w->state->until = 0;
        ngx_agt_fleet_connection_fail(conn, "it was emptied");
        return;
    }

    if (reply->type != NGX_AGT_FLEET_REPLY_STRING) {
        ngx_agt_fleet_error(w, "Redis refuses an entry", reply);

        w->refused = 1;
        w->cursor = ngx_min(w->cursor, number);
        w->hold = ngx_agt_clock_mono() + NGX_AGT_FLEET_REFUSED;

        return;
    }

    w->refused = 0;
    w->state->told++;

    if (number == w->state->appended + 1) {
        w->state->appended = number;
    }

    ngx_agt_fleet_append(w);
}


void
ngx_agt_fleet_append_check(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    uint64_t         from;
    ngx_agt_clock_t  clock;

    if (now - w->acked_at >= NGX_AGT_FLEET_MARKS) {
        ngx_memmove(w->acked + 1, w->acked,
                    NGX_AGT_FLEET_UNHEARD * sizeof(uint64_t));
        w->acked[0] = w->state->appended;
        w->acked_at = now;
    }

    /* "read_back" is counted when the end of the stream is reached */

    if (w->caught == 0 || now < w->caught
        || now - w->caught > NGX_AGT_FLEET_SILENCE
        || w->read_back >= w->state->appended)
    {
        w->behind_at = 0;
        return;
    }

    /* an edge that appends all the time reads back all the time, too */

    if (w->behind_at == 0 || w->behind != w->read_back) {
        w->behind = w->read_back;
        w->behind_at = now;
    }

    if (now - w->behind_at < NGX_AGT_FLEET_BACK) {
        return;
    }

    /* while all is read that comes */

    if (w->read_back != w->unread_back || ngx_agt_counts_refused(w->counts)) {
        w->unread_back = w->read_back;
        w->unread = 0;

    } else if (++w->unread >= NGX_AGT_FLEET_UNREAD) {
        ngx_agt_fleet_connection_fail(&w->teller,
                                      "what it was told is not read back, as "
                                      "where its address leads to two servers");
        return;
    }

    from = w->read_back + 1;

    if (w->read_back == 0) {
        ngx_agt_clock_now(&clock);
        from = ngx_agt_numbers_first(w->denials, &clock);

        /* an old mark may want lower ones, of which nothing stands any more */

        ngx_agt_denials_lock(w->denials);
        ngx_agt_counts_trimmed(w->counts, w->state->writer, from - 1);
        ngx_agt_denials_unlock(w->denials);
    }

    w->cursor = ngx_min(w->cursor, from);
    w->behind_at = now;
}
