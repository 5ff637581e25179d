
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * The Redis of a fleet, as far as edges use it: a primary and a replica, and
 * the connections to them.
 */

#include "host.h"


#define WIRES      256
#define ARGUMENTS  16

/* entries of which most need not be there */
#define MANY       8192

/* bytes that a socket takes before it is full */
#define SOCKET     65536


/* bytes on their way, which arrive together */

typedef struct chunk_s  chunk_t;

struct chunk_s {
    chunk_t    *next;
    uint64_t    due;
    uint64_t    answered;   /* a PING, at this time; 0: none */
    size_t      len;
    size_t      at;
    u_char      data[];
};


typedef struct {
    chunk_t    *first;
    chunk_t    *last;
    size_t      bytes;
    uint64_t    due;        /* nothing overtakes */
} flow_t;


/* a connection */

typedef struct {
    ngx_uint_t  edge;
    ngx_uint_t  worker;
    ngx_uint_t  node;
    uint64_t    due;        /* it is made, or refused */
    uint64_t    hangs;      /* until then */
    flow_t      out;        /* to Redis */
    flow_t      in;
    u_char     *text;       /* has arrived at Redis */
    size_t      len;

    /* an XREAD that waits */
    uint64_t    until;
    redis_id_t  last;
    ngx_uint_t  count;

    unsigned    used:1;
    unsigned    made:1;
    unsigned    refused:1;
    unsigned    told:1;     /* the worker was, of that */
    unsigned    closed:1;   /* by the worker */
    unsigned    dead:1;     /* by Redis, or what lies between */
    unsigned    full:1;
    unsigned    waits:1;
} wire_t;


typedef struct {
    size_t      len;
    size_t      size;
    u_char     *data;
} text_t;


static wire_t *redis_wire(int fd);
static uint64_t redis_delay(ngx_uint_t edge);
static void redis_flow(flow_t *flow, const u_char *data, size_t len,
    uint64_t due);
static void redis_drop(flow_t *flow);
static void redis_free(wire_t *wire);
static ngx_uint_t redis_is_cut(const wire_t *wire);
static void redis_arrive(wire_t *wire);
static size_t redis_parse(wire_t *wire, ngx_str_t *args, ngx_uint_t *n);
static void redis_execute(wire_t *wire, const ngx_str_t *args, ngx_uint_t n);
static void redis_eval(wire_t *wire, const ngx_str_t *args, ngx_uint_t n);
static ngx_uint_t redis_is_lease(const ngx_str_t *key);
static void redis_lease(redis_node_t *node, const ngx_str_t *args);
static void redis_ask(redis_node_t *node, const ngx_str_t *args);
static void redis_add(wire_t *wire, const ngx_str_t *value);
static void redis_read(wire_t *wire);
static void redis_range(redis_node_t *node, const ngx_str_t *start,
    const ngx_str_t *end, const ngx_str_t *count);
static void redis_trim(redis_node_t *node, ngx_uint_t edge,
    const ngx_str_t *min);
static void redis_wake(ngx_uint_t node);
static ngx_uint_t redis_is(const ngx_str_t *arg, const char *text);
static uint64_t redis_number(const ngx_str_t *arg);
static redis_id_t redis_id(const ngx_str_t *arg);
static uint64_t redis_clock(const redis_node_t *node);
static void *redis_keep(size_t size);
static void say(const char *text);
static void say_number(u_char type, uint64_t n);
static void say_id(const redis_id_t *id);
static u_char *say_digits(u_char *end, uint64_t n);
static void say_bytes(const u_char *data, size_t len);
static void say_entry(const redis_entry_t *e);
static void redis_reply(wire_t *wire);


redis_node_t      nodes[REDIS_NODES];
uint64_t          cut[SIM_EDGES];      /* until then the edge is cut off */
uint64_t          slow[SIM_EDGES];     /* until then its network is slow */
uint64_t          pinged[SIM_EDGES];   /* when it was that is read now */
uint64_t          marked;              /* ms, wall: start of the last mark */
uint64_t          added;               /* entries, in all */

static wire_t     wires[WIRES];
static ngx_uint_t nwires;              /* from there on, none was used yet */
static void      *kept;                /* memory of this schedule */
static text_t     reply;

