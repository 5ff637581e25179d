
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
 * Notes that the response to this request is a refusal with the status of
 * ctx->status, so that it gets such a body if nginx would send its own page.
 * An internal redirect to an error page clears the context, and this with it.
 */
void ngx_agt_problem_expect(ngx_agt_ctx_t *ctx);

/*
 * Puts the filters for headers and body into nginx's chains.  Called once, in
 * postconfiguration, if any location has "problem".
 */
void ngx_agt_problem_init(void);


#endif /* _NGX_AGT_REQUEST_PROBLEM_H_INCLUDED_ */
