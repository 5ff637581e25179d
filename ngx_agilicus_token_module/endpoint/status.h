
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The content handler of "agilicus_token_status": the module's figures as a
 * page, as JSON or for Prometheus.  With the parameter "purge", DELETE drops
 * facts.
 */
ngx_int_t ngx_agt_status_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_ */
