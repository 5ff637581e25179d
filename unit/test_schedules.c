
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Workers that serve at the same time, in every order that comes up: the files
 * that decide run as they are, on one zone, and a worker may be stopped wherever
 * it takes or gives back the mutex.  Beside them a model keeps which tokens may
 * pass:
 *
 *  - no denied token, once its denial was made known, for as long as it lasts;
 *  - no token at or beyond its expiry, and none that was seen there before;
 *  - no token on facts that are older than the location allows, or older than
 *    the facts that were learnt since;
 *  - no token on facts of another token, or of another origin.
 *
 *     test_schedules [SEED [SCHEDULES]]
 */


#include "unit.h"
#include "stubs.h"

#include <openssl/rand.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <dlfcn.h>
#include <sanitizer/common_interface_defs.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"

#include <ngx_http.h>

#include "zone/cache.c"
#include "zone/worker_cache.c"
#include "request/look_up.c"
#include "request/wait.c"
#include "api/introspect.c"
#include "api/answer.c"
#include "api/call.c"
#include "api/call_send.c"
#include "api/call_follow.c"
#include "api/limits.c"
#include "api/seams.c"
#include "request/access.c"

#pragma GCC diagnostic pop


#define SCHEDULES  10000
#define ACTIONS    300

#define WORKERS    3
#define TOKENS     6
#define LOCATIONS  5
#define ORIGINS    3
#define REQUESTS   128
#define OPS        256
#define ANSWERS    512
#define DENIALS    128

/* seconds that a denial lasts if its end is not known */
#define TTL        20

#define STACK      (512 * 1024)

#define ACTIVE     NGX_AGT_CLASS_ACTIVE


typedef enum {
    TASK_REQUEST = 0,
    TASK_ANSWER,
    TASK_EVENTS,
    TASK_WAKE,
    TASK_BODY,
    TASK_ABORT,
    TASK_REVOKE,
    TASK_HOOK,
    TASK_FEED,
    TASK_PURGE,
    TASK_PRESS
} task_e;


/* a process: what is static in it lies here while another one runs */

typedef struct {
    ucontext_t              context;
    void                   *fake;
    u_char                 *stack;

    ngx_agt_call_worker_t   calls;
    ngx_agt_scratch_t       scratch;
    ngx_agt_worker_cache_t  cache;
    ngx_rbtree_t            timers;
    ngx_queue_t             posted;
    ngx_pid_t               pid;
    ngx_uint_t              number;
    ngx_agt_clock_t         now;

    ngx_uint_t              busy;
    ngx_uint_t              woken;
    ngx_uint_t              healthy;  /* the feed, in this task */
    void                             (*wake)(void);

    task_e                             task;
    ngx_uint_t                         what;
    ngx_uint_t                         where;
} worker_t;


typedef struct {
    const char                        *token;
    const char                        *jti;
    const char                        *session;
    const char                        *sub;
    int64_t                            exp;      /* from the start; 0: none */
    int64_t                            iat;      /* from the start; 0: none */
} token_t;


typedef struct {
    ngx_http_request_t  r;
    ngx_connection_t    c;
    ngx_event_t         read;
    struct sockaddr_in  sin;
    ngx_agt_client_t    client;
    ngx_http_cleanup_t  cleanup;
    void               *ctx[2];
    void               *loc_conf[2];
    void               *main_conf[2];
    void               *memory[64];
    ngx_uint_t          nmemory;

    ngx_uint_t          token;
    ngx_uint_t          location;
    ngx_uint_t          worker;
    uint64_t            arrived;
    int64_t             wall;
    ngx_uint_t          order;
    unsigned            used:1;
    unsigned            done:1;
    unsigned            healthy:1;
} request_t;


/* a call that is out */

typedef struct {
    ngx_agt_curl_request_t  request;
    ngx_uint_t              worker;
    ngx_uint_t              token;
    uint64_t                sent;
    unsigned                used:1;
} op_t;


typedef struct {
    ngx_uint_t  token;
    uint32_t    origin;
    uint64_t    sent;
    int64_t                            seen;     /* wall, past its exp */
    ngx_uint_t                         late;     /* when that was */
} answer_t;


/* the last answer about a token, unless it was dropped since */

typedef struct {
    uint64_t                           sent;
    ngx_uint_t                         order;
    uint64_t                           losses;
} newest_t;


typedef struct {
    ngx_agt_denial_kind_e  kind;
    ngx_uint_t             token;
    const char            *value;
    uint64_t               mono;
    int64_t                wall;
    int64_t                before;
    unsigned               over:1;
} denial_t;


typedef struct {
    ngx_uint_t  allowed[NGX_AGT_CACHE_BYPASS + 1];
    ngx_uint_t  refused[NGX_AGT_VERDICT_LAST];
    ngx_uint_t  denials;
    ngx_uint_t  calls;
    ngx_uint_t  switches;
    ngx_uint_t  deaths;
} counts_t;


static void schedule(uint64_t seed);
static void set_up(void);
static void tear_down(void);
static void act(void);
static ngx_uint_t busy(void);
static ngx_uint_t idle_worker(worker_t **w);
static ngx_uint_t waiting_op(worker_t **w, ngx_uint_t *op);
static void start(worker_t *w, task_e task, ngx_uint_t what,
    ngx_uint_t where);
static void drain(void);
static void die(worker_t *w);
static void pass(uint64_t ms);
static void step(int64_t seconds);
static void feed(void);
static void test_answers(void);
static void resume(worker_t *w);
static void yield(ngx_shmtx_t *mtx);
static void let_go(worker_t *w);
static void cache_anew(void);
static void put_away(worker_t *w);
static void take_out(worker_t *w);
static void worker_main(void);
static void run(worker_t *w);
static void run_timers(void);
static void run_posted(void);
static void run_answer(op_t *op, ngx_uint_t how);
static ngx_uint_t entombed(ngx_uint_t token);
static uint64_t losses(void);
static void run_revoke(token_t *t, ngx_uint_t all, ngx_uint_t origin);
static void run_request(request_t *q);
static void run_phases(request_t *q);
static void allowed(request_t *q, ngx_agt_ctx_t *ctx);
static void refused(request_t *q, ngx_agt_ctx_t *ctx);
static void deny(ngx_agt_denial_kind_e kind, ngx_uint_t token,
    const char *value, int64_t until, int64_t before);
static ngx_uint_t covers(const denial_t *d, ngx_uint_t token);
static void wrong(const char *what, request_t *q);
static ngx_uint_t there(ngx_pid_t pid);
static void digest_of(const char *token, u_char *digest);
static request_t *request_of(ngx_http_request_t *r);


static token_t  tokens[TOKENS] = {
    { "token-0", "jti-0", "session-a", "sub-a", 40, -100 },
    { "token-1", "jti-1", "session-a", "sub-b", 0, -100 },
    { "token-2", "", "session-b", "sub-a", 200, -100 },
    { "token-3", "jti-3", "session-b", "sub-b", 90, 0 },
    { "token-4", "jti-4", "", "sub-c", 15, -5 },
    { "token-5", "jti-5", "session-c", "sub-a", 150, 20 }
};

#define UNBOUND  NGX_AGT_CACHE_NO_BOUND

/* active, watched, invalid, update, error, rights; leeway; origin; body */

static const struct {
    ngx_agt_lifetimes_t  lifetimes;
    time_t               leeway;
    ngx_uint_t           origin;
    ngx_uint_t           rules;
} locations[LOCATIONS] = {
    { { 500, 1000, 1000, 2000, 0, UNBOUND }, 0, 0, 0 },
    { { 500, 3000, 500, 0, 6000, UNBOUND }, 0, 0, 0 },
    { { 3000, 6000, 1000, 30000, 5000, 8000 }, 5, 1, 0 },
    { { 2000, 20000, 1000, 0, 0, UNBOUND }, 2, 2, 0 },
    { { 30000, 60000, 1000, 0, 0, UNBOUND }, 0, 0, 1 }
};

