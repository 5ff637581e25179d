
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_BASIC_H_INCLUDED_
#define _NGX_AGT_TOKEN_BASIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/bearer.h"


/*
 * An API key in an Authorization field of the scheme Basic (RFC 7617; API:
 * section "API keys"): base64 of user name, ":" and key.  The user name is the
 * e-mail address of the user who has made the key.
 */

/* bytes of user name, ":" and key together, and characters of their base64 */
#define NGX_AGT_BASIC_MAX         141
#define NGX_AGT_BASIC_MAX_BASE64  188


/* both strings lie in "text" */

typedef struct {
    ngx_str_t  user;
    ngx_str_t  key;
    u_char     text[NGX_AGT_BASIC_MAX];
} ngx_agt_basic_t;


/*
 * Reads what stands after the scheme, with a length of "max" bytes at most.
 * Returns NGX_AGT_BEARER_FOUND; TOO_LONG where the value is longer than "max"
 * or longer than an API key can be; MALFORMED where it is no base64, or what it
 * holds has no ":", a control character, or nothing before or after the first
 * ":".  "basic" belongs to the caller, and has a secret in it after any result:
 * ngx_explicit_memzero() is to follow as soon as it is not needed.
 */
ngx_uint_t ngx_agt_basic_read(const ngx_str_t *value, size_t max,
    ngx_agt_basic_t *basic);


#endif /* _NGX_AGT_TOKEN_BASIC_H_INCLUDED_ */
