
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/facts.h"
#include "token/text.h"


/*
 * The header of the packed form is copied in and out, for the packed form may
 * lie at any address.  The strings follow in the order of "strings", then the
 * lists, each from its offset to the next one or to the end; an item of a list
 * is its length in two bytes and then its bytes.
 */

#define NGX_AGT_FACTS_STRINGS  6

#define NGX_AGT_FACTS_HAS_EXP       0x01
#define NGX_AGT_FACTS_HAS_IAT       0x02
#define NGX_AGT_FACTS_HAS_NBF       0x04
#define NGX_AGT_FACTS_MASQUERADING  0x08
#define NGX_AGT_FACTS_HAS_RULES     0x10
#define NGX_AGT_FACTS_ODD_SCOPES    0x20
#define NGX_AGT_FACTS_HAS_END       0x40
#define NGX_AGT_FACTS_HAS_MFA       0x80
#define NGX_AGT_FACTS_FLAGS         0xff


typedef struct {
    uint16_t  version;
    uint16_t  flags;
    uint32_t  size;

    int64_t   exp;
    int64_t   iat;
    int64_t   nbf;
    int64_t   end;
    int64_t   mfa;

    uint32_t  lists[NGX_AGT_FACTS_LISTS];
    uint16_t  strings[NGX_AGT_FACTS_STRINGS];
} ngx_agt_facts_header_t;


static void ngx_agt_facts_write(
    ngx_agt_facts_builder_t *b, const void *data, size_t len);
static void ngx_agt_facts_start_lists(
    ngx_agt_facts_builder_t *b, ngx_uint_t n);
static ngx_inline size_t ngx_agt_facts_string(ngx_str_t *s,
    const u_char *packed, size_t offset, size_t len);


/* where the strings stand in the facts, in the order of the packed form */

static const size_t
    ngx_agt_facts_strings[NGX_AGT_FACTS_STRINGS] = {
    offsetof(ngx_agt_facts_t, sub),
    offsetof(ngx_agt_facts_t, email),
    offsetof(ngx_agt_facts_t, org),
    offsetof(ngx_agt_facts_t, root_org),
    offsetof(ngx_agt_facts_t, jti),
    offsetof(ngx_agt_facts_t, session)
};


void
ngx_agt_facts_begin(ngx_agt_facts_builder_t *b,
    u_char *buf, size_t size, const ngx_agt_facts_t *facts)
{
    uint16_t                flags;
    ngx_uint_t              i;
    const ngx_str_t        *s;
    ngx_agt_facts_header_t  h;

    b->start = buf;
    b->pos = buf;
    b->end = buf + size;
    b->list = 0;
    b->overflow = 0;

    ngx_memzero(&h, sizeof(ngx_agt_facts_header_t));

    flags = 0;

    if (facts->has_exp) {
        flags |= NGX_AGT_FACTS_HAS_EXP;
        h.exp = facts->exp;
    }

    if (facts->has_iat) {
        flags |= NGX_AGT_FACTS_HAS_IAT;
        h.iat = facts->iat;
    }

    if (facts->has_nbf) {
        flags |= NGX_AGT_FACTS_HAS_NBF;
        h.nbf = facts->nbf;
    }

    if (facts->has_end) {
        flags |= NGX_AGT_FACTS_HAS_END;
        h.end = facts->end;
    }

    if (facts->has_mfa) {
        flags |= NGX_AGT_FACTS_HAS_MFA;
        h.mfa = facts->mfa;
    }

    if (facts->masquerading) {
        flags |= NGX_AGT_FACTS_MASQUERADING;
    }

    if (facts->has_rules) {
        flags |= NGX_AGT_FACTS_HAS_RULES;
    }

    if (facts->odd_scopes) {
        flags |= NGX_AGT_FACTS_ODD_SCOPES;
    }

    h.version = NGX_AGT_FACTS_VERSION;
    h.flags = flags;

    for (i = 0; i < NGX_AGT_FACTS_STRINGS; i++) {
        s = (const ngx_str_t *)
                ((const u_char *) facts + ngx_agt_facts_strings[i]);

        if (s->len > NGX_AGT_FACTS_MAX_STR) {
            b->overflow = 1;
            return;
        }

        h.strings[i] = (uint16_t) s->len;
    }

    ngx_agt_facts_write(b, &h, sizeof(h));

    for (i = 0; i < NGX_AGT_FACTS_STRINGS; i++) {
        s = (const ngx_str_t *)
                ((const u_char *) facts + ngx_agt_facts_strings[i]);

        ngx_agt_facts_write(b, s->data, s->len);
    }
}


