
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_cache.h"
#include "config/parameters.h"
#include "config/place.h"


#define NGX_AGT_DEFAULT_ZONE_SIZE  (10 * 1024 * 1024)


static ngx_shm_zone_t *ngx_agt_name_zone(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t size);
static ngx_shm_zone_t *ngx_agt_add_zone(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t size);


char *
ngx_agt_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char     *p;
    ssize_t     size;
    ngx_str_t  *value, name, s;

    static const char  form[] = "a name and a size, like \"agilicus:10m\"";

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        return ngx_agt_parameter_refuse(cf, &value[1], form);
    }

    name.data = value[1].data;
    name.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        return ngx_agt_parameter_refuse(cf, &value[1], form);
    }

    if (size < (ssize_t) NGX_AGT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have %uz bytes "
                           "at least, like \"%V %V:10m\"", &value[1],
                           (size_t) NGX_AGT_ZONE_MIN, &value[0], &name);
        return NGX_CONF_ERROR;
    }

    return ngx_agt_add_zone(cf, &name, size) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* a zone that is defined, or that will be: its order in the file is free */

static ngx_shm_zone_t *
ngx_agt_name_zone(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_agilicus_token_module);

    if (zone && zone->data == NULL) {
        zone->data = ngx_pcalloc(cf->pool, sizeof(ngx_agt_zone_t));
    }

    return (zone && zone->data) ? zone : NULL;
}


static ngx_shm_zone_t *
ngx_agt_add_zone(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_shm_zone_t       *zone, **z;
    ngx_agt_main_conf_t  *mcf;

    zone = ngx_agt_name_zone(cf, name, size);
    if (zone == NULL) {
        return NULL;
    }

    if (zone->init) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\": each "
                           "\"agilicus_token_zone\" needs a name of its own",
                           name);
        return NULL;
    }

    zone->init = ngx_agt_zone_init;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    z = ngx_array_push(&mcf->zones);
    if (z == NULL) {
        return NULL;
    }

    *z = zone;

    return zone;
}


ngx_shm_zone_t *
ngx_agt_default_zone(ngx_conf_t *cf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("agilicus");

    zone = ngx_agt_name_zone(cf, &name, 0);

    if (zone == NULL || zone->init) {
        return zone;
    }

    return ngx_agt_add_zone(cf, &name, NGX_AGT_DEFAULT_ZONE_SIZE);
}


char *
ngx_agt_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t            *value;
    ngx_agt_main_conf_t  *mcf;
    ngx_agt_zone_use_t   *use;

    if (lcf->cache_off != NGX_CONF_UNSET) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->cache_off = 1;
        return NGX_CONF_OK;
    }

    lcf->cache_off = 0;
    lcf->cache = ngx_agt_name_zone(cf, &value[1], 0);

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    use = ngx_array_push(&mcf->zone_uses);

    if (lcf->cache == NULL || use == NULL) {
        return NGX_CONF_ERROR;
    }

    use->zone = lcf->cache;
    ngx_agt_place_set(cf, &use->place);

    return NGX_CONF_OK;
}


char *
ngx_agt_set_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("active="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, active), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"active=30s\" (10y at most)" },

        { ngx_string("watched="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, watched), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"watched=300s\" (10y at most)" },

        { ngx_string("rights="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, rights), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"rights=30s\" (10y at most)" },

        { ngx_string("invalid="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, invalid), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"invalid=10s\" (10y at most)" }
    };

    return ngx_agt_parameters_once(cf, &lcf->cache_valid_given, parameters, 4,
                                   &lcf->ages);
}


char *
ngx_agt_set_cache_stale(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("update="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, update), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"update=10s\" (10y at most)" },

        { ngx_string("error="), ngx_agt_parameter_time,
          offsetof(ngx_agt_lifetimes_t, error), 0, 300000, NULL,
          "like \"error=60s\" (300s at most)" }
    };

    return ngx_agt_parameters_once(cf, &lcf->cache_stale_given, parameters, 2,
                                   &lcf->ages);
}