/* the scripts of fleet/, which stand here as they are sent */

static const char  lease_script[] =
    "local v = redis.pcall('GET', KEYS[1]) "
    "local held = type(v) == 'string' and #v == #ARGV[1] "
    "if held and v ~= ARGV[1] and ARGV[3] ~= '1' then return 0 end "
    "redis.pcall('XTRIM', KEYS[2], 'MINID', '=', '0') "
    "if ARGV[3] ~= '2' then "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end "
    "if held then redis.call('SET', KEYS[1], '', 'PX', '1') end "
    "return 2";

static const char  ask_script[] =
    "local v = redis.pcall('GET', KEYS[1]) "
    "local info = redis.pcall('XINFO', 'STREAM', KEYS[2]) "
    "local length, last = 0, '0-0' "
    "for i = 1, #info, 2 do "
    "if info[i] == 'length' then length = info[i + 1] end "
    "if info[i] == 'last-generated-id' then last = info[i + 1] end "
    "end "
    "local time = redis.call('TIME') "
    "local now = time[1] * 1000 + time[2] / 1000 "
    "if type(v) ~= 'string' or #v ~= #ARGV[1] "
    "or tonumber(string.match(last, '%d+')) > now + 86400000 then "
    "v, length, last = ARGV[1], 0, '0-0' "
    "redis.call('DEL', KEYS[2]) "
    "redis.call('SET', KEYS[1], v) "
    "end "
    "return { v, length, last, now }";

static const char  add_script[] =
    "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
    "return redis.pcall('XADD', KEYS[2], '*', 'e', ARGV[2])";

static const char  range_script[] =
    "local out, size = {}, 0 "
    "for _, e in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], "
    "'COUNT', ARGV[3])) do "
    "local v = e[2][2] "
    "if #e[2] ~= 2 or e[2][1] ~= 'e' "
    "or #v > tonumber(ARGV[4]) then v = '' end "
    "out[#out + 1] = { e[1], { 'e', v } } "
    "size = size + #v "
    "if size > 1000000 then break end "
    "end "
    "return out";

static const char  oom[] =
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
static const char  readonly[] =
    "-READONLY You can't write against a read only replica.\r\n";


void
redis_begin(void)
{
    void          *next;
    ngx_uint_t     i;
    redis_data_t  *d;

    for (i = 0; i < nwires; i++) {
        if (wires[i].used) {
            redis_free(&wires[i]);
        }
    }

    nwires = 0;

    for ( /* void */ ; kept; kept = next) {
        next = *(void **) kept;
        free(kept);
    }

    for (i = 0; i < REDIS_NODES; i++) {
        d = &nodes[i].data;

        memset(&nodes[i], 0, offsetof(redis_node_t, data));
        memset(d, 0, offsetof(redis_data_t, entries));

        nodes[i].up = 1;
        nodes[i].primary = (i == 0);
    }

    memset(cut, 0, sizeof(cut));
    memset(slow, 0, sizeof(slow));
    memset(pinged, 0, sizeof(pinged));

    marked = 0;
    added = 0;
}


/* of the next thing that happens by itself, at "end" at the latest */

uint64_t
redis_next(uint64_t end)
{
    uint64_t       due;
    ngx_uint_t     i;
    wire_t        *w;
    redis_node_t  *node;

    for (i = 0; i < nwires; i++) {
        w = &wires[i];

        if (!w->used) {
            continue;
        }

        if (w->waits) {
            end = ngx_min(end, w->until);
        }

        due = end;

        if (!w->made && !w->refused) {
            due = w->due;
        }

        if (w->in.first) {
            due = ngx_min(due, w->in.first->due);
        }

        node = &nodes[w->node];

        if (w->out.first && !w->waits) {
            due = ngx_min(due, ngx_max(w->out.first->due, node->stopped));
        }

        end = ngx_min(end, ngx_max(due, ngx_max(cut[w->edge], w->hangs)));
    }

    return ngx_max(end, now.mono + 1);
}


/* all that is due happens */

