
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_STATUS_CODES_H_INCLUDED_
#define _NGX_AGT_API_STATUS_CODES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/reason.h"


/*
 * What a status of the Tokens API means: the one table of it.
 *
 * Only the API speaks of a token.  400, 403, 404 and 422 are its word only with
 * a JSON object as their body; anything else with such a status comes from
 * something in front of it and decides nothing.  410 refuses whatever its body
 * is, but without an object it is not the API that says so.
 */

typedef enum {
    NGX_AGT_OPERATION_INTROSPECT = 0,
    NGX_AGT_OPERATION_REISSUE,
    NGX_AGT_OPERATION_VALIDATE,
    NGX_AGT_OPERATION_CREATE,
    NGX_AGT_OPERATION_REVOKE,
    NGX_AGT_OPERATION_LIST,

    NGX_AGT_OPERATION_LAST
} ngx_agt_operation_e;


typedef struct {

    /*
     * NONE      the body says: it is to be read, and decides nothing where it
     *           cannot be read
     * ACTIVE    done as asked; of a revocation also where there was nothing to
     *           revoke
     * others    as their names say, and no body changes it
     */
    ngx_agt_class_e   class;
    ngx_agt_reason_e  reason;

    /* the breaker counts it, and facts that are too old may serve instead */
    unsigned          transient:1;

    /* a revocation that is answered so is tried again */
    unsigned          again:1;

    /* the status speaks of a token, and something else than the API says so */
    unsigned          foreign:1;
} ngx_agt_meaning_t;


/*
 * Returns 1 if the meaning of a status depends on whether its body is a JSON
 * object; else 0, and the body need not be looked at for it.
 */
ngx_uint_t ngx_agt_status_needs_object(ngx_uint_t status);

/*
 * What a whole answer of "status" to "operation" means, filled into "*meaning".
 * "object" is 1 if its body is a complete JSON object of a type that may hold
 * one.
 */
void ngx_agt_status_meaning(
    ngx_agt_operation_e operation, ngx_uint_t status,
    ngx_uint_t object, ngx_agt_meaning_t *meaning);


#endif /* _NGX_AGT_API_STATUS_CODES_H_INCLUDED_ */
