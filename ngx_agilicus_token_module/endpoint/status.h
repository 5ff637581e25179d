
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/*
 * The status as numbers, and as text.  There is no token and no claim in it.
 */

typedef struct {
    ngx_str_t            url;
    ngx_agt_api_state_t  state;
    ngx_uint_t           open;      /* breaker */
} ngx_agt_status_api_t;


typedef struct {
    ngx_str_t                        name;
    uint64_t                         size;      /* bytes */
    uint64_t                         facts;     /* entries */
    uint64_t                         facts_used;   /* bytes, of */
    uint64_t                         facts_size;
    uint64_t                         invalid;
    uint64_t                         evictions;
} ngx_agt_status_zone_t;


typedef struct {
    uint64_t               counts[NGX_AGT_COUNTS];

    ngx_agt_status_api_t  *apis;
    ngx_uint_t             napis;

    ngx_agt_status_zone_t *zones;
    ngx_uint_t            nzones;

    uint64_t              tombstones;
    uint64_t              tombstone_places;
    uint64_t              tombstones_lost;
    ngx_agt_ledger_use_t  ledger;
    uint64_t              flights;

    ngx_agt_feed_e        feed;
    ngx_agt_feed_state_t  feed_state;
    int64_t               feed_lag;  /* ms; -1: no poll yet */
    ngx_uint_t            feed_incomplete;
} ngx_agt_status_t;


/* bytes that a text takes at most */
size_t ngx_agt_status_len(const ngx_agt_status_t *status);

/*
 * Write the status to "p", of ngx_agt_status_len() bytes; return the
 * end.
 */
u_char *ngx_agt_status_json(u_char *p, u_char *last,
    const ngx_agt_status_t *status);
u_char *ngx_agt_status_prometheus(u_char *p, u_char *last,
    const ngx_agt_status_t *status);
u_char *ngx_agt_status_html(u_char *p, u_char *last,
    const ngx_agt_status_t *status);

/*
 * The content handler of "agilicus_token_status".
 */
ngx_int_t ngx_agt_status_handler(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_STATUS_H_INCLUDED_ */
