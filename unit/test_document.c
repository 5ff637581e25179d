
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>
#include <time.h>

#include "unit.h"

#include "json/json.h"
#include "json/document.h"


static void test_pointers(void);
static void test_namesakes(void);
static void test_documents(void);
static void test_limits(void);
static void test_cost(void);
static void test_allocations(void);
static const char *find(const char *body, const char *pointer);
static void *counted_malloc(size_t size);
static void counted_free(void *p);


static size_t  allowed, blocks;


int
main(void)
{
    test_pointers();
    test_namesakes();
    test_documents();
    test_limits();
    test_cost();
    test_allocations();

    return unit_done();
}


/* the string that is found, or why there is none */

static const char *
find(const char *body, const char *pointer)
{
    ngx_int_t                 rc;
    ngx_str_t                 b, p, value;
    ngx_agt_json_document_t  *document;

    static char  text[256];

    b = unit_str(body);
    p = unit_str(pointer);

    document = ngx_agt_json_document(b.data, b.len);

    free(b.data);

    if (document == NULL) {
        free(p.data);
        return "(no document)";
    }

    rc = ngx_agt_json_pointer(document, &p, &value);

    if (rc == NGX_OK) {
        (void) snprintf(text, sizeof(text), "%.*s", (int) value.len,
                        value.data);
    } else {
        unit_check(rc == NGX_DECLINED);
        (void) snprintf(text, sizeof(text), "(none)");
    }

    ngx_agt_json_release(&document);
    unit_check(document == NULL);

    free(p.data);

    return text;
}


static void
test_pointers(void)
{
    size_t  i;

    /* RFC 6901, section 5, and more */

    static const char  body[] =
        "{\"foo\":[\"bar\",\"baz\"],\"\":\"empty\",\"a/b\":\"slash\","
        "\"c%d\":\"percent\",\"e^f\":\"caret\",\"g|h\":\"bar\","
        "\"i\\\\j\":\"back\",\"k\\\"l\":\"quote\",\" \":\"space\","
        "\"m~n\":\"tilde\",\"~1\":\"both\",\"n\":1,\"t\":true,\"z\":null,"
        "\"o\":{\"p\":{\"q\":\"deep\",\"0\":\"zero\"}},\"r\":[[\"x\"],"
        "{\"s\":\"t\"}],\"\\u00e9\":\"accent\",\"e\":\"\"}";

    static const struct {
        const char  *pointer;
        const char  *value;
    } rows[] = {
        { "/foo/0", "bar" }, { "/foo/1", "baz" }, { "/", "empty" },
        { "/a~1b", "slash" }, { "/c%d", "percent" }, { "/e^f", "caret" },
        { "/g|h", "bar" }, { "/i\\j", "back" }, { "/k\"l", "quote" },
        { "/ ", "space" }, { "/m~0n", "tilde" }, { "/~01", "both" },
        { "/o/p/q", "deep" }, { "/o/p/0", "zero" }, { "/r/0/0", "x" },
        { "/r/1/s", "t" }, { "/\xc3\xa9", "accent" }, { "/e", "" },

        { "", "(none)" }, { "foo", "(none)" }, { "/foo", "(none)" },
        { "/foo/2", "(none)" }, { "/foo/-", "(none)" },
        { "/foo/00", "(none)" }, { "/foo/01", "(none)" },
        { "/foo/-1", "(none)" }, { "/foo/+1", "(none)" },
        { "/foo/ 1", "(none)" }, { "/foo/1 ", "(none)" },
        { "/foo/1x", "(none)" }, { "/foo/", "(none)" },
        { "/foo/0/", "(none)" }, { "/foo/0/x", "(none)" },
        { "/foo/18446744073709551616", "(none)" },
        { "/foo/4294967296", "(none)" }, { "/a/b", "(none)" },
        { "/n", "(none)" }, { "/t", "(none)" }, { "/z", "(none)" },
        { "/o", "(none)" }, { "/o/p", "(none)" }, { "/o/x/q", "(none)" },
        { "/FOO/0", "(none)" }, { "/missing", "(none)" },
        { "//", "(none)" }, { "/~", "(none)" }, { "/~2", "(none)" },
        { "/m~n", "(none)" }, { "/m~", "(none)" },
    };

    unit_test("pointers find strings, and nothing else");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(strcmp(find(body, rows[i].pointer), rows[i].value)
                        == 0, rows[i].pointer);
    }

    unit_check(strcmp(find("[[\"x\"],\"y\"]", "/1"), "y") == 0);
    unit_check(strcmp(find("[0,1,2,3,4,5,6,7,8,\"x\",\"y\"]", "/9"), "x")
               == 0);
    unit_check(strcmp(find("[0,1,2,3,4,5,6,7,8,\"x\",\"y\"]", "/10"), "y")
               == 0);
    unit_check(strcmp(find("[[\"x\"],\"y\"]", "/0/0"), "x") == 0);
}


