
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/table.h"


#define HEAD      offsetof(ngx_agt_entry_t, data)
#define MAX_KEYS  4096

#define context_of(k)  ((uint32_t) ((k) % 3))


/* what the table must know of a key, unless it has let go of it */

typedef struct {
    uint64_t    serial;         /* 0: not stored, or removed */
    uint32_t    len;
} known_t;


static void test_sizes(void);
static void test_model(void);
static void run(size_t size, size_t per_entry, ngx_uint_t nkeys,
    size_t max_len, ngx_uint_t ops, ngx_uint_t every);
static ngx_uint_t look(ngx_uint_t k, const known_t *known);
static void walk(ngx_uint_t nkeys, const known_t *known);
static void test_keys(void);
static void test_tags(void);
static void test_large(void);
static void test_flood(void);
static void test_full_index(void);
static void test_garbage(void);
static void test_insane(void);
static void test_anything(void);
static void touch(const ngx_agt_entry_t *e);
static void make(size_t size, size_t per_entry);
static void name(u_char *key, uint64_t n);


static u_char                      *mem;
static ngx_agt_table_t  *table;
static uint64_t                     secret[2] = { 0x1111111111111111,
                                                  0x2222222222222222 };
static known_t                      all[MAX_KEYS];


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 144);

    test_sizes();
    test_model();
    test_keys();
    test_tags();
    test_large();
    test_flood();
    test_full_index();
    test_garbage();
    test_insane();
    test_anything();

    free(mem);

    return unit_done();
}


static void
test_sizes(void)
{
    size_t            size;
    u_char            key[32];
    ngx_agt_entry_t  *e;

    unit_test("a table lies within its memory, whatever that is");

    memset(key, 7, sizeof(key));

    mem = malloc(4096);
    unit_check(ngx_agt_table_init(mem,
                        NGX_AGT_TABLE_MIN - 1, 80, secret) == NULL);

    for (size = NGX_AGT_TABLE_MIN; size < 3000; size += 7) {
        make(size, size % 3 ? 80 : 192);

        unit_check(stub_table_sane(table));
        unit_check(table->nslots >= 8);
        unit_check(table->arena_offset
                   + table->units * NGX_AGT_TABLE_UNIT <= size);
        unit_check(table->used == 0);
        unit_check(ngx_agt_table_find(table, key, 1) == NULL);
        unit_check(stub_table_next(table, NULL) == NULL);

        e = ngx_agt_table_store(table, key, 1, 100);
        unit_check(e != NULL);

        if (e) {
            memset(e->data, 0xff, 100);
        }

        unit_check(stub_table_sane(table));
        unit_check(ngx_agt_table_find(table, key, 1) == e);
        unit_check(stub_table_next(table, NULL) == e);
    }
}


static void
test_model(void)
{
    unit_test("a million operations agree with a model: very small tables");

    run(NGX_AGT_TABLE_MIN, 80, 9, 64, 150000, 1);
    run(NGX_AGT_TABLE_MIN, 192, 3, 256, 150000, 1);
    run(2048, 80, 40, 500, 150000, 1);

    unit_test("a million operations agree with a model: small tables");

    run(8192, 192, 64, 300, 150000, 1);
    run(32768, 80, 512, 100, 200000, 16);

    unit_test("a million operations agree with a model: large tables");

    run(262144, 192, 2048, 700, 100000, 256);
    run(1048576, 192, MAX_KEYS, 900, 100000, 1024);
}


