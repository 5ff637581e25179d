
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_token.h"
#include "config/checks.h"


static ngx_int_t ngx_agt_parse_source(ngx_conf_t *cf,
    ngx_str_t *value, ngx_agt_source_t *source);


char *
ngx_agt_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (lcf->realm.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] > 0x7e) {
            return (char *) "must not have control characters or non-ASCII "
                            "in it";
        }
    }

    lcf->realm = value[1];

    return NGX_CONF_OK;
}


char *
ngx_agt_set_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t         *value;
    ngx_uint_t         i, j;
    ngx_agt_source_t  *source, *sources;

    if (lcf->sources != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    lcf->sources = ngx_array_create(cf->pool, 1, sizeof(ngx_agt_source_t));

    if (lcf->sources == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        source = ngx_array_push(lcf->sources);
        if (source == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_agt_parse_source(cf, &value[i], source) != NGX_OK) {
            goto invalid;
        }

        sources = lcf->sources->elts;

        for (j = 0; j < i - 1; j++) {
            if (sources[j].type == source->type
                && sources[j].name.len == source->name.len
                && ngx_memcmp(sources[j].name.data, source->name.data,
                              source->name.len)
                   == 0)
            {
                goto invalid;
            }
        }
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_agt_parse_source(ngx_conf_t *cf, ngx_str_t *value,
    ngx_agt_source_t *source)
{
    size_t                i;
    u_char                ch;
    ngx_agt_main_conf_t  *mcf;

    ngx_str_set(&source->name, "");

    if (ngx_strcmp(value->data, "header") == 0) {
        source->type = NGX_AGT_SOURCE_HEADER;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "cookie=", 7) == 0) {
        source->type = NGX_AGT_SOURCE_COOKIE;
        source->name.data = value->data + 7;
        source->name.len = value->len - 7;

    } else if (ngx_strncmp(value->data, "query=", 6) == 0) {
        source->type = NGX_AGT_SOURCE_QUERY;
        source->name.data = value->data + 6;
        source->name.len = value->len - 6;

        mcf = ngx_http_conf_get_module_main_conf(cf,
                                                 ngx_agilicus_token_module);
        mcf->query = 1;

    } else {
        return NGX_ERROR;
    }

    if (source->name.len == 0) {
        return NGX_ERROR;
    }

    /* names that need no escaping anywhere, so that there is one way to write
       them */

    for (i = 0; i < source->name.len; i++) {
        ch = source->name.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'
            || ch == '.')
        {
            continue;
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_agt_set_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (lcf->resource_metadata.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "https://", 8) != 0
        && ngx_strncmp(value[1].data, "http://", 7) != 0)
    {
        return (char *) "must be an absolute URL";
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] <= 0x20 || value[1].data[i] >= 0x7f
            || value[1].data[i] == '"' || value[1].data[i] == '\\'
            || value[1].data[i] == '$')
        {
            return (char *) "must be a URL as it goes into a header, "
                            "without variables";
        }
    }

    lcf->resource_metadata = value[1];

    return NGX_CONF_OK;
}


char *
ngx_agt_set_rules(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t                         *value, host;
    ngx_uint_t                         i, match;
    ngx_http_compile_complex_value_t   ccv;

    if (lcf->rules != NGX_CONF_UNSET) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->rules = 1;

        if (ngx_agt_needs_token(cf, lcf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->rules = 0;

    } else {
        i = 1;
        goto invalid;
    }

    match = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "host=", 5) == 0
            && value[i].len > 5 && lcf->rules_host == NULL)
        {
            host.data = value[i].data + 5;
            host.len = value[i].len - 5;

            lcf->rules_host = ngx_pcalloc(cf->pool,
                                          sizeof(ngx_http_complex_value_t));
            if (lcf->rules_host == NULL) {
                return NGX_CONF_ERROR;
            }

            ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

            ccv.cf = cf;
            ccv.value = &host;
            ccv.complex_value = lcf->rules_host;

            if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strcmp(value[i].data, "match=full") == 0 && !match) {
            match = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "match=search") == 0 && !match) {
            match = 1;
            lcf->rules_search = 1;
            continue;
        }

        goto invalid;
    }

    if (lcf->rules == 0 && cf->args->nelts > 2) {
        i = 2;
        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


char *
ngx_agt_set_recheck(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;

    if (lcf->recheck != NGX_CONF_UNSET_MSEC) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->recheck = 0;
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR) {
        return (char *) "invalid value";
    }

    if (ms < 1000) {
        return (char *) "must be 1s at least, or \"off\"";
    }

    if (ms > 24 * 60 * 60 * 1000) {
        return (char *) "must not be longer than 1d";
    }

    lcf->recheck = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


/* for "post" of a flag: one of its values has an effect with a token only */

char *
ngx_agt_check_flag(ngx_conf_t *cf, void *post, void *data)
{
    ngx_flag_t *flag = data;

    ngx_agt_effect_t *effect = post;

    if (*flag == effect->value
        && ngx_agt_needs_token(cf,
               ngx_http_conf_get_module_loc_conf(cf,
                                                 ngx_agilicus_token_module))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