static ngx_agt_api_t        api;
static ngx_agt_api_t       *apis[1] = { &api };
static ngx_agt_origin_t     origins[ORIGINS];
static ngx_agt_origin_t    *all_origins[ORIGINS];
static ngx_agt_loc_conf_t   lcfs[LOCATIONS];
static ngx_agt_main_conf_t  mcf;
static ngx_agt_zone_t      *zone;
static ngx_agt_denials_t   *memory;

static worker_t                        workers[WORKERS];
static worker_t                       *current;
static ucontext_t                      scheduler;
static int                           (*change)(ucontext_t *from,
                                           const ucontext_t *to) = swapcontext;

#if defined(__SANITIZE_ADDRESS__)
static const void                     *scheduler_stack;
static size_t                          scheduler_size;
#endif

static ngx_rbtree_node_t               timer_sentinel;

static ngx_http_log_ctx_t              log_ctx;

static request_t                       requests[REQUESTS];
static op_t                            ops[OPS];
static answer_t                        answers[ANSWERS];
static ngx_uint_t                      nanswers;
static newest_t                        newest[ORIGINS][TOKENS];
static uint64_t                        removals;
static denial_t                        denials[DENIALS];
static ngx_uint_t                      ndenials;

static ngx_agt_clock_t      now;        /* as it really is */
static int64_t                         epoch;
static ngx_pid_t                       last_pid;
static uint64_t                        seed;
static ngx_uint_t                      stopping;   /* of 256 */
static ngx_uint_t                      draining;
static ngx_uint_t                      failures;
static ngx_uint_t                      order;      /* of what happens */
static counts_t                        counts;

/* what nginx has */

ngx_module_t           ngx_agilicus_token_module = { .ctx_index = 0 };
ngx_module_t           ngx_http_core_module = { .ctx_index = 1 };
ngx_rbtree_t           ngx_event_timer_rbtree;
ngx_queue_t            ngx_posted_events;
ngx_uint_t             ngx_worker;


int
main(int argc, char **argv)
{
#if defined(__SANITIZE_ADDRESS__)
    void       *libc;
#endif
    ngx_uint_t  i, n;
    uint64_t    first;

    first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    n = argc > 2 ? strtoull(argv[2], NULL, 10) : SCHEDULES;

#if defined(__SANITIZE_ADDRESS__)

    /*
     * The sanitizer's own function maps memory anew for each stack that is
     * switched to; it is told of them here, and libc's is enough.
     */

    libc = dlopen("libc.so.6", RTLD_LAZY|RTLD_NOLOAD);

    if (libc) {
        *(void **) &change = dlsym(libc, "swapcontext");
    }

    if (libc == NULL || change == NULL) {
        return 1;
    }

#endif

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    unit_test("no schedule lets a token pass that must not");

    printf("# seed %lu, %lu schedules\n", (unsigned long) first,
           (unsigned long) n);

    set_up();

    for (i = 0; i < n && failures < 5; i++) {
        schedule(first + i);
    }

    tear_down();

    unit_check(failures == 0);

    printf("# allowed: %lu hits, %lu misses, %lu joined, %lu while updating, "
           "%lu stale, %lu without a cache\n",
           (unsigned long) counts.allowed[NGX_AGT_CACHE_HIT],
           (unsigned long) counts.allowed[NGX_AGT_CACHE_MISS],
           (unsigned long) counts.allowed[NGX_AGT_CACHE_JOINED],
           (unsigned long) counts.allowed[NGX_AGT_CACHE_UPDATING],
           (unsigned long) counts.allowed[NGX_AGT_CACHE_STALE],
           (unsigned long) counts.allowed[NGX_AGT_CACHE_BYPASS]);

    printf("# refused: %lu revoked, %lu expired, %lu invalid, "
           "%lu unavailable\n",
           (unsigned long) counts.refused[NGX_AGT_VERDICT_REVOKED],
           (unsigned long) counts.refused[NGX_AGT_VERDICT_EXPIRED],
           (unsigned long) counts.refused[NGX_AGT_VERDICT_INVALID],
           (unsigned long)
               counts.refused[NGX_AGT_VERDICT_UNAVAILABLE]);

    printf("# %lu calls, %lu denials, %lu switches, %lu deaths\n",
           (unsigned long) counts.calls, (unsigned long) counts.denials,
           (unsigned long) counts.switches, (unsigned long) counts.deaths);

    test_answers();

    unit_test("and all that can happen did");

    if (n >= 1000) {
        for (i = NGX_AGT_CACHE_HIT; i <= NGX_AGT_CACHE_BYPASS; i++)
        {
            unit_check(counts.allowed[i] > n / 100);
        }

        unit_check(counts.refused[NGX_AGT_VERDICT_REVOKED] > n);
        unit_check(counts.refused[NGX_AGT_VERDICT_EXPIRED] > n / 10);
        unit_check(counts.refused[NGX_AGT_VERDICT_INVALID] > n / 10);
        unit_check(counts.refused[NGX_AGT_VERDICT_UNAVAILABLE] > n / 10);
        unit_check(counts.denials > n && counts.deaths > n / 10);
    }

    return unit_done();
}


static void
schedule(uint64_t number)
{
    u_char      digest[NGX_AGT_DIGEST_LEN];
    ngx_uint_t  i;

    seed = number;
    stub_seed(number * 2654435761u);

    zone = stub_zone(96 * 1024);
    memory = stub_denials(96 * 1024);

    epoch = 1700000000;
    now.mono = 1000000;
    now.wall = epoch;

    mcf.api.first = zone;
    mcf.api.denials = memory;
    api.state = 0;

    for (i = 0; i < ORIGINS; i++) {
        memset(digest, (int) i + 1, sizeof(digest));

        all_origins[i] = &origins[i];
        origins[i].api = &api;
        origins[i].zone = (i == 2) ? NULL : zone;
        memcpy(origins[i].calls, digest, sizeof(digest));
        origins[i].number = (i == 2) ? 0 : ngx_agt_zone_origin(zone, digest);
    }

    /* now and then it is another API that the feed speaks of */

    memcpy(memory->sh->feed.api, api.digest, NGX_AGT_DIGEST_LEN);
    memory->sh->feed.api[31] ^= (seed % 4 == 3);

    for (i = 0; i < WORKERS; i++) {
        workers[i].pid = ++last_pid;
        workers[i].woken = 0;
    }

    memset(requests, 0, sizeof(requests));
    memset(ops, 0, sizeof(ops));
    memset(newest, 0, sizeof(newest));

    nanswers = 0;
    ndenials = 0;

    /* now and then a worker is rarely stopped, or nearly always */

    stopping = stub_below(3) * 100 + 20;

    stub_locking = yield;
    stub_unlocked = yield;

    feed();

    for (i = 0; i < ACTIONS && failures < 5; i++) {
        act();
    }

    drain();

    stub_locking = NULL;
    stub_unlocked = NULL;

    /* with room for all: else the model would have to forget as well */

    unit_check(memory->set->lost == 0);
    unit_check(stub_table_sane(zone->facts));
    unit_check(stub_table_sane(zone->invalid));

    stub_zone_free(zone);
    stub_denials_free(memory);
}


