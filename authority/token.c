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


int
ag_token_inherit(ag_token_t *token, const ag_token_t *from)
{
    if (ag_token_set(&token->sub, from->sub) != AG_OK
        || ag_token_set(&token->org, from->org) != AG_OK
        || ag_token_set(&token->session, from->session) != AG_OK
        || ag_token_set(&token->aud, from->aud) != AG_OK
        || ag_token_set(&token->scopes, from->scopes) != AG_OK
        || ag_token_set(&token->roles, from->roles) != AG_OK
        || ag_token_set(&token->hosts, from->hosts) != AG_OK
        || ag_token_set(&token->creating_sub, from->creating_sub) != AG_OK
        || ag_token_set(&token->creating_org, from->creating_org) != AG_OK)
    {
        return AG_ERROR;
    }

    return AG_OK;
}
