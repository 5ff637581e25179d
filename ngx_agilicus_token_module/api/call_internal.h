
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_
#define _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_


/*
 * What the files of calls share; nobody else includes this.
 */

#include "api/call.h"


/* milliseconds beyond the time of all who wait until a leader is given up */
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
    ngx_uint_t                 inflight;
    ngx_uint_t                 left;       /* of those */
    ngx_uint_t                 waiting;
    ngx_event_t                poll;
    ngx_event_t                turn;
    ngx_connection_t           dummy;
    ngx_log_t                 *log;
    u_char                    *buf;
    time_t                     logged;
    time_t                     logged_foreign;
} ngx_agt_call_worker_t;


extern ngx_agt_call_worker_t  ngx_agt_worker;

/*
 * Settles who makes a new call.  Returns NGX_OK if it is to be made here: the
 * zone's mark is then this worker's, until the call ends; NGX_AGAIN if another
 * worker makes it and this call follows.
 */
ngx_int_t ngx_agt_call_lead(ngx_agt_call_t *call);

/*
 * For a call that just won its mark: returns 1, with "*answer", if another
 * worker's call for the same ended between the look-up and the mark; 0 if the
 * call is still to be made.
 */
ngx_uint_t ngx_agt_call_ended(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Takes the call from the budgets, if it is on account of somebody.  Returns
 * NGX_OK; NGX_ERROR, with "*answer", where they are spent.
 */
ngx_int_t ngx_agt_call_charge(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/*
 * Sends the call, or queues it behind those in flight.  Returns NGX_OK if its
 * end comes later; NGX_ERROR, with "*answer", if it cannot be sent.
 */
ngx_int_t ngx_agt_call_start(ngx_agt_call_t *call, ngx_agt_answer_t *answer);

/* the handler of the event that sends calls which wait for their turn */
void ngx_agt_call_turn(ngx_event_t *ev);

/* the timer's handler of calls that follow: looks at all of them */
void ngx_agt_call_poll(ngx_event_t *ev);

/*
 * Looks at every call that follows: ends those whose leader has ended, takes
 * over those whose leader is gone.  May free any of them.
 */
void ngx_agt_call_follow(void);

/*
 * Ends a call that is sent and that nobody waits for, without an answer: who
 * follows it on another worker asks anew.
 */
void ngx_agt_call_drop(ngx_agt_call_t *call);

/*
 * Gives "*answer" to everybody who waits for the call, gives its mark back,
 * wakes the other workers and frees the call.
 */
void ngx_agt_call_end(ngx_agt_call_t *call, ngx_agt_answer_t *answer);


#endif /* _NGX_AGT_API_CALL_INTERNAL_H_INCLUDED_ */
