
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * A fleet: edges that share what they deny through Redis.  Beside what the
 * model asks of each edge:
 *
 *  - an edge enforces each denial that it has read of another edge, like a
 *    denial of its own;
 *  - an edge that says it is healthy knows each entry that has stood in the
 *    stream for longer than the edge may go without an answer; it has had an
 *    answer lately, has read a mark that is not too old, and misses no number;
 *  - an nginx that ends in good order has told what was denied there, unless
 *    something goes wrong meanwhile;
 *  - a trimmed entry does not count any more, or the same denial stands later
 *    in the stream;
 *  - an edge that has been healthy for a while polls the API only while it
 *    holds the lease of its feed, and then knows of each poll soon; one that
 *    does not reach Redis polls by itself;
 *  - after the last fault, all edges become healthy, and enforce each denial
 *    that Redis or an edge still has.
 */

#include "host.h"


#define ACTS      1000

/* milliseconds for which a healthy edge may not know what is in the stream */
#define SILENCE   1300

/* and that a flush goes unnoticed: it is asked for each second */
#define EMPTIED   (SILENCE + 1300)

/* milliseconds in which no primary is made one again by hand */
#define AGAIN     3000

/* and a mark counts, with the millisecond that a clock may be ahead */
#define MARK_AGE  10020

/* and that healthy edges do not agree: one has told all again by then */
#define APART     12000

/* until an edge has not heard of any poll for too long, at least */
#define DEAD      60000

/* until a healthy edge has heard who holds the lease of its feed */
#define HEARD     3000

/* until an edge that lacks Redis notices, and looks whether it polls */
#define NOTICED   3500

/* between two polls, beyond the interval */
#define POLLED    1500

/* until a poll has ended and others know of it */
#define TOLD      2000

/* for each edge that gets no list, until another one has read it */
#define PASSED    2500

/* until all is well again after the last fault */
#define HEALED    150000
#define QUIET     12000


/* a denial that an edge has confirmed, or has learned from its API */

typedef struct {
    ngx_agt_denial_kind_e  kind;
    ngx_uint_t             token;
    ngx_uint_t             edge;              /* where */
    sim_entry_t            what;              /* as it has to be told */
    int64_t                before;
    uint64_t               told;              /* Redis was; 0: not yet */
    uint64_t               known[SIM_EDGES];  /* since then; 0: not yet */
    unsigned               lost:1;            /* Redis and all edges lost it */
} act_t;


static void fleet_run(uint64_t ms);
static void fleet_events(sim_worker_t *w, uint64_t timer, ngx_uint_t ready);
static void fleet_calls(void);
static void fleet_alone(void);
static void fleet_feeds(void);
static void fleet_mutes(ngx_uint_t edge, uint64_t ms);
static void fleet_looks(ngx_uint_t edge);
static void fleet_learns(ngx_uint_t edge);
static void fleet_healthy(ngx_uint_t edge);
static ngx_uint_t fleet_is_gone(ngx_uint_t edge, const sim_entry_t *e);
static ngx_uint_t fleet_covers(const sim_entry_t *e,
    const sim_entry_t *other);
static void fleet_agrees(void);
static redis_node_t *fleet_primary(void);
static void fleet_fault(void);
static void fleet_kill(sim_worker_t *w);
static void fleet_drain(ngx_uint_t edge);
static void fleet_drained(ngx_uint_t edge);
static void fleet_lose(ngx_uint_t edge);
static void fleet_down(ngx_uint_t node, ngx_uint_t how);
static void fleet_back(void);
static void fleet_failover(void);
static uint64_t fleet_later(void);
static ngx_uint_t fleet_is_well(ngx_uint_t last);


enum {
    BACK_WHOLE = 0,
    BACK_BEHIND,
    BACK_EMPTY,
    BACK_REPLICA
};


static act_t          acts[ACTS];
static ngx_uint_t     nacts;
static const sim_entry_t  *gone[ACTS];    /* entries that were deleted */
static ngx_uint_t     ngone;
static const sim_entry_t  *trimmed[ACTS]; /* denials that were */
static ngx_uint_t     ntrimmed;
static ngx_uint_t     nworkers;           /* of each edge */
static ngx_uint_t     grain;              /* ms by which timers may be late */
static ngx_uint_t     enabled;            /* faults of this schedule */
static ngx_uint_t     often;
static uint64_t       due[SIM_EDGES][SIM_WORKERS];  /* goes on, or starts */
static uint64_t       lives[SIM_EDGES];   /* memories it has had */
static uint64_t       healthy[SIM_EDGES]; /* since then; 0: it is not */
static uint64_t       gap[SIM_EDGES];
static uint64_t       seen[SIM_EDGES];    /* entries that it had read */
static uint64_t       back[REDIS_NODES];
static ngx_uint_t     how_back[REDIS_NODES];
static uint64_t       full;               /* Redis is, until then */
static ngx_uint_t     feeding;            /* edges have feeds */
static time_t         interval;           /* ms */
static time_t         ttl;                /* seconds */
static ngx_uint_t     odd;                /* one edge has another one */
static ngx_uint_t     drains[SIM_EDGES];
static ngx_uint_t     troubles[SIM_EDGES];  /* there were, when it began to */
static ngx_uint_t     trouble;            /* up to now */
static uint64_t       steady[SIM_EDGES];  /* healthy without a break since */
static uint64_t       good[SIM_EDGES];    /* it was to be, until then */
static uint64_t       upset[SIM_EDGES];   /* it lacked a worker last */
static uint64_t       asked[SIM_EDGES];   /* all was to be told again, last */
static uint64_t       lonely[SIM_EDGES];  /* it lacks Redis since then; 0 */
static uint64_t       away[SIM_EDGES];    /* it had trouble, until then */
static uint64_t       polled[SIM_EDGES];  /* it asked for a list last */
static uint64_t       hidden[SIM_EDGES];  /* none of its feed got one, last */
static uint64_t       moved;              /* leases may have been lost, last */
static redis_data_t   disk;               /* what a restart finds */


