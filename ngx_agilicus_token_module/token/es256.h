
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_ES256_H_INCLUDED_
#define _NGX_AGT_TOKEN_ES256_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"


/*
 * Public keys on the curve P-256, and signatures by them: ES256, which is ECDSA
 * with SHA-256 (RFC 7518, section 3.4).
 */

/* bytes of a coordinate, of a point (x and y), and of a signature (r and s) */
#define NGX_AGT_ES256_COORDINATE  32
#define NGX_AGT_ES256_POINT       (2 * NGX_AGT_ES256_COORDINATE)
#define NGX_AGT_ES256_SIGNATURE   64

/* keys that a set can have */
#define NGX_AGT_ES256_KEYS        32


/* a public key; see zone/keys for those that are withdrawn */

typedef struct {
    u_char    point[NGX_AGT_ES256_POINT];

    /* digest of its "kid"; of a key without one, of its thumbprint's text */
    u_char    name[NGX_AGT_DIGEST_LEN];

    uint64_t  withdrawn;  /* ms, monotonic; 0: it is published */
    uint32_t  named;      /* it has a "kid" */
    uint32_t  reserved;
} ngx_agt_key_t;


/* a key that is ready to verify with */

typedef struct evp_pkey_ctx_st  ngx_agt_es256_t;


/*
 * Sets the name of a key without a "kid": the thumbprint of its point (RFC
 * 7638), which is what many servers take for a "kid".  NGX_OK, or NGX_ERROR
 * where no digest could be made.
 */
ngx_int_t ngx_agt_es256_name(ngx_agt_key_t *key);

/*
 * Makes a key ready to verify with, to be given to ngx_agt_es256_close().
 * Returns NULL where the point is not on the curve, or memory is short.
 */
ngx_agt_es256_t *ngx_agt_es256_open(const u_char *point);

/*
 * Frees a key that ngx_agt_es256_open() has made, or does nothing for NULL.
 */
void ngx_agt_es256_close(ngx_agt_es256_t *es256);

/*
 * Returns 1 if "signature", which has NGX_AGT_ES256_SIGNATURE bytes, is that of
 * the key over the data with this SHA-256, else 0.
 */
ngx_uint_t ngx_agt_es256_verify(ngx_agt_es256_t *es256, const u_char *digest,
    const u_char *signature);

/*
 * Reads all public keys in a text in PEM ("BEGIN PUBLIC KEY") into "keys",
 * which has places for NGX_AGT_ES256_KEYS, and names them.  Sets "*n" and
 * returns NGX_OK; NGX_ERROR where there is none, there are too many, one cannot
 * be read or is not on P-256, or where something else in PEM stands among them.
 */
ngx_int_t ngx_agt_es256_pem(const ngx_str_t *pem, ngx_agt_key_t *keys,
    ngx_uint_t *n);


#endif /* _NGX_AGT_TOKEN_ES256_H_INCLUDED_ */
