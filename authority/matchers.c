/*
 * Rules with matchers, as lists of exact matches.
 */

#include "matchers.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* templates that one rule may grow to */

#define AG_EXACT_MAX  256


static json_t *ag_matchers_rules(const json_t *rules);
static int ag_matchers_rule(json_t *rule);
static int ag_matchers_matcher(json_t **templates, const json_t *matcher,
    bool alone);
static json_t *ag_matchers_literals(const json_t *matcher);
static int ag_matchers_criterion(json_t *literals, const json_t *criterion);
static int ag_matchers_literal(json_t *literals, const json_t *value);
static int ag_matchers_fill(json_t *filled, const json_t *template,
    const char *name, const char *literal);


json_t *
ag_matchers_exact(const json_t *hosts)
{
    size_t   i;
    json_t  *result, *host, *copy, *rules;

    result = json_array();

    json_array_foreach(hosts, i, host) {
        copy = json_copy(host);
        rules = ag_json_get(host, "allowed_list");

        if (rules
            && json_object_set_new(copy, "allowed_list",
                                   ag_matchers_rules(rules)) != 0)
        {
            json_decref(copy);
            copy = NULL;
        }

        if (json_array_append_new(result, copy) != 0) {
            json_decref(result);
            return NULL;
        }
    }

    return result;
}


static json_t *
ag_matchers_rules(const json_t *rules)
{
    int      rc;
    size_t   i;
    json_t  *result, *rule, *copy;

    result = json_array();

    json_array_foreach(rules, i, rule) {
        copy = json_copy(rule);
        rc = copy ? ag_matchers_rule(copy) : AG_ERROR;

        if (rc == AG_OK && json_array_append(result, copy) != 0) {
            rc = AG_ERROR;
        }

        json_decref(copy);

        if (rc == AG_ERROR) {
            json_decref(result);
            return NULL;
        }
    }

    return result;
}


/* AG_DECLINED: this rule cannot be said without matchers */

static int
ag_matchers_rule(json_t *rule)
{
    int          rc;
    bool         any;
    size_t       i;
    json_t      *list, *matchers, *matcher, *templates;
    const char  *join;

    list = ag_json_get(rule, "matchers");
    if (list == NULL) {
        (void) json_object_del(rule, "matchers");
        return AG_OK;
    }

    templates = json_incref(ag_json_get(rule, "template_paths"));
    matchers = ag_json_get(list, "matchers");
    join = ag_json_string(list, "join_operation");
    any = (join && strcmp(join, "or") == 0);

    rc = templates ? AG_OK : AG_DECLINED;

    json_array_foreach(matchers, i, matcher) {
        if (rc == AG_OK && any && json_array_size(matchers) > 1) {
            rc = AG_DECLINED;
        }

        if (rc == AG_OK) {
            rc = ag_matchers_matcher(&templates, matcher,
                                     ag_json_get(rule, "paths") == NULL);
        }
    }

    if (rc == AG_OK
        && json_object_set(rule, "template_paths", templates) != 0)
    {
        rc = AG_ERROR;
    }

    json_decref(templates);
    (void) json_object_del(rule, "matchers");

    return rc;
}


/*
 * Replaces the templates by those that this matcher lets through. The name
 * has to occur in every template; with paths beside the templates, a path
 * could match where no template does, and escape the matcher.
 */

static int
ag_matchers_matcher(json_t **templates, const json_t *matcher, bool alone)
{
    int      rc;
    size_t   i, n;
    json_t  *literals, *filled, *template, *literal;

    literals = ag_matchers_literals(matcher);
    filled = json_array();

    rc = (literals && filled && alone) ? AG_OK : AG_DECLINED;

    json_array_foreach(*templates, i, template) {
        json_array_foreach(literals, n, literal) {
            if (rc == AG_OK) {
                rc = ag_matchers_fill(filled, template,
                                      ag_json_string(matcher,
                                                     "extractor_name"),
                                      json_string_value(literal));
            }
        }
    }

    json_decref(literals);

    if (rc != AG_OK) {
        json_decref(filled);
        return rc;
    }

    json_decref(*templates);
    *templates = filled;

    return AG_OK;
}


/*
 * The texts that a matcher allows: new reference, or NULL when it is not a
 * plain choice of texts. Several criteria are a choice only with "or".
 */

static json_t *
ag_matchers_literals(const json_t *matcher)
{
    bool         any;
    size_t       i;
    json_t      *literals, *criteria, *criterion;
    const char  *join;

    criteria = ag_json_get(matcher, "criteria");
    join = ag_json_string(matcher, "join_operation");
    any = (join && strcmp(join, "or") == 0);

    if (ag_json_bool(matcher, "inverted", true)
        || json_array_size(criteria) == 0
        || (json_array_size(criteria) > 1 && !any))
    {
        return NULL;
    }

    literals = json_array();

    json_array_foreach(criteria, i, criterion) {
        if (ag_matchers_criterion(literals, criterion) != AG_OK) {
            json_decref(literals);
            return NULL;
        }
    }

    return literals;
}


static int
ag_matchers_criterion(json_t *literals, const json_t *criterion)
{
    size_t       i;
    json_t      *value, *item;
    const char  *operator;

    operator = ag_json_string(criterion, "operator");
    value = ag_json_get(criterion, "match_literal");

    if (ag_json_get(criterion, "match_extractor")) {
        return AG_DECLINED;
    }

    if (strcmp(operator, "equals") == 0) {
        return ag_matchers_literal(literals, value);
    }

    if (strcmp(operator, "in") != 0 || !json_is_array(value)) {
        return AG_DECLINED;
    }

    json_array_foreach(value, i, item) {
        if (ag_matchers_literal(literals, item) != AG_OK) {
            return AG_DECLINED;
        }
    }

    return AG_OK;
}


/* a text that stays one piece of a path, and no piece of a template */

static int
ag_matchers_literal(json_t *literals, const json_t *value)
{
    char         number[24];
    const char  *text;

    text = json_string_value(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        text = number;
    }

    if (text == NULL || *text == '\0' || strpbrk(text, "/{}?")) {
        return AG_DECLINED;
    }

    return json_array_append_new(literals, json_string(text)) == 0
           ? AG_OK : AG_ERROR;
}


static int
ag_matchers_fill(json_t *filled, const json_t *template, const char *name,
    const char *literal)
{
    char         piece[40];
    char        *data;
    size_t       len;
    json_t      *copy;
    ag_text_t    text;
    const char  *p, *found;

    p = ag_json_string(template, "template");

    snprintf(piece, sizeof(piece), "{%s}", name);
    found = strstr(p, piece);

    if (found == NULL || json_array_size(filled) == AG_EXACT_MAX) {
        return AG_DECLINED;
    }

    memset(&text, 0, sizeof(ag_text_t));

    for ( /* void */ ; found; found = strstr(p, piece)) {
        ag_text_bytes(&text, p, (size_t) (found - p));
        ag_text_raw(&text, literal);
        p = found + strlen(piece);
    }

    ag_text_raw(&text, p);

    data = ag_text_take(&text, &len);
    copy = json_copy((json_t *) (uintptr_t) template);

    if (data == NULL
        || json_object_set_new(copy, "template", json_string(data)) != 0)
    {
        json_decref(copy);
        copy = NULL;
    }

    free(data);

    return json_array_append_new(filled, copy) == 0 ? AG_OK : AG_ERROR;
}
