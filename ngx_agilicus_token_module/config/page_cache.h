
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_PAGE_CACHE_H_INCLUDED_
#define _NGX_AGT_CONFIG_PAGE_CACHE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Warns of each location that asks for a token and stores pages in nginx's
 * cache (proxy_cache, fastcgi_cache, uwsgi_cache, scgi_cache) without a sign
 * that users are kept apart: the cache would give the page of one user to
 * another (RFC 9111, section 3.5).  After all modules have merged their levels.
 */
void ngx_agt_page_cache_check(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf);


#endif /* _NGX_AGT_CONFIG_PAGE_CACHE_H_INCLUDED_ */
