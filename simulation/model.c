
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * What must hold, whatever happens:
 *
 *  - no token passes that was denied, once its denial was made known, for as
 *    long as it lasts; nor at or beyond its expiry, or after it was seen there;
 *    nor on facts that are older than the location allows, or older than facts
 *    that were learnt since; nor on facts of another token or another origin;
 *  - a feed that says it is healthy has denied all that the API has told for as
 *    long as a healthy feed may take, and has been answered lately;
 *  - no denial is lost while shared memory lasts, and the API is told of each
 *    sign-out some day;
 *  - one call is made for a key at a time, and every wait ends.
 */

#include "host.h"

#include "api/call.h"
#include "request/context.h"


typedef struct {
    ngx_uint_t              edge;
    ngx_agt_denial_kind_e   kind;
    ngx_uint_t              token;     /* denied token; may be a listed one */
    uint64_t                mono;      /* its end */
    int64_t                 wall;
    int64_t                 before;
    unsigned                over:1;
} denial_t;


/* the last answer about a token, unless it was dropped since */

typedef struct {
    uint64_t                sent;
    uint64_t                order;
    uint64_t                losses;
} newest_t;


/* a sign-out of which the API must hear */

typedef struct {
    ngx_uint_t              edge;
    ngx_uint_t              token;
    int64_t                 wall;      /* its end */
    ngx_uint_t              over;      /* the clock has reached it */
} sign_out_t;


static void model_passed(sim_request_t *q, const sim_outcome_t *outcome);
static void model_signed_out(sim_request_t *q, const sim_outcome_t *outcome);
static void model_is_denied(ngx_uint_t edge, ngx_agt_denial_kind_e kind,
    ngx_uint_t token, int64_t until, int64_t before);
static ngx_uint_t model_covers(const denial_t *d, ngx_uint_t token);
static void model_add(ngx_uint_t edge, ngx_agt_denial_kind_e kind,
    ngx_uint_t token, uint64_t mono, int64_t until, int64_t before);
static int64_t model_ttl(ngx_uint_t edge);
static uint64_t model_losses(ngx_uint_t edge);
static uint64_t model_read(ngx_uint_t edge);
static void model_feed(ngx_uint_t edge, ngx_uint_t all);
static void model_denials(ngx_uint_t edge, ngx_uint_t all);
static void model_wrong(const sim_request_t *q, const char *what);


/* a session and a subject have one name, and nothing to do with each other */

const sim_token_t  tokens[SIM_TOKENS] = {
    { "token-0", "jti-0", "session-a", "sub-a", 40, -100 },
    { "token-1", "jti-1", "session-a", "sub-b", 0, -100 },
    { "token-2", "", "session-b", "sub-a", 200, -100 },
    { "token-3", "jti-3", "session-b", "sub-b", 90, 0 },
    { "token-4", "jti-4", "", "sub-c", 15, -5 },
    { "token-5", "jti-5", "sub-b", "sub-a", 150, 20 }
};

uint64_t           read_list[SIM_EDGES];  /* sent of the last that was read */
answer_t           answers[SIM_ANSWERS];
ngx_uint_t         nanswers;
sim_request_t      requests[SIM_REQUESTS];
ngx_agt_clock_t    now;
int64_t            epoch;
uint64_t           step_number;

static newest_t    newest[SIM_EDGES][SIM_ORIGINS][SIM_TOKENS];
static denial_t    denials[SIM_DENIALS + SIM_EDGES * SIM_LISTED];
static ngx_uint_t  ndenials;

/* of them the last of its kind, plus one; those of a 410 apart */

static ngx_uint_t  last[SIM_EDGES][NGX_AGT_DENIAL_KINDS]
                       [SIM_TOKENS + SIM_LISTED][2];

static sign_out_t  sign_outs[SIM_REQUESTS];
static ngx_uint_t  nsign_outs;

/* why a token may be refused: it was denied here once, or the API said no */

