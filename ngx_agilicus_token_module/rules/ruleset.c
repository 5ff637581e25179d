
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "rules/syntax.h"


static u_char *ngx_agt_ruleset_add(ngx_agt_ruleset_builder_t *b,
    ngx_agt_ruleset_item_e type, ngx_uint_t kind, ngx_uint_t flags,
    const ngx_str_t *text, const ngx_str_t *value);
static void ngx_agt_ruleset_write(
    ngx_agt_ruleset_builder_t *b, const void *data, size_t len);
static void ngx_agt_ruleset_ending(ngx_agt_ruleset_builder_t *b,
    ngx_agt_ruleset_rule_header_t *h);
static void ngx_agt_ruleset_host_end(ngx_agt_ruleset_builder_t *b);


void
ngx_agt_ruleset_begin(ngx_agt_ruleset_builder_t *b, u_char *buf, size_t size)
{
    ngx_agt_ruleset_header_t  h;

    ngx_memzero(b, sizeof(ngx_agt_ruleset_builder_t));
    ngx_memzero(&h, sizeof(h));

    b->start = buf;
    b->pos = buf;
    b->end = buf + size;

    ngx_agt_ruleset_write(b, &h, sizeof(h));
}


ngx_int_t
ngx_agt_ruleset_host(ngx_agt_ruleset_builder_t *b, const ngx_str_t *name)
{
    size_t                         i;
    ngx_str_t                      host;
    ngx_agt_ruleset_host_header_t  h;

    ngx_agt_ruleset_host_end(b);

    if (ngx_agt_syntax_host_name(name, &host) != NGX_OK) {
        return NGX_DECLINED;
    }

    b->host = b->pos;
    b->before = b->rules;
    b->host_overflow = b->overflow;

    h.size = 0;
    h.name = (uint32_t) host.len;

    ngx_agt_ruleset_write(b, &h, sizeof(h));
    ngx_agt_ruleset_write(b, host.data, host.len);

    if (!b->overflow) {
        for (i = 0; i < host.len; i++) {
            b->pos[-1 - (ssize_t) i] = ngx_tolower(host.data[host.len - 1 - i]);
        }
    }

    return NGX_OK;
}


void
ngx_agt_ruleset_rule(ngx_agt_ruleset_builder_t *b)
{
    ngx_agt_ruleset_rule_header_t  h;

    b->rule = b->pos;
    b->methods = 0;
    b->flags = 0;
    b->rule_overflow = b->overflow;
    b->never = (b->host == NULL);

    ngx_memzero(&h, sizeof(h));

    ngx_agt_ruleset_write(b, &h, sizeof(h));
}


void
ngx_agt_ruleset_rule_end(ngx_agt_ruleset_builder_t *b)
{
    ngx_agt_ruleset_rule_header_t  h;

    if (b->never
        || b->methods == 0
        || !(b->flags & (NGX_AGT_RULESET_PATHS |NGX_AGT_RULESET_TEMPLATES)))
    {
        b->pos = b->rule;
        b->overflow = b->rule_overflow;
        b->dropped++;
        return;
    }

    b->rules++;

    if (b->overflow) {
        return;
    }

    ngx_memzero(&h, sizeof(h));

    h.size = (uint32_t) (b->pos - b->rule);
    h.methods = b->methods;
    h.flags = (uint16_t) b->flags;

    ngx_agt_ruleset_ending(b, &h);

    ngx_memcpy(b->rule, &h, sizeof(h));
}


/* how the only path ends, if it is one that is compared byte for byte */

static void
ngx_agt_ruleset_ending(ngx_agt_ruleset_builder_t *b,
    ngx_agt_ruleset_rule_header_t *h)
{
    size_t                    len, n;
    ngx_agt_ruleset_item_t    item, next;
    ngx_agt_ruleset_cursor_t  items;

    items.pos = b->rule + sizeof(ngx_agt_ruleset_rule_header_t);
    items.end = b->pos;

    if (ngx_agt_ruleset_next_item(&items, NGX_AGT_RULESET_PATH, &item)
        != NGX_OK
        || item.kind == NGX_AGT_RULESET_PATTERN)
    {
        return;
    }

    len = item.text.len;

    if (len < sizeof(uint32_t)
        || ngx_agt_ruleset_next_item(&items, NGX_AGT_RULESET_PATH, &next)
           != NGX_DECLINED)
    {
        return;
    }

    n = (len < sizeof(uint64_t)) ? sizeof(uint32_t) : sizeof(uint64_t);

    h->len = (uint16_t) len;
    ngx_memcpy(h->ending, item.text.data + len - n, n);
}


