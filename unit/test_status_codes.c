
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/json.h"
#include "api/status_codes.h"


#define STATUSES  1000


/*
 * What each operation does with each status, in letters of its own: the body
 * says (b), done (d), unknown or refused (i), revoked (r), ours to mend (m),
 * not the API's word (n), nothing decided (-), nothing decided for now (t).
 */

typedef struct {
    ngx_uint_t   status;
    const char  *object;    /* introspect reissue validate create revoke list,
                               sessions, introspection of an API key, public
                               keys */
    const char  *other;     /* the same without a JSON object */
} row_t;


static const row_t  rows[] = {
    { 200, "bbdbdbbbb", "bbdbdbbbb" },
    { 201, "-b-bd----", "-b-bd----" },
    { 202, "----d----", "----d----" },
    { 204, "----d----", "----d----" },
    { 299, "----d----", "----d----" },
    { 301, "---------", "---------" },
    { 304, "---------", "---------" },
    { 399, "---------", "---------" },
    { 400, "iiiid--i-", "nnnnnnnnn" },
    { 401, "mmmmmmmm-", "mmmmmmmm-" },
    { 402, "---------", "---------" },
    { 403, "miimmmmm-", "nnnnnnnnn" },
    { 404, "iiiid--i-", "nnnnnnnnn" },
    { 405, "---------", "---------" },
    { 409, "---------", "---------" },
    { 410, "rr--d--r-", "rrnnnnnrn" },
    { 411, "---------", "---------" },
    { 418, "---------", "---------" },
    { 421, "---------", "---------" },
    { 422, "iiiid--i-", "nnnnnnnnn" },
    { 423, "---------", "---------" },
    { 428, "---------", "---------" },
    { 429, "ttttttttt", "ttttttttt" },
    { 430, "---------", "---------" },
    { 499, "---------", "---------" },
    { 500, "ttttttttt", "ttttttttt" },
    { 503, "ttttttttt", "ttttttttt" },
    { 599, "ttttttttt", "ttttttttt" },
    { 999, "ttttttttt", "ttttttttt" },
    { 0,   "---------", "---------" },
    { 100, "---------", "---------" },
    { 199, "---------", "---------" }
};


static char
letter(const ngx_agt_meaning_t *meaning)
{
    switch (meaning->class) {

    case NGX_AGT_CLASS_NONE:
        return 'b';

    case NGX_AGT_CLASS_ACTIVE:
        return 'd';

    case NGX_AGT_CLASS_INVALID:
        return 'i';

    case NGX_AGT_CLASS_REVOKED:
        return 'r';

    case NGX_AGT_CLASS_REFUSED:
        return 'm';

    case NGX_AGT_CLASS_INDETERMINATE:

        if (meaning->reason == NGX_AGT_REASON_NOT_THE_API) {
            return 'n';
        }

        return meaning->transient ? 't' : '-';

    default:
        return '?';
    }
}


static void
test_table(void)
{
    char               note[64];
    ngx_uint_t         i, operation, object;
    const char        *wanted;
    ngx_agt_meaning_t  meaning;

    unit_test("each status means what it means, for each operation and body");

    for (i = 0; i < sizeof(rows) / sizeof(row_t); i++) {
        for (object = 0; object < 2; object++) {
            wanted = object ? rows[i].object : rows[i].other;

            for (operation = 0;
                 operation < NGX_AGT_OPERATION_LAST;
                 operation++)
            {
                memset(&meaning, 0xff, sizeof(meaning));

                ngx_agt_status_meaning(
                    (ngx_agt_operation_e) operation,
                    rows[i].status, object, &meaning);

                snprintf(note, sizeof(note), "%u of %u, %u: %c",
                         (unsigned) rows[i].status, (unsigned) operation,
                         (unsigned) object, letter(&meaning));

                unit_check_note(letter(&meaning) == wanted[operation], note);
            }
        }
    }
}


/* what holds for every status there could be */

static void
test_rules(void)
{
    ngx_uint_t         status, operation, object;
    ngx_agt_meaning_t  m;

    unit_test("only a JSON object speaks of a token");

    for (status = 0; status < STATUSES; status++) {
        for (operation = 0; operation < NGX_AGT_OPERATION_LAST; operation++)
        {
            for (object = 0; object < 2; object++) {
                ngx_agt_status_meaning(
                    (ngx_agt_operation_e) operation, status,
                    object, &m);

                /* without an object, no error says "invalid" or "active" */

                if (status > 299 && !object) {
                    unit_check(m.class != NGX_AGT_CLASS_INVALID);
                    unit_check(m.class != NGX_AGT_CLASS_ACTIVE);
                }

                /* whichever server sends it, a 410 never lets a token in */

                if (status == 410) {
                    unit_check(m.class != NGX_AGT_CLASS_NONE);
                }

                unit_check(m.foreign
                           == (!object
                               && ngx_agt_status_needs_object(status)));

                /* the breaker counts no answer that is about one token */

                unit_check(m.transient == (status == 429 || status >= 500));

                unit_check(m.again
                           == (operation
                               == NGX_AGT_OPERATION_REVOKE
                               && m.class != NGX_AGT_CLASS_ACTIVE));

                if (m.class != NGX_AGT_CLASS_ACTIVE) {
                    unit_check(m.reason != NGX_AGT_REASON_NONE);
                }

                /* only what succeeds has a body to be read */

                if (m.class == NGX_AGT_CLASS_NONE) {
                    unit_check(status == 200 || status == 201);
                }
            }
        }
    }
}


