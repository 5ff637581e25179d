
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_endpoint.h"
#include "config/checks.h"
#include "config/place.h"
#include "endpoint/hook.h"
#include "endpoint/revoke.h"
#include "endpoint/status.h"


static char *ngx_agt_set_handler(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_http_handler_pt handler);


char *
ngx_agt_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->revoke) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "all_sessions") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }

        lcf->revoke_all = 1;
    }

    lcf->revoke = 1;

    return ngx_agt_set_handler(cf, lcf, ngx_agt_revoke_handler);
}


char *
ngx_agt_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->status) {
        return (char *) "is duplicate";
    }

    lcf->status = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "purge") == 0 && !lcf->purge) {
            lcf->purge = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "trusted") == 0 && !lcf->trusted) {
            lcf->trusted = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return ngx_agt_set_handler(cf, lcf, ngx_agt_status_handler);
}


char *
ngx_agt_set_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->hook) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "trusted") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }

        lcf->trusted = 1;
    }

    lcf->hook = 1;

    return ngx_agt_set_handler(cf, lcf, ngx_agt_hook_handler);
}


static char *
ngx_agt_set_handler(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_agt_place_set(cf, &lcf->handler);

    /* a directive further down that answers is found when all is read */

    if (clcf->handler) {
        (void) ngx_agt_refuse_handler(cf, &lcf->handler,
                   NGX_AGT_OTHER_HANDLER);

        return NGX_CONF_ERROR;
    }

    clcf->handler = handler;

    return NGX_CONF_OK;
}
