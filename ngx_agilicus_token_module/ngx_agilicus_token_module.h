
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_MODULE_H_INCLUDED_
#define _NGX_AGT_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "api/introspect.h"
#include "token/bearer.h"
#include "zone/cache.h"
#include "api/feed.h"
#include "token/policy.h"
#include "api/revoke.h"
#include "zone/worker_cache.h"


/*
 * What the files that know requests share: configuration, which is const while
 * serving, and the two contexts of a request.
 */

#define NGX_AGT_VERSION      "0.1.0"

#define NGX_AGT_OFF          0
#define NGX_AGT_ON           1
#define NGX_AGT_REPORT       2

#define NGX_AGT_PHASE_ACCESS     0
#define NGX_AGT_PHASE_PREACCESS  1

#define NGX_AGT_EXCLUDE_ROLES  0x0002
#define NGX_AGT_HTTP_MATCHERS  0x0004
#define NGX_AGT_NO_CACHE       0x0008

#define NGX_AGT_PREFLIGHT_CHECK  0
#define NGX_AGT_PREFLIGHT_PASS   1

/* of what a variable was read too early; see early */
#define NGX_AGT_EARLY_TOKEN    0x01
#define NGX_AGT_EARLY_USER     0x02

#define NGX_AGT_SOURCE_HEADER  0
#define NGX_AGT_SOURCE_COOKIE  1
#define NGX_AGT_SOURCE_QUERY   2


typedef struct {
    ngx_uint_t                         type;
    ngx_str_t                          name;
} ngx_agt_source_t;


/* a certificate, key or credential, read by the master */

typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          content;
    ngx_uint_t                         exposed;    /* to everybody */
} ngx_agt_file_t;


/* a requirement as configured; without variables it is ready as it stands */

typedef struct {
    ngx_agt_requirement_t      requirement;
    ngx_http_complex_value_t  *values;
    unsigned                   variable:1;
} ngx_agt_require_conf_t;


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


/* where a zone is named, so that one that is not there can be reported */

typedef struct {
    ngx_shm_zone_t  *zone;
    ngx_agt_place_t  place;
} ngx_agt_zone_use_t;


typedef struct {
    ngx_agt_api_conf_t         api;        /* for the workers */
    ngx_agt_feed_conf_t        feed;
    ngx_agt_revocation_conf_t  revocation;

    ngx_array_t                zones;      /* of ngx_shm_zone_t * */
    ssize_t                    denials_size;
    ngx_array_t                zone_uses;  /* of zone_use_t */
    ngx_array_t                apis;       /* of api_t * */
    ngx_array_t                origins;    /* of origin_t * */
    ngx_array_t                files;      /* read once per cycle */
    ngx_array_t                unenforced; /* of loc_conf_t * */
    ngx_array_t                handlers;   /* of handler_t */
    ngx_array_t                identity;   /* prefixes of headers */

    /* indexes of variables that the configuration defines; see early */
    ngx_array_t                assigned;   /* of ngx_uint_t */
    ngx_uint_t                 locations;  /* that enforce */

    /* where the feed is configured, for what is said of it at the end */
    ngx_agt_place_t            feed_place;

    /* of variables that must not remember a token in the query */
    ngx_int_t                  request_uri_index;
    ngx_int_t                  request_index;

    ngx_uint_t                 max_inflight;
    time_t                     revocation_ttl;
    ngx_msec_t                 recheck;    /* the shortest of all */
    size_t                     worker_cache;
    unsigned                   rate_set:1;
    unsigned                   breaker_set:1;
    unsigned                   feed_set:1;
    unsigned                   query:1;    /* is a source somewhere */
    unsigned                   preflight:1; /* passes somewhere */
    unsigned                   changes:1;  /* what upstream sees */
    unsigned                   used:1;     /* something enforces */
    unsigned                   preaccess:1;
    unsigned                   rules:1;
    unsigned                   names:1;    /* of callers: create */
    unsigned                   notices:1;  /* what is assigned early */
} ngx_agt_main_conf_t;


