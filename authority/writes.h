/*
 * Requests that write. SQLite lets one writer at a time into a database, and
 * another process can hold that lock for long. Requests that write therefore
 * run one after the other in a thread of their own, while their connections
 * are suspended, so that no request that only reads waits for one of them.
 */

#ifndef AG_WRITES_H
#define AG_WRITES_H


#include "error.h"
#include "request.h"


/*
 * Works out the reply to a request. "late" says that the request has waited
 * too long in the queue: the reply is then 503, and nothing is run.
 */
typedef void (*ag_write_pt)(void *data, ag_request_t *request, bool late);


typedef struct ag_writes_s  ag_writes_t;


/* Starts the thread, which calls run(data, ...); NULL with the error set. */
ag_writes_t *ag_writes_start(ag_write_pt run, void *data, ag_error_t *error);

/*
 * Suspends the request's connection and queues the request. AG_OK: return from
 * the handler, which is called again when the reply is there. AG_DECLINED: the
 * queue is full or the thread has been told to stop.
 */
int ag_writes_add(ag_writes_t *writes, ag_request_t *request);

/*
 * Ends the thread after the write that is under way; requests that still wait
 * are late. NULL is fine.
 */
void ag_writes_stop(ag_writes_t *writes);


#endif /* AG_WRITES_H */
