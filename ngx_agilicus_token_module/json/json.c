
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/bearer.h"
#include "json/hosts.h"
#include "json/internal.h"
#include "token/time.h"


typedef struct {
    const char   *name;
    size_t        offset;
} ngx_agt_json_string_t;


static ngx_uint_t ngx_agt_json_says(const u_char *p, const char *text);
static ngx_int_t ngx_agt_json_rules(json_t *root, u_char *buf,
    size_t size, ngx_agt_json_token_t *token);
static ngx_int_t ngx_agt_json_limits(const u_char *p, size_t len,
    size_t max, ngx_uint_t max_values);
static ngx_int_t ngx_agt_json_facts(json_t *root, int64_t now,
    ngx_agt_facts_t *facts, ngx_agt_json_token_t *token);
static ngx_agt_reason_e ngx_agt_json_unusable(json_t *root);
static ngx_int_t ngx_agt_json_dates(json_t *root, ngx_agt_facts_t *facts);
static ngx_int_t ngx_agt_json_strings(json_t *root, ngx_agt_facts_t *facts);
static size_t ngx_agt_json_pack(json_t *root,
    const ngx_agt_facts_t *facts, u_char *buf, size_t size);
static void ngx_agt_json_add_array(
    ngx_agt_facts_builder_t *b, const ngx_str_t *name,
    json_t *array);
static void ngx_agt_json_add_roles(ngx_agt_facts_builder_t *b, json_t *roles);
static ngx_uint_t ngx_agt_json_is_strings(json_t *value);


/* members that hold a string, and where it goes */

static const ngx_agt_json_string_t
    ngx_agt_json_members[] = {
    { "sub", offsetof(ngx_agt_facts_t, sub) },
    { "sub_email", offsetof(ngx_agt_facts_t, email) },
    { "org", offsetof(ngx_agt_facts_t, org) },
    { "root_org", offsetof(ngx_agt_facts_t, root_org) },
    { "jti", offsetof(ngx_agt_facts_t, jti) },
    { "session", offsetof(ngx_agt_facts_t, session) },
    { NULL, 0 }
};


void
ngx_agt_json_init(void)
{
    json_object_seed(0);
}


ngx_agt_json_type_e
ngx_agt_json_type(const ngx_str_t *type)
{
    u_char     *end;
    ngx_str_t   name;

    if (type->len == 0) {
        return NGX_AGT_JSON_TYPE_NONE;
    }

    name = *type;
    end = memchr(name.data, ';', name.len);

    if (end) {
        name.len = (size_t) (end - name.data);
    }

    ngx_agt_bearer_strip(&name);

    if (name.len == sizeof("application/json") - 1
        && ngx_agt_json_says(name.data, "application/json"))
    {
        return NGX_AGT_JSON_TYPE_JSON;
    }

    end = name.data + name.len;

    if (name.len > sizeof("application/+json") - 1
        && ngx_agt_json_says(name.data, "application/")
        && ngx_agt_json_says(end - (sizeof("+json") - 1), "+json"))
    {
        return NGX_AGT_JSON_TYPE_SUFFIX;
    }

    return NGX_AGT_JSON_TYPE_OTHER;
}


/* there are enough bytes; the text is in lower case */

