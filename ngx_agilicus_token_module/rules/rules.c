
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/matcher.h"
#include "rules/path.h"
#include "rules/regex.h"
#include "rules/query.h"
#include "rules/rules.h"
#include "rules/syntax.h"
#include "rules/template.h"
#include "token/text.h"


/*
 * Estimated costs in nanoseconds: of a rule, besides its bytes, and of a value
 * of a body, besides the bytes of its pointer.
 */
#define NGX_AGT_RULES_RULE    10
#define NGX_AGT_RULES_VALUE   1000

/* costs of rules are added up to this before the budget is charged */
#define NGX_AGT_RULES_COST    4000


/* the part of a rule at which it failed; the furthest one is the reason */

typedef enum {
    NGX_AGT_RULES_HOST = 0,
    NGX_AGT_RULES_METHOD,
    NGX_AGT_RULES_PATH,
    NGX_AGT_RULES_QUERY,
    NGX_AGT_RULES_BODY,
    NGX_AGT_RULES_MATCHER
} ngx_agt_rules_stage_e;


struct ngx_agt_rules_s {
    ngx_agt_regex_t  *patterns;
    ngx_agt_path_t    subject;
    ngx_agt_path_t       plain;    /* without parameters */

    u_char              *buf;      /* of that path */
    size_t               size;
};


/* one decision */

typedef struct {
    ngx_agt_regex_t             *patterns;
    const ngx_agt_rules_view_t  *view;

    ngx_agt_path_t              *subject;   /* of one reading */
    ngx_agt_path_t              *whole;     /* as it is */
    uint32_t                     methods;
    ngx_agt_rules_stage_e        stage;     /* the furthest */
} ngx_agt_rules_decision_t;


/* the filter for rules, and their cost since the budget was charged last */

typedef struct {
    ngx_str_t                                path;
    ngx_uint_t                               longer;  /* with its query */
    size_t                                   least;   /* bytes to judge by */
    size_t                                   cost;
    uint32_t                                 methods;
} ngx_agt_rules_sieve_t;


static ngx_int_t ngx_agt_rules_hosts(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t hosts, ngx_agt_reason_e *reason);
static ngx_int_t ngx_agt_rules_plain(ngx_agt_rules_t *rules, ngx_str_t *path);
static ngx_uint_t ngx_agt_rules_has_parameter(const ngx_str_t *text);
static ngx_int_t ngx_agt_rules_host(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_host_t *host);
static ngx_int_t ngx_agt_rules_sift(ngx_agt_rules_decision_t *d,
    ngx_agt_rules_sieve_t *sieve, ngx_agt_ruleset_cursor_t *rules,
    ngx_agt_ruleset_rule_t *rule);
static ngx_int_t ngx_agt_rules_rule(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule);
static ngx_inline ngx_uint_t ngx_agt_rules_differs(
    const ngx_agt_rules_sieve_t *sieve, const ngx_agt_ruleset_rule_t *rule);
static ngx_uint_t ngx_agt_rules_paths(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule, ngx_agt_ruleset_cursor_t *items);
static ngx_uint_t ngx_agt_rules_templates(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule, ngx_agt_ruleset_cursor_t *items,
    ngx_agt_matcher_values_t *values);
static ngx_int_t ngx_agt_rules_template(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_item_t *item,
    const ngx_agt_matcher_values_t *values);
static ngx_uint_t ngx_agt_rules_query(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t *items);
static ngx_int_t ngx_agt_rules_body(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t *items);


static const ngx_agt_reason_e
    ngx_agt_rules_reasons[] = {
    [NGX_AGT_RULES_HOST] = NGX_AGT_REASON_HOST,
    [NGX_AGT_RULES_METHOD] = NGX_AGT_REASON_METHOD,
    [NGX_AGT_RULES_PATH] = NGX_AGT_REASON_PATH,
    [NGX_AGT_RULES_QUERY] = NGX_AGT_REASON_QUERY,
    [NGX_AGT_RULES_BODY] = NGX_AGT_REASON_BODY,
    [NGX_AGT_RULES_MATCHER] = NGX_AGT_REASON_MATCHER
};


