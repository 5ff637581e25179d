
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/zone.h"


static void test_layout(void);
static void lay_out(size_t size);
static void test_too_small(void);
static void test_reload(void);
static void test_version(void);
static void test_contexts(void);
static void test_recovery(void);
static void test_counts(void);
static void name(u_char *key, uint64_t n);


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 141);
    stub_clock(1000000, 1700000000);

    test_layout();
    test_too_small();
    test_reload();
    test_version();
    test_contexts();
    test_recovery();
    test_counts();

    return unit_done();
}


static void
test_layout(void)
{
    size_t      size;
    ngx_uint_t  i;

    unit_test("everything has its place in a zone of any size");

    for (size = NGX_AGT_ZONE_MIN; size < 512 * 1024; size += 4096) {
        lay_out(size);
    }

    for (i = 0; i < 100; i++) {
        lay_out(512 * 1024 + stub_below(16 << 20));
    }

    lay_out(10 << 20);
    lay_out(50 << 20);
    lay_out(100 << 20);
}


static void
lay_out(size_t size)
{
    char                note[32];
    u_char              key[32];
    size_t              rest, len;
    ngx_agt_zone_t     *zone;
    ngx_agt_entry_t    *e;
    ngx_agt_zone_sh_t  *sh;

    (void) snprintf(note, sizeof(note), "%lu bytes", (unsigned long) size);

    zone = stub_zone(size);
    unit_check_note(zone != NULL, note);

    if (zone == NULL) {
        return;
    }

    sh = zone->sh;

    unit_check_note((u_char *) sh + sh->size
                    <= zone->shm_zone->shm.addr + size, note);
    unit_check_note(sh->size >= size - size / 50 - 4 * 4096, note);
    unit_check_note(sh == zone->shpool->data, note);

    /* one behind the other, each at its own cache line */

    unit_check_note((zone->keys != NULL) == (size >= NGX_AGT_ZONE_KEYS_MIN),
                    note);
    unit_check_note(zone->keys == NULL
                    || ((u_char *) zone->keys >= (u_char *) (sh + 1)
                        && (u_char *) (zone->keys + 1)
                           <= (u_char *) sh + sh->flights_offset), note);
    unit_check_note(sh->flights_offset >= sizeof(*sh), note);
    unit_check_note(sh->clients_offset >= sh->flights_offset
                    + sh->flights * sizeof(ngx_agt_flight_mark_t),
                    note);
    unit_check_note(sh->calls_offset >= sh->clients_offset
                    + sh->clients * sizeof(ngx_agt_client_budget_t),
                    note);
    unit_check_note(sh->invalid_offset >= sh->calls_offset
                    + sh->calls * sizeof(ngx_agt_calls_t), note);
    unit_check_note(sh->facts_offset > sh->invalid_offset
                    && sh->size > sh->facts_offset, note);

    unit_check_note(((sh->flights_offset | sh->clients_offset
                      | sh->calls_offset | sh->invalid_offset
                      | sh->facts_offset) & 63) == 0,
                    note);

    unit_check_note((u_char *) zone->flights
                    == (u_char *) sh + sh->flights_offset
                    && (u_char *) zone->clients
                       == (u_char *) sh + sh->clients_offset
                    && (u_char *) zone->calls
                       == (u_char *) sh + sh->calls_offset
                    && (u_char *) zone->invalid
                       == (u_char *) sh + sh->invalid_offset
                    && (u_char *) zone->facts
                       == (u_char *) sh + sh->facts_offset, note);

    /* what they say of themselves does not reach further */

    unit_check_note(zone->invalid->arena_offset
                    + (size_t) zone->invalid->units
                      * NGX_AGT_TABLE_UNIT
                    <= sh->facts_offset - sh->invalid_offset, note);
    unit_check_note(zone->facts->arena_offset
                    + (size_t) zone->facts->units
                      * NGX_AGT_TABLE_UNIT
                    <= sh->size - sh->facts_offset, note);

    unit_check_note(sh->flights >= 16 && sh->flights % 8 == 0, note);
    unit_check_note(sh->clients >= 16 && sh->clients % 8 == 0, note);

    /* and shares are as they should be */

    rest = sh->size - sh->invalid_offset;

    unit_check_note((sh->facts_offset - sh->invalid_offset) * 100 / rest >= 9
                    && (sh->facts_offset - sh->invalid_offset) * 100 / rest
                       <= 10, note);
    unit_check_note(rest * 100 / sh->size >= (size < 262144 ? 43 : 90), note);

    unit_check_note(stub_table_sane(zone->facts)
                    && stub_table_sane(zone->invalid), note);

    /* and all of it can be written to */

    name(key, 1);

    len = (size_t) zone->facts->units * NGX_AGT_TABLE_UNIT / 4;
    e = ngx_agt_table_store(zone->facts, key, 1, len);
    unit_check_note(e != NULL, note);
    memset(e->data, 0xff, len);

    len = (size_t) zone->invalid->units * NGX_AGT_TABLE_UNIT / 4;
    e = ngx_agt_table_store(zone->invalid, key, 1, len);
    unit_check_note(e != NULL, note);
    memset(e->data, 0xff, len);

    memset(zone->flights, 0xff, sh->flights * sizeof(ngx_agt_flight_mark_t));
    memset(zone->clients, 0xff, sh->clients * sizeof(ngx_agt_client_budget_t));

    unit_check_note(stub_table_sane(zone->facts)
                    && stub_table_sane(zone->invalid), note);
    unit_check_note(ngx_agt_table_find(zone->facts, key, 1) != NULL, note);
    unit_check_note(sh->version == NGX_AGT_ZONE_VERSION
                    && (sh->changes & 1) == 0, note);

    stub_zone_free(zone);
}


