
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/object.h"
#include "token/text.h"

#include <stdio.h>


/* what is written; without "pos", it is counted only */

typedef struct {
    u_char  *pos;
    size_t   len;
} ngx_agt_json_out_t;


static void ngx_agt_json_out_facts(ngx_agt_json_out_t *out,
    const ngx_agt_facts_t *facts);
static void ngx_agt_json_out_list(ngx_agt_json_out_t *out, const char *name,
    const ngx_agt_list_t *list);
static void ngx_agt_json_out_roles(ngx_agt_json_out_t *out,
    const ngx_agt_list_t *list);
static void ngx_agt_json_out_resources(ngx_agt_json_out_t *out,
    const ngx_agt_facts_t *facts);
static void ngx_agt_json_out_claims(ngx_agt_json_out_t *out,
    const ngx_agt_list_t *list);
static void ngx_agt_json_out_member(ngx_agt_json_out_t *out, const char *name,
    const ngx_str_t *value);
static void ngx_agt_json_out_number(ngx_agt_json_out_t *out, const char *name,
    int64_t number);
static void ngx_agt_json_out_string(ngx_agt_json_out_t *out,
    const ngx_str_t *text);
static void ngx_agt_json_out_text(ngx_agt_json_out_t *out, const char *text);
static void ngx_agt_json_out_bytes(ngx_agt_json_out_t *out,
    const u_char *data, size_t len);


ngx_uint_t
ngx_agt_json_claim_text(ngx_str_t *value)
{
    if (value->len == 0 || value->data[0] != NGX_AGT_JSON_LITERAL) {
        return 1;
    }

    value->data++;
    value->len--;

    return 0;
}


size_t
ngx_agt_json_object(u_char *buf, const ngx_agt_facts_t *facts)
{
    ngx_agt_json_out_t  out;

    out.pos = buf;
    out.len = 0;

    ngx_agt_json_out_facts(&out, facts);

    return out.len;
}


static void
ngx_agt_json_out_facts(ngx_agt_json_out_t *out, const ngx_agt_facts_t *facts)
{
    ngx_agt_json_out_text(out, "{\"masquerading\":");
    ngx_agt_json_out_text(out, facts->masquerading ? "true" : "false");

    ngx_agt_json_out_member(out, "sub", &facts->sub);
    ngx_agt_json_out_member(out, "sub_email", &facts->email);
    ngx_agt_json_out_member(out, "org", &facts->org);
    ngx_agt_json_out_member(out, "root_org", &facts->root_org);
    ngx_agt_json_out_member(out, "jti", &facts->jti);
    ngx_agt_json_out_member(out, "session", &facts->session);

    if (facts->has_iat) {
        ngx_agt_json_out_number(out, "iat", facts->iat);
    }

    if (facts->has_exp) {
        ngx_agt_json_out_number(out, "exp", facts->exp);
    }

    if (facts->has_mfa) {
        ngx_agt_json_out_number(out, "last_mfa_time", facts->mfa);
    }

    ngx_agt_json_out_list(out, "aud", &facts->lists[NGX_AGT_FACTS_AUD]);
    ngx_agt_json_out_list(out, "scopes", &facts->lists[NGX_AGT_FACTS_SCOPES]);
    ngx_agt_json_out_roles(out, &facts->lists[NGX_AGT_FACTS_ROLES]);
    ngx_agt_json_out_resources(out, facts);
    ngx_agt_json_out_claims(out, &facts->lists[NGX_AGT_FACTS_CLAIMS]);

    ngx_agt_json_out_text(out, "}");
}


static void
ngx_agt_json_out_list(ngx_agt_json_out_t *out, const char *name,
    const ngx_agt_list_t *list)
{
    ngx_str_t        item;
    const char      *apart;
    ngx_agt_list_t   rest;

    ngx_agt_json_out_text(out, ",\"");
    ngx_agt_json_out_text(out, name);
    ngx_agt_json_out_text(out, "\":[");

    rest = *list;
    apart = "";

    while (ngx_agt_facts_next(&rest, &item) == NGX_OK) {
        ngx_agt_json_out_text(out, apart);
        ngx_agt_json_out_string(out, &item);
        apart = ",";
    }

    ngx_agt_json_out_text(out, "]");
}


/* all roles of an application stand together: it is a member of an object */

static void
ngx_agt_json_out_roles(ngx_agt_json_out_t *out, const ngx_agt_list_t *list)
{
    ngx_str_t       last, app, role;
    ngx_uint_t      n;
    ngx_agt_list_t  rest;

    ngx_agt_json_out_text(out, ",\"roles\":{");

    rest = *list;
    n = 0;
    ngx_str_null(&last);

    while (ngx_agt_facts_next(&rest, &app) == NGX_OK
           && ngx_agt_facts_next(&rest, &role) == NGX_OK)
    {
        if (n && ngx_agt_text_equal(&app, &last)) {
            ngx_agt_json_out_text(out, ",");

        } else {
            ngx_agt_json_out_text(out, n ? "]," : "");
            ngx_agt_json_out_string(out, &app);
            ngx_agt_json_out_text(out, ":[");
        }

        ngx_agt_json_out_string(out, &role);

        last = app;
        n++;
    }

    ngx_agt_json_out_text(out, n ? "]}" : "}");
}


