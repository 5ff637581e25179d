
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Runs schedules in child processes, so that a crash is a failure like others;
 * shrinks a schedule that fails to the steps that matter, and counts.
 *
 *     simulate [-s SEED] [-n SCHEDULES | -t SECONDS] [-j JOBS] [-f] [-k] [-q]
 *              [-v]
 *
 * With -f, only schedules of fleets; with -k, those behind one that fails are
 * run all the same; with -q, one that fails is not shrunk; -v prints all steps.
 */

#include "host.h"

#include <sys/mman.h>
#include <sys/wait.h>


#define MAX_JOBS    16

/* schedules of a child, whose end frees the memory that killed workers leave */
#define BATCH       250

/* schedules that a shrinker may try, and the steps that it prints */
#define TRIES       400
#define LAST_STEPS  60


typedef struct {
    uint64_t    seed;
    uint64_t    schedules;
    ngx_uint_t  seconds;
    ngx_uint_t  jobs;
} options_t;


typedef struct {
    pid_t       pid;
    uint64_t    next;       /* seeds from here on */
    uint64_t    end;        /* up to the one in front of this */
} job_t;


const char *__asan_default_options(void);

static ngx_uint_t run_all(const options_t *o, uint64_t *failed);
static pid_t run_batch(sim_report_t *r, const job_t *job, time_t end);
static void run_ended(sim_report_t *r, int status);
static void show_failure(uint64_t seed);
static ngx_uint_t run_one(uint64_t seed, const u_char *skip, ngx_uint_t steps,
    ngx_uint_t loud);
static ngx_uint_t is_same(const char *why);
static void print_counts(const sim_counts_t *c);
static ngx_uint_t check_counts(const sim_counts_t *c);
static void add_counts(sim_counts_t *sum, const sim_counts_t *c);
static time_t seconds_now(void);


static const char  *faults[SIM_FAULTS] = {
    "a worker is stopped between two steps",
    "a worker is stopped for seconds",
    "a worker is stopped with a mutex that others want",
    "a worker is killed",
    "a worker is killed in the middle of its work",
    "a worker is killed while it holds a mutex",
    "a process died in the middle of a change",
    "a worker exits",
    "a client leaves",
    "the machine is suspended",
    "the wall clock is set",
    "facts are evicted",
    "an answer is late",
    "answers come in another order",
    "a question is lost",
    "an answer is lost",
    "a question arrives twice",
    "a connection breaks",
    "a call times out",
    "the API is down for seconds",
    "the API answers 500 or 503",
    "the API answers 429",
    "the API says 410 of a good token",
    "the API says 404 of a good token",
    "something else answers for the API",
    "an answer cannot be read",
    "the API's clock is wrong",
    "the API ignores what a list is asked for",
    "the API lists fewer rows than asked",
    "a row of a list cannot be read",

    "a worker of a fleet is killed",
    "it is stopped for longer than it may lead its edge",
    "it exits",
    "a machine is lost",
    "an edge is cut off",
    "its network is slow",
    "one of its connections hangs",
    "its connections are dropped",
    "Redis is stopped",
    "Redis is restarted",
    "Redis is restarted without what came last",
    "Redis is restarted empty",
    "Redis is flushed",
    "a replica takes over",
    "a replica that is behind takes over",
    "Redis is full",
    "an entry is deleted",
    "an entry is acknowledged and lost",
    "the replica has another clock",
    "a day passes",
    "the API gives an edge no list",
    "an edge that has no Redis polls by itself",
    "nginx ends in good order"
};

sim_report_t        *report;
ngx_uint_t           telling;

static ngx_uint_t    fleets;
static ngx_uint_t    quiet;
static ngx_uint_t    keeps_on;
static sim_report_t *reports;
static ngx_uint_t    happened[SIM_FAULTS];
static char          why[512];          /* of the failure that is shrunk */


/* killed workers leave memory, and all copies of process.so have one name */

const char *
__asan_default_options(void)
{
    return "detect_leaks=0:detect_odr_violation=0"
           ":detect_stack_use_after_return=0";
}


