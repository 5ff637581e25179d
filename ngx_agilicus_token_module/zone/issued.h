
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_ISSUED_H_INCLUDED_
#define _NGX_AGT_ZONE_ISSUED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/cache.h"
#include "zone/seal.h"


/*
 * Tokens that the edge has got from the API, for upstream or for a caller.
 * They lie in a zone like facts, sealed, under a key that depends on their
 * purpose.  The facts that the API has told of them lie beside them.
 */

/* the longest token that is kept, in bytes */
#define NGX_AGT_ISSUED_MAX  16384


typedef struct {
    ngx_agt_class_e    class;    /* ACTIVE, or INVALID: refused */
    ngx_agt_reason_e   reason;
    uint16_t           cause;    /* of a refusal, see ngx_agt_cause_e */
    uint64_t           sent;     /* milliseconds, monotonic */
    uint64_t           serial;
    ngx_atomic_uint_t  clean;    /* see cache */
    uint32_t           late;
    int64_t            exp;      /* seconds since the epoch */
    unsigned           has_exp:1;
    unsigned           verified:1;
    ngx_str_t          token;    /* in the caller's buffer */
    ngx_str_t          facts;    /* live until the next look-up */
} ngx_agt_issued_t;


/*
 * Packs the times of a token of which the API has told no facts yet into "buf"
 * of "size" bytes; returns the length, or 0 where they do not fit.  From "exp"
 * on (seconds since the epoch) the token must not be used.
 */
size_t ngx_agt_issued_pack(u_char *buf, size_t size,
    ngx_uint_t has_exp, int64_t exp);

/*
 * Stores a token, sealed, with its packed facts, or with the result of
 * ngx_agt_issued_pack().  "reason" is the purpose of the token: REISSUE or
 * CREATE.  Returns NGX_OK, or an error where the token could not be stored: no
 * request fails because of it.
 */
ngx_int_t ngx_agt_issued_store(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, ngx_agt_reason_e reason,
    const ngx_str_t *packed, const ngx_str_t *token, uint64_t sent);

/*
 * Finds the entry under a key: a token, opened into "buf" of NGX_AGT_ISSUED_MAX
 * bytes, which the caller owns and zeroes; or a refusal.  A token is verified
 * if its own facts lie beside it.  Returns NGX_OK, or NGX_DECLINED where there
 * is no entry.
 */
ngx_int_t ngx_agt_issued_find(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, u_char *buf, ngx_agt_issued_t *secret);

/*
 * Store and find the raw token of an API key, which lies sealed beside the
 * facts of "key", under a key of its own.  "sent" is the time of the call that
 * has brought both: only with the facts of the same call the raw token counts.
 * An empty token is one too.  Return as the functions above; NGX_DECLINED also
 * where the raw token is of another call.
 */
ngx_int_t ngx_agt_issued_store_raw(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, const ngx_str_t *token, uint64_t sent);
ngx_int_t ngx_agt_issued_find_raw(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, uint64_t sent, u_char *buf,
    ngx_str_t *token);


#endif /* _NGX_AGT_ZONE_ISSUED_H_INCLUDED_ */
