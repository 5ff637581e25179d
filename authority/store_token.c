/*
 * Storage: tokens.
 */

#include "store_handle.h"

#include <string.h>


static int ag_store_column(sqlite3_stmt *statement, int n, char **field);
static int ag_store_add_all(ag_database_t *database, const ag_token_t *tokens,
    size_t n, const char *parent);
static int ag_store_add_one(ag_database_t *database, const ag_token_t *token,
    const char *parent);


int
ag_store_find(ag_store_t *store, const char *jti, ag_token_t *token)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_store_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_FIND);
    ag_database_bind_text(statement, 1, jti);

    rc = sqlite3_step(statement);

    if (rc == SQLITE_ROW) {
        rc = ag_store_row(statement, token);

    } else {
        rc = (rc == SQLITE_DONE) ? AG_DECLINED : AG_ERROR;
    }

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    ag_store_give(store, database);

    return rc;
}


int
ag_store_row(sqlite3_stmt *statement, ag_token_t *token)
{
    size_t  i;
    char  **fields[] = {
        &token->jti, &token->sub, &token->org, &token->session, &token->aud,
        &token->scopes, &token->roles, &token->hosts, &token->creating_sub,
        &token->creating_org, &token->refresh_of
    };

    memset(token, 0, sizeof(ag_token_t));

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (ag_store_column(statement, (int) i, fields[i]) != AG_OK) {
            ag_token_clear(token);
            return AG_ERROR;
        }
    }

    token->iat = sqlite3_column_int64(statement, 11);
    token->nbf = sqlite3_column_int64(statement, 12);
    token->exp = sqlite3_column_int64(statement, 13);
    token->updated = sqlite3_column_int64(statement, 14);
    token->masquerading = sqlite3_column_int(statement, 15) != 0;
    token->stated = sqlite3_column_int(statement, 16) != 0;
    token->revoked = sqlite3_column_int(statement, 17) != 0;

    if (sqlite3_column_bytes(statement, 18) == AG_DIGEST_SIZE) {
        memcpy(token->digest, sqlite3_column_blob(statement, 18),
               AG_DIGEST_SIZE);
    }

    return AG_OK;
}


static int
ag_store_column(sqlite3_stmt *statement, int n, char **field)
{
    const char  *text;

    if (sqlite3_column_type(statement, n) == SQLITE_NULL) {
        *field = NULL;
        return AG_OK;
    }

    text = (const char *) sqlite3_column_text(statement, n);

    /* NULL here is a shortage of memory */

    if (text == NULL) {
        return AG_ERROR;
    }

    return ag_token_set(field, text);
}


int
ag_store_add(ag_store_t *store, const ag_token_t *tokens, size_t n,
    const char *parent)
{
    int             rc;
    ag_database_t  *database;

    database = store->writer;

    pthread_mutex_lock(&store->write_lock);

    rc = ag_database_run(database, AG_SQL_BEGIN);

    if (rc == AG_OK) {
        rc = ag_store_add_all(database, tokens, n, parent);

        if (rc == AG_OK) {
            rc = ag_database_run(database, AG_SQL_COMMIT);
        }

        if (rc != AG_OK) {
            (void) ag_database_run(database, AG_SQL_ROLLBACK);
        }
    }

    pthread_mutex_unlock(&store->write_lock);

    return rc;
}


static int
ag_store_add_all(ag_database_t *database, const ag_token_t *tokens, size_t n,
    const char *parent)
{
    int     rc;
    size_t  i;

    for (i = 0; i < n; i++) {
        rc = ag_store_add_one(database, &tokens[i], parent);

        if (rc != AG_OK) {
            return rc;
        }
    }

    return AG_OK;
}


static int
ag_store_add_one(ag_database_t *database, const ag_token_t *token,
    const char *parent)
{
    int            rc;
    size_t         i;
    sqlite3_stmt  *statement;
    const char    *fields[] = {
        token->jti, token->sub, token->org, token->session, token->aud,
        token->scopes, token->roles, token->hosts, token->creating_sub,
        token->creating_org, token->refresh_of
    };

    statement = ag_database_sql(database, AG_SQL_ADD);

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        ag_database_bind_text(statement, (int) i + 1, fields[i]);
    }

    (void) sqlite3_bind_int64(statement, 12, token->iat);
    (void) sqlite3_bind_int64(statement, 13, token->nbf);
    (void) sqlite3_bind_int64(statement, 14, token->exp);
    (void) sqlite3_bind_int64(statement, 15, token->updated);
    (void) sqlite3_bind_int(statement, 16, token->masquerading);
    (void) sqlite3_bind_int(statement, 17, token->stated);
    (void) sqlite3_bind_int(statement, 18, token->revoked);
    (void) sqlite3_bind_blob(statement, 19, token->digest, AG_DIGEST_SIZE,
                             SQLITE_STATIC);
    ag_database_bind_text(statement, 20, parent);

    rc = ag_database_done(statement);

    if (rc == AG_OK && sqlite3_changes(database->db) == 0) {
        return AG_DECLINED;
    }

    return rc;
}


bool
ag_store_busy(const ag_store_t *store)
{
    return sqlite3_errcode(store->writer->db) == SQLITE_BUSY
           || sqlite3_errcode(store->durable->db) == SQLITE_BUSY;
}


int
ag_store_revoke(ag_store_t *store, const char *jti, int64_t now)
{
    int            rc;
    sqlite3_stmt  *statement;

    pthread_mutex_lock(&store->write_lock);

    statement = ag_database_sql(store->durable, AG_SQL_REVOKE);

    ag_database_bind_text(statement, 1, jti);
    (void) sqlite3_bind_int64(statement, 2, now);
    rc = ag_database_done(statement);

    pthread_mutex_unlock(&store->write_lock);

    return rc;
}


int
ag_store_revoke_sessions(ag_store_t *store, const char *session,
    const char *sub, int64_t now)
{
    int            rc;
    sqlite3_stmt  *statement;

    pthread_mutex_lock(&store->write_lock);

    statement = ag_database_sql(store->durable, AG_SQL_REVOKE_SESSIONS);

    ag_database_bind_text(statement, 1, session);
    ag_database_bind_text(statement, 2, sub);
    (void) sqlite3_bind_int64(statement, 3, now);
    rc = ag_database_done(statement);

    pthread_mutex_unlock(&store->write_lock);

    return rc;
}


int
ag_store_session_of_other(ag_store_t *store, const char *session,
    const char *sub)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_store_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_SESSION_OF_OTHER);

    ag_database_bind_text(statement, 1, session);
    ag_database_bind_text(statement, 2, sub);

    rc = sqlite3_step(statement);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    ag_store_give(store, database);

    if (rc == SQLITE_ROW) {
        return AG_OK;
    }

    return rc == SQLITE_DONE ? AG_DECLINED : AG_ERROR;
}
