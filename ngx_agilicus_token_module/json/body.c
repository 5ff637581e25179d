
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/internal.h"
#include "json/body.h"

#include <openssl/crypto.h>


/* bytes that escaping makes of one, at most */
#define NGX_AGT_JSON_ESCAPED  6

#define NGX_AGT_JSON_TIME_LEN 20


static const char *ngx_agt_json_row(json_t *value, ngx_agt_json_row_t *row);
static ngx_int_t ngx_agt_json_denied(json_t *root,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data);
static u_char *ngx_agt_json_strings_body(u_char *p,
    const ngx_str_t *strings, ngx_uint_t n);
static size_t ngx_agt_json_strings_len(const ngx_str_t *strings, ngx_uint_t n);
static u_char *ngx_agt_json_number(u_char *p, time_t number);


ngx_int_t
ngx_agt_json_raw_token(const u_char *body, size_t len, u_char *buf,
    size_t size, ngx_str_t *token)
{
    json_t     *root, *value;
    ngx_int_t   rc;
    ngx_str_t   text;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_BODY,
                             NGX_AGT_JSON_MAX_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    value = ngx_agt_json_get(root, "token");

    if (json_is_string(value)) {
        ngx_agt_json_text(value, &text);

        if (text.len && text.len <= size) {
            ngx_memcpy(buf, text.data, text.len);
            token->data = buf;
            token->len = text.len;
            rc = NGX_OK;
        }

        /* jansson's copy is a token too */

        OPENSSL_cleanse(text.data, text.len);
    }

    json_decref(root);

    return rc;
}


ngx_int_t
ngx_agt_json_list(const u_char *body, size_t len,
    void (*row)(void *data, const ngx_agt_json_row_t *row),
    void *data, ngx_uint_t *n, ngx_uint_t *limit)
{
    size_t              i;
    json_t             *root, *rows, *value;
    json_int_t          most;
    ngx_int_t           rc;
    ngx_agt_json_row_t  r;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_LIST,
                                     NGX_AGT_JSON_MAX_LIST_VALUES);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    *n = 0;

    rows = ngx_agt_json_get(root, "tokens");
    value = ngx_agt_json_get(root, "limit");
    most = json_integer_value(value);

    /* API: "limit" is required, "tokens" is not */

    if (!json_is_integer(value) || most < 1
        || (rows && !json_is_array(rows)))
    {
        goto done;
    }

    *limit = (ngx_uint_t) most;

    *n = json_array_size(rows);

    json_array_foreach(rows, i, value) {
        ngx_memzero(&r, sizeof(ngx_agt_json_row_t));

        r.number = i + 1;
        r.wrong = ngx_agt_json_row(value, &r);

        row(data, &r);
    }

    rc = NGX_OK;

done:

    json_decref(root);

    return rc;
}


/*
 * NULL, or what is wrong with a row.  What list asks for is revoked, unless a
 * row says that it is not.
 */

static const char *
ngx_agt_json_row(json_t *value, ngx_agt_json_row_t *row)
{
    json_t     *jti, *revoked;
    ngx_int_t   exp, iat;

    if (!json_is_object(value)) {
        return "it is no object";
    }

    jti = ngx_agt_json_get(value, "jti");

    if (jti == NULL) {
        return "it has no \"jti\"";
    }

    if (!json_is_string(jti) || json_string_length(jti) == 0
        || json_string_length(jti) > NGX_AGT_FACTS_MAX_STR)
    {
        return "its \"jti\" is none that a token can have";
    }

    exp = ngx_agt_json_date(value, "exp", &row->exp);

    if (exp == NGX_ERROR) {
        return "its \"exp\" is no date";
    }

    iat = ngx_agt_json_date(value, "iat", &row->iat);

    if (iat == NGX_ERROR) {
        return "its \"iat\" is no date";
    }

    row->has_exp = (exp == NGX_OK);
    row->has_iat = (iat == NGX_OK);

    revoked = ngx_agt_json_get(value, "revoked");

    row->revoked = !json_is_false(revoked);

    ngx_agt_json_text(jti, &row->jti);

    return NULL;
}


ngx_int_t
ngx_agt_json_denials(const u_char *body, size_t len,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data)
{
    json_t     *root;
    ngx_int_t   rc;

    root = ngx_agt_json_load(body, len, NGX_AGT_JSON_MAX_HOOK,
                             NGX_AGT_JSON_MAX_HOOK);
    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_json_denied(root, NULL, NULL);

    if (rc == NGX_OK) {
        (void) ngx_agt_json_denied(root, deny, data);
    }

    json_decref(root);

    return rc;
}


/* without "deny", just looks whether all of it is as it must be */

