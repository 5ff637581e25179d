
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_api.h"
#include "config/checks.h"
#include "config/parameters.h"
#include "config/place.h"
#include "config/url.h"
#include "config/values.h"
#include "token/text.h"


static ngx_uint_t ngx_agt_is_trace_header(const ngx_str_t *name);
static ngx_int_t ngx_agt_parameter_file(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
static ngx_int_t ngx_agt_parameter_burst(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);


/* as with other sources of tokens, "off" needs nothing */

char *
ngx_agt_check_api_keys(ngx_conf_t *cf, void *post, void *data)
{
    ngx_flag_t *api_keys = data;

    ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    if (*api_keys && ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* kept in its canonical form, so that each API has one name */

char *
ngx_agt_set_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t          *value, url;
    const char         *why;
    ngx_uint_t          proxy;
    ngx_agt_setting_t  *setting;

    setting = (ngx_agt_setting_t *) ((u_char *) conf + cmd->offset);
    proxy = (setting == &lcf->api_proxy);

    if (setting->value.data) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    value = cf->args->elts;

    if (proxy && ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&setting->value, "");
        return NGX_CONF_OK;
    }

    url.data = ngx_pnalloc(cf->pool, value[1].len + NGX_AGT_URL_ROOM);
    if (url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    why = ngx_agt_url_canonical(&value[1], proxy, &url);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the URL of the %s \"%V\" %s; write it like "
                           "\"%V %s\"",
                           proxy ? "proxy" : "Tokens API", &value[1], why,
                           &value[0],
                           proxy ? "http://proxy.example.com:3128"
                                 : "https://api.agilicus.com");
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

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string(""), ngx_agt_parameter_file,
          offsetof(ngx_agt_loc_conf_t, api_credential), 0, 0, NULL,
          "the name of a file" },

        { ngx_string("introspect"), ngx_agt_parameter_given,
          offsetof(ngx_agt_loc_conf_t, api_credential_introspect), 0, 0, NULL,
          "\"introspect\"" }
    };

    if (lcf->api_credential.value.data) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    lcf->api_credential_introspect = 0;

    return ngx_agt_parameters_read(cf, parameters, 2, lcf);
}


char *
ngx_agt_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char *p = conf;

    ngx_agt_setting_t  *setting;

    static const ngx_agt_parameter_t  parameter = {
        ngx_string(""), ngx_agt_parameter_file, 0, 0, 0, NULL,
        "the name of a file"
    };

    setting = (ngx_agt_setting_t *) (p + cmd->offset);

    if (setting->value.data) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    return ngx_agt_parameters_read(cf, &parameter, 1, setting);
}


static ngx_int_t
ngx_agt_parameter_file(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_agt_setting_t *setting = field;

    if (text->len == 0) {
        return NGX_ERROR;
    }

    ngx_agt_place_set(cf, &setting->place);

    setting->value = *text;

    return ngx_conf_full_name(cf->cycle, &setting->value, 1);
}


char *
ngx_agt_set_introspect_options(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_agt_json_options_t  *options;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("exclude_roles="), ngx_agt_parameter_word,
          offsetof(ngx_agt_json_options_t, exclude_roles), 0, 0,
          ngx_agt_parameter_flag,
          "\"exclude_roles=on\" or \"exclude_roles=off\"" },

        { ngx_string("support_http_matchers="), ngx_agt_parameter_word,
          offsetof(ngx_agt_json_options_t, support_http_matchers), 0, 0,
          ngx_agt_parameter_flag,
          "\"support_http_matchers=on\" or \"support_http_matchers=off\"" },

        { ngx_string("no_cache="), ngx_agt_parameter_word,
          offsetof(ngx_agt_json_options_t, no_cache), 0, 0,
          ngx_agt_parameter_flag,
          "\"no_cache=on\" or \"no_cache=off\"" }
    };

    if (lcf->introspect_options != NGX_CONF_UNSET_PTR) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    options = ngx_pcalloc(cf->pool, sizeof(ngx_agt_json_options_t));
    if (options == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->introspect_options = options;

    return ngx_agt_parameters_read(cf, parameters, 3, options);
}


char *
ngx_agt_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    char  *rv;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string(""), ngx_agt_parameter_rate,
          offsetof(ngx_agt_rate_t, rate), 1, 1000000, NULL,
          "like \"500r/s\" or \"500r/m\" (1000000 at most), or \"off\"" },

        { ngx_string("per_client="), ngx_agt_parameter_rate,
          offsetof(ngx_agt_rate_t, per_client), 1, 1000000, NULL,
          "like \"per_client=50r/s\" or \"per_client=50r/m\" (1000000 at "
          "most)" },

        { ngx_string("burst="), ngx_agt_parameter_burst,
          offsetof(ngx_agt_rate_t, burst), 0, 3600000, NULL,
          "like \"burst=2s\" (1h at most)" }
    };

    rv = ngx_agt_parameters_or_off(cf, &mcf->rate_given, parameters, 3,
                                   &mcf->api.rate);

    mcf->api.rate.off = (mcf->rate_given == NGX_AGT_GIVEN_OFF);

    return rv;
}