ngx_agt_rules_t *
ngx_agt_rules_create(ngx_uint_t slots)
{
    ngx_agt_rules_t  *rules;

    rules = ngx_agt_regex_alloc(sizeof(ngx_agt_rules_t));
    if (rules == NULL) {
        return NULL;
    }

    rules->patterns = ngx_agt_regex_create(slots);

    if (rules->patterns == NULL) {
        ngx_agt_regex_free(rules);
        return NULL;
    }

    return rules;
}


void
ngx_agt_rules_destroy(ngx_agt_rules_t *rules)
{
    if (rules == NULL) {
        return;
    }

    ngx_agt_path_free(&rules->subject);
    ngx_agt_path_free(&rules->plain);
    ngx_agt_regex_destroy(rules->patterns);
    ngx_agt_regex_free(rules->buf);

    ngx_agt_regex_free(rules);
}


ngx_int_t
ngx_agt_rules_decide(ngx_agt_rules_t *rules, const ngx_str_t *packed,
    ngx_agt_rules_view_t *view, ngx_agt_reason_e *reason)
{
    ngx_int_t                 rc, plain;
    ngx_str_t                 path;
    ngx_uint_t                n;
    ngx_agt_rules_decision_t  d;
    ngx_agt_ruleset_cursor_t  hosts;

    *reason = NGX_AGT_REASON_RULE;

    if (packed->len == 0
        || ngx_agt_ruleset_open(&hosts, &n, packed->data, packed->len)
           != NGX_OK
        || n == 0)
    {
        return NGX_DECLINED;
    }

    if (view->path.len == 0 || view->path.data[0] != '/') {
        *reason = NGX_AGT_REASON_PATH;
        return NGX_DECLINED;
    }

    if (!ngx_agt_path_is_query(&view->query)) {
        *reason = NGX_AGT_REASON_QUERY;
        return NGX_DECLINED;
    }

    ngx_agt_regex_begin(rules->patterns, view->spent);

    ngx_agt_path_begin(&rules->subject, rules->patterns,
                       &view->path, &view->query, view->has_query,
                       view->search);

    d.patterns = rules->patterns;
    d.view = view;
    d.subject = &rules->subject;
    d.whole = &rules->subject;
    d.methods = NGX_AGT_RULESET_ALL
                | ngx_agt_syntax_method_bit(&view->method);

    rc = ngx_agt_rules_hosts(&d, hosts, reason);

    if (rc == NGX_DECLINED || !ngx_agt_rules_has_parameter(&view->path)) {
        view->spent = ngx_agt_regex_spent(rules->patterns);
        return rc;
    }

    /*
     * Some servers drop the parameters of a segment: "/a;x/b".  So only a rule
     * that names these parameters literally can allow both readings of the
     * path.
     */

    path = view->path;

    if (ngx_agt_rules_plain(rules, &path) != NGX_OK) {
        *reason = NGX_AGT_REASON_PATH;
        return NGX_DECLINED;
    }

    ngx_agt_path_begin(&rules->plain, rules->patterns, &path,
                       &view->query, view->has_query, view->search);

    d.subject = &rules->plain;

    plain = ngx_agt_rules_hosts(&d, hosts, reason);

    view->spent = ngx_agt_regex_spent(rules->patterns);

    return (plain == NGX_OK) ? rc : plain;
}


ngx_uint_t
ngx_agt_rules_count(const ngx_str_t *packed, const ngx_str_t *host,
    ngx_str_t *other)
{
    ngx_uint_t                n;
    ngx_agt_ruleset_host_t    h;
    ngx_agt_ruleset_rule_t    rule;
    ngx_agt_ruleset_cursor_t  hosts;

    ngx_str_null(other);

    if (packed->len == 0
        || ngx_agt_ruleset_open(&hosts, &n, packed->data, packed->len)
           != NGX_OK)
    {
        return 0;
    }

    n = 0;

    while (ngx_agt_ruleset_next_host(&hosts, &h) == NGX_OK) {

        if (!ngx_agt_syntax_is_host(&h.name, host)) {

            if (other->len == 0) {
                *other = h.name;
            }

            continue;
        }

        while (ngx_agt_ruleset_next_rule(&h.rules, &rule) == NGX_OK) {
            n++;
        }
    }

    return n;
}


