
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/claims.h"


/* the longest text of a number: sign, 17 digits, point, exponent */
#define NGX_AGT_JSON_NUMBER_LEN  32


static ngx_uint_t ngx_agt_json_is_claim(const char *name);
static ngx_int_t ngx_agt_json_scalar(json_t *value, char *buf,
    ngx_str_t *text);


/* members that have a place of their own among the facts */

static const char  *ngx_agt_json_known[] = {
    "sub", "sub_email", "org", "root_org", "jti", "session", "exp", "iat",
    "aud", "scopes", "roles", "hosts", "last_mfa_time", NULL
};


void
ngx_agt_json_claims(ngx_agt_facts_builder_t *b, json_t *root)
{
    char         buf[NGX_AGT_JSON_NUMBER_LEN];
    json_t      *value;
    ngx_str_t    name, text;
    const char  *key;

    json_object_foreach(root, key, value) {

        if (!ngx_agt_json_is_claim(key)
            || ngx_agt_json_scalar(value, buf, &text) != NGX_OK)
        {
            continue;
        }

        name.data = (u_char *) key;
        name.len = ngx_strlen(key);

        ngx_agt_facts_add(b, &name);
        ngx_agt_facts_add(b, &text);
    }
}


static ngx_uint_t
ngx_agt_json_is_claim(const char *name)
{
    const char  **known;

    for (known = ngx_agt_json_known; *known; known++) {
        if (ngx_strcmp(name, *known) == 0) {
            return 0;
        }
    }

    return 1;
}


/* the text of a scalar lies in the value or in "buf" */

static ngx_int_t
ngx_agt_json_scalar(json_t *value, char *buf, ngx_str_t *text)
{
    int  n;

    switch (json_typeof(value)) {

    case JSON_STRING:
        ngx_agt_json_text(value, text);
        return NGX_OK;

    case JSON_TRUE:
        ngx_str_set(text, "true");
        return NGX_OK;

    case JSON_FALSE:
        ngx_str_set(text, "false");
        return NGX_OK;

    case JSON_INTEGER:
        n = snprintf(buf, NGX_AGT_JSON_NUMBER_LEN,
                     "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;

    case JSON_REAL:

        if (json_real_value(value) == 0) {

            /* zero is "0", with any sign and in any notation */

            ngx_str_set(text, "0");
            return NGX_OK;
        }

        n = snprintf(buf, NGX_AGT_JSON_NUMBER_LEN, "%.17g",
                     json_real_value(value));
        break;

    default: /* JSON_OBJECT, JSON_ARRAY, JSON_NULL */
        return NGX_DECLINED;
    }

    if (n < 0 || n >= NGX_AGT_JSON_NUMBER_LEN) {
        return NGX_DECLINED;
    }

    text->data = (u_char *) buf;
    text->len = (size_t) n;

    return NGX_OK;
}
