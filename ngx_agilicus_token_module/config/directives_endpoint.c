
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_endpoint.h"
#include "config/checks.h"
#include "config/parameters.h"
#include "config/place.h"
#include "endpoint/hook.h"
#include "endpoint/revoke.h"
#include "endpoint/status.h"


static char *ngx_agt_set_handler(ngx_conf_t *cf, ngx_agt_loc_conf_t *lcf,
    ngx_uint_t *given, const ngx_agt_parameter_t *parameters, ngx_uint_t n,
    ngx_http_handler_pt handler);


char *
ngx_agt_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("all_sessions"), ngx_agt_parameter_given,
          offsetof(ngx_agt_loc_conf_t, revoke_all), 0, 0, NULL,
          "\"all_sessions\"" }
    };

    return ngx_agt_set_handler(cf, lcf, &lcf->revoke, parameters, 1,
                               ngx_agt_revoke_handler);
}


char *
ngx_agt_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("purge"), ngx_agt_parameter_given,
          offsetof(ngx_agt_loc_conf_t, purge), 0, 0, NULL,
          "\"purge\"" },

        { ngx_string("trusted"), ngx_agt_parameter_given,
          offsetof(ngx_agt_loc_conf_t, trusted), 0, 0, NULL,
          "\"trusted\"" }
    };

    return ngx_agt_set_handler(cf, lcf, &lcf->status, parameters, 2,
                               ngx_agt_status_handler);
}


char *
ngx_agt_set_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("trusted"), ngx_agt_parameter_given,
          offsetof(ngx_agt_loc_conf_t, trusted), 0, 0, NULL,
          "\"trusted\"" }
    };

    return ngx_agt_set_handler(cf, lcf, &lcf->hook, parameters, 1,
                               ngx_agt_hook_handler);
}


static char *
ngx_agt_set_handler(ngx_conf_t *cf, ngx_agt_loc_conf_t *lcf,
    ngx_uint_t *given, const ngx_agt_parameter_t *parameters, ngx_uint_t n,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (ngx_agt_parameters_once(cf, given, parameters, n, lcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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
