
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "unit.h"
#include "stubs.h"

#include "zone/keys.h"


#define KEYS      60
#define SECOND    1000
#define HOUR      (3600 * SECOND)
#define TIMEOUT   (4 * SECOND)

#define GOOD        NGX_AGT_KEYS_GOOD
#define WITHDRAWN   NGX_AGT_KEYS_WITHDRAWN_GOOD
#define OPEN        NGX_AGT_KEYS_OPEN
#define FORGED      NGX_AGT_KEYS_FORGED
#define UNVERIFIED  NGX_AGT_KEYS_UNVERIFIED
#define UNKNOWN     NGX_AGT_KEYS_UNKNOWN

/* which keys there are, by their letters; in capitals: without a name */
#define put(set)       fetch(set, 0)


static void test_named(void);
static void test_unnamed(void);
static void test_many_unnamed(void);
static void test_nameless(void);
static void test_algorithms(void);
static void test_withdrawn(void);
static void test_renamed(void);
static void test_full(void);
static void test_source(void);
static void test_unchanged(void);
static void test_turns(void);
static void test_periods(void);
static void test_settled(void);
static void test_died(void);
static void test_file(void);
static ngx_uint_t there(ngx_pid_t pid);
static void begin_test(const char *name);
static void make_key(ngx_uint_t i);
static void key_of(char letter, ngx_agt_key_t *key);
static ngx_uint_t set_of(const char *set, ngx_agt_key_t *keys);
static void fetch(const char *set, ngx_uint_t wanted);
static ngx_agt_keys_e judge(char signer, const char *kid);
static void name_of(char letter, u_char *name);


static u_char           source[NGX_AGT_DIGEST_LEN];
static u_char           other[NGX_AGT_DIGEST_LEN];
static uint64_t         now;
static ngx_agt_zone_t  *zone;
static EVP_PKEY        *pkeys[KEYS];
static ngx_agt_key_t    known[KEYS];
static ngx_pid_t        gone;


int
main(void)
{
    ngx_uint_t  i;

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    for (i = 0; i < KEYS; i++) {
        make_key(i);
    }

    memset(source, 1, sizeof(source));
    memset(other, 2, sizeof(other));

    stub_there = there;

    test_named();
    test_unnamed();
    test_many_unnamed();
    test_nameless();
    test_algorithms();
    test_withdrawn();
    test_renamed();
    test_full();
    test_source();
    test_unchanged();
    test_turns();
    test_periods();
    test_settled();
    test_died();
    test_file();

    ngx_agt_keys_exit();
    stub_zone_free(zone);

    for (i = 0; i < KEYS; i++) {
        EVP_PKEY_free(pkeys[i]);
    }

    return unit_done();
}


static void
test_named(void)
{
    begin_test("a token is judged by the key that it names");

    unit_check(judge('a', "a") == UNKNOWN);

    put("ab");

    unit_check(judge('a', "a") == GOOD);
    unit_check(judge('b', "b") == GOOD);
    unit_check(judge('a', "b") == FORGED);
    unit_check(judge('c', "b") == FORGED);
    unit_check(judge('c', "c") == UNKNOWN);
    unit_check(judge('a', "c") == UNKNOWN);
    unit_check(judge(0, "a") == FORGED);
    unit_check(judge(0, "c") == UNKNOWN);
}


static void
test_unnamed(void)
{
    begin_test("a token that names no key is judged by all keys");

    put("abcd");

    unit_check(judge('a', NULL) == GOOD);
    unit_check(judge('d', NULL) == GOOD);
    unit_check(judge('e', NULL) == UNVERIFIED);
    unit_check(judge(0, NULL) == UNVERIFIED);
}


static void
test_many_unnamed(void)
{
    begin_test("of more than four keys, none is tried for it");

    put("abcde");

    unit_check(judge('a', NULL) == OPEN);
    unit_check(judge('f', NULL) == OPEN);
    unit_check(judge(0, NULL) == OPEN);

    /* names still say which it is */

    unit_check(judge('e', "e") == GOOD);
    unit_check(judge('f', "e") == FORGED);
    unit_check(judge('f', "f") == UNKNOWN);

    begin_test("withdrawn keys are some of these");

    put("abc");
    put("cd");
    put("de");

    unit_check(judge('d', NULL) == OPEN);
}


