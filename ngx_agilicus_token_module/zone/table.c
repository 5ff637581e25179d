
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/table.h"


#define NGX_AGT_TABLE_HEAD                                                   \
    offsetof(ngx_agt_entry_t, data)

#define NGX_AGT_TABLE_HEAD_UNITS                                             \
    ((NGX_AGT_TABLE_HEAD + NGX_AGT_TABLE_UNIT - 1)                           \
     / NGX_AGT_TABLE_UNIT)

/* entries of recent use that are spared, at most, to make room once */
#define NGX_AGT_TABLE_SPARED  32

/* bytes of an entry that is found: most are no larger */
#define NGX_AGT_TABLE_AHEAD   448


/* of a place: the entry was looked up since the hand came by */
#define NGX_AGT_TABLE_REFERENCED  0x80000000


/*
 * A slot changes as a whole.  The mark that an entry was looked up is in the
 * slot, since it is set without the lock: the memory of the entry may belong to
 * another entry by then.
 */

typedef struct {
    uint32_t    tag;
    uint32_t    place;          /* unit of the entry, plus one; 0: empty */
} ngx_agt_slot_t;


static ngx_agt_slot_t *ngx_agt_table_slots(ngx_agt_table_t *t);
static ngx_agt_entry_t *ngx_agt_table_at(ngx_agt_table_t *t, uint32_t unit);
static uint32_t ngx_agt_table_unit(ngx_agt_table_t *t, ngx_agt_entry_t *e);
static uint32_t ngx_agt_table_tag(ngx_agt_table_t *t,
    const u_char *key, uint32_t origin);
static uint32_t ngx_agt_table_home(ngx_agt_table_t *t, uint32_t tag);
static uint32_t ngx_agt_table_slot_of(ngx_agt_table_t *t, ngx_agt_entry_t *e);
static void ngx_agt_table_unlink(ngx_agt_table_t *t, ngx_agt_entry_t *e);
static void ngx_agt_table_link(ngx_agt_table_t *t, ngx_agt_entry_t *e);
static ngx_agt_entry_t *ngx_agt_table_room(ngx_agt_table_t *t, uint32_t units);
static void ngx_agt_table_free_block(ngx_agt_table_t *t,
    uint32_t unit, uint32_t units);
static uint32_t ngx_agt_table_entry_unit(const ngx_agt_slot_t *slot);
static void ngx_agt_table_prefetch(const ngx_agt_entry_t *e);
static ngx_uint_t ngx_agt_table_equal(const u_char *a, const u_char *b);


ngx_agt_table_t *
ngx_agt_table_init(void *mem, size_t size, size_t per_entry,
    const uint64_t *hash_key)
{
    size_t            slots;
    ngx_agt_table_t  *t;

    if (size < NGX_AGT_TABLE_MIN) {
        return NULL;
    }

    /* places have 31 bits, offsets 32: 32 G of arena, 4 G of slots */

    slots = size / (per_entry + sizeof(ngx_agt_slot_t));
    slots = ngx_min(ngx_max(slots, 8), 0x0fffffff);

    t = mem;

    ngx_memzero(t, sizeof(ngx_agt_table_t));

    t->hash_key[0] = hash_key[0];
    t->hash_key[1] = hash_key[1];
    t->nslots = (uint32_t) slots;
    t->slots_offset = (uint32_t) ngx_align(sizeof(ngx_agt_table_t), 64);
    t->arena_offset = (uint32_t) ngx_align(t->slots_offset
                          + slots * sizeof(ngx_agt_slot_t), 64);
    t->units = (uint32_t) ngx_min((size - t->arena_offset)
                                  / NGX_AGT_TABLE_UNIT,
                                  0x7ffffff0);

    ngx_agt_table_wipe(t);

    return t;
}


void
ngx_agt_table_wipe(ngx_agt_table_t *t)
{
    ngx_memzero(ngx_agt_table_slots(t), t->nslots * sizeof(ngx_agt_slot_t));

    t->used = 0;
    t->units_used = 0;
    t->hand = 0;

    ngx_agt_table_free_block(t, 0, t->units);
}


ngx_agt_entry_t *
ngx_agt_table_find(ngx_agt_table_t *t, const u_char *key, uint32_t origin)
{
    ngx_agt_table_seen_t  seen;

    return ngx_agt_table_peek(t, key, origin, &seen);
}


ngx_agt_entry_t *
ngx_agt_table_peek(ngx_agt_table_t *t, const u_char *key, uint32_t origin,
    ngx_agt_table_seen_t *seen)
{
    uint32_t          i, n, tag, unit;
    ngx_agt_slot_t    slot;
    ngx_agt_slot_t   *slots;
    ngx_agt_entry_t  *e;

    slots = ngx_agt_table_slots(t);
    tag = ngx_agt_table_tag(t, key, origin);
    i = ngx_agt_table_home(t, tag);

    /*
     * The index is never full, so there is an empty slot to stop at, unless
     * others change it meanwhile.
     */

    for (n = 0; n < t->nslots; n++) {

        slot = slots[i];

        if (slot.place == 0) {
            break;
        }

        if (slot.tag == tag) {
            unit = ngx_agt_table_entry_unit(&slot);

            e = ngx_agt_table_at(t, unit);
            ngx_agt_table_prefetch(e);

            if (unit < t->units
                && t->units - unit >= NGX_AGT_TABLE_HEAD_UNITS
                && e->origin == origin
                && ngx_agt_table_equal(e->key, key))
            {
                seen->slot = i;
                seen->tag = slot.tag;
                seen->place = slot.place;

                return e;
            }
        }

        if (++i == t->nslots) {
            i = 0;
        }
    }

    return NULL;
}


