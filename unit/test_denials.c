
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/denials.h"


#define OFF         NGX_AGT_FEED_OFF
#define INIT        NGX_AGT_FEED_INIT
#define HEALTHY     NGX_AGT_FEED_HEALTHY
#define LATE        NGX_AGT_FEED_LATE
#define DEAD        NGX_AGT_FEED_DEAD
#define INCOMPLETE  NGX_AGT_FEED_INCOMPLETE


static void test_layout(void);
static void lay_out(size_t size);
static void test_too_small(void);
static void test_reload(void);
static void test_version(void);
static void test_recovery(void);
static void test_asked(void);
static void test_marks(void);
static void test_unknown(void);
static void test_extended(void);
static void test_spellings(void);
static void test_told(void);
static void test_feed(void);
static ngx_int_t deny(ngx_agt_denials_t *denials, ngx_uint_t n);
static ngx_int_t deny_subject(ngx_agt_denials_t *denials, int64_t before);
static ngx_uint_t subject_denied(ngx_agt_denials_t *denials,
    int64_t iat, uint64_t asked);
static ngx_int_t deny_token(ngx_agt_denials_t *denials,
    ngx_uint_t n, ngx_uint_t unknown);
static ngx_uint_t token_denied(ngx_agt_denials_t *denials, ngx_uint_t n);
static ngx_uint_t denied(ngx_agt_denials_t *denials, ngx_uint_t n);


static const u_char  api[32] = "an API";
static const u_char  other[32] = "another API";


int
main(int argc, char **argv)
{
    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 53);
    stub_clock(1000000, 1700000000);

    test_layout();
    test_too_small();
    test_reload();
    test_version();
    test_recovery();
    test_asked();
    test_marks();
    test_unknown();
    test_extended();
    test_spellings();
    test_told();
    test_feed();

    return unit_done();
}


static void
test_layout(void)
{
    size_t      size;
    ngx_uint_t  i;

    unit_test("everything has its place in a memory of any size");

    for (size = NGX_AGT_DENIALS_MIN; size < 512 * 1024; size += 4096)
    {
        lay_out(size);
    }

    for (i = 0; i < 100; i++) {
        lay_out(512 * 1024 + stub_below(16 << 20));
    }

    lay_out(NGX_AGT_DENIALS_DEFAULT_SIZE);
}


static void
lay_out(size_t size)
{
    char                   note[32];
    size_t                 rest, unknown, places;
    ngx_agt_denials_t     *denials;
    ngx_agt_denials_sh_t  *sh;

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
    unit_check_note(sh->version == NGX_AGT_DENIALS_VERSION, note);

    /* one behind the other, each at its own cache line */

    unit_check_note(sh->ledger_offset >= sizeof(*sh)
                    && sh->unknown_offset == sh->ledger_offset
                                             + sh->ledger_size
                    && sh->set_offset > sh->unknown_offset
                    && sh->size > sh->set_offset, note);
    unit_check_note(((sh->ledger_offset | sh->unknown_offset
                      | sh->set_offset) & 63) == 0, note);
    unit_check_note((u_char *) denials->ledger
                       == (u_char *) sh + sh->ledger_offset
                    && (u_char *) denials->unknown
                       == (u_char *) sh + sh->unknown_offset
                    && (u_char *) denials->set
                       == (u_char *) sh + sh->set_offset, note);

    /* what they say of themselves does not reach further */

    unknown = ngx_agt_denial_set_capacity(denials->unknown);
    places = ngx_agt_denial_set_capacity(denials->set);

    unit_check_note((unknown + 8) * 64
                    <= sh->set_offset - sh->unknown_offset
                    && (places + 8) * 64 <= sh->size - sh->set_offset,
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
    ngx_uint_t          i;
    ngx_shm_zone_t      shm_zone;
    ngx_agt_denials_t  *denials, next;

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

        unit_check(ngx_agt_denials_init(&shm_zone, i ? NULL : denials)
                   == NGX_OK);

        unit_check(next.sh == denials->sh && next.ledger == denials->ledger
                   && next.unknown == denials->unknown
                   && next.set == denials->set
                   && next.shpool == denials->shpool);
        unit_check(denied(&next, 5) && next.sh->generation == 77);
    }

    stub_denials_free(denials);
}


