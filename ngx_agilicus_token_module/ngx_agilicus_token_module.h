
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_MODULE_H_INCLUDED_
#define _NGX_AGT_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "api/introspect.h"
#include "zone/cache.h"
#include "api/feed.h"
#include "fleet/fleet.h"
#include "token/policy.h"
#include "api/deliver.h"
#include "api/jwsk.h"


/*
 * What the files that know requests share: configuration, which is const while
 * serving, and the two contexts of a request.
 */

#define NGX_AGT_VERSION      "0.1.0"

#define NGX_AGT_OFF          0
#define NGX_AGT_ON           1
#define NGX_AGT_REPORT       2
#define NGX_AGT_OPTIONAL     3

#define NGX_AGT_PHASE_ACCESS     0
#define NGX_AGT_PHASE_PREACCESS  1

#define NGX_AGT_PREFLIGHT_CHECK  0
#define NGX_AGT_PREFLIGHT_PASS   1

#define NGX_AGT_ERROR_BODY_HTML     0
#define NGX_AGT_ERROR_BODY_PROBLEM  1

#define NGX_AGT_CREATE_SSL     1
#define NGX_AGT_CREATE_ACCESS  2

#define NGX_AGT_SOURCE_HEADER       0
#define NGX_AGT_SOURCE_COOKIE       1
#define NGX_AGT_SOURCE_QUERY        2
#define NGX_AGT_SOURCE_SUBPROTOCOL  3
#define NGX_AGT_SOURCE_BASIC        4    /* of an API key */


typedef struct {
    ngx_uint_t                         type;
    ngx_str_t                          name;
} ngx_agt_source_t;


/* a requirement as configured; without variables it is ready as it stands */

typedef struct {
    ngx_agt_requirement_t      requirement;
    ngx_http_complex_value_t  *values;
    unsigned                   variable:1;
} ngx_agt_require_conf_t;


/* "agilicus_token_api_header" */

typedef struct {
    ngx_str_t                  name;
    ngx_http_complex_value_t   value;
} ngx_agt_trace_header_t;


/* where a directive stands, for what is found after all has been read */

typedef struct {
    ngx_str_t                          name;       /* of the directive */
    ngx_str_t                          file;
    ngx_uint_t                         line;
} ngx_agt_place_t;


/* a string of the configuration; unset while value.data is NULL */

typedef struct {
    ngx_str_t        value;
    ngx_agt_place_t  place;
} ngx_agt_setting_t;


typedef struct {
    ngx_agt_api_conf_t         api;        /* for the workers */
    ngx_agt_feed_conf_t        feed;
    ngx_agt_deliver_conf_t     deliver;
    ngx_agt_jwsk_conf_t        jwsk;       /* the signature gate */
    ngx_agt_fleet_conf_t       fleet;

    ngx_array_t                zones;      /* of ngx_shm_zone_t * */
    size_t                     denials_size;
    ngx_array_t                zone_uses;  /* of zone_use_t */
    ngx_array_t                apis;       /* of api_t * */
    ngx_array_t                origins;    /* of origin_t * */
    ngx_array_t                files;      /* read once per cycle */
    ngx_array_t                unenforced; /* of loc_conf_t * */
    ngx_array_t                handlers;   /* of location_t, see checks */
    ngx_array_t                enforcing;  /* of location_t */
    ngx_array_t                identity;   /* prefixes of headers */

    /* indexes of variables that the configuration defines; see early */
    ngx_array_t                assigned;   /* of ngx_uint_t */
    ngx_uint_t                 locations;  /* that enforce */

    /* where these are configured, for what is said of them at the end */
    ngx_agt_place_t            feed_place;
    ngx_agt_place_t            jwsk_place;
    ngx_agt_place_t            fleet_place;
    ngx_agt_setting_t          jwsk_file;

    /* of variables that must not remember a token in the query */
    ngx_int_t                  request_uri_index;
    ngx_int_t                  request_index;

    ngx_uint_t                 max_inflight;
    time_t                     revocation_ttl;
    ngx_msec_t                 recheck;    /* the shortest of all */
    size_t                     worker_cache;
    ngx_uint_t                 rate_given;
    ngx_uint_t                 breaker_given;
    ngx_uint_t                 feed_given;
    ngx_uint_t                 jwsk_given;
    unsigned                   fleet_set:1;
    unsigned                   query:1;    /* a source is cut somewhere */
    unsigned                   preflight:1; /* passes somewhere */
    unsigned                   changes:1;  /* what upstream sees */
    unsigned                   used:1;     /* something enforces */
    unsigned                   preaccess:1;
    unsigned                   rules:1;
    unsigned                   problem:1;  /* is a body somewhere */
    unsigned                   names:1;    /* of callers: create */
    unsigned                   api_keys:1; /* are taken somewhere */
    unsigned                   notices:1;  /* what is assigned early */
} ngx_agt_main_conf_t;