static void
test_namesakes(void)
{
    size_t  i;

    static const struct {
        const char  *body;
        const char  *pointer;
        const char  *value;
    } rows[] = {
        { "{\"user_id\":\"1\"}", "/user_id", "1" },
        { "{\"user_id\":\"1\",\"userid\":\"2\"}", "/user_id", "1" },
        { "{\"user_id\":\"1\",\"user_ids\":\"2\"}", "/user_id", "1" },
        { "{\"user_id\":\"1\",\"User_ID\":\"2\"}", "/user_id", "(none)" },
        { "{\"USER_ID\":\"2\",\"user_id\":\"1\"}", "/user_id", "(none)" },
        { "{\"User_Id\":\"1\"}", "/user_id", "(none)" },
        { "{\"user\":{\"id\":\"1\"},\"USER\":{}}", "/user/id", "(none)" },
        { "{\"user\":{\"id\":\"1\",\"Id\":1}}", "/user/id", "(none)" },
        { "{\"a~b\":\"1\",\"A~B\":\"2\"}", "/a~0b", "(none)" },
        { "{\"a/b\":\"1\",\"A/B\":\"2\"}", "/a~1b", "(none)" },
        { "{\"key\":\"1\",\"\\u212aey\":\"2\"}", "/key", "(none)" },
        { "{\"sub\":\"1\",\"\\u017fub\":\"2\"}", "/sub", "(none)" },
        { "{\"\\u017fub\":\"1\",\"SUB\":\"2\"}", "/\xc5\xbfub", "(none)" },
        { "{\"\\u00e9\":\"1\",\"\\u00c9\":\"2\"}", "/\xc3\xa9", "(none)" },
        { "{\"\\u00e9\":\"1\",\"e\":\"2\"}", "/\xc3\xa9", "1" },
        { "{\"k\":\"1\",\"\\u00e9\":\"2\"}", "/k", "1" },
        { "{\"k\":\"1\",\"\\u20aa\":\"2\"}", "/k", "1" },
        { "{\"s\":\"1\",\"\\u017e\":\"2\"}", "/s", "1" },
        { "{\"a\":{\"x\":\"1\"},\"b\":{\"X\":\"2\"}}", "/a/x", "1" },
        { "{\"a\":{\"x\":\"1\"},\"b\":{\"x\":\"2\"}}", "/b/x", "2" },
        { "[{\"x\":\"1\"},{\"X\":\"2\"},{\"x\":\"3\"}]", "/2/x", "3" },
        { "[{\"x\":\"1\"},{\"X\":\"2\"},{\"x\":\"3\"}]", "/1/x", "(none)" },
        { "{\"x\":{\"x\":{\"x\":\"1\"}}}", "/x/x/x", "1" },
        { "{\"\":\"1\",\"a\":\"2\"}", "/", "1" },
        { "{}", "/", "(none)" },
        { "[{\"x\":\"1\"},{},{\"x\":\"2\"}]", "/1/x", "(none)" },
        { "{\"a\":{\"x\":\"1\"},\"b\":{},\"c\":{\"x\":\"2\"}}", "/b/x",
          "(none)" },
    };

    unit_test("a member with a namesake but for case is none");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_check_note(strcmp(find(rows[i].body, rows[i].pointer),
                               rows[i].value) == 0, rows[i].body);
    }
}


static void
test_documents(void)
{
    size_t      i;
    ngx_str_t   s;

    ngx_agt_json_document_t  *none = NULL;

    static const char  *bad[] = {
        "", " ", "null", "true", "1", "\"a\"", "{", "[", "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{}x", "\xef\xbb\xbf{}",
        "{\"a\":1e999}", "a=1", "<a/>", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };

    unit_test("what is no document");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check_note(strcmp(find(bad[i], "/a"), "(no document)") == 0,
                        bad[i]);
    }

    s.len = NGX_AGT_JSON_MAX_BODY + 1;
    s.data = malloc(s.len);
    ngx_memset(s.data, ' ', s.len);
    ngx_memcpy(s.data, "{}", 2);

    unit_check(ngx_agt_json_document(s.data, s.len) == NULL);

    free(s.data);

    ngx_agt_json_release(&none);
    unit_check(none == NULL);
}


