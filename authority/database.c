/*
 * A connection to the database, its schema and its statements.
 */

#include "database.h"
#include "scope.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define AG_STORE_VERSION  5
#define AG_BUSY_TIMEOUT   5000   /* milliseconds */

/* sessions of a user; organisation and session may be any */

#define AG_SESSIONS_OF                                                        \
    "org IN (SELECT value FROM json_each(?1)) AND sub = ?2 "                  \
    "AND (?3 IS NULL OR org = ?3) AND (?4 IS NULL OR id = ?4)"


static int ag_database_wal(ag_database_t *database);
static int ag_database_schema_version(ag_database_t *database);
static void ag_database_scope_like(sqlite3_context *context, int n,
    sqlite3_value **values);


static const char *const  ag_sql[AG_SQL_COUNT] = {

    [AG_SQL_FIND] =
        "SELECT " AG_TOKEN_SELECTED " FROM token WHERE jti = ?1",

    /* ?20 is the parent; NULL equals nothing */

    [AG_SQL_ADD] =
        "INSERT OR IGNORE INTO token (" AG_TOKEN_COLUMNS ") "
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
        "?15, ?16, ?17, ?18, ?19 "
        "WHERE NOT EXISTS (SELECT 1 FROM token WHERE jti = ?20 AND (revoked "
        "OR NOT EXISTS (SELECT 1 FROM session "
        "WHERE id = token.session AND NOT session.revoked)))",

    [AG_SQL_REVOKE] =
        "UPDATE token SET revoked = 1, updated = ?2 "
        "WHERE jti = ?1 AND NOT revoked",

    [AG_SQL_REVOKE_SESSIONS] =
        "UPDATE token SET revoked = 1, updated = ?3 "
        "WHERE (session = ?1 OR sub = ?2) AND NOT revoked",

    [AG_SQL_SESSION_OF_OTHER] =
        "SELECT 1 FROM token WHERE session = ?1 AND sub <> ?2 LIMIT 1",

    [AG_SQL_PURGE] =
        "DELETE FROM token WHERE exp < ?1",

    [AG_SQL_PURGE_SESSIONS] =
        "DELETE FROM session WHERE created < ?1 "
        "AND NOT EXISTS (SELECT 1 FROM token WHERE session = session.id)",

    [AG_SQL_ADD_SESSION] =
        "INSERT INTO session (" AG_SESSION_COLUMNS ") "
        "VALUES (?1, ?2, ?3, '{}', ?4, ?5, ?6, 0) "
        "ON CONFLICT (id) DO UPDATE SET last_mfa = ?6, updated = ?5 "
        "WHERE ?6 > last_mfa",

    [AG_SQL_END_SESSIONS] =
        "UPDATE session SET revoked = 1, updated = ?3 "
        "WHERE (id = ?1 OR sub = ?2) AND NOT revoked",

    [AG_SQL_FIND_SESSION] =
        "SELECT " AG_SESSION_COLUMNS " FROM session WHERE id = ?1",

    [AG_SQL_SET_SESSION] =
        "INSERT OR REPLACE INTO session (" AG_SESSION_COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",

    [AG_SQL_REVOKE_TOKENS_OF] =
        "UPDATE token SET revoked = 1, updated = ?5 "
        "WHERE NOT revoked AND session IN "
        "(SELECT id FROM session WHERE " AG_SESSIONS_OF ")",

    /* its only purpose is to count them */

    [AG_SQL_TOUCH_SESSIONS] =
        "UPDATE session SET updated = updated WHERE " AG_SESSIONS_OF,

    [AG_SQL_REVOKE_SESSIONS_OF] =
        "UPDATE session SET revoked = 1, updated = ?5 "
        "WHERE NOT revoked AND " AG_SESSIONS_OF,

    [AG_SQL_DELETE_SESSIONS_OF] =
        "DELETE FROM session WHERE " AG_SESSIONS_OF,

    [AG_SQL_SET_API_KEY] =
        "INSERT OR REPLACE INTO api_key (" AG_API_KEY_COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",

    /* NULL equals nothing */

    [AG_SQL_FIND_API_KEY] =
        "SELECT " AG_API_KEY_SELECTED " FROM api_key "
        "WHERE id = ?2 OR digest = ?3",

    [AG_SQL_DELETE_API_KEY] =
        "DELETE FROM api_key WHERE id = ?1",

    [AG_SQL_PURGE_API_KEYS] =
        "DELETE FROM api_key WHERE expiry < ?1",

    [AG_SQL_KEYS] =
        "SELECT der, published, signs FROM signing_key ORDER BY id",

    [AG_SQL_ADD_KEY] =
        "INSERT INTO signing_key (der, published, signs) VALUES (?1, 1, ?2)",

    [AG_SQL_USE_KEY] =
        "UPDATE signing_key SET signs = "
        "(id = (SELECT max(id) FROM signing_key WHERE published))",

    [AG_SQL_WITHDRAW_KEYS] =
        "UPDATE signing_key SET published = signs",

    [AG_SQL_STATUSES] =
        "SELECT sub, status, disabled_at FROM user_status",

    [AG_SQL_SET_STATUS] =
        "INSERT OR REPLACE INTO user_status (sub, status, disabled_at) "
        "VALUES (?1, ?2, ?3)",

    [AG_SQL_ROLES] =
        "SELECT sub, org, roles FROM user_roles",

    [AG_SQL_SET_ROLES] =
        "INSERT OR REPLACE INTO user_roles (sub, org, roles) "
        "VALUES (?1, ?2, ?3)",

    [AG_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [AG_SQL_COMMIT] = "COMMIT",
    [AG_SQL_ROLLBACK] = "ROLLBACK"
};


static const char  ag_schema[] =
    "CREATE TABLE signing_key ("
    "  id INTEGER PRIMARY KEY,"
    "  der BLOB NOT NULL,"
    "  published INTEGER NOT NULL,"
    "  signs INTEGER NOT NULL);"

    "CREATE TABLE token ("
    "  jti TEXT PRIMARY KEY NOT NULL,"
    "  sub TEXT NOT NULL,"
    "  org TEXT NOT NULL,"
    "  session TEXT NOT NULL,"
    "  aud TEXT NOT NULL,"
    "  scopes TEXT NOT NULL,"
    "  roles TEXT,"
    "  hosts TEXT,"
    "  creating_sub TEXT,"
    "  creating_org TEXT,"
    "  refresh_of TEXT,"
    "  iat INTEGER NOT NULL,"
    "  nbf INTEGER NOT NULL,"
    "  exp INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL,"
    "  masquerading INTEGER NOT NULL,"
    "  stated INTEGER NOT NULL,"
    "  revoked INTEGER NOT NULL,"
    "  digest BLOB NOT NULL"
    ") WITHOUT ROWID;"

    "CREATE TABLE session ("
    "  id TEXT PRIMARY KEY NOT NULL,"
    "  sub TEXT NOT NULL,"
    "  org TEXT NOT NULL,"
    "  details TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL,"
    "  last_mfa INTEGER NOT NULL,"
    "  revoked INTEGER NOT NULL"
    ") WITHOUT ROWID;"

    "CREATE TABLE api_key ("
    "  id TEXT PRIMARY KEY NOT NULL,"
    "  sub TEXT NOT NULL,"
    "  org TEXT NOT NULL,"
    "  name TEXT,"
    "  label TEXT,"
    "  scopes TEXT NOT NULL,"
    "  token_id TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL,"
    "  expiry INTEGER NOT NULL,"
    "  disabled INTEGER NOT NULL,"
    "  digest BLOB UNIQUE NOT NULL,"
    "  sealed BLOB NOT NULL"
    ") WITHOUT ROWID;"

    "CREATE TABLE user_status ("
    "  sub TEXT PRIMARY KEY NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  disabled_at INTEGER NOT NULL"
    ") WITHOUT ROWID;"

    "CREATE TABLE user_roles ("
    "  sub TEXT NOT NULL,"
    "  org TEXT NOT NULL,"
    "  roles TEXT NOT NULL,"
    "  PRIMARY KEY (sub, org)"
    ") WITHOUT ROWID;"

    "CREATE INDEX token_iat ON token (iat);"
    "CREATE INDEX token_exp ON token (exp);"
    "CREATE INDEX token_sub ON token (sub);"
    "CREATE INDEX token_session ON token (session);"
    "CREATE INDEX token_revoked ON token (iat) WHERE revoked;"
    "CREATE INDEX session_sub ON session (sub);"
    "CREATE INDEX session_revoked ON session (id) WHERE revoked;"

    "PRAGMA user_version = 5;";


ag_database_t *
ag_database_open(const char *path, const char *pragma)
{
    int             flags;
    ag_database_t  *database;

    database = calloc(1, sizeof(ag_database_t));
    if (database == NULL) {
        return NULL;
    }

    flags = SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(path, &database->db, flags, NULL) != SQLITE_OK
        || sqlite3_busy_timeout(database->db, AG_BUSY_TIMEOUT) != SQLITE_OK
        || ag_database_wal(database) != AG_OK
        || sqlite3_create_function(database->db, "scope_like", 2,
                                   SQLITE_UTF8|SQLITE_DETERMINISTIC, NULL,
                                   ag_database_scope_like, NULL, NULL)
           != SQLITE_OK
        || sqlite3_exec(database->db, pragma, NULL, NULL, NULL) != SQLITE_OK)
    {
        ag_database_close(database);
        return NULL;
    }

    return database;
}


