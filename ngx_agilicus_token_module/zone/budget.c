
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/budget.h"
#include "zone/calls.h"
#include "zone/seal.h"


/* microseconds in which a budget of guesses gets one more */
#define NGX_AGT_BUDGET_GUESS  1000000

/* the longest user name of an API key is shorter */
#define NGX_AGT_BUDGET_USER  256


static uint64_t ngx_agt_budget_interval(uint64_t rate);
static uint64_t ngx_agt_budget_wait(uint64_t time, uint64_t now,
    uint64_t burst, uint64_t interval);
static ngx_agt_client_budget_t *ngx_agt_budget_place(ngx_agt_zone_t *first,
    const ngx_agt_budget_client_t *client, uint64_t now);
static time_t ngx_agt_budget_seconds(uint64_t us);


ngx_uint_t
ngx_agt_budget_api(ngx_agt_zone_t *first,
    const u_char *digest, uint32_t cycle, ngx_uint_t add)
{
    ngx_uint_t            i, oldest;
    ngx_agt_api_state_t  *api;

    api = first->sh->api;
    oldest = 0;

    ngx_agt_zone_lock(first);

    for (i = 0; i < NGX_AGT_ZONE_APIS; i++) {

        if (api[i].used && ngx_agt_digest_equal(api[i].digest, digest)) {
            goto done;
        }

        if (api[i].used < api[oldest].used) {
            oldest = i;
        }
    }

    if (!add) {
        ngx_agt_zone_unlock(first);
        return NGX_AGT_ZONE_APIS;
    }

    i = oldest;

    ngx_memzero(&api[i], sizeof(ngx_agt_api_state_t));
    ngx_memcpy(api[i].digest, digest, NGX_AGT_DIGEST_LEN);
    ngx_agt_calls_forget_locked(first, i);

done:

    api[i].used = cycle;

    ngx_agt_zone_unlock(first);

    return i;
}


void
ngx_agt_budget_client(struct sockaddr *sockaddr,
    ngx_agt_budget_client_t *client)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(client, sizeof(ngx_agt_budget_client_t));

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;

        client->address[10] = 0xff;
        client->address[11] = 0xff;
        ngx_memcpy(&client->address[12], &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(client->address, &sin6->sin6_addr, 16);

        } else {
            ngx_memcpy(client->address, &sin6->sin6_addr, 8);
        }

        break;

#endif

    default: /* all of a unix socket are one client */
        break;
    }
}


/*
 * A budget is the time at which it would be full again if calls came at its
 * rate (the generic cell rate algorithm): one number, which needs no refilling.
 */

ngx_int_t
ngx_agt_budget_take(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_rate_t *rate,
    const ngx_agt_budget_client_t *client, uint64_t now, time_t *retry_after)
{
    uint64_t                  own, all, wait;
    ngx_agt_api_state_t      *state;
    ngx_agt_client_budget_t  *c;

    if (rate->off) {
        return NGX_OK;
    }

    now *= 1000;
    state = &first->sh->api[api];
    all = ngx_agt_budget_interval(rate->rate);
    own = 0;
    c = NULL;

    ngx_agt_zone_lock(first);

    if (client && rate->per_client) {
        own = ngx_agt_budget_interval(rate->per_client);
        c = ngx_agt_budget_place(first, client, now);

        wait = ngx_agt_budget_wait(c->time, now, rate->burst, own);

        if (wait) {
            ngx_agt_zone_unlock(first);
            *retry_after = ngx_agt_budget_seconds(wait);
            return NGX_BUSY;
        }
    }

    wait = ngx_agt_budget_wait(state->time, now, rate->burst, all);

    if (wait) {
        ngx_agt_zone_unlock(first);
        *retry_after = ngx_agt_budget_seconds(wait);
        return NGX_DECLINED;
    }

    state->time = ngx_max(state->time, now) + all;

    if (c) {
        c->time = ngx_max(c->time, now) + own;
    }

    ngx_agt_zone_unlock(first);

    return NGX_OK;
}


