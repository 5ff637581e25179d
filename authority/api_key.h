/*
 * API keys, as they are kept. A key is another way to present a token, which
 * is made with it.
 */

#ifndef AG_API_KEY_H
#define AG_API_KEY_H


#include "store.h"


/* characters of a secret that is made here */

#define AG_SECRET_SIZE  40


/* Strings are owned; NULL where there is none. */

typedef struct {
    char           *id;
    char           *sub;
    char           *org;
    char           *name;
    char           *label;
    char           *scopes;       /* JSON array, as they were asked for */
    char           *token_id;     /* jti of its token */
    char           *oper_status;  /* read only: "active", "disabled",
                                     "expired" or "revoked", now */
    int64_t         created;      /* seconds since the epoch */
    int64_t         updated;
    int64_t         expiry;       /* AG_NEVER if it has none */
    bool            disabled;
    unsigned char   digest[AG_DIGEST_SIZE];  /* of the secret */
    unsigned char  *sealed;       /* the token, which only the secret opens */
    size_t          sealed_len;
} ag_api_key_t;


/* Which keys. Strings are borrowed, and NULL for any. */

typedef struct {
    const char    *orgs;          /* JSON array; required */
    const char    *user_id;
    const char    *org_id;
    const char    *name;
    const char    *label;
    const char    *oper_status;
    const char    *not_oper_status;
    ag_strings_t   patterns;      /* of scopes, see ag_scope_like() */
    int64_t        valid_at;      /* INT64_MIN: any */
    int64_t        page_at;       /* creation of the first row, or INT64_MIN */
    int64_t        now;
    bool           descending;    /* by creation */
    int            limit;         /* rows */
} ag_api_key_filter_t;


/* Called for each key; does not keep it. AG_OK to go on. */
typedef int (*ag_api_key_pt)(void *data, const ag_api_key_t *key);


/* Frees what a key owns and zeroes it. */
void ag_api_key_clear(ag_api_key_t *key);

/*
 * Sets the digest of the secret of a key, and the token that it stands for,
 * sealed. AG_OK or AG_ERROR.
 */
int ag_api_key_seal(ag_api_key_t *key, const char *secret, const char *token);

/*
 * The token of a key, which the caller frees with ag_jwt_free(). NULL if the
 * secret is not that of the key, or when memory is short.
 */
char *ag_api_key_open(const ag_api_key_t *key, const char *secret);

/*
 * Stores a key, new or changed. AG_OK or AG_ERROR.
 */
int ag_api_key_set(ag_store_t *store, const ag_api_key_t *key);

/*
 * Find a key by its id or by its secret, at a time in seconds, and fill *key,
 * which the caller clears in any case. AG_OK, AG_DECLINED or AG_ERROR.
 */
int ag_api_key_find(ag_store_t *store, const char *id, int64_t now,
    ag_api_key_t *key);
int ag_api_key_find_secret(ag_store_t *store, const char *secret, int64_t now,
    ag_api_key_t *key);

/*
 * Deletes a key and revokes its token; it is on the disk when this returns.
 * AG_OK or AG_ERROR.
 */
int ag_api_key_delete(ag_store_t *store, const ag_api_key_t *key, int64_t now);

/*
 * Lists keys by their creation, and by id where that is the same. AG_OK or
 * AG_ERROR.
 */
int ag_api_key_list(ag_store_t *store, const ag_api_key_filter_t *filter,
    ag_api_key_pt callback, void *data);


#endif /* AG_API_KEY_H */
