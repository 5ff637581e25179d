
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_READ_H_INCLUDED_
#define _NGX_AGT_JSON_READ_H_INCLUDED_


#include "json/json.h"

#include <jansson.h>


/*
 * Reading of documents, for the files of this room only: the other rooms do not
 * include jansson.
 */


/*
 * Reads a document that is an object, of at most "max" bytes and "max_values"
 * values.  Returns it, to be released with json_decref(); NULL where it is no
 * such document or memory is short.
 */
json_t *ngx_agt_json_load(const u_char *body, size_t len,
    size_t max, ngx_uint_t max_values);

/*
 * Does the same for a document that is an object or an array.
 */
json_t *ngx_agt_json_load_any(const u_char *body, size_t len,
    size_t max, ngx_uint_t max_values);

/*
 * Returns a member of an object, which keeps it; NULL where the member is
 * absent or null, or "object" is no object.
 */
json_t *ngx_agt_json_get(json_t *object, const char *name);

/*
 * Sets "text" to the bytes of a string, which live as long as the string.
 */
void ngx_agt_json_text(json_t *string, ngx_str_t *text);

/*
 * Reads a member that is a string, as the above.  Returns NGX_OK with "text"
 * set, NGX_DECLINED where the member is absent or null, NGX_ERROR where it is
 * not a string.
 */
ngx_int_t ngx_agt_json_string(json_t *object, const char *name,
    ngx_str_t *text);

/*
 * Reads a member that is a date.  Returns NGX_OK with "*sec" set to seconds
 * since the epoch, NGX_DECLINED where the member is absent or null, NGX_ERROR
 * where it is not a date.
 */
ngx_int_t ngx_agt_json_date(json_t *object, const char *name, int64_t *sec);


#endif /* _NGX_AGT_JSON_READ_H_INCLUDED_ */
