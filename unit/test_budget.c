
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "zone/budget.h"
#include "zone/calls.h"
#include "zone/seal.h"


static void test_rate(void);
static void run(uint64_t rate, uint64_t burst);
static void test_retry_after(void);
static void test_idle(void);
static void test_clients(void);
static void test_both(void);
static void test_many_clients(void);
static void test_addresses(void);
static void test_apis(void);
static void test_guesses(void);
static void test_guess_names(void);
static void guess_of(const char *from, const char *user,
    ngx_agt_budget_guess_t *guess);
static void test_breaker(void);
static void test_half_open(void);
static void test_throttled(void);
static void test_no_breaker(void);
static void test_counters(void);
static void start(void);
static ngx_int_t take(const ngx_agt_rate_t *rate, const char *from,
    uint64_t now, time_t *retry_after);
static void address(const char *text, ngx_agt_budget_client_t *client);
static ngx_uint_t same(const char *a, const char *b);


static ngx_agt_zone_t  *zone;
static ngx_uint_t                  api;

static const u_char  digest[NGX_AGT_DIGEST_LEN] = "an API";


int
main(int argc, char **argv)
{
    stub_seed(argc > 1 ? strtoull(argv[1], NULL, 10) : 248);

    if (ngx_agt_digest_init() != NGX_OK
        || ngx_agt_seal_init(&stub_log) != NGX_OK)
    {
        return 1;
    }

    test_rate();
    test_retry_after();
    test_idle();
    test_clients();
    test_both();
    test_many_clients();
    test_addresses();
    test_apis();
    test_guesses();
    test_guess_names();
    test_breaker();
    test_half_open();
    test_throttled();
    test_no_breaker();
    test_counters();

    stub_zone_free(zone);

    return unit_done();
}


static void
test_rate(void)
{
    unit_test("no more calls than the rate and its burst allow");

    run(500000, 2000000);
    run(50000, 2000000);
    run(1000, 2000000);
    run(3000, 1000000);
    run(7, 2000000);
    run(1000000000, 1000);
    run(5000000000, 1000);
    run(333, 0);
}


/* asks far more often than is allowed, at random times */

static void
run(uint64_t rate, uint64_t burst)
{
    time_t          retry_after;
    uint64_t        now, first, taken, interval, spent, most;
    ngx_uint_t      i;
    ngx_int_t       rc;
    ngx_agt_rate_t  r = { rate, 0, burst, 0 };

    start();

    now = 1000000;
    first = now;
    taken = 0;
    interval = ngx_max(1000000000 / rate, 1);
    most = ngx_max(burst / interval, 1);

    /* all of the burst at once */

    for (i = 0; i < 100000; i++) {
        rc = take(&r, NULL, now, &retry_after);

        if (rc != NGX_OK) {
            break;
        }

        taken++;
    }

    if (most < 100000) {
        unit_check(taken == most);
        unit_check(rc == NGX_DECLINED);
    }

    for (i = 0; i < 20000; i++) {
        now += stub_below(interval / 3000 + 2);

        if (take(&r, NULL, now, &retry_after) == NGX_OK) {
            taken++;
        } else {
            unit_check(retry_after >= 1);
        }

        spent = (now - first) * 1000;
        unit_check(taken <= most + spent / interval + 1);
    }

    /* and not much fewer */

    spent = (now - first) * 1000;

    if (interval > 5000) {
        unit_check(taken + 2 + spent / interval / 10
                   >= most + spent / interval);
    }
}


