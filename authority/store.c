/*
 * Storage: one SQLite database in WAL mode.
 */

#include "store_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


static int ag_store_file(const char *path, ag_error_t *error);
static ag_key_t *ag_store_load_key(ag_database_t *database);
static ag_key_t *ag_store_make_key(ag_database_t *database);


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


/* SQLite would make the file readable by everybody */

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


ag_database_t *
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


void
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
