
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_INTROSPECT_H_INCLUDED_
#define _NGX_AGT_API_INTROSPECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"


/*
 * The introspection of tokens at the Tokens API: sending the call, classing its
 * answers, and storing them.
 */


typedef struct {
    /*
     * The origin, the digest of the token as "key", the serial of an entry,
     * timeouts, headers, and the client that waits; its call is charged where
     * no facts of the token, of any age, are known.
     */
    ngx_agt_call_request_t  call;

    ngx_str_t               token;

    /* the token is the base64 of an API key; see basic */
    unsigned                api_key:1;

    /* how long a 410 denies a token that was never active here */
    ngx_msec_t              invalid;
} ngx_agt_introspect_t;


/*
 * Asks for the facts of a token (API: POST /v1/tokens/introspect), or of an API
 * key (POST /v1/api_keys/introspect): of a key they are those of its primary
 * token, and the answer has its raw token, if it has one, as well.  The answer
 * is stored before any waiter gets it, and a denial turns it into REVOKED.
 * Without a waiter, facts are refreshed in the background.  Returns the same as
 * ngx_agt_call_join().
 */
ngx_int_t ngx_agt_introspect(
    const ngx_agt_introspect_t *introspect,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);


/*
 * Denies a token that the API calls revoked, and drops its facts in all zones
 * and origins of this API.  "key" is the token's key for denials; "facts" are
 * facts that the caller has, or NULL.  If facts of any age say that the token
 * was ever active, it is denied until it expires, else for "invalid"
 * milliseconds.
 */
void ngx_agt_introspect_revoked(ngx_agt_api_t *api,
    const u_char *digest, const u_char *key,
    const ngx_agt_facts_t *facts, ngx_msec_t invalid);


#endif /* _NGX_AGT_API_INTROSPECT_H_INCLUDED_ */
