
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_REVOKE_H_INCLUDED_
#define _NGX_AGT_API_REVOKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/call.h"
#include "zone/children.h"


/*
 * Revoking at the API (POST /v1/tokens/revoke; RFC 7009).  A revocation has a
 * record in the ledger until the API has confirmed it; that it does not know a
 * child which it has just given confirms nothing.  Workers of the newest
 * configuration tell the API what is due, several at once, each record under a
 * lease that ends with the process that took it.  Whoever revokes here has put
 * up denials before.
 */

typedef struct {
    ngx_agt_api_t                  *api;
    ngx_str_t                       token;
    const u_char                   *digest;   /* of the token */
    ngx_uint_t                      all_sessions;
    time_t                          until;    /* worth trying */
    ngx_uint_t                      has_exp;  /* is "until" its */
    ngx_msec_t                      connect_timeout;
    ngx_msec_t                      timeout;
    const ngx_agt_budget_client_t  *client;   /* NULL: the edge's */
} ngx_agt_revocation_t;


/* for what no request waits for; const while serving */

typedef struct {
    ngx_msec_t                                 connect_timeout;
    ngx_msec_t                                 timeout;
} ngx_agt_revocation_conf_t;


/*
 * Revokes a token.  The waiter, if there is one, hears of the first try: class
 * ACTIVE if the API took it or knows no such token, else INDETERMINATE,
 * REFUSED or SHED, and the ledger keeps the revocation for another try, once
 * for each token; where the ledger has no room, it is lost then, which is
 * logged and counted.  Returns NGX_AGAIN if the waiter waits, or NGX_ERROR
 * with "answer" set.
 */
ngx_int_t ngx_agt_revocation_start(
    const ngx_agt_revocation_t *revocation,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Sets up in a worker, when calls are set up; "conf" lives as long as the
 * worker.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_revocation_init(
    const ngx_agt_revocation_conf_t *conf, ngx_log_t *log);

/*
 * For a worker that exits, before calls are taken down: unless workers of a
 * newer configuration are there, tells the API what is due, for two seconds at
 * most.
 */
void ngx_agt_revocation_exit(void);

/*
 * For the master when it exits: logs each revocation that no API took.
 */
void ngx_agt_revocation_end(const ngx_agt_api_conf_t *conf, ngx_log_t *log);


#endif /* _NGX_AGT_API_REVOKE_H_INCLUDED_ */
