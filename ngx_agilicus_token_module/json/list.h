
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_LIST_H_INCLUDED_
#define _NGX_AGT_JSON_LIST_H_INCLUDED_


#include "json/json.h"


/*
 * Lists of revoked tokens and of revoked sessions, as the API gives them.
 */

/* bytes of a list, and values in it */
#define NGX_AGT_JSON_MAX_LIST         8388608
#define NGX_AGT_JSON_MAX_LIST_VALUES  400000

/* bytes of the arguments that ask for the next page */
#define NGX_AGT_JSON_MAX_NEXT         4096


typedef enum {
    NGX_AGT_JSON_TOKENS = 0,   /* API: ListTokensResponse */
    NGX_AGT_JSON_SESSIONS      /* API: ListSessionsResponse */
} ngx_agt_json_list_e;


/*
 * A row of a list; "id" lives until the callback returns.  In a row that cannot
 * be read, only "wrong" and "number" are set.  Sessions have no dates.
 */

typedef struct {
    const char    *wrong;    /* a constant; NULL: can be read */
    ngx_uint_t     number;   /* of the row, from 1 */
    ngx_str_t      id;       /* the jti of a token; the id of a session */
    int64_t        exp;      /* seconds since the epoch */
    int64_t        iat;
    unsigned       has_exp:1;
    unsigned       has_iat:1;
    unsigned       revoked:1;
} ngx_agt_json_row_t;


typedef struct {
    ngx_uint_t     rows;
    ngx_uint_t     limit;    /* rows that the API would have listed at most */

    /*
     * Of sessions: the arguments of a query that ask for the page behind this
     * one, percent-encoded, without "&" at either end.  The caller sets
     * "next.data" to a buffer of NGX_AGT_JSON_MAX_NEXT bytes.  Where the list
     * has no cursor ("page_info"), the arguments name its last row, and
     * "implied" is set.  Where "wrong" is set (a constant), the list does not
     * say how to go on.
     */
    ngx_str_t      next;
    const char    *wrong;
    unsigned       implied:1;
} ngx_agt_json_list_t;


/*
 * Reads a list and calls "row" for each of its rows.  A row that cannot be read
 * (it is no object, has no id, or a date that is none) says so in "wrong", and
 * the other rows still count.  Fills "list".  Returns NGX_OK, or NGX_ERROR
 * where the body is no list of this kind: "row" has then not been called.
 */
ngx_int_t ngx_agt_json_list(const u_char *body, size_t len,
    ngx_agt_json_list_e kind,
    void (*row)(void *data, const ngx_agt_json_row_t *row), void *data,
    ngx_agt_json_list_t *list);


#endif /* _NGX_AGT_JSON_LIST_H_INCLUDED_ */
