
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/claims.h"
#include "json/members.h"
#include "json/object.h"


/* the longest text of a number: sign, 17 digits, point, exponent */
#define NGX_AGT_JSON_NUMBER_LEN  32


static ngx_int_t ngx_agt_json_scalar(json_t *value, char *buf,
    ngx_str_t *text);


void
ngx_agt_json_claims(ngx_agt_facts_builder_t *b, json_t *root)
{
    char         buf[NGX_AGT_JSON_NUMBER_LEN + 1];
    json_t      *value;
    ngx_str_t    name, text;
    const char  *key;

    json_object_foreach(root, key, value) {

        name.data = (u_char *) key;
        name.len = ngx_strlen(key);

        /* others have a place of their own among the facts, or none */

        if (ngx_strcmp(ngx_agt_json_member_variable(name.data, name.len),
                       "claim")
                != 0
            || ngx_agt_json_scalar(value, buf, &text) != NGX_OK)
        {
            continue;
        }

        ngx_agt_facts_add(b, &name);
        ngx_agt_facts_add(b, &text);
    }
}


/* the text of a scalar lies in the value or, behind a mark, in "buf" */

static ngx_int_t
ngx_agt_json_scalar(json_t *value, char *buf, ngx_str_t *text)
{
    int  n;

    buf[0] = (char) NGX_AGT_JSON_LITERAL;

    switch (json_typeof(value)) {

    case JSON_STRING:
        ngx_agt_json_text(value, text);
        return NGX_OK;

    case JSON_TRUE:
    case JSON_FALSE:
        n = snprintf(buf + 1, NGX_AGT_JSON_NUMBER_LEN, "%s",
                     json_is_true(value) ? "true" : "false");
        break;

    case JSON_INTEGER:
        n = snprintf(buf + 1, NGX_AGT_JSON_NUMBER_LEN,
                     "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;

    case JSON_REAL:

        /* zero is "0", with any sign: the sum of both zeros has none */

        n = snprintf(buf + 1, NGX_AGT_JSON_NUMBER_LEN, "%.17g",
                     json_real_value(value) + 0.0);
        break;

    default: /* JSON_OBJECT, JSON_ARRAY, JSON_NULL */
        return NGX_DECLINED;
    }

    if (n < 0 || n >= NGX_AGT_JSON_NUMBER_LEN) {
        return NGX_DECLINED;
    }

    text->data = (u_char *) buf;
    text->len = (size_t) n + 1;

    return NGX_OK;
}
