
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_token.h"
#include "config/checks.h"
#include "config/values.h"
#include "request/challenge.h"
#include "token/text.h"


static ngx_int_t ngx_agt_parse_source(ngx_conf_t *cf,
    ngx_str_t *value, ngx_agt_source_t *source);


char *
ngx_agt_set_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (lcf->realm.data) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] > 0x7e) {
            return ngx_agt_directive_refuse(cf, "must not have control "
                                            "characters or non-ASCII in it");
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
        return ngx_agt_directive_refuse(cf, "is duplicate");
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
            return ngx_agt_parameter_refuse(cf, &value[i],
                       "\"header\" or like \"cookie=name\" or like "
                       "\"query=name\" or like \"subprotocol=prefix\", with a "
                       "name of letters, digits, \"-\", \"_\" and \".\"");
        }

        sources = lcf->sources->elts;

        for (j = 0; j < i - 1; j++) {
            if (sources[j].type == source->type
                && ngx_agt_text_equal(&sources[j].name, &source->name))
            {
                return ngx_agt_parameter_repeated(cf, &value[i]);
            }
        }
    }

    return NGX_CONF_OK;
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

    } else if (ngx_strncmp(value->data, "subprotocol=", 12) == 0) {
        source->type = NGX_AGT_SOURCE_SUBPROTOCOL;
        source->name.data = value->data + 12;
        source->name.len = value->len - 12;

    } else {
        return NGX_ERROR;
    }

    if (source->type != NGX_AGT_SOURCE_COOKIE) {
        mcf = ngx_http_conf_get_module_main_conf(cf,
                                                 ngx_agilicus_token_module);
        mcf->query = 1;
    }

    if (source->name.len == 0) {
        return NGX_ERROR;
    }

    /* names that need no escaping anywhere, so that there is one way to write
       them */

    for (i = 0; i < source->name.len; i++) {
        ch = source->name.data[i];

        if (!ngx_agt_text_is_alnum(ch) && ch != '-' && ch != '_' && ch != '.')
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_agt_set_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_complex_value_t  *url;

    if (lcf->resource_metadata != NGX_CONF_UNSET_PTR) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    url = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (url == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_agt_value_compile(cf, &value[1], url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* what variables make of it is looked at when it is used */

    if (url->lengths ? (value[1].data[0] != '$'
                        && ngx_strncmp(value[1].data, "http", 4) != 0)
                     : !ngx_agt_challenge_is_url(&value[1]))
    {
        return ngx_agt_directive_refuse(cf, "must be an absolute URL, as it "
                                        "goes into a header");
    }

    lcf->resource_metadata = url;

    return NGX_CONF_OK;
}


char *
ngx_agt_set_rules(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_int_t  rc;

    static const ngx_conf_enum_t  on[] = {
        { ngx_string("on"), 1 },
        { ngx_null_string, 0 }
    };

    static const ngx_conf_enum_t  match[] = {
        { ngx_string("full"), 0 },
        { ngx_string("search"), 1 },
        { ngx_null_string, 0 }
    };

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string(""), ngx_agt_parameter_word,
          offsetof(ngx_agt_loc_conf_t, rules), 0, 0, on,
          "\"on\" or \"off\"" },

        { ngx_string("host="), ngx_agt_parameter_value,
          offsetof(ngx_agt_loc_conf_t, rules_host), 0, 0, NULL,
          "like \"host=$host\"" },

        { ngx_string("match="), ngx_agt_parameter_word,
          offsetof(ngx_agt_loc_conf_t, rules_search), 0, 0, match,
          "\"match=full\" or \"match=search\"" }
    };

    if (lcf->rules != NGX_CONF_UNSET) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    rc = ngx_agt_parameters_off(cf);

    if (rc != NGX_DECLINED) {
        lcf->rules = 0;
        return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_agt_parameters_read(cf, parameters, 3, lcf);
}