static void
set_up(void)
{
    ngx_uint_t  i;
    worker_t   *w;

    memset(api.digest, 0x41, sizeof(api.digest));
    ngx_str_set(&api.url, "https://api.example");
    ngx_str_set(&api.introspect, "https://api.example/v1/tokens/introspect");

    mcf.api.apis = apis;
    mcf.api.napis = 1;
    mcf.api.origins = all_origins;
    mcf.feed.api = &api;
    mcf.api.norigins = ORIGINS;
    mcf.api.max_inflight = 4;
    mcf.api.rate.off = 1;
    mcf.api.revocation_ttl = TTL;
    mcf.api.max_leeway = 5;
    mcf.api.cycle = 1;

    zone = stub_zone(96 * 1024);
    memory = stub_denials(96 * 1024);
    mcf.api.first = zone;
    mcf.api.denials = memory;

    for (i = 0; i < LOCATIONS; i++) {
        lcfs[i].enable = NGX_AGT_ON;
        lcfs[i].lifetimes = locations[i].lifetimes;
        lcfs[i].leeway = locations[i].leeway;
        lcfs[i].policy.leeway = locations[i].leeway;
        lcfs[i].rules = (ngx_flag_t) locations[i].rules;
        lcfs[i].policy.rules = locations[i].rules & 1;
        lcfs[i].origin = &origins[locations[i].origin];
        lcfs[i].api_timeout = 3000;
        lcfs[i].api_connect_timeout = 1000;
    }

    stub_there = there;
    stub_log.data = &log_ctx;

    for (i = 0; i < WORKERS; i++) {
        w = &workers[i];
        w->number = i;
        w->pid = ++last_pid;

        ngx_rbtree_init(&w->timers, &timer_sentinel,
                        ngx_rbtree_insert_timer_value);

        w->stack = malloc(STACK);

        if (w->stack == NULL || getcontext(&w->context) == -1) {
            abort();
        }

        w->context.uc_stack.ss_sp = w->stack;
        w->context.uc_stack.ss_size = STACK;
        w->context.uc_link = NULL;

        makecontext(&w->context, worker_main, 0);

        current = w;
        ngx_worker = i;
        ngx_queue_init(&ngx_posted_events);

        if (ngx_agt_call_init(&mcf.api, &stub_log) != NGX_OK) {
            abort();
        }

        w->calls = ngx_agt_worker;
        w->posted = ngx_posted_events;

        ngx_memzero(&ngx_agt_worker_cache, sizeof(ngx_agt_worker_cache_t));
        cache_anew();
        w->cache = ngx_agt_worker_cache;
    }

    stub_zone_free(zone);
    stub_denials_free(memory);
}


static void
tear_down(void)
{
    ngx_uint_t  i;

    zone = stub_zone(96 * 1024);
    memory = stub_denials(96 * 1024);
    mcf.api.first = zone;
    mcf.api.denials = memory;

    for (i = 0; i < WORKERS; i++) {
        take_out(&workers[i]);
        ngx_agt_call_exit();
        free(workers[i].stack);
    }

    stub_zone_free(zone);
    stub_denials_free(memory);
}


/* one thing happens */

static void
act(void)
{
    worker_t    *w;
    ngx_uint_t   i, op;

    order++;

    switch (stub_below(100)) {

    default:            /* a stopped worker goes on */
        w = &workers[stub_below(WORKERS)];

        if (w->busy) {
            resume(w);
        }

        break;

    case 0 ... 19:
        if (idle_worker(&w)) {
            start(w, TASK_REQUEST,
                  stub_below(2) ? seed % TOKENS : stub_below(TOKENS),
                  stub_below(LOCATIONS));
        }

        break;

    case 20 ... 35:
        if (waiting_op(&w, &op)) {
            start(w, TASK_ANSWER, op, stub_below(100));
        }

        break;

    case 36 ... 45:
        if (idle_worker(&w)) {
            start(w, TASK_EVENTS, 0, 0);
        }

        break;

    case 46 ... 49:
        for (i = 0; i < WORKERS; i++) {
            w = &workers[i];

            if (w->woken && !w->busy) {
                w->woken = 0;
                start(w, TASK_WAKE, 0, 0);
                break;
            }
        }

        break;

    case 50 ... 52:
        i = stub_below(REQUESTS);
        w = &workers[requests[i].worker];

        if (requests[i].used && !requests[i].done && !w->busy) {
            start(w, stub_below(4) ? TASK_BODY : TASK_ABORT, i, 0);
        }

        break;

    case 53 ... 54:
        if (ndenials < DENIALS - 8 && stub_below(seed % 4 + 1) == 0
            && idle_worker(&w))
        {
            start(w, TASK_REVOKE + (task_e) stub_below(3),
                  stub_below(TOKENS), stub_below(4));
        }

        break;

    case 58:
        if (idle_worker(&w)) {
            start(w, TASK_PURGE, stub_below(TOKENS), stub_below(2));
        }

        break;

    case 59 ... 60:
        if (idle_worker(&w)) {
            start(w, TASK_PRESS, stub_below(1000), 0);
        }

        break;

    case 61 ... 70:
        pass(stub_below(busy() ? 20 : 300));
        break;

    case 71:
        if (!busy()) {
            pass(stub_below(waiting_op(&w, &op) ? 1000 : 6000));
        }

        break;

    case 72:
        if (stub_below(4) == 0) {
            step((int64_t) stub_below(7201) - 3600);
        }

        break;

    case 73:
        feed();
        break;

    case 74:
        if (stub_below(4) == 0) {

            /* a process died in the middle of a change */

            if (stub_below(2)) {
                zone->sh->changes |= 1;

            } else {
                memory->sh->changes |= 1;
            }
        }

        break;

    case 75:
        w = &workers[stub_below(WORKERS)];

        if (!w->busy && stub_below(3) == 0) {
            die(w);
        }

        break;
    }
}


/* the result of a request when its call has ended */

static void
test_answers(void)
{
    u_char                   buf[1024];
    ngx_str_t                value;
    ngx_uint_t               i, stale;
    request_t                q;
    ngx_agt_ctx_t            ctx;
    ngx_agt_facts_t          facts;
    ngx_agt_answer_t         answer;
    ngx_agt_feed_state_t    *f;
    ngx_agt_facts_builder_t  b;

    static const struct {
        ngx_agt_class_e  class;
        unsigned         transient;
        uint64_t         until;     /* from now; 0: not at all */
        ngx_uint_t       feed;      /* 1: healthy, 2: dead */
        ngx_uint_t       denied;
        ngx_uint_t       stale;
    } rows[] = {
        { NGX_AGT_CLASS_INDETERMINATE, 1, 1, 0, 0, 1 },
        { NGX_AGT_CLASS_INDETERMINATE, 1, 900, 1, 0, 1 },
        { NGX_AGT_CLASS_SHED, 1, 900, 0, 0, 1 },
        { NGX_AGT_CLASS_INDETERMINATE, 1, 0, 0, 0, 0 },
        { NGX_AGT_CLASS_INDETERMINATE, 1, 900, 2, 0, 0 },
        { NGX_AGT_CLASS_INDETERMINATE, 1, 900, 0, 1, 0 },
        { NGX_AGT_CLASS_INDETERMINATE, 0, 900, 0, 0, 0 },
        { NGX_AGT_CLASS_SHED, 0, 900, 0, 0, 0 },
        { NGX_AGT_CLASS_REFUSED, 0, 900, 0, 0, 0 },
        { NGX_AGT_CLASS_INVALID, 0, 900, 0, 0, 0 },
        { NGX_AGT_CLASS_REVOKED, 0, 900, 0, 0, 0 }
    };

    unit_test("facts of before serve only where the API has nothing to say");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        zone = stub_zone(96 * 1024);
        memory = stub_denials(96 * 1024);
        mcf.api.first = zone;
        mcf.api.denials = memory;
        stub_clock(1000000, epoch);

        memset(&q, 0, sizeof(q));
        memset(&ctx, 0, sizeof(ctx));
        memset(&facts, 0, sizeof(facts));
        memset(&answer, 0, sizeof(answer));

        q.main_conf[0] = &mcf;
        q.r.main_conf = q.main_conf;

        ctx.request = &q.r;
        ctx.api = &api;
        ctx.stale_until = rows[i].until ? 1000000 + rows[i].until : 0;

        ngx_str_set(&facts.sub, "sub-a");
        ngx_agt_facts_begin(&b, buf, sizeof(buf), &facts);
        unit_check(ngx_agt_facts_open(&ctx.facts, buf, ngx_agt_facts_end(&b))
                   == NGX_OK);
        ctx.has_facts = 1;

        f = &memory->sh->feed;
        memcpy(f->api, api.digest, NGX_AGT_DIGEST_LEN);
        f->interval = rows[i].feed ? 1000 : 0;
        f->watermark = (rows[i].feed == 1) ? 1000000 : 1000;

        if (rows[i].denied) {
            ngx_str_set(&value, "sub-a");
            unit_check(stub_deny(memory, api.digest,
                                 NGX_AGT_DENIAL_SUBJECT,
                                 &value, epoch + TTL, epoch,
                                     &(ngx_agt_clock_t)
                                         { .mono = 1000000, .wall = epoch })
                       == NGX_OK);
        }

        answer.class = rows[i].class;
        answer.transient = rows[i].transient & 1;

        ngx_agt_look_up_take(&ctx, &answer);

        stale = (ctx.class == ACTIVE && ctx.has_facts
                 && ctx.cache == NGX_AGT_CACHE_STALE);

        unit_check(stale == rows[i].stale);

        if (!stale) {
            unit_check(ctx.class == (rows[i].denied
                                     ? NGX_AGT_CLASS_REVOKED
                                     : rows[i].class));
            unit_check(!ctx.has_facts || rows[i].denied);
        }

        stub_zone_free(zone);
        stub_denials_free(memory);
    }
}