/* "agilicus_token_create": values and lists of them, with variables */

typedef struct {
    ngx_http_complex_value_t          *sub;
    ngx_http_complex_value_t          *org;
    ngx_array_t                       *audiences;  /* of complex values */
    ngx_array_t                       *scopes;
    ngx_array_t                       *roles;      /* application, role, ... */
    time_t                             duration;   /* seconds */

    ngx_uint_t                         identity;   /* ssl, access; 0: none */
    unsigned                           varies:1;   /* has variables */
    ngx_int_t                          verify_index;
    ngx_int_t                          user_index;
    ngx_uint_t                         basic_index;   /* of other modules' */
    ngx_uint_t                         request_index; /* configurations */
} ngx_agt_create_conf_t;


/* "agilicus_token_identity_headers" */

typedef struct {
    ngx_str_t                          prefix;
    ngx_uint_t                         fields;     /* bits, see identity */
    ngx_uint_t                         percent;    /* encoding */
} ngx_agt_identity_conf_t;


typedef struct ngx_agt_loc_conf_s  ngx_agt_loc_conf_t;


struct ngx_agt_loc_conf_s {
    ngx_uint_t                 enable;
    ngx_uint_t                 enable_inside; /* what is inherited */
    ngx_uint_t                 phase;      /* of the look-up */
    ngx_str_t                  realm;
    ngx_array_t               *sources;    /* of source_t */
    size_t                     max_size;
    time_t                     leeway;
    ngx_array_t               *require     /* of require_conf_t */
                               [NGX_AGT_REQUIRE_KINDS];
    ngx_uint_t                 preflight;
    ngx_http_complex_value_t  *resource_metadata;
    ngx_uint_t                 error_body;
    ngx_agt_identity_conf_t   *identity;   /* NULL: off */
    ngx_msec_t                 recheck;    /* 0: off */
    ngx_flag_t                 forward;
    ngx_http_complex_value_t  *reissue;
    ngx_agt_create_conf_t     *create;
    ngx_flag_t                 rules;
    ngx_http_complex_value_t  *rules_host; /* NULL: the request's */
    ngx_uint_t                 rules_search;

    ngx_uint_t                 revoke;     /* content handlers */
    ngx_uint_t                 hook;
    ngx_uint_t                 status;
    ngx_uint_t                 revoke_all; /* their parameters */
    ngx_uint_t                 purge;
    ngx_uint_t                 trusted;
    ngx_agt_place_t            handler;    /* where it is set */

    ngx_array_t               *api_headers; /* of trace_header_t */
    ngx_agt_setting_t          api_url;
    ngx_agt_setting_t          api_credential;
    ngx_flag_t                 api_credential_introspect;
    ngx_flag_t                 api_keys;
    ngx_msec_t                 api_connect_timeout;
    ngx_msec_t                 api_timeout;
    ngx_agt_setting_t          api_proxy;  /* empty: none */
    ngx_flag_t                 api_ssl_verify;
    ngx_agt_setting_t          api_ssl_trusted_certificate;
    ngx_agt_setting_t          api_ssl_certificate;
    ngx_agt_setting_t          api_ssl_certificate_key;
    const ngx_agt_json_options_t  *introspect_options;

    ngx_shm_zone_t            *cache;
    ngx_flag_t                 cache_off;
    ngx_agt_lifetimes_t        ages;       /* as configured */
    ngx_uint_t                 cache_valid_given;
    ngx_uint_t                 cache_stale_given;

    /* where the block begins, for what is found when levels are merged */
    ngx_str_t                  file;
    ngx_uint_t                 line;

    /* the first directive of the block that has no effect on its own */
    ngx_agt_place_t            needs_token;

    ngx_agt_loc_conf_t        *outer;      /* NULL: http */
    unsigned                   enforced:1; /* in it, or inside it */

    /* made of all the above when configurations are merged */

    ngx_agt_origin_t          *origin;
    ngx_agt_lifetimes_t        lifetimes;
    ngx_agt_policy_t           policy;
    ngx_str_t                  challenge;  /* Bearer realm="..." */
    ngx_str_t                  basic;      /* Basic realm="..."; or empty */
    ngx_array_t               *places;     /* sources, and Basic; NULL: header
                                              alone */

    ngx_array_t               *required;   /* of all kinds */

    ngx_uint_t                 location;   /* number of those */
    unsigned                   varies:1;   /* what decides */

    /* of "required", if none of them has a variable */
    ngx_agt_requirement_t     *requirements;
};


extern ngx_module_t  ngx_agilicus_token_module;


#endif /* _NGX_AGT_MODULE_H_INCLUDED_ */
