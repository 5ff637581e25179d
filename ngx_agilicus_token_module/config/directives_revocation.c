
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_revocation.h"
#include "config/parameters.h"
#include "config/place.h"
#include "token/text.h"


static ngx_int_t ngx_agt_check_denials(ngx_conf_t *cf, ngx_shm_zone_t *zone);


char *
ngx_agt_set_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    char  *rv;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("interval="), ngx_agt_parameter_time,
          offsetof(ngx_agt_feed_conf_t, interval), 1000, 86400000, NULL,
          "like \"interval=5s\" (between 1s and 1d)" },

        { ngx_string("limit="), ngx_agt_parameter_number,
          offsetof(ngx_agt_feed_conf_t, limit), 2, NGX_AGT_FEED_MAX_LIMIT,
          NULL, "like \"limit=100\" (between 2 and 100)" },

        { ngx_string("sessions="), ngx_agt_parameter_seconds,
          offsetof(ngx_agt_feed_conf_t, sessions), 60, 315360000, NULL,
          "like \"sessions=30d\" (between 1m and 10y)" }
    };

    ngx_agt_place_set(cf, &mcf->feed_place);

    mcf->feed.limit = NGX_AGT_FEED_MAX_LIMIT;

    rv = ngx_agt_parameters_or_off(cf, &mcf->feed_given, parameters, 3,
                                   &mcf->feed);

    if (rv == NGX_CONF_OK && mcf->feed_given == NGX_AGT_GIVEN
        && mcf->feed.interval == 0)
    {
        return ngx_agt_directive_refuse(cf, "needs an \"interval\", like "
                                        "\"interval=5s\", or \"off\"");
    }

    return rv;
}


char *
ngx_agt_set_denials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_agt_parameter_set(cf, cmd, conf);

    if (rv == NGX_CONF_OK && mcf->denials_size < NGX_AGT_DENIALS_MIN) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of %V is too small, it must have %uz "
                           "bytes at least", &cmd->name, &value[1],
                           (size_t) NGX_AGT_DENIALS_MIN);
        return NGX_CONF_ERROR;
    }

    return rv;
}


ngx_int_t
ngx_agt_add_denials(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_shm_zone_t  *zone;

    /* a tag of its own: no zone of facts can be given this name */

    static ngx_str_t  name = ngx_string(NGX_AGT_DENIALS_NAME);
    static char       tag;

    zone = ngx_shared_memory_add(cf, &name, mcf->denials_size, &tag);
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
 * Where the size or the tag differ from those of the old cycle, nginx makes new
 * memory, and tokens that are denied would be let in.
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

            if (!ngx_agt_text_equal(&old[i].shm.name, &zone->shm.name)) {
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
