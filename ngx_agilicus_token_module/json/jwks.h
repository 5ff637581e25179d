
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_JWKS_H_INCLUDED_
#define _NGX_AGT_JSON_JWKS_H_INCLUDED_


#include "json/json.h"
#include "token/es256.h"


/* bytes of a set of keys */
#define NGX_AGT_JWKS_MAX  65536


/*
 * Reads a set of public keys (RFC 7517; API: GET /v1/tokens/jwsk) into "keys",
 * which has places for NGX_AGT_ES256_KEYS, and sets "*n" to their number.
 *
 * A key counts if it is for ES256: "kty" EC, "crv" P-256, "use" absent or
 * "sig", "alg" absent or ES256, "key_ops" absent or with "verify", no private
 * part, "x" and "y" of 32 bytes each, on the curve.  All others are skipped
 * (RFC 7517, section 5).  Returns NGX_OK if at least one counts.
 *
 * Returns NGX_ERROR, and what is wrong in "*wrong", a constant: the body is no
 * set, no key in it counts, it has more than NGX_AGT_ES256_KEYS members, or two
 * of its keys for ES256 have one "kid".
 */
ngx_int_t ngx_agt_json_jwks(const u_char *body, size_t len,
    ngx_agt_key_t *keys, ngx_uint_t *n, const char **wrong);


#endif /* _NGX_AGT_JSON_JWKS_H_INCLUDED_ */