static void
test_nameless(void)
{
    begin_test("a key without a name may be meant by any name, and by its "
               "thumbprint");

    put("AbC");

    unit_check(judge('a', "x") == GOOD);
    unit_check(judge('c', "x") == GOOD);
    unit_check(judge('b', "x") == UNKNOWN);
    unit_check(judge('d', "x") == UNKNOWN);
    unit_check(judge(0, "x") == UNKNOWN);

    unit_check(judge('b', "b") == GOOD);
    unit_check(judge('a', "b") == FORGED);

    unit_check(judge('a', "A") == GOOD);
    unit_check(judge('c', "A") == FORGED);

    unit_check(judge('a', NULL) == GOOD);
    unit_check(judge('b', NULL) == GOOD);
    unit_check(judge('d', NULL) == UNVERIFIED);

    /* each of the two was withdrawn */

    put("b");

    unit_check(judge('a', "x") == WITHDRAWN);
    unit_check(judge('c', "A") == WITHDRAWN);
    unit_check(judge('d', "A") == UNKNOWN);

    put("ABCDEf");

    unit_check(judge('a', "x") == OPEN);
    unit_check(judge('g', "f") == FORGED);
}


static void
test_algorithms(void)
{
    u_char                digest[32], signature[64];
    ngx_agt_jwt_header_t  header;

    begin_test("only ES256 is verified, and what is not signed is forged");

    put("a");
    (void) ngx_agt_keys_see(zone, source);

    memset(digest, 0, sizeof(digest));
    memset(signature, 0, sizeof(signature));
    ngx_memzero(&header, sizeof(header));

    header.alg = NGX_AGT_JWT_UNSIGNED;
    unit_check(ngx_agt_keys_judge(&header, digest, signature, now) == FORGED);

    header.has_kid = 1;
    name_of('x', header.kid);
    unit_check(ngx_agt_keys_judge(&header, digest, NULL, now) == FORGED);

    header.alg = NGX_AGT_JWT_OTHER;
    unit_check(ngx_agt_keys_judge(&header, digest, signature, now)
               == UNKNOWN);

    name_of('a', header.kid);
    unit_check(ngx_agt_keys_judge(&header, digest, signature, now)
               == UNKNOWN);

    header.has_kid = 0;
    unit_check(ngx_agt_keys_judge(&header, digest, signature, now)
               == UNKNOWN);
}


static void
test_withdrawn(void)
{
    uint64_t  since;

    begin_test("a withdrawn key is known for a day, and refuses nothing");

    put("ab");
    put("b");

    unit_check(zone->keys->n == 2 && zone->keys->published == 1);

    unit_check(judge('a', "a") == WITHDRAWN);
    unit_check(judge('c', "a") == UNKNOWN);
    unit_check(judge('a', NULL) == WITHDRAWN);
    unit_check(judge('c', NULL) == UNVERIFIED);
    unit_check(judge('b', NULL) == GOOD);

    since = now;
    now += 12 * HOUR;

    /* the time does not begin anew */

    put("b");
    unit_check(zone->keys->n == 2);

    now = since + 24 * HOUR - 1;
    unit_check(judge('a', "a") == WITHDRAWN);

    now++;

    unit_check(judge('a', "a") == UNKNOWN);
    unit_check(judge('a', NULL) == UNVERIFIED);
    unit_check(judge('b', NULL) == GOOD);

    put("b");
    unit_check(zone->keys->n == 1);

    begin_test("a key that is published again is a key again");

    put("ab");
    put("b");
    put("ab");

    unit_check(zone->keys->n == 2 && zone->keys->published == 2);
    unit_check(judge('a', "a") == GOOD);
    unit_check(judge('c', "a") == FORGED);
}


