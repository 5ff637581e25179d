/*
 * The signing keys of an authority.
 */

#include "keys.h"
#include "pool.h"

#include <stdlib.h>
#include <string.h>


#define AG_KEYS_MAX   256   /* of one database, ever */
#define AG_KEYS_MANY  33


/*
 * Rows of the table are only added, so a row that was read once stays right but
 * for its flags, which are read again each time that they count.
 */

struct ag_keys_s {
    ag_store_t       *store;
    pthread_mutex_t   lock;
    size_t            n;
    struct {
        ag_key_t     *key;
        bool          published;
        bool          signs;
    } keys[AG_KEYS_MAX];
    ag_key_t         *foreign[AG_KEYS_MANY];  /* made when first asked for */
};


static int ag_keys_first(ag_keys_t *keys);
static int ag_keys_add(ag_database_t *database, bool signs);
static int ag_keys_read(ag_keys_t *keys);
static int ag_keys_rows(ag_keys_t *keys, sqlite3_stmt *statement);
static const ag_key_t *ag_keys_known(const ag_keys_t *keys, const char *id);
static json_t *ag_keys_public(ag_keys_t *keys, ag_jwsk_e kind);
static const ag_key_t *ag_keys_foreign(ag_keys_t *keys, size_t i);


ag_keys_t *
ag_keys_open(ag_store_t *store, ag_error_t *error)
{
    ag_keys_t  *keys;

    keys = calloc(1, sizeof(ag_keys_t));
    if (keys == NULL) {
        ag_error(error, "not enough memory");
        return NULL;
    }

    keys->store = store;

    pthread_mutex_init(&keys->lock, NULL);

    if (ag_keys_first(keys) != AG_OK || ag_keys_read(keys) != AG_OK) {
        ag_error(error, "the signing key can be neither read nor made");
        ag_keys_close(keys);
        return NULL;
    }

    return keys;
}


void
ag_keys_close(ag_keys_t *keys)
{
    size_t  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        ag_key_free(keys->keys[i].key);
    }

    for (i = 0; i < AG_KEYS_MANY; i++) {
        ag_key_free(keys->foreign[i]);
    }

    pthread_mutex_destroy(&keys->lock);
    free(keys);
}


static int
ag_keys_first(ag_keys_t *keys)
{
    int             rc, step;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = keys->store->durable;

    rc = ag_pool_begin(keys->store, database);

    if (rc == AG_OK) {
        statement = ag_database_sql(database, AG_SQL_KEYS);

        step = sqlite3_step(statement);
        sqlite3_reset(statement);

        if (step == SQLITE_DONE) {
            rc = ag_keys_add(database, true);
        }
    }

    return ag_pool_end(keys->store, database, rc);
}


static int
ag_keys_add(ag_database_t *database, bool signs)
{
    int             rc;
    size_t          len;
    ag_key_t       *key;
    sqlite3_stmt   *statement;
    unsigned char  *der;

    key = ag_key_generate();

    if (key == NULL || ag_key_export(key, &der, &len) != AG_OK) {
        ag_key_free(key);
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_ADD_KEY);

    (void) sqlite3_bind_blob(statement, 1, der, (int) len, SQLITE_STATIC);
    (void) sqlite3_bind_int(statement, 2, signs);
    rc = ag_database_done(statement);

    ag_key_wipe(der, len);
    ag_key_free(key);

    return rc;
}


/* the caller holds the lock, unless no other thread has the keys */

static int
ag_keys_read(ag_keys_t *keys)
{
    int             rc;
    sqlite3_stmt   *statement;
    ag_database_t  *database;

    database = ag_pool_take(keys->store);
    if (database == NULL) {
        return AG_ERROR;
    }

    statement = ag_database_sql(database, AG_SQL_KEYS);
    rc = ag_keys_rows(keys, statement);

    sqlite3_reset(statement);

    ag_pool_give(keys->store, database);

    return rc;
}


static int
ag_keys_rows(ag_keys_t *keys, sqlite3_stmt *statement)
{
    int          step;
    size_t       i, len;
    ag_key_t    *key;
    const void  *der;

    step = sqlite3_step(statement);

    for (i = 0; step == SQLITE_ROW; i++) {

        if (i == keys->n) {
            der = sqlite3_column_blob(statement, 0);
            len = (size_t) sqlite3_column_bytes(statement, 0);

            key = i < AG_KEYS_MAX ? ag_key_import(der, len) : NULL;
            if (key == NULL) {
                return AG_ERROR;
            }

            keys->keys[keys->n++].key = key;
        }

        keys->keys[i].published = sqlite3_column_int(statement, 1) != 0;
        keys->keys[i].signs = sqlite3_column_int(statement, 2) != 0;

        step = sqlite3_step(statement);
    }

    return step == SQLITE_DONE && i > 0 ? AG_OK : AG_ERROR;
}