void
fleet_begin(void)
{
    nacts = 0;
    ngone = 0;
    ntrimmed = 0;
    full = 0;

    memset(due, 0, sizeof(due));
    memset(lives, 0, sizeof(lives));
    memset(healthy, 0, sizeof(healthy));
    memset(gap, 0, sizeof(gap));
    memset(seen, 0, sizeof(seen));
    memset(back, 0, sizeof(back));
    memset(drains, 0, sizeof(drains));
    trouble = 0;
    memset(steady, 0, sizeof(steady));
    memset(good, 0, sizeof(good));
    memset(upset, 0, sizeof(upset));
    memset(asked, 0, sizeof(asked));
    memset(lonely, 0, sizeof(lonely));
    memset(away, 0, sizeof(away));
    memset(polled, 0, sizeof(polled));
    memset(hidden, 0, sizeof(hidden));
    moved = 0;
    redis_empty(&disk);

    api_recover();
    api_offset = 0;
    api_ntokens = ngx_min(api_ntokens, SIM_TOKENS + 40);
    suspending = 0;
    fed = 0;

    feeding = (below(4) != 0);
    interval = 1000 * (1 + (time_t) below(3));
    ttl = 20 + (time_t) below(300);
    odd = (below(8) == 0);

    if (below(2)) {
        fault(SIM_REDIS_CLOCK);
        nodes[1].offset = (int64_t) below(8000) - 4000;
    }

    nedges = 2 + below(2);
    nworkers = 1 + below(SIM_WORKERS);
    grain = below(4) ? 5 + below(35) : 1;

    stopping = below(2) ? 0 : 1 + below(20);
    killing = below(2) ? 0 : 1 + below(4);
    enabled = draw() & (below(2) ? draw() : (uint64_t) -1);
    often = 2 + below(16);
}


/* in place of what the schedules of lone edges have */

void
fleet_configure(sim_edge_t *edge)
{
    ngx_uint_t             i;
    ngx_agt_fleet_conf_t  *conf;

    if (!feeding) {
        edge->mcf.feed.api = NULL;
    }

    edge->mcf.feed.limit = below(4) ? 100 : 20 + below(20);
    edge->mcf.feed.interval = (ngx_msec_t) interval
                              + (odd && edge->number == 0 ? 1000 : 0);
    edge->mcf.api.revocation_ttl = ttl;
    edge->mcf.feed.ttl = edge->mcf.api.revocation_ttl;

    conf = &edge->mcf.fleet;

    for (i = 0; i < 2; i++) {
        ngx_str_set(&edge->servers[i].url, "redis://a");
        edge->sins[i].sin_family = AF_INET;
        edge->sins[i].sin_port = (in_port_t) i;
        edge->addrs[i].sockaddr = (struct sockaddr *) &edge->sins[i];
        edge->addrs[i].socklen = sizeof(struct sockaddr_in);
        edge->servers[i].addrs = &edge->addrs[i];
        edge->servers[i].naddrs = 1;
    }

    conf->servers.elts = edge->servers;
    conf->servers.nelts = 2;
    ngx_str_set(&conf->name, "fleet");
    ngx_str_set(&conf->stream, REDIS_STREAM);
    ngx_str_set(&conf->epoch, REDIS_EPOCH);
    ngx_str_set(&conf->lease, REDIS_LEASE);
    conf->timeout = 500 + below(2500);
    conf->keys = &edge->keys;
    conf->on = 1;

    edge->keys.n = 1;
    memset(edge->keys.keys[0], 'k', NGX_AGT_FLEET_KEY_LEN);

    lives[edge->number]++;
}


/* most edges start at the same time */

void
fleet_started(void)
{
    ngx_uint_t  e, i;

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < nworkers; i++) {
            due[e][i] = now.mono + below(below(4) ? 20 : 10000);
        }
    }
}


void
fleet_step(void)
{
    ngx_uint_t     e, i;
    sim_worker_t  *w;

    e = below(nedges);
    w = &workers[e][below(nworkers)];

    switch (below(8)) {

    case 0:
        if (w->started && !w->busy && !drains[e]) {
            i = below(4) ? below(api_ntokens) : below(SIM_TOKENS);

            tell("the hook of worker %u/%u is told", (unsigned) e,
                 (unsigned) w->number);
            if (i < SIM_TOKENS) {
                model_denies(e, i);
            }

            schedule_simple(w, SIM_TASK_HOOK, i,
                            i < SIM_TOKENS ? below(3) : 2);
        }

        break;

    case 1:
    case 2:
    case 3:
        if (w->started && !w->busy && !drains[e]) {
            schedule_request(w);
        }

        break;

    case 4:
        if (nodes[1].up && nodes[0].up && below(2)) {
            redis_copy(&nodes[nodes[0].primary].data,
                       &nodes[nodes[1].primary].data);
        }

        break;

    case 5:
        if (below(4) == 0) {
            redis_copy(&disk, &fleet_primary()->data);

        } else if (below(2)) {
            i = below(8) ? SIM_TOKENS + below(api_ntokens - SIM_TOKENS + 1)
                         : below(SIM_TOKENS);

            if (i < api_ntokens) {
                tell("the API revokes token %u", (unsigned) i);
                api_revoke(i);
            }
        }

        break;

    default:
        if (below(often) == 0) {
            fleet_fault();
        }

        break;
    }

    fleet_run(below(below(8) ? 100 : 1500));
    fleet_agrees();
    fleet_feeds();
}


