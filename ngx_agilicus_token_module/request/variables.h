
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_
#define _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Joins a list with spaces in "pool"; an item that could be read as two, or
 * that does not belong in a header, is left out.
 */
ngx_int_t ngx_agt_variables_join(ngx_pool_t *pool,
    const ngx_agt_list_t *list, ngx_str_t *value);

/*
 * Adds $agilicus_token_*; before the configuration is read.
 */
ngx_int_t ngx_agt_variables_add(ngx_conf_t *cf);


#endif /* _NGX_AGT_REQUEST_VARIABLES_H_INCLUDED_ */
