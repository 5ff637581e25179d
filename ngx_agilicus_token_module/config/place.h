
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_PLACE_H_INCLUDED_
#define _NGX_AGT_CONFIG_PLACE_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Where a directive stands in the configuration.  What is found when all has
 * been read is reported at the directive at fault.
 */

/*
 * Remembers in "place" the directive that is being read.
 */
void ngx_agt_place_set(ngx_conf_t *cf, ngx_agt_place_t *place);

/*
 * Logs why the configuration is refused, at the place of a directive that was
 * read earlier.  "err" is an error number of the system, or 0.  Returns
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_place_refuse(ngx_conf_t *cf,
    const ngx_agt_place_t *place, ngx_err_t err, const char *fmt, ...);

/*
 * Logs a warning of the configuration at a place, of which only the file and
 * the line are used.
 */
void ngx_agt_place_warn(ngx_conf_t *cf, const ngx_agt_place_t *place,
    const char *fmt, ...);


#endif /* _NGX_AGT_CONFIG_PLACE_H_INCLUDED_ */
