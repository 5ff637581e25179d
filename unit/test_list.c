
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/list.h"
#include "token/facts.h"


/* what the callback was told */

typedef struct {
    ngx_uint_t   rows;
    ngx_uint_t   wrong;
    char         said[256];     /* "number:what;" of rows that are wrong */
    char         denied[256];   /* "id;" of the others */
} rows_t;


static void test_tokens(void);
static void test_sessions(void);
static void test_next(void);
static void test_long(void);
static ngx_int_t read_sessions(const char *text);
static ngx_uint_t read_tokens(const u_char *body, size_t len);
static ngx_uint_t same(const char *text, const char *quoted);
static void take_row(void *data, const ngx_agt_json_row_t *row);


static u_char               next[NGX_AGT_JSON_MAX_NEXT];
static rows_t               taken;
static ngx_agt_json_list_t  list;


int
main(void)
{
    test_tokens();
    test_sessions();
    test_next();
    test_long();

    return unit_done();
}


static void
test_tokens(void)
{
    size_t  i;
    char    text[512];

    static const struct {
        const char  *row;
        const char  *said;
    } rows[] = {
        { "{\"jti\":\"x\"}", "" },
        { "{\"jti\":\"x\",\"exp\":null,\"iat\":null}", "" },
        { "{\"jti\":\"x\",\"revoked\":true}", "" },
        { "{\"jti\":\"x\",\"revoked\":null}", "" },
        { "{\"jti\":\"x\",\"revoked\":\"2026-01-01\"}", "" },
        { "{\"jti\":\"x\",\"exp\":\"2026-01-01T00:00:00Z\"}", "" },
        { "null", "2:it is no object;" },
        { "true", "2:it is no object;" },
        { "\"x\"", "2:it is no object;" },
        { "[\"x\"]", "2:it is no object;" },
        { "{}", "2:it has no \"jti\";" },
        { "{\"JTI\":\"x\"}", "2:it has no \"jti\";" },
        { "{\"jti\":null,\"exp\":1}", "2:it has no \"jti\";" },
        { "{\"jti\":\"\"}", "2:its \"jti\" is none that a token can have;" },
        { "{\"jti\":1}", "2:its \"jti\" is none that a token can have;" },
        { "{\"jti\":{}}", "2:its \"jti\" is none that a token can have;" },
        { "{\"jti\":\"x\",\"exp\":\"\"}", "2:its \"exp\" is no date;" },
        { "{\"jti\":\"x\",\"exp\":[]}", "2:its \"exp\" is no date;" },
        { "{\"jti\":\"x\",\"exp\":\"soon\",\"iat\":\"soon\"}",
          "2:its \"exp\" is no date;" },
        { "{\"jti\":\"x\",\"iat\":\"soon\"}", "2:its \"iat\" is no date;" },
        { "{\"jti\":\"x\",\"exp\":1,\"iat\":false}",
          "2:its \"iat\" is no date;" }
    };

    unit_test("a row of a token that cannot be read says so, the others count");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"limit\":10,\"tokens\":["
                        "{\"jti\":\"a\"},%s,{\"jti\":\"b\",\"exp\":7}]}",
                        rows[i].row);

        unit_check_note(read_tokens((u_char *) text, strlen(text)),
                        rows[i].row);
        unit_check_note(taken.rows == 3, rows[i].row);
        unit_check_note(strcmp(taken.said, rows[i].said) == 0, taken.said);
        unit_check_note(strcmp(taken.denied, rows[i].said[0] ? "a;b;"
                                                             : "a;x;b;")
                        == 0, taken.denied);
    }

    unit_test("what is no list of tokens has no rows");

    unit_check(!read_tokens((u_char *) "{\"tokens\":[]}", 13));
    unit_check(!read_tokens((u_char *) "{\"limit\":1,\"tokens\":{}}", 23));
    unit_check(!read_tokens((u_char *) "{\"limit\":0,\"tokens\":[]}", 23));
    unit_check(taken.rows == 0);
    unit_check(read_tokens((u_char *) "{\"limit\":1}", 11));
    unit_check(taken.rows == 0);
}


