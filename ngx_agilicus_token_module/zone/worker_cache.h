
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_WORKER_CACHE_H_INCLUDED_
#define _NGX_AGT_ZONE_WORKER_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"


/*
 * Tokens that a worker has seen: their facts ready to read and their rules
 * ready to match.  An entry is a copy of one entry of a zone, and counts only
 * while that one is the same.  A request that reads an entry holds it: it is
 * neither freed nor overwritten before the last request has released it.
 *
 * The memory is the worker's own, is left out of cores, and is zeroed as
 * entries are dropped.  A part of it holds the digests of tokens; see
 * digest_cache.
 */

/* the least memory in bytes */
#define NGX_AGT_WORKER_CACHE_MIN  65536


/* the key of an entry: all three are compared */

typedef struct {
    const u_char                  *token;    /* its digest */
    const u_char                  *origin;  /* digest of all else */
    uint64_t                       zone;     /* hash key of the zone */
} ngx_agt_worker_key_t;


/* an entry, which is never changed; it lives until it is released */

typedef struct {
    ngx_agt_facts_t  facts;
    ngx_str_t        packed;
    ngx_str_t        rules;    /* packed */
    uint64_t         serial;   /* of the zone's entry */
    unsigned         has_rules:1;  /* they were copied, too */
} ngx_agt_worker_entry_t;


/*
 * Makes a worker's memory of "size" bytes.  Returns NGX_OK, or NGX_ERROR where
 * memory is short: nothing is then kept, but all functions may be called.
 * ..._exit() zeroes and frees the memory.
 */
ngx_int_t ngx_agt_worker_cache_init(size_t size);
void ngx_agt_worker_cache_exit(void);

/*
 * Returns the entry of a key, or NULL.  The entry may be read until the next
 * call of a function of this file, and after that only if it was held before.
 */
const ngx_agt_worker_entry_t *ngx_agt_worker_cache_find(
    const ngx_agt_worker_key_t *key);

/*
 * Copies packed facts and rules into a new entry, in place of any with this
 * key, and drops entries that are not held as needed.  Returns the entry, which
 * is held by the caller; or NULL where there is no room, where the entry would
 * take more than a quarter of the memory, where a full memory has not been
 * asked for this key lately, or where the facts cannot be opened.
 */
const ngx_agt_worker_entry_t *ngx_agt_worker_cache_add(
    const ngx_agt_worker_key_t *key, const ngx_str_t *facts,
    const ngx_str_t *rules, uint64_t serial, ngx_uint_t has_rules);

/*
 * Hold an entry that was found, and release an entry that is held.  An entry
 * must be released as often as it was held.
 */
void ngx_agt_worker_cache_hold(const ngx_agt_worker_entry_t *entry);
void ngx_agt_worker_cache_release(const ngx_agt_worker_entry_t *entry);

/*
 * Drops an entry that was found: it is not found any more, and is freed as soon
 * as no request holds it.
 */
void ngx_agt_worker_cache_drop(const ngx_agt_worker_entry_t *entry);

/*
 * Checks the consistency of the memory; returns 1 if it is sound.  "used" is
 * set to the bytes that entries take, "held" to the bytes that held entries
 * take.  For tests.
 */
ngx_uint_t ngx_agt_worker_cache_sane(size_t *used, size_t *held);


#endif /* _NGX_AGT_ZONE_WORKER_CACHE_H_INCLUDED_ */