static void
test_version(void)
{
    ngx_shm_zone_t      shm_zone;
    ngx_agt_denials_t  *denials, next;

    unit_test("what another version has made is refused");

    denials = stub_denials(1 << 20);

    memset(&next, 0, sizeof(next));
    shm_zone = *denials->shm_zone;
    shm_zone.data = &next;

    denials->sh->version++;
    stub_lines = 0;

    unit_check(ngx_agt_denials_init(&shm_zone, denials) == NGX_ERROR);
    unit_check(stub_lines == 1 && stub_level == NGX_LOG_EMERG);

    stub_denials_free(denials);
}


/* a process has died in the middle of a change */

static void
test_recovery(void)
{
    ngx_uint_t          i, n;
    ngx_atomic_uint_t   generation;
    ngx_agt_denials_t  *denials;

    unit_test("after a death denials stay, and are looked for again");

    denials = stub_denials(256 * 1024);

    for (n = 0; n < 50; n++) {
        (void) deny(denials, n);

        generation = ngx_agt_denials_generation(denials);
        denials->sh->changes++;

        /* a reader needs the mutex, and with it comes the recovery */

        for (i = 0; i <= n; i++) {
            unit_check(denied(denials, i));
        }

        unit_check((denials->sh->changes & 1) == 0);
        unit_check(denials->sh->recovered == n + 1);
        unit_check(ngx_agt_denials_generation(denials) == generation + 1);
    }

    stub_denials_free(denials);
}


/* a subject that was denied, and tokens by their issue and first call */

static void
test_asked(void)
{
    uint64_t            made;
    ngx_agt_denials_t  *denials;

    unit_test("a token asked about before its subject was denied is denied");

    denials = stub_denials(256 * 1024);

    unit_check(!subject_denied(denials, 5, 0));

    stub_clock(2000000, 1700001000);
    unit_check(deny_subject(denials, 1700001000) == NGX_OK);
    made = 2000001;

    unit_check(subject_denied(denials, 1700001000, NGX_AGT_NEVER_ASKED));
    unit_check(!subject_denied(denials, 1700001001, NGX_AGT_NEVER_ASKED));
    unit_check(!subject_denied(denials, 1700001001, made + 1));
    unit_check(subject_denied(denials, 1700001001, made));
    unit_check(subject_denied(denials, 1800000000, 0));
    unit_check(subject_denied(denials, 1700001000, made + 1));

    unit_test("and again, when the subject is denied again");

    stub_clock(3000000, 1700001000);
    unit_check(deny_subject(denials, 1700001000) == NGX_OK);
    unit_check(subject_denied(denials, 1700001001, made + 1));
    unit_check(subject_denied(denials, 1700001001, 3000001));
    unit_check(!subject_denied(denials, 1700001001, 3000002));

    stub_denials_free(denials);
    stub_clock(1000000, 1700000000);
}


/* a mark says when a token was first asked about, whatever facts say */

static void
test_marks(void)
{
    ngx_uint_t          i;
    ngx_agt_clock_t     now = { 1000000, 1700000000 };
    ngx_atomic_uint_t   changes;
    ngx_agt_denials_t  *denials;

    unit_test("a mark tells that a token is older than a denial");

    denials = stub_denials(32 * 1024);

    ngx_agt_denials_asked(denials, api, api, 1000000, 1700009000, &now);
    unit_check(!subject_denied(denials, 1700005000, 2000000));

    stub_clock(1500000, 1700000500);
    unit_check(deny_subject(denials, 1700000500) == NGX_OK);
    unit_check(subject_denied(denials, 1700005000, 2000000));
    unit_check(subject_denied(denials, 1700005000, NGX_AGT_NEVER_ASKED));

    /* the first one counts, and it is of this API only */

    ngx_agt_denials_asked(denials, api, api, 2000000, 1700009000, &now);
    unit_check(subject_denied(denials, 1700005000, 2000000));

    stub_denials_free(denials);
    denials = stub_denials(32 * 1024);

    ngx_agt_denials_asked(denials, other, api, 1000000, 1700009000, &now);
    unit_check(deny_subject(denials, 1700000500) == NGX_OK);
    unit_check(!subject_denied(denials, 1700005000, 2000000));

    unit_test("one that came after the denial tells nothing");

    ngx_agt_denials_asked(denials, api, api, 2000000, 1700009000, &now);
    unit_check(!subject_denied(denials, 1700005000, 2000000));

    unit_test("a mark is a change, since a denial may be moved for it");

    changes = denials->sh->changes;
    ngx_agt_denials_asked(denials, other, other, 2000000, 1700009000, &now);
    unit_check(denials->sh->changes == changes + 2);

    unit_test("marks take no place from denials, and deny nothing");

    stub_denials_free(denials);
    denials = stub_denials(32 * 1024);

    for (i = 0; i < 2000; i++) {
        u_char  token[32];

        memset(token, 0, sizeof(token));
        memcpy(token, &i, sizeof(ngx_uint_t));

        ngx_agt_denials_asked(denials, api, token, 1000000, 1700009000, &now);
        unit_check(!token_denied(denials, i));
    }

    for (i = 0; i < 30; i++) {
        unit_check(deny(denials, i) == NGX_OK);
    }

    unit_check(denials->sh->lost == 0 && denials->sh->incomplete == 0);

    stub_denials_free(denials);
    stub_clock(1000000, 1700000000);
}


