
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_ISSUE_H_INCLUDED_
#define _NGX_AGT_API_ISSUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/introspect.h"
#include "json/body.h"
#include "zone/issued.h"


/*
 * The operations of the Tokens API that give the edge a token: reissue for
 * another organisation, and creation for a caller who was identified by other
 * means than a token (validations first).  A new token gets a record in the
 * ledger before any request gets the token, and is kept sealed.  A refusal is
 * remembered as "invalid", and ends earlier tokens for the same purpose.  All
 * requests that need the same token share one call.
 */

typedef struct {
    /*
     * The origin, the digest of the token's purpose as "key", the serial of an
     * entry, timeouts, headers, and the client that waits.
     */
    ngx_agt_call_request_t  call;
    ngx_agt_json_create_t   what;       /* of a reissue: "org" only */

    /*
     * Of a reissue: the presented token, or the raw token of the presented API
     * key; the key under which the presented token or API key is denied; and
     * the key under which that raw token is denied, NULL if a token was
     * presented.
     */
    ngx_str_t               token;
    const u_char           *parent;
    const u_char           *raw;
    const ngx_agt_facts_t  *facts;
    uint64_t                asked;      /* see denials */
} ngx_agt_issue_t;


/*
 * Asks the API to reissue the presented token for an organisation (API: POST
 * /v1/tokens/reissue).  The answer is ACTIVE with a token that has not been
 * introspected yet; INVALID (400, 403, 404); REVOKED (410: the presented token
 * is revoked, and is then denied); or an answer that any call may have.
 * Returns the same as ngx_agt_call_join().
 */
ngx_int_t ngx_agt_issue_reissue(
    const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Asks whether a token may be created (API: POST /v1/tokens/validations) and
 * then for the token (API: POST /v1/tokens), with the edge's credential.  The
 * answer is ACTIVE with the token, INVALID where the API refuses, or an answer
 * that any call may have.  Returns the same as ngx_agt_call_join().
 */
ngx_int_t ngx_agt_issue_create(
    const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);


#endif /* _NGX_AGT_API_ISSUE_H_INCLUDED_ */
