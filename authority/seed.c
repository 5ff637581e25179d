/*
 * The seed file: its shape.
 */

#include "seed.h"
#include "hosts.h"
#include "rule.h"
#include "scope.h"
#include "seed_build.h"
#include "shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AG_SEED_MAX      (4 * 1024 * 1024)
#define AG_SEED_ORGS     256
#define AG_SEED_APPS     256
#define AG_SEED_SUBJECTS 4096
#define AG_SEED_NAME     255


static char *ag_seed_read(const char *path, size_t *len, ag_error_t *error);
static int ag_seed_role_rules(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_instance(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_org(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_app(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_type(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_permission(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_role_names(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_subject(json_t *value, const ag_path_t *path,
    ag_error_t *error);


static const ag_member_t  ag_seed_members[] = {
    { "issuer", AG_STRING, AG_REQUIRED, 1, AG_SEED_NAME, NULL },
    { "organisations", AG_ARRAY, AG_REQUIRED, 1, AG_SEED_ORGS, ag_seed_org },
    { "applications", AG_ARRAY, AG_REQUIRED, 0, AG_SEED_APPS, ag_seed_app },
    { "subjects", AG_ARRAY, AG_REQUIRED, 1, AG_SEED_SUBJECTS,
      ag_seed_subject },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_org_members[] = {
    { "id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "name", AG_STRING, AG_REQUIRED, 1, AG_SEED_NAME, NULL },
    { "parent", AG_IDENTIFIER, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_app_members[] = {
    { "id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "name", AG_STRING, AG_REQUIRED, 1, AG_SEED_NAME, NULL },
    { "org", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "instances", AG_ARRAY, AG_REQUIRED, 1, AG_SEED_ORGS, ag_seed_instance },
    { "roles", AG_OBJECT, AG_REQUIRED, 0, 0, ag_seed_role_rules },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_instance_members[] = {
    { "org", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "hosts", AG_STRINGS, AG_REQUIRED, 1, 16, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_subject_members[] = {
    { "id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "email", AG_STRING, 0, 3, AG_SEED_NAME, NULL },
    { "first_name", AG_STRING, 0, 1, AG_SEED_NAME, NULL },
    { "last_name", AG_STRING, 0, 1, AG_SEED_NAME, NULL },
    { "org", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "type", AG_STRING, 0, 1, 32, ag_seed_type },
    { "enabled", AG_BOOL, 0, 0, 0, NULL },
    { "permissions", AG_ARRAY, AG_REQUIRED, 0, 64, ag_seed_permission },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_permission_members[] = {
    { "org", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "inherit", AG_BOOL, 0, 0, 0, NULL },
    { "scopes", AG_STRINGS, 0, 0, 256, ag_scope_check },
    { "roles", AG_OBJECT, 0, 0, 0, ag_seed_role_names },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


ag_directory_t *
ag_seed_load(const char *path, ag_error_t *error)
{
    char            *data;
    size_t           len;
    json_t          *root;
    ag_directory_t  *directory;

    data = ag_seed_read(path, &len, error);
    if (data == NULL) {
        return NULL;
    }

    root = ag_json_parse(data, len, error);
    directory = NULL;

    if (root
        && ag_shape_check(root, ag_seed_members, true, NULL, error) == AG_OK)
    {
        directory = ag_seed_build(root, error);
    }

    json_decref(root);
    free(data);

    return directory;
}


static char *
ag_seed_read(const char *path, size_t *len, ag_error_t *error)
{
    FILE  *file;
    char  *data;

    file = fopen(path, "re");
    data = file ? malloc(AG_SEED_MAX + 1) : NULL;

    if (data == NULL) {
        ag_error(error, "cannot be read: %s", strerror(errno));

        if (file) {
            fclose(file);
        }

        return NULL;
    }

    *len = fread(data, 1, AG_SEED_MAX + 1, file);

    if (ferror(file) || *len > AG_SEED_MAX) {
        ag_error(error, ferror(file) ? "cannot be read" : "is too large");
        free(data);
        data = NULL;
    }

    fclose(file);

    return data;
}


static int
ag_seed_org(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_org_members, true, path, error);
}


static int
ag_seed_app(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_app_members, true, path, error);
}


static int
ag_seed_instance(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_instance_members, true, path, error);
}


static int
ag_seed_subject(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_subject_members, true, path, error);
}


static int
ag_seed_permission(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_permission_members, true, path, error);
}


static int
ag_seed_type(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    const char  *type;

    type = json_string_value(value);

    if (strcmp(type, "user") != 0 && strcmp(type, "service_account") != 0) {
        return ag_error_at(error, path,
                           "is neither \"user\" nor \"service_account\"");
    }

    return AG_OK;
}


/* role to array of rules */

static int
ag_seed_role_rules(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    size_t       i;
    json_t      *rules, *rule;
    ag_path_t    role, item;
    const char  *name;

    json_object_foreach(value, name, rules) {
        role.up = path;
        role.name = name;

        if (!ag_shape_is_identifier(name) || !json_is_array(rules)) {
            return ag_error_at(error, &role, "is not a role with an array of "
                               "rules");
        }

        item.up = &role;
        item.name = NULL;

        json_array_foreach(rules, i, rule) {
            item.index = i;

            if (ag_rule_check(rule, &item, error) != AG_OK) {
                return AG_MALFORMED;
            }

            if (!ag_hosts_placeholders(rule)) {
                return ag_error_at(error, &item, "has a placeholder that is "
                                   "none of {{sub}}, {{org}} and {{email}}");
            }
        }
    }

    return AG_OK;
}


/* application to array of roles */

static int
ag_seed_role_names(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    size_t       i;
    json_t      *list, *role;
    ag_path_t    app;
    const char  *name;

    json_object_foreach(value, name, list) {
        app.up = path;
        app.name = name;

        if (json_array_size(list) == 0) {
            return ag_error_at(error, &app, "is not an array of roles");
        }

        json_array_foreach(list, i, role) {
            if (!json_is_string(role)) {
                return ag_error_at(error, &app, "is not an array of roles");
            }
        }
    }

    return AG_OK;
}
