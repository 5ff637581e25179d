
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_LEDGER_H_INCLUDED_
#define _NGX_AGT_ZONE_LEDGER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denial_set.h"


/*
 * The ledger: a record for each token that this edge must revoke at the API
 * some day, unless the token expires first.  A record is either of a child, a
 * token that was reissued or created here and handed out, or of a sign-out
 * that the API has not confirmed yet.  The ledger lies in one run of memory
 * without addresses in it; it knows no lock and no clock, and the caller holds
 * a mutex around each call.
 *
 * The memory is divided into units.  One byte a unit says how many units the
 * record takes that begins there, so a record comes and goes with the store of
 * one byte: a process that dies at any point leaves a right ledger, with or
 * without the one record that it was writing.
 */

#define NGX_AGT_LEDGER_UNIT   128

/* the least memory of a ledger in bytes */
#define NGX_AGT_LEDGER_MIN    1024

/* the longest sealed token in bytes: a token of 16384 bytes with its seal */
#define NGX_AGT_LEDGER_TOKEN  16448

/* an end on either clock that no clock reaches */
#define NGX_AGT_LEDGER_NEVER  0x7fffffffffffffff


/* of "state" */

#define NGX_AGT_LEDGER_LIVE   1   /* handed out */
#define NGX_AGT_LEDGER_DUE    2   /* the API is to be told */


/* of "flags" */

#define NGX_AGT_LEDGER_ALL_SESSIONS  0x0001
#define NGX_AGT_LEDGER_CHILD         0x0002
#define NGX_AGT_LEDGER_HAS_EXP       0x0004  /* the end is its exp */
#define NGX_AGT_LEDGER_HAS_JTI       0x0008
#define NGX_AGT_LEDGER_HAS_IAT       0x0010  /* the parent has one */
#define NGX_AGT_LEDGER_SPREADS       0x0020  /* to its children */
#define NGX_AGT_LEDGER_HAS_RAW       0x0040

/* bit of a parent's key: it has that identifier */
#define NGX_AGT_LEDGER_HAS_PARENT(kind)  (0x0100 << (kind))


typedef struct {
    u_char    api[NGX_AGT_DENIAL_KEY_LEN];  /* URL's digest */

    /* keys of the denials that deny the token itself */
    u_char    key[NGX_AGT_DENIAL_KEY_LEN];
    u_char    jti[NGX_AGT_DENIAL_KEY_LEN];

    /* keys of the denials that deny its parent */
    u_char    parent[NGX_AGT_DENIAL_KINDS]
                    [NGX_AGT_DENIAL_KEY_LEN];

    /* the parent is an API key: of the denial of its raw token */
    u_char    raw[NGX_AGT_DENIAL_KEY_LEN];

    /* the purpose of a child: a newer one for the same purpose replaces it */
    u_char    purpose[NGX_AGT_DENIAL_KEY_LEN];

    u_char    print[8];       /* the token's fingerprint, for logs */

    int64_t   iat;            /* of the parent, seconds since the epoch */
    uint64_t  asked;          /* the parent first asked about: ms, mono */

    int64_t   wall;           /* its end, in seconds since the epoch */
    uint64_t  mono;           /* its end, in milliseconds, monotonic */

    uint64_t  made;           /* milliseconds, monotonic */
    uint64_t  retire;         /* ms, monotonic: becomes DUE then; 0: never */
    uint64_t  next;           /* ms, monotonic: of the next try */
    uint64_t  lease;          /* ms, monotonic: is being told until then */

    uint32_t  pause;          /* milliseconds between two tries */
    int32_t   pid;            /* of the process that has the lease */
    uint32_t  via;            /* number of the way to reach the API */
    uint32_t  flags;
    uint32_t  state;
    uint32_t  len;            /* bytes of the sealed token */
    uint32_t  ttl;            /* seconds to its end where it has no exp */
    uint32_t  leeway;         /* seconds that a denial outlasts its exp */

    u_char    token[];        /* sealed */
} ngx_agt_ledger_record_t;


typedef struct {
    uint32_t    nunits;
    uint32_t    top;            /* no record goes beyond this unit */
    uint64_t    units;          /* offset of the first one */

    /* no record needs work before then: milliseconds, monotonic */
    uint64_t    wake;

    /* denials up to this generation were compared with all records */
    ngx_atomic_t
                compared;

    /* workers of this configuration tell the API, as seen alive at "seen" */
    uint32_t    cycle;
    uint32_t    reserved;
    uint64_t    seen;           /* milliseconds, monotonic */

    u_char      sizes[];        /* a byte a unit: units of a record, or zero */
} ngx_agt_ledger_t;


/* how much a ledger holds */

typedef struct {
    ngx_uint_t  live;
    ngx_uint_t  due;
    size_t      used;           /* bytes */
    size_t      size;           /* bytes that records can take */
} ngx_agt_ledger_use_t;


/*
 * Makes an empty ledger of the "size" bytes at "mem" (aligned to 64).  Returns
 * NULL where "size" is less than NGX_AGT_LEDGER_MIN.
 */
ngx_agt_ledger_t *ngx_agt_ledger_init(void *mem, size_t size);

/*
 * Writes a copy of "record" with "record->len" bytes of a sealed token behind
 * it.  Returns the record in the ledger, or NULL where there is no room for
 * it.
 */
ngx_agt_ledger_record_t *ngx_agt_ledger_add(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const u_char *token);

/*
 * Returns 1 if a record with a sealed token of "len" bytes would fit, else 0.
 */
ngx_uint_t ngx_agt_ledger_room(ngx_agt_ledger_t *ledger, size_t len);

/*
 * Removes a record.  A walk that is under way may go on.
 */
void ngx_agt_ledger_remove(ngx_agt_ledger_t *ledger,
    ngx_agt_ledger_record_t *record);

/*
 * Walks all records: returns the next one from unit "*i" on, or NULL at the
 * end; "*i" starts at 0 and is moved on.
 */
ngx_agt_ledger_record_t *ngx_agt_ledger_next(
    ngx_agt_ledger_t *ledger, ngx_uint_t *i);

/*
 * Walks the records of one token, by its own key, as next() does.
 */
ngx_agt_ledger_record_t *ngx_agt_ledger_find(
    ngx_agt_ledger_t *ledger, const u_char *key, ngx_uint_t *i);

/*
 * Walks the LIVE records of children whose parent has this key of that kind, as
 * next() does.
 */
ngx_agt_ledger_record_t *ngx_agt_ledger_child(ngx_agt_ledger_t *ledger,
    ngx_agt_denial_kind_e kind, const u_char *key, ngx_uint_t *i);

/*
 * Returns 1 if both clocks have passed the end of a record, else 0.
 */
ngx_uint_t ngx_agt_ledger_ended(const ngx_agt_ledger_record_t *record,
    const ngx_agt_clock_t *now);

/*
 * Sets the end of a record to "until", in seconds since the epoch, measured
 * on both clocks.
 */
void ngx_agt_ledger_until(ngx_agt_ledger_record_t *record, int64_t until,
    const ngx_agt_clock_t *now);

/*
 * Fills "use" with the number of records and their size.
 */
void ngx_agt_ledger_use(ngx_agt_ledger_t *ledger, ngx_agt_ledger_use_t *use);


#endif /* _NGX_AGT_ZONE_LEDGER_H_INCLUDED_ */
