
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * What a look-up costs in a cache of ten thousand tokens and in one of a
 * million, and how much of a zone a token takes.  Linked with the objects that
 * the module is made of; what nginx gives them comes from unit/stubs.c.
 * Prints JSON; with the argument "digest", what a digest takes and no more.
 */

#include "stubs.h"

#include "zone/cache.h"

#include <sys/prctl.h>
#include <time.h>


#define FEW        10000
#define MANY       1000000
#define LOOK_UPS   1000000
#define ROUNDS     7
#define DIGESTS    20000
#define TOKEN_LEN  900

/* bytes of a zone for each token: more than it takes */
#define PER_TOKEN  700

/* the length of an identifier */
#define ID_LEN     22


static ngx_agt_zone_t *fill(uint64_t n);
static double look_up(ngx_agt_zone_t *zone, uint64_t n);
static double generate(uint64_t n);
static double digest(void);
static void room(void);
static ngx_uint_t store(ngx_agt_zone_t *zone, uint64_t n);
static size_t entry(u_char *buf, size_t size, uint64_t n);
static void key_of(uint64_t n, u_char *key);
static void id_of(uint64_t n, u_char *id);
static double median(double *values, ngx_uint_t n);
static double nanoseconds(void);


static uint64_t  sink;


int
main(int argc, char **argv)
{
    double           few[ROUNDS], many[ROUNDS], none[ROUNDS];
    ngx_uint_t       i;
    ngx_agt_zone_t  *small, *large;

    /* nginx's shared memory has small pages, so this has them too */

    (void) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);

    stub_seed(10000);
    stub_clock(1000000, 1000000);

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    /* for a run without SHA-NI */

    if (argc > 1 && strcmp(argv[1], "digest") == 0) {
        printf("{\n  \"digest_ns\": %.1f\n}\n", digest());
        return sink == 1;
    }

    small = fill(FEW);
    large = fill(MANY);

    for (i = 0; i < ROUNDS; i++) {
        none[i] = generate(MANY);
        few[i] = look_up(small, FEW);
        many[i] = look_up(large, MANY);
    }

    printf("{\n");
    printf("  \"few\": %d, \"many\": %d, \"look_ups\": %d, \"rounds\": %d,\n",
           FEW, MANY, LOOK_UPS, ROUNDS);
    printf("  \"few_ns\": %.1f,\n", median(few, ROUNDS) - median(none, ROUNDS));
    printf("  \"many_ns\": %.1f,\n",
           median(many, ROUNDS) - median(none, ROUNDS));

    for (i = 0; i < ROUNDS; i++) {
        many[i] -= few[i];
    }

    printf("  \"more_ns\": %.1f,\n", median(many, ROUNDS));
    printf("  \"more_ns_min\": %.1f, \"more_ns_max\": %.1f,\n", many[0],
           many[ROUNDS - 1]);
    printf("  \"digest_ns\": %.1f,\n", digest());

    stub_zone_free(small);
    stub_zone_free(large);

    room();

    printf("}\n");

    return sink == 1;
}


/* a zone with so many tokens, all of which are there */

static ngx_agt_zone_t *
fill(uint64_t n)
{
    uint64_t         i;
    ngx_agt_zone_t  *zone;

    zone = stub_zone(n * PER_TOKEN + (1 << 20));

    if (zone == NULL) {
        fprintf(stderr, "no zone\n");
        exit(1);
    }

    for (i = 0; i < n; i++) {
        if (!store(zone, i)) {
            fprintf(stderr, "a token does not fit\n");
            exit(1);
        }
    }

    if (zone->facts->evictions || zone->facts->used != n) {
        fprintf(stderr, "not all tokens are there\n");
        exit(1);
    }

    return zone;
}


/* nanoseconds of one look-up, of tokens at random, and of making its key */

static double
look_up(ngx_agt_zone_t *zone, uint64_t n)
{
    double               start;
    u_char               key[NGX_AGT_DIGEST_LEN];
    ngx_uint_t           i;
    ngx_agt_found_t      found;
    ngx_agt_cache_key_t  ck;

    ck.key = key;
    ck.origin = 1;

    start = nanoseconds();

    for (i = 0; i < LOOK_UPS; i++) {
        key_of(stub_below(n), key);

        if (ngx_agt_cache_find(zone, &ck, 0, &found) != NGX_OK) {
            fprintf(stderr, "a token is not there\n");
            exit(1);
        }

        sink += found.facts.data[found.facts.len - 1];
    }

    return (nanoseconds() - start) / LOOK_UPS;
}


static double
generate(uint64_t n)
{
    double      start;
    u_char      key[NGX_AGT_DIGEST_LEN];
    ngx_uint_t  i;

    start = nanoseconds();

    for (i = 0; i < LOOK_UPS; i++) {
        key_of(stub_below(n), key);
        sink += key[0];
    }

    return (nanoseconds() - start) / LOOK_UPS;
}


