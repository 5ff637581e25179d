
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "token/facts.h"


/*
 * Whatever opens as facts can be read to its end, and packs again into facts
 * that say the same.
 */

static void fuzz_same(const ngx_agt_facts_t *a, const ngx_agt_facts_t *b);
static int fuzz_equal(const ngx_str_t *a, const ngx_str_t *b);


void
fuzz_target(const uint8_t *data, size_t size)
{
    size_t                   len;
    u_char                  *buf;
    ngx_str_t                s, value;
    ngx_uint_t               i;
    ngx_agt_list_t           list;
    ngx_agt_facts_t          facts, again;
    ngx_agt_facts_builder_t  b;

    if (ngx_agt_facts_open(&facts, data, size) != NGX_OK) {
        return;
    }

    fuzz_accepted++;

    buf = malloc(size);

    ngx_agt_facts_begin(&b, buf, size, &facts);

    for (i = 0; i < NGX_AGT_FACTS_LISTS; i++) {
        ngx_agt_facts_list(&b, i);

        list = facts.lists[i];

        while (ngx_agt_facts_next(&list, &s) == NGX_OK) {
            fuzz_check(fuzz_within(&s, data, size));
            fuzz_check(ngx_agt_facts_has(&facts.lists[i], &s));

            ngx_agt_facts_add(&b, &s);
        }

        list = facts.lists[i];

        if (ngx_agt_facts_next(&list, &s) == NGX_OK
            && ngx_agt_facts_next(&list, &value) == NGX_OK)
        {
            fuzz_check(ngx_agt_facts_has_pair(&facts.lists[i], &s, &value));
            fuzz_check(ngx_agt_facts_find(&facts.lists[i], &s,
                                          &value) == NGX_OK);
        }
    }

    /* packed again, the facts cannot need more room than before */

    len = ngx_agt_facts_end(&b);

    fuzz_check(len > 0 && len <= size);
    fuzz_check(ngx_agt_facts_open(&again, buf, len) == NGX_OK);

    fuzz_same(&facts, &again);

    free(buf);
}


static void
fuzz_same(const ngx_agt_facts_t *a, const ngx_agt_facts_t *b)
{
    ngx_str_t       s, t;
    ngx_int_t       rc;
    ngx_uint_t      i;
    ngx_agt_list_t  x, y;

    fuzz_check(a->has_exp == b->has_exp && a->has_iat == b->has_iat);
    fuzz_check(a->has_nbf == b->has_nbf && a->has_rules == b->has_rules);
    fuzz_check(a->has_end == b->has_end && a->odd_scopes == b->odd_scopes);
    fuzz_check(a->masquerading == b->masquerading);
    fuzz_check(a->has_mfa == b->has_mfa);

    fuzz_check(!a->has_exp || a->exp == b->exp);
    fuzz_check(!a->has_iat || a->iat == b->iat);
    fuzz_check(!a->has_nbf || a->nbf == b->nbf);
    fuzz_check(!a->has_end || a->end == b->end);
    fuzz_check(!a->has_mfa || a->mfa == b->mfa);

    fuzz_check(fuzz_equal(&a->sub, &b->sub));
    fuzz_check(fuzz_equal(&a->email, &b->email));
    fuzz_check(fuzz_equal(&a->org, &b->org));
    fuzz_check(fuzz_equal(&a->root_org, &b->root_org));
    fuzz_check(fuzz_equal(&a->jti, &b->jti));
    fuzz_check(fuzz_equal(&a->session, &b->session));

    for (i = 0; i < NGX_AGT_FACTS_LISTS; i++) {
        x = a->lists[i];
        y = b->lists[i];

        do {
            rc = ngx_agt_facts_next(&x, &s);

            fuzz_check(ngx_agt_facts_next(&y, &t) == rc);
            fuzz_check(rc != NGX_OK || fuzz_equal(&s, &t));

        } while (rc == NGX_OK);
    }
}


static int
fuzz_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}
