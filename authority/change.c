/*
 * Changes of the directory.
 */

#include "change.h"
#include "permission.h"
#include "pool.h"

#include <stdlib.h>
#include <string.h>


static void ag_change_load_status(ag_directory_t *directory,
    sqlite3_stmt *row);
static int ag_change_load_roles(ag_directory_t *directory, sqlite3_stmt *row);
static ag_subject_t *ag_change_subject(ag_directory_t *directory,
    const ag_subject_t *subject);


int
ag_change_load(ag_store_t *store, ag_directory_t *directory,
    ag_error_t *error)
{
    int             rc, step;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_pool_take(store);
    if (database == NULL) {
        return ag_error(error, "the database cannot be read");
    }

    rc = AG_OK;
    statement = ag_database_sql(database, AG_SQL_STATUSES);

    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        ag_change_load_status(directory, statement);
    }

    sqlite3_reset(statement);

    if (step == SQLITE_DONE) {
        statement = ag_database_sql(database, AG_SQL_ROLES);

        while (rc == AG_OK
               && (step = sqlite3_step(statement)) == SQLITE_ROW)
        {
            rc = ag_change_load_roles(directory, statement);
        }

        sqlite3_reset(statement);
    }

    ag_pool_give(store, database);

    return rc == AG_OK && step == SQLITE_DONE
           ? AG_OK : ag_error(error, "the changes of users cannot be read");
}


static void
ag_change_load_status(ag_directory_t *directory, sqlite3_stmt *row)
{
    const char          *id;
    ag_subject_t        *changed;
    const ag_subject_t  *subject;

    id = (const char *) sqlite3_column_text(row, 0);
    subject = id ? ag_directory_subject(directory, id) : NULL;

    if (subject) {
        changed = ag_change_subject(directory, subject);

        changed->status = (ag_status_e) sqlite3_column_int(row, 1);
        changed->disabled_at = sqlite3_column_int64(row, 2);
    }
}


static int
ag_change_load_roles(ag_directory_t *directory, sqlite3_stmt *row)
{
    int                     rc;
    size_t                  i;
    json_t                 *roles;
    const char             *id, *org, *text;
    ag_error_t              error;
    ag_subject_t           *changed;
    const ag_org_t         *where;
    const ag_subject_t     *subject;

    id = (const char *) sqlite3_column_text(row, 0);
    org = (const char *) sqlite3_column_text(row, 1);
    text = (const char *) sqlite3_column_text(row, 2);

    subject = id ? ag_directory_subject(directory, id) : NULL;
    where = org ? ag_directory_org(directory, org) : NULL;

    if (subject == NULL || where == NULL || text == NULL) {
        return AG_OK;
    }

    rc = AG_OK;
    roles = json_loads(text, 0, NULL);
    changed = ag_change_subject(directory, subject);

    for (i = 0; i < changed->npermissions; i++) {
        if (changed->permissions[i].org == where
            && ag_change_check_roles(directory, &changed->permissions[i],
                                     roles, &error) == AG_OK)
        {
            rc = ag_permission_set_roles(directory, changed,
                                         &changed->permissions[i], roles);
        }
    }

    json_decref(roles);

    return rc;
}


/* the same subject, to be changed */

static ag_subject_t *
ag_change_subject(ag_directory_t *directory, const ag_subject_t *subject)
{
    return &directory->subjects[subject - directory->subjects];
}


int
ag_change_check_roles(const ag_directory_t *directory,
    const ag_permission_t *permission, const json_t *roles, ag_error_t *error)
{
    size_t           i;
    json_t          *list, *role;
    ag_path_t        top, here;
    const char      *id;
    const ag_app_t  *app;

    top = (ag_path_t) { NULL, "roles", 0 };

    json_object_foreach((json_t *) (uintptr_t) roles, id, list) {
        here = (ag_path_t) { &top, id, 0 };

        app = ag_directory_app(directory, id);

        if (app == NULL || ag_app_instance(app, permission->org) == NULL) {
            return ag_error_at(error, &here, "is not an application that the "
                               "organisation uses");
        }

        if (!json_is_array(list)) {
            return ag_error_at(error, &here, "is not an array of roles");
        }

        json_array_foreach(list, i, role) {
            if (!json_is_string(role)
                || json_object_get(app->roles, json_string_value(role))
                   == NULL)
            {
                return ag_error_at(error, &here, "has an item that is not a "
                                   "role of this application");
            }
        }
    }

    return AG_OK;
}


int
ag_change_status(ag_store_t *store, ag_directory_t *directory,
    const ag_subject_t *subject, ag_status_e status, int64_t disabled_at)
{
    int             rc;
    ag_subject_t   *changed;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_SET_STATUS);

        ag_database_bind_text(statement, 1, subject->id);
        (void) sqlite3_bind_int(statement, 2, (int) status);
        (void) sqlite3_bind_int64(statement, 3, disabled_at);

        rc = ag_database_done(statement);
    }

    rc = ag_pool_end(store, database, rc);

    if (rc == AG_OK) {
        changed = ag_change_subject(directory, subject);

        changed->status = status;
        changed->disabled_at = disabled_at;
    }

    return rc;
}


int
ag_change_roles(ag_store_t *store, ag_directory_t *directory,
    const ag_subject_t *subject, const ag_permission_t *permission,
    const json_t *roles)
{
    int             rc;
    char           *text;
    ag_subject_t   *changed;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    text = ag_json_dump(roles);
    if (text == NULL) {
        return AG_ERROR;
    }

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_SET_ROLES);

        ag_database_bind_text(statement, 1, subject->id);
        ag_database_bind_text(statement, 2, permission->org->id);
        ag_database_bind_text(statement, 3, text);

        rc = ag_database_done(statement);
    }

    rc = ag_pool_end(store, database, rc);

    free(text);

    if (rc != AG_OK) {
        return rc;
    }

    changed = ag_change_subject(directory, subject);

    return ag_permission_set_roles(directory, changed,
               &changed->permissions[permission - subject->permissions], roles);
}
