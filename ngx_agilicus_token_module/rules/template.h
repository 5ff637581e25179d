
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_TEMPLATE_H_INCLUDED_
#define _NGX_AGT_RULES_TEMPLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Path templates (API: TemplatePath), such as "/files/{id}/{name}.txt".  A name
 * in braces stands for one or more bytes other than "/"; all else stands for
 * itself.  Templates are those that ngx_agt_syntax_is_template()
 * takes.
 */

/*
 * Returns 1 if "path" matches "template": as a whole or, with "prefix", up to
 * the path's end or to a "/" in it; else 0.
 */
ngx_uint_t ngx_agt_template_match(const ngx_str_t *template,
    ngx_uint_t prefix, const ngx_str_t *path);

/*
 * Finds the text that "name" stands for in a path that matches.  Returns NGX_OK
 * with "value" set to a part of "path"; NGX_DECLINED if the template does not
 * have the name, or has it more than once and the texts differ.
 */
ngx_int_t ngx_agt_template_value(const ngx_str_t *template,
    const ngx_str_t *path, const ngx_str_t *name, ngx_str_t *value);


#endif /* _NGX_AGT_RULES_TEMPLATE_H_INCLUDED_ */
