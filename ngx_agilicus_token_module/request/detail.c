
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/detail.h"
#include "request/host_rules.h"
#include "request/look_up.h"
#include "request/sources.h"
#include "json/token.h"


static void ngx_agt_detail_cause(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d);
static void ngx_agt_detail_time(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d);
static void ngx_agt_detail_seconds(ngx_agt_detail_t *d, int64_t sec,
    const char *words);
static void ngx_agt_detail_denial(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d);
static void ngx_agt_detail_limit(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d);
static void ngx_agt_detail_rate(ngx_agt_detail_t *d, uint64_t rate,
    const char *words);


/*
 * A detail is made when it is asked for, and of what the decision was made of:
 * a request that is not logged pays nothing for it.
 */

size_t
ngx_agt_detail(ngx_agt_ctx_t *ctx, u_char *buf)
{
    ngx_agt_detail_t           d;
    const ngx_agt_loc_conf_t  *lcf;

    /* a value that it needs may be made of the detail itself */

    if (ctx->detailing) {
        return 0;
    }

    ctx->detailing = 1;

    ngx_agt_detail_begin(&d, buf);

    lcf = ctx->refused_by;

    switch (ngx_agt_reason_detail(ctx->decision.reason)) {

    case NGX_AGT_DETAIL_PLACES:

        if (lcf) {
            ngx_agt_sources_detail(ctx, lcf, &d);
        }

        break;

    case NGX_AGT_DETAIL_CAUSE:
        ngx_agt_detail_cause(ctx, &d);
        break;

    case NGX_AGT_DETAIL_TIME:
        ngx_agt_detail_time(ctx, &d);
        break;

    case NGX_AGT_DETAIL_REQUIREMENT:

        if (ctx->decision.requirement && ctx->has_facts) {
            ngx_agt_detail_requirement(&d, ctx->decision.requirement,
                                       &ctx->facts, ngx_time());
        }

        break;

    case NGX_AGT_DETAIL_DENIAL:
        ngx_agt_detail_denial(ctx, &d);
        break;

    case NGX_AGT_DETAIL_RULES:

        if (lcf) {
            ngx_agt_host_rules_detail(ctx, lcf, &d);
        }

        break;

    case NGX_AGT_DETAIL_LIMIT:
        ngx_agt_detail_limit(ctx, &d);
        break;

    default: /* NGX_AGT_DETAIL_NONE */
        break;
    }

    ctx->detailing = 0;

    return ngx_agt_detail_end(&d);
}


static void
ngx_agt_detail_cause(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d)
{
    ngx_str_t   name;
    ngx_uint_t  operation, cause;

    operation = ngx_agt_cause_operation(ctx->cause);
    cause = ngx_agt_cause_what(ctx->cause);

    if (operation && operation <= NGX_AGT_OPERATION_LAST) {
        ngx_agt_detail_words(d, (char *)
                             ngx_agt_operation_word(operation - 1)->data);
        ngx_agt_detail_words(d, ": ");
    }

    if (cause >= NGX_AGT_CAUSE_CURL) {
        ngx_agt_detail_words(d,
                             ngx_agt_curl_words(cause - NGX_AGT_CAUSE_CURL));

    } else if (cause >= NGX_AGT_CAUSE_MEMBER) {
        name.data = (u_char *)
                    ngx_agt_json_token_member(cause - NGX_AGT_CAUSE_MEMBER);
        name.len = ngx_strlen(name.data);

        ngx_agt_detail_words(d, "the member ");
        ngx_agt_detail_text(d, &name);
        ngx_agt_detail_words(d, " says no");

    } else if (cause >= NGX_AGT_CAUSE_STATUS) {
        ngx_agt_detail_words(d, "status ");
        ngx_agt_detail_number(d, (int64_t) cause);

    } else if (cause) {
        ngx_agt_detail_words(d, ngx_agt_cause_words(cause));

    } else if (ctx->decision.reason == NGX_AGT_REASON_TIMEOUT
               && ctx->refused_by)
    {
        ngx_agt_detail_words(d, "no answer within ");
        ngx_agt_detail_number(d, (int64_t) ctx->refused_by->api_timeout);
        ngx_agt_detail_words(d, " ms");
    }
}


/* a page that was cut for one of its parts has other times */

