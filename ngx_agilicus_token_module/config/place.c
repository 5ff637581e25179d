
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/place.h"


static void ngx_agt_place_log(ngx_conf_t *cf, ngx_uint_t level,
    const ngx_agt_place_t *place, ngx_err_t err, const char *fmt,
    va_list args);


void
ngx_agt_place_set(ngx_conf_t *cf, ngx_agt_place_t *place)
{
    place->name = *(ngx_str_t *) cf->args->elts;
    place->file = cf->conf_file->file.name;
    place->line = cf->conf_file->line;
}


ngx_int_t
ngx_agt_place_refuse(ngx_conf_t *cf,
    const ngx_agt_place_t *place, ngx_err_t err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_agt_place_log(cf, NGX_LOG_EMERG, place, err, fmt, args);
    va_end(args);

    return NGX_ERROR;
}


void
ngx_agt_place_warn(ngx_conf_t *cf, const ngx_agt_place_t *place,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_agt_place_log(cf, NGX_LOG_WARN, place, 0, fmt, args);
    va_end(args);
}


static void
ngx_agt_place_log(ngx_conf_t *cf, ngx_uint_t level,
    const ngx_agt_place_t *place, ngx_err_t err, const char *fmt, va_list args)
{
    u_char           text[NGX_MAX_CONF_ERRSTR], *last;
    ngx_conf_file_t  there, *here;

    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);

    here = cf->conf_file;

    there = *here;
    there.file.name = place->file;
    there.line = place->line;

    cf->conf_file = &there;

    ngx_conf_log_error(level, cf, err, "%*s", last - text, text);

    cf->conf_file = here;
}