static void
test_words(void)
{
    ngx_uint_t  i, j;

    unit_test("each operation has a word of its own");

    for (i = 0; i < NGX_AGT_OPERATION_LAST; i++) {
        unit_check(ngx_agt_operation_word(i)->len != 0);

        for (j = 0; j < i; j++) {
            unit_check(strcmp((char *) ngx_agt_operation_word(i)->data,
                              (char *) ngx_agt_operation_word(j)->data)
                       != 0);
        }
    }
}


static void
test_reasons(void)
{
    ngx_agt_meaning_t  m;

    unit_test("the reason says whose word it was");

    ngx_agt_status_meaning(NGX_AGT_OPERATION_INTROSPECT, 404, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_UNKNOWN);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_INTROSPECT_KEY, 404, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_UNKNOWN);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_INTROSPECT_KEY, 410, 0, &m);
    unit_check(m.reason == NGX_AGT_REASON_REVOKED);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_INTROSPECT_KEY, 403, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_CREDENTIAL);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_REISSUE, 403, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_REISSUE);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_VALIDATE, 403, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_CREATE);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_CREATE, 403, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_CREDENTIAL);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_CREATE, 429, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_THROTTLED);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_INTROSPECT, 410, 0, &m);
    unit_check(m.reason == NGX_AGT_REASON_REVOKED);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_REVOKE, 404, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_UNKNOWN);

    ngx_agt_status_meaning(NGX_AGT_OPERATION_REVOKE, 410, 1, &m);
    unit_check(m.reason == NGX_AGT_REASON_NONE);
}


static void
test_types(void)
{
    ngx_str_t   type;
    ngx_uint_t  i;

    static const struct {
        const char          *type;
        ngx_agt_json_type_e  wanted;
    } types[] = {
        { "", NGX_AGT_JSON_TYPE_NONE },
        { "application/json", NGX_AGT_JSON_TYPE_JSON },
        { "APPLICATION/Json", NGX_AGT_JSON_TYPE_JSON },
        { "application/json;charset=utf-8",
          NGX_AGT_JSON_TYPE_JSON },
        { "application/json \t; x", NGX_AGT_JSON_TYPE_JSON },
        { "application/problem+json", NGX_AGT_JSON_TYPE_SUFFIX },
        { "Application/Problem+JSON ;x=y",
          NGX_AGT_JSON_TYPE_SUFFIX },
        { "application/+json", NGX_AGT_JSON_TYPE_OTHER },
        { "application/x+json2", NGX_AGT_JSON_TYPE_OTHER },
        { "application/jsonp", NGX_AGT_JSON_TYPE_OTHER },
        { "application/jso", NGX_AGT_JSON_TYPE_OTHER },
        { "text/json", NGX_AGT_JSON_TYPE_OTHER },
        { "text/x+json", NGX_AGT_JSON_TYPE_OTHER },
        { "multipart/problem+json", NGX_AGT_JSON_TYPE_OTHER },
        { "text/html; application/json", NGX_AGT_JSON_TYPE_OTHER },
        { ";application/json", NGX_AGT_JSON_TYPE_OTHER },
        { " ", NGX_AGT_JSON_TYPE_OTHER },
        { "+json", NGX_AGT_JSON_TYPE_OTHER }
    };

    unit_test("what a content type says of its body");

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        type = unit_str(types[i].type);

        unit_check_note(ngx_agt_json_type(&type)
                        == types[i].wanted, types[i].type);

        free(type.data);
    }
}


static void
test_objects(void)
{
    ngx_str_t   body;
    ngx_uint_t  i;

    static const struct {
        const char  *body;
        size_t       len;     /* 0: up to its end */
        ngx_uint_t   object;
    } bodies[] = {
        { "{}", 0, 1 },
        { "{\"error_code\":\"not_found\"}", 0, 1 },
        { " \r\n\t{ \"a\" : [ 1, null ] }\n", 0, 1 },
        { "", 0, 0 },
        { " ", 0, 0 },
        { "null", 0, 0 },
        { "\"default backend - 404\"", 0, 0 },
        { "404", 0, 0 },
        { "[]", 0, 0 },
        { "[{}]", 0, 0 },
        { "{", 0, 0 },
        { "{\"error_code\":\"not_f", 0, 0 },
        { "{}{}", 0, 0 },
        { "{} x", 0, 0 },
        { "{\"a\":1,\"a\":1}", 0, 0 },
        { "{\"a\":{\"b\":1,\"b\":1}}", 0, 0 },
        { "<html>404</html>", 0, 0 },
        { "\xef\xbb\xbf{}", 0, 0 },
        { "{}\0", 3, 0 },
        { "{\"a\":1\0}", 8, 0 },
        { "\0{}", 3, 0 },
        { "{}\v", 0, 0 },
        { "{\f}", 0, 0 },
        { "{\"a\":\"\x01\"}", 0, 0 },
        { "{\"a\":\"\\u0000\"}", 0, 0 },
        { "{'a':1}", 0, 0 }
    };

    unit_test("what is a JSON object");

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        body = unit_copy(bodies[i].body, bodies[i].len
                                         ? bodies[i].len
                                         : strlen(bodies[i].body));

        unit_check_note(ngx_agt_json_is_object(body.data, body.len)
                        == bodies[i].object, bodies[i].body);

        free(body.data);
    }
}


int
main(void)
{
    test_table();
    test_rules();
    test_words();
    test_reasons();
    test_types();
    test_objects();

    return unit_done();
}
