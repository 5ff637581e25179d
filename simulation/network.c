
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/* calls under way, and the Tokens API that answers them */

#include "host.h"


/* of a list: what it was asked for */

typedef struct {
    ngx_uint_t  limit;
    ngx_uint_t  by_iat;
    ngx_uint_t  has_from;
    ngx_uint_t  has_to;
    int64_t     from;
    int64_t     to;
} list_t;


static void network_row(api_token_t *a);
static ngx_uint_t network_misfortune(sim_call_t *call);
static void network_answer(sim_call_t *call);
static void network_introspect(sim_call_t *call);
static void network_facts(sim_call_t *call);
static void network_revoke(sim_call_t *call);
static void network_list(sim_call_t *call);
static ngx_uint_t network_listed(const api_token_t *a, const list_t *list,
    ngx_uint_t api);
static ngx_uint_t network_date(const char *url, const char *name,
    int64_t *sec);
static void network_says(sim_call_t *call, ngx_uint_t status,
    const char *body);


sim_call_t         calls[SIM_CALLS];
ngx_uint_t         ncalls;
api_token_t        api_tokens[SIM_TOKENS + SIM_LISTED];
ngx_uint_t         api_ntokens;
int64_t            api_offset;

static list_t      lists[SIM_CALLS];
static char        urls[SIM_CALLS][256];
static uint64_t    down;          /* until then the API is down */
static ngx_uint_t  trouble;       /* of 100 calls, how many meet with it */
static ngx_uint_t  most;          /* rows that the API lists */
static ngx_uint_t  unfiltered;
static ngx_uint_t  bad_rows;
static uint64_t    silent;        /* from then on it gives no list; 0: never */

uint64_t           mute[SIM_EDGES];  /* until then it gives the edge no list */


void
network_begin(void)
{
    ngx_uint_t    i;
    api_token_t  *a;

    for (i = 0; i < ncalls; i++) {
        free(calls[i].body);
    }

    memset(calls, 0, ncalls * sizeof(sim_call_t));
    ncalls = 0;

    memset(api_tokens, 0, sizeof(api_tokens));

    down = 0;
    trouble = below(4) * 10;
    most = (below(4) == 0 && !fleet) ? 3 + below(20) : 100;
    unfiltered = (below(8) == 0);
    bad_rows = (below(8) == 0);
    api_offset = 0;
    silent = 0;
    memset(mute, 0, sizeof(mute));

    if (below(4) == 0) {
        silent = now.mono + 1 + below(5000);
        suspending = 4;
        trouble = 40;
    }

    if (below(4) == 0) {
        api_offset = (int64_t) below(3000) - 1500;
        fault(SIM_API_CLOCK);
    }

    for (i = 0; i < SIM_TOKENS; i++) {
        api_tokens[i].t = tokens[i];
    }

    api_ntokens = SIM_TOKENS + (below(8) ? below(40) : below(SIM_LISTED));

    for ( /* void */ ; i < api_ntokens; i++) {
        a = &api_tokens[i];

        (void) snprintf(a->jti_text, sizeof(a->jti_text), "listed-%u",
                        (unsigned) i);

        a->t.jti = a->jti_text;
        a->t.iat = -1000 + (int64_t) below(60) * 10;
        a->t.exp = below(5) ? 4000 + (int64_t) below(40) * 20 : 0;
        a->revoked = below(4) ? 1 : 0;
    }

    for (i = 0; i < api_ntokens; i++) {
        network_row(&api_tokens[i]);
    }
}


/* as it stands in a list */

static void
network_row(api_token_t *a)
{
    int  n;

    n = snprintf(a->row, sizeof(a->row), "{\"jti\":\"%s\",\"iat\":%ld",
                 a->t.jti, (long) (epoch + a->t.iat));

    if (a->t.exp) {
        n += snprintf(a->row + n, sizeof(a->row) - (size_t) n,
                      ",\"exp\":%ld", (long) (epoch + a->t.exp));
    }

    a->row_len = (size_t) n;
}


void
api_revoke(ngx_uint_t token)
{
    if (api_tokens[token].revoked == 0) {
        api_tokens[token].revoked = now.mono;
    }
}


void
api_fail(void)
{
    fault(SIM_API_DOWN);
    down = now.mono + 1000 + below(below(4) ? 10000 : 100000);
}


void
api_recover(void)
{
    down = 0;
    trouble = 0;
    unfiltered = 0;
    bad_rows = 0;
    silent = 0;
}


