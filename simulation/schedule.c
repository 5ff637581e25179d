
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/* the steps of one schedule */

#include "host.h"


#define ZONE     (96 * 1024)
#define DENIALS  (256 * 1024)

#define UNBOUND  NGX_AGT_CACHE_NO_BOUND


static void schedule_begin(uint64_t seed);
static void schedule_step(void);
static ngx_uint_t schedule_worker(sim_worker_t **w);
static sim_worker_t *schedule_stopped(void);
static sim_worker_t *schedule_any(void);
static void schedule_visit(void);
static void schedule_network(void);
static sim_call_t *schedule_call(void);
static void schedule_pass(uint64_t ms);
static void schedule_tear(void);
static void schedule_end(void);
static void schedule_round(uint64_t ms);
static void schedule_answers(void);


/* active, watched, invalid, update, error, rights; leeway; origin; body */

static const struct {
    ngx_agt_lifetimes_t  lifetimes;
    time_t               leeway;
    ngx_uint_t           origin;
    ngx_uint_t           rules;
    ngx_msec_t           timeout;
} locations[SIM_LOCATIONS] = {
    { { 500, 1000, 1000, 2000, 0, UNBOUND }, 0, 0, 0, 3000 },
    { { 500, 3000, 500, 0, 6000, UNBOUND }, 0, 0, 0, 1500 },
    { { 3000, 6000, 1000, 30000, 5000, 8000 }, 5, 1, 0, 3000 },
    { { 2000, 20000, 1000, 0, 0, UNBOUND }, 2, 2, 0, 3000 },
    { { 30000, 60000, 1000, 0, 0, UNBOUND }, 0, 0, 1, 3000 },
    { { 500, 1000, 1000, 0, 0, UNBOUND }, 0, 0, 0, 3000 },
    { { 500, 1000, 1000, 0, 0, UNBOUND }, 0, 1, 0, 3000 }
};

sim_edge_t         edges[SIM_EDGES];
ngx_uint_t         nedges;
ngx_uint_t         fleet;
ngx_uint_t         calm;
ngx_uint_t         fed;
ngx_uint_t         stepped;
ngx_uint_t         suspending;

static uint64_t    state;
static ngx_uint_t  denying;    /* one step of so many */
static ngx_uint_t  clocks;     /* wall clocks are set */
static int64_t     set_by;     /* seconds by which they were, in all */
static uint64_t    fraction;   /* ms between the ticks of both clocks */
static ngx_uint_t  favourite;  /* the token that is asked for most */


/* splitmix64 */

uint64_t
draw(void)
{
    uint64_t  z;

    z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


uint64_t
below(uint64_t n)
{
    return draw() % n;
}


/* each step draws from numbers of its own, whatever other steps draw */

void
draw_from(uint64_t seed, uint64_t n)
{
    state = seed * 0x9e3779b97f4a7c15 + n * 0xd1b54a32d192ed03;
    state = draw();
}


/* one schedule of four is */

ngx_uint_t
is_of_fleet(uint64_t seed)
{
    return seed % 4 == 0;
}


/* most are short: what goes wrong takes few steps, and others many seeds */

ngx_uint_t
steps_of(uint64_t seed)
{
    draw_from(seed, SIM_STEPS + 2);

    return below(16) ? 100 + below(100) : SIM_STEPS;
}


void
schedule(uint64_t seed, const u_char *skip, ngx_uint_t steps)
{
    ngx_uint_t  i;

    draw_from(seed, 0);
    schedule_begin(seed);

    for (i = 0; i < steps; i++) {

        if (skip && skip[i]) {
            continue;
        }

        report->step = i;
        step_number++;
        report->counts.steps++;

        draw_from(seed, i + 1);
        if (fleet) {
            fleet_step();

        } else {
            schedule_step();
        }

        model_looks(i % 32 == 31);
    }

    report->step = steps;

    draw_from(seed, steps + 1);

    if (fleet) {
        fleet_end();
        report->counts.fleets++;

    } else {
        schedule_end();
        report->counts.schedules++;
    }
}


static void
schedule_begin(uint64_t seed)
{
    ngx_uint_t  e, i;

    fleet = is_of_fleet(seed);
    nedges = 2;

    calm = 1;
    stepped = 0;
    suspending = 1;

    epoch = 1700000000;
    now.mono = 1000000;
    now.wall = epoch;
    set_by = 0;
    fraction = below(1000);

    /* now and then a worker is rarely stopped, or nearly always; or killed */

    stopping = 1 + below(4) * below(4) * 4;
    killing = below(2) ? 0 : 20 + below(100);
    denying = 1 + below(4);
    clocks = (below(2) == 0);
    favourite = below(SIM_TOKENS);

    /* now and then it is another API that the feed polls */

    fed = (below(4) == 0);

    model_begin();
    network_begin();
    redis_begin();
    processes_begin();

    if (fleet) {
        fleet_begin();
    }

    for (e = 0; e < nedges; e++) {
        edges[e].number = e;
        edges[e].key = draw() | 1;

        schedule_edge(&edges[e]);
    }

    if (fleet) {
        fleet_started();
        calm = 0;
        return;
    }

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            schedule_simple(&workers[e][i], SIM_TASK_START, 0, 0);
        }
    }

    calm = 0;
}


