
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_JSON_H_INCLUDED_
#define _NGX_AGT_JSON_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * JSON documents in general.  Only this room knows jansson.
 *
 * Every document is read strictly (RFC 8259): it must be UTF-8 without a byte
 * order mark, have no duplicate names, no NUL in a string and nothing behind
 * its end, and keep the limits below.  The limits are checked before jansson
 * builds anything.
 */

/* bytes of an API body; no more of an answer is received */
#define NGX_AGT_JSON_MAX_BODY    262144

/* arrays and objects within each other */
#define NGX_AGT_JSON_MAX_DEPTH   32

/* values in one document, all together */
#define NGX_AGT_JSON_MAX_VALUES  40000


/* the meaning of a content type for a body; its parameters are ignored */

typedef enum {
    NGX_AGT_JSON_TYPE_OTHER = 0,
    NGX_AGT_JSON_TYPE_NONE,      /* there is no type */
    NGX_AGT_JSON_TYPE_JSON,      /* application/json */
    NGX_AGT_JSON_TYPE_SUFFIX     /* application/...+json */
} ngx_agt_json_type_e;


/*
 * Makes the seed of jansson's hash tables.  The seed is read from a file, so
 * this is called once in each process before the first document is read, best
 * before workers are made.  Another call costs nothing.
 */
void ngx_agt_json_init(void);

/*
 * Returns the type that the value of a Content-Type header names.
 */
ngx_agt_json_type_e ngx_agt_json_type(const ngx_str_t *type);

/*
 * Returns 1 if a body is exactly one JSON object, else 0.
 */
ngx_uint_t ngx_agt_json_is_object(const u_char *body, size_t len);


#endif /* _NGX_AGT_JSON_JSON_H_INCLUDED_ */
