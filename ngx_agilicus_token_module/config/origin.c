
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/origin.h"
#include "config/files.h"
#include "config/place.h"
#include "config/url.h"
#include "api/credential.h"


static ngx_agt_api_t *ngx_agt_api_get(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *conf);
static void ngx_agt_api_expiry(ngx_conf_t *cf,
    const ngx_agt_loc_conf_t *conf, ngx_agt_api_t *api);
static ngx_int_t ngx_agt_api_count(ngx_conf_t *cf,
    ngx_agt_main_conf_t *mcf, ngx_agt_api_t *api);
static ngx_int_t ngx_agt_api_tls(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *conf, ngx_agt_api_t *api);
static ngx_int_t ngx_agt_api_urls(ngx_conf_t *cf, ngx_agt_api_t *api);
static ngx_int_t ngx_agt_api_digests(
    const ngx_agt_loc_conf_t *conf, ngx_agt_api_t *api);
static ngx_int_t ngx_agt_origin_digests(
    ngx_agt_origin_t *origin, const ngx_str_t *zone);
static ngx_int_t ngx_agt_digest_of_all(u_char *out,
    ngx_str_t *parts, ngx_uint_t n);


ngx_agt_origin_t *
ngx_agt_origin_get(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t                     i;
    ngx_msec_t                     longest;
    ngx_agt_api_t                 *api, **a;
    ngx_agt_zone_t                *zone;
    ngx_agt_origin_t              *origin, **o;
    ngx_agt_main_conf_t           *mcf;
    const ngx_agt_json_options_t  *options;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    api = ngx_agt_api_get(cf, conf);
    if (api == NULL) {
        return NULL;
    }

    /* all configurations of an API share its breaker */

    a = mcf->apis.elts;
    longest = conf->api_timeout;

    for (i = 0; i < mcf->apis.nelts; i++) {
        if (ngx_agt_digest_equal(a[i]->digest, api->digest)) {
            longest = ngx_max(longest, a[i]->longest);
        }
    }

    for (i = 0; i < mcf->apis.nelts; i++) {
        if (ngx_agt_digest_equal(a[i]->digest, api->digest)) {
            a[i]->longest = longest;
        }
    }

    /* revocations have the longest times of all locations */

    mcf->deliver.connect_timeout = ngx_max(mcf->deliver.connect_timeout,
                                           conf->api_connect_timeout);
    mcf->deliver.timeout = ngx_max(mcf->deliver.timeout, conf->api_timeout);

    zone = conf->cache_off ? NULL : conf->cache->data;

    options = conf->introspect_options;

    o = mcf->origins.elts;

    for (i = 0; i < mcf->origins.nelts; i++) {
        if (o[i]->api == api && o[i]->zone == zone
            && ngx_memcmp(&o[i]->options, options,
                          sizeof(ngx_agt_json_options_t))
               == 0)
        {
            return o[i];
        }
    }

    origin = ngx_pcalloc(cf->pool, sizeof(ngx_agt_origin_t));
    o = ngx_array_push(&mcf->origins);

    if (origin == NULL || o == NULL) {
        return NULL;
    }

    *o = origin;

    origin->api = api;
    origin->zone = zone;
    origin->options = *options;

    if (ngx_agt_origin_digests(origin, zone ? &conf->cache->shm.name : NULL)
        != NGX_OK)
    {
        return NULL;
    }

    return origin;
}


static ngx_agt_api_t *
ngx_agt_api_get(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t            i;
    const char           *unusable;
    ngx_agt_api_t        *api, **a;
    ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    unusable = ngx_agt_curl_unusable();

    if (unusable) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "agilicus token: %s", unusable);
        return NULL;
    }

    api = ngx_pcalloc(cf->pool, sizeof(ngx_agt_api_t));
    if (api == NULL) {
        return NULL;
    }

    api->url = conf->api_url.value;
    api->profile.proxy = conf->api_proxy.value;
    api->profile.tls = !ngx_agt_url_is_plain(&api->url);
    api->profile.verify = (conf->api_ssl_verify != 0);
    api->credential_introspect = (conf->api_credential_introspect == 1);

    /* plain http is allowed only on this machine */

    if (!api->profile.tls && api->profile.proxy.len) {
        (void) ngx_agt_place_refuse(cf, &conf->api_proxy.place, 0,
                   "\"agilicus_token_api_proxy\" must be \"off\" for a "
                   "plain-http \"agilicus_token_api\" such as \"%V\" in "
                   "%V:%ui: tokens would leave this machine in clear",
                   &api->url, &conf->api_url.place.file,
                   conf->api_url.place.line);
        return NULL;
    }

    if (conf->api_credential.value.len
        && ngx_agt_file_read_credential(cf, &conf->api_credential,
                                        &api->credential)
           != NGX_OK)
    {
        return NULL;
    }

    if ((api->profile.tls && ngx_agt_api_tls(cf, conf, api) != NGX_OK)
        || ngx_agt_api_digests(conf, api) != NGX_OK)
    {
        return NULL;
    }

    a = mcf->apis.elts;

    for (i = 0; i < mcf->apis.nelts; i++) {
        if (ngx_agt_digest_equal(a[i]->issued, api->issued)) {
            return a[i];
        }
    }

    if (ngx_agt_api_urls(cf, api) != NGX_OK
        || ngx_agt_api_count(cf, mcf, api) != NGX_OK)
    {
        return NULL;
    }

    api->index = mcf->apis.nelts;

    a = ngx_array_push(&mcf->apis);
    if (a == NULL) {
        return NULL;
    }

    *a = api;

    ngx_agt_api_expiry(cf, conf, api);

    return api;
}


