
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/page_cache.h"
#include "config/checks.h"
#include "config/place.h"


#if (NGX_HTTP_CACHE)


/* bytes that hold the configuration of each module that has a cache of pages */
#define NGX_AGT_PAGE_CACHE_ROOM  16384


/* a module with a cache of pages, and its directives "<name>_cache..." */

typedef struct {
    const char  *name;
    const char  *module;
    const char  *no_cache_directive;
    const char  *key_directive;

    ngx_uint_t   index;
    size_t       upstream;  /* offsets in its configuration of a location */
    size_t       key;       /* NGX_AGT_PAGE_CACHE_ROOM: not known */
} ngx_agt_page_cache_t;


static ngx_int_t ngx_agt_page_cache_find(ngx_conf_t *cf,
    ngx_agt_page_cache_t *cache);
static ngx_command_t *ngx_agt_page_cache_command(ngx_module_t *module,
    const char *name);
static size_t ngx_agt_page_cache_key(ngx_conf_t *cf, ngx_command_t *cmd);
static void ngx_agt_page_cache_location(ngx_conf_t *cf,
    const ngx_agt_page_cache_t *cache, const ngx_agt_location_t *location);
static ngx_uint_t ngx_agt_page_cache_is_off(const ngx_array_t *no_cache);
static ngx_uint_t ngx_agt_page_cache_is_apart(const ngx_str_t *text);


static const ngx_agt_page_cache_t  ngx_agt_page_caches[] = {
    { "proxy", "ngx_http_proxy_module",
      "proxy_no_cache", "proxy_cache_key", 0, 0, 0 },
    { "fastcgi", "ngx_http_fastcgi_module",
      "fastcgi_no_cache", "fastcgi_cache_key", 0, 0, 0 },
    { "uwsgi", "ngx_http_uwsgi_module",
      "uwsgi_no_cache", "uwsgi_cache_key", 0, 0, 0 },
    { "scgi", "ngx_http_scgi_module",
      "scgi_no_cache", "scgi_cache_key", 0, 0, 0 }
};


void
ngx_agt_page_cache_check(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t                 i, j;
    ngx_agt_page_cache_t       cache;
    const ngx_agt_location_t  *location;

    location = mcf->enforcing.elts;

    for (i = 0; i < sizeof(ngx_agt_page_caches) / sizeof(cache); i++) {

        cache = ngx_agt_page_caches[i];

        if (ngx_agt_page_cache_find(cf, &cache) != NGX_OK) {
            continue;
        }

        for (j = 0; j < mcf->enforcing.nelts; j++) {
            ngx_agt_page_cache_location(cf, &cache, &location[j]);
        }
    }
}


/*
 * No header declares the configurations of these modules.  Their directives
 * tell where its parts are: the offset of "<name>_no_cache" is that of a member
 * of ngx_http_upstream_conf_t, and the key is where "<name>_cache_key" puts it.
 */

static ngx_int_t
ngx_agt_page_cache_find(ngx_conf_t *cf, ngx_agt_page_cache_t *cache)
{
    ngx_uint_t      i;
    ngx_command_t  *no_cache, *key;

    cache->index = ngx_agt_module_index(cf, cache->module);

    if (cache->index == NGX_CONF_UNSET_UINT) {
        return NGX_DECLINED;
    }

    for (i = 0; ngx_strcmp(cf->cycle->modules[i]->name, cache->module) != 0;
         i++)
    {
        /* void */
    }

    no_cache = ngx_agt_page_cache_command(cf->cycle->modules[i],
                                          cache->no_cache_directive);
    key = ngx_agt_page_cache_command(cf->cycle->modules[i],
                                     cache->key_directive);

    if (no_cache == NULL || key == NULL
        || no_cache->offset < offsetof(ngx_http_upstream_conf_t, no_cache))
    {
        return NGX_DECLINED;
    }

    cache->upstream = no_cache->offset
                      - offsetof(ngx_http_upstream_conf_t, no_cache);
    cache->key = ngx_agt_page_cache_key(cf, key);

    return NGX_OK;
}


static ngx_command_t *
ngx_agt_page_cache_command(ngx_module_t *module, const char *name)
{
    ngx_command_t  *cmd;

    for (cmd = module->commands; cmd && cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, name) == 0) {
            return cmd;
        }
    }

    return NULL;
}


/* sets a key in a configuration that is thrown away, and looks where it is */

