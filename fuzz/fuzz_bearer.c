
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "token/bearer.h"


/*
 * The first byte is the longest token, the second chooses the name, the rest
 * is read as the value of a header, of a cookie field and as a query string.
 */

#define FOUND      NGX_AGT_BEARER_FOUND
#define NONE       NGX_AGT_BEARER_NONE
#define MALFORMED  NGX_AGT_BEARER_MALFORMED
#define TOO_LONG   NGX_AGT_BEARER_TOO_LONG
#define REPEATED   NGX_AGT_BEARER_REPEATED


static void fuzz_header(ngx_str_t *value, size_t max);
static void fuzz_cookie(ngx_str_t *value, ngx_str_t *name, size_t max);
static void fuzz_subprotocol(ngx_str_t *value, ngx_str_t *prefix, size_t max);
static void fuzz_query(ngx_str_t *args, ngx_str_t *name, size_t max);
static ngx_uint_t slow_token(const u_char *p, size_t len, size_t max);
static ngx_uint_t slow_count(ngx_str_t *s, ngx_str_t *name, int separator);
static ngx_uint_t slow_is_empty(ngx_str_t *s, ngx_str_t *name);


void
fuzz_target(const uint8_t *data, size_t size)
{
    ngx_str_t  value;

    static ngx_str_t  names[] = {
        ngx_string("t"), ngx_string("tok"), ngx_string("access_token")
    };

    if (size < 2) {
        return;
    }

    value.data = (u_char *) data + 2;
    value.len = size - 2;

    fuzz_header(&value, data[0]);
    fuzz_cookie(&value, &names[data[1] % 3], data[0]);
    fuzz_subprotocol(&value, &names[data[1] % 3], data[0]);
    fuzz_query(&value, &names[data[1] % 3], data[0]);
}


/* a b64token by the letter of the grammar */