/* all that happens by itself until then */

static void
fleet_run(uint64_t ms)
{
    uint64_t       end, next, timer, ready;
    ngx_uint_t     e, i, n;
    sim_worker_t  *w;

    for (end = now.mono + ms; now.mono < end; /* void */ ) {
        next = redis_next(end);
        timer = end;

        for (e = 0; e < nedges; e++) {
            for (i = 0; i < nworkers; i++) {
                w = &workers[e][i];

                if (w->started && !w->busy) {
                    timer = ngx_min(timer, w->next);

                } else {
                    next = ngx_min(next, due[e][i]);
                }
            }
        }

        next = ngx_min(next, (timer + grain - 1) / grain * grain);
        next = ngx_max(next, now.mono + 1);

        pass(next - now.mono);
        fleet_back();
        redis_run();

        ready = redis_ready();
        timer = now.mono / grain * grain;
        n = below(nedges * nworkers);

        for (i = 0; i < nedges * nworkers; i++, n++) {
            if (n == nedges * nworkers) {
                n = 0;
            }

            w = &workers[n % nedges][n / nedges];
            fleet_events(w, timer, ready >> (n % nedges * SIM_WORKERS
                                             + n / nedges) & 1);
        }

        fleet_calls();
        fleet_alone();

        for (e = 0; e < nedges; e++) {
            if (drains[e]) {
                fleet_drained(e);
            }
        }
    }
}


/* "timer": timers up to then are due; "ready": epoll would wake it */

static void
fleet_events(sim_worker_t *w, uint64_t timer, ngx_uint_t ready)
{
    uint64_t  *at;

    at = &due[w->edge][w->number];

    if (w->busy) {

        if (now.mono < *at && !calm) {
            return;
        }

        if (now.mono >= w->stopped + 3500) {
            fault(SIM_FLEET_STOPPED);
        }

        trouble++;

        resume(w);

    } else if (!w->started) {

        if (now.mono < *at || drains[w->edge]) {
            return;
        }

        tell("worker %u/%u starts", (unsigned) w->edge, (unsigned) w->number);
        schedule_simple(w, SIM_TASK_START, 0, 0);

    } else {
        if (w->woken) {
            w->woken = 0;
            schedule_simple(w, SIM_TASK_WAKE, 0, 0);

        } else if (ready || w->next <= timer) {
            schedule_simple(w, SIM_TASK_EVENTS, 0, 0);

        } else {
            return;
        }
    }

    /* for how long it is stopped, or is not there */

    if (w->busy) {
        *at = now.mono + (below(4) ? below(30)
                          : below(4) ? below(500) : below(7000));

    } else if (!w->started) {
        *at = now.mono + below(below(8) ? 100 : 8000);
    }

    fleet_looks(w->edge);
}


/* the API answers at once */

static void
fleet_calls(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ncalls; i++) {

        if (!calls[i].used || workers[calls[i].edge][calls[i].worker].busy) {
            continue;
        }

        if (!calls[i].answered) {
            network_arrive(&calls[i]);
        }

        (void) network_deliver(&calls[i]);
    }
}


/* the worker that is current asks for a list: another edge may have to do it */

void
fleet_polls(void)
{
    uint64_t     since;
    sim_edge_t  *edge;
    ngx_uint_t   e;

    e = current->edge;
    edge = &edges[e];

    polled[e] = now.mono;

    tell("edge %u asks for a list", (unsigned) e);

    if (drains[e] && current->task.task == SIM_TASK_EVENTS) {
        sim_fail("polls: edge %u polls the API, and ends", (unsigned) e);
    }

    /* one that has lost a session may poll before it is late */

    since = ngx_max(ngx_max(steady[e], moved), ngx_max(away[e], upset[e]));

    /* nor does an edge ask first whose lease, which it left, is still free */

    since = ngx_max(since, mute[e] + 2 * edge->mcf.feed.interval);

    /* a poll goes on when the lease ends; a worker that was stopped is late */

    if (current->task.task != SIM_TASK_EVENTS
        || current->now.mono != now.mono
        || steady[e] == 0 || now.mono > good[e]
        || now.mono <= since + HEARD
        || redis_leases(edge->denials.sh->fleet.writer))
    {
        return;
    }

    /* without entries that tell of polls, the holder does not matter */

    if (now.mono > edge->denials.sh->feed.answered + DEAD) {
        return;
    }

    sim_fail("polls: edge %u polls the API, is healthy for %u ms, and has not "
             "the lease of the feed", (unsigned) e,
             (unsigned) (now.mono - steady[e]));
}


/* an edge that does not reach Redis polls */

static void
fleet_alone(void)
{
    uint64_t     since, ms;
    ngx_uint_t   e, i, there;

    there = 0;

    for (i = 0; i < REDIS_NODES; i++) {
        there |= (nodes[i].up && nodes[i].primary
                  && now.mono >= nodes[i].stopped);
    }

    for (e = 0; e < nedges; e++) {

        for (i = 0; i < nworkers; i++) {
            if (workers[e][i].busy || !workers[e][i].started || drains[e]) {
                upset[e] = now.mono;
            }
        }

        if (edges[e].denials.sh->fleet.asked) {
            asked[e] = now.mono;
        }

        if (there && now.mono >= cut[e]) {
            lonely[e] = 0;
            continue;
        }

        if (lonely[e] == 0) {
            lonely[e] = now.mono;
        }

        away[e] = ngx_max(away[e], now.mono);

        /* it waits for a moment, or has left the lease to others */

        ms = edges[e].mcf.feed.interval;
        since = ngx_max(lonely[e], upset[e]) + NOTICED + 3 * ms;

        if (!feeding || now.mono <= since) {
            continue;
        }

        fault(SIM_FLEET_ALONE);

        if (now.mono > polled[e] + ms + POLLED) {
            sim_fail("alone: edge %u has no Redis for %u ms, and has not asked "
                     "the API for a list for %u ms", (unsigned) e,
                     (unsigned) (now.mono - lonely[e]),
                     (unsigned) (now.mono - polled[e]));
        }
    }
}


