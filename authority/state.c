/*
 * The state of a token that was presented.
 */

#include "state.h"
#include "jwt.h"

#include <openssl/crypto.h>

#include <string.h>


static int ag_state_jti(const ag_authority_t *authority, const char *text,
    size_t len, const unsigned char *digest, char *jti);
static ag_state_e ag_state_of(const ag_authority_t *authority,
    const ag_token_t *token, int64_t now);


ag_state_e
ag_state_find(const ag_authority_t *authority, const char *text, size_t len,
    int64_t now, ag_token_t *token)
{
    int            rc;
    char           jti[AG_ID_MAX + 1];
    unsigned char  digest[AG_DIGEST_SIZE];

    memset(token, 0, sizeof(ag_token_t));

    if (ag_key_digest(text, len, digest) != AG_OK) {
        return AG_FAILED;
    }

    rc = ag_state_jti(authority, text, len, digest, jti);

    if (rc == AG_OK) {
        rc = ag_store_find(authority->store, jti, token);
    }

    if (rc != AG_OK) {
        return rc == AG_DECLINED ? AG_UNKNOWN
                                 : rc == AG_MALFORMED ? AG_NOT_A_TOKEN
                                                      : AG_FAILED;
    }

    /* a signature can be spelled in more than one way, a token in one */

    if (CRYPTO_memcmp(token->digest, digest, AG_DIGEST_SIZE) != 0) {
        ag_token_clear(token);
        return AG_UNKNOWN;
    }

    return ag_state_of(authority, token, now);
}


static int
ag_state_jti(const ag_authority_t *authority, const char *text, size_t len,
    const unsigned char *digest, char *jti)
{
    int  rc;

    if (ag_signature_cache_find(authority->signatures, digest, jti) == AG_OK) {
        return AG_OK;
    }

    rc = ag_jwt_verify(authority->keys, text, len, jti);

    if (rc == AG_OK) {
        ag_signature_cache_add(authority->signatures, digest, jti);
    }

    return rc;
}


static ag_state_e
ag_state_of(const ag_authority_t *authority, const ag_token_t *token,
    int64_t now)
{
    const ag_subject_t  *subject;

    if (token->revoked || token->ended) {
        return AG_REVOKED;
    }

    if (now >= token->exp) {
        return AG_EXPIRED;
    }

    if (now < token->nbf) {
        return AG_INACTIVE;
    }

    if (token->stated) {
        return AG_ACTIVE;
    }

    subject = ag_directory_subject(authority->directory, token->sub);

    if (subject == NULL) {
        return AG_INACTIVE;
    }

    return ag_subject_enabled(subject) ? AG_ACTIVE : AG_DISABLED;
}
