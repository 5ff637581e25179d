
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _SIMULATION_H_INCLUDED_
#define _SIMULATION_H_INCLUDED_


#include "ngx_agilicus_token_module.h"
#include "fleet/entry.h"


/*
 * The seeded simulation.  A virtual worker is a copy of one shared object
 * (process.so) that holds the module's files as they are compiled and what they
 * take of nginx; each copy has its own static memory, as each process has.  The
 * program holds the scheduler, the clocks, the network, the Tokens API and the
 * model that judges.  All that happens follows from the seed of the schedule.
 *
 *   main.c       runs schedules in child processes, counts, and shrinks those
 *                that fail
 *   schedule.c   the steps of one schedule
 *   processes.c  virtual workers: their memory, their mutexes, how they are
 *                stopped and killed
 *   network.c    calls under way, and the Tokens API that answers them
 *   fleet.c      the steps of a schedule of edges that share their denials
 *   redis.c      what they share them by
 *   model.c      what must hold
 *   process.c    in process.so: what a worker is told to do
 *   nginx.c      in process.so: what nginx gives to the module
 *   socket.c     in process.so: its connections
 */

#define SIM_EDGES      3    /* the third one in some schedules of a fleet */
#define SIM_WORKERS    3    /* of an edge */
#define SIM_STEPS      400  /* of a schedule, at most */

#define SIM_TOKENS     6    /* that clients present */
#define SIM_LISTED     250  /* further tokens that the API has revoked */
#define SIM_LOCATIONS  7
#define SIM_SIGN_OUT   5    /* the locations that sign out */
#define SIM_ORIGINS    3
#define SIM_REQUESTS   192
#define SIM_CALLS      128
#define SIM_ANSWERS    1024
#define SIM_DENIALS    192

/* seconds for which a denial lasts if its end is not known */
#define SIM_TTL        40


/* what may go wrong; each is counted by schedules in which it happened */

typedef enum {
    SIM_STOPPED = 0,       /* a worker, between two steps of its own */
    SIM_STOPPED_LONG,      /* for seconds */
    SIM_STOPPED_LOCKED,    /* while it held a mutex that another one wants */
    SIM_KILLED,
    SIM_KILLED_BUSY,       /* in the middle of its work */
    SIM_KILLED_LOCKED,     /* while it held a mutex */
    SIM_TORN,              /* in the middle of a change */
    SIM_QUIT,              /* left in good order */
    SIM_LEFT,              /* a client */
    SIM_SUSPENDED,         /* the whole machine */
    SIM_CLOCK_STEPPED,
    SIM_EVICTED,           /* facts, for lack of room */

    SIM_LATE,              /* an answer, by more than a second */
    SIM_REORDERED,
    SIM_LOST_QUESTION,
    SIM_LOST_ANSWER,
    SIM_DUPLICATED,        /* a question arrived twice */
    SIM_BROKEN,            /* a connection, before any answer */
    SIM_TIMED_OUT,

    SIM_API_DOWN,          /* for seconds */
    SIM_API_FAILED,        /* 500 or 503 */
    SIM_API_THROTTLED,
    SIM_API_SAID_REVOKED,  /* of a token that is not */
    SIM_API_SAID_UNKNOWN,
    SIM_API_FOREIGN,       /* something else answered in its place */
    SIM_API_GARBLED,       /* a 200 that cannot be read */
    SIM_API_CLOCK,         /* is wrong by minutes */
    SIM_API_UNFILTERED,    /* ignores what a list is asked for */
    SIM_API_CUT,           /* lists fewer rows than it was asked for */
    SIM_API_ROW,           /* lists a row that cannot be read */

    SIM_FLEET,             /* those from here on are of a fleet */

    SIM_FLEET_KILLED = SIM_FLEET,
    SIM_FLEET_STOPPED,     /* a worker, for longer than it may lead its edge */
    SIM_FLEET_QUIT,
    SIM_FLEET_LOST,        /* a machine, with its memory */
    SIM_FLEET_CUT,
    SIM_FLEET_SLOW,
    SIM_FLEET_HANGS,       /* one connection */
    SIM_FLEET_DROPPED,     /* connections */
    SIM_REDIS_STOPPED,     /* answers later */
    SIM_REDIS_RESTARTED,
    SIM_REDIS_BEHIND,      /* restarted without what came last */
    SIM_REDIS_EMPTY,       /* restarted so */
    SIM_REDIS_FLUSHED,
    SIM_REDIS_FAILOVER,
    SIM_REDIS_FAR_BEHIND,  /* a failover to a replica that is */
    SIM_REDIS_FULL,
    SIM_REDIS_DELETED,     /* an entry */
    SIM_REDIS_LOSES,       /* what comes next */
    SIM_REDIS_CLOCK,       /* of the replica is another one */
    SIM_FLEET_DAY,         /* has passed */
    SIM_FLEET_MUTE,        /* the API, for one edge that asks for a list */
    SIM_FLEET_ALONE,       /* an edge without Redis, which polls */
    SIM_FLEET_ENDED,       /* nginx, in good order */

    SIM_FAULTS
} sim_fault_e;


