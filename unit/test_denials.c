
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "ngx_agilicus_token_denials.h"


#define OFF         NGX_AGILICUS_TOKEN_FEED_OFF
#define INIT        NGX_AGILICUS_TOKEN_FEED_INIT
#define HEALTHY     NGX_AGILICUS_TOKEN_FEED_HEALTHY
#define LATE        NGX_AGILICUS_TOKEN_FEED_LATE
#define DEAD        NGX_AGILICUS_TOKEN_FEED_DEAD
#define INCOMPLETE  NGX_AGILICUS_TOKEN_FEED_INCOMPLETE


static void test_layout(void);
static void lay_out(size_t size);
static void test_too_small(void);
static void test_reload(void);
static void test_version(void);
static void test_recovery(void);
static void test_feed(void);
static ngx_int_t deny(ngx_agilicus_token_denials_t *denials, ngx_uint_t n);
static ngx_uint_t denied(ngx_agilicus_token_denials_t *denials, ngx_uint_t n);


static const u_char  api[32] = "an API";
static const u_char  other[32] = "another API";


int
main(int argc, char **argv)
{
    if (ngx_agilicus_token_digest_init() != NGX_OK) {
        return 1;
    }

    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 53);
    stub_clock(1000000, 1700000000);

    test_layout();
    test_too_small();
    test_reload();
    test_version();
    test_recovery();
    test_feed();

    return unit_done();
}


static void
test_layout(void)
{
    size_t      size;
    ngx_uint_t  i;

    unit_test("everything has its place in a memory of any size");

    for (size = NGX_AGILICUS_TOKEN_DENIALS_MIN;
         size < 512 * 1024;
         size += 4096)
    {
        lay_out(size);
    }

    for (i = 0; i < 100; i++) {
        lay_out(512 * 1024 + stub_below(16 << 20));
    }

    lay_out(NGX_AGILICUS_TOKEN_DENIALS_DEFAULT_SIZE);
}


static void
lay_out(size_t size)
{
    char                              note[32];
    size_t                            rest, unknown, places;
    ngx_agilicus_token_denials_t     *denials;
    ngx_agilicus_token_denials_sh_t  *sh;

    (void) snprintf(note, sizeof(note), "%lu bytes", (unsigned long) size);

    denials = stub_denials(size);
    unit_check_note(denials != NULL, note);

    if (denials == NULL) {
        return;
    }

    sh = denials->sh;

    unit_check_note((u_char *) sh + sh->size
                    <= denials->shm_zone->shm.addr + size, note);
    unit_check_note(sh->size >= size - size / 50 - 4 * 4096, note);
    unit_check_note(sh == denials->shpool->data, note);
    unit_check_note(sh->version == NGX_AGILICUS_TOKEN_DENIALS_VERSION, note);

    /* one behind the other, each at its own cache line */

    unit_check_note(sh->ledger_offset >= sizeof(*sh)
                    && sh->unknown_offset == sh->ledger_offset
                                             + sh->ledger_size
                    && sh->tombstones_offset > sh->unknown_offset
                    && sh->size > sh->tombstones_offset, note);
    unit_check_note(((sh->ledger_offset | sh->unknown_offset
                      | sh->tombstones_offset) & 63) == 0, note);
    unit_check_note((u_char *) denials->ledger
                       == (u_char *) sh + sh->ledger_offset
                    && (u_char *) denials->unknown
                       == (u_char *) sh + sh->unknown_offset
                    && (u_char *) denials->tombstones
                       == (u_char *) sh + sh->tombstones_offset, note);

    /* what they say of themselves does not reach further */

    unknown = ngx_agilicus_token_tombstones_capacity(denials->unknown);
    places = ngx_agilicus_token_tombstones_capacity(denials->tombstones);

    unit_check_note((unknown + 8) * 64
                    <= sh->tombstones_offset - sh->unknown_offset
                    && (places + 8) * 64 <= sh->size - sh->tombstones_offset,
                    note);

    /* and shares are as they should be */

    rest = sh->size - sh->ledger_offset;

    unit_check_note(sh->ledger_size * 100 / rest >= 38
                    && sh->ledger_size * 100 / rest <= 40, note);

    if (size >= 256 * 1024) {
        unit_check_note(unknown * 8 >= (unknown + places) * 9 / 10
                        && unknown * 8 <= unknown + places, note);
    }

    memset((u_char *) denials->ledger + denials->ledger->units, 0xff,
           sh->ledger_size - denials->ledger->units);

    unit_check_note(deny(denials, 7) == NGX_OK && denied(denials, 7), note);
    unit_check_note(!denied(denials, 8), note);

    stub_denials_free(denials);
}


