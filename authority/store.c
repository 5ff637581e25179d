/*
 * Storage: one SQLite database in WAL mode.
 */

#include "store.h"
#include "database.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


/* parameters of a statement that lists tokens */

#define AG_BOUND_MAX  (8 + AG_PATTERNS_MAX + 8)


/*
 * Revocations have a connection of their own, which waits for the disk: one
 * that is lost in a power failure would bring a token back to life. A new
 * token that is lost is only a token that is not known.
 */

struct ag_store_s {
    char             *path;
    ag_database_t    *idle;       /* for reading */
    ag_database_t    *writer;
    ag_database_t    *durable;
    pthread_mutex_t   idle_lock;
    pthread_mutex_t   write_lock; /* for both writers */
};


/* a statement in the making, with the values of its parameters in order */

typedef struct {
    ag_text_t    sql;
    int          n;
    struct {
        const char  *text;     /* NULL: it is the number */
        int64_t      number;
    } bound[AG_BOUND_MAX];
} ag_statement_t;


static int ag_store_file(const char *path, ag_error_t *error);
static ag_database_t *ag_store_take(ag_store_t *store);
static void ag_store_give(ag_store_t *store, ag_database_t *database);
static ag_key_t *ag_store_load_key(ag_database_t *database);
static ag_key_t *ag_store_make_key(ag_database_t *database);
static int ag_store_row(sqlite3_stmt *statement, ag_token_t *token);
static int ag_store_column(sqlite3_stmt *statement, int n, char **field);
static int ag_store_add_all(ag_database_t *database, const ag_token_t *tokens,
    size_t n, const char *parent);
static int ag_store_add_one(ag_database_t *database, const ag_token_t *token,
    const char *parent);
static void ag_store_list_build(ag_statement_t *statement,
    const ag_filter_t *filter);
static void ag_store_text(ag_statement_t *statement, const char *condition,
    const char *value);
static void ag_store_number(ag_statement_t *statement, const char *condition,
    int64_t value, int64_t unbound);
static void ag_store_patterns(ag_statement_t *statement,
    const ag_filter_t *filter);
static int ag_store_list_run(sqlite3 *db, ag_statement_t *statement,
    ag_list_pt callback, void *data);


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


/*
 * A connection for reading, which belongs to this thread until it is given
 * back. NULL when none can be opened.
 */

static ag_database_t *
ag_store_take(ag_store_t *store)
{
    ag_database_t  *database;

    pthread_mutex_lock(&store->idle_lock);

    database = store->idle;

    if (database) {
        store->idle = database->next;
    }

    pthread_mutex_unlock(&store->idle_lock);

    if (database == NULL) {
        database = ag_database_open(store->path,
                                    "PRAGMA mmap_size = 268435456");
    }

    return database;
}


static void
ag_store_give(ag_store_t *store, ag_database_t *database)
{
    pthread_mutex_lock(&store->idle_lock);

    database->next = store->idle;
    store->idle = database;

    pthread_mutex_unlock(&store->idle_lock);
}


ag_key_t *
ag_store_key(ag_store_t *store, ag_error_t *error)
{
    ag_key_t       *key;
    ag_database_t  *database;

    database = store->durable;
    key = NULL;

    pthread_mutex_lock(&store->write_lock);

    if (ag_database_run(database, AG_SQL_BEGIN) == AG_OK) {
        key = ag_store_load_key(database);

        if (key == NULL) {
            key = ag_store_make_key(database);
        }

        if (ag_database_run(database, AG_SQL_COMMIT) != AG_OK) {
            (void) ag_database_run(database, AG_SQL_ROLLBACK);
            ag_key_free(key);
            key = NULL;
        }
    }

    pthread_mutex_unlock(&store->write_lock);

    if (key == NULL) {
        ag_error(error, "the signing key can be neither read nor made");
    }

    return key;
}


static ag_key_t *
ag_store_load_key(ag_database_t *database)
{
    int            len;
    ag_key_t      *key;
    const void    *der;
    sqlite3_stmt  *statement;

    key = NULL;
    statement = ag_database_sql(database, AG_SQL_KEY);

    if (sqlite3_step(statement) == SQLITE_ROW) {
        der = sqlite3_column_blob(statement, 0);
        len = sqlite3_column_bytes(statement, 0);

        key = ag_key_import(der, (size_t) len);
    }

    sqlite3_reset(statement);

    return key;
}


