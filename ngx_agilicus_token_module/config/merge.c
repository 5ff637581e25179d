
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/merge.h"
#include "config/checks.h"
#include "config/directives_cache.h"
#include "config/directives_requirements.h"
#include "config/files.h"
#include "config/origin.h"
#include "request/challenge.h"
#include "request/early.h"
#include "endpoint/hook.h"
#include "endpoint/revoke.h"
#include "endpoint/status.h"
#include "upstream/identity.h"


static char *ngx_agt_merge_level(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf);
static ngx_int_t ngx_agt_merge_handler(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf, ngx_uint_t own);
static void ngx_agt_merge_setting(ngx_agt_setting_t *conf,
    const ngx_agt_setting_t *prev, const char *none);
static void ngx_agt_merge_cache(ngx_agt_loc_conf_t *prev,
    ngx_agt_loc_conf_t *conf);
static void ngx_agt_merge_lifetimes(ngx_agt_loc_conf_t *conf);
static ngx_int_t ngx_agt_merge_require(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf);
static ngx_int_t ngx_agt_merge_places(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *conf);
static ngx_int_t ngx_agt_merge_used(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf,
    ngx_uint_t own);


void *
ngx_agt_create_main_conf(ngx_conf_t *cf)
{
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_agt_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /* all flags are 0 */

    mcf->max_inflight = NGX_CONF_UNSET_UINT;
    mcf->worker_cache = NGX_CONF_UNSET_SIZE;
    mcf->revocation_ttl = NGX_CONF_UNSET;
    mcf->denials_size = NGX_CONF_UNSET_SIZE;

    mcf->api.rate.rate = 500 * 1000;
    mcf->api.rate.per_client = 50 * 1000;
    mcf->api.rate.burst = 2 * 1000 * 1000;

    mcf->jwsk.interval = 60 * 60 * 1000;

    mcf->api.breaker.failures = 5;
    mcf->api.breaker.open = 1000;
    mcf->api.breaker.max = 30000;

    if (ngx_array_init(&mcf->zones, cf->pool, 2, sizeof(ngx_shm_zone_t *))
            != NGX_OK
        || ngx_array_init(&mcf->zone_uses, cf->pool, 2,
                          sizeof(ngx_agt_zone_use_t))
            != NGX_OK
        || ngx_array_init(&mcf->apis, cf->pool, 2, sizeof(ngx_agt_api_t *))
            != NGX_OK
        || ngx_array_init(&mcf->origins, cf->pool, 4,
                          sizeof(ngx_agt_origin_t *))
            != NGX_OK
        || ngx_array_init(&mcf->identity, cf->pool, 2, sizeof(ngx_str_t))
            != NGX_OK
        || ngx_array_init(&mcf->unenforced, cf->pool, 4,
                          sizeof(ngx_agt_loc_conf_t *))
            != NGX_OK
        || ngx_array_init(&mcf->handlers, cf->pool, 2,
                          sizeof(ngx_agt_location_t))
            != NGX_OK
        || ngx_array_init(&mcf->enforcing, cf->pool, 4,
                          sizeof(ngx_agt_location_t))
            != NGX_OK
        || ngx_array_init(&mcf->files, cf->pool, 4, sizeof(ngx_agt_file_t))
            != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


char *
ngx_agt_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ngx_conf_init_uint_value(mcf->max_inflight, 64);
    ngx_conf_init_size_value(mcf->worker_cache, 1024 * 1024);
    ngx_conf_init_value(mcf->revocation_ttl, 24 * 60 * 60);
    ngx_conf_init_size_value(mcf->denials_size, NGX_AGT_DENIALS_DEFAULT_SIZE);

    return NGX_CONF_OK;
}


void *
ngx_agt_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t           i;
    ngx_agt_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_agt_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /* strings and settings are unset where their data is NULL */

    conf->enable = NGX_CONF_UNSET_UINT;
    conf->enable_inside = NGX_CONF_UNSET_UINT;
    conf->sources = NGX_CONF_UNSET_PTR;
    conf->max_size = NGX_CONF_UNSET_SIZE;
    conf->leeway = NGX_CONF_UNSET;
    conf->phase = NGX_CONF_UNSET_UINT;
    conf->preflight = NGX_CONF_UNSET_UINT;
    conf->resource_metadata = NGX_CONF_UNSET_PTR;
    conf->error_body = NGX_CONF_UNSET_UINT;
    conf->api_headers = NGX_CONF_UNSET_PTR;
    conf->recheck = NGX_CONF_UNSET_MSEC;
    conf->rules = NGX_CONF_UNSET;
    conf->forward = NGX_CONF_UNSET;
    conf->identity = NGX_CONF_UNSET_PTR;
    conf->reissue = NGX_CONF_UNSET_PTR;
    conf->create = NGX_CONF_UNSET_PTR;

    for (i = 0; i < NGX_AGT_REQUIRE_KINDS; i++) {
        conf->require[i] = NGX_CONF_UNSET_PTR;
    }

    conf->api_credential_introspect = NGX_CONF_UNSET;
    conf->api_keys = NGX_CONF_UNSET;
    conf->api_connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->api_timeout = NGX_CONF_UNSET_MSEC;
    conf->api_ssl_verify = NGX_CONF_UNSET;
    conf->introspect_options = NGX_CONF_UNSET_PTR;

    conf->cache = NGX_CONF_UNSET_PTR;
    conf->cache_off = NGX_CONF_UNSET;
    conf->ages.active = NGX_CONF_UNSET_MSEC;
    conf->ages.watched = NGX_CONF_UNSET_MSEC;
    conf->ages.invalid = NGX_CONF_UNSET_MSEC;
    conf->ages.update = NGX_CONF_UNSET_MSEC;
    conf->ages.error = NGX_CONF_UNSET_MSEC;
    conf->ages.rights = NGX_CONF_UNSET_MSEC;

    conf->file = cf->conf_file->file.name;
    conf->line = cf->conf_file->line;

    return conf;
}