static void
run(size_t size, size_t per_entry, ngx_uint_t nkeys, size_t max_len,
    ngx_uint_t ops, ngx_uint_t every)
{
    size_t            len, largest;
    u_char            key[32];
    int64_t           used;
    uint64_t          serial, evictions, stores;
    ngx_uint_t        i, k;
    ngx_agt_entry_t  *e;

    make(size, per_entry);
    memset(all, 0, sizeof(all));

    serial = 0;
    stores = 0;
    used = 0;
    evictions = 0;
    largest = (size_t) table->units * NGX_AGT_TABLE_UNIT / 4;

    for (i = 0; i < ops; i++) {
        k = stub_below(nkeys);
        name(key, k);

        switch (stub_below(100)) {

        default:        /* a store */
            len = stub_below(max_len + 1);

            if (stub_below(200) == 0) {
                len = largest + stub_below(3) - 1;
            }

            used -= (ngx_agt_table_find(table, key, context_of(k)) != NULL);

            e = ngx_agt_table_store(table, key, context_of(k), len);

            unit_check((e == NULL) == (len > largest));

            if (e == NULL) {
                all[k].serial = 0;
                break;
            }

            used++;
            stores++;

            unit_check(e->serial > serial);
            unit_check(e->reserved == 0 && e->sent == 0 && e->clean == 0
                       && e->late == 0 && e->facts_len == 0
                       && e->rules_len == 0 && e->class == 0);

            serial = e->serial;
            e->facts_len = (uint32_t) len;
            memset(e->data, (int) (serial & 0xff), len);

            all[k].serial = serial;
            all[k].len = (uint32_t) len;

            unit_check(look(k, all));
            break;

        case 0 ... 39:  /* a hit, or a miss */
            (void) look(k, all);
            break;

        case 40 ... 55: /* a removal */
            e = ngx_agt_table_find(table, key, context_of(k));

            if (e) {
                ngx_agt_table_remove(table, e);
                used--;
            }

            all[k].serial = 0;
            unit_check(!look(k, all));
            break;

        case 56:        /* all at once, now and then */
            if (stub_below(500) == 0) {
                ngx_agt_table_wipe(table);
                memset(all, 0, sizeof(all));
                used = 0;
            }

            break;

        case 57:        /* all of them, one by one */
            if (i % every == 0) {
                walk(nkeys, all);
            }

            break;
        }

        /* a missing key was evicted, or the test has removed it */

        used -= (int64_t) (table->evictions - evictions);
        evictions = table->evictions;

        unit_check(table->used == (uint64_t) used);
        unit_check(table->stores == stores);

        if (i % every == 0) {
            unit_check(stub_table_sane(table));
        }

        if (unit_failed) {
            printf("# operation %lu of a table of %lu bytes\n",
                   (unsigned long) i, (unsigned long) size);
            return;
        }
    }

    walk(nkeys, all);
    unit_check(stub_table_sane(table));
}


/* 1 if the key is there, which then has the value stored last */

static ngx_uint_t
look(ngx_uint_t k, const known_t *known)
{
    u_char            key[32];
    uint32_t          i;
    ngx_agt_entry_t  *e;

    name(key, k);

    e = ngx_agt_table_find(table, key, context_of(k));

    unit_check(ngx_agt_table_find(table, key, context_of(k) + 7) == NULL);

    if (e == NULL) {
        return 0;
    }

    touch(e);

    unit_check(known[k].serial && e->serial == known[k].serial);
    unit_check(e->facts_len == known[k].len);
    unit_check(memcmp(e->key, key, 32) == 0 && e->origin == context_of(k));

    for (i = 0; i < e->facts_len; i++) {
        if (e->data[i] != (u_char) e->serial) {
            unit_check(e->data[i] == (u_char) e->serial);
            break;
        }
    }

    return 1;
}


static void
walk(ngx_uint_t nkeys, const known_t *known)
{
    u_char            key[32];
    uint32_t          i;
    uint64_t          last;
    ngx_uint_t        k, n, slots, there;
    ngx_agt_entry_t  *e;

    n = 0;
    last = 0;

    for (e = stub_table_next(table, NULL);
         e;
         e = stub_table_next(table, e))
    {
        unit_check((uint64_t) (uintptr_t) e > last);
        last = (uint64_t) (uintptr_t) e;

        memcpy(&k, e->key, sizeof(ngx_uint_t));
        unit_check(k < nkeys && known[k].serial == e->serial);
        n++;
    }

    slots = 0;

    for (i = 0; i < table->nslots; i++) {
        e = ngx_agt_table_slot(table, i);

        if (e) {
            unit_check(ngx_agt_table_find(table, e->key, e->origin) == e);
            slots++;
        }
    }

    there = 0;

    for (k = 0; k < nkeys; k++) {
        name(key, k);
        there += (ngx_agt_table_find(table, key, context_of(k)) != NULL);
    }

    unit_check(n == table->used && slots == n && there == n);
}