int
main(int argc, char **argv)
{
    int           c;
    uint64_t      failed;
    ngx_uint_t    i, bad;
    options_t     o;
    sim_counts_t  sum;

    o.seed = 1;
    o.schedules = 0;
    o.seconds = 0;
    o.jobs = 1;

    while ((c = getopt(argc, argv, "s:n:t:j:fkqv")) != -1) {

        switch (c) {

        case 's':
            o.seed = strtoull(optarg, NULL, 10);
            break;

        case 'n':
            o.schedules = strtoull(optarg, NULL, 10);
            break;

        case 't':
            o.seconds = strtoul(optarg, NULL, 10);
            break;

        case 'j':
            o.jobs = ngx_min(ngx_max(strtoul(optarg, NULL, 10), 1), MAX_JOBS);
            break;

        case 'f':
            fleets = 1;
            break;

        case 'k':
            keeps_on = 1;
            break;

        case 'q':
            quiet = 1;
            break;

        case 'v':
            telling = 1;
            break;

        default:
            return 2;
        }
    }

    if (o.schedules == 0 && o.seconds == 0) {
        o.schedules = 2000;
    }

    reports = mmap(NULL, MAX_JOBS * sizeof(sim_report_t),
                   PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (reports == MAP_FAILED) {
        return 2;
    }

    report = &reports[0];

    setvbuf(stdout, NULL, _IOLBF, 0);

    processes_init(argv[0]);

    failed = o.seed;
    bad = run_all(&o, &failed);

    memset(&sum, 0, sizeof(sim_counts_t));

    for (i = 0; i < o.jobs; i++) {
        add_counts(&sum, &reports[i].counts);
    }

    if (bad) {
        printf("not ok 1 - what must hold does in all schedules\n");
        printf("# %lu fail\n", (unsigned long) bad);
        printf("# seed %lu: %s\n", (unsigned long) failed, why);

        if (!quiet && !keeps_on) {
            show_failure(failed);
        }

    } else {
        printf("ok 1 - what must hold does in all schedules\n");
    }

    print_counts(&sum);

    /* few schedules may well do without the rarest */

    if (!bad && (sum.schedules >= 1000 || sum.fleets >= 200)) {
        bad = check_counts(&sum);
        printf("%sok 2 - and all that can go wrong did\n1..2\n",
               bad ? "not " : "");

    } else {
        printf("1..1\n");
    }

    return bad != 0;
}


/* returns how many schedules fail, and the seed of the first one */

static ngx_uint_t
run_all(const options_t *o, uint64_t *failed)
{
    int         status;
    pid_t       pid;
    job_t       jobs[MAX_JOBS], *job;
    time_t      end;
    uint64_t    next, n;
    ngx_uint_t  i, running, bad;

    end = o->seconds ? seconds_now() + (time_t) o->seconds : 0;
    next = 0;
    running = 0;
    bad = 0;

    memset(jobs, 0, sizeof(jobs));

    for ( ;; ) {

        for (i = 0; i < o->jobs && (keeps_on || !bad); i++) {
            job = &jobs[i];

            if (job->pid
                || (o->schedules && next >= o->schedules)
                || (end && seconds_now() >= end))
            {
                continue;
            }

            n = BATCH;

            if (o->schedules) {
                n = ngx_min(n, o->schedules - next);
            }

            job->next = o->seed + next;
            job->end = job->next + n;
            job->pid = run_batch(&reports[i], job, end);

            next += n;
            running++;
        }

        if (running == 0) {
            return bad;
        }

        pid = wait(&status);

        for (i = 0; i < o->jobs; i++) {
            job = &jobs[i];

            if (job->pid != pid) {
                continue;
            }

            job->pid = 0;
            running--;

            if (status == 0) {
                break;
            }

            run_ended(&reports[i], status);

            if (bad++ == 0) {
                *failed = reports[i].seed;
                memcpy(why, reports[i].why, sizeof(why));
            }

            if (keeps_on) {
                printf("# seed %lu: %s\n", (unsigned long) reports[i].seed,
                       reports[i].why);

                job->next = reports[i].seed + 1;
                job->pid = run_batch(&reports[i], job, end);
                running++;
            }

            break;
        }
    }
}


static pid_t
run_batch(sim_report_t *r, const job_t *job, time_t end)
{
    pid_t       pid;
    ngx_uint_t  f;

    fflush(stdout);

    pid = fork();

    if (pid == -1) {
        exit(2);
    }

    if (pid != 0) {
        return pid;
    }

    report = r;
    report->failed = 0;

    for (r->seed = job->next;
         r->seed < job->end && (end == 0 || seconds_now() < end);
         r->seed++)
    {
        if (fleets && !is_of_fleet(r->seed)) {
            continue;
        }

        memset(happened, 0, sizeof(happened));

        schedule(r->seed, NULL, steps_of(r->seed));

        for (f = 0; f < SIM_FAULTS; f++) {
            if ((f >= SIM_FLEET) == (fleet != 0)) {
                r->counts.faults[f] += happened[f];
            }
        }
    }

    fflush(stdout);
    _exit(0);
}


static void
run_ended(sim_report_t *r, int status)
{
    if (!r->failed) {
        (void) snprintf(r->why, sizeof(r->why), "crash: status %d at step %u",
                        status, (unsigned) r->step);
    }
}


void
fault(sim_fault_e f)
{
    if (!happened[f]) {
        tell("for the first time: %s", faults[f]);
    }

    happened[f] = 1;
}


void
tell(const char *format, ...)
{
    va_list  args;

    if (!telling) {
        return;
    }

    printf("#   %4u  %9lu ms  ", (unsigned) report->step,
           (unsigned long) (now.mono - 1000000));

    va_start(args, format);
    (void) vprintf(format, args);
    va_end(args);

    printf("\n");
}


void
sim_fail(const char *what, ...)
{
    va_list  args;

    va_start(args, what);
    (void) vsnprintf(report->why, sizeof(report->why), what, args);
    va_end(args);

    report->failed = 1;

    tell("%s", report->why);

    fflush(stdout);
    _exit(1);
}


void
sim_missing(const char *name)
{
    sim_fail("missing: the simulation has no %s()", name);
}


/* prints the seed, and the fewest steps after which the same goes wrong */

static void
show_failure(uint64_t seed)
{
    u_char      skip[SIM_STEPS], was[SIM_STEPS];
    ngx_uint_t  i, size, from, to, steps, tries, kept;

    memset(skip, 0, sizeof(skip));
    tries = 0;
    steps = steps_of(seed);

    if (!run_one(seed, NULL, steps, 0)) {
        printf("# it does not fail again\n");
        return;
    }

    kept = steps;
    steps = ngx_min(report->step + 1, steps);

    if (steps < kept && !run_one(seed, skip, steps, 0)) {
        steps = kept;
    }

    for (size = steps / 2; size; size /= 2) {

        for (to = steps; to > 0 && tries < TRIES; to = from) {
            from = (to > size) ? to - size : 0;
            memcpy(was, skip, sizeof(skip));

            if (memchr(skip + from, 0, to - from) == NULL) {
                continue;
            }

            memset(skip + from, 1, to - from);
            tries++;

            if (!run_one(seed, skip, steps, 0)) {
                memcpy(skip, was, sizeof(skip));
            }
        }
    }

    kept = 0;

    for (i = 0; i < steps; i++) {
        kept += !skip[i];
    }

    printf("# %u of %u steps matter:\n", (unsigned) kept, (unsigned) steps);

    (void) run_one(seed, skip, steps, 1);

    printf("# replay all steps: make simulate SEED=%lu\n",
           (unsigned long) seed);
}


/* 1 if the schedule fails as it did before */

static ngx_uint_t
run_one(uint64_t seed, const u_char *skip, ngx_uint_t steps, ngx_uint_t loud)
{
    int    status;
    pid_t  pid;

    report = &reports[0];
    report->failed = 0;
    report->why[0] = '\0';

    fflush(stdout);

    pid = fork();

    if (pid == -1) {
        exit(2);
    }

    if (pid == 0) {
        telling = loud;
        memset(happened, 0, sizeof(happened));

        if (!loud) {
            (void) freopen("/dev/null", "w", stdout);
            (void) freopen("/dev/null", "w", stderr);
        }

        (void) alarm(30);

        schedule(seed, skip, steps);

        fflush(stdout);
        _exit(0);
    }

    if (waitpid(pid, &status, 0) != pid || status == 0) {
        return 0;
    }

    return report->failed ? is_same(report->why)
                          : ngx_strncmp(why, "crash:", 6) == 0;
}


/* the first word is the kind of failure */

static ngx_uint_t
is_same(const char *other)
{
    size_t  n;

    n = strcspn(why, ":");

    return strncmp(why, other, n + 1) == 0;
}


static void
add_counts(sim_counts_t *sum, const sim_counts_t *c)
{
    size_t           i;
    uint64_t        *s;
    const uint64_t  *n;

    s = (uint64_t *) sum;
    n = (const uint64_t *) c;

    for (i = 0; i < sizeof(sim_counts_t) / sizeof(uint64_t); i++) {
        s[i] += n[i];
    }
}


static void
print_counts(const sim_counts_t *c)
{
    uint64_t    n;
    ngx_uint_t  i;

    printf("# %lu schedules, %lu of a fleet, %lu steps, %lu switches\n",
           (unsigned long) (c->schedules + c->fleets),
           (unsigned long) c->fleets, (unsigned long) c->steps,
           (unsigned long) c->switches);

    printf("# allowed: %lu hits, %lu misses, %lu joined, %lu while updating, "
           "%lu stale, %lu without a cache\n",
           (unsigned long) c->allowed[1], (unsigned long) c->allowed[2],
           (unsigned long) c->allowed[3], (unsigned long) c->allowed[4],
           (unsigned long) c->allowed[5], (unsigned long) c->allowed[6]);

    printf("# refused: %lu revoked, %lu expired, %lu invalid, "
           "%lu unavailable\n",
           (unsigned long) c->refused[NGX_AGT_VERDICT_REVOKED],
           (unsigned long) c->refused[NGX_AGT_VERDICT_EXPIRED],
           (unsigned long) c->refused[NGX_AGT_VERDICT_INVALID],
           (unsigned long) c->refused[NGX_AGT_VERDICT_UNAVAILABLE]);

    printf("# %lu refused at once by an answer\n", (unsigned long) c->said_no);

    printf("# %lu calls, %lu of lists, %lu sign-outs, %lu denials, "
           "%lu looks at a healthy feed\n",
           (unsigned long) c->calls, (unsigned long) c->polls,
           (unsigned long) c->signed_out, (unsigned long) c->denials,
           (unsigned long) c->healthy);

    printf("# schedules in which\n");

    for (i = 0; i < SIM_FAULTS; i++) {

        if (i == SIM_FLEET) {
            printf("# %lu looks at a healthy fleet, %lu at its feeds, %lu "
                   "entries, %lu denials of other edges, %lu ms until all are "
                   "healthy\n",
                   (unsigned long) c->shared, (unsigned long) c->fed,
                   (unsigned long) c->entries, (unsigned long) c->learned,
                   (unsigned long) (c->healing / ngx_max(c->fleets, 1)));
        }

        n = (i < SIM_FLEET) ? c->schedules : c->fleets;

        printf("# %9lu  %5.1f %%  %s\n", (unsigned long) c->faults[i],
               n ? 100.0 * (double) c->faults[i] / (double) n : 0.0,
               faults[i]);
    }
}


/* 1 if something that can happen did too rarely */

static ngx_uint_t
check_counts(const sim_counts_t *c)
{
    uint64_t    n;
    ngx_uint_t  i, bad;

    bad = 0;

    for (i = 0; i < SIM_FAULTS; i++) {
        n = (i < SIM_FLEET) ? c->schedules : c->fleets;

        if (n >= 200 && c->faults[i] * 100 < n) {
            printf("# too rare: %s\n", faults[i]);
            bad = 1;
        }
    }

    if (c->shared < 100 * c->fleets || c->fed < 10 * c->fleets
        || c->learned < 10 * c->fleets)
    {
        printf("# a fleet or its feeds are too rarely healthy, or it learns "
               "too little\n");
        bad = 1;
    }

    if (c->schedules < 1000) {
        return bad;
    }

    for (i = 1; i <= 6; i++) {
        if (c->allowed[i] * 50 < c->schedules) {
            printf("# too rarely allowed by way %u\n", (unsigned) i);
            bad = 1;
        }
    }

    if (c->refused[NGX_AGT_VERDICT_REVOKED] < c->schedules
        || c->refused[NGX_AGT_VERDICT_EXPIRED] * 10 < c->schedules
        || c->refused[NGX_AGT_VERDICT_INVALID] * 10 < c->schedules
        || c->refused[NGX_AGT_VERDICT_UNAVAILABLE] * 10 < c->schedules
        || c->said_no * 50 < c->schedules
        || c->denials < c->schedules
        || c->signed_out * 10 < c->schedules
        || c->healthy < c->schedules)
    {
        printf("# too rarely refused, denied or healthy\n");
        bad = 1;
    }

    return bad;
}


static time_t
seconds_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec;
}
