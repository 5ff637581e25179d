
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/digest_cache.h"


#define LEN    NGX_AGT_DIGEST_LEN
#define MAX    NGX_AGT_DIGEST_CACHE_MAX
#define TAIL   8


static void clear(void);
static void test_found(void);
static void test_lengths(void);
static void test_flips(void);
static void test_longer(void);
static void test_room(void);
static void test_zeroed(void);
static void test_many(void);
static ngx_str_t token_of(size_t len);
static void digest_of(const ngx_str_t *token, u_char *digest);
static void add(const ngx_str_t *token);
static ngx_uint_t knows(const ngx_str_t *token);


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 64);

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    clear();

    test_found();
    test_lengths();
    test_flips();
    test_longer();
    test_room();
    test_zeroed();
    test_many();

    return unit_done();
}


static void
clear(void)
{
    static u_char  memory[64 * (MAX + 64)] __attribute__((aligned(64)));

    unit_check(ngx_agt_digest_cache_init(memory, sizeof(memory))
               == sizeof(memory));
}


static void
test_found(void)
{
    ngx_str_t  token;

    unit_test("a token that was added has its digest, and only until all is "
              "forgotten");

    token = token_of(900);

    unit_check(ngx_agt_digest_cache_find(&token) == NULL);

    add(&token);
    unit_check(knows(&token));

    clear();
    unit_check(ngx_agt_digest_cache_find(&token) == NULL);

    free(token.data);
}


static void
test_lengths(void)
{
    size_t     len;
    ngx_str_t  token;

    unit_test("tokens of each length that may be remembered are, and no "
              "others");

    for (len = 0; len <= MAX + 40; len++) {
        token = token_of(len);

        add(&token);

        if (len < TAIL || len > MAX) {
            unit_check(ngx_agt_digest_cache_find(&token) == NULL);

        } else {
            unit_check(knows(&token));
        }

        free(token.data);

        clear();
    }
}


static void
test_flips(void)
{
    size_t      i, len;
    ngx_str_t   token;
    ngx_uint_t  bit;

    unit_test("a token with another bit anywhere is another token");

    for (len = TAIL; len <= 100; len++) {
        token = token_of(len);

        add(&token);

        for (i = 0; i < len; i++) {
            for (bit = 0; bit < 8; bit++) {
                token.data[i] ^= (u_char) (1 << bit);
                unit_check(ngx_agt_digest_cache_find(&token) == NULL);
                token.data[i] ^= (u_char) (1 << bit);
            }
        }

        unit_check(knows(&token));

        free(token.data);

        clear();
    }
}


static void
test_longer(void)
{
    ngx_str_t  token, rest;

    unit_test("a token that another one ends with is another token");

    token = token_of(200);

    rest = token;
    rest.data += 100;
    rest.len -= 100;

    add(&token);
    unit_check(ngx_agt_digest_cache_find(&rest) == NULL);
    unit_check(knows(&token));

    clear();

    add(&rest);
    unit_check(ngx_agt_digest_cache_find(&token) == NULL);
    unit_check(knows(&rest));

    clear();

    unit_test("nor is one that it begins and ends like");

    memcpy(token.data, token.data + 192, 8);
    memcpy(token.data + 92, token.data + 192, 8);

    rest.data = token.data;
    rest.len = 100;

    add(&token);
    unit_check(ngx_agt_digest_cache_find(&rest) == NULL);

    clear();

    add(&rest);
    unit_check(ngx_agt_digest_cache_find(&token) == NULL);

    clear();

    free(token.data);
}


static void
test_room(void)
{
    ngx_str_t   old, new;
    ngx_uint_t  i;

    unit_test("a token makes room once it has been passed over for a while");

    /* what ends alike shares a place */

    old = token_of(64);
    new = token_of(48);
    memcpy(new.data + 40, old.data + 56, TAIL);

    add(&old);

    for (i = 0; i < 8; i++) {
        add(&new);
        unit_check(ngx_agt_digest_cache_find(&new) == NULL);
    }

    add(&new);

    unit_check(knows(&new));
    unit_check(ngx_agt_digest_cache_find(&old) == NULL);

    unit_test("unless it was looked for meanwhile");

    for (i = 0; i < 100; i++) {
        add(&old);
        unit_check(knows(&new));
    }

    unit_check(ngx_agt_digest_cache_find(&old) == NULL);

    clear();

    free(old.data);
    free(new.data);
}


static void
test_zeroed(void)
{
    size_t         i;
    ngx_str_t      old, new;
    ngx_uint_t     n;
    const u_char  *p;

    unit_test("nothing is left of a token that made room");

    old = token_of(1000);
    new = token_of(20);
    memcpy(new.data + 12, old.data + 992, TAIL);

    add(&old);

    for (n = 0; n < 9; n++) {
        add(&new);
    }

    p = ngx_agt_digest_cache_find(&new);

    unit_check(p != NULL);

    /* the token lies behind its digest */

    for (i = 0; p && i < 1000; i++) {
        unit_check(p[LEN + i] == (i < 20 ? new.data[i] : 0));
    }

    clear();

    for (i = 0; p && i < LEN + 20; i++) {
        unit_check(p[i] == 0);
    }

    free(old.data);
    free(new.data);
}


static void
test_many(void)
{
    ngx_str_t   tokens[200];
    ngx_uint_t  i, n, found;

    unit_test("of many tokens each has its own digest or none");

    for (i = 0; i < 200; i++) {
        tokens[i] = token_of(TAIL + stub_below(400));
    }

    found = 0;

    for (n = 0; n < 100000; n++) {
        i = stub_below(200);

        if (ngx_agt_digest_cache_find(&tokens[i])) {
            unit_check(knows(&tokens[i]));
            found++;

        } else {
            add(&tokens[i]);
        }
    }

    unit_check(found > 1000);

    for (i = 0; i < 200; i++) {
        free(tokens[i].data);
    }

    clear();
}


static ngx_str_t
token_of(size_t len)
{
    size_t     i;
    ngx_str_t  token;

    static u_char  bytes[MAX + 64];

    for (i = 0; i < len; i++) {
        bytes[i] = (u_char) ('A' + stub_below(26));
    }

    token = unit_copy(bytes, len);

    return token;
}


static void
digest_of(const ngx_str_t *token, u_char *digest)
{
    ngx_str_t  part;

    part = *token;

    (void) ngx_agt_digest(digest, &part, 1);
}


static void
add(const ngx_str_t *token)
{
    u_char  digest[LEN];

    digest_of(token, digest);
    ngx_agt_digest_cache_add(token, digest);
}


static ngx_uint_t
knows(const ngx_str_t *token)
{
    u_char         digest[LEN];
    const u_char  *found;

    digest_of(token, digest);

    found = ngx_agt_digest_cache_find(token);

    return found && memcmp(found, digest, LEN) == 0;
}
