/*
 * A growing piece of text, mostly JSON on its way out.
 */

#ifndef AG_TEXT_H
#define AG_TEXT_H


#include "common.h"


typedef struct {
    char    *data;    /* NUL-terminated once anything was added */
    size_t   len;
    size_t   size;
    bool     failed;  /* memory was short: the text is not complete */
} ag_text_t;


/*
 * Appends len bytes. On a shortage of memory sets text->failed, and all later
 * appends do nothing: callers look at it once, in ag_text_take(). A text
 * starts as all zeros.
 */
void ag_text_bytes(ag_text_t *text, const char *data, size_t len);

/* Appends a C string as it is. */
void ag_text_raw(ag_text_t *text, const char *string);

/* Appends a C string of valid UTF-8 as a quoted JSON string. */
void ag_text_quoted(ag_text_t *text, const char *string);

/* Appends a decimal number. */
void ag_text_number(ag_text_t *text, int64_t number);

/*
 * Hands the text over: the caller frees what is returned, and the text is
 * empty again. NULL if memory was short; then everything is freed.
 */
char *ag_text_take(ag_text_t *text, size_t *len);

/* Frees a text that was not taken. */
void ag_text_free(ag_text_t *text);


#endif /* AG_TEXT_H */
