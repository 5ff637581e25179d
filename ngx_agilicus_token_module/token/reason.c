
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/reason.h"


static const ngx_str_t  ngx_agilicus_token_no_word = ngx_null_string;


static const ngx_str_t
    ngx_agilicus_token_verdict_words[NGX_AGILICUS_TOKEN_VERDICT_LAST] =
{
    [NGX_AGILICUS_TOKEN_VERDICT_NONE] = ngx_string(""),
    [NGX_AGILICUS_TOKEN_VERDICT_ACTIVE] = ngx_string("active"),
    [NGX_AGILICUS_TOKEN_VERDICT_MISSING] = ngx_string("missing"),
    [NGX_AGILICUS_TOKEN_VERDICT_MALFORMED] = ngx_string("malformed"),
    [NGX_AGILICUS_TOKEN_VERDICT_INVALID] = ngx_string("invalid"),
    [NGX_AGILICUS_TOKEN_VERDICT_EXPIRED] = ngx_string("expired"),
    [NGX_AGILICUS_TOKEN_VERDICT_REVOKED] = ngx_string("revoked"),
    [NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN] = ngx_string("forbidden"),
    [NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE] = ngx_string("unavailable"),
};


static const ngx_str_t
    ngx_agilicus_token_reason_words[NGX_AGILICUS_TOKEN_REASON_LAST] =
{
    [NGX_AGILICUS_TOKEN_REASON_NONE] = ngx_string(""),

    [NGX_AGILICUS_TOKEN_REASON_NO_TOKEN] = ngx_string("no_token"),
    [NGX_AGILICUS_TOKEN_REASON_NO_IDENTITY] = ngx_string("no_identity"),

    [NGX_AGILICUS_TOKEN_REASON_SYNTAX] = ngx_string("syntax"),
    [NGX_AGILICUS_TOKEN_REASON_TOO_LONG] = ngx_string("too_long"),
    [NGX_AGILICUS_TOKEN_REASON_MULTIPLE] = ngx_string("multiple"),

    [NGX_AGILICUS_TOKEN_REASON_UNKNOWN] = ngx_string("unknown"),
    [NGX_AGILICUS_TOKEN_REASON_SAYS_NO] = ngx_string("says_no"),
    [NGX_AGILICUS_TOKEN_REASON_REFRESH_TOKEN] = ngx_string("refresh_token"),
    [NGX_AGILICUS_TOKEN_REASON_BOUND_TOKEN] = ngx_string("bound_token"),
    [NGX_AGILICUS_TOKEN_REASON_NOT_YET_VALID] = ngx_string("not_yet_valid"),
    [NGX_AGILICUS_TOKEN_REASON_DATE] = ngx_string("date"),
    [NGX_AGILICUS_TOKEN_REASON_NO_EXPIRY] = ngx_string("no_expiry"),
    [NGX_AGILICUS_TOKEN_REASON_AUDIENCE] = ngx_string("audience"),

    [NGX_AGILICUS_TOKEN_REASON_EXPIRED] = ngx_string("expired"),

    [NGX_AGILICUS_TOKEN_REASON_REVOKED] = ngx_string("revoked"),
    [NGX_AGILICUS_TOKEN_REASON_JTI] = ngx_string("jti"),
    [NGX_AGILICUS_TOKEN_REASON_SESSION] = ngx_string("session"),
    [NGX_AGILICUS_TOKEN_REASON_SUBJECT] = ngx_string("subject"),

    [NGX_AGILICUS_TOKEN_REASON_SCOPE] = ngx_string("scope"),
    [NGX_AGILICUS_TOKEN_REASON_ORG] = ngx_string("org"),
    [NGX_AGILICUS_TOKEN_REASON_ROLE] = ngx_string("role"),
    [NGX_AGILICUS_TOKEN_REASON_REQUIRE] = ngx_string("require"),
    [NGX_AGILICUS_TOKEN_REASON_MASQUERADING] = ngx_string("masquerading"),
    [NGX_AGILICUS_TOKEN_REASON_HOST] = ngx_string("host"),
    [NGX_AGILICUS_TOKEN_REASON_METHOD] = ngx_string("method"),
    [NGX_AGILICUS_TOKEN_REASON_PATH] = ngx_string("path"),
    [NGX_AGILICUS_TOKEN_REASON_QUERY] = ngx_string("query"),
    [NGX_AGILICUS_TOKEN_REASON_BODY] = ngx_string("body"),
    [NGX_AGILICUS_TOKEN_REASON_MATCHER] = ngx_string("matcher"),
    [NGX_AGILICUS_TOKEN_REASON_RULE] = ngx_string("rule"),

    [NGX_AGILICUS_TOKEN_REASON_REISSUE] = ngx_string("reissue"),
    [NGX_AGILICUS_TOKEN_REASON_CREATE] = ngx_string("create"),

    [NGX_AGILICUS_TOKEN_REASON_RESOLVE] = ngx_string("resolve"),
    [NGX_AGILICUS_TOKEN_REASON_CONNECT] = ngx_string("connect"),
    [NGX_AGILICUS_TOKEN_REASON_TLS] = ngx_string("tls"),
    [NGX_AGILICUS_TOKEN_REASON_TIMEOUT] = ngx_string("timeout"),
    [NGX_AGILICUS_TOKEN_REASON_TRANSPORT] = ngx_string("transport"),
    [NGX_AGILICUS_TOKEN_REASON_STATUS] = ngx_string("status"),
    [NGX_AGILICUS_TOKEN_REASON_THROTTLED] = ngx_string("throttled"),
    [NGX_AGILICUS_TOKEN_REASON_ANSWER] = ngx_string("answer"),
    [NGX_AGILICUS_TOKEN_REASON_NOT_THE_API] = ngx_string("not_the_api"),
    [NGX_AGILICUS_TOKEN_REASON_CREDENTIAL] = ngx_string("credential"),
    [NGX_AGILICUS_TOKEN_REASON_OVERLOAD] = ngx_string("overload"),
    [NGX_AGILICUS_TOKEN_REASON_BREAKER] = ngx_string("breaker"),
    [NGX_AGILICUS_TOKEN_REASON_RATE] = ngx_string("rate"),
    [NGX_AGILICUS_TOKEN_REASON_CLIENT_RATE] = ngx_string("client_rate"),
    [NGX_AGILICUS_TOKEN_REASON_INTERNAL] = ngx_string("internal"),

    [NGX_AGILICUS_TOKEN_REASON_EARLY] = ngx_string("early"),
};


const ngx_str_t *
ngx_agilicus_token_verdict_word(ngx_uint_t verdict)
{
    if (verdict >= NGX_AGILICUS_TOKEN_VERDICT_LAST) {
        return &ngx_agilicus_token_no_word;
    }

    return &ngx_agilicus_token_verdict_words[verdict];
}


const ngx_str_t *
ngx_agilicus_token_reason_word(ngx_uint_t reason)
{
    if (reason >= NGX_AGILICUS_TOKEN_REASON_LAST) {
        return &ngx_agilicus_token_no_word;
    }

    return &ngx_agilicus_token_reason_words[reason];
}
