
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/jwsk.h"
#include "api/seams.h"
#include "api/tick.h"
#include "json/jwks.h"


/* milliseconds between two looks at whether the keys are due */
#define NGX_AGT_JWSK_TICK    500

/* milliseconds beyond its timeout after which a fetch is given up */
#define NGX_AGT_JWSK_MARGIN  1000


typedef struct {
    const ngx_agt_jwsk_conf_t  *conf;
    ngx_agt_zone_t             *zone;
    ngx_event_t                 tick;
    ngx_log_t                  *log;
    ngx_agt_waiter_t            waiter;
    ngx_agt_key_t               keys[NGX_AGT_ES256_KEYS];
    ngx_uint_t                  n;        /* of the answer */
} ngx_agt_jwsk_worker_t;


static void ngx_agt_jwsk_tick(ngx_event_t *ev);
static void ngx_agt_jwsk_fetch(ngx_msec_t interval);
static void ngx_agt_jwsk_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static void ngx_agt_jwsk_done(void *data, ngx_agt_answer_t *answer);


static const ngx_agt_call_type_t  ngx_agt_jwsk_call = {
    ngx_agt_jwsk_read,
    NULL,
    NULL
};


static ngx_agt_jwsk_worker_t  ngx_agt_jwsk;


void
ngx_agt_jwsk_configure(ngx_agt_zone_t *first, const ngx_agt_jwsk_conf_t *conf,
    uint32_t cycle)
{
    if (conf->api == NULL) {
        return;
    }

    ngx_agt_keys_configure(first, conf->source, cycle);

    if (conf->keys) {
        ngx_agt_keys_put(first, conf->keys, conf->nkeys, ngx_agt_clock_mono());
    }
}


void
ngx_agt_jwsk_init(const ngx_agt_jwsk_conf_t *conf, ngx_log_t *log)
{
    ngx_agt_jwsk_worker_t  *j;

    j = &ngx_agt_jwsk;

    ngx_memzero(j, sizeof(ngx_agt_jwsk_worker_t));

    if (conf->api == NULL || conf->keys) {
        return;
    }

    j->conf = conf;
    j->zone = ngx_agt_call_conf()->first;
    j->log = log;

    j->waiter.done = ngx_agt_jwsk_done;
    j->waiter.data = j;

    ngx_agt_tick_init(&j->tick, ngx_agt_jwsk_tick, log);
    ngx_agt_seams.add_timer(&j->tick, 1);
}


void
ngx_agt_jwsk_exit(void)
{
    ngx_agt_keys_exit();

    if (ngx_agt_jwsk.conf == NULL) {
        return;
    }

    ngx_agt_call_leave(&ngx_agt_jwsk.waiter);
    ngx_agt_keys_leave(ngx_agt_jwsk.zone);
    ngx_agt_seams.del_timer(&ngx_agt_jwsk.tick);

    ngx_agt_jwsk.conf = NULL;
}


static void
ngx_agt_jwsk_tick(ngx_event_t *ev)
{
    /* a worker that only drains leaves the keys to those that serve */

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    ngx_agt_seams.add_timer(ev, NGX_AGT_JWSK_TICK);

    ngx_agt_jwsk_fetch(ngx_agt_jwsk.conf->interval);
}


void
ngx_agt_jwsk_wanted(void)
{
    if (ngx_agt_jwsk.conf && !ngx_exiting) {
        ngx_agt_jwsk_fetch(0);
    }
}


/* an interval of 0: on account of a token */

static void
ngx_agt_jwsk_fetch(ngx_msec_t interval)
{
    uint64_t                    now;
    u_char                      key[NGX_AGT_DIGEST_LEN];
    ngx_agt_answer_t            answer;
    ngx_agt_jwsk_worker_t      *j;
    ngx_agt_call_request_t      request;
    const ngx_agt_jwsk_conf_t  *conf;

    j = &ngx_agt_jwsk;
    conf = j->conf;
    now = ngx_agt_seams.mono();

    if (j->waiter.call
        || ngx_agt_keys_begin(j->zone, conf->source,
                              ngx_agt_call_conf()->cycle, now, interval,
                              conf->timeout + NGX_AGT_JWSK_MARGIN)
           != NGX_OK)
    {
        return;
    }

    j->n = 0;

    ngx_memzero(key, sizeof(key));
    ngx_memzero(&request, sizeof(ngx_agt_call_request_t));

    request.type = &ngx_agt_jwsk_call;
    request.operation = NGX_AGT_OPERATION_KEYS;
    request.api = conf->api;
    request.curl.url = conf->api->jwsk;
    request.curl.connect_timeout = conf->connect_timeout;
    request.curl.timeout = conf->timeout;
    request.curl.max_body = NGX_AGT_JWKS_MAX;
    request.kind = NGX_AGT_LIMITS_FEED;
    request.key = key;

    if (ngx_agt_call_join(&request, &j->waiter, &answer) != NGX_AGAIN) {
        (void) ngx_agt_keys_end(j->zone, conf->source, NULL, 0, now);
    }
}


static void
ngx_agt_jwsk_read(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_uint_t   n;
    const char  *wrong;

    if (answer->class != NGX_AGT_CLASS_NONE) {
        return;
    }

    if (ngx_agt_json_type(&result->content_type) == NGX_AGT_JSON_TYPE_OTHER) {
        result->message = "answer is not JSON by its type";
        return;
    }

    if (ngx_agt_json_jwks(result->body.data, result->body.len,
                          ngx_agt_jwsk.keys, &n, &wrong)
        != NGX_OK)
    {
        result->message = wrong;
        return;
    }

    ngx_agt_jwsk.n = n;

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
}


static void
ngx_agt_jwsk_done(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_jwsk_worker_t *j = data;

    ngx_uint_t  n;

    n = (answer->class == NGX_AGT_CLASS_ACTIVE) ? j->n : 0;

    if (ngx_agt_keys_end(j->zone, j->conf->source, j->keys, n,
                         ngx_agt_seams.mono()))
    {
        ngx_log_error(NGX_LOG_NOTICE, j->log, 0,
                      "agilicus token: the public keys have changed, %ui are "
                      "published, Tokens API \"%V\"", n, &j->conf->api->url);
    }
}
