
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_DENIAL_SET_H_INCLUDED_
#define _NGX_AGT_ZONE_DENIAL_SET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/clock.h"
#include "token/digest.h"
#include "token/facts.h"


/*
 * A set of denials.  A denial refuses a token, or all tokens with an identifier
 * (jti), a session or a subject, although an answer of the API may still call
 * them active.
 *
 * The set has a fixed size and lies in one run of memory without addresses in
 * it; its functions take no lock and read no clock.  A denial ends only when
 * both clocks have passed its end, so that a step of the wall clock never makes
 * a denied token good again.
 *
 * Writes are ordered so that a process that dies in the middle of one damages
 * no denial but the one that it was writing.  A denial may lie in two places
 * then; what is found is the stronger one.
 */

#define NGX_AGT_DENIAL_KEY_LEN  32
#define NGX_AGT_DENIAL_SET_MIN  2048


/*
 * The source of a denial.  A later source in this list replaces an earlier one.
 * From UNTOLD on, a denial that is alive is never evicted.
 */

typedef enum {
    NGX_AGT_ASKED_ABOUT = 0,     /* a mark, which denies nothing */
    NGX_AGT_DENIED_BY_FEED,      /* can tell it again */
    NGX_AGT_DENIED_BY_API,       /* was told, or said so */
    NGX_AGT_DENIED_UNTOLD,       /* the API is still to be told */
    NGX_AGT_DENIED_BY_HOOK       /* no other source has it */
} ngx_agt_denial_source_e;


typedef struct {
    u_char    key[NGX_AGT_DENIAL_KEY_LEN];
    uint64_t  mono;           /* milliseconds, monotonic: its end; 0: free */
    int64_t   wall;           /* seconds since the epoch: its end */
    int64_t   before;         /* denies tokens issued up to then */
    uint64_t  mark;           /* see below */
    uint64_t  number;         /* in the fleet, see zone/numbers; 0: none yet */
} ngx_agt_denial_t;


/*
 * "mark" holds the time at which the denial was made, in 48 bits of
 * milliseconds of the monotonic clock, its source and its kind.
 */

#define ngx_agt_denial_mark(made, source, kind)                              \
    ((uint64_t) (made) << 16 | (uint64_t) (source) << 8 | (uint64_t) (kind))

#define ngx_agt_denial_made(s)    ((s)->mark >> 16)
#define ngx_agt_denial_source(s)  ((s)->mark >> 8 & 0xff)
#define ngx_agt_denial_kind(s)    ((s)->mark & 0xff)


typedef struct {
    uint64_t    hash_key[2];
    uint32_t    nbuckets;
    uint32_t    moves;          /* of denials to another place */
    uint64_t    added;
    uint64_t    lost;           /* live ones that were evicted */
} ngx_agt_denial_set_t;


/*
 * Makes an empty set of the "size" bytes at "mem" (aligned to 64).  Returns
 * NULL where "size" is less than NGX_AGT_DENIAL_SET_MIN.
 */
ngx_agt_denial_set_t *ngx_agt_denial_set_init(void *mem,
    size_t size, const uint64_t *hash_key);

/*
 * Adds a denial, or makes an existing one last longer, deny more and be better
 * protected; never weakens a denial.  May move another denial, which cannot be
 * found for a moment: a reader without the lock must look again.
 *
 * NGX_OK        added, or strengthened: tokens that were found clean must be
 *               checked again
 * NGX_DECLINED  nothing that it denies has changed
 * NGX_BUSY      added, but it replaced a live denial; "*gone" is set to the
 *               later of the two ends of the replaced denial, in milliseconds
 *               of the monotonic clock
 * NGX_ERROR     not added: all denials in its places are alive, and protected
 *               or of a later source; "*gone" is set to the end that the new
 *               denial would have had
 */
ngx_int_t ngx_agt_denial_set_add(ngx_agt_denial_set_t *t,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now, uint64_t *gone);

/*
 * Returns the live denial with this key, or NULL.
 */
ngx_agt_denial_t *ngx_agt_denial_set_find(ngx_agt_denial_set_t *t,
    const u_char *key, const ngx_agt_clock_t *now);

/*
 * Returns 1 if the denial in this place is alive, else 0.
 */
ngx_uint_t ngx_agt_denial_set_is_live(const ngx_agt_denial_t *s,
    const ngx_agt_clock_t *now);

/*
 * Notes that the API has been told of an UNTOLD denial: the denial is BY_API
 * from now on.  Denials of other sources do not change.
 */
void ngx_agt_denial_set_told(ngx_agt_denial_set_t *t,
    const u_char *key, const ngx_agt_clock_t *now);

/*
 * Walks all places: returns the next live denial, or NULL at the end.  "*i"
 * starts at 0 and is moved on.
 */
ngx_agt_denial_t *ngx_agt_denial_set_next(ngx_agt_denial_set_t *t,
    ngx_uint_t *i, const ngx_agt_clock_t *now);

/*
 * Returns the time of the monotonic clock, in milliseconds, at which the wall
 * clock shows "until" if neither is set; for ever is a century.
 */
uint64_t ngx_agt_denial_until(int64_t until, const ngx_agt_clock_t *now);

/*
 * Returns how many denials the set can hold.
 */
ngx_uint_t ngx_agt_denial_set_capacity(ngx_agt_denial_set_t *t);


#endif /* _NGX_AGT_ZONE_DENIAL_SET_H_INCLUDED_ */
