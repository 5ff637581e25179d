
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/* what nginx gives to the files of a worker: as little of it as they take */

#include "process.h"

#include <openssl/rand.h>
#include <sys/mman.h>


static void seam_add_timer(ngx_event_t *ev, ngx_msec_t ms);
static void seam_del_timer(ngx_event_t *ev);
static void seam_post(ngx_event_t *ev);
static void seam_unpost(ngx_event_t *ev);
static ngx_agt_curl_op_t *seam_submit(ngx_agt_curl_t *pool,
    ngx_agt_curl_request_t *request);
static u_char *format_all(u_char *buf, const char *fmt, va_list args);
static u_char *format_number(u_char *p, uint64_t n, ngx_uint_t base,
    ngx_uint_t width);
static void replace(ngx_rbtree_t *tree, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *by);


static ngx_log_t     log_of_process = { .log_level = NGX_LOG_DEBUG };
static ngx_cycle_t   cycle = { .log = &log_of_process };
static ngx_time_t    cached_time;

static ngx_rbtree_node_t  timer_sentinel;

volatile ngx_msec_t   ngx_current_msec;
volatile ngx_time_t  *ngx_cached_time = &cached_time;
volatile ngx_cycle_t *ngx_cycle = &cycle;
ngx_pid_t             ngx_pid;
ngx_uint_t            ngx_pagesize = 4096;
ngx_uint_t            ngx_worker;
ngx_rbtree_t          ngx_event_timer_rbtree;
ngx_queue_t           ngx_posted_events;
ngx_event_actions_t   ngx_event_actions;

ngx_uint_t            ngx_exiting;
sig_atomic_t          ngx_terminate;
sig_atomic_t          ngx_quit;

ngx_module_t          ngx_agilicus_token_module = { .ctx_index = 0 };
ngx_module_t          ngx_http_core_module = { .ctx_index = 1 };
ngx_module_t          ngx_http_module;

ngx_http_output_header_filter_pt  ngx_http_top_header_filter;
ngx_http_output_body_filter_pt    ngx_http_top_body_filter;


void
process_set_clocks(const ngx_agt_clock_t *now, ngx_msec_t msec)
{
    ngx_current_msec = (ngx_msec_t) now->mono;
    cached_time.sec = (time_t) now->wall;
    cached_time.msec = msec;
}


void
process_init_events(void)
{
    ngx_rbtree_init(&ngx_event_timer_rbtree, &timer_sentinel,
                    ngx_rbtree_insert_timer_value);
    ngx_queue_init(&ngx_posted_events);
}


/* as nginx does: timers that are over, then events that were posted */

