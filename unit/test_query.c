
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "rules/query.h"


static void test_rows(void);
static void test_bytes(void);
static ngx_uint_t matches(const char *query, const char *name,
    const char *exact);


static const struct {
    const char   *query;
    const char   *name;
    const char   *exact;
    ngx_uint_t    match;
} rows[] = {

    /* it must be there, and have the value */
    { "a=ok", "a", "ok", 1 },
    { "b=1&a=ok&c=2", "a", "ok", 1 },
    { "a=ok&", "a", "ok", 1 },
    { "&&a=ok", "a", "ok", 1 },
    { "a=", "a", "", 1 },
    { "a", "a", "", 1 },
    { "", "a", "ok", 0 },
    { "", "a", "", 0 },
    { "b=ok", "a", "ok", 0 },
    { "a=evil", "a", "ok", 0 },
    { "a=okx", "a", "ok", 0 },
    { "a=o", "a", "ok", 0 },
    { "a=OK", "a", "ok", 0 },
    { "a=", "a", "ok", 0 },
    { "a", "a", "ok", 0 },
    { "a=ok=", "a", "ok", 0 },
    { "a==ok", "a", "ok", 0 },
    { "a=o=k", "a", "o=k", 1 },
    { "xa=ok", "a", "ok", 0 },
    { "ax=ok", "a", "ok", 0 },
    { "b=a=ok", "a", "ok", 0 },

    /* any value */
    { "a=1", "a", NULL, 1 },
    { "a", "a", NULL, 1 },
    { "a=1&a=2", "a", NULL, 1 },
    { "b=1", "a", NULL, 0 },
    { "a=%zz", "a", NULL, 1 },

    /* decoded once */
    { "%61=ok", "a", "ok", 1 },
    { "a=%6fk", "a", "ok", 1 },
    { "a=%6F%6b", "a", "ok", 1 },
    { "a=%256fk", "a", "ok", 0 },
    { "a=%256fk", "a", "%6fk", 1 },
    { "a=x%26b%3dy", "a", "x&b=y", 1 },
    { "a=%c3%a9", "a", "\xc3\xa9", 1 },
    { "a=\xc3\xa9", "a", "\xc3\xa9", 1 },
    { "\xc3\xa9=1", "\xc3\xa9", "1", 1 },
    { "a=ok%00", "a", "ok", 0 },
    { "a=%", "a", "%", 0 },
    { "a=%6", "a", "%6", 0 },
    { "a=%zz", "a", "%zz", 0 },
    { "a=ok%", "a", "ok", 0 },

    /* every occurrence counts */
    { "a=ok&a=ok", "a", "ok", 1 },
    { "a=ok&a=evil", "a", "ok", 0 },
    { "a=evil&a=ok", "a", "ok", 0 },
    { "a=ok&%61=evil", "a", "ok", 0 },
    { "a=ok&a", "a", "ok", 0 },
    { "a=ok&a=", "a", "ok", 0 },

    /* some end a parameter at ";" */
    { "a=ok;b=1", "a", "ok", 0 },
    { "a=ok;a=evil", "a", "ok", 0 },
    { "x=1;a=evil&a=ok", "a", "ok", 0 },
    { "x=1;a=ok&a=ok", "a", "ok", 1 },
    { "x=1;a=ok", "a", "ok", 0 },
    { "x=1;y=2&a=ok", "a", "ok", 1 },
    { "a=x;y", "a", "x;y", 0 },
    { "a=x%3by", "a", "x;y", 1 },
    { "a;b=1", "a;b", "1", 0 },

    /* "+" is a space to some */
    { "a=x+y", "a", "x y", 0 },
    { "a=x+y", "a", "x+y", 0 },
    { "a=x%20y", "a", "x y", 1 },
    { "a=x%2by", "a", "x+y", 1 },
    { "x+y=1", "x y", "1", 0 },
    { "x%20y=1", "x y", "1", 1 },
    { "x%20y=1&x+y=2", "x y", "1", 0 },
    { "x%20y=1&x+y=1", "x y", "1", 1 },
    { "x%2by=1&x+y=2", "x+y", "1", 0 },

    /* names that some take for the name */
    { "a=ok&A=evil", "a", "ok", 0 },
    { "a=ok&A=ok", "a", "ok", 1 },
    { "A=ok", "a", "ok", 0 },
    { "a=ok&a[]=evil", "a", "ok", 0 },
    { "a=ok&a[0]=evil", "a", "ok", 0 },
    { "a=ok&a%5B%5D=evil", "a", "ok", 0 },
    { "a=ok&a[=evil", "a", "ok", 0 },
    { "a[]=ok", "a", "ok", 0 },
    { "a=ok&a%00=evil", "a", "ok", 0 },
    { "a=ok&a%00x=evil", "a", "ok", 0 },
    { "a=ok&%20a=evil", "a", "ok", 0 },
    { "a=ok&+a=evil", "a", "ok", 0 },
    { "a=ok&a+=evil", "a", "ok", 0 },
    { "a=ok&a%20=evil", "a", "ok", 0 },
    { "a=ok&a%20[]=evil", "a", "ok", 0 },
    { "a=ok&ab=evil", "a", "ok", 1 },
    { "a=ok&ba=evil", "a", "ok", 1 },
    { "a=ok&a.b=evil", "a", "ok", 1 },
    { "user_id=1&user.id=2", "user_id", "1", 0 },
    { "user_id=1&user%20id=2", "user_id", "1", 0 },
    { "user_id=1&user+id=2", "user_id", "1", 0 },
    { "user_id=1&USER_ID=2", "user_id", "1", 0 },
    { "user_id=1&userid=2", "user_id", "1", 1 },
    { "f[x]=ok", "f[x]", "ok", 1 },
    { "f%5bx%5d=ok", "f[x]", "ok", 1 },
    { "f[x]=ok&f[y]=1", "f[x]", "ok", 1 },
    { "f[x]=ok&f[x][]=1", "f[x]", "ok", 0 },
    { "f[x]=ok&f=1", "f[x]", "ok", 0 },
    { "f[x]=ok&F[X]=1", "f[x]", "ok", 0 },

    /* names that cannot be told */
    { "a=ok&%=1", "a", "ok", 0 },
    { "a=ok&b%=1", "a", "ok", 0 },
    { "a=ok&b%6=1", "a", "ok", 0 },
    { "a=ok&%zz=1", "a", "ok", 0 },
    { "a=ok&%2561=evil", "a", "ok", 0 },
    { "a=ok&%25=1", "a", "ok", 0 },
    { "a=ok&b=%zz", "a", "ok", 1 },
    { "%zz=1", "a", NULL, 0 },
};


