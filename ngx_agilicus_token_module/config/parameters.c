
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/parameters.h"


static ngx_uint_t ngx_agt_parameter_find(const ngx_agt_parameter_t *parameters,
    ngx_uint_t n, ngx_uint_t first, const ngx_str_t *value);
static char *ngx_agt_parameter_unknown(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n,
    const ngx_str_t *value);
static ngx_int_t ngx_agt_parameter_check(const ngx_agt_parameter_t *parameter,
    int64_t value);


const ngx_conf_enum_t  ngx_agt_parameter_flag[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


char *
ngx_agt_parameters_read(ngx_conf_t *cf, const ngx_agt_parameter_t *parameters,
    ngx_uint_t n, void *base)
{
    u_char                     *fields = base;

    ngx_str_t                  *value, text;
    ngx_uint_t                  i, j, seen;
    const ngx_agt_parameter_t  *p;

    seen = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        j = ngx_agt_parameter_find(parameters, n, i == 1, &value[i]);

        if (j == n) {
            return ngx_agt_parameter_unknown(cf, parameters, n, &value[i]);
        }

        if (seen & (ngx_uint_t) 1 << j) {
            return ngx_agt_parameter_repeated(cf, &value[i]);
        }

        seen |= (ngx_uint_t) 1 << j;

        p = &parameters[j];

        text.data = value[i].data + p->name.len;
        text.len = value[i].len - p->name.len;

        if (p->read(cf, p, &text, fields + p->offset) != NGX_OK) {
            return ngx_agt_parameter_refuse(cf, &value[i], p->form);
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_agt_parameter_find(const ngx_agt_parameter_t *parameters, ngx_uint_t n,
    ngx_uint_t first, const ngx_str_t *value)
{
    ngx_uint_t        i;
    const ngx_str_t  *name;

    for (i = 0; i < n; i++) {
        name = &parameters[i].name;

        if (name->len == 0) {

            if (first) {
                return i;
            }

            continue;
        }

        if (value->len >= name->len
            && (value->len == name->len || name->data[name->len - 1] == '=')
            && ngx_strncmp(value->data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return n;
}


/* the message has the forms of all parameters with a name */

static char *
ngx_agt_parameter_unknown(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n,
    const ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_uint_t   i;
    u_char       forms[NGX_MAX_CONF_ERRSTR];

    p = forms;
    last = forms + sizeof(forms) - 1;

    for (i = 0; i < n; i++) {

        if (parameters[i].name.len) {
            p = ngx_slprintf(p, last, "%s%s", p == forms ? "" : " or ",
                             parameters[i].form);
        }
    }

    *p = '\0';

    return ngx_agt_parameter_refuse(cf, value, (char *) forms);
}


ngx_int_t
ngx_agt_parameters_off(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "off") != 0) {
        return NGX_DECLINED;
    }

    if (cf->args->nelts == 2) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive, nothing "
                       "goes with \"off\"", &value[2], &value[0]);

    return NGX_ERROR;
}


char *
ngx_agt_parameters_once(ngx_conf_t *cf, ngx_uint_t *given,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n, void *base)
{
    if (*given) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    *given = NGX_AGT_GIVEN;

    return ngx_agt_parameters_read(cf, parameters, n, base);
}


char *
ngx_agt_parameters_or_off(ngx_conf_t *cf, ngx_uint_t *given,
    const ngx_agt_parameter_t *parameters, ngx_uint_t n, void *base)
{
    ngx_int_t  rc;

    rc = *given ? NGX_DECLINED : ngx_agt_parameters_off(cf);

    if (rc == NGX_DECLINED) {
        return ngx_agt_parameters_once(cf, given, parameters, n, base);
    }

    *given = NGX_AGT_GIVEN_OFF;

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_agt_parameter_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                          *p = conf;

    static const ngx_int_t  unset = NGX_CONF_UNSET;

    /* whatever the type of the field, it has this many bits and all are set */

    if (ngx_memcmp(p + cmd->offset, &unset, sizeof(ngx_int_t)) != 0) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    return ngx_agt_parameters_read(cf, cmd->post, 1, p + cmd->offset);
}


char *
ngx_agt_parameter_refuse(ngx_conf_t *cf, const ngx_str_t *parameter,
    const char *form)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive, it must "
                       "be %s", parameter, directive, form);

    return NGX_CONF_ERROR;
}


char *
ngx_agt_parameter_repeated(ngx_conf_t *cf, const ngx_str_t *parameter)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "duplicate parameter \"%V\" in \"%V\" directive",
                       parameter, directive);

    return NGX_CONF_ERROR;
}


char *
ngx_agt_directive_refuse(ngx_conf_t *cf, const char *why)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" directive %s", directive, why);

    return NGX_CONF_ERROR;
}


/* a text that is no number gives NGX_ERROR, which is below all bounds */

static ngx_int_t
ngx_agt_parameter_check(const ngx_agt_parameter_t *parameter, int64_t value)
{
    return (value < parameter->low || value > parameter->high) ? NGX_ERROR
                                                               : NGX_OK;
}


ngx_int_t
ngx_agt_parameter_time(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_msec_t  *ms = field;

    *ms = (ngx_msec_t) ngx_parse_time(text, 0);

    return ngx_agt_parameter_check(parameter, (ngx_msec_int_t) *ms);
}


ngx_int_t
ngx_agt_parameter_time_or_off(ngx_conf_t *cf,
    const ngx_agt_parameter_t *parameter, ngx_str_t *text, void *field)
{
    ngx_msec_t  *ms = field;

    if (text->len == 3 && ngx_strncmp(text->data, "off", 3) == 0) {
        *ms = 0;
        return NGX_OK;
    }

    return ngx_agt_parameter_time(cf, parameter, text, field);
}


ngx_int_t
ngx_agt_parameter_seconds(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    time_t  *sec = field;

    *sec = (time_t) ngx_parse_time(text, 1);

    return ngx_agt_parameter_check(parameter, *sec);
}


ngx_int_t
ngx_agt_parameter_size(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    size_t  *size = field;

    *size = (size_t) ngx_parse_size(text);

    return ngx_agt_parameter_check(parameter, (ssize_t) *size);
}


ngx_int_t
ngx_agt_parameter_number(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_uint_t  *n = field;

    *n = (ngx_uint_t) ngx_atoi(text->data, text->len);

    return ngx_agt_parameter_check(parameter, (ngx_int_t) *n);
}


/* "30r/s", or "30r/m", which may be less than one a second */

ngx_int_t
ngx_agt_parameter_rate(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    uint64_t  *rate = field;

    size_t     len;
    u_char    *unit;
    ngx_int_t  n;

    if (text->len < sizeof("r/s") - 1) {
        return NGX_ERROR;
    }

    len = text->len - (sizeof("r/s") - 1);
    unit = text->data + len;

    if (ngx_strncmp(unit, "r/s", 3) != 0 && ngx_strncmp(unit, "r/m", 3) != 0) {
        return NGX_ERROR;
    }

    n = ngx_atoi(text->data, len);

    *rate = ngx_max((uint64_t) n * 1000 / (unit[2] == 'm' ? 60 : 1), 1);

    return ngx_agt_parameter_check(parameter, n);
}


ngx_int_t
ngx_agt_parameter_word(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_uint_t  *word = field;

    const ngx_conf_enum_t  *e;

    for (e = parameter->words; e->name.len; e++) {
        if (e->name.len == text->len
            && ngx_strncasecmp(e->name.data, text->data, text->len) == 0)
        {
            *word = e->value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_agt_parameter_given(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_uint_t  *given = field;

    *given = 1;

    return NGX_OK;
}
