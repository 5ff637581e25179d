
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_CACHE_H_INCLUDED_
#define _NGX_AGT_ZONE_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denials.h"
#include "token/facts.h"
#include "token/reason.h"
#include "zone/zone.h"


/*
 * Facts in a zone.  The zone keeps answers and never a decision; each look-up
 * decides how old an answer may be.
 */

/*
 * The longest ages in milliseconds, of the location that reads.  "active" and
 * "watched" are not longer than "rights", which no "update" goes beyond; it is
 * NGX_AGT_CACHE_NO_BOUND for a location that judges no rights.
 */

#define NGX_AGT_CACHE_NO_BOUND  ((ngx_msec_t) -1)

typedef struct {
    ngx_msec_t                     active;
    ngx_msec_t                     watched;
    ngx_msec_t                     invalid;
    ngx_msec_t                     update;
    ngx_msec_t                     error;
    ngx_msec_t                     rights;
} ngx_agt_lifetimes_t;


typedef struct {
    const u_char                  *key;      /* the token's digest */
    uint32_t                       origin;
} ngx_agt_cache_key_t;


/*
 * An entry as it was found.  Its strings lie in memory that all look-ups share:
 * they live until the next look-up or call of any kind.  A caller that needs
 * them for longer makes a copy first.
 */

typedef struct {
    ngx_agt_class_e    class;
    ngx_agt_reason_e   reason;
    uint64_t           sent;     /* milliseconds, monotonic */
    uint64_t           asked;    /* the same, of the first call */
    uint64_t           serial;
    ngx_atomic_uint_t  clean;
    uint32_t           late;
    ngx_str_t          facts;    /* packed; of a refusal: its cause */
    ngx_str_t          rules;    /* packed; if wanted */
    size_t             rules_len;
} ngx_agt_found_t;


/* the wanted part of an entry; of unwanted rules only the length is found */

#define NGX_AGT_CACHE_FACTS  0
#define NGX_AGT_CACHE_RULES  1
#define NGX_AGT_CACHE_HEAD   2   /* neither facts nor rules */


/*
 * Copies the wanted part of the entry of a key to "found".  Returns NGX_OK, or
 * NGX_DECLINED where there is no entry.
 */
ngx_int_t ngx_agt_cache_find(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, ngx_uint_t want, ngx_agt_found_t *found);

/*
 * Returns the cause of a refusal that was found with its facts, see
 * ngx_agt_cause_e, or 0.
 */
uint16_t ngx_agt_cache_cause(const ngx_agt_found_t *found);

/*
 * Ends the life of the strings of ngx_agt_found_t, as every look-up and every
 * call does.  This function does something only in builds for tests with
 * NGX_AGT_SCRIBBLE: it overwrites and frees the memory that look-ups share.
 */
void ngx_agt_cache_forget(void);

/*
 * Stores an answer in place of any other answer under the key.  "sent" is the
 * time at which the call was sent, in milliseconds of the monotonic clock;
 * "asked" the time at which this edge first asked about the token, as far as
 * the caller knows: an earlier time in the entry stays.  "generation" is the
 * number that ngx_agt_denials_generation() returned before denials were looked
 * for.  An older answer never replaces a newer one.  Returns NGX_OK, or
 * NGX_DECLINED where the answer did not fit or was asked for before the zone
 * was purged: that fails no request.
 */
ngx_int_t ngx_agt_cache_store(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, ngx_agt_class_e class,
    ngx_agt_reason_e reason, const ngx_str_t *facts, const ngx_str_t *rules,
    uint64_t sent, uint64_t asked, ngx_atomic_uint_t generation);

/*
 * Purges the zone: from now on it stores no answer to a call that was sent
 * before.
 */
void ngx_agt_cache_purged(ngx_agt_zone_t *zone);

/*
 * Removes the answer under a key.
 */
void ngx_agt_cache_remove(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key);

/*
 * Notes in the entry of "found" that no denial stood against it as of
 * "generation", and that it was seen "late" seconds after its expiry, plus one.
 * Does nothing if the entry has been replaced meanwhile.
 */
void ngx_agt_cache_note(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    const ngx_agt_found_t *found, ngx_atomic_uint_t generation, uint32_t late);

/*
 * Returns the longest age, in milliseconds, at which an entry of "class" may be
 * used without a call.  "watched" is 1 if the facts have a jti and a healthy
 * feed polls their API.  The age is shortened by up to a tenth, differently for
 * each "key", so that entries stored together are not all asked for together.
 * Policy judges expiry.
 */
uint64_t ngx_agt_cache_limit(const ngx_agt_lifetimes_t *lifetimes,
    const u_char *key, ngx_agt_class_e class, ngx_uint_t has_exp,
    ngx_uint_t watched);


#endif /* _NGX_AGT_ZONE_CACHE_H_INCLUDED_ */