/* fails, as it should, where there is a key that could not be read */

static ag_key_t *
ag_store_make_key(ag_database_t *database)
{
    int             rc;
    size_t          len;
    ag_key_t       *key;
    sqlite3_stmt   *statement;
    unsigned char  *der;

    key = ag_key_generate();

    if (key == NULL || ag_key_export(key, &der, &len) != AG_OK) {
        ag_key_free(key);
        return NULL;
    }

    statement = ag_database_sql(database, AG_SQL_SET_KEY);

    (void) sqlite3_bind_blob(statement, 1, der, (int) len, SQLITE_STATIC);
    rc = ag_database_done(statement);

    ag_key_wipe(der, len);

    if (rc != AG_OK) {
        ag_key_free(key);
        return NULL;
    }

    return key;
}


int
ag_store_purge(ag_store_t *store, int64_t before)
{
    int            rc;
    sqlite3_stmt  *statement;

    pthread_mutex_lock(&store->write_lock);

    statement = ag_database_sql(store->writer, AG_SQL_PURGE);

    (void) sqlite3_bind_int64(statement, 1, before);
    rc = ag_database_done(statement);

    pthread_mutex_unlock(&store->write_lock);

    return rc;
}


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


/* reads the columns AG_TOKEN_COLUMNS of a row */

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

    ag_store_list_build(&statement, filter);

    rc = statement.sql.failed
         ? AG_ERROR
         : ag_store_list_run(database->db, &statement, callback, data);

    ag_text_free(&statement.sql);
    ag_store_give(store, database);

    return rc;
}


/*
 * Conditions that are not asked for are not in the statement, so that it uses
 * the index of one that is. Values are always bound.
 */

static void
ag_store_list_build(ag_statement_t *statement, const ag_filter_t *filter)
{
    ag_text_raw(&statement->sql, "SELECT " AG_TOKEN_COLUMNS " FROM token "
                "WHERE org IN (SELECT value FROM json_each(?))");

    statement->bound[statement->n++].text = filter->orgs;

    ag_store_text(statement, " AND jti = ?", filter->jti);
    ag_store_text(statement, " AND sub = ?", filter->sub);
    ag_store_text(statement, " AND org = ?", filter->org);
    ag_store_text(statement, " AND session = ?", filter->session);

    ag_store_number(statement, " AND iat >= ?", filter->iat_from, INT64_MIN);
    ag_store_number(statement, " AND iat < ?", filter->iat_to, INT64_MAX);
    ag_store_number(statement, " AND exp >= ?", filter->exp_from, INT64_MIN);
    ag_store_number(statement, " AND exp < ?", filter->exp_to, INT64_MAX);

    ag_store_patterns(statement, filter);

    if (filter->revoked >= 0) {
        ag_text_raw(&statement->sql,
                    filter->revoked ? " AND revoked" : " AND NOT revoked");
    }

    ag_text_raw(&statement->sql, " ORDER BY iat DESC, jti");
    ag_store_number(statement, " LIMIT ?", filter->limit, INT64_MIN);
}


static void
ag_store_text(ag_statement_t *statement, const char *condition,
    const char *value)
{
    if (value) {
        ag_text_raw(&statement->sql, condition);
        statement->bound[statement->n++].text = value;
    }
}


static void
ag_store_number(ag_statement_t *statement, const char *condition,
    int64_t value, int64_t unbound)
{
    if (value != unbound) {
        ag_text_raw(&statement->sql, condition);
        statement->bound[statement->n++].number = value;
    }
}


static void
ag_store_patterns(ag_statement_t *statement, const ag_filter_t *filter)
{
    size_t  i;

    if (filter->npatterns == 0) {
        return;
    }

    ag_text_raw(&statement->sql,
                " AND EXISTS (SELECT 1 FROM json_each(scopes) WHERE 0");

    for (i = 0; i < filter->npatterns; i++) {
        ag_store_text(statement, " OR scope_like(?, value)",
                      filter->patterns[i]);
    }

    ag_text_raw(&statement->sql, ")");
}


static int
ag_store_list_run(sqlite3 *db, ag_statement_t *statement, ag_list_pt callback,
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
