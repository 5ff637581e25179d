
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/limits.h"


static ngx_int_t ngx_agt_limits_choose(const ngx_agt_limits_t *places,
    ngx_agt_limits_kind_e *kind, const ngx_agt_limits_client_t *client,
    ngx_uint_t same);
static ngx_agt_limits_client_t *ngx_agt_limits_client(
    ngx_agt_limits_t *places, const ngx_agt_budget_client_t *address);
static void ngx_agt_limits_forget(ngx_agt_limits_client_t *client);


void
ngx_agt_limits_init(ngx_agt_limits_t *places, ngx_uint_t max_calls)
{
    ngx_memzero(places, sizeof(ngx_agt_limits_t));

    places->max_calls = max_calls;

    ngx_queue_init(&places->clients);
}


ngx_int_t
ngx_agt_limits_wait(ngx_agt_limits_t *places, ngx_agt_limits_hold_t *place,
    ngx_agt_limits_kind_e kind, const ngx_agt_budget_client_t *client,
    ngx_uint_t same)
{
    ngx_int_t                 rc;
    ngx_agt_limits_client_t  *c;

    c = NULL;

    if (client) {
        c = ngx_agt_limits_client(places, client);

        if (c == NULL) {
            return NGX_ERROR;
        }
    }

    place->sign_out = (kind == NGX_AGT_LIMITS_SIGN_OUT);

    rc = ngx_agt_limits_choose(places, &kind, c, same);

    if (rc != NGX_OK) {

        if (c) {
            ngx_agt_limits_forget(c);
        }

        return rc;
    }

    place->client = c;
    place->held = &places->waiting[kind];
    place->own = c ? &c->waiting[kind] : NULL;

    (*place->held)++;

    if (c) {
        (*place->own)++;
    }

    return NGX_OK;
}


/* sets "kind" to the places that are taken from */

static ngx_int_t
ngx_agt_limits_choose(const ngx_agt_limits_t *places,
    ngx_agt_limits_kind_e *kind, const ngx_agt_limits_client_t *client,
    ngx_uint_t same)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (*kind == NGX_AGT_LIMITS_FEED) {
        return NGX_OK;
    }

    n = places->waiting[NGX_AGT_LIMITS_SHARED];

    if (n > NGX_AGT_LIMITS_WAITING / 2
        && client
        && client->waiting[NGX_AGT_LIMITS_SHARED] >= NGX_AGT_LIMITS_CLIENT)
    {
        rc = NGX_BUSY;

    } else if (n >= NGX_AGT_LIMITS_WAITING
               || (n > NGX_AGT_LIMITS_WAITING / 2
                   && same >= NGX_AGT_LIMITS_TOKEN))
    {
        rc = NGX_DECLINED;

    } else {
        *kind = NGX_AGT_LIMITS_SHARED;
        return NGX_OK;
    }

    if (*kind != NGX_AGT_LIMITS_SIGN_OUT) {
        return rc;
    }

    if (client && client->waiting[NGX_AGT_LIMITS_SIGN_OUT]
                  >= NGX_AGT_LIMITS_CLIENT_SIGN_OUTS)
    {
        return NGX_BUSY;
    }

    return places->waiting[NGX_AGT_LIMITS_SIGN_OUT] < NGX_AGT_LIMITS_SIGN_OUTS
           ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_agt_limits_has_room(const ngx_agt_limits_t *places)
{
    return places->calls[NGX_AGT_LIMITS_SHARED] < places->max_calls;
}


ngx_uint_t
ngx_agt_limits_is_first(const ngx_agt_limits_t *places,
    const ngx_agt_limits_hold_t *waiter)
{
    return waiter->client
           && waiter->client->calls[NGX_AGT_LIMITS_SHARED]
              < ngx_max(places->max_calls / 4, 1);
}


ngx_uint_t
ngx_agt_limits_may_sign_out(const ngx_agt_limits_t *places,
    const ngx_agt_limits_hold_t *waiter)
{
    ngx_uint_t  n;

    if (!waiter->sign_out) {
        return 0;
    }

    n = places->calls[NGX_AGT_LIMITS_SIGN_OUT];

    /* sign-outs that are told again leave half of the calls to clients */

    if (waiter->client == NULL) {
        return n < NGX_AGT_LIMITS_SIGN_OUT_CALLS / 2;
    }

    return n < NGX_AGT_LIMITS_SIGN_OUT_CALLS
           && waiter->client->calls[NGX_AGT_LIMITS_SIGN_OUT]
              < NGX_AGT_LIMITS_CLIENT_CALLS;
}


void
ngx_agt_limits_call(ngx_agt_limits_t *places, ngx_agt_limits_hold_t *place,
    ngx_agt_limits_kind_e kind, const ngx_agt_limits_hold_t *waiter)
{
    place->client = waiter ? waiter->client : NULL;
    place->held = &places->calls[kind];
    place->own = place->client ? &place->client->calls[kind] : NULL;

    (*place->held)++;

    if (place->own) {
        (*place->own)++;
    }
}


void
ngx_agt_limits_release(ngx_agt_limits_hold_t *place)
{
    if (place->held == NULL) {
        return;
    }

    (*place->held)--;

    if (place->own) {
        (*place->own)--;
        ngx_agt_limits_forget(place->client);
    }

    ngx_memzero(place, sizeof(ngx_agt_limits_hold_t));
}


/* there are no more clients than places, so they are looked through */

static ngx_agt_limits_client_t *
ngx_agt_limits_client(ngx_agt_limits_t *places,
    const ngx_agt_budget_client_t *address)
{
    ngx_queue_t              *q;
    ngx_agt_limits_client_t  *client;

    for (q = ngx_queue_head(&places->clients);
         q != ngx_queue_sentinel(&places->clients);
         q = ngx_queue_next(q))
    {
        client = ngx_queue_data(q, ngx_agt_limits_client_t, queue);

        if (ngx_memcmp(&client->address, address,
                       sizeof(ngx_agt_budget_client_t))
            == 0)
        {
            return client;
        }
    }

    client = ngx_calloc(sizeof(ngx_agt_limits_client_t), ngx_cycle->log);
    if (client == NULL) {
        return NULL;
    }

    client->address = *address;

    ngx_queue_insert_head(&places->clients, &client->queue);

    return client;
}


static void
ngx_agt_limits_forget(ngx_agt_limits_client_t *client)
{
    ngx_uint_t  kind;

    for (kind = 0; kind < NGX_AGT_LIMITS_KINDS; kind++) {
        if (client->waiting[kind] || client->calls[kind]) {
            return;
        }
    }

    ngx_queue_remove(&client->queue);
    ngx_free(client);
}
