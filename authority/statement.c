/*
 * SQL statements in the making.
 */

#include "pool.h"
#include "statement.h"


static sqlite3_stmt *ag_statement_prepare(ag_database_t *database,
    const ag_statement_t *statement);


void
ag_statement_sql(ag_statement_t *statement, const char *sql)
{
    ag_text_raw(&statement->sql, sql);
}


void
ag_statement_text(ag_statement_t *statement, const char *sql,
    const char *value)
{
    if (value == NULL) {
        return;
    }

    if (statement->n == AG_BOUND_MAX) {
        statement->sql.failed = true;
        return;
    }

    ag_text_raw(&statement->sql, sql);
    statement->bound[statement->n++].text = value;
}


void
ag_statement_number(ag_statement_t *statement, const char *sql, int64_t value,
    int64_t unbound)
{
    if (value == unbound) {
        return;
    }

    if (statement->n == AG_BOUND_MAX) {
        statement->sql.failed = true;
        return;
    }

    ag_text_raw(&statement->sql, sql);
    statement->bound[statement->n++].number = value;
}


int
ag_statement_run(ag_store_t *store, ag_statement_t *statement,
    ag_row_pt callback, void *data)
{
    int             rc, step;
    sqlite3_stmt   *stmt;
    ag_database_t  *database;

    database = ag_pool_take(store);

    stmt = database ? ag_statement_prepare(database, statement) : NULL;
    rc = stmt ? AG_OK : AG_ERROR;
    step = SQLITE_DONE;

    while (rc == AG_OK) {
        step = sqlite3_step(stmt);

        if (step != SQLITE_ROW) {
            break;
        }

        rc = callback(data, stmt);
    }

    sqlite3_finalize(stmt);
    ag_text_free(&statement->sql);

    if (database) {
        ag_pool_give(store, database);
    }

    return rc == AG_OK && step != SQLITE_DONE ? AG_ERROR : rc;
}


static sqlite3_stmt *
ag_statement_prepare(ag_database_t *database, const ag_statement_t *statement)
{
    int            i;
    sqlite3_stmt  *stmt;

    if (statement->sql.failed
        || sqlite3_prepare_v2(database->db, statement->sql.data, -1, &stmt,
                              NULL) != SQLITE_OK)
    {
        return NULL;
    }

    for (i = 0; i < statement->n; i++) {
        if (statement->bound[i].text) {
            ag_database_bind_text(stmt, i + 1, statement->bound[i].text);

        } else {
            (void) sqlite3_bind_int64(stmt, i + 1, statement->bound[i].number);
        }
    }

    return stmt;
}
