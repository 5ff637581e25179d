
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed_sessions.h"


/* pages of a poll: a million sessions */
#define NGX_AGT_FEED_SESSIONS_PAGES  2000

/* the longest query for a page */
#define NGX_AGT_FEED_SESSIONS_QUERY                                          \
    (sizeof("&created_time=2026-11-23T16%3A20%3A19Z&")                       \
     + NGX_AGT_JSON_MAX_NEXT)


ngx_int_t
ngx_agt_feed_sessions_init(ngx_agt_feed_sessions_t *sessions,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log)
{
    u_char  *p;

    p = ngx_alloc(3 * NGX_AGT_JSON_MAX_NEXT, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sessions->next.data = p;
    sessions->seen.data = p + NGX_AGT_JSON_MAX_NEXT;
    sessions->call.list.next.data = p + 2 * NGX_AGT_JSON_MAX_NEXT;

    return ngx_agt_feed_call_init(&sessions->call, conf, NGX_AGT_JSON_SESSIONS,
                                  NGX_AGT_FEED_SESSIONS_QUERY, done, sessions,
                                  log);
}


void
ngx_agt_feed_sessions_exit(ngx_agt_feed_sessions_t *sessions)
{
    ngx_agt_feed_call_exit(&sessions->call);
    ngx_free(sessions->next.data);
}


void
ngx_agt_feed_sessions_begin(ngx_agt_feed_sessions_t *sessions, int64_t created)
{
    sessions->created = ngx_max(created, 0);
    sessions->pages = 0;
    sessions->rows = 0;
    sessions->remember = 1;
    sessions->others = 0;
    sessions->done = 0;

    /* the order in which the API's cursor is known to work */

    sessions->next.len = ngx_cpymem(sessions->next.data, "page_on=id", 10)
                         - sessions->next.data;
    sessions->seen.len = 0;
}


/* API: GET /v1/sessions */

ngx_int_t
ngx_agt_feed_sessions_ask(ngx_agt_feed_sessions_t *sessions)
{
    u_char  *p;

    p = ngx_agt_feed_call_url(&sessions->call);

    p = ngx_cpymem(p, "&created_time=", 14);
    p = ngx_agt_feed_call_date(p, sessions->created);

    *p++ = '&';
    p = ngx_cpymem(p, sessions->next.data, sessions->next.len);

    return ngx_agt_feed_call_send(&sessions->call, p);
}


const char *
ngx_agt_feed_sessions_go_on(ngx_agt_feed_sessions_t *sessions)
{
    ngx_agt_json_list_t  *list;

    list = &sessions->call.list;

    sessions->pages++;
    sessions->rows += list->rows;
    sessions->others |= sessions->call.others;

    /*
     * A page without a cursor is the last one.  If it is full, it may also be
     * the only one of an API that knows no cursor, which then gives it again.
     */

    if (list->rows == 0 || (list->implied && list->rows < list->limit)) {
        sessions->done = 1;
        return NULL;
    }

    sessions->done = 1;

    if (list->wrong) {
        return list->wrong;
    }

    /*
     * A cursor that comes back would come back for ever.  The arguments that
     * are kept for comparison change at pages 1, 2, 4, 8, ..., so that circles
     * of any length are noticed.
     */

    if (list->next.len == sessions->seen.len
        && ngx_memcmp(list->next.data, sessions->seen.data, list->next.len)
           == 0)
    {
        return "its pages repeat";
    }

    if (sessions->pages == NGX_AGT_FEED_SESSIONS_PAGES) {
        return "it has too many pages";
    }

    sessions->next.len = list->next.len;
    ngx_memcpy(sessions->next.data, list->next.data, list->next.len);

    if (sessions->pages == sessions->remember) {
        sessions->remember *= 2;
        sessions->seen.len = list->next.len;
        ngx_memcpy(sessions->seen.data, list->next.data, list->next.len);
    }

    sessions->done = 0;

    return NULL;
}
