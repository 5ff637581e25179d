
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/status_codes.h"


typedef struct {
    ngx_agt_operation_e  operation;
    ngx_uint_t           status;
    ngx_agt_class_e      class;
    ngx_agt_reason_e     reason;
} ngx_agt_status_row_t;


#define ngx_agt_row(operation, status, class, reason)                        \
    { NGX_AGT_OPERATION_ ## operation, status,                               \
      NGX_AGT_CLASS_ ## class, NGX_AGT_REASON_ ## reason }


/*
 * The statuses that have a meaning of their own for an operation.  The edge
 * itself creates and lists tokens, so a refusal of these operations is not
 * about a client's token; and keys are asked for without a credential that
 * could be wrong.  RFC 7009, section 2.2: a token that the API does not
 * know is revoked.
 */

static const ngx_agt_status_row_t  ngx_agt_statuses[] = {

    ngx_agt_row(INTROSPECT, 200, NONE, ANSWER),
    ngx_agt_row(INTROSPECT, 400, INVALID, UNKNOWN),
    ngx_agt_row(INTROSPECT, 404, INVALID, UNKNOWN),
    ngx_agt_row(INTROSPECT, 410, REVOKED, REVOKED),
    ngx_agt_row(INTROSPECT, 422, INVALID, UNKNOWN),

    ngx_agt_row(REISSUE, 200, NONE, ANSWER),
    ngx_agt_row(REISSUE, 201, NONE, ANSWER),
    ngx_agt_row(REISSUE, 400, INVALID, REISSUE),
    ngx_agt_row(REISSUE, 403, INVALID, REISSUE),
    ngx_agt_row(REISSUE, 404, INVALID, REISSUE),
    ngx_agt_row(REISSUE, 410, REVOKED, REVOKED),
    ngx_agt_row(REISSUE, 422, INVALID, REISSUE),

    ngx_agt_row(VALIDATE, 200, ACTIVE, NONE),
    ngx_agt_row(VALIDATE, 400, INVALID, CREATE),
    ngx_agt_row(VALIDATE, 403, INVALID, CREATE),
    ngx_agt_row(VALIDATE, 404, INVALID, CREATE),
    ngx_agt_row(VALIDATE, 422, INVALID, CREATE),

    ngx_agt_row(CREATE, 200, NONE, ANSWER),
    ngx_agt_row(CREATE, 201, NONE, ANSWER),
    ngx_agt_row(CREATE, 400, INVALID, CREATE),
    ngx_agt_row(CREATE, 404, INVALID, CREATE),
    ngx_agt_row(CREATE, 422, INVALID, CREATE),

    ngx_agt_row(REVOKE, 400, ACTIVE, UNKNOWN),
    ngx_agt_row(REVOKE, 404, ACTIVE, UNKNOWN),
    ngx_agt_row(REVOKE, 410, ACTIVE, NONE),
    ngx_agt_row(REVOKE, 422, ACTIVE, UNKNOWN),

    ngx_agt_row(LIST, 200, NONE, ANSWER),

    ngx_agt_row(LIST_SESSIONS, 200, NONE, ANSWER),

    ngx_agt_row(INTROSPECT_KEY, 200, NONE, ANSWER),
    ngx_agt_row(INTROSPECT_KEY, 400, INVALID, UNKNOWN),
    ngx_agt_row(INTROSPECT_KEY, 404, INVALID, UNKNOWN),
    ngx_agt_row(INTROSPECT_KEY, 410, REVOKED, REVOKED),
    ngx_agt_row(INTROSPECT_KEY, 422, INVALID, UNKNOWN),

    ngx_agt_row(KEYS, 200, NONE, ANSWER),
    ngx_agt_row(KEYS, 401, INDETERMINATE, STATUS),
    ngx_agt_row(KEYS, 403, INDETERMINATE, STATUS)
};


static const ngx_str_t
    ngx_agt_operation_words[NGX_AGT_OPERATION_LAST] = {
    [NGX_AGT_OPERATION_INTROSPECT] = ngx_string("introspect"),
    [NGX_AGT_OPERATION_REISSUE] = ngx_string("reissue"),
    [NGX_AGT_OPERATION_VALIDATE] = ngx_string("validate"),
    [NGX_AGT_OPERATION_CREATE] = ngx_string("create"),
    [NGX_AGT_OPERATION_REVOKE] = ngx_string("revoke"),
    [NGX_AGT_OPERATION_LIST] = ngx_string("list"),
    [NGX_AGT_OPERATION_LIST_SESSIONS] = ngx_string("list_sessions"),
    [NGX_AGT_OPERATION_INTROSPECT_KEY] = ngx_string("introspect_key"),
    [NGX_AGT_OPERATION_KEYS] = ngx_string("public_keys"),
};


static void ngx_agt_status_any(
    ngx_agt_operation_e operation, ngx_uint_t status,
    ngx_agt_meaning_t *meaning);


const ngx_str_t *
ngx_agt_operation_word(ngx_uint_t operation)
{
    return &ngx_agt_operation_words[operation];
}


ngx_uint_t
ngx_agt_status_needs_object(ngx_uint_t status)
{
    return status == 400 || status == 403 || status == 404 || status == 410
           || status == 422;
}


void
ngx_agt_status_meaning(ngx_agt_operation_e operation,
    ngx_uint_t status, ngx_uint_t object, ngx_agt_meaning_t *meaning)
{
    ngx_uint_t                   i, n;
    const ngx_agt_status_row_t  *row;

    ngx_memzero(meaning, sizeof(ngx_agt_meaning_t));

    ngx_agt_status_any(operation, status, meaning);

    n = sizeof(ngx_agt_statuses) / sizeof(ngx_agt_status_row_t);

    for (i = 0; i < n; i++) {
        row = &ngx_agt_statuses[i];

        if (row->operation == operation && row->status == status) {
            meaning->class = row->class;
            meaning->reason = row->reason;
            break;
        }
    }

    if (ngx_agt_status_needs_object(status) && !object) {
        meaning->foreign = 1;

        /* "revoked" is believed even if another server says it */

        if (meaning->class != NGX_AGT_CLASS_REVOKED) {
            meaning->class = NGX_AGT_CLASS_INDETERMINATE;
            meaning->reason = NGX_AGT_REASON_NOT_THE_API;
        }
    }

    meaning->again = (operation == NGX_AGT_OPERATION_REVOKE
                      && meaning->class != NGX_AGT_CLASS_ACTIVE);
}


/* the meaning of a status that has no row for the operation */

static void
ngx_agt_status_any(ngx_agt_operation_e operation,
    ngx_uint_t status, ngx_agt_meaning_t *meaning)
{
    meaning->class = NGX_AGT_CLASS_INDETERMINATE;
    meaning->reason = NGX_AGT_REASON_STATUS;

    if (status == 401 || status == 403) {
        meaning->class = NGX_AGT_CLASS_REFUSED;
        meaning->reason = NGX_AGT_REASON_CREDENTIAL;

    } else if (status == 429) {
        meaning->reason = NGX_AGT_REASON_THROTTLED;
        meaning->transient = 1;

    } else if (status >= 500) {
        meaning->transient = 1;

    } else if (operation == NGX_AGT_OPERATION_REVOKE
               && status >= 200 && status <= 299)
    {
        meaning->class = NGX_AGT_CLASS_ACTIVE;
        meaning->reason = NGX_AGT_REASON_NONE;
    }
}
