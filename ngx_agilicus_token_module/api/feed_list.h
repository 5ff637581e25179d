
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_LIST_H_INCLUDED_
#define _NGX_AGT_API_FEED_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/feed_call.h"
#include "api/window.h"


/*
 * One call of GET /v1/tokens?revoked=true: asks for the tokens of one window of
 * time, and denies each token that a row names as revoked.
 */

typedef struct {
    ngx_agt_feed_call_t         call;
    ngx_agt_window_t            window;

    int64_t                     values[NGX_AGT_FEED_MAX_LIMIT];
    ngx_uint_t                  nvalues;   /* times of rows in the window */

    unsigned                    asked:1;   /* a row was asked for */
    unsigned                    outside:1; /* a row was not asked for */
    unsigned                    undated:1; /* a row has no date at all */
} ngx_agt_feed_list_t;


/*
 * Sets up "list", whose "done" is called with "list" and the answer of each
 * call: class ACTIVE if the list was read.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_feed_list_init(ngx_agt_feed_list_t *list,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log);

/*
 * Asks for the revoked tokens of a window; returns as ngx_agt_feed_call_send().
 */
ngx_int_t ngx_agt_feed_list_ask(ngx_agt_feed_list_t *list,
    const ngx_agt_window_t *window);

/*
 * Returns a second that divides the rows of the last answer into two halves:
 * the first second of the later half.  Sorts "values".
 */
int64_t ngx_agt_feed_list_median(ngx_agt_feed_list_t *list);


#endif /* _NGX_AGT_API_FEED_LIST_H_INCLUDED_ */
