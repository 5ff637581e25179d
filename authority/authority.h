/*
 * The data that all operations work on, and that threads share. While serving,
 * only the store, its keys, the cache of verified signatures and, for its
 * owner, the directory change.
 */

#ifndef AG_AUTHORITY_H
#define AG_AUTHORITY_H


#include "date.h"
#include "directory.h"
#include "keys.h"
#include "signature_cache.h"
#include "store.h"


/* HTTP statuses for API keys that are not active */

typedef struct {
    int  wrong;       /* there is no such key of this user */
    int  expired;     /* 200: as if it were active */
    int  disabled;    /* likewise */
} ag_key_statuses_t;


/* the answer about the published keys */

typedef struct {
    ag_jwsk_e  kind;
    int64_t    delay;     /* milliseconds until it is sent */
} ag_jwsk_t;


typedef struct {
    ag_directory_t        *directory;
    ag_store_t            *store;
    ag_keys_t             *keys;
    ag_signature_cache_t  *signatures;
    ag_date_format_e       dates;
    unsigned               session_fields;  /* that sessions can be sorted
                                               by: a bit for each */
    ag_key_statuses_t      key_statuses;
    ag_jwsk_t              jwsk;
    int                    disabled_user;   /* status of introspection; 200:
                                               the Token says it */
} ag_authority_t;


#endif /* AG_AUTHORITY_H */
