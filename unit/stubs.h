
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _STUBS_H_INCLUDED_
#define _STUBS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/denials.h"
#include "zone/zone.h"


/*
 * What nginx gives to the files that keep something in shared memory: clocks,
 * memory, a mutex, processes.  All of it is in the hands of the test.
 */

/* both clocks, as the files under test read them */
void stub_clock(uint64_t mono, int64_t wall);
void stub_pass(uint64_t mono_ms);

/*
 * The mutex: called before it is taken, once it is taken and once it is given
 * back.  A mutex that is taken while any is held ends the program, for in nginx
 * it would hang.
 */
extern void        (*stub_locking)(ngx_shmtx_t *mtx);
extern void        (*stub_locked)(ngx_shmtx_t *mtx);
extern void        (*stub_unlocked)(ngx_shmtx_t *mtx);
extern ngx_uint_t    stub_held;
extern ngx_uint_t    stub_locks;

/* allocations that succeed from now on; -1: all; called at each of them */
extern ngx_int_t     stub_allocations;
extern void        (*stub_allocated)(void);

/* whether a process is there; or one that is not, where there is no handler */
extern ngx_uint_t  (*stub_there)(ngx_pid_t pid);
extern ngx_pid_t     stub_dead;

/* of log lines: how many, and the format and level of the last one */
extern ngx_uint_t    stub_lines;
extern ngx_uint_t    stub_level;
extern const char   *stub_line;

extern ngx_log_t     stub_log;


/*
 * A zone of "size" bytes as nginx would make it, on memory of its own without a
 * byte behind it; ended by stub_zone_free().  NULL where the module refuses it.
 */
ngx_agt_zone_t *stub_zone(size_t size);
void stub_zone_free(ngx_agt_zone_t *zone);

/*
 * The same on memory of the caller's, such as some that processes share.
 */
ngx_agt_zone_t *stub_zone_at(void *mem, size_t size);

/*
 * The memory of denials, likewise.
 */
ngx_agt_denials_t *stub_denials(size_t size);
void stub_denials_free(ngx_agt_denials_t *denials);
ngx_agt_denials_t *stub_denials_at(void *mem, size_t size);

/*
 * Denies as "stub_source" does, the feed at first; see
 * ngx_agt_denials_add().
 */
extern ngx_agt_denial_source_e  stub_source;

ngx_int_t stub_deny(ngx_agt_denials_t *denials, const u_char *api,
    ngx_agt_denial_kind_e kind, const ngx_str_t *value,
    int64_t until, int64_t before, const ngx_agt_clock_t *now);

/*
 * Walks all blocks of a table: returns the first one where "e" is NULL, else
 * the first one after "e" that is in use, or NULL at the end.
 */
ngx_agt_entry_t *stub_table_next(ngx_agt_table_t *t, ngx_agt_entry_t *e);

/*
 * Returns 1 if a table is sound: its blocks fill the arena, each entry is found
 * by its key, and the counters are right.
 */
ngx_uint_t stub_table_sane(ngx_agt_table_t *t);

/*
 * What nginx does to a zone when the process that holds its mutex dies.
 */
void stub_zone_force_unlock(void);


/*
 * Numbers that look random and are the same for the same seed.
 */
void stub_seed(uint64_t seed);
uint64_t stub_random(void);
uint64_t stub_below(uint64_t n);


#endif /* _STUBS_H_INCLUDED_ */
