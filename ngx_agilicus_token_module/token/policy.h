
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
 * What a location asks of a token's facts.  Pure: everything comes as an
 * argument, and this is the only place that can say that a request is allowed.
 */

/*
 * The requirements, in the order in which they are looked at.  A row has the
 * kind, how the directive's values are read (config/directives_requirements),
 * the directive, and verdict and reason of a token that does not meet it.  A
 * new requirement takes a row here and a case in ngx_agt_policy_met().
 */

#define NGX_AGT_REQUIREMENTS(row)                                             \
    row(EXPIRY, FLAG, "agilicus_token_require_expiry",                        \
        INVALID, NO_EXPIRY)                                                   \
    row(SCOPES, ANY, "agilicus_token_require_scopes",                         \
        FORBIDDEN, SCOPE)                                                     \
    row(AUDIENCE, WORDS, "agilicus_token_require_audience",                   \
        INVALID, AUDIENCE)                                                    \
    row(ORG, WORDS, "agilicus_token_require_org",                             \
        FORBIDDEN, ORG)                                                       \
    row(ROLE, NAMED, "agilicus_token_require_role",                           \
        FORBIDDEN, ROLE)                                                      \
    row(VALUES, ERROR, "agilicus_token_require",                              \
        FORBIDDEN, REQUIRE)                                                   \
    row(MASQUERADING, FLAG, "agilicus_token_deny_masquerading",               \
        FORBIDDEN, MASQUERADING)


#define NGX_AGT_REQUIRE_KIND(kind, form, directive, verdict, reason)          \
    NGX_AGT_REQUIRE_##kind,

typedef enum {
    NGX_AGT_REQUIREMENTS(NGX_AGT_REQUIRE_KIND)

    NGX_AGT_REQUIRE_KINDS
} ngx_agt_require_e;


/* one requirement, its values as they are for this request */

typedef struct {
    ngx_agt_require_e  kind;
    ngx_agt_verdict_e  verdict;  /* of a token that does not meet it */
    ngx_agt_reason_e   reason;
    ngx_uint_t         any;      /* of scopes: one will do */
    const ngx_str_t   *values;   /* of a flag: none */
    ngx_uint_t         nvalues;
} ngx_agt_requirement_t;


typedef struct {
    time_t      leeway;  /* seconds */
    ngx_uint_t  rules;   /* the token's own count */
} ngx_agt_policy_t;


/*
 * What the token's own rules said, as far as they were asked.  "ask" is called
 * where all else allows, once at most; it sets "rc" and "reason".
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
    ngx_agt_verdict_e  verdict;
    ngx_agt_reason_e   reason;
} ngx_agt_decision_t;


/*
 * Whether facts are past "exp", "leeway" seconds allowed; "now" in seconds
 * since the epoch, "late" one more than the most seconds past "exp" that they
 * were ever seen at, 0 if never: a clock that was set back revives nothing.
 * Returns 1 or 0.
 */
ngx_uint_t ngx_agt_policy_expired(
    const ngx_agt_facts_t *facts, time_t leeway, uint32_t late,
    int64_t now);

/*
 * Returns 1 if the facts' own end has come ("end": a member of the Token says
 * no from then on), for which there is no leeway; else 0.  "late" as above.
 */
ngx_uint_t ngx_agt_policy_ended(
    const ngx_agt_facts_t *facts, uint32_t late, int64_t now);

/*
 * Returns 1 if the token is not valid yet, "leeway" seconds allowed; else 0.
 */
ngx_uint_t ngx_agt_policy_ahead(
    const ngx_agt_facts_t *facts, time_t leeway, int64_t now);

/*
 * How late it is for the facts at "now", to be remembered with them: 0 before
 * their expiry and their end, 1 in the second of the earlier one, and so on.
 */
uint32_t ngx_agt_policy_late(const ngx_agt_facts_t *facts, int64_t now);

/*
 * Judges facts against what a location asks for.  Sets "decision" and returns
 * NGX_OK if, and only if, the request is allowed; NGX_DECLINED if it is not;
 * NGX_AGAIN, without a decision, if all depends on the token's own rules and
 * "ruling" does not know yet what they say, not even when it is asked: that is
 * done last.
 */
ngx_int_t ngx_agt_policy_decide(
    const ngx_agt_facts_t *facts, uint32_t late,
    const ngx_agt_policy_t *policy,
    const ngx_agt_requirement_t *requirements,
    ngx_uint_t nrequirements, ngx_agt_ruling_t *ruling,
    int64_t now, ngx_agt_decision_t *decision);


#endif /* _NGX_AGT_TOKEN_POLICY_H_INCLUDED_ */