/* while all edges are healthy, the API is polled, and they know of it */

static void
fleet_feeds(void)
{
    uint64_t        ms, since, read, untold;
    ngx_uint_t      e, o, n;
    ngx_agt_feed_e  state;

    for (e = 0; e < nedges && feeding; e++) {
        ms = edges[e].mcf.feed.interval;
        since = ngx_max(ngx_max(moved, full), hidden[e]);
        read = 0;
        untold = 0;
        n = 0;

        for (o = 0; o < nedges; o++) {

            if (edges[o].mcf.feed.interval != ms) {
                continue;
            }

            since = (steady[o] == 0 || now.mono > good[o])
                    ? now.mono
                    : ngx_max(ngx_max(since, steady[o]),
                              ngx_max(upset[o], away[o]));

            read = ngx_max(read, read_list[o]);
            untold = ngx_max(untold, ngx_max(mute[o] + 2 * ms, asked[o]));
            n += (now.mono < mute[o] + 2 * ms);
        }

        if (now.mono > since + HEARD + ms + POLLED + n * PASSED
            && now.mono > read + ms + POLLED + n * PASSED)
        {
            sim_fail("unread: all edges like edge %u are healthy for %u ms, "
                     "and none of them has read a list for %u ms",
                     (unsigned) e, (unsigned) (now.mono - since),
                     (unsigned) (now.mono - read));
        }

        state = master.process->feed(&edges[e], 0, now.mono);

        if (now.mono > ngx_max(since, untold) + HEARD + 3 * ms + TOLD
            && state != NGX_AGT_FEED_HEALTHY
            && state != NGX_AGT_FEED_INCOMPLETE)
        {
            sim_fail("untold: all edges like edge %u are healthy for %u ms, "
                     "and the state of its feed is %u", (unsigned) e,
                     (unsigned) (now.mono - since), (unsigned) state);
        }
    }
}


/* the API gives an edge no list for a while */

static void
fleet_mutes(ngx_uint_t edge, uint64_t ms)
{
    uint64_t    until;
    ngx_uint_t  e, o;

    fault(SIM_FLEET_MUTE);
    tell("the API gives edge %u no list for %u ms", (unsigned) edge,
         (unsigned) ms);

    mute[edge] = now.mono + ms;

    for (e = 0; e < nedges; e++) {
        until = mute[e];

        for (o = 0; o < nedges; o++) {
            if (edges[o].mcf.feed.interval == edges[e].mcf.feed.interval) {
                until = ngx_min(until, mute[o]);
            }
        }

        hidden[e] = ngx_max(hidden[e], until);
    }
}


/* an edge has confirmed a denial, or has learned it from its API */

void
fleet_denies(ngx_uint_t edge, ngx_agt_denial_kind_e kind, ngx_uint_t token,
    int64_t until, int64_t before)
{
    act_t         *a;
    u_char         digest[NGX_AGT_DIGEST_LEN];
    ngx_str_t      value;
    ngx_uint_t     i;
    redis_data_t  *d;

    /* each poll learns the same once more */

    for (i = 0; i < nacts && kind == NGX_AGT_DENIAL_JTI; i++) {
        a = &acts[i];

        if (a->kind == kind && a->token == token && a->what.until >= until
            && a->known[edge])
        {
            return;
        }
    }

    if (nacts == ACTS) {
        return;
    }

    a = &acts[nacts++];

    memset(a, 0, sizeof(act_t));

    a->kind = kind;
    a->token = token;
    a->edge = edge;
    a->before = before;
    a->what.kind = NGX_AGT_FLEET_DENIAL;
    a->what.until = until;
    a->what.before = (kind == NGX_AGT_DENIAL_SUBJECT) ? before : 0;
    a->known[edge] = now.mono;

    model_value(kind, token, digest, &value);

    if (master.process->key(a->what.key, &edges[edge], kind, &value)
        != NGX_OK)
    {
        sim_fail("start: a denial has no key");
    }

    d = &fleet_primary()->data;

    for (i = 0; i < d->n && a->told == 0; i++) {
        if (fleet_covers(d->entries[i].what, &a->what)) {
            a->told = now.mono;
        }
    }

    tell("edge %u denies kind %u of token %u until %ld", (unsigned) edge,
         (unsigned) kind, (unsigned) token, (long) (until - epoch));
}


static void
fleet_looks(ngx_uint_t edge)
{
    ngx_agt_denials_t  *denials;

    denials = &edges[edge].denials;

    if (!denials_are_quiet(edge)) {
        return;
    }

    if (denials->sh->fleet.read != seen[edge]) {
        seen[edge] = denials->sh->fleet.read;
        fleet_learns(edge);
    }

    if (master.process->fleet(&edges[edge], now.mono)
        != NGX_AGT_FLEET_HEALTHY)
    {
        healthy[edge] = 0;
        steady[edge] = 0;
        gap[edge] = 0;
        return;
    }

    if (steady[edge] == 0 || now.mono > good[edge]) {
        steady[edge] = now.mono;
    }

    good[edge] = denials->sh->fleet.until;

    if (healthy[edge] == 0) {
        tell("edge %u is healthy", (unsigned) edge);
        healthy[edge] = now.mono;
    }

    fleet_healthy(edge);
}


