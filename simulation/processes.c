
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "host.h"

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define UNCHECKED  __attribute__((no_sanitize("address")))
#else
#define UNCHECKED
#endif


#define STACK  (256 * 1024)


struct sim_block_s {
    sim_block_t   *prev;
    sim_block_t   *next;
    sim_worker_t  *owner;
    void          *pad;
};


static void processes_load(sim_worker_t *w, const char *program,
    ngx_uint_t number);
static int processes_find(struct dl_phdr_info *info, size_t size, void *data);
static void processes_copy(u_char *dst, const u_char *src, size_t size);
static void processes_fiber(sim_worker_t *w);
static void processes_main(void);
static void processes_switch(sim_worker_t *w);
static void processes_leave(sim_worker_t *w);


sim_worker_t   workers[SIM_EDGES][SIM_WORKERS];

/* the master of all edges, which also looks into their memory */

sim_worker_t   master;

sim_worker_t  *current;
ngx_uint_t     stopping;
ngx_uint_t     killing;
ngx_uint_t     kills;

static ngx_pid_t     last_pid;
static sim_worker_t *dying;

#if defined(__SANITIZE_ADDRESS__)

static ucontext_t    scheduler;
static const void   *scheduler_stack;
static size_t        scheduler_size;

/* the sanitizer maps memory anew for each stack that its own one switches to */

static int         (*change)(ucontext_t *from, const ucontext_t *to)
                        = swapcontext;

#else

/* swapcontext() asks the kernel for a mask of signals, each time */

static jmp_buf       scheduler;

#endif


void
processes_init(const char *program)
{
    ngx_uint_t     e, i;
    sim_worker_t  *w;

#if defined(__SANITIZE_ADDRESS__)
    void  *libc;

    libc = dlopen("libc.so.6", RTLD_LAZY|RTLD_NOLOAD);

    if (libc) {
        *(void **) &change = dlsym(libc, "swapcontext");
    }
#else

    /* memory that is free is soon taken again: the kernel need not clear it */

    (void) mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
    (void) mallopt(M_MMAP_THRESHOLD, 256 * 1024 * 1024);
#endif

    for (e = 0; e < SIM_EDGES; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            w = &workers[e][i];
            w->edge = e;
            w->number = i;

            processes_load(w, program, e * SIM_WORKERS + i);
        }
    }

    processes_load(&master, program, SIM_EDGES * SIM_WORKERS);
}


static void
processes_load(sim_worker_t *w, const char *program, ngx_uint_t number)
{
    char   file[4096];
    void  *handle;

    (void) snprintf(file, sizeof(file), "%.*s/process-%u.so",
                    (int) (strrchr(program, '/') - program), program,
                    (unsigned) number);

    w->stack = malloc(STACK);

    handle = dlopen(file, RTLD_NOW|RTLD_LOCAL);

    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }

    w->process = dlsym(handle, "sim_process");

    if (w->process == NULL || w->stack == NULL) {
        exit(2);
    }

    dl_iterate_phdr(processes_find, w);

    w->fresh = malloc(w->size);

    if (w->size == 0 || w->fresh == NULL) {
        exit(2);
    }

    processes_copy(w->fresh, w->data, w->size);
}


/*
 * Finds the part of the object that is written to: what lies behind the pages
 * that the loader protects again once it has filled them in.
 */

static int
processes_find(struct dl_phdr_info *info, size_t size, void *data)
{
    sim_worker_t *w = data;

    uintptr_t          from, to, at, end;
    ngx_uint_t         i, mine;
    const ElfW(Phdr)  *p;

    mine = 0;
    from = 0;
    to = 0;
    end = 0;
    at = (uintptr_t) w->process;

    for (i = 0; i < info->dlpi_phnum; i++) {
        p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && at >= info->dlpi_addr + p->p_vaddr
            && at < info->dlpi_addr + p->p_vaddr + p->p_memsz)
        {
            mine = 1;
        }

        if (p->p_type == PT_LOAD && (p->p_flags & PF_W)) {
            from = info->dlpi_addr + p->p_vaddr;
            to = from + p->p_memsz;
        }

        if (p->p_type == PT_GNU_RELRO) {
            end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
            end = (end + 4095) & ~(uintptr_t) 4095;
        }
    }

    if (!mine) {
        return 0;
    }

    w->data = (u_char *) ngx_max(from, end);
    w->size = to - (uintptr_t) w->data;

    return 1;
}


#if !defined(__SANITIZE_ADDRESS__)

/* copies only the blocks that differ: the others stay shared with the parent */

static void
processes_copy(u_char *dst, const u_char *src, size_t size)
{
    size_t  i, n;

    for (i = 0; i < size; i += n) {
        n = ngx_min(size - i, 512);

        if (memcmp(dst + i, src + i, n) != 0) {
            memcpy(dst + i, src + i, n);
        }
    }
}

