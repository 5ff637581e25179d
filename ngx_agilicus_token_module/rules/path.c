
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/path.h"
#include "token/text.h"


static void ngx_agt_path_fault_in(const ngx_str_t *segment, u_char *buf,
    ngx_str_t *fault);
static ngx_uint_t ngx_agt_path_is_simple(const ngx_str_t *path);
static ngx_int_t ngx_agt_path_unescape(const ngx_str_t *raw,
    u_char *buf, ngx_str_t *path);
static ngx_uint_t ngx_agt_path_is_plain(const ngx_str_t *path);
static ngx_uint_t ngx_agt_path_is_segment(const u_char *p, const u_char *end);
static ngx_inline ngx_uint_t ngx_agt_path_differs(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item);
static ngx_uint_t ngx_agt_path_match_whole(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item);
static ngx_int_t ngx_agt_path_compare(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, const ngx_str_t *text);
static ngx_int_t ngx_agt_path_pattern(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, const ngx_str_t *text);
static ngx_int_t ngx_agt_path_literal(ngx_agt_path_t *s, const ngx_str_t *text,
    const ngx_str_t *part, ngx_uint_t at_start, ngx_uint_t at_end);


ngx_int_t
ngx_agt_path_decode(const ngx_str_t *raw, u_char *buf, ngx_str_t *path)
{
    ngx_str_t  decoded;

    if (raw->len == 0 || raw->data[0] != '/') {
        return NGX_DECLINED;
    }

    if (ngx_agt_path_is_simple(raw)) {
        *path = *raw;
        return NGX_OK;
    }

    if (ngx_agt_path_unescape(raw, buf, &decoded) != NGX_OK
        || !ngx_agt_path_is_plain(&decoded))
    {
        return NGX_DECLINED;
    }

    *path = decoded;

    return NGX_OK;
}


void
ngx_agt_path_fault(const ngx_str_t *raw, u_char *buf, ngx_str_t *fault)
{
    u_char     *p, *end, *next;
    ngx_str_t   segment, decoded;

    *fault = *raw;

    if (raw->len == 0 || raw->data[0] != '/') {
        return;
    }

    /* one segment after the other, the last of which may be empty */

    end = raw->data + raw->len;

    for (p = raw->data; p < end; p = next) {

        next = p + 1;
        next += ngx_agt_text_until(next, (size_t) (end - next), '/');

        segment.data = p;
        segment.len = (size_t) (next - p);

        if (ngx_agt_path_decode(&segment, buf, &decoded) != NGX_OK
            || (segment.len == 1 && next < end))
        {
            ngx_agt_path_fault_in(&segment, buf, fault);
            return;
        }
    }
}


/* the byte or the escape of a segment that alone would not be taken */

static void
ngx_agt_path_fault_in(const ngx_str_t *segment, u_char *buf, ngx_str_t *fault)
{
    size_t     i;
    u_char     copy[4];
    ngx_str_t  one, decoded;

    *fault = *segment;

    for (i = 1; i < segment->len; i += one.len - 1) {

        copy[0] = '/';
        one.data = copy;
        one.len = 1 + ((segment->data[i] == '%') ? ngx_min(3, segment->len - i)
                                                 : 1);

        ngx_memcpy(&copy[1], &segment->data[i], one.len - 1);

        if (ngx_agt_path_unescape(&one, buf, &decoded) != NGX_OK) {
            fault->data = &segment->data[i];
            fault->len = one.len - 1;
            return;
        }
    }
}


ngx_uint_t
ngx_agt_path_is_query(const ngx_str_t *query)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < query->len; i++) {
        c = query->data[i];

        if (c <= ' ' || c == 0x7f || c == '#') {
            return 0;
        }
    }

    return ngx_agt_path_whole_utf8(query);
}


