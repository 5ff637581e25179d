
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_FIGURES_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_FIGURES_H_INCLUDED_


#include "ngx_agilicus_token_module.h"
#include "zone/calls.h"


/*
 * The figures of the module.  One table names them all, and JSON, the text
 * format of Prometheus and the tables of the page are made from it.  There is
 * no token and no claim in them.
 */

/*
 * The number of the form of the JSON; docs/status.schema.json describes it.  It
 * counts up when a member that was there changes its meaning or goes.
 */
#define NGX_AGT_FIGURES_SCHEMA  1

/* an API; the name is its URL */

typedef struct {
    ngx_str_t             name;
    ngx_agt_api_state_t   state;
    int64_t               credential_expiry; /* ms since the epoch; -1: none */
    ngx_agt_calls_t       calls[NGX_AGT_OPERATION_LAST];
} ngx_agt_figures_api_t;


typedef struct {
    ngx_str_t             name;
    uint64_t              size;          /* bytes */
    uint64_t              facts;         /* entries */
    uint64_t              facts_used;    /* bytes */
    uint64_t              facts_size;    /* bytes that facts can take */
    uint64_t              invalid;       /* entries */
    uint64_t              invalid_used;
    uint64_t              invalid_size;
    uint64_t              evictions;
    uint64_t              invalid_evictions;
} ngx_agt_figures_zone_t;


typedef struct {
    uint64_t              schema;
    uint64_t              build;         /* 1 */
    ngx_str_t             version;
    ngx_str_t             nginx;
    uint64_t              time;          /* ms since the epoch */

    uint64_t              counts[NGX_AGT_COUNTS];
    uint64_t              decisions[NGX_AGT_VERDICT_LAST][NGX_AGT_REASON_LAST];
    uint64_t              hit_ratio;     /* thousandths */
    uint64_t              in_flight;
    uint64_t              max_in_flight;

    /*
     * Names are escaped by the caller as the format wants it, see
     * ngx_agt_figures_json() and the others.
     */
    ngx_array_t           apis;          /* of ngx_agt_figures_api_t */
    ngx_array_t           zones;         /* of ngx_agt_figures_zone_t */

    uint64_t              feed;          /* ngx_agt_feed_e */
    uint64_t              feed_incomplete;
    uint64_t              feed_here;
    int64_t               feed_interval; /* ms; -1 without a feed */
    int64_t               feed_lag;      /* the same before the first poll */
    ngx_agt_feed_state_t  feed_state;

    uint64_t              fleet;         /* ngx_agt_fleet_e */
    uint64_t              fleet_pending;
    uint64_t              fleet_missing;
    ngx_agt_fleet_state_t fleet_state;

    uint64_t              denials;
    uint64_t              denial_places;
    uint64_t              denials_lost;

    uint64_t              children;      /* records of the ledger */
    uint64_t              due;
    uint64_t              ledger_used;   /* bytes */
    uint64_t              ledger_size;

    uint64_t              keys;          /* of the signature gate */
    uint64_t              keys_withdrawn;
    uint64_t              keys_fetches;
    uint64_t              keys_failed;
    int64_t               keys_age;      /* ms; -1: none were fetched */
} ngx_agt_figures_t;


/*
 * How many bytes figures take at most, in any format; for the page, each figure
 * takes "row" bytes in addition.
 */
size_t ngx_agt_figures_len(const ngx_agt_figures_t *figures, size_t row);

/*
 * Each of these writes all figures to "p", no further than to "last", and
 * returns the end: as JSON, in the text format 0.0.4 of Prometheus, and as the
 * tables of the page, in which only parts of the page stand around figures.
 * Names of APIs and zones must be escaped as in a JSON string for the first
 * two, and as in HTML for the page.
 */
u_char *ngx_agt_figures_json(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures);
u_char *ngx_agt_figures_prometheus(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures);
u_char *ngx_agt_figures_tables(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures);


#endif /* _NGX_AGT_ENDPOINT_FIGURES_H_INCLUDED_ */