/*
 * The first change to WAL mode needs the file alone and does not wait for it,
 * so it is tried again while another process starts on the same file.
 */

static int
ag_database_wal(ag_database_t *database)
{
    int  i, rc;

    for (i = 0; i < 200; i++) {
        rc = sqlite3_exec(database->db, "PRAGMA journal_mode = WAL", NULL, NULL,
                          NULL);

        if (rc == SQLITE_OK) {
            return AG_OK;
        }

        if (rc != SQLITE_BUSY) {
            break;
        }

        usleep(25000);
    }

    return AG_ERROR;
}


/* scope_like(pattern, scope) */

static void
ag_database_scope_like(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char  *pattern, *scope;

    (void) n;

    pattern = (const char *) sqlite3_value_text(values[0]);
    scope = (const char *) sqlite3_value_text(values[1]);

    sqlite3_result_int(context,
                       pattern && scope && ag_scope_like(pattern, scope));
}


void
ag_database_close(ag_database_t *database)
{
    int  i;

    if (database == NULL) {
        return;
    }

    for (i = 0; i < AG_SQL_COUNT; i++) {
        sqlite3_finalize(database->statements[i]);
    }

    sqlite3_close(database->db);
    free(database);
}


int
ag_database_schema(ag_database_t *database, ag_error_t *error)
{
    int  version;

    if (ag_database_run(database, AG_SQL_BEGIN) != AG_OK) {
        return ag_error(error, "the database cannot be written: %s",
                        sqlite3_errmsg(database->db));
    }

    version = ag_database_schema_version(database);

    if (version == 0
        && sqlite3_exec(database->db, ag_schema, NULL, NULL, NULL) != SQLITE_OK)
    {
        ag_error(error, "the database cannot be made: %s",
                 sqlite3_errmsg(database->db));
        (void) ag_database_run(database, AG_SQL_ROLLBACK);
        return AG_ERROR;
    }

    if (ag_database_run(database, AG_SQL_COMMIT) != AG_OK) {
        return ag_error(error, "the database cannot be written: %s",
                        sqlite3_errmsg(database->db));
    }

    if (version != 0 && version != AG_STORE_VERSION) {
        return ag_error(error, "the database is not one of this authority's, "
                        "version %d", AG_STORE_VERSION);
    }

    return AG_OK;
}