size_t
ngx_agt_path_utf8(const u_char *p, const u_char *end)
{
    size_t  n;
    u_char  low, high;

    if (*p < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        low = (*p == 0xe0) ? 0xa0 : 0x80;
        high = (*p == 0xed) ? 0x9f : 0xbf;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        low = (*p == 0xf0) ? 0x90 : 0x80;
        high = (*p == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    if ((n > 2 && (p[2] & 0xc0) != 0x80) || (n > 3 && (p[3] & 0xc0) != 0x80)) {
        return 0;
    }

    return n;
}


ngx_uint_t
ngx_agt_path_whole_utf8(const ngx_str_t *text)
{
    size_t         n;
    const u_char  *p, *end;

    end = text->data + text->len;

    for (p = text->data; p < end; p += n) {
        n = ngx_agt_path_utf8(p, end);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


void
ngx_agt_path_begin(ngx_agt_path_t *s,
    ngx_agt_regex_t *patterns, const ngx_str_t *path,
    const ngx_str_t *query, ngx_uint_t has_query, ngx_uint_t search)
{
    s->patterns = patterns;
    s->path = *path;
    s->query = *query;
    s->has_query = (has_query || query->len);
    s->search = (search != 0);
    s->is_utf8 = 0;

    ngx_str_null(&s->whole);
}


void
ngx_agt_path_free(ngx_agt_path_t *s)
{
    ngx_agt_regex_free(s->buf);
}


ngx_int_t
ngx_agt_path_whole(ngx_agt_path_t *s, ngx_str_t *whole)
{
    u_char  *p;
    size_t   len;

    if (s->whole.len || !s->has_query) {
        *whole = s->whole;
        return NGX_OK;
    }

    if (s->path.len > NGX_AGT_PATH_MAX_LEN
        || s->query.len > NGX_AGT_PATH_MAX_LEN)
    {
        return NGX_ERROR;
    }

    len = s->path.len + 1 + s->query.len;

    if (len > s->size) {
        p = ngx_agt_regex_alloc(len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_agt_regex_free(s->buf);

        s->buf = p;
        s->size = len;
    }

    p = ngx_cpymem(s->buf, s->path.data, s->path.len);
    *p++ = '?';

    if (s->query.len) {
        ngx_memcpy(p, s->query.data, s->query.len);
    }

    s->whole.data = s->buf;
    s->whole.len = len;

    *whole = s->whole;

    return NGX_OK;
}


ngx_uint_t
ngx_agt_path_match(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, ngx_uint_t separate_query)
{
    if (ngx_agt_path_differs(s, item)) {
        return 0;
    }

    if (separate_query || !s->has_query) {
        return ngx_agt_path_compare(s, item, &s->path) == NGX_OK;
    }

    return ngx_agt_path_match_whole(s, item);
}


/*
 * Most paths have only letters, digits, "-" and "_" in their segments, and no
 * segment is empty.  All servers read such a path in the same way.
 */

static ngx_uint_t
ngx_agt_path_is_simple(const ngx_str_t *path)
{
    const u_char  *p, *end;

    static const uint32_t  simple[] = {
        0x00000000, 0x03ff2000, /* 0-9 - */
        0x87fffffe, 0x07fffffe, /* A-Z _, a-z */
        0, 0, 0, 0
    };

    end = path->data + path->len;

    for (p = path->data + 1; p < end; p++) {

        if (!(simple[*p >> 5] & (1U << (*p & 0x1f)))
            && (*p != '/' || p[-1] == '/'))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * Decodes a path.  Returns NGX_DECLINED for a byte that must not stand in a
 * path unescaped, and for one that must not stand in it escaped.
 */

static ngx_int_t
ngx_agt_path_unescape(const ngx_str_t *raw, u_char *buf, ngx_str_t *path)
{
    u_char        *d;
    ngx_int_t      escaped;
    ngx_uint_t     c;
    const u_char  *p, *end, *first;

    p = raw->data;
    end = p + raw->len;

    while (p < end && *p > ' ' && *p != '%' && *p != 0x7f
           && *p != '\\' && *p != '?' && *p != '#')
    {
        p++;
    }

    if (p == end) {
        *path = *raw;
        return NGX_OK;
    }

    first = raw->data;
    d = ngx_cpymem(buf, first, (size_t) (p - first));

    while (p < end) {
        c = *p++;

        if (c <= ' ' || c == 0x7f || c == '\\' || c == '?' || c == '#') {
            return NGX_DECLINED;
        }

        if (c == '%') {

            escaped = ngx_agt_text_escaped(p, end);

            /* NGX_ERROR is less than any byte */

            if (escaped < ' ' || escaped == 0x7f || escaped == '\\'
                || escaped == '/' || escaped == '?')
            {
                return NGX_DECLINED;
            }

            c = (ngx_uint_t) escaped;
            p += 2;
        }

        *d++ = (u_char) c;
    }

    path->data = buf;
    path->len = (size_t) (d - buf);

    return NGX_OK;
}


/* 1 if a decoded path means the same when it is decoded once more */

static ngx_uint_t
ngx_agt_path_is_plain(const ngx_str_t *path)
{
    size_t         n;
    const u_char  *p, *end, *segment;

    p = path->data + 1;
    end = path->data + path->len;
    segment = p;

    while (p < end) {

        if (*p == '/') {

            if (p == segment || !ngx_agt_path_is_segment(segment, p)) {
                return 0;
            }

            segment = ++p;
            continue;
        }

        if (*p == '%' && ngx_agt_text_escaped(p + 1, end) != NGX_ERROR) {
            return 0;
        }

        n = ngx_agt_path_utf8(p, end);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return segment == end || ngx_agt_path_is_segment(segment, end);
}


/*
 * Returns 1 if a segment is neither empty nor a dot segment without its
 * parameters and the spaces behind it, which some file systems ignore.
 */

static ngx_uint_t
ngx_agt_path_is_segment(const u_char *p, const u_char *end)
{
    ngx_uint_t  dots;

    for (dots = 0; p < end && *p == '.'; p++) {
        dots++;
    }

    while (dots && p < end && *p == ' ') {
        p++;
    }

    return dots > 2 || (p < end && *p != ';');
}


/*
 * The comparison with most paths of rules ends here: with or without the query,
 * a text that matches as a whole begins with the rule's path.
 */

static ngx_inline ngx_uint_t
ngx_agt_path_differs(ngx_agt_path_t *s, const ngx_agt_ruleset_item_t *item)
{
    size_t  len;

    len = item->text.len;

    if (s->search || item->kind == NGX_AGT_RULESET_PATTERN
        || len == 0 || len > s->path.len)
    {
        return 0;
    }

    /* paths are more alike at the beginning */

    return s->path.data[len - 1] != item->text.data[len - 1]
           || ngx_memcmp(s->path.data, item->text.data, len) != 0;
}


static ngx_uint_t
ngx_agt_path_match_whole(ngx_agt_path_t *s, const ngx_agt_ruleset_item_t *item)
{
    u_char        *mark;
    ngx_int_t      rc;
    ngx_str_t      whole;
    const u_char  *p;

    /*
     * "~", and the neighbours of "?": a range with "?" in it has one of these.
     */

    static const u_char  others[] = "~>@";

    if (ngx_agt_path_whole(s, &whole) != NGX_OK
        || ngx_agt_path_compare(s, item, &whole) != NGX_OK)
    {
        return 0;
    }

    rc = ngx_agt_path_compare(s, item, &s->path);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK;
    }

    /* a "?" of the pattern does not match if another sign is in its place */

    mark = whole.data + s->path.len;

    for (p = others; *p; p++) {
        *mark = *p;

        rc = ngx_agt_path_compare(s, item, &whole);

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    *mark = '?';

    return rc == NGX_DECLINED;
}


/* NGX_OK, NGX_DECLINED, or NGX_ERROR where the result is unknown */

static ngx_int_t
ngx_agt_path_compare(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, const ngx_str_t *text)
{
    ngx_uint_t  at_start, at_end;

    at_start = !s->search || (item->flags & NGX_AGT_RULESET_AT_START);

    switch (item->kind) {

    case NGX_AGT_RULESET_LITERAL:

        /* an empty text is found everywhere: no rule can mean that */

        if (item->text.len == 0) {
            return NGX_DECLINED;
        }

        at_end = !s->search || (item->flags & NGX_AGT_RULESET_AT_END);

        return ngx_agt_path_literal(s, text, &item->text, at_start, at_end);

    case NGX_AGT_RULESET_PREFIX:
        return ngx_agt_path_literal(s, text, &item->text, at_start, 0);

    case NGX_AGT_RULESET_PATTERN:
        return ngx_agt_path_pattern(s, item, text);

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_agt_path_pattern(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, const ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_uint_t  at_start;

    /* most patterns begin with a literal that most paths do not have */

    if (item->value.len) {
        at_start = !s->search || (item->flags & NGX_AGT_RULESET_AT_START);

        rc = ngx_agt_path_literal(s, text, &item->value, at_start, 0);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* PCRE2 relies on it; the query was looked at when the decision began */

    if (!s->is_utf8 && !ngx_agt_path_whole_utf8(&s->path)) {
        return NGX_ERROR;
    }

    s->is_utf8 = 1;

    return ngx_agt_regex_match(s->patterns, &item->text,
                               item->hash, s->search, text);
}


static ngx_int_t
ngx_agt_path_literal(ngx_agt_path_t *s, const ngx_str_t *text,
    const ngx_str_t *part, ngx_uint_t at_start, ngx_uint_t at_end)
{
    const u_char  *p;

    if (text->len < part->len
        || (at_start && at_end && text->len != part->len))
    {
        return NGX_DECLINED;
    }

    if (!at_start && !at_end) {

        if (ngx_agt_regex_spend(s->patterns, text->len / 2) != NGX_OK) {
            return NGX_ERROR;
        }

        p = memmem(text->data, text->len, part->data, part->len);

        return p ? NGX_OK : NGX_DECLINED;
    }

    p = at_start ? text->data : text->data + text->len - part->len;

    return (ngx_memcmp(p, part->data, part->len) == 0) ? NGX_OK
                                                       : NGX_DECLINED;
}
