
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/field.h"


u_char *
ngx_agt_field_text(u_char *dst, const ngx_str_t *text, const char *apart,
    ngx_uint_t percent)
{
    u_char  ch;
    size_t  i;

    static const u_char  hex[] = "0123456789ABCDEF";

    if (text->len == 0) {
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ch >= 0x20 && ch <= 0x7e
            && ngx_strchr(apart, ch) == NULL
            && !(ch == ' ' && (i == 0 || i == text->len - 1))
            && !(ch == '%' && percent))
        {
            *dst++ = ch;
            continue;
        }

        if (!percent) {
            return NULL;
        }

        *dst++ = '%';
        *dst++ = hex[ch >> 4];
        *dst++ = hex[ch & 0xf];
    }

    return dst;
}


u_char *
ngx_agt_field_list(u_char *dst, const ngx_agt_facts_t *facts,
    ngx_agt_facts_list_e list, ngx_uint_t percent)
{
    u_char          *p, *start;
    ngx_str_t        item, role;
    ngx_uint_t       pairs;
    ngx_agt_list_t   rest;

    rest = facts->lists[list];
    pairs = (list == NGX_AGT_FACTS_ROLES);
    start = dst;

    while (ngx_agt_facts_next(&rest, &item) == NGX_OK
           && (!pairs || ngx_agt_facts_next(&rest, &role) == NGX_OK))
    {
        p = dst;

        /* an item takes two bytes for its length in the list, one here */

        if (p != start) {
            *p++ = ' ';
        }

        p = ngx_agt_field_text(p, &item, pairs ? " :" : " ", percent);

        if (p && pairs) {
            *p++ = ':';
            p = ngx_agt_field_text(p, &role, " ", percent);
        }

        if (p) {
            dst = p;
        }
    }

    return dst;
}