/* strings that were never good have places of their own */

static void
test_unknown(void)
{
    ngx_uint_t          i, n;
    ngx_agt_denials_t  *denials;

    unit_test("a token that was never good pushes out only its own kind");

    denials = stub_denials(32 * 1024);

    for (i = 0; i < 50; i++) {
        unit_check(deny_token(denials, i, 0) == NGX_OK);
    }

    for (i = 1000; i < 5000; i++) {
        unit_check(deny_token(denials, i, 1) == NGX_OK);
        unit_check(token_denied(denials, i));
    }

    for (i = 0; i < 50; i++) {
        unit_check(token_denied(denials, i));
    }

    n = 0;

    for (i = 1000; i < 5000; i++) {
        n += token_denied(denials, i);
    }

    unit_check(n <= ngx_agt_denial_set_capacity(denials->unknown) && n > 0);
    unit_check(denials->sh->lost == 0 && denials->sh->incomplete == 0);

    stub_denials_free(denials);
}


static void
test_extended(void)
{
    ngx_uint_t          i;
    ngx_agt_clock_t     now = { 1000000, 1700000000 };
    ngx_agt_denial_t   *s;
    ngx_agt_denials_t  *denials;

    unit_test("denials last longer, of each set, and only those that live");

    denials = stub_denials(32 * 1024);

    unit_check(deny_token(denials, 1, 0) == NGX_OK);
    unit_check(deny_token(denials, 2, 1) == NGX_OK);

    ngx_agt_denials_lock(denials);
    ngx_agt_denials_extend_locked(denials, 30, &now);

    now.mono += 200000;
    now.wall += 200;
    ngx_agt_denials_extend_locked(denials, 3000, &now);
    ngx_agt_denials_unlock(denials);

    now.mono -= 200000;
    now.wall -= 200;

    i = 0;
    s = ngx_agt_denial_set_next(denials->set, &i, &now);
    unit_check(s && s->wall == now.wall + 130 && s->mono == now.mono + 130000);

    i = 0;
    s = ngx_agt_denial_set_next(denials->unknown, &i, &now);
    unit_check(s && s->wall == now.wall + 130 && s->mono == now.mono + 130000);

    unit_test("for ever stays for ever");

    s->wall = 0x7fffffffffffffff - 10;

    ngx_agt_denials_lock(denials);
    ngx_agt_denials_extend_locked(denials, 30, &now);
    ngx_agt_denials_unlock(denials);

    unit_check(s->wall == 0x7fffffffffffffff);

    stub_denials_free(denials);
}