static void
test_renamed(void)
{
    ngx_agt_key_t  key;

    begin_test("of two keys that had one name in turn, both are tried");

    put("a");

    key_of('b', &key);
    name_of('a', key.name);

    now += HOUR;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 1, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, &key, 1, now);

    unit_check(judge('b', "a") == GOOD);
    unit_check(judge('a', "a") == WITHDRAWN);
    unit_check(judge('c', "a") == FORGED);
}


static void
test_full(void)
{
    char           set[2];
    ngx_uint_t     i, round;
    ngx_agt_key_t  keys[NGX_AGT_ES256_KEYS];

    begin_test("of more withdrawn keys than there is room for, the latest "
               "are kept");

    for (round = 0; round < 20; round++) {
        set[0] = (char) ('a' + round);
        set[1] = '\0';

        put(set);
        unit_check(zone->keys->n == round + 1);
    }

    unit_check(judge('a', "a") == WITHDRAWN);

    /* a set of 32 leaves 16 places */

    ngx_memcpy(keys, &known[26], sizeof(keys));

    now += 11 * SECOND;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 1, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, keys, NGX_AGT_ES256_KEYS, now);

    unit_check(zone->keys->n == NGX_AGT_ZONE_KEYS);
    unit_check(zone->keys->published == NGX_AGT_ES256_KEYS);

    for (i = 0; i < 20; i++) {
        set[0] = (char) ('a' + i);
        set[1] = '\0';

        unit_check_note(judge(set[0], set) == (i < 4 ? UNKNOWN : WITHDRAWN),
                        set);
    }
}


static void
test_source(void)
{
    ngx_agt_key_t  keys[4];

    begin_test("keys of another source are none");

    put("a");

    unit_check(ngx_agt_keys_see(zone, other) == 0);
    unit_check(ngx_agt_keys_see(zone, source) == 0);

    ngx_agt_keys_exit();
    unit_check(ngx_agt_keys_see(zone, source) == 1);

    begin_test("a reload keeps the keys, and only those of the same source");

    put("a");
    ngx_agt_keys_configure(zone, source, 2);

    unit_check(judge('a', "a") == GOOD);

    /* older workers fetch no more, but end what they have begun */

    now += HOUR;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 1, TIMEOUT)
               == NGX_DECLINED);
    unit_check(ngx_agt_keys_begin(zone, source, 2, now, 1, TIMEOUT)
               == NGX_OK);

    ngx_agt_keys_configure(zone, source, 3);
    ngx_agt_keys_end(zone, source, keys, set_of("b", keys), now);

    unit_check(judge('b', "b") == GOOD);

    now += HOUR;
    unit_check(ngx_agt_keys_begin(zone, source, 3, now, 1, TIMEOUT)
               == NGX_OK);

    ngx_agt_keys_configure(zone, other, 4);

    unit_check(ngx_agt_keys_see(zone, source) == 0);

    ngx_agt_keys_end(zone, source, keys, set_of("b", keys), now);
    unit_check(zone->keys->n == 0);
    unit_check(ngx_agt_keys_begin(zone, source, 4, now, 1, TIMEOUT)
               == NGX_DECLINED);
    unit_check(ngx_agt_keys_begin(zone, other, 4, now, 1, TIMEOUT)
               == NGX_OK);
}


static void
test_unchanged(void)
{
    ngx_atomic_uint_t  version;

    begin_test("workers make keys ready again only where they have changed");

    put("aB");
    version = zone->keys->version;

    put("aB");
    unit_check(zone->keys->version == version);

    put("a");
    unit_check(zone->keys->version == version + 1);

    put("a");
    unit_check(zone->keys->version == version + 1);
}


