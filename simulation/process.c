
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/* a worker: how it starts, and what it is told to do */

#include "process.h"
#include "api/call_internal.h"
#include "api/feed.h"
#include "api/deliver.h"
#include "api/jwsk.h"
#include "endpoint/revoke.h"
#include "fleet/counts.h"
#include "request/access.h"
#include "request/context.h"
#include "request/early.h"
#include "request/host_rules.h"
#include "request/recheck.h"
#include "zone/seal.h"
#include "zone/table.h"
#include "zone/worker_cache.h"


/* a request in a worker; begins with nginx's own */

typedef struct {
    ngx_http_request_t               r;
    ngx_connection_t                 c;
    ngx_event_t                      read;
    struct sockaddr_in               sin;
    ngx_pool_t                       pool;
    ngx_table_elt_t                  fields[2];
    ngx_http_request_body_t          body;
    ngx_buf_t                        buf;
    ngx_chain_t                      chain;
    ngx_http_client_body_handler_pt  read_body;
    u_char                           authorization[64];
    void                            *ctx[2];
    void                            *loc_conf[2];
    void                            *main_conf[2];
    sim_request_t                   *q;
} visit_t;


static ngx_int_t process_make(sim_edge_t *edge);
static void process_slab(ngx_shm_zone_t *shm_zone, void *data);
static void process_set(sim_edge_t *edge, ngx_uint_t number, ngx_pid_t pid,
    const ngx_agt_clock_t *now, ngx_msec_t msec);
static void process_run(sim_task_t *task);
static void process_start(void);
static void process_quit(void);
static void process_request(sim_request_t *q);
static void process_field(ngx_table_elt_t *h, const char *name,
    const char *value);
static void process_body(visit_t *v);
static void process_phases(visit_t *v);
static void process_end(visit_t *v, ngx_int_t rc);
static void process_free(visit_t *v);
static void process_hook(ngx_uint_t token, ngx_uint_t kind);
static void process_purge(ngx_uint_t token, ngx_uint_t origin);
static void process_press(ngx_uint_t seed);
static ngx_agt_feed_e process_feed(sim_edge_t *edge, ngx_uint_t api,
    uint64_t now);
static ngx_uint_t process_denied(sim_edge_t *edge,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value,
    const ngx_agt_clock_t *now);
static ngx_uint_t process_sane(sim_edge_t *edge);
static ngx_uint_t process_is_sane(ngx_agt_table_t *t);
static void process_digest(const char *token, u_char *digest);
static ngx_uint_t process_idle(void);
static uint64_t process_next(void);
static ngx_uint_t process_drained(void);
static ngx_agt_fleet_e process_fleet(sim_edge_t *edge, uint64_t now);
static uint64_t process_missing(sim_edge_t *edge);
static uint64_t process_first(sim_edge_t *edge);
static ngx_uint_t process_lacks(sim_edge_t *edge, sim_edge_t *other,
    const ngx_agt_clock_t *now);
static ngx_uint_t process_knows(sim_edge_t *edge, const sim_entry_t *entry,
    const ngx_agt_clock_t *now);
static ngx_int_t process_key(u_char *key, sim_edge_t *edge,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value);
static ngx_int_t process_open(const ngx_str_t *value, const char *epoch,
    sim_entry_t *entry);


__attribute__((visibility("default")))
const sim_process_t  sim_process = {
    process_make,
    process_set,
    process_run,
    process_feed,
    process_denied,
    process_sane,
    process_digest,
    process_idle,
    process_next,
    process_drained,
    process_fleet,
    process_missing,
    process_first,
    process_lacks,
    process_knows,
    process_key,
    process_open
};


void                (*process_wake)(void);
uint64_t              process_secret;

static sim_edge_t    *edge_of_process;
static ngx_agt_fleet_seal_t  *seal_of_master;
static ngx_log_t      log_of_requests = { .log_level = NGX_LOG_DEBUG };
static ngx_http_log_ctx_t  log_ctx;

static u_char         body[] = "{\"a\":\"x\"}";