ngx_agt_curl_op_t *
sim_submit(ngx_uint_t api, ngx_agt_curl_request_t *request)
{
    char         token[64], *url;
    ngx_uint_t   i;
    sim_call_t  *call;
    const char  *body;

    for (i = 0; i < SIM_CALLS && calls[i].used; i++) {
        /* void */
    }

    if (i == SIM_CALLS) {
        sim_fail("calls: more than %u are under way", SIM_CALLS);
    }

    call = &calls[i];
    url = urls[i];
    ncalls = ngx_max(ncalls, i + 1);

    free(call->body);
    memset(call, 0, sizeof(sim_call_t));

    call->request = *request;
    call->edge = current->edge;
    call->worker = current->number;
    call->api = api;
    call->sent = current->now.mono;
    call->since = now.mono;
    call->order = step_number;
    call->used = 1;

    if (request->url.data[request->url.len] != '\0'
        || request->url.len >= sizeof(urls[i]))
    {
        sim_fail("calls: an URL has no end");
    }

    memcpy(url, request->url.data, request->url.len + 1);

    if (request->body.len == 0) {
        call->operation = SIM_LIST;

        lists[i].limit = strtoul(strstr(url, "limit=") + 6, NULL, 10);
        lists[i].by_iat = (strstr(url, "iat_") != NULL);
        lists[i].has_from = network_date(url, "_from=", &lists[i].from);
        lists[i].has_to = network_date(url, "_to=", &lists[i].to);

        report->counts.polls++;

        if (fleet) {
            fleet_polls();
        }

    } else {
        call->operation = strstr(url, "/revoke") ? SIM_REVOKE : SIM_INTROSPECT;

        body = (const char *) request->body.data;

        (void) snprintf(token, sizeof(token), "%.*s",
                        (int) ngx_min(request->body.len, 40), body);

        if (sscanf(token, "{\"token\":\"token-%lu\"", &call->token) != 1
            || call->token >= SIM_TOKENS)
        {
            sim_fail("identity: the API is asked about \"%s\"", token);
        }

        call->origin = memmem(body, request->body.len,
                              "exclude_roles\":true", 19) ? 1
                       : memmem(body, request->body.len,
                                "support_http_matchers\":true", 27) ? 2 : 0;

        report->counts.calls++;
    }

    model_sent(call);

    return (ngx_agt_curl_op_t *) call;
}


/* dates have colons of three bytes: YYYY-MM-DDTHH%3AMM%3ASSZ */

static ngx_uint_t
network_date(const char *url, const char *name, int64_t *sec)
{
    struct tm    tm;
    const char  *p;

    p = strstr(url, name);

    if (p == NULL) {
        return 0;
    }

    memset(&tm, 0, sizeof(struct tm));

    if (sscanf(p + strlen(name), "%d-%d-%dT%d%%3A%d%%3A%dZ", &tm.tm_year,
               &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec)
        != 6)
    {
        sim_fail("feed: a date of \"%s\" cannot be read", url);
    }

    tm.tm_year -= 1900;
    tm.tm_mon--;

    *sec = timegm(&tm);

    return 1;
}


void
sim_cancel(ngx_agt_curl_op_t *op)
{
    ((sim_call_t *) op)->used = 0;
}


void
network_forget(const sim_worker_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < ncalls; i++) {
        if (calls[i].used && calls[i].edge == w->edge
            && calls[i].worker == w->number)
        {
            calls[i].used = 0;
        }
    }
}


/* a worker that exits asks once more, and waits */

void
sim_perform(ngx_uint_t api, ngx_agt_curl_request_t *request)
{
    sim_call_t              *call;
    ngx_agt_curl_result_t    result;

    call = (sim_call_t *) sim_submit(api, request);
    network_arrive(call);

    result = call->result;
    call->used = 0;

    request->handler(request->data, &result);
}


/* the question has come to the API, which answers it */

void
network_arrive(sim_call_t *call)
{
    call->answered = 1;
    call->order = step_number;

    memset(&call->result, 0, sizeof(ngx_agt_curl_result_t));

    call->result.retry_after = -1;
    call->result.attempts = 1;
    call->result.message = "";
    call->result.whole = 1;
    ngx_str_set(&call->result.content_type, "application/json");

    if (now.mono < down && !calm) {

        if (below(2)) {
            call->result.error = NGX_AGT_CURL_CONNECT;

        } else {
            network_says(call, 503, "");
        }

        return;
    }

    if (call->operation == SIM_LIST
        && ((silent && now.mono >= silent) || now.mono < mute[call->edge]))
    {
        network_says(call, 503, "");
        return;
    }

    if (!calm && below(100) < trouble && network_misfortune(call)) {
        return;
    }

    network_answer(call);

    if (!calm && below(100) == 0) {
        fault(SIM_DUPLICATED);
        network_answer(call);
    }
}


