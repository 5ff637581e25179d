
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_LEAD_H_INCLUDED_
#define _NGX_AGT_FLEET_LEAD_H_INCLUDED_


#include "fleet/worker.h"


/*
 * The edge that leads: it holds a lease in Redis, appends marks, tells
 * everything that it knows again where an edge has asked for it, and trims what
 * does not count any more from the beginning of the stream.
 */

/*
 * Looks at everything that is done from time to time; of a session whose stream
 * is known.
 */
void ngx_agt_fleet_lead_check(ngx_agt_fleet_worker_t *w, uint64_t now);

/*
 * Returns 1 if this edge is fit to hold a lease of a session whose stream is
 * known, else 0: its clock, which is logged, or its key may be wrong.
 */
ngx_uint_t ngx_agt_fleet_lead_is_fit(ngx_agt_fleet_worker_t *w);

/*
 * Takes note of the leeway in an entry that was read, of any edge.
 */
void ngx_agt_fleet_lead_hear(ngx_agt_fleet_worker_t *w,
    const ngx_agt_fleet_entry_t *entry, uint64_t now);

/*
 * Asks for the lease in Redis, or renews it.
 */
void ngx_agt_fleet_lead_ask(ngx_agt_fleet_worker_t *w);

/*
 * Makes a mark of the numbers that this edge has read, whose lines stay as they
 * are until the next mark; or an empty entry where this edge may not say that
 * all is there.
 */
void ngx_agt_fleet_lead_mark(ngx_agt_fleet_worker_t *w,
    ngx_agt_fleet_entry_t *entry);


#endif /* _NGX_AGT_FLEET_LEAD_H_INCLUDED_ */
