/*
 * POST /v1/tokens/introspect
 */

#include "introspect.h"
#include "state.h"

#include <string.h>


static int ag_introspect_orgs(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static void ag_introspect_active(const ag_authority_t *authority,
    const ag_call_t *call, const ag_token_t *token, ag_reply_t *reply);


static const ag_member_t  ag_introspect_members[] = {
    { "token", AG_STRING, AG_REQUIRED, 1, AG_TOKEN_MAX, NULL },
    { "introspect_options", AG_OBJECT, 0, 0, 0, ag_introspect_options },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_option_members[] = {
    { "exclude_roles", AG_BOOL, 0, 0, 0, NULL },
    { "support_http_matchers", AG_BOOL, 0, 0, 0, NULL },
    { "target_org_info", AG_OBJECT, 0, 0, 0, ag_introspect_orgs },
    { "no_cache", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_org_info_members[] = {
    { "target_orgs", AG_STRINGS, 0, 0, 1000, NULL },
    { "target_domain", AG_STRING, 0, 0, 255, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


void
ag_introspect(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    json_t      *text;
    ag_token_t   token;

    if (ag_operation_check(call, ag_introspect_members, reply) != AG_OK) {
        return;
    }

    text = ag_json_get(call->body, "token");

    switch (ag_state_find(authority, json_string_value(text),
                          json_string_length(text), call->now, &token))
    {

    case AG_ACTIVE:
        ag_introspect_active(authority, call, &token, reply);
        break;

    case AG_REVOKED:
        ag_reply_error(reply, 410, "TOKEN_REVOKED", "the token was revoked");
        break;

    case AG_DISABLED:
        if (authority->disabled_user == 200) {
            ag_introspect_active(authority, call, &token, reply);

        } else {
            ag_reply_error(reply, authority->disabled_user,
                           authority->disabled_user == 410
                           ? "TOKEN_REVOKED" : "TOKEN_NOT_FOUND",
                           "the user of the token is disabled");
        }
        break;

    case AG_EXPIRED:
    case AG_INACTIVE:
    case AG_UNKNOWN:
        ag_reply_error(reply, 404, "TOKEN_NOT_FOUND",
                       "there is no such active token");
        break;

    case AG_NOT_A_TOKEN:
        ag_reply_error(reply, 400, "INVALID_TOKEN",
                       "token: is not a token, or has no jti");
        break;

    case AG_FAILED:
        ag_reply_failed(reply);
        break;
    }

    ag_reply_about(reply, token.jti);
    ag_token_clear(&token);
}


int
ag_introspect_options(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_option_members, false, path, error);
}


static int
ag_introspect_orgs(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_org_info_members, false, path, error);
}


void
ag_introspect_model(const json_t *body, ag_model_options_t *model)
{
    json_t  *options;

    options = ag_json_get(body, "introspect_options");

    memset(model, 0, sizeof(ag_model_options_t));

    model->exclude_roles = ag_json_bool(options, "exclude_roles", false);
    model->support_http_matchers = ag_json_bool(options,
                                                "support_http_matchers",
                                                false);
}


static void
ag_introspect_active(const ag_authority_t *authority, const ag_call_t *call,
    const ag_token_t *token, ag_reply_t *reply)
{
    ag_text_t            text;
    ag_model_options_t   model;

    memset(&text, 0, sizeof(ag_text_t));

    ag_introspect_model(call->body, &model);

    ag_model_token(&text, authority, token, &model);
    ag_reply_text(reply, 200, &text);
}
