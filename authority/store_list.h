/*
 * Storage: lists of tokens.
 */

#ifndef AG_STORE_LIST_H
#define AG_STORE_LIST_H


#include "store.h"


#define AG_PATTERNS_MAX  16


/*
 * Which tokens. Strings are borrowed, and NULL for any. Ranges are in
 * seconds, from inclusive and to exclusive; INT64_MIN and INT64_MAX are no
 * bound. A token that never expires expires after every date.
 */

typedef struct {
    const char  *orgs;      /* JSON array of organisations; required */
    const char  *sub;
    const char  *jti;
    const char  *org;
    const char  *session;
    const char  *patterns[AG_PATTERNS_MAX];  /* of scopes, see
                                                ag_scope_like(): any of them */
    size_t       npatterns;
    int64_t      iat_from;
    int64_t      iat_to;
    int64_t      exp_from;
    int64_t      exp_to;
    int          revoked;   /* 0, 1, or -1 for both */
    int          limit;     /* rows */
} ag_filter_t;


/*
 * Called for each token; does not keep it. AG_OK to go on; anything else ends
 * the list.
 */
typedef int (*ag_list_pt)(void *data, const ag_token_t *token);


/*
 * Lists tokens, those issued last first, and by jti where that is the same.
 * AG_OK, AG_ERROR, or what the callback returned.
 */
int ag_store_list(ag_store_t *store, const ag_filter_t *filter,
    ag_list_pt callback, void *data);


#endif /* AG_STORE_LIST_H */