void
ngx_agt_facts_list(ngx_agt_facts_builder_t *b, ngx_agt_facts_list_e list)
{
    if ((ngx_uint_t) list < b->list || list >= NGX_AGT_FACTS_LISTS) {
        b->overflow = 1;
        return;
    }

    ngx_agt_facts_start_lists(b, (ngx_uint_t) list + 1);
}


void
ngx_agt_facts_add(ngx_agt_facts_builder_t *b, const ngx_str_t *value)
{
    uint16_t  len;

    if (b->list == 0 || value->len > NGX_AGT_FACTS_MAX_STR) {
        b->overflow = 1;
        return;
    }

    len = (uint16_t) value->len;

    ngx_agt_facts_write(b, &len, sizeof(len));
    ngx_agt_facts_write(b, value->data, value->len);
}


size_t
ngx_agt_facts_end(ngx_agt_facts_builder_t *b)
{
    uint32_t  size;

    ngx_agt_facts_start_lists(b, NGX_AGT_FACTS_LISTS);

    if (b->overflow || (size_t) (b->pos - b->start) > UINT32_MAX) {
        return 0;
    }

    size = (uint32_t) (b->pos - b->start);

    ngx_memcpy(b->start + offsetof(ngx_agt_facts_header_t, size),
               &size, sizeof(size));

    return size;
}


ngx_int_t
ngx_agt_facts_open(ngx_agt_facts_t *facts, const u_char *packed, size_t len)
{
    size_t                  offset, next;
    ngx_uint_t              i;
    ngx_agt_facts_header_t  h;

    if (len < sizeof(h)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&h, packed, sizeof(h));

    if (h.version != NGX_AGT_FACTS_VERSION
        || h.flags & ~NGX_AGT_FACTS_FLAGS
        || h.size != len)
    {
        return NGX_ERROR;
    }

    facts->exp = h.exp;
    facts->iat = h.iat;
    facts->nbf = h.nbf;
    facts->end = h.end;
    facts->mfa = h.mfa;

    facts->has_exp = (h.flags & NGX_AGT_FACTS_HAS_EXP) != 0;
    facts->has_iat = (h.flags & NGX_AGT_FACTS_HAS_IAT) != 0;
    facts->has_nbf = (h.flags & NGX_AGT_FACTS_HAS_NBF) != 0;
    facts->has_end = (h.flags & NGX_AGT_FACTS_HAS_END) != 0;
    facts->has_mfa = (h.flags & NGX_AGT_FACTS_HAS_MFA) != 0;
    facts->masquerading = (h.flags & NGX_AGT_FACTS_MASQUERADING) != 0;
    facts->has_rules = (h.flags & NGX_AGT_FACTS_HAS_RULES) != 0;
    facts->odd_scopes = (h.flags & NGX_AGT_FACTS_ODD_SCOPES) != 0;

    /* one by one, in the order of the table above: each request does this */

    offset = sizeof(h);

    offset = ngx_agt_facts_string(&facts->sub, packed, offset, h.strings[0]);
    offset = ngx_agt_facts_string(&facts->email, packed, offset, h.strings[1]);
    offset = ngx_agt_facts_string(&facts->org, packed, offset, h.strings[2]);
    offset = ngx_agt_facts_string(&facts->root_org, packed, offset,
                                  h.strings[3]);
    offset = ngx_agt_facts_string(&facts->jti, packed, offset, h.strings[4]);
    offset = ngx_agt_facts_string(&facts->session, packed, offset,
                                  h.strings[5]);

    /* lists lie within "len" bytes, and the strings lie before them */

    if (h.lists[0] != offset || offset > len) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AGT_FACTS_LISTS; i++) {

        next = (i + 1 < NGX_AGT_FACTS_LISTS) ? h.lists[i + 1] : len;

        if (next < offset || next > len) {
            return NGX_ERROR;
        }

        facts->lists[i].pos = packed + offset;
        facts->lists[i].end = packed + next;

        offset = next;
    }

    return NGX_OK;
}