#else

/* the sanitizer guards what lies between variables */

UNCHECKED
static void
processes_copy(u_char *dst, const u_char *src, size_t size)
{
    size_t             i;
    uint64_t           *d;
    volatile const uint64_t  *s;

    d = (uint64_t *) dst;
    s = (volatile const uint64_t *) src;

    for (i = 0; i < size / sizeof(uint64_t); i++) {
        if (d[i] != s[i]) {
            d[i] = s[i];
        }
    }

    for (i *= sizeof(uint64_t); i < size; i++) {
        dst[i] = src[i];
    }
}

#endif


/* all processes are new, and none has started */

void
processes_begin(void)
{
    ngx_uint_t  e, i;

    last_pid = 1000;
    kills = 0;

    for (e = 0; e < SIM_EDGES; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            forget_process(&workers[e][i]);
        }
    }
}


/* another process takes its place, which is still to be started */

void
forget_process(sim_worker_t *w)
{
    sim_block_t  *block;

    while (w->blocks) {
        block = w->blocks;
        w->blocks = block->next;
        free(block);
    }

    if (w->used) {
        processes_copy(w->data, w->fresh, w->size);
        w->used = 0;
    }

    w->pid = ++last_pid;
    w->lock = NULL;
    w->wanted = NULL;
    w->busy = 0;
    w->woken = 0;
    w->started = 0;
    w->stopped = 0;

    processes_fiber(w);
}


static void
processes_fiber(sim_worker_t *w)
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(w->stack, STACK);
#endif

    if (getcontext(&w->context) == -1) {
        exit(2);
    }

    w->context.uc_stack.ss_sp = w->stack;
    w->context.uc_stack.ss_size = STACK;
    w->context.uc_link = NULL;

    makecontext(&w->context, processes_main, 0);

    w->entered = 0;
}


static void
processes_main(void)
{
    sim_worker_t  *w;

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_size);
#endif

    for ( ;; ) {
        w = current;

        w->process->run(&w->task);

        if (w->task.task == SIM_TASK_START) {
            w->started = 1;

        } else if (w->task.task == SIM_TASK_QUIT) {
            w->started = 0;
        }

        w->busy = 0;
        processes_leave(w);
    }
}


/* nginx reads the clocks once for all that it does after a wait */

void
start(sim_worker_t *w, const sim_task_t *task)
{
    w->task = *task;
    w->used = 1;
    w->now = now;
    w->busy = 1;
    w->healthy = 0;

    resume(w);
}


void
resume(sim_worker_t *w)
{
    sim_edge_t  *edge;

    edge = &edges[w->edge];

    if (w->wanted && *w->wanted) {
        return;
    }

    if (w->stopped && now.mono >= w->stopped + 3000) {
        fault(SIM_STOPPED_LONG);
    }

    w->stopped = 0;

    w->healthy |= (master.process->feed(edge, 0, w->now.mono)
                   == NGX_AGT_FEED_HEALTHY);

    current = w;
    w->process->set(edge, w->number, w->pid, &w->now,
                    msec_of(w->now.mono));

    processes_switch(w);

    current = NULL;
    report->counts.switches++;
    w->next = fleet ? w->process->next() : 0;

    if (w->task.request) {
        w->task.request->healthy |= w->healthy;
    }

    if (dying) {
        dying = NULL;
        kill_worker(w);
        return;
    }

    if (w->busy) {
        w->stopped = now.mono;
        return;
    }

    if (w->lock) {
        sim_fail("mutex: one is kept after all work is done");
    }

    if (w->task.task == SIM_TASK_QUIT) {
        redis_forget(w);
        forget_process(w);
        return;
    }

    model_waits(w);
}


static void
processes_switch(sim_worker_t *w)
{
#if defined(__SANITIZE_ADDRESS__)
    void  *fake;

    __sanitizer_start_switch_fiber(&fake, w->stack, STACK);

    (void) change(&scheduler, &w->context);

    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else

    if (_setjmp(scheduler)) {
        return;
    }

    if (w->entered) {
        _longjmp(w->left, 1);
    }

    w->entered = 1;
    (void) setcontext(&w->context);
#endif
}


static void
processes_leave(sim_worker_t *w)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&w->fake, scheduler_stack, scheduler_size);

    (void) change(&w->context, &scheduler);

    __sanitizer_finish_switch_fiber(w->fake, &scheduler_stack,
                                    &scheduler_size);
#else

    if (_setjmp(w->left) == 0) {
        _longjmp(scheduler, 1);
    }
#endif
}


