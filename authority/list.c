/*
 * GET /v1/tokens
 */

#include "bearer.h"
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>


/* a query on its way to a filter */

typedef struct {
    ag_filter_t  filter;
    ag_error_t   error;
} ag_list_query_t;


/* tokens on their way to a reply */

typedef struct {
    const ag_authority_t  *authority;
    ag_text_t              text;
    bool                   more;
} ag_list_reply_t;


typedef int (*ag_parameter_pt)(ag_list_query_t *query, const char *value,
    size_t offset);


typedef struct {
    const char       *name;
    ag_parameter_pt   set;
    size_t            offset;   /* in the filter */
    bool              once;
} ag_parameter_t;


static int ag_list_read(const ag_call_t *call, ag_list_query_t *query);
static int ag_list_parameter(ag_list_query_t *query, const ag_query_t *item,
    unsigned *seen);
static int ag_list_set_string(ag_list_query_t *query, const char *value,
    size_t offset);
static int ag_list_set_date(ag_list_query_t *query, const char *value,
    size_t offset);
static int ag_list_set_limit(ag_list_query_t *query, const char *value,
    size_t offset);
static int ag_list_set_revoked(ag_list_query_t *query, const char *value,
    size_t offset);
static int ag_list_set_scopes(ag_list_query_t *query, const char *value,
    size_t offset);
static void ag_list_answer(const ag_authority_t *authority,
    const ag_org_t *org, ag_list_query_t *query, ag_reply_t *reply);
static char *ag_list_orgs(const ag_directory_t *directory,
    const ag_org_t *org);
static int ag_list_item(void *data, const ag_token_t *token);


static const ag_parameter_t  ag_list_parameters[] = {
    { "limit", ag_list_set_limit, 0, true },
    { "sub", ag_list_set_string, offsetof(ag_filter_t, sub), true },
    { "jti", ag_list_set_string, offsetof(ag_filter_t, jti), true },
    { "org", ag_list_set_string, offsetof(ag_filter_t, org), true },
    { "session", ag_list_set_string, offsetof(ag_filter_t, session), true },
    { "iat_from", ag_list_set_date, offsetof(ag_filter_t, iat_from), true },
    { "iat_to", ag_list_set_date, offsetof(ag_filter_t, iat_to), true },
    { "exp_from", ag_list_set_date, offsetof(ag_filter_t, exp_from), true },
    { "exp_to", ag_list_set_date, offsetof(ag_filter_t, exp_to), true },
    { "revoked", ag_list_set_revoked, 0, true },
    { "scopes", ag_list_set_scopes, 0, false },
    { NULL, NULL, 0, false }
};


static const char *const  ag_list_scopes[] = {
    "urn:agilicus:api:traffic-tokens:owner",
    "urn:agilicus:api:traffic-tokens:viewer",
    NULL
};


void
ag_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t        bearer;
    const ag_org_t   *org;
    ag_list_query_t   query;

    memset(&query, 0, sizeof(ag_list_query_t));

    if (ag_bearer_check(authority, call, ag_list_scopes, &bearer, &org, reply)
        == AG_OK)
    {
        if (ag_list_read(call, &query) == AG_OK) {
            ag_list_answer(authority, org, &query, reply);

        } else {
            ag_reply_error(reply, 400, "INVALID_REQUEST", query.error.text);
        }
    }

    ag_token_clear(&bearer);
}