void
ngx_agt_table_touch(ngx_agt_table_t *t, const ngx_agt_table_seen_t *seen)
{
    uint64_t         old, set;
    ngx_agt_slot_t   slot;
    ngx_agt_slot_t  *slots;

    if (seen->place & NGX_AGT_TABLE_REFERENCED) {
        return;
    }

    slots = ngx_agt_table_slots(t);

    slot.tag = seen->tag;
    slot.place = seen->place;
    ngx_memcpy(&old, &slot, sizeof(uint64_t));

    slot.place |= NGX_AGT_TABLE_REFERENCED;
    ngx_memcpy(&set, &slot, sizeof(uint64_t));

    (void) __sync_bool_compare_and_swap((uint64_t *) &slots[seen->slot], old,
                                        set);
}


ngx_uint_t
ngx_agt_table_holds(ngx_agt_table_t *t, const ngx_agt_entry_t *e, size_t len)
{
    size_t  rest;

    rest = (size_t) ((u_char *) t + t->arena_offset
                     + (size_t) t->units * NGX_AGT_TABLE_UNIT
                     - e->data);

    return len <= rest;
}


ngx_agt_entry_t *
ngx_agt_table_store(ngx_agt_table_t *t,
    const u_char *key, uint32_t origin, size_t len)
{
    uint32_t          units;
    ngx_agt_entry_t  *e;

    e = ngx_agt_table_find(t, key, origin);

    if (e) {
        ngx_agt_table_remove(t, e);
    }

    if (len > (size_t) t->units * NGX_AGT_TABLE_UNIT / 4) {
        return NULL;
    }

    units = (uint32_t) ((NGX_AGT_TABLE_HEAD + len + NGX_AGT_TABLE_UNIT - 1)
                        / NGX_AGT_TABLE_UNIT);

    e = ngx_agt_table_room(t, units);
    if (e == NULL) {
        return NULL;
    }

    units = e->units;

    ngx_memzero(e, NGX_AGT_TABLE_HEAD);

    e->units = units;
    e->used = 1;
    e->origin = origin;
    e->tag = ngx_agt_table_tag(t, key, origin);
    e->serial = ++t->stores;

    ngx_memcpy(e->key, key, NGX_AGT_TABLE_KEY_LEN);

    ngx_agt_table_link(t, e);

    t->used++;
    t->units_used += units;

    return e;
}


void
ngx_agt_table_remove(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    ngx_agt_table_unlink(t, e);

    t->used--;
    t->units_used -= e->units;

    e->used = 0;
}


ngx_agt_entry_t *
ngx_agt_table_slot(ngx_agt_table_t *t, uint32_t slot)
{
    ngx_agt_slot_t  *s;

    s = &ngx_agt_table_slots(t)[slot];

    return s->place ? ngx_agt_table_at(t, ngx_agt_table_entry_unit(s)) : NULL;
}


/*
 * Walks the hand on until the adjoining blocks that it took, or found free,
 * have room for "units"; the rest of them stays a free block.
 */

static ngx_agt_entry_t *
ngx_agt_table_room(ngx_agt_table_t *t, uint32_t units)
{
    uint32_t          start, run, spared, wraps;
    ngx_agt_slot_t   *slot;
    ngx_agt_entry_t  *e;

    start = t->hand;
    run = 0;
    spared = 0;
    wraps = 0;

    while (run < units || t->used >= t->nslots - t->nslots / 8) {

        if (t->hand >= t->units) {

            /* a run does not go over the end */

            if (run) {
                ngx_agt_table_free_block(t, start, run);
            }

            t->hand = 0;
            start = 0;
            run = 0;

            if (++wraps > 2) {
                return NULL;
            }
        }

        e = ngx_agt_table_at(t, t->hand);

        if (e->used) {

            slot = &ngx_agt_table_slots(t)
                        [ngx_agt_table_slot_of(t, e)];

            if (slot->place & NGX_AGT_TABLE_REFERENCED
                && spared < NGX_AGT_TABLE_SPARED)
            {
                slot->place &= ~NGX_AGT_TABLE_REFERENCED;
                spared++;

                if (run) {
                    ngx_agt_table_free_block(t, start, run);
                }

                t->hand += e->units;
                start = t->hand;
                run = 0;

                continue;
            }

            ngx_agt_table_remove(t, e);
            t->evictions++;
        }

        t->hand += e->units;
        run += e->units;
    }

    e = ngx_agt_table_at(t, start);

    /* a rest smaller than the head of an entry is a free block too */

    if (run > units) {
        ngx_agt_table_free_block(t, start + units, run - units);
    }

    e->units = units;
    t->hand = start + units;

    return e;
}