/* a stopped worker is stopped for a moment, not for seconds */

static ngx_uint_t
busy(void)
{
    ngx_uint_t  i;

    for (i = 0; i < WORKERS; i++) {
        if (workers[i].busy) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
idle_worker(worker_t **w)
{
    ngx_uint_t  i, n;

    n = stub_below(WORKERS);

    for (i = 0; i < WORKERS; i++) {
        *w = &workers[(n + i) % WORKERS];

        if (!(*w)->busy) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
waiting_op(worker_t **w, ngx_uint_t *op)
{
    ngx_uint_t  i, n;

    n = stub_below(OPS);

    for (i = 0; i < OPS; i++) {
        *op = (n + i) % OPS;
        *w = &workers[ops[*op].worker];

        if (ops[*op].used && !(*w)->busy) {
            return 1;
        }
    }

    return 0;
}


static void
start(worker_t *w, task_e task, ngx_uint_t what, ngx_uint_t where)
{
    w->task = task;
    w->what = what;
    w->where = where;
    w->busy = 1;
    w->healthy = 0;

    /* nginx reads the clocks once for all that it does after a wait */

    w->now = now;

    resume(w);
}


/* everything comes to an end: answers, or deadlines */

static void
drain(void)
{
    size_t      bytes, held;
    ngx_uint_t  i, j;

    draining = 1;

    for (i = 0; i < WORKERS; i++) {
        while (workers[i].busy) {
            resume(&workers[i]);
        }
    }

    for (j = 0; j < 4; j++) {

        for (i = 0; i < OPS; i++) {
            if (ops[i].used) {
                start(&workers[ops[i].worker], TASK_ANSWER, i,
                      stub_below(100));
            }
        }

        for (i = 0; i < WORKERS; i++) {
            start(&workers[i], TASK_WAKE, 0, 0);
            start(&workers[i], TASK_EVENTS, 0, 0);
        }

        pass(5000);

        for (i = 0; i < WORKERS; i++) {
            start(&workers[i], TASK_EVENTS, 0, 0);
        }
    }

    for (i = 0; i < REQUESTS; i++) {
        if (requests[i].used && !requests[i].done) {
            start(&workers[requests[i].worker], TASK_ABORT, i, 0);
        }
    }

    for (i = 0; i < WORKERS; i++) {
        take_out(&workers[i]);
        let_go(&workers[i]);
        unit_check(ngx_agt_worker_cache_sane(&bytes, &held) && held == 0);
        cache_anew();
        put_away(&workers[i]);
    }

    for (i = 0; i < REQUESTS; i++) {
        if (requests[i].used) {

            for (j = 0; j < requests[i].nmemory; j++) {
                free(requests[i].memory[j]);
            }
        }
    }

    /* nothing is left of it that another schedule could meet with */

    for (i = 0; i < WORKERS; i++) {
        for (j = 0; j < NGX_AGT_LIMITS_KINDS; j++) {
            unit_check(workers[i].calls.places.waiting[j] == 0);
            unit_check(workers[i].calls.places.calls[j] == 0);
        }

        unit_check(workers[i].calls.calls.root == &ngx_agt_worker .sentinel);

        take_out(&workers[i]);

        if (ngx_agt_worker.poll.timer_set) {
            ngx_del_timer(&ngx_agt_worker.poll);
        }

        unit_check(ngx_event_timer_rbtree.root == &timer_sentinel);
        unit_check(ngx_queue_empty(&ngx_posted_events));

        free(ngx_agt_scratch.data);
        ngx_agt_scratch.data = NULL;
        ngx_agt_scratch.size = 0;

        put_away(&workers[i]);
    }

    draining = 0;
}


/* a worker is killed between two events; another one takes its place */

static void
die(worker_t *w)
{
    size_t       len;
    u_char      *flights;
    ngx_uint_t   i;

    counts.deaths++;

    len = zone->sh->flights * sizeof(ngx_agt_flight_mark_t);
    flights = malloc(len);
    memcpy(flights, zone->flights, len);

    stub_locking = NULL;
    stub_unlocked = NULL;

    take_out(w);

    for (i = 0; i < REQUESTS; i++) {
        if (requests[i].used && !requests[i].done
            && requests[i].worker == w->number)
        {
            requests[i].done = 1;

            if (requests[i].cleanup.handler) {
                requests[i].cleanup.handler(requests[i].cleanup.data);
            }
        }
    }

    for (i = 0; i < OPS; i++) {
        if (ops[i].worker == w->number) {
            ops[i].used = 0;
        }
    }

    for (i = 0; i < REQUESTS; i++) {
        if (requests[i].worker == w->number) {
            requests[i].client.held = NULL;
        }
    }

    cache_anew();
    ngx_agt_call_exit();

    /* what it would have done in the zone it did not do */

    memcpy(zone->flights, flights, len);
    free(flights);

    if (ngx_agt_call_init(&mcf.api, &stub_log) != NGX_OK) {
        abort();
    }

    put_away(w);

    w->pid = ++last_pid;
    w->woken = 0;

    stub_locking = yield;
    stub_unlocked = yield;
}


static void
pass(uint64_t ms)
{
    ngx_uint_t  i;

    now.mono += ms;
    now.wall += (int64_t) (ms / 1000) + (stub_below(1000) < ms % 1000);

    for (i = 0; i < ndenials; i++) {
        if (now.mono >= denials[i].mono && now.wall >= denials[i].wall) {
            denials[i].over = 1;
        }
    }
}


static void
step(int64_t seconds)
{
    now.wall += seconds;
    pass(0);
}


/* the feed gets well, late or incomplete */

static void
feed(void)
{
    ngx_agt_feed_state_t  *f;

    f = &memory->sh->feed;

    switch (stub_below(6)) {

    case 0:
        f->interval = 0;
        break;

    case 1:
        f->interval = 1000;
        f->watermark = 0;
        break;

    case 2:
        f->interval = 1000;
        f->truncated = 1;
        break;

    default:
        f->interval = 10000;
        f->truncated = 0;
        f->watermark = now.mono;
        break;
    }
}


static void
resume(worker_t *w)
{
#if defined(__SANITIZE_ADDRESS__)
    void  *fake;
#endif

    counts.switches++;

    w->healthy |= (seed % 4 != 3
                   && ngx_agt_denials_feed(memory, api.digest, w->now.mono)
                   == NGX_AGT_FEED_HEALTHY);

    current = w;
    take_out(w);

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake, w->stack, STACK);
#endif

    (void) change(&scheduler, &w->context);

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif

    put_away(w);
    current = NULL;
}


/* where a worker may be stopped */

static void
yield(ngx_shmtx_t *mtx)
{
    worker_t  *w = current;

    if (draining || w == NULL || stub_below(256) >= stopping) {
        return;
    }

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&w->fake, scheduler_stack, scheduler_size);
#endif

    (void) change(&w->context, &scheduler);

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(w->fake, &scheduler_stack,
                                    &scheduler_size);
#endif
}


static void
worker_main(void)
{
    worker_t  *w;

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_size);
#endif

    for ( ;; ) {
        w = current;

        /* as nginx does: events, timers that are over, posted events */

        run(w);
        run_timers();
        run_posted();
        let_go(w);

        w->busy = 0;

#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_start_switch_fiber(&w->fake, scheduler_stack,
                                       scheduler_size);
#endif

        (void) change(&w->context, &scheduler);

#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_finish_switch_fiber(w->fake, &scheduler_stack,
                                        &scheduler_size);
#endif
    }
}


