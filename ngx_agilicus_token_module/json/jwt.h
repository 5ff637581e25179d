
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_JWT_H_INCLUDED_
#define _NGX_AGT_JSON_JWT_H_INCLUDED_


#include "json/json.h"
#include "token/digest.h"


/*
 * Tokens that are JWTs in compact form (RFC 7519; RFC 7515, section 7.1).  What
 * is read here has not been verified, and can only serve to refuse a token.
 */

/* bytes of a header, and of claims, that are read */
#define NGX_AGT_JWT_MAX_HEADER  4096
#define NGX_AGT_JWT_MAX_CLAIMS  65536


/* the parts of a token, which keep its memory */

typedef struct {
    ngx_str_t  header;
    ngx_str_t  claims;
    ngx_str_t  signature;
    ngx_str_t  input;      /* what is signed: header, dot, claims */
} ngx_agt_jwt_t;


typedef enum {
    NGX_AGT_JWT_ES256 = 0,
    NGX_AGT_JWT_UNSIGNED,  /* "none", and HMAC, whose key would be public */
    NGX_AGT_JWT_OTHER
} ngx_agt_jwt_alg_e;


typedef struct {
    ngx_agt_jwt_alg_e  alg;
    unsigned           has_kid:1;
    u_char             kid[NGX_AGT_DIGEST_LEN];  /* digest of it */
} ngx_agt_jwt_header_t;


/*
 * Divides a token into its parts.  NGX_OK; NGX_DECLINED where it is not three
 * parts in base64url, of which only the signature may be empty.
 */
ngx_int_t ngx_agt_jwt_split(const ngx_str_t *token, ngx_agt_jwt_t *jwt);

/*
 * Reads "alg" and "kid" from the header; all other members are ignored.
 * NGX_OK; NGX_DECLINED where it is no header of a JWT: no JSON object, with a
 * name that stands there twice, without an "alg", or with an "alg" or a "kid"
 * that is no string.
 */
ngx_int_t ngx_agt_jwt_header(const ngx_agt_jwt_t *jwt,
    ngx_agt_jwt_header_t *header);

/*
 * Sets "*exp" to the expiry among the claims, in seconds since the epoch.
 * NGX_OK; NGX_DECLINED where there is none; NGX_ERROR where the claims or the
 * expiry cannot be read.
 */
ngx_int_t ngx_agt_jwt_exp(const ngx_agt_jwt_t *jwt, int64_t *exp);


#endif /* _NGX_AGT_JSON_JWT_H_INCLUDED_ */
