/*
 * CreateTokenRequest, and POST /v1/tokens/validations, which answers with one.
 */

#include "validate.h"
#include "rights.h"
#include "rule.h"
#include "scope.h"

#include <string.h>


/* where neither part of a request says how long a token is valid */

#define AG_DURATION_DEFAULT  3600


static int ag_validate_time_validity(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_validate_token_validity(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_validate_roles(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_validate_lifetime(const ag_call_t *call, ag_token_t *token,
    ag_error_t *error);
static bool ag_validate_when(const json_t *validity, const char *name,
    int64_t *seconds);
static int64_t ag_validate_duration(const json_t *body);
static json_t *ag_validate_echo(const ag_authority_t *authority,
    const json_t *body);


static const ag_member_t  ag_time_validity_members[] = {
    { "duration", AG_INTEGER, 0, 1, AG_DURATION_MAX, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_token_validity_members[] = {
    { "start", AG_STRING, 0, 1, 64, ag_shape_date },
    { "duration", AG_INTEGER, 0, 1, AG_DURATION_MAX, NULL },
    { "end", AG_STRING, 0, 1, 64, ag_shape_date },
    { "does_not_expire", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


const ag_member_t  ag_validate_members[] = {
    { "sub", AG_STRING, AG_REQUIRED, 1, AG_ITEM_MAX, NULL },
    { "org", AG_STRING, AG_REQUIRED, 1, AG_ITEM_MAX, NULL },
    { "audiences", AG_STRINGS, AG_REQUIRED, 1, 16, NULL },
    { "time_validity", AG_OBJECT, AG_REQUIRED, 0, 0,
      ag_validate_time_validity },
    { "roles", AG_OBJECT, 0, 0, 0, ag_validate_roles },
    { "hosts", AG_ARRAY, 0, 0, 256, ag_rule_check_host },
    { "token_validity", AG_OBJECT, 0, 0, 0, ag_validate_token_validity },
    { "session", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "scopes", AG_STRINGS, 0, 0, 1000, ag_scope_check },
    { "inherit_session", AG_BOOL, 0, 0, 0, NULL },
    { "create_refresh_token", AG_BOOL, 0, 0, 0, NULL },
    { "get_user", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static int
ag_validate_time_validity(json_t *value, const ag_path_t *path,
    ag_error_t *error)
{
    return ag_shape_check(value, ag_time_validity_members, false, path, error);
}


static int
ag_validate_token_validity(json_t *value, const ag_path_t *path,
    ag_error_t *error)
{
    return ag_shape_check(value, ag_token_validity_members, false, path,
                          error);
}


/* application to a role, as the API has it, or to an array of roles */

static int
ag_validate_roles(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    size_t       i;
    json_t      *role, *item;
    ag_path_t    here;
    const char  *app;

    json_object_foreach(value, app, role) {
        here = (ag_path_t) { path, app, 0 };

        if (!json_is_string(role) && !json_is_array(role)) {
            return ag_error_at(error, &here, "is not a role");
        }

        json_array_foreach(role, i, item) {
            if (!json_is_string(item)) {
                return ag_error_at(error, &here, "is not an array of roles");
            }
        }
    }

    return AG_OK;
}


int
ag_validate_request(const ag_directory_t *directory, const ag_call_t *call,
    ag_token_t *token, ag_reply_t *reply)
{
    int         rc;
    ag_wish_t   wish;
    ag_error_t  error;

    if (ag_validate_lifetime(call, token, &error) != AG_OK) {
        ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);
        return AG_MALFORMED;
    }

    wish.sub = ag_json_string(call->body, "sub");
    wish.org = ag_json_string(call->body, "org");
    wish.scopes = ag_json_get(call->body, "scopes");
    wish.roles = ag_json_get(call->body, "roles");
    wish.hosts = ag_json_get(call->body, "hosts");

    rc = ag_rights_grant(directory, &wish, token, &error);

    if (rc == AG_DECLINED) {
        ag_reply_error(reply, 403, "FORBIDDEN", error.text);
        return AG_DECLINED;
    }

    if (rc == AG_OK) {
        token->aud = ag_json_dump(ag_json_get(call->body, "audiences"));
        rc = token->aud ? AG_OK : AG_ERROR;
    }

    return rc;
}


/* token_validity, the richer one, counts before time_validity */

static int
ag_validate_lifetime(const ag_call_t *call, ag_token_t *token,
    ag_error_t *error)
{
    int64_t        start;
    const json_t  *validity;

    validity = ag_json_get(call->body, "token_validity");

    token->iat = call->now;
    token->nbf = call->now;

    if (ag_validate_when(validity, "start", &start) && start > call->now) {
        token->nbf = start;
    }

    if (ag_json_bool(validity, "does_not_expire", false)) {
        token->exp = AG_NEVER;

    } else if (!ag_validate_when(validity, "end", &token->exp)) {
        token->exp = token->nbf + ag_validate_duration(call->body);
    }

    if (token->nbf > call->now + AG_DURATION_MAX
        || (token->exp != AG_NEVER
            && (token->exp <= token->nbf
                || token->exp > token->nbf + AG_DURATION_MAX)))
    {
        return ag_error(error, "token_validity: is no time from now on, or "
                        "too long");
    }

    return AG_OK;
}


static bool
ag_validate_when(const json_t *validity, const char *name, int64_t *seconds)
{
    const char  *text;

    text = ag_json_string(validity, name);

    return text && ag_date_parse(text, strlen(text), seconds) == AG_OK;
}


static int64_t
ag_validate_duration(const json_t *body)
{
    json_t  *duration;

    duration = ag_json_get(ag_json_get(body, "token_validity"), "duration");

    if (duration == NULL) {
        duration = ag_json_get(ag_json_get(body, "time_validity"), "duration");
    }

    return duration ? json_integer_value(duration) : AG_DURATION_DEFAULT;
}


void
ag_validate(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int         rc;
    ag_token_t  token;

    if (ag_operation_check(call, ag_validate_members, reply) != AG_OK) {
        return;
    }

    memset(&token, 0, sizeof(ag_token_t));

    rc = ag_validate_request(authority->directory, call, &token, reply);

    if (rc == AG_OK) {
        ag_reply_json(reply, 200, ag_validate_echo(authority, call->body));

    } else if (rc == AG_ERROR) {
        ag_reply_failed(reply);
    }

    ag_token_clear(&token);
}


/*
 * The request as it came, less the optional scopes that would not be granted:
 * new reference, or NULL.
 */

static json_t *
ag_validate_echo(const ag_authority_t *authority, const json_t *body)
{
    json_t                 *echo, *granted, *scopes;
    ag_error_t              error;
    const ag_permission_t  *permission;

    echo = json_copy((json_t *) (uintptr_t) body);
    scopes = ag_json_get(body, "scopes");

    if (scopes == NULL) {
        return echo;
    }

    permission = ag_subject_permission(
                     ag_directory_subject(authority->directory,
                                          ag_json_string(body, "sub")),
                     ag_directory_org(authority->directory,
                                      ag_json_string(body, "org")));

    if (permission == NULL
        || ag_scope_grant(permission->scopes, scopes, true, &granted, &error)
           != AG_OK
        || json_object_set_new(echo, "scopes", granted) != 0)
    {
        json_decref(echo);
        return NULL;
    }

    return echo;
}
