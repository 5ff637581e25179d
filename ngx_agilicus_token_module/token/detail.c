
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/detail.h"
#include "token/text.h"


/* the end of a detail that is cut; there is always room for it */
#define NGX_AGT_DETAIL_CUT  "..."


static void ngx_agt_detail_bytes(ngx_agt_detail_t *d, const u_char *p,
    size_t len);
static void ngx_agt_detail_item(ngx_agt_detail_t *d, ngx_uint_t *n,
    const ngx_str_t *text);
static void ngx_agt_detail_items_end(ngx_agt_detail_t *d, ngx_uint_t n);
static void ngx_agt_detail_needs(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts);
static void ngx_agt_detail_has(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts);
static void ngx_agt_detail_mfa(ngx_agt_detail_t *d, time_t age,
    const ngx_agt_facts_t *facts, int64_t now);
static ngx_uint_t ngx_agt_detail_value(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement);


#define NGX_AGT_DETAIL_DIRECTIVE(kind, form, directive, verdict, reason,      \
    judged)                                                                   \
    directive,

static const char  *ngx_agt_detail_directives[] = {
    NGX_AGT_REQUIREMENTS(NGX_AGT_DETAIL_DIRECTIVE)
};


void
ngx_agt_detail_begin(ngx_agt_detail_t *d, u_char *buf)
{
    d->start = buf;
    d->pos = buf;
    d->last = buf + NGX_AGT_DETAIL_LEN - (sizeof(NGX_AGT_DETAIL_CUT) - 1);
    d->full = 0;
}


size_t
ngx_agt_detail_end(ngx_agt_detail_t *d)
{
    if (d->full) {
        d->pos = ngx_cpymem(d->pos, NGX_AGT_DETAIL_CUT,
                            sizeof(NGX_AGT_DETAIL_CUT) - 1);
    }

    return (size_t) (d->pos - d->start);
}


void
ngx_agt_detail_words(ngx_agt_detail_t *d, const char *words)
{
    ngx_agt_detail_bytes(d, (const u_char *) words, ngx_strlen(words));
}


/* nothing is added any more behind what did not fit */

static void
ngx_agt_detail_bytes(ngx_agt_detail_t *d, const u_char *p, size_t len)
{
    if (d->full || len > (size_t) (d->last - d->pos)) {
        d->full = 1;
        return;
    }

    d->pos = ngx_cpymem(d->pos, p, len);
}


