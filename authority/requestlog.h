/*
 * The request log: a line for each request, for tests to count.
 *
 *     POST /v1/tokens/introspect 200 tuU7smH86zAXMl76sua6xQ
 *
 * Method, path, status, and the jti of the token that the request was about,
 * or "-". Paths that the API does not have are "-" too, and there is no query:
 * either could hold a token. The status of a request that is never answered
 * is 000.
 */

#ifndef AG_REQUESTLOG_H
#define AG_REQUESTLOG_H


#include "error.h"


/*
 * Opens a file to append to; "-" is the standard output. Returns a
 * descriptor, or -1 with the error set.
 */
int ag_requestlog_open(const char *path, ag_error_t *error);

/*
 * Appends a line, in one piece. Does nothing for a descriptor of -1; path and
 * jti may be NULL.
 */
void ag_requestlog_write(int fd, const char *method, const char *path,
    int status, const char *jti);


#endif /* AG_REQUESTLOG_H */