/*
 * The version is 0 where the file is empty. It is -1 where the file cannot be
 * read, or has tables but no version: such a file is not an authority's.
 */

static int
ag_database_schema_version(ag_database_t *database)
{
    int            version;
    sqlite3_stmt  *statement;

    version = -1;

    if (sqlite3_prepare_v2(database->db,
                           "SELECT CASE WHEN user_version THEN user_version "
                           "WHEN EXISTS (SELECT 1 FROM sqlite_master) THEN -1 "
                           "ELSE 0 END FROM pragma_user_version",
                           -1, &statement, NULL) == SQLITE_OK
        && sqlite3_step(statement) == SQLITE_ROW)
    {
        version = sqlite3_column_int(statement, 0);
    }

    sqlite3_finalize(statement);

    return version;
}


sqlite3_stmt *
ag_database_sql(ag_database_t *database, ag_sql_e n)
{
    if (database->statements[n] == NULL) {
        (void) sqlite3_prepare_v3(database->db, ag_sql[n], -1,
                                  SQLITE_PREPARE_PERSISTENT,
                                  &database->statements[n], NULL);
    }

    return database->statements[n];
}


int
ag_database_run(ag_database_t *database, ag_sql_e n)
{
    return ag_database_done(ag_database_sql(database, n));
}


/* steps a statement that has no rows; a statement of NULL is an error */

int
ag_database_done(sqlite3_stmt *statement)
{
    int  rc;

    rc = sqlite3_step(statement);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);

    return rc == SQLITE_DONE ? AG_OK : AG_ERROR;
}


/* the text outlives the step; NULL text is SQL's NULL */

void
ag_database_bind_text(sqlite3_stmt *statement, int n, const char *text)
{
    (void) sqlite3_bind_text(statement, n, text, -1, SQLITE_STATIC);
}


int
ag_database_text(sqlite3_stmt *row, int n, char **text)
{
    const char  *value;

    *text = NULL;

    if (sqlite3_column_type(row, n) == SQLITE_NULL) {
        return AG_OK;
    }

    /* NULL here is a shortage of memory */

    value = (const char *) sqlite3_column_text(row, n);

    *text = value ? strdup(value) : NULL;

    return *text ? AG_OK : AG_ERROR;
}
