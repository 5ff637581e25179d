
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_matcher.h"
#include "ngx_agilicus_token_path.h"
#include "ngx_agilicus_token_pattern.h"
#include "ngx_agilicus_token_query.h"
#include "ngx_agilicus_token_rules.h"
#include "ngx_agilicus_token_ruleset.h"
#include "ngx_agilicus_token_template.h"


/* reckoned, in nanoseconds: a rule, an item of it, and a value of a body */
#define NGX_AGILICUS_TOKEN_RULES_RULE    10
#define NGX_AGILICUS_TOKEN_RULES_ITEM    20
#define NGX_AGILICUS_TOKEN_RULES_VALUE   50000


/* how far a rule went; where it stopped there is the reason */

typedef enum {
    NGX_AGILICUS_TOKEN_RULES_HOST = 0,
    NGX_AGILICUS_TOKEN_RULES_METHOD,
    NGX_AGILICUS_TOKEN_RULES_PATH,
    NGX_AGILICUS_TOKEN_RULES_QUERY,
    NGX_AGILICUS_TOKEN_RULES_BODY,
    NGX_AGILICUS_TOKEN_RULES_MATCHER
} ngx_agilicus_token_rules_stage_e;


struct ngx_agilicus_token_rules_s {
    ngx_agilicus_token_patterns_t           *patterns;
    ngx_agilicus_token_path_t             subject;
};


/* one decision */

typedef struct {
    ngx_agilicus_token_patterns_t           *patterns;
    ngx_agilicus_token_path_t            *subject;
    const ngx_agilicus_token_rules_view_t   *view;

    uint32_t                                 methods;
    ngx_agilicus_token_rules_stage_e         stage;     /* the furthest */
} ngx_agilicus_token_rules_decision_t;


static ngx_int_t ngx_agilicus_token_rules_host(
    ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_host_t *host);
static ngx_int_t ngx_agilicus_token_rules_rule(
    ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule);
static ngx_uint_t ngx_agilicus_token_rules_paths(
    ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule,
    ngx_agilicus_token_ruleset_cursor_t *items);
static ngx_uint_t ngx_agilicus_token_rules_templates(
    ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule,
    ngx_agilicus_token_ruleset_cursor_t *items,
    ngx_agilicus_token_matcher_values_t *values);
static ngx_uint_t ngx_agilicus_token_rules_query(
    ngx_agilicus_token_rules_decision_t *d,
    ngx_agilicus_token_ruleset_cursor_t *items);
static ngx_int_t ngx_agilicus_token_rules_body(
    ngx_agilicus_token_rules_decision_t *d,
    ngx_agilicus_token_ruleset_cursor_t *items);
static ngx_int_t ngx_agilicus_token_rules_spend(
    ngx_agilicus_token_rules_decision_t *d, uint64_t ns);


static const ngx_agilicus_token_reason_e
    ngx_agilicus_token_rules_reasons[] =
{
    [NGX_AGILICUS_TOKEN_RULES_HOST] = NGX_AGILICUS_TOKEN_REASON_HOST,
    [NGX_AGILICUS_TOKEN_RULES_METHOD] = NGX_AGILICUS_TOKEN_REASON_METHOD,
    [NGX_AGILICUS_TOKEN_RULES_PATH] = NGX_AGILICUS_TOKEN_REASON_PATH,
    [NGX_AGILICUS_TOKEN_RULES_QUERY] = NGX_AGILICUS_TOKEN_REASON_QUERY,
    [NGX_AGILICUS_TOKEN_RULES_BODY] = NGX_AGILICUS_TOKEN_REASON_BODY,
    [NGX_AGILICUS_TOKEN_RULES_MATCHER] = NGX_AGILICUS_TOKEN_REASON_MATCHER
};


ngx_agilicus_token_rules_t *
ngx_agilicus_token_rules_create(ngx_uint_t slots)
{
    ngx_agilicus_token_rules_t  *rules;

    rules = calloc(1, sizeof(ngx_agilicus_token_rules_t));
    if (rules == NULL) {
        return NULL;
    }

    rules->patterns = ngx_agilicus_token_patterns_create(slots);

    if (rules->patterns == NULL) {
        free(rules);
        return NULL;
    }

    return rules;
}


void
ngx_agilicus_token_rules_destroy(ngx_agilicus_token_rules_t *rules)
{
    if (rules == NULL) {
        return;
    }

    ngx_agilicus_token_path_free(&rules->subject);
    ngx_agilicus_token_patterns_destroy(rules->patterns);

    free(rules);
}


