
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/checks.h"
#include "config/directives_cache.h"
#include "config/directives_requirements.h"
#include "config/place.h"
#include "endpoint/hook.h"
#include "endpoint/revoke.h"
#include "endpoint/status.h"
#include "upstream/create.h"
#include "json/hook.h"
#include "token/text.h"


/* the largest body that the hook takes, and one byte more */
#define NGX_AGT_HOOK_BUFFER  (NGX_AGT_JSON_MAX_HOOK + 1)


static ngx_uint_t ngx_agt_has_basic(ngx_conf_t *cf);
static ngx_uint_t ngx_agt_can_identify(ngx_conf_t *cf,
    const ngx_agt_create_conf_t *create);
static ngx_uint_t ngx_agt_is_handler(const ngx_agt_location_t *h);
static ngx_uint_t ngx_agt_returns(const ngx_http_core_loc_conf_t *core,
    ngx_uint_t index);
static ngx_uint_t ngx_agt_tries_files(
    const ngx_http_core_loc_conf_t *core, ngx_uint_t index);


ngx_int_t
ngx_agt_needs_token(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_agt_loc_conf_t  **unenforced;
    ngx_agt_main_conf_t  *mcf;

    if (conf->needs_token.name.len) {
        return NGX_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    unenforced = ngx_array_push(&mcf->unenforced);
    if (unenforced == NULL) {
        return NGX_ERROR;
    }

    *unenforced = conf;

    ngx_agt_place_set(cf, &conf->needs_token);

    return NGX_OK;
}


/*
 * A block that says "on", "optional" or "report" counts as enforced, whatever
 * the blocks inside it say.  The block of http is not merged with another one,
 * so its "enable" may be unset.
 */

ngx_int_t
ngx_agt_check_unenforced(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t            i;
    ngx_agt_loc_conf_t  **conf;

    conf = mcf->unenforced.elts;

    for (i = 0; i < mcf->unenforced.nelts; i++) {

        if (conf[i]->enforced
            || (conf[i]->enable != NGX_CONF_UNSET_UINT
                && conf[i]->enable != NGX_AGT_OFF))
        {
            continue;
        }

        return ngx_agt_place_refuse(cf, &conf[i]->needs_token, 0,
                       "nothing enforces \"%V\": no token is asked for in "
                       "its block or in any block inside it, add "
                       "\"agilicus_token on\"",
                       &conf[i]->needs_token.name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_check_location(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->api_timeout == 0 || conf->api_connect_timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_api_timeout\" and "
                           "\"agilicus_token_api_connect_timeout\" "
                           "must not be 0, write a time, like \"3s\"");
        return NGX_ERROR;
    }

    if (conf->max_size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_max_size\" must not be 0, "
                           "write a size, like \"4k\"");
        return NGX_ERROR;
    }

    if ((conf->api_ssl_certificate.value.len == 0)
        != (conf->api_ssl_certificate_key.value.len == 0))
    {
        return ngx_agt_place_refuse(cf,
                   conf->api_ssl_certificate.value.len
                   ? &conf->api_ssl_certificate.place
                   : &conf->api_ssl_certificate_key.place, 0,
                   "\"agilicus_token_api_ssl_certificate\" and "
                   "\"agilicus_token_api_ssl_certificate_key\" "
                   "must be set together");
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable == NGX_AGT_OPTIONAL
        && clcf->satisfy == NGX_HTTP_SATISFY_ANY)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token optional\" does not go with "
                           "\"satisfy any\": a request without a token would "
                           "satisfy it");
        return NGX_ERROR;
    }

    /* without roles in the answers, no token would be let in */

    if (conf->enable != NGX_AGT_OFF && conf->introspect_options->exclude_roles
        && conf->require[NGX_AGT_REQUIRE_ROLE])
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_introspect_options "
                           "exclude_roles=on\" leaves out the roles that "
                           "\"agilicus_token_require_role\" needs, write "
                           "\"exclude_roles=off\"");
        return NGX_ERROR;
    }

    if (conf->api_keys && conf->enable != NGX_AGT_OFF
        && ngx_agt_has_basic(cf))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_api_keys\" does not go with "
                           "\"auth_basic\" in one location: both read "
                           "\"Authorization: Basic\", write \"auth_basic "
                           "off\"");
        return NGX_ERROR;
    }

    if (conf->enable == NGX_AGT_REPORT) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"agilicus_token report\" refuses nothing");
    }

    if (!conf->api_ssl_verify) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"agilicus_token_api_ssl_verify off\" lets anybody "
                           "on the way answer for the Tokens API \"%V\"",
                           &conf->api_url.value);
    }

    return NGX_OK;
}


