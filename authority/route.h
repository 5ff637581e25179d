/*
 * Which path and method is which operation.
 */

#ifndef AG_ROUTE_H
#define AG_ROUTE_H


#include "operation.h"


/* larger bodies are 413 */

#define AG_BODY_MAX  (256 * 1024)


typedef struct {
    const char       *path;
    const char       *allow;   /* the methods, as the Allow header has them */
    ag_operation_pt   get;     /* NULL where there is none */
    ag_operation_pt   post;
    bool              writes;  /* post does, into the database */
} ag_route_t;


/* The route of a path, or NULL. */
const ag_route_t *ag_route_find(const char *path);

/*
 * Checks a request before its body is looked at: AG_OK, or AG_DECLINED with
 * 404, 405 or 415 and an ErrorMessage in the reply. route and
 * content_type may be NULL.
 */
int ag_route_check(const ag_route_t *route, const char *method,
    const char *content_type, ag_reply_t *reply);

/*
 * Runs the operation of a checked request with len bytes of body, which are
 * parsed here for POST. The call's body is set and unset.
 */
void ag_route_run(const ag_route_t *route, const ag_authority_t *authority,
    const char *method, const char *body, size_t len, ag_call_t *call,
    ag_reply_t *reply);


#endif /* AG_ROUTE_H */
