
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/target.h"
#include "rules/syntax.h"
#include "token/bearer.h"
#include "token/text.h"


static ngx_int_t ngx_agt_target_split(const ngx_str_t *text,
    ngx_str_t *rest, ngx_uint_t *usual, ngx_agt_authority_t *authority);


/*
 * The other methods name their target in the body or, of LINK and UNLINK, in a
 * Link field: RFC 2068, 3253, 4437 and 5842; BCOPY and BMOVE are Microsoft's.
 */

static const struct {
    ngx_str_t         method;
    ngx_agt_target_e  target;
} ngx_agt_target_methods[] = {
    { ngx_string("COPY"), NGX_AGT_TARGET_DESTINATION },
    { ngx_string("MOVE"), NGX_AGT_TARGET_DESTINATION },
    { ngx_string("BASELINE-CONTROL"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("BCOPY"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("BIND"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("BMOVE"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("LINK"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("MERGE"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("MKREDIRECTREF"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("REBIND"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("UNLINK"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("UPDATE"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("UPDATEREDIRECTREF"), NGX_AGT_TARGET_ELSEWHERE },
    { ngx_string("VERSION-CONTROL"), NGX_AGT_TARGET_ELSEWHERE },
};


#define NGX_AGT_TARGET_METHODS                                                \
    (sizeof(ngx_agt_target_methods)                                           \
     / sizeof(ngx_agt_target_methods[0]))


ngx_agt_target_e
ngx_agt_target_of(const ngx_str_t *method)
{
    ngx_uint_t  i;

    /* DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT and many more */

    if (method->len == 0
        || (method->data[0] >= 'D' && method->data[0] <= 'K')
        || (method->data[0] >= 'N' && method->data[0] <= 'Q'))
    {
        return NGX_AGT_TARGET_NONE;
    }

    for (i = 0; i < NGX_AGT_TARGET_METHODS; i++) {
        if (ngx_agt_text_equal(&ngx_agt_target_methods[i].method, method)) {
            return ngx_agt_target_methods[i].target;
        }
    }

    return NGX_AGT_TARGET_NONE;
}


ngx_int_t
ngx_agt_target_read(const ngx_str_t *value, ngx_agt_target_t *target)
{
    u_char      *p;
    ngx_str_t    text;
    ngx_uint_t   usual;

    ngx_memzero(target, sizeof(ngx_agt_target_t));

    text = *value;
    ngx_agt_bearer_strip(&text);

    if (text.len == 0) {
        return NGX_DECLINED;
    }

    if (text.data[0] != '/'
        && ngx_agt_target_split(&text, &text, &usual, &target->authority)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* a URI without a path is refused too: some readers want a path */

    if (text.len == 0 || text.data[0] != '/') {
        return NGX_DECLINED;
    }

    target->path = text;

    p = memchr(text.data, '?', text.len);

    if (p) {
        target->has_query = 1;
        target->path.len = (size_t) (p - text.data);
        target->query.data = p + 1;
        target->query.len = text.len - target->path.len - 1;
    }

    return NGX_OK;
}


/* an absolute URI to its authority and the rest; "rest" may be "text" */

static ngx_int_t
ngx_agt_target_split(const ngx_str_t *text, ngx_str_t *rest,
    ngx_uint_t *usual, ngx_agt_authority_t *authority)
{
    size_t      scheme;
    u_char     *p, *end;
    ngx_str_t   name;

    end = text->data + text->len;

    if (ngx_agt_text_begins(text->data, end, "http://")) {
        scheme = 7;
        *usual = 80;

    } else if (ngx_agt_text_begins(text->data, end, "https://")) {
        scheme = 8;
        *usual = 443;

    } else {
        return NGX_DECLINED;
    }

    name.data = text->data + scheme;

    for (p = name.data; p < end; p++) {
        if (*p == '/' || *p == '?' || *p == '#' || *p == ' ') {
            break;
        }
    }

    name.len = (size_t) (p - name.data);

    rest->len = (size_t) (end - p);
    rest->data = p;

    return ngx_agt_target_authority(&name, *usual, authority);
}


ngx_int_t
ngx_agt_target_authority(const ngx_str_t *text, ngx_uint_t usual,
    ngx_agt_authority_t *authority)
{
    size_t      i, digits;
    ngx_str_t   host;
    ngx_uint_t  port;

    host = *text;
    digits = 0;
    port = 0;

    while (digits < host.len
           && ngx_agt_text_is_digit(host.data[host.len - digits - 1]))
    {
        digits++;
    }

    if (digits < host.len && host.data[host.len - digits - 1] == ':') {

        host.len -= digits + 1;

        if (digits > sizeof("65535") - 1) {
            return NGX_DECLINED;
        }

        for (i = host.len + 1; i < text->len; i++) {
            port = port * 10 + (ngx_uint_t) (text->data[i] - '0');
        }

        if (digits && (port == 0 || port > 65535)) {
            return NGX_DECLINED;
        }
    }

    /* ngx_agt_syntax_host_name() would take a second port off as well */

    if (host.len && host.data[0] != '['
        && memchr(host.data, ':', host.len) != NULL)
    {
        return NGX_DECLINED;
    }

    authority->port = (port == usual) ? 0 : port;

    return ngx_agt_syntax_host_name(&host, &authority->host);
}


ngx_uint_t
ngx_agt_target_is_same(const ngx_agt_authority_t *a,
    const ngx_agt_authority_t *b)
{
    size_t  i;

    if (a->host.len == 0 || a->host.len != b->host.len || a->port != b->port) {
        return 0;
    }

    for (i = 0; i < a->host.len; i++) {
        if (ngx_tolower(a->host.data[i]) != ngx_tolower(b->host.data[i])) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_agt_target_of_line(const ngx_str_t *line, ngx_uint_t *usual,
    ngx_agt_authority_t *authority)
{
    u_char     *p, *end;
    ngx_str_t   text;

    p = line->data;
    end = p + line->len;

    while (p < end && *p != ' ') {
        p++;
    }

    while (p < end && *p == ' ') {
        p++;
    }

    if (p < end && *p == '/') {
        return NGX_DONE;
    }

    text.data = p;
    text.len = (size_t) (end - p);

    return ngx_agt_target_split(&text, &text, usual, authority);
}
