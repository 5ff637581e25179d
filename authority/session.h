/*
 * Login sessions, as they are kept. The first token of a session makes it; a
 * token whose session was revoked or deleted is a revoked one.
 */

#ifndef AG_SESSION_H
#define AG_SESSION_H


#include "store.h"


/* strings are owned */

typedef struct {
    char     *id;
    char     *sub;        /* its user */
    char     *org;
    char     *details;    /* JSON object: other members of the API's spec */
    int64_t   created;    /* seconds since the epoch, as all dates are */
    int64_t   updated;
    int64_t   last_mfa;   /* 0: never */
    bool      revoked;
} ag_session_t;


/* what a page can be sorted by */

typedef enum {
    AG_SESSION_ID = 0,
    AG_SESSION_CREATED,
    AG_SESSION_UPDATED,
    AG_SESSION_FIELDS
} ag_session_field_e;


typedef struct {
    ag_session_field_e  field;
    bool                descending;
    const char         *id;      /* value of the last row before the page, */
    int64_t             date;    /* as the field has it */
} ag_session_key_t;


/* Which sessions. Strings are borrowed, and NULL for any. */

typedef struct {
    const char        *orgs;          /* JSON array; required */
    const char        *user_id;
    const char        *org_id;
    int64_t            created_from;  /* INT64_MIN: any */
    int                revoked;       /* 0, 1, or -1 for both */
    int                limit;         /* rows */
    bool               backwards;     /* the rows before the key */
    ag_session_key_t   keys[AG_SESSION_FIELDS];
    size_t             nkeys;         /* to sort by */
    size_t             nat;           /* that have a value; 0: first page */
} ag_session_filter_t;


/* sessions of one user, for a bulk operation; borrowed, NULL for any */

typedef struct {
    const char  *orgs;                /* JSON array; required */
    const char  *user_id;             /* required */
    const char  *org_id;
    const char  *id;
} ag_session_bulk_t;


typedef enum {
    AG_SESSION_TOKENS_ONLY = 0,   /* revokes tokens, keeps the sessions */
    AG_SESSION_REVOKE,            /* revokes tokens and sessions */
    AG_SESSION_DELETE             /* deletes sessions */
} ag_session_bulk_e;


/* Called for each session; does not keep it. AG_OK to go on. */
typedef int (*ag_session_pt)(void *data, const ag_session_t *session);


/* Frees the strings of a session and zeroes it. */
void ag_session_clear(ag_session_t *session);

/*
 * Finds a session and fills *session, which the caller clears in any case.
 * AG_OK, AG_DECLINED or AG_ERROR.
 */
int ag_session_find(ag_store_t *store, const char *id, ag_session_t *session);

/*
 * Stores a session, new or changed; it is on the disk when this returns. AG_OK
 * or AG_ERROR.
 */
int ag_session_set(ag_store_t *store, const ag_session_t *session);

/*
 * Revokes or deletes sessions and their tokens; it is on the disk when this
 * returns. AG_OK with the number of sessions in *n, or AG_ERROR.
 */
int ag_session_bulk(ag_store_t *store, const ag_session_bulk_t *bulk,
    ag_session_bulk_e what, int64_t now, int64_t *n);

/* Lists a page of sessions. AG_OK, or AG_ERROR. */
int ag_session_list(ag_store_t *store, const ag_session_filter_t *filter,
    ag_session_pt callback, void *data);


#endif /* AG_SESSION_H */
