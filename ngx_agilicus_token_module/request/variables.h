
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_
#define _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Adds the variables $agilicus_token_* of this room, or a table of variables of
 * another room, which ends with a null name and must live as long as nginx;
 * before the configuration is read.  Until the token of a request has been
 * looked up, its variables are empty and their getters are not called.  Returns
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_variables_add(ngx_conf_t *cf);
ngx_int_t ngx_agt_variables_add_table(ngx_conf_t *cf,
    ngx_http_variable_t *table);

/*
 * Refuses $agilicus_token_claim_<name> where the configuration uses it and
 * $agilicus_token_<name> is a fact of its own: the claim would always be empty.
 * After the configuration was read.  NGX_OK, or NGX_ERROR with the cause
 * logged.
 */
ngx_int_t ngx_agt_variables_check(ngx_conf_t *cf);

/*
 * Sets a variable to a value, which is not copied, or to the empty string where
 * "value" is NULL.  Returns NGX_OK.
 */
ngx_int_t ngx_agt_variables_set(ngx_http_variable_value_t *v,
    const ngx_str_t *value);


#endif /* _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_ */
