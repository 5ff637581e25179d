
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "zone/ledger.h"


#define SIZE    (24 * 1024)
#define BEYOND  (16 * 1024)
#define MODEL   256
#define STEPS   100000


/* what a ledger must hold, by the number that its keys are made of */

typedef struct {
    ngx_uint_t  used;
    uint32_t    len;
    uint32_t    state;
} model_t;


static void test_empty(void);
static void test_full(void);
static void test_model(void);
static void test_children(void);
static void test_ends(void);
static void test_death(void);
static void die(void (*change)(void), ngx_uint_t before, ngx_uint_t after);
static void change_add(void);
static void change_remove(void);
static void change_remove_last(void);
static ngx_uint_t whole(ngx_agt_ledger_t *l);
static ngx_agt_ledger_record_t *add(ngx_uint_t n, uint32_t len,
    uint32_t state);
static ngx_agt_ledger_record_t *find(ngx_uint_t n);
static void key(u_char *out, ngx_uint_t kind, ngx_uint_t n);
static uint32_t chance(uint32_t n);


static ngx_agt_ledger_t  *ledger;
static u_char                       *memory, *shared, *copy, *last;
static uint32_t                      seed = 6750;


int
main(void)
{
    memory = aligned_alloc(64, SIZE + BEYOND);

    if (memory == NULL) {
        return 1;
    }

    memset(memory + SIZE, 0xa5, BEYOND);

    test_empty();
    test_full();
    test_model();
    test_children();
    test_ends();
    test_death();

    free(memory);

    return unit_done();
}


static void
test_empty(void)
{
    ngx_uint_t            i;
    ngx_agt_ledger_use_t  use;

    unit_test("memory that is too small makes no ledger");

    unit_check(ngx_agt_ledger_init(memory, NGX_AGT_LEDGER_MIN - 1) == NULL);

    unit_test("a new ledger is empty");

    ledger = ngx_agt_ledger_init(memory, SIZE);
    i = 0;

    unit_check(ledger != NULL);
    unit_check(ngx_agt_ledger_next(ledger, &i) == NULL);
    unit_check(find(1) == NULL);

    ngx_agt_ledger_use(ledger, &use);

    unit_check(use.live == 0 && use.due == 0 && use.used == 0);
    unit_check(use.size > SIZE * 9 / 10 && use.size < SIZE);
}


static void
test_full(void)
{
    ngx_uint_t                i, n;
    ngx_agt_ledger_use_t      use;
    ngx_agt_ledger_record_t  *r;

    unit_test("a token that is too long has no room");

    ledger = ngx_agt_ledger_init(memory, SIZE);

    unit_check(!ngx_agt_ledger_room(ledger, NGX_AGT_LEDGER_TOKEN + 1));
    unit_check(add(0, NGX_AGT_LEDGER_TOKEN + 1, 1) == NULL);
    unit_check(add(0, NGX_AGT_LEDGER_TOKEN, 1) != NULL);

    unit_test("a full ledger takes nothing, and loses nothing");

    ledger = ngx_agt_ledger_init(memory, SIZE);

    for (n = 0; n < 40 && add(n, 700, NGX_AGT_LEDGER_LIVE); n++) {
        unit_check(ledger->wake == 0);
        ledger->wake = 1;
    }

    unit_check(n > 15 && n < 40);
    unit_check(memory[SIZE] == 0xa5
               && memcmp(memory + SIZE, memory + SIZE + 1, BEYOND - 1) == 0);
    unit_check(!ngx_agt_ledger_room(ledger, 700));
    unit_check(whole(ledger) == n);
    unit_check(ledger->wake == 1);

    ngx_agt_ledger_use(ledger, &use);
    unit_check(use.live == n && use.used <= use.size);
    unit_check(use.size - use.used < use.used / n);

    unit_test("room that was given back is taken again");

    r = find(n / 2);
    unit_check(r != NULL);

    if (r) {
        ngx_agt_ledger_remove(ledger, r);
    }

    unit_check(find(n / 2) == NULL);
    unit_check(ngx_agt_ledger_room(ledger, 700));
    unit_check(!ngx_agt_ledger_room(ledger, 900));
    unit_check(add(n, 700, NGX_AGT_LEDGER_DUE) != NULL);
    unit_check(whole(ledger) == n);

    unit_test("records that go one after the other leave all the room");

    i = 0;

    while ((r = ngx_agt_ledger_next(ledger, &i)) != NULL) {
        ngx_agt_ledger_remove(ledger, r);
    }

    unit_check(ledger->top == 0);
    unit_check(whole(ledger) == 0);
}


