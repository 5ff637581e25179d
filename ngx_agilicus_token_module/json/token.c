
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/token.h"
#include "json/claims.h"
#include "json/hosts.h"
#include "json/inactive.h"
#include "json/jwt.h"
#include "token/bearer.h"
#include "token/text.h"

#include <openssl/crypto.h>


typedef struct {
    const char   *name;
    size_t        offset;
} ngx_agt_json_string_t;


static ngx_int_t ngx_agt_json_read(json_t *root, int64_t now,
    const ngx_agt_facts_t *bounds, u_char *buf, size_t size,
    ngx_agt_json_token_t *token);
static ngx_int_t ngx_agt_json_raw(json_t *root, u_char *buf, size_t size,
    ngx_str_t *raw);
static void ngx_agt_json_raw_exp(const ngx_str_t *raw,
    ngx_agt_facts_t *bounds);
static void ngx_agt_json_bound(const ngx_agt_facts_t *bounds,
    ngx_agt_facts_t *facts);
static ngx_int_t ngx_agt_json_rules(json_t *root, u_char *buf,
    size_t size, ngx_agt_json_token_t *token);
static ngx_int_t ngx_agt_json_facts(json_t *root, int64_t now,
    ngx_agt_facts_t *facts, ngx_agt_json_token_t *token);
static ngx_int_t ngx_agt_json_dates(json_t *root, ngx_agt_facts_t *facts);
static ngx_int_t ngx_agt_json_strings(json_t *root, ngx_agt_facts_t *facts);
static size_t ngx_agt_json_pack(json_t *root,
    const ngx_agt_facts_t *facts, u_char *buf, size_t size);
static void ngx_agt_json_add(ngx_agt_facts_builder_t *b,
    const ngx_str_t *name, json_t *value);
static void ngx_agt_json_add_roles(ngx_agt_facts_builder_t *b, json_t *roles);
static void ngx_agt_json_add_resources(ngx_agt_facts_builder_t *b,
    json_t *rows, const ngx_agt_facts_t *facts);
static ngx_uint_t ngx_agt_json_is(json_t *object, const char *name,
    const ngx_str_t *text);
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


ngx_int_t
ngx_agt_json_token(const u_char *body, size_t len, int64_t now,
    u_char *buf, size_t size, ngx_agt_json_token_t *token)
{
    json_t     *root;
    ngx_int_t   rc;

    ngx_memzero(token, sizeof(ngx_agt_json_token_t));

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_read(root, now, NULL, buf, size, token);

    json_decref(root);

    return rc;
}


ngx_int_t
ngx_agt_json_api_key(const u_char *body, size_t len, int64_t now,
    u_char *buf, size_t size, ngx_agt_json_token_t *token, ngx_str_t *raw)
{
    json_t           *root, *primary;
    ngx_int_t         rc;
    ngx_agt_facts_t   bounds;

    ngx_memzero(token, sizeof(ngx_agt_json_token_t));
    ngx_str_null(raw);

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_raw(root, buf, size, raw);

    ngx_memzero(&bounds, sizeof(ngx_agt_facts_t));

    token->member = ngx_agt_json_inactive(root, now, &bounds);

    primary = ngx_agt_json_get(root, "primary_token");

    if (token->member) {
        token->reason = NGX_AGT_REASON_SAYS_NO;
        rc = NGX_DECLINED;

    } else if (!json_is_object(primary)) {
        rc = NGX_ERROR;

    } else if (rc == NGX_OK) {
        ngx_agt_json_raw_exp(raw, &bounds);

        rc = ngx_agt_json_read(primary, now, &bounds, buf + raw->len,
                               size - raw->len, token);
    }

    json_decref(root);

    if (rc != NGX_OK && raw->len) {
        OPENSSL_cleanse(raw->data, raw->len);
        ngx_str_null(raw);
    }

    return rc;
}


/* an empty "raw_token" is none */

