/*
 * What the files of the store share.
 */

#ifndef AG_STORE_HANDLE_H
#define AG_STORE_HANDLE_H


#include "database.h"
#include "store.h"

#include <pthread.h>


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


/*
 * A connection for reading: this thread's alone until it is given back. NULL
 * when none can be opened.
 */
ag_database_t *ag_store_take(ag_store_t *store);

/* Gives a connection back. */
void ag_store_give(ag_store_t *store, ag_database_t *database);

/* Reads the columns AG_TOKEN_COLUMNS of a row. AG_OK or AG_ERROR. */
int ag_store_row(sqlite3_stmt *statement, ag_token_t *token);


#endif /* AG_STORE_HANDLE_H */
