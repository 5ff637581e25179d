
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "zone/cache.h"


/*
 * A worker looks up facts without the mutex.  It must get one answer, whole,
 * whatever happens to the zone between two of its instructions.
 */

#define SIZE     (9 * 4096)

/* a prime: with sanitizers, a statement is about so many instructions */
#define STRIDE   (UNIT_SLOW > 1 ? 43 : 3)

#define TOKENS   40
#define READERS  2
#define MOST     900

/* the change that is of a denial, and not of facts */
#define DENIAL   4


/* what the reader's process tells */

typedef struct {
    volatile ngx_uint_t   lock;
    volatile ngx_uint_t   end;
    volatile ngx_uint_t   looks[READERS];
    volatile ngx_uint_t   hits[READERS];
    volatile ngx_uint_t   wrong[READERS];
    volatile ngx_uint_t   locks[READERS];

    ngx_int_t             rc;
    ngx_uint_t            denied;
    uint64_t              sent;
    ngx_uint_t            class;
    size_t                len;
    u_char                data[MOST];
} told_t;


static void test_steps(void);
static ngx_uint_t step(ngx_uint_t n);
static void look(void);
static void change(ngx_uint_t kind);
static void prepare_denials(void);
static void deny(const char *jti);
static void move_denial(void);
static ngx_agt_reason_e denied(void);
static void test_many(void);
static void reader(ngx_uint_t n);
static void writer(void);
static void put(ngx_uint_t n, ngx_agt_class_e class, uint64_t sent,
    size_t len);
static ngx_uint_t whole(const ngx_str_t *facts, ngx_uint_t n, uint64_t sent);
static ngx_agt_cache_key_t *key_of(ngx_uint_t n);
static void taken(ngx_shmtx_t *mtx);
static void given_back(ngx_shmtx_t *mtx);
static void use_zone(void);


static ngx_agt_zone_t  *zone;
static ngx_agt_denials_t
                                  *denials;
static u_char                     *shared;
static told_t                     *told;
static ngx_uint_t                  kind_of_change;
static const u_char                api[32] = "an API";


int
main(void)
{
    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    stub_seed(17);
    stub_clock(1000000, 1700000000);

    shared = mmap(NULL, 2 * SIZE, PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    told = mmap(NULL, sizeof(told_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED || told == MAP_FAILED) {
        return 1;
    }

    test_steps();
    test_many();

    return unit_done();
}


/* a look-up that is stopped at each of its instructions while others change */

static void
test_steps(void)
{
    ngx_uint_t  n, stops, stride;

    static const char  *kinds[] = {
        "another answer comes during a look-up",
        "the entry goes, and its place is another's, during a look-up",
        "it becomes invalid during a look-up",
        "all goes during a look-up",
        "a denial moves during a look-up"
    };

    for (kind_of_change = 0; kind_of_change < 5; kind_of_change++) {

        unit_test(kinds[kind_of_change]);

        stops = 0;

        /* digests come first, in which nothing can happen */

        stride = (kind_of_change == DENIAL) ? 3 * STRIDE : STRIDE;

        for (n = kind_of_change * 7 % STRIDE; step(n); n += stride) {
            stops++;
        }

        printf("# stopped at %lu instructions\n", (unsigned long) stops);
        unit_check(stops > 30 || stops == 0);
    }
}


/* 0 when the look-up has ended before so many instructions, or cannot stop */

static ngx_uint_t
step(ngx_uint_t n)
{
    int         status;
    pid_t       pid;
    ngx_str_t   facts;
    ngx_uint_t  i;

    use_zone();

    for (i = 0; i < TOKENS; i++) {
        put(i, NGX_AGT_CLASS_ACTIVE, 5000, 300);
    }

    prepare_denials();

    memset(told, 0, sizeof(told_t));

    fflush(stdout);

    pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1) {
            _exit(77);
        }

        /* the scratch is there: only the look-up itself is walked through */

        look();
        (void) raise(SIGSTOP);
        look();
        (void) raise(SIGSTOP);
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        return 0;
    }

    if (!WIFSTOPPED(status)) {
        printf("# processes cannot be traced here\n");
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == -1
            || waitpid(pid, &status, 0) != pid
            || !WIFSTOPPED(status))
        {
            unit_check(0);
            return 0;
        }

        if (WSTOPSIG(status) == SIGSTOP) {
            goto done;
        }
    }

    change(kind_of_change);

    if (ptrace(PTRACE_CONT, pid, 0, 0) == -1
        || waitpid(pid, &status, 0) != pid
        || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
    {
        unit_check(0);
        goto done;
    }

    facts.data = told->data;
    facts.len = told->len;

    if (kind_of_change == DENIAL) {
        unit_check(told->denied == NGX_AGT_REASON_JTI);

    } else if (told->rc == NGX_OK) {
        unit_check(told->sent == 5000 || told->sent == 6000);

        if (told->class == NGX_AGT_CLASS_ACTIVE) {
            unit_check(facts.len == (told->sent == 5000 ? 300 : 310));
            unit_check(whole(&facts, 5, told->sent));

        } else {
            unit_check(told->class == NGX_AGT_CLASS_INVALID
                       && told->sent == 6000 && facts.len == 0);
        }

    } else {
        unit_check(told->rc == NGX_DECLINED
                   && (kind_of_change == 1 || kind_of_change == 3));
    }

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);

    return 1;

