
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/template.h"
#include "token/text.h"


typedef struct {
    const u_char  *template;
    const u_char  *template_end;
    const u_char  *path;
    const u_char  *path_end;
} ngx_agt_template_walk_t;


static void ngx_agt_template_start(ngx_agt_template_walk_t *w,
    const ngx_str_t *template, const ngx_str_t *path);
static ngx_int_t ngx_agt_template_step(ngx_agt_template_walk_t *w,
    ngx_str_t *name, ngx_str_t *value);
static const u_char *ngx_agt_template_find(const u_char *p,
    const u_char *end, u_char c);


ngx_uint_t
ngx_agt_template_match(const ngx_str_t *template,
    ngx_uint_t prefix, const ngx_str_t *path)
{
    ngx_int_t                rc;
    ngx_str_t                name, value;
    ngx_agt_template_walk_t  w;

    ngx_agt_template_start(&w, template, path);

    do {
        rc = ngx_agt_template_step(&w, &name, &value);
    } while (rc == NGX_OK);

    if (rc == NGX_ERROR) {
        return 0;
    }

    if (w.path == w.path_end) {
        return 1;
    }

    return prefix && (*w.path == '/' || w.path[-1] == '/');
}


ngx_int_t
ngx_agt_template_value(const ngx_str_t *template,
    const ngx_str_t *path, const ngx_str_t *name, ngx_str_t *value)
{
    ngx_str_t                found, part;
    ngx_uint_t               seen;
    ngx_agt_template_walk_t  w;

    seen = 0;

    ngx_agt_template_start(&w, template, path);

    while (ngx_agt_template_step(&w, &found, &part) == NGX_OK) {

        if (!ngx_agt_text_equal(&found, name)) {
            continue;
        }

        if (seen++ && !ngx_agt_text_equal(&part, value)) {
            return NGX_DECLINED;
        }

        *value = part;
    }

    return seen ? NGX_OK : NGX_DECLINED;
}


static void
ngx_agt_template_start(ngx_agt_template_walk_t *w,
    const ngx_str_t *template, const ngx_str_t *path)
{
    w->template = template->data;
    w->template_end = template->data + template->len;
    w->path = path->data;
    w->path_end = path->data + path->len;
}


/*
 * Goes on to behind the next name, or to the end of the template.  Returns
 * NGX_OK with the name and its value; NGX_DONE if the template has matched and
 * has no more names; NGX_ERROR if it does not match.
 */

static ngx_int_t
ngx_agt_template_step(ngx_agt_template_walk_t *w,
    ngx_str_t *name, ngx_str_t *value)
{
    size_t         len;
    const u_char  *last, *rest, *segment;

    last = ngx_agt_template_find(w->template, w->template_end, '{');
    len = (size_t) (last - w->template);

    if ((size_t) (w->path_end - w->path) < len
        || ngx_memcmp(w->path, w->template, len) != 0)
    {
        return NGX_ERROR;
    }

    w->template = last;
    w->path += len;

    if (last == w->template_end) {
        return NGX_DONE;
    }

    rest = ngx_agt_template_find(last, w->template_end, '}');

    name->data = (u_char *) last + 1;
    name->len = (size_t) (rest - name->data);

    if (rest < w->template_end) {
        rest++;
    }

    /* the text behind the name in its segment must end the path's segment */

    last = ngx_agt_template_find(rest, w->template_end, '/');
    segment = ngx_agt_template_find(w->path, w->path_end, '/');
    len = (size_t) (last - rest);

    if ((size_t) (segment - w->path) <= len
        || ngx_memcmp(segment - len, rest, len) != 0)
    {
        return NGX_ERROR;
    }

    value->data = (u_char *) w->path;
    value->len = (size_t) (segment - w->path) - len;

    w->template = last;
    w->path = segment;

    return NGX_OK;
}


static const u_char *
ngx_agt_template_find(const u_char *p, const u_char *end, u_char c)
{
    return p + ngx_agt_text_until(p, (size_t) (end - p), c);
}
