
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/policy.h"
#include "token/text.h"
#include "token/time.h"


static int64_t ngx_agt_policy_seen(
    const ngx_agt_facts_t *facts, uint32_t late, int64_t now);
static int64_t ngx_agt_policy_last(const ngx_agt_facts_t *facts);
static ngx_uint_t ngx_agt_policy_met(const ngx_agt_facts_t *facts,
    const ngx_agt_requirement_t *requirement, int64_t now);
static ngx_uint_t ngx_agt_policy_met_without(const ngx_agt_facts_t *facts,
    const ngx_agt_requirement_t *requirement, int64_t now);
static ngx_uint_t ngx_agt_policy_scopes(const ngx_agt_list_t *scopes,
    const ngx_agt_requirement_t *requirement);
static ngx_uint_t ngx_agt_policy_role(const ngx_agt_list_t *roles,
    const ngx_agt_requirement_t *requirement);
static ngx_uint_t ngx_agt_policy_resource(const ngx_agt_list_t *resources,
    const ngx_agt_requirement_t *requirement);
static ngx_uint_t ngx_agt_policy_one_of(const ngx_str_t *value,
    const ngx_str_t *values, ngx_uint_t n);


ngx_uint_t
ngx_agt_policy_expired(const ngx_agt_facts_t *facts,
    time_t leeway, uint32_t late, int64_t now)
{
    return facts->has_exp
           && ngx_agt_policy_seen(facts, late, now)
              >= ngx_agt_time_add(facts->exp, leeway);
}


ngx_uint_t
ngx_agt_policy_ended(const ngx_agt_facts_t *facts, uint32_t late, int64_t now)
{
    return facts->has_end
           && ngx_agt_policy_seen(facts, late, now) >= facts->end;
}


ngx_uint_t
ngx_agt_policy_ahead(const ngx_agt_facts_t *facts, time_t leeway, int64_t now)
{
    return facts->has_nbf && ngx_agt_time_sub(facts->nbf, leeway) > now;
}


uint32_t
ngx_agt_policy_late(const ngx_agt_facts_t *facts, int64_t now)
{
    int64_t   last;
    uint64_t  late;

    last = ngx_agt_policy_last(facts);

    if (now < last) {
        return 0;
    }

    late = (uint64_t) now - (uint64_t) last;

    return (late < UINT32_MAX) ? (uint32_t) late + 1 : UINT32_MAX;
}


/* the time, or a later one at which the facts were looked at before */

static ngx_inline int64_t
ngx_agt_policy_seen(const ngx_agt_facts_t *facts, uint32_t late, int64_t now)
{
    int64_t  seen;

    if (late == 0) {
        return now;
    }

    seen = ngx_agt_time_add(ngx_agt_policy_last(facts), (int64_t) late - 1);

    return ngx_max(now, seen);
}


/* the second from which on the facts do not hold any more */

static int64_t
ngx_agt_policy_last(const ngx_agt_facts_t *facts)
{
    int64_t  last;

    last = facts->has_exp ? facts->exp : INT64_MAX;

    return facts->has_end ? ngx_min(last, facts->end) : last;
}


