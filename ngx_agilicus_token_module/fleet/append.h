
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_APPEND_H_INCLUDED_
#define _NGX_AGT_FLEET_APPEND_H_INCLUDED_


#include "fleet/worker.h"


/*
 * Appending: all numbers of this edge, in their order, each until it was read
 * back.
 */

/*
 * Begins with a new session: entries that Redis has not acknowledged, and those
 * of the last minute, are appended again; with "all", every live denial of this
 * edge is, by a new number.
 */
void ngx_agt_fleet_append_begin(ngx_agt_fleet_worker_t *w, ngx_uint_t all);

/*
 * Appends what is there, as far as replies are not too far behind.
 */
void ngx_agt_fleet_append(ngx_agt_fleet_worker_t *w);

/*
 * Goes back to numbers that were not read back in time.
 */
void ngx_agt_fleet_append_check(ngx_agt_fleet_worker_t *w, uint64_t now);


#endif /* _NGX_AGT_FLEET_APPEND_H_INCLUDED_ */