done:

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);

    return 0;
}


static void
look(void)
{
    ngx_agt_found_t  found;

    if (kind_of_change == DENIAL) {
        told->denied = denied();
        return;
    }

    told->rc = ngx_agt_cache_find(zone, key_of(5), 0, &found);

    if (told->rc == NGX_OK) {
        told->sent = found.sent;
        told->class = found.class;
        told->len = ngx_min(found.facts.len, MOST);
        memcpy(told->data, found.facts.data, told->len);
    }
}


static void
change(ngx_uint_t kind)
{
    ngx_uint_t  i;

    switch (kind) {

    case 0:
        put(5, NGX_AGT_CLASS_ACTIVE, 6000, 310);
        break;

    case 1:
        ngx_agt_cache_remove(zone, key_of(5));

        for (i = 0; i < 200; i++) {
            put(100 + i, NGX_AGT_CLASS_ACTIVE, 6000, 290 + i % 20);
        }

        break;

    case 2:
        put(5, NGX_AGT_CLASS_INVALID, 6000, 0);
        break;

    case DENIAL:
        move_denial();
        break;

    default:
        ngx_agt_zone_lock(zone);
        ngx_agt_zone_begin_locked(zone);
        memset(zone->facts + 1, 0xff,
               (u_char *) shared + SIZE - (u_char *) (zone->facts + 1));
        ngx_agt_table_wipe(zone->facts);
        ngx_agt_zone_end_locked(zone);
        ngx_agt_zone_unlock(zone);
    }
}


/* the one that is looked for, and nothing else */

static void
prepare_denials(void)
{
    memset(denials->set + 1, 0,
           denials->sh->size - denials->sh->set_offset
           - sizeof(ngx_agt_denial_set_t));

    stub_clock(1000000, 1700000000);
    deny("looked for");
}


/*
 * Moves the denial to another place in one change.  The denial is in the set at
 * any time, and yet a reader that looks at one place after the other may miss
 * it.  No denial is moved like this now; a recovery or another table might.
 */

static void
move_denial(void)
{
    size_t             i, n;
    ngx_agt_clock_t    now;
    ngx_agt_denial_t  *s, *to;

    ngx_agt_clock_now(&now);
    ngx_agt_denials_lock(denials);
    denials->sh->changes++;
    ngx_memory_barrier();

    i = 0;
    s = ngx_agt_denial_set_next(denials->set, &i, &now);

    /* from the bucket's first place to its last, and back */

    n = (size_t) (s - (ngx_agt_denial_t *) denials->set);
    to = s - n % 8 + (n % 8 == 7 ? 0 : 7);

    *to = *s;
    memset(s, 0, sizeof(*s));

    ngx_memory_barrier();
    denials->sh->changes++;
    ngx_agt_denials_unlock(denials);
}


static void
deny(const char *jti)
{
    ngx_str_t        value;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    value.data = (u_char *) jti;
    value.len = strlen(jti);

    unit_check(stub_deny(denials, api, NGX_AGT_DENIAL_JTI,
                         &value, now.wall + 500, 0, &now)
               == NGX_OK);
}


static ngx_agt_reason_e
denied(void)
{
    ngx_agt_facts_t  facts;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    memset(&facts, 0, sizeof(facts));
    ngx_str_set(&facts.jti, "looked for");

    return ngx_agt_denials_check(denials, api, api, &facts,
                                 NGX_AGT_NEVER_ASKED, &now);
}


/* all at once, for as long as it takes to meet each other often */