/* the configuration, and the shared memory */

void
schedule_edge(sim_edge_t *edge)
{
    void                 *memory[2];
    uint64_t              key;
    ngx_uint_t            i;
    ngx_agt_api_t        *api;
    ngx_agt_loc_conf_t   *lcf;
    ngx_agt_main_conf_t  *mcf;

    static const char  *urls[2][6] = {
        { "https://a.example", "https://a.example/v1/tokens/introspect",
          "https://a.example/v1/tokens/revoke",
          "https://a.example/v1/tokens", "https://a.example/v1/sessions" },
        { "https://b.example", "https://b.example/v1/tokens/introspect",
          "https://b.example/v1/tokens/revoke",
          "https://b.example/v1/tokens", "https://b.example/v1/sessions" }
    };

    memory[0] = edge->shm_zone.shm.addr;
    memory[1] = edge->shm_denials.shm.addr;

    i = edge->number;

    key = edge->key;

    memset(edge, 0, sizeof(sim_edge_t));

    edge->number = i;
    edge->key = key;

    if (memory[0] == NULL
        && (posix_memalign(&memory[0], 4096, ZONE) != 0
            || posix_memalign(&memory[1], 4096, DENIALS) != 0))
    {
        exit(2);
    }

    edge->shm_zone.shm.addr = memory[0];
    edge->shm_zone.shm.size = ZONE;
    edge->shm_denials.shm.addr = memory[1];
    edge->shm_denials.shm.size = DENIALS;

    for (i = 0; i < 2; i++) {
        api = &edge->apis[i];
        edge->all_apis[i] = api;

        memset(api->digest, 0x41 + (int) i, NGX_AGT_DIGEST_LEN);

        api->url.data = (u_char *) urls[i][0];
        api->url.len = strlen(urls[i][0]);
        api->introspect.data = (u_char *) urls[i][1];
        api->introspect.len = strlen(urls[i][1]);
        api->revoke.data = (u_char *) urls[i][2];
        api->revoke.len = strlen(urls[i][2]);
        api->tokens.data = (u_char *) urls[i][3];
        api->tokens.len = strlen(urls[i][3]);
        api->sessions.data = (u_char *) urls[i][4];
        api->sessions.len = strlen(urls[i][4]);

        ngx_str_set(&api->credential, "credential");
        api->longest = 3000;
        api->index = i;
    }

    for (i = 0; i < SIM_ORIGINS; i++) {
        edge->all_origins[i] = &edge->origins[i];

        edge->origins[i].api = &edge->apis[0];
        edge->origins[i].zone = (i == 2) ? NULL : &edge->zone;
        edge->origins[i].options.exclude_roles = (i == 1);
        edge->origins[i].options.support_http_matchers = (i == 2);

        memset(edge->origins[i].facts, (int) i + 1, NGX_AGT_DIGEST_LEN);
        memset(edge->origins[i].calls, (int) i + 11, NGX_AGT_DIGEST_LEN);
        memset(edge->origins[i].issued, (int) i + 21, NGX_AGT_DIGEST_LEN);
    }

    mcf = &edge->mcf;

    mcf->api.apis = edge->all_apis;
    mcf->api.napis = 2;
    mcf->api.origins = edge->all_origins;
    mcf->api.norigins = SIM_ORIGINS;
    mcf->api.max_inflight = 2 + below(4);
    mcf->api.rate.off = 1;
    mcf->api.revocation_ttl = SIM_TTL;
    mcf->feed.ttl = SIM_TTL;
    mcf->api.max_leeway = 5;

    if (below(2)) {
        mcf->api.breaker.failures = 5;
        mcf->api.breaker.open = 1000;
        mcf->api.breaker.max = 30000;
    }

    mcf->feed.api = &edge->apis[fed];
    mcf->feed.interval = 1000 * (1 + below(8));
    mcf->feed.limit = (below(2) || api_ntokens > 80) ? 100 : 8 + below(20);
    mcf->feed.connect_timeout = 1000;
    mcf->feed.timeout = 3000;

    mcf->deliver.connect_timeout = 1000;
    mcf->deliver.timeout = 3000;
    mcf->recheck = 5000;
    mcf->locations = SIM_LOCATIONS;

    edge->clcf.client_body_buffer_size = 8192;

    for (i = 0; i < SIM_LOCATIONS; i++) {
        lcf = &edge->lcfs[i];

        lcf->enable = NGX_AGT_ON;
        lcf->max_size = 4096;
        lcf->lifetimes = locations[i].lifetimes;
        lcf->leeway = locations[i].leeway;
        lcf->policy.leeway = locations[i].leeway;
        lcf->rules = (ngx_flag_t) locations[i].rules;
        lcf->policy.rules = locations[i].rules & 1;
        lcf->origin = &edge->origins[locations[i].origin];
        lcf->api_timeout = locations[i].timeout;
        lcf->api_connect_timeout = 1000;
        lcf->location = i;
        lcf->revoke = (i >= SIM_SIGN_OUT);
        lcf->revoke_all = (i > SIM_SIGN_OUT);

        ngx_str_set(&lcf->challenge, "Bearer realm=\"agilicus\"");
    }

    if (fleet) {
        fleet_configure(edge);
    }

    if (master.process->make(edge) != NGX_OK) {
        sim_fail("start: the shared memory cannot be made");
    }
}