/* returns the offset behind it */

static ngx_inline size_t
ngx_agt_facts_string(ngx_str_t *s, const u_char *packed,
    size_t offset, size_t len)
{
    s->data = (u_char *) packed + offset;
    s->len = len;

    return offset + len;
}


static ngx_inline ngx_int_t
ngx_agt_facts_step(ngx_agt_list_t *list, ngx_str_t *value)
{
    uint16_t  len;

    if ((size_t) (list->end - list->pos) < sizeof(len)) {
        goto done;
    }

    ngx_memcpy(&len, list->pos, sizeof(len));

    if ((size_t) (list->end - list->pos) - sizeof(len) < len) {
        goto done;
    }

    value->data = (u_char *) list->pos + sizeof(len);
    value->len = len;

    list->pos += sizeof(len) + len;

    return NGX_OK;

done:

    list->pos = list->end;

    return NGX_DONE;
}


ngx_int_t
ngx_agt_facts_next(ngx_agt_list_t *list, ngx_str_t *value)
{
    return ngx_agt_facts_step(list, value);
}


ngx_uint_t
ngx_agt_facts_has(const ngx_agt_list_t *list, const ngx_str_t *value)
{
    ngx_str_t       item;
    ngx_agt_list_t  rest;

    rest = *list;

    while (ngx_agt_facts_step(&rest, &item) == NGX_OK) {
        if (ngx_agt_text_equal(&item, value)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_agt_facts_has_pair(const ngx_agt_list_t *list,
    const ngx_str_t *name, const ngx_str_t *value)
{
    ngx_str_t       key, item;
    ngx_agt_list_t  rest;

    rest = *list;

    while (ngx_agt_facts_step(&rest, &key) == NGX_OK
           && ngx_agt_facts_step(&rest, &item) == NGX_OK)
    {
        if (ngx_agt_text_equal(&item, value)
            && ngx_agt_text_equal(&key, name))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_agt_facts_find(const ngx_agt_list_t *list,
    const ngx_str_t *name, ngx_str_t *value)
{
    ngx_str_t       key, item;
    ngx_agt_list_t  rest;

    rest = *list;

    while (ngx_agt_facts_step(&rest, &key) == NGX_OK
           && ngx_agt_facts_step(&rest, &item) == NGX_OK)
    {
        if (ngx_agt_text_equal(&key, name)) {
            *value = item;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_agt_facts_write(ngx_agt_facts_builder_t *b, const void *data, size_t len)
{
    if (b->overflow || (size_t) (b->end - b->pos) < len) {
        b->overflow = 1;
        return;
    }

    if (len) {
        b->pos = ngx_cpymem(b->pos, data, len);
    }
}


/* begins all lists up to the nth that have not been begun yet, here */

static void
ngx_agt_facts_start_lists(ngx_agt_facts_builder_t *b, ngx_uint_t n)
{
    u_char    *p;
    uint32_t   offset;

    if (b->overflow || (size_t) (b->pos - b->start) > UINT32_MAX) {
        b->overflow = 1;
        return;
    }

    offset = (uint32_t) (b->pos - b->start);

    for ( /* void */ ; b->list < n; b->list++) {
        p = b->start + offsetof(ngx_agt_facts_header_t, lists)
            + b->list * sizeof(offset);

        ngx_memcpy(p, &offset, sizeof(offset));
    }
}
