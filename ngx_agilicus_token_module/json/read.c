
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/read.h"
#include "token/time.h"


static ngx_int_t ngx_agt_json_limits(const u_char *p, size_t len,
    size_t max, ngx_uint_t max_values);


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


/*
 * Looks for bytes that have no place in JSON (RFC 8259, sections 2 and 7), and
 * counts the values that jansson would build: one for the document, one for the
 * beginning of an array or object unless it is empty, and one after each comma.
 * The count of a text that is not JSON may be wrong; such a text fails later.
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

    return (values > max_values) ? NGX_ERROR : NGX_OK;
}


/* "null" is read as absent */

json_t *
ngx_agt_json_get(json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}


void
ngx_agt_json_text(json_t *string, ngx_str_t *text)
{
    text->data = (u_char *) json_string_value(string);
    text->len = json_string_length(string);
}


ngx_int_t
ngx_agt_json_string(json_t *object, const char *name, ngx_str_t *text)
{
    json_t  *value;

    value = ngx_agt_json_get(object, name);

    if (value == NULL) {
        return NGX_DECLINED;
    }

    if (!json_is_string(value)) {
        return NGX_ERROR;
    }

    ngx_agt_json_text(value, text);

    return NGX_OK;
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
