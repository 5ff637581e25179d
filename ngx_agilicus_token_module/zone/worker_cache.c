
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/worker_cache.h"

#include <sys/mman.h>

#include "token/digest.h"
#include "zone/digest_cache.h"

#if defined(NGX_AGT_SCRIBBLE) && defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif


/* blocks are of so many bytes, or several times as many */
#define NGX_AGT_WORKER_CACHE_UNIT   64

/* bytes of memory for each bucket: most entries are no smaller */
#define NGX_AGT_WORKER_CACHE_PER    1024

/* the part of the memory, 1 of so many, that is for digests of tokens */
#define NGX_AGT_WORKER_CACHE_MEMO   4

/* blocks that are looked at and stay, at most, to make room once */
#define NGX_AGT_WORKER_CACHE_LOOKS  128


/* a block of the memory, and its head, which is all there is of a free one */

typedef struct ngx_agt_worker_block_s
    ngx_agt_worker_block_t;

struct ngx_agt_worker_block_s {
    size_t                   size;     /* of the whole block */
    unsigned                 used:1;
    unsigned                 linked:1; /* can be found */
    unsigned                 recent:1; /* was, since the hand */
    uint32_t                 holders;
    ngx_agt_worker_block_t  *next;     /* in its bucket */

    uint64_t                 zone;
    u_char                   token[NGX_AGT_DIGEST_LEN];
    u_char                   origin
                             [NGX_AGT_DIGEST_LEN];
    ngx_agt_worker_entry_t   entry;
};


typedef struct {
    u_char                   *memory;   /* NULL: there is none */
    size_t                    size;
    u_char                   *start;    /* of blocks */
    u_char                   *end;
    u_char                   *hand;     /* at a block's beginning */
    size_t                    used;     /* bytes of entries */
    ngx_uint_t                nbuckets; /* a power of two */
    ngx_agt_worker_block_t  **buckets;
    uint32_t                 *asked;    /* as many: see is_asked */
} ngx_agt_worker_cache_t;


static ngx_agt_worker_block_t *
    ngx_agt_worker_cache_block(const ngx_agt_worker_entry_t *entry);
static ngx_uint_t ngx_agt_worker_cache_is(const ngx_agt_worker_block_t *b,
    const ngx_agt_worker_key_t *key);
static uint64_t ngx_agt_worker_cache_hash(const u_char *token,
    const u_char *origin);
static ngx_uint_t ngx_agt_worker_cache_is_asked(
    const ngx_agt_worker_key_t *key, size_t size);
static ngx_agt_worker_block_t *ngx_agt_worker_cache_room(size_t size);
static void ngx_agt_worker_cache_unlink(ngx_agt_worker_block_t *b);
static void ngx_agt_worker_cache_free(ngx_agt_worker_block_t *b);
static void ngx_agt_worker_cache_set_free(u_char *at, size_t size);
static void ngx_agt_worker_cache_guard(
    ngx_agt_worker_block_t *b, ngx_uint_t on);


static ngx_agt_worker_cache_t  ngx_agt_worker_cache;


ngx_int_t
ngx_agt_worker_cache_init(size_t size)
{
    u_char                  *p;
    size_t                   n;
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    ngx_memzero(c, sizeof(ngx_agt_worker_cache_t));

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1,
             0);

    if (p == MAP_FAILED) {
        return NGX_ERROR;
    }

#ifdef MADV_DONTDUMP
    (void) madvise(p, size, MADV_DONTDUMP);
#endif

    c->memory = p;
    c->size = size;

    n = size / NGX_AGT_WORKER_CACHE_MEMO;
    n = ngx_agt_digest_cache_init(p, n);

    p += ngx_align(n, NGX_AGT_WORKER_CACHE_UNIT);

    for (c->nbuckets = 1;
         2 * c->nbuckets * NGX_AGT_WORKER_CACHE_PER <= size;
         c->nbuckets *= 2)
    {
        /* void */
    }

    c->buckets = (ngx_agt_worker_block_t **) p;
    p += c->nbuckets * sizeof(ngx_agt_worker_block_t *);

    c->asked = (uint32_t *) p;
    p += c->nbuckets * sizeof(uint32_t);

    c->start = ngx_align_ptr(p, NGX_AGT_WORKER_CACHE_UNIT);
    c->end = c->start
             + ((size_t) (c->memory + size - c->start)
                & ~(size_t) (NGX_AGT_WORKER_CACHE_UNIT - 1));
    c->hand = c->start;

    ngx_agt_worker_cache_set_free(c->start, (size_t) (c->end - c->start));

    return NGX_OK;
}


