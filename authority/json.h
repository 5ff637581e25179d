/*
 * Reading JSON from outside.
 */

#ifndef AG_JSON_H
#define AG_JSON_H


#include "error.h"

#include <jansson.h>


/* JSON that is nested deeper is refused before it is parsed */

#define AG_JSON_DEPTH  32


/*
 * Parses one JSON object of len bytes: UTF-8, no duplicate member, nothing
 * after it, AG_JSON_DEPTH levels at most. Returns a new reference, or NULL
 * with the error set; the error never quotes the input, which may hold a
 * token.
 */
json_t *ag_json_parse(const char *data, size_t len, ag_error_t *error);

/*
 * A member of an object, or NULL where it is absent or null: the API's
 * optional members may be either. Borrowed.
 */
json_t *ag_json_get(const json_t *object, const char *name);

/*
 * The text of an optional string member; NULL where there is none. Borrowed.
 */
const char *ag_json_string(const json_t *object, const char *name);

/* An optional boolean member, with the value that stands for its absence. */
bool ag_json_bool(const json_t *object, const char *name, bool absent);

/* Whether an array holds this string. NULL holds nothing. */
bool ag_json_has(const json_t *array, const char *string);

/*
 * Compact text of a value; the caller frees it with free(). NULL when memory
 * is short.
 */
char *ag_json_dump(const json_t *value);


#endif /* AG_JSON_H */
