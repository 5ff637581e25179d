/*
 * An error, in words: for a person at a terminal, or for the error_message of
 * an ErrorMessage.
 */

#ifndef AG_ERROR_H
#define AG_ERROR_H


#include "common.h"


/*
 * A place in a JSON document; lives on the stack of the function that walks
 * it.
 */

typedef struct ag_path_s  ag_path_t;

struct ag_path_s {
    const ag_path_t  *up;     /* NULL at the root */
    const char       *name;   /* member, or NULL for an item of an array */
    size_t            index;
};


typedef struct {
    char  text[512];
} ag_error_t;


/*
 * Sets the text of an error. Never give it a token, a key or other text of a
 * caller's that could hold one. Returns AG_MALFORMED, so that it can be
 * returned at once.
 */
int ag_error(ag_error_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same, with the place in front: hosts[0].allowed_list[2].methods: text.
 */
int ag_error_at(ag_error_t *error, const ag_path_t *path, const char *format,
    ...) __attribute__((format(printf, 3, 4)));


#endif /* AG_ERROR_H */
