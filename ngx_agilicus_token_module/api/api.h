
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_API_H_INCLUDED_
#define _NGX_AGT_API_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "api/curl.h"
#include "api/wake.h"
#include "json/body.h"
#include "zone/budget.h"
#include "zone/denials.h"


/*
 * The Tokens APIs of a configuration, and the settings that all calls share.
 */

/* a Tokens API as configured; const while serving */

typedef struct {
    ngx_str_t               url;        /* without a last slash */
    u_char                  digest[NGX_AGT_DIGEST_LEN];

    /*
     * Digests of all that answers depend on: "asked" for introspection,
     * "issued", which covers the credential as well, for tokens that the API
     * gives to the edge.
     */
    u_char                  asked[NGX_AGT_DIGEST_LEN];
    u_char                  issued[NGX_AGT_DIGEST_LEN];

    ngx_agt_curl_profile_t  profile;
    ngx_str_t               credential; /* empty: none */
    int64_t                 credential_expiry;  /* seconds; -1: not known */
    unsigned                credential_introspect:1;
    ngx_msec_t              longest;    /* "api_timeout" of all locations */
    ngx_uint_t              index;      /* among the configured APIs */
    ngx_uint_t              state;      /* number of its state in the zone */

    /* URLs of operations, null-terminated */
    ngx_str_t               introspect;
    ngx_str_t               introspect_key;
    ngx_str_t               reissue;
    ngx_str_t               revoke;
    ngx_str_t               validations;
    ngx_str_t               tokens;
    ngx_str_t               sessions;
    ngx_str_t               jwsk;
} ngx_agt_api_t;


/*
 * Where facts come from and where they are kept: an API with the options of
 * introspection, and a zone.  The digests cover everything but the key on which
 * an answer depends: "facts" for cached facts; "calls" for an introspection
 * call, which is shared within one zone; "issued" for a reissued or created
 * token, which depends on the credential as well.  "number" is the number that
 * the zone gave to "facts" before workers started.
 */

typedef struct {
    ngx_agt_api_t          *api;
    ngx_agt_json_options_t  options;
    ngx_agt_zone_t         *zone;     /* NULL: no cache */
    uint32_t                number;   /* 0 without a zone */
    u_char                  facts[NGX_AGT_DIGEST_LEN];
    u_char                  calls[NGX_AGT_DIGEST_LEN];
    u_char                  issued[NGX_AGT_DIGEST_LEN];
} ngx_agt_origin_t;


/* settings of the http level; const while serving */

typedef struct {
    ngx_agt_zone_t     *first;      /* budgets, counters */
    ngx_agt_denials_t  *denials;
    ngx_agt_origin_t  **origins;
    ngx_uint_t          norigins;
    ngx_agt_api_t     **apis;
    ngx_uint_t          napis;
    ngx_uint_t          max_inflight;
    ngx_agt_rate_t      rate;
    ngx_agt_breaker_t   breaker;
    time_t              revocation_ttl;
    time_t              max_leeway; /* over all locations */
    uint32_t            cycle;      /* number of the configuration */
    ngx_agt_wake_t      wake;
} ngx_agt_api_conf_t;


/*
 * Returns a number that is the same for the same way of reaching an API, also
 * after a reload.
 */
static ngx_inline uint32_t
ngx_agt_api_via(const ngx_agt_api_t *api)
{
    uint32_t  via;

    ngx_memcpy(&via, api->asked, sizeof(uint32_t));

    return via;
}


#endif /* _NGX_AGT_API_API_H_INCLUDED_ */
