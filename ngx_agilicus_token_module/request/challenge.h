
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_
#define _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_


#include "request/context.h"


/*
 * Sets the headers of a refusal for ctx->decision (RFC 6750, section 3).
 * Returns its status, or NGX_HTTP_INTERNAL_SERVER_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_challenge_set(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * Takes the headers of an earlier refusal out of the response, where an error
 * page has led to a location that allows the request and the response has no
 * error status.
 */
void ngx_agt_challenge_withdraw(ngx_http_request_t *r);

/*
 * Returns the HTTP status of a decision; sets no header.
 */
ngx_int_t ngx_agt_challenge_status(const ngx_agt_decision_t *decision);

/*
 * Returns 1 if the text is an absolute URL of http or https that can stand in a
 * quoted-string as it is (RFC 9110, section 5.6.4), else 0.
 */
ngx_uint_t ngx_agt_challenge_is_url(const ngx_str_t *url);

/*
 * Writes the part of a challenge that is the same for all requests of a
 * location: scheme and realm.
 * Called when levels of the configuration are merged.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_challenge_init(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);


#endif /* _NGX_AGT_REQUEST_CHALLENGE_H_INCLUDED_ */
