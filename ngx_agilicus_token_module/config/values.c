
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/values.h"
#include "token/text.h"


static ngx_int_t ngx_agt_value_split(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t pairs, ngx_array_t **list);
static ngx_int_t ngx_agt_value_add(ngx_conf_t *cf, ngx_array_t *list,
    u_char *p, u_char *end);


ngx_int_t
ngx_agt_value_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;

    return ngx_http_compile_complex_value(&ccv);
}


ngx_int_t
ngx_agt_parameter_value(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    ngx_http_complex_value_t  **value = field;

    if (text->len == 0) {
        return NGX_ERROR;
    }

    *value = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_ERROR;
    }

    return ngx_agt_value_compile(cf, text, *value);
}


ngx_int_t
ngx_agt_parameter_list(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    return ngx_agt_value_split(cf, text, 0, field);
}


ngx_int_t
ngx_agt_parameter_pairs(ngx_conf_t *cf, const ngx_agt_parameter_t *parameter,
    ngx_str_t *text, void *field)
{
    return ngx_agt_value_split(cf, text, 1, field);
}


static ngx_int_t
ngx_agt_value_split(ngx_conf_t *cf, ngx_str_t *text, ngx_uint_t pairs,
    ngx_array_t **list)
{
    u_char     *colon, *end;
    ngx_str_t   rest, item;

    *list = ngx_array_create(cf->pool, 4, sizeof(ngx_http_complex_value_t));
    if (*list == NULL) {
        return NGX_ERROR;
    }

    rest = *text;

    while (ngx_agt_text_piece(&rest, ',', &item)) {
        end = item.data + item.len;
        colon = item.data;

        if (pairs) {
            for (colon = end; colon > item.data && colon[-1] != ':'; colon--) {
                /* void */
            }

            if (colon == item.data
                || ngx_agt_value_add(cf, *list, item.data, colon - 1) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        if (ngx_agt_value_add(cf, *list, colon, end) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_value_add(ngx_conf_t *cf, ngx_array_t *list, u_char *p, u_char *end)
{
    ngx_str_t                  text;
    ngx_http_complex_value_t  *value;

    if (p == end) {
        return NGX_ERROR;
    }

    text.data = p;
    text.len = end - p;

    value = ngx_array_push(list);
    if (value == NULL) {
        return NGX_ERROR;
    }

    return ngx_agt_value_compile(cf, &text, value);
}