/* a realm with variables may be any */

static ngx_uint_t
ngx_agt_has_basic(ngx_conf_t *cf)
{
    ngx_str_t                    realm;
    ngx_uint_t                   index;
    ngx_http_conf_ctx_t         *ctx;
    const ngx_agt_basic_conf_t  *basic;

    index = ngx_agt_module_index(cf, "ngx_http_auth_basic_module");

    if (index == NGX_CONF_UNSET_UINT) {
        return 0;
    }

    ctx = cf->ctx;
    basic = ctx->loc_conf[index];

    if (basic == NULL || basic->realm == NULL) {
        return 0;
    }

    realm = basic->realm->value;

    return basic->realm->lengths
           || realm.len != 3 || ngx_strncmp(realm.data, "off", 3) != 0;
}


ngx_int_t
ngx_agt_check_exchange(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->enable == NGX_AGT_OFF
        || (conf->reissue == NULL && conf->create == NULL))
    {
        return NGX_OK;
    }

    if (conf->enable == NGX_AGT_OPTIONAL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token optional\" lets requests without "
                           "a token in, so it does not go with "
                           "\"agilicus_token_%s\", write "
                           "\"agilicus_token on\"",
                           conf->create ? "create" : "reissue");
        return NGX_ERROR;
    }

    if (conf->enable == NGX_AGT_REPORT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token report\" refuses nothing, so it "
                           "does not go with \"agilicus_token_%s\", write "
                           "\"agilicus_token on\"",
                           conf->create ? "create" : "reissue");
        return NGX_ERROR;
    }

    if (conf->create == NULL) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create\" does not go with "
                           "\"satisfy any\": it could let in a client that "
                           "was not identified");
        return NGX_ERROR;
    }

    if (conf->api_credential.value.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create\" needs "
                           "\"agilicus_token_api_credential\", a file with the "
                           "token of the edge itself");
        return NGX_ERROR;
    }

    if (!ngx_agt_can_identify(cf, conf->create)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"agilicus_token_create identity=access\" needs "
                           "\"auth_basic\" or \"auth_request\" in the same "
                           "location");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Whether the location has a directive that identifies the caller.  With
 * "identity=access" it is auth_basic or auth_request in the same location.
 * auth_basic without a file of users identifies no caller.
 */

static ngx_uint_t
ngx_agt_can_identify(ngx_conf_t *cf,
    const ngx_agt_create_conf_t *create)
{
    void                       **loc_conf;
    ngx_str_t                   *uri;
    ngx_http_conf_ctx_t         *ctx;
    const ngx_agt_basic_conf_t  *basic;

    if (create->identity == NGX_AGT_CREATE_SSL) {
        return 1;
    }

    ctx = cf->ctx;
    loc_conf = ctx->loc_conf;

    if (create->request_index != NGX_CONF_UNSET_UINT) {
        uri = loc_conf[create->request_index];

        if (uri && uri->len) {
            return 1;
        }
    }

    if (create->basic_index == NGX_CONF_UNSET_UINT) {
        return 0;
    }

    basic = loc_conf[create->basic_index];

    return basic && basic->realm && basic->user_file;
}


