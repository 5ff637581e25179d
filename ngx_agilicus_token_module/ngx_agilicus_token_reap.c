
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_reap.h"
#include "ngx_agilicus_token_revocation.h"


/* milliseconds between two looks, and between two steps of one */
#define NGX_AGILICUS_TOKEN_REAP_PAUSE   1000
#define NGX_AGILICUS_TOKEN_REAP_STEP    1

/* places that one step looks at */
#define NGX_AGILICUS_TOKEN_REAP_PLACES  512


typedef struct {
    const ngx_agilicus_token_reap_conf_t  *conf;
    ngx_event_t                            event;
    ngx_connection_t                       dummy;
    u_char                                *buf;
    ngx_uint_t                             origin;   /* that is looked at */
    ngx_uint_t                             place;
    unsigned                               reaping:1;
} ngx_agilicus_token_reap_worker_t;


static void ngx_agilicus_token_reap_tick(ngx_event_t *ev);
static ngx_uint_t ngx_agilicus_token_reap_claim(void);
static void ngx_agilicus_token_reap_step(void);
static void ngx_agilicus_token_reap_token(void *data, const ngx_str_t *token,
    int64_t exp);


static ngx_agilicus_token_reap_worker_t  ngx_agilicus_token_reaper;


ngx_int_t
ngx_agilicus_token_reap_init(const ngx_agilicus_token_reap_conf_t *conf,
    ngx_log_t *log)
{
    ngx_agilicus_token_reap_worker_t  *w;

    w = &ngx_agilicus_token_reaper;

    ngx_memzero(w, sizeof(ngx_agilicus_token_reap_worker_t));

    w->buf = ngx_alloc(NGX_AGILICUS_TOKEN_SECRET_MAX, log);
    if (w->buf == NULL) {
        return NGX_ERROR;
    }

    w->conf = conf;
    w->dummy.fd = (ngx_socket_t) -1;

    w->event.handler = ngx_agilicus_token_reap_tick;
    w->event.data = &w->dummy;
    w->event.log = log;
    w->event.cancelable = 1;

    ngx_add_timer(&w->event, NGX_AGILICUS_TOKEN_REAP_PAUSE);

    return NGX_OK;
}


void
ngx_agilicus_token_reap_exit(void)
{
    ngx_agilicus_token_reap_worker_t  *w;

    w = &ngx_agilicus_token_reaper;

    if (w->conf == NULL) {
        return;
    }

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
    }

    ngx_free(w->buf);
    w->conf = NULL;
}


static void
ngx_agilicus_token_reap_tick(ngx_event_t *ev)
{
    ngx_agilicus_token_reap_worker_t  *w;

    w = &ngx_agilicus_token_reaper;

    if (!w->reaping && ngx_agilicus_token_reap_claim()) {
        w->reaping = 1;
        w->origin = 0;
        w->place = 0;
    }

    if (w->reaping) {
        ngx_agilicus_token_reap_step();
    }

    ngx_add_timer(ev, w->reaping ? NGX_AGILICUS_TOKEN_REAP_STEP
                                 : NGX_AGILICUS_TOKEN_REAP_PAUSE);
}


/* who has looked for the children of what was denied cannot have seen it */

void
ngx_agilicus_token_reap_late(const ngx_str_t *packed, const u_char *api)
{
    ngx_str_t                      parent;
    ngx_agilicus_token_clock_t     now;
    ngx_agilicus_token_facts_t     facts;
    ngx_agilicus_token_denials_t  *denials;

    denials = ngx_agilicus_token_call_conf()->denials;

    ngx_agilicus_token_zone_now(&now);

    if (ngx_agilicus_token_facts_open(&facts, packed->data, packed->len)
            != NGX_OK
        || ngx_agilicus_token_secret_parent(&facts, &parent) != NGX_OK
        || ngx_agilicus_token_denied(denials, api, parent.data, &facts,
                                     NGX_AGILICUS_TOKEN_NEVER_ASKED, &now)
           == NGX_AGILICUS_TOKEN_REASON_NONE)
    {
        return;
    }

    ngx_agilicus_token_denials_lock(denials);

    denials->sh->reaped = denials->sh->generation - 1;

    ngx_agilicus_token_denials_unlock(denials);
}


/* 1 if there are denials that no worker has reaped for yet */

static ngx_uint_t
ngx_agilicus_token_reap_claim(void)
{
    ngx_uint_t                        claimed;
    ngx_agilicus_token_denials_t     *denials;
    ngx_agilicus_token_denials_sh_t  *sh;

    denials = ngx_agilicus_token_call_conf()->denials;
    sh = denials->sh;

    if (sh->reaped == sh->generation) {
        return 0;
    }

    ngx_agilicus_token_denials_lock(denials);

    claimed = (sh->reaped != sh->generation);
    sh->reaped = sh->generation;

    ngx_agilicus_token_denials_unlock(denials);

    return claimed;
}


static void
ngx_agilicus_token_reap_step(void)
{
    ngx_agilicus_token_clock_t         now;
    ngx_agilicus_token_origin_t       *origin;
    ngx_agilicus_token_reap_worker_t  *w;

    w = &ngx_agilicus_token_reaper;

    if (w->origin == ngx_agilicus_token_call_conf()->norigins) {
        w->reaping = 0;
        return;
    }

    origin = ngx_agilicus_token_call_conf()->origins[w->origin];

    ngx_agilicus_token_zone_now(&now);

    if (origin->zone
        && ngx_agilicus_token_secret_reap(origin->zone,
                                    ngx_agilicus_token_call_conf()->denials,
                                    origin->context, origin->api->digest,
                                    &w->place, NGX_AGILICUS_TOKEN_REAP_PLACES,
                                    w->buf, &now,
                                    ngx_agilicus_token_reap_token, origin)
           == NGX_AGAIN)
    {
        return;
    }

    w->origin++;
    w->place = 0;
}


static void
ngx_agilicus_token_reap_token(void *data, const ngx_str_t *token, int64_t exp)
{
    ngx_agilicus_token_origin_t *origin = data;

    u_char                            digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_str_t                         part;
    ngx_agilicus_token_answer_t       answer;
    ngx_agilicus_token_revocation_t   revocation;

    part = *token;

    if (ngx_agilicus_token_digest(digest, &part, 1) != NGX_OK) {
        return;
    }

    ngx_memzero(&revocation, sizeof(ngx_agilicus_token_revocation_t));

    revocation.api = origin->api;
    revocation.token = *token;
    revocation.digest = digest;
    revocation.until = exp;
    revocation.connect_timeout =
        ngx_agilicus_token_reaper.conf->connect_timeout;
    revocation.timeout = ngx_agilicus_token_reaper.conf->timeout;

    (void) ngx_agilicus_token_revocation_start(&revocation, NULL, &answer);
}