static ngx_uint_t  may_be_revoked[SIM_EDGES][SIM_TOKENS];
static ngx_uint_t  may_be_unknown[SIM_EDGES][SIM_ORIGINS][SIM_TOKENS];

/* requests that wait, or may */

static ngx_uint_t  waiting[SIM_REQUESTS];
static ngx_uint_t  nwaiting;

static uint64_t    removals[SIM_EDGES];
static uint64_t    clock_set;             /* when a wall clock was set */
static ngx_uint_t  lied[SIM_TOKENS];      /* the API said no of it once */


void
model_begin(void)
{
    nanswers = 0;
    ndenials = 0;
    nsign_outs = 0;
    nwaiting = 0;
    step_number = 0;
    clock_set = 0;

    memset(newest, 0, sizeof(newest));
    memset(requests, 0, sizeof(requests));
    memset(removals, 0, sizeof(removals));
    memset(read_list, 0, sizeof(read_list));
    memset(lied, 0, sizeof(lied));
    memset(may_be_revoked, 0, sizeof(may_be_revoked));
    memset(may_be_unknown, 0, sizeof(may_be_unknown));
    memset(last, 0, sizeof(last));
}


/* time has passed */

void
model_time(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ndenials; i++) {
        if (now.mono >= denials[i].mono && now.wall >= denials[i].wall) {
            denials[i].over = 1;
        }
    }

    /* a sign-out that has ended stays over, even if the clock is set back */

    for (i = 0; i < nsign_outs; i++) {
        if (now.wall >= sign_outs[i].wall) {
            sign_outs[i].over = 1;
        }
    }
}


void
model_stepped(void)
{
    clock_set = now.mono;
    stepped = 1;
}


/* a call is made: no other may be under way for the same key */

void
model_sent(sim_call_t *call)
{
    ngx_uint_t             i;
    sim_call_t            *other;
    const ngx_agt_call_t  *c, *mine;

    if (call->operation != SIM_INTROSPECT || call->origin == 2) {
        return;
    }

    for (i = 0; i < ncalls; i++) {
        other = &calls[i];

        if (other == call || !other->used || other->edge != call->edge
            || other->operation != SIM_INTROSPECT
            || other->token != call->token || other->origin != call->origin)
        {
            continue;
        }

        /*
         * A call that takes longer than its waiters is not joined any more.
         * Nor is a call whose mark found no place, or was lost with the zone.
         * A worker that was stopped for so long that its mark was taken over
         * goes on as if nothing had happened.
         */

        c = other->request.data;
        mine = call->request.data;

        if (c->flight.id == 0 || mine->flight.id == 0
            || now.mono >= c->started + c->patience
            || now.mono >= mine->started + mine->patience
            || edges[call->edge].zone.sh->counts[NGX_AGT_COUNT_RECOVERED]
               != other->recovered)
        {
            continue;
        }

        sim_fail("twice: a call for %s, origin %u, is made by worker %u/%u, "
                 "while worker %u/%u makes one since %u ms",
                 tokens[call->token].token, (unsigned) call->origin,
                 (unsigned) call->edge, (unsigned) call->worker,
                 (unsigned) other->edge, (unsigned) other->worker,
                 (unsigned) (now.mono - other->since));
    }

    call->recovered =
        edges[call->edge].zone.sh->counts[NGX_AGT_COUNT_RECOVERED];
}


void
model_before(sim_worker_t *w, const sim_call_t *call)
{
    w->answered = *call;
    w->before = model_losses(w->edge);
}


/* the module has read an answer, and has not gone on to anything else */