typedef enum {
    SIM_TASK_START = 0,
    SIM_TASK_EVENTS,
    SIM_TASK_REQUEST,
    SIM_TASK_ANSWER,
    SIM_TASK_WAKE,
    SIM_TASK_BODY,
    SIM_TASK_LEAVE,
    SIM_TASK_HOOK,
    SIM_TASK_PURGE,
    SIM_TASK_PRESS,
    SIM_TASK_DRAIN,
    SIM_TASK_QUIT
} sim_task_e;


typedef struct {
    const char              *token;
    const char              *jti;
    const char              *session;
    const char              *sub;
    int64_t                  exp;      /* from the start; 0: none */
    int64_t                  iat;      /* the same */
} sim_token_t;


/* a virtual machine: its shared memory and its configuration */

typedef struct {
    ngx_uint_t               number;
    ngx_agt_main_conf_t      mcf;
    ngx_agt_loc_conf_t       lcfs[SIM_LOCATIONS];
    ngx_http_core_loc_conf_t clcf;
    ngx_agt_api_t            apis[2];
    ngx_agt_api_t           *all_apis[2];
    ngx_agt_origin_t         origins[SIM_ORIGINS];
    ngx_agt_origin_t        *all_origins[SIM_ORIGINS];
    ngx_shm_zone_t           shm_zone;
    ngx_agt_zone_t           zone;
    ngx_shm_zone_t           shm_denials;
    ngx_agt_denials_t        denials;
    uint64_t                 key;      /* the seed of its secrets */
    ngx_agt_fleet_server_t   servers[2];
    ngx_addr_t               addrs[2];
    struct sockaddr_in       sins[2];
    ngx_agt_fleet_keys_t     keys;
} sim_edge_t;


/* an entry of the fleet, opened */

typedef struct {
    ngx_uint_t               kind;
    uint64_t                 number;
    u_char                   writer[NGX_AGT_FLEET_WRITER_LEN];

    /* of a denial, as this edge would have it */
    u_char                   key[NGX_AGT_DENIAL_KEY_LEN];
    int64_t                  until;
    int64_t                  before;   /* of a subject */

    uint64_t                 start;    /* of a mark */
} sim_entry_t;


/* a request, as the client sees it */

typedef struct {
    ngx_uint_t               edge;
    ngx_uint_t               worker;   /* of the edge */
    ngx_uint_t               token;
    ngx_uint_t               location;
    uint64_t                 arrived;
    int64_t                  wall;     /* when it arrived */
    uint64_t                 order;
    uint64_t                 overdue;  /* ms: seen so for the last time */
    ngx_uint_t               passes;   /* in which it was */
    void                    *visit;    /* in the worker; NULL: ended */
    unsigned                 used:1;
    unsigned                 reading:1;
    unsigned                 healthy:1;
} sim_request_t;


/* how a request ended */

typedef struct {
    ngx_int_t                status;   /* NGX_OK: it may pass */
    ngx_agt_verdict_e        verdict;
    ngx_uint_t               cache;
    ngx_uint_t               has_facts;
    ngx_uint_t               late;
    ngx_str_t                email;
} sim_outcome_t;


typedef struct {
    sim_task_e               task;
    ngx_uint_t               what;
    ngx_uint_t               how;
    sim_request_t           *request;
    ngx_agt_curl_handler_pt  handler;
    void                    *data;
    ngx_agt_curl_result_t    result;
} sim_task_t;


/* what process.so does for the program; the only symbol that is looked up */

