
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_BUDGET_H_INCLUDED_
#define _NGX_AGT_ZONE_BUDGET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"


/*
 * Limits on the calls to an API by all workers together: a budget of calls for
 * the API and for each client, and a breaker that keeps calls from an API that
 * fails.  All of it lies in the first zone.
 */

typedef struct {
    uint64_t                       rate;        /* calls per 1,000 seconds */
    uint64_t                       per_client;  /* likewise; 0: no limit */
    uint64_t                       burst;       /* microseconds of the rate */
    unsigned                       off:1;
} ngx_agt_rate_t;


typedef struct {
    ngx_uint_t                     failures;    /* in a row; 0: no breaker */
    ngx_msec_t                     open;        /* between two probes */
    ngx_msec_t                     max;         /* of an API's Retry-After */
} ngx_agt_breaker_t;


/* an address of 16 bytes; of IPv6 only the network counts */

typedef struct {
    u_char                         address[16];
} ngx_agt_budget_client_t;


/*
 * Returns the number of the state of the API whose URL has this digest; the
 * state is then in use by the configuration "cycle".  Where there is none:
 * returns NGX_AGT_ZONE_APIS if "add" is 0, else makes one, in place of the
 * state that has not been in use for the longest time.  For the master, which
 * asks for all APIs of a configuration before it adds any: so no two of them,
 * and none of the configuration before, share a state.
 */
ngx_uint_t ngx_agt_budget_api(ngx_agt_zone_t *first,
    const u_char *digest, uint32_t cycle, ngx_uint_t add);

/*
 * Sets "client" to the client of a socket address.
 */
void ngx_agt_budget_client(struct sockaddr *sockaddr,
    ngx_agt_budget_client_t *client);

/*
 * Takes one call from the budgets of an API and of a client ("client" is NULL
 * where no client is charged).  "now" is in milliseconds, monotonic.
 *
 * NGX_OK        taken
 * NGX_DECLINED  the API's budget is spent
 * NGX_BUSY      the client's budget is spent; nothing was taken from the API's
 *
 * Where the call is refused, "*retry_after" is set to the seconds until the
 * budget has a call again.
 */
ngx_int_t ngx_agt_budget_take(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_rate_t *rate,
    const ngx_agt_budget_client_t *client, uint64_t now, time_t *retry_after);

/*
 * The budgets of guesses at one API key: of the client, and of the user name at
 * an API.  Each has NGX_AGT_BUDGET_GUESSES guesses and gets one more in a
 * second.
 */

#define NGX_AGT_BUDGET_GUESSES  10

typedef struct {
    ngx_agt_budget_client_t        client;
    ngx_agt_budget_client_t        user;
} ngx_agt_budget_guess_t;

/*
 * Sets the client of a guess, as ngx_agt_budget_client() has set it, and the
 * user name at the API with this digest; ASCII letters of both cases are one.
 * Returns NGX_OK, or NGX_ERROR where a digest failed.
 */
ngx_int_t ngx_agt_budget_guess(ngx_agt_budget_guess_t *guess,
    const ngx_agt_budget_client_t *client, const u_char *api,
    const ngx_str_t *user);

/*
 * Takes one guess from both budgets, or from none.  "now" is in milliseconds,
 * monotonic.  Returns NGX_OK; NGX_BUSY where the client's budget is spent;
 * NGX_DECLINED where that of the user name is: "*retry_after" is then set as
 * above.
 */
ngx_int_t ngx_agt_budget_take_guess(ngx_agt_zone_t *first,
    const ngx_agt_budget_guess_t *guess, uint64_t now, time_t *retry_after);

/*
 * Gives a guess back: the key was right, or the API has not said that it is
 * wrong.
 */
void ngx_agt_budget_give_guess(ngx_agt_zone_t *first,
    const ngx_agt_budget_guess_t *guess, uint64_t now);

/*
 * Asks the breaker for one call that will take "timeout" milliseconds at most.
 * Returns NGX_OK if the call may be made (as the probe, where the breaker is
 * half open), or NGX_DECLINED if not: "*retry_after" is then set to the seconds
 * for which the breaker stays open.
 */
ngx_int_t ngx_agt_breaker_pass(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_breaker_t *breaker, uint64_t now,
    ngx_msec_t timeout, time_t *retry_after);

/*
 * Tells the breaker how a call that the breaker let through has ended.
 * "failed" is 1 for transport errors, timeouts, 429 and 5xx; "retry_after" are
 * the seconds that the API gave with 429, or 0.  Returns NGX_BUSY if the
 * breaker has opened, NGX_DONE if it has closed, else NGX_OK.
 */
ngx_int_t ngx_agt_breaker_report(ngx_agt_zone_t *first,
    ngx_uint_t api, const ngx_agt_breaker_t *breaker, uint64_t now,
    ngx_uint_t failed, time_t retry_after);


#endif /* _NGX_AGT_ZONE_BUDGET_H_INCLUDED_ */