static ngx_uint_t
ngx_agt_json_says(const u_char *p, const char *text)
{
    for ( /* void */ ; *text; p++, text++) {
        if (ngx_tolower(*p) != (u_char) *text) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_agt_json_is_object(const u_char *body, size_t len)
{
    json_t  *root;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return 0;
    }

    json_decref(root);

    return 1;
}


size_t
ngx_agt_json_introspect_len(size_t len)
{
    return sizeof("{\"token\":\"\",\"introspect_options\":{"
                  "\"exclude_roles\":false,"
                  "\"support_http_matchers\":false,"
                  "\"no_cache\":false}}") - 1
           + len * (sizeof("\\u0000") - 1);
}


size_t
ngx_agt_json_introspect(u_char *buf, const ngx_str_t *token,
    const ngx_agt_json_options_t *options)
{
    u_char  *p;

    p = ngx_agt_json_copy(buf, "{\"token\":\"");
    p = ngx_agt_json_escape(p, token);

    p = ngx_agt_json_copy(p, "\",\"introspect_options\":{"
                                        "\"exclude_roles\":");
    p = ngx_agt_json_copy(p, options->exclude_roles ? "true" : "false");

    p = ngx_agt_json_copy(p, ",\"support_http_matchers\":");
    p = ngx_agt_json_copy(p, options->support_http_matchers
                                        ? "true" : "false");

    p = ngx_agt_json_copy(p, ",\"no_cache\":");
    p = ngx_agt_json_copy(p, options->no_cache ? "true" : "false");

    p = ngx_agt_json_copy(p, "}}");

    return (size_t) (p - buf);
}


ngx_int_t
ngx_agt_json_token(const u_char *body, size_t len, int64_t now,
    u_char *buf, size_t size, ngx_agt_json_token_t *token)
{
    json_t          *root;
    ngx_int_t        rc;
    ngx_agt_facts_t  facts;

    ngx_memzero(token, sizeof(ngx_agt_json_token_t));

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_facts(root, now, &facts, token);

    if (rc == NGX_OK) {
        rc = ngx_agt_json_rules(root, buf, size, token);
    }

    if (rc == NGX_OK) {
        facts.has_rules = (token->rules.len != 0);

        token->facts.data = buf + token->rules.len;
        token->facts.len = ngx_agt_json_pack(root, &facts, token->facts.data,
                                                     size - token->rules.len);
        if (token->facts.len == 0) {
            token->rules.len = 0;
            rc = NGX_ERROR;
        }
    }

    json_decref(root);

    return rc;
}


json_t *
ngx_agt_json_load(const u_char *body, size_t len, size_t max,
    ngx_uint_t max_values)
{
    json_t  *root;

    root = ngx_agt_json_load_any(body, len, max, max_values);

    if (root && !json_is_object(root)) {
        json_decref(root);
        return NULL;
    }

    return root;
}


json_t *
ngx_agt_json_load_any(const u_char *body, size_t len, size_t max,
    ngx_uint_t max_values)
{
    if (ngx_agt_json_limits(body, len, max, max_values) != NGX_OK) {
        return NULL;
    }

    return json_loadb((const char *) body, len, JSON_REJECT_DUPLICATES, NULL);
}


/* a buffer that is too small for the rules is an error: they are never cut */

static ngx_int_t
ngx_agt_json_rules(json_t *root, u_char *buf, size_t size,
    ngx_agt_json_token_t *token)
{
    size_t                     len;
    ngx_agt_ruleset_builder_t  b;

    ngx_agt_ruleset_begin(&b, buf, size);

    ngx_agt_json_hosts(ngx_agt_json_get(root, "hosts"), &b);

    len = ngx_agt_ruleset_end(&b);

    token->dropped = b.dropped;

    if (b.rules == 0) {
        return NGX_OK;
    }

    if (len == 0) {
        return NGX_ERROR;
    }

    token->rules.data = buf;
    token->rules.len = len;

    return NGX_OK;
}


/*
 * Looks for bytes that have no place in JSON (RFC 8259, sections 2 and 7), and
 * counts what jansson would build: a value for the document, one for what an
 * array or object begins with unless it is empty, and one after each comma.
 * What is no JSON may be counted wrongly, and fails later.
 */

static ngx_int_t
ngx_agt_json_limits(const u_char *p, size_t len, size_t max,
    ngx_uint_t max_values)
{
    u_char         last;
    ngx_uint_t     depth, values;
    const u_char  *end;

    if (len == 0 || len > max) {
        return NGX_ERROR;
    }

    last = 0;
    depth = 0;
    values = 1;

    for (end = p + len; p < end; p++) {

        switch (*p) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            continue;

        case '"':
            for (p++; p < end && *p != '"'; p++) {
                if (*p == '\\' && ++p == end) {
                    break;
                }

                if (*p < 0x20) {
                    return NGX_ERROR;
                }
            }

            last = '"';
            continue;

        case '[':
        case '{':
            if (++depth > NGX_AGT_JSON_MAX_DEPTH) {
                return NGX_ERROR;
            }

            values++;
            break;

        case ']':
        case '}':
            if (depth-- == 0) {
                return NGX_ERROR;
            }

            if (last == '[' || last == '{') {
                values--;
            }

            break;

        case ',':
            values++;
            break;

        default:

            /* jansson takes a NUL behind a number or a word for a space */

            if (*p < 0x20) {
                return NGX_ERROR;
            }

            break;
        }

        last = *p;
    }

    if (values > max_values) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_json_facts(json_t *root, int64_t now,
    ngx_agt_facts_t *facts, ngx_agt_json_token_t *token)
{
    json_t  *value;

    ngx_memzero(facts, sizeof(ngx_agt_facts_t));

    token->member = ngx_agt_json_says_no(root, now, facts);

    if (token->member) {
        token->reason = NGX_AGT_REASON_SAYS_NO;
        return NGX_DECLINED;
    }

    token->reason = ngx_agt_json_unusable(root);

    if (token->reason != NGX_AGT_REASON_NONE) {
        return NGX_DECLINED;
    }

    if (ngx_agt_json_dates(root, facts) != NGX_OK) {
        token->reason = NGX_AGT_REASON_DATE;
        return NGX_DECLINED;
    }

    value = ngx_agt_json_get(root, "masquerading");
    facts->masquerading = (value != NULL && !json_is_false(value));

    value = ngx_agt_json_get(root, "scopes");
    facts->odd_scopes = (value != NULL && !ngx_agt_json_is_strings(value));

    return ngx_agt_json_strings(root, facts);
}


static ngx_agt_reason_e
ngx_agt_json_unusable(json_t *root)
{
    if (ngx_agt_json_get(root, "refresh_token_jti") != NULL) {
        return NGX_AGT_REASON_REFRESH_TOKEN;
    }

    if (ngx_agt_json_get(root, "cnf") != NULL) {
        return NGX_AGT_REASON_BOUND_TOKEN;
    }

    return NGX_AGT_REASON_NONE;
}


static ngx_int_t
ngx_agt_json_dates(json_t *root, ngx_agt_facts_t *facts)
{
    json_t     *validity;
    int64_t     start;
    ngx_int_t   rc;

    rc = ngx_agt_json_date(root, "exp", &facts->exp);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    facts->has_exp = (rc == NGX_OK);

    rc = ngx_agt_json_date(root, "nbf", &facts->nbf);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    facts->has_nbf = (rc == NGX_OK);

    rc = ngx_agt_json_date(root, "iat", &facts->iat);

    facts->has_iat = (rc == NGX_OK);

    validity = ngx_agt_json_get(root, "token_validity");

    if (validity == NULL) {
        return NGX_OK;
    }

    if (!json_is_object(validity)) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_date(validity, "start", &start);

    if (rc == NGX_OK && (!facts->has_nbf || start > facts->nbf)) {
        facts->has_nbf = 1;
        facts->nbf = start;
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: not there; NGX_ERROR: there, and not a date */

ngx_int_t
ngx_agt_json_date(json_t *object, const char *name, int64_t *sec)
{
    json_t     *value;
    ngx_str_t   text;

    value = ngx_agt_json_get(object, name);

    if (value == NULL) {
        return NGX_DECLINED;
    }

    if (json_is_integer(value)) {
        *sec = json_integer_value(value);
        return NGX_OK;
    }

    if (json_is_real(value)) {
        return ngx_agt_time_real(json_real_value(value), sec);
    }

    if (json_is_string(value)) {
        ngx_agt_json_text(value, &text);
        return ngx_agt_time_parse(text.data, text.len, sec);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_agt_json_strings(json_t *root, ngx_agt_facts_t *facts)
{
    json_t                       *value;
    ngx_str_t                    *text;
    const ngx_agt_json_string_t  *s;

    for (s = ngx_agt_json_members; s->name; s++) {
        value = ngx_agt_json_get(root, s->name);

        if (value == NULL) {
            continue;
        }

        if (!json_is_string(value)) {
            return NGX_ERROR;
        }

        text = (ngx_str_t *) ((u_char *) facts + s->offset);

        ngx_agt_json_text(value, text);
    }

    return (facts->sub.len == 0) ? NGX_ERROR : NGX_OK;
}


/* the strings of "facts" still belong to "root" */

static size_t
ngx_agt_json_pack(json_t *root,
    const ngx_agt_facts_t *facts, u_char *buf, size_t size)
{
    json_t                  *value;
    ngx_str_t                text;
    ngx_agt_facts_builder_t  b;

    ngx_agt_facts_begin(&b, buf, size, facts);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_AUD);

    value = ngx_agt_json_get(root, "aud");

    if (json_is_string(value)) {
        ngx_agt_json_text(value, &text);
        ngx_agt_facts_add(&b, &text);

    } else if (ngx_agt_json_is_strings(value)) {
        ngx_agt_json_add_array(&b, NULL, value);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_SCOPES);

    value = ngx_agt_json_get(root, "scopes");

    if (ngx_agt_json_is_strings(value)) {
        ngx_agt_json_add_array(&b, NULL, value);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_ROLES);

    ngx_agt_json_add_roles(&b, ngx_agt_json_get(root, "roles"));

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_CLAIMS);

    ngx_agt_json_add_claims(&b, root);

    return ngx_agt_facts_end(&b);
}


/* with a name, each string goes in as a pair with it */

static void
ngx_agt_json_add_array(ngx_agt_facts_builder_t *b,
    const ngx_str_t *name, json_t *array)
{
    size_t      i;
    json_t     *value;
    ngx_str_t   text;

    json_array_foreach(array, i, value) {

        if (name) {
            ngx_agt_facts_add(b, name);
        }

        ngx_agt_json_text(value, &text);
        ngx_agt_facts_add(b, &text);
    }
}


static void
ngx_agt_json_add_roles(ngx_agt_facts_builder_t *b, json_t *roles)
{
    json_t      *value;
    ngx_str_t    app, role;
    const char  *key;

    if (!json_is_object(roles)) {
        return;
    }

    json_object_foreach(roles, key, value) {
        if (!json_is_string(value) && !ngx_agt_json_is_strings(value))
        {
            return;
        }
    }

    json_object_foreach(roles, key, value) {
        app.data = (u_char *) key;
        app.len = ngx_strlen(key);

        if (json_is_string(value)) {
            ngx_agt_json_text(value, &role);

            ngx_agt_facts_add(b, &app);
            ngx_agt_facts_add(b, &role);

        } else {
            ngx_agt_json_add_array(b, &app, value);
        }
    }
}


/* "null" is as good as nothing */

json_t *
ngx_agt_json_get(json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}


static ngx_uint_t
ngx_agt_json_is_strings(json_t *value)
{
    size_t   i;
    json_t  *item;

    if (!json_is_array(value)) {
        return 0;
    }

    json_array_foreach(value, i, item) {
        if (!json_is_string(item)) {
            return 0;
        }
    }

    return 1;
}


void
ngx_agt_json_text(json_t *string, ngx_str_t *text)
{
    text->data = (u_char *) json_string_value(string);
    text->len = json_string_length(string);
}


u_char *
ngx_agt_json_copy(u_char *p, const char *text)
{
    return ngx_cpymem(p, text, ngx_strlen(text));
}


u_char *
ngx_agt_json_escape(u_char *p, const ngx_str_t *text)
{
    size_t  i;
    u_char  c;

    static const u_char  hex[] = "0123456789abcdef";

    /* most of what is sent is a token, in which nothing needs it */

    if (ngx_agt_bearer_is_token68(text)) {
        return ngx_cpymem(p, text->data, text->len);
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = c;
            continue;
        }

        if (c >= 0x20 && c != 0x7f) {
            *p++ = c;
            continue;
        }

        p = ngx_agt_json_copy(p, "\\u00");
        *p++ = hex[c >> 4];
        *p++ = hex[c & 0xf];
    }

    return p;
}
