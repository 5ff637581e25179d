
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_TABLE_H_INCLUDED_
#define _NGX_AGT_ZONE_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/digest.h"


/*
 * A bounded table of entries of various sizes in one run of memory, found by a
 * key of 32 bytes.  Nothing in it is an address, so it can lie in shared
 * memory.  Its functions take no lock: the caller holds it.  Only ..._peek(),
 * ..._touch() and ..._holds() may be called without the lock.
 *
 * Entries lie in an arena that a hand walks round, as in a clock: to make room
 * it takes entries that were not looked up since it came by last.  An index of
 * 8 bytes a slot, probed linearly, finds an entry in two memory accesses, so
 * that a million entries cost little more than a thousand.  Slots are chosen
 * by a hash with a key of the table: a client that can choose keys cannot
 * choose slots.
 */

#define NGX_AGT_TABLE_KEY_LEN  32

/* bytes: the grain of the arena */
#define NGX_AGT_TABLE_UNIT     16

/* the least memory that makes a table, in bytes */
#define NGX_AGT_TABLE_MIN      1024


typedef struct {
    uint64_t    hash_key[2];
    uint64_t    stores;         /* entries stored so far */
    uint64_t    evictions;      /* entries evicted while of use */
    uint32_t    nslots;
    uint32_t    used;           /* entries that lie in it now */
    uint32_t    units;          /* of the arena */
    uint32_t    hand;           /* unit at which a block begins */
    uint32_t    units_used;
    uint32_t    slots_offset;   /* bytes from the table's beginning */
    uint32_t    arena_offset;
    uint32_t    reserved;
} ngx_agt_table_t;


/*
 * An entry, and also a free block, of which only the first two members count.
 * "data" holds facts_len bytes of facts, then rules_len bytes of rules.
 */

typedef struct {
    uint32_t  units;          /* of the whole block */
    uint8_t   used;
    uint8_t   reserved;
    uint8_t   class;
    uint8_t   reason;

    uint32_t  tag;
    uint32_t  origin;        /* the second part of the key */
    u_char    key[NGX_AGT_TABLE_KEY_LEN];

    uint64_t  sent;           /* milliseconds, monotonic: when asked */
    uint64_t  asked;          /* the same, for the first time */
    uint64_t  serial;         /* no two entries ever stored share it */
    uint64_t  clean;          /* denials were looked through so far */
    uint32_t  late;           /* seconds seen past expiry, plus one */
    uint32_t  facts_len;
    uint32_t  rules_len;

    u_char    data[1];
} ngx_agt_entry_t;


/* the slot of the index where an entry was found, and its content */

typedef struct {
    uint32_t    slot;
    uint32_t    tag;
    uint32_t    place;
} ngx_agt_table_seen_t;


/*
 * Makes an empty table of the "size" bytes at "mem" (aligned to 16), with one
 * slot for each "per_entry" bytes of it.  Returns NULL where "size" is less
 * than NGX_AGT_TABLE_MIN.
 */
ngx_agt_table_t *ngx_agt_table_init(void *mem,
    size_t size, size_t per_entry, const uint64_t *hash_key);

/*
 * Drops all entries, in whatever state a process left the table that died while
 * it changed it.  Serials go on.
 */
void ngx_agt_table_wipe(ngx_agt_table_t *t);

/*
 * Returns the entry with this key and origin, or NULL.  Keys are compared as a
 * whole and in constant time.
 */
ngx_agt_entry_t *ngx_agt_table_find(
    ngx_agt_table_t *t, const u_char *key, uint32_t origin);

/*
 * Works like ..._find(), but without the lock: it never reads outside the table
 * and always ends, even if another process changes the table meanwhile.  Its
 * result, NULL too, counts only if there has been no change since; the caller
 * checks that, and calls ..._holds() before it reads data.  "seen" is set for
 * ..._touch().
 */
ngx_agt_entry_t *ngx_agt_table_peek(ngx_agt_table_t *t, const u_char *key,
    uint32_t origin, ngx_agt_table_seen_t *seen);

/*
 * Notes that an entry was looked up, so that it is spared once; needs no lock.
 * Does nothing where the entry is no longer in the slot of "seen".
 */
void ngx_agt_table_touch(ngx_agt_table_t *t, const ngx_agt_table_seen_t *seen);

/*
 * Returns 1 if "len" bytes of data of an entry lie within the table, else 0.
 */
ngx_uint_t ngx_agt_table_holds(ngx_agt_table_t *t,
    const ngx_agt_entry_t *e, size_t len);

/*
 * Makes room for an entry with "len" bytes of data and puts it in place of any
 * that has the same key and origin.  Key, origin, serial and tag are set, all
 * else is zero, and the caller fills "data".  Evicts as needed, looking at a
 * bounded number of entries that were looked up lately.  Returns NULL where the
 * data is larger than a quarter of the arena; an entry with the same key and
 * origin is removed in this case too.
 */
ngx_agt_entry_t *ngx_agt_table_store(ngx_agt_table_t *t, const u_char *key,
    uint32_t origin, size_t len);

/*
 * Removes an entry that lies in the table.
 */
void ngx_agt_table_remove(ngx_agt_table_t *t, ngx_agt_entry_t *e);

/*
 * Returns the entry in slot number "slot" of the index, which has t->nslots
 * slots, or NULL.
 */
ngx_agt_entry_t *ngx_agt_table_slot(ngx_agt_table_t *t, uint32_t slot);


#endif /* _NGX_AGT_ZONE_TABLE_H_INCLUDED_ */
