
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_requirements.h"
#include "config/checks.h"


static char *ngx_agt_add_require(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_agt_require_e kind,
    ngx_uint_t first, ngx_uint_t last, ngx_agt_require_conf_t **out);


char *
ngx_agt_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               any;
    ngx_agt_require_conf_t  *require;

    value = cf->args->elts;

    any = (ngx_strcmp(value[1].data, "any") == 0);

    if (any && cf->args->nelts == 2) {
        return (char *) "needs a scope after \"any\"";
    }

    rv = ngx_agt_add_require(cf, lcf, NGX_AGT_REQUIRE_SCOPES,
                             1 + any, cf->args->nelts, &require);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    require->requirement.any = any;

    return NGX_CONF_OK;
}


char *
ngx_agt_set_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_require_conf_t  *require;

    return ngx_agt_add_require(cf, conf, NGX_AGT_REQUIRE_AUDIENCE,
                               1, cf->args->nelts, &require);
}


char *
ngx_agt_set_org(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_require_conf_t  *require;

    return ngx_agt_add_require(cf, conf, NGX_AGT_REQUIRE_ORG,
                               1, cf->args->nelts, &require);
}


char *
ngx_agt_set_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_require_conf_t  *require;

    if (cf->args->nelts < 3) {
        return (char *) "needs an application and a role";
    }

    return ngx_agt_add_require(cf, conf, NGX_AGT_REQUIRE_ROLE,
                               1, cf->args->nelts, &require);
}


char *
ngx_agt_set_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               i, last, error;
    ngx_agt_require_conf_t  *require;

    value = cf->args->elts;
    last = cf->args->nelts;
    error = 403;

    /* as a value it would always hold */

    for (i = 1; i < last - 1; i++) {
        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {
            return (char *) "takes \"error\" at its end only";
        }
    }

    if (ngx_strncmp(value[last - 1].data, "error=", 6) == 0) {

        if (ngx_strcmp(value[last - 1].data, "error=401") == 0) {
            error = 401;

        } else if (ngx_strcmp(value[last - 1].data, "error=403") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[last - 1]);
            return NGX_CONF_ERROR;
        }

        last--;
    }

    if (last < 2) {
        return (char *) "needs a value";
    }

    rv = ngx_agt_add_require(cf, conf, NGX_AGT_REQUIRE_VALUES,
                             1, last, &require);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    require->requirement.error = error;

    return NGX_CONF_OK;
}


/* one more requirement of a kind, of the arguments from "first" to "last" */

static char *
ngx_agt_add_require(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_agt_require_e kind,
    ngx_uint_t first, ngx_uint_t last, ngx_agt_require_conf_t **out)
{
    ngx_str_t                        *value, *constant;
    ngx_uint_t                        i, n;
    ngx_http_compile_complex_value_t  ccv;
    ngx_agt_require_conf_t           *require;

    if (lcf->require[kind] == NGX_CONF_UNSET_PTR) {
        lcf->require[kind] = ngx_array_create(cf->pool, 2,
                                   sizeof(ngx_agt_require_conf_t));
        if (lcf->require[kind] == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    require = ngx_array_push(lcf->require[kind]);

    if (require == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(require, sizeof(ngx_agt_require_conf_t));

    value = (ngx_str_t *) cf->args->elts + first;
    n = last - first;

    require->values = ngx_pcalloc(cf->pool,
                                  n * sizeof(ngx_http_complex_value_t));
    constant = ngx_palloc(cf->pool, n * sizeof(ngx_str_t));

    if (require->values == NULL || constant == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (value[i].len == 0) {
            return (char *) "has an empty value, which nothing could meet";
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = &require->values[i];

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        constant[i] = require->values[i].value;

        if (require->values[i].lengths) {
            require->variable = 1;
        }
    }

    require->requirement.kind = kind;
    require->requirement.values = constant;
    require->requirement.nvalues = n;

    *out = require;

    return NGX_CONF_OK;
}