/* one thing happens */

static void
schedule_step(void)
{
    ngx_uint_t     what;
    sim_worker_t  *w;

    switch (below(100)) {

    default:            /* a stopped worker goes on */
        w = schedule_stopped();

        if (w) {
            tell("worker %u/%u goes on", (unsigned) w->edge,
                 (unsigned) w->number);
            resume(w);

        } else {
            schedule_network();
        }

        break;

    case 0 ... 17:
        if (schedule_worker(&w)) {
            schedule_request(w);
        }

        break;

    case 18 ... 42:
        schedule_network();
        break;

    case 43 ... 53:
        if (schedule_worker(&w)) {
            tell("worker %u/%u looks for events", (unsigned) w->edge,
                 (unsigned) w->number);

            network_expire(w);

            if (!w->busy && w->started) {
                schedule_simple(w, SIM_TASK_EVENTS, 0, 0);
            }
        }

        break;

    case 54 ... 57:
        w = schedule_any();

        if (w->started && !w->busy && w->woken) {
            tell("worker %u/%u is woken", (unsigned) w->edge,
                 (unsigned) w->number);
            w->woken = 0;
            schedule_simple(w, SIM_TASK_WAKE, 0, 0);
        }

        break;

    case 58 ... 60:
        schedule_visit();
        break;

    case 61:

        /* what is denied while another worker decides is what may be missed */

        if (below(anyone_busy() ? 1 + denying / 2 : 2 * denying) == 0
            && schedule_worker(&w))
        {
            tell("the hook of worker %u/%u is told", (unsigned) w->edge,
                 (unsigned) w->number);
            what = below(2) ? favourite : below(SIM_TOKENS);
            model_denies(w->edge, what);
            schedule_simple(w, SIM_TASK_HOOK, what, below(3));
        }

        break;

    case 62:
        if (schedule_worker(&w)) {
            model_removes(w->edge);
            schedule_simple(w, SIM_TASK_PURGE, below(SIM_TOKENS), below(2));
        }

        break;

    case 63:
        if (schedule_worker(&w)) {
            schedule_simple(w, SIM_TASK_PRESS, below(1000), 0);
        }

        break;

    case 64 ... 73:
        schedule_pass(below(anyone_busy() ? 20 : 300));
        break;

    case 74:
        if (!anyone_busy()) {
            schedule_pass(below(schedule_call() ? 1000 : 6000));

        } else if (below(2)) {
            schedule_pass(below(8000));
        }

        break;

    case 75:
        if (clocks && below(2)) {
            fault(SIM_CLOCK_STEPPED);
            set_by = (set_by && below(2)) ? 0 : (int64_t) below(7201) - 3600;
            schedule_pass(0);
            tell("the wall clock is set to %ld", (long) (now.wall - epoch));
            model_stepped();
        }

        break;

    case 76:
        schedule_tear();
        break;

    case 77:
        w = schedule_any();

        if (w->started && below(6) == 0) {
            tell("worker %u/%u is killed", (unsigned) w->edge,
                 (unsigned) w->number);
            kill_worker(w);
        }

        break;

    case 78:
        w = schedule_any();

        if (w->started && !w->busy && below(6) == 0) {
            tell("worker %u/%u exits", (unsigned) w->edge,
                 (unsigned) w->number);
            fault(SIM_QUIT);
            schedule_quit(w);
        }

        break;

    case 79 ... 81:
        w = schedule_any();

        if (!w->started && !w->busy) {
            tell("worker %u/%u starts", (unsigned) w->edge,
                 (unsigned) w->number);
            schedule_simple(w, SIM_TASK_START, 0, 0);
        }

        break;

    case 82:
        if (below(3) == 0) {
            tell("the API revokes a token");
            api_revoke(below(denying == 1 && below(4) == 0 ? SIM_TOKENS
                                                           : api_ntokens));
        }

        break;

    case 83:
        if (below(8) == 0) {
            api_fail();
        }

        break;

    case 84:
        if (below(16) < suspending) {
            fault(SIM_SUSPENDED);
            schedule_pass(5000 + below(90000));
        }

        break;
    }
}


