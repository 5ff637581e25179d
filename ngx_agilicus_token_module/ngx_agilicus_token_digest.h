
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_DIGEST_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What stands for a token everywhere else: its SHA-256.  The token itself is
 * kept in request and call buffers only.
 */

#define NGX_AGILICUS_TOKEN_DIGEST_LEN       32
#define NGX_AGILICUS_TOKEN_FINGERPRINT_LEN  16


/*
 * Fetches the digest algorithm, once per process: an implicit fetch for each
 * digest costs a third of the digest itself.  Returns NGX_ERROR where libcrypto
 * has no SHA-256 to give; may be called again at no cost.  Must have been
 * called in the process before ngx_agilicus_token_digest().
 */
ngx_int_t ngx_agilicus_token_digest_init(void);

/*
 * Writes the SHA-256 of the "n" parts, one after the other with nothing in
 * between, to "out" (NGX_AGILICUS_TOKEN_DIGEST_LEN bytes).  Callers that mix
 * parts of varying length keep them apart themselves.  Returns NGX_OK, or
 * NGX_ERROR where libcrypto failed: "out" is then all zero and must not be
 * used.
 */
ngx_int_t ngx_agilicus_token_digest(u_char *out, ngx_str_t *parts,
    ngx_uint_t n);

/*
 * Compares two digests in a time that does not depend on where they differ;
 * returns 1 if they are equal, else 0.
 */
ngx_uint_t ngx_agilicus_token_digest_equal(const u_char *a, const u_char *b);

/*
 * Writes the fingerprint of a token, the first 16 hex digits of its digest, to
 * "out" (NGX_AGILICUS_TOKEN_FINGERPRINT_LEN bytes, not terminated).  It is what
 * "printf %s TOKEN | sha256sum | cut -c1-16" prints, and safe to log.
 */
void ngx_agilicus_token_digest_fingerprint(const u_char *digest, u_char *out);


#endif /* _NGX_AGILICUS_TOKEN_DIGEST_H_INCLUDED_ */
