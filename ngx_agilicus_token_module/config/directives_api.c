
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_api.h"
#include "config/directives_cache.h"
#include "config/origin.h"
#include "config/place.h"
#include "config/url.h"


static char *ngx_agt_set_url(ngx_conf_t *cf, ngx_uint_t proxy,
    ngx_agt_setting_t *setting);
static char *ngx_agt_set_name(ngx_conf_t *cf, ngx_agt_setting_t *setting);
static ngx_int_t ngx_agt_on_off(ngx_str_t *value);
static ngx_int_t ngx_agt_parse_rate(ngx_str_t *value, uint64_t *rate);


char *
ngx_agt_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    return ngx_agt_set_url(cf, 0, &lcf->api_url);
}


char *
ngx_agt_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (lcf->api_proxy.value.data) {
            return (char *) "is duplicate";
        }

        ngx_str_set(&lcf->api_proxy.value, "");
        return NGX_CONF_OK;
    }

    return ngx_agt_set_url(cf, 1, &lcf->api_proxy);
}


/* kept in its canonical form, so that each API has one name */

static char *
ngx_agt_set_url(ngx_conf_t *cf, ngx_uint_t proxy, ngx_agt_setting_t *setting)
{
    ngx_str_t   *value, url;
    const char  *why;

    if (setting->value.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    url.data = ngx_pnalloc(cf->pool, value[1].len + NGX_AGT_URL_ROOM);
    if (url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    why = ngx_agt_url_canonical(&value[1], proxy, &url);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL of the %s \"%V\" %s",
                           proxy ? "proxy" : "Tokens API", &value[1], why);
        return NGX_CONF_ERROR;
    }

    ngx_agt_place_set(cf, &setting->place);

    setting->value = url;

    return NGX_CONF_OK;
}


char *
ngx_agt_set_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 3 && ngx_strcmp(value[2].data, "introspect") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    lcf->api_credential_introspect = (cf->args->nelts == 3);

    return ngx_agt_set_name(cf, &lcf->api_credential);
}


char *
ngx_agt_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    return ngx_agt_set_name(cf, (ngx_agt_setting_t *) (p + cmd->offset));
}


static char *
ngx_agt_set_name(ngx_conf_t *cf, ngx_agt_setting_t *setting)
{
    ngx_str_t  *value;

    if (setting->value.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return (char *) "needs the name of a file";
    }

    ngx_agt_place_set(cf, &setting->place);

    setting->value = value[1];

    if (ngx_conf_full_name(cf->cycle, &setting->value, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_agt_set_introspect_options(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_int_t    on;
    ngx_str_t   *value, s;
    ngx_uint_t   i, j, seen;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  bit;
    } options[] = {
        { ngx_string("exclude_roles="), NGX_AGT_EXCLUDE_ROLES },
        { ngx_string("support_http_matchers="),
          NGX_AGT_HTTP_MATCHERS },
        { ngx_string("no_cache="), NGX_AGT_NO_CACHE }
    };

    if (lcf->introspect_options != NGX_CONF_UNSET_UINT) {
        return (char *) "is duplicate";
    }

    lcf->introspect_options = 0;
    seen = 0;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (j = 0; j < sizeof(options) / sizeof(options[0]); j++) {
            if (value[i].len > options[j].name.len
                && ngx_strncmp(value[i].data, options[j].name.data,
                               options[j].name.len)
                   == 0)
            {
                break;
            }
        }

        if (j == sizeof(options) / sizeof(options[0])
            || (seen & options[j].bit))
        {
            goto invalid;
        }

        s.data = value[i].data + options[j].name.len;
        s.len = value[i].len - options[j].name.len;

        on = ngx_agt_on_off(&s);

        if (on == NGX_ERROR) {
            goto invalid;
        }

        seen |= options[j].bit;

        if (on) {
            lcf->introspect_options |= options[j].bit;
        }
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_agt_on_off(ngx_str_t *value)
{
    if (value->len == 2 && ngx_strncmp(value->data, "on", 2) == 0) {
        return 1;
    }

    if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        return 0;
    }

    return NGX_ERROR;
}


/* "30r/s" or "30r/m" */

static ngx_int_t
ngx_agt_parse_rate(ngx_str_t *value, uint64_t *rate)
{
    size_t     len;
    ngx_int_t  n, scale;

    len = value->len;

    if (len > 3 && ngx_strncmp(value->data + len - 3, "r/s", 3) == 0) {
        scale = 1;

    } else if (len > 3 && ngx_strncmp(value->data + len - 3, "r/m", 3) == 0) {
        scale = 60;

    } else {
        return NGX_ERROR;
    }

    n = ngx_atoi(value->data, len - 3);

    if (n <= 0 || n > 1000000) {
        return NGX_ERROR;
    }

    *rate = ngx_max((uint64_t) n * 1000 / scale, 1);

    return NGX_OK;
}


char *
ngx_agt_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ngx_str_t       *value, s;
    ngx_int_t        ms;
    ngx_uint_t       i, has_client, has_burst;
    ngx_agt_rate_t  *rate;

    if (mcf->rate_set) {
        return (char *) "is duplicate";
    }

    mcf->rate_set = 1;

    rate = &mcf->api.rate;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rate->off = 1;
        return NGX_CONF_OK;
    }

    i = 1;

    if (ngx_agt_parse_rate(&value[1], &rate->rate) != NGX_OK) {
        goto invalid;
    }

    has_client = 0;
    has_burst = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "per_client=", 11) == 0
            && !has_client)
        {
            s.data = value[i].data + 11;
            s.len = value[i].len - 11;

            if (ngx_agt_parse_rate(&s, &rate->per_client) != NGX_OK)
            {
                goto invalid;
            }

            has_client = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0 && !has_burst) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            ms = ngx_parse_time(&s, 0);

            if (ms == NGX_ERROR || ms > 3600000) {
                goto invalid;
            }

            rate->burst = (uint64_t) ms * 1000;
            has_burst = 1;
            continue;
        }

        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


char *
ngx_agt_set_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    ngx_int_t           n;
    ngx_str_t          *value;
    ngx_agt_times_t     times[2];
    ngx_agt_breaker_t  *breaker;

    if (mcf->breaker_set) {
        return (char *) "is duplicate";
    }

    mcf->breaker_set = 1;

    breaker = &mcf->api.breaker;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        breaker->failures = 0;
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n <= 0 || n > 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    breaker->failures = n;

    ngx_str_set(&times[0].name, "open=");
    times[0].field = &breaker->open;
    ngx_str_set(&times[1].name, "max=");
    times[1].field = &breaker->max;

    if (ngx_agt_parse_times(cf, 2, times, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (breaker->open == 0 || breaker->max < breaker->open) {
        return (char *) "needs an \"open\" that is not 0 and a \"max\" "
                        "that is not less";
    }

    return NGX_CONF_OK;
}
