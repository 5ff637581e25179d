
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#define PCRE2_CODE_UNIT_WIDTH  8

#include <jansson.h>
#include <pcre2.h>

#include "fuzz.h"

#include "json/token.h"
#include "json/document.h"
#include "rules/path.h"
#include "rules/rules.h"


/*
 * The input is a method, a target, a body and "allowed_list", each but the last
 * ended by a line; "S" before the method searches.  Where the request is
 * allowed, a plain reading of the rules must find one that allows it.  It knows
 * methods, paths and that names must be documented; unit/rules_model.py knows
 * it all.
 */

#define SIZE  (4 * NGX_AGT_JSON_MAX_BODY)


typedef struct {
    ngx_str_t      method;
    ngx_str_t      path;
    ngx_str_t      query;
    ngx_uint_t     has_query;
    ngx_uint_t     search;
} fuzz_request_t;


static ngx_int_t fuzz_decide(fuzz_request_t *r, ngx_str_t *packed,
    ngx_str_t *body);
static int fuzz_allows(json_t *rule, fuzz_request_t *r);
static int fuzz_method(json_t *methods, ngx_str_t *method);
static int fuzz_path(json_t *paths, fuzz_request_t *r, int separate);
static int fuzz_known(json_t *object, const char *names);
static const u_char *fuzz_line(ngx_str_t *s, const u_char *p,
    const u_char *end);


void
fuzz_target(const uint8_t *data, size_t size)
{
    char                 *text;
    int                   len, found;
    u_char               *path;
    json_t               *root, *list, *rule;
    size_t                i;
    ngx_str_t             target, body;
    const u_char         *p, *end;
    fuzz_request_t        r;
    ngx_agt_json_token_t  token;

    static u_char  buf[SIZE];

    if (size == 0) {
        return;
    }

    ngx_memzero(&r, sizeof(r));

    end = data + size;

    p = fuzz_line(&r.method, data, end);
    p = fuzz_line(&target, p, end);
    p = fuzz_line(&body, p, end);

    if (r.method.len && r.method.data[0] == 'S') {
        r.search = 1;
        r.method.data++;
        r.method.len--;
    }

    fuzz_line(&r.query, target.data, target.data + target.len);

    for (i = 0; i < target.len; i++) {
        if (target.data[i] == '?') {
            r.has_query = 1;
            break;
        }
    }

    r.query.data = target.data + i + r.has_query;
    r.query.len = target.len - i - r.has_query;
    target.len = i;

    text = malloc((size_t) (end - p) + 128);
    len = sprintf(text, "{\"sub\":\"x\",\"hosts\":[{\"upstream_host\":\"a\","
                        "\"allowed_list\":%.*s}]}", (int) (end - p), p);

    path = malloc(target.len + 1);

    if (ngx_agt_path_decode(&target, path, &r.path) == NGX_OK
        && ngx_agt_json_token((u_char *) text, (size_t) len, 0, buf,
                              SIZE, &token) == NGX_OK
        && fuzz_decide(&r, &token.rules, &body) == NGX_OK)
    {
        fuzz_accepted++;

        root = json_loadb(text, (size_t) len, 0, NULL);
        list = json_object_get(json_array_get(json_object_get(root, "hosts"),
                                              0), "allowed_list");
        found = 0;

        json_array_foreach(list, i, rule) {
            found |= fuzz_allows(rule, &r);
        }

        fuzz_check(found);

        json_decref(root);
    }

    free(path);
    free(text);
}


static const u_char *
fuzz_line(ngx_str_t *s, const u_char *p, const u_char *end)
{
    s->data = (u_char *) p;

    while (p < end && *p != '\n') {
        p++;
    }

    s->len = (size_t) (p - s->data);

    return (p < end) ? p + 1 : p;
}