static void
ngx_agt_api_expiry(ngx_conf_t *cf, const ngx_agt_loc_conf_t *conf,
    ngx_agt_api_t *api)
{
    u_char  *end;
    u_char   words[NGX_AGT_CREDENTIAL_WORDS];

    api->credential_expiry = ngx_agt_credential_expiry(&api->credential);

    end = ngx_agt_credential_words(words, api->credential_expiry, ngx_time());

    if (end != words) {
        ngx_agt_place_warn(cf, &conf->api_credential.place,
                           "\"%V\" names \"%V\", whose token %*s",
                           &conf->api_credential.place.name,
                           &conf->api_credential.value,
                           (size_t) (end - words), words);
    }
}


/* the zone has places for the budgets and breakers of so many APIs */

static ngx_int_t
ngx_agt_api_count(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf, ngx_agt_api_t *api)
{
    ngx_uint_t       i, j, n;
    ngx_agt_api_t  **a;

    a = mcf->apis.elts;
    n = 0;

    for (i = 0; i < mcf->apis.nelts; i++) {

        if (ngx_agt_digest_equal(a[i]->digest, api->digest)) {
            return NGX_OK;
        }

        for (j = 0; j < i; j++) {
            if (ngx_agt_digest_equal(a[j]->digest, a[i]->digest)) {
                break;
            }
        }

        n += (j == i);
    }

    if (n == NGX_AGT_MAX_APIS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_api\" \"%V\" is one too many: "
                           "%d different APIs are supported", &api->url,
                           NGX_AGT_MAX_APIS);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_api_tls(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf, ngx_agt_api_t *api)
{
    const char        *system;
    ngx_agt_setting_t  name;

    if (api->profile.verify) {
        name = conf->api_ssl_trusted_certificate;

        if (name.value.len == 0) {
            system = ngx_agt_curl_system_store();

            if (system == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "libcurl knows no certificate authorities "
                                   "of the system, set \"agilicus_token_api_"
                                   "ssl_trusted_certificate\"");
                return NGX_ERROR;
            }

            name.value.data = (u_char *) system;
            name.value.len = ngx_strlen(system);
        }

        if (ngx_agt_file_read_pem(cf, &name, 0, &api->profile.trusted)
            != NGX_OK)
        {
            if (conf->api_ssl_trusted_certificate.value.len == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "the Tokens API \"%V\" cannot be verified: "
                                   "install the package \"ca-certificates\" "
                                   "or set \"agilicus_token_api_ssl_trusted_"
                                   "certificate\"", &api->url);
            }

            return NGX_ERROR;
        }
    }

    if (conf->api_ssl_certificate.value.len == 0) {
        return NGX_OK;
    }

    if (ngx_agt_file_read_pem(cf, &conf->api_ssl_certificate, 0,
                              &api->profile.certificate)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_agt_file_read_pem(cf, &conf->api_ssl_certificate_key, 1,
                                 &api->profile.certificate_key);
}


static ngx_int_t
ngx_agt_api_urls(ngx_conf_t *cf, ngx_agt_api_t *api)
{
    ngx_str_t   *url;
    ngx_uint_t   i;

    static const struct {
        ngx_str_t  path;
        size_t     offset;
    } urls[] = {
        { ngx_string("/v1/tokens/introspect"),
          offsetof(ngx_agt_api_t, introspect) },
        { ngx_string("/v1/api_keys/introspect"),
          offsetof(ngx_agt_api_t, introspect_key) },
        { ngx_string("/v1/tokens/reissue"), offsetof(ngx_agt_api_t, reissue) },
        { ngx_string("/v1/tokens/revoke"), offsetof(ngx_agt_api_t, revoke) },
        { ngx_string("/v1/tokens/validations"),
          offsetof(ngx_agt_api_t, validations) },
        { ngx_string("/v1/tokens"), offsetof(ngx_agt_api_t, tokens) },
        { ngx_string("/v1/sessions"), offsetof(ngx_agt_api_t, sessions) },
        { ngx_string("/v1/tokens/jwsk"), offsetof(ngx_agt_api_t, jwsk) }
    };

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        url = (ngx_str_t *) ((u_char *) api + urls[i].offset);

        url->len = api->url.len + urls[i].path.len;
        url->data = ngx_pnalloc(cf->pool, url->len + 1);

        if (url->data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(url->data, "%V%V%Z", &api->url, &urls[i].path);
    }

    return NGX_OK;
}


