
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_INTERNAL_H_INCLUDED_
#define _NGX_AGT_API_FEED_INTERNAL_H_INCLUDED_


/*
 * What the files of the feed share; nobody else includes this.
 */

#include "api/feed.h"
#include "api/window.h"


/* calls at once */
#define NGX_AGT_FEED_CALLS   4

/* the longest URL's query */
#define NGX_AGT_FEED_QUERY_LEN                                               \
    (sizeof("?revoked=true&limit=100&exp_from=2026-11-23T16%3A20%3A19Z"      \
            "&exp_to=2026-11-23T16%3A20%3A19Z"))


/* a call for a window */

typedef struct {
    ngx_agt_waiter_t  waiter;
    ngx_str_t         url;
    ngx_agt_window_t  window;
    ngx_uint_t        rows;
    ngx_uint_t        limit;     /* rows that there can be */
    int64_t           pivot;
    int64_t           values[NGX_AGT_FEED_MAX_LIMIT];
    ngx_uint_t        nvalues;
    unsigned          odd:1;     /* a row cannot be read */
    unsigned          asked:1;   /* for at least one row */
    unsigned          outside:1; /* a row was not asked for */
    unsigned          undated:1; /* a row has no date at all */
    unsigned          busy:1;
} ngx_agt_feed_slot_t;


typedef struct {
    const ngx_agt_feed_conf_t  *conf;
    ngx_agt_denials_t          *denials;
    ngx_event_t                 tick;
    ngx_connection_t            dummy;
    ngx_log_t                  *log;

    ngx_agt_windows_t           windows;
    ngx_agt_feed_slot_t         slots[NGX_AGT_FEED_CALLS];

    int64_t                     floor;
    uint64_t                    start;     /* of this poll, ms */
    uint64_t                    next;      /* of the next one, ms */
    ngx_uint_t                  rows;
    ngx_uint_t                  calls;
    ngx_uint_t                  denied;
    ngx_uint_t                  truncated;
    ngx_uint_t                  too_large; /* answers */
    ngx_uint_t                  outside;   /* windows ignored */
    uint64_t                    said_odd;  /* in this poll */

    unsigned                    known:1;   /* windows are */
    unsigned                    polling:1;
    unsigned                    failed:1;
    unsigned                    said_outside:1;
} ngx_agt_feed_worker_t;


extern ngx_agt_feed_worker_t  ngx_agt_feed;

/* lets out calls for the windows that are left, or ends the poll */
void ngx_agt_feed_next(void);

/*
 * Lists the revoked tokens of one window (API, GET /v1/tokens).  NGX_AGAIN if
 * the answer comes later, NGX_ERROR if the call cannot be made now.
 */
ngx_int_t ngx_agt_feed_call(ngx_agt_feed_slot_t *slot,
    ngx_agt_window_t *window);

/* a waiter's handler: the window is done, is to be divided, or failed */
void ngx_agt_feed_done(void *data, ngx_agt_answer_t *answer);


#endif /* _NGX_AGT_API_FEED_INTERNAL_H_INCLUDED_ */