static void
test_too_small(void)
{
    unit_test("a memory that is too small is refused, and said to be");

    stub_lines = 0;
    unit_check(stub_denials(3 * 4096) == NULL);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);
}


/* a memory that is there already is taken as it is */

static void
test_reload(void)
{
    ngx_uint_t                     i;
    ngx_shm_zone_t                 shm_zone;
    ngx_agilicus_token_denials_t  *denials, next;

    unit_test("the memory is kept over a reload, and not touched");

    denials = stub_denials(1 << 20);

    (void) deny(denials, 5);
    denials->sh->generation = 77;

    for (i = 0; i < 2; i++) {

        /* with that of the old configuration; and where it is just there */

        memset(&next, 0, sizeof(next));
        shm_zone = *denials->shm_zone;
        shm_zone.data = &next;
        shm_zone.shm.exists = i;

        unit_check(ngx_agilicus_token_denials_init(&shm_zone,
                                                   i ? NULL : denials)
                   == NGX_OK);

        unit_check(next.sh == denials->sh && next.ledger == denials->ledger
                   && next.unknown == denials->unknown
                   && next.tombstones == denials->tombstones
                   && next.shpool == denials->shpool);
        unit_check(denied(&next, 5) && next.sh->generation == 77);
    }

    stub_denials_free(denials);
}


static void
test_version(void)
{
    ngx_shm_zone_t                 shm_zone;
    ngx_agilicus_token_denials_t  *denials, next;

    unit_test("what another version has made is refused");

    denials = stub_denials(1 << 20);

    memset(&next, 0, sizeof(next));
    shm_zone = *denials->shm_zone;
    shm_zone.data = &next;

    denials->sh->version++;
    stub_lines = 0;

    unit_check(ngx_agilicus_token_denials_init(&shm_zone, denials)
               == NGX_ERROR);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);

    stub_denials_free(denials);
}


/* a process has died in the middle of a change */

static void
test_recovery(void)
{
    ngx_uint_t                     i, n;
    ngx_atomic_uint_t              generation;
    ngx_agilicus_token_denials_t  *denials;

    unit_test("after a death denials stay, and are looked for again");

    denials = stub_denials(256 * 1024);

    for (n = 0; n < 50; n++) {
        (void) deny(denials, n);

        generation = ngx_agilicus_token_denials_generation(denials);
        denials->sh->changes++;

        /* a reader needs the mutex, and with it comes the recovery */

        for (i = 0; i <= n; i++) {
            unit_check(denied(denials, i));
        }

        unit_check((denials->sh->changes & 1) == 0);
        unit_check(denials->sh->recovered == n + 1);
        unit_check(ngx_agilicus_token_denials_generation(denials)
                   == generation + 1);
    }

    stub_denials_free(denials);
}


