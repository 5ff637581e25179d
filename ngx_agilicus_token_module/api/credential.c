
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/credential.h"
#include "api/seams.h"
#include "api/tick.h"
#include "json/jwt.h"


/* seconds before the end of a credential in which it is warned of */
#define NGX_AGT_CREDENTIAL_SOON  86400

/* seconds between two lines of the log */
#define NGX_AGT_CREDENTIAL_LINE  3600

/* milliseconds between two looks at the time */
#define NGX_AGT_CREDENTIAL_TICK  1000

/* 9999-12-31T23:59:59Z: a later expiry would not fit in milliseconds */
#define NGX_AGT_CREDENTIAL_LAST  253402300799


typedef struct {
    const ngx_agt_api_conf_t  *conf;
    ngx_event_t                event;
    ngx_log_t                 *log;
} ngx_agt_credential_t;


static void ngx_agt_credential_tick(ngx_event_t *ev);


static ngx_agt_credential_t  ngx_agt_credential;


int64_t
ngx_agt_credential_expiry(const ngx_str_t *credential)
{
    int64_t        exp;
    ngx_agt_jwt_t  jwt;

    if (ngx_agt_jwt_split(credential, &jwt) != NGX_OK
        || ngx_agt_jwt_exp(&jwt, &exp) != NGX_OK)
    {
        return -1;
    }

    return ngx_min(ngx_max(exp, 0), NGX_AGT_CREDENTIAL_LAST);
}


int64_t
ngx_agt_credential_first(const ngx_agt_api_conf_t *conf, ngx_uint_t state)
{
    int64_t               first;
    ngx_uint_t            i;
    const ngx_agt_api_t  *api;

    first = -1;

    for (i = 0; i < conf->napis; i++) {
        api = conf->apis[i];

        if (api->state == state && api->credential_expiry != -1
            && (first == -1 || api->credential_expiry < first))
        {
            first = api->credential_expiry;
        }
    }

    return first;
}


u_char *
ngx_agt_credential_words(u_char *buf, int64_t expiry, time_t now)
{
    int64_t  left;

    left = expiry - now;

    if (expiry == -1 || left >= NGX_AGT_CREDENTIAL_SOON) {
        return buf;
    }

    /* RFC 7519, section 4.1.4: a token is not good at the second of its end */

    if (left <= 0) {
        return ngx_cpymem(buf, "has ended", sizeof("has ended") - 1);
    }

    if (left < 60) {
        return ngx_sprintf(buf, "ends in %Ls", left);
    }

    return ngx_sprintf(buf, "ends in %Lh %Lm", left / 3600, left % 3600 / 60);
}


void
ngx_agt_credential_init(const ngx_agt_api_conf_t *conf, ngx_log_t *log)
{
    ngx_agt_credential_t  *c;

    c = &ngx_agt_credential;

    ngx_memzero(c, sizeof(ngx_agt_credential_t));

    c->conf = conf;
    c->log = log;
    ngx_agt_tick_init(&c->event, ngx_agt_credential_tick, log);
    ngx_agt_seams.add_timer(&c->event, 1);
}


void
ngx_agt_credential_exit(void)
{
    if (ngx_agt_credential.conf) {
        ngx_agt_seams.del_timer(&ngx_agt_credential.event);
    }
}


static void
ngx_agt_credential_tick(ngx_event_t *ev)
{
    u_char                    *end;
    u_char                     words[NGX_AGT_CREDENTIAL_WORDS];
    ngx_uint_t                 i;
    ngx_agt_api_state_t       *state;
    const ngx_agt_api_t       *api;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_credential.conf;

    ngx_agt_seams.add_timer(ev, NGX_AGT_CREDENTIAL_TICK);

    for (i = 0; i < conf->napis; i++) {
        api = conf->apis[i];
        state = &conf->first->sh->api[api->state];

        /* an old worker may still have the credential before this one */

        if (state->used != conf->cycle) {
            continue;
        }

        end = ngx_agt_credential_words(words,
                  ngx_agt_credential_first(conf, api->state), ngx_time());

        if (end == words
            || !ngx_agt_clock_once(&state->said[NGX_AGT_API_LINE_CREDENTIAL],
                                   ngx_time(), NGX_AGT_CREDENTIAL_LINE))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, ngx_agt_credential.log, 0,
                      "agilicus token: the credential of this edge for Tokens "
                      "API \"%V\" %*s: put a new one into the file of "
                      "\"agilicus_token_api_credential\", and reload nginx",
                      &api->url, (size_t) (end - words), words);
    }
}
