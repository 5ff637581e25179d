/*
 * A signing key: ECDSA on P-256 with SHA-256 (ES256, RFC 7518).
 */

#ifndef AG_KEY_H
#define AG_KEY_H


#include "common.h"

#include <jansson.h>


#define AG_SIGNATURE_SIZE  64  /* r and s, 32 bytes each */


typedef struct ag_key_s  ag_key_t;


/* A new key, or NULL. The caller frees it with ag_key_free(). */
ag_key_t *ag_key_generate(void);

/*
 * A key from what ag_key_export() gave, or NULL if that is not a P-256 key.
 */
ag_key_t *ag_key_import(const unsigned char *der, size_t len);

/*
 * The private key as DER, len bytes in *der. The caller wipes and frees it
 * with ag_key_wipe(). AG_OK or AG_ERROR.
 */
int ag_key_export(const ag_key_t *key, unsigned char **der, size_t *len);

/* Overwrites an exported key and frees it. */
void ag_key_wipe(unsigned char *der, size_t len);

/* Frees a key; NULL is fine. */
void ag_key_free(ag_key_t *key);

/*
 * Key identifier: the SHA-256 thumbprint of RFC 7638, base64url. Borrowed.
 */
const char *ag_key_id(const ag_key_t *key);

/*
 * The public key as a JWK (RFC 7517), with or without kid, use and alg. New
 * reference, or NULL, also for a key of NULL.
 */
json_t *ag_key_jwk(const ag_key_t *key, bool named);

/* Signs len bytes; several threads may. AG_OK or AG_ERROR. */
int ag_key_sign(const ag_key_t *key, const char *data, size_t len,
    unsigned char signature[AG_SIGNATURE_SIZE]);

/*
 * Verifies a signature of len bytes; several threads may. AG_OK, or
 * AG_DECLINED if it is not by this key.
 */
int ag_key_verify(const ag_key_t *key, const char *data, size_t len,
    const unsigned char signature[AG_SIGNATURE_SIZE]);

/* SHA-256 of len bytes. AG_OK or AG_ERROR. */
int ag_key_digest(const char *data, size_t len,
    unsigned char digest[AG_DIGEST_SIZE]);


#endif /* AG_KEY_H */
