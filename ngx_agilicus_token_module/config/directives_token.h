
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of the directives that say where a token stands and what the
 * client is told of it.
 */
char *ngx_agt_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_rules(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_ */
