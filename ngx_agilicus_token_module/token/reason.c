
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/reason.h"


#define NGX_AGT_VERDICT_WORD(name, word)  ngx_string(word),
#define NGX_AGT_REASON_WORD(name, word, detail)  ngx_string(word),
#define NGX_AGT_REASON_DETAIL(name, word, detail)  NGX_AGT_DETAIL_##detail,
#define NGX_AGT_CAUSE_WORDS(name, words)  words,


static const ngx_str_t  ngx_agt_no_word = ngx_null_string;

static const ngx_str_t  ngx_agt_verdict_words[] = {
    NGX_AGT_VERDICTS(NGX_AGT_VERDICT_WORD)
};

static const ngx_str_t  ngx_agt_reason_words[] = {
    NGX_AGT_REASONS(NGX_AGT_REASON_WORD)
};

static const ngx_agt_detail_e  ngx_agt_reason_details[] = {
    NGX_AGT_REASONS(NGX_AGT_REASON_DETAIL)
};

static const char  *ngx_agt_causes[] = {
    NGX_AGT_CAUSES(NGX_AGT_CAUSE_WORDS)
};


const ngx_str_t *
ngx_agt_verdict_word(ngx_uint_t verdict)
{
    if (verdict >= NGX_AGT_VERDICT_LAST) {
        return &ngx_agt_no_word;
    }

    return &ngx_agt_verdict_words[verdict];
}


const ngx_str_t *
ngx_agt_reason_word(ngx_uint_t reason)
{
    if (reason >= NGX_AGT_REASON_LAST) {
        return &ngx_agt_no_word;
    }

    return &ngx_agt_reason_words[reason];
}


ngx_agt_detail_e
ngx_agt_reason_detail(ngx_uint_t reason)
{
    return (reason < NGX_AGT_REASON_LAST) ? ngx_agt_reason_details[reason]
                                          : NGX_AGT_DETAIL_NONE;
}


const char *
ngx_agt_cause_words(ngx_uint_t cause)
{
    return (cause < NGX_AGT_CAUSE_LAST) ? ngx_agt_causes[cause] : "";
}


ngx_uint_t
ngx_agt_reason_belongs(ngx_uint_t reason, ngx_uint_t verdict)
{
    ngx_uint_t  i, found;

    /* the first reason of each verdict, in the order of the list */

    static const struct {
        ngx_agt_reason_e   first;
        ngx_agt_verdict_e  verdict;
    } groups[] = {
        { NGX_AGT_REASON_NONE, NGX_AGT_VERDICT_ACTIVE },
        { NGX_AGT_REASON_NO_TOKEN, NGX_AGT_VERDICT_MISSING },
        { NGX_AGT_REASON_SYNTAX, NGX_AGT_VERDICT_MALFORMED },
        { NGX_AGT_REASON_UNKNOWN, NGX_AGT_VERDICT_INVALID },
        { NGX_AGT_REASON_EXPIRED, NGX_AGT_VERDICT_EXPIRED },
        { NGX_AGT_REASON_REVOKED, NGX_AGT_VERDICT_REVOKED },
        { NGX_AGT_REASON_MFA, NGX_AGT_VERDICT_STEP_UP },
        { NGX_AGT_REASON_SCOPE, NGX_AGT_VERDICT_FORBIDDEN },
        { NGX_AGT_REASON_RESOLVE, NGX_AGT_VERDICT_UNAVAILABLE }
    };

    found = NGX_AGT_VERDICT_NONE;

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (reason >= groups[i].first) {
            found = groups[i].verdict;
        }
    }

    return found == verdict
           || (reason == NGX_AGT_REASON_NONE
               && verdict == NGX_AGT_VERDICT_ANONYMOUS);
}
