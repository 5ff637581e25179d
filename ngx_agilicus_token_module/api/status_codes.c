
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/status_codes.h"


typedef struct {
    ngx_agilicus_token_operation_e  operation;
    ngx_uint_t                      status;
    ngx_agilicus_token_class_e      class;
    ngx_agilicus_token_reason_e     reason;
} ngx_agilicus_token_status_row_t;


#define ngx_agilicus_token_row(operation, status, class, reason)             \
    { NGX_AGILICUS_TOKEN_OPERATION_ ## operation, status,                    \
      NGX_AGILICUS_TOKEN_CLASS_ ## class, NGX_AGILICUS_TOKEN_REASON_ ## reason }


/*
 * What an operation has of its own.  Whoever creates and lists is the edge
 * itself, so that a refusal of those is not about a token of a client's.  RFC
 * 7009, section 2.2: a token that the API does not know is revoked.
 */

static const ngx_agilicus_token_status_row_t  ngx_agilicus_token_statuses[] = {

    ngx_agilicus_token_row(INTROSPECT, 200, NONE, ANSWER),
    ngx_agilicus_token_row(INTROSPECT, 400, INVALID, UNKNOWN),
    ngx_agilicus_token_row(INTROSPECT, 404, INVALID, UNKNOWN),
    ngx_agilicus_token_row(INTROSPECT, 410, REVOKED, REVOKED),
    ngx_agilicus_token_row(INTROSPECT, 422, INVALID, UNKNOWN),

    ngx_agilicus_token_row(REISSUE, 200, NONE, ANSWER),
    ngx_agilicus_token_row(REISSUE, 201, NONE, ANSWER),
    ngx_agilicus_token_row(REISSUE, 400, INVALID, REISSUE),
    ngx_agilicus_token_row(REISSUE, 403, INVALID, REISSUE),
    ngx_agilicus_token_row(REISSUE, 404, INVALID, REISSUE),
    ngx_agilicus_token_row(REISSUE, 410, REVOKED, REVOKED),
    ngx_agilicus_token_row(REISSUE, 422, INVALID, REISSUE),

    ngx_agilicus_token_row(VALIDATE, 200, ACTIVE, NONE),
    ngx_agilicus_token_row(VALIDATE, 400, INVALID, CREATE),
    ngx_agilicus_token_row(VALIDATE, 403, INVALID, CREATE),
    ngx_agilicus_token_row(VALIDATE, 404, INVALID, CREATE),
    ngx_agilicus_token_row(VALIDATE, 422, INVALID, CREATE),

    ngx_agilicus_token_row(CREATE, 200, NONE, ANSWER),
    ngx_agilicus_token_row(CREATE, 201, NONE, ANSWER),
    ngx_agilicus_token_row(CREATE, 400, INVALID, CREATE),
    ngx_agilicus_token_row(CREATE, 404, INVALID, CREATE),
    ngx_agilicus_token_row(CREATE, 422, INVALID, CREATE),

    ngx_agilicus_token_row(REVOKE, 400, ACTIVE, UNKNOWN),
    ngx_agilicus_token_row(REVOKE, 404, ACTIVE, UNKNOWN),
    ngx_agilicus_token_row(REVOKE, 410, ACTIVE, NONE),
    ngx_agilicus_token_row(REVOKE, 422, ACTIVE, UNKNOWN),

    ngx_agilicus_token_row(LIST, 200, NONE, ANSWER)
};


static void ngx_agilicus_token_status_any(
    ngx_agilicus_token_operation_e operation, ngx_uint_t status,
    ngx_agilicus_token_meaning_t *meaning);


ngx_uint_t
ngx_agilicus_token_status_needs_object(ngx_uint_t status)
{
    return status == 400 || status == 403 || status == 404 || status == 410
           || status == 422;
}


void
ngx_agilicus_token_status_meaning(ngx_agilicus_token_operation_e operation,
    ngx_uint_t status, ngx_uint_t object,
    ngx_agilicus_token_meaning_t *meaning)
{
    ngx_uint_t                              i, n;
    const ngx_agilicus_token_status_row_t  *row;

    ngx_memzero(meaning, sizeof(ngx_agilicus_token_meaning_t));

    ngx_agilicus_token_status_any(operation, status, meaning);

    n = sizeof(ngx_agilicus_token_statuses)
        / sizeof(ngx_agilicus_token_status_row_t);

    for (i = 0; i < n; i++) {
        row = &ngx_agilicus_token_statuses[i];

        if (row->operation == operation && row->status == status) {
            meaning->class = row->class;
            meaning->reason = row->reason;
            break;
        }
    }

    if (ngx_agilicus_token_status_needs_object(status) && !object) {
        meaning->foreign = 1;

        /* whoever says of a token that it is revoked is believed */

        if (meaning->class != NGX_AGILICUS_TOKEN_CLASS_REVOKED) {
            meaning->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
            meaning->reason = NGX_AGILICUS_TOKEN_REASON_NOT_THE_API;
        }
    }

    meaning->again = (operation == NGX_AGILICUS_TOKEN_OPERATION_REVOKE
                      && meaning->class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE);
}


/* what a status means wherever an operation has nothing of its own */

static void
ngx_agilicus_token_status_any(ngx_agilicus_token_operation_e operation,
    ngx_uint_t status, ngx_agilicus_token_meaning_t *meaning)
{
    meaning->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    meaning->reason = NGX_AGILICUS_TOKEN_REASON_STATUS;

    if (status == 401 || status == 403) {
        meaning->class = NGX_AGILICUS_TOKEN_CLASS_REFUSED;
        meaning->reason = NGX_AGILICUS_TOKEN_REASON_CREDENTIAL;

    } else if (status == 429) {
        meaning->reason = NGX_AGILICUS_TOKEN_REASON_THROTTLED;
        meaning->transient = 1;

    } else if (status >= 500) {
        meaning->transient = 1;

    } else if (operation == NGX_AGILICUS_TOKEN_OPERATION_REVOKE
               && status >= 200 && status <= 299)
    {
        meaning->class = NGX_AGILICUS_TOKEN_CLASS_ACTIVE;
        meaning->reason = NGX_AGILICUS_TOKEN_REASON_NONE;
    }
}
