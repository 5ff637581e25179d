
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_CACHE_CONTROL_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_CACHE_CONTROL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Puts a filter of response headers before those of nginx, after the
 * configuration has been read.  The filter marks the response to a token in the
 * query as private, and cuts the token from requests that end before the
 * rewrite phase of their location.
 */
void ngx_agt_cache_control_init(void);

/*
 * Adds $agilicus_token_no_cache; before the configuration is read.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_cache_control_add_variable(ngx_conf_t *cf);


#endif /* _NGX_AGT_UPSTREAM_CACHE_CONTROL_H_INCLUDED_ */
