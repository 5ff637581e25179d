
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_
#define _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The body of a request as a document, for rules that ask for a value in it.
 * Reading is as strict as that of a Token, and has the same limits but for the
 * values in it, all together, of which there are less.  It is read once; what a
 * pointer costs then depends on its own length.
 */

#define NGX_AGT_JSON_MAX_DOCUMENT  3072

typedef struct ngx_agt_json_document_s
    ngx_agt_json_document_t;


/*
 * Reads a body that is an object or an array.  Returns it, to be released with
 * ngx_agt_json_release(), or NULL where it is not JSON, is over a
 * limit, or memory is short.
 */
ngx_agt_json_document_t *ngx_agt_json_document(const u_char *body, size_t len);

/*
 * Releases a document, and clears "*document"; it may be NULL already.
 */
void ngx_agt_json_release(ngx_agt_json_document_t **document);

/*
 * Finds the string that a pointer (RFC 6901) names in "document", which is one
 * of ngx_agt_json_document().  NGX_OK with "value" set, which lives
 * as long as the document; NGX_DECLINED where nothing or something else is
 * there, or where a member on the way has a namesake but for case: there are
 * readers that would take that one.
 */
ngx_int_t ngx_agt_json_pointer(void *document,
    const ngx_str_t *pointer, ngx_str_t *value);


#endif /* _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_ */