/* lists have their heads where they always are, so bytes can be moved */

/* requests that have ended read nothing any more */

static void
let_go(worker_t *w)
{
    ngx_uint_t       i;
    ngx_agt_held_t  *held;

    for (i = 0; i < REQUESTS; i++) {

        if (!requests[i].used || !requests[i].done
            || requests[i].worker != w->number)
        {
            continue;
        }

        for (held = requests[i].client.held; held; held = held->next) {
            ngx_agt_worker_cache_release(held->entry);
        }

        requests[i].client.held = NULL;
    }
}


static void
cache_anew(void)
{
    ngx_agt_worker_cache_exit();

    if (ngx_agt_worker_cache_init(NGX_AGT_WORKER_CACHE_MIN) != NGX_OK)
    {
        abort();
    }
}


static void
put_away(worker_t *w)
{
    w->calls = ngx_agt_worker;
    w->scratch = ngx_agt_scratch;
    w->cache = ngx_agt_worker_cache;
    w->timers = ngx_event_timer_rbtree;
    w->posted = ngx_posted_events;
}


static void
take_out(worker_t *w)
{
    ngx_agt_worker = w->calls;
    ngx_agt_scratch = w->scratch;
    ngx_agt_worker_cache = w->cache;
    ngx_event_timer_rbtree = w->timers;
    ngx_posted_events = w->posted;

    ngx_pid = w->pid;
    ngx_worker = w->number;

    stub_clock(w->now.mono, w->now.wall);
}


static void
run(worker_t *w)
{
    u_char               key[32];
    ngx_str_t            facts, none = ngx_null_string;
    ngx_uint_t           i;
    request_t           *q;
    ngx_agt_cache_key_t  k;

    switch (w->task) {

    case TASK_REQUEST:

        for (i = 0; i < REQUESTS; i++) {
            if (!requests[i].used) {
                requests[i].token = w->what;
                requests[i].location = w->where;
                requests[i].worker = w->number;
                run_request(&requests[i]);
                break;
            }
        }

        break;

    case TASK_ANSWER:
        run_answer(&ops[w->what], w->where);
        break;

    case TASK_EVENTS:
        break;

    case TASK_WAKE:
        w->wake();
        break;

    case TASK_BODY:
        q = &requests[w->what];

        if (((ngx_agt_ctx_t *) q->ctx[0])->life == NGX_AGT_LIFE_READING)
        {
            ((ngx_agt_ctx_t *) q->ctx[0])->life = NGX_AGT_LIFE_READ;
            run_phases(q);
        }

        break;

    case TASK_ABORT:
        q = &requests[w->what];
        q->done = 1;

        if (q->cleanup.handler) {
            q->cleanup.handler(q->cleanup.data);
        }

        break;

    case TASK_REVOKE:
        run_revoke(&tokens[w->what], w->where == 0, stub_below(ORIGINS));
        break;

    case TASK_HOOK:
        i = w->what;

        switch (w->where) {

        case 0:
            if (tokens[i].session[0]) {
                deny(NGX_AGT_DENIAL_SESSION, i,
                     tokens[i].session, w->now.wall + TTL, w->now.wall);
            }

            break;

        case 1:
            deny(NGX_AGT_DENIAL_SUBJECT, i, tokens[i].sub,
                 w->now.wall + TTL, w->now.wall);
            break;

        default:
            if (tokens[i].jti[0]) {
                deny(NGX_AGT_DENIAL_JTI, i, tokens[i].jti,
                     w->now.wall + TTL, w->now.wall);
            }

            break;
        }

        break;

    case TASK_FEED:
        i = w->what;

        /* as feed has it: until exp, or for as long as is configured */

        if (tokens[i].jti[0]
            && (tokens[i].exp == 0
                || epoch + tokens[i].exp + 6 > w->now.wall))
        {
            deny(NGX_AGT_DENIAL_JTI, i, tokens[i].jti,
                 tokens[i].exp ? epoch + tokens[i].exp + 6
                               : w->now.wall + TTL, 0);
        }

        break;

    case TASK_PURGE:
        removals++;
        digest_of(tokens[w->what].token, key);
        k.key = key;
        k.origin = origins[w->where].number;
        ngx_agt_cache_remove(zone, &k);
        break;

    case TASK_PRESS:

        /* enough to push out entries that are not used all the time */

        facts.data = (u_char *) workers;
        facts.len = 3000;

        for (i = 0; i < 8; i++) {
            memset(key, (int) (w->what + i), sizeof(key));
            memcpy(key, &w->what, sizeof(ngx_uint_t));
            memcpy(key + 8, &i, sizeof(ngx_uint_t));
            k.key = key;
            k.origin = 99;
            (void) ngx_agt_cache_store(zone, &k,
                              i % 3 ? ACTIVE : NGX_AGT_CLASS_INVALID,
                              NGX_AGT_REASON_NONE,
                              i % 3 ? &facts : &none, &none, w->now.mono,
                              w->now.mono, 0);
        }

        break;
    }
}


static void
run_timers(void)
{
    ngx_event_t        *ev;
    ngx_rbtree_node_t  *node;

    for ( ;; ) {

        if (ngx_event_timer_rbtree.root == ngx_event_timer_rbtree.sentinel) {
            break;
        }

        node = ngx_rbtree_min(ngx_event_timer_rbtree.root,
                              ngx_event_timer_rbtree.sentinel);

        if ((ngx_msec_int_t) (node->key - ngx_current_msec) > 0) {
            break;
        }

        ev = ngx_rbtree_data(node, ngx_event_t, timer);

        ngx_rbtree_delete(&ngx_event_timer_rbtree, &ev->timer);

        ev->timer_set = 0;
        ev->timedout = 1;
        ev->handler(ev);
    }
}


static void
run_posted(void)
{
    ngx_queue_t  *q;
    ngx_event_t  *ev;

    while (!ngx_queue_empty(&ngx_posted_events)) {
        q = ngx_queue_head(&ngx_posted_events);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ngx_delete_posted_event(ev);
        ev->handler(ev);
    }
}


/* the API answers, truly or not; an answer sent before may come later */

