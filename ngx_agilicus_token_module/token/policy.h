
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_POLICY_H_INCLUDED_
#define _NGX_AGT_TOKEN_POLICY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"
#include "token/reason.h"


/*
 * The requirements of a location on the facts of a token.  These functions are
 * pure: all input comes as arguments.  No other code can allow a request.
 */

/* seconds by which the clock of the API may be ahead of ours at a sign-in */
#define NGX_AGT_POLICY_AHEAD  60


/*
 * The requirements, in the order in which they are looked at.  A row has the
 * kind, how the directive's values are read (config/directives_requirements),
 * the directive, verdict and reason of a token that does not meet it, and what
 * is judged: members that are the token's OWN as long as it lives, or RIGHTS
 * that the API may take away from it.  A new requirement takes a row here and
 * a case in ngx_agt_policy_met().  The one that a sign-in can meet is the last:
 * no user signs in for a token that is refused all the same.
 */

#define NGX_AGT_REQUIREMENTS(row)                                             \
    row(EXPIRY, FLAG, "agilicus_token_require_expiry",                        \
        INVALID, NO_EXPIRY, OWN)                                              \
    row(SCOPES, ANY, "agilicus_token_require_scopes",                         \
        FORBIDDEN, SCOPE, OWN)                                                \
    row(AUDIENCE, WORDS, "agilicus_token_require_audience",                   \
        INVALID, AUDIENCE, OWN)                                               \
    row(ORG, WORDS, "agilicus_token_require_org",                             \
        FORBIDDEN, ORG, OWN)                                                  \
    row(ROLE, NAMED, "agilicus_token_require_role",                           \
        FORBIDDEN, ROLE, RIGHTS)                                              \
    row(RESOURCE, RESOURCE, "agilicus_token_require_resource",                \
        FORBIDDEN, RESOURCE, RIGHTS)                                          \
    row(VALUES, ERROR, "agilicus_token_require",                              \
        FORBIDDEN, REQUIRE, RIGHTS)                                           \
    row(MASQUERADING, FLAG, "agilicus_token_deny_masquerading",               \
        FORBIDDEN, MASQUERADING, OWN)                                         \
    row(MFA, AGE, "agilicus_token_require_mfa",                               \
        STEP_UP, MFA, OWN)


#define NGX_AGT_REQUIRE_KIND(kind, form, directive, verdict, reason, judged)  \
    NGX_AGT_REQUIRE_##kind,

typedef enum {
    NGX_AGT_REQUIREMENTS(NGX_AGT_REQUIRE_KIND)

    NGX_AGT_REQUIRE_KINDS
} ngx_agt_require_e;


/* one requirement, with its values for this request */

typedef struct {
    ngx_agt_require_e  kind;
    ngx_agt_verdict_e  verdict;  /* of a token that does not meet it */
    ngx_agt_reason_e   reason;
    ngx_uint_t         any;      /* of scopes: one will do */
    time_t             age;      /* of a sign-in: seconds at most */
    const ngx_str_t   *values;   /* of a flag, and of an age: none */
    ngx_uint_t         nvalues;
    ngx_uint_t         position; /* among those of the directive, from 1 */
} ngx_agt_requirement_t;


typedef struct {
    time_t      leeway;  /* seconds */
    ngx_uint_t  rules;   /* the token's own rules are applied */
} ngx_agt_policy_t;


/*
 * The result of the token's own rules.  Where rc is NGX_AGAIN and the facts
 * pass everything else, "ask" is called, at most once; it sets "rc" and
 * "reason".
 */

typedef struct ngx_agt_ruling_s  ngx_agt_ruling_t;

typedef void (*ngx_agt_ruling_pt)(ngx_agt_ruling_t *ruling);

struct ngx_agt_ruling_s {
    ngx_int_t          rc;      /* NGX_AGAIN: not asked */
    ngx_agt_reason_e   reason;  /* with NGX_DECLINED */
    ngx_agt_ruling_pt  ask;     /* or NULL */
    void              *data;    /* of the caller */
};


typedef struct {
    ngx_agt_verdict_e             verdict;
    ngx_agt_reason_e              reason;

    /* with the reason of a requirement: the one that is not met */
    const ngx_agt_requirement_t  *requirement;
} ngx_agt_decision_t;


/*
 * Returns 1 if the facts are past their "exp" by more than "leeway" seconds,
 * else 0.  "now" is in seconds since the epoch.  "late" is 0 if the facts were
 * never seen past "exp", else the most seconds past "exp" at which they were
 * seen, plus one: so an expired token stays expired when the clock is set back.
 */
ngx_uint_t ngx_agt_policy_expired(const ngx_agt_facts_t *facts, time_t leeway,
    uint32_t late, int64_t now);

/*
 * Returns 1 if the facts' own end has come, else 0.  "end" is the time from
 * which a member of the Token refuses the token; there is no leeway for it.
 * "late" as above.
 */
ngx_uint_t ngx_agt_policy_ended(
    const ngx_agt_facts_t *facts, uint32_t late, int64_t now);

/*
 * Returns 1 if the token is not valid yet, "leeway" seconds allowed; else 0.
 */
ngx_uint_t ngx_agt_policy_ahead(
    const ngx_agt_facts_t *facts, time_t leeway, int64_t now);

/*
 * Returns how late it is for the facts at "now", to be stored with them: 0
 * before their expiry and their end, 1 in the second of the earlier of both,
 * and so on.
 */
uint32_t ngx_agt_policy_late(const ngx_agt_facts_t *facts, int64_t now);

/*
 * Returns 1 if a value of a requirement of values is none: "0", and "false",
 * which a variable has for JSON's false; else 0.
 */
ngx_uint_t ngx_agt_policy_says_no(const ngx_str_t *value);

/*
 * Judges facts by the requirements of a location.  Sets "decision" and returns
 * NGX_OK if, and only if, the request is allowed; sets it and returns
 * NGX_DECLINED if the request is not allowed.  Returns NGX_AGAIN, without a
 * decision, if the facts meet everything else and the result of the token's own
 * rules is not known yet, even after they were asked.  The rules are asked
 * last.
 */
ngx_int_t ngx_agt_policy_decide(const ngx_agt_facts_t *facts, uint32_t late,
    const ngx_agt_policy_t *policy, const ngx_agt_requirement_t *requirements,
    ngx_uint_t nrequirements, ngx_agt_ruling_t *ruling, int64_t now,
    ngx_agt_decision_t *decision);


#endif /* _NGX_AGT_TOKEN_POLICY_H_INCLUDED_ */
