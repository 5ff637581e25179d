/*
 * Faults on purpose, for tests of programs that use the authority: slow
 * answers, failures, no answers.
 */

#ifndef AG_FAULTS_H
#define AG_FAULTS_H


#include "error.h"

#include <microhttpd.h>


typedef struct {
    int64_t   delay;     /* milliseconds between a request and its answer */
    unsigned  fail;      /* requests of 10,000 that are answered with 500 */
    bool      hang;      /* requests are read and never answered */
} ag_fault_options_t;


/* a request that waits; part of the request's own state */

typedef struct ag_held_s  ag_held_t;

struct ag_held_s {
    struct MHD_Connection  *connection;
    int64_t                 due;    /* milliseconds; -1: never */
    ag_held_t              *next;
};


typedef struct ag_faults_s  ag_faults_t;


/* Starts it, or NULL with the error set. */
ag_faults_t *ag_faults_start(const ag_fault_options_t *options,
    ag_error_t *error);

/*
 * Whether this request is one that fails: with a rate of 10 %, every tenth.
 * Threads may ask at once.
 */
bool ag_faults_fail(ag_faults_t *faults);

/* Whether requests are never to be answered. */
bool ag_faults_hang(const ag_faults_t *faults);

/*
 * Suspends a request's connection until its answer is due; "more" is a delay
 * of its own in milliseconds, besides that of all requests. AG_OK: return from
 * the handler, which is called again then. AG_DECLINED: there is no delay, or
 * the server is about to stop; go on at once.
 */
int ag_faults_hold(ag_faults_t *faults, ag_held_t *held,
    struct MHD_Connection *connection, int64_t more);

/* Lets all waiting requests go on; from then on no request is held. */
void ag_faults_release(ag_faults_t *faults);

/* Ends it; NULL is fine. All requests must have been released before. */
void ag_faults_free(ag_faults_t *faults);


#endif /* AG_FAULTS_H */
