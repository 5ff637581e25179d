
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>

#include "fuzz.h"

#include "json/list.h"
#include "token/facts.h"


/* whatever is read as a list is one for jansson too, row by row */

typedef struct {
    ngx_agt_json_list_e   kind;
    json_t               *rows;
    ngx_uint_t            n;
} fuzz_rows_t;


static void fuzz_kind(ngx_agt_json_list_e kind, const uint8_t *data,
    size_t size);
static void fuzz_row(void *data, const ngx_agt_json_row_t *row);
static void fuzz_next(const ngx_agt_json_list_t *list);


void
fuzz_target(const uint8_t *data, size_t size)
{
    fuzz_kind(NGX_AGT_JSON_TOKENS, data, size);
    fuzz_kind(NGX_AGT_JSON_SESSIONS, data, size);
}


static void
fuzz_kind(ngx_agt_json_list_e kind, const uint8_t *data, size_t size)
{
    json_t               *root;
    ngx_int_t             rc;
    fuzz_rows_t           rows;
    ngx_agt_json_list_t   list;

    memset(&rows, 0, sizeof(rows));
    memset(&list, 0, sizeof(list));

    root = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, NULL);

    rows.kind = kind;
    rows.rows = json_object_get(root, kind == NGX_AGT_JSON_TOKENS
                                      ? "tokens" : "sessions");

    list.next.data = malloc(NGX_AGT_JSON_MAX_NEXT);

    rc = ngx_agt_json_list(data, size, kind, fuzz_row, &rows, &list);

    if (rc == NGX_OK) {
        fuzz_accepted++;

        fuzz_check(json_is_object(root));
        fuzz_check(rows.n == json_array_size(rows.rows));
        fuzz_check(list.rows == rows.n);
        fuzz_check(list.limit > 0);

        if (kind == NGX_AGT_JSON_SESSIONS) {
            fuzz_next(&list);
        }

    } else {
        fuzz_check(rc == NGX_ERROR && rows.n == 0);
    }

    free(list.next.data);
    json_decref(root);
}


static void
fuzz_row(void *data, const ngx_agt_json_row_t *row)
{
    fuzz_rows_t *rows = data;

    json_t  *value, *id, *revoked;

    value = json_array_get(rows->rows, rows->n++);

    fuzz_check(row->number == rows->n);

    if (row->wrong) {
        fuzz_check(row->id.len == 0 && !row->revoked);
        return;
    }

    if (rows->kind == NGX_AGT_JSON_TOKENS) {
        id = json_object_get(value, "jti");
        revoked = json_object_get(value, "revoked");

    } else {
        id = json_object_get(json_object_get(value, "metadata"), "id");
        revoked = json_object_get(json_object_get(value, "spec"), "revoked");

        fuzz_check(revoked != NULL && !json_is_null(revoked));
        fuzz_check(!row->has_exp && !row->has_iat);
    }

    fuzz_check(row->revoked == !json_is_false(revoked));

    fuzz_check(row->id.len > 0 && row->id.len <= NGX_AGT_FACTS_MAX_STR);
    fuzz_check(json_string_length(id) == row->id.len);
    fuzz_check(memcmp(json_string_value(id), row->id.data, row->id.len) == 0);
}


/* nothing in a cursor ends an argument, the query or the request */

static void
fuzz_next(const ngx_agt_json_list_t *list)
{
    size_t  i;

    static const char  name[] = "page_on=";
    static const char  allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789-._~%&=";

    if (list->rows == 0) {
        fuzz_check(list->next.len == 0 && list->wrong == NULL);
        return;
    }

    fuzz_check(list->next.len <= NGX_AGT_JSON_MAX_NEXT);

    if (list->wrong) {
        return;
    }

    for (i = 0; i < list->next.len; i++) {
        fuzz_check(memchr(allowed, list->next.data[i], sizeof(allowed) - 1)
                   != NULL);
    }

    fuzz_check(list->next.len > strlen(name));
    fuzz_check(memcmp(list->next.data, name, strlen(name)) == 0);
}
