
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/directives_requirements.h"
#include "config/checks.h"
#include "config/values.h"


typedef enum {
    NGX_AGT_FORM_FLAG = 0,   /* "on" or "off" */
    NGX_AGT_FORM_AGE,        /* a time */
    NGX_AGT_FORM_WORDS,      /* one or more, which may have variables */
    NGX_AGT_FORM_ANY,        /* words; "any" may stand before them */
    NGX_AGT_FORM_NAMED,      /* a name, and words */
    NGX_AGT_FORM_RESOURCE,   /* a type, an identifier, and words */
    NGX_AGT_FORM_ERROR       /* words; "error=401" may stand behind them */
} ngx_agt_form_e;


/* what is judged: see ngx_agt_requirements_judge_rights() */

typedef enum {
    NGX_AGT_JUDGED_OWN = 0,
    NGX_AGT_JUDGED_RIGHTS
} ngx_agt_judged_e;


typedef struct {
    ngx_agt_form_e         form;
    ngx_agt_judged_e       judged;
    ngx_agt_requirement_t  requirement;  /* without values */
} ngx_agt_require_row_t;


static char *ngx_agt_require_one(ngx_conf_t *cf, ngx_agt_loc_conf_t *lcf,
    ngx_agt_requirement_t *requirement, ngx_agt_form_e form);
static char *ngx_agt_require_any(ngx_conf_t *cf,
    ngx_agt_requirement_t *requirement, ngx_uint_t *first);
static char *ngx_agt_require_error(ngx_conf_t *cf,
    ngx_agt_requirement_t *requirement, ngx_uint_t *last);
static char *ngx_agt_require_values(ngx_conf_t *cf,
    ngx_agt_require_conf_t *require, ngx_str_t *value, ngx_uint_t n);
static ngx_agt_require_conf_t *ngx_agt_require_add(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *lcf, const ngx_agt_requirement_t *requirement);


#define NGX_AGT_REQUIRE_ROW(kind, form, directive, verdict, reason, judged)   \
    { NGX_AGT_FORM_##form, NGX_AGT_JUDGED_##judged,                           \
      { NGX_AGT_REQUIRE_##kind, NGX_AGT_VERDICT_##verdict,                    \
        NGX_AGT_REASON_##reason, 0, 0, NULL, 0, 0 } },

static const ngx_agt_require_row_t  ngx_agt_require_rows[] = {
    NGX_AGT_REQUIREMENTS(NGX_AGT_REQUIRE_ROW)
};


char *
ngx_agt_set_requirement(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_agt_loc_conf_t *lcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    first, last;
    ngx_agt_requirement_t         requirement;
    ngx_agt_require_conf_t       *require;
    const ngx_agt_require_row_t  *row;

    row = &ngx_agt_require_rows[cmd->offset];
    requirement = row->requirement;

    value = cf->args->elts;
    first = 1;
    last = cf->args->nelts;
    rv = NGX_CONF_OK;

    switch (row->form) {

    case NGX_AGT_FORM_FLAG:
    case NGX_AGT_FORM_AGE:
        return ngx_agt_require_one(cf, lcf, &requirement, row->form);

    case NGX_AGT_FORM_ANY:
        rv = ngx_agt_require_any(cf, &requirement, &first);
        break;

    case NGX_AGT_FORM_ERROR:
        rv = ngx_agt_require_error(cf, &requirement, &last);
        break;

    case NGX_AGT_FORM_NAMED:
        if (last == 2) {
            rv = ngx_agt_directive_refuse(cf, "needs an application and at "
                                          "least one of its roles, like "
                                          "\"meters technician\"");
        }

        break;

    case NGX_AGT_FORM_RESOURCE:
        if (last < 4) {
            rv = ngx_agt_directive_refuse(cf, "needs a type, an identifier and "
                                          "at least one role, like "
                                          "\"fileshare plans editor\"");
        }

        break;

    default:
        break;
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    require = ngx_agt_require_add(cf, lcf, &requirement);
    if (require == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_agt_require_values(cf, require, &value[first], last - first);
}


/*
 * A flag, of which "off" takes back what is required around; or an age: the
 * challenge has one, so a level has one.
 */

static char *
ngx_agt_require_one(ngx_conf_t *cf, ngx_agt_loc_conf_t *lcf,
    ngx_agt_requirement_t *requirement, ngx_agt_form_e form)
{
    char        *rv;
    ngx_uint_t   on;

    static const ngx_agt_parameter_t  flag = {
        ngx_string(""), ngx_agt_parameter_word, 0, 0, 0,
        ngx_agt_parameter_flag, "\"on\" or \"off\""
    };

    static const ngx_agt_parameter_t  age = {
        ngx_string(""), ngx_agt_parameter_seconds,
        offsetof(ngx_agt_requirement_t, age), 1, 10 * 365 * 24 * 60 * 60,
        NULL, "a time, like \"15m\" (between 1s and 10y)"
    };

    if (lcf->require[requirement->kind] != NGX_CONF_UNSET_PTR) {
        return ngx_agt_directive_refuse(cf, "is duplicate");
    }

    on = 1;
    rv = (form == NGX_AGT_FORM_FLAG)
         ? ngx_agt_parameters_read(cf, &flag, 1, &on)
         : ngx_agt_parameters_read(cf, &age, 1, requirement);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!on) {
        lcf->require[requirement->kind] = NULL;
        return NGX_CONF_OK;
    }

    return ngx_agt_require_add(cf, lcf, requirement) ? NGX_CONF_OK
                                                     : NGX_CONF_ERROR;
}


static char *
ngx_agt_require_any(ngx_conf_t *cf, ngx_agt_requirement_t *requirement,
    ngx_uint_t *first)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* as one scope, it would be in no token */

        if (ngx_strchr(value[i].data, ',') || ngx_strchr(value[i].data, ' ')) {
            return ngx_agt_parameter_refuse(cf, &value[i],
                                            "one scope: write several with "
                                            "blanks between them, like "
                                            "\"agilicus_token_require_scopes "
                                            "a b\"");
        }

        if (i > 1 && ngx_strcmp(value[i].data, "any") == 0) {
            return ngx_agt_directive_refuse(cf, "takes \"any\" before the "
                                                "first scope only");
        }
    }

    if (ngx_strcmp(value[1].data, "any") != 0) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2) {
        return ngx_agt_directive_refuse(cf, "needs a scope after \"any\"");
    }

    requirement->any = 1;
    *first = 2;

    return NGX_CONF_OK;
}


