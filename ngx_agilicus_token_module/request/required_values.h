
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_REQUIRED_VALUES_H_INCLUDED_
#define _NGX_AGT_REQUEST_REQUIRED_VALUES_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Evaluates the requirements of a location for a request, in its pool, and sets
 * "*n" to their number.  Returns NULL if there is none, or, with "*n" not zero,
 * if there is no memory.
 */
const ngx_agt_requirement_t *ngx_agt_required_values(
    ngx_http_request_t *r, const ngx_agt_loc_conf_t *conf,
    ngx_uint_t *n);


#endif /* _NGX_AGT_REQUEST_REQUIRED_VALUES_H_INCLUDED_ */