static ngx_int_t
ngx_agt_json_raw(json_t *root, u_char *buf, size_t size, ngx_str_t *raw)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_agt_json_string(root, "raw_token", &text);

    if (rc == NGX_DECLINED || (rc == NGX_OK && text.len == 0)) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (text.len <= size && text.len <= NGX_AGT_JSON_MAX_RAW
        && ngx_agt_bearer_is_token68(&text))
    {
        ngx_memcpy(buf, text.data, text.len);
        raw->data = buf;
        raw->len = text.len;
        rc = NGX_OK;
    }

    /* jansson's copy is a token too */

    OPENSSL_cleanse(text.data, text.len);

    return rc;
}


/* reads a Token; "bounds" may be NULL, and has ends that may be earlier */

static ngx_int_t
ngx_agt_json_read(json_t *root, int64_t now, const ngx_agt_facts_t *bounds,
    u_char *buf, size_t size, ngx_agt_json_token_t *token)
{
    ngx_int_t        rc;
    ngx_agt_facts_t  facts;

    rc = ngx_agt_json_facts(root, now, &facts, token);

    if (rc == NGX_OK) {
        ngx_agt_json_bound(bounds, &facts);

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

    return rc;
}


/* only the claims must be readable: an expiry can do no harm */

static void
ngx_agt_json_raw_exp(const ngx_str_t *raw, ngx_agt_facts_t *bounds)
{
    ngx_str_t      rest;
    ngx_agt_jwt_t  jwt;

    rest = *raw;

    if (!ngx_agt_text_piece(&rest, '.', &jwt.header)
        || !ngx_agt_text_piece(&rest, '.', &jwt.claims)
        || rest.data == NULL)
    {
        return;
    }

    bounds->has_exp = (ngx_agt_jwt_exp(&jwt, &bounds->exp) == NGX_OK);
}


static void
ngx_agt_json_bound(const ngx_agt_facts_t *bounds, ngx_agt_facts_t *facts)
{
    if (bounds == NULL) {
        return;
    }

    if (bounds->has_exp && (!facts->has_exp || bounds->exp < facts->exp)) {
        facts->has_exp = 1;
        facts->exp = bounds->exp;
    }

    if (bounds->has_end && (!facts->has_end || bounds->end < facts->end)) {
        facts->has_end = 1;
        facts->end = bounds->end;
    }
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


static ngx_int_t
ngx_agt_json_facts(json_t *root, int64_t now,
    ngx_agt_facts_t *facts, ngx_agt_json_token_t *token)
{
    json_t  *value;

    ngx_memzero(facts, sizeof(ngx_agt_facts_t));

    token->member = ngx_agt_json_inactive(root, now, facts);

    if (token->member) {
        token->reason = NGX_AGT_REASON_SAYS_NO;
        return NGX_DECLINED;
    }

    if (ngx_agt_json_get(root, "refresh_token_jti") != NULL) {
        token->reason = NGX_AGT_REASON_REFRESH_TOKEN;
        return NGX_DECLINED;
    }

    if (ngx_agt_json_get(root, "cnf") != NULL) {
        token->reason = NGX_AGT_REASON_BOUND_TOKEN;
        return NGX_DECLINED;
    }

    if (ngx_agt_json_dates(root, facts) != NGX_OK) {
        token->reason = NGX_AGT_REASON_DATE;
        return NGX_DECLINED;
    }

    value = ngx_agt_json_get(root, "masquerading");
    facts->masquerading = (value != NULL && !json_is_false(value));

    value = ngx_agt_json_get(root, "last_mfa_time");

    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        facts->has_mfa = 1;
        facts->mfa = json_integer_value(value);
    }

    value = ngx_agt_json_get(root, "scopes");
    facts->odd_scopes = (value != NULL && !ngx_agt_json_is_strings(value));

    return ngx_agt_json_strings(root, facts);
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


static ngx_int_t
ngx_agt_json_strings(json_t *root, ngx_agt_facts_t *facts)
{
    ngx_str_t                    *text;
    const ngx_agt_json_string_t  *s;

    for (s = ngx_agt_json_members; s->name; s++) {
        text = (ngx_str_t *) ((u_char *) facts + s->offset);

        if (ngx_agt_json_string(root, s->name, text) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return (facts->sub.len == 0) ? NGX_ERROR : NGX_OK;
}


/* the strings of "facts" still belong to "root" */

static size_t
ngx_agt_json_pack(json_t *root,
    const ngx_agt_facts_t *facts, u_char *buf, size_t size)
{
    json_t                  *value;
    ngx_agt_facts_builder_t  b;

    ngx_agt_facts_begin(&b, buf, size, facts);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_AUD);

    value = ngx_agt_json_get(root, "aud");

    if (json_is_string(value) || ngx_agt_json_is_strings(value)) {
        ngx_agt_json_add(&b, NULL, value);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_SCOPES);

    value = ngx_agt_json_get(root, "scopes");

    if (ngx_agt_json_is_strings(value)) {
        ngx_agt_json_add(&b, NULL, value);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_ROLES);

    ngx_agt_json_add_roles(&b, ngx_agt_json_get(root, "roles"));

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_RESOURCES);

    ngx_agt_json_add_resources(&b,
                               ngx_agt_json_get(root, "resource_permissions"),
                               facts);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_CLAIMS);

    ngx_agt_json_claims(&b, root);

    return ngx_agt_facts_end(&b);
}


/* a string, or an array of them; with a name, each goes in as a pair with it */

static void
ngx_agt_json_add(ngx_agt_facts_builder_t *b,
    const ngx_str_t *name, json_t *value)
{
    size_t      i;
    json_t     *item;
    ngx_str_t   text;

    json_array_foreach(value, i, item) {
        ngx_agt_json_add(b, name, item);
    }

    if (!json_is_string(value)) {
        return;
    }

    if (name) {
        ngx_agt_facts_add(b, name);
    }

    ngx_agt_json_text(value, &text);
    ngx_agt_facts_add(b, &text);
}


static void
ngx_agt_json_add_roles(ngx_agt_facts_builder_t *b, json_t *roles)
{
    json_t      *value;
    ngx_str_t    app;
    const char  *key;

    if (!json_is_object(roles)) {
        return;
    }

    json_object_foreach(roles, key, value) {
        if (!json_is_string(value) && !ngx_agt_json_is_strings(value)) {
            return;
        }
    }

    json_object_foreach(roles, key, value) {
        app.data = (u_char *) key;
        app.len = ngx_strlen(key);

        ngx_agt_json_add(b, &app, value);
    }
}


/*
 * A row says that a user who has signed in to an organisation has a role on a
 * resource.  It counts for the user and the organisation of the token.
 */

static void
ngx_agt_json_add_resources(ngx_agt_facts_builder_t *b,
    json_t *rows, const ngx_agt_facts_t *facts)
{
    size_t      i;
    json_t     *row;
    ngx_str_t   type, id, role;

    json_array_foreach(rows, i, row) {

        if (!ngx_agt_json_is(row, "user_id", &facts->sub)
            || !ngx_agt_json_is(row, "org_id", &facts->org)
            || ngx_agt_json_string(row, "resource_type", &type) != NGX_OK
            || ngx_agt_json_string(row, "resource_id", &id) != NGX_OK
            || ngx_agt_json_string(row, "resource_role_name", &role) != NGX_OK)
        {
            continue;
        }

        ngx_agt_facts_add(b, &type);
        ngx_agt_facts_add(b, &id);
        ngx_agt_facts_add(b, &role);
    }
}


/* 1 if a member of an object is this text, which is not empty */

static ngx_uint_t
ngx_agt_json_is(json_t *object, const char *name, const ngx_str_t *text)
{
    ngx_str_t  is;

    return ngx_agt_json_string(object, name, &is) == NGX_OK
           && is.len && ngx_agt_text_equal(&is, text);
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
