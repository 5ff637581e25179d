
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_HEADERS_H_INCLUDED_
#define _NGX_AGT_REQUEST_HEADERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The headers of requests and responses.  No other file walks a list of
 * headers by itself or knows that nginx before 1.23 keeps fields of one name
 * in an array, and later ones in a chain.
 */

/* a place in a list of headers; its members are for headers.c alone */

typedef struct {
    ngx_list_part_t            *part;
    const char                 *name;
    ngx_uint_t                  i;
} ngx_agt_headers_t;


/*
 * The credentials of a request at one moment.  Both members point into the
 * request's list of that moment, which later copies leave as it is.
 */

typedef struct {
    ngx_table_elt_t            *authorization;
    ngx_list_t                  headers;    /* for the cookies in it */
} ngx_agt_credentials_t;


/*
 * Decides about one field while a list is copied.  "h" is the copy and may be
 * changed.  NGX_OK keeps the field, NGX_DECLINED leaves it out, NGX_ERROR ends
 * the copying.
 */
typedef ngx_int_t (*ngx_agt_headers_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);


/*
 * Begin a walk of a list, and return its next field that has this name, in any
 * case, or any field where "name" is NULL; NULL after the last one.  "name"
 * must live as long as the walk.
 */
void ngx_agt_headers_begin(ngx_agt_headers_t *place, ngx_list_t *list,
    const char *name);
ngx_table_elt_t *ngx_agt_headers_next(ngx_agt_headers_t *place);

/*
 * Returns 1 if the field has this name, in any case, else 0.
 */
ngx_uint_t ngx_agt_headers_is(const ngx_table_elt_t *h, const char *name);

/*
 * Returns how many fields of the request have this name, and sets "value" to
 * the value of the last one, which is not copied.
 */
ngx_uint_t ngx_agt_headers_count(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/*
 * Returns 1 if the Content-Type of the request is JSON, else 0.
 */
ngx_uint_t ngx_agt_headers_is_json(ngx_http_request_t *r);

/*
 * Replaces the list of the request's headers by a copy, without the fields
 * that "keep" leaves out.  The old list stays where it is, so pointers into it
 * remain good.  NGX_OK, or NGX_ERROR with the old list in place.
 */
ngx_int_t ngx_agt_headers_copy(ngx_http_request_t *r, ngx_agt_headers_pt keep,
    const void *data);

/*
 * Adds a field to the request, at the end.  Name and value are not copied, must
 * live as long as the request, and the value must end with a null.  Returns the
 * field, or NULL if there is no memory.
 */
ngx_table_elt_t *ngx_agt_headers_add(ngx_http_request_t *r,
    const ngx_str_t *name, const ngx_str_t *value);

/*
 * Sets a field of the response: "h" is written anew, or a field is added where
 * "h" is NULL.  Name and value are not copied and must live as long as the
 * request.  Returns the field, or NULL if there is no memory.
 */
ngx_table_elt_t *ngx_agt_headers_set(ngx_http_request_t *r,
    ngx_table_elt_t *h, const ngx_str_t *name, const ngx_str_t *value);

/*
 * Tells nginx that "next" follows "h" in a list of fields of one name.  nginx
 * before 1.23 knows only the first of them.
 */
void ngx_agt_headers_link(ngx_table_elt_t *h, ngx_table_elt_t *next);

/*
 * Notes the credentials that the request has now.
 */
void ngx_agt_headers_credentials(ngx_http_request_t *r,
    ngx_agt_credentials_t *credentials);

/*
 * Puts noted credentials in place of those that the request has now, in a new
 * list.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_headers_restore(ngx_http_request_t *r,
    ngx_agt_credentials_t *credentials);

/*
 * Has nginx's variables read the cookies that stand in the list now.  NGX_OK,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_headers_link_cookies(ngx_http_request_t *r);

/*
 * Has nginx's variables no longer read this field, of which the list may hold
 * a copy: X-Forwarded-For, Via, Host, User-Agent and Referer are kept in places
 * of their own.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_headers_forget(ngx_http_request_t *r,
    const ngx_table_elt_t *h);


#endif /* _NGX_AGT_REQUEST_HEADERS_H_INCLUDED_ */
