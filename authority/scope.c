/*
 * Scopes.
 */

#include "scope.h"

#include <ctype.h>
#include <string.h>


static int ag_scope_consider(const json_t *permitted, const char *requested,
    bool spelled, json_t *granted, ag_error_t *error);
static bool ag_scope_same(char a, char b);


bool
ag_scope_covers(const char *permitted, const char *requested)
{
    size_t  p, r;

    for ( ;; ) {
        p = strcspn(permitted, ":");
        r = strcspn(requested, ":");

        if (p == 1 && permitted[0] == '*' && r > 0) {

            if (permitted[1] == '\0') {
                return true;
            }

        } else if (p != r || memcmp(permitted, requested, p) != 0) {
            return false;
        }

        if (permitted[p] != requested[r]) {
            return false;
        }

        if (permitted[p] == '\0') {
            return true;
        }

        permitted += p + 1;
        requested += r + 1;
    }
}


bool
ag_scope_permitted(const json_t *permitted, const char *requested)
{
    size_t   i;
    json_t  *scope;

    json_array_foreach(permitted, i, scope) {
        if (ag_scope_covers(json_string_value(scope), requested)) {
            return true;
        }
    }

    return false;
}


bool
ag_scope_is_valid(const char *text)
{
    size_t       len;
    const char  *p;

    len = strlen(text);

    if (len == 0 || len > AG_SCOPE_MAX || strcmp(text, "?") == 0) {
        return false;
    }

    for (p = text; *p; p++) {
        if (*p < 0x21 || *p > 0x7e || *p == '"' || *p == '\\') {
            return false;
        }
    }

    return true;
}


int
ag_scope_check(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    if (!json_is_string(value)
        || !ag_scope_is_valid(json_string_value(value)))
    {
        return ag_error_at(error, path, "is not a scope");
    }

    return AG_OK;
}


int
ag_scope_grant(const json_t *permitted, const json_t *requested, bool spelled,
    json_t **granted, ag_error_t *error)
{
    int      rc;
    size_t   i;
    json_t  *scope, *list;

    list = json_array();
    if (list == NULL) {
        return AG_ERROR;
    }

    json_array_foreach(requested, i, scope) {
        rc = ag_scope_consider(permitted, json_string_value(scope), spelled,
                               list, error);

        if (rc != AG_OK) {
            json_decref(list);
            return rc;
        }
    }

    *granted = list;

    return AG_OK;
}


static int
ag_scope_consider(const json_t *permitted, const char *requested, bool spelled,
    json_t *granted, ag_error_t *error)
{
    char         scope[AG_SCOPE_MAX + 1];
    bool         optional;
    size_t       len;
    const char  *keep;

    len = strlen(requested);
    optional = (requested[len - 1] == '?');

    memcpy(scope, requested, len + 1);

    if (optional) {
        scope[len - 1] = '\0';
    }

    if (!ag_scope_permitted(permitted, scope)) {

        if (optional) {
            return AG_OK;
        }

        ag_error(error, "scope \"%s\" is not permitted", scope);
        return AG_DECLINED;
    }

    keep = spelled ? requested : scope;

    if (ag_json_has(granted, keep)) {
        return AG_OK;
    }

    return json_array_append_new(granted, json_string(keep)) == 0
           ? AG_OK : AG_ERROR;
}


/* on a mismatch, the last "%" takes one character more, and no other does */

bool
ag_scope_like(const char *pattern, const char *text)
{
    const char  *percent, *resume;

    percent = NULL;
    resume = NULL;

    while (*text) {
        if (*pattern == '%') {
            percent = pattern++;
            resume = text;
            continue;
        }

        if (*pattern && ag_scope_same(*pattern, *text)) {
            pattern++;
            text++;
            continue;
        }

        if (percent == NULL) {
            return false;
        }

        pattern = percent + 1;
        text = ++resume;
    }

    while (*pattern == '%') {
        pattern++;
    }

    return *pattern == '\0';
}


static bool
ag_scope_same(char a, char b)
{
    return a == '_'
           || tolower((unsigned char) a) == tolower((unsigned char) b);
}
