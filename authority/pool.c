/*
 * The connections of a store.
 */

#include "pool.h"


ag_database_t *
ag_pool_take(ag_store_t *store)
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
ag_pool_give(ag_store_t *store, ag_database_t *database)
{
    pthread_mutex_lock(&store->idle_lock);

    database->next = store->idle;
    store->idle = database;

    pthread_mutex_unlock(&store->idle_lock);
}


int
ag_pool_begin(ag_store_t *store, ag_database_t *database)
{
    pthread_mutex_lock(&store->write_lock);

    return ag_database_run(database, AG_SQL_BEGIN);
}


/* without a transaction, where BEGIN has failed, there is nothing to end */

int
ag_pool_end(ag_store_t *store, ag_database_t *database, int rc)
{
    if (!sqlite3_get_autocommit(database->db)) {

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
