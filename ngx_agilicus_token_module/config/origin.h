
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_ORIGIN_H_INCLUDED_
#define _NGX_AGT_CONFIG_ORIGIN_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Finds or makes the API, and the origin of facts, that a location's settings
 * describe; reads certificates and credentials.  NULL, with the cause logged,
 * refuses the configuration.
 */
ngx_agt_origin_t *ngx_agt_origin_get(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Gives each origin the number under which its zone keeps its facts; in the
 * master, when zones have been made.
 */
ngx_int_t ngx_agt_origins_init(ngx_agt_main_conf_t *mcf);


#endif /* _NGX_AGT_CONFIG_ORIGIN_H_INCLUDED_ */