static void
ngx_agt_detail_time(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d)
{
    int64_t           now;
    ngx_agt_facts_t  *facts;
    ngx_agt_reason_e  reason;

    now = ngx_time();
    facts = &ctx->facts;
    reason = ctx->has_facts ? ctx->decision.reason : NGX_AGT_REASON_NONE;

    if (reason == NGX_AGT_REASON_EXPIRED && facts->has_exp && facts->exp <= now)
    {
        ngx_agt_detail_words(d, "its exp was ");
        ngx_agt_detail_seconds(d, now - facts->exp, " ago");

    } else if (reason == NGX_AGT_REASON_NOT_YET_VALID && facts->has_nbf) {
        ngx_agt_detail_words(d, "it is valid in ");
        ngx_agt_detail_seconds(d, facts->nbf - now, "");

    } else if (reason == NGX_AGT_REASON_SAYS_NO && facts->has_end
               && facts->end <= now)
    {
        ngx_agt_detail_words(d, "a member has ended it ");
        ngx_agt_detail_seconds(d, now - facts->end, " ago");
        return;

    } else {
        ngx_agt_detail_cause(ctx, d);
        return;
    }

    if (ctx->leeway) {
        ngx_agt_detail_words(d, ", of which ");
        ngx_agt_detail_seconds(d, ctx->leeway, " are allowed");
    }
}


static void
ngx_agt_detail_seconds(ngx_agt_detail_t *d, int64_t sec, const char *words)
{
    ngx_agt_detail_number(d, sec);
    ngx_agt_detail_words(d, " s");
    ngx_agt_detail_words(d, words);
}


/* the denial may have ended since, or may not be found without the facts */

static void
ngx_agt_detail_denial(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d)
{
    uint64_t            made;
    ngx_agt_clock_t     now;
    ngx_agt_denial_t    denial;
    ngx_agt_denials_t  *denials;

    static const char  *words[] = {
        [NGX_AGT_ASKED_ABOUT] = "denied ",
        [NGX_AGT_DENIED_BY_FEED] = "denied by the feed ",
        [NGX_AGT_DENIED_BY_API] = "denied by the API ",
        [NGX_AGT_DENIED_UNTOLD] = "denied by a sign-out ",
        [NGX_AGT_DENIED_BY_HOOK] = "denied by the hook "
    };

    ngx_agt_clock_now(&now);

    denials = ngx_agt_request_denials(ctx->request);

    if (ngx_agt_denials_find(denials, ctx->api->digest,
                             ngx_agt_look_up_denial_key(ctx),
                             ctx->has_facts ? &ctx->facts : NULL,
                             ctx->first_asked, &now, &denial)
            != NGX_OK
        && (ctx->raw.len == 0
            || ngx_agt_denials_find(denials, ctx->api->digest, ctx->raw_key,
                                    NULL, 0, &now, &denial)
               != NGX_OK))
    {
        ngx_agt_detail_cause(ctx, d);
        return;
    }

    made = ngx_agt_denial_made(&denial);

    ngx_agt_detail_words(d, words[ngx_min(ngx_agt_denial_source(&denial),
                                          NGX_AGT_DENIED_BY_HOOK)]);
    ngx_agt_detail_seconds(d,
                           (int64_t) ((now.mono - ngx_min(made, now.mono))
                                      / 1000),
                           " ago, for ");
    ngx_agt_detail_seconds(d, ngx_max(denial.wall - now.wall, 0), " more");
}


static void
ngx_agt_detail_limit(ngx_agt_ctx_t *ctx, ngx_agt_detail_t *d)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_agilicus_token_module);

    switch (ctx->decision.reason) {

    case NGX_AGT_REASON_OVERLOAD:
        ngx_agt_detail_words(d, "no room for the denial");
        return;

    case NGX_AGT_REASON_PLACES:
        ngx_agt_detail_words(d, "all places to wait of this worker are taken, "
                                "or too many by this token");
        return;

    case NGX_AGT_REASON_CLIENT_PLACES:
        ngx_agt_detail_words(d, "the client has its share of the places to "
                                "wait of this worker");
        return;

    case NGX_AGT_REASON_BREAKER:
        ngx_agt_detail_words(d, "the breaker is open for ");
        ngx_agt_detail_seconds(d, ctx->retry_after, "");
        return;

    case NGX_AGT_REASON_RATE:
        ngx_agt_detail_rate(d, mcf->api.rate.rate, " from all clients");
        break;

    case NGX_AGT_REASON_CLIENT_RATE:
        ngx_agt_detail_rate(d, mcf->api.rate.per_client, " from this client");
        break;

    default: /* NGX_AGT_REASON_EARLY */
        ngx_agt_detail_words(d, "a variable was assigned after one of a token "
                                "had been read too early");
        return;
    }

    if (ctx->api_key) {
        ngx_agt_detail_words(d, ", or too many wrong keys");
    }
}


static void
ngx_agt_detail_rate(ngx_agt_detail_t *d, uint64_t rate, const char *words)
{
    ngx_agt_detail_words(d, "more calls than ");
    ngx_agt_detail_number(d, (int64_t) (rate < 1000 ? rate * 60 / 1000
                                                    : rate / 1000));
    ngx_agt_detail_words(d, rate < 1000 ? " a minute" : " a second");
    ngx_agt_detail_words(d, words);
}