void
ngx_agt_detail_number(ngx_agt_detail_t *d, int64_t number)
{
    u_char    buf[NGX_INT64_LEN], *p;
    uint64_t  n;

    p = buf + sizeof(buf);
    n = (number < 0) ? 0 - (uint64_t) number : (uint64_t) number;

    do {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    if (number < 0) {
        *--p = '-';
    }

    ngx_agt_detail_bytes(d, p, (size_t) (buf + sizeof(buf) - p));
}


void
ngx_agt_detail_text(ngx_agt_detail_t *d, const ngx_str_t *text)
{
    u_char  escape[3];
    size_t  i, len;

    static const u_char  hex[] = "0123456789ABCDEF";

    ngx_agt_detail_words(d, "'");

    len = ngx_min(text->len, NGX_AGT_DETAIL_TEXT);

    for (i = 0; i < len; i++) {
        escape[0] = text->data[i];

        if (escape[0] >= 0x20 && escape[0] <= 0x7e
            && ngx_strchr("'\"\\,", escape[0]) == NULL)
        {
            ngx_agt_detail_bytes(d, escape, 1);
            continue;
        }

        escape[1] = hex[escape[0] >> 4];
        escape[2] = hex[escape[0] & 0xf];
        escape[0] = '%';

        ngx_agt_detail_bytes(d, escape, sizeof(escape));
    }

    ngx_agt_detail_words(d, len < text->len ? NGX_AGT_DETAIL_CUT "'" : "'");
}


/* the next item of a list, of which "n" came before */

static void
ngx_agt_detail_item(ngx_agt_detail_t *d, ngx_uint_t *n, const ngx_str_t *text)
{
    if (*n < NGX_AGT_DETAIL_LIST) {
        ngx_agt_detail_words(d, *n ? ", " : " ");
        ngx_agt_detail_text(d, text);
    }

    (*n)++;
}


static void
ngx_agt_detail_items_end(ngx_agt_detail_t *d, ngx_uint_t n)
{
    if (n == 0) {
        ngx_agt_detail_words(d, " none");

    } else if (n > NGX_AGT_DETAIL_LIST) {
        ngx_agt_detail_words(d, " and ");
        ngx_agt_detail_number(d, (int64_t) (n - NGX_AGT_DETAIL_LIST));
        ngx_agt_detail_words(d, " more");
    }
}


void
ngx_agt_detail_requirement(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts,
    int64_t now)
{
    ngx_agt_detail_words(d, ngx_agt_detail_directives[requirement->kind]);
    ngx_agt_detail_words(d, " ");
    ngx_agt_detail_number(d, (int64_t) requirement->position);
    ngx_agt_detail_words(d, ": ");

    if (ngx_agt_detail_value(d, requirement)) {
        return;
    }

    switch (requirement->kind) {

    case NGX_AGT_REQUIRE_EXPIRY:
        ngx_agt_detail_words(d, "the token has no exp");
        return;

    case NGX_AGT_REQUIRE_MASQUERADING:
        ngx_agt_detail_words(d, "the user acts as another");
        return;

    case NGX_AGT_REQUIRE_MFA:
        ngx_agt_detail_mfa(d, requirement->age, facts, now);
        return;

    default:
        ngx_agt_detail_needs(d, requirement, facts);
        ngx_agt_detail_words(d, "; has");
        ngx_agt_detail_has(d, requirement, facts);
        return;
    }
}


/* returns 1 if a value is one that no token can meet, or that says no */

static ngx_uint_t
ngx_agt_detail_value(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement)
{
    ngx_uint_t        i;
    const ngx_str_t  *value;

    for (i = 0; i < requirement->nvalues; i++) {
        value = &requirement->values[i];

        if (value->len
            && (requirement->kind != NGX_AGT_REQUIRE_VALUES
                || !ngx_agt_policy_says_no(value)))
        {
            continue;
        }

        ngx_agt_detail_words(d, "value ");
        ngx_agt_detail_number(d, (int64_t) i + 1);
        ngx_agt_detail_words(d, value->len ? " is " : " is empty");

        if (value->len) {
            ngx_agt_detail_text(d, value);
        }

        return 1;
    }

    return 0;
}


/* of scopes that are all needed, those that are missing */

static void
ngx_agt_detail_needs(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts)
{
    ngx_uint_t        i, n, all;
    const ngx_str_t  *values;

    n = 0;
    values = requirement->values;

    all = (requirement->kind == NGX_AGT_REQUIRE_SCOPES && !requirement->any);
    i = (requirement->kind == NGX_AGT_REQUIRE_ROLE) ? 1
        : (requirement->kind == NGX_AGT_REQUIRE_RESOURCE) ? 2 : 0;

    ngx_agt_detail_words(d, all ? "lacks" : "needs one of");

    for ( /* void */ ; i < requirement->nvalues; i++) {

        if (!all || !ngx_agt_facts_has(&facts->lists[NGX_AGT_FACTS_SCOPES],
                                       &values[i]))
        {
            ngx_agt_detail_item(d, &n, &values[i]);
        }
    }

    ngx_agt_detail_items_end(d, n);

    if (requirement->kind == NGX_AGT_REQUIRE_ROLE) {
        ngx_agt_detail_words(d, " in ");
        ngx_agt_detail_text(d, &values[0]);
    }

    if (requirement->kind == NGX_AGT_REQUIRE_RESOURCE) {
        ngx_agt_detail_words(d, " on ");
        ngx_agt_detail_text(d, &values[0]);
        ngx_agt_detail_words(d, " ");
        ngx_agt_detail_text(d, &values[1]);
    }
}


static void
ngx_agt_detail_has(ngx_agt_detail_t *d,
    const ngx_agt_requirement_t *requirement, const ngx_agt_facts_t *facts)
{
    ngx_str_t         item, id, role;
    ngx_uint_t        n;
    ngx_agt_list_t    list;
    const ngx_str_t  *values;

    n = 0;
    values = requirement->values;

    switch (requirement->kind) {

    case NGX_AGT_REQUIRE_ORG:

        if (facts->org.len) {
            ngx_agt_detail_item(d, &n, &facts->org);
        }

        break;

    case NGX_AGT_REQUIRE_ROLE:
        list = facts->lists[NGX_AGT_FACTS_ROLES];

        while (ngx_agt_facts_next(&list, &item) == NGX_OK
               && ngx_agt_facts_next(&list, &role) == NGX_OK)
        {
            if (ngx_agt_text_equal(&item, &values[0])) {
                ngx_agt_detail_item(d, &n, &role);
            }
        }

        break;

    case NGX_AGT_REQUIRE_RESOURCE:
        list = facts->lists[NGX_AGT_FACTS_RESOURCES];

        while (ngx_agt_facts_next(&list, &item) == NGX_OK
               && ngx_agt_facts_next(&list, &id) == NGX_OK
               && ngx_agt_facts_next(&list, &role) == NGX_OK)
        {
            if (ngx_agt_text_equal(&item, &values[0])
                && ngx_agt_text_equal(&id, &values[1]))
            {
                ngx_agt_detail_item(d, &n, &role);
            }
        }

        break;

    default: /* NGX_AGT_REQUIRE_SCOPES, NGX_AGT_REQUIRE_AUDIENCE */
        list = facts->lists[(requirement->kind == NGX_AGT_REQUIRE_AUDIENCE)
                            ? NGX_AGT_FACTS_AUD : NGX_AGT_FACTS_SCOPES];

        while (ngx_agt_facts_next(&list, &item) == NGX_OK) {
            ngx_agt_detail_item(d, &n, &item);
        }

        break;
    }

    ngx_agt_detail_items_end(d, n);
}


static void
ngx_agt_detail_mfa(ngx_agt_detail_t *d, time_t age,
    const ngx_agt_facts_t *facts, int64_t now)
{
    ngx_agt_detail_words(d, "needs a sign-in at most ");
    ngx_agt_detail_number(d, age);
    ngx_agt_detail_words(d, " s ago; the last was ");

    if (!facts->has_mfa) {
        ngx_agt_detail_words(d, "never");
        return;
    }

    /* no date is negative: neither difference overflows */

    ngx_agt_detail_number(d, facts->mfa <= now ? now - facts->mfa
                                               : facts->mfa - now);
    ngx_agt_detail_words(d, facts->mfa <= now ? " s ago" : " s ahead");
}