static void
test_retry_after(void)
{
    time_t          retry_after;
    uint64_t        now;
    ngx_uint_t      i;
    ngx_agt_rate_t  slow = { 50, 0, 2000000, 0 };
    ngx_agt_rate_t  fast = { 100000, 0, 1000000, 0 };

    unit_test("when it says there is one again, there is, and not before");

    for (i = 0; i < 50; i++) {
        start();
        now = 1000000 + stub_below(100000);

        unit_check(take(&slow, NULL, now, &retry_after) == NGX_OK);

        now += stub_below(3000);
        unit_check(take(&slow, NULL, now, &retry_after) == NGX_DECLINED);
        unit_check(retry_after >= 1 && retry_after <= 20);

        unit_check(take(&slow, NULL,
                        now + (uint64_t) (retry_after - 1) * 1000,
                        &retry_after)
                   == NGX_DECLINED);
        unit_check(retry_after == 1);

        now += 19000;
        while (take(&slow, NULL, now, &retry_after) != NGX_OK) {
            now += 100;
        }

        unit_check(now < 1000000 + 100000 + 3000 + 20000);
    }

    start();

    while (take(&fast, NULL, 5000, &retry_after) == NGX_OK) {
        /* void */
    }

    unit_check(retry_after == 1);
    unit_check(take(&fast, NULL, 5009, &retry_after) == NGX_DECLINED);
    unit_check(take(&fast, NULL, 5010, &retry_after) == NGX_OK);
    unit_check(take(&fast, NULL, 5010, &retry_after) == NGX_DECLINED);
}


