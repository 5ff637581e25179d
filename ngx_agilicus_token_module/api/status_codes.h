
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_STATUS_CODES_H_INCLUDED_
#define _NGX_AGT_API_STATUS_CODES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/reason.h"


/*
 * The meaning of each status of the Tokens API, in one table.
 *
 * Only the API decides on a token.  400, 403, 404 and 422 count as the API's
 * answer only with a JSON object as their body; any other body with such a
 * status comes from a server in front of the API and decides nothing.  410
 * refuses with any body, but without an object it is not the API's answer.
 */

typedef enum {
    NGX_AGT_OPERATION_INTROSPECT = 0,
    NGX_AGT_OPERATION_REISSUE,
    NGX_AGT_OPERATION_VALIDATE,
    NGX_AGT_OPERATION_CREATE,
    NGX_AGT_OPERATION_REVOKE,
    NGX_AGT_OPERATION_LIST,
    NGX_AGT_OPERATION_LIST_SESSIONS,
    NGX_AGT_OPERATION_INTROSPECT_KEY,
    NGX_AGT_OPERATION_KEYS,

    NGX_AGT_OPERATION_LAST
} ngx_agt_operation_e;


typedef struct {

    /*
     * NONE      the body decides: it must be read, and decides nothing where it
     *           cannot be read
     * ACTIVE    done as asked; of a revocation also where there was nothing to
     *           revoke
     * others    as their names say, and no body changes it
     */
    ngx_agt_class_e   class;
    ngx_agt_reason_e  reason;

    /* the breaker counts it, and facts that are too old may serve instead */
    unsigned          transient:1;

    /* a revocation with this answer is tried again */
    unsigned          again:1;

    /* the status is about a token, but the API did not answer */
    unsigned          foreign:1;
} ngx_agt_meaning_t;


/*
 * Returns the word for an operation in figures: a constant, which a null
 * follows.
 */
const ngx_str_t *ngx_agt_operation_word(ngx_uint_t operation);

/*
 * Returns 1 if the meaning of a status depends on whether its body is a JSON
 * object; else 0, and the body need not be looked at for it.
 */
ngx_uint_t ngx_agt_status_needs_object(ngx_uint_t status);

/*
 * Sets "*meaning" to the meaning of a whole answer of "status" to "operation".
 * "object" is 1 if its body is a complete JSON object of a type that may hold
 * one.
 */
void ngx_agt_status_meaning(
    ngx_agt_operation_e operation, ngx_uint_t status,
    ngx_uint_t object, ngx_agt_meaning_t *meaning);


#endif /* _NGX_AGT_API_STATUS_CODES_H_INCLUDED_ */