static void
test_keys(void)
{
    u_char            key[32], other[32];
    uint32_t          origin;
    ngx_uint_t        i, bit;
    ngx_agt_entry_t  *e, *same;

    unit_test("keys are compared whole, and so is the origin");

    make(8192, 192);

    memset(key, 0x5a, sizeof(key));
    e = ngx_agt_table_store(table, key, 5, 10);

    for (i = 0; i < 32; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(other, key, sizeof(key));
            other[i] ^= (u_char) (1 << bit);

            unit_check(ngx_agt_table_find(table, other, 5) == NULL);
        }
    }

    for (origin = 0; origin < 64; origin++) {
        unit_check((ngx_agt_table_find(table, key, origin) == e)
                   == (origin == 5));
    }

    /* the same tag, and no more than that in common */

    memcpy(key, secret, sizeof(uint64_t));
    memcpy(other, key, sizeof(key));

    for (i = 8; i < 32; i++) {
        make(8192, 192);

        e = ngx_agt_table_store(table, key, 5, 10);
        other[i] ^= 1;

        same = ngx_agt_table_store(table, other, 5, 10);

        unit_check(e != same && e->tag == same->tag);
        unit_check(ngx_agt_table_find(table, key, 5) == e);
        unit_check(ngx_agt_table_find(table, other, 5) == same);
        unit_check(ngx_agt_table_find(table, other, 6) == NULL);

        other[i] ^= 1;
    }

    unit_test("an entry is replaced by one of the same key");

    make(8192, 192);

    e = ngx_agt_table_store(table, key, 1, 100);
    e->class = 3;

    for (i = 0; i < 1000; i++) {
        e = ngx_agt_table_store(table, key, 1, i % 200);

        unit_check(e && e->class == 0 && table->used == 1);
        unit_check(e->serial == i + 2);
        unit_check(stub_table_sane(table));

        e->class = 3;
    }

    unit_check(table->evictions == 0);
}


static void
test_tags(void)
{
    u_char            key[32];
    uint64_t          i;
    ngx_uint_t        n;
    ngx_agt_entry_t  *e;

    unit_test("entries of one tag do not get in each other's way");

    /* the first eight bytes are the secret: every tag is 0 */

    make(131072, 192);
    memset(key, 0, sizeof(key));
    memcpy(key, secret, sizeof(uint64_t));

    n = 200;

    for (i = 0; i < n; i++) {
        memcpy(key + 24, &i, sizeof(uint64_t));
        e = ngx_agt_table_store(table, key, 1, 64);
        unit_check(e && e->tag == 0);
        memset(e->data, (int) i, 64);
    }

    unit_check(table->used == n && stub_table_sane(table));

    for (i = 0; i < n; i++) {
        memcpy(key + 24, &i, sizeof(uint64_t));
        e = ngx_agt_table_find(table, key, 1);
        unit_check(e && e->data[0] == (u_char) i && e->data[63] == (u_char) i);
    }

    /* and one taken out of the middle leaves no gap */

    for (i = 0; i < n; i += 3) {
        memcpy(key + 24, &i, sizeof(uint64_t));
        e = ngx_agt_table_find(table, key, 1);
        unit_check(e != NULL);
        ngx_agt_table_remove(table, e);
        unit_check(stub_table_sane(table));
    }

    for (i = 0; i < n; i++) {
        memcpy(key + 24, &i, sizeof(uint64_t));
        e = ngx_agt_table_find(table, key, 1);
        unit_check((e != NULL) == (i % 3 != 0));
    }

    unit_test("keys that somebody picks spread as others do");

    /* no two tags in a row of keys that differ in a few bits only */

    make(4 << 20, 192);
    memset(key, 0, sizeof(key));

    n = 0;

    for (i = 0; i < 4096; i++) {
        memcpy(key, &i, sizeof(uint64_t));
        e = ngx_agt_table_store(table, key, 1, 0);
        n += (e->tag >> 28 == 0);
    }

    unit_check(n < 4096 / 16 * 2 && table->used == 4096);
}


static void
test_large(void)
{
    u_char            key[32], second[32];
    size_t            largest;
    ngx_agt_entry_t  *e;

    unit_test("what is larger than a quarter does not get in");

    make(65536, 192);
    name(key, 1);
    name(second, 2);

    largest = (size_t) table->units * NGX_AGT_TABLE_UNIT / 4;

    (void) ngx_agt_table_store(table, second, 2, 10);

    e = ngx_agt_table_store(table, key, 1, largest);
    unit_check(e != NULL && stub_table_sane(table));
    memset(e->data, 0xee, largest);
    unit_check(stub_table_sane(table));

    e = ngx_agt_table_store(table, key, 1, largest + 1);
    unit_check(e == NULL && stub_table_sane(table));
    unit_check(ngx_agt_table_find(table, key, 1) == NULL);
    unit_check(ngx_agt_table_find(table, second, 2) != NULL);
    unit_check(table->used == 1);

    e = ngx_agt_table_store(table, key, 1, (size_t) -1);
    unit_check(e == NULL);
    e = ngx_agt_table_store(table, key, 1, (size_t) 1 << 35);
    unit_check(e == NULL && table->used == 1);
}


