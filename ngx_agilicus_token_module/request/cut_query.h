
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CUT_QUERY_H_INCLUDED_
#define _NGX_AGT_REQUEST_CUT_QUERY_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * If the location enforces and takes tokens from the query, cuts them out of
 * the arguments, the request line and the unparsed URI, also those of the
 * parent requests.  NGX_OK, or NGX_ERROR if there is no memory; then the whole
 * query has been cut.
 */
ngx_int_t ngx_agt_cut_query(ngx_http_request_t *r);

/*
 * Sets "args" to the query in "line", a request target or a whole request line:
 * from behind the first "?" to a fragment, a space or the end.  Nothing is
 * copied.
 */
void ngx_agt_cut_query_split(ngx_str_t *line, ngx_str_t *args);


#endif /* _NGX_AGT_REQUEST_CUT_QUERY_H_INCLUDED_ */