void
sim_answered(void)
{
    u_char             digest[NGX_AGT_DIGEST_LEN];
    int64_t            until, step;
    newest_t          *n;
    ngx_str_t          value;
    ngx_uint_t         i;
    sim_call_t        *call;
    sim_worker_t      *w;
    ngx_agt_clock_t    clock;
    const sim_token_t *t;

    w = current;
    call = &w->answered;

    if (call->result.error != NGX_AGT_CURL_OK || call->api != 0) {
        return;
    }

    switch (call->operation) {

    case SIM_INTROSPECT:
        t = &tokens[call->token];

        if (call->answer) {
            answers[call->answer - 1].read = step_number;
        }

        if ((call->result.status == 200 && call->answer)
            || (call->result.status == 404 && call->body_is_json))
        {
            n = &newest[w->edge][call->origin][call->token];

            if (n->sent <= call->sent) {
                n->sent = call->sent;
                n->order = step_number;
                n->losses = w->before;
            }
        }

        if (call->result.status != 410) {
            return;
        }

        /* never active, as far as is known: for as long as "invalid" */

        until = w->now.wall + 1;
        clock = w->now;

        model_value(NGX_AGT_DENIAL_TOKEN, call->token, digest, &value);

        if (denials_are_quiet(w->edge)
            && master.process->denied(&edges[w->edge], NGX_AGT_DENIAL_TOKEN,
                                  &value, &clock))
        {
            /* or it had been denied before, by another part of that second */

            if (t->exp) {
                until = ngx_max(until, ngx_min(w->now.wall + model_ttl(w->edge),
                                               epoch + t->exp + 5));
            }
        }

        /* a worker that was stopped meanwhile writes a denial that has ended */

        if (until == w->now.wall + 1 && now.mono >= w->now.mono + 1000) {
            return;
        }

        model_is_denied(w->edge, NGX_AGT_DENIAL_TOKEN, call->token, until, 0);
        return;

    case SIM_LIST:

        if (!call->listed) {
            return;
        }

        read_list[w->edge] = ngx_max(read_list[w->edge], call->sent);

        for (i = 0; i < call->nrows; i++) {
            t = &api_tokens[call->rows[i]].t;

            until = t->exp ? epoch + t->exp + 6
                           : w->now.wall + model_ttl(w->edge);

            /* in a fleet, ends that are not known move in steps */

            if (fleet && t->exp == 0) {
                step = ngx_max(model_ttl(w->edge) / 8, 1);
                until += step - until % step;
            }

            if (until > w->now.wall) {
                model_is_denied(w->edge, NGX_AGT_DENIAL_JTI, call->rows[i],
                                until, 0);
            }
        }

        return;
    }
}


void
sim_hooked(ngx_agt_denial_kind_e kind, ngx_uint_t token, int64_t until,
    int64_t before)
{
    model_is_denied(current->edge, kind, token, until, before);
}


/* from now on the caller may rely on the denial */

static void
model_is_denied(ngx_uint_t edge, ngx_agt_denial_kind_e kind, ngx_uint_t token,
    int64_t until, int64_t before)
{
    uint64_t  mono;

    report->counts.denials++;

    mono = current->now.mono
           + (uint64_t) ngx_max(until - current->now.wall, 0) * 1000;

    model_add(edge, kind, token, mono, until, before);

    /* those of a 410 may be of a token that was never good there */

    if (fleet && (kind != NGX_AGT_DENIAL_TOKEN || before)) {
        fleet_denies(edge, kind, token, until, before);
    }
}


/* an edge has read the denial of another one */

void
model_learns(ngx_uint_t edge, ngx_agt_denial_kind_e kind, ngx_uint_t token,
    int64_t until, int64_t before)
{
    uint64_t  mono;

    /* how much is left of the second of its end is not known */

    until--;

    mono = now.mono + (uint64_t) ngx_max(until - now.wall, 0) * 1000;

    model_add(edge, kind, token, mono, until, before);
}


/* seconds for which a denial lasts if its end is not known */

static int64_t
model_ttl(ngx_uint_t edge)
{
    return edges[edge].mcf.api.revocation_ttl;
}


/* a machine is lost with all that it knew */

void
model_loses(ngx_uint_t edge)
{
    ngx_uint_t  i;

    for (i = 0; i < ndenials; i++) {
        if (denials[i].edge == edge) {
            denials[i].over = 1;
        }
    }

    for (i = 0; i < nsign_outs; i++) {
        if (sign_outs[i].edge == edge) {
            sign_outs[i].wall = 0;
        }
    }

    memset(newest[edge], 0, sizeof(newest[edge]));
}


