
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
    ngx_str_t  args[8];

    /*
     * A value that no edge has written does not keep the lease from edges.  It
     * is given back by a value that soon ends, since users of Redis may lack
     * DEL.
     *
     * A Redis that is full refuses the first SET of a script, and then no edge
     * would trim the stream that fills it.  After another write, SET is not
     * refused: XTRIM is allowed in a full Redis, and here it removes nothing.
     */

    static const char  script[] =
        "local v = redis.pcall('GET', KEYS[1]) "
        "local held = type(v) == 'string' and #v == #ARGV[1] "
        "if held and v ~= ARGV[1] and ARGV[3] ~= '1' then return 0 end "
        "redis.pcall('XTRIM', KEYS[2], 'MINID', '=', '0') "
        "if ARGV[3] ~= '2' then "
        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end "
        "if held then redis.call('SET', KEYS[1], '', 'PX', '1') end "
        "return 2";

    ngx_hex_dump(id, w->state->writer, NGX_AGT_FLEET_WRITER_LEN);
    number = (u_char) ('0' + want);

    ngx_str_set(&args[0], "EVAL");
    args[1].data = (u_char *) script;
    args[1].len = sizeof(script) - 1;
    ngx_str_set(&args[2], "2");
    args[3] = *key;
    args[4] = w->conf->stream;
    args[5].data = id;
    args[5].len = sizeof(id);
    args[6].data = ms;
    args[6].len = (size_t) (ngx_sprintf(ms, "%ui",
                                        (ngx_uint_t) NGX_AGT_FLEET_LEASE)
                            - ms);
    args[7].data = &number;
    args[7].len = 1;

    return ngx_agt_fleet_connection_send(&w->teller, args, 8, 0, handler, 0);
}
