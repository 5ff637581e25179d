
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_REVOCATION_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_REVOCATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_agilicus_token_call.h"


/*
 * Revoking at the API (POST /v1/tokens/revoke; RFC 7009).  What the API does
 * not take is tried again by this worker, with growing pauses, and once more
 * when it exits; what is lost then is logged by fingerprint and counted.
 * Whoever revokes here has put up tombstones before.
 */

/* revocations that a worker keeps for another try, at most */
#define NGX_AGILICUS_TOKEN_REVOCATION_MAX  1024


typedef struct {
    ngx_agilicus_token_api_t                  *api;
    ngx_str_t                                  token;
    const u_char                              *digest;   /* of the token */
    ngx_uint_t                                 all_sessions;
    time_t                                     until;    /* worth trying */
    ngx_msec_t                                 connect_timeout;
    ngx_msec_t                                 timeout;
    const ngx_agilicus_token_budget_client_t  *client;   /* NULL: the edge's */
} ngx_agilicus_token_revocation_t;


/*
 * Revokes a token.  The waiter, if there is one, hears of the first try: class
 * ACTIVE if the API took it or knows no such token, else INDETERMINATE,
 * REFUSED or SHED, and the revocation is kept for another try, once for each
 * token; where there are too many, it is lost at once.  Returns NGX_AGAIN if
 * the waiter waits, or NGX_ERROR with "answer" set.
 */
ngx_int_t ngx_agilicus_token_revocation_start(
    const ngx_agilicus_token_revocation_t *revocation,
    ngx_agilicus_token_waiter_t *waiter, ngx_agilicus_token_answer_t *answer);

/*
 * Stops waiting; the revocation goes on.
 */
void ngx_agilicus_token_revocation_leave(ngx_agilicus_token_waiter_t *waiter);

/*
 * Sets up in a worker; and, when it exits and before calls are taken down,
 * tries what is left once more, for two seconds at most.
 */
void ngx_agilicus_token_revocation_init(ngx_log_t *log);
void ngx_agilicus_token_revocation_exit(void);


#endif /* _NGX_AGILICUS_TOKEN_REVOCATION_H_INCLUDED_ */