static void
model_add(ngx_uint_t edge, ngx_agt_denial_kind_e kind, ngx_uint_t token,
    uint64_t mono, int64_t until, int64_t before)
{
    denial_t    *d;
    ngx_uint_t   i;

    i = last[edge][kind][token][before != 0];

    /* one that was there before and is still in force lasts no shorter */

    if (i) {
        d = &denials[i - 1];

        if (d->before >= before && !d->over) {
            d->mono = ngx_max(d->mono, mono);
            d->wall = ngx_max(d->wall, until);
            return;
        }
    }

    if (ndenials == sizeof(denials) / sizeof(denials[0])) {
        return;
    }

    d = &denials[ndenials++];

    last[edge][kind][token][before != 0] = ndenials;

    d->edge = edge;
    d->kind = kind;
    d->token = token;
    d->mono = mono;
    d->wall = until;
    d->before = before;
    d->over = (now.mono >= d->mono && now.wall >= d->wall);
}


static ngx_uint_t
model_covers(const denial_t *d, ngx_uint_t token)
{
    const sim_token_t  *t, *denied;

    t = &tokens[token];
    denied = sim_token(d->token);

    switch (d->kind) {

    case NGX_AGT_DENIAL_TOKEN:
        return d->token == token;

    case NGX_AGT_DENIAL_JTI:
        return strcmp(denied->jti, t->jti) == 0;

    case NGX_AGT_DENIAL_SESSION:
        return strcmp(denied->session, t->session) == 0;

    default:
        return strcmp(denied->sub, t->sub) == 0
               && (t->iat == 0 || epoch + t->iat <= d->before);
    }
}


void
model_value(ngx_agt_denial_kind_e kind, ngx_uint_t token, u_char *digest,
    ngx_str_t *value)
{
    const sim_token_t  *t;

    t = sim_token(token);

    if (kind == NGX_AGT_DENIAL_TOKEN) {
        master.process->digest(t->token, digest);

        value->data = digest;
        value->len = NGX_AGT_DIGEST_LEN;
        return;
    }

    value->data = (u_char *) (kind == NGX_AGT_DENIAL_JTI ? t->jti
                              : kind == NGX_AGT_DENIAL_SESSION ? t->session
                              : t->sub);
    value->len = strlen((char *) value->data);
}


const sim_token_t *
sim_token(ngx_uint_t token)
{
    return &api_tokens[token].t;
}


/* how often something may have been let go of */

static uint64_t
model_losses(ngx_uint_t edge)
{
    sim_edge_t  *e;

    e = &edges[edge];

    if (e->zone.facts->evictions + e->zone.invalid->evictions) {
        fault(SIM_EVICTED);
    }

    return e->zone.facts->evictions + e->zone.invalid->evictions
           + e->zone.sh->counts[NGX_AGT_COUNT_RECOVERED]
           + e->zone.sh->counts[NGX_AGT_COUNT_NOT_STORED]
           + e->denials.sh->generation + removals[edge];
}


