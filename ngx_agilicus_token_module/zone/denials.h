
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_DENIALS_H_INCLUDED_
#define _NGX_AGT_ZONE_DENIALS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"
#include "token/facts.h"
#include "zone/ledger.h"
#include "token/reason.h"
#include "zone/denial_set.h"


/*
 * The memory of denials: a set of denials, the state of the revocation feed and
 * the ledger of revocations that the API has still to be told of.  It is a
 * shared memory of its own, exists wherever the module is loaded, and stays the
 * same over every reload, also when a reload replaces a zone of facts.
 *
 * Its mutex is held for a change; never across a call, a log line or an
 * allocation from a pool, and never together with the mutex of a zone of
 * facts.  A reader of denials takes it only where a change is under way.
 */

#define NGX_AGT_DENIALS_VERSION       6

#define NGX_AGT_DENIALS_NAME          "agilicus_token_denials"
#define NGX_AGT_DENIALS_DEFAULT_SIZE  (2 * 1024 * 1024)

/* the least size of the memory in bytes */
#define NGX_AGT_DENIALS_MIN           (8 * ngx_pagesize)

/* in place of the time at which a token was first asked about: never */
#define NGX_AGT_NEVER_ASKED           0xffffffffffffffff


/* how far the revocation feed can be relied on */

typedef enum {
    NGX_AGT_FEED_OFF = 0,
    NGX_AGT_FEED_INIT,         /* no complete poll yet */
    NGX_AGT_FEED_HEALTHY,
    NGX_AGT_FEED_LATE,
    NGX_AGT_FEED_DEAD,
    NGX_AGT_FEED_INCOMPLETE    /* some of its denials are missing */
} ngx_agt_feed_e;


/* the state of the feed, which the poller writes and all workers read */

typedef struct {
    u_char    api[NGX_AGT_DIGEST_LEN];
    u_char    id[NGX_AGT_DIGEST_LEN];  /* see zone/feed_state */
    uint64_t  interval;   /* milliseconds; 0: there is no feed */
    int64_t   sessions;   /* seconds for which polls read sessions back;
                                   0: they read none */
    uint64_t  lasts;      /* milliseconds that a denial by a poll lasts, at
                                   least, from its start */
    uint64_t  watermark;  /* ms, monotonic: start of the last complete
                                   poll; 0: there was none */
    uint64_t  answered;   /* the same of the last poll of which every
                                   call was answered, complete or not */
    uint64_t  duration;   /* milliseconds of that poll */
    uint64_t  told;       /* it was another edge's: when it began there, ms
                                   since the epoch; 0: this edge's */
    uint64_t  own;        /* as "answered", of this edge's last poll; 0 */
    uint64_t  own_last;   /* the last denial that was numbered by its end */
    uint64_t  lease;      /* ms, monotonic: the poller's until then */
    int32_t   poller;     /* its process */
    uint32_t  cycle;      /* the configuration that all this is of */
    uint32_t  truncated;  /* windows that could not be split further */
    uint32_t  said;       /* the state that was logged last */
    uint32_t  failing;    /* this edge's last poll failed */

    uint64_t  polls;
    uint64_t  failed;
    uint64_t  calls;
    uint64_t  rows;       /* of the last complete poll */
    uint64_t  session_rows;  /* of the last complete poll */
    uint64_t  denied;     /* denials that it has put up */
} ngx_agt_feed_state_t;


/* lines of the log that one of all workers writes, once a second at most */

#define NGX_AGT_DENIALS_LINE_LOST     0
#define NGX_AGT_DENIALS_LINE_FULL     1
#define NGX_AGT_DENIALS_LINE_RECORDS  2
#define NGX_AGT_DENIALS_LINES         3


/* how denials are numbered for the fleet, see zone/numbers */

typedef struct {
    uint32_t  on;         /* denials get numbers */
    uint32_t  nplaces;
    uint64_t  next;       /* the number that the next denial gets */
    uint64_t  handed;     /* the highest number that was handed out */
    uint64_t  latest;     /* ms, monotonic: when one was given last */
    uint64_t  moves;      /* of denials, after which all places were noted */

    /* a number at the beginning of each of the last two stretches of time */
    struct {
        uint64_t  time;   /* ms, monotonic */
        uint64_t  number;
    } since[2];
} ngx_agt_numbers_t;


/* why the fleet's denials are not all here */

