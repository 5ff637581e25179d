/*
 * GET /v1/tokens/jwsk
 */

#include "operation.h"


void
ag_jwsk(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_jwsk_e  kind;

    (void) call;

    kind = authority->jwsk.kind;

    if (kind == AG_JWSK_AWAY) {
        ag_reply_error(reply, 404, "NOT_FOUND", "there is nothing here");

    } else {
        ag_reply_json(reply, 200, ag_keys_jwks(authority->keys, kind));
    }

    if (kind == AG_JWSK_GARBLED) {
        reply->len /= 2;
    }

    reply->delay = authority->jwsk.delay;
}
