
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_PROBLEM_H_INCLUDED_
#define _NGX_AGT_REQUEST_PROBLEM_H_INCLUDED_


#include "request/context.h"


/*
 * "agilicus_token_error_body problem": the body of a refusal as
 * application/problem+json (RFC 9457), in place of nginx's own page.
 */

/*
 * Puts the filters for headers and body into nginx's chains.  Called once, in
 * postconfiguration, if any location has "problem".
 */
void ngx_agt_problem_init(void);


#endif /* _NGX_AGT_REQUEST_PROBLEM_H_INCLUDED_ */
