/*
 * Which tokens have a signature that was verified before: a table with one
 * place for each token, found by its digest.
 */

#include "signature_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>


#define AG_VERIFIED_SLOTS  65536
#define AG_VERIFIED_LOCKS  64


typedef struct {
    unsigned char  digest[AG_DIGEST_SIZE];
    char           jti[AG_ID_MAX + 1];  /* empty: the place is free */
} ag_slot_t;


struct ag_verified_s {
    pthread_mutex_t  locks[AG_VERIFIED_LOCKS];
    ag_slot_t       *slots;
};


static size_t ag_verified_place(const unsigned char *digest);


ag_verified_t *
ag_verified_create(void)
{
    size_t          i;
    ag_verified_t  *verified;

    verified = calloc(1, sizeof(ag_verified_t));
    if (verified == NULL) {
        return NULL;
    }

    verified->slots = calloc(AG_VERIFIED_SLOTS, sizeof(ag_slot_t));
    if (verified->slots == NULL) {
        free(verified);
        return NULL;
    }

    for (i = 0; i < AG_VERIFIED_LOCKS; i++) {
        pthread_mutex_init(&verified->locks[i], NULL);
    }

    return verified;
}


void
ag_verified_free(ag_verified_t *verified)
{
    size_t  i;

    if (verified == NULL) {
        return;
    }

    for (i = 0; i < AG_VERIFIED_LOCKS; i++) {
        pthread_mutex_destroy(&verified->locks[i]);
    }

    free(verified->slots);
    free(verified);
}


int
ag_verified_find(ag_verified_t *verified,
    const unsigned char digest[AG_DIGEST_SIZE], char *jti)
{
    int               rc;
    size_t            place;
    ag_slot_t        *slot;
    pthread_mutex_t  *lock;

    place = ag_verified_place(digest);
    slot = &verified->slots[place];
    lock = &verified->locks[place % AG_VERIFIED_LOCKS];

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
ag_verified_add(ag_verified_t *verified,
    const unsigned char digest[AG_DIGEST_SIZE], const char *jti)
{
    size_t            place;
    ag_slot_t        *slot;
    pthread_mutex_t  *lock;

    place = ag_verified_place(digest);
    slot = &verified->slots[place];
    lock = &verified->locks[place % AG_VERIFIED_LOCKS];

    pthread_mutex_lock(lock);

    memcpy(slot->digest, digest, AG_DIGEST_SIZE);
    memset(slot->jti, 0, sizeof(slot->jti));
    memcpy(slot->jti, jti, strnlen(jti, AG_ID_MAX));

    pthread_mutex_unlock(lock);
}


static size_t
ag_verified_place(const unsigned char *digest)
{
    return ((size_t) digest[0] << 8 | digest[1]) % AG_VERIFIED_SLOTS;
}