typedef enum {
    NGX_AGT_FLEET_OFF = 0,
    NGX_AGT_FLEET_INIT,        /* not all was read yet */
    NGX_AGT_FLEET_HEALTHY,
    NGX_AGT_FLEET_AWAY,        /* Redis does not answer */
    NGX_AGT_FLEET_GAP,         /* an entry is missing */
    NGX_AGT_FLEET_UNREADABLE,  /* an entry cannot be opened */
    NGX_AGT_FLEET_FULL,        /* a denial found no room here */
    NGX_AGT_FLEET_OLD          /* the last mark is too old */
} ngx_agt_fleet_e;

/* of "until": without a fleet, nothing is ever missing of it */
#define NGX_AGT_FLEET_ALWAYS      0xffffffffffffffff

#define NGX_AGT_NUMBERS_WRITER_LEN  16
#define NGX_AGT_FLEET_EPOCH_LEN   32


/* the state of the fleet, which one worker writes and all read */

typedef struct {
    uint32_t  on;         /* a fleet is configured */
    uint32_t  cycle;      /* the configuration that this is of */
    int32_t   worker;     /* the process that reads and appends */
    uint32_t  state;      /* ngx_agt_fleet_e, as it wrote it last */
    uint64_t  lease;      /* ms, monotonic: that process's until then */

    /*
     * All of the fleet is known here until then: ms, monotonic.  The end of
     * time without a fleet.
     */
    uint64_t  until;

    /* this edge polls the feed: from and until, ms, monotonic */
    uint64_t  polls_since;
    uint64_t  polls;

    /* of this memory; chosen at random when it is made */
    u_char    writer[NGX_AGT_NUMBERS_WRITER_LEN];

    /* of the stream that was read, in hex; zeros: none */
    u_char    epoch[NGX_AGT_FLEET_EPOCH_LEN];

    /* the last entry that was read: its two parts */
    uint64_t  last_ms;
    uint64_t  last_seq;

    uint64_t  appended;   /* numbers up to this one were acknowledged */
    uint64_t  unsure;     /* Redis may have lost those up to this one */
    uint32_t  knew;       /* this memory has known all of the fleet once */
    uint32_t  dump;       /* everything is to be told */
    uint32_t  skipped;    /* an entry that its workers could not open: the
                             configuration of these; 0: none */
    uint32_t  lacks;      /* another edge lacks a denial that is known here */
    uint64_t  dump_last;  /* the last number of that */
    uint64_t  asked;      /* ms, monotonic: others are to tell it; 0: none */
    uint64_t  unopened;   /* ms, monotonic: the last entry that cannot be; 0 */
    uint64_t  full;       /* ms, monotonic: a denial found no room; 0: none */

    /*
     * By how many milliseconds the wall clock was ahead of the monotonic one,
     * at most, when a denial of another edge had ended by it; 0: none had.
     */
    int64_t   ended;

    uint64_t  marked;     /* the last mark counts until then: ms, monotonic */

    /*
     * Seconds since the epoch: denials whose "exp" is not later may have been
     * trimmed; and may have ended here by an older, shorter leeway.
     */
    uint64_t  gone;
    uint64_t  ended_by;
    uint64_t  leeway;     /* seconds, of the configuration */

    /* the longest leeway told to the fleet in each of the last two stretches */
    uint64_t  heard[2];
    uint64_t  heard_at;   /* ms, monotonic: the later one began */

    uint64_t  said;       /* the state that was logged last */

    uint64_t  lag;        /* ms between making and reading the last entry */
    uint64_t  read;       /* entries */
    uint64_t  told;       /* entries that were appended */
    uint64_t  gaps;
    uint64_t  unreadable; /* entries */
    uint64_t  errors;     /* answers of Redis, connections that were lost */
    uint64_t  connections;
    uint64_t  resends;
    uint64_t  trimmed;    /* times */
    uint64_t  leads;      /* this edge marks and trims */
} ngx_agt_fleet_state_t;


/* the head of the shared memory; offsets are from its beginning */

