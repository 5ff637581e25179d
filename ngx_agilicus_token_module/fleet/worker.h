
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_WORKER_H_INCLUDED_
#define _NGX_AGT_FLEET_WORKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "fleet/connection.h"
#include "fleet/counts.h"
#include "fleet/seal.h"
#include "zone/feed_state.h"
#include "zone/numbers.h"


/*
 * What the files of the fleet share in the worker that reads and appends.
 */

/* milliseconds without an answer after which an edge is late */
#define NGX_AGT_FLEET_SILENCE    1000

/* milliseconds between two marks, and after which a mark is too old */
#define NGX_AGT_FLEET_MARKS      2000
#define NGX_AGT_FLEET_MARK_AGE   10000

/* times between two marks after which the edge that marks has read an entry */
#define NGX_AGT_FLEET_UNHEARD    3

/* milliseconds by which the clocks of Redis and the leading edge may differ */
#define NGX_AGT_FLEET_SKEW       10000

/* milliseconds after an entry that cannot be opened in which an edge is late */
#define NGX_AGT_FLEET_UNOPENED   60000

/* milliseconds in which XREAD waits for entries */
#define NGX_AGT_FLEET_BLOCK      250

/* errors that are told apart in the log, and bytes of one */
#define NGX_AGT_FLEET_ERRORS     16
#define NGX_AGT_FLEET_ERROR_LEN  160


/* an error that was logged */

typedef struct {
    ngx_uint_t  server;    /* its number */
    size_t      len;
    u_char      text[NGX_AGT_FLEET_ERROR_LEN];
} ngx_agt_fleet_error_t;


/* of fleet/feed; 0: none */

typedef struct {
    uint64_t  begun;     /* ms: this worker's reading */
    uint64_t  lease;     /* ms: it is this edge's until then */
    uint64_t  heard;     /* ms: another edge held it last, or "begun" */
    uint64_t  spread;    /* ms: that others do not wait for */
    uint64_t  rest;      /* ms: the lease is left to others until then */
    uint64_t  failed;    /* polls of this edge */
    uint64_t  told;      /* the start of the poll that was told last */
    uint64_t  told_at;   /* ms */
    uint64_t  number;    /* under which it is told */
} ngx_agt_fleet_feed_t;