/* a worker that waits for events; those of the first edge have more to do */

static ngx_uint_t
schedule_worker(sim_worker_t **w)
{
    ngx_uint_t  e, i, n;

    e = (below(4) == 0);
    n = below(SIM_WORKERS);

    for (i = 0; i < SIM_WORKERS; i++) {
        *w = &workers[e][(n + i) % SIM_WORKERS];

        if ((*w)->started && !(*w)->busy) {
            return 1;
        }
    }

    return 0;
}


static sim_worker_t *
schedule_stopped(void)
{
    ngx_uint_t     i, n;
    sim_worker_t  *w;

    n = below(nedges * SIM_WORKERS);

    for (i = 0; i < nedges * SIM_WORKERS; i++, n++) {
        w = &workers[n % nedges][n / nedges % SIM_WORKERS];

        if (w->busy) {
            return w;
        }
    }

    return NULL;
}


static sim_worker_t *
schedule_any(void)
{
    return &workers[below(4) == 0][below(SIM_WORKERS)];
}


void
schedule_simple(sim_worker_t *w, sim_task_e task, ngx_uint_t what,
    ngx_uint_t how)
{
    sim_task_t  t;

    memset(&t, 0, sizeof(sim_task_t));

    t.task = task;
    t.what = what;
    t.how = how;

    start(w, &t);
}