ngx_int_t
ngx_agt_policy_decide(const ngx_agt_facts_t *facts, uint32_t late,
    const ngx_agt_policy_t *policy, const ngx_agt_requirement_t *requirements,
    ngx_uint_t nrequirements, ngx_agt_ruling_t *ruling, int64_t now,
    ngx_agt_decision_t *decision)
{
    ngx_uint_t  i;

    decision->reason =
        ngx_agt_policy_expired(facts, policy->leeway, late, now)
            ? NGX_AGT_REASON_EXPIRED
        : ngx_agt_policy_ended(facts, late, now) ? NGX_AGT_REASON_SAYS_NO
        : ngx_agt_policy_ahead(facts, policy->leeway, now)
            ? NGX_AGT_REASON_NOT_YET_VALID
        : NGX_AGT_REASON_NONE;

    if (decision->reason != NGX_AGT_REASON_NONE) {
        decision->verdict =
            (decision->reason == NGX_AGT_REASON_EXPIRED)
            ? NGX_AGT_VERDICT_EXPIRED
            : NGX_AGT_VERDICT_INVALID;

        return NGX_DECLINED;
    }

    for (i = 0; i < nrequirements; i++) {
        if (!ngx_agt_policy_met(facts, &requirements[i], now)) {
            decision->verdict = requirements[i].verdict;
            decision->reason = requirements[i].reason;
            decision->requirement = &requirements[i];

            return NGX_DECLINED;
        }
    }

    if (policy->rules) {

        if (ruling->rc == NGX_AGAIN && ruling->ask) {
            ruling->ask(ruling);
        }

        if (ruling->rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (ruling->rc != NGX_OK) {
            decision->verdict = NGX_AGT_VERDICT_FORBIDDEN;
            decision->reason = ruling->reason;

            return NGX_DECLINED;
        }
    }

    decision->verdict = NGX_AGT_VERDICT_ACTIVE;

    return NGX_OK;
}


static ngx_uint_t
ngx_agt_policy_met(const ngx_agt_facts_t *facts,
    const ngx_agt_requirement_t *requirement, int64_t now)
{
    ngx_uint_t      i;
    ngx_str_t       value;
    ngx_agt_list_t  list;

    if (requirement->nvalues == 0) {
        return ngx_agt_policy_met_without(facts, requirement, now);
    }

    /* no token meets a requirement whose value is empty */

    for (i = 0; i < requirement->nvalues; i++) {
        if (requirement->values[i].len == 0) {
            return 0;
        }
    }

    switch (requirement->kind) {

    case NGX_AGT_REQUIRE_SCOPES:
        return ngx_agt_policy_scopes(
                   &facts->lists[NGX_AGT_FACTS_SCOPES],
                   requirement);

    case NGX_AGT_REQUIRE_AUDIENCE:
        list = facts->lists[NGX_AGT_FACTS_AUD];

        while (ngx_agt_facts_next(&list, &value) == NGX_OK) {
            if (ngx_agt_policy_one_of(&value, requirement->values,
                                      requirement->nvalues))
            {
                return 1;
            }
        }

        return 0;

    case NGX_AGT_REQUIRE_ORG:
        return ngx_agt_policy_one_of(&facts->org, requirement->values,
                                     requirement->nvalues);

    case NGX_AGT_REQUIRE_ROLE:
        return ngx_agt_policy_role(
                   &facts->lists[NGX_AGT_FACTS_ROLES],
                   requirement);

    case NGX_AGT_REQUIRE_RESOURCE:
        return ngx_agt_policy_resource(
                   &facts->lists[NGX_AGT_FACTS_RESOURCES],
                   requirement);

    case NGX_AGT_REQUIRE_VALUES:

        for (i = 0; i < requirement->nvalues; i++) {
            if (ngx_agt_policy_says_no(&requirement->values[i])) {
                return 0;
            }
        }

        return 1;

    default:
        return 0;
    }
}


/* flags and ages: any other requirement without a value is not met */

static ngx_uint_t
ngx_agt_policy_met_without(const ngx_agt_facts_t *facts,
    const ngx_agt_requirement_t *requirement, int64_t now)
{
    switch (requirement->kind) {

    case NGX_AGT_REQUIRE_EXPIRY:
        return facts->has_exp;

    case NGX_AGT_REQUIRE_MASQUERADING:
        return !facts->masquerading;

    case NGX_AGT_REQUIRE_MFA:

        /* a sign-in that is further ahead than clocks differ proves nothing */

        return facts->has_mfa
               && facts->mfa <= ngx_agt_time_add(now, NGX_AGT_POLICY_AHEAD)
               && facts->mfa >= ngx_agt_time_sub(now, requirement->age);

    default: /* a kind that has values */
        return 0;
    }
}


ngx_uint_t
ngx_agt_policy_says_no(const ngx_str_t *value)
{
    return (value->len == 1 && value->data[0] == '0')
           || (value->len == sizeof("false") - 1
               && ngx_memcmp(value->data, "false", value->len) == 0);
}


static ngx_uint_t
ngx_agt_policy_scopes(const ngx_agt_list_t *scopes,
    const ngx_agt_requirement_t *requirement)
{
    ngx_uint_t  i, has;

    for (i = 0; i < requirement->nvalues; i++) {

        has = ngx_agt_facts_has(scopes, &requirement->values[i]);

        if (has && requirement->any) {
            return 1;
        }

        if (!has && !requirement->any) {
            return 0;
        }
    }

    return !requirement->any;
}


static ngx_uint_t
ngx_agt_policy_role(const ngx_agt_list_t *roles,
    const ngx_agt_requirement_t *requirement)
{
    ngx_uint_t  i;

    for (i = 1; i < requirement->nvalues; i++) {
        if (ngx_agt_facts_has_pair(roles, &requirement->values[0],
                                   &requirement->values[i]))
        {
            return 1;
        }
    }

    return 0;
}


/* the values are a type, an identifier, and roles of which one will do */

static ngx_uint_t
ngx_agt_policy_resource(const ngx_agt_list_t *resources,
    const ngx_agt_requirement_t *requirement)
{
    ngx_str_t         type, id, role;
    ngx_agt_list_t    rest;
    const ngx_str_t  *values;

    rest = *resources;
    values = requirement->values;

    while (ngx_agt_facts_next(&rest, &type) == NGX_OK
           && ngx_agt_facts_next(&rest, &id) == NGX_OK
           && ngx_agt_facts_next(&rest, &role) == NGX_OK)
    {
        if (requirement->nvalues > 2
            && ngx_agt_text_equal(&type, &values[0])
            && ngx_agt_text_equal(&id, &values[1])
            && ngx_agt_policy_one_of(&role, &values[2],
                                     requirement->nvalues - 2))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_agt_policy_one_of(const ngx_str_t *value,
    const ngx_str_t *values, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_agt_text_equal(&values[i], value)) {
            return 1;
        }
    }

    return 0;
}
