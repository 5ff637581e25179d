
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_DIGEST_H_INCLUDED_
#define _NGX_AGT_TOKEN_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The SHA-256 of a token stands for the token almost everywhere.  Only buffers
 * of requests and calls, and the digest cache of a worker, hold the token
 * itself.
 */

#define NGX_AGT_DIGEST_LEN       32
#define NGX_AGT_FINGERPRINT_LEN  16


/*
 * Fetches the digest algorithm, once per process: an implicit fetch for each
 * digest costs a third of the digest itself.  Returns NGX_ERROR where libcrypto
 * has no SHA-256 to give; may be called again at no cost.  Must have been
 * called in the process before ngx_agt_digest().
 */
ngx_int_t ngx_agt_digest_init(void);

/*
 * Writes the SHA-256 of the "n" parts, one after the other without a separator,
 * to "out" (NGX_AGT_DIGEST_LEN bytes).  A caller whose parts vary in length
 * must make sure that different parts never give the same bytes.  Returns
 * NGX_OK, or NGX_ERROR where libcrypto failed: "out" is then all zero and must
 * not be used.
 */
ngx_int_t ngx_agt_digest(u_char *out, const ngx_str_t *parts, ngx_uint_t n);

/*
 * Compares two digests in a time that does not depend on where they differ;
 * returns 1 if they are equal, else 0.
 */
ngx_uint_t ngx_agt_digest_equal(const u_char *a, const u_char *b);

/*
 * Writes the fingerprint of a token, the first 16 hex digits of its digest, to
 * "out" (NGX_AGT_FINGERPRINT_LEN bytes, not terminated).  It is the output of
 * "printf %s TOKEN | sha256sum | cut -c1-16".  A fingerprint is safe to log.
 */
void ngx_agt_digest_fingerprint(const u_char *digest, u_char *out);

/*
 * The first eight hex digits of a digest, as a number of 32 bits that "%08xD"
 * prints.  Debug lines never have more of a digest.
 */
#define ngx_agt_digest_head(digest)                                          \
    ((uint32_t) (digest)[0] << 24 | (uint32_t) (digest)[1] << 16             \
     | (uint32_t) (digest)[2] << 8 | (digest)[3])

/*
 * The two functions below fold the 128 bits of the product of "a" and "b" to
 * 64: the upper half XOR the lower.  With secret factors it spreads keys that
 * clients can choose.  Both give the same number; the first multiplies at once
 * where the compiler has a type of 128 bits, the second multiplies the halves.
 */

static ngx_inline uint64_t
ngx_agt_digest_fold_halves(uint64_t a, uint64_t b)
{
    uint64_t  low, middle, high;

    low = (uint64_t) (uint32_t) a * (uint32_t) b;
    high = (a >> 32) * (b >> 32);

    /* none of these sums overflows: (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1 */

    middle = (a >> 32) * (uint32_t) b + (low >> 32);
    high += middle >> 32;

    middle = (uint64_t) (uint32_t) a * (b >> 32) + (uint32_t) middle;
    high += middle >> 32;

    return high ^ (middle << 32 | (uint32_t) low);
}


static ngx_inline uint64_t
ngx_agt_digest_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__

    unsigned __int128  product;

    product = (unsigned __int128) a * b;

    return (uint64_t) (product >> 64) ^ (uint64_t) product;

#else

    return ngx_agt_digest_fold_halves(a, b);

#endif
}


#endif /* _NGX_AGT_TOKEN_DIGEST_H_INCLUDED_ */