static void
ngx_agt_table_free_block(ngx_agt_table_t *t, uint32_t unit, uint32_t units)
{
    ngx_agt_entry_t  *e;

    e = ngx_agt_table_at(t, unit);

    e->units = units;
    e->used = 0;
}


static void
ngx_agt_table_link(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    uint32_t         i;
    ngx_agt_slot_t  *slots;

    slots = ngx_agt_table_slots(t);
    i = ngx_agt_table_home(t, e->tag);

    while (slots[i].place) {
        if (++i == t->nslots) {
            i = 0;
        }
    }

    slots[i].tag = e->tag;
    slots[i].place = ngx_agt_table_unit(t, e) + 1;
}


/*
 * Empties the slot of an entry and moves up those behind it that would not be
 * found over the gap (Knuth, The Art of Computer Programming 3, 6.4,
 * algorithm R).
 */

static void
ngx_agt_table_unlink(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    uint32_t         i, j, home;
    ngx_agt_slot_t  *slots;

    slots = ngx_agt_table_slots(t);
    i = ngx_agt_table_slot_of(t, e);
    j = i;

    for ( ;; ) {
        slots[i].place = 0;

        for ( ;; ) {
            if (++j == t->nslots) {
                j = 0;
            }

            if (slots[j].place == 0) {
                return;
            }

            home = ngx_agt_table_home(t, slots[j].tag);

            /* stays if its home lies cyclically behind the gap, up to j */

            if (i <= j ? (i < home && home <= j) : (i < home || home <= j)) {
                continue;
            }

            break;
        }

        slots[i] = slots[j];
        i = j;
    }
}


static uint32_t
ngx_agt_table_slot_of(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    uint32_t         i, place;
    ngx_agt_slot_t  *slots;

    slots = ngx_agt_table_slots(t);
    place = ngx_agt_table_unit(t, e) + 1;
    i = ngx_agt_table_home(t, e->tag);

    while ((slots[i].place & ~NGX_AGT_TABLE_REFERENCED) != place) {
        if (++i == t->nslots) {
            i = 0;
        }
    }

    return i;
}


static uint32_t
ngx_agt_table_entry_unit(const ngx_agt_slot_t *slot)
{
    return (slot->place & ~NGX_AGT_TABLE_REFERENCED) - 1;
}


static ngx_agt_slot_t *
ngx_agt_table_slots(ngx_agt_table_t *t)
{
    return (ngx_agt_slot_t *) ((u_char *) t + t->slots_offset);
}


static ngx_agt_entry_t *
ngx_agt_table_at(ngx_agt_table_t *t, uint32_t unit)
{
    return (ngx_agt_entry_t *)
               ((u_char *) t + t->arena_offset
                + (size_t) unit * NGX_AGT_TABLE_UNIT);
}


static uint32_t
ngx_agt_table_unit(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    return (uint32_t) ((size_t) ((u_char *) e - (u_char *) t - t->arena_offset)
                       / NGX_AGT_TABLE_UNIT);
}


/*
 * The key is a digest, but a client can choose it by trying, so a
 * multiplication with the hash key spreads it.
 */

static uint32_t
ngx_agt_table_tag(ngx_agt_table_t *t, const u_char *key, uint32_t origin)
{
    uint64_t  a, b;

    ngx_memcpy(&a, key, sizeof(uint64_t));
    ngx_memcpy(&b, key + sizeof(uint64_t), sizeof(uint64_t));

    return (uint32_t) ngx_agt_digest_fold(a ^ t->hash_key[0],
                                          b ^ t->hash_key[1]
                                          ^ origin);
}


static uint32_t
ngx_agt_table_home(ngx_agt_table_t *t, uint32_t tag)
{
    return (uint32_t) (((uint64_t) tag * t->nslots) >> 32);
}


/*
 * An entry that is found is read next.  In a large table it is not in the
 * processor's cache.  The prefetch loads its lines together, not one by one.
 */

static ngx_inline void
ngx_agt_table_prefetch(const ngx_agt_entry_t *e)
{
    size_t  i;

    for (i = 0; i < NGX_AGT_TABLE_AHEAD; i += 64) {
        __builtin_prefetch((const u_char *) e + i);
    }
}


static ngx_uint_t
ngx_agt_table_equal(const u_char *a, const u_char *b)
{
    uint64_t    x, y, differ;
    ngx_uint_t  i;

    differ = 0;

    for (i = 0; i < NGX_AGT_TABLE_KEY_LEN; i += sizeof(uint64_t)) {
        ngx_memcpy(&x, a + i, sizeof(uint64_t));
        ngx_memcpy(&y, b + i, sizeof(uint64_t));
        differ |= x ^ y;
    }

    return differ == 0;
}
