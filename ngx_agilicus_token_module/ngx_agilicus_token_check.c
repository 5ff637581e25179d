
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_conf.h"
#include "ngx_agilicus_token_json_body.h"


/* a whole body of the hook, and one byte that is too many */
#define NGX_AGILICUS_TOKEN_HOOK_BUFFER                                       \
    (NGX_AGILICUS_TOKEN_JSON_MAX_HOOK + 1)


ngx_int_t
ngx_agilicus_token_check_exchange(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_agilicus_token_main_conf_t  *mcf;

    if (conf->enable == NGX_AGILICUS_TOKEN_OFF) {
        return NGX_OK;
    }

    if (conf->enable == NGX_AGILICUS_TOKEN_REPORT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token report\" refuses nothing, so it "
                           "does not go with \"agilicus_token_%s\"",
                           conf->create ? "create" : "reissue");
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);
    mcf->exchange = 1;

    if (conf->reissue) {
        mcf->reissue = 1;
        mcf->reap.connect_timeout = conf->api_connect_timeout;
        mcf->reap.timeout = conf->api_timeout;
    }

    if (conf->create == NULL) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create\" does not go with "
                           "\"satisfy any\": nobody might have been asked "
                           "who it is");
        return NGX_ERROR;
    }

    if (conf->api_credential.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create\" needs "
                           "\"agilicus_token_api_credential\"");
        return NGX_ERROR;
    }

    if (!ngx_agilicus_token_create_can_identify(cf, conf->create)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create identity=access\" needs "
                           "\"auth_basic\" or \"auth_request\" in the same "
                           "location");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the handler that was set last is the one that answers */

ngx_int_t
ngx_agilicus_token_check_handler(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf)
{
    const char                *name;
    ngx_http_handler_pt        handler;
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->revoke) {
        name = "revoke";
        handler = ngx_agilicus_token_revoke_handler;

    } else if (conf->hook) {
        name = "revocation_hook";
        handler = ngx_agilicus_token_hook_handler;

    } else {
        name = "status";
        handler = ngx_agilicus_token_status_handler;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == handler
        && conf->revoke + conf->hook + conf->status == 1)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"agilicus_token_%s\" answers by itself, so it does "
                       "not go with another directive that answers, such as "
                       "\"proxy_pass\": give it a location of its own",
                       name);

    return NGX_ERROR;
}


/* who can reach a hook can lock people out */

ngx_int_t
ngx_agilicus_token_check_hook(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* all that is taken must fit into memory */

    if (conf->hook
        && clcf->client_body_buffer_size < NGX_AGILICUS_TOKEN_HOOK_BUFFER)
    {
        clcf->client_body_buffer_size = NGX_AGILICUS_TOKEN_HOOK_BUFFER;
    }

    if (conf->trusted
        || (conf->enable == NGX_AGILICUS_TOKEN_ON
            && (conf->required || conf->rules)
            && clcf->satisfy == NGX_HTTP_SATISFY_ALL))
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"agilicus_token_%s\" needs "
                       "\"agilicus_token on\" with a requirement such as "
                       "\"agilicus_token_require_scopes\" and without "
                       "\"satisfy any\", or the parameter \"trusted\" if it "
                       "is protected by other means",
                       conf->hook ? "revocation_hook" : "status purge");

    return NGX_ERROR;
}


/* what would make enforcement weaker than it looks is refused here */

char *
ngx_agilicus_token_enforce(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf)
{
    ngx_agilicus_token_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    if (conf->api_timeout == 0 || conf->api_connect_timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_api_timeout\" and "
                           "\"agilicus_token_api_connect_timeout\" "
                           "must not be 0");
        return NGX_CONF_ERROR;
    }

    if (conf->max_size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_max_size\" must not be 0");
        return NGX_CONF_ERROR;
    }

    if ((conf->api_ssl_certificate.len == 0)
        != (conf->api_ssl_certificate_key.len == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_api_ssl_certificate\" and "
                           "\"agilicus_token_api_ssl_certificate_key\" "
                           "must be set together");
        return NGX_CONF_ERROR;
    }

    if (conf->enable == NGX_AGILICUS_TOKEN_REPORT) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"agilicus_token report\" refuses nothing");
    }

    if (!conf->api_ssl_verify) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"agilicus_token_api_ssl_verify off\" lets anybody "
                           "on the way answer for the Tokens API \"%V\"",
                           &conf->api_url);
    }

    if (conf->cache_off == NGX_CONF_UNSET) {
        conf->cache_off = 0;
        conf->cache = ngx_agilicus_token_default_zone(cf);

        if (conf->cache == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    conf->origin = ngx_agilicus_token_origin_get(cf, conf);

    if (conf->origin == NULL
        || ngx_agilicus_token_challenge_init(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->policy.leeway = conf->leeway;
    conf->policy.require_expiry = (conf->require_expiry != 0);
    conf->policy.deny_masquerading = (conf->deny_masquerading != 0);
    conf->policy.rules = (conf->rules != 0);

    mcf->api.max_leeway = ngx_max(mcf->api.max_leeway, conf->leeway);

    if (conf->recheck && conf->enable == NGX_AGILICUS_TOKEN_ON
        && (mcf->recheck == 0 || conf->recheck < mcf->recheck))
    {
        mcf->recheck = conf->recheck;
    }

    if (!conf->forward || conf->reissue || conf->create) {
        mcf->changes = 1;
    }

    mcf->used = 1;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_agilicus_token_check_feed(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf)
{
    ngx_agilicus_token_loc_conf_t  *http;

    http = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    if (http->api_credential.len) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"agilicus_token_revocation_feed\" needs "
                  "\"agilicus_token_api_credential\" in http, for the list of "
                  "tokens is not for everybody in %V:%ui",
                  &mcf->feed_file, mcf->feed_line);

    return NGX_ERROR;
}


/* the feed polls the API that is configured for http as a whole */

ngx_int_t
ngx_agilicus_token_feed_api(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf)
{
    ngx_agilicus_token_loc_conf_t  *http, *conf, *none;

    http = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    none = ngx_agilicus_token_create_loc_conf(cf);
    conf = ngx_palloc(cf->pool, sizeof(ngx_agilicus_token_loc_conf_t));

    if (none == NULL || conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *http;

    if (ngx_agilicus_token_merge_api(cf, none, conf) != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    conf->cache_off = 1;
    conf->introspect_options = 0;
    conf->origin = ngx_agilicus_token_origin_get(cf, conf);

    if (conf->origin == NULL) {
        return NGX_ERROR;
    }

    mcf->feed.api = conf->origin->api;
    mcf->feed.connect_timeout = conf->api_connect_timeout;
    mcf->feed.timeout = conf->api_timeout;

    return NGX_OK;
}


ngx_int_t
ngx_agilicus_token_check_zones(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf)
{
    ngx_str_t                       name;
    ngx_uint_t                      i;
    ngx_agilicus_token_zone_use_t  *use;

    ngx_str_set(&name, "agilicus");

    use = mcf->zone_uses.elts;

    for (i = 0; i < mcf->zone_uses.nelts; i++) {

        if (use[i].zone->init) {
            continue;
        }

        if (use[i].zone->shm.name.len == name.len
            && ngx_strncmp(use[i].zone->shm.name.data, name.data, name.len)
               == 0)
        {
            if (ngx_agilicus_token_default_zone(cf) == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "zone \"%V\" is not defined, add \"agilicus_token_zone "
                      "%V:10m;\" to http in %V:%ui",
                      &use[i].zone->shm.name, &use[i].zone->shm.name,
                      &use[i].file, use[i].line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
