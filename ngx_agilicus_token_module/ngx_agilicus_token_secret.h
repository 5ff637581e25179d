
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_SECRET_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_agilicus_token_cache.h"
#include "ngx_agilicus_token_seal.h"


/*
 * Tokens that the edge itself was given, for upstream or for a caller: they
 * lie in a zone like facts, sealed, under a key that says what they were given
 * for.  Beside them lies whose they are, so that they go with their parent.
 */

/* the longest token that is kept, in bytes */
#define NGX_AGILICUS_TOKEN_SECRET_MAX  16384


typedef struct {
    ngx_agilicus_token_class_e     class;    /* ACTIVE, or INVALID: refused */
    ngx_agilicus_token_reason_e    reason;
    uint64_t                       sent;     /* milliseconds, monotonic */
    uint64_t                       serial;
    ngx_atomic_uint_t              clean;    /* see cache */
    int64_t                        exp;      /* seconds since the epoch */
    unsigned                       has_exp:1;
    unsigned                       verified:1;
    ngx_str_t                      token;    /* in the caller's buffer */
    ngx_str_t                      jti;      /* lives until the next look-up */
} ngx_agilicus_token_secret_t;


/* whose a token is: facts of its parent, and the parent's digest */

typedef struct {
    const u_char                      *digest;   /* NULL: it has no parent */
    const ngx_agilicus_token_facts_t  *facts;
} ngx_agilicus_token_parent_t;


/*
 * Packs whose a token is into "buf" of "size" bytes; returns the length, or 0
 * where it does not fit.  exp is when the token must no longer be used; "jti"
 * is its own, as the API said when it was looked at, NULL where it was not.
 */
size_t ngx_agilicus_token_secret_pack(u_char *buf, size_t size,
    const ngx_agilicus_token_parent_t *parent, ngx_uint_t has_exp,
    int64_t exp, const ngx_str_t *jti);

/*
 * Stores a token, sealed, with what ngx_agilicus_token_secret_pack() made.
 * "reason" says what it was given for: REISSUE or CREATE.  NGX_OK, or an error
 * where it could not be stored: that fails no request.
 */
ngx_int_t ngx_agilicus_token_secret_store(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key,
    ngx_agilicus_token_reason_e reason, const ngx_str_t *packed,
    const ngx_str_t *token, uint64_t sent);

/*
 * Finds what is kept under a key: a token, opened into "buf" of
 * NGX_AGILICUS_TOKEN_SECRET_MAX bytes, which the caller owns and zeroes; or a
 * refusal.  NGX_DECLINED where there is nothing.
 */
ngx_int_t ngx_agilicus_token_secret_find(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key, u_char *buf,
    ngx_agilicus_token_secret_t *secret);

/*
 * The digest of the token's parent, from what lies beside it; NGX_DECLINED
 * where it has none.
 */
ngx_int_t ngx_agilicus_token_secret_parent(ngx_agilicus_token_facts_t *facts,
    ngx_str_t *digest);

/*
 * Looks through "n" places of a zone from number "*place" on, for tokens whose
 * parent is denied at the API "api".  Each is taken out of the zone, opened
 * into "buf" and given to "handler".  Returns NGX_AGAIN with "*place" moved on,
 * or NGX_OK at the end.
 */
ngx_int_t ngx_agilicus_token_secret_reap(ngx_agilicus_token_zone_t *zone,
    ngx_agilicus_token_denials_t *denials, uint32_t context,
    const u_char *api, ngx_uint_t *place, ngx_uint_t n, u_char *buf,
    const ngx_agilicus_token_clock_t *now,
    void (*handler)(void *data, const ngx_str_t *token, int64_t exp),
    void *data);


#endif /* _NGX_AGILICUS_TOKEN_SECRET_H_INCLUDED_ */
