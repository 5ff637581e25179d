
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_
#define _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"


/*
 * Which bytes had which digest, for the few tokens that a worker sees again
 * and again: comparing a token costs a thirtieth of digesting it.  Bytes are
 * compared as a whole; what is forgotten is zeroed.
 */

/* tokens that a worker remembers at most, and the longest of them in bytes */
#define NGX_AGT_DIGEST_CACHE_PLACES  64
#define NGX_AGT_DIGEST_CACHE_MAX     2048


/*
 * Has all be remembered in the "size" bytes at "mem", which are aligned to 64
 * and live as long as anything is asked for, or nothing where they are too few;
 * what was remembered before is forgotten.  Returns how many bytes are used.
 */
size_t ngx_agt_digest_cache_init(void *mem, size_t size);

/*
 * The digest of a token that is remembered, good until the next call of
 * ngx_agt_digest_cache_add(); NULL if it is not.  What is remembered is a
 * b64token.
 */
const u_char *ngx_agt_digest_cache_find(const ngx_str_t *token);

/*
 * Remembers a b64token, of NGX_AGT_DIGEST_LEN bytes of digest, if
 * its place is free or the one there was not looked for lately.
 */
void ngx_agt_digest_cache_add(const ngx_str_t *token, const u_char *digest);


#endif /* _NGX_AGT_ZONE_DIGEST_CACHE_H_INCLUDED_ */