void
redis_run(void)
{
    ngx_uint_t     i, n;
    wire_t        *w;
    redis_node_t  *node;

    n = below(ngx_max(nwires, 1));

    for (i = 0; i < nwires; i++, n++) {
        if (n == nwires) {
            n = 0;
        }

        w = &wires[n];
        node = &nodes[w->node];

        if (!w->used || redis_is_cut(w)) {
            continue;
        }

        if (!w->made && !w->refused) {

            if (now.mono < w->due) {
                continue;
            }

            w->made = node->up;
            w->refused = !node->up;
        }

        if (!node->up) {
            w->dead = 1;
        }

        if (!w->dead && now.mono >= node->stopped) {

            if (w->waits && now.mono >= w->until) {
                w->waits = 0;
                say("*-1\r\n");
                redis_reply(w);
            }

            redis_arrive(w);
        }

        if (w->closed && (w->dead || w->out.first == NULL)) {
            redis_free(w);
        }
    }
}


/* executes the commands that have arrived, until an XREAD waits */

static void
redis_arrive(wire_t *wire)
{
    size_t      used;
    chunk_t    *chunk;
    ngx_str_t   args[ARGUMENTS];
    ngx_uint_t  n;

    for ( ;; ) {

        while (!wire->waits && wire->len) {
            used = redis_parse(wire, args, &n);

            if (used == 0) {
                break;
            }

            redis_execute(wire, args, n);

            wire->len -= used;
            memmove(wire->text, wire->text + used, wire->len);
        }

        chunk = wire->out.first;

        if (wire->waits || chunk == NULL || now.mono < chunk->due) {
            return;
        }

        wire->text = realloc(wire->text, wire->len + chunk->len);

        if (wire->text == NULL) {
            exit(2);
        }

        memcpy(wire->text + wire->len, chunk->data, chunk->len);
        wire->len += chunk->len;

        wire->out.first = chunk->next;
        wire->out.bytes -= chunk->len;
        free(chunk);
    }
}


/* "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"; 0: it is not whole yet */

static size_t
redis_parse(wire_t *wire, ngx_str_t *args, ngx_uint_t *n)
{
    u_char      *p, *last, *end;
    ngx_uint_t   i;

    p = wire->text;
    last = p + wire->len;

    for (i = 0, *n = 1; i <= *n; i++) {
        end = memchr(p, '\n', (size_t) (last - p));

        if (end == NULL) {
            return 0;
        }

        if (*p != (i ? '$' : '*')) {
            sim_fail("redis: a command cannot be read");
        }

        if (i == 0) {
            *n = strtoul((char *) p + 1, NULL, 10);

            if (*n == 0 || *n > ARGUMENTS) {
                sim_fail("redis: a command of %u words", (unsigned) *n);
            }

            p = end + 1;
            continue;
        }

        args[i - 1].len = strtoul((char *) p + 1, NULL, 10);
        args[i - 1].data = end + 1;

        if (args[i - 1].len + 2 > (size_t) (last - end - 1)) {
            return 0;
        }

        p = end + 1 + args[i - 1].len + 2;
    }

    return (size_t) (p - wire->text);
}


static void
redis_execute(wire_t *wire, const ngx_str_t *args, ngx_uint_t n)
{
    redis_node_t  *node;

    node = &nodes[wire->node];

    if (redis_is(&args[0], "PING")) {
        say("+PONG\r\n");
        redis_reply(wire);
        wire->in.last->answered = now.mono;
        return;

    } else if (redis_is(&args[0], "ROLE")) {

        if (node->primary) {
            say("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");

        } else {
            say("*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n"
                ":0\r\n");
        }

    } else if (redis_is(&args[0], "XREAD") && n == 8
               && redis_is(&args[6], REDIS_STREAM))
    {
        wire->count = redis_number(&args[2]);
        wire->until = now.mono + redis_number(&args[4]);
        wire->last = redis_id(&args[7]);
        redis_read(wire);
        return;

    } else if (redis_is(&args[0], "XRANGE") && n == 6
               && redis_is(&args[1], REDIS_STREAM))
    {
        redis_range(node, &args[2], &args[3], &args[5]);

    } else if (redis_is(&args[0], "XTRIM") && n == 5
               && redis_is(&args[1], REDIS_STREAM)
               && redis_is(&args[2], "MINID") && redis_is(&args[3], "="))
    {
        redis_trim(node, wire->edge, &args[4]);

    } else if (redis_is(&args[0], "EVAL")) {
        redis_eval(wire, args, n);
        return;

    } else {
        sim_fail("redis: it has no %.*s of %u words", (int) args[0].len,
                 (char *) args[0].data, (unsigned) n);
    }

    redis_reply(wire);
}


