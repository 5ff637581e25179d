/*
 * GET and PUT /users/{user_id}, PUT /users/{user_id}/roles,
 * GET /users/{user_id}/render_roles
 */

#include "users.h"
#include "bearer.h"
#include "change.h"
#include "parameter.h"

#include <string.h>


typedef struct {
    const char  *org_id;
} ag_users_query_t;


static int ag_users_status(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static const ag_subject_t *ag_users_find(const ag_authority_t *authority,
    const ag_call_t *call, const char *const *scopes, ag_reply_t *reply);
static const ag_permission_t *ag_users_permission(
    const ag_authority_t *authority, const ag_call_t *call,
    const ag_subject_t *subject, ag_reply_t *reply);


static const char *const  ag_users_view[] = {
    "urn:agilicus:api:users:owner",
    "urn:agilicus:api:users:viewer",
    NULL
};


static const char *const  ag_users_own[] = {
    "urn:agilicus:api:users:owner",
    NULL
};


static const ag_parameter_t  ag_users_parameters[] = {
    { "org_id", ag_parameter_string, offsetof(ag_users_query_t, org_id),
      false },
    { NULL, NULL, 0, false }
};


static const ag_member_t  ag_user_members[] = {
    { "status", AG_STRING, 0, 1, 32, ag_users_status },
    { "disabled_at_time", AG_STRING, 0, 1, 64, ag_shape_date },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_role_members[] = {
    { "roles", AG_OBJECT, AG_REQUIRED, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static int
ag_users_status(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    ag_status_e  status;

    return ag_subject_status(json_string_value(value), &status) == AG_OK
           ? AG_OK
           : ag_error_at(error, path, "is none of active, pending and "
                         "disabled");
}


void
ag_users_get(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    const ag_subject_t  *subject;

    subject = ag_users_find(authority, call, ag_users_view, reply);

    if (subject) {
        ag_reply_json(reply, 200, ag_subject_user(subject));
    }
}


/*
 * The user of the path, for a bearer with one of the scopes whose organisation
 * is that of the user or one above it. NULL with the reply set.
 */

static const ag_subject_t *
ag_users_find(const ag_authority_t *authority, const ag_call_t *call,
    const char *const *scopes, ag_reply_t *reply)
{
    int                  rc;
    ag_token_t           bearer;
    const ag_org_t      *org;
    const ag_subject_t  *subject;

    rc = ag_bearer_check(authority, call, scopes, &bearer, &org, reply);

    ag_token_clear(&bearer);

    if (rc != AG_OK) {
        return NULL;
    }

    subject = ag_directory_subject(authority->directory, call->id);

    if (subject == NULL || !ag_org_within(subject->org, org)) {
        ag_reply_error(reply, 404, "USER_NOT_FOUND", "there is no such user");
        return NULL;
    }

    return subject;
}


/* members that are not about the status are left alone, and so is "enabled" */

void
ag_users_replace(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    int64_t              disabled_at;
    const char          *text;
    ag_status_e          status;
    const ag_subject_t  *subject;

    subject = ag_users_find(authority, call, ag_users_own, reply);

    if (subject == NULL
        || ag_operation_check(call, ag_user_members, reply) != AG_OK)
    {
        return;
    }

    status = subject->status;
    disabled_at = subject->disabled_at;

    text = ag_json_string(call->body, "status");

    if (text) {
        (void) ag_subject_status(text, &status);
    }

    /* null is no date, and an absent member is no change */

    text = ag_json_string(call->body, "disabled_at_time");

    if (text) {
        (void) ag_date_parse(text, strlen(text), &disabled_at);

    } else if (json_object_get(call->body, "disabled_at_time")) {
        disabled_at = AG_NEVER;
    }

    if (ag_change_status(authority->store, authority->directory, subject,
                         status, disabled_at) == AG_OK)
    {
        ag_reply_json(reply, 200, ag_subject_user(subject));

    } else {
        ag_reply_failed(reply);
    }
}


void
ag_users_replace_roles(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    json_t                 *roles;
    ag_error_t              error;
    const ag_subject_t     *subject;
    const ag_permission_t  *permission;

    subject = ag_users_find(authority, call, ag_users_own, reply);

    if (subject == NULL
        || ag_operation_check(call, ag_role_members, reply) != AG_OK)
    {
        return;
    }

    permission = ag_users_permission(authority, call, subject, reply);

    if (permission == NULL) {
        return;
    }

    roles = ag_json_get(call->body, "roles");

    if (ag_change_check_roles(authority->directory, permission, roles, &error)
        != AG_OK)
    {
        ag_reply_error(reply, 400, "INVALID_REQUEST", error.text);

    } else if (ag_change_roles(authority->store, authority->directory,
                               subject, permission, roles) == AG_OK)
    {
        reply->status = 204;

    } else {
        ag_reply_failed(reply);
    }
}


/*
 * The permission of a user, who may be disabled, in the organisation of the
 * query, or else in its own. NULL with the reply set.
 */

static const ag_permission_t *
ag_users_permission(const ag_authority_t *authority, const ag_call_t *call,
    const ag_subject_t *subject, ag_reply_t *reply)
{
    size_t             i;
    const ag_org_t    *org;
    ag_users_query_t   query;

    memset(&query, 0, sizeof(ag_users_query_t));

    if (ag_parameter_read(call, ag_users_parameters, &query, reply) != AG_OK) {
        return NULL;
    }

    org = query.org_id ? ag_directory_org(authority->directory, query.org_id)
                       : subject->org;

    for (i = 0; i < subject->npermissions; i++) {
        if (subject->permissions[i].org == org) {
            return &subject->permissions[i];
        }
    }

    ag_reply_error(reply, 404, "USER_NOT_FOUND",
                   "the user has no permission in this organisation");

    return NULL;
}


void
ag_users_roles(const ag_authority_t *authority, const ag_call_t *call,
    ag_reply_t *reply)
{
    const ag_subject_t     *subject;
    const ag_permission_t  *permission;

    subject = ag_users_find(authority, call, ag_users_view, reply);

    if (subject == NULL) {
        return;
    }

    permission = ag_users_permission(authority, call, subject, reply);

    if (permission) {
        ag_reply_json(reply, 200, json_deep_copy(permission->roles));
    }
}
