
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/revoke.h"
#include "zone/clock.h"
#include "json/body.h"
#include "zone/seal.h"


/* milliseconds between two tries: doubled from the first to the last */
#define NGX_AGT_REVOCATION_PAUSE      1000
#define NGX_AGT_REVOCATION_MAX_PAUSE  60000

/* milliseconds between two looks at the ledger */
#define NGX_AGT_REVOCATION_TICK       200

/* milliseconds beyond its timeout for which a call has the lease */
#define NGX_AGT_REVOCATION_MARGIN     1000

/* milliseconds after which workers that were not seen tell no more */
#define NGX_AGT_REVOCATION_GONE       2000

/* milliseconds for the last tries when a worker exits, all together */
#define NGX_AGT_REVOCATION_LAST       2000

/* bytes of a token for which a ledger that is not crowded has room */
#define NGX_AGT_REVOCATION_CROWDED    16384

/* calls of a worker at once that no request waits for */
#define NGX_AGT_REVOCATION_SIDE       8


typedef struct {
    ngx_queue_t        queue;
    ngx_agt_waiter_t   waiter;     /* of the call */
    ngx_agt_waiter_t  *client;     /* who hears of the first try */

    ngx_agt_api_t     *api;
    ngx_str_t          body;
    u_char             digest[NGX_AGT_DIGEST_LEN];
    u_char             key
                        [NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t         all_sessions;
    ngx_msec_t         connect_timeout;
    ngx_msec_t         timeout;
    unsigned           recorded:1; /* in the ledger */
    unsigned           side:1;     /* of those at once */
} ngx_agt_revocation_job_t;


typedef struct {
    const ngx_agt_revocation_conf_t  *conf;
    ngx_event_t                       event;
    ngx_connection_t                  dummy;
    ngx_queue_t                       jobs;
    ngx_uint_t                        side;
    ngx_log_t                        *log;

    /* a record with its sealed token, and the token */
    ngx_agt_ledger_record_t          *record;
    u_char                           *token;
} ngx_agt_revocation_worker_t;


static void ngx_agt_revocation_leave(ngx_agt_waiter_t *waiter);
static ngx_agt_revocation_job_t *ngx_agt_revocation_job(
    const ngx_agt_revocation_t *revocation);
static ngx_uint_t ngx_agt_revocation_record(
    ngx_agt_revocation_job_t *job,
    const ngx_agt_revocation_t *revocation);
static ngx_int_t ngx_agt_revocation_write(
    ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record,
    const ngx_agt_clock_t *now);
static ngx_int_t ngx_agt_revocation_try(
    ngx_agt_revocation_job_t *job,
    const ngx_agt_budget_client_t *client,
    ngx_agt_answer_t *answer);
static void ngx_agt_revocation_read(
    ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_revocation_adopt(
    ngx_agt_call_t *call, ngx_agt_answer_t *answer);
static void ngx_agt_revocation_done(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_revocation_told(
    ngx_agt_revocation_job_t *job,
    ngx_agt_reason_e reason);
static void ngx_agt_revocation_later(
    ngx_agt_revocation_job_t *job, ngx_uint_t longer);
static void ngx_agt_revocation_free(ngx_agt_revocation_job_t *job);
static void ngx_agt_revocation_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agt_revocation_turn(ngx_agt_ledger_t *ledger);
static ngx_int_t ngx_agt_revocation_take(ngx_agt_api_t **api, ngx_uint_t last);
static ngx_int_t ngx_agt_revocation_look(
    ngx_agt_ledger_record_t *r,
    const ngx_agt_clock_t *now, ngx_uint_t crowded,
    ngx_uint_t last);
static ngx_agt_api_t *ngx_agt_revocation_api(
    const ngx_agt_api_conf_t *conf,
    const ngx_agt_ledger_record_t *r);
static ngx_agt_revocation_job_t *ngx_agt_revocation_due(ngx_agt_api_t *api);
static void ngx_agt_revocation_last(void *data, ngx_agt_curl_result_t *result);
static void ngx_agt_revocation_lost(const ngx_str_t *url,
    const u_char *digest, ngx_log_t *log);


static const ngx_agt_call_type_t
    ngx_agt_revocation_call = {
    "revocation",
    ngx_agt_revocation_read,
    ngx_agt_revocation_adopt,
    NULL
};


static ngx_agt_revocation_worker_t  ngx_agt_revoker;


ngx_int_t
ngx_agt_revocation_init(const ngx_agt_revocation_conf_t *conf, ngx_log_t *log)
{
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;

    ngx_memzero(w, sizeof(ngx_agt_revocation_worker_t));

    ngx_queue_init(&w->jobs);

    w->record = ngx_alloc(sizeof(ngx_agt_ledger_record_t)
                          + 2 * NGX_AGT_LEDGER_TOKEN, log);
    if (w->record == NULL) {
        return NGX_ERROR;
    }

    w->token = w->record->token + NGX_AGT_LEDGER_TOKEN;

    w->conf = conf;
    w->log = log;
    w->dummy.fd = (ngx_socket_t) -1;

    w->event.handler = ngx_agt_revocation_tick;
    w->event.data = &w->dummy;
    w->event.log = log;
    w->event.cancelable = 1;

    ngx_add_timer(&w->event, 1);

    return NGX_OK;
}


ngx_int_t
ngx_agt_revocation_start(
    const ngx_agt_revocation_t *revocation,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    ngx_agt_revocation_job_t  *job;

    ngx_memzero(answer, sizeof(ngx_agt_answer_t));

    answer->class = NGX_AGT_CLASS_INDETERMINATE;
    answer->reason = NGX_AGT_REASON_INTERNAL;

    if (waiter) {
        waiter->call = NULL;
    }

    job = ngx_agt_revocation_job(revocation);

    if (job == NULL) {
        return NGX_ERROR;
    }

    job->recorded = ngx_agt_revocation_record(job, revocation);

    if (ngx_agt_revocation_try(job, revocation->client, answer) != NGX_AGAIN)
    {
        ngx_agt_revocation_later(job, 0);
        ngx_agt_revocation_free(job);

        return NGX_ERROR;
    }

    if (waiter) {
        job->client = waiter;
        waiter->call = (ngx_agt_call_t *) job;
        waiter->leave = ngx_agt_revocation_leave;
    }

    return NGX_AGAIN;
}


/* the revocation goes on */

static void
ngx_agt_revocation_leave(ngx_agt_waiter_t *waiter)
{
    ngx_agt_revocation_job_t  *job;

    job = (ngx_agt_revocation_job_t *) waiter->call;

    if (job) {
        job->client = NULL;
        waiter->call = NULL;
    }
}


static ngx_agt_revocation_job_t *
ngx_agt_revocation_job(const ngx_agt_revocation_t *revocation)
{
    ngx_agt_revocation_job_t     *job;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;

    if (w->conf == NULL || ngx_agt_call_conf() == NULL) {
        return NULL;
    }

    job = ngx_calloc(sizeof(ngx_agt_revocation_job_t), w->log);
    if (job == NULL) {
        return NULL;
    }

    job->body.data = ngx_alloc(ngx_agt_json_revoke(NULL,
                                           &revocation->token, 1), w->log);
    if (job->body.data == NULL) {
        ngx_free(job);
        return NULL;
    }

    job->body.len = ngx_agt_json_revoke(job->body.data, &revocation->token,
                                        revocation->all_sessions);

    job->api = revocation->api;
    job->all_sessions = revocation->all_sessions;
    job->connect_timeout = revocation->connect_timeout;
    job->timeout = revocation->timeout;

    ngx_memcpy(job->digest, revocation->digest, NGX_AGT_DIGEST_LEN);

    job->waiter.done = ngx_agt_revocation_done;
    job->waiter.data = job;

    ngx_queue_insert_tail(&w->jobs, &job->queue);

    return job;
}


/* returns 1 if the revocation is in the ledger, else 0 */

static ngx_uint_t
ngx_agt_revocation_record(ngx_agt_revocation_job_t *job,
    const ngx_agt_revocation_t *revocation)
{
    u_char                        own
                                  [NGX_AGT_DIGEST_LEN];
    ngx_int_t                     rc;
    ngx_str_t                     value, bound;
    ngx_agt_clock_t               now;
    ngx_agt_denials_t            *denials;
    ngx_agt_ledger_record_t      *record;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;
    denials = ngx_agt_call_conf()->denials;
    record = w->record;

    value.data = own;
    value.len = NGX_AGT_DIGEST_LEN;

    if (ngx_agt_denials_token(own, &revocation->token, job->digest)
            != NGX_OK
        || ngx_agt_denials_key(job->key, job->api->digest,
                               NGX_AGT_DENIAL_TOKEN,
                               &value)
            != NGX_OK)
    {
        return 0;
    }

    ngx_agt_zone_now(&now);

    ngx_memzero(record, sizeof(ngx_agt_ledger_record_t));

    ngx_memcpy(record->api, job->api->digest, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(record->key, job->key, NGX_AGT_DENIAL_KEY_LEN);

    ngx_memcpy(record->print, job->digest, sizeof(record->print));

    ngx_agt_ledger_until(record, revocation->until, &now);

    record->made = now.mono;
    record->next = now.mono;
    record->lease = now.mono + job->timeout + NGX_AGT_REVOCATION_MARGIN;
    record->pause = NGX_AGT_REVOCATION_PAUSE;
    record->pid = ngx_pid;
    record->via = ngx_agt_api_via(job->api);
    record->flags = (job->all_sessions ? NGX_AGT_LEDGER_ALL_SESSIONS : 0)
                    | (revocation->has_exp ? NGX_AGT_LEDGER_HAS_EXP : 0);
    record->state = NGX_AGT_LEDGER_DUE;

    if (revocation->token.len + NGX_AGT_SEAL_LEN > NGX_AGT_LEDGER_TOKEN)
    {
        return 0;
    }

    bound.data = record->key;
    bound.len = NGX_AGT_DENIAL_KEY_LEN;

    if (ngx_agt_seal(&revocation->token, &bound, record->token) != NGX_OK)
    {
        return 0;
    }

    record->len = (uint32_t) (revocation->token.len + NGX_AGT_SEAL_LEN);

    ngx_agt_denials_lock(denials);

    rc = ngx_agt_revocation_write(denials->ledger, record, &now);

    ngx_agt_denials_unlock(denials);

    return rc == NGX_OK;
}


/* joins a record that is due already, or adds one */

static ngx_int_t
ngx_agt_revocation_write(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now)
{
    ngx_uint_t                i;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    while ((r = ngx_agt_ledger_find(ledger, record->key, &i)) != NULL)
    {
        if (r->state != NGX_AGT_LEDGER_DUE) {
            continue;
        }

        r->flags |= record->flags & NGX_AGT_LEDGER_ALL_SESSIONS;

        r->wall = ngx_max(r->wall, record->wall);
        r->mono = ngx_max(r->mono, record->mono);

        if (r->lease <= now->mono) {
            r->pid = record->pid;
            r->lease = record->lease;
        }

        return NGX_OK;
    }

    return ngx_agt_ledger_add(ledger, record, record->token)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_agt_revocation_try(ngx_agt_revocation_job_t *job,
    const ngx_agt_budget_client_t *client, ngx_agt_answer_t *answer)
{
    ngx_agt_call_request_t  request;

    ngx_memzero(&request, sizeof(ngx_agt_call_request_t));

    request.type = &ngx_agt_revocation_call;
    request.operation = NGX_AGT_OPERATION_REVOKE;
    request.api = job->api;
    request.url = job->api->revoke;
    request.body = job->body;
    request.connect_timeout = job->connect_timeout;
    request.timeout = job->timeout;
    request.max_body = NGX_AGT_JSON_MAX_BODY;
    request.key = job->digest;
    request.client = client;
    request.charged = (client != NULL);

    return ngx_agt_call_join(&request, &job->waiter, answer);
}


/* nothing of it is remembered: what it means is told to the waiter */

static void
ngx_agt_revocation_read(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
}


static ngx_int_t
ngx_agt_revocation_adopt(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    return NGX_DECLINED;
}


static void
ngx_agt_revocation_done(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_revocation_job_t *job = data;

    ngx_agt_waiter_t  *client;

    client = job->client;
    job->client = NULL;

    if (answer->class == NGX_AGT_CLASS_ACTIVE) {
        ngx_agt_revocation_told(job, answer->reason);

    } else {
        /* what was not sent, and clients, do not make the pause ever longer */

        ngx_agt_revocation_later(job,
                             job->side
                             && answer->class
                                != NGX_AGT_CLASS_SHED);
    }

    ngx_agt_revocation_free(job);

    if (client) {
        client->call = NULL;
        client->done(client->data, answer);
    }
}


/*
 * The API has confirmed: its records go, but for one that asks for more, and
 * for a child that the API does not know yet, of which it is told again.
 */

static void
ngx_agt_revocation_told(ngx_agt_revocation_job_t *job, ngx_agt_reason_e reason)
{
    ngx_uint_t                 i, young;
    ngx_agt_clock_t            now;
    ngx_agt_ledger_t          *ledger;
    ngx_agt_denials_t         *denials;
    const ngx_agt_api_conf_t  *conf;
    ngx_agt_ledger_record_t   *r;

    ngx_agt_zone_now(&now);

    conf = ngx_agt_call_conf();
    denials = conf->denials;

    ledger = denials->ledger;

    ngx_agt_denials_lock(denials);

    i = 0;
    young = 0;

    while ((r = ngx_agt_ledger_find(ledger, job->key, &i)) != NULL)
    {
        if (reason == NGX_AGT_REASON_UNKNOWN
            && (r->flags & NGX_AGT_LEDGER_CHILD)
            && r->made + NGX_AGT_CHILDREN_YOUNG > now.mono)
        {
            if (r->state == NGX_AGT_LEDGER_LIVE) {
                (void) ngx_agt_children_end_locked(denials, r, &now);
            }

            r->next = now.mono + r->pause;
            ledger->wake = 0;
            young = 1;

            /* a worker that exits has no time to wait: see last */

            if (job->side) {
                r->lease = 0;
            }

            continue;
        }

        if (!job->all_sessions && (r->flags & NGX_AGT_LEDGER_ALL_SESSIONS))
        {
            r->next = 0;
            r->lease = 0;
            ledger->wake = 0;

            continue;
        }

        if (r->flags & NGX_AGT_LEDGER_HAS_JTI) {
            ngx_agt_denial_set_told(denials->set, r->jti, &now);
        }

        ngx_agt_ledger_remove(ledger, r);
    }

    if (!young) {
        ngx_agt_denial_set_told(denials->set, job->key, &now);
    }

    ngx_agt_denials_unlock(denials);

    if (!young) {
        ngx_agt_zone_count(conf->first, NGX_AGT_COUNT_REVOCATIONS);
    }
}


static void
ngx_agt_revocation_later(ngx_agt_revocation_job_t *job, ngx_uint_t longer)
{
    ngx_uint_t                i;
    ngx_agt_ledger_t         *ledger;
    ngx_agt_denials_t        *denials;
    ngx_agt_ledger_record_t  *r;

    if (!job->recorded) {
        ngx_agt_revocation_lost(&job->api->url, job->digest,
                                ngx_agt_revoker.log);
        return;
    }

    denials = ngx_agt_call_conf()->denials;
    ledger = denials->ledger;

    ngx_agt_denials_lock(denials);

    i = 0;

    while ((r = ngx_agt_ledger_find(ledger, job->key, &i)) != NULL)
    {
        if (r->state == NGX_AGT_LEDGER_DUE && r->pid == (int32_t) ngx_pid)
        {
            r->next = ngx_agt_mono() + r->pause;
            r->lease = 0;

            if (longer || r->pause == NGX_AGT_REVOCATION_PAUSE)
            {
                r->pause = ngx_min(r->pause * 2, NGX_AGT_REVOCATION_MAX_PAUSE);
            }
        }
    }

    ledger->wake = 0;

    ngx_agt_denials_unlock(denials);
}


static void
ngx_agt_revocation_free(ngx_agt_revocation_job_t *job)
{
    ngx_agt_call_leave(&job->waiter);

    if (job->side) {
        ngx_agt_revoker.side--;
    }

    ngx_queue_remove(&job->queue);

    ngx_explicit_memzero(job->body.data, job->body.len);
    ngx_free(job->body.data);
    ngx_free(job);
}


/* looks for what is due, and tells the API as much of it as may be at once */

static void
ngx_agt_revocation_tick(ngx_event_t *ev)
{
    ngx_int_t                     rc;
    ngx_agt_api_t                *api;
    ngx_agt_answer_t              answer;
    ngx_agt_ledger_t             *ledger;
    ngx_agt_revocation_job_t     *job;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;

    ledger = ngx_agt_call_conf()->denials->ledger;

    ngx_add_timer(ev, NGX_AGT_REVOCATION_TICK);

    if (!ngx_agt_revocation_turn(ledger)) {
        return;
    }

    while (w->side < NGX_AGT_REVOCATION_SIDE) {
        rc = ngx_agt_revocation_take(&api, 0);

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc != NGX_OK) {
            return;
        }

        job = ngx_agt_revocation_due(api);

        if (job == NULL) {
            continue;
        }

        job->side = 1;
        w->side++;

        if (ngx_agt_revocation_try(job, NULL, &answer) != NGX_AGAIN)
        {
            ngx_agt_revocation_later(job, 0);
            ngx_agt_revocation_free(job);
        }
    }
}


/*
 * Workers of an older configuration tell only where none of a newer one was
 * seen for a while.
 */

static ngx_uint_t
ngx_agt_revocation_turn(ngx_agt_ledger_t *ledger)
{
    uint32_t  cycle;

    cycle = ngx_agt_call_conf()->cycle;

    if (cycle < ledger->cycle
        && ledger->seen + NGX_AGT_REVOCATION_GONE
           > ngx_agt_mono())
    {
        return 0;
    }

    if (ledger->cycle != cycle) {
        ledger->cycle = cycle;
    }

    ledger->seen = ngx_agt_mono();

    return ledger->top != 0;
}


/*
 * Takes a lease on a record that is due, whenever its next try is to be if this
 * is the "last", and copies it to the worker's own; sets "api".  Ends what is
 * over on the way.  NGX_AGAIN where it must be called again, NGX_DECLINED where
 * nothing is due.
 */

static ngx_int_t
ngx_agt_revocation_take(ngx_agt_api_t **api, ngx_uint_t last)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i, crowded;
    ngx_agt_clock_t               now;
    ngx_agt_ledger_t             *ledger;
    ngx_agt_denials_t            *denials;
    ngx_agt_ledger_record_t      *r;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;
    denials = ngx_agt_call_conf()->denials;
    ledger = denials->ledger;

    ngx_agt_zone_now(&now);

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

    crowded = !ngx_agt_ledger_room(ledger, NGX_AGT_REVOCATION_CROWDED);

    ledger->wake = NGX_AGT_LEDGER_NEVER;
    i = 0;

    while ((r = ngx_agt_ledger_next(ledger, &i)) != NULL) {

        rc = ngx_agt_revocation_look(r, &now, crowded, last);

        if (rc == NGX_DONE) {
            ngx_agt_ledger_remove(ledger, r);
            continue;
        }

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    if (r == NULL) {
        ngx_agt_denials_unlock(denials);
        return NGX_DECLINED;
    }

    ngx_memcpy(w->record, r, sizeof(ngx_agt_ledger_record_t) + r->len);

    if (rc == NGX_OK) {
        r->pid = ngx_pid;
        r->lease = now.mono + w->conf->timeout + NGX_AGT_REVOCATION_MARGIN;

    } else {
        ngx_agt_ledger_remove(ledger, r);
    }

    ledger->wake = 0;

    ngx_agt_denials_unlock(denials);

    *api = ngx_agt_revocation_api(ngx_agt_call_conf(), w->record);

    if (rc != NGX_OK) {
        ngx_agt_revocation_lost(*api ? &(*api)->url : NULL,
                                w->record->print, w->log);
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/*
 * What is to be done with a record: NGX_OK if the API is to be told now,
 * NGX_DONE if it is over, NGX_ABORT if it is over and the API was never told,
 * NGX_DECLINED if nothing before the ledger wakes.
 */

static ngx_int_t
ngx_agt_revocation_look(ngx_agt_ledger_record_t *r,
    const ngx_agt_clock_t *now, ngx_uint_t crowded, ngx_uint_t last)
{
    uint64_t            at;
    ngx_uint_t          ended;
    ngx_agt_ledger_t   *ledger;
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_call_conf()->denials;
    ledger = denials->ledger;

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

        /* its place was taken, or nobody knows how long it will live */

        (void) ngx_agt_children_end_locked(denials, r, now);

    } else if (ended) {
        return NGX_ABORT;
    }

    if (r->lease > now->mono
        && (kill(r->pid, 0) == 0 || ngx_errno != NGX_ESRCH))
    {
        /* a process that dies gives no lease back: it is looked at again */

        ledger->wake = 0;

        return NGX_DECLINED;
    }

    if (r->next > now->mono && !last) {
        at = r->next;
        goto later;
    }

    if (ngx_agt_revocation_api(ngx_agt_call_conf(), r)) {
        return NGX_OK;
    }

    /* no location asks this API any more: the record waits for its end */

    at = now->mono + NGX_AGT_REVOCATION_PAUSE;

later:

    at = ngx_max(at, now->mono + NGX_AGT_REVOCATION_TICK);

    ledger->wake = ngx_min(ledger->wake, at);

    return NGX_DECLINED;
}


/*
 * The API as it was reached when the record was made; where that is configured
 * no more, one that is verified rather than one that is not.
 */

static ngx_agt_api_t *
ngx_agt_revocation_api(const ngx_agt_api_conf_t *conf,
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


/* makes a job of the worker's own copy of a record; NULL where it cannot */

static ngx_agt_revocation_job_t *
ngx_agt_revocation_due(ngx_agt_api_t *api)
{
    u_char                        digest
                                  [NGX_AGT_DIGEST_LEN];
    ngx_str_t                     sealed, bound, part;
    ngx_agt_revocation_t          revocation;
    ngx_agt_revocation_job_t     *job;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;

    sealed.data = w->record->token;
    sealed.len = w->record->len;

    bound.data = w->record->key;
    bound.len = NGX_AGT_DENIAL_KEY_LEN;

    if (ngx_agt_seal_open(&sealed, &bound, w->token) != NGX_OK) {
        return NULL;
    }

    ngx_memzero(&revocation, sizeof(ngx_agt_revocation_t));

    revocation.api = api;
    revocation.token.data = w->token;
    revocation.token.len = sealed.len - NGX_AGT_SEAL_LEN;
    revocation.digest = digest;
    revocation.all_sessions = (w->record->flags
                               & NGX_AGT_LEDGER_ALL_SESSIONS) != 0;
    revocation.connect_timeout = w->conf->connect_timeout;
    revocation.timeout = w->conf->timeout;

    part = revocation.token;
    job = NULL;

    if (ngx_agt_digest(digest, &part, 1) == NGX_OK) {
        job = ngx_agt_revocation_job(&revocation);
    }

    ngx_explicit_memzero(w->token, revocation.token.len);

    if (job) {
        job->recorded = 1;

        ngx_memcpy(job->key, w->record->key, NGX_AGT_DENIAL_KEY_LEN);
    }

    return job;
}


void
ngx_agt_revocation_exit(void)
{
    ngx_int_t                     rc;
    ngx_msec_t                    end;
    ngx_queue_t                  *q;
    ngx_agt_api_t                *api;
    ngx_agt_curl_t               *pool;
    ngx_agt_ledger_t             *ledger;
    ngx_agt_curl_request_t        request;
    ngx_agt_revocation_job_t     *job;
    ngx_agt_revocation_worker_t  *w;

    w = &ngx_agt_revoker;

    if (w->conf == NULL) {
        return;
    }

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
    }

    while (!ngx_queue_empty(&w->jobs)) {
        q = ngx_queue_head(&w->jobs);
        job = ngx_queue_data(q, ngx_agt_revocation_job_t, queue);

        ngx_agt_revocation_later(job, 0);
        ngx_agt_revocation_free(job);
    }

    ledger = ngx_agt_call_conf()->denials->ledger;

    end = ngx_current_msec + NGX_AGT_REVOCATION_LAST;

    while (ngx_current_msec < end && ngx_agt_revocation_turn(ledger))
    {
        rc = ngx_agt_revocation_take(&api, 1);

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc != NGX_OK) {
            break;
        }

        pool = ngx_agt_call_curl(api);
        job = ngx_agt_revocation_due(api);

        if (job == NULL) {
            continue;
        }

        if (pool) {
            ngx_memzero(&request, sizeof(ngx_agt_curl_request_t));

            request.url = api->revoke;
            request.body = job->body;
            request.connect_timeout = end - ngx_current_msec;
            request.timeout = end - ngx_current_msec;
            request.max_body = NGX_AGT_JSON_MAX_BODY;
            request.handler = ngx_agt_revocation_last;
            request.data = job;

            ngx_agt_curl_perform(pool, &request);
        }

        ngx_agt_revocation_free(job);

        ngx_time_update();
    }

    ngx_free(w->record);

    w->record = NULL;
    w->conf = NULL;
}


/* what failed keeps its lease, so that it is not tried once more here */

static void
ngx_agt_revocation_last(void *data, ngx_agt_curl_result_t *result)
{
    ngx_agt_revocation_job_t *job = data;

    ngx_agt_meaning_t  meaning;

    if (result->error == NGX_AGT_CURL_OK) {
        ngx_agt_call_meaning(NGX_AGT_OPERATION_REVOKE, result, &meaning);

        if (!meaning.again) {
            ngx_agt_revocation_told(job, meaning.reason);
        }
    }
}


/* "url" is NULL where the API is configured no more */

static void
ngx_agt_revocation_lost(const ngx_str_t *url,
    const u_char *digest, ngx_log_t *log)
{
    u_char  fingerprint[NGX_AGT_FINGERPRINT_LEN];

    static ngx_str_t  unknown = ngx_string("not configured any more");

    ngx_agt_digest_fingerprint(digest, fingerprint);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "agilicus token: revocation lost, Tokens API \"%V\" never "
                  "took it, fingerprint %*s", url ? url : &unknown,
                  sizeof(fingerprint), fingerprint);

    if (ngx_agt_call_conf()) {
        ngx_agt_zone_count(ngx_agt_call_conf()->first,
                                  NGX_AGT_COUNT_REVOCATIONS_LOST);
    }
}


void
ngx_agt_revocation_end(const ngx_agt_api_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t                i;
    ngx_agt_api_t            *api;
    ngx_agt_ledger_record_t  *r;

    i = 0;

    while ((r = ngx_agt_ledger_next(conf->denials->ledger, &i)) != NULL)
    {
        if (r->state != NGX_AGT_LEDGER_DUE) {
            continue;
        }

        api = ngx_agt_revocation_api(conf, r);

        ngx_agt_revocation_lost(api ? &api->url : NULL, r->print, log);
    }
}
