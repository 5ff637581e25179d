/*
 * Tokens as JWTs (RFC 7519), signed with ES256.
 */

#ifndef AG_JWT_H
#define AG_JWT_H


#include "authority.h"


/*
 * Completes the record of a token (jti and session where there is none,
 * digest, updated) and signs the token. Does not store it. AG_OK with the
 * token in *text, which the caller frees with ag_jwt_free(); or AG_ERROR.
 */
int ag_jwt_make(const ag_authority_t *authority, ag_token_t *token,
    char **text);

/* Overwrites a token and frees it; NULL is fine. */
void ag_jwt_free(char *text);

/*
 * Reads the jti of a token that one of the keys has signed; jti has room for
 * AG_ID_MAX + 1 bytes. Looks at syntax, algorithm, key and signature, at no
 * date. AG_OK; AG_MALFORMED if it is no JWT or has no usable jti; AG_DECLINED
 * if it is a JWT, but none of ours.
 */
int ag_jwt_verify(ag_keys_t *keys, const char *token, size_t len,
    char *jti);


#endif /* AG_JWT_H */