static ngx_int_t
fuzz_decide(fuzz_request_t *r, ngx_str_t *packed, ngx_str_t *body)
{
    ngx_int_t                 rc;
    ngx_agt_reason_e          reason;
    ngx_agt_rules_view_t      view;
    ngx_agt_json_document_t  *document;

    static ngx_agt_rules_t  *rules;

    if (rules == NULL) {
        rules = ngx_agt_rules_create(64);
        fuzz_check(rules != NULL);
    }

    ngx_memzero(&view, sizeof(view));

    ngx_str_set(&view.host, "A.:80");
    view.method = r->method;
    view.path = r->path;
    view.query = r->query;
    view.has_query = (r->has_query != 0);
    view.search = (r->search != 0);

    rc = ngx_agt_rules_decide(rules, packed, &view, &reason);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    document = ngx_agt_json_document(body->data, body->len);

    view.state = document ? NGX_AGT_RULES_GIVEN : NGX_AGT_RULES_ABSENT;
    view.body = document;
    view.pointer = ngx_agt_json_pointer;

    rc = ngx_agt_rules_decide(rules, packed, &view, &reason);

    fuzz_check(rc == NGX_OK || rc == NGX_DECLINED);

    ngx_agt_json_release(&document);

    return rc;
}


static int
fuzz_allows(json_t *rule, fuzz_request_t *r)
{
    size_t   i;
    json_t  *paths, *templates, *item;

    if (!fuzz_known(rule, " methods paths template_paths query_parameters "
                          "body resource_info matchers separate_query ")
        || !fuzz_method(json_object_get(rule, "methods"), &r->method))
    {
        return 0;
    }

    json_array_foreach(json_object_get(rule, "query_parameters"), i, item) {
        if (!fuzz_known(item, " name exact_match match_type ")
            || r->query.len == 0)
        {
            return 0;
        }
    }

    json_array_foreach(json_object_get(rule, "template_paths"), i, item) {
        if (!fuzz_known(item, " template prefix ")) {
            return 0;
        }
    }

    paths = json_object_get(rule, "paths");
    templates = json_object_get(rule, "template_paths");

    if (paths == NULL || json_is_null(paths)) {
        return json_array_size(templates) > 0;
    }

    return fuzz_path(paths, r,
                     json_is_true(json_object_get(rule, "separate_query")));
}


static int
fuzz_known(json_t *object, const char *names)
{
    char         name[64];
    json_t      *value;
    const char  *key;

    if (!json_is_object(object)) {
        return 0;
    }

    json_object_foreach(object, key, value) {
        if (strlen(key) > 32 || strchr(key, ' ')) {
            return 0;
        }

        (void) sprintf(name, " %s ", key);

        if (strstr(names, name) == NULL) {
            return 0;
        }
    }

    return 1;
}


static int
fuzz_method(json_t *methods, ngx_str_t *method)
{
    size_t       i, n;
    json_t      *item;
    const char  *name;

    json_array_foreach(methods, i, item) {
        name = json_string_value(item);

        if (name && strcmp(name, "all") == 0) {
            return 1;
        }

        if (name == NULL || strlen(name) != method->len) {
            continue;
        }

        for (n = 0; n < method->len; n++) {
            if (name[n] != ngx_tolower(method->data[n])
                || name[n] == method->data[n])
            {
                break;
            }
        }

        if (n == method->len) {
            return 1;
        }
    }

    return 0;
}


static int
fuzz_path(json_t *paths, fuzz_request_t *r, int separate)
{
    int                rc, error;
    char              *subject;
    json_t            *item;
    size_t             i, len, offset;
    pcre2_code        *code;
    pcre2_match_data  *data;

    subject = malloc(r->path.len + r->query.len + 2);
    memcpy(subject, r->path.data, r->path.len);
    len = r->path.len;

    if (r->has_query && !separate) {
        subject[len++] = '?';
        memcpy(subject + len, r->query.data, r->query.len);
        len += r->query.len;
    }

    data = pcre2_match_data_create(1, NULL);
    rc = -1;

    json_array_foreach(paths, i, item) {
        code = pcre2_compile((PCRE2_SPTR) json_string_value(item),
                             json_string_length(item),
                             PCRE2_UTF|PCRE2_DOLLAR_ENDONLY, &error, &offset,
                             NULL);
        if (code == NULL) {
            continue;
        }

        rc = pcre2_match(code, (PCRE2_SPTR) subject, len, 0,
                         r->search ? 0 : PCRE2_ANCHORED|PCRE2_ENDANCHORED,
                         data, NULL);

        pcre2_code_free(code);

        /* the plain reading has limits of its own, which are larger */

        if (rc >= 0 || rc == PCRE2_ERROR_MATCHLIMIT) {
            break;
        }
    }

    pcre2_match_data_free(data);
    free(subject);

    return rc >= 0 || rc == PCRE2_ERROR_MATCHLIMIT;
}