static void
test_turns(void)
{
    ngx_agt_key_t  keys[4];

    begin_test("one worker fetches the keys at a time");

    ngx_pid = 100;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);

    ngx_pid = 200;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_DECLINED);
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_DECLINED);

    /* it is not this one's to end, or to give up */

    ngx_agt_keys_end(zone, source, keys, set_of("a", keys), now);
    ngx_agt_keys_leave(zone);
    unit_check(zone->keys->n == 0 && zone->keys->pid == 100);

    ngx_pid = 100;
    ngx_agt_keys_end(zone, source, keys, set_of("a", keys), now);
    unit_check(zone->keys->n == 1 && zone->keys->pid == 0);

    /* nor twice */

    ngx_agt_keys_end(zone, source, keys, set_of("b", keys), now);
    unit_check(zone->keys->n == 1);

    begin_test("a fetch that is given up, or that takes too long, is begun "
               "by another");

    ngx_pid = 100;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_leave(zone);

    ngx_pid = 200;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);

    ngx_pid = 300;
    now += 10 * SECOND;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);

    ngx_pid = 200;
    ngx_agt_keys_end(zone, source, keys, set_of("a", keys), now);
    unit_check(zone->keys->n == 0 && zone->keys->pid == 300);
    ngx_pid = 300;
}


static void
test_periods(void)
{
    begin_test("keys are fetched every interval, and sooner after a failure");

    put("a");
    ngx_agt_keys_configure(zone, source, 1);

    now = zone->keys->begun + HOUR - 1;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_DECLINED);

    now++;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, NULL, 0, now);

    unit_check(zone->keys->failed == 1);
    unit_check(judge('a', "a") == GOOD);

    now += 10 * SECOND - 1;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_DECLINED);
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 5 * SECOND, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, NULL, 0, now);

    now += 10 * SECOND;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, HOUR, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, NULL, 0, now);
}


static void
test_settled(void)
{
    ngx_agt_key_t  keys[4];

    begin_test("a token that is not known is refused after one more fetch");

    put("a");
    (void) judge('b', "b");

    unit_check(ngx_agt_keys_settled(zone, now) == NGX_DECLINED);

    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_OK);
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_AGAIN);

    now += SECOND;
    ngx_agt_keys_end(zone, source, keys, set_of("a", keys), now);

    unit_check(ngx_agt_keys_settled(zone, now) == NGX_OK);

    begin_test("tokens make the keys be fetched once in ten seconds");

    fetch("a", 1);
    (void) judge('b', "b");

    now += 10 * SECOND - 1;
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_OK);
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_DECLINED);

    now++;
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_DECLINED);
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_OK);

    begin_test("a token is not refused by keys that are older than the last "
               "fetch");

    fetch("a", 1);
    (void) judge('b', "b");

    now += SECOND;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, SECOND, TIMEOUT)
               == NGX_OK);
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_AGAIN);

    ngx_agt_keys_end(zone, source, keys, set_of("ab", keys), now);

    /* the copy has not seen "b" yet */

    unit_check(ngx_agt_keys_settled(zone, now) == NGX_AGAIN);

    unit_check(judge('b', "b") == GOOD);
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_OK);

    begin_test("a token is not refused after a fetch that failed");

    put("a");
    (void) judge('b', "b");

    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, NULL, 0, now);

    unit_check(ngx_agt_keys_settled(zone, now) == NGX_AGAIN);

    now += 10 * SECOND;
    unit_check(ngx_agt_keys_settled(zone, now) == NGX_DECLINED);
}


static void
test_died(void)
{
    begin_test("the fetch of a worker that died holds nothing up");

    ngx_pid = 100;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_OK);

    ngx_pid = 200;
    now += 10 * SECOND;
    zone->keys->until = now + HOUR;

    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_DECLINED);

    gone = 100;
    unit_check(ngx_agt_keys_begin(zone, source, 1, now, 0, TIMEOUT)
               == NGX_OK);
    gone = 0;
}


static void
test_file(void)
{
    ngx_agt_key_t  keys[4];

    begin_test("keys of a file take the place of those before");

    ngx_agt_keys_put(zone, keys, set_of("A", keys), now);

    unit_check(judge('a', "x") == GOOD);
    unit_check(judge('a', NULL) == GOOD);
    unit_check(judge('b', "A") == FORGED);

    ngx_agt_keys_put(zone, keys, set_of("B", keys), now);

    unit_check(judge('b', "x") == GOOD);
    unit_check(judge('a', "x") == WITHDRAWN);
}