/* the first members of what auth_basic, which declares it nowhere, keeps */

typedef struct {
    ngx_http_complex_value_t          *realm;
    ngx_http_complex_value_t          *user_file;
} ngx_agt_basic_conf_t;


/* "agilicus_token_create": values and lists of them, with variables */

typedef struct {
    ngx_http_complex_value_t          *sub;
    ngx_http_complex_value_t          *org;
    ngx_array_t                       *audiences;  /* of complex values */
    ngx_array_t                       *scopes;
    ngx_array_t                       *roles;      /* application, role, ... */
    time_t                             duration;   /* seconds */

    unsigned                           identity:1; /* is given */
    unsigned                           ssl:1;      /* else access */
    unsigned                           varies:1;   /* has variables */
    ngx_int_t                          verify_index;
    ngx_int_t                          user_index;
    ngx_uint_t                         basic_index;   /* of other modules' */
    ngx_uint_t                         request_index; /* configurations */
} ngx_agt_create_conf_t;


typedef struct ngx_agt_loc_conf_s  ngx_agt_loc_conf_t;


struct ngx_agt_loc_conf_s {
    ngx_uint_t                 enable;
    ngx_uint_t                 enable_inside; /* what is inherited */
    ngx_uint_t                 phase;      /* of the look-up */
    ngx_str_t                  realm;
    ngx_array_t               *sources;    /* of source_t */
    size_t                     max_size;
    time_t                     leeway;
    ngx_flag_t                 require_expiry;
    ngx_array_t               *require     /* of require_conf_t */
                               [NGX_AGT_REQUIRE_KINDS];
    ngx_flag_t                 deny_masquerading;
    ngx_uint_t                 preflight;
    ngx_str_t                  resource_metadata;
    ngx_str_t                  identity;   /* prefix or empty */
    ngx_msec_t                 recheck;    /* 0: off */
    ngx_flag_t                 forward;
    ngx_http_complex_value_t  *reissue;
    ngx_agt_create_conf_t     *create;
    ngx_flag_t                 rules;
    ngx_http_complex_value_t  *rules_host; /* NULL: the request's */
    ngx_uint_t                 rules_search;

    unsigned                   revoke:1;   /* content handlers */
    unsigned                   revoke_all:1;
    unsigned                   hook:1;
    unsigned                   status:1;
    unsigned                   purge:1;
    unsigned                   trusted:1;
    ngx_agt_place_t            handler;    /* where it is set */

    ngx_agt_setting_t          api_url;
    ngx_agt_setting_t          api_credential;
    ngx_flag_t                 api_credential_introspect;
    ngx_msec_t                 api_connect_timeout;
    ngx_msec_t                 api_timeout;
    ngx_agt_setting_t          api_proxy;  /* empty: none */
    ngx_flag_t                 api_ssl_verify;
    ngx_agt_setting_t          api_ssl_trusted_certificate;
    ngx_agt_setting_t          api_ssl_certificate;
    ngx_agt_setting_t          api_ssl_certificate_key;
    ngx_uint_t                 introspect_options;

    ngx_shm_zone_t            *cache;
    ngx_flag_t                 cache_off;
    ngx_agt_lifetimes_t        lifetimes;
    unsigned                   cache_valid_set:1;
    unsigned                   cache_stale_set:1;

    /* where the block begins, for what is found when levels are merged */
    ngx_str_t                  file;
    ngx_uint_t                 line;

    /* the first directive of the block that has no effect on its own */
    ngx_agt_place_t            needs_token;

    ngx_agt_loc_conf_t        *outer;      /* NULL: http */
    unsigned                   enforced:1; /* in it, or inside it */

    /* made of all the above when configurations are merged */

    ngx_agt_origin_t          *origin;
    ngx_agt_policy_t           policy;
    ngx_str_t                  challenge;  /* Bearer realm="..." */
    ngx_str_t                  metadata;   /* its last parameter */

