
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_SEAL_H_INCLUDED_
#define _NGX_AGT_ZONE_SEAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"


/*
 * Sealing of tokens that must lie in shared memory (AES-256-GCM with a random
 * nonce).  The key is made once by the master, inherited by fork, kept over
 * reload; it lies on a page of its own that is locked and left out of cores.
 */

/* bytes that a seal adds: nonce and tag */
#define NGX_AGT_SEAL_LEN  28


/*
 * Makes the key where there is none yet; in the master.  Returns NGX_OK, or
 * NGX_ERROR, with the cause logged.
 */
ngx_int_t ngx_agt_seal_init(ngx_log_t *log);

/*
 * Seals "plain" into "out" of plain->len + NGX_AGT_SEAL_LEN bytes, bound to
 * "bound": the seal opens only with the same "bound".  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_seal_encrypt(const ngx_str_t *plain,
    const ngx_str_t *bound, u_char *out);

/*
 * Opens a seal into "out" of sealed->len - NGX_AGT_SEAL_LEN bytes.  Returns
 * NGX_OK, or NGX_ERROR where the seal is broken, was made with another key or
 * is bound to something else: "out" is then zeroed.
 */
ngx_int_t ngx_agt_seal_decrypt(const ngx_str_t *sealed,
    const ngx_str_t *bound, u_char *out);

/*
 * Writes the digest of a secret that its bearer may have chosen to "out"
 * (NGX_AGT_DIGEST_LEN bytes): SHA-256 of a key that is made and kept like the
 * one for sealing, and of the "n" parts, of which there are 6 at most.  A
 * reader of zones or logs cannot guess such a secret, and no token has the same
 * digest.  A caller whose parts vary in length must make sure that different
 * parts never give the same bytes.  Returns NGX_OK, or NGX_ERROR where there is
 * no key or libcrypto failed.
 */
ngx_int_t ngx_agt_seal_digest(u_char *out, const ngx_str_t *parts,
    ngx_uint_t n);


#endif /* _NGX_AGT_ZONE_SEAL_H_INCLUDED_ */
