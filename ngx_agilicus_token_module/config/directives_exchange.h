
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_EXCHANGE_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_EXCHANGE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of "agilicus_token_reissue" and "agilicus_token_create".
 */
char *ngx_agt_set_reissue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_create(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Whether the location that is being merged has something that says who a
 * caller is.
 */
ngx_uint_t ngx_agt_create_can_identify(ngx_conf_t *cf,
    const ngx_agt_create_conf_t *create);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_EXCHANGE_H_INCLUDED_ */
