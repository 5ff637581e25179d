
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
 * Goes on where nothing is under way, and starts again from the beginning where
 * that may help; to be called from time to time.
 */
void ngx_agt_fleet_read_check(ngx_agt_fleet_worker_t *w, uint64_t now);


#endif /* _NGX_AGT_FLEET_READ_H_INCLUDED_ */