static ngx_int_t
ngx_agt_rules_hosts(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t hosts, ngx_agt_reason_e *reason)
{
    ngx_int_t               rc;
    ngx_uint_t              again;
    ngx_agt_ruleset_host_t  host;

    d->stage = NGX_AGT_RULES_HOST;
    again = 0;

    while (ngx_agt_ruleset_next_host(&hosts, &host) == NGX_OK) {

        if (!ngx_agt_syntax_is_host(&host.name, &d->view->host)) {
            continue;
        }

        rc = ngx_agt_rules_host(d, &host);

        if (rc == NGX_OK) {
            *reason = NGX_AGT_REASON_NONE;
            return NGX_OK;
        }

        again |= (rc == NGX_AGAIN);

        if (rc == NGX_ERROR) {
            again = 0;
            break;
        }
    }

    *reason = ngx_agt_rules_reasons[d->stage];

    return again ? NGX_AGAIN : NGX_DECLINED;
}


/* the path as it is without the parameters of its segments */

static ngx_int_t
ngx_agt_rules_plain(ngx_agt_rules_t *rules, ngx_str_t *path)
{
    u_char  *p, *d, *end;

    if (path->len > rules->size) {
        p = ngx_agt_regex_alloc(path->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_agt_regex_free(rules->buf);

        rules->buf = p;
        rules->size = path->len;
    }

    d = rules->buf;
    end = path->data + path->len;

    for (p = path->data; p < end; p++) {

        if (*p == ';') {
            while (p < end && *p != '/') {
                p++;
            }

            if (p == end) {
                break;
            }
        }

        *d++ = *p;
    }

    path->data = rules->buf;
    path->len = (size_t) (d - rules->buf);

    return NGX_OK;
}


static ngx_uint_t
ngx_agt_rules_has_parameter(const ngx_str_t *text)
{
    return memchr(text->data, ';', text->len) != NULL;
}


/* NGX_ERROR: the budget is spent, or the rest cannot be read */

static ngx_int_t
ngx_agt_rules_host(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_host_t *host)
{
    ngx_int_t                 rc;
    ngx_uint_t                again;
    ngx_agt_rules_sieve_t     sieve;
    ngx_agt_ruleset_rule_t    rule;
    ngx_agt_ruleset_cursor_t  rules;

    again = 0;
    rules = host->rules;

    sieve.path = d->view->path;
    sieve.methods = d->methods;
    sieve.cost = 0;
    sieve.longer = (d->view->has_query || d->view->query.len);
    sieve.least = (d->view->search || d->subject != d->whole)
                  ? (size_t) -1 : sizeof(uint32_t);

    for ( ;; ) {
        rc = ngx_agt_rules_sift(d, &sieve, &rules, &rule);

        if (rc == NGX_DONE) {
            return again ? NGX_AGAIN : NGX_DECLINED;
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        rc = ngx_agt_rules_rule(d, &rule);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        again |= (rc == NGX_AGAIN);
    }
}


/*
 * Goes to the next rule that must be looked into, past the rules for another
 * method or path, which are most.  Each request passes all rules, so the values
 * that this loop needs are kept in registers.
 */

static ngx_int_t __attribute__((noinline))
ngx_agt_rules_sift(ngx_agt_rules_decision_t *d, ngx_agt_rules_sieve_t *sieve,
    ngx_agt_ruleset_cursor_t *rules, ngx_agt_ruleset_rule_t *rule)
{
    size_t                       cost;
    ngx_int_t                    rc;
    ngx_agt_rules_stage_e        stage;
    ngx_agt_ruleset_rule_t       next;
    ngx_agt_ruleset_cursor_t     rest;
    const ngx_agt_rules_sieve_t  held = *sieve;

    cost = sieve->cost;
    rest = *rules;
    stage = d->stage;

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_rule(&rest, &next);

        if (rc != NGX_OK) {
            break;
        }

        cost += NGX_AGT_RULES_RULE
                + (size_t) (next.items.end - next.items.pos);

        if (cost > NGX_AGT_RULES_COST) {

            if (ngx_agt_regex_spend(d->patterns, cost) != NGX_OK) {
                rc = NGX_ERROR;
                break;
            }

            cost = 0;
        }

        if (!(next.methods & held.methods)) {
            stage = ngx_max(stage, NGX_AGT_RULES_METHOD);
            continue;
        }

        if (ngx_agt_rules_differs(&held, &next)) {
            stage = ngx_max(stage, NGX_AGT_RULES_PATH);
            continue;
        }

        *rule = next;
        break;
    }

    d->stage = stage;
    sieve->cost = cost;
    *rules = rest;

    return rc;
}


/* decides on a rule that the filter did not pass over */

static ngx_int_t
ngx_agt_rules_rule(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule)
{
    ngx_int_t                 rc;
    ngx_uint_t                any;
    ngx_agt_rules_stage_e     stage;
    ngx_agt_ruleset_cursor_t  items;
    ngx_agt_matcher_values_t  values;

    items = rule->items;
    rc = NGX_DECLINED;
    stage = NGX_AGT_RULES_PATH;

    if (!ngx_agt_rules_paths(d, rule, &items)
        || !ngx_agt_rules_templates(d, rule, &items, &values))
    {
        goto done;
    }

    stage = NGX_AGT_RULES_QUERY;

    if (!ngx_agt_rules_query(d, &items)) {
        goto done;
    }

    stage = NGX_AGT_RULES_MATCHER;

    any = rule->flags & NGX_AGT_RULESET_ANY_MATCHER;

    if (rule->flags & NGX_AGT_RULESET_MATCHERS
        && !ngx_agt_matcher_hold(&items, any, &values))
    {
        goto done;
    }

    /* the last part, since the body may have to be read first */

    stage = NGX_AGT_RULES_BODY;

    rc = ngx_agt_rules_body(d, &items);

done:

    if (d->stage < stage) {
        d->stage = stage;
    }

    return rc;
}


/*
 * Returns 1 only if the rule's one path cannot match: the path of the request
 * is shorter and has no query behind it, or has other bytes where the rule's
 * ends.
 */

static ngx_inline ngx_uint_t
ngx_agt_rules_differs(const ngx_agt_rules_sieve_t *sieve,
    const ngx_agt_ruleset_rule_t *rule)
{
    size_t         len;
    const u_char  *p;

    len = rule->len;

    if (len < sieve->least) {
        return 0;
    }

    if (len > sieve->path.len) {
        return !sieve->longer;
    }

    p = sieve->path.data + len;

    if (len < sizeof(uint64_t)) {
        return ngx_memcmp(p - sizeof(uint32_t), rule->ending,
                          sizeof(uint32_t))
               != 0;
    }

    return ngx_memcmp(p - sizeof(uint64_t), rule->ending, sizeof(uint64_t))
           != 0;
}


static ngx_uint_t
ngx_agt_rules_paths(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule, ngx_agt_ruleset_cursor_t *items)
{
    ngx_int_t               rc;
    ngx_uint_t              found, separate;
    ngx_agt_path_t         *subject;
    ngx_agt_ruleset_item_t  item;

    found = !(rule->flags & NGX_AGT_RULESET_PATHS);
    separate = rule->flags & NGX_AGT_RULESET_SEPARATE_QUERY;

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(items, NGX_AGT_RULESET_PATH, &item);
        if (rc != NGX_OK) {
            return found && rc == NGX_DECLINED;
        }

        if (found) {
            continue;
        }

        subject = d->subject;

        if (subject != d->whole
            && !d->view->search
            && item.kind == NGX_AGT_RULESET_LITERAL
            && ngx_agt_rules_has_parameter(&item.text))
        {
            subject = d->whole;
        }

        found = ngx_agt_path_match(subject, &item, separate);
    }
}


