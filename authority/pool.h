/*
 * The connections of a store, shared by all files that read and write its
 * tables.
 */

#ifndef AG_POOL_H
#define AG_POOL_H


#include "database.h"
#include "store.h"

#include <pthread.h>


/*
 * What must not be lost has a connection of its own, which waits for the
 * disk: a revocation that is lost in a power failure would bring a token back
 * to life. A new token that is lost is only a token that is not known.
 */

struct ag_store_s {
    char             *path;
    ag_database_t    *idle;       /* for reading */
    ag_database_t    *writer;
    ag_database_t    *durable;
    pthread_mutex_t   idle_lock;
    pthread_mutex_t   write_lock; /* for both writers */
};


/*
 * A connection for reading, which belongs to this thread until it is given
 * back. NULL when none can be opened.
 */
ag_database_t *ag_pool_take(ag_store_t *store);

/* Gives a connection for reading back. */
void ag_pool_give(ag_store_t *store, ag_database_t *database);

/*
 * Begins a transaction on one of the store's connections for writing, which
 * belongs to this thread until ag_pool_end(). AG_OK or AG_ERROR; the thread
 * calls ag_pool_end() in any case.
 */
int ag_pool_begin(ag_store_t *store, ag_database_t *database);

/*
 * Ends the transaction: commits it where rc is AG_OK, takes it back where it
 * is not. Returns rc, or AG_ERROR if it cannot be committed.
 */
int ag_pool_end(ag_store_t *store, ag_database_t *database, int rc);


#endif /* AG_POOL_H */
