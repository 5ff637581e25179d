
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_
#define _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/* the numbers of arguments that the forms of values take */

#define NGX_AGT_FORM_ARGS_FLAG      NGX_CONF_FLAG
#define NGX_AGT_FORM_ARGS_AGE       NGX_CONF_TAKE1
#define NGX_AGT_FORM_ARGS_WORDS     NGX_CONF_1MORE
#define NGX_AGT_FORM_ARGS_ANY       NGX_CONF_1MORE
#define NGX_AGT_FORM_ARGS_NAMED     NGX_CONF_1MORE
#define NGX_AGT_FORM_ARGS_RESOURCE  NGX_CONF_1MORE
#define NGX_AGT_FORM_ARGS_ERROR     NGX_CONF_1MORE


/*
 * The setter of all directives that say what a location requires of a token:
 * those of the rows of NGX_AGT_REQUIREMENTS.
 */
char *ngx_agt_set_requirement(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Returns 1 if a location, whose levels have been merged, requires more of a
 * token than flags and ages, which do not identify the user; else 0.
 */
ngx_uint_t ngx_agt_requirements_have_values(const ngx_agt_loc_conf_t *conf);

/*
 * Returns 1 if a requirement of a location, whose levels have been merged,
 * judges rights, which the API may take away while the token is good; else 0:
 * what it requires is the token's own as long as it lives.
 */
ngx_uint_t ngx_agt_requirements_judge_rights(const ngx_agt_loc_conf_t *conf);


#endif /* _NGX_AGT_CONFIG_DIRECTIVES_REQUIREMENTS_H_INCLUDED_ */
