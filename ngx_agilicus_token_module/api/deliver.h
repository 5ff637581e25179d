
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_DELIVER_H_INCLUDED_
#define _NGX_AGT_API_DELIVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/api.h"


/*
 * Delivers to the API the revocations that are due in the ledger: sign-outs
 * that the API has not confirmed, and children whose parents were denied.
 * Workers of the newest configuration do so, several records at once, each
 * under a lease that ends with the process that took it.
 */

typedef struct {
    ngx_msec_t  connect_timeout;
    ngx_msec_t  timeout;
} ngx_agt_deliver_conf_t;


/*
 * Sets up in a worker, when calls are set up; "conf" lives as long as the
 * worker.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_deliver_init(const ngx_agt_deliver_conf_t *conf,
    ngx_log_t *log);

/*
 * For a worker that exits, before calls are taken down: unless workers of a
 * newer configuration exist, tells the API all revocations that are due, for
 * two seconds at most.
 */
void ngx_agt_deliver_exit(void);

/*
 * For the master when it exits: logs each revocation that no API took.
 */
void ngx_agt_deliver_end(const ngx_agt_api_conf_t *conf, ngx_log_t *log);


#endif /* _NGX_AGT_API_DELIVER_H_INCLUDED_ */