static void
test_spellings(void)
{
    u_char      digest[32], key[32], bare[32];
    ngx_str_t   token;
    ngx_uint_t  i;

    static const char  *spelled[] = { "abc", "abc=", "abc==", "abc=======" };
    static const char  *others[] = { "ab", "abc=d", "=abc", "abcd", "=" };

    unit_test("all spellings of a token have one key");

    token = unit_str("abc");
    unit_check(ngx_agt_digest(bare, &token, 1) == NGX_OK);
    free(token.data);

    for (i = 0; i < 4; i++) {
        token = unit_str(spelled[i]);
        (void) ngx_agt_digest(digest, &token, 1);

        unit_check(ngx_agt_denials_token(key, &token, digest) == NGX_OK);
        unit_check(memcmp(key, bare, sizeof(key)) == 0);
        free(token.data);
    }

    for (i = 0; i < 5; i++) {
        token = unit_str(others[i]);
        (void) ngx_agt_digest(digest, &token, 1);

        unit_check(ngx_agt_denials_token(key, &token, digest) == NGX_OK);
        unit_check(memcmp(key, bare, sizeof(key)) != 0);
        free(token.data);
    }

    unit_test("a token whose key could not be made is denied");

    {
        ngx_agt_clock_t     now = { 1000000, 1700000000 };
        ngx_agt_denial_t    denial;
        ngx_agt_denials_t  *denials;

        denials = stub_denials(32 * 1024);

        unit_check(ngx_agt_denials_check(denials, api, NULL, NULL, 0, &now)
                   == NGX_AGT_REASON_REVOKED);

        unit_test("a denial is found, to be told of");

        stub_source = NGX_AGT_DENIED_UNTOLD;
        memset(bare, 0, sizeof(bare));

        unit_check(ngx_agt_denials_find(denials, api, NULL, NULL, 0, &now,
                                        &denial)
                   == NGX_DECLINED);
        unit_check(ngx_agt_denials_find(denials, api, bare, NULL, 0, &now,
                                        &denial)
                   == NGX_DECLINED);

        unit_check(deny_token(denials, 0, 0) == NGX_OK);
        unit_check(ngx_agt_denials_find(denials, api, bare, NULL, 0, &now,
                                        &denial)
                   == NGX_OK);
        unit_check(ngx_agt_denial_source(&denial) == NGX_AGT_DENIED_UNTOLD
                   && denial.wall == now.wall + 100
                   && ngx_agt_denial_made(&denial) >= now.mono);

        stub_denials_free(denials);
    }
}


/* a sign-out is protected until the API has confirmed it */

static void
test_told(void)
{
    u_char                 token[32];
    ngx_int_t              rc;
    ngx_uint_t             i, n, told;
    ngx_agt_clock_t        now = { 1000000, 1700000000 };
    ngx_agt_denial_args_t  args;
    ngx_agt_denials_t     *denials;

    unit_test("what the API is still to be told stays, what it was told goes");

    for (told = 0; told < 2; told++) {
        denials = stub_denials(32 * 1024);
        stub_source = NGX_AGT_DENIED_UNTOLD;

        for (i = 0; i < 2000; i++) {

            if (deny_token(denials, i, 0) == NGX_ERROR || !told) {
                continue;
            }

            memset(token, 0, sizeof(token));
            memcpy(token, &i, sizeof(ngx_uint_t));
            memset(&args, 0, sizeof(args));

            args.api = api;
            args.kind = NGX_AGT_DENIAL_TOKEN;
            args.value.data = token;
            args.value.len = sizeof(token);

            ngx_agt_denials_told(denials, &args, &now);
        }

        stub_source = NGX_AGT_DENIED_BY_HOOK;
        n = 0;

        for (i = 5000; i < 5100; i++) {
            rc = deny_token(denials, i, 0);
            n += (rc != NGX_ERROR);
            unit_check(token_denied(denials, i) == (rc != NGX_ERROR));
        }

        unit_check(told ? n > 50 : n == 0);
        unit_check((denials->sh->incomplete != 0) == told);

        stub_source = NGX_AGT_DENIED_BY_FEED;
        stub_denials_free(denials);
    }
}