static void
test_too_small(void)
{
    size_t           size;
    ngx_agt_zone_t  *zone;

    unit_test("a zone that is too small is refused, and said to be");

    for (size = 4 * 4096; size < NGX_AGT_ZONE_MIN; size += 4096) {
        stub_lines = 0;
        zone = stub_zone(size);

        if (zone) {
            stub_zone_free(zone);

        } else {
            unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);
        }
    }

    stub_lines = 0;
    unit_check(stub_zone(3 * 4096) == NULL);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);
}


/* a zone that is there already is taken as it is */

static void
test_reload(void)
{
    u_char           key[32];
    ngx_shm_zone_t   shm_zone;
    ngx_agt_zone_t  *zone, next;

    unit_test("a zone is kept over a reload, and not touched");

    zone = stub_zone(1 << 20);
    name(key, 1);

    (void) ngx_agt_table_store(zone->facts, key, 1, 100);

    /* with the zone of the old configuration */

    memset(&next, 0, sizeof(next));
    shm_zone = *zone->shm_zone;
    shm_zone.data = &next;

    unit_check(ngx_agt_zone_init(&shm_zone, zone) == NGX_OK);

    unit_check(next.sh == zone->sh && next.facts == zone->facts
               && next.invalid == zone->invalid
               && next.flights == zone->flights
               && next.clients == zone->clients
               && next.shpool == zone->shpool);
    unit_check(ngx_agt_table_find(next.facts, key, 1) != NULL);

    /* and where memory is just there, as after a change of the binary */

    memset(&next, 0, sizeof(next));
    shm_zone.shm.exists = 1;

    unit_check(ngx_agt_zone_init(&shm_zone, NULL) == NGX_OK);
    unit_check(next.sh == zone->sh && next.facts == zone->facts);

    stub_zone_free(zone);
}


static void
test_version(void)
{
    ngx_shm_zone_t   shm_zone;
    ngx_agt_zone_t  *zone, next;

    unit_test("what another version has made is refused");

    zone = stub_zone(1 << 20);

    memset(&next, 0, sizeof(next));
    shm_zone = *zone->shm_zone;
    shm_zone.data = &next;

    zone->sh->version++;
    stub_lines = 0;

    unit_check(ngx_agt_zone_init(&shm_zone, zone) == NGX_ERROR);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);

    stub_zone_free(zone);
}


