/*
 * Errors, in words.
 */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


static size_t ag_error_path(ag_error_t *error, const ag_path_t *path);
static size_t ag_error_add(ag_error_t *error, size_t len, const char *text);
static int ag_error_clean(ag_error_t *error);


int
ag_error(ag_error_t *error, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);

    return ag_error_clean(error);
}


int
ag_error_at(ag_error_t *error, const ag_path_t *path, const char *format, ...)
{
    size_t   len;
    va_list  args;

    error->text[0] = '\0';

    len = ag_error_path(error, path);

    if (len) {
        len = ag_error_add(error, len, ": ");
    }

    va_start(args, format);
    vsnprintf(error->text + len, sizeof(error->text) - len, format, args);
    va_end(args);

    return ag_error_clean(error);
}


/* recursive, since a path is linked from its end; depth is bounded by JSON */

static size_t
ag_error_path(ag_error_t *error, const ag_path_t *path)
{
    char    index[32];
    size_t  len;

    if (path == NULL) {
        return 0;
    }

    len = ag_error_path(error, path->up);

    if (path->name) {
        if (len) {
            len = ag_error_add(error, len, ".");
        }

        return ag_error_add(error, len, path->name);
    }

    snprintf(index, sizeof(index), "[%zu]", path->index);

    return ag_error_add(error, len, index);
}


static size_t
ag_error_add(ag_error_t *error, size_t len, const char *text)
{
    int  n;

    n = snprintf(error->text + len, sizeof(error->text) - len, "%s", text);

    if (n < 0 || len + (size_t) n >= sizeof(error->text)) {
        return strlen(error->text);
    }

    return len + (size_t) n;
}


/*
 * a name of a member may be anything and may have been cut anywhere: neither
 * a terminal nor a JSON string is to get control characters or half of UTF-8
 */

static int
ag_error_clean(ag_error_t *error)
{
    char  *p;

    for (p = error->text; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    return AG_MALFORMED;
}
