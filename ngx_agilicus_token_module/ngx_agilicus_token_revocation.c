
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_revocation.h"
#include "ngx_agilicus_token_json_body.h"


/* milliseconds between two tries: doubled from the first to the last */
#define NGX_AGILICUS_TOKEN_REVOCATION_PAUSE      1000
#define NGX_AGILICUS_TOKEN_REVOCATION_MAX_PAUSE  60000

/* milliseconds for the last tries when a worker exits, all together */
#define NGX_AGILICUS_TOKEN_REVOCATION_LAST       2000


typedef struct {
    ngx_queue_t                    queue;
    ngx_event_t                    event;
    ngx_agilicus_token_waiter_t    waiter;     /* of the call */
    ngx_agilicus_token_waiter_t   *client;     /* who hears of the first try */

    ngx_agilicus_token_api_t      *api;
    ngx_str_t                      body;
    u_char                         digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_uint_t                     all_sessions;
    time_t                         until;
    ngx_msec_t                     connect_timeout;
    ngx_msec_t                     timeout;
    ngx_msec_t                     pause;
} ngx_agilicus_token_revocation_job_t;


static ngx_agilicus_token_revocation_job_t *ngx_agilicus_token_revocation_job(
    const ngx_agilicus_token_revocation_t *revocation);
