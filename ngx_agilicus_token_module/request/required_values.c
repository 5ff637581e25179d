
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/required_values.h"


static const ngx_str_t *ngx_agt_requirements_values(
    ngx_http_request_t *r, const ngx_agt_require_conf_t *require);


const ngx_agt_requirement_t *
ngx_agt_required_values(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *conf, ngx_uint_t *n)
{
    ngx_uint_t                     i;
    ngx_agt_requirement_t         *requirements;
    const ngx_agt_require_conf_t  *require;

    if (conf->required == NULL) {
        *n = 0;
        return NULL;
    }

    *n = conf->required->nelts;
    require = conf->required->elts;

    /* without variables they are the same for every request */

    if (conf->requirements) {
        return conf->requirements;
    }

    requirements = ngx_palloc(r->pool, *n * sizeof(ngx_agt_requirement_t));
    if (requirements == NULL) {
        return NULL;
    }

    for (i = 0; i < *n; i++) {
        requirements[i] = require[i].requirement;

        if (require[i].variable) {
            requirements[i].values =
                ngx_agt_requirements_values(r, &require[i]);

            if (requirements[i].values == NULL) {
                return NULL;
            }
        }
    }

    return requirements;
}


static const ngx_str_t *
ngx_agt_requirements_values(ngx_http_request_t *r,
    const ngx_agt_require_conf_t *require)
{
    ngx_str_t   *values;
    ngx_uint_t   i, n;

    n = require->requirement.nvalues;

    values = ngx_palloc(r->pool, n * sizeof(ngx_str_t));
    if (values == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_complex_value(r, &require->values[i], &values[i])
            != NGX_OK)
        {
            return NULL;
        }
    }

    return values;
}
