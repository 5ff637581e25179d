
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/answer.h"
#include "json/json.h"


void
ngx_agt_answer_init(ngx_agt_answer_t *answer)
{
    ngx_memzero(answer, sizeof(ngx_agt_answer_t));

    answer->class = NGX_AGT_CLASS_INDETERMINATE;
    answer->reason = NGX_AGT_REASON_INTERNAL;
}


void
ngx_agt_answer_read(ngx_agt_operation_e operation,
    const ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer)
{
    ngx_agt_meaning_t  meaning;

    static const ngx_agt_reason_e  reasons[] = {
        NGX_AGT_REASON_STATUS,
        NGX_AGT_REASON_RESOLVE,
        NGX_AGT_REASON_CONNECT,
        NGX_AGT_REASON_TLS,
        NGX_AGT_REASON_TIMEOUT,
        NGX_AGT_REASON_TRANSPORT,
        NGX_AGT_REASON_TRANSPORT,
        NGX_AGT_REASON_ANSWER,
        NGX_AGT_REASON_ANSWER
    };

    ngx_agt_answer_init(answer);

    answer->reason = reasons[result->error];
    answer->cause = ngx_agt_cause_of(operation,
                        ngx_min(NGX_AGT_CAUSE_CURL + result->code,
                                NGX_AGT_CAUSE_END));
    answer->retry_after = result->retry_after;

    switch (result->error) {

    case NGX_AGT_CURL_OK:
        answer->cause = ngx_agt_cause_of(operation, result->status % 1000);
        break;

    case NGX_AGT_CURL_TOO_LARGE:
        answer->cause = ngx_agt_cause_of(operation, NGX_AGT_CAUSE_TOO_LARGE);
        answer->too_large = 1;
        return;

    case NGX_AGT_CURL_ENCODED:
        answer->cause = ngx_agt_cause_of(operation, NGX_AGT_CAUSE_ENCODED);
        return;

    default:
        answer->transient = 1;
        return;
    }

    ngx_agt_answer_meaning(operation, result, &meaning);

    answer->class = meaning.class;
    answer->reason = meaning.reason;
    answer->transient = meaning.transient;
    answer->spoken = !meaning.foreign;
}


void
ngx_agt_answer_meaning(ngx_agt_operation_e operation,
    const ngx_agt_curl_result_t *result, ngx_agt_meaning_t *meaning)
{
    ngx_uint_t  object;

    object = ngx_agt_status_needs_object(result->status)
             && result->whole
             && ngx_agt_json_type(&result->content_type)
                != NGX_AGT_JSON_TYPE_OTHER
             && ngx_agt_json_is_object(result->body.data, result->body.len);

    ngx_agt_status_meaning(operation, result->status, object, meaning);
}