typedef struct {

    /* in the master: makes the shared memory of an edge */
    ngx_int_t         (*make)(sim_edge_t *edge);

    /* sets this process: its clocks, its number */
    void              (*set)(sim_edge_t *edge, ngx_uint_t number,
                          ngx_pid_t pid, const ngx_agt_clock_t *now,
                          ngx_msec_t msec);

    /* one pass through nginx's loop, which begins with the task */
    void              (*run)(sim_task_t *task);

    /* looks at shared memory, whatever process asks; no mutex is needed */
    ngx_agt_feed_e    (*feed)(sim_edge_t *edge, ngx_uint_t api, uint64_t now);
    ngx_uint_t        (*denied)(sim_edge_t *edge,
                          ngx_agt_denial_kind_e kind, const ngx_str_t *value,
                          const ngx_agt_clock_t *now);
    ngx_uint_t        (*sane)(sim_edge_t *edge);

    /* the digest of a token */
    void              (*digest)(const char *token, u_char *digest);

    /* bytes of the worker's memory that requests hold, places that are taken */
    ngx_uint_t        (*idle)(void);

    /* when its next timer is due, ms; whether it drains, and may exit */
    uint64_t          (*next)(void);
    ngx_uint_t        (*drained)(void);

    /*
     * Of the fleet: its state, numbers that are missing, the first number of
     * its own that has to be there for others, denials that another
     * edge has and this one has not, whether it denies all that an entry does.
     */
    ngx_agt_fleet_e   (*fleet)(sim_edge_t *edge, uint64_t now);
    uint64_t          (*missing)(sim_edge_t *edge);
    uint64_t          (*first)(sim_edge_t *edge);
    ngx_uint_t        (*lacks)(sim_edge_t *edge, sim_edge_t *other,
                          const ngx_agt_clock_t *now);
    ngx_uint_t        (*knows)(sim_edge_t *edge, const sim_entry_t *entry,
                          const ngx_agt_clock_t *now);
    ngx_int_t         (*key)(u_char *key, sim_edge_t *edge,
                          ngx_agt_denial_kind_e kind, const ngx_str_t *value);
    ngx_int_t         (*open)(const ngx_str_t *value, const char *epoch,
                          sim_entry_t *entry);
} sim_process_t;


typedef struct {
    ngx_agt_curl_request_t   request;
    ngx_agt_curl_result_t    result;
    ngx_uint_t               edge;
    ngx_uint_t               worker;
    ngx_uint_t               api;
    uint64_t                 sent;     /* by the worker's clock, ms */
    uint64_t                 since;    /* really */
    uint64_t                 order;
    ngx_uint_t               operation;
    ngx_uint_t               token;
    ngx_uint_t               origin;
    ngx_uint_t               answer;   /* number of its facts, plus one */
    ngx_uint_t               rows[100];
    ngx_uint_t               nrows;
    char                    *body;
    unsigned                 used:1;
    unsigned                 answered:1;
    uint64_t                 recovered; /* zones were, before it */
    unsigned                 lost:1;
    unsigned                 body_is_json:1;
    unsigned                 listed:1;
} sim_call_t;


#define SIM_INTROSPECT   0
#define SIM_REVOKE       1
#define SIM_LIST         2


/* of the program, for process.so */

/* the worker may be stopped here, or killed: then it does not return */
void sim_pause(const char *where);

void sim_lock(ngx_atomic_t *lock);
void sim_unlock(ngx_atomic_t *lock);
void sim_no_lock(const char *what);

/* memory of the process, which ends with it */
void *sim_alloc(size_t size);
void sim_free(void *p);

uint64_t sim_mono(void);
void sim_random_bytes(u_char *buf, size_t n);
ngx_uint_t sim_lives(ngx_pid_t pid);
ngx_agt_curl_op_t *sim_submit(ngx_uint_t api,
    ngx_agt_curl_request_t *request);
void sim_perform(ngx_uint_t api, ngx_agt_curl_request_t *request);
void sim_cancel(ngx_agt_curl_op_t *op);
void sim_wake(uint64_t mask);

/* connections to Redis: what recv(), send() and epoll say */
#define SIM_READABLE  1
#define SIM_WRITABLE  2

int sim_connect(ngx_uint_t node);
ngx_uint_t sim_refused(int fd);
ngx_uint_t sim_ready(int fd);
ssize_t sim_send(int fd, const u_char *data, size_t len);
ssize_t sim_recv(int fd, u_char *data, size_t len);
void sim_close(int fd);

void sim_log(ngx_uint_t level, const char *format);
void sim_answered(void);
void sim_ended(sim_request_t *q, const sim_outcome_t *outcome);
void sim_hooked(ngx_agt_denial_kind_e kind, ngx_uint_t token, int64_t until,
    int64_t before);
const sim_token_t *sim_token(ngx_uint_t token);
void sim_missing(const char *name);

/*
 * The schedule fails: ends this process.  "what" begins with a word that tells
 * one kind of failure from another.
 */
__attribute__((noreturn, format(printf, 1, 2)))
void sim_fail(const char *what, ...);


#endif /* _SIMULATION_H_INCLUDED_ */
