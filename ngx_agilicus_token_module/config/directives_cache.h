
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_CACHE_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_CACHE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/* a place that names a zone, for the report of a zone that is not defined */

typedef struct {
    ngx_shm_zone_t  *zone;
    ngx_agt_place_t  place;
} ngx_agt_zone_use_t;


/*
 * The setters of the directives of zones and of how old facts may be.
 */
char *ngx_agt_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache_stale(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * The zone "agilicus", which exists without being configured; it is made where
 * it is not defined.  NULL, with the cause logged, refuses the configuration.
 */
ngx_shm_zone_t *ngx_agt_default_zone(ngx_conf_t *cf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_CACHE_H_INCLUDED_ */