static ngx_uint_t
there(ngx_pid_t pid)
{
    return pid != gone;
}


static void
begin_test(const char *name)
{
    unit_test(name);

    ngx_agt_keys_exit();

    if (zone) {
        stub_zone_free(zone);
    }

    now = (uint64_t) 1000 * HOUR;
    stub_clock(now, 1700000000);

    zone = stub_zone(256 * 1024);

    ngx_agt_keys_configure(zone, source, 1);
}


static void
make_key(ngx_uint_t i)
{
    BIGNUM  *x, *y;
    u_char   letter;

    x = NULL;
    y = NULL;

    pkeys[i] = EVP_EC_gen("P-256");

    EVP_PKEY_get_bn_param(pkeys[i], OSSL_PKEY_PARAM_EC_PUB_X, &x);
    EVP_PKEY_get_bn_param(pkeys[i], OSSL_PKEY_PARAM_EC_PUB_Y, &y);

    BN_bn2binpad(x, known[i].point, 32);
    BN_bn2binpad(y, known[i].point + 32, 32);

    BN_free(x);
    BN_free(y);

    letter = (u_char) ('a' + i);
    name_of((char) letter, known[i].name);
    known[i].named = 1;
}


static void
key_of(char letter, ngx_agt_key_t *key)
{
    if (letter >= 'a') {
        *key = known[letter - 'a'];
        return;
    }

    *key = known[letter - 'A'];

    (void) ngx_agt_es256_name(key);
}


static ngx_uint_t
set_of(const char *set, ngx_agt_key_t *keys)
{
    ngx_uint_t  n;

    for (n = 0; set[n]; n++) {
        key_of(set[n], &keys[n]);
    }

    return n;
}


static void
fetch(const char *set, ngx_uint_t wanted)
{
    ngx_uint_t     n;
    ngx_agt_key_t  keys[NGX_AGT_ES256_KEYS];

    n = set_of(set, keys);
    now += 11 * SECOND;

    unit_check(ngx_agt_keys_begin(zone, source, 1, now, wanted ? 0 : 1,
                                  TIMEOUT)
               == NGX_OK);
    ngx_agt_keys_end(zone, source, keys, n, now);
}


/*
 * Judges a token that the key of a letter has signed, and that names the key of
 * another; a signer of 0 has made a signature of a wrong length.
 */

static ngx_agt_keys_e
judge(char signer, const char *kid)
{
    u_char                 digest[32], signature[64], der[80];
    size_t                 len;
    ECDSA_SIG             *sig;
    const u_char          *p;
    EVP_PKEY_CTX          *ctx;
    ngx_agt_key_t          key;
    ngx_agt_jwt_header_t   header;

    static u_char  counter;

    (void) ngx_agt_keys_see(zone, source);

    ngx_memzero(&header, sizeof(header));

    if (kid) {
        header.has_kid = 1;
        key_of(*kid, &key);
        ngx_memcpy(header.kid, key.name, sizeof(header.kid));
    }

    memset(digest, counter++, sizeof(digest));

    if (signer == 0) {
        return ngx_agt_keys_judge(&header, digest, NULL, now);
    }

    len = sizeof(der);
    p = der;
    ctx = EVP_PKEY_CTX_new(pkeys[signer - 'a'], NULL);

    if (EVP_PKEY_sign_init(ctx) != 1
        || EVP_PKEY_sign(ctx, der, &len, digest, 32) != 1)
    {
        abort();
    }

    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);

    BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32);

    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);

    return ngx_agt_keys_judge(&header, digest, signature, now);
}


static void
name_of(char letter, u_char *name)
{
    ngx_str_t  text;

    text.data = (u_char *) &letter;
    text.len = 1;

    (void) ngx_agt_digest(name, &text, 1);
}
