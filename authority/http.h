/*
 * The HTTP server.
 */

#ifndef AG_HTTP_H
#define AG_HTTP_H


#include "authority.h"
#include "faults.h"


typedef struct {
    int           fd;            /* listening socket; taken over */
    const char   *certificate;   /* PEM; NULL for plain HTTP */
    const char   *key;           /* PEM */
    int           requestlog;    /* descriptor, or -1 */
    ag_faults_t  *faults;        /* borrowed */
} ag_http_options_t;


typedef struct ag_http_s  ag_http_t;


/*
 * Serves in threads of its own until ag_http_stop(). The authority outlives
 * that. NULL with the error set; then the socket is closed.
 */
ag_http_t *ag_http_start(const ag_authority_t *authority,
    const ag_http_options_t *options, ag_error_t *error);

/*
 * Accepts no more connections, gives requests under way a moment to end,
 * releases those that faults hold, closes everything and frees the server.
 */
void ag_http_stop(ag_http_t *http);


#endif /* AG_HTTP_H */
