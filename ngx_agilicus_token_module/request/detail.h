
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_DETAIL_H_INCLUDED_
#define _NGX_AGT_REQUEST_DETAIL_H_INCLUDED_


#include "request/context.h"
#include "token/detail.h"


/*
 * Writes what exactly was missing where the decision of the context refuses,
 * for a log, to "buf" of NGX_AGT_DETAIL_LEN bytes.  Returns its length: 0 where
 * the reason says it all.  See token/detail for its bytes.
 */
size_t ngx_agt_detail(ngx_agt_ctx_t *ctx, u_char *buf);


#endif /* _NGX_AGT_REQUEST_DETAIL_H_INCLUDED_ */
