/*
 * The address that the authority listens on.
 */

#ifndef AG_LISTEN_H
#define AG_LISTEN_H


#include "error.h"

#include <sys/socket.h>


typedef struct {
    struct sockaddr_storage  address;
    socklen_t                len;
    bool                     loopback;  /* only this machine can reach it */
} ag_address_t;


/*
 * Reads "127.0.0.1:8089", "[::1]:8089" or "localhost:8089"; port 0 is one
 * that the system picks. No other name is looked up. AG_OK, or AG_MALFORMED
 * with the error set.
 */
int ag_listen_parse(const char *text, ag_address_t *address,
    ag_error_t *error);

/*
 * Opens a listening socket, which the caller closes, and writes the address
 * that it got to name. Returns the descriptor, or -1 with the error set.
 */
int ag_listen_open(const ag_address_t *address, char *name, size_t size,
    ag_error_t *error);


#endif /* AG_LISTEN_H */
