
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "json/token.h"
#include "json/answer.h"
#include "json/body.h"
#include "json/hook.h"
#include "json/document.h"
#include "json/list.h"


#define SIZE  (2 * NGX_AGT_JSON_MAX_BODY)


typedef ngx_uint_t (*reader_pt)(const u_char *body, size_t len);


static void test_controls(void);
static void test_raw_token(void);
static ngx_uint_t read_token(const u_char *body, size_t len);
static ngx_uint_t read_api_key(const u_char *body, size_t len);
static ngx_uint_t read_object(const u_char *body, size_t len);
static ngx_uint_t read_raw_token(const u_char *body, size_t len);
static ngx_uint_t read_list(const u_char *body, size_t len);
static ngx_uint_t read_sessions(const u_char *body, size_t len);
static ngx_uint_t read_denials(const u_char *body, size_t len);
static ngx_uint_t read_document(const u_char *body, size_t len);
static void take_row(void *data, const ngx_agt_json_row_t *row);
static void take_denial(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value);


static u_char  buf[SIZE];


int
main(void)
{
    test_controls();
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
        { "sessions", read_sessions,
          "{\"limit\":5,\"sessions\":[{\"metadata\":{\"id\":\"x\"},"
          "\"spec\":{\"revoked\":true}}],\"page_info\":{\"page_on\":[ "
          "\"id\"],\"page_at_key\":[\"x\"] }}" },
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
    ngx_agt_json_list_t  list;

    return ngx_agt_json_list(body, len, NGX_AGT_JSON_TOKENS, take_row, NULL,
                             &list)
           == NGX_OK;
}


static ngx_uint_t
read_sessions(const u_char *body, size_t len)
{
    ngx_agt_json_list_t  list;

    list.next.data = buf;

    return ngx_agt_json_list(body, len, NGX_AGT_JSON_SESSIONS, take_row, NULL,
                             &list)
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
}


static void
take_denial(void *data, ngx_agt_denial_kind_e kind, const ngx_str_t *value)
{
}
