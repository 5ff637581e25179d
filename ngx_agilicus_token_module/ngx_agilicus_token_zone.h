
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_ZONE_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_agilicus_token_digest.h"
#include "ngx_agilicus_token_table.h"
#include "ngx_agilicus_token_tombstone.h"


/*
 * A shared zone: how it is laid out, made, kept over a reload and locked.  It
 * holds no token and nothing that could be turned back into one.
 *
 * The zone's mutex is held for a look-up and a copy; never across a call, a
 * log line or an allocation from a pool, and no other zone's is taken while
 * one is held.
 */

#define NGX_AGILICUS_TOKEN_ZONE_VERSION   1

/* the least size of a zone in bytes */
#define NGX_AGILICUS_TOKEN_ZONE_MIN       (8 * ngx_pagesize)

/* APIs with their options that facts of one zone can come from */
#define NGX_AGILICUS_TOKEN_ZONE_CONTEXTS  64


/* what happened, counted since the zone was made */

typedef enum {
    NGX_AGILICUS_TOKEN_COUNT_HIT = 0,
    NGX_AGILICUS_TOKEN_COUNT_MISS,
    NGX_AGILICUS_TOKEN_COUNT_JOINED,
    NGX_AGILICUS_TOKEN_COUNT_UPDATING,
    NGX_AGILICUS_TOKEN_COUNT_STALE,
    NGX_AGILICUS_TOKEN_COUNT_BYPASS,

    NGX_AGILICUS_TOKEN_COUNT_STORED,
    NGX_AGILICUS_TOKEN_COUNT_NOT_STORED,
    NGX_AGILICUS_TOKEN_COUNT_RECOVERED,

    NGX_AGILICUS_TOKEN_COUNT_CALLS,
    NGX_AGILICUS_TOKEN_COUNT_RETRIES,
    NGX_AGILICUS_TOKEN_COUNT_FAILED_CALLS,
    NGX_AGILICUS_TOKEN_COUNT_CREDENTIAL_REFUSED,
    NGX_AGILICUS_TOKEN_COUNT_OVERLOADS,

    NGX_AGILICUS_TOKEN_COUNT_ACTIVE,
    NGX_AGILICUS_TOKEN_COUNT_MISSING,
    NGX_AGILICUS_TOKEN_COUNT_MALFORMED,
    NGX_AGILICUS_TOKEN_COUNT_INVALID,
    NGX_AGILICUS_TOKEN_COUNT_EXPIRED,
    NGX_AGILICUS_TOKEN_COUNT_REVOKED,
    NGX_AGILICUS_TOKEN_COUNT_FORBIDDEN,
    NGX_AGILICUS_TOKEN_COUNT_UNAVAILABLE,

    NGX_AGILICUS_TOKEN_COUNTS
} ngx_agilicus_token_count_e;


typedef struct {
    u_char          digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    uint32_t        serial;     /* never given twice; 0: free */
    uint32_t        reserved;
} ngx_agilicus_token_context_t;


/* the head of what lies in shared memory; offsets are from its beginning */

typedef struct {
    uint32_t        version;
    uint32_t        contexts;   /* the last serial given */

    /*
     * Counts up with each tombstone that may deny what was found clean; only
     * that of the first zone is looked at, and without the mutex.
     */
    ngx_atomic_t    generation;

    /* set while facts are changed: a process that dies then leaves it set */
    ngx_atomic_t    dirty;

    /* until then some live tombstone is missing: ms, monotonic */
    ngx_atomic_t    incomplete;

    uint64_t        facts_offset;
    uint64_t        invalid_offset;
    uint64_t        tombstones_offset;
    uint64_t        size;       /* bytes, all together */

    ngx_agilicus_token_context_t
                    context[NGX_AGILICUS_TOKEN_ZONE_CONTEXTS];

    ngx_atomic_t    counts[NGX_AGILICUS_TOKEN_COUNTS];
} ngx_agilicus_token_zone_sh_t;


/* a zone as one process sees it; data of the ngx_shm_zone_t */

typedef struct {
    ngx_shm_zone_t                   *shm_zone;
    ngx_slab_pool_t                  *shpool;
    ngx_agilicus_token_zone_sh_t     *sh;
    ngx_agilicus_token_table_t       *facts;
    ngx_agilicus_token_table_t       *invalid;
    ngx_agilicus_token_tombstones_t  *tombstones;
} ngx_agilicus_token_zone_t;


/*
 * The init handler of the zone, called in the master: takes what is there over
 * a reload, else makes it.  "data" is the ngx_agilicus_token_zone_t of the old
 * cycle or NULL.  NGX_ERROR, with the cause logged, refuses the configuration.
 */
ngx_int_t ngx_agilicus_token_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * The serial under which facts of this context are kept in the zone: what may
 * change an answer, as one digest.  The same digest has the same serial as
 * long as it is in use; a serial is never given to another digest.  For the
 * master, before its workers start.
 */
uint32_t ngx_agilicus_token_zone_context(ngx_agilicus_token_zone_t *zone,
    const u_char *digest);

/*
 * Copies all live tombstones of "from" to "to", where they are not there yet.
 */
void ngx_agilicus_token_zone_carry_over(ngx_agilicus_token_zone_t *to,
    ngx_agilicus_token_zone_t *from);

/*
 * Takes and gives back the zone's mutex.  Where a process died in the middle
 * of a change, facts are dropped first; tombstones stay.
 */
void ngx_agilicus_token_zone_lock(ngx_agilicus_token_zone_t *zone);
void ngx_agilicus_token_zone_unlock(ngx_agilicus_token_zone_t *zone);

/*
 * Brackets of a change to facts, with the mutex held.
 */
void ngx_agilicus_token_zone_begin_locked(ngx_agilicus_token_zone_t *zone);
void ngx_agilicus_token_zone_end_locked(ngx_agilicus_token_zone_t *zone);

/*
 * Adds one to a counter; needs no mutex.
 */
void ngx_agilicus_token_zone_count(ngx_agilicus_token_zone_t *zone,
    ngx_agilicus_token_count_e count);

/*
 * Both clocks as of the event that is being handled.
 */
void ngx_agilicus_token_zone_now(ngx_agilicus_token_clock_t *now);


#endif /* _NGX_AGILICUS_TOKEN_ZONE_H_INCLUDED_ */