static void
test_model(void)
{
    uint32_t                  len;
    ngx_uint_t                n, i, held, step;
    model_t                   model[MODEL];
    ngx_agt_ledger_record_t  *r;

    unit_test("a ledger holds what a model of it holds");

    ledger = ngx_agt_ledger_init(memory, SIZE);
    memset(model, 0, sizeof(model));
    held = 0;

    for (step = 0; step < 60000 / UNIT_SLOW; step++) {
        n = chance(MODEL);

        if (model[n].used) {

            r = find(n);
            unit_check(r && r->len == model[n].len
                       && r->state == model[n].state);

            if (r && chance(2)) {
                ngx_agt_ledger_remove(ledger, r);
                model[n].used = 0;
                held--;

            } else if (r) {
                r->state = model[n].state = 1 + chance(2);
            }

        } else {
            unit_check(find(n) == NULL);

            len = chance(16) ? chance(900) : chance(12000);
            i = ngx_agt_ledger_room(ledger, len);
            r = add(n, len, NGX_AGT_LEDGER_LIVE);

            unit_check((r != NULL) == i);

            if (r) {
                model[n].used = 1;
                model[n].len = len;
                model[n].state = NGX_AGT_LEDGER_LIVE;
                held++;
            }
        }

        unit_check(whole(ledger) == held);
    }

    unit_check(held > 4);
    unit_check(memory[SIZE] == 0xa5
               && memcmp(memory + SIZE, memory + SIZE + 1, BEYOND - 1) == 0);
}


static void
test_children(void)
{
    u_char                    k[32];
    ngx_uint_t                i, kind;
    ngx_agt_ledger_record_t  *r, *other;

    unit_test("children are found by each key of their parent");

    ledger = ngx_agt_ledger_init(memory, SIZE);

    r = add(1, 100, NGX_AGT_LEDGER_LIVE);
    other = add(2, 100, NGX_AGT_LEDGER_LIVE);

    if (r == NULL || other == NULL) {
        unit_check(0);
        return;
    }

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {
        key(k, 2 + kind, 1);
        i = 0;

        unit_check(ngx_agt_ledger_child(ledger, kind, k, &i) == r);
        unit_check(ngx_agt_ledger_child(ledger, kind, k, &i) == NULL);

        /* no parent's jti is a session */

        key(k, 2 + (kind + 1) % NGX_AGT_DENIAL_KINDS, 1);
        i = 0;

        unit_check(ngx_agt_ledger_child(ledger, kind, k, &i) == NULL);
    }

    unit_test("what a parent has not is no key of it");

    r->flags &= ~(uint32_t) NGX_AGT_LEDGER_HAS_PARENT(
                                NGX_AGT_DENIAL_SESSION);

    key(k, 2 + NGX_AGT_DENIAL_SESSION, 1);
    i = 0;

    unit_check(ngx_agt_ledger_child(ledger, NGX_AGT_DENIAL_SESSION, k, &i)
               == NULL);

    unit_test("what is due already is no child to be found");

    key(k, 2 + NGX_AGT_DENIAL_TOKEN, 1);
    r->state = NGX_AGT_LEDGER_DUE;
    i = 0;

    unit_check(ngx_agt_ledger_child(ledger, NGX_AGT_DENIAL_TOKEN, k, &i)
               == NULL);
}


static void
test_ends(void)
{
    ngx_agt_clock_t          now = { 1000, 50 };
    ngx_agt_ledger_record_t  r;

    unit_test("a record ends when both clocks have passed its end");

    memset(&r, 0, sizeof(r));
    ngx_agt_ledger_until(&r, 60, &now);

    unit_check(r.wall == 60 && r.mono == 11000);
    unit_check(!ngx_agt_ledger_ended(&r, &now));

    /* the wall clock is ahead for a moment */

    now.wall = 7200;
    unit_check(!ngx_agt_ledger_ended(&r, &now));

    now.mono = 11000;
    now.wall = 59;
    unit_check(!ngx_agt_ledger_ended(&r, &now));

    now.wall = 60;
    unit_check(ngx_agt_ledger_ended(&r, &now));

    unit_test("an end that lies behind, and one that no clock can count");

    ngx_agt_ledger_until(&r, 10, &now);
    unit_check(ngx_agt_ledger_ended(&r, &now));

    ngx_agt_ledger_until(&r, INT64_MAX, &now);
    unit_check(r.mono > now.mono);
    unit_check(!ngx_agt_ledger_ended(&r, &now));
}


/*
 * A process that changes a ledger dies at each of its instructions: a copy of
 * the memory at that point must be a right ledger, with or without the record.
 */

