
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of the directives that say what a location requires of a token.
 */
char *ngx_agt_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_org(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_ */
