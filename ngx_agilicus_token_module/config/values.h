
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_VALUES_H_INCLUDED_
#define _NGX_AGT_CONFIG_VALUES_H_INCLUDED_


#include "config/parameters.h"
#include "ngx_agilicus_token_module.h"


/*
 * Texts that may have variables in them.
 */

/*
 * Compiles a text into "value", which the caller owns.  NGX_OK, or NGX_ERROR
 * with the cause logged.
 */
ngx_int_t ngx_agt_value_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value);

/*
 * The form of a parameter that is such a text, and is not empty.  The field is
 * a pointer to an ngx_http_complex_value_t, which is made.
 */
ngx_int_t ngx_agt_parameter_value(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);

/*
 * The forms "a,b" and "a:b,c:d" of lists and of pairs, of which no part is
 * empty.  A pair is split at its last colon.  All are split before there are
 * values in the variables, so that a caller's values cannot add an item.  The
 * field is a pointer to an ngx_array_t of ngx_http_complex_value_t, which is
 * made; a pair takes two elements.
 */
ngx_int_t ngx_agt_parameter_list(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
ngx_int_t ngx_agt_parameter_pairs(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);


#endif /* _NGX_AGT_CONFIG_VALUES_H_INCLUDED_ */
