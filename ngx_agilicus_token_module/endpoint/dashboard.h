
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ENDPOINT_DASHBOARD_H_INCLUDED_
#define _NGX_AGT_ENDPOINT_DASHBOARD_H_INCLUDED_


#include "ngx_agilicus_token_module.h"
#include "endpoint/figures.h"


/*
 * The page of "agilicus_token_status".  Its text is dashboard.html, which is
 * linked into the module; marks in double curly brackets cut it into parts, and
 * figures are written between these.
 */

/* the parts, in the order in which the file has them */

typedef enum {
    NGX_AGT_DASHBOARD_HEAD = 0,
    NGX_AGT_DASHBOARD_STYLE,
    NGX_AGT_DASHBOARD_BODY,
    NGX_AGT_DASHBOARD_SECTION,     /* before the title of a table */
    NGX_AGT_DASHBOARD_TITLE,       /* between it and the rows */
    NGX_AGT_DASHBOARD_ROW,         /* before the name of a figure */
    NGX_AGT_DASHBOARD_NAME,        /* between it and the value */
    NGX_AGT_DASHBOARD_VALUE,       /* after it */
    NGX_AGT_DASHBOARD_END,         /* after the rows */
    NGX_AGT_DASHBOARD_REST,
    NGX_AGT_DASHBOARD_SCRIPT,
    NGX_AGT_DASHBOARD_TAIL,

    NGX_AGT_DASHBOARD_PARTS
} ngx_agt_dashboard_part_e;


/*
 * Returns a part of the file, which is constant.
 */
const ngx_str_t *ngx_agt_dashboard_part(ngx_agt_dashboard_part_e part);

/*
 * How many bytes the page takes at most in addition to the figures, and for
 * each of these.
 */
size_t ngx_agt_dashboard_len(size_t *row);

/*
 * Writes the page to "p", no further than to "last", and returns the end.
 * Names in the figures must be escaped as in HTML.
 */
u_char *ngx_agt_dashboard_write(u_char *p, u_char *last,
    const ngx_agt_figures_t *figures);

/*
 * Sets the header "Content-Security-Policy" of the page: nothing is loaded from
 * elsewhere, and only its own style and script count, by their digests.
 * Returns NGX_OK, or NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_dashboard_policy(ngx_http_request_t *r);


#endif /* _NGX_AGT_ENDPOINT_DASHBOARD_H_INCLUDED_ */
