
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_TLS_H_INCLUDED_
#define _NGX_AGT_API_CURL_TLS_H_INCLUDED_


#include "api/curl_internal.h"


/* callback of libcurl for a new TLS context; "data" is the pool */

CURLcode ngx_agt_curl_ssl_ctx(CURL *easy, void *ssl_ctx, void *data);

/*
 * Makes a store of the certificates in "pem", which the caller then owns.
 * Returns NULL where "pem" has no certificate.
 */
X509_STORE *ngx_agt_curl_load_store(const ngx_str_t *pem, ngx_log_t *log);


#endif /* _NGX_AGT_API_CURL_TLS_H_INCLUDED_ */