static void
test_sessions(void)
{
    size_t  i;
    char    text[512];

    static const struct {
        const char  *row;
        const char  *said;
    } rows[] = {
        { "{'metadata':{'id':'x'},'spec':{'revoked':true}}", "" },
        { "{'metadata':{'id':'x'},'spec':{'revoked':'yes'}}", "" },
        { "{'metadata':{'id':'x'},'spec':{'revoked':0}}", "" },
        { "{'metadata':{'id':'x'},'spec':{'revoked':{}}}", "" },
        { "{'metadata':{'id':'x','created':7},'status':[],"
          "'spec':{'revoked':true,'user_id':null}}", "" },
        { "null", "2:it is no object;" },
        { "7", "2:it is no object;" },
        { "'x'", "2:it is no object;" },
        { "[{'metadata':{'id':'x'}}]", "2:it is no object;" },
        { "{}", "2:it has no 'id';" },
        { "{'id':'x','spec':{'revoked':true}}", "2:it has no 'id';" },
        { "{'metadata':'x','spec':{'revoked':true}}", "2:it has no 'id';" },
        { "{'metadata':['x'],'spec':{'revoked':true}}", "2:it has no 'id';" },
        { "{'metadata':{'id':null},'spec':{'revoked':true}}",
          "2:it has no 'id';" },
        { "{'metadata':{'id':''},'spec':{'revoked':true}}",
          "2:its 'id' is none that a session can have;" },
        { "{'metadata':{'id':7},'spec':{'revoked':true}}",
          "2:its 'id' is none that a session can have;" },
        { "{'metadata':{'id':['x']},'spec':{'revoked':true}}",
          "2:its 'id' is none that a session can have;" },
        { "{'metadata':{'id':'x'}}",
          "2:it does not say whether it is 'revoked';" },
        { "{'metadata':{'id':'x'},'spec':true}",
          "2:it does not say whether it is 'revoked';" },
        { "{'metadata':{'id':'x'},'spec':{},'revoked':true}",
          "2:it does not say whether it is 'revoked';" },
        { "{'metadata':{'id':'x'},'spec':{'revoked':null}}",
          "2:it does not say whether it is 'revoked';" }
    };

    static const char  *bad[] = {
        "{'sessions':[]}", "{'limit':500}", "{'limit':500,'sessions':null}",
        "{'limit':500,'sessions':{}}", "{'limit':500,'tokens':[]}",
        "{'limit':0,'sessions':[]}", "{'limit':'1','sessions':[]}",
        "{'limit':1.5,'sessions':[]}", "[]", "{'limit':500,'sessions':["
    };

    unit_test("a row of a session that cannot be read says so, others count");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(text, sizeof(text), "{'limit':10,'sessions':["
                        "{'metadata':{'id':'a'},'spec':{'revoked':true}},%s,"
                        "{'metadata':{'id':'no'},'spec':{'revoked':false}},"
                        "{'metadata':{'id':'b'},'spec':{'revoked':true}}]}",
                        rows[i].row);

        unit_check_note(read_sessions(text) == NGX_OK, rows[i].row);
        unit_check_note(taken.rows == 4, rows[i].row);
        unit_check_note(same(taken.said, rows[i].said), taken.said);
        unit_check_note(same(taken.denied, rows[i].said[0] ? "a;b;"
                                                           : "a;x;b;"),
                        taken.denied);
    }

    unit_test("what is no list of sessions has no rows");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check_note(read_sessions(bad[i]) == NGX_ERROR, bad[i]);
        unit_check_note(taken.rows == 0, bad[i]);
    }
}


/* the place at which a list goes on */

