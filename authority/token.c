/*
 * One token, as it is kept.
 */

#include "token.h"

#include <stdlib.h>
#include <string.h>


void
ag_token_clear(ag_token_t *token)
{
    free(token->jti);
    free(token->sub);
    free(token->org);
    free(token->session);
    free(token->aud);
    free(token->scopes);
    free(token->roles);
    free(token->hosts);
    free(token->creating_sub);
    free(token->creating_org);
    free(token->refresh_of);

    memset(token, 0, sizeof(ag_token_t));
}


int
ag_token_set(char **field, const char *value)
{
    char  *copy;

    copy = NULL;

    if (value) {
        copy = strdup(value);
        if (copy == NULL) {
            return AG_ERROR;
        }
    }

    free(*field);
    *field = copy;

    return AG_OK;
}
