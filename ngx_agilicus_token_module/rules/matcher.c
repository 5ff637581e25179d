
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/matcher.h"
#include "rules/template.h"
#include "token/text.h"


/*
 * Truth values are sets of possible results, as bits; a value with both bits is
 * unknown.
 */

#define FALSE    0x1
#define TRUE     0x2
#define UNKNOWN  (TRUE|FALSE)


typedef struct {
    ngx_uint_t                                   any;
    ngx_uint_t                                   n;
    ngx_uint_t                                   value;
} ngx_agt_matcher_join_t;


typedef struct {
    const ngx_agt_matcher_values_t  *values;
    ngx_agt_ruleset_cursor_t        *items;

    unsigned                         unresolved:1;
} ngx_agt_matcher_t;


static ngx_uint_t ngx_agt_matcher_one(ngx_agt_matcher_t *m,
    const ngx_agt_ruleset_item_t *matcher);
static ngx_uint_t ngx_agt_matcher_criterion(ngx_agt_matcher_t *m,
    const ngx_str_t *left, const ngx_agt_ruleset_item_t *criterion);
static ngx_uint_t ngx_agt_matcher_compare(ngx_uint_t op,
    const ngx_str_t *left, const ngx_agt_ruleset_item_t *right);
static ngx_uint_t ngx_agt_matcher_order(ngx_uint_t op,
    const ngx_str_t *left, const ngx_agt_ruleset_item_t *right);
static void ngx_agt_matcher_value(ngx_agt_matcher_t *m,
    const ngx_str_t *extractor, ngx_str_t *value);
static ngx_int_t ngx_agt_matcher_integer(const ngx_str_t *text,
    int64_t *value);
static void ngx_agt_matcher_start(ngx_agt_matcher_join_t *j, ngx_uint_t any);
static void ngx_agt_matcher_join(ngx_agt_matcher_join_t *j, ngx_uint_t value);
static ngx_uint_t ngx_agt_matcher_not(ngx_uint_t value);


ngx_uint_t
ngx_agt_matcher_hold(ngx_agt_ruleset_cursor_t *items,
    ngx_uint_t any, const ngx_agt_matcher_values_t *values)
{
    ngx_int_t               rc;
    ngx_agt_matcher_t       m;
    ngx_agt_matcher_join_t  j;
    ngx_agt_ruleset_item_t  item;

    m.values = values;
    m.items = items;
    m.unresolved = 0;

    ngx_agt_matcher_start(&j, any);

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(items, NGX_AGT_RULESET_MATCHER, &item);
        if (rc != NGX_OK) {
            break;
        }

        ngx_agt_matcher_join(&j, ngx_agt_matcher_one(&m, &item));
    }

    return rc == NGX_DECLINED && !m.unresolved && j.n && j.value == TRUE;
}


static ngx_uint_t
ngx_agt_matcher_one(ngx_agt_matcher_t *m,
    const ngx_agt_ruleset_item_t *matcher)
{
    ngx_int_t               rc;
    ngx_str_t               left;
    ngx_uint_t              value;
    ngx_agt_matcher_join_t  j;
    ngx_agt_ruleset_item_t  item;

    ngx_agt_matcher_value(m, &matcher->text, &left);

    ngx_agt_matcher_start(&j, matcher->flags & NGX_AGT_RULESET_ANY);

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(m->items,
                                  NGX_AGT_RULESET_CRITERION, &item);
        if (rc != NGX_OK) {
            break;
        }

        value = ngx_agt_matcher_criterion(m, &left, &item);

        ngx_agt_matcher_join(&j, value);
    }

    /* the result of a matcher without criteria is unknown */

    value = (rc == NGX_DECLINED && j.n) ? j.value : UNKNOWN;

    if (matcher->flags & NGX_AGT_RULESET_INVERTED) {
        return ngx_agt_matcher_not(value);
    }

    return value;
}


/* "not equals" and "not in" are the inverse of an "or" over the operands */

static ngx_uint_t
ngx_agt_matcher_criterion(ngx_agt_matcher_t *m,
    const ngx_str_t *left, const ngx_agt_ruleset_item_t *criterion)
{
    ngx_int_t               rc;
    ngx_uint_t              op, list, other, value;
    ngx_agt_matcher_join_t  j;
    ngx_agt_ruleset_item_t  item;

    op = criterion->kind;
    list = (op == NGX_AGT_RULESET_IN || op == NGX_AGT_RULESET_NOT_IN);
    other = criterion->flags & NGX_AGT_RULESET_HAS_VALUE;

    ngx_agt_matcher_start(&j, 1);

    for ( ;; ) {
        rc = ngx_agt_ruleset_next_item(m->items,
                                    NGX_AGT_RULESET_OPERAND, &item);
        if (rc != NGX_OK) {
            break;
        }

        value = ngx_agt_matcher_compare(op, left, &item);

        ngx_agt_matcher_join(&j, value);
    }

    if (other) {
        ngx_memzero(&item, sizeof(ngx_agt_ruleset_item_t));

        ngx_agt_matcher_value(m, &criterion->text, &item.text);

        value = ngx_agt_matcher_compare(op, left, &item);

        ngx_agt_matcher_join(&j, value);
    }

    if (rc != NGX_DECLINED
        || op >= NGX_AGT_RULESET_UNDEFINED
        || list != !!(criterion->flags & NGX_AGT_RULESET_IS_LIST)
        || (!list && j.n != 1)
        || (list && other))
    {
        return UNKNOWN;
    }

    return (op == NGX_AGT_RULESET_NOT_EQUALS || op == NGX_AGT_RULESET_NOT_IN)
           ? ngx_agt_matcher_not(j.value) : j.value;
}


