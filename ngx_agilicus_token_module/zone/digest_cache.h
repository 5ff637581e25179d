
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_
#define _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"


/*
 * The digests of the few tokens that a worker sees again and again: to compare
 * a token costs a thirtieth of digesting it.  Tokens are compared as a whole; a
 * token that is dropped is zeroed.
 */

/* tokens that a worker remembers at most, and the longest of them in bytes */
#define NGX_AGT_DIGEST_CACHE_PLACES  64
#define NGX_AGT_DIGEST_CACHE_MAX     2048


/*
 * Sets the cache up in the "size" bytes at "mem".  They must be aligned to 64
 * and live as long as the functions below are called.  Where they are too few,
 * the cache remembers nothing.  Drops all earlier tokens.  Returns how many
 * bytes are used.
 */
size_t ngx_agt_digest_cache_init(void *mem, size_t size);

/*
 * Returns the digest of a b64token that the cache remembers, or NULL.  The
 * digest may be read until the next call of ngx_agt_digest_cache_add().
 */
const u_char *ngx_agt_digest_cache_find(const ngx_str_t *token);

/*
 * Remembers a b64token and its digest (NGX_AGT_DIGEST_LEN bytes) if the place
 * for it is free, or if the token in this place was not looked for lately.
 */
void ngx_agt_digest_cache_add(const ngx_str_t *token, const u_char *digest);


#endif /* _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_ */
