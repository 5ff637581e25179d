/*
 * RawToken.
 */

#include "raw_token.h"

#include <stdlib.h>
#include <string.h>


void
ag_raw_token(ag_reply_t *reply, int status, const ag_call_t *call,
    const ag_token_t *token, const char *text, const char *refresh,
    json_t *user)
{
    char       *json;
    ag_text_t   out;

    memset(&out, 0, sizeof(ag_text_t));

    ag_text_raw(&out, "{\"token\":");
    ag_text_quoted(&out, text);
    ag_text_raw(&out, ",\"session\":");
    ag_text_quoted(&out, token->session);

    if (token->exp != AG_NEVER) {
        ag_text_raw(&out, ",\"time_validity\":{\"duration\":");
        ag_text_number(&out, token->exp - call->now);
        ag_text_raw(&out, "}");
    }

    if (refresh) {
        ag_text_raw(&out, ",\"refresh_token\":");
        ag_text_quoted(&out, refresh);
    }

    if (user) {
        json = ag_json_dump(user);

        ag_text_raw(&out, ",\"user\":");
        ag_text_raw(&out, json ? json : "{}");

        free(json);
        json_decref(user);
    }

    ag_text_raw(&out, "}");

    ag_reply_text(reply, status, &out);
    ag_reply_about(reply, token->jti);
}
