
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "zone/cache.h"
#include "zone/flight.h"


/*
 * A process that changes a zone is killed at each of its instructions: it is
 * run step by step while it holds the mutex, and whenever the zone has changed,
 * a copy of it is looked at as the others would find it after a death there.
 */

#define SIZE   (9 * 4096)
#define BOTH   (2 * SIZE)
#define TOKENS 12
#define STEPS  2000000


typedef struct {
    const char  *name;
    void       (*prepare)(void);
    void       (*change)(void);

    /* what must hold of a copy; called when it has been recovered */
    void       (*check)(void);
} change_t;


static ngx_uint_t run(const change_t *change);
static void examine(const change_t *change);
static void prepare_empty(void);
static void prepare_some(void);
static void prepare_full(void);
static void prepare_over(void);
static void prepare_flights(void);
static void prepare_lead(void);
static void change_store(void);
static void change_replace(void);
static void change_reclass(void);
static void change_remove(void);
static void change_note(void);
static void change_deny(void);
static void change_deny_more(void);
static void change_recover(void);
static void change_lead(void);
static void change_end(void);
static void check_facts(void);
static void check_deny(void);
static void check_deny_more(void);
static void prepare_crowd(void);
static void change_crowd(void);
static void check_crowd(void);
static void check_again(const char *jti);
static void check_flights(void);
static void put(ngx_uint_t n, ngx_agt_class_e class, uint64_t sent,
    size_t len);
static ngx_int_t deny(const char *value, int64_t before);
static ngx_agt_reason_e denied(const char *jti, const char *sub);
static ngx_agt_cache_key_t *key_of(ngx_uint_t n);
static void begins(ngx_shmtx_t *mtx);
static void ends(ngx_shmtx_t *mtx);
static void use(ngx_agt_zone_t *z, ngx_agt_denials_t *d);


static ngx_agt_zone_t     first, copied, *zone;
static ngx_agt_denials_t  first_denials, copied_denials, *denials;
static ngx_shm_zone_t               shm_zones[2];
static ngx_shm_zone_t               shm_denials[2];
static u_char                      *shared, *copy, *last;
static ngx_agt_clock_t   now = { 1000000, 1700000000 };
static const u_char                 api[32] = "an API";
static const u_char                 token[32] = "a token's digest";
static ngx_uint_t                   states, crowd;
static char                         mover[16];


static const change_t  changes[] = {
    { "a store", prepare_some, change_store, check_facts },
    { "a store into an empty zone", prepare_empty, change_store, check_facts },
    { "a store that evicts", prepare_full, change_store, check_facts },
    { "a store in place of another", prepare_some, change_replace,
      check_facts },
    { "a store of another class", prepare_some, change_reclass, check_facts },
    { "a removal", prepare_some, change_remove, check_facts },
    { "a note", prepare_some, change_note, check_facts },
    { "a denial", prepare_some, change_deny, check_deny },
    { "a denial that denies more", prepare_some, change_deny_more,
      check_deny_more },
    { "a denial in place of one that is over", prepare_over, change_deny,
      check_deny },
    { "a denial for which another one moves", prepare_crowd, change_crowd,
      check_crowd },
    { "a recovery", prepare_some, change_recover, check_facts },
    { "a lead that is taken", prepare_flights, change_lead, check_flights },
    { "a lead that is given back", prepare_lead, change_end,
      check_flights }
};


int
main(void)
{
    ngx_uint_t  i;

    if (ngx_agt_digest_init() != NGX_OK) {
        return 1;
    }

    stub_clock(now.mono, now.wall);

    shared = mmap(NULL, BOTH, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    copy = aligned_alloc(4096, BOTH);
    last = malloc(BOTH);

    if (shared == MAP_FAILED || copy == NULL || last == NULL) {
        return 1;
    }

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        unit_test(changes[i].name);

        states = 0;

        if (!run(&changes[i])) {
            printf("# processes cannot be traced here\n");
            continue;
        }

        printf("# %lu states\n", (unsigned long) states);
        unit_check(states > 1);
    }

    free(copy);
    free(last);

    return unit_done();
}


/* 0 where processes cannot be traced */

