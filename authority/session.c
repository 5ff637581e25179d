/*
 * Login sessions, as they are kept.
 */

#include "session.h"
#include "pool.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>


/* a list under way */

typedef struct {
    ag_session_pt   callback;
    void           *data;
} ag_session_list_t;


static int ag_session_row(sqlite3_stmt *row, ag_session_t *session);
static int ag_session_run_bulk(ag_database_t *database, ag_sql_e sql,
    const ag_session_bulk_t *bulk, int64_t now, int64_t *n);
static void ag_session_list_build(ag_statement_t *statement,
    const ag_session_filter_t *filter);
static void ag_session_list_after(ag_statement_t *statement,
    const ag_session_filter_t *filter);
static void ag_session_list_compare(ag_statement_t *statement,
    const ag_session_key_t *key, const char *operator);
static void ag_session_list_order(ag_statement_t *statement,
    const ag_session_filter_t *filter, bool flipped);
static int ag_session_list_row(void *data, sqlite3_stmt *row);


static const char *const  ag_session_columns[] = {
    [AG_SESSION_ID] = "id",
    [AG_SESSION_CREATED] = "created",
    [AG_SESSION_UPDATED] = "updated"
};


void
ag_session_clear(ag_session_t *session)
{
    free(session->id);
    free(session->sub);
    free(session->org);
    free(session->details);

    memset(session, 0, sizeof(ag_session_t));
}


int
ag_session_find(ag_store_t *store, const char *id, ag_session_t *session)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    memset(session, 0, sizeof(ag_session_t));

    database = ag_pool_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_FIND_SESSION);
    ag_database_bind_text(statement, 1, id);

    rc = sqlite3_step(statement);

    if (rc == SQLITE_ROW) {
        rc = ag_session_row(statement, session);

    } else {
        rc = (rc == SQLITE_DONE) ? AG_DECLINED : AG_ERROR;
    }

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    ag_pool_give(store, database);

    return rc;
}


/* reads the columns AG_SESSION_COLUMNS of a row */

static int
ag_session_row(sqlite3_stmt *row, ag_session_t *session)
{
    memset(session, 0, sizeof(ag_session_t));

    if (ag_database_text(row, 0, &session->id) != AG_OK
        || ag_database_text(row, 1, &session->sub) != AG_OK
        || ag_database_text(row, 2, &session->org) != AG_OK
        || ag_database_text(row, 3, &session->details) != AG_OK)
    {
        ag_session_clear(session);
        return AG_ERROR;
    }

    session->created = sqlite3_column_int64(row, 4);
    session->updated = sqlite3_column_int64(row, 5);
    session->last_mfa = sqlite3_column_int64(row, 6);
    session->revoked = sqlite3_column_int(row, 7) != 0;

    return AG_OK;
}


int
ag_session_set(ag_store_t *store, const ag_session_t *session)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_SET_SESSION);

        ag_database_bind_text(statement, 1, session->id);
        ag_database_bind_text(statement, 2, session->sub);
        ag_database_bind_text(statement, 3, session->org);
        ag_database_bind_text(statement, 4, session->details);
        (void) sqlite3_bind_int64(statement, 5, session->created);
        (void) sqlite3_bind_int64(statement, 6, session->updated);
        (void) sqlite3_bind_int64(statement, 7, session->last_mfa);
        (void) sqlite3_bind_int(statement, 8, session->revoked);

        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_session_bulk(ag_store_t *store, const ag_session_bulk_t *bulk,
    ag_session_bulk_e what, int64_t now, int64_t *n)
{
    int             rc;
    ag_database_t  *database;

    static const ag_sql_e  sql[] = {
        [AG_SESSION_TOKENS_ONLY] = AG_SQL_TOUCH_SESSIONS,
        [AG_SESSION_REVOKE] = AG_SQL_REVOKE_SESSIONS_OF,
        [AG_SESSION_DELETE] = AG_SQL_DELETE_SESSIONS_OF
    };

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK && what != AG_SESSION_DELETE) {
        rc = ag_session_run_bulk(database, AG_SQL_REVOKE_TOKENS_OF, bulk, now,
                                 n);
    }

    if (rc == AG_OK) {
        rc = ag_session_run_bulk(database, sql[what], bulk, now, n);
    }

    return ag_pool_end(store, database, rc);
}


