
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/early.h"
#include "token/text.h"


/*
 * nginx keeps the value of a variable for the whole request, also over internal
 * redirects and into subrequests.  A value that was made of a token variable is
 * right only until the next look-up, so nginx is told not to keep it.  To this
 * end, the module calls the getters of all variables that a configuration
 * defines ("map", "geo", "split_clients", ...) through a getter of its own,
 * which notices whether a token variable was read meanwhile.
 *
 * Values that "set", "auth_request_set" and named captures assign cannot be
 * made again.  From the first read of a token variable on, the module notices
 * which of them change, so that no requirement trusts them.
 */

typedef struct {
    ngx_http_get_variable_pt           get_handler;
    uintptr_t                          data;
    ngx_uint_t                         index;
    ngx_uint_t                         slot;
} ngx_agt_made_t;


static ngx_int_t ngx_agt_wrap(ngx_conf_t *cf,
    ngx_http_variable_t *v, ngx_http_get_variable_pt handler);
static ngx_int_t ngx_agt_made_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_user_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_agt_list_varies(const ngx_array_t *values);


/* reads of token variables in this worker */
static ngx_uint_t   ngx_agt_reads;

/* the connection of a request for which there was no memory to note reads */
static ngx_atomic_uint_t  ngx_agt_early_lost;

/* a byte for each location: 1 if its warning has been logged */
static u_char      *ngx_agt_early_said;