void
process_events(void)
{
    ngx_queue_t        *q;
    ngx_event_t        *ev;
    ngx_rbtree_node_t  *node;

    while (ngx_event_timer_rbtree.root != ngx_event_timer_rbtree.sentinel) {

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

    while (!ngx_queue_empty(&ngx_posted_events)) {
        q = ngx_queue_head(&ngx_posted_events);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ngx_delete_posted_event(ev);
        ev->handler(ev);
    }
}


ngx_int_t
ngx_event_no_timers_left(void)
{
    ngx_event_t        *ev;
    ngx_rbtree_node_t  *node;

    if (ngx_event_timer_rbtree.root == ngx_event_timer_rbtree.sentinel) {
        return NGX_OK;
    }

    for (node = ngx_rbtree_min(ngx_event_timer_rbtree.root,
                               ngx_event_timer_rbtree.sentinel);
         node;
         node = ngx_rbtree_next(&ngx_event_timer_rbtree, node))
    {
        ev = ngx_rbtree_data(node, ngx_event_t, timer);

        if (!ev->cancelable) {
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


/* of the module, in place of zone/clock.c, zone/process.c and api/wake.c */

void
ngx_agt_clock_now(ngx_agt_clock_t *now)
{
    now->mono = ngx_current_msec;
    now->wall = ngx_time();
}


uint64_t
ngx_agt_clock_mono(void)
{
    return ngx_current_msec;
}


uint64_t
ngx_agt_clock_mono_now(void)
{
    return sim_mono() + 1;
}


void
ngx_time_update(void)
{
    /* the last calls of a worker that exits take no time here */

    ngx_current_msec += 500;
}


ngx_uint_t
ngx_agt_process_lives(ngx_pid_t pid)
{
    sim_pause("process_lives");

    return sim_lives(pid);
}


ngx_int_t
ngx_agt_wake_init(const ngx_agt_wake_t *wake, ngx_uint_t worker,
    void (*handler)(void), ngx_log_t *log)
{
    process_wake = handler;

    return NGX_OK;
}


void
ngx_agt_wake_exit(void)
{
    process_wake = NULL;
}


void
ngx_agt_wake_up(const ngx_agt_wake_t *wake, uint64_t mask)
{
    sim_pause("wake_up");
    sim_wake(mask);
}


/* the seams, in place of api/seams.c and api/curl.c */

static void
seam_add_timer(ngx_event_t *ev, ngx_msec_t ms)
{
    sim_no_lock("a timer is set");
    ngx_add_timer(ev, ms);
}


static void
seam_del_timer(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}


static void
seam_post(ngx_event_t *ev)
{
    sim_pause("post");
    ngx_post_event(ev, &ngx_posted_events);
}


static void
seam_unpost(ngx_event_t *ev)
{
    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}


static ngx_agt_curl_op_t *
seam_submit(ngx_agt_curl_t *pool, ngx_agt_curl_request_t *request)
{
    ngx_agt_curl_op_t  *op;

    sim_no_lock("a call is made");
    sim_pause("submit");

    op = sim_submit((uintptr_t) pool - 1, request);

    sim_pause("submitted");

    return op;
}


const ngx_agt_seams_t  ngx_agt_seams = {
    ngx_agt_clock_mono,
    seam_add_timer,
    seam_del_timer,
    seam_post,
    seam_unpost,
    seam_submit,
    sim_cancel
};


/* a pool of connections is the number of its API here, and never NULL */

ngx_agt_curl_t *
ngx_agt_curl_create(const ngx_agt_curl_profile_t *profile,
    ngx_uint_t max_connections, ngx_log_t *log)
{
    const ngx_agt_api_t  *api;

    api = (const ngx_agt_api_t *)
              ((const u_char *) profile - offsetof(ngx_agt_api_t, profile));

    return (ngx_agt_curl_t *) (uintptr_t) (api->index + 1);
}


const char *
ngx_agt_curl_words(ngx_uint_t code)
{
    return "something went wrong";
}


void
ngx_agt_curl_destroy(ngx_agt_curl_t *pool)
{
}


void
ngx_agt_curl_perform(ngx_agt_curl_t *pool, ngx_agt_curl_request_t *request)
{
    sim_perform((uintptr_t) pool - 1, request);
}


/* memory */

void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    sim_no_lock("memory is asked for");
    sim_pause("alloc");

    return sim_alloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(size, log);
    memset(p, 0, size);

    return p;
}


/* ngx_free() is free() to the compiler */

void __wrap_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
    off_t offset);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
    off_t offset);
int __wrap_munmap(void *p, size_t size);
int __wrap_mlock(const void *p, size_t size);
int __wrap_madvise(void *p, size_t size, int advice);


void
__wrap_free(void *p)
{
    sim_free(p);
}


void *
__wrap_malloc(size_t size)
{
    return sim_alloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    void  *p;

    p = sim_alloc(n * size);
    memset(p, 0, n * size);

    return p;
}


void *
__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return __wrap_calloc(1, size);
}


void *
__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
    off_t offset)
{
    return __wrap_calloc(1, size);
}


int
__wrap_munmap(void *p, size_t size)
{
    sim_free(p);

    return 0;
}


int
__wrap_mlock(const void *p, size_t size)
{
    return 0;
}


int
__wrap_madvise(void *p, size_t size, int advice)
{
    return 0;
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    explicit_bzero(buf, n);
}


/* what the master has made before it forked is the same in all workers */

int
RAND_bytes(unsigned char *buf, int num)
{
    int  i;

    if (process_secret == 0) {
        sim_random_bytes(buf, (size_t) num);
        return 1;
    }

    for (i = 0; i < num; i++) {
        buf[i] = (u_char) (process_secret >> i % 64);
    }

    return 1;
}


void *
ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    void  *p;

    p = pool->start;
    pool->pfree -= (size + ngx_pagesize - 1) / ngx_pagesize;
    pool->start = (u_char *) p + size;

    return p;
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    sim_lock(mtx->lock);
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    sim_unlock(mtx->lock);
}


/* a pool is a list of pieces, so that each is seen to end where it does */

void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_large_t  *large;

    large = sim_alloc(sizeof(ngx_pool_large_t));

    large->alloc = sim_alloc(size);
    large->next = pool->large;
    pool->large = large;

    return large->alloc;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);
    memset(p, 0, size);

    return p;
}


ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *c;

    c = ngx_palloc(pool, sizeof(ngx_pool_cleanup_t));

    c->data = size ? ngx_palloc(pool, size) : NULL;
    c->handler = NULL;
    c->next = pool->cleanup;
    pool->cleanup = c;

    return c;
}


void
process_free_pool(ngx_pool_t *pool)
{
    ngx_pool_large_t    *large;
    ngx_pool_cleanup_t  *c;

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    while (pool->large) {
        large = pool->large;
        pool->large = large->next;

        sim_free(large->alloc);
        sim_free(large);
    }
}


