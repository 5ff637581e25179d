
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_REAP_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_REAP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_agilicus_token_api.h"
#include "ngx_agilicus_token_secret.h"


/*
 * A reissued token outlives its parent at the API.  When a denial has been put
 * up, one worker looks through the zones for tokens whose parent it is about,
 * takes them out and revokes them at the API in the background.
 */

typedef struct {
    ngx_msec_t                     connect_timeout;
    ngx_msec_t                     timeout;
} ngx_agilicus_token_reap_conf_t;


/*
 * Sets up and takes down what reaps in a worker; "conf" lives as long as it.
 */
ngx_int_t ngx_agilicus_token_reap_init(
    const ngx_agilicus_token_reap_conf_t *conf, ngx_log_t *log);
void ngx_agilicus_token_reap_exit(void);

/*
 * After a token was stored, with "packed" beside it: has the zones looked
 * through again if its parent at the API "api" was denied in the meantime.
 */
void ngx_agilicus_token_reap_late(const ngx_str_t *packed, const u_char *api);


#endif /* _NGX_AGILICUS_TOKEN_REAP_H_INCLUDED_ */
