
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_SESSIONS_H_INCLUDED_
#define _NGX_AGT_API_FEED_SESSIONS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/feed_call.h"


/*
 * The part of a poll that reads GET /v1/sessions?revoked=true: page after page
 * by the API's cursor, from the first one in each poll, and denies each session
 * that a row names as revoked.
 */

typedef struct {
    ngx_agt_feed_call_t   call;

    /* this poll */
    int64_t               created;   /* sessions are asked for from then on */
    ngx_uint_t            pages;
    ngx_uint_t            rows;

    /*
     * The arguments for the next page; those of an earlier page, with which
     * they are compared; and the number of the page at which these change.
     */
    ngx_str_t             next;
    ngx_str_t             seen;
    ngx_uint_t            remember;

    unsigned              others:1;  /* a row was not revoked */
    unsigned              done:1;    /* no page is left */
} ngx_agt_feed_sessions_t;


/*
 * Sets up "sessions", whose "done" is called with "sessions" and the answer of
 * each page: class ACTIVE if it was read.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_feed_sessions_init(ngx_agt_feed_sessions_t *sessions,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log);

/*
 * Cancels the call, if it is under way, and frees what init() has made.
 */
void ngx_agt_feed_sessions_exit(ngx_agt_feed_sessions_t *sessions);

/*
 * Begins at the first page again, for sessions created at "created" (seconds
 * since the epoch) or later.
 */
void ngx_agt_feed_sessions_begin(ngx_agt_feed_sessions_t *sessions,
    int64_t created);

/*
 * Asks for the next page; returns as ngx_agt_feed_call_send().
 */
ngx_int_t ngx_agt_feed_sessions_ask(ngx_agt_feed_sessions_t *sessions);

/*
 * Goes on behind a page that was read: sets "done" after the last one.  Returns
 * NULL, or the reason (a constant) why the pages behind this one cannot be
 * read; "done" is then set too.
 */
const char *ngx_agt_feed_sessions_go_on(ngx_agt_feed_sessions_t *sessions);


#endif /* _NGX_AGT_API_FEED_SESSIONS_H_INCLUDED_ */
