
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_ANSWER_H_INCLUDED_
#define _NGX_AGT_JSON_ANSWER_H_INCLUDED_


#include "json/json.h"


/*
 * Answers of the operations other than introspection.
 */

/* bytes of a list of tokens, and values in it */
#define NGX_AGT_JSON_MAX_LIST         8388608
#define NGX_AGT_JSON_MAX_LIST_VALUES  400000


/*
 * A row of a list; "jti" lives until the callback returns.  In a row that
 * cannot be read, only "wrong" and "number" are set.
 */

typedef struct {
    const char                    *wrong;    /* a constant; NULL: can be read */
    ngx_uint_t                     number;   /* of the row, from 1 */
    ngx_str_t                      jti;
    int64_t                        exp;      /* seconds since the epoch */
    int64_t                        iat;
    unsigned                       has_exp:1;
    unsigned                       has_iat:1;
    unsigned                       revoked:1;
} ngx_agt_json_row_t;


/*
 * Reads a RawToken (API: answer of reissue and create): copies its "token" to
 * "buf" of "size" bytes, which the caller owns.  Returns NGX_OK, or NGX_ERROR
 * where the body is no RawToken or its token is longer.  The caller checks
 * whether it is a token68.
 */
ngx_int_t ngx_agt_json_raw_token(const u_char *body, size_t len,
    u_char *buf, size_t size, ngx_str_t *token);

/*
 * Reads a ListTokensResponse (API: answer of list) and calls "row" for each of
 * its tokens.  Before that, it sets "*n" to their number and "*limit" to the
 * number that the API would have listed at most.  A row that cannot be read (it
 * is no object, has no jti, or a date that is none) says so in "wrong", and the
 * other rows still count.  Returns NGX_OK, or NGX_ERROR where the body is no
 * list: "row" has then not been called.
 */
ngx_int_t ngx_agt_json_list(const u_char *body, size_t len,
    void (*row)(void *data, const ngx_agt_json_row_t *row),
    void *data, ngx_uint_t *n, ngx_uint_t *limit);


#endif /* _NGX_AGT_JSON_ANSWER_H_INCLUDED_ */
