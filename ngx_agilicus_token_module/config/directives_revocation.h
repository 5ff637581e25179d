
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_REVOCATION_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_REVOCATION_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The setters of "agilicus_token_revocation_feed" and of
 * "agilicus_token_denials".
 */
char *ngx_agt_set_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_denials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Adds the memory of denials to the cycle.  Refuses, in a reload, one that
 * differs from that of the old cycle.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_add_denials(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_REVOCATION_H_INCLUDED_ */