static void
test_contexts(void)
{
    u_char           digest[32];
    uint32_t         serial, *serials;
    ngx_uint_t       i, n, cycle;
    ngx_agt_zone_t  *zone;

    unit_test("an origin keeps its serial");

    zone = stub_zone(1 << 20);
    serials = calloc(20000, sizeof(uint32_t));

    for (i = 0; i < NGX_AGT_ZONE_ORIGINS; i++) {
        name(digest, i);
        serials[i] = ngx_agt_zone_origin(zone, digest);
        unit_check(serials[i] != 0);

        for (n = 0; n < i; n++) {
            unit_check(serials[n] != serials[i]);
        }
    }

    for (i = 0; i < NGX_AGT_ZONE_ORIGINS; i++) {
        name(digest, i);
        unit_check(ngx_agt_zone_origin(zone, digest) == serials[i]);
    }

    unit_test("no serial is ever given to two");

    stub_zone_free(zone);
    zone = stub_zone(1 << 20);

    memset(serials, 0, 20000 * sizeof(uint32_t));

    for (cycle = 0; cycle < 10000; cycle++) {

        i = stub_below(stub_below(2) ? 70 : 500);
        name(digest, i);
        serial = ngx_agt_zone_origin(zone, digest);

        unit_check(serial != 0 && serial < 20000);

        if (serial < 20000) {
            unit_check(serials[serial] == 0 || serials[serial] == i + 1);
            serials[serial] = (uint32_t) i + 1;
        }

        unit_check(ngx_agt_zone_origin(zone, digest) == serial);
    }

    free(serials);
    stub_zone_free(zone);
}


/* a process has died in the middle of a change */

static void
test_recovery(void)
{
    u_char           key[32], *p;
    uint64_t         i;
    ngx_uint_t       n;
    ngx_agt_zone_t  *zone;

    unit_test("after a death facts are dropped");

    zone = stub_zone(256 * 1024);

    for (n = 0; n < 50; n++) {

        for (i = 0; i < 100; i++) {
            name(key, i);
            ngx_agt_zone_lock(zone);
            ngx_agt_zone_begin_locked(zone);
            (void) ngx_agt_table_store(zone->facts, key, 1, 100);
            (void) ngx_agt_table_store(zone->invalid, key, 1, 10);
            ngx_agt_zone_end_locked(zone);
            ngx_agt_zone_unlock(zone);
        }

        unit_check((zone->sh->changes & 1) == 0);

        ngx_agt_zone_lock(zone);
        ngx_agt_zone_begin_locked(zone);

        p = (u_char *) zone->facts + zone->facts->slots_offset;

        for (i = 0; i < 1 + stub_below(2000); i++) {
            p[stub_below(100000)] = (u_char) stub_random();
        }

        zone->facts->used = (uint32_t) stub_random();
        zone->facts->hand = (uint32_t) stub_random();
        zone->invalid->units_used = (uint32_t) stub_random();

        /* the master has seen it die */

        stub_zone_force_unlock();

        ngx_agt_zone_lock(zone);

        unit_check((zone->sh->changes & 1) == 0);
        unit_check(stub_table_sane(zone->facts)
                   && stub_table_sane(zone->invalid));
        unit_check(zone->facts->used == 0 && zone->invalid->used == 0);
        unit_check(zone->sh->counts[NGX_AGT_COUNT_RECOVERED] == n + 1);

        ngx_agt_zone_unlock(zone);
    }

    stub_zone_free(zone);
}


static void
test_counts(void)
{
    ngx_uint_t       i, n;
    ngx_agt_clock_t  now;
    ngx_agt_zone_t  *zone;

    unit_test("counters count");

    zone = stub_zone(1 << 20);

    for (i = 0; i < NGX_AGT_COUNTS; i++) {
        for (n = 0; n <= i; n++) {
            ngx_agt_zone_count(zone, (ngx_agt_count_e) i);
        }
    }

    for (i = 0; i < NGX_AGT_COUNTS; i++) {
        unit_check(zone->sh->counts[i] == i + 1);
    }

    ngx_agt_zone_decided(zone, NGX_AGT_VERDICT_FORBIDDEN,
                         NGX_AGT_REASON_SCOPE);

    unit_check(zone->sh->decisions[NGX_AGT_VERDICT_FORBIDDEN]
                                  [NGX_AGT_REASON_SCOPE] == 1);

    unit_test("both clocks are those of nginx");

    stub_clock(123456, 1800000000);
    ngx_agt_clock_now(&now);
    unit_check(now.mono == 123456 && now.wall == 1800000000);

    stub_zone_free(zone);
}


/* a digest, as it were */

static void
name(u_char *key, uint64_t n)
{
    uint64_t    z;
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        z = (n + i + 1) * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z ^= z >> 31;
        memcpy(key + i * 8, &z, sizeof(uint64_t));
    }

    memcpy(key, &n, sizeof(uint64_t));
}
