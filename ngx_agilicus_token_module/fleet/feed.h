
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_FEED_H_INCLUDED_
#define _NGX_AGT_FLEET_FEED_H_INCLUDED_


#include "fleet/worker.h"


/*
 * The revocation feed of a fleet: one edge polls, the one that holds a lease in
 * Redis for this feed, and tells the others of each poll when Redis has
 * acknowledged all denials that it has learned.  See zone/feed_state for what
 * the others make of it.
 *
 * An edge polls
 *
 *     while it holds the lease, which it gives back for two intervals when a
 *     poll has failed, so that another edge tries;
 *     where Redis does not answer, or its entries cannot be relied on here,
 *     from a moment within an interval on, since other edges may be in the same
 *     place;
 *     where no edge was seen to hold the lease for two intervals and such a
 *     moment, though Redis answers: it may refuse the lease;
 *     where no edge has told of a poll until the feed would be dead, even if
 *     one holds the lease.
 *
 * A user of Redis without the key can so hold polls back, but not for long, and
 * makes feeds late.  A poll is told of by any edge that has polled, once; and
 * again from time to time by the edge that holds the lease, for edges that
 * start.
 */

/*
 * To be called when a worker begins to read and append.
 */
void ngx_agt_fleet_feed_begin(ngx_agt_fleet_worker_t *w, uint64_t now);

/*
 * Decides whether this edge polls, and whether there is a poll to tell of; to
 * be called from time to time, with a session or without.
 */
void ngx_agt_fleet_feed_check(ngx_agt_fleet_worker_t *w, uint64_t now);

/*
 * Asks for the lease in Redis, renews it or gives it back; each second of a
 * session.
 */
void ngx_agt_fleet_feed_ask(ngx_agt_fleet_worker_t *w, uint64_t now);

/*
 * Makes an entry of the last poll, or an empty one where there is none to tell
 * of any more.
 */
void ngx_agt_fleet_feed_poll(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_entry_t *entry);

/*
 * Takes note of an entry that was read and whose number was taken as "taken".
 */
void ngx_agt_fleet_feed_read(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, ngx_agt_counts_number_e taken,
    uint64_t now);


#endif /* _NGX_AGT_FLEET_FEED_H_INCLUDED_ */
