
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed_list.h"
#include "json/answer.h"
#include "token/time.h"


/* the longest query of the URL */
#define NGX_AGT_FEED_LIST_QUERY                                              \
    (sizeof("?revoked=true&limit=100&exp_from=2026-11-23T16%3A20%3A19Z"      \
            "&exp_to=2026-11-23T16%3A20%3A19Z"))


static void ngx_agt_feed_list_url(ngx_agt_feed_list_t *list);
static u_char *ngx_agt_feed_list_date(u_char *p, int64_t sec);
static void ngx_agt_feed_list_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static void ngx_agt_feed_list_row(void *data, const ngx_agt_json_row_t *row);


static const ngx_agt_call_type_t  ngx_agt_feed_list_call = {
    "revocation feed",
    ngx_agt_feed_list_read,
    NULL,
    NULL
};


ngx_int_t
ngx_agt_feed_list_init(ngx_agt_feed_list_t *list,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log)
{
    list->conf = conf;
    list->waiter.done = done;
    list->waiter.data = list;

    list->url.data = ngx_alloc(conf->api->tokens.len
                               + NGX_AGT_FEED_LIST_QUERY, log);

    return list->url.data ? NGX_OK : NGX_ERROR;
}


void
ngx_agt_feed_list_exit(ngx_agt_feed_list_t *list)
{
    ngx_agt_call_leave(&list->waiter);
    ngx_free(list->url.data);
}


ngx_int_t
ngx_agt_feed_list_ask(ngx_agt_feed_list_t *list,
    const ngx_agt_window_t *window)
{
    u_char                      key[NGX_AGT_DIGEST_LEN];
    ngx_agt_answer_t            answer;
    ngx_agt_call_request_t      request;
    const ngx_agt_feed_conf_t  *conf;

    conf = list->conf;

    list->window = *window;
    list->rows = 0;
    list->denied = 0;
    list->nvalues = 0;
    list->wrong = NULL;
    list->asked = 0;
    list->outside = 0;
    list->undated = 0;

    ngx_agt_feed_list_url(list);

    ngx_memzero(key, sizeof(key));
    ngx_memzero(&request, sizeof(ngx_agt_call_request_t));

    request.type = &ngx_agt_feed_list_call;
    request.operation = NGX_AGT_OPERATION_LIST;
    request.api = conf->api;
    request.url = list->url;
    request.bearer = conf->api->credential;
    request.connect_timeout = conf->connect_timeout;
    request.timeout = ngx_max(conf->timeout, conf->api->longest);
    request.max_body = NGX_AGT_JSON_MAX_LIST;
    request.kind = NGX_AGT_LIMITS_FEED;
    request.key = key;
    request.data.data = (u_char *) &list;
    request.data.len = sizeof(ngx_agt_feed_list_t *);

    if (ngx_agt_call_join(&request, &list->waiter, &answer) != NGX_AGAIN) {
        return NGX_ERROR;
    }

    list->busy = 1;

    return NGX_OK;
}


/* API: GET /v1/tokens */

static void
ngx_agt_feed_list_url(ngx_agt_feed_list_t *list)
{
    u_char            *p;
    int64_t            sec;
    const char        *by;
    ngx_agt_window_t  *window;

    window = &list->window;

    by = (window->by == NGX_AGT_WINDOW_EXP) ? "exp" : "iat";

    p = ngx_sprintf(list->url.data, "%V?revoked=true&limit=%ui",
                    &list->conf->api->tokens, list->conf->limit);

    if (ngx_agt_window_first(window, &sec)) {
        p = ngx_sprintf(p, "&%s_from=", by);
        p = ngx_agt_feed_list_date(p, sec);
    }

    if (ngx_agt_window_last(window, &sec)) {
        p = ngx_sprintf(p, "&%s_to=", by);
        p = ngx_agt_feed_list_date(p, sec);
    }

    *p = '\0';
    list->url.len = p - list->url.data;
}


static u_char *
ngx_agt_feed_list_date(u_char *p, int64_t sec)
{
    u_char      date[NGX_AGT_TIME_LEN];
    ngx_uint_t  i;

    (void) ngx_agt_time_format(sec, date);

    for (i = 0; i < sizeof(date); i++) {
        if (date[i] == ':') {
            p = ngx_cpymem(p, "%3A", 3);

        } else {
            *p++ = date[i];
        }
    }

    return p;
}


static void
ngx_agt_feed_list_read(ngx_agt_call_t *call, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_uint_t            limit;
    ngx_agt_feed_list_t  *list;

    if (answer->class != NGX_AGT_CLASS_NONE) {
        return;
    }

    ngx_memcpy(&list, call->data.data, sizeof(ngx_agt_feed_list_t *));

    if (ngx_agt_json_list(result->body.data, result->body.len,
                          ngx_agt_feed_list_row, list, &list->rows, &limit)
        != NGX_OK)
    {
        result->message = "answer is not a list of tokens";
        return;
    }

    /* the API may give fewer rows than it is asked for */

    list->limit = ngx_min(limit, list->conf->limit);

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
}


/* a denial counts at once, also where the list turns out to be incomplete */

static void
ngx_agt_feed_list_row(void *data, const ngx_agt_json_row_t *row)
{
    ngx_agt_feed_list_t *list = data;

    int64_t                    until, value;
    ngx_int_t                  rc;
    ngx_uint_t                 by_exp;
    ngx_agt_clock_t            now;
    ngx_agt_denial_args_t      args;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    if (row->wrong) {

        if (list->wrong == NULL) {
            list->wrong = row->wrong;
            list->number = row->number;
        }

        return;
    }

    by_exp = (list->window.by == NGX_AGT_WINDOW_EXP);
    value = by_exp ? row->exp : row->iat;

    if (by_exp ? row->has_exp : row->has_iat) {

        if (ngx_agt_window_asked(&list->window, value)) {
            list->asked = 1;

        } else {
            list->outside = 1;
        }

        if (value >= list->window.from && value <= list->window.to
            && list->nvalues < NGX_AGT_FEED_MAX_LIMIT)
        {
            list->values[list->nvalues++] = value;
        }
    }

    if (!row->has_exp && !row->has_iat) {
        list->undated = 1;
    }

    if (!row->revoked) {
        return;
    }

    ngx_agt_clock_now(&now);

    until = now.wall + conf->revocation_ttl;

    if (row->has_exp) {
        until = ngx_agt_time_add(row->exp, conf->max_leeway + 1);

        if (until <= now.wall) {
            return;
        }
    }

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.api = list->conf->api->digest;
    args.kind = NGX_AGT_DENIAL_JTI;
    args.source = NGX_AGT_DENIED_BY_FEED;
    args.value = row->jti;
    args.until = until;

    rc = ngx_agt_denials_add(conf->denials, &args, &now);

    if (rc == NGX_OK || rc == NGX_BUSY) {
        list->denied++;
    }
}


int64_t
ngx_agt_feed_list_median(ngx_agt_feed_list_t *list)
{
    int64_t     value;
    ngx_uint_t  i, j;

    if (list->nvalues == 0) {
        return list->window.from;
    }

    for (i = 1; i < list->nvalues; i++) {
        value = list->values[i];

        for (j = i; j > 0 && list->values[j - 1] > value; j--) {
            list->values[j] = list->values[j - 1];
        }

        list->values[j] = value;
    }

    for (i = list->nvalues / 2; i < list->nvalues; i++) {
        if (list->values[i] > list->window.from) {
            return list->values[i];
        }
    }

    /* all rows are of the first second, which becomes a window of its own */

    return list->window.from + 1;
}