static void
test_next(void)
{
    size_t  i;
    char    text[512];

    static const char  unread[] = "the 'page_info' of a page cannot be read";

    static const struct {
        const char  *info;     /* behind the rows */
        const char  *next;     /* NULL: it cannot be told */
        ngx_uint_t   implied;
    } rows[] = {

        { ",'page_info':{'page_on':['id'],'page_at_key':['a-._~9Z']}",
          "page_on=id&page_at_key=a-._~9Z", 0 },

        /* goes back as it came, whatever is in it */

        { ",'page_info':{'page_on':['updated','id'],'previous_key':['z'],"
          "'page_at_key':['2026-01-01T00:00:00+01:00','a b&c=%']}",
          "page_on=updated&page_on=id"
          "&page_at_key=2026-01-01T00%3A00%3A00%2B01%3A00"
          "&page_at_key=a%20b%26c%3D%25", 0 },
        { ",'page_info':{'page_on':['id'],'page_at_key':['\\u00e9\\u0001']}",
          "page_on=id&page_at_key=%C3%A9%01", 0 },
        { ",'page_info':{'page_on':['a','id'],'page_at_key':[null,'x']}",
          "page_on=a&page_on=id&page_at_key=None&page_at_key=x", 0 },
        { ",'page_info':{'page_on':['id'],'page_at_key':['']}",
          "page_on=id&page_at_key=", 0 },

        /* no cursor */

        { "", "page_on=id&page_at_key=last", 1 },
        { ",'page_info':null", "page_on=id&page_at_key=last", 1 },
        { ",'page_info':{'page_on':['id'],'page_at_key':[]}",
          "page_on=id&page_at_key=last", 1 },
        { ",'page_info':{'page_on':['id'],'page_at_key':[null]}",
          "page_on=id&page_at_key=last", 1 },

        /* one that cannot be used */

        { ",'page_info':{}", NULL, 0 },
        { ",'page_info':'id'", NULL, 0 },
        { ",'page_info':['id']", NULL, 0 },
        { ",'page_info':{'page_on':'id','page_at_key':['x']}", NULL, 0 },
        { ",'page_info':{'page_on':[],'page_at_key':['x']}", NULL, 0 },
        { ",'page_info':{'page_on':[null],'page_at_key':['x']}", NULL, 0 },
        { ",'page_info':{'page_on':['id'],'page_at_key':'x'}", NULL, 0 },
        { ",'page_info':{'page_on':['id'],'page_at_key':[7]}", NULL, 0 },
        { ",'page_info':{'page_on':['id'],'page_at_key':['x',[]]}", NULL, 0 },
        { ",'page_info':{'page_at_key':['x']}", NULL, 0 }
    };

    unit_test("a page says where the next one begins");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(text, sizeof(text), "{'limit':10,'sessions':["
                        "{'metadata':{'id':'first'},'spec':{'revoked':true}},"
                        "{'metadata':{'id':'last'},'spec':{'revoked':true}}]"
                        "%s}", rows[i].info);

        unit_check_note(read_sessions(text) == NGX_OK, rows[i].info);
        unit_check_note(list.rows == 2 && list.limit == 10, rows[i].info);
        unit_check_note(same(taken.denied, "first;last;"), rows[i].info);
        unit_check_note(list.implied == rows[i].implied, rows[i].info);

        if (rows[i].next == NULL) {
            unit_check_note(list.wrong && same(list.wrong, unread),
                            rows[i].info);
            continue;
        }

        unit_check_note(list.wrong == NULL, rows[i].info);
        unit_check_note(list.next.len == strlen(rows[i].next)
                        && memcmp(list.next.data, rows[i].next, list.next.len)
                           == 0, rows[i].info);
    }

    unit_test("nothing comes after an empty page");

    unit_check(read_sessions("{'limit':10,'sessions':[],'page_info':"
                             "{'page_on':['id'],'page_at_key':['x']}}")
               == NGX_OK);
    unit_check(list.rows == 0 && list.next.len == 0 && list.wrong == NULL);

    unit_test("the last row cannot stand in for a cursor if it has no id");

    unit_check(read_sessions("{'limit':1,'sessions':["
                             "{'metadata':{'id':'a'},'spec':{'revoked':true}},"
                             "{'spec':{'revoked':true}}]}") == NGX_OK);
    unit_check(list.implied && list.wrong != NULL);
}