static void
run_answer(op_t *op, ngx_uint_t how)
{
    char                   body[32];
    u_char                 digest[32];
    answer_t              *a;
    uint64_t               before, sent;
    ngx_uint_t             token;
    ngx_agt_curl_result_t  result;
    const ngx_agt_origin_t *origin;

    memset(&result, 0, sizeof(result));

    result.retry_after = -1;
    result.attempts = 1;
    result.message = "";
    result.status = 200;
    result.whole = 1;

    token = op->token;
    op->used = 0;

    before = losses();
    sent = op->sent;
    origin = ((ngx_agt_call_t *) op->request.data)->origin;

    if (ngx_current_msec - op->sent >= op->request.timeout) {

        /* libcurl has given up */

        result.error = NGX_AGT_CURL_TIMEOUT;

    } else if (how < 65 && nanswers < ANSWERS) {
        a = &answers[nanswers++];

        memset(a, 0, sizeof(answer_t));
        a->token = token;
        a->origin = origin->number;
        a->sent = op->sent;

        result.body.data = (u_char *) body;
        result.body.len = (size_t) snprintf(body, sizeof(body), "%u %u",
                                            (unsigned) (a - answers),
                                            (unsigned) token);

    } else if (how < 68) {
        result.status = 410;

    } else if (how < 74) {
        result.status = 404;

    } else if (how < 86) {
        result.status = 503;

    } else if (how < 91) {
        result.error = NGX_AGT_CURL_BROKEN;

    } else {
        result.error = NGX_AGT_CURL_TIMEOUT;
    }

    op->request.handler(op->request.data, &result);

    if (result.error == NGX_AGT_CURL_OK
        && (result.status == 200 || result.status == 404)
        && newest[origin - origins][token].sent <= sent)
    {
        newest[origin - origins][token].sent = sent;
        newest[origin - origins][token].order = order;
        newest[origin - origins][token].losses = before;
    }

    if (result.status == 410) {

        /* a revoked token must not pass for as long as the 410 holds */

        digest_of(tokens[token].token, digest);

        if (ndenials < DENIALS) {
            denials[ndenials].kind = NGX_AGT_DENIAL_TOKEN;
            denials[ndenials].token = token;
            denials[ndenials].value = NULL;
            denials[ndenials].wall = ngx_time() + TTL;

            if (!entombed(token)) {

                /* never active, as far as is known: for as long as "invalid" */

                denials[ndenials].wall = ngx_time() + 1;

            } else if (tokens[token].exp) {
                denials[ndenials].wall =
                    ngx_min(denials[ndenials].wall,
                            epoch + tokens[token].exp + 6);
            }

            denials[ndenials].mono = ngx_current_msec
                + (uint64_t) ngx_max(denials[ndenials].wall - ngx_time(), 0)
                  * 1000;
            denials[ndenials].over = 0;
            ndenials++;
        }
    }
}


/* whether a token is denied by itself, and not as one that is unknown */

static ngx_uint_t
entombed(ngx_uint_t token)
{
    u_char           digest[NGX_AGT_DIGEST_LEN];
    u_char           key[NGX_AGT_DIGEST_LEN];
    ngx_str_t        value;
    ngx_agt_clock_t  clock;

    digest_of(tokens[token].token, digest);

    value.data = digest;
    value.len = sizeof(digest);

    clock.mono = ngx_current_msec;
    clock.wall = ngx_time();

    return ngx_agt_denials_key(key, api.digest,
                               NGX_AGT_DENIAL_TOKEN,
                               &value)
           == NGX_OK
           && ngx_agt_denial_set_find(memory->set, key, &clock)
              != NULL;
}


/* how often something may have been let go of */

static uint64_t
losses(void)
{
    return zone->facts->evictions + zone->invalid->evictions
           + zone->sh->counts[NGX_AGT_COUNT_RECOVERED]
           + zone->sh->counts[NGX_AGT_COUNT_NOT_STORED]
           + memory->sh->generation + removals;
}


/* what the revoking handler does before it answers */

static void
run_revoke(token_t *t, ngx_uint_t all, ngx_uint_t origin)
{
    u_char               digest[32];
    int64_t              until, ttl, wall;
    ngx_uint_t           known, n;
    ngx_agt_facts_t      facts;
    ngx_agt_found_t      found;
    ngx_agt_cache_key_t  key;

    removals++;

    n = (ngx_uint_t) (t - tokens);
    wall = ngx_time();
    ttl = wall + TTL;
    until = ttl;
    known = 0;

    digest_of(t->token, digest);

    key.key = digest;
    key.origin = origins[origin].number;

    if (origins[origin].zone
        && ngx_agt_cache_find(zone, &key, 0, &found) == NGX_OK
        && found.class == ACTIVE
        && ngx_agt_facts_open(&facts, found.facts.data, found.facts.len)
           == NGX_OK)
    {
        known = 1;

        if (facts.has_exp) {
            until = facts.exp + 6;
        }
    }

    deny(NGX_AGT_DENIAL_TOKEN, n, (char *) digest, until, 0);

    if (known && t->jti[0]) {
        deny(NGX_AGT_DENIAL_JTI, n, t->jti, until, 0);
    }

    if (known && all && t->session[0]) {
        deny(NGX_AGT_DENIAL_SESSION, n, t->session, ttl, 0);
    }

    if (known && all) {
        deny(NGX_AGT_DENIAL_SUBJECT, n, t->sub, ttl, wall);
    }

    if (origins[origin].zone) {
        ngx_agt_cache_remove(zone, &key);
    }
}


static void
run_request(request_t *q)
{
    memset(q->ctx, 0, sizeof(q->ctx));

    q->used = 1;
    q->arrived = ngx_current_msec;
    q->wall = ngx_time();
    q->order = order;

    q->loc_conf[0] = &lcfs[q->location];
    q->main_conf[0] = &mcf;

    q->sin.sin_family = AF_INET;
    q->c.sockaddr = (struct sockaddr *) &q->sin;
    q->c.log = &stub_log;
    q->c.read = &q->read;

    q->r.signature = NGX_HTTP_MODULE;
    q->r.connection = &q->c;
    q->r.main = &q->r;
    q->r.pool = (ngx_pool_t *) q;
    q->r.ctx = q->ctx;
    q->r.loc_conf = q->loc_conf;
    q->r.main_conf = q->main_conf;
    q->r.method = NGX_HTTP_GET;

    run_phases(q);
}


static void
run_phases(request_t *q)
{
    ngx_int_t       rc;
    ngx_agt_ctx_t  *ctx;

    if (q->done) {
        return;
    }

    q->healthy |= (current->healthy != 0);

    rc = ngx_agt_access_check(&q->r, &lcfs[q->location], &ctx);

    q->healthy |= (current->healthy != 0);

    if (rc == NGX_AGAIN) {
        return;
    }

    q->done = 1;

    if (rc == NGX_OK) {
        allowed(q, ctx);

    } else {
        refused(q, ctx);
    }
}


/* may it pass? */