/* a client that can reach a hook can lock users out */

ngx_int_t
ngx_agt_check_hook(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (!conf->hook && !conf->purge) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a body in a file would not be read */

    if (conf->hook && clcf->client_body_buffer_size < NGX_AGT_HOOK_BUFFER)
    {
        clcf->client_body_buffer_size = NGX_AGT_HOOK_BUFFER;
    }

    if (conf->trusted
        || (conf->enable == NGX_AGT_ON
            && (ngx_agt_requirements_have_values(conf) || conf->rules)
            && clcf->satisfy == NGX_HTTP_SATISFY_ALL))
    {
        return NGX_OK;
    }

    return ngx_agt_place_refuse(cf, &conf->handler, 0,
                   "\"agilicus_token_%s\" needs "
                   "\"agilicus_token on\" with a requirement such as "
                   "\"agilicus_token_require_scopes\" and without "
                   "\"satisfy any\", or the parameter \"trusted\" if it "
                   "is protected by other means",
                   conf->hook ? "revocation_hook" : "status purge");
}


ngx_int_t
ngx_agt_refuse_handler(ngx_conf_t *cf,
    const ngx_agt_place_t *place, const char *other)
{
    return ngx_agt_place_refuse(cf, place, 0,
                   "\"%V\" answers by itself, so it does not go with %s: "
                   "give it a location of its own", &place->name, other);
}


ngx_int_t
ngx_agt_check_handlers(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t           i, rewrite, try_files;
    const char          *other;
    ngx_agt_location_t  *h;

    rewrite = ngx_agt_module_index(cf, "ngx_http_rewrite_module");
    try_files = ngx_agt_module_index(cf, "ngx_http_try_files_module");
    h = mcf->handlers.elts;

    for (i = 0; i < mcf->handlers.nelts; i++) {

        if (!ngx_agt_is_handler(&h[i])) {
            other = NGX_AGT_OTHER_HANDLER;

        } else if (ngx_agt_returns(h[i].core, rewrite)) {
            other = "\"return\"";

        } else if (ngx_agt_tries_files(h[i].core, try_files)) {
            other = "\"try_files\"";

        } else {
            continue;
        }

        return ngx_agt_refuse_handler(cf, &h[i].conf->handler, other);
    }

    return NGX_OK;
}


/*
 * Whether our handler is the one that answers: nginx keeps the handler that was
 * set last.  An "if" has no handler of its own and takes the location's.
 */

static ngx_uint_t
ngx_agt_is_handler(const ngx_agt_location_t *h)
{
    ngx_http_handler_pt        handler;
    const ngx_agt_loc_conf_t  *conf;

    conf = h->conf;
    handler = h->core->handler;

    if (handler == NULL) {
        return h->core->noname;
    }

    return handler == (conf->revoke ? ngx_agt_revoke_handler
                       : conf->hook ? ngx_agt_hook_handler
                       : ngx_agt_status_handler);
}


/*
 * Whether a "return" answers each request to the location before any handler
 * runs.  A "return" in an "if" answers some requests only, and does not count.
 * No header declares the configuration of the rewrite module: its first member
 * is the array of codes.  Each code begins with the address of its function and
 * is made of whole words.
 */

static ngx_uint_t
ngx_agt_returns(const ngx_http_core_loc_conf_t *core, ngx_uint_t index)
{
    size_t                      i;
    u_char                     *codes;
    ngx_array_t               **array;
    ngx_http_script_code_pt     code;
    ngx_http_script_if_code_t  *condition;

    /* the codes of an "if" are the location's */

    if (index == NGX_CONF_UNSET_UINT || core->noname) {
        return 0;
    }

    array = core->loc_conf[index];

    if (*array == NULL) {
        return 0;
    }

    codes = (*array)->elts;

    for (i = 0;
         i + sizeof(ngx_http_script_if_code_t) <= (*array)->nelts;
         i += sizeof(uintptr_t))
    {
        code = *(ngx_http_script_code_pt *) (codes + i);

        if (code == ngx_http_script_return_code) {
            return 1;
        }

        if (code == ngx_http_script_if_code) {
            condition = (ngx_http_script_if_code_t *) (codes + i);
            i += condition->next - sizeof(uintptr_t);
        }
    }

    return 0;
}