static void
test_idle(void)
{
    time_t          retry_after;
    ngx_uint_t      n;
    ngx_agt_rate_t  rate = { 10000, 0, 2000000, 0 };
    ngx_agt_rate_t  off = { 1, 1, 1, 1 };

    unit_test("idling saves up no more than the burst");

    start();

    for (n = 0; take(&rate, NULL, 1000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 20);

    for (n = 0; take(&rate, NULL, 100000000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 20);

    unit_test("where it is off, there is no budget");

    for (n = 0; n < 100000; n++) {
        unit_check(take(&off, "192.0.2.1", 1000, &retry_after) == NGX_OK);
    }
}


static void
test_clients(void)
{
    time_t          retry_after;
    ngx_uint_t      n;
    ngx_agt_rate_t  rate = { 500000, 50000, 2000000, 0 };

    unit_test("one client has its own budget, and spends no other's");

    start();

    for (n = 0; take(&rate, "192.0.2.1", 1000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 100);
    unit_check(take(&rate, "192.0.2.1", 1000, &retry_after) == NGX_BUSY);
    unit_check(retry_after == 1);

    for (n = 0; take(&rate, "192.0.2.2", 1000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 100);

    /* what a client was refused is not taken from all */

    for (n = 0; n < 10000; n++) {
        unit_check(take(&rate, "192.0.2.1", 1000, &retry_after) == NGX_BUSY);
    }

    for (n = 0; take(&rate, NULL, 1000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 1000 - 200);

    /* and what all were refused is not taken from a client */

    for (n = 0; n < 1000; n++) {
        unit_check(take(&rate, "192.0.2.3", 1000, &retry_after)
                   == NGX_DECLINED);
    }

    for (n = 0; take(&rate, "192.0.2.3", 2000, &retry_after) == NGX_OK; n++) {
        /* void */
    }

    unit_check(n == 100);
}


/* any mixture of clients, compared with exact arithmetic */

static void
test_both(void)
{
    char            text[32];
    time_t          retry_after;
    uint64_t        now, own[4], all, *c;
    ngx_int_t       rc, due;
    ngx_uint_t      i;
    ngx_agt_rate_t  rate = { 200000, 90000, 500000, 0 };

    unit_test("both budgets agree with a model");

    start();
    memset(own, 0, sizeof(own));
    all = 0;
    now = 5000;

    for (i = 0; i < 100000; i++) {
        now += stub_below(5);
        c = &own[stub_below(4)];

        (void) snprintf(text, sizeof(text), "192.0.2.%u", (unsigned) (c - own));
        rc = take(&rate, text, now, &retry_after);

        /* when the budget would be full again, in microseconds */

        if (*c + 11111 > now * 1000 + 500000) {
            due = NGX_BUSY;

        } else if (all + 5000 > now * 1000 + 500000) {
            due = NGX_DECLINED;

        } else {
            due = NGX_OK;
            *c = ngx_max(*c, now * 1000) + 11111;
            all = ngx_max(all, now * 1000) + 5000;
        }

        unit_check(rc == due);
    }
}


static void
test_many_clients(void)
{
    char            text[64];
    time_t          retry_after;
    ngx_uint_t      i, refused;
    ngx_agt_rate_t  rate = { 1000000000, 1000, 1000, 0 };

    unit_test("many clients find a place each");

    start();

    /* each of them spends all it has; few lose that in a bucket's crowd */

    for (i = 0; i < zone->sh->clients / 2; i++) {
        (void) snprintf(text, sizeof(text), "10.%u.%u.%u",
                        (unsigned) (i >> 16), (unsigned) (i >> 8) & 255,
                        (unsigned) i & 255);
        unit_check(take(&rate, text, 1000 + i, &retry_after) == NGX_OK);
    }

    refused = 0;

    for (i = 0; i < zone->sh->clients / 2; i++) {
        (void) snprintf(text, sizeof(text), "10.%u.%u.%u",
                        (unsigned) (i >> 16), (unsigned) (i >> 8) & 255,
                        (unsigned) i & 255);

        rate.rate = 1000000000;
        refused += (take(&rate, text, 1900, &retry_after) == NGX_BUSY);
    }

    unit_check(refused > zone->sh->clients / 2 * 8 / 10);
}


static void
test_addresses(void)
{
    struct sockaddr          unix_socket;
    ngx_agt_budget_client_t  client;

    unit_test("a client is an IPv4 address or an IPv6 network");

    unit_check(same("192.0.2.1", "192.0.2.1"));
    unit_check(!same("192.0.2.1", "192.0.2.2"));
    unit_check(!same("192.0.2.1", "193.0.2.1"));

    unit_check(same("2001:db8:1:2::1", "2001:db8:1:2::2"));
    unit_check(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    unit_check(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    unit_check(!same("2001:db8:1:2::1", "2002:db8:1:2::1"));

    unit_check(same("192.0.2.1", "::ffff:192.0.2.1"));
    unit_check(!same("192.0.2.1", "::ffff:192.0.2.2"));
    unit_check(!same("192.0.2.1", "::192.0.2.1"));
    unit_check(!same("::ffff:192.0.2.1", "::1"));

    memset(&client, 0xa5, sizeof(client));
    memset(&unix_socket, 0xa5, sizeof(unix_socket));
    unix_socket.sa_family = AF_UNIX;

    ngx_agt_budget_client(&unix_socket, &client);

    unit_check(client.address[0] == 0 && client.address[15] == 0);
}


static void
test_apis(void)
{
    u_char                url[NGX_AGT_DIGEST_LEN];
    uint32_t              cycle;
    ngx_uint_t            i, add, name, place;
    ngx_agt_api_state_t  *state;

    struct {
        ngx_uint_t                   name;
        uint32_t                     cycle;
    }                                owner[NGX_AGT_ZONE_APIS];

    unit_test("an API keeps its place");

    start();
    state = zone->sh->api;

    for (i = 0; i < NGX_AGT_ZONE_APIS - 1; i++) {
        memset(url, (int) i, sizeof(url));

        unit_check(ngx_agt_budget_api(zone, url, 1, 0) == NGX_AGT_ZONE_APIS);

        /* the first was made by the start */

        unit_check(ngx_agt_budget_api(zone, url, 1, 1) == i + 1);
        unit_check(ngx_agt_budget_api(zone, url, 1, 1) == i + 1);
        unit_check(ngx_agt_budget_api(zone, url, 1, 0) == i + 1);

        state[i + 1].opened = i + 1;
        state[i + 1].open = 1;
    }

    for (i = 0; i < NGX_AGT_ZONE_APIS - 1; i++) {
        memset(url, (int) i, sizeof(url));

        unit_check(ngx_agt_budget_api(zone, url, 2, 1) == i + 1);
        unit_check(state[i + 1].opened == i + 1 && state[i + 1].open == 1);
    }

    unit_test("a place is given away that has been of no use for longest");

    start();
    state = zone->sh->api;

    for (i = 1; i < NGX_AGT_ZONE_APIS; i++) {
        memset(url, (int) i, sizeof(url));
        place = ngx_agt_budget_api(zone, url, i == 11 ? 2 : 3, 1);

        unit_check(place == i);
        state[i].opened = 10 + i;
        state[i].open = 1;
    }

    (void) ngx_agt_budget_api(zone, digest, 3, 0);

    memset(url, 0xee, sizeof(url));
    place = ngx_agt_budget_api(zone, url, 4, 1);

    unit_check(place == 11);
    unit_check(state[11].used == 4);
    unit_check(state[11].opened == 0 && state[11].open == 0);
    unit_check(memcmp(state[11].digest, url, sizeof(url)) == 0);
    unit_check(ngx_agt_budget_api(zone, url, 4, 1) == 11);
    unit_check(state[10].opened == 20 && state[10].open == 1);

    unit_test("no two APIs of a configuration and the one before share one");

    start();
    state = zone->sh->api;
    memset(owner, 0, sizeof(owner));

    for (cycle = 1; cycle < 200; cycle++) {

        /* some stay, some come back, most are new */

        for (add = 0; add < 2; add++) {
            for (i = 0; i < NGX_AGT_MAX_APIS; i++) {
                name = (i < cycle % 7) ? i : cycle / (1 + i % 3) * 100 + i;

                memset(url, 0, sizeof(url));
                memcpy(url, &name, sizeof(name));

                place = ngx_agt_budget_api(zone, url, cycle, add);

                if (place == NGX_AGT_ZONE_APIS) {
                    unit_check(add == 0);
                    continue;
                }

                unit_check(owner[place].name == name
                           || owner[place].cycle == 0
                           || owner[place].cycle + 1 < cycle);

                owner[place].name = name;
                owner[place].cycle = cycle;
            }
        }
    }
}


static void
guess_of(const char *from, const char *user, ngx_agt_budget_guess_t *guess)
{
    ngx_str_t                name;
    ngx_agt_budget_client_t  client;

    address(from, &client);

    name.data = (u_char *) user;
    name.len = strlen(user);

    unit_check(ngx_agt_budget_guess(guess, &client, digest, &name) == NGX_OK);
}


static void
test_guesses(void)
{
    time_t                  retry_after;
    uint64_t                now;
    ngx_uint_t              i;
    ngx_agt_budget_guess_t  guess, user, client, both;

    unit_test("so many guesses at once, and then one in a second");

    start();
    now = 1000000;

    guess_of("192.0.2.1", "u@example.com", &guess);
    guess_of("192.0.2.1", "v@example.com", &user);
    guess_of("192.0.2.2", "u@example.com", &client);
    guess_of("192.0.2.2", "v@example.com", &both);

    for (i = 0; i < NGX_AGT_BUDGET_GUESSES; i++) {
        unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
                   == NGX_OK);
    }

    unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
               == NGX_BUSY);
    unit_check(retry_after == 1);
    unit_check(ngx_agt_budget_take_guess(zone, &guess, now + 999, &retry_after)
               == NGX_BUSY);
    unit_check(ngx_agt_budget_take_guess(zone, &guess, now + 1000,
                                         &retry_after)
               == NGX_OK);
    unit_check(ngx_agt_budget_take_guess(zone, &guess, now + 1000,
                                         &retry_after)
               == NGX_BUSY);

    now += 1000;

    unit_test("for a client with any user name, and a user name of any client");

    unit_check(ngx_agt_budget_take_guess(zone, &user, now, &retry_after)
               == NGX_BUSY);
    unit_check(ngx_agt_budget_take_guess(zone, &client, now, &retry_after)
               == NGX_DECLINED);
    unit_check(retry_after == 1);

    /* neither refusal has taken from the other budget */

    for (i = 0; i < NGX_AGT_BUDGET_GUESSES; i++) {
        unit_check(ngx_agt_budget_take_guess(zone, &both, now, &retry_after)
                   == NGX_OK);
    }

    unit_check(ngx_agt_budget_take_guess(zone, &both, now, &retry_after)
               == NGX_BUSY);

    unit_test("a guess that is given back is there again, and never twice");

    ngx_agt_budget_give_guess(zone, &guess, now);

    unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
               == NGX_OK);
    unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
               == NGX_BUSY);

    for (i = 0; i < 3 * NGX_AGT_BUDGET_GUESSES; i++) {
        ngx_agt_budget_give_guess(zone, &guess, now);
    }

    for (i = 0; i < NGX_AGT_BUDGET_GUESSES; i++) {
        unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
                   == NGX_OK);
    }

    unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
               == NGX_BUSY);

    unit_test("idling saves up no more guesses");

    now += 1000000;

    for (i = 0; i < NGX_AGT_BUDGET_GUESSES; i++) {
        unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
                   == NGX_OK);
    }

    unit_check(ngx_agt_budget_take_guess(zone, &guess, now, &retry_after)
               == NGX_BUSY);
}


