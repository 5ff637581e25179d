/*
 * The parameters of a query.
 */

#include "parameter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>


static int ag_parameter_one(const ag_parameter_t *table,
    const ag_query_t *item, void *fields, unsigned *seen, ag_error_t *error);


int
ag_parameter_read(const ag_call_t *call, const ag_parameter_t *table,
    void *fields, ag_reply_t *reply)
{
    size_t      i;
    unsigned    seen;
    ag_error_t  error;

    seen = 0;

    for (i = 0; i < call->nquery; i++) {
        if (ag_parameter_one(table, &call->query[i], fields, &seen, &error)
            != AG_OK)
        {
            ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


static int
ag_parameter_one(const ag_parameter_t *table, const ag_query_t *item,
    void *fields, unsigned *seen, ag_error_t *error)
{
    size_t                 i;
    const ag_parameter_t  *parameter;

    for (i = 0; table[i].name; i++) {
        parameter = &table[i];

        if (strcmp(parameter->name, item->name) != 0) {
            continue;
        }

        if (!parameter->repeated && *seen & 1U << i) {
            return ag_error(error, "%s: is there twice", item->name);
        }

        *seen |= 1U << i;

        if (parameter->set((char *) fields + parameter->offset, item->value)
            != AG_OK)
        {
            return ag_error(error, "%s: cannot be read", item->name);
        }
    }

    return AG_OK;
}


int
ag_parameter_string(void *field, const char *value)
{
    *(const char **) field = value;

    return AG_OK;
}


int
ag_parameter_strings(void *field, const char *value)
{
    ag_strings_t *strings = field;

    if (*value == '\0' || strings->n == AG_STRINGS_MAX) {
        return AG_MALFORMED;
    }

    strings->items[strings->n++] = value;

    return AG_OK;
}


int
ag_parameter_date(void *field, const char *value)
{
    return ag_date_parse(value, strlen(value), field);
}


int
ag_parameter_bool(void *field, const char *value)
{
    int *flag = field;

    *flag = (strcasecmp(value, "true") == 0);

    return *flag || strcasecmp(value, "false") == 0 ? AG_OK : AG_MALFORMED;
}


int
ag_parameter_limit(void *field, const char *value)
{
    int *limit = field;

    int     n;
    size_t  len;

    len = strlen(value);

    if (len == 0 || len > 3 || strspn(value, "0123456789") != len) {
        return AG_MALFORMED;
    }

    n = atoi(value);

    if (n < 1 || n > *limit) {
        return AG_MALFORMED;
    }

    *limit = n;

    return AG_OK;
}