static ngx_uint_t
run(const change_t *change)
{
    int         status;
    pid_t       pid;
    ngx_uint_t  step;

    memset(shared, 0, BOTH);
    memset(&first, 0, sizeof(first));
    memset(&shm_zones[0], 0, sizeof(ngx_shm_zone_t));

    /* a zone in shared memory, made as the stubs make it */

    zone = stub_zone(SIZE);
    memcpy(shared, zone->shm_zone->shm.addr, SIZE);

    shm_zones[0] = *zone->shm_zone;
    shm_zones[0].shm.addr = shared;
    shm_zones[0].data = &first;

    first = *zone;
    first.shm_zone = &shm_zones[0];
    first.shpool = (ngx_slab_pool_t *) shared;
    first.sh = (void *) (shared + ((u_char *) zone->sh
                                   - zone->shm_zone->shm.addr));
    stub_zone_free(zone);

    /* and the memory of denials behind it */

    denials = stub_denials(SIZE);
    memcpy(shared + SIZE, denials->shm_zone->shm.addr, SIZE);

    shm_denials[0] = *denials->shm_zone;
    shm_denials[0].shm.addr = shared + SIZE;
    shm_denials[0].data = &first_denials;

    first_denials = *denials;
    first_denials.shm_zone = &shm_denials[0];
    first_denials.shpool = (ngx_slab_pool_t *) (shared + SIZE);
    first_denials.sh = (void *) (shared + SIZE
                                 + ((u_char *) denials->sh
                                    - denials->shm_zone->shm.addr));
    stub_denials_free(denials);

    use(&first, &first_denials);
    change->prepare();

    memcpy(last, shared, BOTH);

    fflush(stdout);

    pid = fork();

    if (pid == 0) {

        if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1) {
            _exit(77);
        }

        stub_locked = begins;
        stub_unlocked = ends;

        change->change();
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        return 0;
    }

    if (WIFEXITED(status)) {
        return 0;
    }

    /* it stands within its first locked section */

    for (step = 0; step < STEPS; step++) {

        if (!WIFSTOPPED(status)) {
            break;
        }

        if (WSTOPSIG(status) == SIGSTOP) {
            /* the mutex is given back: others may have it */
            break;
        }

        if (memcmp(last, shared, BOTH) != 0 || step == 0) {
            memcpy(last, shared, BOTH);
            states++;
            examine(change);
        }

        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == -1
            || waitpid(pid, &status, 0) != pid)
        {
            break;
        }
    }

    unit_check(step < STEPS && WIFSTOPPED(status));

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);

    return 1;
}


/* what the others find when it has died here */

static void
examine(const change_t *change)
{
    char        jti[16];
    ngx_uint_t  i;

    memcpy(copy, shared, BOTH);

    memset(&copied, 0, sizeof(copied));
    shm_zones[1] = shm_zones[0];
    shm_zones[1].shm.addr = copy;
    shm_zones[1].shm.exists = 1;
    shm_zones[1].data = &copied;

    copied.shm_zone = &shm_zones[1];
    copied.shpool = (ngx_slab_pool_t *) copy;
    copied.sh = (void *) (copy + ((u_char *) first.sh - shared));

    memset(&copied_denials, 0, sizeof(copied_denials));
    shm_denials[1] = shm_denials[0];
    shm_denials[1].shm.addr = copy + SIZE;

    copied_denials.shm_zone = &shm_denials[1];
    copied_denials.shpool = (ngx_slab_pool_t *) (copy + SIZE);
    copied_denials.sh = (void *) (copy + ((u_char *) first_denials.sh
                                          - shared));

    use(&copied, &copied_denials);

    ngx_agt_zone_lock(zone);

    unit_check((zone->sh->changes & 1) == 0);
    unit_check(stub_table_sane(zone->facts));
    unit_check(stub_table_sane(zone->invalid));

    ngx_agt_zone_unlock(zone);

    ngx_agt_denials_lock(denials);
    unit_check((denials->sh->changes & 1) == 0);
    ngx_agt_denials_unlock(denials);

    /* tokens that were denied before stay denied */

    for (i = 0; i < 3; i++) {
        (void) snprintf(jti, sizeof(jti), "denied%u", (unsigned) i);
        unit_check(denied(jti, NULL) != NGX_AGT_REASON_NONE);
    }

    unit_check(denied(NULL, "subject") != NGX_AGT_REASON_NONE);

    change->check();

    use(&first, &first_denials);
}


static void
prepare_empty(void)
{
    ngx_uint_t  i;
    char        jti[16];

    for (i = 0; i < 3; i++) {
        (void) snprintf(jti, sizeof(jti), "denied%u", (unsigned) i);
        (void) deny(jti, 0);
    }

    (void) deny(NULL, 1000);
}


static void
prepare_some(void)
{
    ngx_uint_t  i;

    prepare_empty();

    for (i = 0; i < TOKENS; i++) {
        put(i, i % 4 ? NGX_AGT_CLASS_ACTIVE
                     : NGX_AGT_CLASS_INVALID, 5000, 100);
    }
}


static void
prepare_full(void)
{
    ngx_uint_t  i;

    prepare_empty();

    for (i = 0; i < 500; i++) {
        put(100 + i, NGX_AGT_CLASS_ACTIVE, 5000, 50 + i % 7 * 30);
    }
}


static void
prepare_over(void)
{
    char        jti[16];
    ngx_uint_t  i;

    for (i = 0; i < 100; i++) {
        (void) snprintf(jti, sizeof(jti), "over%u", (unsigned) i);
        (void) deny(jti, 0);
    }

    now.mono += 1000000;
    now.wall += 1000;

    prepare_some();
}