typedef struct {
    uint32_t              version;
    uint32_t              cycles;     /* configurations loaded so far */

    /*
     * Counts up with each denial that may refuse a token for which no denial
     * was found before; is read without the mutex.
     */
    ngx_atomic_t          generation;

    /*
     * Counts up as a change to denials begins and as it ends: odd during
     * one, and after a process died in it.
     */
    ngx_atomic_t          changes;

    /* until then some live denial is missing: ms, monotonic */
    uint64_t              incomplete;

    /* changes in which a process died */
    uint64_t              recovered;

    /* live denials that were evicted, and denials that found no room */
    uint64_t              lost;

    uint64_t              ledger_offset;      /* of the ledger */
    uint64_t              ledger_size;        /* bytes, zero at first */
    uint64_t              unknown_offset;     /* of denials of an eighth */
    uint64_t              set_offset;
    uint64_t              places_offset;      /* of numbered denials */
    uint64_t              counts_offset;      /* what the fleet counts */
    uint64_t              counts_size;        /* bytes */
    uint64_t              size;               /* bytes, all together */
    uint64_t              hash_key[2];

    /* the second, wall clock, in which a worker wrote the line last */
    ngx_atomic_t          said[NGX_AGT_DENIALS_LINES];

    ngx_agt_feed_state_t  feed;
    ngx_agt_numbers_t     numbers;
    ngx_agt_fleet_state_t fleet;
} ngx_agt_denials_sh_t;


/* the memory as one process sees it; data of the ngx_shm_zone_t */

typedef struct {
    ngx_shm_zone_t        *shm_zone;
    ngx_slab_pool_t       *shpool;
    ngx_agt_denials_sh_t  *sh;
    ngx_agt_denial_set_t  *set;
    ngx_agt_denial_set_t  *unknown;
    ngx_agt_ledger_t      *ledger;
    uint32_t              *places;
    void                  *counts;
} ngx_agt_denials_t;


/* a denial to add: the arguments of ngx_agt_denials_add() */

typedef struct {
    const u_char            *api;        /* digest of the API's URL */
    ngx_agt_denial_kind_e    kind;
    ngx_agt_denial_source_e  source;
    ngx_str_t                value;      /* the token's key; else a name */
    int64_t                  until;      /* seconds since the epoch */
    int64_t                  before;     /* of subjects: see below */
    unsigned                 unknown:1;  /* was never active here */
} ngx_agt_denial_args_t;


/*
 * The init handler of the memory, called in the master: keeps the memory over a
 * reload, else makes it.  "data" is the ngx_agt_denials_t of the old cycle or
 * NULL.  Returns NGX_OK; NGX_ERROR, with the cause logged, refuses the
 * configuration.
 */
ngx_int_t ngx_agt_denials_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Take the mutex and give it back.  If a process has died in the middle of a
 * change, only the denial that it was writing may be damaged, and the
 * generation counts up, so that all tokens are checked for denials again.
 */
void ngx_agt_denials_lock(ngx_agt_denials_t *denials);
void ngx_agt_denials_unlock(ngx_agt_denials_t *denials);

/*
 * Returns the number that counts up with each denial that may refuse a token
 * for which no denial was found before.  Read it before looking for denials.
 */
ngx_atomic_uint_t ngx_agt_denials_generation(ngx_agt_denials_t *denials);

/*
 * Writes the key under which a token is denied to "out": the digest of the
 * token without any "=" at its end, so that all spellings of the token have one
 * key.  "digest" is the digest of the token as it stands.  Returns NGX_OK, or
 * NGX_ERROR where no digest could be made.
 */
ngx_int_t ngx_agt_denials_token(u_char *out,
    const ngx_str_t *token, const u_char *digest);

/*
 * Writes the key of the denial of a token (by its own key, see above), jti,
 * session or subject of an API to "out".  NGX_OK, or NGX_ERROR where no digest
 * could be made.
 */
ngx_int_t ngx_agt_denials_key(u_char *out, const u_char *api,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value);

/*
 * Does the same for the value "token", a token's own key.
 */
ngx_int_t ngx_agt_denials_token_key(u_char *out, const u_char *api,
    ngx_agt_denial_kind_e kind, const u_char *token);

/*
 * Writes the keys of all denials that refuse a token: of the token itself, and
 * of its jti, session and subject where "facts" is given and has them.  Sets a
 * bit of "kinds" for each key.  NGX_OK, or NGX_ERROR where no digest could be
 * made.
 */
ngx_int_t ngx_agt_denials_keys(u_char keys[][NGX_AGT_DENIAL_KEY_LEN],
    ngx_uint_t *kinds, const u_char *api, const u_char *token,
    const ngx_agt_facts_t *facts);

