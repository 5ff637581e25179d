
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_ANSWER_H_INCLUDED_
#define _NGX_AGT_API_CURL_ANSWER_H_INCLUDED_


#include "api/curl_internal.h"


/* libcurl's callbacks for parts of an answer; "data" is the operation */

size_t ngx_agt_curl_header(char *p, size_t size, size_t n, void *data);
size_t ngx_agt_curl_write(char *p, size_t size, size_t n, void *data);

/*
 * Returns how an operation ended, from libcurl's code and the part of the
 * answer that was read.
 */
ngx_agt_curl_e ngx_agt_curl_class(ngx_agt_curl_op_t *op, CURLcode code);

/*
 * Returns the same as words for a log, which never contain sent or received
 * data.
 */
const char *ngx_agt_curl_message(ngx_agt_curl_op_t *op,
    ngx_agt_curl_e error, CURLcode code);


#endif /* _NGX_AGT_API_CURL_ANSWER_H_INCLUDED_ */
