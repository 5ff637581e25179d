
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/deliver.h"
#include "api/revocation.h"
#include "api/seams.h"
#include "api/tick.h"
#include "zone/children.h"
#include "zone/seal.h"
#include "zone/process.h"


/* milliseconds between two looks at the ledger */
#define NGX_AGT_DELIVER_TICK     200

/* milliseconds after which workers that were not seen count as gone */
#define NGX_AGT_DELIVER_GONE     2000

/* milliseconds for the last tries of a worker that exits, all together */
#define NGX_AGT_DELIVER_LAST     2000

/* bytes of a token for which a ledger that is not crowded has room */
#define NGX_AGT_DELIVER_CROWDED  16384

/* calls of a worker at once */
#define NGX_AGT_DELIVER_CALLS    8


typedef struct {
    const ngx_agt_deliver_conf_t  *conf;
    ngx_event_t                    event;
    ngx_log_t                     *log;

    /* a copy of a record with its sealed token; the token; its digest */
    ngx_agt_ledger_record_t       *record;
    u_char                        *token;
    u_char                         digest[NGX_AGT_DIGEST_LEN];
    uint64_t                       wake;     /* of the walk; see the ledger's */
} ngx_agt_deliver_t;


static void ngx_agt_deliver_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agt_deliver_turn(ngx_agt_ledger_t *ledger);
static ngx_int_t ngx_agt_deliver_take(ngx_agt_revocation_t *revocation,
    ngx_uint_t last);
static ngx_int_t ngx_agt_deliver_look(ngx_agt_ledger_record_t *r,
    const ngx_agt_clock_t *now, ngx_uint_t crowded, ngx_uint_t last);
static ngx_agt_api_t *ngx_agt_deliver_api(const ngx_agt_api_conf_t *conf,
    const ngx_agt_ledger_record_t *r);
static ngx_int_t ngx_agt_deliver_open(ngx_agt_api_t *api,
    ngx_agt_revocation_t *revocation);


static ngx_agt_deliver_t  ngx_agt_deliverer;


ngx_int_t
ngx_agt_deliver_init(const ngx_agt_deliver_conf_t *conf, ngx_log_t *log)
{
    ngx_agt_deliver_t  *d;

    d = &ngx_agt_deliverer;

    ngx_memzero(d, sizeof(ngx_agt_deliver_t));

    ngx_agt_revocation_init();

    d->record = ngx_alloc(sizeof(ngx_agt_ledger_record_t)
                          + 2 * NGX_AGT_LEDGER_TOKEN, log);
    if (d->record == NULL) {
        return NGX_ERROR;
    }

    d->token = d->record->token + NGX_AGT_LEDGER_TOKEN;

    d->conf = conf;
    d->log = log;
    ngx_agt_tick_init(&d->event, ngx_agt_deliver_tick, log);
    ngx_agt_seams.add_timer(&d->event, 1);

    return NGX_OK;
}


/* looks for records that are due, and tells the API of some of them at once */

static void
ngx_agt_deliver_tick(ngx_event_t *ev)
{
    ngx_int_t             rc;
    ngx_agt_deliver_t    *d;
    ngx_agt_revocation_t  revocation;

    d = &ngx_agt_deliverer;

    ngx_agt_seams.add_timer(ev, NGX_AGT_DELIVER_TICK);

    if (!ngx_agt_deliver_turn(ngx_agt_call_conf()->denials->ledger)) {
        return;
    }

    while (ngx_agt_revocation_pending() < NGX_AGT_DELIVER_CALLS) {
        rc = ngx_agt_deliver_take(&revocation, 0);

        if (rc == NGX_DECLINED) {
            return;
        }

        if (rc == NGX_OK) {
            ngx_agt_revocation_again(&revocation, d->record->key);
            ngx_explicit_memzero(d->token, revocation.token.len);
        }
    }
}


/*
 * Workers of an older configuration tell only where none of a newer one was
 * seen for a while.
 */

static ngx_uint_t
ngx_agt_deliver_turn(ngx_agt_ledger_t *ledger)
{
    uint32_t  cycle;

    cycle = ngx_agt_call_conf()->cycle;

    if (cycle < ledger->cycle
        && ledger->seen + NGX_AGT_DELIVER_GONE > ngx_agt_seams.mono())
    {
        return 0;
    }

    if (ledger->cycle != cycle) {
        ledger->cycle = cycle;
    }

    ledger->seen = ngx_agt_seams.mono();

    return ledger->top != 0;
}