static int
ag_session_run_bulk(ag_database_t *database, ag_sql_e sql,
    const ag_session_bulk_t *bulk, int64_t now, int64_t *n)
{
    int            rc;
    sqlite3_stmt  *statement;

    statement = ag_database_sql(database, sql);

    ag_database_bind_text(statement, 1, bulk->orgs);
    ag_database_bind_text(statement, 2, bulk->user_id);
    ag_database_bind_text(statement, 3, bulk->org_id);
    ag_database_bind_text(statement, 4, bulk->id);
    (void) sqlite3_bind_int64(statement, 5, now);

    rc = ag_database_done(statement);
    *n = sqlite3_changes(database->db);

    return rc;
}


int
ag_session_list(ag_store_t *store, const ag_session_filter_t *filter,
    ag_session_pt callback, void *data)
{
    ag_statement_t      statement;
    ag_session_list_t   list;

    memset(&statement, 0, sizeof(ag_statement_t));

    list.callback = callback;
    list.data = data;

    ag_session_list_build(&statement, filter);

    return ag_statement_run(store, &statement, ag_session_list_row, &list);
}


/* the rows of a page are in the order that was asked for, also backwards */

static void
ag_session_list_build(ag_statement_t *statement,
    const ag_session_filter_t *filter)
{
    ag_statement_text(statement, "SELECT " AG_SESSION_COLUMNS " FROM "
                      "(SELECT * FROM session WHERE org IN "
                      "(SELECT value FROM json_each(?))", filter->orgs);

    ag_statement_text(statement, " AND sub = ?", filter->user_id);
    ag_statement_text(statement, " AND org = ?", filter->org_id);
    ag_statement_number(statement, " AND created >= ?", filter->created_from,
                        INT64_MIN);

    if (filter->revoked >= 0) {
        ag_statement_sql(statement, filter->revoked ? " AND revoked"
                                                    : " AND NOT revoked");
    }

    ag_session_list_after(statement, filter);
    ag_session_list_order(statement, filter, filter->backwards);

    ag_statement_number(statement, " LIMIT ?)", filter->limit, INT64_MIN);

    ag_session_list_order(statement, filter, false);
}


/* after (a, b) is: a is greater; or a is equal and b is greater */

static void
ag_session_list_after(ag_statement_t *statement,
    const ag_session_filter_t *filter)
{
    size_t                   i, n;
    const ag_session_key_t  *key;

    if (filter->nat == 0) {
        return;
    }

    ag_statement_sql(statement, " AND (0");

    for (n = 0; n < filter->nat; n++) {
        ag_statement_sql(statement, " OR (1");

        for (i = 0; i < n; i++) {
            ag_session_list_compare(statement, &filter->keys[i], " = ?");
        }

        key = &filter->keys[n];

        ag_session_list_compare(statement, key,
                                key->descending != filter->backwards
                                ? " < ?" : " > ?");

        ag_statement_sql(statement, ")");
    }

    ag_statement_sql(statement, ")");
}


static void
ag_session_list_compare(ag_statement_t *statement, const ag_session_key_t *key,
    const char *operator)
{
    ag_statement_sql(statement, " AND ");
    ag_statement_sql(statement, ag_session_columns[key->field]);

    if (key->field == AG_SESSION_ID) {
        ag_statement_text(statement, operator, key->id);

    } else {
        ag_statement_number(statement, operator, key->date, INT64_MIN);
    }
}


static void
ag_session_list_order(ag_statement_t *statement,
    const ag_session_filter_t *filter, bool flipped)
{
    size_t  i;

    for (i = 0; i < filter->nkeys; i++) {
        ag_statement_sql(statement, i ? ", " : " ORDER BY ");
        ag_statement_sql(statement, ag_session_columns[filter->keys[i].field]);
        ag_statement_sql(statement, filter->keys[i].descending != flipped
                                    ? " DESC" : " ASC");
    }
}


static int
ag_session_list_row(void *data, sqlite3_stmt *row)
{
    ag_session_list_t *list = data;

    int           rc;
    ag_session_t  session;

    rc = ag_session_row(row, &session);

    if (rc == AG_OK) {
        rc = list->callback(list->data, &session);
        ag_session_clear(&session);
    }

    return rc;
}
