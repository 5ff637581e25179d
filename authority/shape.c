/*
 * The shape of a JSON object, as a table.
 */

#include "shape.h"
#include "date.h"

#include <string.h>


static int ag_shape_known(json_t *object, const ag_member_t *table,
    const ag_path_t *path, ag_error_t *error);
static int ag_shape_member(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error);
static int ag_shape_string(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error);
static int ag_shape_array(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error);


int
ag_shape_check(json_t *object, const ag_member_t *table, bool closed,
    const ag_path_t *path, ag_error_t *error)
{
    json_t             *value;
    ag_path_t           here;
    const ag_member_t  *member;

    if (!json_is_object(object)) {
        return ag_error_at(error, path, "is not an object");
    }

    if (closed && ag_shape_known(object, table, path, error) != AG_OK) {
        return AG_MALFORMED;
    }

    for (member = table; member->name; member++) {
        here.up = path;
        here.name = member->name;
        here.index = 0;

        value = ag_json_get(object, member->name);

        if (value == NULL) {
            if (member->flags & AG_REQUIRED) {
                return ag_error_at(error, &here, "is missing");
            }

            continue;
        }

        if (ag_shape_member(value, member, &here, error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


static int
ag_shape_known(json_t *object, const ag_member_t *table,
    const ag_path_t *path, ag_error_t *error)
{
    json_t             *value;
    ag_path_t           here;
    const char         *name;
    const ag_member_t  *member;

    json_object_foreach(object, name, value) {
        member = table;

        while (member->name && strcmp(member->name, name) != 0) {
            member++;
        }

        if (member->name == NULL) {
            here.up = path;
            here.name = name;
            here.index = 0;

            return ag_error_at(error, &here, "is not a known member");
        }
    }

    return AG_OK;
}


static int
ag_shape_member(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error)
{
    int64_t  n;

    switch (member->kind) {

    case AG_STRING:
    case AG_IDENTIFIER:
        if (ag_shape_string(value, member, path, error) != AG_OK) {
            return AG_MALFORMED;
        }
        break;

    case AG_BOOL:
        if (!json_is_boolean(value)) {
            return ag_error_at(error, path, "is not a boolean");
        }
        break;

    case AG_INTEGER:
        n = json_integer_value(value);

        if (!json_is_integer(value) || n < member->min || n > member->max) {
            return ag_error_at(error, path,
                               "is not an integer from %lld to %lld",
                               (long long) member->min,
                               (long long) member->max);
        }
        break;

    case AG_OBJECT:
        if (!json_is_object(value)) {
            return ag_error_at(error, path, "is not an object");
        }
        break;

    case AG_STRINGS:
    case AG_ARRAY:
        return ag_shape_array(value, member, path, error);

    case AG_ANY:
        break;
    }

    return member->check ? member->check(value, path, error) : AG_OK;
}


static int
ag_shape_string(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error)
{
    int64_t  len;

    if (!json_is_string(value)) {
        return ag_error_at(error, path, "is not a string");
    }

    if (member->kind == AG_IDENTIFIER) {
        return ag_shape_is_identifier(json_string_value(value))
               ? AG_OK
               : ag_error_at(error, path, "is not an identifier of 1 to %d "
                             "letters, digits, \".\", \"_\", \"~\" or \"-\"",
                             AG_ID_MAX);
    }

    len = (int64_t) json_string_length(value);

    if (len < member->min || len > member->max) {
        return ag_error_at(error, path, "does not have %lld to %lld bytes",
                           (long long) member->min, (long long) member->max);
    }

    return AG_OK;
}


static int
ag_shape_array(json_t *value, const ag_member_t *member,
    const ag_path_t *path, ag_error_t *error)
{
    size_t      i;
    json_t     *item;
    int64_t     n;
    ag_path_t   here;

    static const ag_member_t  string = {
        "", AG_STRING, 0, 1, AG_ITEM_MAX, NULL
    };

    n = (int64_t) json_array_size(value);

    if (!json_is_array(value) || n < member->min || n > member->max) {
        return ag_error_at(error, path, "is not an array of %lld to %lld",
                           (long long) member->min, (long long) member->max);
    }

    here.up = path;
    here.name = NULL;

    json_array_foreach(value, i, item) {
        here.index = i;

        if (member->kind == AG_STRINGS
            && ag_shape_string(item, &string, &here, error) != AG_OK)
        {
            return AG_MALFORMED;
        }

        if (member->check && member->check(item, &here, error) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


int
ag_shape_date(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    int64_t  seconds;

    if (ag_date_parse(json_string_value(value), json_string_length(value),
                      &seconds) != AG_OK)
    {
        return ag_error_at(error, path, "is not a date");
    }

    return AG_OK;
}


bool
ag_shape_is_identifier(const char *text)
{
    size_t  len;

    len = strlen(text);

    return len > 0 && len <= AG_ID_MAX
           && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "abcdefghijklmnopqrstuvwxyz"
                           "0123456789._~-") == len;
}
