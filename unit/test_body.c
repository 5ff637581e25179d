
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
static void test_revoke(void);
static void test_reissue(void);
static void test_create(void);
static void test_hook(void);
static void test_hook_refusals(void);
static void set(ngx_str_t *text, const char *from);
static void check_body(size_t promised, ngx_uint_t most, const char *expected,
    size_t len);
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


static u_char   buf[SIZE];

/* what the hook has denied: a letter for the kind, and the value, of each */
static char     denied[256];

/* each byte of it is escaped, with six bytes */
static u_char   controls[] = { 0x00, 0x01, 0x0a, 0x1f, 0x7f };

#define CONTROLS  "\\u0000\\u0001\\u000a\\u001f\\u007f"


int
main(void)
{
    test_controls();
    test_raw_token();
    test_revoke();
    test_reissue();
    test_create();
    test_hook();
    test_hook_refusals();

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
          "{ \"sub\":\"x\", \"exp\":1999999999,\"a\":[true,1.5e3],"
          "\"n\":null }" },
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


static void
test_revoke(void)
{
    size_t     len, promised;
    ngx_str_t  token;

    unit_test("the body of a revocation");

    set(&token, "a.b-_~+/==");

    len = ngx_agt_json_revoke(buf, &token, 0);
    promised = ngx_agt_json_revoke(NULL, &token, 0);
    check_body(promised, 0, "{\"token\":\"a.b-_~+/==\"}", len);

    len = ngx_agt_json_revoke(buf, &token, 1);
    promised = ngx_agt_json_revoke(NULL, &token, 1);
    check_body(promised, 0,
               "{\"token\":\"a.b-_~+/==\",\"all_sessions\":true}", len);

    set(&token, "\",\"all_sessions\":true,\"\\");

    len = ngx_agt_json_revoke(buf, &token, 0);
    promised = ngx_agt_json_revoke(NULL, &token, 0);
    check_body(promised, 0,
               "{\"token\":\"\\\",\\\"all_sessions\\\":true,\\\"\\\\\"}", len);

    token.data = controls;
    token.len = sizeof(controls);

    len = ngx_agt_json_revoke(buf, &token, 1);
    promised = ngx_agt_json_revoke(NULL, &token, 1);
    check_body(promised, 1,
               "{\"token\":\"" CONTROLS "\",\"all_sessions\":true}", len);
}


static void
test_reissue(void)
{
    size_t     len, promised;
    ngx_str_t  token, org;

    unit_test("the body of a reissue");

    set(&token, "x");
    set(&org, "riverton \xc3\xa4/\"\\");

    len = ngx_agt_json_reissue(buf, &token, &org);
    promised = ngx_agt_json_reissue(NULL, &token, &org);
    check_body(promised, 0, "{\"token\":\"x\",\"org_id\":"
                            "\"riverton \xc3\xa4/\\\"\\\\\"}", len);

    set(&org, "");

    len = ngx_agt_json_reissue(buf, &token, &org);
    promised = ngx_agt_json_reissue(NULL, &token, &org);
    check_body(promised, 0, "{\"token\":\"x\",\"org_id\":\"\"}", len);

    token.data = controls;
    token.len = sizeof(controls);
    org = token;

    len = ngx_agt_json_reissue(buf, &token, &org);
    promised = ngx_agt_json_reissue(NULL, &token, &org);
    check_body(promised, 1, "{\"token\":\"" CONTROLS "\",\"org_id\":\""
                            CONTROLS "\"}", len);
}


static void
test_create(void)
{
    size_t                 len, promised;
    ngx_str_t              audiences[2], scopes[2], roles[4], c;
    ngx_agt_json_create_t  create;

    unit_test("the body of a creation");

    ngx_memzero(&create, sizeof(ngx_agt_json_create_t));

    set(&create.sub, "CN=\"meter 7\"");
    set(&create.org, "o");
    set(&audiences[0], "a");
    set(&audiences[1], "b\\");
    set(&scopes[0], "s:1");
    set(&scopes[1], "s:\"2\"");
    set(&roles[0], "meters");
    set(&roles[1], "technician");
    set(&roles[2], "bi\"lls");
    set(&roles[3], "a\tb");

    create.audiences = audiences;
    create.scopes = scopes;
    create.roles = roles;
    create.naudiences = 1;
    create.duration = 0;

    len = ngx_agt_json_create(buf, &create);
    promised = ngx_agt_json_create(NULL, &create);
    check_body(promised, 0,
               "{\"sub\":\"CN=\\\"meter 7\\\"\",\"org\":\"o\","
               "\"audiences\":[\"a\"],\"inherit_session\":false,"
               "\"time_validity\":{\"duration\":0}}", len);

    create.naudiences = 2;
    create.nscopes = 2;
    create.nroles = 4;
    create.duration = 3600;

    len = ngx_agt_json_create(buf, &create);
    promised = ngx_agt_json_create(NULL, &create);
    check_body(promised, 0,
               "{\"sub\":\"CN=\\\"meter 7\\\"\",\"org\":\"o\","
               "\"audiences\":[\"a\",\"b\\\\\"],"
               "\"scopes\":[\"s:1\",\"s:\\\"2\\\"\"],"
               "\"roles\":{\"meters\":\"technician\","
               "\"bi\\\"lls\":\"a\\u0009b\"},\"inherit_session\":false,"
               "\"time_validity\":{\"duration\":3600}}", len);

    unit_test("the length of a creation is enough for the longest one");

    c.data = controls;
    c.len = sizeof(controls);

    create.sub = c;
    create.org = c;
    audiences[0] = c;
    scopes[0] = c;
    roles[0] = c;
    roles[1] = c;
    create.naudiences = 1;
    create.nscopes = 1;
    create.nroles = 2;
    create.duration = 2147483647;

    len = ngx_agt_json_create(buf, &create);
    promised = ngx_agt_json_create(NULL, &create);
    check_body(promised, 0,
               "{\"sub\":\"" CONTROLS "\",\"org\":\"" CONTROLS "\","
               "\"audiences\":[\"" CONTROLS "\"],"
               "\"scopes\":[\"" CONTROLS "\"],"
               "\"roles\":{\"" CONTROLS "\":\"" CONTROLS "\"},"
               "\"inherit_session\":false,"
               "\"time_validity\":{\"duration\":2147483647}}", len);

    /* 10 digits of 20, and the last comma of each of three lists, are unused */

    unit_check(promised == len + 13);
}


