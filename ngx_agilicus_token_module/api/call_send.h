
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_SEND_H_INCLUDED_
#define _NGX_AGT_API_CALL_SEND_H_INCLUDED_


#include "api/call_internal.h"


/*
 * Sending calls: which call is sent at which time, which call is sent again,
 * and what the breaker and the log are told about an answer.
 */

/*
 * Sends the call, or queues it behind those in flight.  Returns NGX_OK if its
 * end comes later; NGX_ERROR, with "answer" set, if it cannot be sent.
 */
ngx_int_t ngx_agt_call_start(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Sends pending calls: the handler of an event, which may be NULL.
 */
void ngx_agt_call_turn(ngx_event_t *ev);


#endif /* _NGX_AGT_API_CALL_SEND_H_INCLUDED_ */