/* an array of strings, and an object of as many, are as many values and one */

static void
test_limits(void)
{
    size_t                    n, i;
    char                     *text, *p;
    ngx_str_t                 pointer, value;
    ngx_agt_json_document_t  *document;

    unit_test("a document has so many values at most");

    text = malloc(NGX_AGT_JSON_MAX_BODY);
    pointer = unit_str("/3070");

    for (n = NGX_AGT_JSON_MAX_DOCUMENT - 1;
         n <= NGX_AGT_JSON_MAX_DOCUMENT; n++)
    {
        p = text;

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%c\"%zu\"", i ? ',' : '[', i);
        }

        p += sprintf(p, "]");

        document = ngx_agt_json_document((u_char *) text, (size_t) (p - text));
        unit_check((document != NULL) == (n < NGX_AGT_JSON_MAX_DOCUMENT));

        if (document) {
            unit_check(ngx_agt_json_pointer(document, &pointer, &value)
                       == NGX_OK);
            unit_check(value.len == 4 && memcmp(value.data, "3070", 4) == 0);
        }

        ngx_agt_json_release(&document);

        p = text;

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%c\"%zu\":\"%zu\"", i ? ',' : '{', i, i);
        }

        p += sprintf(p, "}");

        document = ngx_agt_json_document((u_char *) text, (size_t) (p - text));
        unit_check((document != NULL) == (n < NGX_AGT_JSON_MAX_DOCUMENT));

        if (document) {
            unit_check(ngx_agt_json_pointer(document, &pointer, &value)
                       == NGX_OK);
            unit_check(value.len == 4 && memcmp(value.data, "3070", 4) == 0);
        }

        ngx_agt_json_release(&document);
    }

    free(text);
    free(pointer.data);
}


/* the processor time of "times" look-ups of names that are not there */

static double
cost(ngx_agt_json_document_t *document, ngx_uint_t times)
{
    char             text[32];
    double           ms;
    ngx_str_t        pointer, value;
    ngx_uint_t       i;
    struct timespec  start, end;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);

    for (i = 0; i < times; i++) {
        pointer.data = (u_char *) text;
        pointer.len = (size_t) sprintf(text, "/uuuuuuuzz%u", (unsigned) i);

        unit_check(ngx_agt_json_pointer(document, &pointer, &value)
                   == NGX_DECLINED);
    }

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);

    ms = (double) (end.tv_sec - start.tv_sec) * 1e3
         + (double) (end.tv_nsec - start.tv_nsec) / 1e6;

    return ms;
}


/*
 * Each look-up in 3,000 names like those that are asked for took 0.1 ms and
 * more when it looked at all of them; the bound is for slow machines.
 */

static void
test_cost(void)
{
    char                     *text, *p;
    double                    best, ms;
    ngx_uint_t                i;
    ngx_agt_json_document_t  *document;

    unit_test("what a pointer costs does not depend on the names there");

    text = malloc(NGX_AGT_JSON_MAX_BODY);
    p = text;

    for (i = 0; i < 3000; i++) {
        p += sprintf(p, "%c\"uuuuuuu%x\":1", i ? ',' : '{', (unsigned) i);
    }

    p += sprintf(p, "}");

    document = ngx_agt_json_document((u_char *) text, (size_t) (p - text));
    unit_check(document != NULL);

    best = 1e9;

    for (i = 0; i < 5; i++) {
        ms = cost(document, 1000);
        best = ngx_min(best, ms);
    }

    printf("# 1000 look-ups, %.2f ms\n", best);

    unit_check(best < 10.0 * UNIT_SLOW);

    ngx_agt_json_release(&document);

    free(text);
}


static void *
counted_malloc(size_t size)
{
    if (allowed == 0) {
        return NULL;
    }

    allowed--;
    blocks++;

    return malloc(size);
}


static void
counted_free(void *p)
{
    if (p) {
        blocks--;
        free(p);
    }
}


static void
test_allocations(void)
{
    size_t       n;
    const char  *found;

    unit_test("each allocation may fail, and none is lost");

    json_set_alloc_funcs(counted_malloc, counted_free);

    for (n = 0; n < 100; n++) {
        allowed = n;

        found = find("{\"a\":{\"b\":[\"x\",\"y\"]}}", "/a/b/1");

        unit_check(blocks == 0);
        unit_check(strcmp(found, "y") == 0
                   || strcmp(found, "(no document)") == 0);
    }

    unit_check(strcmp(found, "y") == 0);

    json_set_alloc_funcs(malloc, free);
}
