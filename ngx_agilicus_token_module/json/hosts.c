
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/hosts.h"


/* API: maxLength of the name of an extractor */
#define NGX_AGT_JSON_MAX_EXTRACTOR  32


typedef struct {
    const char                 *name;
    ngx_agt_ruleset_operator_e  op;
} ngx_agt_json_operator_t;


/* reads one element of an array; NGX_ERROR: it is not understood */

typedef ngx_int_t (*ngx_agt_json_element_pt)(json_t *element,
    ngx_agt_ruleset_builder_t *b);


static void ngx_agt_json_host(json_t *host, ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_host_name(json_t *host, ngx_str_t *name);
static ngx_int_t ngx_agt_json_rule(json_t *rule, ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_rule_parts(json_t *rule,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_method(json_t *method,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_path(json_t *path, ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_template(json_t *template,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_parameter(json_t *parameter,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_constraint(json_t *constraint,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_matchers(json_t *list,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_matcher(json_t *matcher,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_criterion(json_t *criterion,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_operator(json_t *criterion,
    ngx_agt_ruleset_operator_e *op);
static ngx_int_t ngx_agt_json_operand(json_t *literal,
    ngx_agt_ruleset_builder_t *b);
static ngx_int_t ngx_agt_json_each(json_t *object, const char *name,
    ngx_agt_json_element_pt element, ngx_agt_ruleset_builder_t *b);
static ngx_uint_t ngx_agt_json_is_empty(json_t *object, const char *name);
static ngx_int_t ngx_agt_json_only(json_t *object, const char *const *names);
static ngx_int_t ngx_agt_json_boolean(json_t *object,
    const char *name, ngx_uint_t *value);
static ngx_int_t ngx_agt_json_any(json_t *object, ngx_uint_t *any);
static ngx_int_t ngx_agt_json_is(json_t *object,
    const char *name, const char *value);
static ngx_int_t ngx_agt_json_extractor(json_t *object,
    const char *name, ngx_str_t *text);


void
ngx_agt_json_hosts(json_t *hosts, ngx_agt_ruleset_builder_t *b)
{
    size_t   i;
    json_t  *host;

    json_array_foreach(hosts, i, host) {
        ngx_agt_json_host(host, b);
    }
}


static void
ngx_agt_json_host(json_t *host, ngx_agt_ruleset_builder_t *b)
{
    size_t      i;
    json_t     *rule, *rules;
    ngx_str_t   name;

    rules = json_object_get(host, "allowed_list");

    if (ngx_agt_json_host_name(host, &name) != NGX_OK
        || ngx_agt_ruleset_host(b, &name) != NGX_OK)
    {
        b->dropped += (uint32_t) json_array_size(rules);
        return;
    }

    json_array_foreach(rules, i, rule) {

        ngx_agt_ruleset_rule(b);

        if (ngx_agt_json_rule(rule, b) != NGX_OK) {
            ngx_agt_ruleset_never(b);
        }

        ngx_agt_ruleset_rule_end(b);
    }
}


static ngx_int_t
ngx_agt_json_host_name(json_t *host, ngx_str_t *name)
{
    json_t     *rules;
    ngx_str_t   text;

    static const char *const  names[] = {
        "upstream_host", "app_id", "admin_org_id", "allowed_list", NULL
    };

    rules = ngx_agt_json_get(host, "allowed_list");

    if (ngx_agt_json_only(host, names) != NGX_OK
        || ngx_agt_json_string(host, "app_id", &text) == NGX_ERROR
        || ngx_agt_json_string(host, "admin_org_id", &text)
           == NGX_ERROR
        || (rules && !json_is_array(rules)))
    {
        return NGX_ERROR;
    }

    return ngx_agt_json_string(host, "upstream_host", name);
}


static ngx_int_t
ngx_agt_json_rule(json_t *rule, ngx_agt_ruleset_builder_t *b)
{
    json_t      *info;
    ngx_uint_t   separate;

    static const char *const  names[] = {
        "methods", "paths", "template_paths", "query_parameters", "body",
        "resource_info", "matchers", "separate_query", NULL
    };

    if (ngx_agt_json_only(rule, names) != NGX_OK
        || ngx_agt_json_boolean(rule, "separate_query", &separate)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    /* an empty list allows nothing; an absent list is no constraint */

    if (ngx_agt_json_is_empty(rule, "paths")
        || ngx_agt_json_is_empty(rule, "template_paths"))
    {
        return NGX_ERROR;
    }

    /* informational, as the API has it */

    info = ngx_agt_json_get(rule, "resource_info");

    if (info && !json_is_object(info)) {
        return NGX_ERROR;
    }

    if (separate) {
        ngx_agt_ruleset_separate_query(b);
    }

    return ngx_agt_json_rule_parts(rule, b);
}


/* in the order of the packed form */

static ngx_int_t
ngx_agt_json_rule_parts(json_t *rule, ngx_agt_ruleset_builder_t *b)
{
    json_t  *body, *matchers;

    static const char *const  names[] = { "json", NULL };

    if (ngx_agt_json_each(rule, "methods", ngx_agt_json_method, b)
        == NGX_ERROR
        || ngx_agt_json_each(rule, "paths", ngx_agt_json_path, b)
           == NGX_ERROR
        || ngx_agt_json_each(rule, "template_paths", ngx_agt_json_template, b)
           == NGX_ERROR
        || ngx_agt_json_each(rule, "query_parameters",
                             ngx_agt_json_parameter, b)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    matchers = ngx_agt_json_get(rule, "matchers");

    if (matchers && ngx_agt_json_matchers(matchers, b) != NGX_OK) {
        return NGX_ERROR;
    }

    body = ngx_agt_json_get(rule, "body");

    if (body == NULL) {
        return NGX_OK;
    }

    if (ngx_agt_json_only(body, names) != NGX_OK
        || ngx_agt_json_each(body, "json", ngx_agt_json_constraint, b)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_method(json_t *method, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t  text;

    if (!json_is_string(method)) {
        return NGX_ERROR;
    }

    ngx_agt_json_text(method, &text);
    ngx_agt_ruleset_method(b, &text);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_path(json_t *path, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t  text;

    if (!json_is_string(path)) {
        return NGX_ERROR;
    }

    ngx_agt_json_text(path, &text);
    ngx_agt_ruleset_path(b, &text);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_template(json_t *template, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t   text;
    ngx_uint_t  prefix;

    static const char *const  names[] = { "template", "prefix", NULL };

    if (ngx_agt_json_only(template, names) != NGX_OK
        || ngx_agt_json_string(template, "template", &text)
           != NGX_OK
        || ngx_agt_json_boolean(template, "prefix", &prefix)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_ruleset_template(b, &text, prefix);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_parameter(json_t *parameter, ngx_agt_ruleset_builder_t *b)
{
    ngx_int_t  rc;
    ngx_str_t  name, exact;

    static const char *const  names[] = {
        "name", "exact_match", "match_type", NULL
    };

    if (ngx_agt_json_only(parameter, names) != NGX_OK
        || ngx_agt_json_string(parameter, "name", &name) != NGX_OK
        || ngx_agt_json_is(parameter, "match_type", "exact")
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_string(parameter, "exact_match", &exact);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_agt_ruleset_query(b, &name, rc == NGX_OK ? &exact : NULL);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_constraint(json_t *constraint, ngx_agt_ruleset_builder_t *b)
{
    ngx_int_t  rc;
    ngx_str_t  label, pointer, exact;

    static const char *const  names[] = {
        "name", "exact_match", "match_type", "pointer", NULL
    };

    if (ngx_agt_json_only(constraint, names) != NGX_OK
        || ngx_agt_json_string(constraint, "name", &label)
           != NGX_OK
        || ngx_agt_json_string(constraint, "pointer", &pointer)
           != NGX_OK
        || ngx_agt_json_is(constraint, "match_type", "string")
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_string(constraint, "exact_match", &exact);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_agt_ruleset_body(b, &pointer, rc == NGX_OK ? &exact : NULL);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_matchers(json_t *list, ngx_agt_ruleset_builder_t *b)
{
    ngx_uint_t  any;

    static const char *const  names[] = { "matchers", "join_operation", NULL };

    if (ngx_agt_json_only(list, names) != NGX_OK
        || ngx_agt_json_any(list, &any) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_ruleset_matchers(b, any);

    return ngx_agt_json_each(list, "matchers", ngx_agt_json_matcher, b);
}


static ngx_int_t
ngx_agt_json_matcher(json_t *matcher, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t   extractor;
    ngx_uint_t  any, inverted;

    static const char *const  names[] = {
        "extractor_name", "inverted", "join_operation", "criteria", NULL
    };

    if (ngx_agt_json_only(matcher, names) != NGX_OK
        || ngx_agt_json_any(matcher, &any) != NGX_OK
        || ngx_agt_json_boolean(matcher, "inverted", &inverted)
           != NGX_OK
        || ngx_agt_json_extractor(matcher, "extractor_name", &extractor)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_agt_ruleset_matcher(b, &extractor, inverted, any);

    return ngx_agt_json_each(matcher, "criteria", ngx_agt_json_criterion, b);
}


static ngx_int_t
ngx_agt_json_criterion(json_t *criterion, ngx_agt_ruleset_builder_t *b)
{
    size_t                      i;
    json_t                     *literal, *item;
    ngx_int_t                   rc;
    ngx_str_t                   other;
    ngx_uint_t                  list;
    ngx_agt_ruleset_operator_e  op;

    static const char *const  names[] = {
        "operator", "match_literal", "match_extractor", NULL
    };

    if (ngx_agt_json_only(criterion, names) != NGX_OK
        || ngx_agt_json_operator(criterion, &op) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_extractor(criterion, "match_extractor", &other);

    literal = ngx_agt_json_get(criterion, "match_literal");
    list = json_is_array(literal);

    ngx_agt_ruleset_criterion(b, op, rc == NGX_OK ? &other : NULL, list);

    if (op == NGX_AGT_RULESET_UNDEFINED) {
        return (rc == NGX_DECLINED && literal == NULL) ? NGX_OK : NGX_ERROR;
    }

    /* one of them, and not both: which would count is not documented */

    if (rc == NGX_ERROR || (rc == NGX_OK) == (literal != NULL)) {
        return NGX_ERROR;
    }

    if (literal && !list) {
        return ngx_agt_json_operand(literal, b);
    }

    json_array_foreach(literal, i, item) {
        if (ngx_agt_json_operand(item, b) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_operator(json_t *criterion, ngx_agt_ruleset_operator_e *op)
{
    ngx_uint_t  i;

    static const ngx_agt_json_operator_t  operators[] = {
        { "equals", NGX_AGT_RULESET_EQUALS },
        { "not_equals", NGX_AGT_RULESET_NOT_EQUALS },
        { "greater_than", NGX_AGT_RULESET_GREATER },
        { "less_than", NGX_AGT_RULESET_LESS },
        { "in", NGX_AGT_RULESET_IN },
        { "not_in", NGX_AGT_RULESET_NOT_IN },
        { "undefined", NGX_AGT_RULESET_UNDEFINED },
        { NULL, 0 }
    };

    for (i = 0; operators[i].name; i++) {
        if (ngx_agt_json_is(criterion, "operator", operators[i].name)
            == NGX_OK)
        {
            *op = operators[i].op;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_agt_json_operand(json_t *literal, ngx_agt_ruleset_builder_t *b)
{
    ngx_str_t  text;

    if (json_is_string(literal)) {
        ngx_agt_json_text(literal, &text);
        ngx_agt_ruleset_string(b, &text);
        return NGX_OK;
    }

    if (json_is_integer(literal)) {
        ngx_agt_ruleset_number(b, json_integer_value(literal));
        return NGX_OK;
    }

    return NGX_ERROR;
}


/*
 * Reads all elements of a member that is an array.  Returns NGX_DECLINED where
 * there is no such member, or the array is empty.
 */

static ngx_int_t
ngx_agt_json_each(json_t *object, const char *name,
    ngx_agt_json_element_pt element, ngx_agt_ruleset_builder_t *b)
{
    size_t   i;
    json_t  *array, *item;

    array = ngx_agt_json_get(object, name);

    if (array == NULL) {
        return NGX_DECLINED;
    }

    if (!json_is_array(array)) {
        return NGX_ERROR;
    }

    json_array_foreach(array, i, item) {
        if (element(item, b) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return json_array_size(array) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_agt_json_is_empty(json_t *object, const char *name)
{
    json_t  *array;

    array = json_object_get(object, name);

    return json_is_array(array) && json_array_size(array) == 0;
}


/* NGX_ERROR where it is no object, or has another member */

static ngx_int_t
ngx_agt_json_only(json_t *object, const char *const *names)
{
    json_t             *value;
    const char         *key;
    const char *const  *name;

    if (!json_is_object(object)) {
        return NGX_ERROR;
    }

    json_object_foreach(object, key, value) {

        for (name = names; *name; name++) {
            if (ngx_strcmp(key, *name) == 0) {
                break;
            }
        }

        if (*name == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_boolean(json_t *object, const char *name, ngx_uint_t *value)
{
    json_t  *boolean;

    *value = 0;

    boolean = ngx_agt_json_get(object, name);

    if (boolean == NULL) {
        return NGX_DECLINED;
    }

    if (!json_is_boolean(boolean)) {
        return NGX_ERROR;
    }

    *value = json_is_true(boolean);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_any(json_t *object, ngx_uint_t *any)
{
    *any = (ngx_agt_json_is(object, "join_operation", "or") == NGX_OK);

    return (!*any
            && ngx_agt_json_is(object, "join_operation", "and") == NGX_ERROR)
           ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: not there; NGX_ERROR: anything but this string */

static ngx_int_t
ngx_agt_json_is(json_t *object, const char *name, const char *value)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_agt_json_string(object, name, &text);

    if (rc != NGX_OK) {
        return rc;
    }

    return (text.len == ngx_strlen(value)
            && ngx_memcmp(text.data, value, text.len) == 0)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_agt_json_extractor(json_t *object, const char *name, ngx_str_t *text)
{
    ngx_int_t  rc;

    rc = ngx_agt_json_string(object, name, text);

    if (rc == NGX_OK
        && (text->len == 0 || text->len > NGX_AGT_JSON_MAX_EXTRACTOR))
    {
        return NGX_ERROR;
    }

    return rc;
}