void
sim_ended(sim_request_t *q, const sim_outcome_t *outcome)
{
    answer_t    *a;
    ngx_uint_t   i;

    q->healthy |= current->healthy;

    tell("request %u ends: %d, verdict %u, cache %u, facts \"%.*s\"",
         (unsigned) (q - requests), (int) outcome->status,
         (unsigned) outcome->verdict, (unsigned) outcome->cache,
         (int) outcome->email.len, (char *) outcome->email.data);

    if (q->location >= SIM_SIGN_OUT) {
        model_signed_out(q, outcome);
        return;
    }

    if (outcome->status == NGX_OK) {
        report->counts.allowed[outcome->cache]++;
        model_passed(q, outcome);
        return;
    }

    report->counts.refused[outcome->verdict]++;

    i = edges[q->edge].lcfs[q->location].origin - edges[q->edge].origins;

    if (outcome->verdict == NGX_AGT_VERDICT_INVALID
        && outcome->cache != NGX_AGT_CACHE_HIT
        && current->task.task == SIM_TASK_ANSWER)
    {
        report->counts.said_no++;
    }

    if (outcome->verdict == NGX_AGT_VERDICT_REVOKED
        && !may_be_revoked[q->edge][q->token]
        && api_tokens[q->token].revoked == 0)
    {
        sim_fail("refused: %s is, as if it was revoked, by location %u of "
                 "edge %u", tokens[q->token].token, (unsigned) q->location,
                 (unsigned) q->edge);
    }

    if (outcome->verdict == NGX_AGT_VERDICT_INVALID
        && !may_be_unknown[q->edge][i][q->token])
    {
        sim_fail("refused: %s is, as if it was unknown, by location %u of "
                 "edge %u", tokens[q->token].token, (unsigned) q->location,
                 (unsigned) q->edge);
    }

    if (outcome->verdict == NGX_AGT_VERDICT_EXPIRED && outcome->has_facts
        && outcome->cache == NGX_AGT_CACHE_HIT)
    {
        i = strtoul((char *) outcome->email.data, NULL, 10);
        a = &answers[i];

        if (a->late == 0 || a->seen < current->now.wall) {
            a->seen = current->now.wall;
            a->late = step_number;
        }

        /* its clock may be set back before the request is decided */

        if (outcome->late == 0 && q->wall >= epoch + tokens[q->token].exp) {
            sim_fail("expired: it is not kept how late %s was",
                     tokens[q->token].token);
        }
    }
}


/* may it pass? */

static void
model_passed(sim_request_t *q, const sim_outcome_t *outcome)
{
    int64_t                     end, wall;
    uint64_t                    age, limit, mono;
    answer_t                   *a;
    newest_t                   *n;
    ngx_uint_t                  i;
    const sim_call_t           *call;
    const sim_token_t          *t;
    const ngx_agt_loc_conf_t   *lcf;
    const ngx_agt_lifetimes_t  *l;

    t = &tokens[q->token];
    lcf = &edges[q->edge].lcfs[q->location];
    mono = current->now.mono;
    wall = current->now.wall;

    for (i = 0; i < ndenials; i++) {
        if (!denials[i].over && denials[i].edge == q->edge
            && model_covers(&denials[i], q->token))
        {
            model_wrong(q, "it was denied before");
        }
    }

    if (!outcome->has_facts || outcome->email.len == 0) {
        model_wrong(q, "nothing is known of it");
    }

    i = strtoul((char *) outcome->email.data, NULL, 10);

    if (i >= nanswers) {
        model_wrong(q, "the API has not said so");
    }

    a = &answers[i];

    if (a->token != q->token) {
        model_wrong(q, "these are the facts of another token");
    }

    if (a->origin != (ngx_uint_t) (lcf->origin - edges[q->edge].origins)) {
        model_wrong(q, "these are facts of another origin");
    }

    end = epoch + t->exp + lcf->leeway;

    if (t->exp && wall >= end) {
        model_wrong(q, "it has expired");
    }

    if (t->exp && a->late && a->late < q->order && a->seen >= end
        && outcome->cache == NGX_AGT_CACHE_HIT)
    {
        model_wrong(q, "it was seen to have expired");
    }

    l = &lcf->lifetimes;
    age = mono - ngx_min(a->sent, mono);

    limit = (q->healthy && t->jti[0] && t->exp) ? l->watched : l->active;

    switch (outcome->cache) {

    case NGX_AGT_CACHE_HIT:

        /* facts do not get older while their request waits for a body */

        if (lcf->rules) {
            age = q->arrived - ngx_min(a->sent, q->arrived);
        }

        if (age >= limit) {
            model_wrong(q, "what is known of it is too old");
        }

        n = &newest[q->edge][a->origin][q->token];

        if (n->sent > a->sent && n->order < q->order
            && n->losses == model_losses(q->edge))
        {
            model_wrong(q, "something newer was learnt since");
        }

        break;

    case NGX_AGT_CACHE_UPDATING:
        if (age > limit + l->update || age >= l->rights || !q->healthy) {
            model_wrong(q, "what is known of it is too old to be updated");
        }

        break;

    case NGX_AGT_CACHE_STALE:
        if (l->error == 0 || age > limit + l->error) {
            model_wrong(q, "what is known of it is too old even for a failing "
                           "API");
        }

        if (master.process->feed(&edges[q->edge], fed, mono)
            == NGX_AGT_FEED_DEAD)
        {
            model_wrong(q, "the feed is dead");
        }

        call = &current->answered;

        if (current->task.task == SIM_TASK_ANSWER
            && call->operation == SIM_INTROSPECT && call->token == q->token
            && call->origin == a->origin
            && call->result.error == NGX_AGT_CURL_OK
            && call->result.status != 429 && call->result.status < 500)
        {
            model_wrong(q, "the API has just said something else");
        }

        break;

    default:

        /* a call was under way, or had just ended */

        if (a->since + 4000 < q->arrived || (a->read && a->read < q->order)) {
            model_wrong(q, "the answer comes from another time");
        }
    }
}