/* what it has read it must refuse from now on */

static void
fleet_learns(ngx_uint_t edge)
{
    act_t       *a;
    ngx_uint_t   i;

    for (i = 0; i < nacts; i++) {
        a = &acts[i];

        if (a->known[edge] == 0 && a->what.until > now.wall
            && master.process->knows(&edges[edge], &a->what, &now))
        {
            tell("edge %u has read of kind %u of token %u", (unsigned) edge,
                 (unsigned) a->kind, (unsigned) a->token);

            a->known[edge] = now.mono;
            model_learns(edge, a->kind, a->token, a->what.until, a->before);
            report->counts.learned++;
        }
    }
}


static void
fleet_healthy(ngx_uint_t edge)
{
    uint64_t        bit;
    ngx_uint_t      i;
    redis_node_t   *node;
    redis_entry_t  *e;
    ngx_agt_fleet_state_t  *state;

    report->counts.shared++;

    state = &edges[edge].denials.sh->fleet;

    if (now.mono > pinged[edge] + SILENCE) {
        sim_fail("silent: edge %u is healthy, and has had no answer for %u ms",
                 (unsigned) edge, (unsigned) (now.mono - pinged[edge]));
    }

    if (wall_ms() > marked + MARK_AGE) {
        sim_fail("old: edge %u is healthy, and the last mark is of %u ms ago",
                 (unsigned) edge, (unsigned) (wall_ms() - marked));
    }

    if (master.process->missing(&edges[edge]) == 0) {
        gap[edge] = 0;

    } else if (gap[edge] == 0) {
        gap[edge] = now.mono;

    } else if (now.mono > gap[edge] + SILENCE) {
        sim_fail("gap: edge %u is healthy, and misses entries",
                 (unsigned) edge);
    }

    node = fleet_primary();

    if (node->data.epoch[0] && now.mono > node->emptied + EMPTIED
        && memcmp(node->data.epoch, state->epoch, NGX_AGT_FLEET_EPOCH_LEN)
           != 0)
    {
        sim_fail("epoch: edge %u is healthy, and the stream is another one "
                 "since %u ms", (unsigned) edge,
                 (unsigned) (now.mono - node->emptied));
    }

    bit = (uint64_t) 1 << (edge * 20 + lives[edge] % 20);

    for (i = 0; i < node->data.n; i++) {
        e = &node->data.entries[i];

        if (now.mono <= e->at + SILENCE) {
            break;
        }

        if (e->seen & bit) {
            continue;
        }

        if (e->what->kind == NGX_AGT_FLEET_DENIAL && e->what->until > now.wall
            && !master.process->knows(&edges[edge], e->what, &now))
        {
            sim_fail("healthy: edge %u is, and does not know %lu-%lu, which "
                     "is there for %u ms", (unsigned) edge,
                     (unsigned long) (e->id.ms - epoch * 1000),
                     (unsigned long) e->id.seq,
                     (unsigned) (now.mono - e->at));
        }

        e->seen |= bit;
    }
}


/* an entry has come into the stream of a primary */

void
fleet_told(const sim_entry_t *e)
{
    ngx_uint_t  i;

    report->counts.entries++;

    for (i = 0; i < nacts; i++) {
        if (acts[i].told == 0 && fleet_covers(e, &acts[i].what)) {
            acts[i].told = now.mono;
        }
    }
}


/* the first "n" entries are trimmed: none of them may be missed */

void
fleet_trims(ngx_uint_t edge, const redis_data_t *d, ngx_uint_t n)
{
    ngx_uint_t           i, k;
    const sim_entry_t   *e;

    for (i = 0; i < n; i++) {
        e = d->entries[i].what;

        if (e->kind != NGX_AGT_FLEET_DENIAL || e->until <= now.wall) {
            continue;
        }

        if (ntrimmed < ACTS) {
            trimmed[ntrimmed++] = e;
        }

        if (fleet_is_gone(edge, e)) {
            continue;
        }

        for (k = n; k < d->n; k++) {
            if (fleet_covers(d->entries[k].what, e)) {
                break;
            }
        }

        if (k == d->n) {
            sim_fail("trimmed: %lu-%lu, a denial that still counts",
                     (unsigned long) (d->entries[i].id.ms - epoch * 1000),
                     (unsigned long) d->entries[i].id.seq);
        }
    }
}


/*
 * 1 if a fault has deleted an entry with the same denial; or if such an entry
 * of this edge has been trimmed, while the edge still tells others that it
 * stands: a new edge misses it.
 */

static ngx_uint_t
fleet_is_gone(ngx_uint_t edge, const sim_entry_t *e)
{
    uint64_t    first;
    ngx_uint_t  i;

    for (i = 0; i < ngone; i++) {
        if (fleet_covers(gone[i], e)) {
            return 1;
        }
    }

    first = master.process->first(&edges[edge]);

    for (i = 0; i < ntrimmed; i++) {
        if (trimmed[i] != e && first && trimmed[i]->number >= first
            && memcmp(trimmed[i]->writer,
                      edges[edge].denials.sh->fleet.writer, sizeof(e->writer))
               == 0
            && fleet_covers(trimmed[i], e))
        {
            return 1;
        }
    }

    return 0;
}


/* 1 if an entry denies all that another one does */

static ngx_uint_t
fleet_covers(const sim_entry_t *e, const sim_entry_t *other)
{
    return e->kind == NGX_AGT_FLEET_DENIAL && e->until >= other->until
           && e->before >= other->before
           && memcmp(e->key, other->key, sizeof(e->key)) == 0;
}


