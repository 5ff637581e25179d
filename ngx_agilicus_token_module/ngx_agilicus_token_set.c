
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


static char *ngx_agilicus_token_add_require(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *lcf, ngx_agilicus_token_require_e kind,
    ngx_uint_t first, ngx_agilicus_token_require_conf_t **out);


char *
ngx_agilicus_token_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (lcf->realm.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] > 0x7e) {
            return (char *) "must not have control characters or non-ASCII in it";
        }
    }

    lcf->realm = value[1];

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_agilicus_token_source_t  *source;

    if (lcf->sources != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    lcf->sources = ngx_array_create(cf->pool, 1,
                                    sizeof(ngx_agilicus_token_source_t));
    if (lcf->sources == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "header") == 0
            && lcf->sources->nelts == 0)
        {
            source = ngx_array_push(lcf->sources);
            if (source == NULL) {
                return NGX_CONF_ERROR;
            }

            source->type = NGX_AGILICUS_TOKEN_SOURCE_HEADER;
            ngx_str_null(&source->name);

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    char                               *rv;
    ngx_str_t                          *value;
    ngx_uint_t                          any;
    ngx_agilicus_token_require_conf_t  *require;

    value = cf->args->elts;

    any = (ngx_strcmp(value[1].data, "any") == 0);

    if (any && cf->args->nelts == 2) {
        return (char *) "needs a scope after \"any\"";
    }

    rv = ngx_agilicus_token_add_require(cf, lcf,
                                        NGX_AGILICUS_TOKEN_REQUIRE_SCOPES,
                                        1 + any, &require);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    require->requirement.any = any;

    return NGX_CONF_OK;
}


/* one more requirement of a kind, of the arguments from "first" on */

static char *
ngx_agilicus_token_add_require(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *lcf, ngx_agilicus_token_require_e kind,
    ngx_uint_t first, ngx_agilicus_token_require_conf_t **out)
{
    ngx_str_t                          *value, *constant;
    ngx_uint_t                          i, n;
    ngx_http_compile_complex_value_t    ccv;
    ngx_agilicus_token_require_conf_t  *require;

    if (lcf->require[kind] == NGX_CONF_UNSET_PTR) {
        lcf->require[kind] = ngx_array_create(cf->pool, 2,
                                   sizeof(ngx_agilicus_token_require_conf_t));
        if (lcf->require[kind] == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    require = ngx_array_push(lcf->require[kind]);
    if (require == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(require, sizeof(ngx_agilicus_token_require_conf_t));

    value = (ngx_str_t *) cf->args->elts + first;
    n = cf->args->nelts - first;

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