static void
test_guess_names(void)
{
    char                     name[400];
    ngx_str_t                user;
    ngx_agt_budget_guess_t   a, b;
    ngx_agt_budget_client_t  client;

    static const u_char  other[NGX_AGT_DIGEST_LEN] = "another API";

    unit_test("letters of both cases are one, APIs and clients are not");

    guess_of("192.0.2.1", "u@example.com", &a);
    guess_of("192.0.2.1", "U@Example.COM", &b);
    unit_check(memcmp(&a, &b, sizeof(a)) == 0);

    guess_of("192.0.2.1", "u@example.co", &b);
    unit_check(memcmp(&a.user, &b.user, sizeof(a.user)) != 0);
    unit_check(memcmp(&a.client, &b.client, sizeof(a.client)) == 0);

    guess_of("192.0.2.2", "u@example.com", &b);
    unit_check(memcmp(&a.user, &b.user, sizeof(a.user)) == 0);
    unit_check(memcmp(&a.client, &b.client, sizeof(a.client)) != 0);

    address("192.0.2.1", &client);
    unit_check(memcmp(&a.client, &client, sizeof(client)) != 0);

    ngx_str_set(&user, "u@example.com");
    unit_check(ngx_agt_budget_guess(&b, &client, other, &user) == NGX_OK);
    unit_check(memcmp(&a.user, &b.user, sizeof(a.user)) != 0);

    unit_test("a name that is too long for an API key is refused");

    memset(name, 'u', sizeof(name));
    user.data = (u_char *) name;
    user.len = sizeof(name);

    unit_check(ngx_agt_budget_guess(&b, &client, digest, &user) == NGX_ERROR);
}


