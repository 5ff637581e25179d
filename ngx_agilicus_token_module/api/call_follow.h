
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_FOLLOW_H_INCLUDED_
#define _NGX_AGT_API_CALL_FOLLOW_H_INCLUDED_


#include "api/call_internal.h"


/*
 * Calls that another worker makes: this worker follows their marks in the zone.
 */

/*
 * Settles which worker makes a new call.  Returns NGX_OK if this worker does:
 * the zone's mark then belongs to the call until it ends.  Returns NGX_AGAIN if
 * another worker makes the call and this worker follows.
 */
ngx_int_t ngx_agt_call_lead(ngx_agt_call_t *call);

/*
 * For a call that has just won its mark: returns 1, with "answer" set, if
 * another worker's call for the same ended between the look-up and the mark; 0
 * if the call is still to be made.
 */
ngx_uint_t ngx_agt_call_ended(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Looks at every call that this worker follows: ends those whose leader has
 * ended, takes over those whose leader is gone.  May free any of them.
 */
void ngx_agt_call_follow(void);

/*
 * Handler of the timer that looks at followed calls from time to time.
 */
void ngx_agt_call_poll(ngx_event_t *ev);


#endif /* _NGX_AGT_API_CALL_FOLLOW_H_INCLUDED_ */