/* the rows that are kept are of the token's own user and organisation */

static void
ngx_agt_json_out_resources(ngx_agt_json_out_t *out,
    const ngx_agt_facts_t *facts)
{
    ngx_str_t        type, id, role;
    const char      *apart;
    ngx_agt_list_t   rest;

    ngx_agt_json_out_text(out, ",\"resource_permissions\":[");

    rest = facts->lists[NGX_AGT_FACTS_RESOURCES];
    apart = "";

    while (ngx_agt_facts_next(&rest, &type) == NGX_OK
           && ngx_agt_facts_next(&rest, &id) == NGX_OK
           && ngx_agt_facts_next(&rest, &role) == NGX_OK)
    {
        ngx_agt_json_out_text(out, apart);
        ngx_agt_json_out_text(out, "{\"user_id\":");
        ngx_agt_json_out_string(out, &facts->sub);
        ngx_agt_json_out_text(out, ",\"org_id\":");
        ngx_agt_json_out_string(out, &facts->org);
        ngx_agt_json_out_text(out, ",\"resource_type\":");
        ngx_agt_json_out_string(out, &type);
        ngx_agt_json_out_text(out, ",\"resource_id\":");
        ngx_agt_json_out_string(out, &id);
        ngx_agt_json_out_text(out, ",\"resource_role_name\":");
        ngx_agt_json_out_string(out, &role);
        ngx_agt_json_out_text(out, "}");

        apart = ",";
    }

    ngx_agt_json_out_text(out, "]");
}


static void
ngx_agt_json_out_claims(ngx_agt_json_out_t *out, const ngx_agt_list_t *list)
{
    ngx_str_t       name, value;
    ngx_uint_t      quoted;
    ngx_agt_list_t  rest;

    static const ngx_str_t  masquerading = ngx_string("masquerading");

    rest = *list;

    while (ngx_agt_facts_next(&rest, &name) == NGX_OK
           && ngx_agt_facts_next(&rest, &value) == NGX_OK)
    {
        /* said already, whatever the API wrote */

        if (ngx_agt_text_equal(&name, &masquerading)) {
            continue;
        }

        quoted = ngx_agt_json_claim_text(&value);

        ngx_agt_json_out_text(out, ",");
        ngx_agt_json_out_string(out, &name);
        ngx_agt_json_out_text(out, ":");

        if (quoted) {
            ngx_agt_json_out_string(out, &value);

        } else {
            ngx_agt_json_out_bytes(out, value.data, value.len);
        }
    }
}


static void
ngx_agt_json_out_member(ngx_agt_json_out_t *out, const char *name,
    const ngx_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    ngx_agt_json_out_text(out, ",\"");
    ngx_agt_json_out_text(out, name);
    ngx_agt_json_out_text(out, "\":");
    ngx_agt_json_out_string(out, value);
}


static void
ngx_agt_json_out_number(ngx_agt_json_out_t *out, const char *name,
    int64_t number)
{
    int   n;
    char  text[64];

    n = snprintf(text, sizeof(text), ",\"%s\":%lld", name, (long long) number);

    if (n > 0) {
        ngx_agt_json_out_bytes(out, (u_char *) text, (size_t) n);
    }
}


/* RFC 8259, section 7; bytes beyond ASCII are UTF-8, as they came */

static void
ngx_agt_json_out_string(ngx_agt_json_out_t *out, const ngx_str_t *text)
{
    u_char  ch, escape[6];
    size_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    ngx_agt_json_out_text(out, "\"");

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ch == '"' || ch == '\\') {
            ngx_agt_json_out_text(out, "\\");
            ngx_agt_json_out_bytes(out, &ch, 1);

        } else if (ch < 0x20 || ch == 0x7f) {
            ngx_memcpy(escape, "\\u00", 4);
            escape[4] = hex[ch >> 4];
            escape[5] = hex[ch & 0xf];

            ngx_agt_json_out_bytes(out, escape, sizeof(escape));

        } else {
            ngx_agt_json_out_bytes(out, &ch, 1);
        }
    }

    ngx_agt_json_out_text(out, "\"");
}


static void
ngx_agt_json_out_text(ngx_agt_json_out_t *out, const char *text)
{
    ngx_agt_json_out_bytes(out, (const u_char *) text, ngx_strlen(text));
}


static void
ngx_agt_json_out_bytes(ngx_agt_json_out_t *out, const u_char *data, size_t len)
{
    if (out->pos) {
        out->pos = ngx_cpymem(out->pos, data, len);
    }

    out->len += len;
}
