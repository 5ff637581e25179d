
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


/*
 * Each reason has the kind of its detail, which says what exactly was missing:
 * see request/detail.
 */

#define NGX_AGT_REASONS(R)                                                   \
    R(NONE, "", NONE)                                                        \
    /* missing */                                                            \
    R(NO_TOKEN, "no_token", PLACES)                                          \
    R(NO_IDENTITY, "no_identity", CAUSE)                                     \
    /* malformed */                                                          \
    R(SYNTAX, "syntax", PLACES)                                              \
    R(TOO_LONG, "too_long", PLACES)                                          \
    R(MULTIPLE, "multiple", PLACES)                                          \
    /* invalid */                                                            \
    R(UNKNOWN, "unknown", CAUSE)                                             \
    R(SAYS_NO, "says_no", TIME)                                              \
    R(REFRESH_TOKEN, "refresh_token", NONE)                                  \
    R(BOUND_TOKEN, "bound_token", NONE)                                      \
    R(NOT_YET_VALID, "not_yet_valid", TIME)                                  \
    R(DATE, "date", CAUSE)                                                   \
    R(NO_EXPIRY, "no_expiry", REQUIREMENT)                                   \
    R(AUDIENCE, "audience", REQUIREMENT)                                     \
    R(SIGNATURE, "signature", CAUSE)                                         \
    /* expired */                                                            \
    R(EXPIRED, "expired", TIME)                                              \
    /* revoked: the kind of fact that the denial refuses */                  \
    R(REVOKED, "revoked", DENIAL)                                            \
    R(JTI, "jti", DENIAL)                                                    \
    R(SESSION, "session", DENIAL)                                            \
    R(SUBJECT, "subject", DENIAL)                                            \
    /* step_up */                                                            \
    R(MFA, "mfa", REQUIREMENT)                                               \
    /* forbidden: which requirement, which part of the rules */              \
    R(SCOPE, "scope", REQUIREMENT)                                           \
    R(ORG, "org", REQUIREMENT)                                               \
    R(ROLE, "role", REQUIREMENT)                                             \
    R(RESOURCE, "resource", REQUIREMENT)                                     \
    R(REQUIRE, "require", REQUIREMENT)                                       \
    R(MASQUERADING, "masquerading", REQUIREMENT)                             \
    R(HOST, "host", RULES)                                                   \
    R(METHOD, "method", RULES)                                               \
    R(PATH, "path", RULES)                                                   \
    R(QUERY, "query", RULES)                                                 \
    R(BODY, "body", RULES)                                                   \
    R(MATCHER, "matcher", RULES)                                             \
    R(RULE, "rule", RULES)                                                   \
    /* forbidden: the API refused a token for upstream */                    \
    R(REISSUE, "reissue", CAUSE)                                             \
    R(CREATE, "create", CAUSE)                                               \
    /* unavailable: a failure of the API, or a limit of this edge */         \
    R(RESOLVE, "resolve", CAUSE)                                             \
    R(CONNECT, "connect", CAUSE)                                             \
    R(TLS, "tls", CAUSE)                                                     \
    R(TIMEOUT, "timeout", CAUSE)                                             \
    R(TRANSPORT, "transport", CAUSE)                                         \
    R(STATUS, "status", CAUSE)                                               \
    R(THROTTLED, "throttled", CAUSE)                                         \
    R(ANSWER, "answer", CAUSE)                                               \
    R(NOT_THE_API, "not_the_api", CAUSE)                                     \
    R(CREDENTIAL, "credential", CAUSE)                                       \
    R(OVERLOAD, "overload", LIMIT)                                           \
    R(PLACES, "places", LIMIT)                                               \
    R(CLIENT_PLACES, "client_places", LIMIT)                                 \
    R(BREAKER, "breaker", LIMIT)                                             \
    R(RATE, "rate", LIMIT)                                                   \
    R(CLIENT_RATE, "client_rate", LIMIT)                                     \
    R(INTERNAL, "internal", CAUSE)                                           \
    /* unavailable: a value was assigned before the token was looked up */   \
    R(EARLY, "early", LIMIT)

#define NGX_AGT_REASON(name, word, detail)  NGX_AGT_REASON_##name,

typedef enum {
    NGX_AGT_REASONS(NGX_AGT_REASON)
    NGX_AGT_REASON_LAST
} ngx_agt_reason_e;


/* what a detail is made of */

