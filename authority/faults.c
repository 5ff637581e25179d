/*
 * Faults on purpose. Held connections are suspended, so that other
 * connections go on, and a thread resumes them.
 */

#include "faults.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>


/* how often the thread looks whether clients that wait for ever have left */

#define AG_FAULTS_SWEEP  1000


struct ag_faults_s {
    ag_fault_options_t   options;
    atomic_uint          requests;
    bool                 released;
    ag_held_t           *first;    /* in the order in which they are due */
    ag_held_t          **last;
    pthread_t            thread;
    pthread_mutex_t      lock;
    pthread_cond_t       wake;
};


static void *ag_faults_run(void *data);
static int64_t ag_faults_resume_due(ag_faults_t *faults, int64_t now);
static bool ag_faults_gone(const ag_held_t *held);
static int64_t ag_faults_now(void);


ag_faults_t *
ag_faults_start(const ag_fault_options_t *options, ag_error_t *error)
{
    ag_faults_t         *faults;
    pthread_condattr_t   attr;

    faults = calloc(1, sizeof(ag_faults_t));
    if (faults == NULL) {
        ag_error(error, "not enough memory");
        return NULL;
    }

    faults->options = *options;
    faults->last = &faults->first;

    pthread_mutex_init(&faults->lock, NULL);

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&faults->wake, &attr);
    pthread_condattr_destroy(&attr);

    if (pthread_create(&faults->thread, NULL, ag_faults_run, faults) != 0) {
        ag_error(error, "cannot start a thread");
        pthread_cond_destroy(&faults->wake);
        pthread_mutex_destroy(&faults->lock);
        free(faults);
        return NULL;
    }

    return faults;
}


static void *
ag_faults_run(void *data)
{
    ag_faults_t *faults = data;

    int64_t          next;
    struct timespec  until;

    pthread_mutex_lock(&faults->lock);

    while (!faults->released) {
        next = ag_faults_resume_due(faults, ag_faults_now());

        if (next < 0) {
            pthread_cond_wait(&faults->wake, &faults->lock);
            continue;
        }

        until.tv_sec = (time_t) (next / 1000);
        until.tv_nsec = (long) (next % 1000) * 1000000;

        pthread_cond_timedwait(&faults->wake, &faults->lock, &until);
    }

    pthread_mutex_unlock(&faults->lock);

    return NULL;
}


/*
 * Returns the time of the next call; -1 where no request waits. Answers are
 * not due in the order of their requests, since delays differ.
 */

static int64_t
ag_faults_resume_due(ag_faults_t *faults, int64_t now)
{
    int64_t     next;
    ag_held_t  *held, **p;

    next = INT64_MAX;

    for (p = &faults->first; *p; /* void */ ) {
        held = *p;

        if (held->due < 0 ? !ag_faults_gone(held) : held->due > now) {
            if (held->due >= 0 && held->due < next) {
                next = held->due;
            }

            p = &held->next;
            continue;
        }

        *p = held->next;

        if (*p == NULL) {
            faults->last = p;
        }

        MHD_resume_connection(held->connection);
    }

    if (faults->first == NULL) {
        return -1;
    }

    return next < INT64_MAX ? next : now + AG_FAULTS_SWEEP;
}


static bool
ag_faults_gone(const ag_held_t *held)
{
    struct pollfd                    peer;
    const union MHD_ConnectionInfo  *info;

    info = MHD_get_connection_info(held->connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL) {
        return true;
    }

    peer.fd = info->connect_fd;
    peer.events = POLLRDHUP;
    peer.revents = 0;

    return poll(&peer, 1, 0) == 1
           && (peer.revents & (POLLRDHUP|POLLHUP|POLLERR|POLLNVAL)) != 0;
}


static int64_t
ag_faults_now(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


bool
ag_faults_fail(ag_faults_t *faults)
{
    unsigned long long  n;

    if (faults->options.fail == 0) {
        return false;
    }

    n = atomic_fetch_add(&faults->requests, 1);

    /* whether the n-th request carries the sum over the next whole number */

    return (n + 1) * faults->options.fail / 10000
           != n * faults->options.fail / 10000;
}


bool
ag_faults_hang(const ag_faults_t *faults)
{
    return faults->options.hang;
}


int
ag_faults_hold(ag_faults_t *faults, ag_held_t *held,
    struct MHD_Connection *connection, int64_t more)
{
    int      rc;
    int64_t  delay;

    delay = faults->options.delay + more;

    if (delay == 0 && !faults->options.hang) {
        return AG_DECLINED;
    }

    rc = AG_DECLINED;

    pthread_mutex_lock(&faults->lock);

    if (!faults->released) {
        held->connection = connection;
        held->next = NULL;
        held->due = faults->options.hang
                    ? -1 : ag_faults_now() + delay;

        MHD_suspend_connection(connection);

        *faults->last = held;
        faults->last = &held->next;

        pthread_cond_signal(&faults->wake);

        rc = AG_OK;
    }

    pthread_mutex_unlock(&faults->lock);

    return rc;
}


void
ag_faults_release(ag_faults_t *faults)
{
    ag_held_t  *held;

    pthread_mutex_lock(&faults->lock);

    faults->released = true;

    while (faults->first) {
        held = faults->first;
        faults->first = held->next;

        MHD_resume_connection(held->connection);
    }

    faults->last = &faults->first;

    pthread_cond_signal(&faults->wake);
    pthread_mutex_unlock(&faults->lock);
}


void
ag_faults_free(ag_faults_t *faults)
{
    if (faults == NULL) {
        return;
    }

    ag_faults_release(faults);

    pthread_join(faults->thread, NULL);

    pthread_cond_destroy(&faults->wake);
    pthread_mutex_destroy(&faults->lock);

    free(faults);
}
