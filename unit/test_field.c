
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/field.h"


static void test_texts(void);
static void test_every_byte(void);
static void test_lists(void);
static void test_room(void);
static size_t list(u_char *dst, ngx_agt_facts_list_e list,
    const ngx_str_t *items, ngx_uint_t n, ngx_uint_t percent);
static void decode(ngx_str_t *text);


#define TEXT(s)  ngx_string(s)
#define NONE     NULL


/* a text, and what becomes of it; NULL: nothing */

static const struct {
    ngx_str_t    text;
    const char  *plain;
    const char  *percent;
} texts[] = {
    { TEXT(""), NONE, NONE },
    { TEXT("a"), "a", "a" },
    { TEXT("a b"), "a b", "a b" },
    { TEXT("a  b"), "a  b", "a  b" },
    { TEXT(" "), NONE, "%20" },
    { TEXT("  "), NONE, "%20%20" },
    { TEXT("   "), NONE, "%20 %20" },
    { TEXT(" a"), NONE, "%20a" },
    { TEXT("a "), NONE, "a%20" },
    { TEXT("%"), "%", "%25" },
    { TEXT("%0d%0A"), "%0d%0A", "%250d%250A" },
    { TEXT("a\r\nX: b"), NONE, "a%0D%0AX: b" },
    { TEXT("a\0b"), NONE, "a%00b" },
    { TEXT("a\tb"), NONE, "a%09b" },
    { TEXT("\x7f"), NONE, "%7F" },
    { TEXT("caf\xc3\xa9"), NONE, "caf%C3%A9" },
    { TEXT("\xff"), NONE, "%FF" },
    { TEXT("a,b;c=\"d\"\\e:f/g@h"), "a,b;c=\"d\"\\e:f/g@h",
      "a,b;c=\"d\"\\e:f/g@h" },
};


static const struct {
    ngx_agt_facts_list_e  list;
    ngx_str_t             items[6];
    ngx_uint_t            n;
    const char           *plain;
    const char           *percent;
} lists[] = {
    { NGX_AGT_FACTS_SCOPES, { TEXT("") }, 0, "", "" },
    { NGX_AGT_FACTS_SCOPES, { TEXT("") }, 1, "", "" },
    { NGX_AGT_FACTS_SCOPES, { TEXT("one"), TEXT("two") }, 2,
      "one two", "one two" },
    { NGX_AGT_FACTS_SCOPES, { TEXT("one two"), TEXT(""), TEXT("three") }, 3,
      "three", "one%20two three" },
    { NGX_AGT_FACTS_SCOPES, { TEXT(" "), TEXT("a:b"), TEXT("c\n") }, 3,
      "a:b", "%20 a:b c%0A" },
    { NGX_AGT_FACTS_AUD, { TEXT("a"), TEXT("f\xc3\xbcnf"), TEXT("50%") }, 3,
      "a 50%", "a f%C3%BCnf 50%25" },
    { NGX_AGT_FACTS_ROLES, { TEXT("app"), TEXT("editor") }, 2,
      "app:editor", "app:editor" },
    { NGX_AGT_FACTS_ROLES,
      { TEXT("a:b"), TEXT("c"), TEXT("a"), TEXT("b:c") }, 4,
      "a:b:c", "a%3Ab:c a:b:c" },
    { NGX_AGT_FACTS_ROLES,
      { TEXT("a b"), TEXT("c"), TEXT("a"), TEXT("b c"),
        TEXT("d"), TEXT("e") }, 6,
      "d:e", "a%20b:c a:b%20c d:e" },
    { NGX_AGT_FACTS_ROLES,
      { TEXT(""), TEXT("c"), TEXT("a"), TEXT(""), TEXT("d"), TEXT("e") }, 6,
      "d:e", "d:e" },
    { NGX_AGT_FACTS_ROLES, { TEXT("app"), TEXT("r"), TEXT("half") }, 3,
      "app:r", "app:r" },
};


int
main(void)
{
    test_texts();
    test_every_byte();
    test_lists();
    test_room();

    return unit_done();
}


