/*
 * Making tokens.
 */

#include "mint.h"
#include "base64.h"
#include "jwt.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>


static int ag_mint_ids(ag_token_t *token);
static json_t *ag_mint_claims(const ag_authority_t *authority,
    const ag_token_t *token);
static int ag_mint_optional(json_t *claims, const ag_token_t *token);


int
ag_mint(const ag_authority_t *authority, ag_token_t *token, char **text)
{
    json_t  *claims;

    *text = NULL;

    if (ag_mint_ids(token) != AG_OK) {
        return AG_ERROR;
    }

    claims = ag_mint_claims(authority, token);

    if (claims) {
        *text = ag_jwt_sign(authority->key, claims);
    }

    json_decref(claims);

    if (*text == NULL) {
        return AG_ERROR;
    }

    if (ag_key_digest(*text, strlen(*text), token->digest) != AG_OK) {
        ag_mint_free(*text);
        *text = NULL;
        return AG_ERROR;
    }

    token->updated = ag_date_now();

    return AG_OK;
}


static int
ag_mint_ids(ag_token_t *token)
{
    char  id[23];

    if (token->jti == NULL
        && (ag_base64_random_id(id) != AG_OK
            || ag_token_set(&token->jti, id) != AG_OK))
    {
        return AG_ERROR;
    }

    if (token->session == NULL
        && (ag_base64_random_id(id) != AG_OK
            || ag_token_set(&token->session, id) != AG_OK))
    {
        return AG_ERROR;
    }

    return AG_OK;
}


static json_t *
ag_mint_claims(const ag_authority_t *authority, const ag_token_t *token)
{
    json_t  *claims, *aud;

    aud = json_loads(token->aud, 0, NULL);

    claims = json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:s}",
                       "iss", authority->directory->issuer,
                       "sub", token->sub, "org", token->org, "aud", aud,
                       "jti", token->jti, "iat", (json_int_t) token->iat,
                       "session", token->session);

    if (claims && ag_mint_optional(claims, token) != AG_OK) {
        json_decref(claims);
        return NULL;
    }

    return claims;
}


static int
ag_mint_optional(json_t *claims, const ag_token_t *token)
{
    int  failed;

    failed = 0;

    if (token->exp != AG_NEVER) {
        failed |= json_object_set_new(claims, "exp", json_integer(token->exp));
    }

    if (token->nbf > token->iat) {
        failed |= json_object_set_new(claims, "nbf", json_integer(token->nbf));
    }

    if (token->masquerading) {
        failed |= json_object_set_new(claims, "masquerading", json_true());
    }

    if (token->refresh_of) {
        failed |= json_object_set_new(claims, "refresh_token_jti",
                                      json_string(token->refresh_of));
    }

    return failed ? AG_ERROR : AG_OK;
}


void
ag_mint_free(char *text)
{
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}
