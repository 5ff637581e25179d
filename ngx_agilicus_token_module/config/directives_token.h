
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/* the value of a flag that has an effect only where a token is asked for */
typedef struct {
    ngx_conf_post_handler_pt  post_handler;
    ngx_flag_t                value;
} ngx_agt_effect_t;


/*
 * The setters of the directives that say where a token stands and what the
 * client is told of it.
 */
char *ngx_agt_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_rules(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * For "post" of a flag, remembers that it needs a token where it has such a
 * value.  NGX_CONF_OK, or NGX_CONF_ERROR for lack of memory.
 */
char *ngx_agt_check_flag(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_TOKEN_H_INCLUDED_ */
