/*
 * A token that is created on request of a bearer.
 */

#ifndef AG_CREATE_H
#define AG_CREATE_H


#include "operation.h"


/* a creation under way */

typedef struct {
    const ag_authority_t  *authority;
    const ag_call_t       *call;
    ag_reply_t            *reply;
    ag_token_t             bearer;
    const ag_org_t        *org;        /* where the bearer may create */
    ag_token_t             tokens[2];  /* the token, its refresh token */
    char                  *texts[2];
} ag_create_t;


/*
 * Makes the tokens that the call's body, a CreateTokenRequest, asks for, and
 * does not store them. The caller calls ag_create_end() in any case. AG_OK;
 * AG_DECLINED or AG_MALFORMED with the reply set; AG_ERROR.
 */
int ag_create_make(ag_create_t *create, const ag_authority_t *authority,
    const ag_call_t *call, ag_reply_t *reply);

/* Stores them. AG_OK; AG_DECLINED with the reply set; AG_ERROR. */
int ag_create_store(ag_create_t *create);

/* Overwrites and frees what belongs to a creation. */
void ag_create_end(ag_create_t *create);


#endif /* AG_CREATE_H */
