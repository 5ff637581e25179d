
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/process.h"


ngx_uint_t
ngx_agt_process_lives(ngx_pid_t pid)
{
    return pid == ngx_pid || kill(pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}
