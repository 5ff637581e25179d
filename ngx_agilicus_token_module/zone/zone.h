
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_ZONE_H_INCLUDED_
#define _NGX_AGT_ZONE_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/clock.h"
#include "token/digest.h"
#include "token/es256.h"
#include "token/reason.h"
#include "zone/table.h"
#include "zone/denial_set.h"


/*
 * A shared zone: how it is laid out, made, kept over a reload and locked.  It
 * holds no token and nothing that could be turned back into one.
 *
 * The zone's mutex is held for a change; never across a call, a log line or an
 * allocation from a pool, and no other zone's is taken while one is held.  A
 * look-up of facts takes it only where a change is under way: it reads without
 * the mutex, and then asks whether there was a change meanwhile.
 */

#define NGX_AGT_ZONE_VERSION   7

/* the least size of a zone in bytes */
#define NGX_AGT_ZONE_MIN       (8 * ngx_pagesize)

/* the least size of one that has room for public keys */
#define NGX_AGT_ZONE_KEYS_MIN  (16 * ngx_pagesize)

/* origins (APIs with their options) that the facts of one zone can have */
#define NGX_AGT_ZONE_ORIGINS   64

/*
 * APIs by URL that have budgets, breakers and counters: the APIs of one
 * configuration, and of the one before, whose workers may still serve.
 */
#define NGX_AGT_MAX_APIS       16
#define NGX_AGT_ZONE_APIS      (2 * NGX_AGT_MAX_APIS)

/* operations of APIs whose calls are counted, at most */
#define NGX_AGT_ZONE_CALLS     (10 * NGX_AGT_ZONE_APIS)

/* public keys of an API: those of a set, and some that were withdrawn */
#define NGX_AGT_ZONE_KEYS      (NGX_AGT_ES256_KEYS + 16)

/* size of a bucket of marks of calls in flight */
#define NGX_AGT_FLIGHT_BUCKET  8

/* size of a bucket of budgets of clients */
#define NGX_AGT_CLIENT_BUCKET  8


/* counters of events since the zone was made */

typedef enum {
    NGX_AGT_COUNT_HIT = 0,
    NGX_AGT_COUNT_MISS,
    NGX_AGT_COUNT_JOINED,
    NGX_AGT_COUNT_UPDATING,
    NGX_AGT_COUNT_STALE,
    NGX_AGT_COUNT_BYPASS,

    NGX_AGT_COUNT_STORED,
    NGX_AGT_COUNT_NOT_STORED,
    NGX_AGT_COUNT_RECOVERED,

    /* no call was made, because of this limit */
    NGX_AGT_COUNT_SHED_BREAKER,
    NGX_AGT_COUNT_SHED_RATE,
    NGX_AGT_COUNT_SHED_CLIENT_RATE,
    NGX_AGT_COUNT_SHED_PLACES,
    NGX_AGT_COUNT_SHED_CLIENT_PLACES,

    NGX_AGT_COUNT_REVOCATIONS,
    NGX_AGT_COUNT_REVOCATIONS_LOST,
    NGX_AGT_COUNT_CUT,

    /* tokens at the signature gate */
    NGX_AGT_COUNT_GATE_CHECKED,
    NGX_AGT_COUNT_GATE_UNCHECKED,
    NGX_AGT_COUNT_GATE_REFUSED,
    NGX_AGT_COUNT_GATE_REPORTED,

    NGX_AGT_COUNTS
} ngx_agt_count_e;


typedef struct {
    u_char    digest[NGX_AGT_DIGEST_LEN];
    uint32_t  serial;     /* never given twice; 0: free */
    uint32_t  reserved;
} ngx_agt_zone_origin_t;


/* the result of a call, for other workers whose requests wait for it */

typedef struct {
    uint32_t        class;
    uint32_t        reason;
    int32_t         retry_after;
    uint16_t        transient;
    uint16_t        cause;
} ngx_agt_flight_result_t;


/* a call in flight; see flight */

