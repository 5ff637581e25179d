/*
 * The tokens whose signature was verified before: a table with one place for
 * each token, found by its digest.
 */

#include "signature_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>


#define AG_SIGNATURE_CACHE_SLOTS  65536
#define AG_SIGNATURE_CACHE_LOCKS  64


typedef struct {
    unsigned char  digest[AG_DIGEST_SIZE];
    char           jti[AG_ID_MAX + 1];  /* empty: the place is free */
} ag_slot_t;


struct ag_signature_cache_s {
    pthread_mutex_t  locks[AG_SIGNATURE_CACHE_LOCKS];
    ag_slot_t       *slots;
};


static size_t ag_signature_cache_place(const unsigned char *digest);


ag_signature_cache_t *
ag_signature_cache_create(void)
{
    size_t                 i;
    ag_signature_cache_t  *cache;

    cache = calloc(1, sizeof(ag_signature_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    cache->slots = calloc(AG_SIGNATURE_CACHE_SLOTS, sizeof(ag_slot_t));
    if (cache->slots == NULL) {
        free(cache);
        return NULL;
    }

    for (i = 0; i < AG_SIGNATURE_CACHE_LOCKS; i++) {
        pthread_mutex_init(&cache->locks[i], NULL);
    }

    return cache;
}


void
ag_signature_cache_free(ag_signature_cache_t *cache)
{
    size_t  i;

    if (cache == NULL) {
        return;
    }

    for (i = 0; i < AG_SIGNATURE_CACHE_LOCKS; i++) {
        pthread_mutex_destroy(&cache->locks[i]);
    }

    free(cache->slots);
    free(cache);
}


int
ag_signature_cache_find(ag_signature_cache_t *cache,
    const unsigned char digest[AG_DIGEST_SIZE], char *jti)
{
    int               rc;
    size_t            place;
    ag_slot_t        *slot;
    pthread_mutex_t  *lock;

    place = ag_signature_cache_place(digest);
    slot = &cache->slots[place];
    lock = &cache->locks[place % AG_SIGNATURE_CACHE_LOCKS];

    rc = AG_DECLINED;

    pthread_mutex_lock(lock);

    if (slot->jti[0] && memcmp(slot->digest, digest, AG_DIGEST_SIZE) == 0) {
        memcpy(jti, slot->jti, sizeof(slot->jti));
        rc = AG_OK;
    }

    pthread_mutex_unlock(lock);

    return rc;
}


void
ag_signature_cache_add(ag_signature_cache_t *cache,
    const unsigned char digest[AG_DIGEST_SIZE], const char *jti)
{
    size_t            place;
    ag_slot_t        *slot;
    pthread_mutex_t  *lock;

    place = ag_signature_cache_place(digest);
    slot = &cache->slots[place];
    lock = &cache->locks[place % AG_SIGNATURE_CACHE_LOCKS];

    pthread_mutex_lock(lock);

    memcpy(slot->digest, digest, AG_DIGEST_SIZE);
    memset(slot->jti, 0, sizeof(slot->jti));
    memcpy(slot->jti, jti, strnlen(jti, AG_ID_MAX));

    pthread_mutex_unlock(lock);
}


static size_t
ag_signature_cache_place(const unsigned char *digest)
{
    return ((size_t) digest[0] << 8 | digest[1]) % AG_SIGNATURE_CACHE_SLOTS;
}
