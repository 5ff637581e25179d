
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "rules/syntax.h"
#include "rules/template.h"


static void test_match(void);
static void test_values(void);
static void test_forms(void);
static ngx_uint_t matches(const char *template, const char *path,
    ngx_uint_t prefix);


static const struct {
    const char  *template;
    const char  *path;
    const char  *how;     /* E: matches as a whole, P: matches as a prefix */
} rows[] = {
    { "/api", "/api", "EP" },
    { "/api", "/api/", "P" },
    { "/api", "/api/x", "P" },
    { "/api", "/apix", "" },
    { "/api", "/API", "" },
    { "/api", "/ap", "" },
    { "/api", "/", "" },
    { "/api", "/x/api", "" },
    { "/api/", "/api/", "EP" },
    { "/api/", "/api/x", "P" },
    { "/api/", "/api", "" },
    { "/", "/", "EP" },
    { "/", "/x", "P" },
    { "/", "/x/y", "P" },

    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub/2", "EP" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub/2/", "P" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub/2/stuff", "P" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub/2/a/b", "P" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub/", "" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection//sub/2", "" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/sub", "" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/2/sub/2", "" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/1/subx/2", "" },
    { "/collection/{guid}/sub/{sub_guid}", "/collection/.*/sub/{x}", "EP" },

    { "/{a}", "/x", "EP" },
    { "/{a}", "/", "" },
    { "/{a}", "/x/y", "P" },
    { "/{a}/", "/x/", "EP" },
    { "/{a}/", "/x", "" },
    { "/{a}/{b}", "/x/y", "EP" },
    { "/{a}/{b}", "/x/", "" },

    { "/v{n}/x", "/v1/x", "EP" },
    { "/v{n}/x", "/v/x", "" },
    { "/v{n}/x", "/w1/x", "" },
    { "/{f}.txt", "/a.txt", "EP" },
    { "/{f}.txt", "/a.b.txt", "EP" },
    { "/{f}.txt", "/.txt", "" },
    { "/{f}.txt", "/a.txt.x", "" },
    { "/{f}.txt", "/a.txt/x", "P" },
    { "/{f}.txt", "/a/b.txt", "" },
    { "/a{f}a", "/aa", "" },
    { "/a{f}a", "/aaa", "EP" },
    { "/a-{f}-b/c", "/a-x-b/c", "EP" },
    { "/{f}aa", "/aaa", "EP" },

    { "/a.b", "/axb", "" },
    { "/.*", "/x", "" },
    { "/.*", "/.*", "EP" },
    { "/[^/]+", "/x", "" },
    { "/a?", "/a", "" },
    { "/%61", "/a", "" },
    { "/\xc3\xa9/{x}", "/\xc3\xa9/\xc3\xa9", "EP" },
};


int
main(void)
{
    test_match();
    test_values();
    test_forms();

    return unit_done();
}


static ngx_uint_t
matches(const char *template, const char *path, ngx_uint_t prefix)
{
    ngx_str_t   t, p;
    ngx_uint_t  rc;

    t = unit_str(template);
    p = unit_str(path);

    rc = ngx_agt_template_match(&t, prefix, &p);

    free(t.data);
    free(p.data);

    return rc;
}


static void
test_match(void)
{
    size_t  i;

    unit_test("templates, as a whole and as a prefix");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(matches(rows[i].template, rows[i].path, 0)
                        == (strchr(rows[i].how, 'E') != NULL),
                        rows[i].template);
        unit_check_note(matches(rows[i].template, rows[i].path, 1)
                        == (strchr(rows[i].how, 'P') != NULL),
                        rows[i].template);
    }
}


static void
test_values(void)
{
    size_t     i;
    ngx_int_t  rc;
    ngx_str_t  t, p, n, value;

    static const struct {
        const char  *template;
        const char  *path;
        const char  *name;
        const char  *value;
    } values[] = {
        { "/c/{id}/s/{sub}", "/c/1/s/2", "id", "1" },
        { "/c/{id}/s/{sub}", "/c/1/s/2", "sub", "2" },
        { "/c/{id}/s/{sub}", "/c/1/s/2/tail", "sub", "2" },
        { "/c/{id}/s/{sub}", "/c/1/s/2", "c", NULL },
        { "/c/{id}/s/{sub}", "/c/1/s/2", "i", NULL },
        { "/c/{id}/s/{sub}", "/c/1/s/2", "idx", NULL },
        { "/c/{id}/s/{sub}", "/c/1/s/2", "", NULL },
        { "/v{n}.x", "/v1.2.x", "n", "1.2" },
        { "/{id}/{id}", "/1/1", "id", "1" },
        { "/{id}/{id}", "/1/2", "id", NULL },
        { "/{id}/{x}/{id}", "/1/2/1", "id", "1" },
        { "/{id}/{x}/{id}", "/1/2/1", "x", "2" },
        { "/plain", "/plain", "id", NULL },
    };

    unit_test("what names stand for");

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        t = unit_str(values[i].template);
        p = unit_str(values[i].path);
        n = unit_str(values[i].name);

        rc = ngx_agt_template_value(&t, &p, &n, &value);

        unit_check_note((rc == NGX_OK) == (values[i].value != NULL),
                        values[i].template);

        if (rc == NGX_OK) {
            unit_check_note(unit_equal(&value, values[i].value),
                            values[i].template);
        }

        free(t.data);
        free(p.data);
        free(n.data);
    }
}


static void
test_forms(void)
{
    size_t     i;
    ngx_str_t  t;

    static const char  *good[] = {
        "/", "/a", "/a/", "/{a}", "/{a}/{b}", "/{a}/{a}", "/x{a}y", "/{a b}",
        "/{*}", "/a/{b}.c/d", "//", "/?", "/[", "/(", "/{.}",
    };

    static const char  *bad[] = {
        "", "a", "{a}", "*", "/{", "/}", "/{}", "/{a", "/a}", "/{a/b}",
        "/{a}{b}", "/{a}-{b}", "/{{a}}", "/{a}}", "/{{a}", "/{a{b}}", "/{/}",
        "/a/{b}c{d}/e", "/{a}/{", "/}{", " /a",
    };

    unit_test("what is a template");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        t = unit_str(good[i]);
        unit_check_note(ngx_agt_syntax_is_template(&t), good[i]);
        free(t.data);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t = unit_str(bad[i]);
        unit_check_note(!ngx_agt_syntax_is_template(&t), bad[i]);
        free(t.data);
    }
}