static void
test_feed(void)
{
    ngx_uint_t                        i;
    ngx_agilicus_token_denials_t     *denials;
    ngx_agilicus_token_feed_state_t  *feed;

    static const struct {
        uint64_t                   interval;
        uint64_t                   watermark;
        uint64_t                   answered;
        uint64_t                   duration;
        uint32_t                   truncated;
        uint64_t                   incomplete;
        uint64_t                   now;
        ngx_agilicus_token_feed_e  state;
    } tests[] = {
        { 0, 0, 0, 0, 0, 0, 100000, OFF },
        { 0, 99999, 99999, 0, 1, 200000, 100000, OFF },
        { 1000, 0, 0, 0, 0, 0, 100000, INIT },
        { 1000, 0, 0, 0, 0, 0, 900000, INIT },
        { 1000, 100000, 100000, 0, 0, 0, 100000, HEALTHY },
        { 1000, 100000, 100000, 0, 0, 0, 103000, HEALTHY },
        { 1000, 100000, 100000, 0, 0, 0, 103001, LATE },
        { 1000, 100000, 100000, 0, 0, 0, 163000, LATE },
        { 1000, 100000, 100000, 0, 0, 0, 163001, DEAD },
        { 1000, 100000, 100000, 5000, 0, 0, 110000, HEALTHY },
        { 1000, 100000, 100000, 5000, 0, 0, 110001, LATE },
        { 1000, 100000, 100000, 5000, 0, 0, 170000, LATE },
        { 1000, 100000, 100000, 5000, 0, 0, 170001, DEAD },

        /* what is not all is late, and dead, as everything else */

        { 1000, 100000, 100000, 0, 1, 0, 103000, INCOMPLETE },
        { 1000, 100000, 100000, 0, 1, 0, 103001, LATE },
        { 1000, 100000, 100000, 0, 1, 0, 163000, LATE },
        { 1000, 100000, 100000, 0, 1, 0, 163001, DEAD },
        { 1000, 0, 100000, 0, 1, 0, 103000, INCOMPLETE },
        { 1000, 0, 100000, 0, 1, 0, 103001, LATE },
        { 1000, 0, 100000, 0, 1, 0, 163001, DEAD },
        { 1000, 100000, 100000, 0, 0, 900000, 103000, INCOMPLETE },
        { 1000, 100000, 100000, 0, 0, 900000, 103001, LATE },
        { 1000, 100000, 100000, 0, 0, 900000, 163001, DEAD },
        { 1000, 0, 0, 0, 0, 900000, 100000, INCOMPLETE },

        /* polls that go on without ever being complete again */

        { 1000, 100000, 500000, 0, 1, 0, 500000, INCOMPLETE },
        { 1000, 100000, 500000, 0, 1, 0, 563001, DEAD },
        { 1000, 100000, 500000, 0, 0, 0, 500000, LATE },

        { 1000, 100000, 100000, 0, 0, 100001, 100000, INCOMPLETE },
        { 1000, 100000, 100000, 0, 0, 100000, 100000, HEALTHY },

        /* a poll that began a moment after the clock was read */
        { 1000, 100001, 100001, 0, 0, 0, 100000, HEALTHY }
    };

    unit_test("the feed is healthy for as long as it can be relied on");

    denials = stub_denials(1 << 20);
    feed = &denials->sh->feed;
    memcpy(feed->api, api, sizeof(api));

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        feed->interval = tests[i].interval;
        feed->watermark = tests[i].watermark;
        feed->answered = tests[i].answered;
        feed->duration = tests[i].duration;
        feed->truncated = tests[i].truncated;
        denials->sh->incomplete = tests[i].incomplete;

        unit_check(ngx_agilicus_token_denials_feed(denials, api, tests[i].now)
                   == tests[i].state);
        unit_check(ngx_agilicus_token_denials_feed(denials, other,
                                                   tests[i].now)
                   == (tests[i].interval ? NGX_AGILICUS_TOKEN_FEED_DEAD
                                         : NGX_AGILICUS_TOKEN_FEED_OFF));
    }

    stub_denials_free(denials);
}


static ngx_int_t
deny(ngx_agilicus_token_denials_t *denials, ngx_uint_t n)
{
    ngx_str_t                   value;
    ngx_agilicus_token_clock_t  now = { 1000000, 1700000000 };

    value.data = (u_char *) &n;
    value.len = sizeof(ngx_uint_t);

    return stub_deny(denials, api, NGX_AGILICUS_TOKEN_TOMBSTONE_JTI, &value,
                     now.wall + 100, 0, &now);
}


static ngx_uint_t
denied(ngx_agilicus_token_denials_t *denials, ngx_uint_t n)
{
    ngx_agilicus_token_facts_t  facts;
    ngx_agilicus_token_clock_t  now = { 1000000, 1700000000 };

    memset(&facts, 0, sizeof(facts));

    facts.jti.data = (u_char *) &n;
    facts.jti.len = sizeof(ngx_uint_t);

    return ngx_agilicus_token_denied(denials, api, api, &facts,
                                     NGX_AGILICUS_TOKEN_NEVER_ASKED, &now)
           != NGX_AGILICUS_TOKEN_REASON_NONE;
}