static ngx_uint_t
slow_token(const u_char *p, size_t len, size_t max)
{
    size_t  body, i;

    for (body = len; body > 0 && p[body - 1] == '='; body--) { /* void */ }

    if (body == 0) {
        return MALFORMED;
    }

    for (i = 0; i < body; i++) {
        if (p[i] == 0
            || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789-._~+/", p[i]) == NULL)
        {
            return MALFORMED;
        }
    }

    return (len > max) ? TOO_LONG : FOUND;
}


static void
fuzz_header(ngx_str_t *value, size_t max)
{
    size_t      skip;
    ngx_str_t   token;
    ngx_uint_t  rc;

    rc = ngx_agt_bearer_header(value, max, &token);

    if (value->len < 7 || strncasecmp((char *) value->data, "Bearer ", 7) != 0)
    {
        fuzz_check(rc == NONE || rc == MALFORMED);
        return;
    }

    for (skip = 7; skip < value->len && value->data[skip] == ' '; skip++) {
        /* void */
    }

    fuzz_check(rc == slow_token(value->data + skip, value->len - skip, max));

    if (rc == FOUND) {
        fuzz_accepted++;

        fuzz_check(token.data == value->data + skip);
        fuzz_check(token.len == value->len - skip);
        fuzz_check(ngx_agt_bearer_is_token68(&token));
    }
}


/* how many pieces begin with the name, and then end or go on with "=" */

static ngx_uint_t
slow_count(ngx_str_t *s, ngx_str_t *name, int separator)
{
    size_t      i, n;
    ngx_uint_t  count;

    count = 0;

    for (i = 0; i < s->len; i++) {

        if (i > 0 && s->data[i - 1] != separator) {
            continue;
        }

        n = i;

        if (separator == ';') {
            while (n < s->len && (s->data[n] == ' ' || s->data[n] == '\t')) {
                n++;
            }
        }

        if (s->len - n < name->len
            || memcmp(s->data + n, name->data, name->len) != 0)
        {
            continue;
        }

        n += name->len;

        if (separator == ';') {
            while (n < s->len && (s->data[n] == ' ' || s->data[n] == '\t')) {
                n++;
            }
        }

        if (n == s->len || s->data[n] == separator || s->data[n] == '=') {
            count++;
        }
    }

    return count;
}


/* whether a piece is the name and "=", with spaces around them at most */

static ngx_uint_t
slow_is_empty(ngx_str_t *s, ngx_str_t *name)
{
    size_t  i, n;

    for (i = 0; i + name->len < s->len; i++) {

        for (n = i; n > 0 && (s->data[n - 1] == ' ' || s->data[n - 1] == '\t');
             n--)
        {
            /* void */
        }

        if (n > 0 && s->data[n - 1] != ';') {
            continue;
        }

        n = i + name->len;

        if (memcmp(s->data + i, name->data, name->len) != 0
            || s->data[n++] != '=')
        {
            continue;
        }

        while (n < s->len && (s->data[n] == ' ' || s->data[n] == '\t')) {
            n++;
        }

        if (n == s->len || s->data[n] == ';') {
            return 1;
        }
    }

    return 0;
}


static void
fuzz_cookie(ngx_str_t *value, ngx_str_t *name, size_t max)
{
    u_char      *again;
    ngx_str_t    token, rest;
    ngx_uint_t   rc, seen, count;

    seen = 0;
    count = slow_count(value, name, ';');

    rc = ngx_agt_bearer_cookie(value, name, max, &seen, &token);

    fuzz_check(seen == (count > 2 ? 2 : count));
    fuzz_check((rc == NONE)
               == (count == 0
                   || (count == 1 && slow_is_empty(value, name))));
    fuzz_check((rc == REPEATED) == (count > 1));

    if (rc == FOUND) {
        fuzz_check(fuzz_within(&token, value->data, value->len));
        fuzz_check(slow_token(token.data, token.len, max) == FOUND);
    }

    rest.data = malloc(value->len + 1);
    rest.len = ngx_agt_bearer_cut_cookie(value, name, rest.data);

    fuzz_check(rest.len <= value->len);
    fuzz_check(slow_count(&rest, name, ';') == 0);

    again = malloc(rest.len + 1);

    fuzz_check(ngx_agt_bearer_cut_cookie(&rest, name, again) == rest.len);
    fuzz_check(memcmp(again, rest.data, rest.len) == 0);

    free(again);
    free(rest.data);
}


static void
fuzz_subprotocol(ngx_str_t *value, ngx_str_t *prefix, size_t max)
{
    ngx_str_t    token, rest;
    ngx_uint_t   rc, seen;

    seen = 0;

    rc = ngx_agt_bearer_subprotocol(value, prefix, max, &seen, &token);

    fuzz_check((rc == NONE) == (seen == 0));
    fuzz_check((rc == REPEATED) == (seen > 1));

    if (rc == FOUND) {
        fuzz_check(fuzz_within(&token, value->data, value->len));
        fuzz_check(slow_token(token.data, token.len, max) == FOUND);
    }

    rest.data = malloc(value->len + 1);
    rest.len = ngx_agt_bearer_cut_subprotocol(value, prefix, rest.data);

    fuzz_check(rest.len <= value->len);

    seen = 0;

    fuzz_check(ngx_agt_bearer_subprotocol(&rest, prefix, max, &seen, &token)
               == NONE);

    free(rest.data);
}


static void
fuzz_query(ngx_str_t *args, ngx_str_t *name, size_t max)
{
    u_char      *buf;
    ngx_str_t    token, rest;
    ngx_uint_t   rc, count;

    count = slow_count(args, name, '&');

    buf = malloc(max ? max : 1);

    rc = ngx_agt_bearer_query(args, name, max, buf, &token);

    fuzz_check((rc == NONE) == (count == 0));
    fuzz_check((rc == REPEATED) == (count > 1));

    if (rc == FOUND) {
        fuzz_check(token.data == buf);
        fuzz_check(slow_token(token.data, token.len, max) == FOUND);
    }

    free(buf);

    rest.data = malloc(args->len + 1);
    rest.len = ngx_agt_bearer_cut_query(args, name, rest.data);

    fuzz_check(rest.len <= args->len);
    fuzz_check(slow_count(&rest, name, '&') == 0);

    if (count == 0) {
        fuzz_check(rest.len == args->len);
        fuzz_check(memcmp(rest.data, args->data, rest.len) == 0);
    }

    free(rest.data);
}
