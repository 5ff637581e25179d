/*
 * POST /v1/tokens/revoke
 */

#include "operation.h"
#include "state.h"

#include <string.h>


static const ag_member_t  ag_revoke_members[] = {
    { "token", AG_STRING, AG_REQUIRED, 1, AG_TOKEN_MAX, NULL },
    { "all_sessions", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


/*
 * The answer is 204 for every token, since it is not active afterwards
 * (RFC 7009). Only a token that has not expired can end sessions, so that a
 * token from an old log cannot end them for ever.
 */

void
ag_revoke(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int          rc;
    bool         all;
    json_t      *text;
    ag_state_e   state;
    ag_token_t   token;

    if (ag_operation_check(call, ag_revoke_members, reply) != AG_OK) {
        return;
    }

    text = ag_json_get(call->body, "token");
    all = ag_json_bool(call->body, "all_sessions", false);

    state = ag_state_find(authority, json_string_value(text),
                          json_string_length(text), call->now, &token);

    rc = (state == AG_FAILED) ? AG_ERROR : AG_OK;

    if (token.jti && all && call->now < token.exp) {
        rc = ag_store_revoke_sessions(authority->store, token.session,
                                      token.sub, call->now);

    } else if (token.jti) {
        rc = ag_store_revoke(authority->store, token.jti, call->now);
    }

    if (rc == AG_OK) {
        reply->status = 204;

    } else {
        ag_reply_failed(reply);
    }

    ag_reply_about(reply, token.jti);
    ag_token_clear(&token);
}
