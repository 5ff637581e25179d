
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_UPSTREAM_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_UPSTREAM_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of the directives that say what upstream gets.
 */
char *ngx_agt_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_reissue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_create(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * For "post" of "agilicus_token_forward": remembers that "off" has an effect
 * only where a token is asked for.  NGX_CONF_OK, or NGX_CONF_ERROR for lack of
 * memory.
 */
char *ngx_agt_check_forward(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_UPSTREAM_H_INCLUDED_ */