static void
network_answer(sim_call_t *call)
{
    switch (call->operation) {

    case SIM_INTROSPECT:
        network_introspect(call);
        break;

    case SIM_REVOKE:
        network_revoke(call);
        break;

    default:
        network_list(call);
    }
}


/* 1 if that is all the answer there is */

static ngx_uint_t
network_misfortune(sim_call_t *call)
{
    switch (below(11)) {

    case 0:
        fault(SIM_LOST_QUESTION);
        call->lost = 1;
        return 1;

    case 1:
        fault(SIM_LOST_ANSWER);
        call->lost = 1;
        return 0;

    case 2:
        fault(SIM_BROKEN);

        /* it may have been read all the same */

        if (below(2)) {
            network_answer(call);
        }

        call->result.error = NGX_AGT_CURL_BROKEN;
        return 1;

    case 3:
    case 4:
        fault(SIM_API_FAILED);
        network_says(call, below(2) ? 500 : 503, "");
        return 1;

    case 5:
        fault(SIM_API_THROTTLED);
        network_says(call, 429, "{}");
        call->result.retry_after = (time_t) below(3);
        return 1;

    case 6:
        fault(SIM_API_FOREIGN);
        network_says(call, below(2) || call->operation == SIM_REVOKE
                           ? 404 : 200, "<html>");
        ngx_str_set(&call->result.content_type, "text/html");
        return 1;

    case 7:

        /* a sign-out needs no body to be believed */

        if (call->operation == SIM_REVOKE) {
            return 0;
        }

        fault(SIM_API_GARBLED);
        network_says(call, 200, "{\"sub\":\"a\",\"tokens\":[");
        return 1;

    case 8:
        if (call->operation == SIM_INTROSPECT) {
            fault(SIM_API_SAID_UNKNOWN);
            network_says(call, 404, "{}");
            return 1;
        }

        return 0;

    case 9:
        if (call->operation == SIM_INTROSPECT) {
            fault(SIM_API_SAID_REVOKED);
            network_says(call, 410, below(2) ? "{}" : "");
            return 1;
        }

        return 0;

    default:
        return 0;
    }
}


static void
network_says(sim_call_t *call, ngx_uint_t status, const char *body)
{
    free(call->body);
    call->body = strdup(body);

    call->nrows = 0;
    call->answer = 0;
    call->listed = 0;
    call->result.status = status;
    call->body_is_json = (body[0] == '{');
    call->result.body.data = (u_char *) call->body;
    call->result.body.len = strlen(body);

    model_says(call);
}


static void
network_introspect(sim_call_t *call)
{
    if (api_tokens[call->token].revoked && call->api == 0) {
        network_says(call, 410, "{}");
        return;
    }

    network_facts(call);
}


/* facts carry the number of their answer */

static void
network_facts(sim_call_t *call)
{
    char                text[1024], dates[128];
    int                 n;
    const sim_token_t  *t;

    if (nanswers == SIM_ANSWERS) {
        network_says(call, 503, "");
        return;
    }

    t = &tokens[call->token];
    n = 0;
    dates[0] = '\0';

    if (t->exp) {
        n = snprintf(dates, sizeof(dates), ",\"exp\":%ld",
                     (long) (epoch + t->exp));
    }

    if (t->iat) {
        (void) snprintf(dates + n, sizeof(dates) - (size_t) n,
                        ",\"iat\":%ld", (long) (epoch + t->iat));
    }

    (void) snprintf(text, sizeof(text),
        "{\"sub\":\"%s\",\"sub_email\":\"%u \"%s%s%s%s%s%s%s,"
        "\"hosts\":[{\"upstream_host\":\"app\",\"allowed_list\":["
        "{\"methods\":[\"post\"],\"paths\":[\"/x\"],\"body\":{\"json\":["
        "{\"name\":\"n\",\"exact_match\":\"x\",\"match_type\":\"string\","
        "\"pointer\":\"/a\"}]}}]}]}",
        t->sub, (unsigned) nanswers,
        t->jti[0] ? ",\"jti\":\"" : "", t->jti, t->jti[0] ? "\"" : "",
        t->session[0] ? ",\"session\":\"" : "", t->session,
        t->session[0] ? "\"" : "", dates);

    network_says(call, 200, text);

    memset(&answers[nanswers], 0, sizeof(answer_t));

    answers[nanswers].token = call->token;
    answers[nanswers].origin = call->origin;
    answers[nanswers].sent = call->sent;
    answers[nanswers].since = call->since;

    call->answer = ++nanswers;
}


