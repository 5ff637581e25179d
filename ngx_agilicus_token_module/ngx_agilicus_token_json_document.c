
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_json_document.h"
#include "ngx_agilicus_token_json_internal.h"


/* digits of an index: more than that is more than a document can hold */
#define NGX_AGILICUS_TOKEN_JSON_INDEX  6


static json_t *ngx_agilicus_token_json_step(json_t *value,
    const ngx_str_t *name);
static json_t *ngx_agilicus_token_json_member(json_t *object,
    const ngx_str_t *name);
static json_t *ngx_agilicus_token_json_item(json_t *array,
    const ngx_str_t *name);
static ngx_uint_t ngx_agilicus_token_json_same(const ngx_str_t *name,
    const char *key, ngx_uint_t fold);
static ngx_uint_t ngx_agilicus_token_json_unescape(const u_char **p,
    const u_char *end);
static ngx_uint_t ngx_agilicus_token_json_fold(ngx_uint_t c,
    const u_char **p, const u_char *end);


ngx_agilicus_token_json_document_t *
ngx_agilicus_token_json_document(const u_char *body, size_t len)
{
    return (ngx_agilicus_token_json_document_t *)
               ngx_agilicus_token_json_load_any(body, len,
                                         NGX_AGILICUS_TOKEN_JSON_MAX_BODY,
                                         NGX_AGILICUS_TOKEN_JSON_MAX_VALUES);
}


void
ngx_agilicus_token_json_release(ngx_agilicus_token_json_document_t **document)
{
    json_decref((json_t *) *document);

    *document = NULL;
}


ngx_int_t
ngx_agilicus_token_json_pointer(void *document, const ngx_str_t *pointer,
    ngx_str_t *value)
{
    json_t     *found;
    u_char     *p, *end;
    ngx_str_t   name;

    found = document;

    p = pointer->data;
    end = p + pointer->len;

    while (p < end && *p == '/' && found) {

        name.data = ++p;

        while (p < end && *p != '/') {
            p++;
        }

        name.len = (size_t) (p - name.data);

        found = ngx_agilicus_token_json_step(found, &name);
    }

    if (p != end || !json_is_string(found)) {
        return NGX_DECLINED;
    }

    ngx_agilicus_token_json_text(found, value);

    return NGX_OK;
}


static json_t *
ngx_agilicus_token_json_step(json_t *value, const ngx_str_t *name)
{
    if (json_is_object(value)) {
        return ngx_agilicus_token_json_member(value, name);
    }

    if (json_is_array(value)) {
        return ngx_agilicus_token_json_item(value, name);
    }

    return NULL;
}


static json_t *
ngx_agilicus_token_json_member(json_t *object, const ngx_str_t *name)
{
    json_t      *value, *found;
    const char  *key;

    found = NULL;

    json_object_foreach(object, key, value) {

        if (ngx_agilicus_token_json_same(name, key, 0)) {
            found = value;

        } else if (ngx_agilicus_token_json_same(name, key, 1)) {
            return NULL;
        }
    }

    return found;
}


static json_t *
ngx_agilicus_token_json_item(json_t *array, const ngx_str_t *name)
{
    size_t  i, index;

    if (name->len == 0
        || name->len > NGX_AGILICUS_TOKEN_JSON_INDEX
        || (name->data[0] == '0' && name->len > 1))
    {
        return NULL;
    }

    index = 0;

    for (i = 0; i < name->len; i++) {

        if (name->data[i] < '0' || name->data[i] > '9') {
            return NULL;
        }

        index = index * 10 + (name->data[i] - '0');
    }

    return json_array_get(array, index);
}


/* a name of a pointer, "~0" and "~1" in it, and a key as it is */

static ngx_uint_t
ngx_agilicus_token_json_same(const ngx_str_t *name, const char *key,
    ngx_uint_t fold)
{
    ngx_uint_t     a, b;
    const u_char  *p, *q, *p_end, *q_end;

    p = name->data;
    p_end = p + name->len;

    q = (const u_char *) key;
    q_end = q + ngx_strlen(key);

    while (p < p_end && q < q_end) {
        a = ngx_agilicus_token_json_unescape(&p, p_end);
        b = *q++;

        if (fold) {
            a = ngx_agilicus_token_json_fold(a, &p, p_end);
            b = ngx_agilicus_token_json_fold(b, &q, q_end);
        }

        if (a != b) {
            return 0;
        }
    }

    return p == p_end && q == q_end;
}


/* "~" and anything but these two is no pointer, and the same as no key */

static ngx_uint_t
ngx_agilicus_token_json_unescape(const u_char **p, const u_char *end)
{
    ngx_uint_t  c;

    c = *(*p)++;

    if (c != '~') {
        return c;
    }

    c = (*p < end) ? *(*p)++ : 0;

    return (c == '0') ? '~' : (c == '1') ? '/' : 0;
}


/*
 * Letters of ASCII without case, and the two others that fold to one of them:
 * U+017F to "s" and U+212A to "k".  Any other character could be the other case
 * of any other.
 */

static ngx_uint_t
ngx_agilicus_token_json_fold(ngx_uint_t c, const u_char **p,
    const u_char *end)
{
    const u_char  *start;

    if (c < 0x80) {
        return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
    }

    start = *p;

    while (*p < end && (**p & 0xc0) == 0x80) {
        (*p)++;
    }

    if (c == 0xc5 && *p - start == 1 && start[0] == 0xbf) {
        return 's';
    }

    if (c == 0xe2 && *p - start == 2 && start[0] == 0x84 && start[1] == 0xaa) {
        return 'k';
    }

    return 0x80;
}
