
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_ANSWER_H_INCLUDED_
#define _NGX_AGT_API_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/curl.h"
#include "api/status_codes.h"


/*
 * What came of a call.  The strings live until the callback that gets the
 * answer returns.
 */

typedef struct {
    ngx_agt_class_e    class;
    ngx_agt_reason_e   reason;
    uint16_t           cause;       /* see ngx_agt_cause_e; 0: none is known */
    ngx_str_t          facts;
    ngx_str_t          rules;
    ngx_str_t          token;       /* of reissue and create, and the raw
                                       token of an API key */
    uint64_t           sent;        /* ms, monotonic */
    uint64_t           asked;       /* ms, monotonic: when the token was first
                                       asked about */
    ngx_atomic_uint_t  clean;       /* generation of the denials that were
                                       looked through */
    ngx_msec_t         elapsed;     /* since the call was made */
    time_t             retry_after; /* seconds; 0: none */

    /* INDETERMINATE by transport, 429 or 5xx: the API is not available */
    unsigned           transient:1;
    unsigned           too_large:1;

    /* by the API itself, and not by something in front of it */
    unsigned           spoken:1;
} ngx_agt_answer_t;


/*
 * Sets an answer to INDETERMINATE for a failure inside this edge.
 */
void ngx_agt_answer_init(ngx_agt_answer_t *answer);

/*
 * Fills in "answer" what the transport and the status say.  Class NONE is left
 * where the body is still to be read.  "sent" and "elapsed" are the caller's to
 * set.
 */
void ngx_agt_answer_read(ngx_agt_operation_e operation,
    const ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);

/*
 * Fills "meaning" from the status of an answer, whichever it is; reads the body
 * where the meaning depends on it.
 */
void ngx_agt_answer_meaning(ngx_agt_operation_e operation,
    const ngx_agt_curl_result_t *result, ngx_agt_meaning_t *meaning);


#endif /* _NGX_AGT_API_ANSWER_H_INCLUDED_ */
