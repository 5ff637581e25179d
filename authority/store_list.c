/*
 * Storage: lists of tokens.
 *
 * Conditions that are not asked for are not in the statement, so that it uses
 * the index of one that is. Values are always bound.
 */

#include "store_list.h"
#include "store_handle.h"
#include "text.h"

#include <string.h>


#define AG_BOUND_MAX  (8 + AG_PATTERNS_MAX + 8)


/* a statement in the making, with the values of its parameters in order */

typedef struct {
    ag_text_t    sql;
    int          n;
    struct {
        const char  *text;     /* NULL: it is the number */
        int64_t      number;
    } bound[AG_BOUND_MAX];
} ag_statement_t;


static void ag_list_build(ag_statement_t *statement,
    const ag_filter_t *filter);
static void ag_list_text(ag_statement_t *statement, const char *condition,
    const char *value);
static void ag_list_number(ag_statement_t *statement, const char *condition,
    int64_t value, int64_t unbound);
static void ag_list_patterns(ag_statement_t *statement,
    const ag_filter_t *filter);
static int ag_list_run(sqlite3 *db, ag_statement_t *statement,
    ag_list_pt callback, void *data);


int
ag_store_list(ag_store_t *store, const ag_filter_t *filter,
    ag_list_pt callback, void *data)
{
    int              rc;
    ag_database_t   *database;
    ag_statement_t   statement;

    database = ag_store_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    memset(&statement, 0, sizeof(ag_statement_t));

    ag_list_build(&statement, filter);

    rc = statement.sql.failed
         ? AG_ERROR : ag_list_run(database->db, &statement, callback, data);

    ag_text_free(&statement.sql);
    ag_store_give(store, database);

    return rc;
}


static void
ag_list_build(ag_statement_t *statement, const ag_filter_t *filter)
{
    ag_text_raw(&statement->sql, "SELECT " AG_TOKEN_COLUMNS " FROM token "
                "WHERE org IN (SELECT value FROM json_each(?))");

    statement->bound[statement->n++].text = filter->orgs;

    ag_list_text(statement, " AND jti = ?", filter->jti);
    ag_list_text(statement, " AND sub = ?", filter->sub);
    ag_list_text(statement, " AND org = ?", filter->org);
    ag_list_text(statement, " AND session = ?", filter->session);

    ag_list_number(statement, " AND iat >= ?", filter->iat_from, INT64_MIN);
    ag_list_number(statement, " AND iat < ?", filter->iat_to, INT64_MAX);
    ag_list_number(statement, " AND exp >= ?", filter->exp_from, INT64_MIN);
    ag_list_number(statement, " AND exp < ?", filter->exp_to, INT64_MAX);

    ag_list_patterns(statement, filter);

    if (filter->revoked >= 0) {
        ag_text_raw(&statement->sql,
                    filter->revoked ? " AND revoked" : " AND NOT revoked");
    }

    ag_text_raw(&statement->sql, " ORDER BY iat DESC, jti");
    ag_list_number(statement, " LIMIT ?", filter->limit, INT64_MIN);
}


static void
ag_list_text(ag_statement_t *statement, const char *condition,
    const char *value)
{
    if (value) {
        ag_text_raw(&statement->sql, condition);
        statement->bound[statement->n++].text = value;
    }
}


static void
ag_list_number(ag_statement_t *statement, const char *condition, int64_t value,
    int64_t unbound)
{
    if (value != unbound) {
        ag_text_raw(&statement->sql, condition);
        statement->bound[statement->n++].number = value;
    }
}


static void
ag_list_patterns(ag_statement_t *statement, const ag_filter_t *filter)
{
    size_t  i;

    if (filter->npatterns == 0) {
        return;
    }

    ag_text_raw(&statement->sql,
                " AND EXISTS (SELECT 1 FROM json_each(scopes) WHERE 0");

    for (i = 0; i < filter->npatterns; i++) {
        ag_list_text(statement, " OR scope_like(?, value)",
                     filter->patterns[i]);
    }

    ag_text_raw(&statement->sql, ")");
}


static int
ag_list_run(sqlite3 *db, ag_statement_t *statement, ag_list_pt callback,
    void *data)
{
    int            i, rc, step;
    ag_token_t     token;
    sqlite3_stmt  *stmt;

    if (sqlite3_prepare_v2(db, statement->sql.data, -1, &stmt, NULL)
        != SQLITE_OK)
    {
        return AG_ERROR;
    }

    for (i = 0; i < statement->n; i++) {
        if (statement->bound[i].text) {
            ag_database_bind_text(stmt, i + 1, statement->bound[i].text);

        } else {
            (void) sqlite3_bind_int64(stmt, i + 1, statement->bound[i].number);
        }
    }

    rc = AG_OK;

    for (step = sqlite3_step(stmt); step == SQLITE_ROW && rc == AG_OK;
         step = sqlite3_step(stmt))
    {
        rc = ag_store_row(stmt, &token);

        if (rc == AG_OK) {
            rc = callback(data, &token);
            ag_token_clear(&token);
        }
    }

    sqlite3_finalize(stmt);

    return rc == AG_OK && step != SQLITE_DONE ? AG_ERROR : rc;
}
