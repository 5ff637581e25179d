/*
 * The rights of a token: those that it is given when it is made, and those that
 * it has now.
 */

#include "rights.h"
#include "hosts.h"
#include "permission.h"
#include "scope.h"

#include <stdlib.h>


static int ag_rights_grant_scopes(const ag_permission_t *permission,
    const ag_wish_t *wish, ag_token_t *token, ag_error_t *error);
static int ag_rights_grant_roles(const ag_permission_t *permission,
    const json_t *roles, ag_token_t *token, ag_error_t *error);
static int ag_rights_grant_hosts(const ag_directory_t *directory,
    const ag_permission_t *permission, const ag_wish_t *wish,
    const json_t *roles, ag_token_t *token, ag_error_t *error);
static json_t *ag_rights_role_lists(const json_t *roles);
static int ag_rights_dump(char **field, const json_t *value);


int
ag_rights_grant(const ag_directory_t *directory, const ag_wish_t *wish,
    ag_token_t *token, ag_error_t *error)
{
    int                     rc;
    json_t                 *roles;
    const ag_permission_t  *permission;

    permission = ag_subject_permission(
                     ag_directory_subject(directory, wish->sub),
                     ag_directory_org(directory, wish->org));

    /* the caller is not told which of these conditions failed */

    if (permission == NULL) {
        ag_error(error, "the subject has no permission in this organisation");
        return AG_DECLINED;
    }

    if (ag_token_set(&token->sub, wish->sub) != AG_OK
        || ag_token_set(&token->org, wish->org) != AG_OK)
    {
        return AG_ERROR;
    }

    rc = ag_rights_grant_scopes(permission, wish, token, error);
    if (rc != AG_OK) {
        return rc;
    }

    roles = ag_rights_role_lists(wish->roles);

    if (wish->roles && roles == NULL) {
        return AG_ERROR;
    }

    rc = roles ? ag_rights_grant_roles(permission, roles, token, error)
               : AG_OK;

    if (rc == AG_OK && wish->hosts) {
        rc = ag_rights_grant_hosts(directory, permission, wish,
                                   roles ? roles : permission->roles, token,
                                   error);
    }

    json_decref(roles);

    return rc;
}


static int
ag_rights_grant_scopes(const ag_permission_t *permission, const ag_wish_t *wish,
    ag_token_t *token, ag_error_t *error)
{
    int      rc;
    json_t  *granted;

    rc = ag_scope_grant(permission->scopes, wish->scopes, false, &granted,
                        error);
    if (rc != AG_OK) {
        return rc;
    }

    rc = ag_rights_dump(&token->scopes, granted);

    json_decref(granted);

    return rc;
}


static int
ag_rights_grant_roles(const ag_permission_t *permission, const json_t *roles,
    ag_token_t *token, ag_error_t *error)
{
    int      rc;
    bool     whole;
    json_t  *kept;

    kept = ag_permission_roles(permission->roles, roles, &whole);
    if (kept == NULL) {
        return AG_ERROR;
    }

    if (whole) {
        rc = ag_rights_dump(&token->roles, kept);

    } else {
        ag_error(error, "a role that was asked for is not permitted");
        rc = AG_DECLINED;
    }

    json_decref(kept);

    return rc;
}


static int
ag_rights_grant_hosts(const ag_directory_t *directory,
    const ag_permission_t *permission, const ag_wish_t *wish,
    const json_t *roles, ag_token_t *token, ag_error_t *error)
{
    int      rc;
    bool     whole;
    json_t  *permitted, *kept;

    whole = true;

    permitted = ag_hosts_render(directory,
                                ag_directory_subject(directory, wish->sub),
                                permission->org, roles);
    kept = permitted ? ag_hosts_narrow(permitted, wish->hosts, &whole) : NULL;

    if (kept == NULL) {
        rc = AG_ERROR;

    } else if (whole) {
        rc = ag_rights_dump(&token->hosts, wish->hosts);

    } else {
        ag_error(error, "a host or rule that was asked for is not permitted");
        rc = AG_DECLINED;
    }

    json_decref(permitted);
    json_decref(kept);

    return rc;
}


int
ag_rights_as_stated(const ag_wish_t *wish, ag_token_t *token)
{
    int      rc;
    json_t  *roles;

    token->stated = true;

    if (ag_token_set(&token->sub, wish->sub) != AG_OK
        || ag_token_set(&token->org, wish->org) != AG_OK
        || ag_token_set(&token->scopes, "[]") != AG_OK
        || (wish->scopes && ag_rights_dump(&token->scopes, wish->scopes))
        || (wish->hosts && ag_rights_dump(&token->hosts, wish->hosts)))
    {
        return AG_ERROR;
    }

    if (wish->roles == NULL) {
        return AG_OK;
    }

    roles = ag_rights_role_lists(wish->roles);
    rc = roles ? ag_rights_dump(&token->roles, roles) : AG_ERROR;

    json_decref(roles);

    return rc;
}


json_t *
ag_rights_roles(const ag_permission_t *permission, const ag_token_t *token)
{
    bool     whole;
    json_t  *stated, *roles, *none;

    stated = token->roles ? json_loads(token->roles, 0, NULL) : NULL;

    if (token->roles && (stated == NULL || token->stated)) {
        return stated;
    }

    none = json_object();
    roles = ag_permission_roles(permission ? permission->roles : none, stated,
                                &whole);
    json_decref(none);
    json_decref(stated);

    return roles;
}


json_t *
ag_rights_hosts(const ag_directory_t *directory, const ag_subject_t *subject,
    const ag_org_t *org, const json_t *roles, const ag_token_t *token)
{
    bool     whole;
    json_t  *stated, *permitted, *hosts;

    stated = token->hosts ? json_loads(token->hosts, 0, NULL) : NULL;

    if (token->hosts && (stated == NULL || token->stated)) {
        return stated;
    }

    permitted = org ? ag_hosts_render(directory, subject, org, roles)
                    : json_array();

    if (stated == NULL || permitted == NULL) {
        json_decref(stated);
        return permitted;
    }

    hosts = ag_hosts_narrow(permitted, stated, &whole);

    json_decref(permitted);
    json_decref(stated);

    return hosts;
}


/*
 * a request has one role for each application, a Token an array of them: new
 * reference to the latter, or NULL
 */

static json_t *
ag_rights_role_lists(const json_t *roles)
{
    json_t      *lists, *value, *list;
    const char  *app;

    if (roles == NULL) {
        return NULL;
    }

    lists = json_object();

    json_object_foreach((json_t *) (uintptr_t) roles, app, value) {
        list = json_is_array(value) ? json_incref(value)
                                    : json_pack("[O]", value);

        if (json_object_set_new(lists, app, list) != 0) {
            json_decref(lists);
            return NULL;
        }
    }

    return lists;
}


static int
ag_rights_dump(char **field, const json_t *value)
{
    free(*field);
    *field = ag_json_dump(value);

    return *field ? AG_OK : AG_ERROR;
}
