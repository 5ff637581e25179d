/*
 * A growing piece of text, mostly JSON on its way out.
 */

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static bool ag_text_reserve(ag_text_t *text, size_t len);


void
ag_text_bytes(ag_text_t *text, const char *data, size_t len)
{
    if (!ag_text_reserve(text, len)) {
        return;
    }

    memcpy(text->data + text->len, data, len);

    text->len += len;
    text->data[text->len] = '\0';
}


static bool
ag_text_reserve(ag_text_t *text, size_t len)
{
    char    *data;
    size_t   size;

    if (text->failed) {
        return false;
    }

    if (len < text->size - text->len) {
        return true;
    }

    size = text->size ? text->size : 512;

    while (size - text->len <= len) {
        size *= 2;
    }

    data = realloc(text->data, size);
    if (data == NULL) {
        text->failed = true;
        return false;
    }

    text->data = data;
    text->size = size;

    return true;
}


void
ag_text_raw(ag_text_t *text, const char *string)
{
    ag_text_bytes(text, string, strlen(string));
}


void
ag_text_quoted(ag_text_t *text, const char *string)
{
    char         escape[8];
    const char  *p, *start;

    ag_text_bytes(text, "\"", 1);

    start = string;

    for (p = string; *p; p++) {
        if ((unsigned char) *p >= 0x20 && *p != '"' && *p != '\\') {
            continue;
        }

        ag_text_bytes(text, start, (size_t) (p - start));

        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) *p);
        ag_text_bytes(text, escape, 6);

        start = p + 1;
    }

    ag_text_bytes(text, start, (size_t) (p - start));
    ag_text_bytes(text, "\"", 1);
}


void
ag_text_number(ag_text_t *text, int64_t number)
{
    int   n;
    char  digits[24];

    n = snprintf(digits, sizeof(digits), "%" PRId64, number);

    ag_text_bytes(text, digits, (size_t) n);
}


char *
ag_text_take(ag_text_t *text, size_t *len)
{
    char  *data;

    if (text->failed || text->data == NULL) {
        ag_text_free(text);
        return NULL;
    }

    data = text->data;
    *len = text->len;

    memset(text, 0, sizeof(ag_text_t));

    return data;
}


void
ag_text_free(ag_text_t *text)
{
    free(text->data);
    memset(text, 0, sizeof(ag_text_t));
}