static void
test_death(void)
{
    ngx_uint_t  n;

    shared = mmap(NULL, SIZE, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    copy = aligned_alloc(64, SIZE);
    last = malloc(SIZE);

    if (shared == MAP_FAILED || copy == NULL || last == NULL) {
        unit_test("memory for deaths");
        unit_check(0);
        return;
    }

    unit_test("a process dies while it adds a record behind others");

    ledger = ngx_agt_ledger_init(shared, SIZE);

    for (n = 0; n < 4; n++) {
        (void) add(n, 300, NGX_AGT_LEDGER_LIVE);
    }

    die(change_add, 4, 5);

    unit_test("a process dies while it adds a record between others");

    ngx_agt_ledger_remove(ledger, find(1));
    die(change_add, 3, 4);

    unit_test("a process dies while it takes a record out");

    die(change_remove, 3, 2);

    unit_test("a process dies while it takes the last record out");

    die(change_remove_last, 2, 1);

    free(copy);
    free(last);
}


static void
die(void (*change)(void), ngx_uint_t before, ngx_uint_t after)
{
    int                status;
    pid_t              pid;
    ngx_uint_t         n, step, states;
    ngx_agt_ledger_t  *was;

    memcpy(last, shared, SIZE);
    was = ledger;
    states = 0;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {

        if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1) {
            _exit(77);
        }

        (void) raise(SIGSTOP);
        change();
        (void) raise(SIGSTOP);
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid || WIFEXITED(status)) {
        printf("# processes cannot be traced here\n");
        return;
    }

    for (step = 0; step < STEPS; step++) {

        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == -1
            || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)
            || WSTOPSIG(status) == SIGSTOP)
        {
            break;
        }

        if (memcmp(last, shared, SIZE) == 0) {
            continue;
        }

        memcpy(last, shared, SIZE);
        memcpy(copy, shared, SIZE);
        states++;

        ledger = (ngx_agt_ledger_t *) copy;

        n = whole(ledger);
        unit_check(n == before || n == after);

        /* and others go on with it */

        if (add(90, 200, NGX_AGT_LEDGER_DUE)) {
            unit_check(whole(ledger) == n + 1);
        }
    }

    unit_check(step < STEPS);
    unit_check(states > 0);

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);

    ledger = was;
    unit_check(whole(ledger) == after);

    /* as it was before, for the next death */

    if (change == change_add) {
        ngx_agt_ledger_remove(ledger, find(50));
    }
}


static void
change_add(void)
{
    (void) add(50, 250, NGX_AGT_LEDGER_LIVE);
}


static void
change_remove(void)
{
    ngx_agt_ledger_remove(ledger, find(2));
}


static void
change_remove_last(void)
{
    ngx_agt_ledger_remove(ledger, find(3));
}


/* how many records there are; each must be one that add() has made */

static ngx_uint_t
whole(ngx_agt_ledger_t *l)
{
    u_char                    k[32];
    size_t                    j;
    ngx_uint_t                i, n, end;
    ngx_agt_ledger_record_t  *r;

    i = 0;
    end = 0;

    unit_check(l->top <= l->nunits);

    for (n = 0; /* void */ ; n++) {
        r = ngx_agt_ledger_next(l, &i);

        if (r == NULL) {
            return n;
        }

        unit_check(i > end && i <= l->nunits);
        end = i;

        key(k, 0, (ngx_uint_t) r->made);
        unit_check(memcmp(r->key, k, sizeof(k)) == 0);

        for (j = 0; j < r->len; j++) {
            if (r->token[j] != (u_char) (r->made + j)) {
                break;
            }
        }

        unit_check(j == r->len);
    }
}


static ngx_agt_ledger_record_t *
add(ngx_uint_t n, uint32_t len, uint32_t state)
{
    size_t                   j;
    ngx_uint_t               kind;
    static u_char            token
                       [NGX_AGT_LEDGER_TOKEN + 1];
    ngx_agt_ledger_record_t  r;

    memset(&r, 0, sizeof(r));

    key(r.key, 0, n);
    key(r.jti, 1, n);

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {
        key(r.parent[kind], 2 + kind, n);
        r.flags |= NGX_AGT_LEDGER_HAS_PARENT(kind);
    }

    r.made = n;
    r.state = state;
    r.len = len;

    for (j = 0; j < len; j++) {
        token[j] = (u_char) (n + j);
    }

    return ngx_agt_ledger_add(ledger, &r, token);
}


static ngx_agt_ledger_record_t *
find(ngx_uint_t n)
{
    u_char      k[32];
    ngx_uint_t  i;

    key(k, 0, n);
    i = 0;

    return ngx_agt_ledger_find(ledger, k, &i);
}


static void
key(u_char *out, ngx_uint_t kind, ngx_uint_t n)
{
    memset(out, (int) kind + 1, 32);
    memcpy(out + 16, &n, sizeof(n));
}


static uint32_t
chance(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (seed >> 8) % n;
}
