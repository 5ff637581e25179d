
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_FIGURES_TABLE_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_FIGURES_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The one table of all figures: where each stands, what it is called, and where
 * its value lies.
 */

/* "section" of a figure: the object or table that it stands in */
#define NGX_AGT_FIGURES_WHOLE     0
#define NGX_AGT_FIGURES_CACHE     1
#define NGX_AGT_FIGURES_SHED      2
#define NGX_AGT_FIGURES_EVENTS    3
#define NGX_AGT_FIGURES_APIS      4
#define NGX_AGT_FIGURES_FEED      5
#define NGX_AGT_FIGURES_FLEET     6
#define NGX_AGT_FIGURES_DENIALS   7
#define NGX_AGT_FIGURES_LEDGER    8
#define NGX_AGT_FIGURES_GATE      9
#define NGX_AGT_FIGURES_ZONES     10
#define NGX_AGT_FIGURES_SECTIONS  11


/*
 * How the value of a figure is written.  A figure from VERDICTS on has one
 * sample for each word, or for each pair of words.
 */

typedef enum {
    NGX_AGT_FIGURE_NUMBER = 0,
    NGX_AGT_FIGURE_TEXT,
    NGX_AGT_FIGURE_MS,           /* seconds in Prometheus; -1: not known */
    NGX_AGT_FIGURE_DATE,         /* the same; -1: there is no figure */
    NGX_AGT_FIGURE_THOUSANDTHS,
    NGX_AGT_FIGURE_FLAG,
    NGX_AGT_FIGURE_BREAKER,      /* time until which it is open; 0: closed */
    NGX_AGT_FIGURE_FEED,         /* ngx_agt_feed_e */
    NGX_AGT_FIGURE_FLEET,        /* ngx_agt_fleet_e */

    NGX_AGT_FIGURE_VERDICTS,
    NGX_AGT_FIGURE_DECISIONS,    /* verdict, reason */
    NGX_AGT_FIGURE_RESULTS,      /* operation, result */
    NGX_AGT_FIGURE_SUMS,         /* operation */
    NGX_AGT_FIGURE_LATENCIES     /* operation, upper end of a bucket */
} ngx_agt_figure_e;


/*
 * A section has one set of figures, or, where it has a label, one for each API
 * or zone in the array at "offset".
 */

typedef struct {
    const char        *name;     /* in JSON; NULL: members of the whole */
    const char        *title;    /* on the page */
    const char        *label;    /* in Prometheus */
    const char        *key;      /* member in JSON that names the API or zone */
    size_t             offset;
} ngx_agt_figures_section_t;


typedef struct {
    ngx_uint_t         section;
    const char        *name;     /* in JSON and on the page; NULL: not there */
    const char        *family;   /* in Prometheus; NULL: not there */
    const char        *type;
    const char        *labels;   /* or NULL */
    ngx_agt_figure_e   kind;
    size_t             offset;   /* of the value */
    const char        *help;
} ngx_agt_figure_t;


extern const ngx_agt_figures_section_t
    ngx_agt_figures_sections[NGX_AGT_FIGURES_SECTIONS];

/* figures of one section, and of one family, stand together */
extern const ngx_agt_figure_t  ngx_agt_figures[];
extern const ngx_uint_t        ngx_agt_nfigures;


#endif /* _NGX_AGT_ENDPOINT_FIGURES_TABLE_H_INCLUDED_ */