typedef struct {
    const ngx_agt_fleet_conf_t  *conf;
    ngx_agt_denials_t           *denials;
    ngx_agt_fleet_state_t       *state;      /* shared */
    ngx_agt_counts_t            *counts;     /* shared */
    ngx_agt_fleet_seal_t        *seal;
    ngx_log_t                   *log;
    uint32_t                     cycle;
    int64_t                      leeway;     /* seconds */

    ngx_event_t                  tick;
    ngx_connection_t             dummy;

    ngx_agt_fleet_names_t        names;

    /* both go to the same server; without either, there is no session */
    ngx_agt_fleet_connection_t   reader;
    ngx_agt_fleet_connection_t   teller;

    uint64_t                     retry;      /* ms: of the next try */
    uint64_t                     pause;      /* ms, of the backoff */
    uint64_t                     second;     /* ms: of the next look */
    uint64_t                     ping;       /* ms: of the next one */
    uint64_t                     checked;    /* ms: of the lease */
    uint64_t                     since;      /* ms: begin of the session */
    uint64_t                     idle;       /* ms: it drains, without work */

    /* reading */
    u_char                       epoch[NGX_AGT_FLEET_EPOCH_LEN];
    ngx_agt_fleet_id_t           last;
    ngx_agt_fleet_id_t           asked_last; /* when the server was asked */
    ngx_agt_fleet_id_t           mark;       /* what stands in front of the last
                                                mark that was read */
    uint64_t                     gone;       /* of that mark */
    uint64_t                     ponged;     /* ms: when one was sent */
    uint64_t                     caught;     /* ms: when all was read up to */
    uint64_t                     stuck;      /* ms: at an unknown version */
    ngx_uint_t                   marks;      /* read since all were asked */
    uint64_t                     answered;   /* ms: everything was told */
    uint64_t                     lacked;     /* ms: all were asked for another
                                                edge, which lacks something */
    uint64_t                     full_pause; /* ms, before memory that is full
                                                is tried again; 0: it is not */
    uint64_t                     full_at;    /* ms: it was tried */

    /* appending */
    uint64_t                     cursor;     /* the next number */
    uint64_t                     hold;       /* ms: nothing until then */
    uint64_t                     behind;     /* "read_back" */
    uint64_t                     behind_at;  /* ms: it is that since, though
                                                more are appended; 0: it is not
                                                behind */
    uint64_t                     acked[NGX_AGT_FLEET_UNHEARD + 1];
                                             /* the last that was appended then,
                                                and one, two ... marks before */
    uint64_t                     acked_at;   /* ms */
    uint64_t                     read_back;  /* own numbers up to this one */
    uint64_t                     unread_back; /* it, when some had not come */
    ngx_uint_t                   unread;     /* times that it was the same */
    uint64_t                     hello;      /* the number of the entry that
                                                tells the leeway; 0: none yet */
    uint64_t                     hello_at;   /* ms */
    ngx_uint_t                   leeway_told; /* seconds */
    uint64_t                     mark_number;
    uint64_t                     resend_number;

    /* the lease in Redis */
    int64_t                      redis;      /* ms: its clock is ahead of the
                                                monotonic one */
    uint64_t                     leads;      /* ms: until then */
    uint64_t                     marked;     /* ms: the last mark was taken */
    uint64_t                     dumped;     /* ms */
    uint64_t                     trimmed;    /* ms */
    ngx_agt_fleet_id_t           upto;       /* what no mark has told yet to be
                                                gone ends here */
    uint64_t                     untold;     /* the last number before a mark
                                                tells it; 0: there is none */
    uint64_t                     own_mark;   /* number of the last one read */
    uint64_t                     length;     /* entries of the stream */

    ngx_agt_fleet_feed_t         feed;

    /* errors that were logged */
    ngx_agt_fleet_error_t        errors[NGX_AGT_FLEET_ERRORS];
    ngx_uint_t                   nerrors;
    uint64_t                     erred;      /* ms: the last one, logged or
                                                not */

    unsigned                     holder:1;   /* of the lease of the edge */
    unsigned                     known:1;    /* what stream it is */
    unsigned                     moved:1;    /* it is another one */
    unsigned                     ranging:1;  /* not all is read yet */
    unsigned                     careful:1;  /* there are odd entries */
    unsigned                     resent:1;   /* others have had their time */
    unsigned                     trimming:1;
    unsigned                     refused:1;  /* Redis does the last entry */
    unsigned                     asking:1;   /* for the state of the stream */
    unsigned                     said_clock:1;
} ngx_agt_fleet_worker_t;


/*
 * Returns 1 if this worker still holds the lease of the edge, else 0.
 */
ngx_uint_t ngx_agt_fleet_is_holder(ngx_agt_fleet_worker_t *w);

/*
 * Notes an error of Redis, and logs it, unless the same one was logged since
 * the edge was healthy without an error for NGX_AGT_FLEET_ERRED.
 */
void ngx_agt_fleet_error(ngx_agt_fleet_worker_t *w, const char *what,
    const ngx_agt_fleet_reply_t *reply);

/*
 * Returns for how many seconds after its "exp", by Redis' clock, a denial
 * counts at this edge.
 */
ngx_uint_t ngx_agt_fleet_leeway(ngx_agt_fleet_worker_t *w);

/*
 * Returns the wall clock in milliseconds; and by how many milliseconds it is
 * ahead of the monotonic one.
 */
uint64_t ngx_agt_fleet_wall(void);
int64_t ngx_agt_fleet_ahead(void);


#endif /* _NGX_AGT_FLEET_WORKER_H_INCLUDED_ */
