
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_CALL_H_INCLUDED_
#define _NGX_AGT_API_FEED_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"
#include "api/feed.h"
#include "json/list.h"
#include "zone/denials.h"


/*
 * One call of the feed: asks for a list of revoked tokens or sessions, and
 * denies each that a row names as revoked, at once and also where the list
 * turns out to be incomplete.
 */

typedef struct {
    const ngx_agt_feed_conf_t  *conf;
    ngx_agt_waiter_t            waiter;
    ngx_agt_json_list_e         kind;
    ngx_str_t                   url;

    /* sees each row that can be read, before it denies; NULL: not wanted */
    void                      (*row)(void *data, const ngx_agt_json_row_t *row);
    void                       *data;

    /* of the last answer */
    ngx_agt_json_list_t         list;      /* its limit is not above ours */
    ngx_uint_t                  denied;

    /* the first row that cannot be read, and why; NULL: none */
    const char                 *wrong;
    ngx_uint_t                  number;

    unsigned                    others:1;  /* a row is not revoked */
    unsigned                    busy:1;
} ngx_agt_feed_call_t;


/*
 * Sets up a call for lists of that kind, with an URL of the API's list and a
 * query of "query" bytes at most.  "done" is called with "data" and the answer
 * of each call: class ACTIVE if the list was read.  NGX_ERROR for lack of
 * memory.
 */
ngx_int_t ngx_agt_feed_call_init(ngx_agt_feed_call_t *call,
    const ngx_agt_feed_conf_t *conf, ngx_agt_json_list_e kind, size_t query,
    void (*done)(void *data, ngx_agt_answer_t *answer), void *data,
    ngx_log_t *log);

/*
 * Cancels the call, if it is under way, and frees what init() has made.
 */
void ngx_agt_feed_call_exit(ngx_agt_feed_call_t *call);

/*
 * Writes the beginning of the URL, with what all lists are asked for and the
 * most rows that are wanted, and returns its end.
 */
u_char *ngx_agt_feed_call_url(ngx_agt_feed_call_t *call);

/*
 * Writes a date of the API, percent-encoded, to "p", and returns its end.
 */
u_char *ngx_agt_feed_call_date(u_char *p, int64_t sec);

/*
 * Sends the call, whose URL ends at "end".  NGX_OK if the answer comes later,
 * with "busy" set until "done" clears it; NGX_ERROR if the call cannot be made
 * now.
 */
ngx_int_t ngx_agt_feed_call_send(ngx_agt_feed_call_t *call, u_char *end);


#endif /* _NGX_AGT_API_FEED_CALL_H_INCLUDED_ */
