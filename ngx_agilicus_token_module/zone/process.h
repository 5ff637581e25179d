
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_PROCESS_H_INCLUDED_
#define _NGX_AGT_ZONE_PROCESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Returns 0 if no process has this number any more, else 1: what it has begun
 * in shared memory is then its own.  A simulation, in which all processes are
 * one, links a function of its own in place of this file.
 */
ngx_uint_t ngx_agt_process_lives(ngx_pid_t pid);


#endif /* _NGX_AGT_ZONE_PROCESS_H_INCLUDED_ */
