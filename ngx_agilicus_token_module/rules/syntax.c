
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/syntax.h"
#include "token/text.h"


static size_t ngx_agt_syntax_character(const u_char *p,
    const u_char *end, u_char *plain);
static void ngx_agt_syntax_rest(const u_char *p,
    const u_char *end, ngx_agt_syntax_literal_t *literal);
static ngx_uint_t ngx_agt_syntax_is_name(const ngx_str_t *name);
static void ngx_agt_syntax_strip(const ngx_str_t *host, ngx_str_t *name);


/* API: the methods of a rule; the bit is the place in the table */

static const struct {
    ngx_str_t     name;
    ngx_str_t     method;
} ngx_agt_syntax_methods[] = {
    { ngx_string("get"), ngx_string("GET") },
    { ngx_string("put"), ngx_string("PUT") },
    { ngx_string("post"), ngx_string("POST") },
    { ngx_string("delete"), ngx_string("DELETE") },
    { ngx_string("head"), ngx_string("HEAD") },
    { ngx_string("options"), ngx_string("OPTIONS") },
    { ngx_string("connect"), ngx_string("CONNECT") },
    { ngx_string("trace"), ngx_string("TRACE") },
    { ngx_string("patch"), ngx_string("PATCH") },
    { ngx_string("copy"), ngx_string("COPY") },
    { ngx_string("lock"), ngx_string("LOCK") },
    { ngx_string("mkcol"), ngx_string("MKCOL") },
    { ngx_string("move"), ngx_string("MOVE") },
    { ngx_string("propfind"), ngx_string("PROPFIND") },
    { ngx_string("proppatch"), ngx_string("PROPPATCH") },
    { ngx_string("unlock"), ngx_string("UNLOCK") },
};


#define NGX_AGT_SYNTAX_METHODS                                                \
    (sizeof(ngx_agt_syntax_methods) / sizeof(ngx_agt_syntax_methods[0]))


uint32_t
ngx_agt_syntax_method_name(const ngx_str_t *name)
{
    ngx_uint_t  i;

    static const ngx_str_t  all = ngx_string("all");

    if (ngx_agt_text_equal(name, &all)) {
        return NGX_AGT_RULESET_ALL;
    }

    for (i = 0; i < NGX_AGT_SYNTAX_METHODS; i++) {
        if (ngx_agt_text_equal(name, &ngx_agt_syntax_methods[i].name)) {
            return 1U << i;
        }
    }

    return 0;
}


uint32_t
ngx_agt_syntax_method_bit(const ngx_str_t *method)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AGT_SYNTAX_METHODS; i++) {
        if (ngx_agt_text_equal(method, &ngx_agt_syntax_methods[i].method)) {
            return 1U << i;
        }
    }

    return 0;
}


ngx_int_t
ngx_agt_syntax_host_name(const ngx_str_t *host, ngx_str_t *name)
{
    ngx_str_t  stripped;

    ngx_agt_syntax_strip(host, &stripped);

    if (!ngx_agt_syntax_is_name(&stripped)) {
        return NGX_DECLINED;
    }

    *name = stripped;

    return NGX_OK;
}


ngx_uint_t
ngx_agt_syntax_is_host(const ngx_str_t *name, const ngx_str_t *host)
{
    size_t     i;
    ngx_str_t  stripped;

    /* written as it is normalised, as most are */

    if (host->len && host->len == name->len
        && ngx_memcmp(host->data, name->data, host->len) == 0)
    {
        return 1;
    }

    ngx_agt_syntax_strip(host, &stripped);

    if (stripped.len == 0 || stripped.len != name->len) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (ngx_tolower(stripped.data[i]) != name->data[i]) {
            return 0;
        }
    }

    return 1;
}


void
ngx_agt_syntax_literal(const ngx_str_t *pattern,
    ngx_agt_syntax_literal_t *literal, u_char *out)
{
    size_t         n, next;
    u_char         c;
    const u_char  *p, *end;

    p = pattern->data;
    end = p + pattern->len;

    ngx_memzero(literal, sizeof(ngx_agt_syntax_literal_t));

    if (p < end && *p == '^') {
        literal->at_start = 1;
        p++;
    }

    for ( /* void */ ; p < end; p += n) {

        n = ngx_agt_syntax_character(p, end, &c);

        if (n == 0) {
            break;
        }

        /* a repeated character does not stand for itself only */

        next = (size_t) (end - p) - n;

        if (next && (p[n] == '*' || p[n] == '+' || p[n] == '?'
                     || p[n] == '{'))
        {
            break;
        }

        if (out && *p != '\\') {
            out = ngx_cpymem(out, p, n);

        } else if (out) {
            *out++ = c;
        }

        literal->len += (*p != '\\') ? n : 1;
    }

    ngx_agt_syntax_rest(p, end, literal);

    /* with alternatives, a text that matches may begin differently */

    if (literal->kind == NGX_AGT_RULESET_PATTERN
        && memchr(pattern->data, '|', pattern->len) != NULL)
    {
        literal->at_start = 0;
        literal->len = 0;
    }
}