static ngx_int_t ngx_agilicus_token_revocation_try(
    ngx_agilicus_token_revocation_job_t *job,
    const ngx_agilicus_token_budget_client_t *client,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_revocation_read(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_revocation_adopt(
    ngx_agilicus_token_call_t *call, ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_revocation_done(void *data,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_revocation_later(
    ngx_agilicus_token_revocation_job_t *job);
static ngx_uint_t ngx_agilicus_token_revocation_kept(
    ngx_agilicus_token_revocation_job_t *job);
static void ngx_agilicus_token_revocation_again(ngx_event_t *ev);
static void ngx_agilicus_token_revocation_lost(
    const ngx_agilicus_token_api_t *api, const u_char *digest);
static void ngx_agilicus_token_revocation_free(
    ngx_agilicus_token_revocation_job_t *job);
static void ngx_agilicus_token_revocation_last(void *data,
    ngx_agilicus_token_curl_result_t *result);


static const ngx_agilicus_token_call_type_t
    ngx_agilicus_token_revocation_call =
{
    "revocation",
    ngx_agilicus_token_revocation_read,
    ngx_agilicus_token_revocation_adopt,
    NULL
};


static ngx_queue_t   ngx_agilicus_token_revocations;
static ngx_uint_t    ngx_agilicus_token_nrevocations;
static ngx_log_t    *ngx_agilicus_token_revocation_log;


void
ngx_agilicus_token_revocation_init(ngx_log_t *log)
{
    ngx_queue_init(&ngx_agilicus_token_revocations);
    ngx_agilicus_token_nrevocations = 0;
    ngx_agilicus_token_revocation_log = log;
}


ngx_int_t
ngx_agilicus_token_revocation_start(
    const ngx_agilicus_token_revocation_t *revocation,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_revocation_job_t  *job;

    ngx_memzero(answer, sizeof(ngx_agilicus_token_answer_t));

    answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
    answer->retry_after = -1;

    if (waiter) {
        waiter->call = NULL;
    }

    job = ngx_agilicus_token_revocation_job(revocation);

    if (job == NULL) {

        /* there are too many, and nobody tries this one again */

        ngx_agilicus_token_revocation_lost(revocation->api,
                                           revocation->digest);
        return NGX_ERROR;
    }

    if (ngx_agilicus_token_revocation_try(job, revocation->client, answer)
        != NGX_AGAIN)
    {
        ngx_agilicus_token_revocation_later(job);
        return NGX_ERROR;
    }

    if (waiter) {
        job->client = waiter;
        waiter->call = (ngx_agilicus_token_call_t *) job;
    }

    return NGX_AGAIN;
}


void
ngx_agilicus_token_revocation_leave(ngx_agilicus_token_waiter_t *waiter)
{
    ngx_agilicus_token_revocation_job_t  *job;

    job = (ngx_agilicus_token_revocation_job_t *) waiter->call;

    if (job) {
        job->client = NULL;
        waiter->call = NULL;
    }
}


static ngx_agilicus_token_revocation_job_t *
ngx_agilicus_token_revocation_job(
    const ngx_agilicus_token_revocation_t *revocation)
{
    ngx_log_t                            *log;
    ngx_agilicus_token_revocation_job_t  *job;

    log = ngx_agilicus_token_revocation_log;

    if (ngx_agilicus_token_call_conf() == NULL
        || ngx_agilicus_token_nrevocations
           >= NGX_AGILICUS_TOKEN_REVOCATION_MAX)
    {
        return NULL;
    }

    job = ngx_calloc(sizeof(ngx_agilicus_token_revocation_job_t), log);
    if (job == NULL) {
        return NULL;
    }

    job->body.data = ngx_alloc(ngx_agilicus_token_json_revoke(NULL,
                                              &revocation->token, 1), log);
    if (job->body.data == NULL) {
        ngx_free(job);
        return NULL;
    }

    job->body.len = ngx_agilicus_token_json_revoke(job->body.data,
                                                   &revocation->token,
                                                   revocation->all_sessions);

    job->api = revocation->api;
    job->all_sessions = revocation->all_sessions;
    job->until = revocation->until;
    job->connect_timeout = revocation->connect_timeout;
    job->timeout = revocation->timeout;
    job->pause = NGX_AGILICUS_TOKEN_REVOCATION_PAUSE;

    ngx_memcpy(job->digest, revocation->digest,
               NGX_AGILICUS_TOKEN_DIGEST_LEN);

    job->event.handler = ngx_agilicus_token_revocation_again;
    job->event.data = job;
    job->event.log = log;
    job->event.cancelable = 1;

    job->waiter.done = ngx_agilicus_token_revocation_done;
    job->waiter.data = job;

    ngx_queue_insert_tail(&ngx_agilicus_token_revocations, &job->queue);
    ngx_agilicus_token_nrevocations++;

    return job;
}


static ngx_int_t
ngx_agilicus_token_revocation_try(ngx_agilicus_token_revocation_job_t *job,
    const ngx_agilicus_token_budget_client_t *client,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_call_request_t  request;

    ngx_memzero(&request, sizeof(ngx_agilicus_token_call_request_t));

    request.type = &ngx_agilicus_token_revocation_call;
    request.operation = NGX_AGILICUS_TOKEN_OPERATION_REVOKE;
    request.api = job->api;
    request.url = job->api->revoke;
    request.body = job->body;
    request.connect_timeout = job->connect_timeout;
    request.timeout = job->timeout;
    request.max_body = NGX_AGILICUS_TOKEN_JSON_MAX_BODY;
    request.key = job->digest;
    request.client = client;
    request.charged = (client != NULL);

    return ngx_agilicus_token_call_join(&request, &job->waiter, answer);
}


/* nothing of it is remembered: what it means is told to the waiter */

static void
ngx_agilicus_token_revocation_read(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_curl_result_t *result,
    ngx_agilicus_token_answer_t *answer)
{
}


static ngx_int_t
ngx_agilicus_token_revocation_adopt(ngx_agilicus_token_call_t *call,
    ngx_agilicus_token_answer_t *answer)
{
    return NGX_DECLINED;
}


static void
ngx_agilicus_token_revocation_done(void *data,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_revocation_job_t *job = data;

    ngx_agilicus_token_waiter_t  *client;

    client = job->client;
    job->client = NULL;

    if (answer->class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        ngx_agilicus_token_zone_count(ngx_agilicus_token_call_conf()->first,
                                      NGX_AGILICUS_TOKEN_COUNT_REVOCATIONS);
        ngx_agilicus_token_revocation_free(job);

    } else {
        ngx_agilicus_token_revocation_later(job);
    }

    if (client) {
        client->call = NULL;
        client->done(client->data, answer);
    }
}


static void
ngx_agilicus_token_revocation_later(ngx_agilicus_token_revocation_job_t *job)
{
    if (job->until <= ngx_time()
        || ngx_agilicus_token_revocation_kept(job))
    {
        /* the token has expired, or another job revokes it */

        ngx_agilicus_token_revocation_free(job);
        return;
    }

    ngx_add_timer(&job->event, job->pause);

    job->pause = ngx_min(job->pause * 2,
                         NGX_AGILICUS_TOKEN_REVOCATION_MAX_PAUSE);
}


/*
 * 1 if another job does all that this one does: who revokes a token again and
 * again takes no more than one place.
 */

static ngx_uint_t
ngx_agilicus_token_revocation_kept(ngx_agilicus_token_revocation_job_t *job)
{
    ngx_queue_t                          *q;
    ngx_agilicus_token_revocation_job_t  *other;

    for (q = ngx_queue_head(&ngx_agilicus_token_revocations);
         q != ngx_queue_sentinel(&ngx_agilicus_token_revocations);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_agilicus_token_revocation_job_t, queue);

        if (other != job && other->event.timer_set && other->api == job->api
            && other->all_sessions >= job->all_sessions
            && ngx_memcmp(other->digest, job->digest,
                          NGX_AGILICUS_TOKEN_DIGEST_LEN)
               == 0)
        {
            other->until = ngx_max(other->until, job->until);

            return 1;
        }
    }

    return 0;
}


static void
ngx_agilicus_token_revocation_again(ngx_event_t *ev)
{
    ngx_agilicus_token_answer_t           answer;
    ngx_agilicus_token_revocation_job_t  *job;

    job = ev->data;

    if (ngx_agilicus_token_revocation_try(job, NULL, &answer) != NGX_AGAIN) {
        ngx_agilicus_token_revocation_later(job);
    }
}


static void
ngx_agilicus_token_revocation_free(ngx_agilicus_token_revocation_job_t *job)
{
    ngx_agilicus_token_call_leave(&job->waiter);

    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    ngx_queue_remove(&job->queue);
    ngx_agilicus_token_nrevocations--;

    ngx_explicit_memzero(job->body.data, job->body.len);
    ngx_free(job->body.data);
    ngx_free(job);
}


void
ngx_agilicus_token_revocation_exit(void)
{
    ngx_msec_t                            end;
    ngx_queue_t                          *q;
    ngx_agilicus_token_curl_t            *pool;
    ngx_agilicus_token_curl_request_t     request;
    ngx_agilicus_token_revocation_job_t  *job;

    if (ngx_agilicus_token_call_conf() == NULL
        || ngx_queue_empty(&ngx_agilicus_token_revocations))
    {
        return;
    }

    end = ngx_current_msec + NGX_AGILICUS_TOKEN_REVOCATION_LAST;

    while (!ngx_queue_empty(&ngx_agilicus_token_revocations)) {
        q = ngx_queue_head(&ngx_agilicus_token_revocations);
        job = ngx_queue_data(q, ngx_agilicus_token_revocation_job_t, queue);

        ngx_time_update();

        pool = ngx_agilicus_token_call_curl(job->api);

        if (pool && ngx_current_msec < end) {
            ngx_memzero(&request, sizeof(ngx_agilicus_token_curl_request_t));

            request.url = job->api->revoke;
            request.body = job->body;
            request.connect_timeout = end - ngx_current_msec;
            request.timeout = end - ngx_current_msec;
            request.max_body = NGX_AGILICUS_TOKEN_JSON_MAX_BODY;
            request.handler = ngx_agilicus_token_revocation_last;
            request.data = job;

            ngx_agilicus_token_curl_perform(pool, &request);

        } else {
            ngx_agilicus_token_revocation_lost(job->api, job->digest);
        }

        ngx_agilicus_token_revocation_free(job);
    }
}


static void
ngx_agilicus_token_revocation_last(void *data,
    ngx_agilicus_token_curl_result_t *result)
{
    ngx_agilicus_token_revocation_job_t *job = data;

    ngx_agilicus_token_meaning_t  meaning;

    if (result->error == NGX_AGILICUS_TOKEN_CURL_OK) {
        ngx_agilicus_token_call_meaning(NGX_AGILICUS_TOKEN_OPERATION_REVOKE,
                                        result, &meaning);

        if (!meaning.again) {
            ngx_agilicus_token_zone_count(
                ngx_agilicus_token_call_conf()->first,
                NGX_AGILICUS_TOKEN_COUNT_REVOCATIONS);
            return;
        }
    }

    ngx_agilicus_token_revocation_lost(job->api, job->digest);
}


static void
ngx_agilicus_token_revocation_lost(const ngx_agilicus_token_api_t *api,
    const u_char *digest)
{
    u_char  fingerprint[NGX_AGILICUS_TOKEN_FINGERPRINT_LEN];

    if (ngx_agilicus_token_call_conf() == NULL) {
        return;
    }

    ngx_agilicus_token_digest_fingerprint(digest, fingerprint);

    ngx_log_error(NGX_LOG_ERR, ngx_agilicus_token_revocation_log, 0,
                  "agilicus token: revocation lost, Tokens API \"%V\" never "
                  "took it, fingerprint %*s", &api->url,
                  sizeof(fingerprint), fingerprint);

    ngx_agilicus_token_zone_count(ngx_agilicus_token_call_conf()->first,
                                  NGX_AGILICUS_TOKEN_COUNT_REVOCATIONS_LOST);
}