    ngx_array_t               *required;   /* of all kinds */

    ngx_uint_t                 location;   /* number of those */
    unsigned                   varies:1;   /* what decides */

    /* of "required", if none of them has a variable */
    ngx_agt_requirement_t     *requirements;
};


/* a location that one of our content handlers answers for */

typedef struct {
    ngx_agt_loc_conf_t        *conf;
    ngx_http_core_loc_conf_t  *core;
} ngx_agt_handler_t;


typedef struct ngx_agt_ctx_s  ngx_agt_ctx_t;

typedef struct ngx_agt_held_s  ngx_agt_held_t;


/* what a request reads of the worker's memory, until it ends */

struct ngx_agt_held_s {
    const ngx_agt_worker_entry_t  *entry;
    ngx_agt_held_t                *next;
};


/* Authorization and the cookies of a request, as lists of headers have them */

typedef struct {
    ngx_table_elt_t                   *field;
#if (nginx_version < 1023000)
    ngx_array_t                        cookies;
#else
    ngx_table_elt_t                   *cookie;
#endif
} ngx_agt_credentials_t;


/*
 * What a subrequest was made with, and what the location before an internal
 * redirect has left in the headers; see enter.
 */

typedef struct ngx_agt_arrival_s  ngx_agt_arrival_t;

struct ngx_agt_arrival_s {
    ngx_http_request_t    *request;
    ngx_str_t              uri;
    ngx_str_t              args;
    ngx_str_t              method;
    ngx_agt_credentials_t  left;
    ngx_agt_arrival_t     *next;
    unsigned               has_left:1;
};


/*
 * What belongs to the client's request as a whole and outlives the contexts
 * that an internal redirect wipes: the credentials as the client sent them,
 * and the last decision.
 */

typedef struct {
    ngx_str_t                   authorization;
    ngx_agt_credentials_t       sent;
    ngx_agt_arrival_t          *arrivals;
    ngx_str_t                   target;
    ngx_agt_ctx_t              *last;
    ngx_agt_held_t             *held;

    /* while its response is looked at again; see recheck */
    ngx_queue_t                 queue;
    ngx_agt_ctx_t              *watching;   /* the last of the main */
    ngx_agt_ctx_t              *parts;      /* what let in others */
    uint64_t                    since;
    unsigned                    watched:1;

    /* for upstream of some location: Authorization or cookies */
    unsigned                    changed:1;

    /* variables as they were at the first read that came too early */
    ngx_http_variable_value_t  *early_values;
    const ngx_str_t            *early_name; /* until it is said */
    ngx_uint_t                  early_reads;
    ngx_uint_t                  assigned;   /* after such reads */
    unsigned                    early:1;    /* something of these */
    unsigned                    user_read:1;

    /* what would have been refused has been logged */
    unsigned                    reported:1;

    unsigned                    in_query:1; /* is the token */
    unsigned                    repeated:1; /* is Authorization */
} ngx_agt_client_t;


typedef enum {
    NGX_AGT_STATE_NEW = 0,
    NGX_AGT_STATE_WAITING,
    NGX_AGT_STATE_READING,
    NGX_AGT_STATE_ANSWERED,
    NGX_AGT_STATE_DONE
} ngx_agt_state_e;


/* where an exchange of tokens is; see exchange */

typedef enum {
    NGX_AGT_STEP_NONE = 0,
    NGX_AGT_STEP_CREATE,
    NGX_AGT_STEP_PRESENTED,
    NGX_AGT_STEP_REISSUE,
    NGX_AGT_STEP_VERIFY,
    NGX_AGT_STEP_DONE
} ngx_agt_step_e;


typedef enum {
    NGX_AGT_CACHE_NONE = 0,
    NGX_AGT_CACHE_HIT,
    NGX_AGT_CACHE_MISS,
    NGX_AGT_CACHE_JOINED,
    NGX_AGT_CACHE_UPDATING,
    NGX_AGT_CACHE_STALE,
    NGX_AGT_CACHE_BYPASS
} ngx_agt_cache_e;


