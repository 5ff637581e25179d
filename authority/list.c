/*
 * GET /v1/tokens
 */

#include "bearer.h"
#include "model.h"
#include "parameter.h"

#include <stdlib.h>
#include <string.h>


/* tokens on their way to a reply */

typedef struct {
    const ag_authority_t  *authority;
    ag_text_t              text;
    bool                   more;
} ag_list_reply_t;


static void ag_list_answer(const ag_authority_t *authority,
    const ag_org_t *org, ag_filter_t *filter, ag_reply_t *reply);
static int ag_list_item(void *data, const ag_token_t *token);


#define ag_list_field(name)  offsetof(ag_filter_t, name)


static const ag_parameter_t  ag_list_parameters[] = {
    { "limit", ag_parameter_limit, ag_list_field(limit), false },
    { "sub", ag_parameter_string, ag_list_field(sub), false },
    { "jti", ag_parameter_string, ag_list_field(jti), false },
    { "org", ag_parameter_string, ag_list_field(org), false },
    { "session", ag_parameter_string, ag_list_field(session), false },
    { "iat_from", ag_parameter_date, ag_list_field(iat_from), false },
    { "iat_to", ag_parameter_date, ag_list_field(iat_to), false },
    { "exp_from", ag_parameter_date, ag_list_field(exp_from), false },
    { "exp_to", ag_parameter_date, ag_list_field(exp_to), false },
    { "revoked", ag_parameter_bool, ag_list_field(revoked), false },
    { "scopes", ag_parameter_strings, ag_list_field(patterns), true },
    { NULL, NULL, 0, false }
};


void
ag_list(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    ag_token_t       bearer;
    ag_filter_t      filter;
    const ag_org_t  *org;

    memset(&filter, 0, sizeof(ag_filter_t));

    filter.iat_from = INT64_MIN;
    filter.iat_to = INT64_MAX;
    filter.exp_from = INT64_MIN;
    filter.exp_to = INT64_MAX;
    filter.revoked = -1;
    filter.limit = AG_LIST_MAX;

    if (ag_bearer_check(authority, call, ag_bearer_view, &bearer, &org, reply)
        == AG_OK
        && ag_parameter_read(call, ag_list_parameters, &filter, reply)
           == AG_OK)
    {
        ag_list_answer(authority, org, &filter, reply);
    }

    ag_token_clear(&bearer);
}


static void
ag_list_answer(const ag_authority_t *authority, const ag_org_t *org,
    ag_filter_t *filter, ag_reply_t *reply)
{
    int               rc;
    char             *orgs;
    ag_list_reply_t   list;

    memset(&list, 0, sizeof(ag_list_reply_t));

    list.authority = authority;

    orgs = ag_directory_orgs(authority->directory, org);
    filter->orgs = orgs;

    ag_text_raw(&list.text, "{\"limit\":");
    ag_text_number(&list.text, filter->limit);
    ag_text_raw(&list.text, ",\"tokens\":[");

    rc = orgs ? ag_store_list(authority->store, filter, ag_list_item, &list)
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
