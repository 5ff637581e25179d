
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_upstream.h"
#include "config/checks.h"


static ngx_int_t ngx_agt_parse_create(ngx_conf_t *cf,
    ngx_str_t *value, ngx_agt_create_conf_t *create);
static ngx_int_t ngx_agt_parse_one(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);
static ngx_int_t ngx_agt_parse_value(ngx_conf_t *cf,
    ngx_str_t *text, ngx_http_complex_value_t *value);
static ngx_int_t ngx_agt_parse_list(ngx_conf_t *cf,
    ngx_str_t *text, ngx_uint_t pairs, ngx_array_t **list);


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
ngx_agt_set_reissue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->reissue != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return (char *) "needs an organisation";
    }

    if (ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->reissue = NULL;

    return ngx_agt_parse_one(cf, &value[1], &lcf->reissue)
           == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_agt_set_create(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_agt_create_conf_t  *create;

    static ngx_str_t  verify = ngx_string("ssl_client_verify");
    static ngx_str_t  user = ngx_string("remote_user");

    if (lcf->create != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    create = ngx_pcalloc(cf->pool, sizeof(ngx_agt_create_conf_t));

    if (create == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->create = create;
    create->ssl = 1;
    create->verify_index = NGX_ERROR;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_agt_parse_create(cf, &value[i], create) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (!create->identity || create->sub == NULL || create->org == NULL
        || create->audiences == NULL)
    {
        return (char *) "needs \"identity\", \"sub\", \"org\" and "
                        "\"audiences\"";
    }

    if (create->duration == 0) {
        create->duration = 3600;
    }

    if (create->ssl) {
        create->verify_index = ngx_http_get_variable_index(cf, &verify);

        if (create->verify_index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    create->user_index = ngx_http_get_variable_index(cf, &user);

    if (create->user_index == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    create->basic_index = ngx_agt_module_index(cf,
                                             "ngx_http_auth_basic_module");
    create->request_index = ngx_agt_module_index(cf,
                                             "ngx_http_auth_request_module");

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_agt_parse_create(ngx_conf_t *cf, ngx_str_t *value,
    ngx_agt_create_conf_t *create)
{
    u_char     *eq;
    ngx_str_t   name, text;

    eq = (u_char *) ngx_strchr(value->data, '=');

    if (eq == NULL) {
        return NGX_ERROR;
    }

    name.data = value->data;
    name.len = eq - value->data;

    text.data = eq + 1;
    text.len = value->data + value->len - text.data;

    if (text.len == 0) {
        return NGX_ERROR;
    }

    if (name.len == 8 && ngx_strncmp(name.data, "identity", 8) == 0) {

        if (create->identity) {
            return NGX_ERROR;
        }

        create->identity = 1;
        create->ssl = (ngx_strcmp(text.data, "ssl") == 0);

        return (create->ssl || ngx_strcmp(text.data, "access") == 0)
               ? NGX_OK : NGX_ERROR;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "sub", 3) == 0) {
        return ngx_agt_parse_one(cf, &text, &create->sub);
    }

    if (name.len == 3 && ngx_strncmp(name.data, "org", 3) == 0) {
        return ngx_agt_parse_one(cf, &text, &create->org);
    }

    if (name.len == 9 && ngx_strncmp(name.data, "audiences", 9) == 0) {
        return ngx_agt_parse_list(cf, &text, 0, &create->audiences);
    }

    if (name.len == 6 && ngx_strncmp(name.data, "scopes", 6) == 0) {
        return ngx_agt_parse_list(cf, &text, 0, &create->scopes);
    }

    if (name.len == 5 && ngx_strncmp(name.data, "roles", 5) == 0) {
        return ngx_agt_parse_list(cf, &text, 1, &create->roles);
    }

    if (name.len == 8 && ngx_strncmp(name.data, "duration", 8) == 0
        && create->duration == 0)
    {
        create->duration = ngx_parse_time(&text, 1);

        return create->duration > 0 ? NGX_OK : NGX_ERROR;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_agt_parse_one(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value)
{
    if (*value) {
        return NGX_ERROR;
    }

    *value = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_ERROR;
    }

    return ngx_agt_parse_value(cf, text, *value);
}


static ngx_int_t
ngx_agt_parse_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;

    return ngx_http_compile_complex_value(&ccv);
}


/*
 * Splits at commas, and pairs at their last colon, before there are values in
 * the variables: what a caller brings cannot add an item.
 */

static ngx_int_t
ngx_agt_parse_list(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t pairs, ngx_array_t **list)
{
    u_char                    *p, *last, *end, *colon;
    ngx_str_t                  item, part;
    ngx_http_complex_value_t  *value;

    if (*list) {
        return NGX_ERROR;
    }

    *list = ngx_array_create(cf->pool, 4, sizeof(ngx_http_complex_value_t));
    if (*list == NULL) {
        return NGX_ERROR;
    }

    last = text->data + text->len;

    for (p = text->data; p <= last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        item.data = p;
        item.len = end - p;

        if (item.len == 0) {
            return NGX_ERROR;
        }

        if (pairs) {
            for (colon = end - 1; colon > p && *colon != ':'; colon--) {
                /* void */
            }

            if (colon == p || colon == end - 1) {
                return NGX_ERROR;
            }

            part.data = p;
            part.len = colon - p;

            value = ngx_array_push(*list);

            if (value == NULL
                || ngx_agt_parse_value(cf, &part, value) != NGX_OK)
            {
                return NGX_ERROR;
            }

            item.data = colon + 1;
            item.len = end - item.data;
        }

        value = ngx_array_push(*list);

        if (value == NULL || ngx_agt_parse_value(cf, &item, value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
