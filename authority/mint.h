/*
 * Making tokens.
 */

#ifndef AG_MINT_H
#define AG_MINT_H


#include "authority.h"


/*
 * Completes the record of a token (jti and session where there is none,
 * digest, updated) and signs the token. Does not store it. AG_OK with the
 * token in *text, which the caller frees with ag_mint_free(); or AG_ERROR.
 */
int ag_mint(const ag_authority_t *authority, ag_token_t *token, char **text);

/* Overwrites a token and frees it; NULL is fine. */
void ag_mint_free(char *text);


#endif /* AG_MINT_H */
