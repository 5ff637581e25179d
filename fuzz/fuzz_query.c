
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "rules/query.h"


/*
 * The input is a name, a value and a query, each but the last ended by a line.
 * Where the constraint is met, two readers of queries must find it met: one
 * that ends parameters at "&" and keeps "+", and one that ends them at ";" too
 * and takes "+" for a space.
 */

static int fuzz_reader(const ngx_str_t *query, const ngx_str_t *name,
    const ngx_str_t *exact, int semicolon, int space);
static int fuzz_is(const u_char *p, const u_char *end, const ngx_str_t *text,
    int space);
static const u_char *fuzz_line(ngx_str_t *s, const u_char *p,
    const u_char *end);


void
fuzz_target(const uint8_t *data, size_t size)
{
    ngx_str_t      name, value, query, *exact;
    const u_char  *p, *end;

    if (size == 0) {
        return;
    }

    end = data + size;

    p = fuzz_line(&name, data, end);
    p = fuzz_line(&value, p, end);

    query.data = (u_char *) p;
    query.len = (size_t) (end - p);

    /* "-" stands for any value */

    exact = (value.len == 1 && value.data[0] == '-') ? NULL : &value;

    if (name.len && ngx_agt_query_match(&query, &name, exact)) {
        fuzz_accepted++;

        fuzz_check(fuzz_reader(&query, &name, exact, 0, 0));
        fuzz_check(fuzz_reader(&query, &name, exact, 0, 1));
        fuzz_check(fuzz_reader(&query, &name, exact, 1, 0));
        fuzz_check(fuzz_reader(&query, &name, exact, 1, 1));
    }
}


static const u_char *
fuzz_line(ngx_str_t *s, const u_char *p, const u_char *end)
{
    s->data = (u_char *) p;

    while (p < end && *p != '\n') {
        p++;
    }

    s->len = (size_t) (p - s->data);

    return (p < end) ? p + 1 : p;
}


static int
fuzz_reader(const ngx_str_t *query, const ngx_str_t *name,
    const ngx_str_t *exact, int semicolon, int space)
{
    int            found;
    const u_char  *p, *last, *equals, *end;

    found = 0;
    end = query->data + query->len;

    for (p = query->data; p < end; p = last + 1) {

        for (last = p; last < end; last++) {
            if (*last == '&' || (semicolon && *last == ';')) {
                break;
            }
        }

        for (equals = p; equals < last && *equals != '='; equals++) {
            /* void */
        }

        if (!fuzz_is(p, equals, name, space)) {
            continue;
        }

        found = 1;

        if (equals < last) {
            equals++;
        }

        if (exact && !fuzz_is(equals, last, exact, space)) {
            return 0;
        }
    }

    return found;
}


static int
fuzz_is(const u_char *p, const u_char *end, const ngx_str_t *text, int space)
{
    size_t  n;
    u_char  c;
    char    hex[3];

    for (n = 0; p < end; n++) {
        c = *p++;

        if (c == '+' && space) {
            c = ' ';

        } else if (c == '%' && end - p >= 2 && isxdigit(p[0])
                   && isxdigit(p[1]))
        {
            hex[0] = (char) p[0];
            hex[1] = (char) p[1];
            hex[2] = '\0';
            c = (u_char) strtoul(hex, NULL, 16);
            p += 2;
        }

        if (n == text->len || text->data[n] != c) {
            return 0;
        }
    }

    return n == text->len;
}
