
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_TRACE_H_INCLUDED_
#define _NGX_AGT_REQUEST_TRACE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Sets "lines" to the headers of "agilicus_token_api_header" for a call on
 * account of this request: "name: value" and a null for each, in the request's
 * pool.  A value that is empty, too long or has a control character in it is
 * left out, and so is one for which there is no memory: tracing refuses
 * nothing.
 */
void ngx_agt_trace_headers(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, ngx_str_t *lines);


#endif /* _NGX_AGT_REQUEST_TRACE_H_INCLUDED_ */
