
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_cache.h"
#include "config/directives_token.h"
#include "config/place.h"
#include "zone/worker_cache.h"


#define NGX_AGT_DEFAULT_ZONE_SIZE  (10 * 1024 * 1024)

/* milliseconds of ten years: a time can be added to others */
#define NGX_AGT_LONGEST  ((int64_t) 10 * 365 * 86400 * 1000)


static ngx_shm_zone_t *ngx_agt_add_zone(ngx_conf_t *cf,
    ngx_str_t *name, ssize_t size);


char *
ngx_agt_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char          *p;
    ssize_t          size;
    ngx_str_t       *value, name, s;
    ngx_shm_zone_t  *zone;

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be \"name:size\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_AGT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have %uz bytes "
                           "at least", &value[1],
                           (size_t) NGX_AGT_ZONE_MIN);
        return NGX_CONF_ERROR;
    }

    zone = ngx_agt_add_zone(cf, &name, size);

    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_shm_zone_t *
ngx_agt_add_zone(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_shm_zone_t       *zone, **z;
    ngx_agt_zone_t       *data;
    ngx_agt_main_conf_t  *mcf;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_agilicus_token_module);
    if (zone == NULL) {
        return NULL;
    }

    if (zone->init) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\"", name);
        return NULL;
    }

    /* a location may have named it before */

    if (zone->data == NULL) {
        data = ngx_pcalloc(cf->pool, sizeof(ngx_agt_zone_t));
        if (data == NULL) {
            return NULL;
        }

        zone->data = data;
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
    ngx_uint_t            i;
    ngx_shm_zone_t      **z;
    ngx_agt_main_conf_t  *mcf;

    static ngx_str_t  name = ngx_string("agilicus");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    z = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (z[i]->shm.name.len == name.len
            && ngx_strncmp(z[i]->shm.name.data, name.data, name.len) == 0)
        {
            return z[i];
        }
    }

    return ngx_agt_add_zone(cf, &name, NGX_AGT_DEFAULT_ZONE_SIZE);
}


char *
ngx_agt_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t            *value;
    ngx_agt_zone_t       *data;
    ngx_agt_main_conf_t  *mcf;
    ngx_agt_zone_use_t   *use;

    if (lcf->cache_off != NGX_CONF_UNSET) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->cache_off = 1;
        return NGX_CONF_OK;
    }

    lcf->cache_off = 0;
    lcf->cache = ngx_shared_memory_add(cf, &value[1], 0,
                                       &ngx_agilicus_token_module);
    if (lcf->cache == NULL) {
        return NGX_CONF_ERROR;
    }

    /* it may be defined further down */

    if (lcf->cache->data == NULL) {
        data = ngx_pcalloc(cf->pool, sizeof(ngx_agt_zone_t));
        if (data == NULL) {
            return NGX_CONF_ERROR;
        }

        lcf->cache->data = data;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    use = ngx_array_push(&mcf->zone_uses);
    if (use == NULL) {
        return NGX_CONF_ERROR;
    }

    use->zone = lcf->cache;
    ngx_agt_place_set(cf, &use->place);

    return NGX_CONF_OK;
}


char *
ngx_agt_set_worker_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    char  *rv;

    rv = ngx_conf_set_size_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (mcf->worker_cache < NGX_AGT_WORKER_CACHE_MIN) {
        return (char *) "must be 64k at least";
    }

    return NGX_CONF_OK;
}


char *
ngx_agt_set_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_agt_times_t  times[3];

    if (lcf->cache_valid_set) {
        return (char *) "is duplicate";
    }

    lcf->cache_valid_set = 1;

    ngx_str_set(&times[0].name, "active=");
    times[0].field = &lcf->lifetimes.active;
    ngx_str_set(&times[1].name, "watched=");
    times[1].field = &lcf->lifetimes.watched;
    ngx_str_set(&times[2].name, "invalid=");
    times[2].field = &lcf->lifetimes.invalid;

    return ngx_agt_parse_times(cf, 1, times, 3) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_agt_set_cache_stale(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_agt_times_t  times[2];

    if (lcf->cache_stale_set) {
        return (char *) "is duplicate";
    }

    lcf->cache_stale_set = 1;

    ngx_str_set(&times[0].name, "update=");
    times[0].field = &lcf->lifetimes.update;
    ngx_str_set(&times[1].name, "error=");
    times[1].field = &lcf->lifetimes.error;

    if (ngx_agt_parse_times(cf, 1, times, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (lcf->lifetimes.error != NGX_CONF_UNSET_MSEC
        && lcf->lifetimes.error > 300000)
    {
        return (char *) "must not have an \"error\" longer than 300s";
    }

    return NGX_CONF_OK;
}


char *
ngx_agt_check_sec(ngx_conf_t *cf, void *post, void *data)
{
    ngx_agt_bounds_t *bounds = post;
    time_t *value = data;

    if (*value < bounds->low || *value > bounds->high) {
        return (char *) bounds->why;
    }

    return NGX_CONF_OK;
}


char *
ngx_agt_check_msec(ngx_conf_t *cf, void *post, void *data)
{
    ngx_agt_bounds_t *bounds = post;
    ngx_msec_t *value = data;

    if (*value < (ngx_msec_t) bounds->low
        || *value > (ngx_msec_t) bounds->high)
    {
        return (char *) bounds->why;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_agt_parse_times(ngx_conf_t *cf, ngx_uint_t first,
    ngx_agt_times_t *times, ngx_uint_t n)
{
    int64_t      ms;
    ngx_str_t   *value, s;
    ngx_uint_t   i, j, seen;

    seen = 0;
    value = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {

        for (j = 0; j < n; j++) {
            if (value[i].len > times[j].name.len
                && ngx_strncmp(value[i].data, times[j].name.data,
                               times[j].name.len)
                   == 0)
            {
                break;
            }
        }

        if (j == n || (seen & (ngx_uint_t) 1 << j)) {
            goto invalid;
        }

        s.data = value[i].data + times[j].name.len;
        s.len = value[i].len - times[j].name.len;

        ms = ngx_parse_time(&s, 0);

        if (ms == NGX_ERROR || ms > NGX_AGT_LONGEST) {
            goto invalid;
        }

        seen |= (ngx_uint_t) 1 << j;
        *times[j].field = (ngx_msec_t) ms;
    }

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_ERROR;
}
