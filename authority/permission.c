/*
 * The permission of a subject in each organisation.
 */

#include "permission.h"
#include "hosts.h"
#include "matchers.h"

#include <stdlib.h>
#include <string.h>


static bool ag_permission_reaches(const ag_grant_t *grant, const ag_org_t *org);
static int ag_permission_add(const ag_directory_t *directory,
    ag_permission_t *permission, const ag_grant_t *grant);
static int ag_permission_add_roles(json_t *roles, const char *app,
    const json_t *more);
static int ag_permission_add_strings(json_t *array, const json_t *more);
static int ag_permission_add_resources(ag_permission_t *permission,
    const json_t *resources, const char *sub);
static int ag_permission_render(const ag_directory_t *directory,
    const ag_subject_t *subject, ag_permission_t *permission);


int
ag_permission_resolve(const ag_directory_t *directory, ag_subject_t *subject)
{
    size_t            i, n;
    const ag_org_t   *org;
    ag_permission_t  *permission;

    subject->permissions = calloc(directory->norgs + 1,
                                  sizeof(ag_permission_t));
    if (subject->permissions == NULL) {
        return AG_ERROR;
    }

    for (i = 0; i < directory->norgs; i++) {
        org = &directory->orgs[i];
        permission = &subject->permissions[subject->npermissions];

        for (n = 0; n < subject->ngrants; n++) {
            if (!ag_permission_reaches(&subject->grants[n], org)) {
                continue;
            }

            permission->org = org;

            if (ag_permission_add(directory, permission, &subject->grants[n])
                != AG_OK
                || ag_permission_add_resources(permission,
                                               subject->grants[n].resources,
                                               subject->id) != AG_OK)
            {
                return AG_ERROR;
            }
        }

        if (permission->org) {
            subject->npermissions++;

            if (ag_permission_render(directory, subject, permission) != AG_OK) {
                return AG_ERROR;
            }
        }
    }

    return AG_OK;
}


static bool
ag_permission_reaches(const ag_grant_t *grant, const ag_org_t *org)
{
    return grant->org == org || (grant->inherit && ag_org_within(org,
                                                                 grant->org));
}


/* roles of an application that the organisation does not use mean nothing */

static int
ag_permission_add(const ag_directory_t *directory, ag_permission_t *permission,
    const ag_grant_t *grant)
{
    json_t          *list;
    const char      *id;
    const ag_app_t  *app;

    if (permission->scopes == NULL) {
        permission->scopes = json_array();
        permission->roles = json_object();
    }

    if (ag_permission_add_strings(permission->scopes, grant->scopes) != AG_OK) {
        return AG_ERROR;
    }

    json_object_foreach((json_t *) (uintptr_t) grant->roles, id, list) {
        app = ag_directory_app(directory, id);

        if (app == NULL || ag_app_instance(app, permission->org) == NULL) {
            continue;
        }

        if (ag_permission_add_roles(permission->roles, id, list) != AG_OK) {
            return AG_ERROR;
        }
    }

    return AG_OK;
}


static int
ag_permission_add_roles(json_t *roles, const char *app, const json_t *more)
{
    json_t  *list;

    list = json_object_get(roles, app);

    if (list == NULL) {
        list = json_array();

        if (json_object_set_new(roles, app, list) != 0) {
            return AG_ERROR;
        }
    }

    return ag_permission_add_strings(list, more);
}


static int
ag_permission_add_strings(json_t *array, const json_t *more)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(more, i, item) {
        if (!ag_json_has(array, json_string_value(item))
            && json_array_append(array, item) != 0)
        {
            return AG_ERROR;
        }
    }

    return array ? AG_OK : AG_ERROR;
}


/* the rows as the API has them */

static int
ag_permission_add_resources(ag_permission_t *permission,
    const json_t *resources, const char *sub)
{
    size_t   i;
    json_t  *item, *row;

    if (permission->resources == NULL) {
        permission->resources = json_array();
    }

    json_array_foreach(resources, i, item) {
        row = json_pack("{s:s, s:s, s:O, s:O, s:O}",
                        "user_id", sub, "org_id", permission->org->id,
                        "resource_role_name", json_object_get(item, "role"),
                        "resource_id", json_object_get(item, "id"),
                        "resource_type", json_object_get(item, "type"));

        if (json_array_append_new(permission->resources, row) != 0) {
            return AG_ERROR;
        }
    }

    return permission->resources ? AG_OK : AG_ERROR;
}


int
ag_permission_set_roles(const ag_directory_t *directory,
    const ag_subject_t *subject, ag_permission_t *permission,
    const json_t *roles)
{
    ag_permission_t  changed;

    changed = *permission;

    changed.roles = json_deep_copy(roles);
    changed.roles_text = NULL;
    changed.hosts_text[0] = NULL;
    changed.hosts_text[1] = NULL;

    if (changed.roles == NULL
        || ag_permission_render(directory, subject, &changed) != AG_OK)
    {
        json_decref(changed.roles);
        free(changed.roles_text);
        free(changed.hosts_text[0]);
        free(changed.hosts_text[1]);

        return AG_ERROR;
    }

    json_decref(permission->roles);
    free(permission->roles_text);
    free(permission->hosts_text[0]);
    free(permission->hosts_text[1]);

    *permission = changed;

    return AG_OK;
}


/* the answer for a token without restrictions, which is most of them */

static int
ag_permission_render(const ag_directory_t *directory,
    const ag_subject_t *subject, ag_permission_t *permission)
{
    json_t  *hosts, *exact;

    hosts = ag_hosts_render(directory, subject, permission->org,
                            permission->roles);
    exact = ag_matchers_exact(hosts);

    if (hosts && exact) {
        permission->roles_text = ag_json_dump(permission->roles);
        permission->hosts_text[0] = ag_json_dump(exact);
        permission->hosts_text[1] = ag_json_dump(hosts);
    }

    json_decref(hosts);
    json_decref(exact);

    return permission->roles_text && permission->hosts_text[0]
           && permission->hosts_text[1] ? AG_OK : AG_ERROR;
}


json_t *
ag_permission_roles(const json_t *permitted, const json_t *restricted,
    bool *whole)
{
    size_t       i;
    json_t      *roles, *list, *kept, *role;
    const char  *app;

    *whole = true;

    if (restricted == NULL) {
        return json_deep_copy(permitted);
    }

    roles = json_object();

    json_object_foreach((json_t *) (uintptr_t) restricted, app, list) {
        kept = json_array();

        json_array_foreach(list, i, role) {
            if (!ag_json_has(json_object_get(permitted, app),
                             json_string_value(role)))
            {
                *whole = false;

            } else if (json_array_append(kept, role) != 0) {
                json_decref(kept);
                json_decref(roles);
                return NULL;
            }
        }

        if (json_array_size(kept) == 0) {
            json_decref(kept);

        } else if (json_object_set_new(roles, app, kept) != 0) {
            json_decref(roles);
            return NULL;
        }
    }

    return roles;
}
