
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_FLEET_H_INCLUDED_
#define _NGX_AGT_FLEET_FLEET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "fleet/connection.h"
#include "zone/denials.h"


/*
 * The fleet: edges that share their denials through Redis.  One worker of the
 * edge, which holds a lease beside the denials, appends the denials of the edge
 * to one stream, and reads those that others have appended.  No request waits
 * for it.
 *
 * One edge of the fleet, which holds a lease in Redis, appends marks, by which
 * the others know that they have read everything, answers those that ask for
 * everything again, and trims the stream.
 */

/* the least memory of denials with a fleet, for its counts */
#define NGX_AGT_FLEET_DENIALS_MIN  (256 * 1024)


/*
 * Writes beside the denials that workers of configuration number "cycle" are of
 * a fleet, or of none; in the master, before these workers start.  "leeway" is
 * the largest one of this edge, in seconds: where it was smaller before, live
 * denials last longer by the difference.
 */
void ngx_agt_fleet_configure(ngx_agt_denials_t *denials,
    const ngx_agt_fleet_conf_t *conf, uint32_t cycle, time_t leeway);

/*
 * Sets up and takes down the fleet in a worker; "conf" lives as long as the
 * worker, and "leeway" is as above.
 */
ngx_int_t ngx_agt_fleet_init(const ngx_agt_fleet_conf_t *conf,
    ngx_agt_denials_t *denials, uint32_t cycle, time_t leeway, ngx_log_t *log);
void ngx_agt_fleet_exit(void);

/*
 * Returns the state of the fleet at "now" (milliseconds, monotonic); needs no
 * mutex.
 */
ngx_agt_fleet_e ngx_agt_fleet_state(ngx_agt_denials_t *denials, uint64_t now);

/*
 * Returns how many numbers are missing, 0 without a fleet.
 */
uint64_t ngx_agt_fleet_missing(ngx_agt_denials_t *denials);


#endif /* _NGX_AGT_FLEET_FLEET_H_INCLUDED_ */
