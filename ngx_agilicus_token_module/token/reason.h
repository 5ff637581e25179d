
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

typedef enum {
    NGX_AGT_VERDICT_NONE = 0,
    NGX_AGT_VERDICT_ACTIVE,
    NGX_AGT_VERDICT_ANONYMOUS,  /* no token, where none is needed */
    NGX_AGT_VERDICT_MISSING,
    NGX_AGT_VERDICT_MALFORMED,
    NGX_AGT_VERDICT_INVALID,
    NGX_AGT_VERDICT_EXPIRED,
    NGX_AGT_VERDICT_REVOKED,
    NGX_AGT_VERDICT_STEP_UP,
    NGX_AGT_VERDICT_FORBIDDEN,
    NGX_AGT_VERDICT_UNAVAILABLE,

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


typedef enum {
    NGX_AGT_REASON_NONE = 0,

    /* missing */
    NGX_AGT_REASON_NO_TOKEN,
    NGX_AGT_REASON_NO_IDENTITY,

    /* malformed */
    NGX_AGT_REASON_SYNTAX,
    NGX_AGT_REASON_TOO_LONG,
    NGX_AGT_REASON_MULTIPLE,

    /* invalid */
    NGX_AGT_REASON_UNKNOWN,
    NGX_AGT_REASON_SAYS_NO,
    NGX_AGT_REASON_REFRESH_TOKEN,
    NGX_AGT_REASON_BOUND_TOKEN,
    NGX_AGT_REASON_NOT_YET_VALID,
    NGX_AGT_REASON_DATE,
    NGX_AGT_REASON_NO_EXPIRY,
    NGX_AGT_REASON_AUDIENCE,

    /* expired */
    NGX_AGT_REASON_EXPIRED,

    /* revoked: the kind of fact that the denial refuses */
    NGX_AGT_REASON_REVOKED,
    NGX_AGT_REASON_JTI,
    NGX_AGT_REASON_SESSION,
    NGX_AGT_REASON_SUBJECT,

    /* step_up */
    NGX_AGT_REASON_MFA,

    /* forbidden: which requirement, which part of the rules */
    NGX_AGT_REASON_SCOPE,
    NGX_AGT_REASON_ORG,
    NGX_AGT_REASON_ROLE,
    NGX_AGT_REASON_RESOURCE,
    NGX_AGT_REASON_REQUIRE,
    NGX_AGT_REASON_MASQUERADING,
    NGX_AGT_REASON_HOST,
    NGX_AGT_REASON_METHOD,
    NGX_AGT_REASON_PATH,
    NGX_AGT_REASON_QUERY,
    NGX_AGT_REASON_BODY,
    NGX_AGT_REASON_MATCHER,
    NGX_AGT_REASON_RULE,

    /* forbidden: the API refused a token for upstream */
    NGX_AGT_REASON_REISSUE,
    NGX_AGT_REASON_CREATE,

    /* unavailable: a failure of the API, or a limit of this edge */
    NGX_AGT_REASON_RESOLVE,
    NGX_AGT_REASON_CONNECT,
    NGX_AGT_REASON_TLS,
    NGX_AGT_REASON_TIMEOUT,
    NGX_AGT_REASON_TRANSPORT,
    NGX_AGT_REASON_STATUS,
    NGX_AGT_REASON_THROTTLED,
    NGX_AGT_REASON_ANSWER,
    NGX_AGT_REASON_NOT_THE_API,
    NGX_AGT_REASON_CREDENTIAL,
    NGX_AGT_REASON_OVERLOAD,
    NGX_AGT_REASON_PLACES,
    NGX_AGT_REASON_CLIENT_PLACES,
    NGX_AGT_REASON_BREAKER,
    NGX_AGT_REASON_RATE,
    NGX_AGT_REASON_CLIENT_RATE,
    NGX_AGT_REASON_INTERNAL,

    /* unavailable: a value was assigned before the token was looked up */
    NGX_AGT_REASON_EARLY,

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
