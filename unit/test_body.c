
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/token.h"
#include "json/answer.h"
#include "json/body.h"
#include "json/hook.h"
#include "json/document.h"


#define SIZE  (2 * NGX_AGT_JSON_MAX_BODY)


typedef ngx_uint_t (*reader_pt)(const u_char *body, size_t len);


typedef struct {
    ngx_uint_t   rows;
    ngx_uint_t   wrong;
    char         said[256];     /* "number:what;" of rows that are wrong */
    char         denied[256];   /* "jti;" of the others */
} rows_t;


static void test_controls(void);
static void test_list(void);
static void test_raw_token(void);
static ngx_uint_t read_token(const u_char *body, size_t len);
static ngx_uint_t read_api_key(const u_char *body, size_t len);
static ngx_uint_t read_object(const u_char *body, size_t len);
static ngx_uint_t read_raw_token(const u_char *body, size_t len);
static ngx_uint_t read_list(const u_char *body, size_t len);
static ngx_uint_t read_denials(const u_char *body, size_t len);
static ngx_uint_t read_document(const u_char *body, size_t len);
static void take_row(void *data, const ngx_agt_json_row_t *row);
static void take_denial(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value);


static u_char  buf[SIZE];
static rows_t  taken;


int
main(void)
{
    test_controls();
    test_list();
    test_raw_token();

    return unit_done();
}


/*
 * A control character, at any place of any document that is read: none is white
 * space but tab, line feed and carriage return, and those not in a string.
 */

static void
test_controls(void)
{
    char        note[64];
    size_t      i, len, place;
    u_char      byte, text[256];
    ngx_str_t   body;
    ngx_uint_t  quoted;

    static const struct {
        const char  *what;
        reader_pt    read;
        const char  *body;
    } readers[] = {
        { "Token", read_token,
          "{ \"sub\":\"x\", \"exp\":1999999999,\"a\":[true,1.5e3],\"n\":null }" },
        { "API key", read_api_key,
          "{ \"primary_token\":{\"sub\":\"x\"},\"raw_token\":\"x\" }" },
        { "object", read_object, "{\"error_code\":\"x\",\"n\":1 }" },
        { "RawToken", read_raw_token, "{\"token\":\"x\",\"more\":false}" },
        { "list", read_list,
          "{\"limit\":100,\"tokens\":[ {\"jti\":\"x\",\"exp\":1} ]}" },
        { "denials", read_denials, "{\"jti\":[\"x\"],\"sub\":[ ]}" },
        { "document", read_document, "[{\"a\":\"x\",\"b\":-0.5e+1}]" }
    };

    unit_test("a control character is no JSON, wherever it stands");

    for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {

        len = strlen(readers[i].body);

        unit_check_note(readers[i].read((const u_char *) readers[i].body, len),
                        readers[i].what);

        for (place = 0; place <= len; place++) {

            quoted = 0;

            for (size_t n = 0; n < place; n++) {
                quoted ^= (readers[i].body[n] == '"');
            }

            for (byte = 0; byte < 0x21; byte++) {

                memcpy(text, readers[i].body, place);
                text[place] = byte;
                memcpy(text + place + 1, readers[i].body + place, len - place);

                body = unit_copy(text, len + 1);

                (void) snprintf(note, sizeof(note), "%s: %u at %u",
                                readers[i].what, (unsigned) byte,
                                (unsigned) place);

                if (byte < 0x20
                    && (quoted || (byte != '\t' && byte != '\n'
                                   && byte != '\r')))
                {
                    unit_check_note(!readers[i].read(body.data, body.len),
                                    note);

                } else if (!quoted && (place == 0 || place == len)) {
                    unit_check_note(readers[i].read(body.data, body.len),
                                    note);
                }

                free(body.data);
            }
        }
    }
}


static void
test_list(void)
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

    unit_test("a row that cannot be read says so, and the others count");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"limit\":10,\"tokens\":["
                        "{\"jti\":\"a\"},%s,{\"jti\":\"b\",\"exp\":7}]}",
                        rows[i].row);

        unit_check_note(read_list((u_char *) text, strlen(text)),
                        rows[i].row);
        unit_check_note(taken.rows == 3, rows[i].row);
        unit_check_note(strcmp(taken.said, rows[i].said) == 0, taken.said);
        unit_check_note(strcmp(taken.denied, rows[i].said[0] ? "a;b;"
                                                             : "a;x;b;")
                        == 0, taken.denied);
    }

    unit_test("what is no list has no rows");

    unit_check(!read_list((u_char *) "{\"tokens\":[]}", 13));
    unit_check(!read_list((u_char *) "{\"limit\":1,\"tokens\":{}}", 23));
    unit_check(!read_list((u_char *) "{\"limit\":0,\"tokens\":[]}", 23));
    unit_check(taken.rows == 0);
    unit_check(read_list((u_char *) "{\"limit\":1}", 11));
    unit_check(taken.rows == 0);
}


static void
test_raw_token(void)
{
    size_t  i;

    static const char  *bad[] = {
        "{}", "{\"token\":null}", "{\"token\":\"\"}", "{\"token\":1}",
        "{\"token\":[\"x\"]}", "[{\"token\":\"x\"}]", "\"x\"", "x",
        "{\"token\":\"x\",\"token\":\"x\"}", "{\"token\":\"x\"}{}"
    };

    unit_test("what is no RawToken");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check_note(!read_raw_token((const u_char *) bad[i],
                                        strlen(bad[i])), bad[i]);
    }
}


static ngx_uint_t
read_token(const u_char *body, size_t len)
{
    ngx_agt_json_token_t  token;

    return ngx_agt_json_token(body, len, 0, buf, SIZE, &token) != NGX_ERROR;
}


static ngx_uint_t
read_api_key(const u_char *body, size_t len)
{
    ngx_str_t             raw;
    ngx_agt_json_token_t  token;

    return ngx_agt_json_api_key(body, len, 0, buf, SIZE, &token, &raw)
           == NGX_OK;
}


static ngx_uint_t
read_object(const u_char *body, size_t len)
{
    return ngx_agt_json_is_object(body, len);
}


static ngx_uint_t
read_raw_token(const u_char *body, size_t len)
{
    ngx_str_t  token;

    return ngx_agt_json_raw_token(body, len, buf, SIZE, &token) == NGX_OK;
}


static ngx_uint_t
read_list(const u_char *body, size_t len)
{
    ngx_uint_t  n, limit;

    memset(&taken, 0, sizeof(taken));

    return ngx_agt_json_list(body, len, take_row, &taken, &n, &limit)
           == NGX_OK;
}


static ngx_uint_t
read_denials(const u_char *body, size_t len)
{
    return ngx_agt_json_hook(body, len, take_denial, NULL) == NGX_OK;
}


static ngx_uint_t
read_document(const u_char *body, size_t len)
{
    ngx_uint_t                read;
    ngx_agt_json_document_t  *document;

    document = ngx_agt_json_document(body, len);
    read = (document != NULL);

    ngx_agt_json_release(&document);

    return read;
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

        unit_check(row->jti.len == 0 && !row->revoked);
        return;
    }

    if (row->revoked) {
        len = strlen(rows->denied);
        (void) snprintf(rows->denied + len, sizeof(rows->denied) - len,
                        "%.*s;", (int) row->jti.len, row->jti.data);
    }
}


static void
take_denial(void *data, ngx_agt_denial_kind_e kind, const ngx_str_t *value)
{
}