/*
 * One decision: about a request or a subrequest in one location.  Callbacks
 * carry it themselves and never look it up.
 */

struct ngx_agt_ctx_s {
    ngx_http_request_t  *request;
    ngx_agt_client_t    *client;
    ngx_agt_state_e      state;

    ngx_str_t            token;
    const ngx_agt_source_t *source;
    u_char              digest[NGX_AGT_DIGEST_LEN];
    u_char              unpadded[NGX_AGT_DIGEST_LEN];

    ngx_agt_waiter_t    waiter;
    ngx_event_t         event;      /* deadline, and wake-up */
    ngx_agt_class_e     class;      /* of the answer */

    /* what is known; lives as long as the request */
    ngx_str_t           packed;
    ngx_agt_facts_t     facts;
    ngx_agt_ctx_t      *next_part;  /* see recheck */
    ngx_str_t           rules;      /* packed */
    uint64_t            sent;       /* ms, monotonic */
    uint64_t            first_asked; /* the same */
    uint64_t            stale_until;
    uint64_t            asked;
    uint64_t            spent;      /* in preaccess */
    uint64_t            seen;       /* serial, too old */
    uint32_t            late;
    time_t              leeway;
    ngx_atomic_uint_t   clean;      /* of tombstones so far */
    uint64_t            rules_spent; /* nanoseconds */
    time_t              until;      /* a denial lasts */
    ngx_agt_api_t      *api;

    /* an exchange of tokens */
    ngx_agt_step_e      step;
    u_char              key[NGX_AGT_DIGEST_LEN];
    ngx_str_t           org;
    ngx_str_t           upstream;   /* given for upstream */
    ngx_str_t           child_packed;
    ngx_agt_facts_t     child;      /* of "upstream" */
    uint64_t            given;      /* ms, monotonic */
    ngx_agt_reason_e    answer_reason;

    ngx_agt_decision_t  decision;
    ngx_int_t           status;     /* of a refusal, else 0 */
    ngx_agt_cache_e     cache;
    ngx_msec_t          api_time;
    time_t              retry_after;

    unsigned            has_token:1;
    unsigned            has_digest:1;
    unsigned            has_unpadded:1;
    unsigned            remembered:1; /* digest was */
    unsigned            previewed:1;  /* in preaccess */
    unsigned            has_facts:1;
    unsigned            cut:1;      /* while it was sent */
    unsigned            has_api_time:1;
    unsigned            known:1;    /* an entry of any age */
    unsigned            revoking:1;
    unsigned            entombed:1;  /* by its digest before */
    unsigned            spoken:1;    /* by the API itself */
    unsigned            cleaned:1;
    unsigned            body_read:1;
    unsigned            waiting:1;
    unsigned            exchanging:1;
    unsigned            creating:1;
    unsigned            created:1;
    unsigned            again:1;
};


extern ngx_module_t  ngx_agilicus_token_module;


/*
 * access: the phase handlers.  The first runs where its turn comes in the
 * access phase, the last after all others of that phase, the third before the
 * content: for subrequests, which have no access phase, and for what goes
 * upstream.
 */
ngx_int_t ngx_agt_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_access_last_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_precontent_handler(ngx_http_request_t *r);

/*
 * preflight: whether the request is what a browser sends by itself before a
 * request from another origin: OPTIONS with Origin and
 * Access-Control-Request-Method.  Returns 1 or 0.
 */
ngx_uint_t ngx_agt_is_preflight(ngx_http_request_t *r);

/*
 * preflight: for a request that has reached its content handler, whether it is
 * a preflight without a token that the location lets pass.  Returns 1 or 0.
 */
ngx_uint_t ngx_agt_preflight_passes(ngx_http_request_t *r);

/*
 * preflight: the handler of the content phase, registered where a preflight
 * may pass.  NGX_HTTP_NO_CONTENT for one that passes, else NGX_DECLINED.
 */