ngx_int_t
ngx_agt_budget_guess(ngx_agt_budget_guess_t *guess,
    const ngx_agt_budget_client_t *client, const u_char *api,
    const ngx_str_t *user)
{
    u_char     digest[NGX_AGT_DIGEST_LEN], name[NGX_AGT_BUDGET_USER];
    size_t     i;
    ngx_str_t  parts[3];

    if (user->len > sizeof(name)) {
        return NGX_ERROR;
    }

    /* the digests are no address that a client has, but by chance */

    ngx_str_set(&parts[0], "\0guess\0");
    parts[1].data = (u_char *) client->address;
    parts[1].len = sizeof(client->address);

    if (ngx_agt_seal_digest(digest, parts, 2) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(guess->client.address, digest, sizeof(guess->client.address));

    for (i = 0; i < user->len; i++) {
        name[i] = ngx_tolower(user->data[i]);
    }

    parts[1].data = (u_char *) api;
    parts[1].len = NGX_AGT_DIGEST_LEN;
    parts[2].data = name;
    parts[2].len = user->len;

    if (ngx_agt_seal_digest(digest, parts, 3) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(guess->user.address, digest, sizeof(guess->user.address));

    return NGX_OK;
}


ngx_int_t
ngx_agt_budget_take_guess(ngx_agt_zone_t *first,
    const ngx_agt_budget_guess_t *guess, uint64_t now, time_t *retry_after)
{
    uint64_t                  burst, wait;
    ngx_int_t                 rc;
    ngx_agt_client_budget_t  *client, *user;

    now *= 1000;
    burst = NGX_AGT_BUDGET_GUESSES * NGX_AGT_BUDGET_GUESS;

    ngx_agt_zone_lock(first);

    client = ngx_agt_budget_place(first, &guess->client, now);

    rc = NGX_BUSY;
    wait = ngx_agt_budget_wait(client->time, now, burst, NGX_AGT_BUDGET_GUESS);

    if (wait) {
        goto done;
    }

    user = ngx_agt_budget_place(first, &guess->user, now);

    rc = NGX_DECLINED;
    wait = ngx_agt_budget_wait(user->time, now, burst, NGX_AGT_BUDGET_GUESS);

    if (wait) {
        goto done;
    }

    rc = NGX_OK;

    user->time = ngx_max(user->time, now) + NGX_AGT_BUDGET_GUESS;

    /* in a full bucket the user may have taken the client's place */

    client = ngx_agt_budget_place(first, &guess->client, now);
    client->time = ngx_max(client->time, now) + NGX_AGT_BUDGET_GUESS;

done:

    ngx_agt_zone_unlock(first);

    if (wait) {
        *retry_after = ngx_agt_budget_seconds(wait);
    }

    return rc;
}


void
ngx_agt_budget_give_guess(ngx_agt_zone_t *first,
    const ngx_agt_budget_guess_t *guess, uint64_t now)
{
    ngx_uint_t                      i;
    ngx_agt_client_budget_t        *c;
    const ngx_agt_budget_client_t  *budgets[2];

    now *= 1000;

    budgets[0] = &guess->client;
    budgets[1] = &guess->user;

    ngx_agt_zone_lock(first);

    for (i = 0; i < 2; i++) {
        c = ngx_agt_budget_place(first, budgets[i], now);

        if (c->time > now) {
            c->time -= ngx_min(c->time - now, NGX_AGT_BUDGET_GUESS);
        }
    }

    ngx_agt_zone_unlock(first);
}


/* microseconds of one call at a rate of calls per 1,000 seconds */

static uint64_t
ngx_agt_budget_interval(uint64_t rate)
{
    return ngx_max((uint64_t) 1000000000 / rate, 1);
}


/* time until one more call fits; in an idle budget one call always fits */

static uint64_t
ngx_agt_budget_wait(uint64_t time, uint64_t now, uint64_t burst,
    uint64_t interval)
{
    if (time <= now) {
        return 0;
    }

    burst = ngx_max(burst, interval);

    return time + interval > now + burst ? time + interval - now - burst : 0;
}


static ngx_agt_client_budget_t *
ngx_agt_budget_place(ngx_agt_zone_t *first,
    const ngx_agt_budget_client_t *client, uint64_t now)
{
    uint64_t                  a, b, buckets;
    ngx_uint_t                i;
    ngx_agt_client_budget_t  *c, *idle;

    ngx_memcpy(&a, client->address, sizeof(uint64_t));
    ngx_memcpy(&b, client->address + 8, sizeof(uint64_t));

    a = ngx_agt_digest_fold(a ^ first->sh->hash_key[0],
                            b ^ first->sh->hash_key[1]);

    buckets = first->sh->clients / NGX_AGT_CLIENT_BUCKET;

    c = first->clients + a % buckets * NGX_AGT_CLIENT_BUCKET;

    idle = c;

    for (i = 0; i < NGX_AGT_CLIENT_BUCKET; i++) {

        if (ngx_memcmp(c[i].address, client->address, 16) == 0) {
            return &c[i];
        }

        if (c[i].time < idle->time) {
            idle = &c[i];
        }
    }

    /* a budget that is full need not be remembered */

    ngx_memcpy(idle->address, client->address, 16);
    idle->time = now;

    return idle;
}


static time_t
ngx_agt_budget_seconds(uint64_t us)
{
    return (time_t) ((us + 999999) / 1000000);
}


ngx_int_t
ngx_agt_breaker_pass(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_breaker_t *breaker, uint64_t now,
    ngx_msec_t timeout, time_t *retry_after)
{
    ngx_int_t             rc;
    ngx_agt_api_state_t  *state;

    if (breaker->failures == 0) {
        return NGX_OK;
    }

    rc = NGX_OK;
    state = &first->sh->api[api];

    ngx_agt_zone_lock(first);

    if (state->open) {

        if (now < state->open) {
            rc = NGX_DECLINED;
            *retry_after = (time_t) ((state->open - now + 999) / 1000);

        } else if (now < state->probe) {
            rc = NGX_DECLINED;
            *retry_after = 1;

        } else {
            /* half open: this call is the probe, until it must have ended */
            state->probe = now + timeout + 1000;
        }
    }

    ngx_agt_zone_unlock(first);

    return rc;
}


ngx_int_t
ngx_agt_breaker_report(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_breaker_t *breaker, uint64_t now,
    ngx_uint_t failed, time_t retry_after)
{
    ngx_int_t             rc;
    ngx_msec_t            open;
    ngx_agt_api_state_t  *state;

    rc = NGX_OK;
    state = &first->sh->api[api];

    ngx_agt_zone_lock(first);

    if (!failed) {

        if (state->open) {
            rc = NGX_DONE;
        }

        state->failures = 0;
        state->open = 0;
        state->probe = 0;

        goto done;
    }

    state->failures++;

    /* the breaker opens at once where the API says how long to wait */

    open = 0;

    if (retry_after > 0 && breaker->failures) {
        open = (ngx_msec_t) ngx_min(retry_after, 86400) * 1000;
        open = ngx_min(open, breaker->max);
    }

    if (breaker->failures && state->failures >= breaker->failures) {
        open = ngx_max(open, breaker->open);
    }

    if (open) {

        if (state->open == 0) {
            state->opened++;
            rc = NGX_BUSY;
        }

        state->open = ngx_max(state->open, now + open);
        state->probe = 0;
    }

done:

    ngx_agt_zone_unlock(first);

    return rc;
}
