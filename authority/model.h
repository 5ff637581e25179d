/*
 * The models of the API that have a token: Token and RawToken.
 */

#ifndef AG_MODEL_H
#define AG_MODEL_H


#include "operation.h"


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

/* A MetadataWithId: new reference, or NULL when memory is short. */
json_t *ag_model_metadata(const char *id, int64_t created, int64_t updated);

/*
 * Replies with a RawToken. token is the record of the access token and text
 * the token itself; refresh (a token) and user (a reference, taken over) may
 * be NULL.
 */
void ag_model_raw_token(ag_reply_t *reply, int status, const ag_call_t *call,
    const ag_token_t *token, const char *text, const char *refresh,
    json_t *user);


#endif /* AG_MODEL_H */
