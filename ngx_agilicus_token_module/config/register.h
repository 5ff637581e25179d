
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_REGISTER_H_INCLUDED_
#define _NGX_AGT_CONFIG_REGISTER_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Postconfiguration, when all has been read and merged: refuses what is wrong
 * of the configuration as a whole, adds the memory of denials and the zone that
 * exists by itself, and puts the module's handlers into the phases of a
 * request.  NGX_OK, or NGX_ERROR with the cause logged.
 */
ngx_int_t ngx_agt_postconfiguration(ngx_conf_t *cf);


#endif /* _NGX_AGT_CONFIG_REGISTER_H_INCLUDED_ */