/* two edges that say they know everything know the same, after a while */

static void
fleet_agrees(void)
{
    act_t       *a;
    uint64_t     since;
    ngx_uint_t   i, e, o;

    for (i = 0; i < nacts; i++) {
        a = &acts[i];

        if (a->told == 0 || a->what.until <= now.wall) {
            continue;
        }

        for (e = 0; e < nedges; e++) {
            for (o = 0; o < nedges; o++) {

                if (!healthy[e] || !healthy[o] || a->known[e]
                    || !a->known[o])
                {
                    continue;
                }

                since = ngx_max(ngx_max(healthy[e], healthy[o]),
                                ngx_max(a->known[o], a->told));

                if (now.mono > since + APART) {
                    sim_fail("apart: edges %u and %u are healthy for %u ms, "
                             "and only the latter knows kind %u of token %u",
                             (unsigned) e, (unsigned) o,
                             (unsigned) (now.mono - since),
                             (unsigned) a->kind, (unsigned) a->token);
                }
            }
        }
    }
}


static redis_node_t *
fleet_primary(void)
{
    return nodes[1].primary ? &nodes[1] : &nodes[0];
}


/* one thing goes wrong */

static void
fleet_fault(void)
{
    uint64_t       ms;
    ngx_uint_t     e, i, k, n;
    redis_data_t  *d;
    sim_worker_t  *w;

    e = below(nedges);
    w = &workers[e][below(nworkers)];
    i = (ngx_uint_t) (fleet_primary() - nodes);
    d = &nodes[i].data;
    ms = below(4) ? below(2000) : below(12000);

    n = below(18);

    for (k = 0; k < 8 && !(enabled & ((ngx_uint_t) 1 << n)); k++) {
        n = below(18);
    }

    trouble++;

    switch (n) {

    case 0:
        if (w->started) {
            fault(SIM_FLEET_KILLED);
            tell("worker %u/%u is killed", (unsigned) e,
                 (unsigned) w->number);
            fleet_kill(w);
        }

        break;

    case 1:
        if (w->started && !w->busy && !drains[e]) {
            fault(SIM_FLEET_QUIT);
            tell("worker %u/%u exits", (unsigned) e, (unsigned) w->number);
            schedule_quit(w);
            due[e][w->number] = now.mono + below(1000);
        }

        break;

    case 2:
        if (below(3) == 0) {
            fault(SIM_FLEET_LOST);
            tell("the machine of edge %u is lost", (unsigned) e);
            fleet_lose(e);
        }

        break;

    case 3:
    case 4:

        /* now and then for so long that it has to poll by itself */

        if (n == 4) {
            ms = 5000 + below(10000);
        }

        fault(SIM_FLEET_CUT);
        tell("edge %u is cut off for %u ms", (unsigned) e, (unsigned) ms);
        cut[e] = now.mono + ms;
        away[e] = ngx_max(away[e], cut[e]);
        break;

    case 5:
        fault(SIM_FLEET_SLOW);
        tell("the network of edge %u is slow for %u ms", (unsigned) e,
             (unsigned) ms);
        slow[e] = now.mono + ms;
        away[e] = ngx_max(away[e], slow[e]);
        break;

    case 6:
        if (below(2)) {
            fault(SIM_FLEET_HANGS);
            tell("a connection of edge %u hangs for %u ms", (unsigned) e,
                 (unsigned) ms);
            redis_hang(e, now.mono + ms);
            away[e] = ngx_max(away[e], now.mono + ms);
            break;
        }

        fault(SIM_FLEET_DROPPED);
        tell("connections of edge %u are dropped", (unsigned) e);
        redis_cut(below(2) ? REDIS_ANY : i, e);
        away[e] = ngx_max(away[e], now.mono);
        break;

    case 7:
        fault(SIM_REDIS_STOPPED);
        tell("Redis %u is stopped for %u ms", (unsigned) i, (unsigned) ms);
        nodes[i].stopped = now.mono + ms;
        moved = now.mono;
        break;

    case 8:
        fault(SIM_REDIS_RESTARTED);
        fleet_down(i, BACK_WHOLE);
        break;

    case 9:
        fault(SIM_REDIS_BEHIND);
        fleet_down(i, BACK_BEHIND);
        break;

    case 10:
        fault(SIM_REDIS_EMPTY);
        fleet_down(i, BACK_EMPTY);
        break;

    case 11:
        if (nodes[i].up) {
            fault(SIM_REDIS_FLUSHED);
            tell("Redis %u is flushed", (unsigned) i);
            redis_empty(d);
            moved = now.mono;
        }

        break;

    case 12:
    case 13:
        if (!nodes[i].up || !nodes[1 - i].up) {
            break;
        }

        if (n == 12) {
            redis_copy(&nodes[1 - i].data, d);
        }

        fault(nodes[1 - i].data.n == d->n ? SIM_REDIS_FAILOVER
                                          : SIM_REDIS_FAR_BEHIND);
        fleet_failover();
        break;

    case 14:
        fault(SIM_REDIS_FULL);
        tell("Redis %u is full for %u ms", (unsigned) i, (unsigned) ms);
        nodes[i].oom = 1;
        full = now.mono + 2 * ms;
        break;

    case 15:
        if (below(8) == 0) {
            fault(SIM_FLEET_DAY);
            tell("a day passes");
            pass(86400000 + below(86400000));
            memset(lonely, 0, sizeof(lonely));
            break;
        }

        if (below(2)) {
            fault(SIM_REDIS_LOSES);
            nodes[i].loses = 1 + below(3);
            break;
        }

        if (d->n && ngone < ACTS) {
            fault(SIM_REDIS_DELETED);

            n = below(2) ? below(d->n) : d->n - 1;

            tell("entry %lu-%lu is deleted",
                 (unsigned long) (d->entries[n].id.ms - epoch * 1000),
                 (unsigned long) d->entries[n].id.seq);

            gone[ngone++] = d->entries[n].what;

            d->n--;
            memmove(&d->entries[n], &d->entries[n + 1],
                    (d->n - n) * sizeof(redis_entry_t));
        }

        break;

    case 16:
        fleet_mutes(e, 3000 + below(12000));
        break;

    case 17:
        fleet_drain(e);
        break;
    }
}


