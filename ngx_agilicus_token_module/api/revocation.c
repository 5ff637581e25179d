
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/revocation.h"
#include "api/seams.h"
#include "json/body.h"
#include "zone/children.h"
#include "zone/seal.h"


/* milliseconds that the pause between two tries is doubled to at most */
#define NGX_AGT_REVOCATION_MAX_PAUSE  60000


typedef struct {
    ngx_queue_t              queue;
    ngx_agt_waiter_t         waiter;     /* for the call */
    ngx_agt_waiter_t        *client;     /* hears of the first try; or NULL */

    /* has the client and the headers of start() until the call is made */
    ngx_agt_call_request_t   request;

    u_char                   digest[NGX_AGT_DIGEST_LEN];
    u_char                   key[NGX_AGT_DENIAL_KEY_LEN];
    ngx_uint_t               all_sessions;
    unsigned                 recorded:1; /* in the ledger */
    unsigned                 again:1;    /* made by again() */
} ngx_agt_revocation_job_t;


static void ngx_agt_revocation_leave(ngx_agt_waiter_t *waiter);
static ngx_agt_revocation_job_t *ngx_agt_revocation_job(
    const ngx_agt_revocation_t *revocation);
static ngx_agt_revocation_job_t *ngx_agt_revocation_recorded(
    const ngx_agt_revocation_t *revocation, const u_char *key);
static ngx_uint_t ngx_agt_revocation_record(ngx_agt_revocation_job_t *job,
    const ngx_agt_revocation_t *revocation);
static ngx_int_t ngx_agt_revocation_write(ngx_agt_ledger_t *ledger,
    const ngx_agt_ledger_record_t *record, const ngx_agt_clock_t *now);
