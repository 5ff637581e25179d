
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/calls.h"


static ngx_agt_calls_t *ngx_agt_calls_find_locked(ngx_agt_zone_t *first,
    ngx_uint_t api, ngx_uint_t operation);


void
ngx_agt_calls_count(ngx_agt_zone_t *first, ngx_uint_t api,
    ngx_uint_t operation, ngx_agt_calls_result_e result, ngx_msec_t elapsed)
{
    ngx_uint_t        i;
    ngx_agt_calls_t  *c;

    static const ngx_msec_t  ends[] = NGX_AGT_LATENCIES;

    for (i = 0; i < NGX_AGT_NLATENCIES; i++) {
        if (elapsed <= ends[i]) {
            break;
        }
    }

    ngx_agt_zone_lock(first);

    c = ngx_agt_calls_find_locked(first, api, operation);

    if (c) {
        c->api = (uint32_t) api + 1;
        c->operation = (uint32_t) operation;
        c->results[result]++;

        if (result != NGX_AGT_CALLS_DROPPED) {
            c->latency.calls[i]++;
            c->latency.sum += elapsed;
        }
    }

    ngx_agt_zone_unlock(first);
}


void
ngx_agt_calls_get(ngx_agt_zone_t *first, ngx_uint_t api,
    ngx_uint_t operation, ngx_agt_calls_t *out)
{
    ngx_agt_calls_t  *c;

    ngx_memzero(out, sizeof(ngx_agt_calls_t));

    ngx_agt_zone_lock(first);

    c = ngx_agt_calls_find_locked(first, api, operation);

    if (c) {
        *out = *c;
    }

    ngx_agt_zone_unlock(first);
}


/* the place of an operation, or a free one; NULL where all are taken */

static ngx_agt_calls_t *
ngx_agt_calls_find_locked(ngx_agt_zone_t *first, ngx_uint_t api,
    ngx_uint_t operation)
{
    ngx_uint_t        i;
    ngx_agt_calls_t  *c, *idle;

    idle = NULL;

    for (i = 0; i < first->sh->calls; i++) {
        c = &first->calls[i];

        if (c->api == api + 1 && c->operation == operation) {
            return c;
        }

        if (c->api == 0 && idle == NULL) {
            idle = c;
        }
    }

    return idle;
}


void
ngx_agt_calls_forget_locked(ngx_agt_zone_t *first, ngx_uint_t api)
{
    ngx_uint_t  i;

    for (i = 0; i < first->sh->calls; i++) {
        if (first->calls[i].api == api + 1) {
            ngx_memzero(&first->calls[i], sizeof(ngx_agt_calls_t));
        }
    }
}