void
sim_pause(const char *where)
{
    uint64_t       chance;
    ngx_uint_t     dies, stops, often;
    sim_worker_t  *w = current;

    if (w == NULL || calm) {
        return;
    }

    /* workers of a fleet rarely die by themselves: more is to be seen here */

    often = (fleet && w->lock && strncmp(where, "ngx_", 4) == 0) ? 64 : 1;

    chance = draw();
    dies = (chance & 0xffff) < killing * often
           && w->task.task != SIM_TASK_QUIT;
    stops = (chance >> 16 & (fleet ? 0xffff : 0xff)) < stopping;

    /*
     * A request is judged by the denials that were known when it looked for the
     * last time, so nothing happens between that look and the judgement.
     */

    if ((!dies && !stops) || strcmp(where, "ngx_agt_denials_generation") == 0) {
        return;
    }

    if (dies) {
        tell("killed at %s%s", where, w->lock ? ", with a mutex" : "");

        fault(SIM_KILLED_BUSY);

        if (w->lock) {
            fault(SIM_KILLED_LOCKED);
        }

        dying = w;
        processes_leave(w);
    }

    if (stops) {
        tell("stopped at %s%s", where, w->lock ? ", with a mutex" : "");
        fault(SIM_STOPPED);
        processes_leave(w);
    }
}


/* what nginx does when a process has died, and what else ends with it */

void
kill_worker(sim_worker_t *w)
{
    ngx_uint_t  i;

    fault(SIM_KILLED);
    kills++;

    if (w->lock) {
        *w->lock = 0;
    }

    for (i = 0; i < SIM_REQUESTS; i++) {
        if (requests[i].used && requests[i].visit
            && requests[i].edge == w->edge && requests[i].worker == w->number)
        {
            requests[i].visit = NULL;
        }
    }

    network_forget(w);
    redis_forget(w);
    forget_process(w);
}


void
sim_lock(ngx_atomic_t *lock)
{
    sim_worker_t  *w = current;

    if (w == NULL) {
        return;
    }

    sim_pause("lock");

    if (w->lock) {
        sim_fail("mutex: one is taken while one is held");
    }

    while (*lock) {
        fault(SIM_STOPPED_LOCKED);

        w->wanted = lock;
        processes_leave(w);
    }

    w->wanted = NULL;
    w->lock = lock;
    *lock = (ngx_atomic_uint_t) w->pid;

    sim_pause("locked");
}


void
sim_unlock(ngx_atomic_t *lock)
{
    sim_worker_t  *w = current;

    if (w == NULL) {
        return;
    }

    sim_pause("unlock");

    if (w->lock != lock) {
        sim_fail("mutex: one is given back that is not held");
    }

    *lock = 0;
    w->lock = NULL;

    sim_pause("unlocked");
}


void
sim_no_lock(const char *what)
{
    if (current && current->lock) {
        sim_fail("mutex: %s while one is held", what);
    }
}


void *
sim_alloc(size_t size)
{
    sim_block_t  *block;

    block = malloc(sizeof(sim_block_t) + size);

    if (block == NULL) {
        exit(2);
    }

    block->owner = current;
    block->prev = NULL;
    block->next = NULL;

    if (current) {
        block->next = current->blocks;

        if (block->next) {
            block->next->prev = block;
        }

        current->blocks = block;
    }

    return block + 1;
}


void
sim_free(void *p)
{
    sim_block_t  *block;

    if (p == NULL) {
        return;
    }

    block = (sim_block_t *) p - 1;

    if (block->next) {
        block->next->prev = block->prev;
    }

    if (block->prev) {
        block->prev->next = block->next;

    } else if (block->owner) {
        block->owner->blocks = block->next;
    }

    free(block);
}


uint64_t
sim_mono(void)
{
    return now.mono;
}


void
sim_random_bytes(u_char *buf, size_t n)
{
    while (n--) {
        *buf++ = (u_char) draw();
    }
}


ngx_uint_t
sim_lives(ngx_pid_t pid)
{
    ngx_uint_t  e, i;

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            if (workers[e][i].pid == pid) {
                return 1;
            }
        }
    }

    return 0;
}


void
sim_wake(uint64_t mask)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_WORKERS; i++) {
        if (mask & ((uint64_t) 1 << i)) {
            workers[current->edge][i].woken = 1;
        }
    }
}


sim_worker_t *
worker_of_request(const sim_request_t *q)
{
    return &workers[q->edge][q->worker];
}


/* a stopped worker is stopped for a moment, or now and then for seconds */

ngx_uint_t
anyone_busy(void)
{
    ngx_uint_t  e, i;

    for (e = 0; e < nedges; e++) {
        for (i = 0; i < SIM_WORKERS; i++) {
            if (workers[e][i].busy) {
                return 1;
            }
        }
    }

    return 0;
}


/* 1 if nothing is about to change the denials of an edge */

ngx_uint_t
denials_are_quiet(ngx_uint_t edge)
{
    ngx_agt_denials_t  *denials;

    denials = &edges[edge].denials;

    return *denials->shpool->mutex.lock == 0
           && (denials->sh->changes & 1) == 0;
}