ngx_uint_t
ngx_agt_syntax_is_template(const ngx_str_t *template)
{
    ngx_uint_t     names;
    const u_char  *p, *end, *name;

    p = template->data;
    end = p + template->len;

    if (p == end || *p != '/') {
        return 0;
    }

    name = NULL;
    names = 0;

    for ( /* void */ ; p < end; p++) {

        switch (*p) {

        case '/':
            if (name) {
                return 0;
            }

            names = 0;
            break;

        case '{':

            /* the end of a name with another one behind it would be unknown */

            if (name || names++) {
                return 0;
            }

            name = p;
            break;

        case '}':
            if (name == NULL || p - name == 1) {
                return 0;
            }

            name = NULL;
            break;

        default:
            break;
        }
    }

    return name == NULL;
}


ngx_uint_t
ngx_agt_syntax_is_pointer(const ngx_str_t *pointer)
{
    size_t  i;

    if (pointer->len == 0 || pointer->data[0] != '/') {
        return 0;
    }

    for (i = 1; i < pointer->len; i++) {

        if (pointer->data[i] != '~') {
            continue;
        }

        i++;

        if (i == pointer->len
            || (pointer->data[i] != '0' && pointer->data[i] != '1'))
        {
            return 0;
        }
    }

    return 1;
}


uint32_t
ngx_agt_syntax_hash(const ngx_str_t *s)
{
    size_t    i;
    uint32_t  hash;

    /* FNV-1a */

    hash = 2166136261U;

    for (i = 0; i < s->len; i++) {
        hash = (hash ^ s->data[i]) * 16777619U;
    }

    return hash;
}


/*
 * Returns the length of the literal character at "p", as it is written in a
 * pattern, or 0 where there is none.  "plain" is set to its first byte without
 * the escape.
 */

static size_t
ngx_agt_syntax_character(const u_char *p, const u_char *end, u_char *plain)
{
    size_t  n;

    switch (*p) {

    case '\\':

        /* a letter or digit may mean anything; a sign means itself */

        if (end - p < 2 || p[1] <= ' ' || p[1] >= 0x7f
            || ngx_agt_text_is_alnum(p[1]))
        {
            return 0;
        }

        *plain = p[1];

        return 2;

    case '^':
    case '$':
    case '.':
    case '|':
    case '?':
    case '*':
    case '+':
    case '(':
    case ')':
    case '[':
    case ']':
    case '{':
    case '}':
        return 0;

    default:
        break;
    }

    *plain = *p;
    n = 1;

    if (*p >= 0xc0) {
        while (p + n < end && (p[n] & 0xc0) == 0x80) {
            n++;
        }
    }

    return n;
}


/* the rest of the pattern behind the literal decides on the kind */

static void
ngx_agt_syntax_rest(const u_char *p, const u_char *end,
    ngx_agt_syntax_literal_t *literal)
{
    if (end - p >= 2 && p[0] == '.' && p[1] == '*') {
        literal->kind = NGX_AGT_RULESET_PREFIX;
        p += 2;
    }

    if (end - p == 1 && *p == '$') {
        literal->at_end = 1;
        p++;
    }

    if (p != end) {
        literal->kind = NGX_AGT_RULESET_PATTERN;
        literal->at_end = 0;
    }
}


/* letters, digits, "-", "_" and single dots; or an IPv6 address in brackets */

static ngx_uint_t
ngx_agt_syntax_is_name(const ngx_str_t *name)
{
    size_t  i;
    u_char  c, last;

    if (name->len == 0 || name->len > NGX_AGT_RULESET_MAX_HOST) {
        return 0;
    }

    if (name->data[0] == '[') {

        for (i = 1; i < name->len - 1; i++) {
            c = name->data[i];

            if (!ngx_agt_text_is_alnum(c) && c != ':' && c != '.') {
                return 0;
            }
        }

        return name->len > 2 && name->data[name->len - 1] == ']';
    }

    last = '.';

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!ngx_agt_text_is_alnum(c)
            && c != '-' && c != '_' && (c != '.' || last == '.'))
        {
            return 0;
        }

        last = c;
    }

    return last != '.';
}


/* takes the port and one trailing dot off */

static void
ngx_agt_syntax_strip(const ngx_str_t *host, ngx_str_t *name)
{
    size_t  n;

    *name = *host;

    n = host->len;

    while (n && ngx_agt_text_is_digit(host->data[n - 1])) {
        n--;
    }

    if (n && host->data[n - 1] == ':') {
        name->len = n - 1;
    }

    if (name->len && name->data[name->len - 1] == '.') {
        name->len--;
    }
}