static void
redis_eval(wire_t *wire, const ngx_str_t *args, ngx_uint_t n)
{
    redis_node_t  *node;

    node = &nodes[wire->node];

    if (redis_is(&args[1], lease_script) && n == 8
        && redis_is_lease(&args[3]) && redis_is(&args[4], REDIS_STREAM))
    {
        redis_lease(node, args);

    } else if (redis_is(&args[1], ask_script) && n == 6
               && redis_is(&args[3], REDIS_EPOCH)
               && redis_is(&args[4], REDIS_STREAM))
    {
        redis_ask(node, args);

    } else if (redis_is(&args[1], add_script) && n == 7
               && redis_is(&args[3], REDIS_EPOCH)
               && redis_is(&args[4], REDIS_STREAM))
    {
        if (memcmp(node->data.epoch, args[5].data, 32) == 0) {
            redis_add(wire, &args[6]);
            return;
        }

        say(":0\r\n");

    } else if (redis_is(&args[1], range_script) && n == 8
               && redis_is(&args[3], REDIS_STREAM))
    {
        redis_range(node, &args[4], &args[5], &args[6]);

    } else {
        sim_fail("redis: a script that is not known: %.*s",
                 (int) args[1].len, (char *) args[1].data);
    }

    redis_reply(wire);
}


static ngx_uint_t
redis_is_lease(const ngx_str_t *key)
{
    size_t  len;

    len = sizeof(REDIS_FEED) - 1;

    return redis_is(key, REDIS_LEASE)
           || (key->len == len + 2 * NGX_AGT_DIGEST_LEN
               && memcmp(key->data, REDIS_FEED, len) == 0);
}


/* a full Redis does not refuse what a script does after its first write */

static void
redis_lease(redis_node_t *node, const ngx_str_t *args)
{
    ngx_uint_t      i, held;
    redis_lease_t  *lease;

    lease = node->data.leases;

    for (i = 0; lease->key[0] && !redis_is(&args[3], lease->key); i++) {

        if (i == REDIS_LEASES - 1) {
            sim_fail("bound: there are more than %u leases", REDIS_LEASES);
        }

        lease++;
    }

    held = (now.mono < lease->until);

    if (held && memcmp(lease->value, args[5].data, 32) != 0
        && !redis_is(&args[7], "1"))
    {
        say(":0\r\n");
        return;
    }

    if (redis_is(&args[7], "2") && !held) {
        say(":2\r\n");
        return;
    }

    if (!node->primary) {
        say(readonly);
        return;
    }

    if (redis_is(&args[7], "2")) {
        lease->until = 0;
        say(":2\r\n");
        return;
    }

    memcpy(lease->key, args[3].data, args[3].len);
    memcpy(lease->value, args[5].data, 32);
    lease->until = now.mono + redis_number(&args[6]);

    say(":1\r\n");
}


/* 1 if a primary says that the writer holds the lease of a feed */

