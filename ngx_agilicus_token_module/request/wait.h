
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_WAIT_H_INCLUDED_
#define _NGX_AGT_REQUEST_WAIT_H_INCLUDED_


#include "request/context.h"


/*
 * Handles the result of a function that asked for a call with ctx->waiter: "rc"
 * is its result, "answer" its answer.  "take" gets the answer once, and copies
 * what the request needs into the context; it must not end the request.
 *
 * NGX_OK     "take" has been called: with "*answer", or with INDETERMINATE and
 *            INTERNAL where the request could not wait
 * NGX_AGAIN  the request waits; the location limits the time of all its waits
 *            together: "take" gets the answer, or INDETERMINATE and TIMEOUT at
 *            the deadline, and then the request's phases run again
 *
 * A request whose client leaves, or that ends in another way, stops waiting,
 * and "take" is not called.
 */
ngx_int_t ngx_agt_wait(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_int_t rc, ngx_agt_answer_t *answer, ngx_agt_wait_take_pt take);


#endif /* _NGX_AGT_REQUEST_WAIT_H_INCLUDED_ */
