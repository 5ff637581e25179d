/*
 * GET /v1/tokens/jwsk
 */

#include "operation.h"


void
ag_jwsk(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    (void) call;

    ag_reply_json(reply, 200, ag_key_jwks(authority->key));
}
