
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/basic.h"


#define FOUND      NGX_AGT_BEARER_FOUND
#define NONE       NGX_AGT_BEARER_NONE
#define MALFORMED  NGX_AGT_BEARER_MALFORMED
#define TOO_LONG   NGX_AGT_BEARER_TOO_LONG


static void test_values(void);
static void test_scheme(void);
static void test_lengths(void);
static void test_bytes(void);
static ngx_uint_t read_value(const char *text, size_t max);
static void encode(const u_char *data, size_t len, char *text);


static ngx_agt_basic_t  basic;


int
main(void)
{
    test_values();
    test_scheme();
    test_lengths();
    test_bytes();

    return unit_done();
}


static ngx_uint_t
read_value(const char *text, size_t max)
{
    ngx_str_t   copy;
    ngx_uint_t  rc;

    /* a copy with nothing behind it, so that a read beyond its end is seen */

    copy = unit_copy(text, strlen(text));

    memset(&basic, 0x55, sizeof(basic));

    rc = ngx_agt_basic_read(&copy, max, &basic);

    free(copy.data);

    return rc;
}


/* RFC 4648, section 4 */

static void
encode(const u_char *data, size_t len, char *text)
{
    size_t    i, n;
    uint32_t  bits;

    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0; i < len; i += 3) {
        n = ngx_min(len - i, 3);
        bits = (uint32_t) data[i] << 16;
        bits |= (n > 1) ? (uint32_t) data[i + 1] << 8 : 0;
        bits |= (n > 2) ? (uint32_t) data[i + 2] : 0;

        *text++ = digits[bits >> 18];
        *text++ = digits[bits >> 12 & 0x3f];
        *text++ = (n > 1) ? digits[bits >> 6 & 0x3f] : '=';
        *text++ = (n > 2) ? digits[bits & 0x3f] : '=';
    }

    *text = '\0';
}


static void
test_values(void)
{
    ngx_uint_t  i, rc;

    static const struct {
        const char  *text;
        ngx_uint_t   rc;
        const char  *user;
        const char  *key;
    } rows[] = {
        { "dTpw", FOUND, "u", "p" },
        { "dTo6", FOUND, "u", ":" },
        { "dTpwOnE=", FOUND, "u", "p:q" },
        { "dTpwcA==", FOUND, "u", "pp" },
        { "w6Q6cA==", FOUND, "\xc3\xa4", "p" },
        { "IDog", FOUND, " ", " " },
        { "dTo/fn4+", FOUND, "u", "?~~>" },

        /* nothing, or no colon, or an empty half */

        { "", MALFORMED, NULL, NULL },
        { "dXA=", MALFORMED, NULL, NULL },
        { "Og==", MALFORMED, NULL, NULL },
        { "Ojo=", MALFORMED, NULL, NULL },
        { "dTo=", MALFORMED, NULL, NULL },
        { "OnA=", MALFORMED, NULL, NULL },

        /* padding that is missing, too much, or in the middle */

        { "dTpwcA", MALFORMED, NULL, NULL },
        { "dTpwcA=", MALFORMED, NULL, NULL },
        { "dTpw====", MALFORMED, NULL, NULL },
        { "dTpw=", MALFORMED, NULL, NULL },
        { "dTpwc===", MALFORMED, NULL, NULL },
        { "dT==dTpw", MALFORMED, NULL, NULL },
        { "====", MALFORMED, NULL, NULL },
        { "=", MALFORMED, NULL, NULL },

        /* bits behind the last byte */

        { "dTpwcB==", MALFORMED, NULL, NULL },
        { "dTpwOnF=", MALFORMED, NULL, NULL },

        /* another alphabet, white space, another challenge */

        { "dTo_fn4-", MALFORMED, NULL, NULL },
        { "dTpw\n", MALFORMED, NULL, NULL },
        { "dT pw", MALFORMED, NULL, NULL },
        { "dTpw,", MALFORMED, NULL, NULL },
        { "dTpw dTpw", MALFORMED, NULL, NULL },
        { "u:p", MALFORMED, NULL, NULL },
        { "\xc3\xa4==", MALFORMED, NULL, NULL }
    };

    unit_test("base64 of user name and key is read, and nothing else");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rc = read_value(rows[i].text, 4096);

        unit_check_note(rc == rows[i].rc, rows[i].text);

        if (rc == FOUND && rows[i].user) {
            unit_check_note(unit_equal(&basic.user, rows[i].user),
                            rows[i].text);
            unit_check_note(unit_equal(&basic.key, rows[i].key),
                            rows[i].text);

        } else {
            unit_check_note(basic.user.len == 0 && basic.key.len == 0,
                            rows[i].text);
        }
    }
}


static void
test_scheme(void)
{
    ngx_str_t   value, rest;
    ngx_uint_t  i;

    static const struct {
        const char  *text;
        ngx_uint_t   rc;
        const char  *rest;
    } rows[] = {
        { "Basic dTpw", FOUND, "dTpw" },
        { "basic dTpw", FOUND, "dTpw" },
        { " BASIC   dTpw\t", FOUND, "dTpw" },
        { "Basic a b", FOUND, "a b" },
        { "Basic", MALFORMED, NULL },
        { "Basic ", MALFORMED, NULL },
        { "Basic\tdTpw", MALFORMED, NULL },
        { "Basic=dTpw", MALFORMED, NULL },
        { "", NONE, NULL },
        { "Basi", NONE, NULL },
        { "Basicx dTpw", NONE, NULL },
        { "Basic-x dTpw", NONE, NULL },
        { "XBasic dTpw", NONE, NULL },
        { "Bearer Basic", NONE, NULL },
        { "Digest x=\"Basic dTpw\"", NONE, NULL }
    };

    unit_test("the scheme is a whole word, followed by a space");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        value.data = (u_char *) rows[i].text;
        value.len = strlen(rows[i].text);

        unit_check_note(ngx_agt_bearer_basic(&value, &rest) == rows[i].rc,
                        rows[i].text);

        if (rows[i].rc == FOUND) {
            unit_check_note(unit_equal(&rest, rows[i].rest), rows[i].text);
        }
    }
}


static void
test_lengths(void)
{
    char    text[1024];
    u_char  data[600];
    size_t  len;

    unit_test("no more is read than an API key can have, or than is allowed");

    memset(data, 'a', sizeof(data));
    data[99] = ':';

    for (len = 101; len < sizeof(data); len++) {
        encode(data, len, text);

        unit_check(read_value(text, 4096)
                   == (len <= NGX_AGT_BASIC_MAX ? FOUND : TOO_LONG));
        unit_check(read_value(text, strlen(text) - 1) == TOO_LONG);

        if (len <= NGX_AGT_BASIC_MAX) {
            unit_check(read_value(text, strlen(text)) == FOUND);
            unit_check(basic.user.len == 99 && basic.key.len == len - 100);
        }
    }
}


static void
test_bytes(void)
{
    char        text[64];
    u_char      data[4];
    ngx_uint_t  byte, place;

    unit_test("no control character stands in a user name or a key");

    for (place = 0; place < 4; place++) {

        for (byte = 0; byte < 256; byte++) {
            memcpy(data, "ab:c", 4);

            if (place == 2) {
                data[1] = ':';
            }

            data[place] = (u_char) byte;

            if (place == 0 && byte == ':') {
                continue;
            }

            encode(data, 4, text);

            unit_check(read_value(text, 64)
                       == ((byte < 0x20 || byte == 0x7f) ? MALFORMED
                                                         : FOUND));
        }
    }
}