static void
network_revoke(sim_call_t *call)
{
    ngx_uint_t  i;

    if (api_tokens[call->token].revoked) {
        network_says(call, 410, "{}");
        return;
    }

    api_revoke(call->token);

    if (memmem(call->request.body.data, call->request.body.len,
               "all_sessions\":true", 18))
    {
        for (i = 0; i < SIM_TOKENS; i++) {
            if (tokens[i].session[0]
                && strcmp(tokens[i].session, tokens[call->token].session) == 0)
            {
                api_revoke(i);
            }
        }
    }

    network_says(call, 204, "");
}


/* GET /v1/tokens: in no order, and cut at the limit */

static void
network_list(sim_call_t *call)
{
    char         *p, *text;
    list_t       *list;
    ngx_uint_t    i, k, first, limit;
    api_token_t  *a;

    list = &lists[call - calls];
    limit = ngx_min(list->limit, most);

    if (limit < list->limit) {
        fault(SIM_API_CUT);
    }

    text = malloc(256 + 128 * limit);

    if (text == NULL) {
        exit(2);
    }

    p = text + sprintf(text, "{\"limit\":%u,\"tokens\":[", (unsigned) limit);

    call->nrows = 0;
    first = below(api_ntokens);
    k = 0;

    for (i = 0; i < api_ntokens && k < limit; i++) {
        a = &api_tokens[(first + i) % api_ntokens];

        if (!network_listed(a, list, call->api)) {
            continue;
        }

        if (k) {
            *p++ = ',';
        }

        memcpy(p, a->row, a->row_len);
        p += a->row_len;
        *p++ = '}';

        call->rows[k++] = (ngx_uint_t) (a - api_tokens);
    }

    if (k < limit && bad_rows && !calm && below(8) == 0) {
        fault(SIM_API_ROW);
        p += sprintf(p, "%s{\"jti\":7}", k ? "," : "");
    }

    (void) sprintf(p, "]}");

    network_says(call, 200, text);
    free(text);

    call->nrows = k;
    call->listed = 1;
}


/* what one API has revoked is good at the other, which uses the same names */

static ngx_uint_t
network_listed(const api_token_t *a, const list_t *list, ngx_uint_t api)
{
    int64_t  value;

    if ((a->revoked == 0) != (api != 0) || a->t.jti[0] == '\0'
        || (a->t.exp && epoch + a->t.exp <= now.wall + api_offset))
    {
        return 0;
    }

    if (!list->has_from && !list->has_to) {
        return 1;
    }

    if (unfiltered) {
        fault(SIM_API_UNFILTERED);
        return 1;
    }

    if (!list->by_iat && a->t.exp == 0) {
        return 0;
    }

    value = epoch + (list->by_iat ? a->t.iat : a->t.exp);

    return (!list->has_from || value >= list->from)
           && (!list->has_to || value <= list->to);
}


/* the answer comes back to the worker, or it has been given up; 1 if so */

ngx_uint_t
network_deliver(sim_call_t *call)
{
    ngx_uint_t     i;
    sim_task_t     task;
    sim_worker_t  *w;

    w = &workers[call->edge][call->worker];

    if (now.mono - call->since >= call->request.timeout) {
        fault(SIM_TIMED_OUT);

        network_says(call, 0, "");
        call->result.error = NGX_AGT_CURL_TIMEOUT;

    } else if (!call->answered || call->lost) {
        return 0;
    }

    if (now.mono - call->since > 1000) {
        fault(SIM_LATE);
    }

    for (i = 0; i < ncalls; i++) {
        if (calls[i].used && calls[i].answered && calls[i].edge == call->edge
            && calls[i].order < call->order)
        {
            fault(SIM_REORDERED);
        }
    }

    memset(&task, 0, sizeof(sim_task_t));

    task.task = SIM_TASK_ANSWER;
    task.handler = call->request.handler;
    task.data = call->request.data;
    task.result = call->result;

    free(w->body);
    w->body = call->body;
    call->body = NULL;
    call->used = 0;

    model_before(w, call);

    start(w, &task);

    return 1;
}


/* libcurl's own timers */

void
network_expire(sim_worker_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < ncalls && !w->busy && w->started; i++) {
        if (calls[i].used && calls[i].edge == w->edge
            && calls[i].worker == w->number
            && now.mono - calls[i].since >= calls[i].request.timeout)
        {
            (void) network_deliver(&calls[i]);
        }
    }
}
