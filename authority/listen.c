/*
 * The address that the authority listens on.
 */

#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define AG_BACKLOG  1024


static int ag_listen_port(const char *text, in_port_t *port);
static int ag_listen_host(const char *host, in_port_t port,
    ag_address_t *address);
static int ag_listen_name(int fd, char *name, size_t size);


int
ag_listen_parse(const char *text, ag_address_t *address, ag_error_t *error)
{
    char         host[64];
    size_t       len;
    in_port_t    port;
    const char  *colon;

    memset(address, 0, sizeof(ag_address_t));

    colon = strrchr(text, ':');
    len = colon ? (size_t) (colon - text) : 0;

    if (len == 0 || len >= sizeof(host)
        || ag_listen_port(colon + 1, &port) != AG_OK)
    {
        return ag_error(error, "\"%s\" is not an address and a port", text);
    }

    memcpy(host, text, len);
    host[len] = '\0';

    if (ag_listen_host(host, port, address) != AG_OK) {
        return ag_error(error, "\"%s\" is not a numeric address and a port",
                        text);
    }

    return AG_OK;
}


static int
ag_listen_port(const char *text, in_port_t *port)
{
    size_t    len;
    unsigned  n;

    len = strlen(text);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len) {
        return AG_MALFORMED;
    }

    n = (unsigned) strtoul(text, NULL, 10);
    *port = htons((uint16_t) n);

    return n <= 65535 ? AG_OK : AG_MALFORMED;
}


static int
ag_listen_host(const char *host, in_port_t port, ag_address_t *address)
{
    char                  inner[64];
    size_t                len;
    struct sockaddr_in   *in;
    struct sockaddr_in6  *in6;

    in = (struct sockaddr_in *) &address->address;
    in6 = (struct sockaddr_in6 *) &address->address;

    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }

    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = port;

        address->len = sizeof(struct sockaddr_in);
        address->loopback = ((ntohl(in->sin_addr.s_addr) >> 24) == 127);

        return AG_OK;
    }

    len = strlen(host);

    if (len < 3 || host[0] != '[' || host[len - 1] != ']') {
        return AG_MALFORMED;
    }

    memcpy(inner, host + 1, len - 2);
    inner[len - 2] = '\0';

    if (inet_pton(AF_INET6, inner, &in6->sin6_addr) != 1) {
        return AG_MALFORMED;
    }

    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;

    address->len = sizeof(struct sockaddr_in6);
    address->loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);

    return AG_OK;
}


int
ag_listen_open(const ag_address_t *address, char *name, size_t size,
    ag_error_t *error)
{
    int  fd, on;

    on = 1;

    fd = socket(address->address.ss_family,
                SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (const struct sockaddr *) &address->address, address->len)
           == -1
        || listen(fd, AG_BACKLOG) == -1
        || ag_listen_name(fd, name, size) != AG_OK)
    {
        ag_error(error, "cannot listen: %s", strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return -1;
    }

    return fd;
}


static int
ag_listen_name(int fd, char *name, size_t size)
{
    char                     host[INET6_ADDRSTRLEN];
    socklen_t                len;
    struct sockaddr_in      *in;
    struct sockaddr_in6     *in6;
    struct sockaddr_storage  address;

    len = sizeof(address);
    in = (struct sockaddr_in *) &address;
    in6 = (struct sockaddr_in6 *) &address;

    if (getsockname(fd, (struct sockaddr *) &address, &len) == -1) {
        return AG_ERROR;
    }

    if (address.ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(name, size, "%s:%u", host, (unsigned) ntohs(in->sin_port));

    } else {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(name, size, "[%s]:%u", host, (unsigned) ntohs(in6->sin6_port));
    }

    return AG_OK;
}
