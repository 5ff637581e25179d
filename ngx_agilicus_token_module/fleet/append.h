
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
 * Begins with a new session: what was not acknowledged, and what is not older
 * than a minute, is appended again; with "all", everything that stands.
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