void
ngx_agt_ruleset_separate_query(ngx_agt_ruleset_builder_t *b)
{
    b->flags |= NGX_AGT_RULESET_SEPARATE_QUERY;
}


void
ngx_agt_ruleset_never(ngx_agt_ruleset_builder_t *b)
{
    b->never = 1;
}


void
ngx_agt_ruleset_method(ngx_agt_ruleset_builder_t *b, const ngx_str_t *name)
{
    b->methods |= ngx_agt_syntax_method_name(name);
}


void
ngx_agt_ruleset_path(ngx_agt_ruleset_builder_t *b, const ngx_str_t *pattern)
{
    u_char                    *p;
    ngx_str_t                  begin;
    ngx_uint_t                 flags;
    ngx_agt_syntax_literal_t   literal;

    ngx_agt_syntax_literal(pattern, &literal, NULL);

    flags = literal.at_start ? NGX_AGT_RULESET_AT_START : 0;
    flags |= literal.at_end ? NGX_AGT_RULESET_AT_END : 0;

    b->flags |= NGX_AGT_RULESET_PATHS;

    begin.data = NULL;
    begin.len = literal.len;

    if (literal.kind == NGX_AGT_RULESET_PATTERN) {
        p = ngx_agt_ruleset_add(b, NGX_AGT_RULESET_PATH, literal.kind, flags,
                                pattern, &begin);

    } else {
        p = ngx_agt_ruleset_add(b, NGX_AGT_RULESET_PATH, literal.kind, flags,
                                &begin, NULL);
    }

    if (p) {
        ngx_agt_syntax_literal(pattern, &literal, p);
    }
}


void
ngx_agt_ruleset_template(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *template, ngx_uint_t prefix)
{
    b->flags |= NGX_AGT_RULESET_TEMPLATES;

    if (!ngx_agt_syntax_is_template(template)) {
        b->never = 1;
    }

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_TEMPLATE, 0,
                               prefix ? NGX_AGT_RULESET_IS_PREFIX : 0,
                               template, NULL);
}


void
ngx_agt_ruleset_query(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *name, const ngx_str_t *exact)
{
    if (name->len == 0) {
        b->never = 1;
    }

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_QUERY, 0,
                               exact ? NGX_AGT_RULESET_HAS_VALUE : 0,
                               name, exact);
}


void
ngx_agt_ruleset_body(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *pointer, const ngx_str_t *exact)
{
    if (!ngx_agt_syntax_is_pointer(pointer)) {
        b->never = 1;
    }

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_BODY, 0,
                               exact ? NGX_AGT_RULESET_HAS_VALUE : 0,
                               pointer, exact);
}


void
ngx_agt_ruleset_matchers(ngx_agt_ruleset_builder_t *b, ngx_uint_t any)
{
    b->flags |= NGX_AGT_RULESET_MATCHERS;
    b->flags |= any ? NGX_AGT_RULESET_ANY_MATCHER : 0;
}


void
ngx_agt_ruleset_matcher(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *extractor, ngx_uint_t inverted, ngx_uint_t any)
{
    ngx_uint_t  flags;

    flags = inverted ? NGX_AGT_RULESET_INVERTED : 0;
    flags |= any ? NGX_AGT_RULESET_ANY : 0;

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_MATCHER, 0, flags,
                               extractor, NULL);
}


void
ngx_agt_ruleset_criterion(ngx_agt_ruleset_builder_t *b,
    ngx_agt_ruleset_operator_e op, const ngx_str_t *extractor, ngx_uint_t list)
{
    ngx_uint_t  flags;

    flags = extractor ? NGX_AGT_RULESET_HAS_VALUE : 0;
    flags |= list ? NGX_AGT_RULESET_IS_LIST : 0;

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_CRITERION, op, flags,
                               extractor, NULL);
}


void
ngx_agt_ruleset_string(ngx_agt_ruleset_builder_t *b, const ngx_str_t *value)
{
    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_OPERAND, 0, 0, value, NULL);
}


