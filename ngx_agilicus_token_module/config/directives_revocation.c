
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_revocation.h"
#include "config/place.h"


static ngx_int_t ngx_agt_check_denials(ngx_conf_t *cf, ngx_shm_zone_t *zone);


char *
ngx_agt_set_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (mcf->feed_set) {
        return (char *) "is duplicate";
    }

    mcf->feed_set = 1;
    ngx_agt_place_set(cf, &mcf->feed_place);

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "interval=", 9) == 0
            && mcf->feed.interval == 0)
        {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n < 1000 || n > 86400000) {
                goto invalid;
            }

            mcf->feed.interval = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "limit=", 6) == 0
            && mcf->feed.limit == 0)
        {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n < 2 || n > NGX_AGT_FEED_MAX_LIMIT) {
                goto invalid;
            }

            mcf->feed.limit = n;
            continue;
        }

        goto invalid;
    }

    if (mcf->feed.interval == 0) {
        return (char *) "needs an \"interval\"";
    }

    if (mcf->feed.limit == 0) {
        mcf->feed.limit = NGX_AGT_FEED_MAX_LIMIT;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


char *
ngx_agt_set_denials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mcf->denials_size != NGX_CONF_UNSET) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return (char *) "has an invalid size";
    }

    if (size < (ssize_t) NGX_AGT_DENIALS_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of %V is too small, it must have %uz "
                           "bytes at least", &cmd->name, &value[1],
                           (size_t) NGX_AGT_DENIALS_MIN);
        return NGX_CONF_ERROR;
    }

    mcf->denials_size = size;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_agt_add_denials(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_shm_zone_t  *zone;

    /* a tag of its own: no zone of facts can be given this name */

    static ngx_str_t  name = ngx_string(NGX_AGT_DENIALS_NAME);
    static char       tag;

    zone = ngx_shared_memory_add(cf, &name, (size_t) mcf->denials_size, &tag);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    mcf->api.denials = ngx_pcalloc(cf->pool, sizeof(ngx_agt_denials_t));
    if (mcf->api.denials == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_agt_denials_init;
    zone->data = mcf->api.denials;

    return ngx_agt_check_denials(cf, zone);
}


/*
 * nginx would make new memory where size or tag differ from those of the old
 * cycle, and what is denied would be let in.
 */

static ngx_int_t
ngx_agt_check_denials(ngx_conf_t *cf, ngx_shm_zone_t *zone)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *old;

    if (cf->cycle->old_cycle == NULL) {
        return NGX_OK;
    }

    for (part = &cf->cycle->old_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (old[i].shm.name.len != zone->shm.name.len
                || ngx_strncmp(old[i].shm.name.data, zone->shm.name.data,
                               zone->shm.name.len)
                   != 0)
            {
                continue;
            }

            if (old[i].shm.size != zone->shm.size) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "agilicus token: \"agilicus_token_denials\" "
                              "cannot change its size from %uz to %uz bytes "
                              "in a reload, for all denials would be lost: "
                              "leave it as it was, or restart nginx",
                              old[i].shm.size, zone->shm.size);
                return NGX_ERROR;
            }

            if (old[i].tag != zone->tag) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "agilicus token: the module's file was replaced "
                              "and a reload would lose all denials: restart "
                              "nginx");
                return NGX_ERROR;
            }

            return NGX_OK;
        }
    }

    return NGX_OK;
}