static void
test_many(void)
{
    int             status;
    pid_t           pids[READERS];
    ngx_uint_t      i, looks, hits, locks;

    unit_test("readers and a writer for a second");

    use_zone();
    memset(told, 0, sizeof(told_t));
    fflush(stdout);

    for (i = 0; i < READERS; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            stub_locking = taken;
            stub_unlocked = given_back;
            reader(i);
            _exit(0);
        }

        if (pids[i] == -1) {
            unit_check(0);
            return;
        }
    }

    stub_locking = taken;
    stub_unlocked = given_back;

    writer();
    told->end = 1;

    stub_locking = NULL;
    stub_unlocked = NULL;

    looks = hits = locks = 0;

    for (i = 0; i < READERS; i++) {
        unit_check(waitpid(pids[i], &status, 0) == pids[i]);
        unit_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        unit_check(told->wrong[i] == 0);

        looks += told->looks[i];
        hits += told->hits[i];
        locks += told->locks[i];
    }

    printf("# %lu look-ups, %lu hits, %lu with the mutex\n",
           (unsigned long) looks, (unsigned long) hits,
           (unsigned long) locks);

    unit_check(hits > 1000 && hits < looks);
    unit_check(stub_table_sane(zone->facts));
    unit_check(stub_table_sane(zone->invalid));

    unit_test("without a change, none takes the mutex");

    use_zone();

    for (i = 0; i < TOKENS; i++) {
        put(i, NGX_AGT_CLASS_ACTIVE, 7000, 100);
    }

    stub_locks = 0;

    for (i = 0; i < 2 * TOKENS; i++) {
        ngx_agt_found_t  found;

        unit_check(ngx_agt_cache_find(zone, key_of(i), 0, &found)
                   == (i < TOKENS ? NGX_OK : NGX_DECLINED));
    }

    unit_check(stub_locks == 0);
}


static void
reader(ngx_uint_t n)
{
    ngx_uint_t       k;
    ngx_agt_found_t  found;

    stub_seed(100 + n);
    stub_locks = 0;

    while (!told->end) {
        k = stub_below(TOKENS);
        told->looks[n]++;

        if (ngx_agt_cache_find(zone, key_of(k), 0, &found) != NGX_OK)
        {
            continue;
        }

        told->hits[n]++;

        if (!whole(&found.facts, k, found.sent)) {
            told->wrong[n]++;
        }
    }

    told->locks[n] = stub_locks;
}


static void
writer(void)
{
    time_t      end;
    uint64_t    sent;

    end = time(NULL) + 2;

    for (sent = 1000; time(NULL) < end; sent++) {

        switch (stub_below(8)) {

        case 0:
            ngx_agt_cache_remove(zone, key_of(stub_below(TOKENS)));
            break;

        case 1:
            put(stub_below(TOKENS), NGX_AGT_CLASS_INVALID, sent, 0);
            break;

        default:
            put(stub_below(TOKENS), NGX_AGT_CLASS_ACTIVE, sent,
                stub_below(MOST));
        }

        if (sent % 16 == 0) {
            (void) sched_yield();
        }
    }
}


/* each byte depends on the token and on the answer that it belongs to */

static void
put(ngx_uint_t n, ngx_agt_class_e class, uint64_t sent, size_t len)
{
    u_char     buf[MOST];
    ngx_str_t  facts, none = ngx_null_string;

    memset(buf, (int) (n * 31 + sent * 7), len);

    facts.data = buf;
    facts.len = len;

    (void) ngx_agt_cache_store(zone, key_of(n), class, NGX_AGT_REASON_NONE,
                               &facts, &none, sent, sent, 0);
}


static ngx_uint_t
whole(const ngx_str_t *facts, ngx_uint_t n, uint64_t sent)
{
    size_t  i;

    for (i = 0; i < facts->len; i++) {
        if (facts->data[i] != (u_char) (n * 31 + sent * 7)) {
            return 0;
        }
    }

    return 1;
}


static ngx_agt_cache_key_t *
key_of(ngx_uint_t n)
{
    static u_char               key[32];
    static ngx_agt_cache_key_t  ck;

    memset(key, 0, sizeof(key));
    memcpy(key, &n, sizeof(n));

    ck.key = key;
    ck.origin = 1;

    return &ck;
}


/* a mutex that processes share */

static void
taken(ngx_shmtx_t *mtx)
{
    while (!__sync_bool_compare_and_swap(&told->lock, 0, 1)) {
        (void) sched_yield();
    }
}


static void
given_back(ngx_shmtx_t *mtx)
{
    __sync_lock_release(&told->lock);
}


/* an empty zone in memory that processes share */

static void
use_zone(void)
{
    static ngx_agt_zone_t  copy;

    if (zone == NULL) {
        zone = stub_zone_at(shared, SIZE);
        denials = stub_denials_at(shared + SIZE, SIZE);

        if (zone == NULL || denials == NULL) {
            exit(1);
        }

        copy = *zone;
        zone = &copy;
    }

    ngx_agt_zone_lock(zone);
    ngx_agt_zone_begin_locked(zone);
    ngx_agt_table_wipe(zone->facts);
    ngx_agt_table_wipe(zone->invalid);
    ngx_agt_zone_end_locked(zone);
    ngx_agt_zone_unlock(zone);
}