/*
 * Looks for a denial of a token of the API whose URL has the digest "api": by
 * the token's own key (NULL where it could not be made: denied), and by jti,
 * session and subject where "facts" is given.  "asked" is the time at which
 * this edge first asked about the token, in milliseconds of the monotonic
 * clock, or NGX_AGT_NEVER_ASKED.  A denial of the subject does not count if the
 * token was issued, and first asked about, after that denial was made.  Returns
 * the reason (REVOKED, JTI, SESSION, SUBJECT), or NONE.
 */
ngx_agt_reason_e ngx_agt_denials_check(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, const ngx_agt_facts_t *facts,
    uint64_t asked, const ngx_agt_clock_t *now);

/*
 * Looks for a denial as ngx_agt_denials_check() does, for a detail: sets
 * "denial" to a copy of it and returns NGX_OK, or NGX_DECLINED.
 */
ngx_int_t ngx_agt_denials_find(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, const ngx_agt_facts_t *facts,
    uint64_t asked, const ngx_agt_clock_t *now, ngx_agt_denial_t *denial);

/*
 * Denies a token, jti, session or subject of an API until "until", measured on
 * both clocks.  "before" counts for a subject: its tokens that were issued up
 * to then are denied, and so are those about which this edge has asked so far.
 * The children of every token that is denied are denied too.  A denial with
 * "unknown" is kept in a set of its own, and evicts only denials of that set.
 * Returns
 *
 * NGX_OK        it is denied
 * NGX_DECLINED  it was denied already
 * NGX_BUSY      it is denied, and a live denial had to be evicted for it; this
 *               is noted, and logged at most once a second
 * NGX_ERROR     there is no room for it, or no digest could be made
 */
ngx_int_t ngx_agt_denials_add(ngx_agt_denials_t *denials,
    const ngx_agt_denial_args_t *args, const ngx_agt_clock_t *now);

/*
 * Adds a denial that another edge of the fleet has made, likewise: all of
 * "denial" is set but "mono" and "number".
 */
ngx_int_t ngx_agt_denials_learn(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, const ngx_agt_clock_t *now);

/*
 * Marks a token of an API, by its own key, as asked about since "asked".  The
 * mark is for a token whose date of issue is ahead of this clock: a denial of
 * its subject could not tell by that date that the token is older.  The mark
 * lasts until "until", and is evicted before any denial.
 */
void ngx_agt_denials_asked(ngx_agt_denials_t *denials,
    const u_char *api, const u_char *token, uint64_t asked, int64_t until,
    const ngx_agt_clock_t *now);

/*
 * Notes that the API has been told of a denial, which may be evicted from now
 * on.
 */
void ngx_agt_denials_told(ngx_agt_denials_t *denials,
    const ngx_agt_denial_args_t *args, const ngx_agt_clock_t *now);

/*
 * With the mutex held: all live denials last longer by "seconds".
 */
void ngx_agt_denials_extend_locked(ngx_agt_denials_t *denials,
    int64_t seconds, const ngx_agt_clock_t *now);

/*
 * With the mutex held: adds a denial to its set and counts it.  Returns as
 * ngx_agt_denials_add().
 */
ngx_int_t ngx_agt_denials_put_locked(ngx_agt_denials_t *denials,
    const ngx_agt_denial_t *denial, ngx_uint_t unknown,
    const ngx_agt_clock_t *now);

/*
 * With the mutex held: returns 1 if a token is denied by its own key, else 0.
 */
ngx_uint_t ngx_agt_denials_find_locked(ngx_agt_denials_t *denials,
    const u_char *key, const ngx_agt_clock_t *now);

/*
 * With the mutex held: returns 1 if the parent of a record's child is denied,
 * else 0.
 */
ngx_uint_t ngx_agt_denials_parent_locked(ngx_agt_denials_t *denials,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now);

/*
 * Returns the state of the revocation feed of the API with the digest "api" at
 * "now" (milliseconds, monotonic); needs no mutex.  LATE and DEAD go before
 * INCOMPLETE.  The state is OFF where there is no feed, and DEAD where the feed
 * is of another API.
 */
ngx_agt_feed_e ngx_agt_denials_feed(
    ngx_agt_denials_t *denials, const u_char *api, uint64_t now);

/*
 * Returns 1 if denials of the feed are missing, else 0: an answer was cut, or a
 * live denial had to be evicted.
 */
ngx_uint_t ngx_agt_denials_incomplete(
    ngx_agt_denials_t *denials, uint64_t now);


#endif /* _NGX_AGT_ZONE_DENIALS_H_INCLUDED_ */