ngx_int_t
ngx_agt_early_wrap(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  user = ngx_string("remote_user");

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        v = key[i].value;

        if (v->get_handler == NULL) {
            continue;
        }

        /* nginx passes the data of a variable to its "set_handler" as well */

        if ((v->flags & NGX_HTTP_VAR_CHANGEABLE) && v->set_handler == NULL
            && ngx_agt_wrap(cf, v, ngx_agt_made_variable)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if ((mcf->names || mcf->query || mcf->changes)
            && ngx_agt_text_equal(&key[i].key, &user)
            && ngx_agt_wrap(cf, v, ngx_agt_user_variable)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_wrap(ngx_conf_t *cf, ngx_http_variable_t *v,
    ngx_http_get_variable_pt handler)
{
    ngx_agt_made_t  *made;

    made = ngx_palloc(cf->pool, sizeof(ngx_agt_made_t));
    if (made == NULL) {
        return NGX_ERROR;
    }

    made->get_handler = v->get_handler;
    made->data = v->data;
    made->index = NGX_CONF_UNSET_UINT;
    made->slot = 0;

    v->get_handler = handler;
    v->data = (uintptr_t) made;

    return NGX_OK;
}


ngx_int_t
ngx_agt_early_init(ngx_cycle_t *cycle, ngx_agt_main_conf_t *mcf)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_agt_made_t             *made;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    if (cmcf == NULL
        || ngx_array_init(&mcf->assigned, cycle->pool, 16, sizeof(ngx_uint_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].get_handler != ngx_agt_made_variable) {
            continue;
        }

        index = ngx_array_push(&mcf->assigned);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = i;

        made = (ngx_agt_made_t *) v[i].data;

        made->index = i;
        made->slot = mcf->assigned.nelts - 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_early_worker(const ngx_agt_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_agt_early_said = ngx_calloc(mcf->locations + 1, log);

    return ngx_agt_early_said ? NGX_OK : NGX_ERROR;
}


void
ngx_agt_early_exit(void)
{
    if (ngx_agt_early_said) {
        ngx_free(ngx_agt_early_said);
        ngx_agt_early_said = NULL;
    }
}


void
ngx_agt_early_location(ngx_agt_main_conf_t *mcf, ngx_agt_loc_conf_t *conf)
{
    ngx_agt_create_conf_t  *create;

    conf->location = mcf->locations++;

    conf->varies = (conf->required && conf->requirements == NULL)
                   || (conf->rules && conf->rules_host
                       && conf->rules_host->lengths)
                   || (conf->reissue && conf->reissue->lengths);

    if (conf->create) {
        mcf->names = 1;
        create = conf->create;
        create->varies = create->sub->lengths || create->org->lengths
                         || ngx_agt_list_varies(create->audiences)
                         || ngx_agt_list_varies(create->scopes)
                         || ngx_agt_list_varies(create->roles);
    }

    if (conf->varies || conf->create) {
        mcf->notices = 1;
    }
}


static ngx_uint_t
ngx_agt_list_varies(const ngx_array_t *values)
{
    ngx_uint_t                       i;
    const ngx_http_complex_value_t  *value;

    if (values == NULL) {
        return 0;
    }

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (value[i].lengths) {
            return 1;
        }
    }

    return 0;
}


/*
 * A clone of a subrequest runs in the content phase of its parent and has no
 * context of its own; nor has a finished request.  Neither reads too early.
 */

ngx_uint_t
ngx_agt_early_check(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_uint_t                  enforced, content;
    ngx_agt_client_t           *client;
    ngx_http_core_main_conf_t  *cmcf;
    const ngx_agt_loc_conf_t   *lcf;
    const ngx_agt_main_conf_t  *mcf;

    ngx_agt_reads++;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    content = 1;

    if (ngx_http_get_module_ctx(r, ngx_agilicus_token_module) == NULL) {
        cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

        content = (cmcf->phase_engine.handlers[r->phase_handler].checker
                   == ngx_http_core_content_phase);
    }

    if (content && !mcf->notices) {
        return 0;
    }

    enforced = (lcf->enable != NGX_AGT_OFF);

    client = ngx_agt_early_read(r, NGX_AGT_EARLY_TOKEN);

    if (client && !content && client->early_name == NULL
        && (enforced || client->last == NULL))
    {
        client->early_name = name;
        client->early = 1;
    }

    return enforced && !content;
}


void
ngx_agt_early_depends(void)
{
    ngx_agt_reads++;
}


ngx_agt_client_t *
ngx_agt_early_read(ngx_http_request_t *r, ngx_uint_t kind)
{
    ngx_uint_t                  i, n, *index;
    ngx_agt_client_t           *client;
    const ngx_agt_main_conf_t  *mcf;

    client = ngx_agt_client_get(r);

    if (client == NULL) {
        ngx_agt_early_lost = r->connection->number;
        return NULL;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    if (!mcf->notices) {
        return client;
    }

    if (client->early_reads == 0) {
        index = mcf->assigned.elts;
        n = mcf->assigned.nelts;

        client->early = 1;

        /*
         * The memory of the last watch is not used again: an empty value may
         * point to the end of the pool, and a value that is assigned later must
         * not point there, too.
         */

        client->early_values = ngx_palloc(r->pool,
                                    n * sizeof(ngx_http_variable_value_t) + 1);

        for (i = 0; client->early_values && i < n; i++) {
            client->early_values[i] = r->variables[index[i]];
        }
    }

    client->early_reads |= kind;

    return client;
}


void
ngx_agt_early_close(ngx_http_request_t *r, ngx_agt_client_t *client)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_value_t  *v, *was;
    const ngx_agt_main_conf_t  *mcf;

    if (client->early_reads == 0) {
        return;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    index = mcf->assigned.elts;

    for (i = 0; i < mcf->assigned.nelts; i++) {

        if (client->early_values == NULL) {
            client->assigned |= client->early_reads;
            break;
        }

        v = &r->variables[index[i]];
        was = &client->early_values[i];

        if (v->valid
            && (!was->valid || was->len != v->len || was->data != v->data))
        {
            client->assigned |= client->early_reads;
            break;
        }
    }

    client->early_reads = 0;
}


void
ngx_agt_early_end(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_early_close(r, client);

    if (client->early_name) {
        ngx_agt_early_warn(r, lcf, client->early_name);
    }

    client->early_name = NULL;
    client->early = 0;
}


void
ngx_agt_early_warn(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, const ngx_str_t *name)
{
    if (ngx_agt_early_said == NULL || ngx_agt_early_said[lcf->location])
    {
        return;
    }

    ngx_agt_early_said[lcf->location] = 1;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "agilicus token: \"$%V\" was read before the token was "
                  "looked up, and was empty: %suse a \"map\", which is made "
                  "again, in place of \"set\" and \"if\"", name,
                  lcf->phase == NGX_AGT_PHASE_PREACCESS ? ""
                  : "limit_req and limit_conn do not limit an empty key, use "
                    "\"agilicus_token_phase preaccess\" for them; ");
}


ngx_uint_t
ngx_agt_early_is_lost(ngx_http_request_t *r)
{
    return ngx_agt_early_lost == r->connection->number;
}


static ngx_int_t
ngx_agt_made_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_made_t *made = (ngx_agt_made_t *) data;

    ngx_int_t                   rc;
    ngx_uint_t                  reads;
    ngx_agt_client_t           *client;
    const ngx_agt_main_conf_t  *mcf;

    reads = ngx_agt_reads;

    rc = made->get_handler(r, v, made->data);

    if (reads != ngx_agt_reads) {
        v->no_cacheable = 1;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    if (mcf->notices && made->index != NGX_CONF_UNSET_UINT
        && v == &r->variables[made->index])
    {
        client = ngx_agt_client_find(r);

        if (client && client->early_reads && client->early_values) {

            /* the value was made by a getter, and not assigned */

            client->early_values[made->slot] = *v;
        }
    }

    return rc;
}


/*
 * $remote_user holds an unverified name until auth_basic has checked it, and
 * its header may be restored after an internal redirect.
 */

static ngx_int_t
ngx_agt_user_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_made_t *made = (ngx_agt_made_t *) data;

    ngx_int_t          rc;
    ngx_agt_client_t  *client;

    ngx_agt_reads++;

    rc = made->get_handler(r, v, made->data);

    v->no_cacheable = 1;

    client = ngx_agt_early_read(r, NGX_AGT_EARLY_USER);

    if (client) {
        client->user_read = 1;
    }

    return rc;
}