static void
model_wrong(const sim_request_t *q, const char *what)
{
    sim_fail("allowed: %s passes location %u of edge %u, though %s",
             tokens[q->token].token, (unsigned) q->location,
             (unsigned) q->edge, what);
}


static void
model_signed_out(sim_request_t *q, const sim_outcome_t *outcome)
{
    u_char              digest[NGX_AGT_DIGEST_LEN];
    int64_t             until;
    ngx_str_t           value;
    ngx_uint_t          kind;
    const sim_token_t  *t;

    t = &tokens[q->token];

    if (outcome->status != NGX_HTTP_NO_CONTENT
        && outcome->status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        return;
    }

    if (!outcome->has_facts) {

        /* a token denied or revoked before may be signed out without facts */

        model_value(NGX_AGT_DENIAL_TOKEN, q->token, digest, &value);

        if (outcome->status == NGX_HTTP_NO_CONTENT && !lied[q->token]
            && api_tokens[q->token].revoked == 0
            && denials_are_quiet(q->edge)
            && !master.process->denied(&edges[q->edge], NGX_AGT_DENIAL_TOKEN,
                                       &value, &current->now))
        {
            sim_fail("sign-out: %s is signed out, and was not denied",
                     t->token);
        }

        return;
    }

    report->counts.signed_out++;

    /* its end depends on a clock that has been set since */

    if (clock_set >= q->arrived) {
        return;
    }

    /* how much is left of the second of the denial is not known */

    until = (t->exp ? epoch + t->exp + 6 : q->wall + model_ttl(q->edge)) - 1;

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {

        if (kind == NGX_AGT_DENIAL_SESSION) {

            if (q->location == SIM_SIGN_OUT) {
                break;
            }

            until = q->wall + model_ttl(q->edge) - 1;
        }

        if ((kind == NGX_AGT_DENIAL_JTI && t->jti[0] == '\0')
            || (kind == NGX_AGT_DENIAL_SESSION && t->session[0] == '\0'))
        {
            continue;
        }

        model_is_denied(q->edge, kind, q->token, until, q->wall);
    }

    /* the API need not hear of a token that has expired by now */

    if (nsign_outs < SIM_REQUESTS
        && (t->exp == 0 || epoch + t->exp > current->now.wall))
    {
        sign_outs[nsign_outs].edge = q->edge;
        sign_outs[nsign_outs].token = q->token;
        sign_outs[nsign_outs].wall = t->exp ? epoch + t->exp
                                            : q->wall + model_ttl(q->edge);
        sign_outs[nsign_outs].over = (now.wall >= sign_outs[nsign_outs].wall);
        nsign_outs++;
    }
}


