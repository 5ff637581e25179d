
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_ENTRY_H_INCLUDED_
#define _NGX_AGT_FLEET_ENTRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "fleet/seal.h"
#include "token/digest.h"
#include "token/facts.h"
#include "zone/feed_state.h"


/*
 * The entries of the fleet's stream, before they are sealed and after they are
 * opened.  All numbers stand with the most significant byte first.
 */

#define NGX_AGT_FLEET_WRITER_LEN  16

/* writers that an edge can tell apart, and lines of a mark, at most */
#define NGX_AGT_FLEET_WRITERS     1024

/* seconds: the longest that an edge can tell */
#define NGX_AGT_FLEET_LEEWAY      86400

/* a number beyond this one is not accepted, so one more is always a number */
#define NGX_AGT_FLEET_NUMBER_MAX  0x7fffffffffffffff


typedef enum {
    NGX_AGT_FLEET_DENIAL = 1,
    NGX_AGT_FLEET_MARK,          /* the numbers of each writer */
    NGX_AGT_FLEET_RESEND,        /* asks for everything again */
    NGX_AGT_FLEET_EMPTY,         /* a number whose denial has gone */
    NGX_AGT_FLEET_POLL           /* a poll of a feed: all it learned stands */
} ngx_agt_fleet_kind_e;


/*
 * A denial.  "key" is that of the denial on every edge: the digest of kind, API
 * and value as ngx_agt_denials_key() makes it, so that no name of a user, a
 * session or a token leaves the edge.
 */

typedef struct {
    u_char      api[NGX_AGT_DIGEST_LEN];  /* of the API's URL; all zero: of
                                             any API */
    u_char      key[NGX_AGT_DIGEST_LEN];
    uint64_t    made;       /* milliseconds since the epoch */
    int64_t     exp;        /* seconds since the epoch: the end, without any
                               leeway, which each edge adds for itself */
    int64_t     before;     /* of subjects: denies tokens issued up to then */
    ngx_uint_t  kind;       /* ngx_agt_denial_kind_e */
    ngx_uint_t  source;     /* of zone/denial_set, a byte */
    ngx_uint_t  unknown;    /* 1: the token was never active there; else 0 */
} ngx_agt_fleet_denial_t;


/*
 * Of one writer: the first number that still stands, and the last that was
 * read.  Where none stands, "first" is "last" + 1.
 */

typedef struct {
    u_char    writer[NGX_AGT_FLEET_WRITER_LEN];
    uint64_t  first;
    uint64_t  last;
} ngx_agt_fleet_line_t;


typedef struct {
    uint64_t               start;     /* ms since the epoch: it was made */
    uint64_t               gone;      /* seconds since the epoch: no denial of
                                         a later "exp" is trimmed until another
                                         mark says so, nor was before */
    ngx_uint_t             n;
    ngx_agt_fleet_line_t  *lines;
} ngx_agt_fleet_mark_t;


typedef struct {
    ngx_agt_fleet_kind_e        kind;
    u_char                      writer[NGX_AGT_FLEET_WRITER_LEN];
    uint64_t                    number;    /* of its writer, from 1 */
    ngx_uint_t                  leeway;    /* seconds for which denials count
                                              there after their "exp"; in a
                                              mark: at any edge */

    union {
        ngx_agt_fleet_denial_t  denial;
        ngx_agt_fleet_mark_t    mark;
        ngx_agt_feed_poll_t     poll;
    } u;
} ngx_agt_fleet_entry_t;


/* bytes of an entry before it is sealed */

#define NGX_AGT_FLEET_HEAD_LEN    (NGX_AGT_FLEET_WRITER_LEN + 8 + 4)
#define NGX_AGT_FLEET_DENIAL_LEN  (NGX_AGT_FLEET_HEAD_LEN + 2 * 32 + 3 * 8 + 3)
#define NGX_AGT_FLEET_POLL_LEN    (NGX_AGT_FLEET_HEAD_LEN + 32 + 2 * 8 + 1)
#define NGX_AGT_FLEET_LINE_LEN    (NGX_AGT_FLEET_WRITER_LEN + 2 * 8)
#define NGX_AGT_FLEET_MARK_LEN(n)                                             \
    (NGX_AGT_FLEET_HEAD_LEN + 2 * 8 + 2 + (n) * NGX_AGT_FLEET_LINE_LEN)

#define NGX_AGT_FLEET_PLAIN_MAX                                               \
    NGX_AGT_FLEET_MARK_LEN(NGX_AGT_FLEET_WRITERS)

/* bytes of a sealed entry, at most */
#define NGX_AGT_FLEET_ENTRY_MAX                                               \
    (NGX_AGT_FLEET_PLAIN_MAX + NGX_AGT_FLEET_SEAL_LEN)


/*
 * Encodes an entry, seals it and writes it to "out", whose size is "max" bytes:
 * NGX_AGT_FLEET_DENIAL_LEN + NGX_AGT_FLEET_SEAL_LEN suffice for a denial, and
 * NGX_AGT_FLEET_ENTRY_MAX for any entry.  Returns the number of bytes, or 0
 * where the entry is none that ngx_agt_fleet_entry_open() would accept, does
 * not fit, or cannot be sealed.
 */
size_t ngx_agt_fleet_entry_seal(ngx_agt_fleet_seal_t *seal,
    const ngx_agt_fleet_entry_t *entry, u_char *out, size_t max);

/*
 * Opens a sealed entry and decodes it.  The lines of a mark are written to
 * "lines", which has room for NGX_AGT_FLEET_WRITERS.  Returns
 *
 * NGX_OK        "entry" is set
 * NGX_DECLINED  it is no entry of this fleet, or one that this version cannot
 *               have written: it counts as missing
 * NGX_ABORT     a writer of this fleet has sealed it in a version or a kind
 *               that is not known here: the edge is late, and must not skip it
 */
ngx_int_t ngx_agt_fleet_entry_open(ngx_agt_fleet_seal_t *seal,
    const ngx_str_t *sealed, ngx_agt_fleet_entry_t *entry,
    ngx_agt_fleet_line_t *lines);

/*
 * Writes an entry to "out" (NGX_AGT_FLEET_PLAIN_MAX bytes suffice) as it is
 * before it is sealed.  Returns the number of bytes, or 0 where a member is out
 * of its bounds.
 */
size_t ngx_agt_fleet_entry_encode(const ngx_agt_fleet_entry_t *entry,
    u_char *out);

/*
 * Decodes an entry of a kind that was opened.  Returns NGX_OK, or NGX_DECLINED
 * where the text is too short, too long, or has a member out of its bounds.
 */
ngx_int_t ngx_agt_fleet_entry_decode(ngx_agt_fleet_kind_e kind,
    const ngx_str_t *plain, ngx_agt_fleet_entry_t *entry,
    ngx_agt_fleet_line_t *lines);


#endif /* _NGX_AGT_FLEET_ENTRY_H_INCLUDED_ */