void
ngx_agt_worker_cache_exit(void)
{
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    (void) ngx_agt_digest_cache_init(NULL, 0);

    if (c->memory) {

#if defined(NGX_AGT_SCRIBBLE) && defined(__SANITIZE_ADDRESS__)
        ASAN_UNPOISON_MEMORY_REGION(c->memory, c->size);
#endif

        ngx_explicit_memzero(c->memory, c->size);
        (void) munmap(c->memory, c->size);
    }

    ngx_memzero(c, sizeof(ngx_agt_worker_cache_t));
}


const ngx_agt_worker_entry_t *
ngx_agt_worker_cache_find(const ngx_agt_worker_key_t *key)
{
    ngx_agt_worker_block_t  *b;
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    if (c->memory == NULL) {
        return NULL;
    }

    b = c->buckets[ngx_agt_worker_cache_hash(key->token, key->origin)
                   & (c->nbuckets - 1)];

    for ( /* void */ ; b; b = b->next) {
        if (ngx_agt_worker_cache_is(b, key)) {
            b->recent = 1;
            return &b->entry;
        }
    }

    return NULL;
}


const ngx_agt_worker_entry_t *
ngx_agt_worker_cache_add(
    const ngx_agt_worker_key_t *key, const ngx_str_t *facts,
    const ngx_str_t *rules, uint64_t serial, ngx_uint_t has_rules)
{
    u_char                        *p;
    size_t                         at, size;
    ngx_agt_worker_block_t        *b, **bucket;
    ngx_agt_worker_cache_t        *c;
    const ngx_agt_worker_entry_t  *old;

    c = &ngx_agt_worker_cache;

    old = ngx_agt_worker_cache_find(key);

    if (old) {
        ngx_agt_worker_cache_drop(old);
    }

    /* facts begin with integers */

    at = ngx_align(sizeof(ngx_agt_worker_block_t), 16);

    size = at + ngx_align(facts->len, 16) + rules->len;
    size = ngx_align(size, NGX_AGT_WORKER_CACHE_UNIT);

    if (c->memory == NULL || size > (size_t) (c->end - c->start) / 4
        || !ngx_agt_worker_cache_is_asked(key, size))
    {
        return NULL;
    }

    b = ngx_agt_worker_cache_room(size);
    if (b == NULL) {
        return NULL;
    }

    p = (u_char *) b + at;

    ngx_memcpy(p, facts->data, facts->len);

    if (ngx_agt_facts_open(&b->entry.facts, p, facts->len) != NGX_OK) {
        ngx_agt_worker_cache_free(b);
        return NULL;
    }

    b->entry.packed.data = p;
    b->entry.packed.len = facts->len;

    if (rules->len) {
        p += ngx_align(facts->len, 16);
        ngx_memcpy(p, rules->data, rules->len);

        b->entry.rules.data = p;
        b->entry.rules.len = rules->len;
    }

    b->entry.serial = serial;
    b->entry.has_rules = (has_rules != 0);

    ngx_memcpy(b->token, key->token, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(b->origin, key->origin, NGX_AGT_DIGEST_LEN);
    b->zone = key->zone;

    bucket = &c->buckets[ngx_agt_worker_cache_hash(b->token, b->origin)
                         & (c->nbuckets - 1)];
    b->next = *bucket;
    *bucket = b;

    b->linked = 1;
    b->holders = 1;

    return &b->entry;
}


void
ngx_agt_worker_cache_hold(const ngx_agt_worker_entry_t *entry)
{
    ngx_agt_worker_block_t  *b;

    b = ngx_agt_worker_cache_block(entry);

    if (b->holders++ == 0) {
        ngx_agt_worker_cache_guard(b, 0);
    }
}


void
ngx_agt_worker_cache_release(const ngx_agt_worker_entry_t *entry)
{
    ngx_agt_worker_block_t  *b;

    /* requests may end after their worker's memory has gone */

    if (ngx_agt_worker_cache.memory == NULL) {
        return;
    }

    b = ngx_agt_worker_cache_block(entry);

    if (--b->holders) {
        return;
    }

    if (b->linked) {
        ngx_agt_worker_cache_guard(b, 1);

    } else {
        ngx_agt_worker_cache_free(b);
    }
}


void
ngx_agt_worker_cache_drop(const ngx_agt_worker_entry_t *entry)
{
    ngx_agt_worker_block_t  *b;

    b = ngx_agt_worker_cache_block(entry);

    ngx_agt_worker_cache_unlink(b);

    if (b->holders == 0) {
        ngx_agt_worker_cache_free(b);
    }
}


static ngx_inline ngx_agt_worker_block_t *
ngx_agt_worker_cache_block(const ngx_agt_worker_entry_t *entry)
{
    return (ngx_agt_worker_block_t *)
               ((uintptr_t) entry - offsetof(ngx_agt_worker_block_t, entry));
}


/* as a whole, in a time that does not tell where they differ */

static ngx_inline ngx_uint_t
ngx_agt_worker_cache_is(const ngx_agt_worker_block_t *b,
    const ngx_agt_worker_key_t *key)
{
    uint64_t    x[4], y[4], differ;
    ngx_uint_t  i;

    differ = b->zone ^ key->zone;

    ngx_memcpy(x, b->token, sizeof(x));
    ngx_memcpy(y, key->token, sizeof(y));

    for (i = 0; i < 4; i++) {
        differ |= x[i] ^ y[i];
    }

    ngx_memcpy(x, b->origin, sizeof(x));
    ngx_memcpy(y, key->origin, sizeof(y));

    for (i = 0; i < 4; i++) {
        differ |= x[i] ^ y[i];
    }

    return differ == 0;
}


/* only tokens that the API knows are kept: clients cannot choose digests */

static ngx_inline uint64_t
ngx_agt_worker_cache_hash(const u_char *token, const u_char *origin)
{
    uint64_t  a, b;

    ngx_memcpy(&a, token, sizeof(uint64_t));
    ngx_memcpy(&b, origin, sizeof(uint64_t));

    return a ^ b;
}


/*
 * A full memory is not churned by tokens that come once in a while: entries are
 * dropped for a token only if it was asked for lately and found no room.
 */

static ngx_uint_t
ngx_agt_worker_cache_is_asked(const ngx_agt_worker_key_t *key, size_t size)
{
    uint32_t                *asked, tag;
    uint64_t                 hash;
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    if (c->used + size <= (size_t) (c->end - c->start) / 8 * 7) {
        return 1;
    }

    hash = ngx_agt_worker_cache_hash(key->token, key->origin);
    asked = &c->asked[hash & (c->nbuckets - 1)];
    tag = (uint32_t) (hash >> 32) | 1;

    if (*asked == tag) {
        return 1;
    }

    *asked = tag;

    return 0;
}


/*
 * Works as a clock: the hand walks on until the adjoining blocks that it found
 * free, or dropped, have room.  Held entries stay, and an entry that was found
 * since the hand came by last is spared once.
 */

static ngx_agt_worker_block_t *
ngx_agt_worker_cache_room(size_t size)
{
    size_t                   run;
    u_char                  *start;
    ngx_uint_t               looks, wraps;
    ngx_agt_worker_block_t  *b;
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    start = c->hand;
    run = 0;
    looks = 0;
    wraps = 0;

    while (run < size) {

        if (c->hand == c->end) {

            /* a run does not go over the end */

            if (run) {
                ngx_agt_worker_cache_set_free(start, run);
            }

            c->hand = c->start;
            start = c->start;
            run = 0;

            if (++wraps > 2) {
                return NULL;
            }
        }

        b = (ngx_agt_worker_block_t *) c->hand;

        if (b->used && (b->holders || b->recent)) {

            if (run) {
                ngx_agt_worker_cache_set_free(start, run);
            }

            b->recent = 0;

            c->hand += b->size;
            start = c->hand;
            run = 0;

            if (++looks == NGX_AGT_WORKER_CACHE_LOOKS) {
                return NULL;
            }

            continue;
        }

        if (b->used) {
            ngx_agt_worker_cache_unlink(b);
            ngx_agt_worker_cache_free(b);
        }

        c->hand += b->size;
        run += b->size;
    }

    if (run > size) {
        ngx_agt_worker_cache_set_free(start + size, run - size);
    }

    c->hand = start + size;
    c->used += size;

    b = (ngx_agt_worker_block_t *) start;

    ngx_memzero(b, sizeof(ngx_agt_worker_block_t));

    b->size = size;
    b->used = 1;

    return b;
}


static void
ngx_agt_worker_cache_unlink(ngx_agt_worker_block_t *b)
{
    ngx_agt_worker_cache_t   *c;
    ngx_agt_worker_block_t  **p;

    c = &ngx_agt_worker_cache;

    p = &c->buckets[ngx_agt_worker_cache_hash(b->token, b->origin)
                    & (c->nbuckets - 1)];

    while (*p != b) {
        p = &(*p)->next;
    }

    *p = b->next;
    b->linked = 0;
}


static void
ngx_agt_worker_cache_free(ngx_agt_worker_block_t *b)
{
    size_t  size;

    size = b->size;

    ngx_agt_worker_cache.used -= size;

    ngx_agt_worker_cache_guard(b, 0);
    ngx_explicit_memzero(b, size);
    ngx_agt_worker_cache_set_free((u_char *) b, size);
}


static void
ngx_agt_worker_cache_set_free(u_char *at, size_t size)
{
    ngx_agt_worker_block_t  *b;

    b = (ngx_agt_worker_block_t *) at;

    b->size = size;
    b->used = 0;
}


/*
 * In a build for tests, an entry that is not held cannot be read: the address
 * sanitizer reports it.
 */

static ngx_inline void
ngx_agt_worker_cache_guard(ngx_agt_worker_block_t *b, ngx_uint_t on)
{
#if defined(NGX_AGT_SCRIBBLE) && defined(__SANITIZE_ADDRESS__)

    size_t  len;

    len = b->size - sizeof(ngx_agt_worker_block_t);

    if (on) {
        ASAN_POISON_MEMORY_REGION(b + 1, len);

    } else {
        ASAN_UNPOISON_MEMORY_REGION(b + 1, len);
    }

#endif
}


ngx_uint_t
ngx_agt_worker_cache_sane(size_t *used, size_t *held)
{
    u_char                  *p;
    ngx_uint_t               i, linked, hand;
    ngx_agt_worker_block_t  *b;
    ngx_agt_worker_cache_t  *c;

    c = &ngx_agt_worker_cache;

    *used = 0;
    *held = 0;
    linked = 0;
    hand = (c->hand == c->end);

    for (p = c->start; p != c->end; p += b->size) {
        b = (ngx_agt_worker_block_t *) p;

        if (b->size == 0 || b->size > (size_t) (c->end - p)
            || b->size % NGX_AGT_WORKER_CACHE_UNIT)
        {
            return 0;
        }

        hand |= (p == c->hand);

        if (!b->used) {
            continue;
        }

        if (!b->linked && b->holders == 0) {
            return 0;
        }

        *used += b->size;
        *held += b->holders ? b->size : 0;
        linked += b->linked;
    }

    for (i = 0; i < c->nbuckets; i++) {
        for (b = c->buckets[i]; b; b = b->next) {
            if (!b->used || !b->linked) {
                return 0;
            }

            linked--;
        }
    }

    return hand && linked == 0 && *used == c->used;
}
