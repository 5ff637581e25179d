
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/lease.h"


ngx_int_t
ngx_agt_fleet_lease(ngx_agt_fleet_worker_t *w, const ngx_str_t *key,
    ngx_agt_fleet_lease_want_e want, ngx_agt_fleet_reply_pt handler)
{
    u_char     id[2 * NGX_AGT_FLEET_WRITER_LEN], ms[NGX_INT_T_LEN];
    u_char     number;
    ngx_str_t  args[7];

    /*
     * What no edge has written does not keep the lease from them.  It is given
     * back by a value that soon ends, since users of Redis may lack DEL.
     */

    static const char  script[] =
        "local v = redis.pcall('GET', KEYS[1]) "
        "local held = type(v) == 'string' and #v == #ARGV[1] "
        "if held and v ~= ARGV[1] and ARGV[3] ~= '1' then return 0 end "
        "if ARGV[3] ~= '2' then "
        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end "
        "if held then redis.call('SET', KEYS[1], '', 'PX', '1') end "
        "return 2";

    ngx_hex_dump(id, w->state->writer, NGX_AGT_FLEET_WRITER_LEN);
    number = (u_char) ('0' + want);

    ngx_str_set(&args[0], "EVAL");
    args[1].data = (u_char *) script;
    args[1].len = sizeof(script) - 1;
    ngx_str_set(&args[2], "1");
    args[3] = *key;
    args[4].data = id;
    args[4].len = sizeof(id);
    args[5].data = ms;
    args[5].len = (size_t) (ngx_sprintf(ms, "%ui",
                                        (ngx_uint_t) NGX_AGT_FLEET_LEASE)
                            - ms);
    args[6].data = &number;
    args[6].len = 1;

    return ngx_agt_fleet_connection_send(&w->teller, args, 7, 0, handler, 0);
}
