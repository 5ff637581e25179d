
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/body.h"
#include "token/bearer.h"

#include <stdio.h>


/* bytes that escaping makes of one, at most */
#define NGX_AGT_JSON_ESCAPED  6

#define NGX_AGT_JSON_TIME_LEN  20

/* the options of an introspection, where they are longest */
#define NGX_AGT_JSON_OPTIONS                                                 \
    "\"introspect_options\":{\"exclude_roles\":false,"                       \
    "\"support_http_matchers\":false,\"no_cache\":false}"


static u_char *ngx_agt_json_options(u_char *p,
    const ngx_agt_json_options_t *options);
static u_char *ngx_agt_json_strings_body(u_char *p,
    const ngx_str_t *strings, ngx_uint_t n);
static size_t ngx_agt_json_strings_len(const ngx_str_t *strings, ngx_uint_t n);
static u_char *ngx_agt_json_copy(u_char *p, const char *text);
static u_char *ngx_agt_json_escape(u_char *p, const ngx_str_t *text);


size_t
ngx_agt_json_introspect(u_char *buf, const ngx_str_t *token,
    const ngx_agt_json_options_t *options)
{
    u_char  *p;

    if (buf == NULL) {
        return sizeof("{\"token\":\"\"," NGX_AGT_JSON_OPTIONS "}") - 1
               + token->len * NGX_AGT_JSON_ESCAPED;
    }

    p = ngx_agt_json_copy(buf, "{\"token\":\"");
    p = ngx_agt_json_escape(p, token);

    p = ngx_agt_json_copy(p, "\",");
    p = ngx_agt_json_options(p, options);
    *p++ = '}';

    return (size_t) (p - buf);
}


size_t
ngx_agt_json_introspect_key(u_char *buf, const ngx_str_t *user,
    const ngx_str_t *key, const ngx_agt_json_options_t *options)
{
    u_char  *p;

    if (buf == NULL) {
        return sizeof("{\"api_key_auth_info\":{\"username\":\"\",\"key\":\"\"},"
                      NGX_AGT_JSON_OPTIONS ",\"multi_org\":false}") - 1
               + (user->len + key->len) * NGX_AGT_JSON_ESCAPED;
    }

    p = ngx_agt_json_copy(buf, "{\"api_key_auth_info\":{\"username\":\"");
    p = ngx_agt_json_escape(p, user);
    p = ngx_agt_json_copy(p, "\",\"key\":\"");
    p = ngx_agt_json_escape(p, key);
    p = ngx_agt_json_copy(p, "\"},");
    p = ngx_agt_json_options(p, options);
    p = ngx_agt_json_copy(p, ",\"multi_org\":false}");

    return (size_t) (p - buf);
}


static u_char *
ngx_agt_json_options(u_char *p, const ngx_agt_json_options_t *options)
{
    p = ngx_agt_json_copy(p, "\"introspect_options\":{\"exclude_roles\":");
    p = ngx_agt_json_copy(p, options->exclude_roles ? "true" : "false");

    p = ngx_agt_json_copy(p, ",\"support_http_matchers\":");
    p = ngx_agt_json_copy(p, options->support_http_matchers
                                        ? "true" : "false");

    p = ngx_agt_json_copy(p, ",\"no_cache\":");
    p = ngx_agt_json_copy(p, options->no_cache ? "true" : "false");

    *p++ = '}';

    return p;
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

    /* if the session of the edge's own token ended, so would the new token */

    p = ngx_agt_json_copy(p, ",\"inherit_session\":false,"
                                        "\"time_validity\":{\"duration\":");
    p += snprintf((char *) p, NGX_AGT_JSON_TIME_LEN + 1, "%lld",
                  (long long) create->duration);
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
ngx_agt_json_copy(u_char *p, const char *text)
{
    return ngx_cpymem(p, text, ngx_strlen(text));
}


static u_char *
ngx_agt_json_escape(u_char *p, const ngx_str_t *text)
{
    size_t  i;
    u_char  c;

    static const u_char  hex[] = "0123456789abcdef";

    /* most texts are tokens, and no byte of a token is escaped */

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
