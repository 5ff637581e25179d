
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_KEYS_H_INCLUDED_
#define _NGX_AGT_ZONE_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "json/jwt.h"
#include "zone/zone.h"


/*
 * The public keys of an API.  They lie in the first zone, with the process that
 * fetches them and the time of the fetch; each worker has a copy that is ready
 * to verify with.  Keys judge a token only to refuse it, so no keys at all is
 * always a good answer.
 *
 * The functions with "zone" take its mutex; the zone has NGX_AGT_ZONE_KEYS_MIN
 * bytes at least.  "source" is the digest of where
 * keys come from: keys of another source count as none.
 */

/* ms for which a withdrawn key is kept */
#define NGX_AGT_KEYS_WITHDRAWN  (24 * 60 * 60 * 1000)

/* ms between two fetches on account of tokens, and after one that failed */
#define NGX_AGT_KEYS_AGAIN      10000

/* keys that are tried for a token that names none of them */
#define NGX_AGT_KEYS_TRIED      4


/* what the keys say of a token */

typedef enum {
    NGX_AGT_KEYS_GOOD = 0,    /* a published key has signed it */
    NGX_AGT_KEYS_WITHDRAWN_GOOD, /* one that was withdrawn lately has */
    NGX_AGT_KEYS_OPEN,        /* more keys could have than are tried */
    NGX_AGT_KEYS_FORGED,      /* the key that it names has not, or it is */
                              /* not signed at all */
    NGX_AGT_KEYS_UNVERIFIED,  /* it names no key, and none has */
    NGX_AGT_KEYS_UNKNOWN      /* it names a key or an "alg" not known here */
} ngx_agt_keys_e;


/*
 * Sets where the keys come from for the workers of the configuration "cycle";
 * in the master, before these workers start.  Keys of another source are
 * dropped, and older workers fetch no more.
 */
void ngx_agt_keys_configure(ngx_agt_zone_t *zone, const u_char *source,
    uint32_t cycle);

/*
 * Puts keys that the master has read from a file in place of those before,
 * which are withdrawn.  "now" is in ms, monotonic.
 */
void ngx_agt_keys_put(ngx_agt_zone_t *zone, const ngx_agt_key_t *keys,
    ngx_uint_t n, uint64_t now);

/*
 * Asks whether this worker, of the configuration "cycle", is to fetch the keys
 * now, because "interval" ms have passed since the last time, or because of a
 * token where "interval" is 0.  Returns NGX_OK if so: no other worker fetches
 * them until ngx_agt_keys_end() or for "timeout" ms.  Else NGX_DECLINED.
 */
ngx_int_t ngx_agt_keys_begin(ngx_agt_zone_t *zone, const u_char *source,
    uint32_t cycle, uint64_t now, ngx_msec_t interval, ngx_msec_t timeout);

/*
 * Ends a fetch of this worker with the keys that it has brought; with none
 * where it has failed, and the last good keys stay.  Does nothing if the fetch
 * is not this worker's any more, or keys come from another source by now.
 * Returns 1 if the keys have changed, else 0.
 */
ngx_uint_t ngx_agt_keys_end(ngx_agt_zone_t *zone, const u_char *source,
    const ngx_agt_key_t *keys, ngx_uint_t n, uint64_t now);

/*
 * Gives a fetch of this worker up, so that another worker begins one at once.
 */
void ngx_agt_keys_leave(ngx_agt_zone_t *zone);

/*
 * Asks whether a token that the worker's copy of the keys does not know may be
 * refused.
 *
 * NGX_OK        yes: the copy is what the last fetch on account of a token has
 *               brought, or a later one
 * NGX_AGAIN     no: a fetch is under way, the last one has failed, or this
 *               worker's copy is too old
 * NGX_DECLINED  no: the keys are to be fetched again
 */
ngx_int_t ngx_agt_keys_settled(ngx_agt_zone_t *zone, uint64_t now);

/*
 * Brings this worker's copy up to date, and returns how many keys it has,
 * withdrawn ones too.
 */
ngx_uint_t ngx_agt_keys_see(ngx_agt_zone_t *zone, const u_char *source);

/*
 * Judges a token by this worker's copy.  "digest" is the SHA-256 of what is
 * signed; "signature" has NGX_AGT_ES256_SIGNATURE bytes, and is NULL where the
 * token's has another length.
 */
ngx_agt_keys_e ngx_agt_keys_judge(const ngx_agt_jwt_header_t *header,
    const u_char *digest, const u_char *signature, uint64_t now);

/*
 * Frees this worker's copy.
 */
void ngx_agt_keys_exit(void);


#endif /* _NGX_AGT_ZONE_KEYS_H_INCLUDED_ */
