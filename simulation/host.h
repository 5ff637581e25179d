
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _HOST_H_INCLUDED_
#define _HOST_H_INCLUDED_


#include "simulation.h"

#include <setjmp.h>
#include <ucontext.h>


/* what the files of the program have of each other */

typedef struct sim_block_s  sim_block_t;


/* a virtual worker: a copy of process.so */

typedef struct {
    const sim_process_t  *process;
    u_char               *data;      /* its static memory */
    size_t                size;
    u_char               *fresh;     /* the same before it was started */

    ucontext_t            context;
    jmp_buf               left;      /* where it was stopped */
    u_char               *stack;
    void                 *fake;

    sim_block_t          *blocks;    /* its other memory */
    sim_call_t            answered;  /* the call whose answer it reads */
    char                 *body;      /* of that answer */
    uint64_t              before;    /* facts that were lost before it */
    ngx_uint_t            edge;
    ngx_uint_t            number;    /* of the edge */
    ngx_pid_t             pid;
    ngx_agt_clock_t       now;       /* as it has read it last */
    ngx_atomic_t         *lock;      /* that it holds, or NULL */
    ngx_atomic_t         *wanted;    /* that it waits for, or NULL */
    sim_task_t            task;
    uint64_t              stopped;   /* since then, ms */
    uint64_t              next;      /* of a fleet: of its timers, ms */
    unsigned              used:1;    /* its memory was */
    unsigned              entered:1;
    unsigned              busy:1;
    unsigned              woken:1;
    unsigned              started:1;
    unsigned              healthy:1; /* the feed was, in this task */
} sim_worker_t;


typedef struct {
    uint64_t              schedules;
    uint64_t              fleets;      /* schedules of a fleet */
    uint64_t              steps;
    uint64_t              faults[SIM_FAULTS];

    uint64_t              allowed[8];
    uint64_t              refused[NGX_AGT_VERDICT_LAST];
    uint64_t              said_no;     /* by an answer, at once */
    uint64_t              signed_out;
    uint64_t              denials;
    uint64_t              calls;
    uint64_t              polls;
    uint64_t              healthy;   /* looks at a healthy feed */
    uint64_t              shared;    /* the same at a healthy fleet */
    uint64_t              fed;       /* and at the feed of one of its edges */
    uint64_t              entries;   /* of streams */
    uint64_t              learned;   /* denials of other edges */
    uint64_t              healing;   /* ms, after the last fault */
    uint64_t              switches;
} sim_counts_t;


/* of one child, which the parent reads */

typedef struct {
    uint64_t              seed;      /* of the schedule that runs */
    ngx_uint_t            step;      /* that is under way */
    ngx_uint_t            failed;
    char                  why[512];
    sim_counts_t          counts;
} sim_report_t;


extern sim_report_t      *report;
extern sim_edge_t         edges[SIM_EDGES];
extern sim_worker_t       workers[SIM_EDGES][SIM_WORKERS];
extern sim_worker_t       master;
extern sim_request_t      requests[SIM_REQUESTS];
extern sim_call_t         calls[SIM_CALLS];
extern ngx_uint_t         ncalls;      /* those behind were never used */
extern sim_worker_t      *current;
extern ngx_agt_clock_t    now;         /* as it really is */
extern int64_t            epoch;
extern uint64_t           step_number; /* over all that happens */
extern ngx_uint_t         nedges;
extern ngx_uint_t         fleet;       /* the edges share their denials */
extern ngx_uint_t         stopping;    /* of 256; with a fleet, of 65536 */
extern ngx_uint_t         killing;     /* of 65536 */
extern ngx_uint_t         kills;       /* of workers, up to now */
extern ngx_uint_t         calm;        /* nothing goes wrong any more */
extern ngx_uint_t         telling;     /* prints the steps */
extern ngx_uint_t         fed;         /* the API that the feed polls */
extern ngx_uint_t         suspending;  /* of 16, how often the machine is */
extern ngx_uint_t         stepped;     /* a wall clock was set */


/* main.c */

void fault(sim_fault_e f);
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));


/* schedule.c */

ngx_uint_t is_of_fleet(uint64_t seed);
ngx_uint_t steps_of(uint64_t seed);
void schedule(uint64_t seed, const u_char *skip, ngx_uint_t steps);
uint64_t draw(void);
uint64_t below(uint64_t n);
void draw_from(uint64_t seed, uint64_t n);
ngx_uint_t msec_of(uint64_t mono);
uint64_t wall_ms(void);
void pass(uint64_t ms);
void schedule_edge(sim_edge_t *edge);
void schedule_simple(sim_worker_t *w, sim_task_e task, ngx_uint_t what,
    ngx_uint_t how);
void schedule_quit(sim_worker_t *w);
void schedule_request(sim_worker_t *w);


/* fleet.c */

void fleet_begin(void);
void fleet_configure(sim_edge_t *edge);
void fleet_started(void);
void fleet_step(void);
void fleet_end(void);
void fleet_denies(ngx_uint_t edge, ngx_agt_denial_kind_e kind,
    ngx_uint_t token, int64_t until, int64_t before);
void fleet_polls(void);


/* redis.c */

#define REDIS_NODES    2
#define REDIS_ENTRIES  32768
#define REDIS_ANY      99

