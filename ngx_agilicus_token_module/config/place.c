
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/place.h"


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
    u_char           text[NGX_MAX_CONF_ERRSTR], *last;
    va_list          args;
    ngx_conf_file_t  there, *here;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    here = cf->conf_file;

    there = *here;
    there.file.name = place->file;
    there.line = place->line;

    cf->conf_file = &there;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, err, "%*s", last - text, text);

    cf->conf_file = here;

    return NGX_ERROR;
}
