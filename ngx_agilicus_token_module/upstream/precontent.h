
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_PRECONTENT_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_PRECONTENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The handler of the precontent phase.  It checks subrequests, for which nginx
 * has no access phase, creates or reissues the token for upstream, and prepares
 * the request's headers.  Returns NGX_DECLINED if the request may go on,
 * NGX_AGAIN if it waits, or the status to refuse it with.
 */
ngx_int_t ngx_agt_precontent_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_UPSTREAM_PRECONTENT_H_INCLUDED_ */
