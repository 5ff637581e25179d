
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/register.h"
#include "config/checks.h"
#include "config/directives_cache.h"
#include "config/directives_fleet.h"
#include "config/directives_revocation.h"
#include "config/files.h"
#include "config/merge.h"
#include "config/origin.h"
#include "config/page_cache.h"
#include "config/place.h"
#include "request/access.h"
#include "request/early.h"
#include "request/enter.h"
#include "request/preaccess.h"
#include "request/preflight.h"
#include "request/problem.h"
#include "request/variables.h"
#include "upstream/cache_control.h"
#include "upstream/identity.h"
#include "upstream/precontent.h"


/* where a handler goes in the array of its phase */

#define NGX_AGT_BEFORE_OTHERS  NGX_MAX_UINT32_VALUE
#define NGX_AGT_AFTER_OTHERS   0

/* what a configuration has that a handler is for */

#define NGX_AGT_FOR_TOKENS     0x01
#define NGX_AGT_FOR_IDENTITY   0x02
#define NGX_AGT_FOR_ENTERING   0x04
#define NGX_AGT_FOR_QUERY      0x08
#define NGX_AGT_FOR_RULES      0x10
#define NGX_AGT_FOR_PREACCESS  0x20
#define NGX_AGT_FOR_PREFLIGHT  0x40


typedef struct {
    ngx_uint_t           wanted;   /* by one of these */
    ngx_uint_t           phase;
    ngx_uint_t           at;
    ngx_http_handler_pt  handler;
} ngx_agt_handler_t;


static ngx_agt_loc_conf_t *ngx_agt_register_http(ngx_conf_t *cf);
static ngx_int_t ngx_agt_register_feed(ngx_conf_t *cf,
    ngx_agt_main_conf_t *mcf);
static ngx_int_t ngx_agt_register_signature(ngx_conf_t *cf,
    ngx_agt_main_conf_t *mcf);
static void ngx_agt_read_anew(ngx_conf_t *cf);
static ngx_uint_t ngx_agt_is_header_variable(const ngx_str_t *name);
static ngx_int_t ngx_agt_register_handlers(ngx_conf_t *cf,
    const ngx_agt_main_conf_t *mcf);


/*
 * In the access phase, one handler runs before those of all other modules, and
 * one runs after them, in whatever order modules are loaded.  The handlers of
 * the rewrite phases run before nginx's own "set", "if" and "rewrite", and that
 * of the preaccess phase before limit_req and limit_conn.  Identity headers of
 * clients are removed also where no token is asked for.
 */

static const ngx_agt_handler_t  ngx_agt_handlers[] = {

    { NGX_AGT_FOR_IDENTITY, NGX_HTTP_POST_READ_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_identity_post_read_handler },

    { NGX_AGT_FOR_ENTERING|NGX_AGT_FOR_QUERY|NGX_AGT_FOR_RULES,
      NGX_HTTP_SERVER_REWRITE_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_enter_server_rewrite_handler },

    { NGX_AGT_FOR_ENTERING|NGX_AGT_FOR_QUERY, NGX_HTTP_REWRITE_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_enter_rewrite_handler },

    { NGX_AGT_FOR_PREACCESS, NGX_HTTP_PREACCESS_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_preaccess_handler },

    { NGX_AGT_FOR_TOKENS, NGX_HTTP_ACCESS_PHASE,
      NGX_AGT_AFTER_OTHERS, ngx_agt_access_last_handler },

    { NGX_AGT_FOR_TOKENS, NGX_HTTP_ACCESS_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_access_handler },

    { NGX_AGT_FOR_TOKENS|NGX_AGT_FOR_IDENTITY, NGX_HTTP_PRECONTENT_PHASE,
      NGX_AGT_BEFORE_OTHERS, ngx_agt_precontent_handler },

    /*
     * The first handler of the content phase is that of static files, which
     * refuses OPTIONS and runs last.  Ours runs just before it.
     */

    { NGX_AGT_FOR_PREFLIGHT, NGX_HTTP_CONTENT_PHASE,
      1, ngx_agt_preflight_handler },

    /* the log phase runs the other way: its first handler runs first */

    { NGX_AGT_FOR_QUERY, NGX_HTTP_LOG_PHASE,
      0, ngx_agt_enter_log_handler }
};


