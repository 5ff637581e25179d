
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CREDENTIAL_H_INCLUDED_
#define _NGX_AGT_API_CREDENTIAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/api.h"


/*
 * The end of the edge's own credential.  An API refuses an edge whose
 * credential has ended, so the end is told beforehand: in a figure, at start,
 * and by one worker of all in the error log.
 */

/* bytes that ngx_agt_credential_words() writes at most */
#define NGX_AGT_CREDENTIAL_WORDS  sizeof("ends in 23h 59m")


/*
 * Returns the expiry ("exp") of a credential that is a JWT, in seconds since
 * the epoch, moved into the years 1970 to 9999.  Returns -1 where the
 * credential is no JWT, or has no expiry.
 */
int64_t ngx_agt_credential_expiry(const ngx_str_t *credential);

/*
 * Returns the expiry, likewise, of the credential that ends first among those
 * for the API with this state in the zone; -1 if none has an expiry.
 */
int64_t ngx_agt_credential_first(const ngx_agt_api_conf_t *conf,
    ngx_uint_t state);

/*
 * Writes "has ended", or "ends in 3h 12m" where less than a day is left, to
 * "buf", and returns the end.  Returns "buf" where there is no expiry, or more
 * time.  "now" is in seconds since the epoch.
 */
u_char *ngx_agt_credential_words(u_char *buf, int64_t expiry, time_t now);

/*
 * For a worker, once calls are set up: from now on, one worker of all logs once
 * an hour that a credential ends soon, or has ended.  "conf" lives as long as
 * the worker.
 */
void ngx_agt_credential_init(const ngx_agt_api_conf_t *conf, ngx_log_t *log);

/*
 * For a worker that exits.
 */
void ngx_agt_credential_exit(void);


#endif /* _NGX_AGT_API_CREDENTIAL_H_INCLUDED_ */