ngx_uint_t
redis_leases(const u_char *writer)
{
    char            value[33];
    ngx_uint_t      i, k;
    redis_lease_t  *lease;

    for (i = 0; i < NGX_AGT_FLEET_WRITER_LEN; i++) {
        (void) sprintf(value + 2 * i, "%02x", writer[i]);
    }

    for (i = 0; i < REDIS_NODES * REDIS_LEASES; i++) {
        k = i / REDIS_LEASES;
        lease = &nodes[k].data.leases[i % REDIS_LEASES];

        if (nodes[k].primary && now.mono < lease->until
            && strcmp(lease->key, REDIS_LEASE) != 0
            && strcmp(lease->value, value) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
redis_ask(redis_node_t *node, const ngx_str_t *args)
{
    redis_data_t  *d;

    d = &node->data;

    if (d->epoch[0] == '\0') {

        if (!node->primary) {
            say(readonly);
            return;
        }

        redis_empty(d);
        memcpy(d->epoch, args[5].data, 32);
        node->emptied = now.mono;
    }

    say("*4\r\n$32\r\n");
    say_bytes((u_char *) d->epoch, 32);
    say("\r\n");
    say_number(':', d->n);
    say_id(&d->last);
    say_number(':', redis_clock(node));
}


static void
redis_add(wire_t *wire, const ngx_str_t *value)
{
    u_char         *data;
    uint64_t        ms;
    redis_node_t   *node;
    redis_data_t   *d;
    redis_entry_t  *e;

    node = &nodes[wire->node];
    d = &node->data;

    if (!node->primary || node->oom) {
        say(node->oom ? oom : readonly);
        redis_reply(wire);
        return;
    }

    /* each worker that starts tells again what is recent */

    if (d->n == REDIS_ENTRIES || (d->n >= MANY && kills < 16)) {
        sim_fail("bound: the stream has more than %u entries",
                 (unsigned) d->n);
    }

    ms = redis_clock(node);

    if (ms > d->last.ms) {
        d->last.ms = ms;
        d->last.seq = 0;

    } else {
        d->last.seq++;
    }

    e = &d->entries[d->n++];
    d->exists = 1;

    data = redis_keep(value->len);
    memcpy(data, value->data, value->len);

    e->id = d->last;
    e->at = now.mono;
    e->value.data = data;
    e->value.len = value->len;
    e->what = redis_keep(sizeof(sim_entry_t));

    if (master.process->open(&e->value, d->epoch, e->what) != NGX_OK) {
        sim_fail("sealed: an entry of edge %u cannot be opened",
                 (unsigned) wire->edge);
    }

    if (node->loses && e->what->kind == NGX_AGT_FLEET_DENIAL) {
        tell("it is lost at once");
        node->loses--;
        node->lost = now.mono;
        d->n--;

    } else {
        fleet_told(e->what);
    }

    added += (e->what->kind != NGX_AGT_FLEET_POLL);

    if (e->what->kind == NGX_AGT_FLEET_MARK) {
        marked = ngx_max(marked, e->what->start);
    }

    tell("Redis %u has %s of edge %u as %lu-%lu, number %lu",
         (unsigned) wire->node,
         e->what->kind == NGX_AGT_FLEET_DENIAL ? "a denial"
         : e->what->kind == NGX_AGT_FLEET_MARK ? "a mark"
         : e->what->kind == NGX_AGT_FLEET_RESEND ? "a resend"
         : e->what->kind == NGX_AGT_FLEET_POLL ? "a poll" : "nothing",
         (unsigned) wire->edge, (unsigned long) (e->id.ms - epoch * 1000),
         (unsigned long) e->id.seq, (unsigned long) e->what->number);

    say_id(&e->id);
    redis_reply(wire);
    redis_wake(wire->node);
}


/* what stands behind the last id, or it waits */

static void
redis_read(wire_t *wire)
{
    ngx_uint_t     i, n;
    redis_data_t  *d;

    d = &nodes[wire->node].data;

    for (i = 0; i < d->n && redis_compare(&d->entries[i].id, &wire->last) <= 0;
         i++)
    {
        /* void */
    }

    n = ngx_min(d->n - i, wire->count);
    wire->waits = (n == 0);

    if (n == 0) {
        return;
    }

    say("*1\r\n*2\r\n");
    say_number('$', sizeof(REDIS_STREAM) - 1);
    say(REDIS_STREAM "\r\n");
    say_number('*', n);

    for ( /* void */ ; n; n--, i++) {
        say_entry(&d->entries[i]);
    }

    redis_reply(wire);
}


static void
redis_wake(ngx_uint_t node)
{
    ngx_uint_t  i;

    for (i = 0; i < nwires; i++) {
        if (wires[i].used && wires[i].waits && wires[i].node == node) {
            redis_read(&wires[i]);
        }
    }
}


static void
redis_range(redis_node_t *node, const ngx_str_t *start, const ngx_str_t *end,
    const ngx_str_t *count)
{
    redis_id_t     from, to;
    ngx_str_t      text;
    ngx_uint_t     i, first, n, past;
    redis_data_t  *d;

    d = &node->data;

    text = *start;
    from.ms = 0;
    from.seq = 0;
    past = (text.data[0] == '(');

    if (past) {
        text.data++;
        text.len--;
    }

    if (!redis_is(&text, "-")) {
        from = redis_id(&text);
    }

    to.ms = (uint64_t) -1;
    to.seq = (uint64_t) -1;

    if (!redis_is(end, "+")) {
        to = redis_id(end);
    }

    for (first = 0; first < d->n
         && redis_compare(&d->entries[first].id, &from) < (past ? 1 : 0);
         first++)
    {
        /* void */
    }

    for (n = 0; first + n < d->n && n < redis_number(count)
         && redis_compare(&d->entries[first + n].id, &to) <= 0; n++)
    {
        /* void */
    }

    say_number('*', n);

    for (i = 0; i < n; i++) {
        say_entry(&d->entries[first + i]);
    }
}


static void
redis_trim(redis_node_t *node, ngx_uint_t edge, const ngx_str_t *min)
{
    redis_id_t     id;
    ngx_uint_t     n;
    redis_data_t  *d;

    if (!node->primary) {
        say(readonly);
        return;
    }

    d = &node->data;
    id = redis_id(min);

    for (n = 0; n < d->n && redis_compare(&d->entries[n].id, &id) < 0; n++) {
        /* void */
    }

    fleet_trims(edge, d, n);

    d->n -= n;
    memmove(d->entries, d->entries + n, d->n * sizeof(redis_entry_t));

    say_number(':', n);
}


/* what stands in "from" now stands in "to" */

void
redis_copy(redis_data_t *to, const redis_data_t *from)
{
    ngx_uint_t  i;

    memcpy(to, from, offsetof(redis_data_t, entries)
                     + from->n * sizeof(redis_entry_t));

    for (i = 0; i < to->n; i++) {
        to->entries[i].at = now.mono;
    }
}


void
redis_empty(redis_data_t *d)
{
    memset(d, 0, offsetof(redis_data_t, entries));
}


/* connections to a node end, or all those of an edge */

void
redis_cut(ngx_uint_t node, ngx_uint_t edge)
{
    ngx_uint_t  i;

    for (i = 0; i < nwires; i++) {
        if (wires[i].used && (wires[i].node == node || node == REDIS_ANY)
            && (wires[i].edge == edge || edge == REDIS_ANY))
        {
            wires[i].dead = 1;
            wires[i].waits = 0;
            redis_drop(&wires[i].out);

            if (below(2)) {
                redis_drop(&wires[i].in);
            }
        }
    }
}


/* one connection of an edge hangs */

void
redis_hang(ngx_uint_t edge, uint64_t until)
{
    ngx_uint_t  i, n;

    n = below(WIRES);

    for (i = 0; i < WIRES; i++, n++) {
        if (wires[n % WIRES].used && wires[n % WIRES].edge == edge) {
            wires[n % WIRES].hangs = until;
            return;
        }
    }
}


void
redis_release(void)
{
    ngx_uint_t  i;

    for (i = 0; i < nwires; i++) {
        wires[i].hangs = 0;
    }
}


/* what waits ends with an error when a primary is none any more */

void
redis_demote(ngx_uint_t node)
{
    ngx_uint_t  i;

    nodes[node].primary = 0;
    nodes[node].demoted = now.mono;

    for (i = 0; i < nwires; i++) {
        if (wires[i].used && wires[i].node == node && wires[i].waits) {
            wires[i].waits = 0;
            say("-UNBLOCKED force unblock from blocking operation, instance "
                "state changed (master -> replica?)\r\n");
            redis_reply(&wires[i]);
        }
    }
}


/* the sockets of a worker that has died are closed */

void
redis_forget(const sim_worker_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < nwires; i++) {
        if (wires[i].used && wires[i].edge == w->edge
            && wires[i].worker == w->number)
        {
            wires[i].closed = 1;
        }
    }
}


/* the workers that epoll would wake, by edge * SIM_WORKERS + number */

uint64_t
redis_ready(void)
{
    uint64_t    ready;
    wire_t     *w;
    ngx_uint_t  i;

    ready = 0;

    for (i = 0; i < nwires; i++) {
        w = &wires[i];

        if (w->used && !w->closed
            && (((w->made || w->refused) && !w->told) || w->dead
                || (w->in.first && now.mono >= w->in.first->due))
            && !redis_is_cut(w))
        {
            ready |= (uint64_t) 1 << (w->edge * SIM_WORKERS + w->worker);
        }
    }

    return ready;
}


/* for process.so */

int
sim_connect(ngx_uint_t node)
{
    ngx_uint_t  i;
    wire_t     *w;

    for (i = 0; i < WIRES && wires[i].used; i++) {
        /* void */
    }

    if (i == WIRES) {
        sim_fail("sockets: there are more than %u connections", WIRES);
    }

    w = &wires[i];
    nwires = ngx_max(nwires, i + 1);

    memset(w, 0, sizeof(wire_t));

    w->used = 1;
    w->edge = current->edge;
    w->worker = current->number;
    w->node = node;
    w->due = now.mono + redis_delay(w->edge);

    return (int) i;
}


ngx_uint_t
sim_refused(int fd)
{
    wire_t  *w;

    w = redis_wire(fd);

    return w->refused || w->dead;
}


ngx_uint_t
sim_ready(int fd)
{
    wire_t      *w;
    ngx_uint_t   events;

    w = redis_wire(fd);

    if (redis_is_cut(w)) {
        return 0;
    }

    events = 0;

    if ((w->made || w->refused) && !w->told) {
        w->told = 1;
        events |= SIM_WRITABLE;
    }

    if (w->full && w->out.bytes < SOCKET / 2) {
        w->full = 0;
        events |= SIM_WRITABLE;
    }

    if (w->dead || w->refused
        || (w->in.first && now.mono >= w->in.first->due))
    {
        events |= SIM_READABLE;
    }

    return events;
}


ssize_t
sim_send(int fd, const u_char *data, size_t len)
{
    wire_t  *w;

    w = redis_wire(fd);

    if (w->dead && !redis_is_cut(w)) {
        return NGX_ERROR;
    }

    if (w->out.bytes >= SOCKET) {
        w->full = 1;
        return NGX_AGAIN;
    }

    len = ngx_min(len, SOCKET - w->out.bytes);

    if (below(16) == 0) {
        len = 1 + below(len);
    }

    redis_flow(&w->out, data, len, now.mono + redis_delay(w->edge));

    return (ssize_t) len;
}


ssize_t
sim_recv(int fd, u_char *data, size_t len)
{
    wire_t   *w;
    chunk_t  *chunk;

    w = redis_wire(fd);
    chunk = w->in.first;

    if (redis_is_cut(w)) {
        return NGX_AGAIN;
    }

    if (chunk == NULL || now.mono < chunk->due) {
        return w->dead ? (below(2) ? 0 : NGX_ERROR) : NGX_AGAIN;
    }

    len = ngx_min(len, chunk->len - chunk->at);

    if (below(16) == 0) {
        len = 1 + below(len);
    }

    memcpy(data, chunk->data + chunk->at, len);
    chunk->at += len;

    /* a worker that was stopped may read an old one */

    pinged[w->edge] = ngx_max(pinged[w->edge], chunk->answered);

    if (chunk->at == chunk->len) {
        w->in.first = chunk->next;
        w->in.bytes -= chunk->len;
        free(chunk);
    }

    return (ssize_t) len;
}


void
sim_close(int fd)
{
    redis_wire(fd)->closed = 1;
}


static wire_t *
redis_wire(int fd)
{
    wire_t  *w;

    if (fd < 0 || fd >= WIRES) {
        sim_fail("sockets: there is no %d", fd);
    }

    w = &wires[fd];

    if (!w->used || w->closed || w->edge != current->edge
        || w->worker != current->number)
    {
        sim_fail("sockets: %d is not one of this worker", fd);
    }

    return w;
}


static uint64_t
redis_delay(ngx_uint_t edge)
{
    if (now.mono < slow[edge]) {
        return below(below(2) ? 100 : 800);
    }

    return below(4);
}


static ngx_uint_t
redis_is_cut(const wire_t *wire)
{
    return now.mono < cut[wire->edge] || now.mono < wire->hangs;
}


static void
redis_flow(flow_t *flow, const u_char *data, size_t len, uint64_t due)
{
    chunk_t  *chunk;

    chunk = malloc(sizeof(chunk_t) + len);

    if (chunk == NULL) {
        exit(2);
    }

    flow->due = ngx_max(flow->due, due);

    chunk->next = NULL;
    chunk->answered = 0;
    chunk->due = flow->due;
    chunk->len = len;
    chunk->at = 0;
    memcpy(chunk->data, data, len);

    if (flow->first) {
        flow->last->next = chunk;

    } else {
        flow->first = chunk;
    }

    flow->last = chunk;
    flow->bytes += len;
}


static void
redis_drop(flow_t *flow)
{
    chunk_t  *chunk;

    while (flow->first) {
        chunk = flow->first;
        flow->first = chunk->next;
        free(chunk);
    }

    flow->bytes = 0;
}


static void
redis_free(wire_t *wire)
{
    redis_drop(&wire->in);
    redis_drop(&wire->out);
    free(wire->text);

    wire->text = NULL;
    wire->used = 0;
}


static ngx_uint_t
redis_is(const ngx_str_t *arg, const char *text)
{
    return arg->len == strlen(text) && memcmp(arg->data, text, arg->len) == 0;
}


static uint64_t
redis_number(const ngx_str_t *arg)
{
    return strtoull((char *) arg->data, NULL, 10);
}


static redis_id_t
redis_id(const ngx_str_t *arg)
{
    char        *dash;
    redis_id_t   id;

    id.ms = strtoull((char *) arg->data, &dash, 10);

    if (*dash != '-') {
        sim_fail("redis: \"%.*s\" is no id", (int) arg->len,
                 (char *) arg->data);
    }

    id.seq = strtoull(dash + 1, NULL, 10);

    return id;
}


static uint64_t
redis_clock(const redis_node_t *node)
{
    return (uint64_t) ((int64_t) wall_ms() + node->offset);
}


int
redis_compare(const redis_id_t *a, const redis_id_t *b)
{
    if (a->ms != b->ms) {
        return (a->ms < b->ms) ? -1 : 1;
    }

    return (a->seq == b->seq) ? 0 : (a->seq < b->seq) ? -1 : 1;
}


/* until the next schedule begins */

static void *
redis_keep(size_t size)
{
    void  **p;

    p = malloc(sizeof(void *) + size);

    if (p == NULL) {
        exit(2);
    }

    *p = kept;
    kept = p;

    return p + 1;
}


static void
say(const char *text)
{
    say_bytes((const u_char *) text, strlen(text));
}


static void
say_number(u_char type, uint64_t n)
{
    u_char  *p, text[NGX_INT64_LEN + 3];

    p = say_digits(text + sizeof(text) - 2, n);
    *--p = type;
    memcpy(text + sizeof(text) - 2, "\r\n", 2);

    say_bytes(p, (size_t) (text + sizeof(text) - p));
}


static void
say_id(const redis_id_t *id)
{
    u_char  *p, *last, text[2 * NGX_INT64_LEN + 3];

    last = text + sizeof(text) - 2;
    memcpy(last, "\r\n", 2);

    p = say_digits(last, id->seq);
    *--p = '-';
    p = say_digits(p, id->ms);

    say_number('$', (uint64_t) (last - p));
    say_bytes(p, (size_t) (text + sizeof(text) - p));
}


/* returns where they begin */

static u_char *
say_digits(u_char *end, uint64_t n)
{
    do {
        *--end = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return end;
}


static void
say_bytes(const u_char *data, size_t len)
{
    if (reply.len + len > reply.size) {
        reply.size = 2 * reply.size + len;
        reply.data = realloc(reply.data, reply.size);

        if (reply.data == NULL) {
            exit(2);
        }
    }

    memcpy(reply.data + reply.len, data, len);
    reply.len += len;
}


static void
say_entry(const redis_entry_t *e)
{
    say("*2\r\n");
    say_id(&e->id);
    say("*2\r\n$1\r\ne\r\n");
    say_number('$', e->value.len);
    say_bytes(e->value.data, e->value.len);
    say("\r\n");
}


static void
redis_reply(wire_t *wire)
{
    redis_flow(&wire->in, reply.data, reply.len,
               now.mono + redis_delay(wire->edge));
    reply.len = 0;
}
