
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_FLIGHT_H_INCLUDED_
#define _NGX_AGT_ZONE_FLIGHT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"


/*
 * Marks of calls in flight, in the first zone: a worker that needs an answer
 * for which another worker is asking already waits for that answer.  The worker
 * that makes a mark is its leader.  The leader ends the mark; if the leader's
 * process is gone, another worker takes the mark over.
 */

/* milliseconds for which a call that failed stands for others */
#define NGX_AGT_FLIGHT_PAUSE  1000


/* a place in the marks, good for one call: places are used again */

typedef struct {
    ngx_uint_t                     place;
    uint64_t                       id;       /* 0: no mark */
} ngx_agt_flight_t;


/*
 * Takes the lead for a call, or follows the worker that has it.  "identity", of
 * NGX_AGT_DIGEST_LEN bytes, is the digest of everything that the answer depends
 * on, and means the same in every zone and configuration.
 *
 * NGX_OK        "flight" is the caller's mark; it must be ended
 * NGX_AGAIN     another process leads: "flight" is its mark, and worker number
 *               "worker" of the configuration "cycle" will be woken
 * NGX_DECLINED  no place for a mark: call without one
 *
 * A mark is taken over if its process is gone, or if the last "deadline" of all
 * the requests that wait for it (milliseconds, monotonic) has passed.  A worker
 * that follows a mark and does not see the end of the call must unfollow.
 */
ngx_int_t ngx_agt_flight_lead(ngx_agt_zone_t *first,
    const u_char *identity, uint64_t now, uint64_t deadline,
    ngx_uint_t worker, uint32_t cycle, ngx_agt_flight_t *flight);

/*
 * Ends a mark that the caller made, with the result of the call, or with class
 * NONE where the call had no result.  Returns the workers to wake, a bit for
 * each number modulo 64, of the same configuration.
 */
uint64_t ngx_agt_flight_end(ngx_agt_zone_t *first,
    const ngx_agt_flight_t *flight,
    const ngx_agt_flight_result_t *result, uint64_t now);

/*
 * Looks at the mark that the caller follows.
 *
 * NGX_AGAIN     its call is under way
 * NGX_OK        its call has ended, with "result"
 * NGX_DECLINED  the mark or its leader is gone: call, or lead, anew
 */
ngx_int_t ngx_agt_flight_look(ngx_agt_zone_t *first,
    const ngx_agt_flight_t *flight, uint64_t now,
    ngx_agt_flight_result_t *result);

/*
 * Returns 1 if the last call of this identity that ended, on any worker, had no
 * answer of the API and ended less than NGX_AGT_FLIGHT_PAUSE milliseconds ago:
 * "result" is its result.  Else returns 0.
 */
ngx_uint_t ngx_agt_flight_failed(ngx_agt_zone_t *first,
    const u_char *identity, uint64_t now, ngx_agt_flight_result_t *result);

/*
 * Keeps a mark, led or followed, until "deadline" at least.  Sets "flight->id"
 * to 0 where the mark is not there any more, such as one that was taken over.
 */
void ngx_agt_flight_extend(ngx_agt_zone_t *first, ngx_agt_flight_t *flight,
    uint64_t deadline);

/*
 * Notes that no request of the leader waits any more: the mark is removed when
 * the last worker that follows it has left, or at once.  Its call can still end
 * it.
 */
void ngx_agt_flight_left(ngx_agt_zone_t *first,
    const ngx_agt_flight_t *flight);

/*
 * Stops following a mark.
 */
void ngx_agt_flight_unfollow(ngx_agt_zone_t *first,
    const ngx_agt_flight_t *flight);

/*
 * Returns how many calls are under way in all workers, for the status.
 */
ngx_uint_t ngx_agt_flight_count(ngx_agt_zone_t *first, uint64_t now);


#endif /* _NGX_AGT_ZONE_FLIGHT_H_INCLUDED_ */
