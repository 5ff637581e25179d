/*
 * From roles to host rules.
 */

#include "hosts.h"
#include "rule.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>


/* the values of the placeholders; NULL where a value is not known */

typedef struct {
    const char  *sub;
    const char  *org;
    const char  *email;
} ag_values_t;


static int ag_hosts_app(json_t *hosts, const ag_app_t *app,
    const ag_instance_t *instance, const json_t *roles,
    const ag_values_t *values);
static int ag_hosts_role(json_t *rules, const json_t *role,
    const ag_values_t *values);
static int ag_hosts_fill_rule(json_t *rule, const ag_values_t *values);
static int ag_hosts_fill_list(json_t *list, const ag_values_t *values);
static int ag_hosts_fill(ag_text_t *text, const char *template,
    const ag_values_t *values);
static json_t *ag_hosts_narrow_host(const json_t *permitted, json_t *host,
    bool *whole);
static bool ag_hosts_rule_permitted(const json_t *permitted, const char *name,
    const json_t *rule);
static json_t *ag_hosts_all_rules(const json_t *permitted, const char *name);


json_t *
ag_hosts_render(const ag_directory_t *directory, const ag_subject_t *subject,
    const ag_org_t *org, const json_t *roles)
{
    json_t               *hosts, *list;
    const char           *id;
    ag_values_t           values;
    const ag_app_t       *app;
    const ag_instance_t  *instance;

    hosts = json_array();
    if (hosts == NULL) {
        return NULL;
    }

    values.sub = subject ? subject->id : NULL;
    values.email = subject ? subject->email : NULL;
    values.org = org->id;

    json_object_foreach((json_t *) (uintptr_t) roles, id, list) {
        app = ag_directory_app(directory, id);
        instance = app ? ag_app_instance(app, org) : NULL;

        if (instance
            && ag_hosts_app(hosts, app, instance, list, &values) != AG_OK)
        {
            json_decref(hosts);
            return NULL;
        }
    }

    return hosts;
}


static int
ag_hosts_app(json_t *hosts, const ag_app_t *app, const ag_instance_t *instance,
    const json_t *roles, const ag_values_t *values)
{
    size_t   i;
    json_t  *rules, *role, *name, *host;

    rules = json_array();

    json_array_foreach(roles, i, role) {
        role = json_object_get(app->roles, json_string_value(role));

        if (rules == NULL || ag_hosts_role(rules, role, values) != AG_OK) {
            json_decref(rules);
            return AG_ERROR;
        }
    }

    json_array_foreach(instance->hosts, i, name) {
        host = json_pack("{s:O, s:s, s:s, s:O}", "upstream_host", name,
                         "app_id", app->id, "admin_org_id", app->org->id,
                         "allowed_list", rules);

        if (json_array_append_new(hosts, host) != 0) {
            json_decref(rules);
            return AG_ERROR;
        }
    }

    json_decref(rules);

    return AG_OK;
}


static int
ag_hosts_role(json_t *rules, const json_t *role, const ag_values_t *values)
{
    int      rc;
    size_t   i;
    json_t  *rule, *copy;

    json_array_foreach(role, i, rule) {
        copy = json_deep_copy(rule);
        if (copy == NULL) {
            return AG_ERROR;
        }

        rc = ag_hosts_fill_rule(copy, values);

        if (rc == AG_OK && json_array_append(rules, copy) != 0) {
            rc = AG_ERROR;
        }

        json_decref(copy);

        /* a rule that cannot be filled in allows nothing */

        if (rc == AG_ERROR) {
            return AG_ERROR;
        }
    }

    return AG_OK;
}


static int
ag_hosts_fill_rule(json_t *rule, const ag_values_t *values)
{
    int  rc;

    rc = ag_hosts_fill_list(ag_json_get(rule, "query_parameters"), values);

    if (rc == AG_OK) {
        rc = ag_hosts_fill_list(ag_json_get(ag_json_get(rule, "body"), "json"),
                                values);
    }

    return rc;
}


