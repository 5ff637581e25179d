/*
 * The request log.
 */

#include "requestlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define AG_METHOD_MAX  16


int
ag_requestlog_open(const char *path, ag_error_t *error)
{
    int  fd;

    if (strcmp(path, "-") == 0) {
        return STDOUT_FILENO;
    }

    fd = open(path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0600);

    if (fd == -1) {
        ag_error(error, "cannot open the request log \"%s\": %s", path,
                 strerror(errno));
    }

    return fd;
}


void
ag_requestlog_write(int fd, const char *method, const char *path, int status,
    const char *jti)
{
    int     n;
    char    line[256];
    size_t  len;

    if (fd == -1) {
        return;
    }

    /* the client chooses the method, so it may be any text */

    len = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (len == 0 || len > AG_METHOD_MAX || method[len] != '\0') {
        method = "-";
    }

    n = snprintf(line, sizeof(line), "%s %s %03d %s\n", method,
                 path ? path : "-", status, jti && jti[0] ? jti : "-");

    /* a log that cannot be written stops no request */

    if (n > 0 && write(fd, line, (size_t) n) == -1) {
        return;
    }
}
