
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_REQUIREMENTS_H_INCLUDED_
#define _NGX_AGT_REQUEST_REQUIREMENTS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Evaluates the requirements of a location for a request into its pool; "*n"
 * is set to their number.  NULL with "*n" not zero means lack of memory.
 */
const ngx_agt_requirement_t *ngx_agt_requirements_evaluate(
    ngx_http_request_t *r, const ngx_agt_loc_conf_t *conf,
    ngx_uint_t *n);


#endif /* _NGX_AGT_REQUEST_REQUIREMENTS_H_INCLUDED_ */