static void
test_texts(void)
{
    u_char      *last, buf[256];
    ngx_uint_t   i, percent;
    const char  *wanted;

    unit_test("a text is a value, or none");

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {

        for (percent = 0; percent < 2; percent++) {
            wanted = percent ? texts[i].percent : texts[i].plain;
            last = ngx_agt_field_text(buf, &texts[i].text, "", percent);

            unit_check_note((last == NULL) == (wanted == NULL),
                            (char *) texts[i].text.data);

            if (last && wanted) {
                *last = '\0';
                unit_check_note(strcmp((char *) buf, wanted) == 0, wanted);
            }
        }
    }
}


static void
test_every_byte(void)
{
    u_char      *p, *last, bytes[3], buf[16];
    ngx_str_t    text, value;
    ngx_uint_t   i, j;

    unit_test("each byte in each place is carried and comes back");

    for (i = 0; i < 256; i++) {

        for (j = 0; j < 3; j++) {
            memcpy(bytes, "abc", 3);
            bytes[j] = (u_char) i;

            text.data = bytes;
            text.len = 3;

            last = ngx_agt_field_text(buf, &text, "", 1);

            unit_check(last != NULL);

            for (p = buf; p < last; p++) {
                unit_check(*p >= 0x20 && *p <= 0x7e);
            }

            unit_check(buf[0] != ' ' && last[-1] != ' ');

            value.data = buf;
            value.len = (size_t) (last - buf);

            decode(&value);

            unit_check(value.len == 3 && memcmp(buf, bytes, 3) == 0);

            /* without encoding it is as it was, or nothing */

            last = ngx_agt_field_text(buf, &text, "", 0);

            unit_check((last != NULL)
                       == (i >= 0x20 && i <= 0x7e && !(i == ' ' && j != 1)));
            unit_check(last == NULL || memcmp(buf, bytes, 3) == 0);
        }
    }
}


static void
test_lists(void)
{
    u_char       buf[256];
    size_t       len;
    ngx_uint_t   i, percent;
    const char  *wanted;

    unit_test("a list has its items, each of them once");

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {

        for (percent = 0; percent < 2; percent++) {
            wanted = percent ? lists[i].percent : lists[i].plain;
            len = list(buf, lists[i].list, lists[i].items, lists[i].n,
                       percent);

            unit_check_note(len == strlen(wanted)
                            && memcmp(buf, wanted, len) == 0, wanted);
        }
    }
}


static void
test_room(void)
{
    u_char      *buf;
    size_t       len;
    ngx_str_t    items[64];
    ngx_uint_t   i, percent;

    unit_test("a list takes no more than the room that is promised");

    /* the sanitizer sees what is written behind the buffer */

    for (i = 0; i < 64; i++) {
        items[i].data = (u_char *) (i % 2 ? "\n" : "a");
        items[i].len = 1;
    }

    for (percent = 0; percent < 2; percent++) {

        for (i = 0; i < 64; i++) {
            len = i * 3 * (percent ? NGX_AGT_FIELD_PERCENT : 1);

            buf = malloc(len);

            unit_check(list(buf, NGX_AGT_FACTS_AUD, items, i, percent) <= len);
            unit_check(list(buf, NGX_AGT_FACTS_ROLES, items, i, percent)
                       <= len);

            free(buf);
        }
    }
}


static size_t
list(u_char *dst, ngx_agt_facts_list_e list, const ngx_str_t *items,
    ngx_uint_t n, ngx_uint_t percent)
{
    size_t                    len;
    u_char                    packed[1024];
    ngx_uint_t                i;
    ngx_agt_facts_t           facts;
    ngx_agt_facts_builder_t   b;

    memset(&facts, 0, sizeof(facts));

    ngx_agt_facts_begin(&b, packed, sizeof(packed), &facts);
    ngx_agt_facts_list(&b, list);

    for (i = 0; i < n; i++) {
        ngx_agt_facts_add(&b, &items[i]);
    }

    len = ngx_agt_facts_end(&b);

    unit_check(ngx_agt_facts_open(&facts, packed, len) == NGX_OK);

    return (size_t) (ngx_agt_field_list(dst, &facts, list, percent) - dst);
}


/* in place */

static void
decode(ngx_str_t *text)
{
    u_char        *p, *dst;
    unsigned int   byte;

    dst = text->data;

    for (p = text->data; p < text->data + text->len; p++) {

        if (*p == '%') {
            unit_check(sscanf((char *) p + 1, "%2x", &byte) == 1);
            *dst++ = (u_char) byte;
            p += 2;
            continue;
        }

        *dst++ = *p;
    }

    text->len = (size_t) (dst - text->data);
}
