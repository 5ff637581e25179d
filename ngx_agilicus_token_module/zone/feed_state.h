
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_FEED_STATE_H_INCLUDED_
#define _NGX_AGT_ZONE_FEED_STATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denials.h"


/*
 * What is known of polls of the revocation feed, which lies with the denials.
 *
 * Without a fleet, an edge polls by itself.  Of a fleet, one edge polls, and
 * tells the others when it has told all that a poll has learned: the poll then
 * counts on them as one of their own that began at the same time.  "id" stands
 * for everything that must be alike for that: the API, the interval, how long
 * ago sessions and expired tokens are asked for.  Feeds that differ in it have
 * nothing to do with each other, and each of them is polled by an edge.
 *
 * The other edge's clock may be wrong, so the age of its poll is the larger one
 * of what the wall clock says, and of the time since it was told.  Where
 * something of the fleet is missing here, its polls do not count any more.
 *
 * All functions with "locked" in their names are called with the mutex of the
 * denials held.  Times without another word are milliseconds, monotonic;
 * "wall" is in milliseconds since the epoch.
 */

/* milliseconds for which a feed is late before it is dead */
#define NGX_AGT_FEED_GRACE  60000


/* a poll of which every call was answered, as other edges are told of it */

typedef struct {
    u_char      id[NGX_AGT_DIGEST_LEN];
    uint64_t    start;        /* milliseconds since the epoch */
    uint64_t    duration;     /* milliseconds */
    ngx_uint_t  incomplete;   /* 1: not all could be read, or kept; else 0 */
} ngx_agt_feed_poll_t;


/*
 * Returns the milliseconds from the start of a poll after which the feed is
 * late without another one.  A feed whose denials do not last that long is late
 * earlier; see ngx_agt_denials_feed().
 */
uint64_t ngx_agt_feed_state_healthy(const ngx_agt_feed_state_t *feed);

/*
 * Returns 1 if this edge polls, else 0: another edge of the fleet does, or is
 * about to.  Needs no mutex.
 */
ngx_uint_t ngx_agt_feed_state_polls(ngx_agt_denials_t *denials, uint64_t now);

/*
 * Returns 1 if polls of this edge itself may make the feed dead: they fail, or
 * it has been polling for "ms" milliseconds; else 0.  Needs no mutex.
 */
ngx_uint_t ngx_agt_feed_state_alone(ngx_agt_denials_t *denials, uint64_t ms,
    uint64_t now);

/*
 * Sets until when this edge polls, of a fleet; in the past: it does not.
 */
void ngx_agt_feed_state_turn_locked(ngx_agt_denials_t *denials, uint64_t until,
    uint64_t now);

/*
 * Notes a poll of this edge of which every call was answered, "truncated" of
 * them not in full.  It is the last one, unless another edge has told of one
 * that began later.
 */
void ngx_agt_feed_state_polled_locked(ngx_agt_denials_t *denials,
    uint64_t start, uint64_t duration, ngx_uint_t truncated);

/*
 * Writes the last poll to "poll", if it was one of this edge, and returns 1, or
 * 0 where there is none to tell of.
 */
ngx_uint_t ngx_agt_feed_state_own_locked(ngx_agt_denials_t *denials,
    ngx_agt_feed_poll_t *poll, uint64_t wall, uint64_t now);

/*
 * Notes a poll of another edge, whose denials have all been read here.  One of
 * another feed, and one that is not newer than the last one, change nothing.
 */
void ngx_agt_feed_state_told_locked(ngx_agt_denials_t *denials,
    const ngx_agt_feed_poll_t *poll, uint64_t wall, uint64_t now);

/*
 * Makes the last poll of another edge older where the wall clock says so, which
 * was behind when the poll was told; to be called from time to time.
 */
void ngx_agt_feed_state_clock_locked(ngx_agt_denials_t *denials, uint64_t wall,
    uint64_t now);

/*
 * A poll of another edge does not make the feed healthy any more, for something
 * that it has learned may be missing here.
 */
void ngx_agt_feed_state_forget_locked(ngx_agt_denials_t *denials);


#endif /* _NGX_AGT_ZONE_FEED_STATE_H_INCLUDED_ */