static void
fleet_kill(sim_worker_t *w)
{
    kill_worker(w);
    due[w->edge][w->number] = now.mono + below(below(8) ? 100 : 8000);
}


/* nginx is told to end: its workers tell the fleet what they know, and exit */

static void
fleet_drain(ngx_uint_t edge)
{
    ngx_uint_t     i;
    redis_node_t  *node;

    for (i = 0; i < nworkers; i++) {
        if (!workers[edge][i].started || workers[edge][i].busy) {
            return;
        }
    }

    fault(SIM_FLEET_ENDED);
    tell("edge %u ends", (unsigned) edge);

    node = fleet_primary();
    drains[edge] = 1;
    troubles[edge] = trouble + kills;

    /* an edge tells its own denials; what it has of others may stand nowhere */

    if (!healthy[edge] || edges[edge].denials.sh->fleet.asked
        || now.mono < away[edge] || now.mono < node->stopped || !node->up
        || node->oom || node->loses
        || (node->lost && now.mono - node->lost < QUIET))
    {
        trouble++;
    }

    for (i = 0; i < nworkers; i++) {
        schedule_simple(&workers[edge][i], SIM_TASK_DRAIN, 0, 0);
    }
}


/* those that are done exit; when all have, another nginx starts */

static void
fleet_drained(ngx_uint_t edge)
{
    act_t         *a;
    uint64_t       heard;
    ngx_uint_t     e, i, running;
    sim_worker_t  *w;

    running = 0;

    for (i = 0; i < nworkers; i++) {
        w = &workers[edge][i];

        if (w->started && !w->busy && w->process->drained()) {
            tell("worker %u/%u is done", (unsigned) edge, (unsigned) i);
            schedule_quit(w);
        }

        running += (w->started || w->busy);
    }

    if (running) {
        return;
    }

    for (i = 0; i < nacts && troubles[edge] == trouble + kills; i++) {
        a = &acts[i];
        heard = a->told;

        for (e = 0; e < nedges; e++) {
            heard |= (e == edge) ? 0 : a->known[e];
        }

        if (a->edge == edge && a->known[edge] && !heard
            && a->what.until > now.wall + 1)
        {
            sim_fail("ended: edge %u has not told kind %u of token %u",
                     (unsigned) edge, (unsigned) a->kind, (unsigned) a->token);
        }
    }

    tell("edge %u has ended", (unsigned) edge);

    fleet_lose(edge);

    for (i = 0; i < nworkers; i++) {
        due[edge][i] = now.mono + below(2000);
    }
}


/* another machine takes its place, with memory of its own */

static void
fleet_lose(ngx_uint_t edge)
{
    ngx_uint_t  i;

    for (i = 0; i < nworkers; i++) {
        if (workers[edge][i].started || workers[edge][i].busy) {
            fleet_kill(&workers[edge][i]);
        }
    }

    drains[edge] = 0;
    model_loses(edge);

    for (i = 0; i < nacts; i++) {
        acts[i].known[edge] = 0;
    }

    schedule_edge(&edges[edge]);

    healthy[edge] = 0;
    steady[edge] = 0;
    gap[edge] = 0;
    seen[edge] = 0;
}


static void
fleet_down(ngx_uint_t node, ngx_uint_t how)
{
    if (!nodes[node].up) {
        return;
    }

    tell("Redis %u ends", (unsigned) node);

    nodes[node].up = 0;
    nodes[node].stopped = 0;
    back[node] = now.mono + 1 + below(below(4) ? 500 : 6000);
    how_back[node] = how;
    moved = now.mono;

    redis_cut(node, REDIS_ANY);
}


static void
fleet_back(void)
{
    ngx_uint_t     i;
    redis_node_t  *node;

    if (now.mono >= full) {
        nodes[0].oom = 0;
        nodes[1].oom = 0;
    }

    for (i = 0; i < REDIS_NODES; i++) {
        node = &nodes[i];

        if (node->up || now.mono < back[i]) {
            continue;
        }

        node->up = 1;
        node->emptied = now.mono;
        moved = now.mono;

        switch (how_back[i]) {

        case BACK_BEHIND:
            redis_copy(&node->data, &disk);
            break;

        case BACK_EMPTY:
            redis_empty(&node->data);
            break;

        case BACK_REPLICA:
            redis_copy(&node->data, &fleet_primary()->data);
            break;
        }

        tell("Redis %u is back with %u entries", (unsigned) i,
             (unsigned) node->data.n);
    }
}


static void
fleet_failover(void)
{
    ngx_uint_t     i;
    redis_node_t  *node;

    i = (ngx_uint_t) (fleet_primary() - nodes);
    node = &nodes[1 - i];

    tell("Redis %u takes over with %u entries of %u", (unsigned) (1 - i),
         (unsigned) node->data.n, (unsigned) nodes[i].data.n);

    /* the old primary is gone, or goes on as a replica */

    redis_demote(i);

    if (below(2)) {
        fleet_down(i, BACK_REPLICA);
    }

    /*
     * Sentinel ends all connections of a primary that it makes a replica.  If
     * they stayed open, an edge would not notice that a node which soon is the
     * primary again has lost entries.
     */

    if (node->demoted && now.mono - node->demoted < AGAIN) {
        redis_cut(1 - i, REDIS_ANY);
    }

    redis_copy(&node->data, &node->data);
    node->primary = 1;
    node->emptied = now.mono;
    moved = now.mono;
}