typedef enum {
    NGX_AGT_DETAIL_NONE = 0,     /* the reason says it all */
    NGX_AGT_DETAIL_PLACES,       /* what each place of a token has */
    NGX_AGT_DETAIL_CAUSE,        /* of an answer, or of a refusal here */
    NGX_AGT_DETAIL_TIME,         /* times of the facts, or a cause */
    NGX_AGT_DETAIL_REQUIREMENT,
    NGX_AGT_DETAIL_DENIAL,
    NGX_AGT_DETAIL_RULES,        /* of the token, and the request */
    NGX_AGT_DETAIL_LIMIT         /* of this edge */
} ngx_agt_detail_e;


/*
 * What lies behind a reason, as a number, which crosses shared memory.  Numbers
 * from 100 on are a status of HTTP; then come members that say no (json/
 * inactive) and errors of libcurl (api/curl).  The operation of the call, if
 * there was one, stands above.
 */

#define NGX_AGT_CAUSES(C)                                                    \
    C(NONE, "")                                                              \
    /* an answer that decides nothing */                                     \
    C(TYPE, "the answer is not JSON by its type")                            \
    C(NO_FACTS, "the answer is not a Token")                                 \
    C(TOO_LARGE, "the answer is too large")                                  \
    C(ENCODED, "the answer has a content coding")                            \
    C(YOUNG, "the API does not know yet what it has just made")              \
    C(NO_TOKEN, "the answer has no token")                                   \
    C(NO_ROOM, "no room for a record of the token")                          \
    /* an answer that refuses */                                             \
    C(DATES, "exp, nbf or token_validity cannot be read")                    \
    C(OWN, "the new token is the one that it was asked for, or is denied")   \
    C(MORE, "the new token is good for more than its parent, or for others")  \
    C(NOT_TAKEN, "the API does not take the token that it has reissued")     \
    /* the signature gate */                                                 \
    C(NO_JWT, "it is no JWT")                                                \
    C(PAST_EXP, "its exp has passed")                                        \
    C(FORGED, "its signature is wrong")                                      \
    C(UNSIGNED, "it names no key, and none has signed it")                   \
    C(NO_KEY, "its key or its algorithm is not known")                       \
    /* a request that names nothing to ask for */                            \
    C(NO_CALLER, "nothing has identified the caller")                        \
    C(NO_VALUE, "a value is empty, or no UTF-8")                             \
    C(NO_RAW, "the API key has no raw token")

#define NGX_AGT_CAUSE(name, words)  NGX_AGT_CAUSE_##name,

typedef enum {
    NGX_AGT_CAUSES(NGX_AGT_CAUSE)
    NGX_AGT_CAUSE_LAST,

    NGX_AGT_CAUSE_STATUS = 100,
    NGX_AGT_CAUSE_MEMBER = 1000,
    NGX_AGT_CAUSE_CURL = 2000,
    NGX_AGT_CAUSE_END = 4095
} ngx_agt_cause_e;

#define NGX_AGT_CAUSE_BITS  12

#define ngx_agt_cause_of(operation, cause)                                   \
    ((uint16_t) (((operation) + 1) << NGX_AGT_CAUSE_BITS | (cause)))

#define ngx_agt_cause_what(cause)                                            \
    ((cause) & ((1 << NGX_AGT_CAUSE_BITS) - 1))

/* the operation plus 1, or 0 */
#define ngx_agt_cause_operation(cause)  ((cause) >> NGX_AGT_CAUSE_BITS)


/*
 * Return the word for a verdict or a reason: a constant, which a null follows.
 * An unknown number has the empty word.
 */
const ngx_str_t *ngx_agt_verdict_word(ngx_uint_t verdict);
const ngx_str_t *ngx_agt_reason_word(ngx_uint_t reason);

/*
 * Returns what the detail of a reason is made of.
 */
ngx_agt_detail_e ngx_agt_reason_detail(ngx_uint_t reason);

/*
 * Returns the words for a cause below NGX_AGT_CAUSE_LAST: a constant.  Those of
 * another number are empty.
 */
const char *ngx_agt_cause_words(ngx_uint_t cause);

/*
 * Returns 1 if the list above has the reason under this verdict, else 0.  A
 * location may give another verdict to a requirement that is not met.
 */
ngx_uint_t ngx_agt_reason_belongs(ngx_uint_t reason, ngx_uint_t verdict);


#endif /* _NGX_AGT_TOKEN_REASON_H_INCLUDED_ */