/* a key that is used all the time stays while others come and go */

static void
test_flood(void)
{
    u_char            key[32];
    uint64_t          i, k;
    ngx_uint_t        lost;
    ngx_agt_entry_t  *e;

    unit_test("a flood of entries leaves alone what is in use");

    make(262144, 192);

    for (k = 0; k < 100; k++) {
        name(key, k);
        (void) ngx_agt_table_store(table, key, 1, 300);
    }

    lost = 0;

    for (i = 0; i < 50000; i++) {

        if (i % 50 == 0) {
            for (k = 0; k < 100; k++) {
                name(key, k);
                e = ngx_agt_table_find(table, key, 1);

                if (e == NULL) {
                    lost++;
                    e = ngx_agt_table_store(table, key, 1, 300);
                }

                touch(e);
            }
        }

        name(key, 1000 + i);
        e = ngx_agt_table_store(table, key, 1, stub_below(600));
        unit_check(e != NULL);
    }

    /* so many are spared at once, at most: of those in a row some may go */

    unit_check(lost < 100);
    unit_check(table->evictions > 49000);

    printf("# %lu of 100000 look-ups found an entry evicted\n",
           (unsigned long) lost);
    unit_check(stub_table_sane(table));

    unit_test("room is made although all is in use");

    for (e = stub_table_next(table, NULL);
         e;
         e = stub_table_next(table, e))
    {
        touch(e);
    }

    for (i = 0; i < 2000; i++) {
        name(key, 100000 + i);
        e = ngx_agt_table_store(table, key, 1, i % 100 ? 200 : 60000);
        unit_check(e != NULL && stub_table_sane(table));

        for (k = 0; k < 20; k++) {
            e = ngx_agt_table_slot(table,
                                 (uint32_t) stub_below(table->nslots));
            if (e) {
                touch(e);
            }
        }
    }
}


static void
test_full_index(void)
{
    u_char      key[32];
    uint64_t    i;
    ngx_uint_t  most;

    unit_test("the index never fills up, however small entries are");

    make(65536, 2000);
    most = 0;

    for (i = 0; i < 5000; i++) {
        name(key, i);

        unit_check(ngx_agt_table_store(table, key, 1, 0) != NULL);
        unit_check(table->used < table->nslots);
        unit_check(stub_table_sane(table));

        most = ngx_max(most, table->used);
    }

    unit_check(most > table->nslots / 2);
}


/* what a process left behind that died in the middle of a change */

static void
test_garbage(void)
{
    u_char            key[32];
    size_t            i, size;
    uint64_t          k, serial;
    ngx_uint_t        n;
    ngx_agt_entry_t  *e;

    unit_test("a table is whole again after a wipe, whatever it was before");

    size = 16384;

    for (n = 0; n < 300; n++) {
        make(size, n % 2 ? 80 : 192);

        for (k = 0; k < 40; k++) {
            name(key, k);
            (void) ngx_agt_table_store(table, key, 1, 100);
        }

        serial = table->stores;

        for (i = table->slots_offset; i < size; i++) {
            if (n < 100 || stub_below(n) == 0) {
                mem[i] = (u_char) stub_random();
            }
        }

        table->used = (uint32_t) stub_random();
        table->hand = (uint32_t) stub_random();
        table->units_used = (uint32_t) stub_random();

        ngx_agt_table_wipe(table);

        unit_check(stub_table_sane(table));
        unit_check(table->used == 0);

        for (k = 0; k < 40; k++) {
            name(key, k);
            unit_check(ngx_agt_table_find(table, key, 1) == NULL);
        }

        for (k = 0; k < 200; k++) {
            name(key, k);
            e = ngx_agt_table_store(table, key, 1, stub_below(1000));
            unit_check(e && e->serial == ++serial);
        }

        unit_check(stub_table_sane(table));
    }
}


/* the check of all invariants does see what is broken */

static void
test_insane(void)
{
    u_char            key[32];
    uint64_t          k;
    ngx_agt_entry_t  *e;

    unit_test("what is not sane is found to be so");

    make(8192, 192);

    for (k = 0; k < 10; k++) {
        name(key, k);
        e = ngx_agt_table_store(table, key, 1, 100);
    }

    unit_check(stub_table_sane(table));

    table->used++;
    unit_check(!stub_table_sane(table));
    table->used--;

    table->units_used--;
    unit_check(!stub_table_sane(table));
    table->units_used++;

    table->hand++;
    unit_check(!stub_table_sane(table));
    table->hand--;

    e = stub_table_next(table, NULL);

    e->key[0] ^= 1;
    unit_check(!stub_table_sane(table));
    e->key[0] ^= 1;

    e->units++;
    unit_check(!stub_table_sane(table));
    e->units = 0;
    unit_check(!stub_table_sane(table));
    e->units = 0xffffffff;
    unit_check(!stub_table_sane(table));
}


