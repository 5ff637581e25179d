
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_
#define _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The body of a request as a document, for rules that ask for a value in it.
 * It is read as strictly as a Token and with the same limits, except that a
 * document has fewer values at most.  It is read once; after that, the cost of
 * a pointer depends on the pointer's length.
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
 * Finds the string that a pointer (RFC 6901) names in "document", which
 * ngx_agt_json_document() has returned.  Returns NGX_OK with "value" set, which
 * lives as long as the document; NGX_DECLINED where there is no string at this
 * place, or where a second member on the way has the same name but for case:
 * some servers would read the second one.
 */
ngx_int_t ngx_agt_json_pointer(void *document,
    const ngx_str_t *pointer, ngx_str_t *value);


#endif /* _NGX_AGT_JSON_DOCUMENT_H_INCLUDED_ */
