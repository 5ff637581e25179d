
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/feed.h"
#include "fleet/lead.h"
#include "fleet/lease.h"


/* what the key of a lease has behind the name of the fleet */
#define NGX_AGT_FLEET_FEED_KEY    ":feed:"

/* milliseconds for which an edge polls without the lease, again and again */
#define NGX_AGT_FLEET_FEED_ALONE  1000


static uint64_t ngx_agt_fleet_feed_until(ngx_agt_fleet_worker_t *w,
    uint64_t now);
static ngx_uint_t ngx_agt_fleet_feed_relies(ngx_agt_fleet_worker_t *w,
    uint64_t now);
static ngx_uint_t ngx_agt_fleet_feed_tells(ngx_agt_fleet_worker_t *w,
    uint64_t now);
static void ngx_agt_fleet_feed_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_feed_wait(ngx_agt_fleet_worker_t *w, uint64_t now);
static uint64_t ngx_agt_fleet_feed_wall(ngx_agt_fleet_worker_t *w,
    uint64_t now);
static ngx_uint_t ngx_agt_fleet_feed_misses(ngx_agt_fleet_worker_t *w);


void
ngx_agt_fleet_feed_begin(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_memzero(&w->feed, sizeof(ngx_agt_fleet_feed_t));

    w->feed.begun = now;
    w->feed.failed = w->denials->sh->feed.failed;

    ngx_agt_fleet_feed_wait(w, now);
}


void
ngx_agt_fleet_feed_check(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    uint64_t               until;
    ngx_uint_t             was, rests, gives, tells;
    ngx_agt_feed_state_t  *feed;

    feed = &w->denials->sh->feed;

    ngx_agt_denials_lock(w->denials);

    if (!ngx_agt_fleet_is_holder(w) || feed->interval == 0) {
        ngx_agt_denials_unlock(w->denials);
        return;
    }

    ngx_agt_feed_state_clock_locked(w->denials, ngx_agt_fleet_feed_wall(w, now),
                                    now);

    if (ngx_agt_fleet_feed_misses(w)) {
        ngx_agt_feed_state_forget_locked(w->denials);
    }

    /* the workers of an nginx that ends do not poll any more */

    rests = (ngx_exiting || ngx_quit
             || (feed->failed != w->feed.failed && now < w->feed.lease));
    gives = (rests && now < w->feed.lease);

    w->feed.failed = feed->failed;

    if (rests) {
        w->feed.lease = 0;
        w->feed.rest = now + 2 * feed->interval;
    }

    was = ngx_agt_feed_state_polls(w->denials, now);
    until = ngx_agt_fleet_feed_until(w, now);

    ngx_agt_feed_state_turn_locked(w->denials, until, now);

    tells = ngx_agt_fleet_feed_tells(w, now);

    if (tells) {
        w->feed.told = feed->own;
        w->feed.told_at = now;
    }

    ngx_agt_denials_unlock(w->denials);

    if (tells) {
        w->feed.number = ngx_agt_numbers_reserve(w->denials);
    }

    if (was != (now < until)) {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "agilicus token: the revocation feed is polled by %s",
                      was ? "another edge" : "this edge");
    }

    if (gives && w->known) {
        ngx_agt_fleet_feed_ask(w, now);
    }
}


/* until when this edge polls; 0: it does not */

static uint64_t
ngx_agt_fleet_feed_until(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    uint64_t               wait, dead;
    ngx_agt_feed_state_t  *feed;

    feed = &w->denials->sh->feed;

    if (now < w->feed.lease) {
        return w->feed.lease;
    }

    if (now < w->feed.rest) {
        return 0;
    }

    wait = ngx_agt_fleet_feed_relies(w, now) ? 2 * feed->interval
                                             : NGX_AGT_FLEET_SILENCE;

    dead = ngx_max(feed->answered, w->feed.begun)
           + ngx_agt_feed_state_healthy(feed) + NGX_AGT_FEED_GRACE;

    if (now > w->feed.heard + wait + w->feed.spread
        || now > dead + w->feed.spread)
    {
        return now + NGX_AGT_FLEET_FEED_ALONE;
    }

    return 0;
}


/* 1 if Redis answers, and what it tells, and what this edge knows, is whole */

static ngx_uint_t
ngx_agt_fleet_feed_relies(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    return w->known && w->caught && now < w->ponged + NGX_AGT_FLEET_SILENCE
           && ngx_agt_fleet_lead_is_fit(w) && !w->state->full
           && w->denials->sh->incomplete <= now;
}


/* 1 if there is a poll to tell of */

static ngx_uint_t
ngx_agt_fleet_feed_tells(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    ngx_agt_feed_state_t  *feed;

    feed = &w->denials->sh->feed;

    /*
     * What the poll has found and another edge has told may be in the stream no
     * more, until this edge has told it.
     */

    if (!ngx_agt_fleet_feed_relies(w, now) || feed->own == 0 || feed->told
        || w->state->appended < feed->own_last || w->state->asked)
    {
        return 0;
    }

    return feed->own != w->feed.told
           || (now < w->feed.lease
               && now - w->feed.told_at >= NGX_AGT_FLEET_MARKS);
}


