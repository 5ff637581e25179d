
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _BARRIER_H_INCLUDED_
#define _BARRIER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The order of what stands before and behind a barrier matters to other
 * processes, so a worker may be stopped or killed at each of them.  This header
 * goes before every file of the module.
 */

void sim_pause(const char *where);

#undef ngx_memory_barrier
#define ngx_memory_barrier()  sim_pause(__func__)


#endif /* _BARRIER_H_INCLUDED_ */
