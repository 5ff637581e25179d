
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_FEED_H_INCLUDED_
#define _NGX_AGT_API_FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"


/*
 * The revocation feed: one of all workers polls GET /v1/tokens?revoked=true
 * with the edge's credential and denies each jti in the answers.  It holds a
 * lease beside the denials; when it is gone, another worker takes over.  Of a
 * fleet of edges, one edge polls, and zone/feed_state says whether this is it.
 *
 * Each poll reads all revoked tokens that have not expired, in windows of time.
 * The poll is complete only if the API's limit of rows has cut no window short,
 * and only complete polls keep the feed healthy.  Rows deny by jti alone.
 *
 * With "sessions", a poll also reads all revoked sessions that were created
 * within that time, page after page, and is complete only if both lists are.
 */

/* rows that the API gives at most for a call */
#define NGX_AGT_FEED_MAX_LIMIT       100
#define NGX_AGT_FEED_SESSIONS_LIMIT  500


typedef struct {
    ngx_agt_api_t  *api;             /* NULL: no feed */
    ngx_msec_t      interval;
    ngx_uint_t      limit;
    time_t          sessions;        /* seconds; 0: sessions are not read */
    time_t          leeway;          /* seconds: the largest of this edge */
    time_t          ttl;             /* seconds, at least 1: that a denial lasts
                                        where its end is not known */
    ngx_msec_t      connect_timeout;
    ngx_msec_t      timeout;
} ngx_agt_feed_conf_t;


/*
 * Writes beside the denials which API the workers of configuration number
 * "cycle" will poll and how often, or that they will poll none; in the master,
 * before these workers start.  From then on, polls of older workers do not
 * count.
 */
void ngx_agt_feed_configure(
    ngx_agt_denials_t *denials,
    const ngx_agt_feed_conf_t *conf, uint32_t cycle);

/*
 * Sets up and takes down the poller of a worker; "conf" lives as long as the
 * worker.
 */
ngx_int_t ngx_agt_feed_init(const ngx_agt_feed_conf_t *conf, ngx_log_t *log);
void ngx_agt_feed_exit(void);


#endif /* _NGX_AGT_API_FEED_H_INCLUDED_ */
