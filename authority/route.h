/*
 * Which path and method is which operation.
 */

#ifndef AG_ROUTE_H
#define AG_ROUTE_H


#include "operation.h"


/* larger bodies are 413 */

#define AG_BODY_MAX  (256 * 1024)


typedef struct {
    const char       *path;    /* a part in braces stands for an identifier */
    const char       *allow;   /* the methods, as the Allow header has them */
    ag_operation_pt   get;     /* NULL where there is none */
    ag_operation_pt   post;
    ag_operation_pt   put;
    ag_operation_pt   delete;
    bool              writes;  /* post does, into the database; put and delete
                                  always do */
    bool              changes; /* put does change the directory */
} ag_route_t;


/*
 * The route of a path, or NULL. The identifier in the path is copied to id,
 * which has room for AG_ID_MAX + 1 bytes; "" where there is none.
 */
const ag_route_t *ag_route_find(const char *path, char *id);

/* Whether a method of a route has a body. */
bool ag_route_has_body(const ag_route_t *route, const char *method);

/* Whether a method of a route writes into the database. */
bool ag_route_writes(const ag_route_t *route, const char *method);

/*
 * Checks a request before its body is looked at: AG_OK, or AG_DECLINED with
 * 404, 405 or 415 and an ErrorMessage in the reply. route and
 * content_type may be NULL.
 */
int ag_route_check(const ag_route_t *route, const char *method,
    const char *content_type, ag_reply_t *reply);

/*
 * Runs the operation of a checked request with len bytes of body, which are
 * parsed here for methods that have one. The call's body is set and unset.
 */
void ag_route_run(const ag_route_t *route, const ag_authority_t *authority,
    const char *method, const char *body, size_t len, ag_call_t *call,
    ag_reply_t *reply);


#endif /* AG_ROUTE_H */