static void
prepare_flights(void)
{
    ngx_agt_flight_t  flight;

    prepare_empty();

    /* another process, which is alive, but its call is past its deadline */

    ngx_pid = 5;

    (void) ngx_agt_flight_lead(zone, key_of(1)->key, 1000,
                               now.mono, 0, 1, &flight);
    ngx_pid = 6;
}


static void
prepare_lead(void)
{
    ngx_agt_flight_t  flight;

    prepare_empty();

    ngx_pid = 6;

    (void) ngx_agt_flight_lead(zone, key_of(1)->key, now.mono,
                               now.mono + 4000, 0, 1, &flight);
}


static void
change_store(void)
{
    put(1, NGX_AGT_CLASS_ACTIVE, 6000, 300);
}


static void
change_replace(void)
{
    put(5, NGX_AGT_CLASS_ACTIVE, 6000, 90);
}


static void
change_reclass(void)
{
    put(5, NGX_AGT_CLASS_INVALID, 6000, 0);
}


static void
change_remove(void)
{
    ngx_agt_cache_remove(zone, key_of(5));
}


static void
change_note(void)
{
    ngx_agt_found_t  found;

    memset(&found, 0, sizeof(found));
    found.serial = ngx_agt_table_find(zone->facts, key_of(5)->key, 1)->serial;

    ngx_agt_cache_note(zone, key_of(5), &found, denials->sh->generation, 7);
}


static void
change_deny(void)
{
    (void) deny("new", 0);
}


static void
change_deny_more(void)
{
    (void) deny(NULL, 2000);
}


static void
change_recover(void)
{
    zone->sh->changes |= 1;
    zone->facts->used = 12345;
    zone->facts->hand = 777;

    ngx_agt_zone_lock(zone);
    ngx_agt_zone_unlock(zone);
}


static void
change_lead(void)
{
    ngx_agt_flight_t  flight;

    (void) ngx_agt_flight_lead(zone, key_of(1)->key, now.mono,
                               now.mono + 4000, 1, 1, &flight);
}


static void
change_end(void)
{
    ngx_agt_flight_t         flight;
    ngx_agt_flight_result_t  result;

    memset(&result, 0, sizeof(result));
    result.class = NGX_AGT_CLASS_ACTIVE;

    for (flight.place = 0; flight.place < zone->sh->flights; flight.place++) {
        if (zone->flights[flight.place].id) {
            flight.id = zone->flights[flight.place].id;
            break;
        }
    }

    (void) ngx_agt_flight_end(zone, &flight, &result, now.mono);
}


/* an entry is there whole, or not at all */

static void
check_facts(void)
{
    size_t           i;
    ngx_uint_t       n;
    ngx_agt_found_t  found;

    for (n = 0; n < TOKENS; n++) {

        if (ngx_agt_cache_find(zone, key_of(n), 0, &found) != NGX_OK)
        {
            continue;
        }

        unit_check(found.facts.len == 100 || found.facts.len == 300
                   || found.facts.len == 90 || found.facts.len == 0);
        unit_check(found.sent == 5000 || found.sent == 6000);
        unit_check(found.clean <= denials->sh->generation);
        unit_check(found.late == 0 || found.late == 7);

        for (i = 0; i < found.facts.len; i++) {
            if (found.facts.data[i] != (u_char) n) {
                unit_check(0);
                break;
            }
        }
    }

    /* and the zone serves on */

    put(1, NGX_AGT_CLASS_ACTIVE, 7000, 50);
    unit_check(ngx_agt_cache_find(zone, key_of(1), 0, &found) == NGX_OK);
    unit_check(found.sent == 7000);
}


/*
 * The caller gets no answer from a process that dies, so it sends the denial
 * again: an entry that was found clean before is then looked at again, or is
 * gone.
 */

static void
check_deny(void)
{
    check_again("new");
}


static void
check_deny_more(void)
{
    check_again(NULL);
}


static void
check_again(const char *jti)
{
    ngx_agt_entry_t  *e;

    check_facts();

    /* stored before there was any such denial */

    e = ngx_agt_table_find(zone->facts, key_of(2)->key, 1);

    (void) deny(jti, jti ? 0 : 2000);

    unit_check(denied(jti, jti ? NULL : "subject") != NGX_AGT_REASON_NONE);

    if (e) {
        unit_check(e->clean < ngx_agt_denials_generation(denials));
    }
}


/* "mover" takes a place in which there is a denial now */

