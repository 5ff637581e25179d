/*
 * The signing keys of an authority: the one that signs, those that are
 * published, and those that were withdrawn, whose tokens stay good.
 */

#ifndef AG_KEYS_H
#define AG_KEYS_H


#include "key.h"
#include "store.h"

#include <stdio.h>


typedef struct ag_keys_s  ag_keys_t;


/* a step of a rotation */

typedef enum {
    AG_ROTATE_PUBLISH = 0,  /* makes a key and publishes it */
    AG_ROTATE_USE,          /* the key that was published last signs */
    AG_ROTATE_WITHDRAW      /* only the key that signs is published */
} ag_rotate_e;


/* what is published, for tests of programs that read it */

typedef enum {
    AG_JWSK_OWN = 0,
    AG_JWSK_FOREIGN,        /* a key that has signed nothing */
    AG_JWSK_NO_KID,         /* the right keys without kid, use and alg */
    AG_JWSK_MANY,           /* the right keys among others, 33 in all */
    AG_JWSK_EMPTY,          /* no key */
    AG_JWSK_GARBLED,        /* JSON that ends in its middle */
    AG_JWSK_AWAY            /* 404 */
} ag_jwsk_e;


/*
 * The keys of a store; the first one is made when there is none yet. Of
 * several processes that start together, all get the same. NULL with the error
 * set.
 */
ag_keys_t *ag_keys_open(ag_store_t *store, ag_error_t *error);

/* Frees them; NULL is fine. */
void ag_keys_close(ag_keys_t *keys);

/*
 * The key that signs now. Borrowed, as long as the keys are open; NULL if the
 * store cannot be read. Several threads may ask at once, here and below.
 */
const ag_key_t *ag_keys_signing(ag_keys_t *keys);

/* The key with an identifier, withdrawn or not; NULL if there is none. */
const ag_key_t *ag_keys_find(ag_keys_t *keys, const char *id);

/*
 * The published keys as a JWKS, or as a kind from AG_JWSK_FOREIGN to
 * AG_JWSK_EMPTY has it. New reference, or NULL.
 */
json_t *ag_keys_jwks(ag_keys_t *keys, ag_jwsk_e kind);

/*
 * Does a step of a rotation, also while a server runs on the same database,
 * and prints the keys and what they are to out, a line each. AG_OK, or else
 * with the error set.
 */
int ag_keys_rotate(ag_keys_t *keys, ag_rotate_e step, FILE *out,
    ag_error_t *error);


#endif /* AG_KEYS_H */
