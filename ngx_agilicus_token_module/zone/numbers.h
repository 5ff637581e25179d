
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_NUMBERS_H_INCLUDED_
#define _NGX_AGT_ZONE_NUMBERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denials.h"


/*
 * The numbers of denials that this edge tells the fleet.  A denial that was
 * made here gets the next number as it is written, under the mutex of the
 * denials, and the number lies with it: any worker can find what is still to be
 * told, also after another one has died.  All numbers are told in their order.
 * One whose denial has gone meanwhile is told too, as empty, so that others do
 * not wait for it.
 */

/*
 * A bit in place of a number: the denial is another edge's.  The other bits are
 * the time at which the fleet told it last, in milliseconds of the monotonic
 * clock.
 */
#define NGX_AGT_NUMBER_OTHERS  0x8000000000000000

/* milliseconds of which the numbers can be told once more */
#define NGX_AGT_NUMBERS_RECENT  60000

/* in place of a time: all denials */
#define NGX_AGT_NUMBERS_ALL     0xffffffffffffffff


/* a number, and the denial that has it */

typedef struct {
    uint64_t          number;
    unsigned          empty:1;      /* it has none any more */
    ngx_agt_denial_t  denial;
} ngx_agt_numbered_t;


/*
 * Starts numbering, which goes on until it is ended: denials that have no
 * number yet get one.  In the master, or under a lock of the caller's.
 */
void ngx_agt_numbers_begin(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now);

/*
 * With the mutex held: what must be done before and after the denial with the
 * key of "add" is added or strengthened.  before() returns what after() needs.
 */
typedef struct {
    uint64_t           number;      /* that it had; 0: none */
    ngx_uint_t         again;       /* it gets a number */
} ngx_agt_numbering_t;

void ngx_agt_numbers_before_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now,
    ngx_agt_numbering_t *numbering);
void ngx_agt_numbers_after_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now,
    const ngx_agt_numbering_t *numbering);

/*
 * With the mutex held: numbers what a process that died has written without a
 * number.
 */
void ngx_agt_numbers_recover_locked(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now);

/*
 * Takes a number that no denial has, for an entry of another kind; returns it.
 * It is handed out: where the entry is not told, the number is told as empty.
 */
uint64_t ngx_agt_numbers_reserve(ngx_agt_denials_t *denials);

/*
 * Gives a number of this edge to denials of others that the fleet told before
 * "before" (milliseconds, monotonic); for NGX_AGT_NUMBERS_ALL, a new number to
 * every denial; or to the denial with "key", whosever it
 * is, so that it is told once more.  Returns how many got one.
 */
ngx_uint_t ngx_agt_numbers_adopt(ngx_agt_denials_t *denials, uint64_t before,
    const ngx_agt_clock_t *now);
ngx_uint_t ngx_agt_numbers_again(ngx_agt_denials_t *denials,
    const u_char *key, const ngx_agt_clock_t *now);

/*
 * Gives new numbers to denials of this edge whose number is below "below".
 * Returns how many there are.
 */
ngx_uint_t ngx_agt_numbers_renew(ngx_agt_denials_t *denials, uint64_t below,
    const ngx_agt_clock_t *now);

/*
 * Returns the number of the denial with this key, 0 where there is none.
 */
uint64_t ngx_agt_numbers_of(ngx_agt_denials_t *denials, const u_char *key,
    const ngx_agt_clock_t *now);

/*
 * Returns the number of the newest denial; 0: there was none.  Needs no mutex.
 */
uint64_t ngx_agt_numbers_last(ngx_agt_denials_t *denials);

/*
 * Copies up to "n" numbers from "from" on, in their order, with their denials,
 * and notes that they are handed out.  Returns how many there are.
 */
ngx_uint_t ngx_agt_numbers_take(ngx_agt_denials_t *denials, uint64_t from,
    ngx_agt_numbered_t *numbered, ngx_uint_t n, const ngx_agt_clock_t *now);

/*
 * Returns the lowest number that a live denial has, or the number that the next
 * one gets where none has.
 */
uint64_t ngx_agt_numbers_first(ngx_agt_denials_t *denials,
    const ngx_agt_clock_t *now);

/*
 * Returns a number from which on all of the last minute, at least, are told
 * once more.
 */
uint64_t ngx_agt_numbers_recent(ngx_agt_denials_t *denials);


#endif /* _NGX_AGT_ZONE_NUMBERS_H_INCLUDED_ */