static char *
ngx_agt_require_error(ngx_conf_t *cf, ngx_agt_requirement_t *requirement,
    ngx_uint_t *last)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < *last; i++) {
        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {
            break;
        }
    }

    if (i == *last) {
        return NGX_CONF_OK;
    }

    /* as a value it would always hold */

    if (i != *last - 1) {
        return ngx_agt_directive_refuse(cf, "takes \"error\" at its end only");
    }

    if (ngx_strcmp(value[i].data, "error=401") == 0) {
        requirement->verdict = NGX_AGT_VERDICT_INVALID;

    } else if (ngx_strcmp(value[i].data, "error=403") != 0) {
        return ngx_agt_parameter_refuse(cf, &value[i],
                                        "\"error=401\" or \"error=403\"");
    }

    if (i == 1) {
        return ngx_agt_directive_refuse(cf, "needs a value");
    }

    *last = i;

    return NGX_CONF_OK;
}


static char *
ngx_agt_require_values(ngx_conf_t *cf, ngx_agt_require_conf_t *require,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_str_t   *constant;
    ngx_uint_t   i;

    require->values = ngx_pcalloc(cf->pool,
                                  n * sizeof(ngx_http_complex_value_t));
    constant = ngx_palloc(cf->pool, n * sizeof(ngx_str_t));

    if (require->values == NULL || constant == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (value[i].len == 0) {
            return ngx_agt_directive_refuse(cf, "has an empty value, which "
                                            "nothing could meet");
        }

        if (ngx_agt_value_compile(cf, &value[i], &require->values[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        constant[i] = require->values[i].value;

        if (require->values[i].lengths) {
            require->variable = 1;
        }
    }

    require->requirement.values = constant;
    require->requirement.nvalues = n;

    return NGX_CONF_OK;
}


static ngx_agt_require_conf_t *
ngx_agt_require_add(ngx_conf_t *cf, ngx_agt_loc_conf_t *lcf,
    const ngx_agt_requirement_t *requirement)
{
    ngx_array_t             **all;
    ngx_agt_require_conf_t   *require;

    all = &lcf->require[requirement->kind];

    if (*all == NGX_CONF_UNSET_PTR) {
        *all = ngx_array_create(cf->pool, 2, sizeof(ngx_agt_require_conf_t));
        if (*all == NULL) {
            return NULL;
        }
    }

    require = ngx_array_push(*all);

    if (require == NULL || ngx_agt_needs_token(cf, lcf) != NGX_OK) {
        return NULL;
    }

    ngx_memzero(require, sizeof(ngx_agt_require_conf_t));

    require->requirement = *requirement;
    require->requirement.position = (*all)->nelts;

    return require;
}


ngx_uint_t
ngx_agt_requirements_have_values(const ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_REQUIRE_KINDS; i++) {
        if (conf->require[i]
            && ngx_agt_require_rows[i].form != NGX_AGT_FORM_FLAG
            && ngx_agt_require_rows[i].form != NGX_AGT_FORM_AGE)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_agt_requirements_judge_rights(const ngx_agt_loc_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_REQUIRE_KINDS; i++) {
        if (conf->require[i]
            && ngx_agt_require_rows[i].judged == NGX_AGT_JUDGED_RIGHTS)
        {
            return 1;
        }
    }

    return 0;
}