/* nothing goes wrong any more */

void
fleet_end(void)
{
    uint64_t      begun, before;
    ngx_uint_t    e, i, k;
    sim_task_t    task;
    redis_data_t  *d;

    calm = 1;

    tell("from now on nothing goes wrong");

    memset(cut, 0, sizeof(cut));
    memset(slow, 0, sizeof(slow));
    memset(back, 0, sizeof(back));
    memset(due, 0, sizeof(due));

    for (e = 0; e < nedges; e++) {
        hidden[e] = ngx_min(hidden[e], now.mono);
        away[e] = ngx_min(away[e], now.mono);
        mute[e] = ngx_min(mute[e], now.mono);
    }

    for (i = 0; i < REDIS_NODES; i++) {
        nodes[i].stopped = 0;
        nodes[i].loses = 0;
    }

    redis_release();
    full = ngx_min(full, now.mono);
    grain = 50;

    fleet_back();

    /* a denial that neither Redis nor an edge has cannot be known */

    d = &fleet_primary()->data;

    for (i = 0; i < nacts; i++) {
        acts[i].lost = 1;

        for (e = 0; e < nedges; e++) {
            if (acts[i].known[e] && !drains[e]) {
                acts[i].lost = 0;
            }
        }

        for (k = 0; k < d->n; k++) {
            if (fleet_covers(d->entries[k].what, &acts[i].what)) {
                acts[i].lost = 0;
            }
        }
    }

    begun = now.mono;
    before = 0;

    do {
        fleet_run(500);
        fleet_feeds();

    } while (!fleet_is_well(now.mono > begun + HEALED));

    report->counts.healing += now.mono - begun;

    memset(&task, 0, sizeof(sim_task_t));

    task.task = SIM_TASK_BODY;

    for (i = 0; i < SIM_REQUESTS; i++) {
        if (requests[i].used && requests[i].visit && requests[i].reading) {
            task.request = &requests[i];
            start(worker_of_request(&requests[i]), &task);
        }
    }

    /* what is told again after a gap comes to an end */

    begun = now.mono;

    do {
        if (now.mono > begun + HEALED) {
            sim_fail("bound: %u entries have come in %u ms, and nothing "
                     "happens", (unsigned) (added - before), QUIET);
        }

        before = added;
        fleet_run(QUIET);
        fleet_feeds();

    } while (added > before + QUIET / 2000 + 2 + fleet_later());

    /* what a feed has learned in the last moment is still to be told */

    for (begun = now.mono;
         !fleet_is_well(now.mono > begun + HEALED);
         fleet_run(100))
    {
        /* void */
    }

    model_looks(1);
    model_ends();

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < nworkers; i++) {
            schedule_quit(&workers[e][i]);
        }
    }
}


/* entries that polls may add: ends that are not known move in steps */

static uint64_t
fleet_later(void)
{
    uint64_t    step;
    ngx_uint_t  e, i, n;

    step = (uint64_t) -1;

    for (e = 0; e < nedges; e++) {
        step = ngx_min(step, (uint64_t) edges[e].mcf.api.revocation_ttl / 8);
    }

    n = 0;

    for (i = 0; i < api_ntokens && feeding; i++) {
        n += (api_tokens[i].revoked && api_tokens[i].t.exp == 0);
    }

    /* feeds that are not alike may learn it at the same time */

    return (1 + odd) * n * (QUIET / 1000 / step + 1);
}


/* 1 if all edges are healthy and know everything; "last": or it fails */

static ngx_uint_t
fleet_is_well(ngx_uint_t last)
{
    act_t           *a;
    ngx_uint_t       e, i, n;
    ngx_agt_feed_e   state;

    for (e = 0; e < nedges; e++) {

        if (master.process->fleet(&edges[e], now.mono)
            != NGX_AGT_FLEET_HEALTHY)
        {
            if (last) {
                sim_fail("heals: edge %u is not healthy, its state is %u",
                         (unsigned) e,
                         (unsigned) master.process->fleet(&edges[e],
                                                          now.mono));
            }

            return 0;
        }

        state = master.process->feed(&edges[e], 0, now.mono);

        if (feeding && state != NGX_AGT_FEED_HEALTHY
            && state != NGX_AGT_FEED_INCOMPLETE)
        {
            if (last) {
                sim_fail("heals: the feed of edge %u is not healthy, its state "
                         "is %u", (unsigned) e, (unsigned) state);
            }

            return 0;
        }

        /* also a denial whose worker was killed before it confirmed it */

        for (i = 0; i < nedges; i++) {
            n = master.process->lacks(&edges[e], &edges[i], &now);

            if (n && last) {
                sim_fail("lacks: edge %u has not %u denials of edge %u",
                         (unsigned) e, (unsigned) n, (unsigned) i);
            }

            if (n) {
                return 0;
            }
        }

        for (i = 0; i < nacts; i++) {
            a = &acts[i];

            if (a->lost || a->what.until <= now.wall
                || master.process->knows(&edges[e], &a->what, &now))
            {
                continue;
            }

            if (last) {
                sim_fail("missed: edge %u does not know kind %u of token %u, "
                         "%s Redis", (unsigned) e, (unsigned) a->kind,
                         (unsigned) a->token,
                         a->told ? "which was told to" : "nor does");
            }

            return 0;
        }
    }

    return 1;
}
