
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


#define NGX_AGILICUS_TOKEN_DEFAULT_ZONE_SIZE  (10 * 1024 * 1024)


static char *ngx_agilicus_token_add_require(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *lcf, ngx_agilicus_token_require_e kind,
    ngx_uint_t first, ngx_agilicus_token_require_conf_t **out);
static ngx_int_t ngx_agilicus_token_parse_url(ngx_conf_t *cf, ngx_str_t *url,
    ngx_uint_t proxy);
static ngx_int_t ngx_agilicus_token_is_loopback(ngx_str_t *host);
static ngx_shm_zone_t *ngx_agilicus_token_add_zone(ngx_conf_t *cf,
    ngx_str_t *name, ssize_t size);
static ngx_int_t ngx_agilicus_token_on_off(ngx_str_t *value);


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
            || *p == '\\' || *p == '"' || *p == '%')
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


char *
ngx_agilicus_token_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char          *p;
    ssize_t          size;
    ngx_str_t       *value, name, s;
    ngx_shm_zone_t  *zone;

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be \"name:size\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_AGILICUS_TOKEN_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have %uz bytes "
                           "at least", &value[1],
                           (size_t) NGX_AGILICUS_TOKEN_ZONE_MIN);
        return NGX_CONF_ERROR;
    }

    zone = ngx_agilicus_token_add_zone(cf, &name, size);

    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_shm_zone_t *
ngx_agilicus_token_add_zone(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_shm_zone_t                  *zone, **z;
    ngx_agilicus_token_zone_t       *data;
    ngx_agilicus_token_main_conf_t  *mcf;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_agilicus_token_module);
    if (zone == NULL) {
        return NULL;
    }

    if (zone->init) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\"", name);
        return NULL;
    }

    /* a location may have named it before */

    if (zone->data == NULL) {
        data = ngx_pcalloc(cf->pool, sizeof(ngx_agilicus_token_zone_t));
        if (data == NULL) {
            return NULL;
        }

        zone->data = data;
    }

    zone->init = ngx_agilicus_token_zone_init;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    z = ngx_array_push(&mcf->zones);
    if (z == NULL) {
        return NULL;
    }

    *z = zone;

    return zone;
}


ngx_shm_zone_t *
ngx_agilicus_token_default_zone(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_shm_zone_t                 **z;
    ngx_agilicus_token_main_conf_t  *mcf;

    static ngx_str_t  name = ngx_string("agilicus");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    z = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (z[i]->shm.name.len == name.len
            && ngx_strncmp(z[i]->shm.name.data, name.data, name.len) == 0)
        {
            return z[i];
        }
    }

    return ngx_agilicus_token_add_zone(cf, &name,
                                       NGX_AGILICUS_TOKEN_DEFAULT_ZONE_SIZE);
}


char *
ngx_agilicus_token_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_str_t                       *value;
    ngx_agilicus_token_zone_t       *data;
    ngx_agilicus_token_main_conf_t  *mcf;
    ngx_agilicus_token_zone_use_t   *use;

    if (lcf->cache_off != NGX_CONF_UNSET) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->cache_off = 1;
        return NGX_CONF_OK;
    }

    lcf->cache_off = 0;
    lcf->cache = ngx_shared_memory_add(cf, &value[1], 0,
                                       &ngx_agilicus_token_module);
    if (lcf->cache == NULL) {
        return NGX_CONF_ERROR;
    }

    /* it may be defined further down */

    if (lcf->cache->data == NULL) {
        data = ngx_pcalloc(cf->pool, sizeof(ngx_agilicus_token_zone_t));
        if (data == NULL) {
            return NGX_CONF_ERROR;
        }

        lcf->cache->data = data;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    use = ngx_array_push(&mcf->zone_uses);
    if (use == NULL) {
        return NGX_CONF_ERROR;
    }

    use->zone = lcf->cache;
    use->file = cf->conf_file->file.name;
    use->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


char *
ngx_agilicus_token_set_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_agilicus_token_loc_conf_t *lcf = conf;

    ngx_int_t    ms;
    ngx_str_t   *value, s;
    ngx_uint_t   i, j;
    ngx_msec_t  *field;

    static const struct {
        ngx_str_t   name;
        size_t      offset;
    } parameters[] = {
        { ngx_string("active="),
          offsetof(ngx_agilicus_token_lifetimes_t, active) },
        { ngx_string("watched="),
          offsetof(ngx_agilicus_token_lifetimes_t, watched) },
        { ngx_string("invalid="),
          offsetof(ngx_agilicus_token_lifetimes_t, invalid) }
    };

    if (lcf->cache_valid_set) {
        return (char *) "is duplicate";
    }

    lcf->cache_valid_set = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (j = 0; j < sizeof(parameters) / sizeof(parameters[0]); j++) {
            if (value[i].len > parameters[j].name.len
                && ngx_strncmp(value[i].data, parameters[j].name.data,
                               parameters[j].name.len)
                   == 0)
            {
                break;
            }
        }

        if (j == sizeof(parameters) / sizeof(parameters[0])) {
            goto invalid;
        }

        field = (ngx_msec_t *) ((u_char *) &lcf->lifetimes
                                + parameters[j].offset);

        s.data = value[i].data + parameters[j].name.len;
        s.len = value[i].len - parameters[j].name.len;

        ms = ngx_parse_time(&s, 0);

        if (ms == NGX_ERROR || *field != NGX_CONF_UNSET_MSEC) {
            goto invalid;
        }

        *field = (ngx_msec_t) ms;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);
    return NGX_CONF_ERROR;
}