/* clients of a worker that exits go away with it */

void
schedule_quit(sim_worker_t *w)
{
    ngx_uint_t  i;
    sim_task_t  task;

    for (i = 0; i < SIM_REQUESTS && w->started; i++) {

        if (!requests[i].used || requests[i].visit == NULL
            || requests[i].edge != w->edge || requests[i].worker != w->number)
        {
            continue;
        }

        memset(&task, 0, sizeof(sim_task_t));

        task.task = SIM_TASK_LEAVE;
        task.request = &requests[i];

        start(w, &task);

        if (w->busy) {
            return;
        }
    }

    if (w->started) {
        schedule_simple(w, SIM_TASK_QUIT, 0, 0);
        network_forget(w);
    }
}


void
schedule_request(sim_worker_t *w)
{
    ngx_uint_t      i;
    sim_task_t      task;
    sim_request_t  *q;

    for (i = 0; i < SIM_REQUESTS && requests[i].used; i++) {
        /* void */
    }

    if (i == SIM_REQUESTS) {
        return;
    }

    q = &requests[i];

    q->used = 1;
    q->edge = w->edge;
    q->worker = w->number;
    q->token = below(2) ? favourite : below(SIM_TOKENS);
    q->location = below(SIM_SIGN_OUT);
    q->arrived = now.mono;
    q->wall = now.wall;
    q->order = step_number;

    if (below(40 * denying) == 0) {
        q->token = below(SIM_TOKENS);
        q->location = SIM_SIGN_OUT + below(2);
        model_denies(q->edge, q->token);
    }

    tell("request %u at location %u of worker %u/%u with %s", (unsigned) i,
         (unsigned) q->location, (unsigned) w->edge, (unsigned) w->number,
         tokens[q->token].token);

    memset(&task, 0, sizeof(sim_task_t));

    task.task = SIM_TASK_REQUEST;
    task.request = q;

    model_arrives(i);
    start(w, &task);
}


/* a body comes, or a client goes */

static void
schedule_visit(void)
{
    ngx_uint_t      i;
    sim_task_t      task;
    sim_worker_t   *w;
    sim_request_t  *q;

    i = below(SIM_REQUESTS);

    while (i < SIM_REQUESTS
           && (!requests[i].used || requests[i].visit == NULL))
    {
        i++;
    }

    if (i == SIM_REQUESTS) {
        return;
    }

    q = &requests[i];
    w = worker_of_request(q);

    if (w->busy || !w->started) {
        return;
    }

    memset(&task, 0, sizeof(sim_task_t));

    task.request = q;

    if (q->reading && below(4)) {
        tell("the body of request %u comes", (unsigned) i);
        task.task = SIM_TASK_BODY;

    } else if (below(4) == 0) {
        tell("the client of request %u leaves", (unsigned) i);
        fault(SIM_LEFT);
        task.task = SIM_TASK_LEAVE;

    } else {
        return;
    }

    start(w, &task);
}


/* a question arrives, or an answer */

static void
schedule_network(void)
{
    sim_call_t  *call;

    call = schedule_call();

    if (call == NULL) {
        return;
    }

    if (!call->answered) {
        tell("call %u of worker %u/%u arrives at the API",
             (unsigned) (call - calls), (unsigned) call->edge,
             (unsigned) call->worker);
        network_arrive(call);

    } else if (!workers[call->edge][call->worker].busy) {
        tell("call %u of worker %u/%u is answered: error %u, status %u",
             (unsigned) (call - calls), (unsigned) call->edge,
             (unsigned) call->worker, (unsigned) call->result.error,
             (unsigned) call->result.status);
        (void) network_deliver(call);
    }
}


