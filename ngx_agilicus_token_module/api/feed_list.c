
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/feed_list.h"


/* the longest query for a window */
#define NGX_AGT_FEED_LIST_QUERY                                              \
    (sizeof("&exp_from=2026-11-23T16%3A20%3A19Z"                             \
            "&exp_to=2026-11-23T16%3A20%3A19Z"))


static void ngx_agt_feed_list_row(void *data, const ngx_agt_json_row_t *row);


ngx_int_t
ngx_agt_feed_list_init(ngx_agt_feed_list_t *list,
    const ngx_agt_feed_conf_t *conf,
    void (*done)(void *data, ngx_agt_answer_t *answer), ngx_log_t *log)
{
    list->call.row = ngx_agt_feed_list_row;

    return ngx_agt_feed_call_init(&list->call, conf, NGX_AGT_JSON_TOKENS,
                                  NGX_AGT_FEED_LIST_QUERY, done, list, log);
}


/* API: GET /v1/tokens */

ngx_int_t
ngx_agt_feed_list_ask(ngx_agt_feed_list_t *list,
    const ngx_agt_window_t *window)
{
    u_char      *p;
    int64_t      sec;
    const char  *by;

    list->window = *window;
    list->nvalues = 0;
    list->asked = 0;
    list->outside = 0;
    list->undated = 0;

    by = (window->by == NGX_AGT_WINDOW_EXP) ? "exp" : "iat";

    p = ngx_agt_feed_call_url(&list->call);

    if (ngx_agt_window_first(window, &sec)) {
        p = ngx_sprintf(p, "&%s_from=", by);
        p = ngx_agt_feed_call_date(p, sec);
    }

    if (ngx_agt_window_last(window, &sec)) {
        p = ngx_sprintf(p, "&%s_to=", by);
        p = ngx_agt_feed_call_date(p, sec);
    }

    return ngx_agt_feed_call_send(&list->call, p);
}


/* notes where the times of a row lie, by which its window can be divided */

static void
ngx_agt_feed_list_row(void *data, const ngx_agt_json_row_t *row)
{
    ngx_agt_feed_list_t *list = data;

    int64_t     value;
    ngx_uint_t  by_exp;

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