/*
 * The digests are of all settings that may change an answer of the API, or the
 * server that gives it: facts of an API that is not verified must not count for
 * one that is.  The name of a file counts, not its content, so that a renewed
 * certificate changes nothing.  The content of a credential counts, because the
 * API may answer another credential otherwise.
 */

static ngx_int_t
ngx_agt_api_digests(const ngx_agt_loc_conf_t *conf, ngx_agt_api_t *api)
{
    u_char     flags[2];
    ngx_str_t  parts[7];

    if (ngx_agt_digest_init() != NGX_OK
        || ngx_agt_digest(api->digest, &api->url, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(parts, sizeof(parts));

    flags[0] = api->profile.verify;
    flags[1] = api->credential_introspect;

    parts[0] = api->url;
    parts[1].data = flags;
    parts[1].len = sizeof(flags);
    parts[2] = api->profile.proxy;

    if (api->profile.tls) {

        if (api->profile.verify) {
            parts[3] = conf->api_ssl_trusted_certificate.value;
        }

        parts[4] = conf->api_ssl_certificate.value;
        parts[5] = conf->api_ssl_certificate_key.value;
    }

    if (api->credential_introspect) {
        parts[6] = api->credential;
    }

    if (ngx_agt_digest_of_all(api->asked, parts, 7) != NGX_OK) {
        return NGX_ERROR;
    }

    parts[0].data = api->asked;
    parts[0].len = NGX_AGT_DIGEST_LEN;
    parts[1] = api->credential;

    return ngx_agt_digest_of_all(api->issued, parts, 2);
}


static ngx_int_t
ngx_agt_origin_digests(ngx_agt_origin_t *origin, const ngx_str_t *zone)
{
    u_char     flags[3];
    ngx_str_t  parts[2];

    flags[0] = origin->options.exclude_roles;
    flags[1] = origin->options.support_http_matchers;
    flags[2] = origin->options.no_cache;

    parts[0].data = origin->api->asked;
    parts[0].len = NGX_AGT_DIGEST_LEN;
    parts[1].data = flags;
    parts[1].len = sizeof(flags);

    if (ngx_agt_digest_of_all(origin->facts, parts, 2) != NGX_OK) {
        return NGX_ERROR;
    }

    /* requests join a call of their own zone, where they find its answer */

    parts[0].data = origin->facts;

    if (zone) {
        parts[1] = *zone;

    } else {
        ngx_str_null(&parts[1]);
    }

    if (ngx_agt_digest_of_all(origin->calls, parts, 2) != NGX_OK) {
        return NGX_ERROR;
    }

    parts[0].data = origin->calls;
    parts[1].data = origin->api->issued;
    parts[1].len = NGX_AGT_DIGEST_LEN;

    return ngx_agt_digest_of_all(origin->issued, parts, 2);
}


/* each part is digested by itself, so that parts cannot run into each other */

static ngx_int_t
ngx_agt_digest_of_all(u_char *out, ngx_str_t *parts, ngx_uint_t n)
{
    u_char      digests[7 * NGX_AGT_DIGEST_LEN];
    ngx_str_t   all;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_agt_digest(digests + i * NGX_AGT_DIGEST_LEN, &parts[i], 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    all.data = digests;
    all.len = n * NGX_AGT_DIGEST_LEN;

    return ngx_agt_digest(out, &all, 1);
}


ngx_int_t
ngx_agt_origins_init(ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t          i, add;
    ngx_agt_api_t     **a;
    ngx_agt_origin_t  **o;

    a = mcf->apis.elts;

    for (add = 0; add < 2; add++) {
        for (i = 0; i < mcf->apis.nelts; i++) {
            a[i]->state = ngx_agt_budget_api(mcf->api.first, a[i]->digest,
                                             mcf->api.cycle, add);
        }
    }

    o = mcf->origins.elts;

    for (i = 0; i < mcf->origins.nelts; i++) {

        if (o[i]->zone) {
            o[i]->number = ngx_agt_zone_origin(o[i]->zone, o[i]->facts);
        }
    }

    return NGX_OK;
}