ngx_int_t
ngx_agilicus_token_rules_decide(ngx_agilicus_token_rules_t *rules,
    const ngx_str_t *packed, const ngx_agilicus_token_rules_view_t *view,
    ngx_agilicus_token_reason_e *reason)
{
    ngx_int_t                             rc;
    ngx_uint_t                            n, again;
    ngx_agilicus_token_ruleset_host_t     host;
    ngx_agilicus_token_rules_decision_t   d;
    ngx_agilicus_token_ruleset_cursor_t   hosts;

    *reason = NGX_AGILICUS_TOKEN_REASON_RULE;

    if (packed->len == 0
        || ngx_agilicus_token_ruleset_open(&hosts, &n, packed->data,
                                           packed->len)
           != NGX_OK
        || n == 0)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&d, sizeof(ngx_agilicus_token_rules_decision_t));

    d.patterns = rules->patterns;
    d.subject = &rules->subject;
    d.view = view;
    d.methods = NGX_AGILICUS_TOKEN_RULESET_ALL
                | ngx_agilicus_token_ruleset_method_bit(&view->method);

    if (view->path.len == 0 || view->path.data[0] != '/') {
        *reason = NGX_AGILICUS_TOKEN_REASON_PATH;
        return NGX_DECLINED;
    }

    if (!ngx_agilicus_token_path_is_query(&view->query)) {
        *reason = NGX_AGILICUS_TOKEN_REASON_QUERY;
        return NGX_DECLINED;
    }

    ngx_agilicus_token_patterns_begin(rules->patterns);

    ngx_agilicus_token_path_begin(&rules->subject, rules->patterns,
                                     &view->path, &view->query,
                                     view->has_query, view->search);

    again = 0;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_next_host(&hosts, &host);

        if (rc != NGX_OK) {
            break;
        }

        if (!ngx_agilicus_token_ruleset_is_host(&host.name, &view->host)) {
            continue;
        }

        rc = ngx_agilicus_token_rules_host(&d, &host);

        if (rc == NGX_OK) {
            *reason = NGX_AGILICUS_TOKEN_REASON_NONE;
            return NGX_OK;
        }

        again |= (rc == NGX_AGAIN);

        if (rc == NGX_ERROR) {
            again = 0;
            break;
        }
    }

    *reason = ngx_agilicus_token_rules_reasons[d.stage];

    return again ? NGX_AGAIN : NGX_DECLINED;
}


/* NGX_ERROR: the budget is spent, or the rest cannot be read */

static ngx_int_t
ngx_agilicus_token_rules_host(ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_host_t *host)
{
    ngx_int_t                             rc;
    ngx_uint_t                            again;
    ngx_agilicus_token_ruleset_rule_t     rule;
    ngx_agilicus_token_ruleset_cursor_t   rules;

    again = 0;
    rules = host->rules;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_next_rule(&rules, &rule);

        if (rc == NGX_DONE) {
            return again ? NGX_AGAIN : NGX_DECLINED;
        }

        if (rc != NGX_OK
            || ngx_agilicus_token_rules_spend(d,
                                              NGX_AGILICUS_TOKEN_RULES_RULE)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_agilicus_token_rules_rule(d, &rule);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        again |= (rc == NGX_AGAIN);
    }
}


static ngx_int_t
ngx_agilicus_token_rules_rule(ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule)
{
    ngx_int_t                              rc;
    ngx_agilicus_token_rules_stage_e       stage;
    ngx_agilicus_token_ruleset_cursor_t    items;
    ngx_agilicus_token_matcher_values_t    values;

    items = rule->items;
    rc = NGX_DECLINED;
    stage = NGX_AGILICUS_TOKEN_RULES_METHOD;

    if (!(rule->methods & d->methods)) {
        goto done;
    }

    stage = NGX_AGILICUS_TOKEN_RULES_PATH;

    if (!ngx_agilicus_token_rules_paths(d, rule, &items)
        || !ngx_agilicus_token_rules_templates(d, rule, &items, &values))
    {
        goto done;
    }

    stage = NGX_AGILICUS_TOKEN_RULES_QUERY;

    if (!ngx_agilicus_token_rules_query(d, &items)) {
        goto done;
    }

    stage = NGX_AGILICUS_TOKEN_RULES_MATCHER;

    if (rule->matchers
        && (ngx_agilicus_token_rules_spend(d, (size_t) (items.end - items.pos))
            != NGX_OK
            || !ngx_agilicus_token_matcher_hold(&items, rule->any_matcher,
                                                &values)))
    {
        goto done;
    }

    /* last, for the body may have to be read first */

    stage = NGX_AGILICUS_TOKEN_RULES_BODY;

    rc = ngx_agilicus_token_rules_body(d, &items);

done:

    if (d->stage < stage) {
        d->stage = stage;
    }

    return rc;
}