/* a time in microseconds */

static ngx_int_t
ngx_agt_parameter_burst(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    uint64_t *burst = field;

    ngx_msec_t  ms;

    if (ngx_agt_parameter_time(cf, parameter, text, &ms) != NGX_OK) {
        return NGX_ERROR;
    }

    *burst = (uint64_t) ms * 1000;

    return NGX_OK;
}


char *
ngx_agt_set_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    char               *rv;
    ngx_agt_breaker_t  *breaker;

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string(""), ngx_agt_parameter_number,
          offsetof(ngx_agt_breaker_t, failures), 1, 1000000, NULL,
          "a number of failures, like \"5\", or \"off\"" },

        { ngx_string("open="), ngx_agt_parameter_time,
          offsetof(ngx_agt_breaker_t, open), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"open=1s\" (10y at most)" },

        { ngx_string("max="), ngx_agt_parameter_time,
          offsetof(ngx_agt_breaker_t, max), 0, NGX_AGT_PARAMETER_LONGEST,
          NULL, "like \"max=30s\" (10y at most)" }
    };

    breaker = &mcf->api.breaker;

    rv = ngx_agt_parameters_or_off(cf, &mcf->breaker_given, parameters, 3,
                                   breaker);

    if (mcf->breaker_given == NGX_AGT_GIVEN_OFF) {
        breaker->failures = 0;
    }

    if (rv == NGX_CONF_OK
        && (breaker->open == 0 || breaker->max < breaker->open))
    {
        return ngx_agt_directive_refuse(cf, "needs an \"open\" that is not 0 "
                                        "and a \"max\" that is not less");
    }

    return rv;
}


/* tracing only: other headers could change what the API answers */

char *
ngx_agt_set_api_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_agt_trace_header_t  *header;

    value = cf->args->elts;

    if (!ngx_agt_is_trace_header(&value[1])) {
        return ngx_agt_parameter_refuse(cf, &value[1],
                   "the name of a header for tracing: \"traceparent\", "
                   "\"tracestate\", \"baggage\", \"b3\", like "
                   "\"X-B3-TraceId\", \"X-Request-ID\" or "
                   "\"X-Correlation-ID\"");
    }

    if (lcf->api_headers == NGX_CONF_UNSET_PTR) {
        lcf->api_headers = ngx_array_create(cf->pool, 2,
                                            sizeof(ngx_agt_trace_header_t));
        if (lcf->api_headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = lcf->api_headers->elts;

    for (i = 0; i < lcf->api_headers->nelts; i++) {
        if (header[i].name.len == value[1].len
            && ngx_strncasecmp(header[i].name.data, value[1].data,
                               value[1].len)
               == 0)
        {
            return ngx_agt_parameter_repeated(cf, &value[1]);
        }
    }

    header = ngx_array_push(lcf->api_headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->name = value[1];

    return (ngx_agt_value_compile(cf, &value[2], &header->value) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_agt_is_trace_header(const ngx_str_t *name)
{
    size_t         i;
    ngx_uint_t     n;
    const u_char  *end;

    static const char  *names[] = {
        "traceparent", "tracestate", "baggage", "b3", "x-request-id",
        "x-correlation-id"
    };

    for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        if (ngx_agt_text_is(name, names[n])) {
            return 1;
        }
    }

    end = name->data + name->len;

    if (!ngx_agt_text_begins(name->data, end, "x-b3-") || name->len == 5) {
        return 0;
    }

    for (i = 5; i < name->len; i++) {
        if (!ngx_agt_text_is_alnum(name->data[i]) && name->data[i] != '-') {
            return 0;
        }
    }

    return 1;
}


char *
ngx_agt_set_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_main_conf_t *mcf = conf;

    static const ngx_conf_enum_t  words[] = {
        { ngx_string("on"), NGX_AGT_ON },
        { ngx_string("report"), NGX_AGT_REPORT },
        { ngx_null_string, 0 }
    };

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string(""), ngx_agt_parameter_word,
          offsetof(ngx_agt_main_conf_t, jwsk.mode), 0, 0, words,
          "\"off\", \"report\" or \"on\"" },

        { ngx_string("interval="), ngx_agt_parameter_time,
          offsetof(ngx_agt_main_conf_t, jwsk.interval), 1000, 86400000, NULL,
          "like \"interval=1h\" (between 1s and 1d)" },

        { ngx_string("key="), ngx_agt_parameter_file,
          offsetof(ngx_agt_main_conf_t, jwsk_file), 0, 0, NULL,
          "like \"key=agilicus.pem\"" },

        { ngx_string("strict"), ngx_agt_parameter_given,
          offsetof(ngx_agt_main_conf_t, jwsk.strict), 0, 0, NULL,
          "\"strict\"" }
    };

    ngx_agt_place_set(cf, &mcf->jwsk_place);

    return ngx_agt_parameters_or_off(cf, &mcf->jwsk_given, parameters, 4, mcf);
}
