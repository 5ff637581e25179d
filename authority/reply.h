/*
 * The reply of an operation.
 */

#ifndef AG_REPLY_H
#define AG_REPLY_H


#include "json.h"
#include "text.h"


typedef struct {
    int      status;               /* of HTTP */
    char    *body;                 /* JSON, or NULL */
    size_t   len;
    char     jti[AG_ID_MAX + 1];   /* of the token it was about; may be "" */
    int64_t  delay;                /* milliseconds until it is sent */
} ag_reply_t;


/*
 * Makes the reply an ErrorMessage with a short code and an explanation, which
 * must not hold a token. Without memory, it has no body.
 */
void ag_reply_error(ag_reply_t *reply, int status, const char *code,
    const char *message);

/*
 * Replies with a text, which is taken over, or with 500 where it failed.
 */
void ag_reply_text(ag_reply_t *reply, int status, ag_text_t *text);

/*
 * Replies with a JSON value, whose reference is taken over, or with 500 where
 * that is NULL.
 */
void ag_reply_json(ag_reply_t *reply, int status, json_t *value);

/* Replies with 500: our fault. */
void ag_reply_failed(ag_reply_t *reply);

/* Replies with 503: the database takes no change now. */
void ag_reply_busy(ag_reply_t *reply);

/* Notes which token the reply is about, for the request log. */
void ag_reply_about(ag_reply_t *reply, const char *jti);

/* Overwrites and frees a body; NULL is fine. */
void ag_reply_free(void *body);

/* Frees the body, and overwrites it, since it may hold a token. */
void ag_reply_clear(ag_reply_t *reply);


#endif /* AG_REPLY_H */