typedef struct {
    u_char                   identity[NGX_AGT_DIGEST_LEN];
    uint64_t                 id;
    uint64_t                 deadline;   /* milliseconds, monotonic */
    uint64_t                 wake;       /* workers, a bit each */
    uint32_t                 cycle;
    int32_t                  pid;
    uint32_t                 state;
    uint16_t                 followers;  /* calls in workers, not requests */
    uint16_t                 left;       /* no request of the leader waits */

    ngx_agt_flight_result_t  result;
} ngx_agt_flight_mark_t;


/* the budget of one client; see budget */

typedef struct {
    u_char          address[16];
    uint64_t        time;       /* microseconds, monotonic */
} ngx_agt_client_budget_t;


/* upper ends of the API's latency histogram, in milliseconds */
#define NGX_AGT_LATENCIES  { 1, 2, 5, 10, 20, 50, 100, 200, 500,             \
                              1000, 2000, 5000 }
#define NGX_AGT_NLATENCIES 12


/* how long calls took */

typedef struct {
    uint64_t  sum;      /* milliseconds */
    uint64_t  calls[NGX_AGT_NLATENCIES + 1];  /* the last: all longer ones */
} ngx_agt_latency_t;


/* what came of a call that was sent */

typedef enum {
    NGX_AGT_CALLS_OK = 0,
    NGX_AGT_CALLS_INVALID,      /* the API refuses the token */
    NGX_AGT_CALLS_REVOKED,
    NGX_AGT_CALLS_REFUSED,      /* the API refuses the edge */
    NGX_AGT_CALLS_THROTTLED,
    NGX_AGT_CALLS_TIMEOUT,
    NGX_AGT_CALLS_FAILED,       /* by transport or 5xx */
    NGX_AGT_CALLS_UNUSABLE,
    NGX_AGT_CALLS_NOT_THE_API,
    NGX_AGT_CALLS_RETRIED,      /* failed, and was sent once more */
    NGX_AGT_CALLS_DROPPED,      /* made room before its answer came */

    NGX_AGT_CALLS_RESULTS
} ngx_agt_calls_result_e;


/* the calls of one operation of an API; see calls */

typedef struct {
    uint32_t           api;        /* number of its state, plus 1; 0: free */
    uint32_t           operation;
    uint64_t           results[NGX_AGT_CALLS_RESULTS];
    ngx_agt_latency_t  latency;    /* of all but dropped ones */
} ngx_agt_calls_t;


/* lines of the log that one of all workers writes, once a second at most */

#define NGX_AGT_API_LINE_FAILED      0
#define NGX_AGT_API_LINE_FOREIGN     1
#define NGX_AGT_API_LINE_SAYS_NO     2
#define NGX_AGT_API_LINE_CREDENTIAL  3    /* once an hour */
#define NGX_AGT_API_LINES            4


/* the state of an API in the zone; see budget */

typedef struct {
    u_char    digest[NGX_AGT_DIGEST_LEN];  /* of its URL */
    uint32_t  used;       /* configuration that had it last; 0: free */
    uint32_t  failures;   /* in a row */
    uint64_t  open;       /* ms, monotonic: closed to calls until then */
    uint64_t  probe;      /* ms, monotonic: one call may be out */
    uint64_t  time;       /* the budget: microseconds, monotonic */
    uint64_t  opened;     /* how often */

    /* the second, wall clock, in which a worker wrote the line last */
    ngx_atomic_t  said[NGX_AGT_API_LINES];
} ngx_agt_api_state_t;


/* the public keys of an API, and the process that fetches them; see keys */

typedef struct {
    u_char         source[NGX_AGT_DIGEST_LEN]; /* where they come from */
    ngx_atomic_t   version;    /* counts up when they change */

    uint64_t       until;      /* ms, monotonic: the fetch is given up */
    uint64_t       begun;      /* the same: the last fetch; 0: none */
    uint64_t       good;       /* the same: the last that brought keys */
    uint64_t       wanted;     /* the same: the last because of a token */
    int32_t        pid;        /* process that fetches keys; 0: none */
    uint32_t       cycle;      /* configuration whose workers may */

    uint64_t       fetches;    /* that began */
    uint64_t       failed;

    uint32_t       missed;     /* the last fetch brought none, or runs */
    uint32_t       n;
    uint32_t       published;  /* of these, they come first */
    uint32_t       reserved;
    ngx_agt_key_t  keys[NGX_AGT_ZONE_KEYS];
} ngx_agt_keys_sh_t;


