/*
 * HostPermissions and their RenderedRules.
 */

#include "rule.h"
#include "shape.h"

#include <string.h>


#define AG_RULES_MAX  1000
#define AG_TEXT_MAX   1023


static int ag_rule_method(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_template(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_query(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_match_type(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_body(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_body_json(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_pointer(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_resource(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_matchers(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_matcher(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_criterion(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_join(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_operator(json_t *value, const ag_path_t *path,
    ag_error_t *error);
static int ag_rule_word(json_t *value, const char *const *words,
    const ag_path_t *path, const char *what, ag_error_t *error);
static bool ag_rule_subset(const json_t *all, const json_t *some);
static bool ag_rule_has(const json_t *array, const json_t *value);
static bool ag_rule_methods_cover(const json_t *permitted, const json_t *rule);
static bool ag_rule_body_covers(const json_t *permitted, const json_t *rule);
static bool ag_rule_equal(const json_t *a, const json_t *b);


static const ag_member_t  ag_host_members[] = {
    { "upstream_host", AG_STRING, AG_REQUIRED, 1, 255, NULL },
    { "app_id", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "admin_org_id", AG_IDENTIFIER, 0, 0, 0, NULL },
    { "allowed_list", AG_ARRAY, 0, 0, AG_RULES_MAX, ag_rule_check },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_rule_members[] = {
    { "methods", AG_STRINGS, 0, 0, 16, ag_rule_method },
    { "paths", AG_STRINGS, 0, 0, AG_RULES_MAX, NULL },
    { "template_paths", AG_ARRAY, 0, 0, AG_RULES_MAX, ag_rule_template },
    { "query_parameters", AG_ARRAY, 0, 0, 100, ag_rule_query },
    { "body", AG_OBJECT, 0, 0, 0, ag_rule_body },
    { "resource_info", AG_OBJECT, 0, 0, 0, ag_rule_resource },
    { "matchers", AG_OBJECT, 0, 0, 0, ag_rule_matchers },
    { "separate_query", AG_BOOL, 0, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_template_members[] = {
    { "template", AG_STRING, AG_REQUIRED, 1, AG_TEXT_MAX, NULL },
    { "prefix", AG_BOOL, AG_REQUIRED, 0, 0, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_query_members[] = {
    { "name", AG_STRING, AG_REQUIRED, 1, AG_TEXT_MAX, NULL },
    { "exact_match", AG_STRING, 0, 0, AG_TEXT_MAX, NULL },
    { "match_type", AG_STRING, 0, 1, 16, ag_rule_match_type },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_body_members[] = {
    { "json", AG_ARRAY, 0, 0, 100, ag_rule_body_json },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_body_json_members[] = {
    { "name", AG_STRING, AG_REQUIRED, 1, AG_TEXT_MAX, NULL },
    { "exact_match", AG_STRING, 0, 0, AG_TEXT_MAX, NULL },
    { "match_type", AG_STRING, 0, 1, 16, ag_rule_match_type },
    { "pointer", AG_STRING, 0, 1, AG_TEXT_MAX, ag_rule_pointer },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_resource_members[] = {
    { "resource_id", AG_STRING, 0, 1, AG_TEXT_MAX, NULL },
    { "resource_org_id", AG_STRING, 0, 1, AG_TEXT_MAX, NULL },
    { "resource_type", AG_STRING, 0, 1, AG_TEXT_MAX, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_matchers_members[] = {
    { "matchers", AG_ARRAY, AG_REQUIRED, 1, 32, ag_rule_matcher },
    { "join_operation", AG_STRING, 0, 1, 16, ag_rule_join },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_matcher_members[] = {
    { "extractor_name", AG_STRING, AG_REQUIRED, 1, 32, NULL },
    { "inverted", AG_BOOL, AG_REQUIRED, 0, 0, NULL },
    { "join_operation", AG_STRING, 0, 1, 16, ag_rule_join },
    { "criteria", AG_ARRAY, 0, 0, 32, ag_rule_criterion },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


static const ag_member_t  ag_criterion_members[] = {
    { "operator", AG_STRING, AG_REQUIRED, 1, 16, ag_rule_operator },
    { "match_literal", AG_ANY, 0, 0, 0, NULL },
    { "match_extractor", AG_STRING, 0, 1, 32, NULL },
    { NULL, AG_ANY, 0, 0, 0, NULL }
};


int
ag_rule_check_host(json_t *host, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(host, ag_host_members, true, path, error);
}


int
ag_rule_check(json_t *rule, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(rule, ag_rule_members, true, path, error);
}


static int
ag_rule_method(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    static const char *const  methods[] = {
        "get", "put", "post", "delete", "head", "options", "connect", "trace",
        "patch", "copy", "lock", "mkcol", "move", "propfind", "proppatch",
        "unlock", "all", NULL
    };

    return ag_rule_word(value, methods, path, "a method in lower case", error);
}


static int
ag_rule_template(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    const char  *template;

    if (ag_shape_check(value, ag_template_members, true, path, error) != AG_OK)
    {
        return AG_MALFORMED;
    }

    template = ag_json_string(value, "template");

    return template[0] == '/'
           ? AG_OK : ag_error_at(error, path, "does not start with \"/\"");
}


static int
ag_rule_query(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_query_members, true, path, error);
}


/* only what the API's model lists: anything else would not be enforced */

static int
ag_rule_match_type(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    static const char *const  types[] = { "exact", "regex", "string", NULL };

    return ag_rule_word(value, types, path, "a match type", error);
}


static int
ag_rule_body(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_body_members, true, path, error);
}


static int
ag_rule_body_json(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_body_json_members, true, path, error);
}


/* RFC 6901: steps that start with "/", "~" only as "~0" and "~1" */

static int
ag_rule_pointer(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    const char  *p;

    p = json_string_value(value);

    if (*p != '/') {
        return ag_error_at(error, path, "is not a JSON pointer");
    }

    for (p = strchr(p, '~'); p; p = strchr(p + 1, '~')) {
        if (p[1] != '0' && p[1] != '1') {
            return ag_error_at(error, path, "is not a JSON pointer");
        }
    }

    return AG_OK;
}


static int
ag_rule_resource(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_resource_members, true, path, error);
}


static int
ag_rule_matchers(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_matchers_members, true, path, error);
}


static int
ag_rule_matcher(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_matcher_members, true, path, error);
}


static int
ag_rule_criterion(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    return ag_shape_check(value, ag_criterion_members, true, path, error);
}


static int
ag_rule_join(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    static const char *const  joins[] = { "and", "or", NULL };

    return ag_rule_word(value, joins, path, "\"and\" or \"or\"", error);
}


static int
ag_rule_operator(json_t *value, const ag_path_t *path, ag_error_t *error)
{
    static const char *const  operators[] = {
        "equals", "not_equals", "greater_than", "less_than", "in", "not_in",
        "undefined", NULL
    };

    return ag_rule_word(value, operators, path, "an operator", error);
}


static int
ag_rule_word(json_t *value, const char *const *words, const ag_path_t *path,
    const char *what, ag_error_t *error)
{
    for ( /* void */ ; *words; words++) {
        if (strcmp(json_string_value(value), *words) == 0) {
            return AG_OK;
        }
    }

    return ag_error_at(error, path, "is not %s", what);
}


bool
ag_rule_covers(const json_t *permitted, const json_t *rule)
{
    static const char *const  fewer[] = { "paths", "template_paths" };

    size_t  i;

    if (!ag_rule_methods_cover(permitted, rule)
        || !ag_rule_body_covers(permitted, rule)
        || !ag_rule_subset(ag_json_get(rule, "query_parameters"),
                           ag_json_get(permitted, "query_parameters"))
        || !ag_rule_equal(ag_json_get(permitted, "matchers"),
                          ag_json_get(rule, "matchers")))
    {
        return false;
    }

    if (ag_json_bool(permitted, "separate_query", false)
        != ag_json_bool(rule, "separate_query", false))
    {
        return false;
    }

    /*
     * Which of paths and templates decides where a rule has both is left to
     * the reader of the rule: neither may come or go.
     */

    for (i = 0; i < 2; i++) {
        if (!ag_rule_subset(ag_json_get(permitted, fewer[i]),
                            ag_json_get(rule, fewer[i]))
            || (json_array_size(ag_json_get(permitted, fewer[i])) > 0)
               != (json_array_size(ag_json_get(rule, fewer[i])) > 0))
        {
            return false;
        }
    }

    return true;
}


static bool
ag_rule_methods_cover(const json_t *permitted, const json_t *rule)
{
    json_t  *all, *some;

    all = ag_json_get(permitted, "methods");
    some = ag_json_get(rule, "methods");

    if (json_array_size(some) == 0) {
        return json_array_size(all) == 0;
    }

    return ag_json_has(all, "all") || ag_rule_subset(all, some);
}


static bool
ag_rule_body_covers(const json_t *permitted, const json_t *rule)
{
    return ag_rule_subset(ag_json_get(ag_json_get(rule, "body"), "json"),
                          ag_json_get(ag_json_get(permitted, "body"), "json"));
}


/* whether each item of some is in all; NULL is an empty array */

static bool
ag_rule_subset(const json_t *all, const json_t *some)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(some, i, item) {
        if (!ag_rule_has(all, item)) {
            return false;
        }
    }

    return true;
}


static bool
ag_rule_has(const json_t *array, const json_t *value)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(array, i, item) {
        if (json_equal(item, value)) {
            return true;
        }
    }

    return false;
}


static bool
ag_rule_equal(const json_t *a, const json_t *b)
{
    return (a == NULL && b == NULL) || (a && b && json_equal(a, b));
}
