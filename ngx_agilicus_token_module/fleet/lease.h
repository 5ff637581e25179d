
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_LEASE_H_INCLUDED_
#define _NGX_AGT_FLEET_LEASE_H_INCLUDED_


#include "fleet/worker.h"


/*
 * A lease in Redis, by which one edge of the fleet does what one edge has to
 * do.  Its value is the writer of the edge that holds it.
 */

/* milliseconds for which a lease is taken; it is renewed each second */
#define NGX_AGT_FLEET_LEASE      3000


/* the integer of the reply: the holder then */

typedef enum {
    NGX_AGT_FLEET_LEASE_OTHER = 0,
    NGX_AGT_FLEET_LEASE_OURS,
    NGX_AGT_FLEET_LEASE_FREE
} ngx_agt_fleet_lease_e;


/* what is wanted of it */

typedef enum {
    NGX_AGT_FLEET_LEASE_ASK = 0,  /* it, where no other edge holds it */
    NGX_AGT_FLEET_LEASE_TAKE,     /* it, from any holder */
    NGX_AGT_FLEET_LEASE_LEAVE     /* that this edge does not hold it */
} ngx_agt_fleet_lease_want_e;


/*
 * Asks for the lease "key" in Redis, renews it, or gives it back; "handler"
 * gets the reply: an integer of ngx_agt_fleet_lease_e, or an error.  Returns as
 * ngx_agt_fleet_connection_send().
 */
ngx_int_t ngx_agt_fleet_lease(ngx_agt_fleet_worker_t *w, const ngx_str_t *key,
    ngx_agt_fleet_lease_want_e want, ngx_agt_fleet_reply_pt handler);


#endif /* _NGX_AGT_FLEET_LEASE_H_INCLUDED_ */