static ngx_uint_t
ngx_agilicus_token_rules_paths(ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule,
    ngx_agilicus_token_ruleset_cursor_t *items)
{
    ngx_int_t                           rc;
    ngx_uint_t                          found;
    ngx_agilicus_token_ruleset_item_t   item;

    found = !rule->paths;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_take_item(items,
                                       NGX_AGILICUS_TOKEN_RULESET_PATH, &item);
        if (rc != NGX_OK) {
            return found && rc == NGX_DECLINED;
        }

        if (found) {
            continue;
        }

        if (ngx_agilicus_token_rules_spend(d, NGX_AGILICUS_TOKEN_RULES_ITEM)
            != NGX_OK)
        {
            return 0;
        }

        found = ngx_agilicus_token_path_match(d->subject, &item,
                                                 rule->separate_query);
    }
}


/* the first template that matches is the one that names values */

static ngx_uint_t
ngx_agilicus_token_rules_templates(ngx_agilicus_token_rules_decision_t *d,
    const ngx_agilicus_token_ruleset_rule_t *rule,
    ngx_agilicus_token_ruleset_cursor_t *items,
    ngx_agilicus_token_matcher_values_t *values)
{
    ngx_int_t                           rc;
    ngx_uint_t                          found, path, subject;
    ngx_agilicus_token_ruleset_item_t   item;

    ngx_memzero(values, sizeof(ngx_agilicus_token_matcher_values_t));

    values->path = d->view->path;

    if (rule->templates && !rule->separate_query
        && ngx_agilicus_token_path_whole(d->subject, &values->subject)
           != NGX_OK)
    {
        return 0;
    }

    found = !rule->templates;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_take_item(items,
                                   NGX_AGILICUS_TOKEN_RULESET_TEMPLATE, &item);
        if (rc != NGX_OK) {
            return found && rc == NGX_DECLINED;
        }

        if (found) {
            continue;
        }

        if (ngx_agilicus_token_rules_spend(d, NGX_AGILICUS_TOKEN_RULES_ITEM
                                              + d->view->path.len / 4)
            != NGX_OK)
        {
            return 0;
        }

        path = ngx_agilicus_token_template_match(&item.text, item.prefix,
                                                 &values->path);
        subject = path;

        if (values->subject.len) {
            subject = ngx_agilicus_token_template_match(&item.text,
                                                        item.prefix,
                                                        &values->subject);
        }

        if (path && subject) {
            values->template = item.text;
            found = 1;

        } else if ((path || subject) && rule->matchers) {

            /* to some, this is the first one */

            return 0;
        }
    }
}


static ngx_uint_t
ngx_agilicus_token_rules_query(ngx_agilicus_token_rules_decision_t *d,
    ngx_agilicus_token_ruleset_cursor_t *items)
{
    ngx_int_t                           rc;
    ngx_agilicus_token_ruleset_item_t   item;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_take_item(items,
                                      NGX_AGILICUS_TOKEN_RULESET_QUERY, &item);
        if (rc != NGX_OK) {
            return rc == NGX_DECLINED;
        }

        if (ngx_agilicus_token_rules_spend(d, NGX_AGILICUS_TOKEN_RULES_ITEM
                                              + 4 * d->view->query.len)
            != NGX_OK)
        {
            return 0;
        }

        if (!ngx_agilicus_token_query_match(&d->view->query, &item.text,
                                            item.has_value ? &item.value
                                                           : NULL))
        {
            return 0;
        }
    }
}


static ngx_int_t
ngx_agilicus_token_rules_body(ngx_agilicus_token_rules_decision_t *d,
    ngx_agilicus_token_ruleset_cursor_t *items)
{
    ngx_int_t                           rc;
    ngx_str_t                           value;
    ngx_agilicus_token_ruleset_item_t   item;

    for ( ;; ) {
        rc = ngx_agilicus_token_ruleset_take_item(items,
                                       NGX_AGILICUS_TOKEN_RULESET_BODY, &item);
        if (rc != NGX_OK) {
            break;
        }

        if (d->view->state == NGX_AGILICUS_TOKEN_RULES_UNREAD) {
            return NGX_AGAIN;
        }

        if (d->view->state != NGX_AGILICUS_TOKEN_RULES_GIVEN
            || ngx_agilicus_token_rules_spend(d,
                                              NGX_AGILICUS_TOKEN_RULES_VALUE)
               != NGX_OK
            || d->view->pointer(d->view->body, &item.text, &value) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (item.has_value
            && (value.len != item.value.len
                || ngx_memcmp(value.data, item.value.data, value.len) != 0))
        {
            return NGX_DECLINED;
        }
    }

    /* what has not been read would be a constraint that is not met */

    return (rc == NGX_DECLINED && items->pos == items->end) ? NGX_OK
                                                            : NGX_DECLINED;
}


static ngx_int_t
ngx_agilicus_token_rules_spend(ngx_agilicus_token_rules_decision_t *d,
    uint64_t ns)
{
    return ngx_agilicus_token_patterns_spend(d->patterns, ns);
}