const ag_key_t *
ag_keys_signing(ag_keys_t *keys)
{
    size_t           i;
    const ag_key_t  *key;

    key = NULL;

    pthread_mutex_lock(&keys->lock);

    if (ag_keys_read(keys) == AG_OK) {
        for (i = 0; i < keys->n; i++) {
            if (keys->keys[i].signs) {
                key = keys->keys[i].key;
            }
        }
    }

    pthread_mutex_unlock(&keys->lock);

    return key;
}


/* an identifier that is not known may be that of a key made since */

const ag_key_t *
ag_keys_find(ag_keys_t *keys, const char *id)
{
    const ag_key_t  *key;

    pthread_mutex_lock(&keys->lock);

    key = ag_keys_known(keys, id);

    if (key == NULL && ag_keys_read(keys) == AG_OK) {
        key = ag_keys_known(keys, id);
    }

    pthread_mutex_unlock(&keys->lock);

    return key;
}


static const ag_key_t *
ag_keys_known(const ag_keys_t *keys, const char *id)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (strcmp(ag_key_id(keys->keys[i].key), id) == 0) {
            return keys->keys[i].key;
        }
    }

    return NULL;
}


json_t *
ag_keys_jwks(ag_keys_t *keys, ag_jwsk_e kind)
{
    json_t  *list;

    pthread_mutex_lock(&keys->lock);

    list = ag_keys_public(keys, kind);

    pthread_mutex_unlock(&keys->lock);

    return list ? json_pack("{s:o}", "keys", list) : NULL;
}


/* the right keys come last, for a reader that stops early */

static json_t *
ag_keys_public(ag_keys_t *keys, ag_jwsk_e kind)
{
    int      failed;
    size_t   i, n;
    json_t  *list;

    if (ag_keys_read(keys) != AG_OK) {
        return NULL;
    }

    failed = 0;
    list = json_array();

    n = (kind == AG_JWSK_FOREIGN) ? 1 : 0;

    if (kind == AG_JWSK_MANY) {
        n = AG_KEYS_MANY;

        for (i = 0; i < keys->n && n > 0; i++) {
            n -= keys->keys[i].published;
        }
    }

    for (i = 0; i < n; i++) {
        failed |= json_array_append_new(list,
                      ag_key_jwk(ag_keys_foreign(keys, i), true));
    }

    if (kind != AG_JWSK_FOREIGN && kind != AG_JWSK_EMPTY) {
        for (i = 0; i < keys->n; i++) {
            if (keys->keys[i].published) {
                failed |= json_array_append_new(list,
                              ag_key_jwk(keys->keys[i].key,
                                         kind != AG_JWSK_NO_KID));
            }
        }
    }

    if (failed) {
        json_decref(list);
        return NULL;
    }

    return list;
}


static const ag_key_t *
ag_keys_foreign(ag_keys_t *keys, size_t i)
{
    if (keys->foreign[i] == NULL) {
        keys->foreign[i] = ag_key_generate();
    }

    return keys->foreign[i];
}


int
ag_keys_rotate(ag_keys_t *keys, ag_rotate_e step, FILE *out,
    ag_error_t *error)
{
    int             rc;
    size_t          i;
    ag_database_t  *database;

    database = keys->store->durable;

    rc = ag_pool_begin(keys->store, database);

    if (rc == AG_OK) {
        rc = step == AG_ROTATE_PUBLISH
             ? ag_keys_add(database, false)
             : ag_database_run(database, step == AG_ROTATE_USE
                                         ? AG_SQL_USE_KEY
                                         : AG_SQL_WITHDRAW_KEYS);
    }

    rc = ag_pool_end(keys->store, database, rc);

    if (rc != AG_OK || ag_keys_read(keys) != AG_OK) {
        return ag_error(error, "the keys cannot be changed");
    }

    for (i = 0; i < keys->n; i++) {
        fprintf(out, "%s %s\n", ag_key_id(keys->keys[i].key),
                keys->keys[i].signs ? "signs"
                : keys->keys[i].published ? "published" : "withdrawn");
    }

    return AG_OK;
}
