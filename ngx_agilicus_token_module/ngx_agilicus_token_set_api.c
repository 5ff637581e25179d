
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


static ngx_int_t ngx_agilicus_token_parse_url(ngx_conf_t *cf, ngx_str_t *url,
    ngx_uint_t proxy);
static ngx_int_t ngx_agilicus_token_is_loopback(ngx_str_t *host);
static ngx_int_t ngx_agilicus_token_parse_rate(ngx_str_t *value,
    uint64_t *rate);
static ngx_int_t ngx_agilicus_token_on_off(ngx_str_t *value);


char *
ngx_agilicus_token_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->api_url.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_agilicus_token_parse_url(cf, &value[1], 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->api_url = value[1];

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->api_proxy.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&lcf->api_proxy, "");
        return NGX_CONF_OK;
    }

    if (ngx_agilicus_token_parse_url(cf, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->api_proxy = value[1];

    return NGX_CONF_OK;
}


/*
 * A URL of scheme, host, port and, for an API, a path.  It is brought into one
 * form, so that the same API has one name: scheme and host in lower case, no
 * default port, no slash at the end.
 */

static ngx_int_t
ngx_agilicus_token_parse_url(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t proxy)
{
    u_char      *p, *host, *end, *port, *path, *last;
    ngx_int_t    n;
    ngx_str_t    name;
    ngx_uint_t   tls;
    const char  *why;

    last = url->data + url->len;

    tls = (url->len > 8
           && ngx_strncasecmp(url->data, (u_char *) "https://", 8) == 0);

    if (proxy) {
        tls = 0;
        why = "must be \"http://host:port\"";

    } else {
        why = "must be an \"https\" URL";
    }

    if (!tls && !(url->len > 7
                  && ngx_strncasecmp(url->data, (u_char *) "http://", 7) == 0))
    {
        goto invalid;
    }

    host = url->data + (tls ? 8 : 7);

    for (p = url->data; p < last; p++) {
        if (*p == '$') {
            why = "must not have variables in it";
            goto invalid;
        }

        if (*p <= 0x20 || *p >= 0x7f || *p == '@' || *p == '?' || *p == '#'
            || *p == '\\' || *p == '"' || *p == '%' || *p == '<' || *p == '>')
        {
            why = "must be made of a host, a port and a plain path only";
            goto invalid;
        }
    }

    path = ngx_strlchr(host, last, '/');

    if (path == NULL) {
        path = last;
    }

    if (proxy && path != last && !(path + 1 == last)) {
        goto invalid;
    }

    if (!proxy && ngx_strlcasestrn(path, last, (u_char *) "/v1/tokens", 9)) {
        why = "must not have \"/v1/tokens\" in it, which is added to it";
        goto invalid;
    }

    /* the port is behind the last colon, but not within an IPv6 address */

    end = path;
    port = NULL;

    for (p = path; p > host && p[-1] != ']'; p--) {
        if (p[-1] == ':') {
            port = p;
            end = p - 1;
            break;
        }
    }

    why = "has no valid host";
    n = 0;

    name.data = host;
    name.len = end - host;

    if (name.len == 0) {
        goto invalid;
    }

    for (p = host; p < end; p++) {
        *p = ngx_tolower(*p);

        if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
            || *p == '-' || *p == '.' || *p == '_'
            || (host[0] == '[' && (*p == ':' || *p == '[' || *p == ']')))
        {
            continue;
        }

        goto invalid;
    }

    if (host[0] == '[' && end[-1] != ']') {
        goto invalid;
    }

    if (port) {
        n = ngx_atoi(port, path - port);

        if (n < 1 || n > 65535) {
            why = "has no valid port";
            goto invalid;
        }

    } else if (proxy) {
        why = "must be \"http://host:port\": proxies have no usual port";
        goto invalid;
    }

    if (!tls && !proxy && !ngx_agilicus_token_is_loopback(&name)) {
        why = (name.len == sizeof("localhost") - 1
               && ngx_strncmp(name.data, "localhost", name.len) == 0)
              ? "must say \"127.0.0.1\" or \"[::1]\": a name could resolve "
                "to any address"
              : "must be \"https\": plain \"http\" is for literal loopback "
                "addresses only";
        goto invalid;
    }

    for (p = url->data; *p != ':'; p++) {
        *p = ngx_tolower(*p);
    }

    if (port && !proxy && (n == (tls ? 443 : 80))) {
        ngx_memmove(end, path, last - path + 1);
        last -= path - end;
    }

    while (last[-1] == '/') {
        *--last = '\0';
    }

    url->len = last - url->data;

    if (!proxy && url->len > 3 && ngx_strncmp(last - 3, "/v1", 3) == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the URL of the Tokens API \"%V\" ends in \"/v1\", "
                           "and \"/v1/tokens\" is added to it", url);
    }

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the URL of the %s \"%V\" %s",
                       proxy ? "proxy" : "Tokens API", url, why);

    return NGX_ERROR;
}


