
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_FLEET_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_FLEET_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Setter of "agilicus_token_fleet".
 */
char *ngx_agt_set_fleet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Refuses a memory of denials in which a fleet has no room to count.  Returns
 * NGX_OK, or NGX_ERROR with the cause logged at the directive.
 */
ngx_int_t ngx_agt_check_fleet(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_FLEET_H_INCLUDED_ */
