/*
 * Storage: one SQLite database in WAL mode.
 */

#include "store.h"
#include "pool.h"
#include "statement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


/* a list under way */

typedef struct {
    ag_list_pt   callback;
    void        *data;
} ag_store_list_t;


static int ag_store_file(const char *path, ag_error_t *error);
static int ag_store_row(sqlite3_stmt *statement, ag_token_t *token);
static int ag_store_add_one(ag_database_t *database, const ag_token_t *token,
    const char *parent);
static int ag_store_add_session(ag_database_t *database,
    const ag_token_t *token);
static void ag_store_list_build(ag_statement_t *statement,
    const ag_filter_t *filter);
static int ag_store_list_row(void *data, sqlite3_stmt *row);


ag_store_t *
ag_store_open(const char *path, ag_error_t *error)
{
    ag_store_t  *store;

    if (ag_store_file(path, error) != AG_OK) {
        return NULL;
    }

    store = calloc(1, sizeof(ag_store_t));
    if (store == NULL) {
        ag_error(error, "not enough memory");
        return NULL;
    }

    pthread_mutex_init(&store->idle_lock, NULL);
    pthread_mutex_init(&store->write_lock, NULL);

    store->path = strdup(path);
    store->writer = ag_database_open(path, "PRAGMA synchronous = NORMAL");
    store->durable = ag_database_open(path, "PRAGMA synchronous = FULL");

    if (store->path == NULL || store->writer == NULL || store->durable == NULL)
    {
        ag_error(error, "cannot open the database \"%s\"", path);
        ag_store_close(store);
        return NULL;
    }

    if (ag_database_schema(store->writer, error) != AG_OK) {
        ag_store_close(store);
        return NULL;
    }

    return store;
}


/* SQLite itself would make a file that all users can read */

