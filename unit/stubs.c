
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "stubs.h"
#include "zone/clock.h"
#include "zone/process.h"



typedef struct {
    ngx_shm_zone_t  shm_zone;
    ngx_agt_zone_t  zone;
} stub_zone_t;


typedef struct {
    ngx_shm_zone_t     shm_zone;
    ngx_agt_denials_t  denials;
} stub_denials_t;


static void *stub_memory(size_t size);
static void stub_slab(ngx_shm_zone_t *shm_zone, void *mem, size_t size);


static ngx_cycle_t   stub_cycle;
static ngx_time_t    stub_time;
static uint64_t      stub_state;

volatile ngx_msec_t   ngx_current_msec;
volatile ngx_time_t  *ngx_cached_time = &stub_time;
volatile ngx_cycle_t *ngx_cycle = &stub_cycle;
ngx_pid_t             ngx_pid = 1000;
ngx_uint_t            ngx_pagesize = 4096;
ngx_uint_t            ngx_cacheline_size = 64;

ngx_log_t     stub_log;
void        (*stub_locking)(ngx_shmtx_t *mtx);
void        (*stub_locked)(ngx_shmtx_t *mtx);
void        (*stub_unlocked)(ngx_shmtx_t *mtx);
ngx_uint_t    stub_held;
ngx_uint_t    stub_locks;
ngx_int_t     stub_allocations = -1;
void        (*stub_allocated)(void);
ngx_uint_t  (*stub_there)(ngx_pid_t pid);
ngx_pid_t     stub_dead;
ngx_uint_t    stub_lines;
ngx_uint_t    stub_level;
const char   *stub_line;

ngx_agt_denial_source_e  stub_source = NGX_AGT_DENIED_BY_FEED;


void
stub_clock(uint64_t mono, int64_t wall)
{
    ngx_current_msec = (ngx_msec_t) mono;
    stub_time.sec = (time_t) wall;
}


/* weak: a test of the clock itself has the real ones */

__attribute__((weak)) void
ngx_agt_clock_now(ngx_agt_clock_t *now)
{
    now->mono = ngx_agt_clock_mono();
    now->wall = ngx_time();
}


__attribute__((weak)) uint64_t
ngx_agt_clock_mono(void)
{
    return ngx_current_msec;
}


__attribute__((weak)) uint64_t
ngx_agt_clock_mono_now(void)
{
    return ngx_current_msec + 1;
}


void
stub_pass(uint64_t mono_ms)
{
    stub_clock(ngx_current_msec + mono_ms,
               stub_time.sec
               + (int64_t) ((ngx_current_msec % 1000 + mono_ms) / 1000));
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    if (stub_locking) {
        stub_locking(mtx);
    }

    if (stub_held) {
        fprintf(stderr, "a mutex is taken while one is held\n");
        abort();
    }

    stub_held = 1;
    stub_locks++;

    if (stub_locked) {
        stub_locked(mtx);
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    if (!stub_held) {
        fprintf(stderr, "a mutex is given back that is not held\n");
        abort();
    }

    stub_held = 0;

    if (stub_unlocked) {
        stub_unlocked(mtx);
    }
}


void
stub_zone_force_unlock(void)
{
    stub_held = 0;
}


static ngx_uint_t
stub_may_allocate(void)
{
    if (stub_held) {
        fprintf(stderr, "memory is asked for while a mutex is held\n");
        abort();
    }

    if (stub_allocations == 0) {
        return 0;
    }

    if (stub_allocations > 0) {
        stub_allocations--;
    }

    if (stub_allocated) {
        stub_allocated();
    }

    return 1;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return stub_may_allocate() ? malloc(size) : NULL;
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return stub_may_allocate() ? calloc(1, size) : NULL;
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    explicit_bzero(buf, n);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    if (stub_held) {
        fprintf(stderr, "a line is logged while a mutex is held\n");
        abort();
    }

    stub_lines++;
    stub_level = level;
    stub_line = fmt;
}


ngx_uint_t
ngx_agt_process_lives(ngx_pid_t pid)
{
    return pid == ngx_pid || (stub_there ? stub_there(pid) : pid != stub_dead);
}


void *
ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    void  *p;

    if (size == 0 || size > pool->pfree * ngx_pagesize) {
        return NULL;
    }

    p = pool->start;
    pool->pfree -= (size + ngx_pagesize - 1) / ngx_pagesize;
    pool->start = (u_char *) p + size;

    return p;
}


ngx_agt_zone_t *
stub_zone(size_t size)
{
    return stub_zone_at(stub_memory(size), size);
}


ngx_agt_zone_t *
stub_zone_at(void *mem, size_t size)
{
    stub_zone_t  *z;

    z = calloc(1, sizeof(stub_zone_t));
    if (z == NULL) {
        abort();
    }

    stub_slab(&z->shm_zone, mem, size);

    z->shm_zone.data = &z->zone;
    z->zone.shm_zone = &z->shm_zone;

    if (ngx_agt_zone_init(&z->shm_zone, NULL) != NGX_OK) {
        free(mem);
        free(z);
        return NULL;
    }

    return &z->zone;
}


