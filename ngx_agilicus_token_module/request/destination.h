
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_DESTINATION_H_INCLUDED_
#define _NGX_AGT_REQUEST_DESTINATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "rules/rules.h"


/*
 * Returns 1 if the request names two hosts, so that rules could decide on one
 * and upstream act on the other: in an absolute target, or in the ":authority"
 * of HTTP/2 and HTTP/3, and in a Host field; or an absolute target without a
 * Host field.  Else 0.
 */
ngx_uint_t ngx_agt_destination_has_two_hosts(ngx_http_request_t *r);

/*
 * Turns a view of the request into a view of its second target, as in the
 * Destination header (RFC 4918, section 10.3).  NGX_OK; NGX_DONE, with the view
 * unchanged, if the method has no second target; NGX_DECLINED if the target
 * cannot be determined; NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_destination_view(ngx_http_request_t *r,
    ngx_agt_rules_view_t *view);


#endif /* _NGX_AGT_REQUEST_DESTINATION_H_INCLUDED_ */