/* a reader without the lock may meet any bytes at all */

static void
test_anything(void)
{
    u_char                key[32];
    size_t                size, rest;
    uint64_t              n;
    ngx_uint_t            found;
    ngx_agt_entry_t      *e;
    ngx_agt_table_t       head;
    ngx_agt_table_seen_t  seen;

    unit_test("what others change meanwhile is not read beyond");

    size = 8192;
    make(size, 96);
    head = *table;
    found = 0;

    for (n = 0; n < 20000 / UNIT_SLOW; n++) {

        if (n % 100 == 0) {
            for (rest = sizeof(head); rest < size; rest++) {
                mem[rest] = (u_char) stub_random();
            }

            ngx_agt_table_wipe(table);

            for (rest = 0; rest < 40; rest++) {
                name(key, rest);
                (void) ngx_agt_table_store(table, key, 1, rest);
            }
        }

        /* slots first, for a look-up goes through them */

        for (rest = 0; rest < 3; rest++) {
            mem[sizeof(head) + stub_below(n % 2 ? size - sizeof(head)
                                                : table->nslots * 8)]
                = (u_char) (stub_below(4) ? stub_random() : 0);
        }

        name(key, n % 40);
        e = ngx_agt_table_peek(table, key, 1, &seen);

        if (e == NULL) {
            continue;
        }

        found++;

        rest = (size_t) (mem + size - e->data);

        unit_check((u_char *) e >= mem && e->data <= mem + size);
        unit_check(!ngx_agt_table_holds(table, e, rest + 1));
        unit_check(!ngx_agt_table_holds(table, e, (size_t) -1));
        unit_check(ngx_agt_table_holds(table, e, 0));
    }

    unit_check(found > n / 100);
    printf("# found %lu times\n", (unsigned long) found);

    unit_test("nor is what would lie beyond the end");

    make(8192, 96);
    table->units = (uint32_t) ((8192 - table->arena_offset)
                               / NGX_AGT_TABLE_UNIT);

    name(key, 1);
    (void) ngx_agt_table_store(table, key, 1, 10);
    e = ngx_agt_table_peek(table, key, 1, &seen);

    for (n = 1; n <= 8; n++) {
        uint32_t  place = table->units - (uint32_t) n + 1;

        /* what there is room for says that it is that entry */

        rest = NGX_AGT_TABLE_UNIT * n;
        memcpy(mem + 8192 - rest, e, ngx_min(rest, HEAD));
        memcpy(mem + table->slots_offset + 8 * seen.slot + 4, &place, 4);

        unit_check((ngx_agt_table_peek(table, key, 1, &seen) != NULL)
                   == (rest >= HEAD));
    }

    unit_test("a place that is another's by now is not touched");

    make(8192, 96);
    name(key, 1);
    (void) ngx_agt_table_store(table, key, 1, 10);
    e = ngx_agt_table_peek(table, key, 1, &seen);
    unit_check(e != NULL);

    ngx_agt_table_remove(table, e);
    memcpy(&head, table, sizeof(head));
    ngx_agt_table_touch(table, &seen);
    unit_check(ngx_agt_table_slot(table, seen.slot) == NULL);

    name(key, 2);
    (void) ngx_agt_table_store(table, key, 1, 10);
    ngx_agt_table_touch(table, &seen);
    unit_check(stub_table_sane(table));
    unit_check(ngx_agt_table_find(table, key, 1) != NULL);
}


static void
touch(const ngx_agt_entry_t *e)
{
    ngx_agt_table_seen_t  seen;

    unit_check(ngx_agt_table_peek(table, e->key, e->origin, &seen) == e);

    ngx_agt_table_touch(table, &seen);
}


static void
make(size_t size, size_t per_entry)
{
    free(mem);

    mem = malloc(size);
    memset(mem, 0xa5, size);

    table = ngx_agt_table_init(mem, size, per_entry, secret);

    if (table == NULL) {
        abort();
    }
}


static void
name(u_char *key, uint64_t n)
{
    memset(key, 0x33, 32);
    memcpy(key, &n, sizeof(uint64_t));
}