static ngx_uint_t
ngx_agt_rules_templates(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_rule_t *rule, ngx_agt_ruleset_cursor_t *items,
    ngx_agt_matcher_values_t *values)
{
    ngx_int_t               rc;
    ngx_uint_t              found;
    ngx_agt_ruleset_item_t  item;

    ngx_memzero(values, sizeof(ngx_agt_matcher_values_t));

    if (!(rule->flags & NGX_AGT_RULESET_TEMPLATES)) {
        return 1;
    }

    values->path = d->subject->path;

    if (!(rule->flags & NGX_AGT_RULESET_SEPARATE_QUERY)
        && ngx_agt_path_whole(d->subject, &values->subject)
           != NGX_OK)
    {
        return 0;
    }

    found = 0;

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(items, NGX_AGT_RULESET_TEMPLATE, &item);
        if (rc != NGX_OK) {
            return found && rc == NGX_DECLINED;
        }

        if (found) {
            continue;
        }

        rc = ngx_agt_rules_template(d, &item, values);

        if (rc == NGX_OK) {
            values->template = item.text;
            found = 1;
        }

        if (rc == NGX_ERROR && rule->flags & NGX_AGT_RULESET_MATCHERS) {
            /*
             * For some servers this template is the first match and sets the
             * values.
             */

            return 0;
        }
    }
}