/* any call that is under way; those of the feed are many */

static sim_call_t *
schedule_call(void)
{
    ngx_uint_t   i, n, other;
    sim_call_t  *call, *found;

    n = below(ngx_max(ncalls, 1));
    other = below(3);
    found = NULL;

    for (i = 0; i < ncalls; i++) {
        call = &calls[(n + i) % ncalls];

        if (call->used) {
            found = call;

            if (!other || call->operation != SIM_LIST) {
                break;
            }
        }
    }

    return found;
}


static void
schedule_pass(uint64_t ms)
{
    tell("%lu ms pass", (unsigned long) ms);
    pass(ms);
}


void
pass(uint64_t ms)
{
    now.mono += ms;
    now.wall = epoch + set_by + (int64_t) (now.mono + fraction) / 1000 - 1000;

    model_time();
}


/* the part of a second of the wall clock */

ngx_uint_t
msec_of(uint64_t mono)
{
    return (mono + fraction) % 1000;
}


uint64_t
wall_ms(void)
{
    return (uint64_t) now.wall * 1000 + msec_of(now.mono);
}


/* a process has died in the middle of a change */

static void
schedule_tear(void)
{
    sim_edge_t  *edge;

    if (below(4)) {
        return;
    }

    edge = &edges[below(4) == 0];

    if (*edge->zone.shpool->mutex.lock || *edge->denials.shpool->mutex.lock) {
        return;
    }

    fault(SIM_TORN);

    if (below(2)) {
        edge->zone.sh->changes |= 1;

    } else {
        edge->denials.sh->changes |= 1;
    }
}


/* everything comes to an end: answers, or deadlines */

static void
schedule_end(void)
{
    ngx_uint_t  e, i;
    sim_task_t  task;

    calm = 1;
    api_recover();

    tell("from now on nothing goes wrong");

    for (i = 0; i < 5; i++) {
        schedule_round(1000);
    }

    memset(&task, 0, sizeof(sim_task_t));

    task.task = SIM_TASK_BODY;

    for (i = 0; i < SIM_REQUESTS; i++) {
        if (requests[i].used && requests[i].visit && requests[i].reading) {
            task.request = &requests[i];
            start(worker_of_request(&requests[i]), &task);
        }
    }

    for (i = 0; i < 6; i++) {
        schedule_round(13000);
    }

    model_looks(1);
    model_ends();

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            schedule_quit(&workers[e][i]);
        }
    }
}


static void
schedule_round(uint64_t ms)
{
    ngx_uint_t     e, i, busy;
    sim_worker_t  *w;

    do {
        busy = 0;

        for (e = 0; e < nedges; e++) {
            for (i = 0; i < SIM_WORKERS; i++) {
                if (workers[e][i].busy) {
                    resume(&workers[e][i]);
                    busy = 1;
                }
            }
        }
    } while (busy);

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            w = &workers[e][i];

            if (!w->started) {
                schedule_simple(w, SIM_TASK_START, 0, 0);
            }

            w->woken = 0;
            schedule_simple(w, SIM_TASK_WAKE, 0, 0);
        }
    }

    schedule_answers();
    schedule_pass(ms);

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            network_expire(&workers[e][i]);
            schedule_simple(&workers[e][i], SIM_TASK_EVENTS, 0, 0);
        }
    }
    schedule_answers();
}


/* until there is nothing more to ask */

static void
schedule_answers(void)
{
    ngx_uint_t  k, n, i;

    for (i = 0; i < 64; i++) {
        n = 0;

        for (k = 0; k < ncalls; k++) {

            if (!calls[k].used) {
                continue;
            }

            n++;

            if (!calls[k].answered || calls[k].lost) {
                calls[k].lost = 0;
                network_arrive(&calls[k]);
            }

            (void) network_deliver(&calls[k]);
        }

        if (n == 0) {
            return;
        }
    }
}