/*
 * Takes a lease on a record that is due and fills "revocation" with it; with
 * "last", also one whose next try is later.  Its token lies in the worker's own
 * memory and is the caller's to zero.  Removes records that are over on the
 * way.  NGX_AGAIN where the function must be called again, NGX_DECLINED where
 * nothing is due.
 */

static ngx_int_t
ngx_agt_deliver_take(ngx_agt_revocation_t *revocation, ngx_uint_t last)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, crowded;
    ngx_agt_api_t            *api;
    ngx_agt_clock_t           now;
    ngx_agt_ledger_t         *ledger;
    ngx_agt_denials_t        *denials;
    ngx_agt_deliver_t        *d;
    ngx_agt_ledger_record_t  *r;

    d = &ngx_agt_deliverer;
    denials = ngx_agt_call_conf()->denials;
    ledger = denials->ledger;

    ngx_agt_clock_now(&now);

    if (ledger->wake > now.mono && !last
        && ledger->compared == denials->sh->generation)
    {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    ngx_agt_denials_lock(denials);

    if (ledger->compared != denials->sh->generation) {

        /* a process has died between a denial and the end of its children */

        ngx_agt_children_compare_locked(denials, &now);
        ledger->compared = denials->sh->generation;
    }

    crowded = !ngx_agt_ledger_room(ledger, NGX_AGT_DELIVER_CROWDED);

    /* the ledger's stays as it is: this process may die before the end */

    d->wake = NGX_AGT_LEDGER_NEVER;
    i = 0;

    while ((r = ngx_agt_ledger_next(ledger, &i)) != NULL) {

        rc = ngx_agt_deliver_look(r, &now, crowded, last);

        if (rc == NGX_DONE) {
            ngx_agt_ledger_remove(ledger, r);
            continue;
        }

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    if (r == NULL) {
        ledger->wake = d->wake;
        ngx_agt_denials_unlock(denials);
        return NGX_DECLINED;
    }

    ngx_memcpy(d->record, r, sizeof(ngx_agt_ledger_record_t) + r->len);

    if (rc == NGX_OK) {
        r->pid = ngx_pid;
        r->lease = now.mono + d->conf->timeout + NGX_AGT_REVOCATION_MARGIN;

    } else {
        ngx_agt_ledger_remove(ledger, r);
    }

    ledger->wake = 0;

    ngx_agt_denials_unlock(denials);

    api = ngx_agt_deliver_api(ngx_agt_call_conf(), d->record);

    if (rc != NGX_OK) {
        ngx_agt_revocation_lost(api ? &api->url : NULL, d->record->print,
                                d->log);
        return NGX_AGAIN;
    }

    return ngx_agt_deliver_open(api, revocation);
}


/*
 * Returns NGX_OK if the API must be told of a record now, NGX_DONE if the
 * record is over, NGX_ABORT if it is over and the API was never told,
 * NGX_DECLINED if the record needs no work before the ledger wakes.
 */

static ngx_int_t
ngx_agt_deliver_look(ngx_agt_ledger_record_t *r,
    const ngx_agt_clock_t *now, ngx_uint_t crowded, ngx_uint_t last)
{
    uint64_t            at;
    ngx_uint_t          ended;
    ngx_agt_deliver_t  *d;
    ngx_agt_denials_t  *denials;

    d = &ngx_agt_deliverer;
    denials = ngx_agt_call_conf()->denials;

    ended = ngx_agt_ledger_ended(r, now);

    if (ended && (r->flags & NGX_AGT_LEDGER_HAS_EXP)) {

        /* the token has expired, which is as good as revoked */

        return NGX_DONE;
    }

    if (r->state == NGX_AGT_LEDGER_LIVE) {

        if (!ended && (r->retire == 0 || (r->retire > now->mono && !crowded)))
        {
            at = r->retire ? ngx_min(r->retire, r->mono) : r->mono;
            goto later;
        }

        /* a newer child replaced it, or its expiry is not known */

        (void) ngx_agt_children_end_locked(denials, r, now);

        d->wake = 0;

    } else if (ended) {
        return NGX_ABORT;
    }

    if (r->lease > now->mono && ngx_agt_process_lives(r->pid)) {

        /* a process that dies gives no lease back: it is looked at again */

        d->wake = 0;

        return NGX_DECLINED;
    }

    if (r->next > now->mono && !last) {
        at = r->next;
        goto later;
    }

    if (ngx_agt_deliver_api(ngx_agt_call_conf(), r)) {
        return NGX_OK;
    }

    /* no location asks this API any more: the record waits for its end */

    at = now->mono + NGX_AGT_REVOCATION_PAUSE;

later:

    at = ngx_max(at, now->mono + NGX_AGT_DELIVER_TICK);

    d->wake = ngx_min(d->wake, at);

    return NGX_DECLINED;
}


/*
 * Returns the API as it was reached when the record was made; where that way is
 * not configured any more, another one, verified if possible; else NULL.
 */

static ngx_agt_api_t *
ngx_agt_deliver_api(const ngx_agt_api_conf_t *conf,
    const ngx_agt_ledger_record_t *r)
{
    ngx_uint_t      i;
    ngx_agt_api_t  *api, *found;

    found = NULL;

    for (i = 0; i < conf->napis; i++) {
        api = conf->apis[i];

        if (!ngx_agt_digest_equal(api->digest, r->api)) {
            continue;
        }

        if (ngx_agt_api_via(api) == r->via) {
            return api;
        }

        if (found == NULL || (!found->profile.verify && api->profile.verify)) {
            found = api;
        }
    }

    return found;
}


/* NGX_AGAIN where the record cannot be read, and another is to be taken */

static ngx_int_t
ngx_agt_deliver_open(ngx_agt_api_t *api, ngx_agt_revocation_t *revocation)
{
    ngx_str_t           sealed, bound;
    ngx_agt_deliver_t  *d;

    d = &ngx_agt_deliverer;

    sealed.data = d->record->token;
    sealed.len = d->record->len;

    bound.data = d->record->key;
    bound.len = NGX_AGT_DENIAL_KEY_LEN;

    if (ngx_agt_seal_decrypt(&sealed, &bound, d->token) != NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_memzero(revocation, sizeof(ngx_agt_revocation_t));

    revocation->api = api;
    revocation->token.data = d->token;
    revocation->token.len = sealed.len - NGX_AGT_SEAL_LEN;
    revocation->digest = d->digest;
    revocation->all_sessions = (d->record->flags
                                & NGX_AGT_LEDGER_ALL_SESSIONS) != 0;
    revocation->connect_timeout = d->conf->connect_timeout;
    revocation->timeout = d->conf->timeout;

    if (ngx_agt_digest(d->digest, &revocation->token, 1) != NGX_OK) {
        ngx_explicit_memzero(d->token, revocation->token.len);
        return NGX_AGAIN;
    }

    return NGX_OK;
}


void
ngx_agt_deliver_exit(void)
{
    ngx_int_t             rc;
    ngx_msec_t            end;
    ngx_agt_ledger_t     *ledger;
    ngx_agt_deliver_t    *d;
    ngx_agt_revocation_t  revocation;

    d = &ngx_agt_deliverer;

    if (d->conf == NULL) {
        return;
    }

    ngx_agt_seams.del_timer(&d->event);
    ngx_agt_revocation_stop();

    ledger = ngx_agt_call_conf()->denials->ledger;

    end = ngx_current_msec + NGX_AGT_DELIVER_LAST;

    while (ngx_current_msec < end && ngx_agt_deliver_turn(ledger)) {
        rc = ngx_agt_deliver_take(&revocation, 1);

        if (rc == NGX_DECLINED) {
            break;
        }

        if (rc == NGX_OK) {
            revocation.connect_timeout = end - ngx_current_msec;
            revocation.timeout = end - ngx_current_msec;

            ngx_agt_revocation_last(&revocation, d->record->key);
            ngx_explicit_memzero(d->token, revocation.token.len);

            ngx_time_update();
        }
    }

    ngx_free(d->record);

    d->record = NULL;
    d->conf = NULL;
}


void
ngx_agt_deliver_end(const ngx_agt_api_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t                i;
    ngx_agt_api_t            *api;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    while ((r = ngx_agt_ledger_next(conf->denials->ledger, &i)) != NULL) {

        if (r->state != NGX_AGT_LEDGER_DUE) {
            continue;
        }

        api = ngx_agt_deliver_api(conf, r);

        ngx_agt_revocation_lost(api ? &api->url : NULL, r->print, log);
    }
}
