
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_LIST_H_INCLUDED_
#define _NGX_AGT_API_FEED_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"
#include "api/feed.h"
#include "api/window.h"


/*
 * One call of GET /v1/tokens?revoked=true: asks for the tokens of one window of
 * time, and denies each token that a row names as revoked.
 */

typedef struct {
    const ngx_agt_feed_conf_t  *conf;
    ngx_agt_waiter_t            waiter;
    ngx_str_t                   url;
    ngx_agt_window_t            window;

    ngx_uint_t                  rows;
    ngx_uint_t                  limit;     /* rows that there can be */
    ngx_uint_t                  denied;
    int64_t                     values[NGX_AGT_FEED_MAX_LIMIT];
    ngx_uint_t                  nvalues;   /* times of rows in the window */

    /* the first row that cannot be read, and why; NULL: none */
    const char                 *wrong;
    ngx_uint_t                  number;

    unsigned                    asked:1;   /* a row was asked for */
    unsigned                    outside:1; /* a row was not asked for */
    unsigned                    undated:1; /* a row has no date at all */
    unsigned                    busy:1;
} ngx_agt_feed_list_t;


/*
 * Sets up "list", whose "done" is called with "list" and the answer of each
 * call: class ACTIVE if the list was read.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_feed_list_init(ngx_agt_feed_list_t *list,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log);

/*
 * Cancels the call, if one is under way, and frees what init() has made.
 */
void ngx_agt_feed_list_exit(ngx_agt_feed_list_t *list);

/*
 * Asks for the revoked tokens of a window.  NGX_OK if the answer comes later,
 * with "busy" set until then; NGX_ERROR if the call cannot be made now.
 */
ngx_int_t ngx_agt_feed_list_ask(ngx_agt_feed_list_t *list,
    const ngx_agt_window_t *window);

/*
 * Returns a second that divides the rows of the last answer into two halves:
 * the first second of the later half.  Sorts "values".
 */
int64_t ngx_agt_feed_list_median(ngx_agt_feed_list_t *list);


#endif /* _NGX_AGT_API_FEED_LIST_H_INCLUDED_ */