/*
 * Levels are merged at the end of http.  An error that is found then is
 * reported at the line where the block of the level begins.
 */

char *
ngx_agt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_agt_loc_conf_t *prev = parent;
    ngx_agt_loc_conf_t *conf = child;

    char             *rv;
    ngx_conf_file_t   here, *end;

    end = cf->conf_file;

    here = *end;
    here.file.name = conf->file;
    here.line = conf->line;

    cf->conf_file = &here;

    rv = ngx_agt_merge_level(cf, prev, conf);

    cf->conf_file = end;

    return rv;
}


static char *
ngx_agt_merge_level(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t           own;
    ngx_agt_loc_conf_t  *outer;

    static const ngx_agt_json_options_t  no_options;

    own = conf->enable;
    conf->outer = prev;

    /* the level of http is not merged with a level above it */

    if (prev->enable_inside == NGX_CONF_UNSET_UINT) {
        prev->enable_inside = prev->enable;
    }

    ngx_conf_merge_uint_value(conf->enable, prev->enable_inside, NGX_AGT_OFF);

    conf->enable_inside = conf->enable;

    /*
     * A user may sign out with a token that would not be let in.  So a sign-out
     * does not inherit "agilicus_token on"; the locations inside it do.
     */

    if (conf->revoke && own == NGX_CONF_UNSET_UINT) {
        conf->enable = NGX_AGT_OFF;
    }

    if (ngx_agt_merge_handler(cf, prev, conf, own) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->enable != NGX_AGT_OFF) {
        for (outer = conf; outer && !outer->enforced; outer = outer->outer) {
            outer->enforced = 1;
        }
    }

    ngx_conf_merge_msec_value(conf->recheck, prev->recheck, 5000);

    if (conf->rules == NGX_CONF_UNSET) {
        conf->rules_host = prev->rules_host;
        conf->rules_search = prev->rules_search;
    }

    ngx_conf_merge_value(conf->rules, prev->rules, 0);
    ngx_conf_merge_value(conf->forward, prev->forward, 1);
    ngx_conf_merge_ptr_value(conf->reissue, prev->reissue, NULL);
    ngx_conf_merge_ptr_value(conf->create, prev->create, NULL);
    ngx_conf_merge_str_value(conf->realm, prev->realm, "agilicus");
    ngx_conf_merge_ptr_value(conf->sources, prev->sources, NULL);
    ngx_conf_merge_value(conf->api_keys, prev->api_keys, 0);
    ngx_conf_merge_size_value(conf->max_size, prev->max_size, 4096);
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 0);
    ngx_conf_merge_uint_value(conf->phase, prev->phase, NGX_AGT_PHASE_ACCESS);
    ngx_conf_merge_uint_value(conf->preflight, prev->preflight,
                              NGX_AGT_PREFLIGHT_CHECK);
    ngx_conf_merge_ptr_value(conf->resource_metadata,
                             prev->resource_metadata, NULL);
    ngx_conf_merge_ptr_value(conf->api_headers, prev->api_headers, NULL);
    ngx_conf_merge_uint_value(conf->error_body, prev->error_body,
                              NGX_AGT_ERROR_BODY_HTML);
    ngx_conf_merge_ptr_value(conf->identity, prev->identity, NULL);
    ngx_conf_merge_ptr_value(conf->introspect_options,
                             prev->introspect_options, &no_options);

    ngx_agt_merge_api(prev, conf);
    ngx_agt_merge_cache(prev, conf);

    if (ngx_agt_merge_require(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_agt_merge_lifetimes(conf);

    if (ngx_agt_check_exchange(cf, conf) != NGX_OK
        || ngx_agt_check_hook(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->enable == NGX_AGT_OFF && !conf->revoke
        && !conf->hook && !conf->status)
    {
        return NGX_CONF_OK;
    }

    if (ngx_agt_check_location(cf, conf) != NGX_OK
        || ngx_agt_merge_places(cf, conf) != NGX_OK
        || ngx_agt_merge_used(cf, conf, own != NGX_CONF_UNSET_UINT) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * "if" and "limit_except" have configurations of their own.  nginx gives the
 * content handler of a location to an "if" inside it, and takes it away in
 * "limit_except".  In both, the handler answers with the settings and the
 * enforcement of the location.
 */

static ngx_int_t
ngx_agt_merge_handler(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf, ngx_uint_t own)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_agt_location_t        *handler;
    ngx_agt_main_conf_t       *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && (prev->revoke || prev->hook || prev->status)) {

        conf->revoke = prev->revoke;
        conf->revoke_all = prev->revoke_all;
        conf->hook = prev->hook;
        conf->status = prev->status;
        conf->purge = prev->purge;
        conf->trusted = prev->trusted;
        conf->handler = prev->handler;

        if (own == NGX_CONF_UNSET_UINT) {
            conf->enable = prev->enable;
        }

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = conf->revoke ? ngx_agt_revoke_handler
                            : conf->hook ? ngx_agt_hook_handler
                            : ngx_agt_status_handler;
        }
    }

    if (!conf->revoke && !conf->hook && !conf->status) {
        return NGX_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    handler = ngx_array_push(&mcf->handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }

    handler->conf = conf;
    handler->core = clcf;
    handler->own = (own != NGX_CONF_UNSET_UINT);

    return NGX_OK;
}


void
ngx_agt_merge_api(ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf)
{
    ngx_agt_merge_setting(&conf->api_url, &prev->api_url,
                          "https://api.agilicus.com");
    ngx_agt_merge_setting(&conf->api_credential, &prev->api_credential, "");
    ngx_conf_merge_value(conf->api_credential_introspect,
                         prev->api_credential_introspect, 0);
    ngx_conf_merge_msec_value(conf->api_connect_timeout,
                              prev->api_connect_timeout, 1000);
    ngx_conf_merge_msec_value(conf->api_timeout, prev->api_timeout, 3000);
    ngx_agt_merge_setting(&conf->api_proxy, &prev->api_proxy, "");
    ngx_conf_merge_value(conf->api_ssl_verify, prev->api_ssl_verify, 1);
    ngx_agt_merge_setting(&conf->api_ssl_trusted_certificate,
                          &prev->api_ssl_trusted_certificate, "");
    ngx_agt_merge_setting(&conf->api_ssl_certificate,
                          &prev->api_ssl_certificate, "");
    ngx_agt_merge_setting(&conf->api_ssl_certificate_key,
                          &prev->api_ssl_certificate_key, "");
}


static void
ngx_agt_merge_setting(ngx_agt_setting_t *conf,
    const ngx_agt_setting_t *prev, const char *none)
{
    if (conf->value.data) {
        return;
    }

    *conf = *prev;

    if (conf->value.data == NULL) {
        conf->value.data = (u_char *) none;
        conf->value.len = ngx_strlen(none);
    }
}


/* a level that has a directive inherits no parameter of it */

static void
ngx_agt_merge_cache(ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf)
{
    if (conf->cache_off == NGX_CONF_UNSET) {
        conf->cache_off = prev->cache_off;
        conf->cache = prev->cache;
    }

    if (!conf->cache_valid_given) {
        conf->ages.active = prev->ages.active;
        conf->ages.watched = prev->ages.watched;
        conf->ages.invalid = prev->ages.invalid;
        conf->ages.rights = prev->ages.rights;
    }

    ngx_conf_init_msec_value(conf->ages.active, 30000);
    ngx_conf_init_msec_value(conf->ages.watched, 300000);
    ngx_conf_init_msec_value(conf->ages.invalid, 10000);
    ngx_conf_init_msec_value(conf->ages.rights, conf->ages.active);

    if (!conf->cache_stale_given) {
        conf->ages.update = prev->ages.update;
        conf->ages.error = prev->ages.error;
    }

    ngx_conf_init_msec_value(conf->ages.update, 10000);
    ngx_conf_init_msec_value(conf->ages.error, 0);
}


/*
 * The lifetimes that the location's look-ups read.  A feed tells of tokens that
 * were revoked, and not of rights that were taken away: where these are judged
 * or told, no facts are older than "rights", watched or not.
 */

static void
ngx_agt_merge_lifetimes(ngx_agt_loc_conf_t *conf)
{
    ngx_agt_lifetimes_t  *l;

    conf->lifetimes = conf->ages;
    l = &conf->lifetimes;

    if (!conf->rules
        && !ngx_agt_requirements_judge_rights(conf)
        && !(conf->identity && ngx_agt_identity_tells_rights(conf->identity)))
    {
        l->rights = NGX_AGT_CACHE_NO_BOUND;
        return;
    }

    l->active = ngx_min(l->active, l->rights);
    l->watched = ngx_min(l->watched, l->rights);
}


static ngx_int_t
ngx_agt_merge_require(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t               i, j, variable;
    ngx_agt_require_conf_t  *require, *all;

    variable = 0;

    for (i = 0; i < NGX_AGT_REQUIRE_KINDS; i++) {
        ngx_conf_merge_ptr_value(conf->require[i], prev->require[i], NULL);

        if (conf->require[i] == NULL) {
            continue;
        }

        if (conf->required == NULL) {
            conf->required = ngx_array_create(cf->pool, 4,
                                   sizeof(ngx_agt_require_conf_t));
            if (conf->required == NULL) {
                return NGX_ERROR;
            }
        }

        require = conf->require[i]->elts;

        all = ngx_array_push_n(conf->required, conf->require[i]->nelts);
        if (all == NULL) {
            return NGX_ERROR;
        }

        for (j = 0; j < conf->require[i]->nelts; j++) {
            all[j] = require[j];
            variable |= require[j].variable;
        }
    }

    if (conf->required == NULL || variable) {
        return NGX_OK;
    }

    conf->requirements = ngx_palloc(cf->pool, conf->required->nelts
                                    * sizeof(ngx_agt_requirement_t));
    if (conf->requirements == NULL) {
        return NGX_ERROR;
    }

    all = conf->required->elts;

    for (i = 0; i < conf->required->nelts; i++) {
        conf->requirements[i] = all[i].requirement;
    }

    return NGX_OK;
}


/* an API key has a place of its own, whichever places tokens have */

static ngx_int_t
ngx_agt_merge_places(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t            n;
    ngx_array_t          *sources;
    ngx_agt_source_t     *place;
    ngx_agt_main_conf_t  *mcf;

    sources = conf->sources;
    conf->places = sources;

    if (!conf->api_keys || conf->enable == NGX_AGT_OFF) {
        return NGX_OK;
    }

    n = sources ? sources->nelts : 1;

    conf->places = ngx_array_create(cf->pool, n + 1, sizeof(ngx_agt_source_t));
    if (conf->places == NULL) {
        return NGX_ERROR;
    }

    place = ngx_array_push_n(conf->places, n + 1);

    if (sources) {
        ngx_memcpy(place, sources->elts, n * sizeof(ngx_agt_source_t));

    } else {
        place[0].type = NGX_AGT_SOURCE_HEADER;
        ngx_str_null(&place[0].name);
    }

    place[n].type = NGX_AGT_SOURCE_BASIC;
    ngx_str_null(&place[n].name);

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    mcf->api_keys = 1;
    mcf->changes = 1;

    return NGX_OK;
}


/*
 * For a location that asks for tokens, or that one of our handlers answers for:
 * makes the values that requests read, and tells postconfiguration which
 * handlers and which zone the location needs.
 */

static ngx_int_t
ngx_agt_merge_used(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf, ngx_uint_t own)
{
    ngx_agt_location_t   *location;
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    if (conf->cache_off == NGX_CONF_UNSET) {
        conf->cache_off = 0;
        conf->cache = ngx_agt_default_zone(cf);

        if (conf->cache == NULL) {
            return NGX_ERROR;
        }
    }

    conf->origin = ngx_agt_origin_get(cf, conf);

    if (conf->origin == NULL || ngx_agt_challenge_init(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->enable != NGX_AGT_OFF) {
        location = ngx_array_push(&mcf->enforcing);
        if (location == NULL) {
            return NGX_ERROR;
        }

        location->conf = conf;
        location->core = ngx_http_conf_get_module_loc_conf(cf,
                                                        ngx_http_core_module);
        location->own = own;
    }

    conf->policy.leeway = conf->leeway;
    conf->policy.rules = (conf->rules != 0);

    ngx_agt_early_location(mcf, conf);

    if (conf->rules) {
        mcf->rules = 1;
    }

    if (conf->enable != NGX_AGT_OFF && conf->phase == NGX_AGT_PHASE_PREACCESS)
    {
        mcf->preaccess = 1;
    }

    mcf->api.max_leeway = ngx_max(mcf->api.max_leeway, conf->leeway);

    if (conf->recheck
        && (conf->enable == NGX_AGT_ON || conf->enable == NGX_AGT_OPTIONAL)
        && (mcf->recheck == 0 || conf->recheck < mcf->recheck))
    {
        mcf->recheck = conf->recheck;
    }

    if (conf->error_body == NGX_AGT_ERROR_BODY_PROBLEM) {
        mcf->problem = 1;
    }

    if (conf->preflight == NGX_AGT_PREFLIGHT_PASS) {
        mcf->preflight = 1;
    }

    if (!conf->forward || conf->reissue || conf->create) {
        mcf->changes = 1;
    }

    mcf->used = 1;

    return NGX_OK;
}