static void
prepare_crowd(void)
{
    char               jti[16];
    u_char             key[NGX_AGT_DENIAL_KEY_LEN];
    ngx_str_t          v;
    ngx_uint_t         i;
    ngx_agt_denial_t  *s;

    prepare_some();

    crowd = ngx_agt_denial_set_capacity(denials->set) * 85 / 100;

    for (i = 0; i < crowd; i++) {
        (void) snprintf(jti, sizeof(jti), "crowd%u", (unsigned) i);
        (void) deny(jti, 0);
    }

    unit_check(denials->sh->lost == 0);

    memcpy(last, shared, BOTH);

    for (i = 0; i < 1000; i++) {
        v.len = (size_t) snprintf(mover, sizeof(mover), "mover%u",
                                  (unsigned) i);
        v.data = (u_char *) mover;

        (void) ngx_agt_denials_key(key, api, NGX_AGT_DENIAL_JTI, &v);
        (void) deny(mover, 0);

        s = ngx_agt_denial_set_find(denials->set, key, &now);
        s = (ngx_agt_denial_t *) (last + ((u_char *) s - shared));

        memcpy(shared, last, BOTH);

        if (s->mono) {
            return;
        }
    }

    unit_check(0);
}


static void
change_crowd(void)
{
    (void) deny(mover, 0);
}


static void
check_crowd(void)
{
    char        jti[16];
    ngx_uint_t  i;

    for (i = 0; i < crowd; i++) {
        (void) snprintf(jti, sizeof(jti), "crowd%u", (unsigned) i);
        unit_check(denied(jti, NULL) != NGX_AGT_REASON_NONE);
    }

    check_again(mover);
}


/* no worker waits for a call of a worker that has died */

static void
check_flights(void)
{
    ngx_int_t         rc;
    ngx_agt_flight_t  flight;

    stub_dead = 6;
    ngx_pid = 7;

    rc = ngx_agt_flight_lead(zone, key_of(1)->key, now.mono,
                             now.mono + 4000, 1, 1, &flight);

    stub_dead = 0;
    ngx_pid = 6;

    unit_check(rc == NGX_OK);
}


static void
put(ngx_uint_t n, ngx_agt_class_e class, uint64_t sent, size_t len)
{
    u_char     buf[1024];
    ngx_str_t  facts, none = ngx_null_string;

    memset(buf, (int) n, sizeof(buf));
    facts.data = buf;
    facts.len = len;

    (void) ngx_agt_cache_store(zone, key_of(n), class, NGX_AGT_REASON_NONE,
                               &facts, &none, sent, sent,
                               denials->sh->generation);
}


/* a jti, or the subject for NULL */

static ngx_int_t
deny(const char *value, int64_t before)
{
    ngx_str_t              v;
    ngx_agt_denial_kind_e  kind;

    kind = value ? NGX_AGT_DENIAL_JTI : NGX_AGT_DENIAL_SUBJECT;

    v.data = (u_char *) (value ? value : "subject");
    v.len = strlen((char *) v.data);

    return stub_deny(denials, api, kind, &v, now.wall + 500, before, &now);
}


static ngx_agt_reason_e
denied(const char *jti, const char *sub)
{
    ngx_agt_facts_t  facts;

    memset(&facts, 0, sizeof(facts));

    facts.jti.data = (u_char *) jti;
    facts.jti.len = jti ? strlen(jti) : 0;
    facts.sub.data = (u_char *) sub;
    facts.sub.len = sub ? strlen(sub) : 0;

    return ngx_agt_denials_check(denials, api, token, &facts,
                                 NGX_AGT_NEVER_ASKED, &now);
}


static ngx_agt_cache_key_t *
key_of(ngx_uint_t n)
{
    static u_char               key[32];
    static ngx_agt_cache_key_t  k;

    memset(key, 0x77, sizeof(key));
    memcpy(key, &n, sizeof(ngx_uint_t));
    memcpy(key + 8, &n, sizeof(ngx_uint_t));

    k.key = key;
    k.origin = 1;

    return &k;
}


/* in the process that is to die: the change begins here, and ends there */

static void
begins(ngx_shmtx_t *mtx)
{
    stub_locked = NULL;
    (void) raise(SIGTRAP);
}


static void
ends(ngx_shmtx_t *mtx)
{
    stub_unlocked = NULL;
    (void) raise(SIGSTOP);
}


static void
use(ngx_agt_zone_t *z, ngx_agt_denials_t *d)
{
    u_char  *p;

    p = (u_char *) z->sh;

    z->invalid = (void *) (p + z->sh->invalid_offset);
    z->facts = (void *) (p + z->sh->facts_offset);
    z->flights = (void *) (p + z->sh->flights_offset);
    z->clients = (void *) (p + z->sh->clients_offset);

    zone = z;

    p = (u_char *) d->sh;

    d->ledger = (void *) (p + d->sh->ledger_offset);
    d->unknown = (void *) (p + d->sh->unknown_offset);
    d->set = (void *) (p + d->sh->set_offset);

    denials = d;
}