void
model_arrives(ngx_uint_t request)
{
    waiting[nwaiting++] = request;
}


/* a worker has done all that was due: no waiter waits beyond the deadline */

void
model_waits(sim_worker_t *w)
{
    ngx_uint_t      i;
    sim_request_t  *q;

    i = 0;

    while (i < nwaiting) {
        q = &requests[waiting[i]];

        if (q->visit == NULL) {
            waiting[i] = waiting[--nwaiting];
            continue;
        }

        i++;

        if (q->reading || q->edge != w->edge || q->worker != w->number
            || w->now.mono <= q->arrived
                              + edges[q->edge].lcfs[q->location].api_timeout
            || w->now.mono <= q->overdue + 1)
        {
            continue;
        }

        /*
         * A worker that was stopped may come to the next step of a sign-out so
         * late that nothing is left of the deadline: each then waits for 1 ms.
         */

        q->overdue = w->now.mono;

        if (++q->passes > 3) {
            sim_fail("wait: a request at location %u of edge %u, worker %u, "
                     "waits for %u ms", (unsigned) q->location,
                     (unsigned) w->edge, (unsigned) w->number,
                     (unsigned) (w->now.mono - q->arrived));
        }
    }
}


void
model_looks(ngx_uint_t all)
{
    ngx_uint_t  e;

    for (e = 0; e < nedges; e++) {
        if (denials_are_quiet(e)) {
            model_feed(e, all);
            model_denials(e, all);
        }
    }
}


/* when the last list was asked for that counts at an edge; 0: never */

static uint64_t
model_read(ngx_uint_t edge)
{
    uint64_t    read;
    ngx_uint_t  e;

    read = read_list[edge];

    for (e = 0; e < nedges && fleet; e++) {
        if (edges[e].mcf.feed.interval == edges[edge].mcf.feed.interval) {
            read = ngx_max(read, read_list[e]);
        }
    }

    return read;
}


/*
 * What a healthy feed has not denied can have been revoked at the API only
 * since the last poll that it relies on began.
 */

static void
model_feed(ngx_uint_t edge, ngx_uint_t all)
{
    uint64_t               healthy, read;
    ngx_str_t              value;
    ngx_uint_t             i, n;
    api_token_t           *a;
    ngx_agt_feed_state_t  *feed;

    feed = &edges[edge].denials.sh->feed;

    if (master.process->feed(&edges[edge], fed ? 0 : 1, now.mono)
        == NGX_AGT_FEED_HEALTHY)
    {
        sim_fail("healthy: the feed of another API counts");
    }

    if (master.process->feed(&edges[edge], fed, now.mono)
        != NGX_AGT_FEED_HEALTHY)
    {
        return;
    }

    if (fleet) {
        report->counts.fed++;

    } else {
        report->counts.healthy++;
    }

    healthy = ngx_max(3 * edges[edge].mcf.feed.interval, 2 * feed->duration);

    read = model_read(edge);

    if (read == 0 || now.mono > read + healthy) {
        if (fed == 0) {
            sim_fail("healthy: edge %u has not read a list for %u ms, and may "
                     "be healthy for %u", (unsigned) edge,
                     (unsigned) (now.mono - read), (unsigned) healthy);
        }
    }

    if (fed != 0) {
        return;
    }

    n = all ? api_ntokens : 8;

    for (i = 0; i < n; i++) {
        a = &api_tokens[all ? i : below(api_ntokens)];

        if (a->revoked == 0 || a->t.jti[0] == '\0'
            || now.mono <= a->revoked + healthy
            || (a->t.exp && (stepped
                             || epoch + a->t.exp <= now.wall + api_offset + 5
                             || epoch + a->t.exp <= now.wall)))
        {
            continue;
        }

        value.data = (u_char *) a->t.jti;
        value.len = strlen(a->t.jti);

        if (!master.process->denied(&edges[edge], NGX_AGT_DENIAL_JTI, &value,
                                &now))
        {
            sim_fail("healthy: the feed of edge %u is, and has not denied "
                     "\"%s\", which was revoked %u ms ago", (unsigned) edge,
                     a->t.jti, (unsigned) (now.mono - a->revoked));
        }
    }
}


