
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_API_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_API_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of the directives that say which API is asked, and how.
 */
char *ngx_agt_set_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_introspect_options(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_agt_check_api_keys(ngx_conf_t *cf, void *post, void *data);
char *ngx_agt_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_api_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_API_H_INCLUDED_ */