void *
ngx_list_push(ngx_list_t *l)
{
    ngx_list_part_t  *last;

    last = l->last;

    if (last->nelts == l->nalloc) {
        last = ngx_palloc(l->pool, sizeof(ngx_list_part_t));
        last->elts = ngx_palloc(l->pool, l->nalloc * l->size);
        last->nelts = 0;
        last->next = NULL;

        l->last->next = last;
        l->last = last;
    }

    return (u_char *) last->elts + l->size * last->nelts++;
}


/* text */

ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


ngx_uint_t
ngx_hash_strlow(u_char *dst, u_char *src, size_t n)
{
    ngx_uint_t  key;

    key = 0;

    while (n--) {
        *dst = ngx_tolower(*src);
        key = ngx_hash(key, *dst);
        dst++;
        src++;
    }

    return key;
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    while (len--) {
        *dst++ = (u_char) "0123456789abcdef"[*src >> 4];
        *dst++ = (u_char) "0123456789abcdef"[*src++ & 0xf];
    }

    return dst;
}


/* what the module writes: strings and numbers, with a width of hex digits */

u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = format_all(buf, fmt, args);
    va_end(args);

    return p;
}


/* what is written so has room */

u_char * ngx_cdecl
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = format_all(buf, fmt, args);
    va_end(args);

    return p;
}


u_char * ngx_cdecl
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = format_all(buf, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_strerror(ngx_err_t err, u_char *errstr, size_t size)
{
    return ngx_cpymem(errstr, "an error", 8);
}


static u_char *
format_all(u_char *buf, const char *fmt, va_list args)
{
    size_t       len;
    u_char      *p;
    ngx_str_t   *v;
    ngx_uint_t   width, counted;
    const char  *s;

    p = buf;

    for ( /* void */ ; *fmt; fmt++) {

        if (*fmt != '%') {
            *p++ = (u_char) *fmt;
            continue;
        }

        width = 0;
        counted = 0;
        len = 0;

        for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++) {
            width = width * 10 + (ngx_uint_t) (*fmt - '0');
        }

        if (*fmt == '*') {
            counted = 1;
            len = va_arg(args, size_t);
            fmt++;
        }

        switch (*fmt) {

        case 'V':
            v = va_arg(args, ngx_str_t *);
            p = ngx_cpymem(p, v->data, v->len);
            break;

        case 's':
            s = va_arg(args, const char *);
            len = counted ? len : strlen(s);

            /* NULL may be of no length */

            if (len) {
                p = ngx_cpymem(p, s, len);
            }

            break;

        case 'd':
            p = format_number(p, (uint64_t) va_arg(args, int), 10, width);
            break;

        case 'u':
            fmt++;
            p = format_number(p, (*fmt == 'D') ? va_arg(args, uint32_t)
                                               : va_arg(args, uint64_t),
                              10, width);
            break;

        case 'x':
        case 'i':
        case 'T':
        case 'M':
        case 'z':
            p = format_number(p, va_arg(args, uint64_t),
                              (*fmt == 'x') ? 16 : 10, width);

            if (*fmt == 'x') {
                fmt++;
            }

            break;

        default:
            sim_fail("format: ngx_sprintf() of \"%%%s\"", fmt);
        }
    }

    return p;
}


static u_char *
format_number(u_char *p, uint64_t n, ngx_uint_t base, ngx_uint_t width)
{
    u_char      digits[20];
    ngx_uint_t  i;

    i = 0;

    do {
        digits[i++] = (u_char) "0123456789abcdef"[n % base];
        n /= base;
    } while (n);

    while (width > i) {
        *p++ = '0';
        width--;
    }

    while (i) {
        *p++ = digits[--i];
    }

    return p;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    /* debug lines are many, and stand where nothing else does */

    if ((level & NGX_LOG_DEBUG_ALL) == 0) {
        sim_no_lock("a line is logged");
        sim_pause("log");
    }

    sim_log(level, fmt);
}


/* requests */

ngx_http_cleanup_t *
ngx_http_cleanup_add(ngx_http_request_t *r, size_t size)
{
    ngx_http_cleanup_t  *c;

    c = ngx_palloc(r->pool, sizeof(ngx_http_cleanup_t));

    c->handler = NULL;
    c->data = size ? ngx_palloc(r->pool, size) : NULL;
    c->next = r->main->cleanup;
    r->main->cleanup = c;

    return c;
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
ngx_http_run_posted_requests(ngx_connection_t *c)
{
}


ngx_int_t
ngx_http_discard_request_body(ngx_http_request_t *r)
{
    return NGX_OK;
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