static void ngx_agt_revocation_done(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_revocation_last_done(void *data,
    ngx_agt_curl_result_t *result);
static void ngx_agt_revocation_told(ngx_agt_revocation_job_t *job,
    ngx_agt_reason_e reason);
static void ngx_agt_revocation_later(ngx_agt_revocation_job_t *job,
    ngx_uint_t longer);
static void ngx_agt_revocation_free(ngx_agt_revocation_job_t *job);


/* no answer is stored: the waiter gets its meaning */

static const ngx_agt_call_type_t  ngx_agt_revocation_call = {
    NULL,
    NULL,
    NULL
};


static ngx_queue_t  ngx_agt_revocation_jobs;
static ngx_uint_t   ngx_agt_revocation_again_n;


void
ngx_agt_revocation_init(void)
{
    ngx_queue_init(&ngx_agt_revocation_jobs);

    ngx_agt_revocation_again_n = 0;
}


ngx_int_t
ngx_agt_revocation_start(const ngx_agt_revocation_t *revocation,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer)
{
    ngx_agt_revocation_job_t  *job;

    ngx_agt_answer_init(answer);

    if (waiter) {
        waiter->call = NULL;
    }

    job = ngx_agt_revocation_job(revocation);

    if (job == NULL) {
        return NGX_ERROR;
    }

    job->recorded = ngx_agt_revocation_record(job, revocation);
    job->request.curl.headers = revocation->headers;
    job->request.client = revocation->client;
    job->request.charged = (revocation->client != NULL);

    if (ngx_agt_call_join(&job->request, &job->waiter, answer) != NGX_AGAIN) {
        ngx_agt_revocation_later(job, 0);
        ngx_agt_revocation_free(job);

        return NGX_ERROR;
    }

    if (waiter) {
        job->client = waiter;
        waiter->call = job;
        waiter->leave = ngx_agt_revocation_leave;
    }

    return NGX_AGAIN;
}


/* the revocation goes on */

static void
ngx_agt_revocation_leave(ngx_agt_waiter_t *waiter)
{
    ngx_agt_revocation_job_t  *job;

    job = waiter->call;

    job->client = NULL;
    waiter->call = NULL;
}


void
ngx_agt_revocation_again(const ngx_agt_revocation_t *revocation,
    const u_char *key)
{
    ngx_agt_answer_t           answer;
    ngx_agt_revocation_job_t  *job;

    job = ngx_agt_revocation_recorded(revocation, key);

    if (job == NULL) {
        return;
    }

    job->again = 1;
    ngx_agt_revocation_again_n++;

    if (ngx_agt_call_join(&job->request, &job->waiter, &answer) != NGX_AGAIN) {
        ngx_agt_revocation_later(job, 0);
        ngx_agt_revocation_free(job);
    }
}


ngx_uint_t
ngx_agt_revocation_pending(void)
{
    return ngx_agt_revocation_again_n;
}


void
ngx_agt_revocation_last(const ngx_agt_revocation_t *revocation,
    const u_char *key)
{
    ngx_agt_curl_t            *pool;
    ngx_agt_revocation_job_t  *job;

    pool = ngx_agt_call_curl(revocation->api);

    if (pool == NULL) {
        return;
    }

    job = ngx_agt_revocation_recorded(revocation, key);

    if (job == NULL) {
        return;
    }

    job->request.curl.handler = ngx_agt_revocation_last_done;
    job->request.curl.data = job;

    ngx_agt_curl_perform(pool, &job->request.curl);

    ngx_agt_revocation_free(job);
}


static void
ngx_agt_revocation_last_done(void *data, ngx_agt_curl_result_t *result)
{
    ngx_agt_revocation_job_t *job = data;

    ngx_agt_meaning_t  meaning;

    if (result->error == NGX_AGT_CURL_OK) {
        ngx_agt_answer_meaning(NGX_AGT_OPERATION_REVOKE, result, &meaning);

        if (!meaning.again) {
            ngx_agt_revocation_told(job, meaning.reason);
        }
    }
}


void
ngx_agt_revocation_stop(void)
{
    ngx_queue_t               *q;
    ngx_agt_revocation_job_t  *job;

    while (!ngx_queue_empty(&ngx_agt_revocation_jobs)) {
        q = ngx_queue_head(&ngx_agt_revocation_jobs);
        job = ngx_queue_data(q, ngx_agt_revocation_job_t, queue);

        ngx_agt_revocation_later(job, 0);
        ngx_agt_revocation_free(job);
    }
}


static ngx_agt_revocation_job_t *
ngx_agt_revocation_job(const ngx_agt_revocation_t *revocation)
{
    ngx_str_t                 *body;
    ngx_agt_revocation_job_t  *job;

    if (ngx_agt_call_conf() == NULL) {
        return NULL;
    }

    job = ngx_calloc(sizeof(ngx_agt_revocation_job_t), ngx_cycle->log);
    if (job == NULL) {
        return NULL;
    }

    body = &job->request.curl.body;

    body->data = ngx_alloc(ngx_agt_json_revoke(NULL, &revocation->token, 1),
                           ngx_cycle->log);
    if (body->data == NULL) {
        ngx_free(job);
        return NULL;
    }

    body->len = ngx_agt_json_revoke(body->data, &revocation->token,
                                    revocation->all_sessions);

    job->request.type = &ngx_agt_revocation_call;
    job->request.operation = NGX_AGT_OPERATION_REVOKE;
    job->request.api = revocation->api;
    job->request.curl.url = revocation->api->revoke;
    job->request.curl.connect_timeout = revocation->connect_timeout;
    job->request.curl.timeout = revocation->timeout;
    job->request.curl.max_body = NGX_AGT_JSON_MAX_BODY;
    job->request.key = job->digest;
    job->request.kind = NGX_AGT_LIMITS_SIGN_OUT;

    job->all_sessions = revocation->all_sessions;

    ngx_memcpy(job->digest, revocation->digest, NGX_AGT_DIGEST_LEN);

    job->waiter.done = ngx_agt_revocation_done;
    job->waiter.data = job;

    ngx_queue_insert_tail(&ngx_agt_revocation_jobs, &job->queue);

    return job;
}


/* a job for a revocation that the ledger has already */

static ngx_agt_revocation_job_t *
ngx_agt_revocation_recorded(const ngx_agt_revocation_t *revocation,
    const u_char *key)
{
    ngx_agt_revocation_job_t  *job;

    job = ngx_agt_revocation_job(revocation);

    if (job) {
        job->recorded = 1;

        ngx_memcpy(job->key, key, NGX_AGT_DENIAL_KEY_LEN);
    }

    return job;
}


/* returns 1 if the revocation is in the ledger, else 0 */

static ngx_uint_t
ngx_agt_revocation_record(ngx_agt_revocation_job_t *job,
    const ngx_agt_revocation_t *revocation)
{
    u_char                    own[NGX_AGT_DIGEST_LEN];
    ngx_int_t                 rc;
    ngx_str_t                 value, bound;
    ngx_agt_clock_t           now;
    ngx_agt_denials_t        *denials;
    ngx_agt_ledger_record_t  *record;

    denials = ngx_agt_call_conf()->denials;

    value.data = own;
    value.len = NGX_AGT_DIGEST_LEN;

    if (ngx_agt_denials_token(own, &revocation->token, job->digest) != NGX_OK
        || ngx_agt_denials_key(job->key, revocation->api->digest,
                               NGX_AGT_DENIAL_TOKEN, &value)
           != NGX_OK
        || revocation->token.len + NGX_AGT_SEAL_LEN > NGX_AGT_LEDGER_TOKEN)
    {
        return 0;
    }

    record = ngx_calloc(sizeof(ngx_agt_ledger_record_t)
                        + revocation->token.len + NGX_AGT_SEAL_LEN,
                        ngx_cycle->log);
    if (record == NULL) {
        return 0;
    }

    ngx_agt_clock_now(&now);

    ngx_memcpy(record->api, revocation->api->digest, NGX_AGT_DIGEST_LEN);
    ngx_memcpy(record->key, job->key, NGX_AGT_DENIAL_KEY_LEN);
    ngx_memcpy(record->print, job->digest, sizeof(record->print));

    ngx_agt_ledger_until(record, revocation->until, &now);

    record->made = now.mono;
    record->next = now.mono;
    record->lease = now.mono + revocation->timeout + NGX_AGT_REVOCATION_MARGIN;
    record->pause = NGX_AGT_REVOCATION_PAUSE;
    record->pid = ngx_pid;
    record->via = ngx_agt_api_via(revocation->api);
    record->flags = (job->all_sessions ? NGX_AGT_LEDGER_ALL_SESSIONS : 0)
                    | (revocation->has_exp ? NGX_AGT_LEDGER_HAS_EXP : 0);
    record->state = NGX_AGT_LEDGER_DUE;
    record->len = (uint32_t) (revocation->token.len + NGX_AGT_SEAL_LEN);

    bound.data = record->key;
    bound.len = NGX_AGT_DENIAL_KEY_LEN;

    rc = ngx_agt_seal_encrypt(&revocation->token, &bound, record->token);

    if (rc == NGX_OK) {
        ngx_agt_denials_lock(denials);

        rc = ngx_agt_revocation_write(denials->ledger, record, &now);

        ngx_agt_denials_unlock(denials);
    }

    ngx_free(record);

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

    while ((r = ngx_agt_ledger_find(ledger, record->key, &i)) != NULL) {

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

        /* a client, or a call that was not sent, makes the pause no longer */

        ngx_agt_revocation_later(job, job->again
                                      && answer->class != NGX_AGT_CLASS_SHED);
    }

    ngx_agt_revocation_free(job);

    if (client) {
        client->call = NULL;
        client->done(client->data, answer);
    }
}


/*
 * The API has confirmed the revocation, so the records of the token go.  Two
 * stay and are tried again: one that also asks for all sessions, and one of a
 * child that the API has only just made and does not know yet.
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

    ngx_agt_clock_now(&now);

    conf = ngx_agt_call_conf();
    denials = conf->denials;

    ledger = denials->ledger;

    ngx_agt_denials_lock(denials);

    i = 0;
    young = 0;

    while ((r = ngx_agt_ledger_find(ledger, job->key, &i)) != NULL) {

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

            /* a worker that exits keeps the lease, or it would try for ever */

            if (job->again) {
                r->lease = 0;
            }

            continue;
        }

        if (!job->all_sessions && (r->flags & NGX_AGT_LEDGER_ALL_SESSIONS)) {
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
        ngx_agt_revocation_lost(&job->request.api->url, job->digest,
                                ngx_cycle->log);
        return;
    }

    denials = ngx_agt_call_conf()->denials;
    ledger = denials->ledger;

    ngx_agt_denials_lock(denials);

    i = 0;

    while ((r = ngx_agt_ledger_find(ledger, job->key, &i)) != NULL) {

        if (r->state == NGX_AGT_LEDGER_DUE && r->pid == (int32_t) ngx_pid) {
            r->next = ngx_agt_seams.mono() + r->pause;
            r->lease = 0;

            if (longer || r->pause == NGX_AGT_REVOCATION_PAUSE) {
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

    ngx_agt_revocation_again_n -= job->again;

    ngx_queue_remove(&job->queue);

    ngx_agt_call_wipe(&job->request.curl.body);
    ngx_free(job);
}


void
ngx_agt_revocation_lost(const ngx_str_t *url, const u_char *digest,
    ngx_log_t *log)
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
