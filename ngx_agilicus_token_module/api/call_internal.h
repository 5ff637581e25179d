
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_
#define _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_


/*
 * The calls of a worker; for the files of calls only.
 */

#include "api/call.h"
#include "api/seams.h"


/* a leader is given up so many milliseconds after the end of all waits */
#define NGX_AGT_CALL_MARGIN     1000

#define NGX_AGT_CALL_NEW        0
#define NGX_AGT_CALL_PENDING    1   /* waits for its turn */
#define NGX_AGT_CALL_SENT       2
#define NGX_AGT_CALL_FOLLOWING  3   /* another worker asks */


typedef struct {
    const ngx_agt_api_conf_t  *conf;
    ngx_agt_curl_t           **pools;
    ngx_rbtree_t               calls;
    ngx_rbtree_node_t          sentinel;
    ngx_queue_t                pending;
    ngx_queue_t                following;
    ngx_queue_t                sent;
    ngx_agt_limits_t           places;
    ngx_uint_t                 left;       /* sent, and without a waiter */
    ngx_event_t                poll;
    ngx_event_t                turn;
    ngx_log_t                 *log;
    u_char                    *buf;
} ngx_agt_call_worker_t;


extern ngx_agt_call_worker_t  ngx_agt_worker;

/*
 * Takes the call from the budgets, if it is charged to a client.  Returns
 * NGX_OK; NGX_ERROR, with "answer" set, where a budget is spent.
 */
ngx_int_t ngx_agt_call_charge(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Sets an answer to SHED for a limit of this edge, counts it, and returns
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_call_shed(ngx_agt_answer_t *answer, ngx_agt_reason_e reason,
    ngx_agt_count_e count);

/*
 * Gives "answer" to all waiters of the call, gives the call's mark back, wakes
 * the other workers and frees the call.
 */
void ngx_agt_call_end(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Gives the call's mark back without an answer and frees the call, which is not
 * being sent.
 */
void ngx_agt_call_free(ngx_agt_call_t *call);


#endif /* _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_ */