static void
allowed(request_t *q, ngx_agt_ctx_t *ctx)
{
    uint64_t                    age, limit;
    answer_t                   *a;
    newest_t                   *n;
    ngx_uint_t                  i;
    const ngx_agt_lifetimes_t  *l;

    counts.allowed[ctx->cache]++;

    for (i = 0; i < ndenials; i++) {
        if (!denials[i].over && covers(&denials[i], q->token)) {
            wrong("it was denied before", q);
            return;
        }
    }

    if (!ctx->has_facts || ctx->facts.email.len == 0) {
        wrong("nothing is known of it", q);
        return;
    }

    i = strtoul((char *) ctx->facts.email.data, NULL, 10);

    if (i >= nanswers) {
        wrong("the API has not said so", q);
        return;
    }

    a = &answers[i];

    if (a->token != q->token) {
        wrong("these are the facts of another token", q);
        return;
    }

    if (a->origin != origins[locations[q->location].origin].number) {
        wrong("these are facts of another origin", q);
        return;
    }

    if (tokens[q->token].exp
        && ngx_time() >= epoch + tokens[q->token].exp
                         + lcfs[q->location].leeway)
    {
        wrong("it has expired", q);
        return;
    }

    if (a->late && a->late < q->order && a->seen >= epoch + tokens[q->token].exp
                              + lcfs[q->location].leeway
        && ctx->cache == NGX_AGT_CACHE_HIT)
    {
        wrong("it was seen to have expired", q);
        return;
    }

    l = &lcfs[q->location].lifetimes;
    age = ngx_current_msec - ngx_min(a->sent, ngx_current_msec);

    limit = (q->healthy && tokens[q->token].jti[0]
             && tokens[q->token].exp) ? l->watched : l->active;

    switch (ctx->cache) {

    case NGX_AGT_CACHE_HIT:

        /* facts do not get older while their request waits for a body */

        if (lcfs[q->location].rules) {
            age = q->arrived - ngx_min(a->sent, q->arrived);
        }

        if (age >= limit) {
            wrong("what is known of it is too old", q);
        }

        n = &newest[locations[q->location].origin][q->token];

        if (n->sent > a->sent && n->order < q->order
            && n->losses == losses())
        {
            wrong("something newer was learnt since", q);
        }

        break;

    case NGX_AGT_CACHE_UPDATING:
        if (age > limit + l->update || age >= l->rights || !q->healthy) {
            wrong("what is known of it is too old to be updated", q);
        }

        break;

    case NGX_AGT_CACHE_STALE:
        if (l->error == 0 || age > limit + l->error) {
            wrong("what is known of it is too old even for a failing API", q);
        }

        break;

    default:

        /* a call was under way, or had just ended */

        if (a->sent + lcfs[q->location].api_timeout + 1000 < q->arrived) {
            wrong("the answer comes from another time", q);
        }

        break;
    }
}


static void
refused(request_t *q, ngx_agt_ctx_t *ctx)
{
    answer_t    *a;
    ngx_uint_t   i;

    counts.refused[ctx->decision.verdict]++;

    if (ctx->decision.verdict == NGX_AGT_VERDICT_EXPIRED
        && ctx->has_facts && ctx->cache == NGX_AGT_CACHE_HIT)
    {
        i = strtoul((char *) ctx->facts.email.data, NULL, 10);
        a = &answers[i];

        if (a->late == 0 || a->seen < ngx_time()) {
            a->seen = ngx_time();
            a->late = order;
        }

        /* its clock may be set back before the request is decided */

        if (ctx->late == 0
            && q->wall >= epoch + tokens[q->token].exp)
        {
            wrong("it is not kept how late it was", q);
        }
    }
}


static void
deny(ngx_agt_denial_kind_e kind, ngx_uint_t token, const char *value,
    int64_t until, int64_t before)
{
    denial_t        *d;
    ngx_int_t        rc;
    ngx_str_t        v;
    ngx_agt_clock_t  clock;

    ngx_agt_clock_now(&clock);

    v.data = (u_char *) value;
    v.len = (kind == NGX_AGT_DENIAL_TOKEN) ? 32 : strlen(value);

    rc = stub_deny(memory, api.digest, kind, &v, until, before, &clock);

    if (rc == NGX_ERROR || ndenials == DENIALS) {
        abort();
    }

    /* from now on the caller that asked for the denial knows of it */

    d = &denials[ndenials++];

    d->kind = kind;
    d->token = token;
    d->value = value;
    d->wall = until;
    d->mono = clock.mono
              + (uint64_t) ngx_max(until - clock.wall, 0) * 1000;
    d->before = before;
    d->over = (now.mono >= d->mono && now.wall >= d->wall);

    counts.denials++;
}


static ngx_uint_t
covers(const denial_t *d, ngx_uint_t token)
{
    const token_t  *t = &tokens[token];

    switch (d->kind) {

    case NGX_AGT_DENIAL_TOKEN:
        return d->token == token;

    case NGX_AGT_DENIAL_JTI:
        return strcmp(d->value, t->jti) == 0;

    case NGX_AGT_DENIAL_SESSION:
        return strcmp(d->value, t->session) == 0;

    default:
        return strcmp(d->value, t->sub) == 0
               && (t->iat == 0 || epoch + t->iat <= d->before);
    }
}


static void
wrong(const char *what, request_t *q)
{
    static const char  *caches[] = {
        "", "HIT", "MISS", "JOINED", "UPDATING", "STALE", "BYPASS"
    };

    failures++;

    printf("# schedule %lu: %s passes location %lu (%s), though %s\n",
           (unsigned long) seed, tokens[q->token].token,
           (unsigned long) q->location,
           caches[((ngx_agt_ctx_t *) q->ctx[0])->cache], what);
}


static ngx_uint_t
there(ngx_pid_t pid)
{
    ngx_uint_t  i;

    for (i = 0; i < WORKERS; i++) {
        if (workers[i].pid == pid) {
            return 1;
        }
    }

    return 0;
}


static void
digest_of(const char *token, u_char *digest)
{
    ngx_str_t  part;

    part.data = (u_char *) token;
    part.len = strlen(token);

    (void) ngx_agt_digest(digest, &part, 1);

    /* an attacker who tries long enough finds such equal first bytes */

    memset(digest, 0x17, sizeof(uint64_t));
}


static request_t *
request_of(ngx_http_request_t *r)
{
    return (request_t *) r;
}


/* what the files of calls have from those that know the API's words */

void
ngx_agt_json_init(void)
{
}


/* whatever is answered is the API's own word */

ngx_agt_json_type_e
ngx_agt_json_type(const ngx_str_t *type)
{
    return NGX_AGT_JSON_TYPE_NONE;
}


ngx_uint_t
ngx_agt_json_is_object(const u_char *body, size_t len)
{
    return 1;
}


size_t
ngx_agt_json_introspect_len(size_t len)
{
    return len;
}


size_t
ngx_agt_json_introspect(u_char *out, const ngx_str_t *token,
    const ngx_agt_json_options_t *options)
{
    memcpy(out, token->data, token->len);

    return token->len;
}


/* no client of these schedules has an API key */

size_t
ngx_agt_json_introspect_key(u_char *out, const ngx_str_t *user,
    const ngx_str_t *key, const ngx_agt_json_options_t *options)
{
    abort();
}


ngx_int_t
ngx_agt_json_api_key(const u_char *body, size_t len, int64_t wall,
    u_char *buf, size_t size, ngx_agt_json_token_t *out, ngx_str_t *raw)
{
    abort();
}


ngx_int_t
ngx_agt_secret_copy(ngx_pool_t *pool, const ngx_str_t *secret, ngx_str_t *copy)
{
    abort();
}


/* an answer is its own number and that of its token */

ngx_int_t
ngx_agt_json_token(const u_char *body, size_t len, int64_t wall,
    u_char *buf, size_t size, ngx_agt_json_token_t *out)
{
    char                     email[32];
    const token_t           *t;
    unsigned                 number, token;
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    if (sscanf((const char *) body, "%u %u", &number, &token) != 2) {
        abort();
    }

    t = &tokens[token];

    memset(out, 0, sizeof(*out));
    memset(&facts, 0, sizeof(facts));

    facts.has_exp = (t->exp != 0);
    facts.exp = epoch + t->exp;
    facts.has_iat = (t->iat != 0);
    facts.iat = epoch + t->iat;

    facts.jti.data = (u_char *) t->jti;
    facts.jti.len = strlen(t->jti);
    facts.session.data = (u_char *) t->session;
    facts.session.len = strlen(t->session);
    facts.sub.data = (u_char *) t->sub;
    facts.sub.len = strlen(t->sub);
    facts.email.data = (u_char *) email;
    facts.email.len = (size_t) snprintf(email, sizeof(email), "%u ", number);

    ngx_agt_facts_begin(&b, buf, size, &facts);

    out->facts.data = buf;
    out->facts.len = ngx_agt_facts_end(&b);

    return NGX_OK;
}


