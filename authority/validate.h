/*
 * CreateTokenRequest: its shape, and the part of it that is granted.
 */

#ifndef AG_VALIDATE_H
#define AG_VALIDATE_H


#include "operation.h"


/* for ag_operation_check() */
extern const ag_member_t  ag_validate_members[];


/*
 * Fills a token from a request of the right shape: subject, organisation,
 * audience, rights and validity. AG_OK; AG_MALFORMED with 400 or AG_DECLINED
 * with 403 in the reply; AG_ERROR.
 */
int ag_validate_request(const ag_directory_t *directory, const ag_call_t *call,
    ag_token_t *token, ag_reply_t *reply);


#endif /* AG_VALIDATE_H */