ngx_int_t
ngx_agt_postconfiguration(ngx_conf_t *cf)
{
    ngx_shm_zone_t      **z;
    ngx_agt_main_conf_t  *mcf;

    static ngx_str_t  request_uri = ngx_string("request_uri");
    static ngx_str_t  request = ngx_string("request");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    if (ngx_agt_check_unenforced(cf, mcf) != NGX_OK
        || ngx_agt_check_handlers(cf, mcf) != NGX_OK
        || ngx_agt_variables_check(cf) != NGX_OK
        || ngx_agt_check_zones(cf, mcf) != NGX_OK
        || ngx_agt_add_denials(cf, mcf) != NGX_OK
        || ngx_agt_check_fleet(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mcf->feed.interval && ngx_agt_check_feed(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mcf->jwsk.mode && ngx_agt_register_signature(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!mcf->used) {
        return ngx_agt_register_handlers(cf, mcf);
    }

    ngx_agt_check_returns(cf, mcf);
    ngx_agt_page_cache_check(cf, mcf);

    if (mcf->zones.nelts == 0 && ngx_agt_default_zone(cf) == NULL) {
        return NGX_ERROR;
    }

    if (mcf->feed.interval && ngx_agt_register_feed(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    z = mcf->zones.elts;

    mcf->api.first = z[0]->data;
    mcf->api.apis = mcf->apis.elts;
    mcf->api.napis = mcf->apis.nelts;
    mcf->api.origins = mcf->origins.elts;
    mcf->api.norigins = mcf->origins.nelts;
    mcf->api.max_inflight = mcf->max_inflight;
    mcf->api.revocation_ttl = mcf->revocation_ttl;
    mcf->feed.ttl = mcf->revocation_ttl;

    if (mcf->query) {
        mcf->request_uri_index = ngx_http_get_variable_index(cf, &request_uri);
        mcf->request_index = ngx_http_get_variable_index(cf, &request);

        if (mcf->request_uri_index == NGX_ERROR
            || mcf->request_index == NGX_ERROR)
        {
            return NGX_ERROR;
        }
    }

    if (mcf->query || mcf->notices) {
        ngx_agt_cache_control_init();
    }

    if (mcf->problem) {
        ngx_agt_problem_init();
    }

    if (ngx_agt_early_wrap(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mcf->query || mcf->changes || mcf->identity.nelts) {
        ngx_agt_read_anew(cf);
    }

    if (mcf->preaccess && ngx_agt_check_limits(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_agt_register_handlers(cf, mcf);
}


/*
 * Returns the settings of an API that is configured for http as a whole, or
 * NULL.  The level of http is not merged with one above it.
 */

static ngx_agt_loc_conf_t *
ngx_agt_register_http(ngx_conf_t *cf)
{
    ngx_agt_loc_conf_t  *http, *conf, *none;

    static const ngx_agt_json_options_t  no_options;

    http = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    none = ngx_agt_create_loc_conf(cf);
    conf = ngx_palloc(cf->pool, sizeof(ngx_agt_loc_conf_t));

    if (none == NULL || conf == NULL) {
        return NULL;
    }

    *conf = *http;

    ngx_agt_merge_api(none, conf);

    conf->cache_off = 1;
    conf->introspect_options = &no_options;
    conf->origin = ngx_agt_origin_get(cf, conf);

    return conf->origin ? conf : NULL;
}


/* the feed polls the API that is configured for http as a whole */

static ngx_int_t
ngx_agt_register_feed(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_agt_loc_conf_t  *conf;

    conf = ngx_agt_register_http(cf);

    if (conf == NULL) {
        return NGX_ERROR;
    }

    mcf->feed.api = conf->origin->api;
    mcf->feed.connect_timeout = conf->api_connect_timeout;
    mcf->feed.timeout = conf->api_timeout;

    return NGX_OK;
}


/*
 * Sets up the signature gate for the API of http as a whole.  Where keys come
 * from depends on how that API is verified; of a file, only on its URL, so that
 * keys that leave the file count as withdrawn.
 */

static ngx_int_t
ngx_agt_register_signature(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_str_t            parts[2];
    ngx_uint_t           i, n;
    ngx_shm_zone_t     **z;
    ngx_agt_origin_t   **o;
    ngx_agt_loc_conf_t  *conf;

    n = mcf->origins.nelts;
    conf = ngx_agt_register_http(cf);

    if (conf == NULL) {
        return NGX_ERROR;
    }

    o = mcf->origins.elts;

    for (i = 0; i < n; i++) {
        if (ngx_agt_digest_equal(o[i]->api->digest, conf->origin->api->digest))
        {
            break;
        }
    }

    if (i == n) {
        return ngx_agt_place_refuse(cf, &mcf->jwsk_place, 0,
                       "\"agilicus_token_signature\" checks no token: none is "
                       "asked for of the Tokens API \"%V\", which is that of "
                       "http", &conf->origin->api->url);
    }

    z = mcf->zones.elts;

    if (mcf->zones.nelts
        && z[0]->shm.size < (size_t) NGX_AGT_ZONE_KEYS_MIN)
    {
        return ngx_agt_place_refuse(cf, &mcf->jwsk_place, 0,
                       "\"agilicus_token_signature\" needs a first zone of "
                       "%uz bytes at least, \"%V\" has %uz",
                       (size_t) NGX_AGT_ZONE_KEYS_MIN, &z[0]->shm.name,
                       z[0]->shm.size);
    }

    mcf->jwsk.api = conf->origin->api;
    mcf->jwsk.connect_timeout = conf->api_connect_timeout;
    mcf->jwsk.timeout = conf->api_timeout;

    ngx_str_set(&parts[1], "jwsk");

    parts[0].data = mcf->jwsk.api->asked;
    parts[0].len = NGX_AGT_DIGEST_LEN;

    if (mcf->jwsk_file.value.len) {
        mcf->jwsk.keys = ngx_palloc(cf->pool, NGX_AGT_ES256_KEYS
                                              * sizeof(ngx_agt_key_t));

        if (mcf->jwsk.keys == NULL
            || ngx_agt_file_read_keys(cf, &mcf->jwsk_file, mcf->jwsk.keys,
                                      &mcf->jwsk.nkeys)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_str_set(&parts[1], "file");
        parts[0].data = mcf->jwsk.api->digest;
    }

    return ngx_agt_digest(mcf->jwsk.source, parts, 2);
}


/*
 * nginx remembers the values of variables, and a page shares them with its
 * subrequests.  The variables of headers and cookies are read anew each time,
 * because the module changes headers while a request is served.
 */

static void
ngx_agt_read_anew(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (ngx_agt_is_header_variable(&v[i].name)) {
            v[i].flags |= NGX_HTTP_VAR_NOCACHEABLE;
        }
    }

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (ngx_agt_is_header_variable(&key[i].key)) {
            v = key[i].value;
            v->flags |= NGX_HTTP_VAR_NOCACHEABLE;
        }
    }
}


static ngx_uint_t
ngx_agt_is_header_variable(const ngx_str_t *name)
{
    return (name->len >= 5 && ngx_strncmp(name->data, "http_", 5) == 0)
           || (name->len >= 7 && ngx_strncmp(name->data, "cookie_", 7) == 0);
}


/*
 * nginx runs the handlers of a phase from the last one in the array to the
 * first, and modules that are loaded later add theirs at the end.
 */

static ngx_int_t
ngx_agt_register_handlers(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t                  i, at, wanted;
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    wanted = mcf->identity.nelts ? NGX_AGT_FOR_IDENTITY : 0;

    if (mcf->used) {
        wanted |= NGX_AGT_FOR_TOKENS
                  | (mcf->notices || mcf->changes ? NGX_AGT_FOR_ENTERING : 0)
                  | (mcf->query ? NGX_AGT_FOR_QUERY : 0)
                  | (mcf->rules ? NGX_AGT_FOR_RULES : 0)
                  | (mcf->preaccess ? NGX_AGT_FOR_PREACCESS : 0)
                  | (mcf->preflight ? NGX_AGT_FOR_PREFLIGHT : 0);
    }

    for (i = 0; i < sizeof(ngx_agt_handlers) / sizeof(ngx_agt_handler_t); i++) {

        if ((ngx_agt_handlers[i].wanted & wanted) == 0) {
            continue;
        }

        handlers = &cmcf->phases[ngx_agt_handlers[i].phase].handlers;
        at = ngx_min(ngx_agt_handlers[i].at, handlers->nelts);

        if (ngx_array_push(handlers) == NULL) {
            return NGX_ERROR;
        }

        h = (ngx_http_handler_pt *) handlers->elts + at;

        ngx_memmove(h + 1, h,
                    (handlers->nelts - 1 - at) * sizeof(ngx_http_handler_pt));

        *h = ngx_agt_handlers[i].handler;
    }

    return NGX_OK;
}