#define REDIS_STREAM   "fleet:stream"
#define REDIS_EPOCH    "fleet:epoch"
#define REDIS_LEASE    "fleet:lease"
#define REDIS_FEED     "fleet:feed:"

/* that of the fleet, and those of feeds that are not alike */
#define REDIS_LEASES   3


typedef struct {
    uint64_t              ms;
    uint64_t              seq;
} redis_id_t;


typedef struct {
    redis_id_t            id;
    uint64_t              at;        /* since then it stands there, ms */
    uint64_t              seen;      /* edges that know it: their lives */
    ngx_str_t             value;
    sim_entry_t          *what;
} redis_entry_t;


typedef struct {
    char                  key[80];
    char                  value[33];
    uint64_t              until;     /* ms */
} redis_lease_t;


typedef struct {
    ngx_uint_t            n;         /* entries */
    ngx_uint_t            exists;
    redis_id_t            last;
    char                  epoch[33];
    redis_lease_t         leases[REDIS_LEASES];
    redis_entry_t         entries[REDIS_ENTRIES];
} redis_data_t;


typedef struct {
    ngx_uint_t            up;
    ngx_uint_t            primary;
    ngx_uint_t            oom;
    ngx_uint_t            loses;     /* entries that it says it has */
    uint64_t              lost;      /* ms: the last of these; 0: none */
    int64_t               offset;    /* of its clock, ms */
    uint64_t              stopped;   /* until then */
    uint64_t              emptied;   /* when another epoch was set */
    uint64_t              demoted;   /* when it was a primary last */
    redis_data_t          data;
} redis_node_t;


extern redis_node_t       nodes[REDIS_NODES];
extern uint64_t           cut[SIM_EDGES];
extern uint64_t           slow[SIM_EDGES];
extern uint64_t           pinged[SIM_EDGES];
extern uint64_t           marked;
extern uint64_t           added;

void redis_begin(void);
uint64_t redis_next(uint64_t end);
void redis_run(void);
uint64_t redis_ready(void);
void redis_copy(redis_data_t *to, const redis_data_t *from);
void redis_empty(redis_data_t *d);
void redis_cut(ngx_uint_t node, ngx_uint_t edge);
void redis_hang(ngx_uint_t edge, uint64_t until);
void redis_release(void);
void redis_demote(ngx_uint_t node);
void redis_forget(const sim_worker_t *w);
ngx_uint_t redis_leases(const u_char *writer);
int redis_compare(const redis_id_t *a, const redis_id_t *b);


/* fleet.c, for redis.c */

void fleet_told(const sim_entry_t *e);
void fleet_trims(ngx_uint_t edge, const redis_data_t *d, ngx_uint_t n);


/* processes.c */

void processes_init(const char *program);
void processes_begin(void);
void start(sim_worker_t *w, const sim_task_t *task);
void resume(sim_worker_t *w);
void kill_worker(sim_worker_t *w);
void forget_process(sim_worker_t *w);
sim_worker_t *worker_of_request(const sim_request_t *q);
ngx_uint_t anyone_busy(void);
ngx_uint_t denials_are_quiet(ngx_uint_t edge);


/* network.c */

void network_begin(void);
void network_arrive(sim_call_t *call);
ngx_uint_t network_deliver(sim_call_t *call);
void network_expire(sim_worker_t *w);
void network_forget(const sim_worker_t *w);
void api_revoke(ngx_uint_t token);
void api_fail(void);
void api_recover(void);


/* the API's own knowledge */

typedef struct {
    sim_token_t           t;
    char                  jti_text[24];
    char                  row[96];     /* of a list */
    size_t                row_len;
    uint64_t              revoked;     /* since then, ms; 0: it is not */
} api_token_t;

extern api_token_t        api_tokens[SIM_TOKENS + SIM_LISTED];
extern ngx_uint_t         api_ntokens;
extern uint64_t           mute[SIM_EDGES];
extern int64_t            api_offset;  /* of its clock, seconds */


/* model.c */

typedef struct {
    ngx_uint_t            token;
    ngx_uint_t            origin;
    uint64_t              sent;        /* by the worker's clock */
    uint64_t              since;       /* really */
    uint64_t              read;        /* when all of it was; 0: not yet */
    int64_t               seen;        /* wall, past its exp */
    uint64_t              late;        /* when that was */
} answer_t;

extern uint64_t           read_list[SIM_EDGES];
extern answer_t           answers[SIM_ANSWERS];
extern ngx_uint_t         nanswers;
extern const sim_token_t  tokens[SIM_TOKENS];

void model_begin(void);
void model_time(void);
void model_sent(sim_call_t *call);
void model_before(sim_worker_t *w, const sim_call_t *call);
void model_waits(sim_worker_t *w);
void model_arrives(ngx_uint_t request);
void model_looks(ngx_uint_t all);
void model_stepped(void);
void model_denies(ngx_uint_t edge, ngx_uint_t token);
void model_says(const sim_call_t *call);
void model_removes(ngx_uint_t edge);
void model_ends(void);
void model_learns(ngx_uint_t edge, ngx_agt_denial_kind_e kind,
    ngx_uint_t token, int64_t until, int64_t before);
void model_loses(ngx_uint_t edge);
void model_value(ngx_agt_denial_kind_e kind, ngx_uint_t token, u_char *digest,
    ngx_str_t *value);


#endif /* _HOST_H_INCLUDED_ */