static void
test_breaker(void)
{
    time_t             retry_after;
    uint64_t           now;
    ngx_uint_t         i;
    ngx_agt_breaker_t  b = { 5, 1000, 30000 };

    unit_test("so many failures in a row open the breaker");

    start();
    now = 100000;

    for (i = 0; i < 4; i++) {
        unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                        &retry_after) == NGX_OK);
        unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1,
                                          -1) == NGX_OK);
    }

    /* one that does not fail ends the row */

    unit_check(ngx_agt_breaker_report(zone, api, &b, now, 0, -1)
               == NGX_OK);

    for (i = 0; i < 4; i++) {
        unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1,
                                          -1) == NGX_OK);
        unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                        &retry_after) == NGX_OK);
    }

    unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1, -1)
               == NGX_BUSY);
    unit_check(zone->sh->api[api].opened == 1);

    unit_test("while it is open nothing passes, and it says how long");

    retry_after = 0;
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(retry_after == 1);

    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 999, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(retry_after == 1);

    /* calls that were out already and fail keep it open */

    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 500,
                                      1, -1) == NGX_OK);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 1499, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(zone->sh->api[api].opened == 1);
}


static void
test_half_open(void)
{
    time_t             retry_after;
    uint64_t           now;
    ngx_uint_t         i;
    ngx_agt_breaker_t  b = { 3, 1000, 30000 };

    unit_test("half open, one call is the probe");

    start();
    now = 100000;

    for (i = 0; i < 3; i++) {
        (void) ngx_agt_breaker_report(zone, api, &b, now, 1, -1);
    }

    now += 1000;

    unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                    &retry_after) == NGX_OK);

    for (i = 0; i < 10; i++) {
        retry_after = 0;
        unit_check(ngx_agt_breaker_pass(zone, api, &b,
                                        now + 300 * i, 3000,
                                        &retry_after)
                   == NGX_DECLINED);
        unit_check(retry_after == 1);
    }

    unit_test("a probe that fails opens it again, for another probe");

    now += 3000;
    unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1,
                                      -1) == NGX_OK);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 999, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 1000, 3000,
                                    &retry_after) == NGX_OK);

    unit_test("a probe that never ends is given up");

    now += 1000;
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 3999, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 4000, 3000,
                                    &retry_after) == NGX_OK);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 4001, 3000,
                                    &retry_after) == NGX_DECLINED);

    unit_test("a probe that succeeds closes it");

    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 4100,
                                      0, -1) == NGX_DONE);

    for (i = 0; i < 10; i++) {
        unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 4100,
                                        3000, &retry_after)
                   == NGX_OK);
    }

    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 4200,
                                      0, -1) == NGX_OK);

    /* and the row begins anew */

    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 4200,
                                      1, -1) == NGX_OK);
    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 4200,
                                      1, -1) == NGX_OK);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 4200, 3000,
                                    &retry_after) == NGX_OK);
    unit_check(ngx_agt_breaker_report(zone, api, &b, now + 4200,
                                      1, -1) == NGX_BUSY);
    unit_check(zone->sh->api[api].opened == 2);
}