/* NGX_ERROR: some servers would match the template, others would not */

static ngx_int_t
ngx_agt_rules_template(ngx_agt_rules_decision_t *d,
    const ngx_agt_ruleset_item_t *item, const ngx_agt_matcher_values_t *values)
{
    ngx_uint_t  prefix, path, subject;

    if (ngx_agt_regex_spend(d->patterns, values->path.len / 4) != NGX_OK) {
        return NGX_ERROR;
    }

    prefix = item->flags & NGX_AGT_RULESET_IS_PREFIX;

    path = ngx_agt_template_match(&item->text, prefix, &values->path);
    subject = path;

    if (values->subject.len) {
        subject = ngx_agt_template_match(&item->text, prefix,
                                         &values->subject);
    }

    if (path != subject) {
        return NGX_ERROR;
    }

    return path ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_agt_rules_query(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t *items)
{
    ngx_int_t               rc;
    const ngx_str_t        *exact;
    ngx_agt_ruleset_item_t  item;

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(items, NGX_AGT_RULESET_QUERY, &item);
        if (rc != NGX_OK) {
            return rc == NGX_DECLINED;
        }

        if (ngx_agt_regex_spend(d->patterns, 8 * d->view->query.len)
            != NGX_OK)
        {
            return 0;
        }

        exact = (item.flags & NGX_AGT_RULESET_HAS_VALUE) ? &item.value : NULL;

        if (!ngx_agt_query_match(&d->view->query, &item.text, exact)) {
            return 0;
        }
    }
}


static ngx_int_t
ngx_agt_rules_body(ngx_agt_rules_decision_t *d,
    ngx_agt_ruleset_cursor_t *items)
{
    ngx_int_t               rc;
    ngx_str_t               value;
    ngx_agt_ruleset_item_t  item;

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(items, NGX_AGT_RULESET_BODY, &item);
        if (rc != NGX_OK) {
            break;
        }

        if (d->view->state == NGX_AGT_RULES_UNREAD) {
            return NGX_AGAIN;
        }

        if (d->view->state != NGX_AGT_RULES_GIVEN
            || ngx_agt_regex_spend(d->patterns,
                                   NGX_AGT_RULES_VALUE
                                   + 8 * item.text.len)
               != NGX_OK
            || d->view->pointer(d->view->body, &item.text, &value) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if ((item.flags & NGX_AGT_RULESET_HAS_VALUE)
            && !ngx_agt_text_equal(&value, &item.value))
        {
            return NGX_DECLINED;
        }
    }

    /* an item that was not read would be a constraint that is not met */

    return (rc == NGX_DECLINED && items->pos == items->end) ? NGX_OK
                                                            : NGX_DECLINED;
}