/* libcurl */

ngx_agt_curl_t *
ngx_agt_curl_create(const ngx_agt_curl_profile_t *profile,
    ngx_uint_t max_connections, ngx_log_t *log)
{
    return (ngx_agt_curl_t *) &api;
}


void
ngx_agt_curl_destroy(ngx_agt_curl_t *pool)
{
}


ngx_agt_curl_op_t *
ngx_agt_curl_submit(ngx_agt_curl_t *pool, ngx_agt_curl_request_t *request)
{
    ngx_uint_t  i;

    for (i = 0; i < OPS; i++) {
        if (!ops[i].used) {
            ops[i].request = *request;
            ops[i].worker = current->number;
            ops[i].token = request->body.data[sizeof("token-") - 1] - '0';
            ops[i].sent = ngx_current_msec;
            ops[i].used = 1;

            counts.calls++;

            return (ngx_agt_curl_op_t *) &ops[i];
        }
    }

    return NULL;
}


void
ngx_agt_curl_cancel(ngx_agt_curl_op_t *op)
{
    ((op_t *) op)->used = 0;
}


ngx_int_t
ngx_agt_wake_init(const ngx_agt_wake_t *wake,
    ngx_uint_t worker, void (*handler)(void), ngx_log_t *log)
{
    workers[worker].wake = handler;

    return NGX_OK;
}


void
ngx_agt_wake_exit(void)
{
}


void
ngx_agt_wake_up(const ngx_agt_wake_t *wake, uint64_t mask)
{
    ngx_uint_t  i;

    for (i = 0; i < WORKERS; i++) {
        if (mask & ((uint64_t) 1 << i)) {
            workers[i].woken = 1;
        }
    }
}


/* what the files of requests have from each other */

ngx_agt_client_t *
ngx_agt_client_get(ngx_http_request_t *r)
{
    return &request_of(r)->client;
}


ngx_int_t
ngx_agt_cut_query(ngx_http_request_t *r)
{
    abort();
}


ngx_int_t
ngx_agt_preaccess_learn_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    abort();
}


void
ngx_agt_preaccess_check_stale(ngx_agt_ctx_t *ctx)
{
    /* nothing delays the request between its answer and the decision */
}


/* there is no gate: it could only refuse, and is of unknown tokens */

ngx_int_t
ngx_agt_gate(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    return NGX_DECLINED;
}


ngx_uint_t
ngx_agt_gate_refuses(ngx_http_request_t *r, const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    return 0;
}


/* requests of this test have no headers that calls could carry */

void
ngx_agt_trace_headers(ngx_http_request_t *r, const ngx_agt_loc_conf_t *lcf,
    ngx_str_t *lines)
{
    ngx_str_null(lines);
}


void
ngx_agt_early_end(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_agt_loc_conf_t *lcf)
{
    abort();
}


/* no value of these requests has a variable */

void
ngx_agt_early_close(ngx_http_request_t *r, ngx_agt_client_t *client)
{
}


ngx_uint_t
ngx_agt_sources_take(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    const char  *token;

    token = tokens[request_of(r)->token].token;

    ctx->token.data = (u_char *) token;
    ctx->token.len = strlen(token);
    ctx->has_digest = 1;

    digest_of(token, ctx->digest);

    return 1;
}


const ngx_agt_requirement_t *
ngx_agt_required_values(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *conf, ngx_uint_t *n)
{
    *n = 0;

    return NULL;
}


/* rules that look into the body, which comes later, and then allow */

ngx_int_t
ngx_agt_host_rules_match(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_reason_e *reason)
{
    return (ctx->life == NGX_AGT_LIFE_READ) ? NGX_OK : NGX_AGAIN;
}


ngx_uint_t
ngx_agt_destination_has_two_hosts(ngx_http_request_t *r)
{
    return 0;
}


ngx_int_t
ngx_agt_host_rules_read_body(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ctx->life = NGX_AGT_LIFE_READING;

    return NGX_DONE;
}


size_t
ngx_agt_detail(ngx_agt_ctx_t *ctx, u_char *buf)
{
    return 0;
}


ngx_int_t
ngx_agt_challenge_status(const ngx_agt_decision_t *decision)
{
    return NGX_HTTP_UNAUTHORIZED;
}


ngx_uint_t
ngx_agt_preflight_is(ngx_http_request_t *r)
{
    abort();
}


ngx_int_t
ngx_agt_challenge_set(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    abort();
}


void
ngx_agt_challenge_withdraw(ngx_http_request_t *r)
{
    abort();
}


ngx_int_t
ngx_agt_recheck_add(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    abort();
}


void
ngx_agt_recheck_remove(void *client)
{
    abort();
}


/* nginx */

void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    request_t *q = (request_t *) pool;

    if (q->nmemory == sizeof(q->memory) / sizeof(q->memory[0])) {
        return NULL;
    }

    return q->memory[q->nmemory++] = calloc(1, size);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return ngx_pnalloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_pnalloc(pool, size);
}


ngx_http_cleanup_t *
ngx_http_cleanup_add(ngx_http_request_t *r, size_t size)
{
    return &request_of(r)->cleanup;
}


ngx_int_t
ngx_handle_read_event(ngx_event_t *rev, ngx_uint_t flags)
{
    return NGX_OK;
}


void
ngx_http_test_reading(ngx_http_request_t *r)
{
}


void
ngx_http_block_reading(ngx_http_request_t *r)
{
}


void
ngx_http_request_empty_handler(ngx_http_request_t *r)
{
}


void
ngx_http_core_run_phases(ngx_http_request_t *r)
{
    run_phases(request_of(r));
}


void
ngx_http_run_posted_requests(ngx_connection_t *c)
{
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


/* what a zone's secret is made of: the same for the same seed */

int
RAND_bytes(unsigned char *buf, int num)
{
    int  i;

    for (i = 0; i < num; i++) {
        buf[i] = (u_char) stub_random();
    }

    return 1;
}


/* a tree that is searched as nginx's is, and never balanced */

void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (tree->root == tree->sentinel) {
        node->parent = NULL;
        node->left = tree->sentinel;
        node->right = tree->sentinel;
        tree->root = node;
        return;
    }

    tree->insert(tree->root, node, tree->sentinel);
}


void
ngx_rbtree_insert_timer_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {
        p = ((ngx_rbtree_key_int_t) (node->key - temp->key) < 0)
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
}


ngx_rbtree_node_t *
ngx_rbtree_next(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (node->right != tree->sentinel) {
        return ngx_rbtree_min(node->right, tree->sentinel);
    }

    while (node != tree->root && node == node->parent->right) {
        node = node->parent;
    }

    return (node == tree->root) ? NULL : node->parent;
}


static void
replace(ngx_rbtree_t *tree, ngx_rbtree_node_t *node, ngx_rbtree_node_t *by)
{
    if (node == tree->root) {
        tree->root = by;

    } else if (node == node->parent->left) {
        node->parent->left = by;

    } else {
        node->parent->right = by;
    }

    if (by != tree->sentinel) {
        by->parent = node->parent;
    }
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *next;

    if (node->left == tree->sentinel) {
        replace(tree, node, node->right);

    } else if (node->right == tree->sentinel) {
        replace(tree, node, node->left);

    } else {
        next = ngx_rbtree_min(node->right, tree->sentinel);

        if (next != node->right) {
            replace(tree, next, next->right);
            next->right = node->right;
            next->right->parent = next;
        }

        replace(tree, node, next);
        next->left = node->left;
        next->left->parent = next;
    }
}