static void
test_throttled(void)
{
    time_t             retry_after;
    uint64_t           now;
    ngx_agt_breaker_t  b = { 5, 1000, 30000 };

    unit_test("an API that wants to be left alone is, at once");

    start();
    now = 100000;

    unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1, 7)
               == NGX_BUSY);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(retry_after == 7);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 6001, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(retry_after == 1);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 7000, 3000,
                                    &retry_after) == NGX_OK);

    unit_test("but not for longer than the most");

    start();

    unit_check(ngx_agt_breaker_report(zone, api, &b, now, 1,
                                      (time_t) 1 << 62)
               == NGX_BUSY);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now, 3000,
                                    &retry_after) == NGX_DECLINED);
    unit_check(retry_after == 30);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 30000,
                                    3000, &retry_after) == NGX_OK);

    unit_test("and what it says shortens nothing");

    (void) ngx_agt_breaker_report(zone, api, &b, now + 30000, 1, 20);
    (void) ngx_agt_breaker_report(zone, api, &b, now + 30000, 1, 1);
    (void) ngx_agt_breaker_report(zone, api, &b, now + 30000, 1, 0);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 49999,
                                    3000, &retry_after)
               == NGX_DECLINED);
    unit_check(ngx_agt_breaker_pass(zone, api, &b, now + 50000,
                                    3000, &retry_after) == NGX_OK);
}


static void
test_no_breaker(void)
{
    time_t             retry_after;
    ngx_uint_t         i;
    ngx_agt_breaker_t  b = { 0, 1000, 30000 };

    unit_test("where there is no breaker, all passes");

    start();

    for (i = 0; i < 1000; i++) {
        unit_check(ngx_agt_breaker_report(zone, api, &b, 1000,
                                          1, 60) == NGX_OK);
        unit_check(ngx_agt_breaker_pass(zone, api, &b, 1000, 3000,
                                        &retry_after) == NGX_OK);
    }

    unit_check(zone->sh->api[api].opened == 0);
}