ngx_agt_denials_t *
stub_denials(size_t size)
{
    return stub_denials_at(stub_memory(size), size);
}


ngx_agt_denials_t *
stub_denials_at(void *mem, size_t size)
{
    stub_denials_t  *d;

    d = calloc(1, sizeof(stub_denials_t));
    if (d == NULL) {
        abort();
    }

    stub_slab(&d->shm_zone, mem, size);

    d->shm_zone.data = &d->denials;
    d->denials.shm_zone = &d->shm_zone;

    if (ngx_agt_denials_init(&d->shm_zone, NULL) != NGX_OK) {
        free(mem);
        free(d);
        return NULL;
    }

    return &d->denials;
}


static void *
stub_memory(size_t size)
{
    void  *mem;

    if (posix_memalign(&mem, ngx_pagesize, size) != 0) {
        abort();
    }

    return mem;
}


/*
 * nginx's slab keeps its head, nine sizes with their statistics and a record
 * for each page to itself, and gives away whole pages behind them.
 */

static void
stub_slab(ngx_shm_zone_t *shm_zone, void *mem, size_t size)
{
    size_t            head, pages;
    ngx_slab_pool_t  *pool;

    stub_log.log_level = NGX_LOG_DEBUG;
    stub_cycle.log = &stub_log;

    pool = mem;
    memset(pool, 0, size);

    head = sizeof(ngx_slab_pool_t)
           + 9 * (sizeof(ngx_slab_page_t) + sizeof(ngx_slab_stat_t));

    pages = (size - head) / (ngx_pagesize + sizeof(ngx_slab_page_t));
    head = ngx_align(head + pages * sizeof(ngx_slab_page_t),
                     (size_t) ngx_pagesize);

    pool->pfree = (size - head) / ngx_pagesize;
    pool->start = (u_char *) pool + head;
    pool->end = (u_char *) pool + size;
    pool->log_nomem = 1;

    shm_zone->shm.addr = (u_char *) pool;
    shm_zone->shm.size = size;
    shm_zone->shm.log = &stub_log;
    ngx_str_set(&shm_zone->shm.name, "unit");
}


void
stub_zone_free(ngx_agt_zone_t *zone)
{
    free(zone->shm_zone->shm.addr);
    free((u_char *) zone - offsetof(stub_zone_t, zone));
}


void
stub_denials_free(ngx_agt_denials_t *denials)
{
    free(denials->shm_zone->shm.addr);
    free((u_char *) denials - offsetof(stub_denials_t, denials));
}


ngx_int_t
stub_deny(ngx_agt_denials_t *denials, const u_char *api,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value,
    int64_t until, int64_t before, const ngx_agt_clock_t *now)
{
    ngx_agt_denial_args_t  args;

    memset(&args, 0, sizeof(args));

    args.api = api;
    args.kind = kind;
    args.source = stub_source;
    args.value = *value;
    args.until = until;
    args.before = before;

    return ngx_agt_denials_add(denials, &args, now);
}


void
stub_seed(uint64_t seed)
{
    stub_state = seed;
}


/* splitmix64 */

uint64_t
stub_random(void)
{
    uint64_t  z;

    z = (stub_state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


uint64_t
stub_below(uint64_t n)
{
    return stub_random() % n;
}


static ngx_agt_entry_t *
stub_table_at(ngx_agt_table_t *t, uint32_t unit)
{
    return (ngx_agt_entry_t *) ((u_char *) t + t->arena_offset
                                + (size_t) unit * NGX_AGT_TABLE_UNIT);
}


ngx_agt_entry_t *
stub_table_next(ngx_agt_table_t *t, ngx_agt_entry_t *e)
{
    uint32_t  unit;

    unit = e ? (uint32_t) (((u_char *) e - (u_char *) t - t->arena_offset)
                           / NGX_AGT_TABLE_UNIT) + e->units
             : 0;

    for ( /* void */ ; unit < t->units; unit += e->units) {
        e = stub_table_at(t, unit);

        if (e->used) {
            return e;
        }
    }

    return NULL;
}


ngx_uint_t
stub_table_sane(ngx_agt_table_t *t)
{
    uint32_t          unit, used, units_used, i, filled;
    ngx_uint_t        hand;
    ngx_agt_entry_t  *e;

    used = 0;
    units_used = 0;
    filled = 0;
    hand = (t->hand == t->units);

    for (unit = 0; unit < t->units; unit += e->units) {
        e = stub_table_at(t, unit);

        if (e->units == 0 || e->units > t->units - unit) {
            return 0;
        }

        hand |= (unit == t->hand);

        if (!e->used) {
            continue;
        }

        used++;
        units_used += e->units;

        if (ngx_agt_table_find(t, e->key, e->origin) != e) {
            return 0;
        }
    }

    for (i = 0; i < t->nslots; i++) {
        filled += (ngx_agt_table_slot(t, i) != NULL);
    }

    return hand && used == t->used && filled == used
           && units_used == t->units_used && used < t->nslots;
}
