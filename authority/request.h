/*
 * One HTTP request on its way through the server.
 */

#ifndef AG_REQUEST_H
#define AG_REQUEST_H


#include "faults.h"
#include "requestlog.h"
#include "route.h"

#include <microhttpd.h>


typedef struct ag_request_s  ag_request_t;

struct ag_request_s {
    struct MHD_Connection  *connection;
    const ag_route_t       *route;       /* NULL: no such path */
    const char             *method;      /* as long as the request lives */
    char                    id[AG_ID_MAX + 1];  /* in the path */
    ag_text_t               body;
    size_t                  received;    /* of body, kept or not */
    bool                    answered;    /* there is a reply to send */
    ag_reply_t              reply;
    bool                    delayed;     /* faults have been asked */
    ag_held_t               held;
    ag_request_t           *next;        /* in the queue of writes */
    int64_t                 queued;      /* milliseconds; 0: never */
};


/* State for a new request, or NULL. */
ag_request_t *ag_request_create(struct MHD_Connection *connection,
    const char *path, const char *method);

/*
 * Whether a client that waits to be told to send its body is to send it:
 * AG_OK, also where it does not wait; AG_DECLINED with the reply set.
 */
int ag_request_expect(ag_request_t *request);

/*
 * Takes a piece of the body. Of a body that will not be read, only the length
 * is counted, so that the client can send it all and then read the error.
 * AG_OK, or AG_ERROR to close the connection.
 */
int ag_request_body(ag_request_t *request, const char *data, size_t len);

/* Whether a complete request is for an operation that writes. */
bool ag_request_writes(const ag_request_t *request);

/* Works out the reply to a complete request. */
void ag_request_run(ag_request_t *request, const ag_authority_t *authority);

/*
 * Sends the reply; with last, as the last one on its connection. To be
 * returned from the handler.
 */
enum MHD_Result ag_request_send(ag_request_t *request, bool last);

/* Overwrites the body, which may hold a token, and frees the state. */
void ag_request_free(ag_request_t *request);


#endif /* AG_REQUEST_H */