static void
test_counters(void)
{
    ngx_uint_t       i, n;
    ngx_agt_calls_t  calls;

    static const struct {
        ngx_msec_t  elapsed;
        ngx_uint_t  place;
    } tests[] = {
        { 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 2 }, { 5, 2 }, { 6, 3 }, { 10, 3 },
        { 11, 4 }, { 1000, 9 }, { 1001, 10 }, { 5000, 11 }, { 5001, 12 },
        { 1000000, 12 }
    };

    unit_test("calls are counted by how they ended and how long they took");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        start();

        ngx_agt_calls_count(zone, api, 2, NGX_AGT_CALLS_FAILED,
                            tests[i].elapsed);
        ngx_agt_calls_count(zone, api, 2, NGX_AGT_CALLS_DROPPED, 1);
        ngx_agt_calls_get(zone, api, 2, &calls);

        unit_check(calls.latency.calls[tests[i].place] == 1);
        unit_check(calls.latency.sum == tests[i].elapsed);
        unit_check(calls.results[NGX_AGT_CALLS_FAILED] == 1);
        unit_check(calls.results[NGX_AGT_CALLS_DROPPED] == 1);
        unit_check(calls.results[NGX_AGT_CALLS_OK] == 0);
    }

    unit_test("operations and APIs are counted apart");

    start();

    for (i = 0; i < 3; i++) {
        for (n = 0; n < 3; n++) {
            ngx_agt_calls_count(zone, i, n, NGX_AGT_CALLS_OK, 10 * i + n);
        }
    }

    for (i = 0; i < 3; i++) {
        for (n = 0; n < 3; n++) {
            ngx_agt_calls_get(zone, i, n, &calls);

            unit_check(calls.results[NGX_AGT_CALLS_OK] == 1);
            unit_check(calls.latency.sum == 10 * i + n);
        }
    }

    ngx_agt_calls_get(zone, 3, 0, &calls);
    unit_check(calls.results[NGX_AGT_CALLS_OK] == 0);

    unit_test("an API in another one's place begins at zero");

    ngx_agt_zone_lock(zone);
    ngx_agt_calls_forget_locked(zone, 1);
    ngx_agt_zone_unlock(zone);

    for (i = 0; i < 3; i++) {
        ngx_agt_calls_get(zone, i, 2, &calls);
        unit_check(calls.results[NGX_AGT_CALLS_OK] == (i != 1));
    }

    unit_test("what there is no room for is not counted");

    for (i = 0; i < NGX_AGT_ZONE_APIS; i++) {
        for (n = 0; n < 10; n++) {
            ngx_agt_calls_count(zone, i, n, NGX_AGT_CALLS_OK, 1);
        }
    }

    ngx_agt_calls_get(zone, NGX_AGT_ZONE_APIS - 1, 9, &calls);
    unit_check(calls.results[NGX_AGT_CALLS_OK] == 0);

    ngx_agt_calls_get(zone, 0, 2, &calls);
    unit_check(calls.results[NGX_AGT_CALLS_OK] == 2);
}


static void
start(void)
{
    if (zone) {
        stub_zone_free(zone);
    }

    zone = stub_zone(1 << 20);
    api = ngx_agt_budget_api(zone, digest, 1, 1);
}


static ngx_int_t
take(const ngx_agt_rate_t *rate, const char *from, uint64_t now,
    time_t *retry_after)
{
    ngx_agt_budget_client_t  client;

    if (from) {
        address(from, &client);
    }

    return ngx_agt_budget_take(zone, api, rate, from ? &client : NULL, now,
                               retry_after);
}


static void
address(const char *text, ngx_agt_budget_client_t *client)
{
    struct sockaddr_in   sin;
    struct sockaddr_in6  sin6;

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));

    sin.sin_family = AF_INET;
    sin6.sin6_family = AF_INET6;

    if (inet_pton(AF_INET, text, &sin.sin_addr) == 1) {
        ngx_agt_budget_client((struct sockaddr *) &sin, client);

    } else if (inet_pton(AF_INET6, text, &sin6.sin6_addr) == 1) {
        ngx_agt_budget_client((struct sockaddr *) &sin6, client);

    } else {
        abort();
    }
}


static ngx_uint_t
same(const char *a, const char *b)
{
    ngx_agt_budget_client_t  x, y;

    address(a, &x);
    address(b, &y);

    return memcmp(&x, &y, sizeof(x)) == 0;
}