static int
ag_hosts_fill_list(json_t *list, const ag_values_t *values)
{
    int          rc;
    size_t       i;
    json_t      *item;
    ag_text_t    text;
    const char  *template;

    json_array_foreach(list, i, item) {
        template = ag_json_string(item, "exact_match");

        if (template == NULL || strstr(template, "{{") == NULL) {
            continue;
        }

        memset(&text, 0, sizeof(ag_text_t));

        rc = ag_hosts_fill(&text, template, values);

        if (rc == AG_OK
            && (text.failed
                || json_object_set_new(item, "exact_match",
                                       json_string(text.data))
                   != 0))
        {
            rc = AG_ERROR;
        }

        ag_text_free(&text);

        if (rc != AG_OK) {
            return rc;
        }
    }

    return AG_OK;
}


static int
ag_hosts_fill(ag_text_t *text, const char *template, const ag_values_t *values)
{
    size_t       i;
    const char  *p, *value;

    const struct {
        const char  *name;
        const char  *value;
    } table[] = {
        { "{{sub}}", values->sub },
        { "{{org}}", values->org },
        { "{{email}}", values->email },
        { "{{", NULL }
    };

    for (p = strstr(template, "{{"); p; p = strstr(template, "{{")) {
        for (i = 0; strncmp(p, table[i].name, strlen(table[i].name)); i++) {
            /* void */
        }

        value = table[i].value;
        if (value == NULL) {
            return AG_DECLINED;
        }

        ag_text_bytes(text, template, (size_t) (p - template));
        ag_text_raw(text, value);

        template = p + strlen(table[i].name);
    }

    ag_text_raw(text, template);

    return AG_OK;
}


bool
ag_hosts_placeholders(const json_t *rule)
{
    int                       rc;
    json_t                   *copy;
    static const ag_values_t  any = { "-", "-", "-" };

    copy = json_deep_copy(rule);
    rc = copy ? ag_hosts_fill_rule(copy, &any) : AG_ERROR;

    json_decref(copy);

    return rc == AG_OK;
}


json_t *
ag_hosts_narrow(const json_t *permitted, const json_t *requested, bool *whole)
{
    size_t   i;
    json_t  *hosts, *host, *kept;

    *whole = true;

    hosts = json_array();

    json_array_foreach(requested, i, host) {
        kept = ag_hosts_narrow_host(permitted, host, whole);

        /* appending NULL fails */

        if (hosts == NULL || json_array_append_new(hosts, kept) != 0) {
            json_decref(hosts);
            return NULL;
        }
    }

    return hosts;
}


static json_t *
ag_hosts_narrow_host(const json_t *permitted, json_t *host, bool *whole)
{
    size_t       i;
    json_t      *copy, *rules, *kept, *rule;
    const char  *name;

    name = ag_json_string(host, "upstream_host");
    rules = ag_json_get(host, "allowed_list");

    if (rules == NULL) {
        kept = ag_hosts_all_rules(permitted, name);
        *whole &= json_array_size(kept) > 0;

    } else {
        kept = json_array();

        json_array_foreach(rules, i, rule) {
            if (!ag_hosts_rule_permitted(permitted, name, rule)) {
                *whole = false;

            } else if (json_array_append(kept, rule) != 0) {
                json_decref(kept);
                return NULL;
            }
        }
    }

    copy = json_copy(host);

    if (json_object_set_new(copy, "allowed_list", kept) != 0) {
        json_decref(copy);
        return NULL;
    }

    return copy;
}


static bool
ag_hosts_rule_permitted(const json_t *permitted, const char *name,
    const json_t *rule)
{
    size_t   i, n;
    json_t  *host, *item;

    json_array_foreach(permitted, i, host) {
        if (strcmp(ag_json_string(host, "upstream_host"), name) != 0) {
            continue;
        }

        json_array_foreach(ag_json_get(host, "allowed_list"), n, item) {
            if (ag_rule_covers(item, rule)) {
                return true;
            }
        }
    }

    return false;
}


static json_t *
ag_hosts_all_rules(const json_t *permitted, const char *name)
{
    size_t   i;
    json_t  *rules, *host;

    rules = json_array();

    json_array_foreach(permitted, i, host) {
        if (strcmp(ag_json_string(host, "upstream_host"), name) == 0
            && json_array_extend(rules, ag_json_get(host, "allowed_list")) != 0)
        {
            json_decref(rules);
            return NULL;
        }
    }

    return rules;
}
