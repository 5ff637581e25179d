/*
 * The reply of an operation.
 */

#include "reply.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>


void
ag_reply_error(ag_reply_t *reply, int status, const char *code,
    const char *message)
{
    ag_text_t  text;

    memset(&text, 0, sizeof(ag_text_t));

    ag_text_raw(&text, "{\"error_code\":");
    ag_text_quoted(&text, code);
    ag_text_raw(&text, ",\"error_message\":");
    ag_text_quoted(&text, message);
    ag_text_raw(&text, "}");

    ag_reply_clear(reply);

    reply->status = status;
    reply->body = ag_text_take(&text, &reply->len);
}


void
ag_reply_text(ag_reply_t *reply, int status, ag_text_t *text)
{
    ag_reply_clear(reply);

    reply->status = status;
    reply->body = ag_text_take(text, &reply->len);

    if (reply->body == NULL) {
        ag_reply_failed(reply);
    }
}


void
ag_reply_json(ag_reply_t *reply, int status, json_t *value)
{
    ag_reply_clear(reply);

    reply->status = status;
    reply->body = value ? ag_json_dump(value) : NULL;

    json_decref(value);

    if (reply->body == NULL) {
        ag_reply_failed(reply);
        return;
    }

    reply->len = strlen(reply->body);
}


void
ag_reply_failed(ag_reply_t *reply)
{
    ag_reply_error(reply, 500, "INTERNAL_ERROR",
                   "the authority could not do this");
}


void
ag_reply_busy(ag_reply_t *reply)
{
    ag_reply_error(reply, 503, "UNAVAILABLE",
                   "the database takes no change now");
}


void
ag_reply_about(ag_reply_t *reply, const char *jti)
{
    memset(reply->jti, 0, sizeof(reply->jti));

    if (jti) {
        memcpy(reply->jti, jti, strnlen(jti, AG_ID_MAX));
    }
}


void
ag_reply_free(void *body)
{
    if (body) {
        OPENSSL_cleanse(body, strlen(body));
        free(body);
    }
}


void
ag_reply_clear(ag_reply_t *reply)
{
    ag_reply_free(reply->body);

    reply->body = NULL;
    reply->len = 0;
    reply->status = 0;
}