ngx_int_t ngx_agt_preflight_handler(ngx_http_request_t *r);

/*
 * preaccess: the handler of the preaccess phase, where it is configured.
 */
ngx_int_t ngx_agt_preaccess_handler(ngx_http_request_t *r);

/*
 * access, preaccess: takes the token, looks for what is known of it, and asks
 * the API if need be; the second in the access phase, where the preaccess phase
 * has done so before.  NGX_AGAIN if the request waits now, NGX_OK with
 * something to decide on.
 */
ngx_int_t ngx_agt_learn(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
ngx_int_t ngx_agt_learn_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * preaccess: sets the verdict if facts that served in place of an answer have
 * become too old for that since.
 */
void ngx_agt_check_stale(ngx_agt_ctx_t *ctx);

/*
 * access: sets the verdict if the token has been denied since denials were
 * looked through for ctx->clean.
 */
void ngx_agt_look_again(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * access: makes a context for a decision about the request; NULL for lack of
 * memory.
 */
ngx_agt_ctx_t *ngx_agt_create_ctx(ngx_http_request_t *r);

/*
 * access: says what was decided.
 */
void ngx_agt_say(ngx_agt_ctx_t *ctx,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason);

/*
 * access: counts and logs what was decided, and sets its status.
 */
void ngx_agt_conclude(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * wait: asks the API for the token's facts.  NGX_AGAIN if the request waits
 * now, NGX_OK with something to decide on.
 */
ngx_int_t ngx_agt_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * wait: has the request wait for ctx->waiter, no longer than the location
 * says; the phases run again then.  NGX_AGAIN, or NGX_ERROR with the waiter
 * gone.
 */
ngx_int_t ngx_agt_wait(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * wait: ends the wait when its answer has been taken.
 */
void ngx_agt_wake(ngx_agt_ctx_t *ctx);

/*
 * exchange: gets the token for upstream reissued, and one created for a caller
 * who has none.  NGX_OK, NGX_AGAIN while it waits, or the status of a refusal.
 */
ngx_int_t ngx_agt_reissue(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
ngx_int_t ngx_agt_create(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * exchange: takes over what came of a call.
 */
void ngx_agt_exchange_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);

/*
 * client: the client's part of a request, made where there is none yet; NULL
 * for lack of memory.
 */
ngx_agt_client_t *ngx_agt_get_client(ngx_http_request_t *r);

/*
 * client: the client's part of a request, or NULL where there is none yet.
 */
ngx_agt_client_t *ngx_agt_find_client(ngx_http_request_t *r);

/*
 * client: the context of a request's last decision, also after an internal
 * redirect, or NULL.
 */
ngx_agt_ctx_t *ngx_agt_get_ctx(ngx_http_request_t *r);

/*
 * client: takes the token from the places that the location allows, as the
 * client sent it.  Returns 1 with token and digest in the context, 0 with a
 * decision in it.
 */
ngx_uint_t ngx_agt_take(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * client: where the location enforces and takes tokens from the query, cuts
 * them from the arguments, the request line and the unparsed URI, also those of
 * the parent requests.  NGX_OK, or NGX_ERROR where there is no memory: all of
 * the query has been cut then.
 */
ngx_int_t ngx_agt_cut_query(ngx_http_request_t *r);

/*
 * client: takes the token from the Authorization header alone.
 */
ngx_uint_t ngx_agt_take_header(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);

/*
 * look_up: looks for what is known of the token.  NGX_OK with something to
 * decide on, NGX_DECLINED if the API must be asked.
 */
ngx_int_t ngx_agt_look_up(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * look_up: the key under which the request's token is denied, or NULL where
 * none could be made.
 */
const u_char *ngx_agt_denial_key(ngx_agt_ctx_t *ctx);

/*
 * look_up: looks for a denial of the request's token, by its facts too where
 * they are known.  Returns the reason, or NONE.
 */
ngx_agt_reason_e ngx_agt_look_for_denial(
    ngx_agt_ctx_t *ctx, const ngx_agt_clock_t *now);

/*
 * look_up: whether the feed would tell of a revocation at this API.
 */
ngx_uint_t ngx_agt_watched(ngx_http_request_t *r,
    ngx_agt_api_t *api, const ngx_agt_clock_t *now);

/*
 * look_up: whether facts that are in the context may be used at their age.
 * NGX_OK, or NGX_DECLINED if the API must be asked.
 */
ngx_int_t ngx_agt_use_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);

/*
 * look_up: copies packed facts to the request's pool and opens them there.
 * NGX_ERROR for lack of memory, or where they are none.
 */
ngx_int_t ngx_agt_keep_facts(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *packed);

/*
 * look_up: copies packed rules to the request's pool.
 */
ngx_int_t ngx_agt_keep_rules(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, ngx_str_t *rules);

/*
 * look_up: the zone that budgets and counters lie in, and the denials.
 */
ngx_agt_zone_t *ngx_agt_first_zone(ngx_http_request_t *r);
ngx_agt_denials_t *ngx_agt_denials(ngx_http_request_t *r);

/*
 * match: what a worker keeps for the token's own rules.
 */
ngx_int_t ngx_agt_match_init(void);
void ngx_agt_match_exit(void);

/*
 * match: whether the token's rules let the request through.  NGX_OK,
 * NGX_DECLINED with the reason, or NGX_AGAIN where the body must be read first.
 */
ngx_int_t ngx_agt_match(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_reason_e *reason);

/*
 * match: reads the body; the phases run again when it is there.  NGX_DONE, or
 * a status.
 */
ngx_int_t ngx_agt_match_wait(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * hook: whether the request's body is JSON by its type.
 */
ngx_uint_t ngx_agt_is_json(ngx_http_request_t *r);

/*
 * upstream: takes identity headers that a client sent out of its request; the
 * handler of the post-read phase, registered where they are configured.
 */
ngx_int_t ngx_agt_post_read_handler(ngx_http_request_t *r);

/*
 * upstream: prepares the request's headers for upstream, once it may go on.
 * Returns NGX_OK, or the status to refuse it with.
 */
ngx_int_t ngx_agt_upstream(ngx_http_request_t *r);

/*
 * revoke, hook: the content handlers of "agilicus_token_revoke" and of
 * "agilicus_token_revocation_hook".
 */
ngx_int_t ngx_agt_revoke_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_hook_handler(ngx_http_request_t *r);

/*
 * revoke: refuses a method, naming those that are allowed, or answers a
 * preflight that passes; returns the status.
 */
ngx_int_t ngx_agt_not_allowed(ngx_http_request_t *r, const char *allow);

/*
 * status: the content handler of "agilicus_token_status".
 */
ngx_int_t ngx_agt_status_handler(ngx_http_request_t *r);

/*
 * recheck: sets up in a worker; "shortest" is the shortest time of any location
 * within which a response must be cut, in milliseconds, 0 where none is.
 */
void ngx_agt_recheck_init(ngx_msec_t shortest, ngx_log_t *log);

/*
 * recheck: looks at an allowed request from time to time, for as long as its
 * response runs, and cuts it when its token has expired or is denied.  Of a
 * subrequest, it is the response of the main request that is cut then: each
 * part of it counts that was let in.
 */
ngx_int_t ngx_agt_recheck_add(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * recheck: no longer, for the request was refused after all.
 */
void ngx_agt_recheck_remove(void *client);

/*
 * upstream: the token that upstream gets, as far as it is known; empty if none.
 */
ngx_int_t ngx_agt_upstream_value(ngx_http_request_t *r, ngx_str_t *token);

/*
 * hide: 1 if this is the Authorization field, else 0.
 */
ngx_uint_t ngx_agt_is_authorization(ngx_table_elt_t *h);

/*
 * early: has the getters of the variables that the configuration defines called
 * through one of its own, which tells nginx not to keep what was made of token
 * variables; after the whole configuration has been read.
 */
ngx_int_t ngx_agt_early_wrap(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf);

/*
 * early: notes for a location that enforces whether what it decides by has
 * variables, and gives it a number.
 */
void ngx_agt_early_location(ngx_agt_main_conf_t *mcf,
    ngx_agt_loc_conf_t *conf);

/*
 * early: finds the variables that can be assigned, when nginx has numbered
 * them all; sets up a worker, and ends it.
 */
ngx_int_t ngx_agt_early_init(ngx_cycle_t *cycle, ngx_agt_main_conf_t *mcf);
ngx_int_t ngx_agt_early_worker(const ngx_agt_main_conf_t *mcf, ngx_log_t *log);
void ngx_agt_early_exit(void);

/*
 * early: called for each read of a token variable.  Returns 1 where the
 * location enforces and has not looked the token up yet: the variable is empty
 * then.  The second is for a variable that depends on the location too.
 */
ngx_uint_t ngx_agt_is_early(ngx_http_request_t *r, const ngx_str_t *name);
void ngx_agt_early_depends(void);

/*
 * early: begins to notice what is assigned after a read of this kind.  Returns
 * the client's part, or NULL if there is no memory: what is assigned to
 * requests of this connection is not trusted then.
 */
ngx_agt_client_t *ngx_agt_early_read(ngx_http_request_t *r, ngx_uint_t kind);

/*
 * early: notes in client->assigned what was assigned since the first such read,
 * and waits for the next.  The second also warns of what was read too early;
 * to be called right before the look-up where client->early is set.
 */
void ngx_agt_early_close(ngx_http_request_t *r, ngx_agt_client_t *client);
void ngx_agt_early_end(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_agt_loc_conf_t *lcf);

/*
 * early: warns, once per worker and location, of a variable that was read too
 * early there.
 */
void ngx_agt_early_warn(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, const ngx_str_t *name);

/*
 * early: whether reads of this connection went unnoticed for lack of memory.
 */
ngx_uint_t ngx_agt_early_is_lost(ngx_http_request_t *r);

/*
 * enter: how a subrequest, or a redirected request, has arrived; NULL where
 * nothing is known of it.
 */
ngx_agt_arrival_t *ngx_agt_arrival_of(
    ngx_agt_client_t *client, ngx_http_request_t *r);

/*
 * hide: puts these credentials in place of those in the request's headers, in a
 * new list.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_restore(ngx_http_request_t *r,
    const ngx_agt_credentials_t *sent);

/*
 * enter: the handler of the server's rewrite phase, which runs before anything
 * else after an internal redirect and in a subrequest.
 */
ngx_int_t ngx_agt_server_rewrite_handler(ngx_http_request_t *r);

/*
 * enter: the handler of the rewrite phase, which runs before nginx's own
 * "set", "if" and "rewrite" of the location; and that of the log phase, which
 * runs before the access log is written.
 */
ngx_int_t ngx_agt_rewrite_handler(ngx_http_request_t *r);
ngx_int_t ngx_agt_log_handler(ngx_http_request_t *r);

/*
 * filter: puts itself before nginx's header filters.
 */
void ngx_agt_filter_init(void);

/*
 * variables: joins a list with spaces in "pool"; an item that could be read as
 * two, or that does not belong in a header, is left out.
 */
ngx_int_t ngx_agt_join(ngx_pool_t *pool,
    const ngx_agt_list_t *list, ngx_str_t *value);

/*
 * challenge: sets the headers of a refusal for ctx->decision and returns its
 * status, or NGX_HTTP_INTERNAL_SERVER_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_challenge(ngx_http_request_t *r, ngx_agt_ctx_t *ctx);

/*
 * challenge: takes back what a refusal has set, where an error page has led to
 * a location that allows the request, and the status is not the refusal's.
 */
void ngx_agt_challenge_withdraw(ngx_http_request_t *r);

/*
 * challenge: the status of a decision, without its headers.
 */
ngx_int_t ngx_agt_challenge_status(const ngx_agt_decision_t *decision);

/*
 * challenge: writes what all challenges of a location begin with, when it is
 * configured: the scheme and its realm, quoted.
 */
ngx_int_t ngx_agt_challenge_init(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * requirements: evaluates the requirements of a location for a request into
 * its pool; "*n" is set to their number.  NULL with "*n" not zero means lack
 * of memory.
 */
const ngx_agt_requirement_t *ngx_agt_requirements(
    ngx_http_request_t *r, const ngx_agt_loc_conf_t *conf,
    ngx_uint_t *n);

/*
 * variables: adds $agilicus_token_*; before the configuration is read.
 */
ngx_int_t ngx_agt_add_variables(ngx_conf_t *cf);

/*
 * conf: life of the configuration.
 */
void *ngx_agt_create_main_conf(ngx_conf_t *cf);
char *ngx_agt_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_agt_create_loc_conf(ngx_conf_t *cf);
char *ngx_agt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/*
 * conf: zones and the handlers' registration, when all has been read.
 */
ngx_int_t ngx_agt_postconfiguration(ngx_conf_t *cf);

/*
 * set: the setters of directives that are more than a slot.
 */
char *ngx_agt_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_org(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_rules(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_reissue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_create(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * set: whether the location that is being merged has something that says who a
 * caller is.
 */
ngx_uint_t ngx_agt_create_can_identify(ngx_conf_t *cf,
    const ngx_agt_create_conf_t *create);

char *ngx_agt_set_recheck(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_introspect_options(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_agt_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_denials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_worker_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_cache_stale(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_agt_set_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* a parameter "name=" of a directive that is a time, in milliseconds */

typedef struct {
    ngx_str_t                          name;
    ngx_msec_t                        *field;
} ngx_agt_times_t;

/* the least and the most that a time may be, and what is said of others */

typedef struct {
    ngx_conf_post_handler_pt           post_handler;
    ngx_int_t                          low;
    ngx_int_t                          high;
    const char                        *why;
} ngx_agt_bounds_t;

/*
 * set: for "post" of a directive, has its seconds, or its milliseconds, be
 * within such bounds.  NGX_CONF_OK or what is wrong.
 */
char *ngx_agt_check_sec(ngx_conf_t *cf, void *post, void *data);
char *ngx_agt_check_msec(ngx_conf_t *cf, void *post, void *data);

/* the value of a flag that has an effect only where a token is asked for */

typedef struct {
    ngx_conf_post_handler_pt           post_handler;
    ngx_flag_t                         value;
} ngx_agt_effect_t;

/*
 * set: for "post" of a flag, remembers that it needs a token where it has such
 * a value.  NGX_CONF_OK, or NGX_CONF_ERROR for lack of memory.
 */
char *ngx_agt_check_flag(ngx_conf_t *cf, void *post, void *data);

/*
 * set: reads the arguments from number "first" on as such parameters, each at
 * most once; any other argument refuses the configuration.
 */
ngx_int_t ngx_agt_parse_times(ngx_conf_t *cf, ngx_uint_t first,
    ngx_agt_times_t *times, ngx_uint_t n);

/*
 * set: adds the memory of denials to the cycle, and refuses one that differs
 * from that of the old cycle.
 */
ngx_int_t ngx_agt_add_denials(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * set: the zone that exists by itself.
 */
ngx_shm_zone_t *ngx_agt_default_zone(ngx_conf_t *cf);

/*
 * origin: finds or makes the API, and the origin of facts, that a location's
 * settings describe; reads certificates and credentials.  NULL, with the cause
 * logged, refuses the configuration.
 */
ngx_agt_origin_t *ngx_agt_origin_get(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * origin: gives each origin the number under which its zone keeps its facts;
 * in the master, when zones have been made.
 */
ngx_int_t ngx_agt_origins_init(ngx_agt_main_conf_t *mcf);


#endif /* _NGX_AGT_MODULE_H_INCLUDED_ */
