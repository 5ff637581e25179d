/*
 * RawToken: a new token on its way to whoever asked for it.
 */

#ifndef AG_RAW_TOKEN_H
#define AG_RAW_TOKEN_H


#include "operation.h"


/*
 * Replies with a RawToken. token is the record of the access token and text
 * the token itself; refresh (a token) and user (a reference, taken over) may
 * be NULL.
 */
void ag_raw_token(ag_reply_t *reply, int status, const ag_call_t *call,
    const ag_token_t *token, const char *text, const char *refresh,
    json_t *user);


#endif /* AG_RAW_TOKEN_H */