static ngx_int_t
ngx_agilicus_token_is_loopback(ngx_str_t *host)
{
    in_addr_t  addr;

    if (host->len == 5 && ngx_strncmp(host->data, "[::1]", 5) == 0) {
        return 1;
    }

    addr = ngx_inet_addr(host->data, host->len);

    return addr != INADDR_NONE && (ntohl(addr) >> 24) == 127;
}


char *
ngx_agilicus_token_set_credential(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->api_credential.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return (char *) "needs the name of a file";
    }

    if (cf->args->nelts == 3 && ngx_strcmp(value[2].data, "introspect") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    lcf->api_credential = value[1];
    lcf->api_credential_introspect = (cf->args->nelts == 3);

    if (ngx_conf_full_name(cf->cycle, &lcf->api_credential, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t  *field, *value;

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return (char *) "needs the name of a file";
    }

    *field = value[1];

    if (ngx_conf_full_name(cf->cycle, field, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_introspect_options(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_int_t    on;
    ngx_str_t   *value, s;
    ngx_uint_t   i, j, seen;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  bit;
    } options[] = {
        { ngx_string("exclude_roles="), NGX_AGILICUS_TOKEN_EXCLUDE_ROLES },
        { ngx_string("support_http_matchers="),
          NGX_AGILICUS_TOKEN_HTTP_MATCHERS },
        { ngx_string("no_cache="), NGX_AGILICUS_TOKEN_NO_CACHE }
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

        on = ngx_agilicus_token_on_off(&s);

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
ngx_agilicus_token_on_off(ngx_str_t *value)
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
ngx_agilicus_token_parse_rate(ngx_str_t *value, uint64_t *rate)
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
ngx_agilicus_token_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_main_conf_t *mcf = conf;

    ngx_str_t                  *value, s;
    ngx_int_t                   ms;
    ngx_uint_t                  i, has_client, has_burst;
    ngx_agilicus_token_rate_t  *rate;

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

    if (ngx_agilicus_token_parse_rate(&value[1], &rate->rate) != NGX_OK) {
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

            if (ngx_agilicus_token_parse_rate(&s, &rate->per_client)
                != NGX_OK)
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
ngx_agilicus_token_set_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_main_conf_t *mcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (mcf->feed_set) {
        return (char *) "is duplicate";
    }

    mcf->feed_set = 1;
    mcf->feed_file = cf->conf_file->file.name;
    mcf->feed_line = cf->conf_file->line;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "interval=", 9) == 0
            && mcf->feed.interval == 0)
        {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n < 1000 || n > 86400000) {
                goto invalid;
            }

            mcf->feed.interval = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "limit=", 6) == 0
            && mcf->feed.limit == 0)
        {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n < 2 || n > NGX_AGILICUS_TOKEN_FEED_MAX_LIMIT) {
                goto invalid;
            }

            mcf->feed.limit = n;
            continue;
        }

        goto invalid;
    }

    if (mcf->feed.interval == 0) {
        return (char *) "needs an \"interval\"";
    }

    if (mcf->feed.limit == 0) {
        mcf->feed.limit = NGX_AGILICUS_TOKEN_FEED_MAX_LIMIT;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}


char *
ngx_agilicus_token_set_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_main_conf_t *mcf = conf;

    ngx_int_t                      n;
    ngx_str_t                     *value;
    ngx_agilicus_token_times_t     times[2];
    ngx_agilicus_token_breaker_t  *breaker;

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

    if (ngx_agilicus_token_parse_times(cf, 2, times, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (breaker->open == 0 || breaker->max < breaker->open) {
        return (char *) "needs an \"open\" that is not 0 and a \"max\" "
                        "that is not less";
    }

    return NGX_CONF_OK;
}
