/*
 * A token's record as the API's Token.
 */

#ifndef AG_MODEL_H
#define AG_MODEL_H


#include "authority.h"


typedef struct {
    bool  exclude_roles;
    bool  support_http_matchers;
    bool  listed;   /* an item of a list: with revoked and updated, and
                       without hosts */
} ag_model_options_t;


/*
 * Appends a Token. Roles and hosts are what the subject may do now, within
 * what the token is restricted to. A shortage of memory shows in the text.
 */
void ag_model_token(ag_text_t *text, const ag_authority_t *authority,
    const ag_token_t *token, const ag_model_options_t *options);


#endif /* AG_MODEL_H */
