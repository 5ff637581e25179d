
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_ENDPOINT_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_ENDPOINT_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of the directives of locations that answer by themselves.
 */
char *ngx_agt_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_ENDPOINT_H_INCLUDED_ */
