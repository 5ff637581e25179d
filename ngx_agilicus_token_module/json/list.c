
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "json/list.h"
#include "json/read.h"
#include "token/facts.h"
#include "token/text.h"


static const char *ngx_agt_json_row_token(json_t *value,
    ngx_agt_json_row_t *row);
static const char *ngx_agt_json_row_session(json_t *value,
    ngx_agt_json_row_t *row);
static ngx_uint_t ngx_agt_json_row_names(json_t *value);
static const char *ngx_agt_json_next(json_t *info, const ngx_str_t *last,
    ngx_agt_json_list_t *list);
static ngx_uint_t ngx_agt_json_next_known(json_t *info);
static ngx_int_t ngx_agt_json_next_add(ngx_agt_json_list_t *list,
    const char *name, const ngx_str_t *value);


static const struct {
    const char    *rows;
    ngx_uint_t     required;
    const char  *(*read)(json_t *value, ngx_agt_json_row_t *row);
} ngx_agt_json_lists[] = {
    { "tokens", 0, ngx_agt_json_row_token },
    { "sessions", 1, ngx_agt_json_row_session }
};


ngx_int_t
ngx_agt_json_list(const u_char *body, size_t len, ngx_agt_json_list_e kind,
    void (*row)(void *data, const ngx_agt_json_row_t *row), void *data,
    ngx_agt_json_list_t *list)
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

    rows = ngx_agt_json_get(root, ngx_agt_json_lists[kind].rows);
    value = ngx_agt_json_get(root, "limit");
    most = json_integer_value(value);

    /* API: "limit" and "sessions" are required, "tokens" is not */

    if (!json_is_integer(value) || most < 1
        || (rows == NULL && ngx_agt_json_lists[kind].required)
        || (rows && !json_is_array(rows)))
    {
        goto done;
    }

    list->limit = (ngx_uint_t) most;
    list->rows = json_array_size(rows);
    list->wrong = NULL;
    list->implied = 0;

    ngx_memzero(&r, sizeof(ngx_agt_json_row_t));

    json_array_foreach(rows, i, value) {
        ngx_memzero(&r, sizeof(ngx_agt_json_row_t));

        r.number = i + 1;
        r.wrong = ngx_agt_json_lists[kind].read(value, &r);

        row(data, &r);
    }

    if (kind == NGX_AGT_JSON_SESSIONS) {
        list->wrong = ngx_agt_json_next(ngx_agt_json_get(root, "page_info"),
                                        &r.id, list);
    }

    rc = NGX_OK;

done:

    json_decref(root);

    return rc;
}


/*
 * Returns NULL, or the error in a row.  The API was asked for revoked tokens,
 * so a row is of a revoked token unless it says that it is not.
 */

static const char *
ngx_agt_json_row_token(json_t *value, ngx_agt_json_row_t *row)
{
    json_t     *jti;
    ngx_int_t   exp, iat;

    if (!json_is_object(value)) {
        return "it is no object";
    }

    jti = ngx_agt_json_get(value, "jti");

    if (jti == NULL) {
        return "it has no \"jti\"";
    }

    if (!ngx_agt_json_row_names(jti)) {
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
    row->revoked = !json_is_false(ngx_agt_json_get(value, "revoked"));

    ngx_agt_json_text(jti, &row->id);

    return NULL;
}


/*
 * The same for a session.  An API that leaves members out where they are false
 * may also ignore that it was asked for revoked sessions: a row that says
 * neither is not understood.
 */

static const char *
ngx_agt_json_row_session(json_t *value, ngx_agt_json_row_t *row)
{
    json_t  *id, *revoked;

    if (!json_is_object(value)) {
        return "it is no object";
    }

    id = ngx_agt_json_get(ngx_agt_json_get(value, "metadata"), "id");

    if (id == NULL) {
        return "it has no \"id\"";
    }

    if (!ngx_agt_json_row_names(id)) {
        return "its \"id\" is none that a session can have";
    }

    revoked = ngx_agt_json_get(ngx_agt_json_get(value, "spec"), "revoked");

    if (revoked == NULL) {
        return "it does not say whether it is \"revoked\"";
    }

    row->revoked = !json_is_false(revoked);

    ngx_agt_json_text(id, &row->id);

    return NULL;
}


/* 1 if facts can hold this value as the name of a token or session, else 0 */

static ngx_uint_t
ngx_agt_json_row_names(json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0
           && json_string_length(value) <= NGX_AGT_FACTS_MAX_STR;
}


/*
 * Sets the arguments that ask for the next page, and returns NULL or the reason
 * why there are none.  The cursor goes back to the API as it came, for the API
 * may have added fields to those that it was asked to sort by.
 */

static const char *
ngx_agt_json_next(json_t *info, const ngx_str_t *last,
    ngx_agt_json_list_t *list)
{
    size_t      i, j;
    json_t     *values, *value;
    ngx_str_t   text;

    static const char       *names[] = { "page_on", "page_at_key" };
    static const ngx_str_t   id = ngx_string("id");

    list->next.len = 0;

    if (list->rows == 0) {
        return NULL;
    }

    if (!ngx_agt_json_next_known(info)) {
        list->implied = 1;

        if (last->len == 0
            || ngx_agt_json_next_add(list, names[0], &id) != NGX_OK
            || ngx_agt_json_next_add(list, names[1], last) != NGX_OK)
        {
            return "a page has no \"page_info\"";
        }

        return NULL;
    }

    for (i = 0; i < 2; i++) {
        values = ngx_agt_json_get(info, names[i]);

        if (!json_is_array(values) || json_array_size(values) == 0) {
            return "the \"page_info\" of a page cannot be read";
        }

        json_array_foreach(values, j, value) {

            /* the official client sends a null so */

            ngx_str_set(&text, "None");

            if (json_is_string(value)) {
                ngx_agt_json_text(value, &text);

            } else if (!json_is_null(value) || i == 0) {
                return "the \"page_info\" of a page cannot be read";
            }

            if (ngx_agt_json_next_add(list, names[i], &text) != NGX_OK) {
                return "the \"page_info\" of a page is too long";
            }
        }
    }

    return NULL;
}


/* 0 if there is no cursor, or one of nulls only, which is no place in a list */

static ngx_uint_t
ngx_agt_json_next_known(json_t *info)
{
    size_t   i;
    json_t  *values, *value;

    values = ngx_agt_json_get(info, "page_at_key");

    json_array_foreach(values, i, value) {
        if (!json_is_null(value)) {
            return 1;
        }
    }

    return info != NULL && !json_is_array(values);
}


static ngx_int_t
ngx_agt_json_next_add(ngx_agt_json_list_t *list, const char *name,
    const ngx_str_t *value)
{
    size_t   i;
    u_char   ch, *p, *last;

    static const u_char  hex[] = "0123456789ABCDEF";

    p = list->next.data + list->next.len;
    last = list->next.data + NGX_AGT_JSON_MAX_NEXT;

    if (3 * value->len + ngx_strlen(name) + 2 > (size_t) (last - p)) {
        return NGX_ERROR;
    }

    if (list->next.len) {
        *p++ = '&';
    }

    while (*name) {
        *p++ = (u_char) *name++;
    }

    *p++ = '=';

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        /* RFC 3986, section 2.3 */

        if (ngx_agt_text_is_alnum(ch)
            || ch == '-' || ch == '.' || ch == '_' || ch == '~')
        {
            *p++ = ch;

        } else {
            *p++ = '%';
            *p++ = hex[ch >> 4];
            *p++ = hex[ch & 0xf];
        }
    }

    list->next.len = (size_t) (p - list->next.data);

    return NGX_OK;
}