void
ngx_agt_fleet_feed_ask(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    u_char                *p;
    u_char                 name[NGX_AGT_DIGEST_LEN];
    u_char                 text[NGX_AGT_FLEET_NAME_MAX
                                + sizeof(NGX_AGT_FLEET_FEED_KEY)
                                + 2 * NGX_AGT_DIGEST_LEN];
    ngx_str_t              key;
    ngx_agt_feed_state_t  *feed;

    feed = &w->denials->sh->feed;

    if (feed->interval == 0 || !ngx_agt_fleet_feed_relies(w, now)
        || ngx_agt_fleet_seal_name(w->seal, feed->id, name) != NGX_OK)
    {
        return;
    }

    p = ngx_cpymem(text, w->conf->name.data, w->conf->name.len);
    p = ngx_cpymem(p, NGX_AGT_FLEET_FEED_KEY,
                   sizeof(NGX_AGT_FLEET_FEED_KEY) - 1);

    key.data = text;
    key.len = (size_t) (ngx_hex_dump(p, name, NGX_AGT_DIGEST_LEN) - text);

    (void) ngx_agt_fleet_lease(w, &key,
                               now < w->feed.rest ? NGX_AGT_FLEET_LEASE_LEAVE
                                                  : NGX_AGT_FLEET_LEASE_ASK,
                               ngx_agt_fleet_feed_asked);
}


static void
ngx_agt_fleet_feed_asked(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    ngx_agt_fleet_worker_t  *w;

    w = conn->data;

    if (reply->type != NGX_AGT_FLEET_REPLY_INTEGER) {
        ngx_agt_fleet_error(w, "Redis refuses the lease of the feed", reply);
        w->feed.lease = 0;
        return;
    }

    if (reply->integer == NGX_AGT_FLEET_LEASE_OTHER) {
        w->feed.lease = 0;
        ngx_agt_fleet_feed_wait(w, sent);

    } else if (reply->integer == NGX_AGT_FLEET_LEASE_OURS
               && sent >= w->feed.rest)
    {
        w->feed.lease = sent + NGX_AGT_FLEET_LEASE;
        w->feed.heard = sent;

        /* where Redis goes, this edge goes on */

        w->feed.spread = 0;
    }
}


static void
ngx_agt_fleet_feed_wait(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    w->feed.heard = now;
    w->feed.spread = (uint64_t) ngx_random()
                     % ngx_max(w->denials->sh->feed.interval, 1);
}


void
ngx_agt_fleet_feed_poll(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_entry_t *entry)
{
    ngx_agt_denials_lock(w->denials);

    entry->kind = ngx_agt_feed_state_own_locked(w->denials, &entry->u.poll,
                                                ngx_agt_fleet_wall(),
                                                ngx_agt_clock_mono())
                  ? NGX_AGT_FLEET_POLL : NGX_AGT_FLEET_EMPTY;

    ngx_agt_denials_unlock(w->denials);
}


/*
 * What a poll has learned stands in front of it.  Where anything is missing, it
 * may be that.
 */

void
ngx_agt_fleet_feed_read(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, ngx_agt_counts_number_e taken,
    uint64_t now)
{
    if (taken == NGX_AGT_COUNTS_NEW && entry->kind != NGX_AGT_FLEET_POLL
        && entry->kind != NGX_AGT_FLEET_MARK)
    {
        return;
    }

    ngx_agt_denials_lock(w->denials);

    if (!ngx_agt_fleet_is_holder(w)) {
        ngx_agt_denials_unlock(w->denials);
        return;
    }

    if (ngx_agt_fleet_feed_misses(w)) {
        ngx_agt_feed_state_forget_locked(w->denials);

    } else if (taken == NGX_AGT_COUNTS_NEW
               && entry->kind == NGX_AGT_FLEET_POLL
               && ngx_memcmp(entry->writer, w->state->writer,
                             NGX_AGT_FLEET_WRITER_LEN)
                  != 0)
    {
        ngx_agt_feed_state_told_locked(w->denials, &entry->u.poll,
                                       ngx_agt_fleet_feed_wall(w, now), now);
    }

    ngx_agt_denials_unlock(w->denials);
}


/* also where our clock is behind: edges that tell of polls agree with Redis' */

static uint64_t
ngx_agt_fleet_feed_wall(ngx_agt_fleet_worker_t *w, uint64_t now)
{
    int64_t  ahead;

    ahead = ngx_max(ngx_agt_fleet_ahead(), w->redis - NGX_AGT_FLEET_SKEW);

    return (uint64_t) ngx_max(ahead + (int64_t) now, 0);
}


static ngx_uint_t
ngx_agt_fleet_feed_misses(ngx_agt_fleet_worker_t *w)
{
    return ngx_agt_counts_missing(w->counts)
           || ngx_agt_counts_refused(w->counts) || w->state->full;
}
