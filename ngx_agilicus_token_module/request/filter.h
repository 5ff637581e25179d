
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_FILTER_H_INCLUDED_
#define _NGX_AGT_REQUEST_FILTER_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * Puts itself before nginx's header filters.
 */
void ngx_agt_filter_init(void);


#endif /* _NGX_AGT_REQUEST_FILTER_H_INCLUDED_ */
