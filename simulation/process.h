
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _PROCESS_H_INCLUDED_
#define _PROCESS_H_INCLUDED_


#include "simulation.h"
#include "api/seams.h"
#include "zone/clock.h"
#include "zone/process.h"


/* what the files of process.so that stand for nginx have of each other */

void process_set_clocks(const ngx_agt_clock_t *now, ngx_msec_t msec);
void process_init_events(void);
void process_events(void);
void process_sockets(void);
void process_free_pool(ngx_pool_t *pool);

extern void    (*process_wake)(void);

/* while it is not zero, random bytes are made of it */
extern uint64_t  process_secret;


#endif /* _PROCESS_H_INCLUDED_ */
