
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_CALLS_H_INCLUDED_
#define _NGX_AGT_ZONE_CALLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"


/*
 * Counts of the calls to an API, by operation, in the first zone.  "api" is the
 * number of the API's state in the zone.
 */

/*
 * Counts a call that was sent, with its result; "elapsed" is in milliseconds
 * and does not count where the call was dropped.  A small zone has room for 16
 * operations of APIs, and others are not counted.
 */
void ngx_agt_calls_count(ngx_agt_zone_t *first, ngx_uint_t api,
    ngx_uint_t operation, ngx_agt_calls_result_e result, ngx_msec_t elapsed);

/*
 * Copies the counts of one operation to "out", all zero where there was no
 * call.
 */
void ngx_agt_calls_get(ngx_agt_zone_t *first, ngx_uint_t api,
    ngx_uint_t operation, ngx_agt_calls_t *out);

/*
 * Forgets the counts of an API, whose number is then another API's.  With the
 * zone's mutex held.
 */
void ngx_agt_calls_forget_locked(ngx_agt_zone_t *first, ngx_uint_t api);


#endif /* _NGX_AGT_ZONE_CALLS_H_INCLUDED_ */