/* names and cursors of any length */

static void
test_long(void)
{
    char        *text;
    size_t       i, len, whole;
    ngx_uint_t   fits;

    static const size_t  lens[] = {
        1, 40, 1000, 1355, 1356, 1357, 1358, 1359, 4000, 65535, 65536, 100000
    };

    unit_test("a cursor that is too long is not cut short");

    text = malloc(400000);

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        len = lens[i];

        (void) sprintf(text, "{'limit':10,'sessions':["
                       "{'metadata':{'id':'%0*d'},'spec':{'revoked':true}}],"
                       "'page_info':{'page_on':['id'],"
                       "'page_at_key':['%0*d']}}",
                       (int) len, 7, (int) len, 7);

        unit_check(read_sessions(text) == NGX_OK);
        unit_check(taken.wrong == (len > NGX_AGT_FACTS_MAX_STR));

        /* there is room for each byte to be encoded */

        whole = strlen("page_on=id&page_at_key=");
        fits = (whole + 3 * len <= NGX_AGT_JSON_MAX_NEXT);

        unit_check((list.wrong == NULL) == fits);
        unit_check(!fits || list.next.len == whole + len);
        unit_check(list.next.len <= NGX_AGT_JSON_MAX_NEXT);
    }

    free(text);
}


/* a list of sessions, whose quotes are written as "'" */

static ngx_int_t
read_sessions(const char *text)
{
    size_t     i;
    ngx_int_t  rc;
    ngx_str_t  body;

    memset(&taken, 0, sizeof(taken));
    memset(&list, 0, sizeof(list));

    list.next.data = malloc(NGX_AGT_JSON_MAX_NEXT);
    body = unit_copy(text, strlen(text));

    for (i = 0; i < body.len; i++) {
        if (body.data[i] == '\'') {
            body.data[i] = '"';
        }
    }

    rc = ngx_agt_json_list(body.data, body.len, NGX_AGT_JSON_SESSIONS,
                           take_row, &taken, &list);

    free(body.data);

    /* a buffer of that size only, so that no byte may lie behind it */

    memcpy(next, list.next.data, NGX_AGT_JSON_MAX_NEXT);
    free(list.next.data);
    list.next.data = next;

    return rc;
}


/* 1 if a text is the same but for the way in which its quotes are written */

static ngx_uint_t
same(const char *text, const char *quoted)
{
    for ( /* void */ ; *text && *quoted; text++, quoted++) {
        if (*text != *quoted && !(*text == '"' && *quoted == '\'')) {
            return 0;
        }
    }

    return *text == *quoted;
}


static ngx_uint_t
read_tokens(const u_char *body, size_t len)
{
    memset(&taken, 0, sizeof(taken));

    return ngx_agt_json_list(body, len, NGX_AGT_JSON_TOKENS, take_row, &taken,
                             &list)
           == NGX_OK;
}


static void
take_row(void *data, const ngx_agt_json_row_t *row)
{
    rows_t *rows = data;

    size_t  len;

    rows->rows++;

    unit_check(row->number == rows->rows);

    if (row->wrong) {
        rows->wrong++;

        len = strlen(rows->said);
        (void) snprintf(rows->said + len, sizeof(rows->said) - len, "%u:%s;",
                        (unsigned) row->number, row->wrong);

        unit_check(row->id.len == 0 && !row->revoked);
        return;
    }

    if (row->revoked) {
        len = strlen(rows->denied);
        (void) snprintf(rows->denied + len, sizeof(rows->denied) - len,
                        "%.*s;", (int) row->id.len, row->id.data);
    }
}