static ngx_uint_t
ngx_agt_matcher_compare(ngx_uint_t op, const ngx_str_t *left,
    const ngx_agt_ruleset_item_t *right)
{
    int64_t  number;

    if (op == NGX_AGT_RULESET_GREATER || op == NGX_AGT_RULESET_LESS) {
        return ngx_agt_matcher_order(op, left, right);
    }

    if (!(right->flags & NGX_AGT_RULESET_IS_NUMBER)) {
        return ngx_agt_text_equal(left, &right->text) ? TRUE : FALSE;
    }

    if (ngx_agt_matcher_integer(left, &number) != NGX_OK) {
        return UNKNOWN;
    }

    return (number == ngx_agt_ruleset_operand(right)) ? TRUE : FALSE;
}


static ngx_uint_t
ngx_agt_matcher_order(ngx_uint_t op, const ngx_str_t *left,
    const ngx_agt_ruleset_item_t *right)
{
    int64_t  a, b;

    if (ngx_agt_matcher_integer(left, &a) != NGX_OK) {
        return UNKNOWN;
    }

    if (right->flags & NGX_AGT_RULESET_IS_NUMBER) {
        b = ngx_agt_ruleset_operand(right);

    } else if (ngx_agt_matcher_integer(&right->text, &b) != NGX_OK) {
        return UNKNOWN;
    }

    if (op == NGX_AGT_RULESET_GREATER) {
        return (a > b) ? TRUE : FALSE;
    }

    return (a < b) ? TRUE : FALSE;
}


/* a value that servers could read in different ways counts as absent */

static void
ngx_agt_matcher_value(ngx_agt_matcher_t *m,
    const ngx_str_t *extractor, ngx_str_t *value)
{
    ngx_str_t                        other;
    const ngx_agt_matcher_values_t  *v;

    v = m->values;

    ngx_str_null(value);

    if (v->template.len == 0
        || ngx_agt_template_value(&v->template, &v->path, extractor, value)
           != NGX_OK)
    {
        m->unresolved = 1;
        return;
    }

    if (v->subject.len
        && (ngx_agt_template_value(&v->template, &v->subject,
                                   extractor, &other)
            != NGX_OK
            || !ngx_agt_text_equal(value, &other)))
    {
        m->unresolved = 1;
    }
}


/* an integer in its only form: no sign but "-", no zeros in front */

static ngx_int_t
ngx_agt_matcher_integer(const ngx_str_t *text, int64_t *value)
{
    u_char   c;
    size_t   i, first;
    int64_t  n;

    first = (text->len && text->data[0] == '-');

    if (text->len == first
        || (text->data[first] == '0' && text->len > 1))
    {
        return NGX_DECLINED;
    }

    n = 0;

    /* counted below zero, where there is room for one more */

    for (i = first; i < text->len; i++) {
        c = text->data[i];

        if (c < '0' || c > '9'
            || __builtin_mul_overflow(n, 10, &n)
            || __builtin_sub_overflow(n, c - '0', &n))
        {
            return NGX_DECLINED;
        }
    }

    if (!first && __builtin_sub_overflow(0, n, &n)) {
        return NGX_DECLINED;
    }

    *value = n;

    return NGX_OK;
}


static void
ngx_agt_matcher_start(ngx_agt_matcher_join_t *j, ngx_uint_t any)
{
    j->any = any;
    j->n = 0;
    j->value = any ? FALSE : TRUE;
}


static void
ngx_agt_matcher_join(ngx_agt_matcher_join_t *j, ngx_uint_t value)
{
    j->n++;

    /* "or" keeps a possible "true", "and" keeps a possible "false" */

    if (j->any) {
        j->value = ((j->value | value) & TRUE) | (j->value & value & FALSE);

    } else {
        j->value = ((j->value | value) & FALSE) | (j->value & value & TRUE);
    }
}


static ngx_uint_t
ngx_agt_matcher_not(ngx_uint_t value)
{
    return (value & FALSE ? TRUE : 0) | (value & TRUE ? FALSE : 0);
}