static ngx_int_t
ngx_agt_json_denied(json_t *root,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data)
{
    size_t                 i;
    json_t                *list, *value;
    ngx_str_t              text;
    const char            *name;
    ngx_agt_denial_kind_e  kind;

    if (json_object_size(root) == 0) {
        return NGX_ERROR;
    }

    json_object_foreach(root, name, list) {

        if (ngx_strcmp(name, "jti") == 0) {
            kind = NGX_AGT_DENIAL_JTI;

        } else if (ngx_strcmp(name, "session") == 0) {
            kind = NGX_AGT_DENIAL_SESSION;

        } else if (ngx_strcmp(name, "sub") == 0) {
            kind = NGX_AGT_DENIAL_SUBJECT;

        } else {
            return NGX_ERROR;
        }

        if (!json_is_array(list)) {
            return NGX_ERROR;
        }

        json_array_foreach(list, i, value) {

            if (!json_is_string(value)) {
                return NGX_ERROR;
            }

            ngx_agt_json_text(value, &text);

            if (text.len == 0 || text.len > NGX_AGT_JSON_MAX_DENIED)
            {
                return NGX_ERROR;
            }

            if (deny) {
                deny(data, kind, &text);
            }
        }
    }

    return NGX_OK;
}


size_t
ngx_agt_json_revoke(u_char *buf, const ngx_str_t *token,
    ngx_uint_t all_sessions)
{
    u_char  *p;

    if (buf == NULL) {
        return sizeof("{\"token\":\"\",\"all_sessions\":true}") - 1
               + token->len * NGX_AGT_JSON_ESCAPED;
    }

    p = ngx_agt_json_copy(buf, "{\"token\":\"");
    p = ngx_agt_json_escape(p, token);
    p = ngx_agt_json_copy(p, all_sessions
                                        ? "\",\"all_sessions\":true}" : "\"}");

    return (size_t) (p - buf);
}


size_t
ngx_agt_json_reissue(u_char *buf, const ngx_str_t *token, const ngx_str_t *org)
{
    u_char  *p;

    if (buf == NULL) {
        return sizeof("{\"token\":\"\",\"org_id\":\"\"}") - 1
               + (token->len + org->len) * NGX_AGT_JSON_ESCAPED;
    }

    p = ngx_agt_json_copy(buf, "{\"token\":\"");
    p = ngx_agt_json_escape(p, token);
    p = ngx_agt_json_copy(p, "\",\"org_id\":\"");
    p = ngx_agt_json_escape(p, org);
    p = ngx_agt_json_copy(p, "\"}");

    return (size_t) (p - buf);
}


size_t
ngx_agt_json_create(u_char *buf, const ngx_agt_json_create_t *create)
{
    u_char      *p;
    ngx_uint_t   i;

    if (buf == NULL) {
        return sizeof("{\"sub\":\"\",\"org\":\"\",\"audiences\":[],"
                      "\"scopes\":[],\"roles\":{},"
                      "\"inherit_session\":false,"
                      "\"time_validity\":{\"duration\":}}") - 1
               + NGX_AGT_JSON_TIME_LEN
               + (create->sub.len + create->org.len)
                 * NGX_AGT_JSON_ESCAPED
               + ngx_agt_json_strings_len(create->audiences,
                                          create->naudiences)
               + ngx_agt_json_strings_len(create->scopes,
                                          create->nscopes)
               + ngx_agt_json_strings_len(create->roles,
                                          create->nroles);
    }

    p = ngx_agt_json_copy(buf, "{\"sub\":\"");
    p = ngx_agt_json_escape(p, &create->sub);
    p = ngx_agt_json_copy(p, "\",\"org\":\"");
    p = ngx_agt_json_escape(p, &create->org);

    p = ngx_agt_json_copy(p, "\",\"audiences\":[");
    p = ngx_agt_json_strings_body(p, create->audiences, create->naudiences);
    *p++ = ']';

    if (create->nscopes) {
        p = ngx_agt_json_copy(p, ",\"scopes\":[");
        p = ngx_agt_json_strings_body(p, create->scopes, create->nscopes);
        *p++ = ']';
    }

    if (create->nroles) {
        p = ngx_agt_json_copy(p, ",\"roles\":{");

        for (i = 0; i + 1 < create->nroles; i += 2) {
            if (i) {
                *p++ = ',';
            }

            p = ngx_agt_json_strings_body(p, &create->roles[i], 1);
            *p++ = ':';
            p = ngx_agt_json_strings_body(p, &create->roles[i + 1], 1);
        }

        *p++ = '}';
    }

    /* a session of the edge's own would end with all who got a token by it */

    p = ngx_agt_json_copy(p, ",\"inherit_session\":false,"
                                        "\"time_validity\":{\"duration\":");
    p = ngx_agt_json_number(p, create->duration);
    p = ngx_agt_json_copy(p, "}}");

    return (size_t) (p - buf);
}


static u_char *
ngx_agt_json_strings_body(u_char *p, const ngx_str_t *strings, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (i) {
            *p++ = ',';
        }

        *p++ = '"';
        p = ngx_agt_json_escape(p, &strings[i]);
        *p++ = '"';
    }

    return p;
}


static size_t
ngx_agt_json_strings_len(const ngx_str_t *strings, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    len = 0;

    for (i = 0; i < n; i++) {
        len += strings[i].len * NGX_AGT_JSON_ESCAPED + sizeof("\"\",") - 1;
    }

    return len;
}


static u_char *
ngx_agt_json_number(u_char *p, time_t number)
{
    u_char  digits[NGX_AGT_JSON_TIME_LEN], *d;

    d = digits + NGX_AGT_JSON_TIME_LEN;

    do {
        *--d = (u_char) ('0' + number % 10);
        number /= 10;
    } while (number);

    while (d < digits + NGX_AGT_JSON_TIME_LEN) {
        *p++ = *d++;
    }

    return p;
}