static double
digest(void)
{
    double      values[ROUNDS], start;
    u_char      out[NGX_AGT_DIGEST_LEN], text[TOKEN_LEN];
    ngx_str_t   token;
    ngx_uint_t  i, j;

    memset(text, 'x', sizeof(text));

    token.data = text;
    token.len = TOKEN_LEN;

    for (i = 0; i < ROUNDS; i++) {
        start = nanoseconds();

        for (j = 0; j < DIGESTS; j++) {
            text[j % TOKEN_LEN]++;

            if (ngx_agt_digest(out, &token, 1) != NGX_OK) {
                exit(1);
            }

            sink += out[0];
        }

        values[i] = (nanoseconds() - start) / DIGESTS;
    }

    return median(values, ROUNDS);
}


/*
 * Bytes of shared memory for a token: the whole table of facts, index and
 * arena, by the number of tokens in it when the first one had to go.
 */

static void
room(void)
{
    size_t           table;
    uint64_t         n;
    ngx_agt_zone_t  *zone;

    zone = stub_zone(64 << 20);

    if (zone == NULL) {
        exit(1);
    }

    for (n = 0; zone->facts->evictions == 0; n++) {
        if (!store(zone, n)) {
            exit(1);
        }
    }

    n = zone->facts->used;
    table = zone->facts->arena_offset
            + (size_t) zone->facts->units * NGX_AGT_TABLE_UNIT;

    printf("  \"tokens_of_64m\": %llu,\n", (unsigned long long) n);
    printf("  \"entry_bytes\": %.1f,\n",
           (double) zone->facts->units_used * NGX_AGT_TABLE_UNIT
           / (double) n);
    printf("  \"token_bytes\": %.1f\n", (double) table / (double) n);

    stub_zone_free(zone);
}


static ngx_uint_t
store(ngx_agt_zone_t *zone, uint64_t n)
{
    u_char               key[NGX_AGT_DIGEST_LEN];
    u_char               buf[1024];
    ngx_str_t            facts, rules;
    ngx_agt_cache_key_t  ck;

    key_of(n, key);

    ck.key = key;
    ck.origin = 1;

    facts.data = buf;
    facts.len = entry(buf, sizeof(buf), n);

    ngx_str_null(&rules);

    return facts.len
           && ngx_agt_cache_store(zone, &ck,
                                  NGX_AGT_CLASS_ACTIVE,
                                  NGX_AGT_REASON_NONE,
                                  &facts, &rules, 1000000, 0, 0)
              == NGX_OK;
}


/* five scopes, one role, one audience, identifiers of 22 characters */

static size_t
entry(u_char *buf, size_t size, uint64_t n)
{
    u_char                   ids[5][ID_LEN];
    ngx_str_t                s;
    ngx_uint_t               i;
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    static const char  *scopes[] = {
        "urn:agilicus:users:reader", "urn:agilicus:orgs:reader",
        "urn:agilicus:permits:reader", "urn:agilicus:permits:writer",
        "urn:agilicus:reports:reader"
    };

    static const char  *others[] = {
        "urn:api:agilicus:gateway", "permits", "owner"
    };

    ngx_memzero(&facts, sizeof(facts));

    facts.has_exp = 1;
    facts.exp = 2000000;
    facts.has_iat = 1;
    facts.iat = 1000000;

    /* all tokens are for the same user and organisations */

    for (i = 0; i < 5; i++) {
        id_of(i < 3 ? i : 5 * n + i, ids[i]);
    }

    facts.sub.data = ids[0];
    facts.sub.len = ID_LEN;
    facts.org.data = ids[1];
    facts.org.len = ID_LEN;
    facts.root_org.data = ids[2];
    facts.root_org.len = ID_LEN;
    facts.jti.data = ids[3];
    facts.jti.len = ID_LEN;
    facts.session.data = ids[4];
    facts.session.len = ID_LEN;

    ngx_agt_facts_begin(&b, buf, size, &facts);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_AUD);
    s.data = (u_char *) others[0];
    s.len = strlen(others[0]);
    ngx_agt_facts_add(&b, &s);

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_SCOPES);

    for (i = 0; i < 5; i++) {
        s.data = (u_char *) scopes[i];
        s.len = strlen(scopes[i]);
        ngx_agt_facts_add(&b, &s);
    }

    ngx_agt_facts_list(&b, NGX_AGT_FACTS_ROLES);

    for (i = 1; i < 3; i++) {
        s.data = (u_char *) others[i];
        s.len = strlen(others[i]);
        ngx_agt_facts_add(&b, &s);
    }

    return ngx_agt_facts_end(&b);
}


static uint64_t
mix(uint64_t z)
{
    z *= 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


/* stands for a digest, without the time that one takes */

static void
key_of(uint64_t n, u_char *key)
{
    uint64_t    part;
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_DIGEST_LEN / sizeof(uint64_t); i++) {
        part = mix(4 * n + i + 1);
        ngx_memcpy(key + i * sizeof(uint64_t), &part, sizeof(uint64_t));
    }
}


static void
id_of(uint64_t n, u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < ID_LEN; i++) {
        id[i] = (u_char) ('a' + mix(n * ID_LEN + i + 1) % 26);
    }
}


/* sorts them */

static double
median(double *values, ngx_uint_t n)
{
    double      value;
    ngx_uint_t  i, j;

    for (i = 1; i < n; i++) {
        value = values[i];

        for (j = i; j && values[j - 1] > value; j--) {
            values[j] = values[j - 1];
        }

        values[j] = value;
    }

    return values[n / 2];
}


/* of this process, for others may want the core too */

static double
nanoseconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}