static void
model_denials(ngx_uint_t edge, ngx_uint_t all)
{
    u_char         digest[NGX_AGT_DIGEST_LEN];
    denial_t      *d;
    ngx_str_t      value;
    ngx_uint_t     i, n;

    if (ndenials == 0) {
        return;
    }

    n = all ? ndenials : 2;

    for (i = 0; i < n; i++) {
        d = &denials[all ? i : below(ndenials)];

        /* those of a 410 may lie with those of unknown tokens */

        if (d->over || d->edge != edge
            || (d->kind == NGX_AGT_DENIAL_TOKEN && d->before == 0))
        {
            continue;
        }

        model_value(d->kind, d->token, digest, &value);

        if (!master.process->denied(&edges[edge], d->kind, &value, &now)) {
            sim_fail("lost: edge %u has lost the denial of kind %u of "
                     "token %u", (unsigned) edge, (unsigned) d->kind,
                     (unsigned) d->token);
        }
    }
}


/* nothing has gone wrong for a while */

void
model_ends(void)
{
    ngx_uint_t     e, i;
    sim_worker_t  *w;

    for (i = 0; i < SIM_REQUESTS; i++) {
        if (requests[i].used && requests[i].visit) {
            sim_fail("wait: a request at location %u of edge %u waits at the "
                     "end", (unsigned) requests[i].location,
                     (unsigned) requests[i].edge);
        }
    }

    for (i = 0; i < nsign_outs; i++) {
        if (api_tokens[sign_outs[i].token].revoked == 0
            && !sign_outs[i].over)
        {
            sim_fail("told: the API has never heard of the sign-out of %s on "
                     "edge %u", tokens[sign_outs[i].token].token,
                     (unsigned) sign_outs[i].edge);
        }
    }

    for (e = 0; e < nedges; e++) {
        if (!master.process->sane(&edges[e])) {
            sim_fail("tables: those of edge %u are not sound", (unsigned) e);
        }

        for (i = 0; i < SIM_WORKERS; i++) {
            w = &workers[e][i];

            if (w->started && !w->process->idle()) {
                sim_fail("idle: worker %u/%u holds places or facts",
                         (unsigned) e, (unsigned) i);
            }
        }
    }
}


void
sim_log(ngx_uint_t level, const char *format)
{
    if ((level & NGX_LOG_DEBUG_ALL) == 0 && level <= NGX_LOG_ERR) {
        tell("logs: %s", format);
    }
}


/*
 * A sign-out, or a call of the hook, is about to deny a token: by itself, its
 * session or its subject, for all edges of a fleet.
 */

void
model_denies(ngx_uint_t edge, ngx_uint_t token)
{
    ngx_uint_t          i, e;
    const sim_token_t  *t, *other;

    t = &tokens[token];

    for (i = 0; i < SIM_TOKENS; i++) {
        other = &tokens[i];

        if (i != token && strcmp(other->sub, t->sub) != 0
            && (t->session[0] == '\0'
                || strcmp(other->session, t->session) != 0))
        {
            continue;
        }

        for (e = 0; e < nedges; e++) {
            may_be_revoked[e][i] |= (fleet || e == edge);
        }
    }
}


/* the API answers 410 or 404 of a token, whatever becomes of the answer */

void
model_says(const sim_call_t *call)
{
    if (call->operation != SIM_INTROSPECT) {
        return;
    }

    if (call->result.status == 410 || call->result.status == 404) {
        lied[call->token] = 1;
    }

    if (call->result.status == 410) {
        may_be_revoked[call->edge][call->token] = 1;

    } else if (call->result.status == 404) {
        may_be_unknown[call->edge][call->origin][call->token] = 1;
    }
}


/* removals of facts that are asked for */

void
model_removes(ngx_uint_t edge)
{
    removals[edge]++;
}
