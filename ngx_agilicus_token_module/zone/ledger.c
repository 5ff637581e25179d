
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/ledger.h"


static ngx_agt_ledger_record_t *ngx_agt_ledger_record(
    ngx_agt_ledger_t *ledger, ngx_uint_t unit);
static ngx_uint_t ngx_agt_ledger_units(size_t len);
static ngx_int_t ngx_agt_ledger_place(
    ngx_agt_ledger_t *ledger, ngx_uint_t n, ngx_uint_t *unit);


ngx_agt_ledger_t *
ngx_agt_ledger_init(void *mem, size_t size)
{
    size_t             n;
    ngx_agt_ledger_t  *ledger;

    if (size < NGX_AGT_LEDGER_MIN) {
        return NULL;
    }

    ngx_memzero(mem, size);

    ledger = mem;

    /* a unit takes one byte more, and the alignment of all up to 63 bytes */

    n = (size - sizeof(ngx_agt_ledger_t) - 63) / (NGX_AGT_LEDGER_UNIT + 1);

    ledger->nunits = (uint32_t) ngx_min(n, 0x7fffffff);
    ledger->units = ngx_align(sizeof(ngx_agt_ledger_t) + ledger->nunits, 64);

    return ledger;
}


ngx_agt_ledger_record_t *
ngx_agt_ledger_add(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const u_char *token)
{
    ngx_uint_t                n, unit;
    ngx_agt_ledger_record_t  *r;

    if (record->len > NGX_AGT_LEDGER_TOKEN) {
        return NULL;
    }

    n = ngx_agt_ledger_units(record->len);

    if (ngx_agt_ledger_place(ledger, n, &unit) != NGX_OK) {
        return NULL;
    }

    r = ngx_agt_ledger_record(ledger, unit);

    *r = *record;
    ngx_memcpy(r->token, token, record->len);

    /* walks must reach the record as soon as it is there, and see it whole */

    ledger->top = (uint32_t) ngx_max(ledger->top, unit + n);
    ledger->wake = 0;

    ngx_memory_barrier();
    ledger->sizes[unit] = (u_char) n;

    return r;
}


ngx_uint_t
ngx_agt_ledger_room(ngx_agt_ledger_t *ledger, size_t len)
{
    ngx_uint_t  unit;

    return len <= NGX_AGT_LEDGER_TOKEN
           && ngx_agt_ledger_place(ledger, ngx_agt_ledger_units(len), &unit)
              == NGX_OK;
}


void
ngx_agt_ledger_remove(ngx_agt_ledger_t *ledger,
    ngx_agt_ledger_record_t *record)
{
    ngx_uint_t  i, end;

    i = (ngx_uint_t) ((u_char *) record - (u_char *) ledger - ledger->units)
        / NGX_AGT_LEDGER_UNIT;

    end = i + ledger->sizes[i];

    ledger->sizes[i] = 0;
    ngx_memory_barrier();

    if (end < ledger->top) {
        return;
    }

    /* a walk takes a step for each free unit below the top */

    for (i = 0, end = 0; i < ledger->top; /* void */ ) {

        if (ledger->sizes[i]) {
            i += ledger->sizes[i];
            end = i;

        } else {
            i++;
        }
    }

    ledger->top = (uint32_t) end;
}


ngx_agt_ledger_record_t *
ngx_agt_ledger_next(ngx_agt_ledger_t *ledger, ngx_uint_t *i)
{
    ngx_uint_t  unit;

    while (*i < ledger->top) {
        unit = *i;

        if (ledger->sizes[unit]) {
            *i += ledger->sizes[unit];
            return ngx_agt_ledger_record(ledger, unit);
        }

        (*i)++;
    }

    return NULL;
}


ngx_agt_ledger_record_t *
ngx_agt_ledger_find(ngx_agt_ledger_t *ledger, const u_char *key, ngx_uint_t *i)
{
    ngx_agt_ledger_record_t  *r;

    while ((r = ngx_agt_ledger_next(ledger, i)) != NULL) {

        if (ngx_memcmp(r->key, key, NGX_AGT_DENIAL_KEY_LEN) == 0) {
            return r;
        }
    }

    return NULL;
}


ngx_agt_ledger_record_t *
ngx_agt_ledger_child(ngx_agt_ledger_t *ledger,
    ngx_agt_denial_kind_e kind, const u_char *key, ngx_uint_t *i)
{
    ngx_agt_ledger_record_t  *r;

    while ((r = ngx_agt_ledger_next(ledger, i)) != NULL) {

        if (r->state != NGX_AGT_LEDGER_LIVE) {
            continue;
        }

        if ((r->flags & NGX_AGT_LEDGER_HAS_PARENT(kind))
            && ngx_memcmp(r->parent[kind], key, NGX_AGT_DENIAL_KEY_LEN)
               == 0)
        {
            return r;
        }

        if (kind == NGX_AGT_DENIAL_TOKEN
            && (r->flags & NGX_AGT_LEDGER_HAS_RAW)
            && ngx_memcmp(r->raw, key, NGX_AGT_DENIAL_KEY_LEN) == 0)
        {
            return r;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_agt_ledger_ended(const ngx_agt_ledger_record_t *record,
    const ngx_agt_clock_t *now)
{
    return record->mono <= now->mono && record->wall <= now->wall;
}


void
ngx_agt_ledger_until(ngx_agt_ledger_record_t *record,
    int64_t until, const ngx_agt_clock_t *now)
{
    record->wall = until;
    record->mono = ngx_agt_denial_until(until, now);
}


void
ngx_agt_ledger_use(ngx_agt_ledger_t *ledger, ngx_agt_ledger_use_t *use)
{
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    ngx_memzero(use, sizeof(ngx_agt_ledger_use_t));

    use->size = (size_t) ledger->nunits * NGX_AGT_LEDGER_UNIT;

    i = 0;

    while ((r = ngx_agt_ledger_next(ledger, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_DUE) {
            use->due++;

        } else {
            use->live++;
        }

        use->used += ngx_agt_ledger_units(r->len) * NGX_AGT_LEDGER_UNIT;
    }
}


static ngx_agt_ledger_record_t *
ngx_agt_ledger_record(ngx_agt_ledger_t *ledger, ngx_uint_t unit)
{
    return (ngx_agt_ledger_record_t *)
               ((u_char *) ledger + ledger->units
                + unit * NGX_AGT_LEDGER_UNIT);
}


static ngx_uint_t
ngx_agt_ledger_units(size_t len)
{
    return (sizeof(ngx_agt_ledger_record_t) + len + NGX_AGT_LEDGER_UNIT - 1)
           / NGX_AGT_LEDGER_UNIT;
}


/* the first run of free units that is long enough */

static ngx_int_t
ngx_agt_ledger_place(ngx_agt_ledger_t *ledger, ngx_uint_t n, ngx_uint_t *unit)
{
    ngx_uint_t  i, run;

    run = 0;

    for (i = 0; i < ledger->top && run < n; /* void */ ) {

        if (ledger->sizes[i]) {
            i += ledger->sizes[i];
            run = 0;
            continue;
        }

        i++;
        run++;
    }

    /* "run" units before "i" are free, and all behind the top are */

    *unit = i - run;

    return (run >= n || ledger->nunits - *unit >= n) ? NGX_OK : NGX_DECLINED;
}
