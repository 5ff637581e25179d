
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_upstream.h"
#include "config/checks.h"
#include "config/values.h"
#include "upstream/identity.h"
#include "token/text.h"


static ngx_int_t ngx_agt_parameter_prefix(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);
static ngx_int_t ngx_agt_parameter_fields(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field);


char *
ngx_agt_check_forward(ngx_conf_t *cf, void *post, void *data)
{
    ngx_flag_t *forward = data;

    ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_agilicus_token_module);

    if (!*forward && ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_agt_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_int_t                 rc;
    ngx_str_t                *prefix;
    ngx_agt_main_conf_t      *mcf;
    ngx_agt_identity_conf_t  *identity;

    static const ngx_conf_enum_t  encodings[] = {
        { ngx_string("none"), 0 },
        { ngx_string("percent"), 1 },
        { ngx_null_string, 0 }
    };

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_null_string, ngx_agt_parameter_prefix,
          offsetof(ngx_agt_identity_conf_t, prefix), 0, 0, NULL,
          "\"on\", \"off\", or a prefix of three characters at least, which "
          "are letters, digits and \"-\"" },

        { ngx_string("fields="), ngx_agt_parameter_fields,
          offsetof(ngx_agt_identity_conf_t, fields), 0, 0, NULL,
          "like \"fields=sub,org\" (some of sub, email, org, scopes, jti, "
          "roles, root_org, session, aud and exp, each once)" },

        { ngx_string("encoding="), ngx_agt_parameter_word,
          offsetof(ngx_agt_identity_conf_t, percent), 0, 0, encodings,
          "\"encoding=none\" or \"encoding=percent\"" }
    };

    if (lcf->identity != NGX_CONF_UNSET_PTR) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    lcf->identity = NULL;

    rc = ngx_agt_parameters_off(cf);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    identity = ngx_pcalloc(cf->pool, sizeof(ngx_agt_identity_conf_t));
    if (identity == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->identity = identity;

    if (ngx_agt_parameters_read(cf, parameters, 3, identity) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (identity->fields == 0) {
        identity->fields = NGX_AGT_IDENTITY_FIELDS;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_agilicus_token_module);

    prefix = ngx_array_push(&mcf->identity);

    if (prefix == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *prefix = identity->prefix;

    return NGX_CONF_OK;
}


/* "on" or a prefix; the field is an ngx_str_t with one "-" at its end */

static ngx_int_t
ngx_agt_parameter_prefix(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_str_t *prefix = field;

    size_t  i, len;
    u_char  ch;

    if (ngx_strcmp(text->data, "on") == 0) {
        ngx_str_set(prefix, "X-Agilicus-");
        return NGX_OK;
    }

    len = text->len;

    while (len && text->data[len - 1] == '-') {
        len--;
    }

    if (len < 3) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        ch = text->data[i];

        if (!ngx_agt_text_is_alnum(ch) && ch != '-') {
            return NGX_ERROR;
        }
    }

    prefix->data = ngx_pnalloc(cf->pool, len + 1);
    if (prefix->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(prefix->data, text->data, len);
    prefix->data[len] = '-';
    prefix->len = len + 1;

    return NGX_OK;
}


/* names with commas between them; the field is an ngx_uint_t of their bits */

static ngx_int_t
ngx_agt_parameter_fields(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_uint_t *fields = field;

    ngx_str_t   rest, name;
    ngx_uint_t  bit;

    rest = *text;

    while (ngx_agt_text_piece(&rest, ',', &name)) {
        bit = ngx_agt_identity_field(&name);

        if (bit == 0 || (*fields & bit)) {
            return NGX_ERROR;
        }

        *fields |= bit;
    }

    return NGX_OK;
}


char *
ngx_agt_set_reissue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    if (ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_agt_parameter_set(cf, cmd, conf);
}


char *
ngx_agt_set_create(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    ngx_agt_create_conf_t  *create;

    static const ngx_conf_enum_t  identity[] = {
        { ngx_string("ssl"), NGX_AGT_CREATE_SSL },
        { ngx_string("access"), NGX_AGT_CREATE_ACCESS },
        { ngx_null_string, 0 }
    };

    static const ngx_agt_parameter_t  parameters[] = {
        { ngx_string("identity="), ngx_agt_parameter_word,
          offsetof(ngx_agt_create_conf_t, identity), 0, 0, identity,
          "\"identity=ssl\" or \"identity=access\"" },

        { ngx_string("sub="), ngx_agt_parameter_value,
          offsetof(ngx_agt_create_conf_t, sub), 0, 0, NULL,
          "like \"sub=$remote_user\"" },

        { ngx_string("org="), ngx_agt_parameter_value,
          offsetof(ngx_agt_create_conf_t, org), 0, 0, NULL,
          "like \"org=riverton\"" },

        { ngx_string("audiences="), ngx_agt_parameter_list,
          offsetof(ngx_agt_create_conf_t, audiences), 0, 0, NULL,
          "like \"audiences=a,b\"" },

        { ngx_string("scopes="), ngx_agt_parameter_list,
          offsetof(ngx_agt_create_conf_t, scopes), 0, 0, NULL,
          "like \"scopes=a,b\"" },

        { ngx_string("roles="), ngx_agt_parameter_pairs,
          offsetof(ngx_agt_create_conf_t, roles), 0, 0, NULL,
          "like \"roles=application:role,application:role\"" },

        { ngx_string("duration="), ngx_agt_parameter_seconds,
          offsetof(ngx_agt_create_conf_t, duration), 1,
          NGX_MAX_INT_T_VALUE, NULL,
          "like \"duration=1h\" (1s at least)" }
    };

    static ngx_str_t  verify = ngx_string("ssl_client_verify");
    static ngx_str_t  user = ngx_string("remote_user");

    if (lcf->create != NGX_CONF_UNSET_PTR) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    create = ngx_pcalloc(cf->pool, sizeof(ngx_agt_create_conf_t));

    if (create == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->create = create;
    create->duration = 3600;
    create->verify_index = NGX_ERROR;

    if (ngx_agt_parameters_read(cf, parameters, 7, create) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (create->identity == 0 || create->sub == NULL || create->org == NULL
        || create->audiences == NULL)
    {
        return ngx_agt_directive_refuse(cf, "needs \"identity\", \"sub\", "
                                        "\"org\" and \"audiences\", like "
                                        "\"identity=ssl sub=$ssl_client_s_dn "
                                        "org=riverton audiences=billing\"");
    }

    if (create->identity == NGX_AGT_CREATE_SSL) {
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