/* the head of the shared memory; offsets are from its beginning */

typedef struct {
    uint32_t             version;
    uint32_t             norigins;   /* the last serial given */

    /*
     * Counts up as a change to facts begins and as it ends: odd during one,
     * and after a process died in it.
     */
    ngx_atomic_t         changes;

    uint64_t             facts_offset;
    uint64_t             invalid_offset;
    uint64_t             keys_offset;     /* 0: there is no room for any */
    uint64_t             flights_offset;
    uint64_t             clients_offset;
    uint64_t             calls_offset;
    uint64_t             size;       /* bytes, all together */

    /* an answer to a call until then is not stored: ms, monotonic */
    uint64_t             purged;

    uint32_t             flights;    /* places */
    uint32_t             clients;
    uint32_t             calls;
    uint64_t             flight_id;  /* the last one given */
    uint64_t             hash_key[2];

    ngx_agt_zone_origin_t  origins[NGX_AGT_ZONE_ORIGINS];

    ngx_agt_api_state_t  api[NGX_AGT_ZONE_APIS];

    ngx_atomic_t         counts[NGX_AGT_COUNTS];
    ngx_atomic_t         decisions[NGX_AGT_VERDICT_LAST][NGX_AGT_REASON_LAST];
} ngx_agt_zone_sh_t;


/* a zone as one process sees it; data of the ngx_shm_zone_t */

typedef struct {
    ngx_shm_zone_t     *shm_zone;
    ngx_slab_pool_t    *shpool;
    ngx_agt_zone_sh_t  *sh;
    ngx_agt_table_t    *facts;
    ngx_agt_table_t    *invalid;
    ngx_agt_keys_sh_t  *keys;        /* NULL: none; used in the first zone */
    ngx_agt_flight_mark_t *flights;
    ngx_agt_client_budget_t  *clients;
    ngx_agt_calls_t    *calls;
} ngx_agt_zone_t;


/*
 * The init handler of the zone, called in the master.  On a reload it takes
 * over the zone that is there, else it makes one.  "data" is the ngx_agt_zone_t
 * of the old cycle or NULL.  NGX_ERROR, with the cause logged, refuses the
 * configuration.
 */
ngx_int_t ngx_agt_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Returns the serial under which facts of an origin are kept in the zone.
 * "digest" is the digest of everything in the configuration that may change an
 * answer.  The same digest has the same serial as long as it is in use; a
 * serial is never given to another digest.  For the master, before its workers
 * start.
 */
uint32_t ngx_agt_zone_origin(ngx_agt_zone_t *zone, const u_char *digest);

/*
 * Takes and gives back the zone's mutex.  Where a process died in the middle
 * of a change, facts are dropped first.
 */
void ngx_agt_zone_lock(ngx_agt_zone_t *zone);
void ngx_agt_zone_unlock(ngx_agt_zone_t *zone);

/*
 * The beginning and the end of a change to facts, with the mutex held.  Data
 * that is read without the mutex between the two does not count.
 */
void ngx_agt_zone_begin_locked(ngx_agt_zone_t *zone);
void ngx_agt_zone_end_locked(ngx_agt_zone_t *zone);

/*
 * For reading facts without the mutex.  The first function sets "changes" and
 * returns 1, or returns 0 where a change is under way and nothing may be read.
 * The second returns 1 if no change has begun since, so that everything that
 * was read is whole, else 0.
 */
ngx_uint_t ngx_agt_zone_read_begin(ngx_agt_zone_t *zone,
    ngx_atomic_uint_t *changes);
ngx_uint_t ngx_agt_zone_read_end(ngx_agt_zone_t *zone,
    ngx_atomic_uint_t changes);

/*
 * Adds one to a counter; needs no mutex.
 */
void ngx_agt_zone_count(ngx_agt_zone_t *zone, ngx_agt_count_e count);

/*
 * Counts a decision; needs no mutex.
 */
void ngx_agt_zone_decided(ngx_agt_zone_t *zone, ngx_agt_verdict_e verdict,
    ngx_agt_reason_e reason);


#endif /* _NGX_AGT_ZONE_ZONE_H_INCLUDED_ */
