
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed_call.h"
#include "token/time.h"


/* the longest beginning of a query */
#define NGX_AGT_FEED_CALL_QUERY  (sizeof("?revoked=true&limit=500"))


static void ngx_agt_feed_call_read(ngx_agt_call_t *call,
    ngx_agt_curl_result_t *result, ngx_agt_answer_t *answer);
static void ngx_agt_feed_call_row(void *data, const ngx_agt_json_row_t *row);
static ngx_uint_t ngx_agt_feed_call_limit(const ngx_agt_feed_call_t *call);


static const struct {
    ngx_agt_call_type_t    type;
    ngx_agt_operation_e    operation;
    size_t                 url;      /* of the list, in ngx_agt_api_t */
    ngx_agt_denial_kind_e  denial;
    const char            *unread;
} ngx_agt_feed_lists[] = {

    { { ngx_agt_feed_call_read, NULL, NULL },
      NGX_AGT_OPERATION_LIST, offsetof(ngx_agt_api_t, tokens),
      NGX_AGT_DENIAL_JTI,
      "answer is not a list of tokens" },

    { { ngx_agt_feed_call_read, NULL, NULL },
      NGX_AGT_OPERATION_LIST_SESSIONS, offsetof(ngx_agt_api_t, sessions),
      NGX_AGT_DENIAL_SESSION,
      "answer is not a list of sessions" }
};


#define ngx_agt_feed_call_list(call)                                         \
    ((ngx_str_t *) ((u_char *) (call)->conf->api                             \
                    + ngx_agt_feed_lists[(call)->kind].url))


ngx_int_t
ngx_agt_feed_call_init(ngx_agt_feed_call_t *call,
    const ngx_agt_feed_conf_t *conf, ngx_agt_json_list_e kind, size_t query,
    void (*done)(void *data, ngx_agt_answer_t *answer), void *data,
    ngx_log_t *log)
{
    call->conf = conf;
    call->kind = kind;
    call->data = data;
    call->waiter.done = done;
    call->waiter.data = data;

    call->url.data = ngx_alloc(ngx_agt_feed_call_list(call)->len
                               + NGX_AGT_FEED_CALL_QUERY + query, log);

    return call->url.data ? NGX_OK : NGX_ERROR;
}


void
ngx_agt_feed_call_exit(ngx_agt_feed_call_t *call)
{
    ngx_agt_call_leave(&call->waiter);
    ngx_free(call->url.data);
}


u_char *
ngx_agt_feed_call_url(ngx_agt_feed_call_t *call)
{
    return ngx_sprintf(call->url.data, "%V?revoked=true&limit=%ui",
                       ngx_agt_feed_call_list(call),
                       ngx_agt_feed_call_limit(call));
}


static ngx_uint_t
ngx_agt_feed_call_limit(const ngx_agt_feed_call_t *call)
{
    return (call->kind == NGX_AGT_JSON_TOKENS) ? call->conf->limit
                                               : NGX_AGT_FEED_SESSIONS_LIMIT;
}


u_char *
ngx_agt_feed_call_date(u_char *p, int64_t sec)
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


ngx_int_t
ngx_agt_feed_call_send(ngx_agt_feed_call_t *call, u_char *end)
{
    u_char                      key[NGX_AGT_DIGEST_LEN];
    ngx_agt_answer_t            answer;
    ngx_agt_call_request_t      request;
    const ngx_agt_feed_conf_t  *conf;

    conf = call->conf;

    *end = '\0';
    call->url.len = end - call->url.data;

    call->list.rows = 0;
    call->denied = 0;
    call->wrong = NULL;
    call->others = 0;

    ngx_memzero(key, sizeof(key));
    ngx_memzero(&request, sizeof(ngx_agt_call_request_t));

    request.type = &ngx_agt_feed_lists[call->kind].type;
    request.operation = ngx_agt_feed_lists[call->kind].operation;
    request.api = conf->api;
    request.curl.url = call->url;
    request.curl.bearer = conf->api->credential;
    request.curl.connect_timeout = conf->connect_timeout;
    request.curl.timeout = ngx_max(conf->timeout, conf->api->longest);
    request.curl.max_body = NGX_AGT_JSON_MAX_LIST;
    request.kind = NGX_AGT_LIMITS_FEED;
    request.key = key;
    request.data.data = (u_char *) &call;
    request.data.len = sizeof(ngx_agt_feed_call_t *);

    if (ngx_agt_call_join(&request, &call->waiter, &answer) != NGX_AGAIN) {
        return NGX_ERROR;
    }

    call->busy = 1;

    return NGX_OK;
}


static void
ngx_agt_feed_call_read(ngx_agt_call_t *made, ngx_agt_curl_result_t *result,
    ngx_agt_answer_t *answer)
{
    ngx_agt_feed_call_t  *call;

    if (answer->class != NGX_AGT_CLASS_NONE) {
        return;
    }

    ngx_memcpy(&call, made->data.data, sizeof(ngx_agt_feed_call_t *));

    if (ngx_agt_json_list(result->body.data, result->body.len, call->kind,
                          ngx_agt_feed_call_row, call, &call->list)
        != NGX_OK)
    {
        result->message = ngx_agt_feed_lists[call->kind].unread;
        return;
    }

    /* the API may give fewer rows than it is asked for */

    call->list.limit = ngx_min(call->list.limit, ngx_agt_feed_call_limit(call));

    answer->class = NGX_AGT_CLASS_ACTIVE;
    answer->reason = NGX_AGT_REASON_NONE;
}


static void
ngx_agt_feed_call_row(void *data, const ngx_agt_json_row_t *row)
{
    ngx_agt_feed_call_t *call = data;

    int64_t                    until, step;
    ngx_int_t                  rc;
    ngx_agt_clock_t            now;
    ngx_agt_denial_args_t      args;
    const ngx_agt_api_conf_t  *conf;

    conf = ngx_agt_call_conf();

    if (row->wrong) {

        if (call->wrong == NULL) {
            call->wrong = row->wrong;
            call->number = row->number;
        }

        return;
    }

    if (call->row) {
        call->row(call->data, row);
    }

    if (!row->revoked) {
        call->others = 1;
        return;
    }

    ngx_agt_clock_now(&now);

    until = now.wall + conf->revocation_ttl;

    if (conf->denials->sh->fleet.on) {

        /* each longer end is told to all edges, so it moves in steps */

        step = ngx_max(conf->revocation_ttl / 8, 1);
        until += step - until % step;
    }

    if (row->has_exp) {
        until = ngx_agt_time_add(row->exp, conf->max_leeway + 1);

        if (until <= now.wall) {
            return;
        }
    }

    ngx_memzero(&args, sizeof(ngx_agt_denial_args_t));

    args.api = call->conf->api->digest;
    args.kind = ngx_agt_feed_lists[call->kind].denial;
    args.source = NGX_AGT_DENIED_BY_FEED;
    args.value = row->id;
    args.until = until;

    rc = ngx_agt_denials_add(conf->denials, &args, &now);

    if (rc == NGX_OK || rc == NGX_BUSY) {
        call->denied++;
    }
}
