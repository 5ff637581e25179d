/*
 * The seed file: its shape, and how a directory is built of it.
 */

#include "seed.h"
#include "date.h"
#include "hosts.h"
#include "permission.h"
#include "rule.h"
#include "scope.h"
#include "shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AG_SEED_MAX      (4 * 1024 * 1024)
#define AG_SEED_ORGS     256
#define AG_SEED_APPS     256
#define AG_SEED_SUBJECTS 4096
#define AG_SEED_KEYS     1024
#define AG_SEED_NAME     255


/* the directory that is built, and the place of the first error */

typedef struct {
    ag_directory_t  *directory;
    ag_error_t      *error;
} ag_seed_t;


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
static int ag_seed_resource(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_resource_type(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_subject(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_seed_api_key(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static ag_directory_t *ag_seed_build(json_t *root, ag_error_t *error);
static int ag_seed_build_all(ag_seed_t *seed);
static int ag_seed_build_orgs(ag_seed_t *seed, const json_t *list);
static int ag_seed_build_parents(ag_seed_t *seed, const json_t *list);
static int ag_seed_build_apps(ag_seed_t *seed, const json_t *list);
static int ag_seed_build_app(ag_seed_t *seed, ag_app_t *app,
    const json_t *value, const ag_path_t *path);
static int ag_seed_build_subjects(ag_seed_t *seed, const json_t *list);
static int ag_seed_build_subject(ag_seed_t *seed, ag_subject_t *subject,
    const json_t *value, const ag_path_t *path);
static int ag_seed_build_grant(ag_seed_t *seed, ag_grant_t *grant,
    const json_t *value, const ag_path_t *path);
static int ag_seed_build_grant_roles(ag_seed_t *seed, const ag_grant_t *grant,
    const ag_path_t *path);
static int ag_seed_find_org(ag_seed_t *seed, const json_t *value,
    const ag_path_t *path, const ag_org_t **org);
static int ag_seed_order(const void *one, const void *two);
static int ag_seed_unique(ag_seed_t *seed, const json_t *list,
    const char *name, const char *member);


static const ag_member_t  ag_seed_members[] = {
    { "issuer", AG_STRING, AG_REQUIRED, 1, AG_SEED_NAME, NULL },
    { "organisations", AG_ARRAY, AG_REQUIRED, 1, AG_SEED_ORGS, ag_seed_org },
    { "applications", AG_ARRAY, AG_REQUIRED, 0, AG_SEED_APPS, ag_seed_app },
    { "subjects", AG_ARRAY, AG_REQUIRED, 1, AG_SEED_SUBJECTS,
      ag_seed_subject },
    { "api_keys", AG_ARRAY, 0, 0, AG_SEED_KEYS, ag_seed_api_key },
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
    { "disabled_at_time", AG_STRING, 0, 1, 64, ag_shape_date },
    { "permissions", AG_ARRAY, AG_REQUIRED, 0, 64, ag_seed_permission },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_permission_members[] = {
    { "org", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "inherit", AG_BOOL, 0, 0, 0, NULL },
    { "scopes", AG_STRINGS, 0, 0, 256, ag_scope_check },
    { "roles", AG_OBJECT, 0, 0, 0, ag_seed_role_names },
    { "resources", AG_ARRAY, 0, 0, 256, ag_seed_resource },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_seed_key_members[] = {
    { "key", AG_STRING, AG_REQUIRED, 8, AG_SEED_NAME, NULL },
    { "user_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "org_id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "expiry", AG_STRING, 0, 1, 64, ag_shape_date },
    { "session", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "scopes", AG_STRINGS, 0, 0, 256, ag_scope_check },
    { "name", AG_STRING, 0, 0, 100, NULL },
    { "label", AG_STRING, 0, 0, 128, NULL },
    { "disabled", AG_BOOL, 0, 0, 0, NULL },
    { "revoked", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_resource_members[] = {
    { "type", AG_STRING, AG_REQUIRED, 1, 32, ag_seed_resource_type },
    { "id", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
    { "role", AG_IDENTIFIER, AG_REQUIRED, 0, 0, NULL },
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
ag_seed_api_key(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_seed_key_members, true, path, error);
}


static int
ag_seed_resource(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_resource_members, true, path, error);
}


static int
ag_seed_resource_type(json_t *value, const ag_path_t *path,
    ag_error_t *error)
{
    size_t                    i;
    static const char *const  types[] = {
        "fileshare", "application_service", "desktop", "group", "application",
        "launcher", "service_forwarder", "ssh", "database"
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i], json_string_value(value)) == 0) {
            return AG_OK;
        }
    }

    return ag_error_at(error, path, "is not a type of resource");
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


/*
 * Builds a directory from a seed of the right shape, in the order in which its
 * members refer to each other; the directory keeps a reference to the seed.
 */

static ag_directory_t *
ag_seed_build(json_t *root, ag_error_t *error)
{
    ag_seed_t  seed;

    seed.error = error;
    seed.directory = ag_directory_create();

    if (seed.directory == NULL) {
        ag_error(error, "not enough memory");
        return NULL;
    }

    seed.directory->seed = json_incref(root);

    if (ag_seed_build_all(&seed) != AG_OK) {
        ag_directory_free(seed.directory);
        return NULL;
    }

    return seed.directory;
}


static int
ag_seed_build_all(ag_seed_t *seed)
{
    json_t  *root, *orgs, *apps, *subjects;

    root = seed->directory->seed;
    orgs = json_object_get(root, "organisations");
    apps = json_object_get(root, "applications");
    subjects = json_object_get(root, "subjects");

    seed->directory->issuer = ag_json_string(root, "issuer");

    if (ag_seed_unique(seed, orgs, "organisations", "id") != AG_OK
        || ag_seed_unique(seed, apps, "applications", "id") != AG_OK
        || ag_seed_unique(seed, subjects, "subjects", "id") != AG_OK
        || ag_seed_unique(seed, subjects, "subjects", "email") != AG_OK
        || ag_seed_build_orgs(seed, orgs) != AG_OK
        || ag_seed_build_parents(seed, orgs) != AG_OK
        || ag_seed_build_apps(seed, apps) != AG_OK)
    {
        return AG_MALFORMED;
    }

    return ag_seed_build_subjects(seed, subjects);
}


static int
ag_seed_build_orgs(ag_seed_t *seed, const json_t *list)
{
    size_t      i;
    json_t     *value;
    ag_org_t   *org;

    seed->directory->orgs = calloc(json_array_size(list), sizeof(ag_org_t));

    if (seed->directory->orgs == NULL) {
        return ag_error(seed->error, "not enough memory");
    }

    json_array_foreach(list, i, value) {
        org = &seed->directory->orgs[i];
        org->id = ag_json_string(value, "id");
        org->name = ag_json_string(value, "name");
    }

    seed->directory->norgs = json_array_size(list);

    return AG_OK;
}


static int
ag_seed_build_parents(ag_seed_t *seed, const json_t *list)
{
    size_t           i, depth;
    json_t          *value;
    ag_org_t        *orgs;
    ag_path_t        top, item, member;
    const ag_org_t  *up;

    orgs = seed->directory->orgs;

    top = (ag_path_t) { NULL, "organisations", 0 };

    json_array_foreach(list, i, value) {
        item = (ag_path_t) { &top, NULL, i };
        member = (ag_path_t) { &item, "parent", 0 };

        if (ag_json_get(value, "parent")
            && ag_seed_find_org(seed, ag_json_get(value, "parent"), &member,
                                &orgs[i].parent) != AG_OK)
        {
            return AG_MALFORMED;
        }
    }

    for (i = 0; i < seed->directory->norgs; i++) {
        item = (ag_path_t) { &top, NULL, i };
        depth = 0;

        for (up = &orgs[i]; up; up = up->parent) {
            if (depth++ == seed->directory->norgs) {
                return ag_error_at(seed->error, &item, "is its own ancestor");
            }
        }
    }

    return AG_OK;
}


static int
ag_seed_build_apps(ag_seed_t *seed, const json_t *list)
{
    size_t      i;
    json_t     *value;
    ag_path_t   top, item;

    seed->directory->apps = calloc(json_array_size(list) + 1,
                                   sizeof(ag_app_t));

    if (seed->directory->apps == NULL) {
        return ag_error(seed->error, "not enough memory");
    }

    top = (ag_path_t) { NULL, "applications", 0 };

    json_array_foreach(list, i, value) {
        item = (ag_path_t) { &top, NULL, i };

        seed->directory->napps++;

        if (ag_seed_build_app(seed, &seed->directory->apps[i], value, &item)
            != AG_OK)
        {
            return AG_MALFORMED;
        }
    }

    return AG_OK;
}


static int
ag_seed_build_app(ag_seed_t *seed, ag_app_t *app, const json_t *value,
    const ag_path_t *path)
{
    size_t          i;
    json_t         *list, *item;
    ag_path_t       member, index, org;
    ag_instance_t  *instance;

    app->id = ag_json_string(value, "id");
    app->roles = ag_json_get(value, "roles");

    member = (ag_path_t) { path, "org", 0 };

    if (ag_seed_find_org(seed, ag_json_get(value, "org"), &member, &app->org)
        != AG_OK)
    {
        return AG_MALFORMED;
    }

    list = ag_json_get(value, "instances");

    app->instances = calloc(json_array_size(list), sizeof(ag_instance_t));
    if (app->instances == NULL) {
        return ag_error(seed->error, "not enough memory");
    }

    member = (ag_path_t) { path, "instances", 0 };

    json_array_foreach(list, i, item) {
        index = (ag_path_t) { &member, NULL, i };
        org = (ag_path_t) { &index, "org", 0 };

        instance = &app->instances[app->ninstances];
        instance->hosts = ag_json_get(item, "hosts");

        if (ag_seed_find_org(seed, ag_json_get(item, "org"), &org,
                             &instance->org) != AG_OK)
        {
            return AG_MALFORMED;
        }

        if (ag_app_instance(app, instance->org)) {
            return ag_error_at(seed->error, &org, "is there twice");
        }

        app->ninstances++;
    }

    return AG_OK;
}


static int
ag_seed_build_subjects(ag_seed_t *seed, const json_t *list)
{
    size_t           i;
    json_t          *value;
    ag_path_t        top, item;
    ag_directory_t  *directory;

    directory = seed->directory;

    directory->subjects = calloc(json_array_size(list), sizeof(ag_subject_t));

    if (directory->subjects == NULL) {
        return ag_error(seed->error, "not enough memory");
    }

    top = (ag_path_t) { NULL, "subjects", 0 };

    json_array_foreach(list, i, value) {
        item = (ag_path_t) { &top, NULL, i };

        directory->nsubjects++;

        if (ag_seed_build_subject(seed, &directory->subjects[i], value, &item)
            != AG_OK)
        {
            return AG_MALFORMED;
        }
    }

    qsort(directory->subjects, directory->nsubjects, sizeof(ag_subject_t),
          ag_seed_order);

    return AG_OK;
}


static int
ag_seed_build_subject(ag_seed_t *seed, ag_subject_t *subject,
    const json_t *value, const ag_path_t *path)
{
    size_t       i;
    json_t      *list, *item;
    ag_path_t    member, index;
    const char  *type, *date;

    subject->id = ag_json_string(value, "id");
    subject->email = ag_json_string(value, "email");
    subject->status = ag_json_bool(value, "enabled", true)
                      ? AG_STATUS_ACTIVE : AG_STATUS_DISABLED;
    subject->disabled_at = AG_NEVER;
    subject->seed = value;

    date = ag_json_string(value, "disabled_at_time");

    if (date) {
        (void) ag_date_parse(date, strlen(date), &subject->disabled_at);
    }

    type = ag_json_string(value, "type");
    subject->service = (type && strcmp(type, "service_account") == 0);

    member = (ag_path_t) { path, "org", 0 };

    if (ag_seed_find_org(seed, ag_json_get(value, "org"), &member,
                         &subject->org) != AG_OK)
    {
        return AG_MALFORMED;
    }

    list = ag_json_get(value, "permissions");

    subject->grants = calloc(json_array_size(list) + 1, sizeof(ag_grant_t));
    if (subject->grants == NULL) {
        return ag_error(seed->error, "not enough memory");
    }

    member = (ag_path_t) { path, "permissions", 0 };

    json_array_foreach(list, i, item) {
        index = (ag_path_t) { &member, NULL, i };

        subject->ngrants++;

        if (ag_seed_build_grant(seed, &subject->grants[i], item, &index)
            != AG_OK)
        {
            return AG_MALFORMED;
        }
    }

    return ag_permission_resolve(seed->directory, subject) == AG_OK
           ? AG_OK : ag_error(seed->error, "not enough memory");
}


static int
ag_seed_build_grant(ag_seed_t *seed, ag_grant_t *grant, const json_t *value,
    const ag_path_t *path)
{
    ag_path_t  member;

    grant->inherit = ag_json_bool(value, "inherit", false);
    grant->scopes = ag_json_get(value, "scopes");
    grant->roles = ag_json_get(value, "roles");
    grant->resources = ag_json_get(value, "resources");

    member = (ag_path_t) { path, "org", 0 };

    if (ag_seed_find_org(seed, ag_json_get(value, "org"), &member,
                         &grant->org) != AG_OK)
    {
        return AG_MALFORMED;
    }

    return ag_seed_build_grant_roles(seed, grant, path);
}


/*
 * The application of an inherited role must be used in the organisation or
 * below it, that of another role in the organisation itself: a role that could
 * never have an effect is a mistake in the file.
 */

static int
ag_seed_build_grant_roles(ag_seed_t *seed, const ag_grant_t *grant,
    const ag_path_t *path)
{
    bool             used;
    size_t           i;
    json_t          *list, *role;
    ag_path_t        member, here;
    const char      *id;
    const ag_app_t  *app;

    member = (ag_path_t) { path, "roles", 0 };

    json_object_foreach((json_t *) (uintptr_t) grant->roles, id, list) {
        here = (ag_path_t) { &member, id, 0 };

        app = ag_directory_app(seed->directory, id);
        if (app == NULL) {
            return ag_error_at(seed->error, &here, "is not an application");
        }

        used = false;

        for (i = 0; i < app->ninstances; i++) {
            used |= (app->instances[i].org == grant->org)
                    || (grant->inherit
                        && ag_org_within(app->instances[i].org, grant->org));
        }

        if (!used) {
            return ag_error_at(seed->error, &here, "is not used in "
                               "organisation \"%s\"", grant->org->id);
        }

        json_array_foreach(list, i, role) {
            if (json_object_get(app->roles, json_string_value(role)) == NULL) {
                return ag_error_at(seed->error, &here, "has no role \"%s\"",
                                   json_string_value(role));
            }
        }
    }

    return AG_OK;
}


static int
ag_seed_find_org(ag_seed_t *seed, const json_t *value, const ag_path_t *path,
    const ag_org_t **org)
{
    *org = ag_directory_org(seed->directory, json_string_value(value));

    if (*org == NULL) {
        return ag_error_at(seed->error, path, "is not an organisation");
    }

    return AG_OK;
}


static int
ag_seed_order(const void *one, const void *two)
{
    return strcmp(((const ag_subject_t *) one)->id,
                  ((const ag_subject_t *) two)->id);
}


static int
ag_seed_unique(ag_seed_t *seed, const json_t *list, const char *name,
    const char *member)
{
    int          rc;
    size_t       i;
    json_t      *seen, *value;
    ag_path_t    top, item, here;
    const char  *text;

    rc = AG_OK;
    seen = json_object();

    top = (ag_path_t) { NULL, name, 0 };

    json_array_foreach(list, i, value) {
        item = (ag_path_t) { &top, NULL, i };
        here = (ag_path_t) { &item, member, 0 };

        text = ag_json_string(value, member);

        if (rc != AG_OK || text == NULL) {
            continue;
        }

        if (json_object_get(seen, text)) {
            rc = ag_error_at(seed->error, &here, "is there twice");

        } else if (json_object_set_new(seen, text, json_true()) != 0) {
            rc = ag_error(seed->error, "not enough memory");
        }
    }

    json_decref(seen);

    return rc;
}