static int
ag_store_file(const char *path, ag_error_t *error)
{
    int          fd;
    struct stat  st;

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (fd == -1 || fstat(fd, &st) == -1) {
        ag_error(error, "cannot open the database \"%s\": %s", path,
                 strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return AG_ERROR;
    }

    close(fd);

    if (!S_ISREG(st.st_mode)) {
        return ag_error(error, "the database \"%s\" is not a file", path);
    }

    if (st.st_mode & 077) {
        return ag_error(error, "the database \"%s\" holds a signing key, and "
                        "is open to others (mode %04o): chmod 600 it", path,
                        (unsigned) (st.st_mode & 07777));
    }

    return AG_OK;
}


void
ag_store_close(ag_store_t *store)
{
    ag_database_t  *database;

    if (store == NULL) {
        return;
    }

    while (store->idle) {
        database = store->idle;
        store->idle = database->next;
        ag_database_close(database);
    }

    ag_database_close(store->durable);
    ag_database_close(store->writer);

    pthread_mutex_destroy(&store->idle_lock);
    pthread_mutex_destroy(&store->write_lock);

    free(store->path);
    free(store);
}


int
ag_store_purge(ag_store_t *store, int64_t before)
{
    int             i, rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    static const ag_sql_e  purge[] = {
        AG_SQL_PURGE, AG_SQL_PURGE_SESSIONS, AG_SQL_PURGE_API_KEYS
    };

    database = store->writer;

    rc = ag_pool_begin(store, database);

    for (i = 0; i < 3 && rc == AG_OK; i++) {
        statement = ag_database_sql(database, purge[i]);

        (void) sqlite3_bind_int64(statement, 1, before);
        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_store_find(ag_store_t *store, const char *jti, ag_token_t *token)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_pool_take(store);
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

    ag_pool_give(store, database);

    return rc;
}


/* reads the columns AG_TOKEN_SELECTED of a row */

static int
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
        if (ag_database_text(statement, (int) i, fields[i]) != AG_OK) {
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

    token->ended = sqlite3_column_int(statement, 19) == 0;
    token->last_mfa = sqlite3_column_int64(statement, 20);

    return AG_OK;
}


int
ag_store_add(ag_store_t *store, const ag_token_t *tokens, size_t n,
    const char *parent)
{
    int             rc;
    size_t          i;
    ag_database_t  *database;

    database = store->writer;

    rc = ag_pool_begin(store, database);

    for (i = 0; i < n && rc == AG_OK; i++) {
        rc = ag_store_add_one(database, &tokens[i], parent);

        if (rc == AG_OK) {
            rc = ag_store_add_session(database, &tokens[i]);
        }
    }

    return ag_pool_end(store, database, rc);
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


/* the first token of a session makes it; its owner is the token's subject */

static int
ag_store_add_session(ag_database_t *database, const ag_token_t *token)
{
    sqlite3_stmt  *statement;

    statement = ag_database_sql(database, AG_SQL_ADD_SESSION);

    ag_database_bind_text(statement, 1, token->session);
    ag_database_bind_text(statement, 2, token->sub);
    ag_database_bind_text(statement, 3, token->org);
    (void) sqlite3_bind_int64(statement, 4, token->iat);
    (void) sqlite3_bind_int64(statement, 5, token->updated);
    (void) sqlite3_bind_int64(statement, 6, token->last_mfa);

    return ag_database_done(statement);
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
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = store->durable;

    rc = ag_pool_begin(store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_REVOKE);

        ag_database_bind_text(statement, 1, jti);
        (void) sqlite3_bind_int64(statement, 2, now);
        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_store_revoke_sessions(ag_store_t *store, const char *session,
    const char *sub, int64_t now)
{
    int             i, rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    static const ag_sql_e  revoke[] = {
        AG_SQL_REVOKE_SESSIONS, AG_SQL_END_SESSIONS
    };

    database = store->durable;

    rc = ag_pool_begin(store, database);

    for (i = 0; i < 2 && rc == AG_OK; i++) {
        statement = ag_database_sql(database, revoke[i]);

        ag_database_bind_text(statement, 1, session);
        ag_database_bind_text(statement, 2, sub);
        (void) sqlite3_bind_int64(statement, 3, now);
        rc = ag_database_done(statement);
    }

    return ag_pool_end(store, database, rc);
}


int
ag_store_session_of_other(ag_store_t *store, const char *session,
    const char *sub)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_pool_take(store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_SESSION_OF_OTHER);

    ag_database_bind_text(statement, 1, session);
    ag_database_bind_text(statement, 2, sub);

    rc = sqlite3_step(statement);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    ag_pool_give(store, database);

    if (rc == SQLITE_ROW) {
        return AG_OK;
    }

    return rc == SQLITE_DONE ? AG_DECLINED : AG_ERROR;
}


int
ag_store_list(ag_store_t *store, const ag_filter_t *filter,
    ag_list_pt callback, void *data)
{
    ag_statement_t    statement;
    ag_store_list_t   list;

    memset(&statement, 0, sizeof(ag_statement_t));

    list.callback = callback;
    list.data = data;

    ag_store_list_build(&statement, filter);

    return ag_statement_run(store, &statement, ag_store_list_row, &list);
}


static void
ag_store_list_build(ag_statement_t *statement, const ag_filter_t *filter)
{
    size_t  i;

    ag_statement_text(statement, "SELECT " AG_TOKEN_SELECTED " FROM token "
                      "WHERE org IN (SELECT value FROM json_each(?))",
                      filter->orgs);

    ag_statement_text(statement, " AND jti = ?", filter->jti);
    ag_statement_text(statement, " AND sub = ?", filter->sub);
    ag_statement_text(statement, " AND org = ?", filter->org);
    ag_statement_text(statement, " AND session = ?", filter->session);

    ag_statement_number(statement, " AND iat >= ?", filter->iat_from,
                        INT64_MIN);
    ag_statement_number(statement, " AND iat < ?", filter->iat_to, INT64_MAX);
    ag_statement_number(statement, " AND exp >= ?", filter->exp_from,
                        INT64_MIN);
    ag_statement_number(statement, " AND exp < ?", filter->exp_to, INT64_MAX);

    if (filter->patterns.n) {
        ag_statement_sql(statement, " AND EXISTS (SELECT 1 "
                         "FROM json_each(scopes) WHERE 0");

        for (i = 0; i < filter->patterns.n; i++) {
            ag_statement_text(statement, " OR scope_like(?, value)",
                              filter->patterns.items[i]);
        }

        ag_statement_sql(statement, ")");
    }

    if (filter->revoked >= 0) {
        ag_statement_sql(statement, filter->revoked ? " AND revoked"
                                                    : " AND NOT revoked");
    }

    ag_statement_sql(statement, " ORDER BY iat DESC, jti");
    ag_statement_number(statement, " LIMIT ?", filter->limit, INT64_MIN);
}


static int
ag_store_list_row(void *data, sqlite3_stmt *row)
{
    ag_store_list_t *list = data;

    int         rc;
    ag_token_t  token;

    rc = ag_store_row(row, &token);

    if (rc == AG_OK) {
        rc = list->callback(list->data, &token);
        ag_token_clear(&token);
    }

    return rc;
}
