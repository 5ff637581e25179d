/*
 * Storage: one SQLite database in WAL mode, which several processes may use
 * at once. It holds the signing keys and a record of each token, never the
 * token itself, which is recognised by its SHA-256.
 */

#ifndef AG_STORE_H
#define AG_STORE_H


#include "error.h"
#include "token.h"


typedef struct ag_store_s  ag_store_t;


/*
 * Which tokens. Strings are borrowed, and NULL for any. Ranges are in
 * seconds, from inclusive and to exclusive; INT64_MIN and INT64_MAX are no
 * bound. A token that never expires expires after every date.
 */

typedef struct {
    const char    *orgs;      /* JSON array of organisations; required */
    const char    *sub;
    const char    *jti;
    const char    *org;
    const char    *session;
    ag_strings_t   patterns;  /* of scopes, see ag_scope_like(): any of them */
    int64_t        iat_from;
    int64_t        iat_to;
    int64_t        exp_from;
    int64_t        exp_to;
    int            revoked;   /* 0, 1, or -1 for both */
    int            limit;     /* rows */
} ag_filter_t;


/*
 * Called for each token; does not keep it. AG_OK to go on; anything else ends
 * the list.
 */
typedef int (*ag_list_pt)(void *data, const ag_token_t *token);


/*
 * Opens a database, or makes one that only its owner can read. A file that
 * others can read is refused. NULL with the error set.
 */
ag_store_t *ag_store_open(const char *path, ag_error_t *error);

/* Closes it. No call may be under way; NULL is fine. */
void ag_store_close(ag_store_t *store);

/*
 * Forgets tokens that expired before a date (seconds), API keys that did, and
 * sessions that were made before it and have no token. AG_OK or AG_ERROR.
 */
int ag_store_purge(ag_store_t *store, int64_t before);

/*
 * Finds a token by its jti and fills *token, which the caller clears. AG_OK,
 * AG_DECLINED or AG_ERROR.
 */
int ag_store_find(ag_store_t *store, const char *jti, ag_token_t *token);

/*
 * Adds n tokens, all or none, and their sessions where there are none yet.
 * With a parent, only if neither the token with that jti nor its session has
 * been revoked meanwhile, so that no revocation is overtaken. AG_OK;
 * AG_DECLINED if the parent is revoked or a jti is taken; AG_ERROR.
 */
int ag_store_add(ag_store_t *store, const ag_token_t *tokens, size_t n,
    const char *parent);

/*
 * Whether the last write failed because another process holds the lock for
 * writing. For the thread that writes.
 */
bool ag_store_busy(const ag_store_t *store);

/*
 * Revokes one token; it is on the disk when this returns. AG_OK, also when
 * it was revoked before or is not known, or AG_ERROR.
 */
int ag_store_revoke(ag_store_t *store, const char *jti, int64_t now);

/*
 * Revokes a session, all sessions of a subject, all tokens of that session and
 * all tokens of that subject. AG_OK or AG_ERROR.
 */
int ag_store_revoke_sessions(ag_store_t *store, const char *session,
    const char *sub, int64_t now);

/*
 * Whether a session has a token of a subject other than sub: AG_OK if so,
 * AG_DECLINED if not, AG_ERROR.
 */
int ag_store_session_of_other(ag_store_t *store, const char *session,
    const char *sub);

/*
 * Lists tokens, those issued last first, and by jti where that is the same.
 * AG_OK, AG_ERROR, or what the callback returned.
 */
int ag_store_list(ag_store_t *store, const ag_filter_t *filter,
    ag_list_pt callback, void *data);


#endif /* AG_STORE_H */
