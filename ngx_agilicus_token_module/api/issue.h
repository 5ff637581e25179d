
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
 * another organisation, and creation for a caller who was identified otherwise
 * (validations first).  What is given has a record in the ledger before anybody
 * gets it, and is kept sealed; a refusal is remembered as "invalid", and ends
 * what was given for the same before.  One call for all who need the same.
 */

typedef struct {
    const ngx_agt_origin_t         *origin;
    ngx_agt_json_create_t           what;     /* of a reissue: "org" only */
    const u_char                   *key;      /* what it is for */
    uint64_t                        seen;     /* see call */
    ngx_msec_t                      connect_timeout;
    ngx_msec_t                      timeout;
    const ngx_agt_budget_client_t  *client;

    /* of a reissue: what was presented */
    ngx_str_t                       token;
    const u_char                   *digest;
    const ngx_agt_facts_t          *facts;
    uint64_t                        asked;    /* see denials */
} ngx_agt_issue_t;


/*
 * Asks for the presented token reissued for an organisation (API: POST
 * /v1/tokens/reissue).  The answer is ACTIVE with a token that nobody has
 * looked at yet, INVALID (400, 403, 404), REVOKED (410: so is the token that
 * was presented, which is then denied), or as of any call.  Returns as
 * ngx_agt_call_join().
 */
ngx_int_t ngx_agt_issue_reissue(
    const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);

/*
 * Asks whether a token may be created (API: POST /v1/tokens/validations) and
 * then for it (API: POST /v1/tokens), with the edge's credential.  The answer
 * is ACTIVE with the token, INVALID where the API refuses, or as of any call.
 */
ngx_int_t ngx_agt_issue_create(
    const ngx_agt_issue_t *issue,
    ngx_agt_waiter_t *waiter, ngx_agt_answer_t *answer);


#endif /* _NGX_AGT_API_ISSUE_H_INCLUDED_ */
