/*
 * Tokens as JWTs (RFC 7519), signed with ES256.
 */

#ifndef AG_JWT_H
#define AG_JWT_H


#include "key.h"


/*
 * Signs a set of claims. Returns the token, which the caller frees, or NULL.
 */
char *ag_jwt_sign(const ag_key_t *key, const json_t *claims);

/*
 * Reads the jti of a token that this key has signed; jti has room for
 * AG_ID_MAX + 1 bytes. Looks at syntax, algorithm, key and signature, at no
 * date. AG_OK; AG_MALFORMED if it is no JWT or has no usable jti; AG_DECLINED
 * if it is a JWT, but none of ours.
 */
int ag_jwt_verify(const ag_key_t *key, const char *token, size_t len,
    char *jti);


#endif /* AG_JWT_H */