/* checks the body in "buf"; with "most", it needs each byte of the promise */

static void
check_body(size_t promised, ngx_uint_t most, const char *expected, size_t len)
{
    ngx_str_t  body;

    body.data = buf;
    body.len = len;

    unit_check_note(unit_equal(&body, expected), expected);
    unit_check_note(len <= promised, expected);
    unit_check_note(!most || len == promised, expected);
}


static void
set(ngx_str_t *text, const char *from)
{
    text->data = (u_char *) from;
    text->len = strlen(from);
}


static void
test_hook(void)
{
    size_t      i;
    char       *body;

    static const struct {
        const char  *body;
        const char  *denied;
    } rows[] = {
        { "{\"jti\":[\"a\"]}", "j:a " },
        { "{\"session\":[\"a\"]}", "s:a " },
        { "{\"sub\":[\"a\"]}", "u:a " },
        { "{\"sub\":[\"a\",\"b\"],\"jti\":[\"c\"],\"session\":[\"d\"]}",
          "u:a u:b j:c s:d " },
        { "{\"jti\":[]}", "" },
        { "{\"jti\":[\"\\\"\\u00e4\"]}", "j:\"\xc3\xa4 " }
    };

    unit_test("the hook denies each value by its kind");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        denied[0] = '\0';

        unit_check_note(read_denials((const u_char *) rows[i].body,
                                     strlen(rows[i].body)), rows[i].body);
        unit_check_note(strcmp(denied, rows[i].denied) == 0, rows[i].body);
    }

    unit_test("the hook takes a value up to its limit");

    body = malloc(NGX_AGT_JSON_MAX_DENIED + 64);

    for (i = NGX_AGT_JSON_MAX_DENIED; i < NGX_AGT_JSON_MAX_DENIED + 2; i++) {
        (void) sprintf(body, "{\"jti\":[\"%0*d\"]}", (int) i, 1);

        unit_check(read_denials((u_char *) body, strlen(body))
                   == (i == NGX_AGT_JSON_MAX_DENIED));
    }

    free(body);
}


static void
test_hook_refusals(void)
{
    size_t  i;

    static const char  *bad[] = {
        "", "x", "{}", "[]", "null", "\"jti\"", "{\"jti\":[\"a\"]",
        "{\"jti\":[\"a\"]}{}", "{\"jti\":[\"a\"],\"jti\":[\"b\"]}",
        "{\"jti\":\"a\"}", "{\"jti\":{\"a\":\"b\"}}", "{\"jti\":null}",
        "{\"jti\":[1]}", "{\"jti\":[null]}", "{\"jti\":[[\"a\"]]}",
        "{\"jti\":[\"a\",true]}", "{\"jti\":[\"\"]}",
        "{\"jti\":[\"a\\u0000\"]}",
        "{\"jti\":[\"\xff\"]}", "{\"JTI\":[\"a\"]}", "{\"jt\":[\"a\"]}",
        "{\"jti\":[\"a\"],\"more\":[\"b\"]}",
        "{\"jti\":[\"a\"],\"sub\":[\"\"]}",
        "[{\"jti\":[\"a\"]}]"
    };

    unit_test("the hook refuses a body as a whole, and denies nothing of it");

    denied[0] = '\0';

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check_note(!read_denials((const u_char *) bad[i],
                                      strlen(bad[i])), bad[i]);
        unit_check_note(denied[0] == '\0', bad[i]);
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
    size_t  used;

    static const char  kinds[] = {
        [NGX_AGT_DENIAL_JTI] = 'j',
        [NGX_AGT_DENIAL_SESSION] = 's',
        [NGX_AGT_DENIAL_SUBJECT] = 'u'
    };

    used = strlen(denied);

    if (value->len < sizeof(denied) - used - 4) {
        (void) sprintf(denied + used, "%c:%.*s ", kinds[kind],
                       (int) value->len, value->data);
    }
}