static void
test_feed(void)
{
    ngx_uint_t             i;
    ngx_agt_denials_t     *denials;
    ngx_agt_feed_state_t  *feed;

    static const struct {
        uint64_t        interval;
        uint64_t        watermark;
        uint64_t        answered;
        uint64_t        duration;
        uint32_t        truncated;
        uint64_t        incomplete;
        uint64_t        now;
        ngx_agt_feed_e  state;
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

        /* an incomplete feed gets late, and dead, as any other */

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
        feed->lasts = UINT64_MAX;
        feed->watermark = tests[i].watermark;
        feed->answered = tests[i].answered;
        feed->duration = tests[i].duration;
        feed->truncated = tests[i].truncated;
        denials->sh->incomplete = tests[i].incomplete;

        unit_check(ngx_agt_denials_feed(denials, api, tests[i].now)
                   == tests[i].state);
        unit_check(ngx_agt_denials_feed(denials, other, tests[i].now)
                   == (tests[i].interval ? NGX_AGT_FEED_DEAD
                                         : NGX_AGT_FEED_OFF));
    }

    unit_test("and no longer than all of the fleet is known");

    feed->interval = 1000;
    feed->watermark = 100000;
    feed->answered = 100000;
    denials->sh->incomplete = 0;

    denials->sh->fleet.on = 1;
    denials->sh->fleet.until = 101000;
    unit_check(ngx_agt_denials_feed(denials, api, 101000) == HEALTHY);
    unit_check(ngx_agt_denials_feed(denials, api, 101001) == LATE);
    unit_check(ngx_agt_denials_feed(denials, api, 163001) == LATE);
    feed->failing = 1;
    unit_check(ngx_agt_denials_feed(denials, api, 163001) == DEAD);
    feed->failing = 0;

    denials->sh->fleet.until = 0;
    unit_check(ngx_agt_denials_feed(denials, api, 100000) == LATE);

    denials->sh->fleet.on = 0;
    unit_check(ngx_agt_denials_feed(denials, api, 100000) == HEALTHY);

    feed->lasts = 1500;
    unit_check(ngx_agt_denials_feed(denials, api, 101500) == HEALTHY);
    unit_check(ngx_agt_denials_feed(denials, api, 101501) == LATE);
    feed->lasts = UINT64_MAX;

    feed->truncated = 1;
    unit_check(ngx_agt_denials_feed(denials, api, 100000) == INCOMPLETE);

    stub_denials_free(denials);
}


static ngx_int_t
deny(ngx_agt_denials_t *denials, ngx_uint_t n)
{
    ngx_str_t        value;
    ngx_agt_clock_t  now = { 1000000, 1700000000 };

    value.data = (u_char *) &n;
    value.len = sizeof(ngx_uint_t);

    return stub_deny(denials, api, NGX_AGT_DENIAL_JTI, &value,
                     now.wall + 100, 0, &now);
}


static ngx_uint_t
denied(ngx_agt_denials_t *denials, ngx_uint_t n)
{
    ngx_agt_facts_t  facts;
    ngx_agt_clock_t  now = { 1000000, 1700000000 };

    memset(&facts, 0, sizeof(facts));

    facts.jti.data = (u_char *) &n;
    facts.jti.len = sizeof(ngx_uint_t);

    return ngx_agt_denials_check(denials, api, api, &facts,
                                 NGX_AGT_NEVER_ASKED, &now)
           != NGX_AGT_REASON_NONE;
}


static ngx_int_t
deny_subject(ngx_agt_denials_t *denials, int64_t before)
{
    ngx_str_t        value;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);
    ngx_str_set(&value, "subject");

    return stub_deny(denials, api, NGX_AGT_DENIAL_SUBJECT,
                     &value, now.wall + 100000, before, &now);
}


static ngx_uint_t
subject_denied(ngx_agt_denials_t *denials, int64_t iat, uint64_t asked)
{
    ngx_agt_clock_t  now;
    ngx_agt_facts_t  facts;

    ngx_agt_clock_now(&now);
    memset(&facts, 0, sizeof(facts));

    ngx_str_set(&facts.sub, "subject");
    facts.has_iat = 1;
    facts.iat = iat;

    return ngx_agt_denials_check(denials, api, api, &facts, asked, &now)
           != NGX_AGT_REASON_NONE;
}


static ngx_int_t
deny_token(ngx_agt_denials_t *denials, ngx_uint_t n, ngx_uint_t unknown)
{
    u_char                 token[32];
    ngx_agt_clock_t        now = { 1000000, 1700000000 };
    ngx_agt_denial_args_t  args;

    memset(token, 0, sizeof(token));
    memcpy(token, &n, sizeof(ngx_uint_t));
    memset(&args, 0, sizeof(args));

    args.api = api;
    args.kind = NGX_AGT_DENIAL_TOKEN;
    args.source = unknown ? NGX_AGT_DENIED_BY_API : stub_source;
    args.value.data = token;
    args.value.len = sizeof(token);
    args.until = now.wall + 100;
    args.unknown = (unknown != 0);

    return ngx_agt_denials_add(denials, &args, &now);
}


static ngx_uint_t
token_denied(ngx_agt_denials_t *denials, ngx_uint_t n)
{
    u_char           token[32];
    ngx_agt_clock_t  now = { 1000000, 1700000000 };

    memset(token, 0, sizeof(token));
    memcpy(token, &n, sizeof(ngx_uint_t));

    return ngx_agt_denials_check(denials, api, token, NULL, 0, &now)
           != NGX_AGT_REASON_NONE;
}