static size_t
ngx_agt_page_cache_key(ngx_conf_t *cf, ngx_command_t *cmd)
{
    char         *rv;
    size_t        i;
    u_char       *conf;
    ngx_str_t     words[2];
    ngx_array_t   args, *saved;

    conf = ngx_pcalloc(cf->temp_pool, NGX_AGT_PAGE_CACHE_ROOM);
    if (conf == NULL) {
        return NGX_AGT_PAGE_CACHE_ROOM;
    }

    words[0] = cmd->name;
    ngx_str_set(&words[1], "key");

    ngx_memzero(&args, sizeof(ngx_array_t));

    args.elts = words;
    args.nelts = 2;

    saved = cf->args;
    cf->args = &args;

    rv = cmd->set(cf, cmd, conf);

    cf->args = saved;

    if (rv != NGX_CONF_OK) {
        return NGX_AGT_PAGE_CACHE_ROOM;
    }

    for (i = 0;
         i <= NGX_AGT_PAGE_CACHE_ROOM - sizeof(ngx_str_t);
         i += sizeof(void *))
    {
        if (((ngx_str_t *) (conf + i))->data == words[1].data) {
            return i;
        }
    }

    return NGX_AGT_PAGE_CACHE_ROOM;
}


static void
ngx_agt_page_cache_location(ngx_conf_t *cf, const ngx_agt_page_cache_t *cache,
    const ngx_agt_location_t *location)
{
    u_char                          *conf;
    ngx_agt_place_t                  place;
    const ngx_http_upstream_conf_t  *upstream;

    /* only a location that something answers for has pages to store */

    if (location->core->loc_conf == NULL || location->core->handler == NULL) {
        return;
    }

    conf = location->core->loc_conf[cache->index];
    upstream = (ngx_http_upstream_conf_t *) (conf + cache->upstream);

    if (upstream->cache != 1
        || ngx_agt_page_cache_is_off(upstream->no_cache)
        || (cache->key < NGX_AGT_PAGE_CACHE_ROOM
            && ngx_agt_page_cache_is_apart((ngx_str_t *) (conf + cache->key))))
    {
        return;
    }

    ngx_str_null(&place.name);
    place.file = location->conf->file;
    place.line = location->conf->line;

    ngx_agt_place_warn(cf, &place,
                       "\"%s_cache\" does not look at tokens, and the page of "
                       "one user may be given to another: add "
                       "\"%s_no_cache $agilicus_token_no_cache\" and "
                       "\"%s_cache_bypass $agilicus_token_no_cache\", or "
                       "\"$agilicus_token_sub\" to \"%s_cache_key\"",
                       cache->name, cache->name, cache->name, cache->name);
}


/* whether responses to a token are not stored, as far as can be seen */

static ngx_uint_t
ngx_agt_page_cache_is_off(const ngx_array_t *no_cache)
{
    ngx_uint_t                       i;
    const ngx_http_complex_value_t  *value;

    static char  variable[] = "agilicus_token_no_cache";

    if (no_cache == NULL) {
        return 0;
    }

    value = no_cache->elts;

    for (i = 0; i < no_cache->nelts; i++) {

        if (value[i].lengths == NULL) {

            if (value[i].value.len
                && !(value[i].value.len == 1 && value[i].value.data[0] == '0'))
            {
                return 1;
            }

            continue;
        }

        if (ngx_strnstr(value[i].value.data, variable, value[i].value.len)
            || ngx_agt_page_cache_is_apart(&value[i].value))
        {
            return 1;
        }
    }

    return 0;
}


/* whether the text of a value has a variable that differs between users */

static ngx_uint_t
ngx_agt_page_cache_is_apart(const ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_uint_t   i;

    static ngx_str_t  names[] = {
        ngx_string("agilicus_token_sub"),
        ngx_string("agilicus_token_email"),
        ngx_string("agilicus_token_jti"),
        ngx_string("agilicus_token_session"),
        ngx_string("agilicus_token_fingerprint"),
        ngx_string("agilicus_token_json"),
        ngx_string("agilicus_token_upstream"),
        ngx_string("http_authorization")
    };

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        p += (last - p > 1 && p[1] == '{') ? 2 : 1;

        for (i = 0; i < sizeof(names) / sizeof(ngx_str_t); i++) {
            if ((size_t) (last - p) >= names[i].len
                && ngx_strncasecmp(p, names[i].data, names[i].len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


#else


void
ngx_agt_page_cache_check(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf)
{
    /* void */
}


#endif
