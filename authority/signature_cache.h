/*
 * The tokens whose signature was verified before. A signature stays valid, so
 * no entry grows stale; whether the token is active is read from the store
 * each time.
 */

#ifndef AG_SIGNATURE_CACHE_H
#define AG_SIGNATURE_CACHE_H


#include "common.h"


typedef struct ag_signature_cache_s  ag_signature_cache_t;


/* An empty memory of fixed size, or NULL. Threads may share it. */
ag_signature_cache_t *ag_signature_cache_create(void);

/* Frees it; NULL is fine. */
void ag_signature_cache_free(ag_signature_cache_t *cache);

/*
 * Copies the jti of a token with this digest to jti, which has room for
 * AG_ID_MAX + 1 bytes. AG_OK or AG_DECLINED.
 */
int ag_signature_cache_find(ag_signature_cache_t *cache,
    const unsigned char digest[AG_DIGEST_SIZE], char *jti);

/* Remembers a verified token, in place of another one if need be. */
void ag_signature_cache_add(ag_signature_cache_t *cache,
    const unsigned char digest[AG_DIGEST_SIZE], const char *jti);


#endif /* AG_SIGNATURE_CACHE_H */
