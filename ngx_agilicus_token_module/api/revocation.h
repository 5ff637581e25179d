
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_REVOCATION_H_INCLUDED_
#define _NGX_AGT_API_REVOCATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"


/*
 * Revoking one token at the API (POST /v1/tokens/revoke; RFC 7009).  The ledger
 * keeps a record of the revocation until the API has confirmed it.  The caller
 * must have made the denials of the token before.
 */

/* milliseconds between the first tries */
#define NGX_AGT_REVOCATION_PAUSE   1000

/* milliseconds beyond its timeout for which a call has the lease */
#define NGX_AGT_REVOCATION_MARGIN  1000


typedef struct {
    ngx_agt_api_t                  *api;
    ngx_str_t                       token;
    const u_char                   *digest;       /* of the token */
    ngx_uint_t                      all_sessions;
    time_t                          until;        /* when the record ends */
    ngx_uint_t                      has_exp;      /* "until" is the exp */
    ngx_msec_t                      connect_timeout;
    ngx_msec_t                      timeout;
    const ngx_agt_budget_client_t  *client;       /* NULL: not charged */
    ngx_str_t                       headers;      /* of start(), see curl */
} ngx_agt_revocation_t;


/*
 * Sets up in a worker, when calls are set up.
 */
void ngx_agt_revocation_init(void);

/*
 * Records a revocation in the ledger and tells the API.  The waiter, if there
 * is one, gets the result of the first try: class ACTIVE if the API took it or
 * does not know the token, else INDETERMINATE, REFUSED or SHED.  In the second
 * case the ledger keeps the revocation for another try, once for each token;
 * where the ledger has no room, the revocation is lost, which is logged and
 * counted.  Returns NGX_AGAIN if the waiter waits, or NGX_ERROR with "answer"
 * set.
 */
ngx_int_t ngx_agt_revocation_start(const ngx_agt_revocation_t *revocation,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Tells the API of a revocation that has a record already, whose token has the
 * key "key" in the ledger; no request waits.
 */
void ngx_agt_revocation_again(const ngx_agt_revocation_t *revocation,
    const u_char *key);

/*
 * Returns how many revocations the API is being told of by again().
 */
ngx_uint_t ngx_agt_revocation_pending(void);

/*
 * Does the same as again(), but waits for the end, which blocks the worker:
 * only for a worker that exits.  A record that the API did not confirm keeps
 * its lease.
 */
void ngx_agt_revocation_last(const ngx_agt_revocation_t *revocation,
    const u_char *key);

/*
 * Cancels the calls of this worker that again() has started, and gives the
 * leases back.
 */
void ngx_agt_revocation_stop(void);

/*
 * Logs and counts a revocation that the API was never told of.  "url" is NULL
 * where the API is not configured any more; "digest" begins with the token's
 * fingerprint.
 */
void ngx_agt_revocation_lost(const ngx_str_t *url, const u_char *digest,
    ngx_log_t *log);


#endif /* _NGX_AGT_API_REVOCATION_H_INCLUDED_ */
