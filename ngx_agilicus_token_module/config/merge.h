
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_MERGE_H_INCLUDED_
#define _NGX_AGT_CONFIG_MERGE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The life of the configuration: it is made, its levels are merged, and what
 * workers read is made of it.
 */
void *ngx_agt_create_main_conf(ngx_conf_t *cf);
char *ngx_agt_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_agt_create_loc_conf(ngx_conf_t *cf);
char *ngx_agt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/*
 * Inherits the settings that say which API is asked, and how.
 */
void ngx_agt_merge_api(ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf);


#endif /* _NGX_AGT_CONFIG_MERGE_H_INCLUDED_ */
