
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/headers.h"
#include "json/json.h"


static ngx_int_t ngx_agt_headers_no_credentials(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_int_t ngx_agt_headers_push(ngx_http_request_t *r,
    const ngx_table_elt_t *h);
static ngx_int_t ngx_agt_headers_forget_field(ngx_http_request_t *r,
    ngx_table_elt_t **field, const ngx_table_elt_t *h);


void
ngx_agt_headers_begin(ngx_agt_headers_t *place, ngx_list_t *list,
    const char *name)
{
    place->part = &list->part;
    place->name = name;
    place->i = 0;
}


ngx_table_elt_t *
ngx_agt_headers_next(ngx_agt_headers_t *place)
{
    ngx_table_elt_t  *h;

    for ( ;; ) {

        if (place->i >= place->part->nelts) {

            if (place->part->next == NULL) {
                return NULL;
            }

            place->part = place->part->next;
            place->i = 0;
            continue;
        }

        h = place->part->elts;
        h += place->i++;

        if (place->name == NULL || ngx_agt_headers_is(h, place->name)) {
            return h;
        }
    }
}


ngx_uint_t
ngx_agt_headers_is(const ngx_table_elt_t *h, const char *name)
{
    return h->key.len == ngx_strlen(name)
           && ngx_strncasecmp(h->key.data, (u_char *) name, h->key.len) == 0;
}


ngx_uint_t
ngx_agt_headers_count(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_uint_t          n;
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    n = 0;

    ngx_agt_headers_begin(&place, &r->headers_in.headers, name);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        *value = h->value;
        n++;
    }

    return n;
}


ngx_uint_t
ngx_agt_headers_is_json(ngx_http_request_t *r)
{
    return r->headers_in.content_type != NULL
           && ngx_agt_json_type(&r->headers_in.content_type->value)
              == NGX_AGT_JSON_TYPE_JSON;
}


ngx_int_t
ngx_agt_headers_copy(ngx_http_request_t *r, ngx_agt_headers_pt keep,
    const void *data)
{
    ngx_int_t           rc;
    ngx_list_t          list;
    ngx_table_elt_t    *h, *copy, field;
    ngx_agt_headers_t   place;

    if (ngx_list_init(&list, r->pool, 32, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_agt_headers_begin(&place, &r->headers_in.headers, NULL);

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        field = *h;

        rc = keep(r, &field, data);

        if (rc == NGX_DECLINED) {
            continue;
        }

        copy = (rc == NGX_OK) ? ngx_list_push(&list) : NULL;
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = field;
    }

    r->headers_in.headers = list;

    /* "last" of a list that has one part points into its head */

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_agt_headers_add(ngx_http_request_t *r, const ngx_str_t *name,
    const ngx_str_t *value)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, name->len);
    if (p == NULL) {
        return NULL;
    }

    /* last: an error page may go upstream with what is in the list */

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->value = *value;
    h->lowcase_key = p;
    h->hash = ngx_hash_strlow(p, name->data, name->len);

    return h;
}


ngx_table_elt_t *
ngx_agt_headers_set(ngx_http_request_t *r, ngx_table_elt_t *h,
    const ngx_str_t *name, const ngx_str_t *value)
{
    if (h == NULL) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NULL;
        }
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return h;
}


void
ngx_agt_headers_link(ngx_table_elt_t *h, ngx_table_elt_t *next)
{
#if (nginx_version >= 1023000)
    h->next = next;
#endif
}


void
ngx_agt_headers_credentials(ngx_http_request_t *r,
    ngx_agt_credentials_t *credentials)
{
    credentials->authorization = r->headers_in.authorization;
    credentials->headers = r->headers_in.headers;
}


ngx_int_t
ngx_agt_headers_restore(ngx_http_request_t *r,
    ngx_agt_credentials_t *credentials)
{
    ngx_table_elt_t    *h;
    ngx_agt_headers_t   place;

    if (ngx_agt_headers_copy(r, ngx_agt_headers_no_credentials, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = credentials->authorization;

    if (h && ngx_agt_headers_push(r, h) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_in.authorization = h;

    ngx_agt_headers_begin(&place, &credentials->headers, "Cookie");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
        if (ngx_agt_headers_push(r, h) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_agt_headers_link_cookies(r);
}


static ngx_int_t
ngx_agt_headers_no_credentials(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    return (ngx_agt_headers_is(h, "Authorization")
            || ngx_agt_headers_is(h, "Cookie")) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_agt_headers_push(ngx_http_request_t *r, const ngx_table_elt_t *h)
{
    ngx_table_elt_t  *copy;

    copy = ngx_list_push(&r->headers_in.headers);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *h;

    return NGX_OK;
}


ngx_int_t
ngx_agt_headers_link_cookies(ngx_http_request_t *r)
{
    ngx_table_elt_t    *h, **slot;
    ngx_agt_headers_t   place;
#if (nginx_version < 1023000)
    ngx_array_t         cookies;

    if (ngx_array_init(&cookies, r->pool, 2, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }
#else
    slot = &r->headers_in.cookie;
    *slot = NULL;
#endif

    ngx_agt_headers_begin(&place, &r->headers_in.headers, "Cookie");

    while ((h = ngx_agt_headers_next(&place)) != NULL) {
#if (nginx_version < 1023000)

        slot = ngx_array_push(&cookies);
        if (slot == NULL) {
            return NGX_ERROR;
        }

        *slot = h;

#else

        *slot = h;
        slot = &h->next;
        *slot = NULL;

#endif
    }

#if (nginx_version < 1023000)
    r->headers_in.cookies = cookies;
#endif

    return NGX_OK;
}


ngx_int_t
ngx_agt_headers_forget(ngx_http_request_t *r, const ngx_table_elt_t *h)
{
#if (NGX_HTTP_X_FORWARDED_FOR && nginx_version < 1023000)

    ngx_uint_t         i;
    ngx_array_t        fields;
    ngx_table_elt_t  **field, **copy;

    field = r->headers_in.x_forwarded_for.elts;

    if (ngx_array_init(&fields, r->pool, 2, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < r->headers_in.x_forwarded_for.nelts; i++) {

        if (field[i]->value.data == h->value.data) {
            continue;
        }

        copy = ngx_array_push(&fields);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = field[i];
    }

    r->headers_in.x_forwarded_for = fields;

#elif (NGX_HTTP_X_FORWARDED_FOR)

    if (ngx_agt_headers_forget_field(r, &r->headers_in.x_forwarded_for, h)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)

    if (ngx_agt_headers_forget_field(r, &r->headers_in.via, h) != NGX_OK) {
        return NGX_ERROR;
    }

#endif

    if (ngx_agt_headers_forget_field(r, &r->headers_in.host, h) != NGX_OK
        || ngx_agt_headers_forget_field(r, &r->headers_in.user_agent, h)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_headers_forget_field(r, &r->headers_in.referer, h);
}


static ngx_int_t
ngx_agt_headers_forget_field(ngx_http_request_t *r,
    ngx_table_elt_t **field, const ngx_table_elt_t *h)
{
#if (nginx_version < 1023000)

    /* the list has copies: where their values lie tells which field is meant */

    if (*field && (*field)->value.data == h->value.data) {
        *field = NULL;
    }

#else

    ngx_table_elt_t  *from, *copy, **last;

    from = *field;
    last = field;
    *last = NULL;

    for ( /* void */ ; from; from = from->next) {

        if (from->value.data == h->value.data) {
            continue;
        }

        /* a parent request reads the originals */

        copy = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *from;
        copy->next = NULL;

        *last = copy;
        last = &copy->next;
    }

#endif

    return NGX_OK;
}
