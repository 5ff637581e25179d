
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_INTERNAL_H_INCLUDED_
#define _NGX_AGT_JSON_INTERNAL_H_INCLUDED_


/*
 * What the files that know jansson share; nobody else includes this.
 */

#include "json/json.h"

#include <jansson.h>


/*
 * Reads a document that is an object, within "max" bytes and "max_values"
 * values.  Returns it, to be released with json_decref(), or NULL.
 */
json_t *ngx_agt_json_load(const u_char *body, size_t len,
    size_t max, ngx_uint_t max_values);

/*
 * The same for a document that may be an array too.
 */
json_t *ngx_agt_json_load_any(const u_char *body, size_t len,
    size_t max, ngx_uint_t max_values);

/*
 * A member of an object, borrowed; NULL where it is absent or null.
 */
json_t *ngx_agt_json_get(json_t *object, const char *name);

/*
 * A string's bytes, which live as long as it does.
 */
void ngx_agt_json_text(json_t *string, ngx_str_t *text);

/*
 * Adds each other scalar member of a Token to the list of claims that was
 * begun, as a pair of name and text.
 */
void ngx_agt_json_add_claims(ngx_agt_facts_builder_t *b, json_t *root);

/*
 * The first member of a Token, or of its "user", that says at "now" that the
 * token is good for nothing: its name, with "user." before it, a constant; or
 * NULL.  The first time at which one will is put into "facts" as its end.
 */
const char *ngx_agt_json_says_no(json_t *root, int64_t now,
    ngx_agt_facts_t *facts);

/*
 * Reads a member that is a date.  NGX_OK with seconds since the epoch,
 * NGX_DECLINED where it is absent, NGX_ERROR where it cannot be read.
 */
ngx_int_t ngx_agt_json_date(json_t *object, const char *name, int64_t *sec);

/*
 * Writes a constant, and a string with what JSON needs escaped (at most six
 * bytes for each of its own); return the end.  The string is UTF-8.
 */
u_char *ngx_agt_json_copy(u_char *p, const char *text);
u_char *ngx_agt_json_escape(u_char *p, const ngx_str_t *text);


#endif /* _NGX_AGT_JSON_INTERNAL_H_INCLUDED_ */
