
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives.h"
#include "endpoint/hook.h"
#include "endpoint/revoke.h"
#include "endpoint/status.h"
#include "config/merge.h"


static ngx_int_t ngx_agt_parse_source(ngx_conf_t *cf,
    ngx_str_t *value, ngx_agt_source_t *source);
static char *ngx_agt_set_handler(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_http_handler_pt handler);
static char *ngx_agt_add_require(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, ngx_agt_require_e kind,
    ngx_uint_t first, ngx_uint_t last, ngx_agt_require_conf_t **out);


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
ngx_agt_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    size_t                i, len;
    u_char                ch;
    ngx_str_t            *value, *prefix;
    ngx_agt_main_conf_t  *mcf;

    if (lcf->identity.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&lcf->identity, "");
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        ngx_str_set(&lcf->identity, "X-Agilicus-");

    } else {
        len = value[1].len;

        while (len && value[1].data[len - 1] == '-') {
            len--;
        }

        for (i = 0; i < len; i++) {
            ch = value[1].data[i];

            if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                || (ch >= '0' && ch <= '9') || ch == '-')
            {
                continue;
            }

            return (char *) "must be made of letters, digits and \"-\"";
        }

        if (len < 3) {
            return (char *) "would take too many headers: a prefix has three "
                            "letters at least";
        }

        lcf->identity.data = ngx_pnalloc(cf->pool, len + 1);
        if (lcf->identity.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(lcf->identity.data, value[1].data, len);
        lcf->identity.data[len] = '-';
        lcf->identity.len = len + 1;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    prefix = ngx_array_push(&mcf->identity);

    if (prefix == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *prefix = lcf->identity;

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

    ngx_agt_here(cf, &lcf->handler);

    /* a directive further down that answers is found when all is read */

    if (clcf->handler) {
        (void) ngx_agt_refuse_handler(cf, &lcf->handler,
                   NGX_AGT_OTHER_HANDLER);

        return NGX_CONF_ERROR;
    }

    clcf->handler = handler;

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
