
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/reason.h"


static const ngx_str_t  ngx_agt_no_word = ngx_null_string;


static const ngx_str_t
    ngx_agt_verdict_words[NGX_AGT_VERDICT_LAST] = {
    [NGX_AGT_VERDICT_NONE] = ngx_string(""),
    [NGX_AGT_VERDICT_ACTIVE] = ngx_string("active"),
    [NGX_AGT_VERDICT_ANONYMOUS] = ngx_string("anonymous"),
    [NGX_AGT_VERDICT_MISSING] = ngx_string("missing"),
    [NGX_AGT_VERDICT_MALFORMED] = ngx_string("malformed"),
    [NGX_AGT_VERDICT_INVALID] = ngx_string("invalid"),
    [NGX_AGT_VERDICT_EXPIRED] = ngx_string("expired"),
    [NGX_AGT_VERDICT_REVOKED] = ngx_string("revoked"),
    [NGX_AGT_VERDICT_STEP_UP] = ngx_string("step_up"),
    [NGX_AGT_VERDICT_FORBIDDEN] = ngx_string("forbidden"),
    [NGX_AGT_VERDICT_UNAVAILABLE] = ngx_string("unavailable"),
};


static const ngx_str_t
    ngx_agt_reason_words[NGX_AGT_REASON_LAST] = {
    [NGX_AGT_REASON_NONE] = ngx_string(""),

    [NGX_AGT_REASON_NO_TOKEN] = ngx_string("no_token"),
    [NGX_AGT_REASON_NO_IDENTITY] = ngx_string("no_identity"),

    [NGX_AGT_REASON_SYNTAX] = ngx_string("syntax"),
    [NGX_AGT_REASON_TOO_LONG] = ngx_string("too_long"),
    [NGX_AGT_REASON_MULTIPLE] = ngx_string("multiple"),

    [NGX_AGT_REASON_UNKNOWN] = ngx_string("unknown"),
    [NGX_AGT_REASON_SAYS_NO] = ngx_string("says_no"),
    [NGX_AGT_REASON_REFRESH_TOKEN] = ngx_string("refresh_token"),
    [NGX_AGT_REASON_BOUND_TOKEN] = ngx_string("bound_token"),
    [NGX_AGT_REASON_NOT_YET_VALID] = ngx_string("not_yet_valid"),
    [NGX_AGT_REASON_DATE] = ngx_string("date"),
    [NGX_AGT_REASON_NO_EXPIRY] = ngx_string("no_expiry"),
    [NGX_AGT_REASON_AUDIENCE] = ngx_string("audience"),

    [NGX_AGT_REASON_EXPIRED] = ngx_string("expired"),

    [NGX_AGT_REASON_REVOKED] = ngx_string("revoked"),
    [NGX_AGT_REASON_JTI] = ngx_string("jti"),
    [NGX_AGT_REASON_SESSION] = ngx_string("session"),
    [NGX_AGT_REASON_SUBJECT] = ngx_string("subject"),

    [NGX_AGT_REASON_MFA] = ngx_string("mfa"),

    [NGX_AGT_REASON_SCOPE] = ngx_string("scope"),
    [NGX_AGT_REASON_ORG] = ngx_string("org"),
    [NGX_AGT_REASON_ROLE] = ngx_string("role"),
    [NGX_AGT_REASON_RESOURCE] = ngx_string("resource"),
    [NGX_AGT_REASON_REQUIRE] = ngx_string("require"),
    [NGX_AGT_REASON_MASQUERADING] = ngx_string("masquerading"),
    [NGX_AGT_REASON_HOST] = ngx_string("host"),
    [NGX_AGT_REASON_METHOD] = ngx_string("method"),
    [NGX_AGT_REASON_PATH] = ngx_string("path"),
    [NGX_AGT_REASON_QUERY] = ngx_string("query"),
    [NGX_AGT_REASON_BODY] = ngx_string("body"),
    [NGX_AGT_REASON_MATCHER] = ngx_string("matcher"),
    [NGX_AGT_REASON_RULE] = ngx_string("rule"),

    [NGX_AGT_REASON_REISSUE] = ngx_string("reissue"),
    [NGX_AGT_REASON_CREATE] = ngx_string("create"),

    [NGX_AGT_REASON_RESOLVE] = ngx_string("resolve"),
    [NGX_AGT_REASON_CONNECT] = ngx_string("connect"),
    [NGX_AGT_REASON_TLS] = ngx_string("tls"),
    [NGX_AGT_REASON_TIMEOUT] = ngx_string("timeout"),
    [NGX_AGT_REASON_TRANSPORT] = ngx_string("transport"),
    [NGX_AGT_REASON_STATUS] = ngx_string("status"),
    [NGX_AGT_REASON_THROTTLED] = ngx_string("throttled"),
    [NGX_AGT_REASON_ANSWER] = ngx_string("answer"),
    [NGX_AGT_REASON_NOT_THE_API] = ngx_string("not_the_api"),
    [NGX_AGT_REASON_CREDENTIAL] = ngx_string("credential"),
    [NGX_AGT_REASON_OVERLOAD] = ngx_string("overload"),
    [NGX_AGT_REASON_PLACES] = ngx_string("places"),
    [NGX_AGT_REASON_CLIENT_PLACES] = ngx_string("client_places"),
    [NGX_AGT_REASON_BREAKER] = ngx_string("breaker"),
    [NGX_AGT_REASON_RATE] = ngx_string("rate"),
    [NGX_AGT_REASON_CLIENT_RATE] = ngx_string("client_rate"),
    [NGX_AGT_REASON_INTERNAL] = ngx_string("internal"),

    [NGX_AGT_REASON_EARLY] = ngx_string("early"),
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
