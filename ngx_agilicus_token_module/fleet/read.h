
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_READ_H_INCLUDED_
#define _NGX_AGT_FLEET_READ_H_INCLUDED_


#include "fleet/worker.h"


/*
 * Reading: from the last entry that was read, or from the start where that one
 * is not there any more, what other edges have denied, and what this edge has
 * appended itself.
 */

/*
 * Begins on a connection that is ready: finds out whether the stream is the one
 * that was read before, and goes on from there.
 */
void ngx_agt_fleet_read_begin(ngx_agt_fleet_worker_t *w);

/*
 * Asks for the epoch, the stream and the time; ngx_agt_fleet_reply_info() reads
 * the reply.  Where there is no epoch, or the ids of the stream are more than a
 * day ahead of Redis' clock, so that there may be no further one, another epoch
 * is set and the stream is deleted.  Returns as
 * ngx_agt_fleet_connection_send().
 */
ngx_int_t ngx_agt_fleet_read_ask(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_connection_t *conn, ngx_agt_fleet_reply_pt handler);

/*
 * Returns 1 if entries were left out that count since the wall clock was set
 * back by more than a second, else 0.  Everything must be read again then: to
 * be called while nothing is judged, and a 1 ends the session.
 */
ngx_uint_t ngx_agt_fleet_read_is_wrong(ngx_agt_fleet_worker_t *w);

/*
 * Goes on where nothing is under way, and starts again from the beginning where
 * that may help; to be called from time to time.
 */
void ngx_agt_fleet_read_check(ngx_agt_fleet_worker_t *w, uint64_t now);

/*
 * Asks for entries from the id "start" up to the id "end", as XRANGE takes
 * them; "n" at most, and fewer where they are large.  The reply is a list that
 * ngx_agt_fleet_reply_entry() reads, in which an entry that no edge can have
 * appended is empty, however large it is.  "handler" is given a 1.  Returns as
 * ngx_agt_fleet_connection_send().
 */
ngx_int_t ngx_agt_fleet_read_range(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_connection_t *conn, const ngx_str_t *start,
    const ngx_str_t *end, ngx_uint_t n, ngx_agt_fleet_reply_pt handler);


#endif /* _NGX_AGT_FLEET_READ_H_INCLUDED_ */