int
main(void)
{
    test_rows();
    test_bytes();

    return unit_done();
}


static ngx_uint_t
matches(const char *query, const char *name, const char *exact)
{
    ngx_str_t   q, n, e;
    ngx_uint_t  rc;

    q = unit_str(query);
    n = unit_str(name);
    e = unit_str(exact ? exact : "");

    rc = ngx_agt_query_match(&q, &n, exact ? &e : NULL);

    free(q.data);
    free(n.data);
    free(e.data);

    return rc;
}


static void
test_rows(void)
{
    size_t     i;
    ngx_str_t  none = ngx_null_string, name = ngx_string("a");

    unit_test("constraints on a parameter");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(matches(rows[i].query, rows[i].name, rows[i].exact)
                        == rows[i].match, rows[i].query);
    }

    unit_check(!ngx_agt_query_match(&none, &name, NULL));
}


static void
test_bytes(void)
{
    char        raw[] = "a=X", escaped[] = "a=%00", exact[] = "X";
    ngx_str_t   q, n = ngx_string("a"), e;
    ngx_uint_t  c;

    unit_test("each byte value of a value, as it is and escaped");

    e.data = (u_char *) exact;
    e.len = 1;

    for (c = 1; c < 256; c++) {
        exact[0] = (char) c;
        raw[2] = (char) c;

        q.data = (u_char *) raw;
        q.len = 3;

        unit_check(ngx_agt_query_match(&q, &n, &e)
                   == (c != '&' && c != ';' && c != '+' && c != '%'));

        escaped[3] = "0123456789abcdef"[c >> 4];
        escaped[4] = "0123456789ABCDEF"[c & 15];

        q.data = (u_char *) escaped;
        q.len = 5;

        unit_check(ngx_agt_query_match(&q, &n, &e));
    }
}
