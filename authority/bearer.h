/*
 * The bearer token of the caller, for an operation that needs one.
 */

#ifndef AG_BEARER_H
#define AG_BEARER_H


#include "operation.h"


/* The scopes that allow to create, to read and to change. */
extern const char *const  ag_bearer_create[];
extern const char *const  ag_bearer_view[];
extern const char *const  ag_bearer_own[];


/*
 * Checks the caller's token: active, no refresh token, and with one of the
 * scopes (a list that ends with NULL) both in the token and still permitted
 * to its subject. AG_OK with *token, which the caller clears in any case, and
 * the organisation within which the caller may act; or AG_DECLINED with 401,
 * 403 or 500 in the reply.
 */
int ag_bearer_check(const ag_authority_t *authority, const ag_call_t *call,
    const char *const *scopes, ag_token_t *token, const ag_org_t **org,
    ag_reply_t *reply);


#endif /* AG_BEARER_H */
