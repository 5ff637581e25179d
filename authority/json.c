/*
 * Reading JSON from outside.
 */

#include "json.h"

#include <string.h>


static bool ag_json_too_deep(const char *data, size_t len);


json_t *
ag_json_parse(const char *data, size_t len, ag_error_t *error)
{
    json_t        *root;
    json_error_t   reason;

    if (ag_json_too_deep(data, len)) {
        ag_error(error, "JSON is nested more than %d levels deep",
                 AG_JSON_DEPTH);
        return NULL;
    }

    root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &reason);
    if (root == NULL) {
        ag_error(error, "%s at byte %d",
                 json_error_code(&reason) == json_error_duplicate_key
                 ? "JSON with a duplicate member" : "invalid JSON",
                 reason.position);
        return NULL;
    }

    if (!json_is_object(root)) {
        json_decref(root);
        ag_error(error, "JSON is not an object");
        return NULL;
    }

    return root;
}


/* the parser recurses, so depth is bounded before it sees anything */

static bool
ag_json_too_deep(const char *data, size_t len)
{
    int     depth;
    bool    quoted;
    size_t  i;

    depth = 0;
    quoted = false;

    for (i = 0; i < len; i++) {
        switch (data[i]) {

        case '"':
            quoted = !quoted;
            break;

        case '\\':
            i += quoted;
            break;

        case '{':
        case '[':
            if (!quoted && ++depth > AG_JSON_DEPTH) {
                return true;
            }
            break;

        case '}':
        case ']':
            depth -= !quoted;
            break;
        }
    }

    return false;
}


json_t *
ag_json_get(const json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}


const char *
ag_json_string(const json_t *object, const char *name)
{
    return json_string_value(ag_json_get(object, name));
}


bool
ag_json_bool(const json_t *object, const char *name, bool absent)
{
    json_t  *value;

    value = ag_json_get(object, name);

    return value ? json_is_true(value) : absent;
}


bool
ag_json_has(const json_t *array, const char *string)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(array, i, item) {
        if (strcmp(json_string_value(item), string) == 0) {
            return true;
        }
    }

    return false;
}


char *
ag_json_dump(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT);
}