static ngx_int_t
process_make(sim_edge_t *edge)
{
    ngx_uint_t            i, add;
    ngx_agt_main_conf_t  *mcf;

    mcf = &edge->mcf;

    process_slab(&edge->shm_zone, &edge->zone);
    process_slab(&edge->shm_denials, &edge->denials);

    if (ngx_agt_digest_init() != NGX_OK
        || ngx_agt_zone_init(&edge->shm_zone, NULL) != NGX_OK
        || ngx_agt_denials_init(&edge->shm_denials, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    mcf->api.first = &edge->zone;
    mcf->api.denials = &edge->denials;
    mcf->api.cycle = ++edge->denials.sh->cycles;

    ngx_agt_fleet_configure(&edge->denials, &mcf->fleet, mcf->api.cycle,
                            mcf->api.max_leeway);

    if (mcf->fleet.on) {
        ngx_agt_fleet_seal_free(seal_of_master);
        seal_of_master = ngx_agt_fleet_seal_new(mcf->fleet.keys,
                                                &mcf->fleet.name,
                                                ngx_cycle->log);
        edge_of_process = edge;
    }

    ngx_agt_feed_configure(&edge->denials, &mcf->feed, mcf->api.cycle);
    ngx_agt_jwsk_configure(&edge->zone, &mcf->jwsk, mcf->api.cycle);

    for (add = 0; add < 2; add++) {
        for (i = 0; i < mcf->api.napis; i++) {
            mcf->api.apis[i]->state =
                ngx_agt_budget_api(&edge->zone, mcf->api.apis[i]->digest,
                                   mcf->api.cycle, add);
        }
    }

    for (i = 0; i < mcf->api.norigins; i++) {
        if (mcf->api.origins[i]->zone) {
            mcf->api.origins[i]->number =
                ngx_agt_zone_origin(&edge->zone,
                                    mcf->api.origins[i]->facts);
        }
    }

    return NGX_OK;
}


/* nginx's slab gives away whole pages behind its head */

static void
process_slab(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t            pages;
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    memset(pool, 0, shm_zone->shm.size);

    pages = shm_zone->shm.size / ngx_pagesize - 1;

    pool->pfree = pages;
    pool->start = (u_char *) pool + ngx_pagesize;
    pool->end = (u_char *) pool + shm_zone->shm.size;
    pool->log_nomem = 1;
    pool->mutex.lock = &pool->lock.lock;

    ngx_str_set(&shm_zone->shm.name, "simulated");
    shm_zone->shm.log = ngx_cycle->log;
    shm_zone->data = data;
}


static void
process_set(sim_edge_t *edge, ngx_uint_t number, ngx_pid_t pid,
    const ngx_agt_clock_t *now, ngx_msec_t msec)
{
    edge_of_process = edge;
    ngx_worker = number;
    ngx_pid = pid;

    process_set_clocks(now, msec);
}


static void
process_run(sim_task_t *task)
{
    visit_t  *v;

    switch (task->task) {

    case SIM_TASK_START:
        process_start();
        break;

    case SIM_TASK_EVENTS:
        process_sockets();
        break;

    case SIM_TASK_REQUEST:
        process_request(task->request);
        break;

    case SIM_TASK_ANSWER:
        task->handler(task->data, &task->result);
        sim_answered();
        break;

    case SIM_TASK_WAKE:
        process_wake();
        break;

    case SIM_TASK_BODY:
        process_body(task->request->visit);
        break;

    case SIM_TASK_LEAVE:
        v = task->request->visit;
        task->request->visit = NULL;
        process_free(v);
        break;

    case SIM_TASK_HOOK:
        process_hook(task->what, task->how);
        break;

    case SIM_TASK_PURGE:
        process_purge(task->what, task->how);
        break;

    case SIM_TASK_PRESS:
        process_press(task->what);
        break;

    case SIM_TASK_DRAIN:
        ngx_exiting = 1;
        break;

    case SIM_TASK_QUIT:
        process_quit();
        return;
    }

    process_events();
}


/* as the module does in init_process, after what it inherits of the master */

static void
process_start(void)
{
    ngx_agt_main_conf_t  *mcf;

    mcf = &edge_of_process->mcf;

    process_init_events();

    log_of_requests.data = &log_ctx;

    process_secret = edge_of_process->key;

    if (ngx_agt_seal_init(ngx_cycle->log) != NGX_OK) {
        sim_fail("start: no key to seal with");
    }

    process_secret = 0;

    ngx_agt_recheck_init(mcf->recheck, ngx_cycle->log);

    if (ngx_agt_worker_cache_init(NGX_AGT_WORKER_CACHE_MIN) != NGX_OK
        || ngx_agt_early_worker(mcf, ngx_cycle->log) != NGX_OK
        || ngx_agt_host_rules_init() != NGX_OK
        || ngx_agt_call_init(&mcf->api, ngx_cycle->log) != NGX_OK
        || ngx_agt_deliver_init(&mcf->deliver, ngx_cycle->log) != NGX_OK)
    {
        sim_fail("start: a worker does not start");
    }

    ngx_agt_jwsk_init(&mcf->jwsk, ngx_cycle->log);

    if (ngx_agt_feed_init(&mcf->feed, ngx_cycle->log) != NGX_OK) {
        sim_fail("start: the feed does not start");
    }

    if (ngx_agt_fleet_init(&mcf->fleet, &edge_of_process->denials,
                           mcf->api.cycle, mcf->api.max_leeway,
                           ngx_cycle->log)
        != NGX_OK)
    {
        sim_fail("start: the fleet does not start");
    }
}


/* as the module does in exit_process */

static void
process_quit(void)
{
    ngx_exiting = 1;

    ngx_agt_feed_exit();
    ngx_agt_fleet_exit();
    ngx_agt_jwsk_exit();
    ngx_agt_deliver_exit();
    ngx_agt_call_exit();
    ngx_agt_early_exit();
    ngx_agt_host_rules_exit();
    ngx_agt_worker_cache_exit();

    if (ngx_event_timer_rbtree.root != ngx_event_timer_rbtree.sentinel) {
        sim_fail("exit: a timer is left");
    }

    if (!ngx_queue_empty(&ngx_posted_events)) {
        sim_fail("exit: a posted event is left");
    }
}


static void
process_request(sim_request_t *q)
{
    visit_t  *v;

    v = sim_alloc(sizeof(visit_t));
    memset(v, 0, sizeof(visit_t));

    v->q = q;
    q->visit = v;

    (void) snprintf((char *) v->authorization, sizeof(v->authorization),
                    "Bearer %s", sim_token(q->token)->token);

    process_field(&v->fields[0], "Authorization", (char *) v->authorization);
    process_field(&v->fields[1], "Content-Type", "application/json");

    v->loc_conf[0] = &edge_of_process->lcfs[q->location];
    v->loc_conf[1] = &edge_of_process->clcf;
    v->main_conf[0] = &edge_of_process->mcf;

    v->sin.sin_family = AF_INET;
    v->c.sockaddr = (struct sockaddr *) &v->sin;
    v->c.log = &log_of_requests;
    v->c.read = &v->read;
    v->c.number = q->order + 1;

    v->r.signature = NGX_HTTP_MODULE;
    v->r.connection = &v->c;
    v->r.main = &v->r;
    v->r.pool = &v->pool;
    v->r.ctx = v->ctx;
    v->r.loc_conf = v->loc_conf;
    v->r.main_conf = v->main_conf;
    v->r.method = NGX_HTTP_POST;
    v->r.count = 1;

    ngx_str_set(&v->r.request_line, "POST /x HTTP/1.1");
    ngx_str_set(&v->r.unparsed_uri, "/x");
    ngx_str_set(&v->r.headers_in.server, "app");

    v->r.headers_in.headers.part.elts = v->fields;
    v->r.headers_in.headers.part.nelts = 2;
    v->r.headers_in.headers.last = &v->r.headers_in.headers.part;
    v->r.headers_in.authorization = &v->fields[0];
    v->r.headers_in.content_type = &v->fields[1];
    v->r.headers_in.content_length_n = sizeof(body) - 1;

    v->r.headers_out.headers.pool = &v->pool;
    v->r.headers_out.headers.size = sizeof(ngx_table_elt_t);
    v->r.headers_out.headers.nalloc = 4;
    v->r.headers_out.headers.part.elts =
        ngx_palloc(&v->pool, 4 * sizeof(ngx_table_elt_t));
    v->r.headers_out.headers.last = &v->r.headers_out.headers.part;

    process_phases(v);
}


static void
process_field(ngx_table_elt_t *h, const char *name, const char *value)
{
    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = strlen(value);
    h->lowcase_key = h->key.data;
}


static void
process_phases(visit_t *v)
{
    ngx_int_t            rc;
    ngx_agt_loc_conf_t  *lcf;

    lcf = v->loc_conf[0];

    if (lcf->revoke) {
        rc = ngx_agt_revoke_handler(&v->r);

        if (rc == NGX_DONE) {
            v->r.count = 1;
            return;
        }

    } else {
        rc = ngx_agt_access_handler(&v->r);

        if (rc == NGX_AGAIN) {
            return;
        }
    }

    process_end(v, rc);
}


static void
process_end(visit_t *v, ngx_int_t rc)
{
    sim_request_t  *q;
    sim_outcome_t   outcome;
    ngx_agt_ctx_t  *ctx;

    q = v->q;
    q->visit = NULL;

    ctx = v->ctx[0];

    memset(&outcome, 0, sizeof(sim_outcome_t));

    outcome.status = rc;

    if (ctx) {
        outcome.verdict = ctx->decision.verdict;
        outcome.cache = ctx->cache;
        outcome.has_facts = ctx->has_facts;
        outcome.late = ctx->late;
        outcome.email = ctx->facts.email;
    }

    sim_ended(q, &outcome);

    process_free(v);
}


static void
process_free(visit_t *v)
{
    ngx_http_cleanup_t  *c;

    for (c = v->r.cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    process_free_pool(&v->pool);
    sim_free(v);
}


void
ngx_http_core_run_phases(ngx_http_request_t *r)
{
    process_phases((visit_t *) r);
}


/* the body comes later */

ngx_int_t
ngx_http_read_client_request_body(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt post_handler)
{
    visit_t  *v = (visit_t *) r;

    v->read_body = post_handler;
    v->q->reading = 1;

    r->main->count++;

    return NGX_AGAIN;
}


void
ngx_http_finalize_request(ngx_http_request_t *r, ngx_int_t rc)
{
    if (rc != NGX_DONE || --r->main->count == 0) {
        sim_fail("requests: one is finalized that waits");
    }
}


static void
process_body(visit_t *v)
{
    v->q->reading = 0;

    v->buf.pos = body;
    v->buf.last = body + sizeof(body) - 1;
    v->chain.buf = &v->buf;
    v->body.bufs = &v->chain;
    v->r.request_body = &v->body;

    v->read_body(&v->r);
}


/* what the revocation hook does before it answers */

static void
process_hook(ngx_uint_t token, ngx_uint_t kind)
{
    ngx_agt_clock_t         now;
    const sim_token_t      *t;
    ngx_agt_denial_args_t   args;

    static const ngx_agt_denial_kind_e  kinds[] = {
        NGX_AGT_DENIAL_SESSION, NGX_AGT_DENIAL_SUBJECT, NGX_AGT_DENIAL_JTI
    };

    t = sim_token(token);

    ngx_agt_clock_now(&now);
    memset(&args, 0, sizeof(args));

    args.api = edge_of_process->apis[0].digest;
    args.kind = kinds[kind];
    args.source = NGX_AGT_DENIED_BY_HOOK;
    args.until = now.wall + edge_of_process->mcf.api.revocation_ttl;
    args.before = now.wall;
    args.value.data = (u_char *) (kind == 0 ? t->session
                                  : kind == 1 ? t->sub : t->jti);
    args.value.len = strlen((char *) args.value.data);

    if (args.value.len == 0) {
        return;
    }

    if (ngx_agt_denials_add(&edge_of_process->denials, &args, &now)
        == NGX_ERROR)
    {
        sim_fail("room: a denial finds none");
    }

    sim_hooked(args.kind, token, args.until, args.before);
}


static void
process_purge(ngx_uint_t token, ngx_uint_t origin)
{
    u_char               digest[NGX_AGT_DIGEST_LEN];
    ngx_agt_cache_key_t  key;

    process_digest(sim_token(token)->token, digest);

    key.key = digest;
    key.origin = edge_of_process->origins[origin].number;

    ngx_agt_cache_remove(&edge_of_process->zone, &key);
}


/* stores enough to evict entries that are not used all the time */

static void
process_press(ngx_uint_t seed)
{
    u_char               digest[NGX_AGT_DIGEST_LEN];
    ngx_str_t            facts, none = ngx_null_string;
    ngx_uint_t           i;
    ngx_agt_cache_key_t  key;

    static u_char  filler[3000];

    facts.data = filler;
    facts.len = sizeof(filler);

    for (i = 0; i < 8; i++) {
        memset(digest, (int) (seed + i), sizeof(digest));
        memcpy(digest, &seed, sizeof(ngx_uint_t));
        memcpy(digest + 8, &i, sizeof(ngx_uint_t));

        key.key = digest;
        key.origin = 99;

        (void) ngx_agt_cache_store(&edge_of_process->zone, &key,
                                   i % 3 ? NGX_AGT_CLASS_ACTIVE
                                         : NGX_AGT_CLASS_INVALID,
                                   NGX_AGT_REASON_NONE,
                                   i % 3 ? &facts : &none, &none,
                                   ngx_current_msec, ngx_current_msec, 0);
    }
}


static ngx_agt_feed_e
process_feed(sim_edge_t *edge, ngx_uint_t api, uint64_t now)
{
    return ngx_agt_denials_feed(&edge->denials, edge->apis[api].digest, now);
}


static ngx_uint_t
process_denied(sim_edge_t *edge, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value, const ngx_agt_clock_t *now)
{
    u_char  key[NGX_AGT_DENIAL_KEY_LEN];

    if (ngx_agt_denials_key(key, edge->apis[0].digest, kind, value) != NGX_OK)
    {
        return 0;
    }

    return ngx_agt_denial_set_find(edge->denials.set, key, now) != NULL;
}


/* whether tables are sound, and no denial was evicted */

static ngx_uint_t
process_sane(sim_edge_t *edge)
{
    return process_is_sane(edge->zone.facts)
           && process_is_sane(edge->zone.invalid)
           && edge->denials.set->lost == 0;
}


static ngx_uint_t
process_is_sane(ngx_agt_table_t *t)
{
    uint32_t          unit, used, filled, i;
    ngx_uint_t        hand;
    ngx_agt_entry_t  *e;

    used = 0;
    filled = 0;
    hand = (t->hand == t->units);

    for (unit = 0; unit < t->units; unit += e->units) {
        e = (ngx_agt_entry_t *) ((u_char *) t + t->arena_offset
                                 + (size_t) unit * NGX_AGT_TABLE_UNIT);

        if (e->units == 0 || e->units > t->units - unit) {
            return 0;
        }

        hand |= (unit == t->hand);

        if (e->used) {
            used++;

            if (ngx_agt_table_find(t, e->key, e->origin) != e) {
                return 0;
            }
        }
    }

    for (i = 0; i < t->nslots; i++) {
        filled += (ngx_agt_table_slot(t, i) != NULL);
    }

    return hand && used == t->used && filled == used && used < t->nslots;
}


static void
process_digest(const char *token, u_char *digest)
{
    ngx_str_t  part;

    part.data = (u_char *) token;
    part.len = strlen(token);

    (void) ngx_agt_digest(digest, &part, 1);
}


/* 0 if this worker, for which no request waits, has forgotten something */

static ngx_uint_t
process_idle(void)
{
    size_t      used, held;
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_LIMITS_KINDS; i++) {
        if (ngx_agt_worker.places.waiting[i]
            && i != NGX_AGT_LIMITS_FEED)
        {
            return 0;
        }
    }

    return ngx_agt_worker_cache_sane(&used, &held) && held == 0;
}


static uint64_t
process_next(void)
{
    if (!ngx_queue_empty(&ngx_posted_events)) {
        return 0;
    }

    if (ngx_event_timer_rbtree.root == ngx_event_timer_rbtree.sentinel) {
        return (uint64_t) -1;
    }

    return ngx_rbtree_min(ngx_event_timer_rbtree.root,
                          ngx_event_timer_rbtree.sentinel)->key;
}


static ngx_uint_t
process_drained(void)
{
    return ngx_exiting && ngx_event_no_timers_left() == NGX_OK;
}


static ngx_agt_fleet_e
process_fleet(sim_edge_t *edge, uint64_t now)
{
    return ngx_agt_fleet_state(&edge->denials, now);
}


static uint64_t
process_missing(sim_edge_t *edge)
{
    return ngx_agt_fleet_missing(&edge->denials);
}


static uint64_t
process_first(sim_edge_t *edge)
{
    return ngx_agt_counts_first(edge->denials.counts,
                                edge->denials.sh->fleet.writer);
}


static ngx_uint_t
process_lacks(sim_edge_t *edge, sim_edge_t *other, const ngx_agt_clock_t *now)
{
    ngx_uint_t         i, n;
    sim_entry_t        entry;
    ngx_agt_denial_t  *s;

    i = 0;
    n = 0;

    while ((s = ngx_agt_denial_set_next(other->denials.set, &i, now))
           != NULL)
    {
        memcpy(entry.key, s->key, sizeof(entry.key));
        entry.until = s->wall;
        entry.before = (ngx_agt_denial_kind(s) == NGX_AGT_DENIAL_SUBJECT)
                       ? s->before : 0;

        n += (ngx_agt_denial_source(s) != NGX_AGT_ASKED_ABOUT
              && s->wall > now->wall && !process_knows(edge, &entry, now));
    }

    return n;
}


static ngx_uint_t
process_knows(sim_edge_t *edge, const sim_entry_t *entry,
    const ngx_agt_clock_t *now)
{
    ngx_agt_denial_t  *s;

    s = ngx_agt_denial_set_find(edge->denials.set, entry->key, now);

    return s && s->wall >= entry->until && s->before >= entry->before;
}


static ngx_int_t
process_key(u_char *key, sim_edge_t *edge, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value)
{
    return ngx_agt_denials_key(key, edge->apis[0].digest, kind, value);
}


static ngx_int_t
process_open(const ngx_str_t *value, const char *epoch, sim_entry_t *entry)
{
    ngx_agt_fleet_entry_t  e;

    static ngx_agt_fleet_line_t  lines[NGX_AGT_FLEET_WRITERS];

    memset(entry, 0, sizeof(sim_entry_t));

    ngx_agt_fleet_seal_epoch(seal_of_master, (const u_char *) epoch);

    if (ngx_agt_fleet_entry_open(seal_of_master, value, &e, lines) != NGX_OK) {
        return NGX_ERROR;
    }

    entry->kind = e.kind;
    entry->number = e.number;
    memcpy(entry->writer, e.writer, sizeof(e.writer));

    if (e.kind == NGX_AGT_FLEET_DENIAL) {
        memcpy(entry->key, e.u.denial.key, sizeof(entry->key));
        entry->until = e.u.denial.exp + edge_of_process->mcf.api.max_leeway;
        entry->before = (e.u.denial.kind == NGX_AGT_DENIAL_SUBJECT)
                        ? e.u.denial.before : 0;

    } else if (e.kind == NGX_AGT_FLEET_MARK) {
        entry->start = e.u.mark.start;
    }

    return NGX_OK;
}
