
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_JWSK_H_INCLUDED_
#define _NGX_AGT_API_JWSK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"
#include "zone/keys.h"


/*
 * The public keys of the API (GET /v1/tokens/jwsk): one of all workers fetches
 * them every interval, and once more when a token needs it.  They lie in the
 * first zone; see zone/keys.  Nothing waits for them, and the breaker is not
 * told of these calls: an API without keys is one that is asked about tokens.
 */

typedef struct {
    ngx_uint_t      mode;            /* NGX_AGT_OFF, _ON or _REPORT */
    ngx_uint_t      strict;
    ngx_agt_api_t  *api;             /* NULL: the mode is off */
    u_char          source[NGX_AGT_DIGEST_LEN];
    ngx_msec_t      interval;
    ngx_msec_t      connect_timeout;
    ngx_msec_t      timeout;
    ngx_agt_key_t  *keys;            /* of a file; NULL: they are fetched */
    ngx_uint_t      nkeys;
} ngx_agt_jwsk_conf_t;


/*
 * Says in the first zone where the workers of configuration number "cycle" get
 * keys from, and puts keys of a file there; in the master, before these workers
 * start.
 */
void ngx_agt_jwsk_configure(ngx_agt_zone_t *first,
    const ngx_agt_jwsk_conf_t *conf, uint32_t cycle);

/*
 * Sets up and takes down a worker's part in fetching; "conf" lives as long as
 * the worker.
 */
void ngx_agt_jwsk_init(const ngx_agt_jwsk_conf_t *conf, ngx_log_t *log);
void ngx_agt_jwsk_exit(void);

/*
 * Fetches the keys on account of a token, unless that was done lately or is
 * being done; see ngx_agt_keys_begin().
 */
void ngx_agt_jwsk_wanted(void);


#endif /* _NGX_AGT_API_JWSK_H_INCLUDED_ */
