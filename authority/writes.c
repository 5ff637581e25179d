/*
 * Requests that write.
 */

#include "writes.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>


#define AG_WRITES_MAX   256    /* requests in the queue */
#define AG_WRITES_WAIT  5000   /* milliseconds in the queue, at most */


struct ag_writes_s {
    ag_write_pt      run;
    void            *data;
    ag_request_t    *first;
    ag_request_t   **last;
    unsigned         n;
    bool             stopping;
    pthread_t        thread;
    pthread_mutex_t  lock;
    pthread_cond_t   wake;
};


static void *ag_writes_thread(void *data);
static int64_t ag_writes_now(void);


ag_writes_t *
ag_writes_start(ag_write_pt run, void *data, ag_error_t *error)
{
    ag_writes_t  *writes;

    writes = calloc(1, sizeof(ag_writes_t));
    if (writes == NULL) {
        ag_error(error, "not enough memory");
        return NULL;
    }

    writes->run = run;
    writes->data = data;
    writes->last = &writes->first;

    pthread_mutex_init(&writes->lock, NULL);
    pthread_cond_init(&writes->wake, NULL);

    if (pthread_create(&writes->thread, NULL, ag_writes_thread, writes) != 0) {
        ag_error(error, "cannot start a thread");
        pthread_cond_destroy(&writes->wake);
        pthread_mutex_destroy(&writes->lock);
        free(writes);
        return NULL;
    }

    return writes;
}


int
ag_writes_add(ag_writes_t *writes, ag_request_t *request)
{
    int  rc;

    rc = AG_DECLINED;

    pthread_mutex_lock(&writes->lock);

    if (!writes->stopping && writes->n < AG_WRITES_MAX) {
        request->next = NULL;
        request->queued = ag_writes_now();

        MHD_suspend_connection(request->connection);

        *writes->last = request;
        writes->last = &request->next;
        writes->n++;

        pthread_cond_signal(&writes->wake);

        rc = AG_OK;
    }

    pthread_mutex_unlock(&writes->lock);

    return rc;
}


static void *
ag_writes_thread(void *data)
{
    ag_writes_t *writes = data;

    bool           late;
    ag_request_t  *request;

    pthread_mutex_lock(&writes->lock);

    for ( ;; ) {
        request = writes->first;

        if (request == NULL) {
            if (writes->stopping) {
                break;
            }

            pthread_cond_wait(&writes->wake, &writes->lock);
            continue;
        }

        writes->first = request->next;
        writes->n--;

        if (writes->first == NULL) {
            writes->last = &writes->first;
        }

        late = writes->stopping
               || ag_writes_now() - request->queued > AG_WRITES_WAIT;

        pthread_mutex_unlock(&writes->lock);

        writes->run(writes->data, request, late);

        MHD_resume_connection(request->connection);

        pthread_mutex_lock(&writes->lock);
    }

    pthread_mutex_unlock(&writes->lock);

    return NULL;
}


static int64_t
ag_writes_now(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


void
ag_writes_stop(ag_writes_t *writes)
{
    if (writes == NULL) {
        return;
    }

    pthread_mutex_lock(&writes->lock);

    writes->stopping = true;

    pthread_cond_signal(&writes->wake);
    pthread_mutex_unlock(&writes->lock);

    pthread_join(writes->thread, NULL);

    pthread_cond_destroy(&writes->wake);
    pthread_mutex_destroy(&writes->lock);

    free(writes);
}
