
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_REASON_H_INCLUDED_
#define _NGX_AGT_TOKEN_REASON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The words of a decision: the values of $agilicus_token_verdict and
 * $agilicus_token_reason.  NONE is 0 and the empty word.
 */

#define NGX_AGT_VERDICTS(V)                                                  \
    V(NONE, "")                                                              \
    V(ACTIVE, "active")                                                      \
    V(ANONYMOUS, "anonymous")  /* no token, where none is needed */          \
    V(MISSING, "missing")                                                    \
    V(MALFORMED, "malformed")                                                \
    V(INVALID, "invalid")                                                    \
    V(EXPIRED, "expired")                                                    \
    V(REVOKED, "revoked")                                                    \
    V(STEP_UP, "step_up")                                                    \
    V(FORBIDDEN, "forbidden")                                                \
    V(UNAVAILABLE, "unavailable")

#define NGX_AGT_VERDICT(name, word)  NGX_AGT_VERDICT_##name,

typedef enum {
    NGX_AGT_VERDICTS(NGX_AGT_VERDICT)
    NGX_AGT_VERDICT_LAST
} ngx_agt_verdict_e;


/* the class of an answer of the API, and of the cache entry made from it */

typedef enum {
    NGX_AGT_CLASS_NONE = 0,
    NGX_AGT_CLASS_ACTIVE,
    NGX_AGT_CLASS_INVALID,
    NGX_AGT_CLASS_REVOKED,      /* a denial, never an entry */
    NGX_AGT_CLASS_REFUSED,      /* 401, 403: edge's credential */
    NGX_AGT_CLASS_INDETERMINATE,
    NGX_AGT_CLASS_SHED          /* over a limit of this edge */
} ngx_agt_class_e;


#define NGX_AGT_REASONS(R)                                                   \
    R(NONE, "")                                                              \
    /* missing */                                                            \
    R(NO_TOKEN, "no_token")                                                  \
    R(NO_IDENTITY, "no_identity")                                            \
    /* malformed */                                                          \
    R(SYNTAX, "syntax")                                                      \
    R(TOO_LONG, "too_long")                                                  \
    R(MULTIPLE, "multiple")                                                  \
    /* invalid */                                                            \
    R(UNKNOWN, "unknown")                                                    \
    R(SAYS_NO, "says_no")                                                    \
    R(REFRESH_TOKEN, "refresh_token")                                        \
    R(BOUND_TOKEN, "bound_token")                                            \
    R(NOT_YET_VALID, "not_yet_valid")                                        \
    R(DATE, "date")                                                          \
    R(NO_EXPIRY, "no_expiry")                                                \
    R(AUDIENCE, "audience")                                                  \
    R(SIGNATURE, "signature")                                                \
    /* expired */                                                            \
    R(EXPIRED, "expired")                                                    \
    /* revoked: the kind of fact that the denial refuses */                  \
    R(REVOKED, "revoked")                                                    \
    R(JTI, "jti")                                                            \
    R(SESSION, "session")                                                    \
    R(SUBJECT, "subject")                                                    \
    /* step_up */                                                            \
    R(MFA, "mfa")                                                            \
    /* forbidden: which requirement, which part of the rules */              \
    R(SCOPE, "scope")                                                        \
    R(ORG, "org")                                                            \
    R(ROLE, "role")                                                          \
    R(RESOURCE, "resource")                                                  \
    R(REQUIRE, "require")                                                    \
    R(MASQUERADING, "masquerading")                                          \
    R(HOST, "host")                                                          \
    R(METHOD, "method")                                                      \
    R(PATH, "path")                                                          \
    R(QUERY, "query")                                                        \
    R(BODY, "body")                                                          \
    R(MATCHER, "matcher")                                                    \
    R(RULE, "rule")                                                          \
    /* forbidden: the API refused a token for upstream */                    \
    R(REISSUE, "reissue")                                                    \
    R(CREATE, "create")                                                      \
    /* unavailable: a failure of the API, or a limit of this edge */         \
    R(RESOLVE, "resolve")                                                    \
    R(CONNECT, "connect")                                                    \
    R(TLS, "tls")                                                            \
    R(TIMEOUT, "timeout")                                                    \
    R(TRANSPORT, "transport")                                                \
    R(STATUS, "status")                                                      \
    R(THROTTLED, "throttled")                                                \
    R(ANSWER, "answer")                                                      \
    R(NOT_THE_API, "not_the_api")                                            \
    R(CREDENTIAL, "credential")                                              \
    R(OVERLOAD, "overload")                                                  \
    R(PLACES, "places")                                                      \
    R(CLIENT_PLACES, "client_places")                                        \
    R(BREAKER, "breaker")                                                    \
    R(RATE, "rate")                                                          \
    R(CLIENT_RATE, "client_rate")                                            \
    R(INTERNAL, "internal")                                                  \
    /* unavailable: a value was assigned before the token was looked up */   \
    R(EARLY, "early")

#define NGX_AGT_REASON(name, word)  NGX_AGT_REASON_##name,

typedef enum {
    NGX_AGT_REASONS(NGX_AGT_REASON)
    NGX_AGT_REASON_LAST
} ngx_agt_reason_e;


/*
 * Return the word for a verdict or a reason: a constant, which a null follows.
 * An unknown number has the empty word.
 */
const ngx_str_t *ngx_agt_verdict_word(ngx_uint_t verdict);
const ngx_str_t *ngx_agt_reason_word(ngx_uint_t reason);

/*
 * Returns 1 if the list above has the reason under this verdict, else 0.  A
 * location may give another verdict to a requirement that is not met.
 */
ngx_uint_t ngx_agt_reason_belongs(ngx_uint_t reason, ngx_uint_t verdict);


#endif /* _NGX_AGT_TOKEN_REASON_H_INCLUDED_ */