void
ngx_agt_ruleset_number(ngx_agt_ruleset_builder_t *b, int64_t value)
{
    ngx_str_t  text;

    text.data = (u_char *) &value;
    text.len = sizeof(value);

    (void) ngx_agt_ruleset_add(b, NGX_AGT_RULESET_OPERAND, 0,
                               NGX_AGT_RULESET_IS_NUMBER, &text, NULL);
}


size_t
ngx_agt_ruleset_end(ngx_agt_ruleset_builder_t *b)
{
    ngx_agt_ruleset_header_t  h;

    ngx_agt_ruleset_host_end(b);

    if (b->overflow || (size_t) (b->pos - b->start) > UINT32_MAX) {
        return 0;
    }

    h.size = (uint32_t) (b->pos - b->start);
    h.version = NGX_AGT_RULESET_VERSION;
    h.rules = b->rules;

    ngx_memcpy(b->start, &h, sizeof(h));

    return h.size;
}


ngx_int_t
ngx_agt_ruleset_open(ngx_agt_ruleset_cursor_t *hosts,
    ngx_uint_t *rules, const u_char *packed, size_t len)
{
    ngx_agt_ruleset_header_t  h;

    if (len < sizeof(h)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&h, packed, sizeof(h));

    if (h.version != NGX_AGT_RULESET_VERSION || h.size != len) {
        return NGX_ERROR;
    }

    hosts->pos = packed + sizeof(h);
    hosts->end = packed + len;

    *rules = h.rules;

    return NGX_OK;
}


int64_t
ngx_agt_ruleset_operand(const ngx_agt_ruleset_item_t *item)
{
    int64_t  value;

    /* a text of another length was not packed as a number */

    value = 0;

    if (item->text.len == sizeof(value)) {
        ngx_memcpy(&value, item->text.data, sizeof(value));
    }

    return value;
}


/*
 * Adds an item.  Where the data of a string is NULL, it returns the place that
 * the caller must fill in, else NULL.
 */

static u_char *
ngx_agt_ruleset_add(ngx_agt_ruleset_builder_t *b, ngx_agt_ruleset_item_e type,
    ngx_uint_t kind, ngx_uint_t flags, const ngx_str_t *text,
    const ngx_str_t *value)
{
    u_char                         *open;
    ngx_uint_t                      i;
    const ngx_str_t                *strings[2];
    ngx_agt_ruleset_item_header_t   h;

    static const ngx_str_t  none = ngx_null_string;

    strings[0] = text ? text : &none;
    strings[1] = value ? value : &none;

    if (strings[0]->len > NGX_AGT_RULESET_MAX_STR
        || strings[1]->len > NGX_AGT_RULESET_MAX_STR)
    {
        b->never = 1;
        return NULL;
    }

    ngx_memzero(&h, sizeof(h));

    h.type = (uint8_t) type;
    h.kind = (uint8_t) kind;
    h.flags = (uint8_t) flags;
    h.text = (uint16_t) strings[0]->len;
    h.value = (uint16_t) strings[1]->len;

    if (type == NGX_AGT_RULESET_PATH && kind == NGX_AGT_RULESET_PATTERN) {
        h.hash = ngx_agt_syntax_hash(text);
    }

    ngx_agt_ruleset_write(b, &h, sizeof(h));

    open = NULL;

    for (i = 0; i < 2; i++) {

        if (strings[i]->len && strings[i]->data == NULL) {
            open = b->pos;
        }

        ngx_agt_ruleset_write(b, strings[i]->data, strings[i]->len);
    }

    return b->overflow ? NULL : open;
}


static void
ngx_agt_ruleset_write(ngx_agt_ruleset_builder_t *b,
    const void *data, size_t len)
{
    if (b->overflow || (size_t) (b->end - b->pos) < len) {
        b->overflow = 1;
        return;
    }

    if (data && len) {
        ngx_memcpy(b->pos, data, len);
    }

    b->pos += len;
}


static void
ngx_agt_ruleset_host_end(ngx_agt_ruleset_builder_t *b)
{
    uint32_t  size;

    if (b->host == NULL) {
        return;
    }

    if (b->rules == b->before) {
        b->pos = b->host;
        b->overflow = b->host_overflow;

    } else if (!b->overflow) {
        size = (uint32_t) (b->pos - b->host);
        ngx_memcpy(b->host, &size, sizeof(size));
    }

    b->host = NULL;
}