static int
ag_list_read(const ag_call_t *call, ag_list_query_t *query)
{
    size_t       i;
    unsigned     seen;
    ag_filter_t *filter;

    filter = &query->filter;

    filter->iat_from = INT64_MIN;
    filter->iat_to = INT64_MAX;
    filter->exp_from = INT64_MIN;
    filter->exp_to = INT64_MAX;
    filter->revoked = -1;
    filter->limit = AG_LIST_MAX;

    seen = 0;

    for (i = 0; i < call->nquery; i++) {
        if (ag_list_parameter(query, &call->query[i], &seen) != AG_OK) {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


/* a parameter that is not known is left alone: clients may be newer */

static int
ag_list_parameter(ag_list_query_t *query, const ag_query_t *item,
    unsigned *seen)
{
    size_t                 i;
    const ag_parameter_t  *parameter;

    for (i = 0; ag_list_parameters[i].name; i++) {
        parameter = &ag_list_parameters[i];

        if (strcmp(parameter->name, item->name) != 0) {
            continue;
        }

        if (parameter->once && *seen & 1U << i) {
            return ag_error(&query->error, "%s: is there twice", item->name);
        }

        *seen |= 1U << i;

        if (parameter->set(query, item->value, parameter->offset) != AG_OK) {
            return ag_error(&query->error, "%s: cannot be read", item->name);
        }
    }

    return AG_OK;
}


static int
ag_list_set_string(ag_list_query_t *query, const char *value, size_t offset)
{
    const char  **field;

    field = (const char **) ((char *) &query->filter + offset);
    *field = value;

    return AG_OK;
}


static int
ag_list_set_date(ag_list_query_t *query, const char *value, size_t offset)
{
    int64_t  *field;

    field = (int64_t *) ((char *) &query->filter + offset);

    return ag_date_parse(value, strlen(value), field);
}


static int
ag_list_set_limit(ag_list_query_t *query, const char *value, size_t offset)
{
    size_t  len;

    (void) offset;

    len = strlen(value);

    if (len == 0 || len > 3 || strspn(value, "0123456789") != len) {
        return AG_MALFORMED;
    }

    query->filter.limit = atoi(value);

    return query->filter.limit >= 1 && query->filter.limit <= AG_LIST_MAX
           ? AG_OK : AG_MALFORMED;
}


static int
ag_list_set_revoked(ag_list_query_t *query, const char *value, size_t offset)
{
    (void) offset;

    if (strcasecmp(value, "true") == 0) {
        query->filter.revoked = 1;
        return AG_OK;
    }

    query->filter.revoked = 0;

    return strcasecmp(value, "false") == 0 ? AG_OK : AG_MALFORMED;
}


/* an array in a query: the parameter is repeated */

static int
ag_list_set_scopes(ag_list_query_t *query, const char *value, size_t offset)
{
    ag_filter_t  *filter;

    (void) offset;

    filter = &query->filter;

    if (*value == '\0' || filter->npatterns == AG_PATTERNS_MAX) {
        return AG_MALFORMED;
    }

    filter->patterns[filter->npatterns++] = value;

    return AG_OK;
}


static void
ag_list_answer(const ag_authority_t *authority, const ag_org_t *org,
    ag_list_query_t *query, ag_reply_t *reply)
{
    int               rc;
    char             *orgs;
    ag_list_reply_t   list;

    memset(&list, 0, sizeof(ag_list_reply_t));

    list.authority = authority;

    orgs = ag_list_orgs(authority->directory, org);
    query->filter.orgs = orgs;

    ag_text_raw(&list.text, "{\"limit\":");
    ag_text_number(&list.text, query->filter.limit);
    ag_text_raw(&list.text, ",\"tokens\":[");

    rc = orgs ? ag_store_list(authority->store, &query->filter, ag_list_item,
                              &list)
              : AG_ERROR;

    ag_text_raw(&list.text, "]}");

    if (rc == AG_OK) {
        ag_reply_text(reply, 200, &list.text);

    } else {
        ag_text_free(&list.text);
        ag_reply_failed(reply);
    }

    free(orgs);
}


/* the caller's organisation and all below it, as a JSON array, or NULL */

static char *
ag_list_orgs(const ag_directory_t *directory, const ag_org_t *org)
{
    char        *orgs;
    size_t       i, len;
    ag_text_t    text;
    const char  *comma;

    memset(&text, 0, sizeof(ag_text_t));

    comma = "[";

    for (i = 0; i < directory->norgs; i++) {
        if (ag_org_within(&directory->orgs[i], org)) {
            ag_text_raw(&text, comma);
            ag_text_quoted(&text, directory->orgs[i].id);
            comma = ",";
        }
    }

    ag_text_raw(&text, "]");

    orgs = ag_text_take(&text, &len);

    return orgs;
}


static int
ag_list_item(void *data, const ag_token_t *token)
{
    ag_list_reply_t *list = data;

    static const ag_model_options_t  listed = { false, false, true };

    if (list->more) {
        ag_text_raw(&list->text, ",");
    }

    list->more = true;

    ag_model_token(&list->text, list->authority, token, &listed);

    return AG_OK;
}