void
ngx_agt_check_returns(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t                 i, rewrite;
    ngx_agt_place_t            place;
    const ngx_agt_location_t  *location;

    rewrite = ngx_agt_module_index(cf, "ngx_http_rewrite_module");
    location = mcf->enforcing.elts;

    for (i = 0; i < mcf->enforcing.nelts; i++) {

        if (!location[i].own || location[i].core->loc_conf == NULL
            || !ngx_agt_returns(location[i].core, rewrite))
        {
            continue;
        }

        ngx_str_null(&place.name);
        place.file = location[i].conf->file;
        place.line = location[i].conf->line;

        ngx_agt_place_warn(cf, &place,
                           "\"return\" answers before \"agilicus_token\" "
                           "asks for a token: nothing protects this location, "
                           "move \"return\" to a named location and write "
                           "\"try_files /nonexistent @name\"");
    }
}


/*
 * Whether "try_files" leads to another location before any handler runs.  The
 * first member of its configuration is a pointer.
 */

static ngx_uint_t
ngx_agt_tries_files(const ngx_http_core_loc_conf_t *core, ngx_uint_t index)
{
    void  **try_files;

    if (index == NGX_CONF_UNSET_UINT) {
        return 0;
    }

    try_files = core->loc_conf[index];

    return *try_files != NULL;
}


ngx_int_t
ngx_agt_check_limits(ngx_conf_t *cf)
{
    ngx_uint_t   i, passed;
    const char  *name;

    passed = 0;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (cf->cycle->modules[i] == &ngx_agilicus_token_module) {
            passed = 1;
        }

        name = cf->cycle->modules[i]->name;

        if (passed && (ngx_strcmp(name, "ngx_http_limit_req_module") == 0
                       || ngx_strcmp(name, "ngx_http_limit_conn_module") == 0))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"agilicus_token_phase preaccess\" needs \"%s\" "
                          "to be loaded before this module", name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_check_feed(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_agt_loc_conf_t  *http;

    http = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    if (http->api_credential.value.len) {
        return NGX_OK;
    }

    return ngx_agt_place_refuse(cf, &mcf->feed_place, 0,
                   "\"agilicus_token_revocation_feed\" needs "
                   "\"agilicus_token_api_credential\" in http, for the list "
                   "of tokens is not for everybody");
}


ngx_int_t
ngx_agt_check_zones(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf)
{
    ngx_str_t            name;
    ngx_uint_t           i;
    ngx_agt_zone_use_t  *use;

    ngx_str_set(&name, "agilicus");

    use = mcf->zone_uses.elts;

    for (i = 0; i < mcf->zone_uses.nelts; i++) {

        if (use[i].zone->init) {
            continue;
        }

        if (ngx_agt_text_equal(&use[i].zone->shm.name, &name)) {
            if (ngx_agt_default_zone(cf) == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        return ngx_agt_place_refuse(cf, &use[i].place, 0,
                       "zone \"%V\" is not defined, add "
                       "\"agilicus_token_zone %V:10m;\" to http",
                       &use[i].zone->shm.name, &use[i].zone->shm.name);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_agt_module_index(ngx_conf_t *cf, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (cf->cycle->modules[i]->type == NGX_HTTP_MODULE
            && ngx_strcmp(cf->cycle->modules[i]->name, name) == 0)
        {
            return cf->cycle->modules[i]->ctx_index;
        }
    }

    return NGX_CONF_UNSET_UINT;
}
