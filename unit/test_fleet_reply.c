
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"
#include "stubs.h"

#include "fleet/reply.h"


#define MAX  (1024 * 1024)


static void test_types(void);
static void test_pieces(void);
static void test_many(void);
static void test_malformed(void);
static void test_caps(void);
static void test_lists(void);
static void test_memory(void);
static void test_command(void);
static void test_read(void);
static void test_entry(void);
static void test_info(void);
static void test_role(void);
static void test_ids(void);
static ngx_int_t parse(const char *text, size_t len);
static ngx_agt_fleet_reply_t *reply_of(const char *text);
static ngx_int_t read_stream(const char *text);
static ngx_int_t read_entry(const char *text);
static ngx_int_t read_info(const char *text);
static ngx_int_t read_role(const char *text);


static ngx_agt_fleet_reader_t  *reader;
static ngx_agt_fleet_reply_t   *reply;
static ngx_agt_fleet_id_t       id;
static ngx_agt_fleet_stream_t   stream;
static ngx_str_t                value;


int
main(void)
{
    test_types();
    test_pieces();
    test_many();
    test_malformed();
    test_caps();
    test_lists();
    test_memory();
    test_command();
    test_read();
    test_entry();
    test_info();
    test_role();
    test_ids();

    ngx_agt_fleet_reply_free(reply);

    return unit_done();
}


static void
test_types(void)
{
    unit_test("a reply has one of six types");

    reply = reply_of("$5\r\nhe\0lo\r\n");
    unit_check(reply == NULL);

    unit_check(parse("$5\r\nhe\0lo\r\n", 11) == NGX_OK);
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_STRING);
    unit_check(reply->text.len == 5);
    unit_check(memcmp(reply->text.data, "he\0lo", 5) == 0);

    reply = reply_of("$0\r\n\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_STRING);
    unit_check(reply->text.len == 0 && ngx_agt_fleet_reply_is(reply, ""));

    reply = reply_of("+PONG\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_STATUS);
    unit_check(ngx_agt_fleet_reply_is(reply, "PONG"));
    unit_check(!ngx_agt_fleet_reply_is(reply, "PON"));
    unit_check(!ngx_agt_fleet_reply_is(reply, "PONG "));
    unit_check(!ngx_agt_fleet_reply_is(reply, "PING"));

    reply = reply_of("-PONG\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_ERROR);
    unit_check(unit_equal(&reply->text, "PONG"));
    unit_check(!ngx_agt_fleet_reply_is(reply, "PONG"));

    reply = reply_of(":-12\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_INTEGER);
    unit_check(reply->integer == -12);
    unit_check(!ngx_agt_fleet_reply_is(reply, ""));

    reply = reply_of("$-1\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_NIL);

    reply = reply_of("*-1\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_NIL);

    reply = reply_of("*0\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_LIST && reply->n == 0);

    reply = reply_of("*3\r\n:1\r\n*1\r\n+a\r\n$-1\r\n");
    unit_check(reply->type == NGX_AGT_FLEET_REPLY_LIST && reply->n == 3);
    unit_check(reply->elements[0]->integer == 1);
    unit_check(reply->elements[1]->n == 1);
    unit_check(ngx_agt_fleet_reply_is(reply->elements[1]->elements[0], "a"));
    unit_check(reply->elements[2]->type == NGX_AGT_FLEET_REPLY_NIL);
}


static void
test_pieces(void)
{
    size_t      i, len, size;
    ngx_uint_t  got;

    static const char  text[] = "*2\r\n$3\r\nabc\r\n*2\r\n:7\r\n+ok\r\n";

    unit_test("a reply may come in pieces of any size");

    len = sizeof(text) - 1;

    ngx_agt_fleet_reply_free(reply);
    reply = NULL;

    for (size = 1; size <= len; size++) {
        reader = ngx_agt_fleet_reader_new(MAX, &stub_log);
        got = 0;

        for (i = 0; i < len; i += size) {
            unit_check(got == 0);
            unit_check(ngx_agt_fleet_reader_feed(reader,
                                                 (const u_char *) text + i,
                                                 ngx_min(size, len - i))
                       == NGX_OK);

            if (ngx_agt_fleet_reader_reply(reader, &reply) == NGX_OK) {
                unit_check(reply->n == 2 && reply->elements[1]->n == 2);
                ngx_agt_fleet_reply_free(reply);
                reply = NULL;
                got++;
            }
        }

        unit_check(got == 1);
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_AGAIN);
        ngx_agt_fleet_reader_free(reader);
    }

    /* a connection that ends in the middle of a reply */

    for (i = 0; i < len; i++) {
        unit_check(parse(text, i) == NGX_AGAIN);
    }

    ngx_agt_fleet_reader_free(NULL);
    ngx_agt_fleet_reply_free(NULL);
}


static void
test_many(void)
{
    ngx_uint_t  i;

    unit_test("several replies may come at once");

    ngx_agt_fleet_reply_free(reply);
    reader = ngx_agt_fleet_reader_new(MAX, &stub_log);

    unit_check(ngx_agt_fleet_reader_feed(reader,
                                         (const u_char *) ":1\r\n:2\r\n:3\r\n:",
                                         13) == NGX_OK);

    for (i = 1; i <= 3; i++) {
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_OK);
        unit_check(reply->integer == (int64_t) i);
        ngx_agt_fleet_reply_free(reply);
    }

    reply = NULL;
    unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_AGAIN);
    unit_check(reply == NULL);

    ngx_agt_fleet_reader_free(reader);
}


static void
test_malformed(void)
{
    ngx_uint_t  i;

    static const char  *texts[] = {
        "hello\r\n", "\r\n", " +ok\r\n", "HTTP/1.1 400 Bad Request\r\n",
        "*1\r\nhello\r\n", "$a\r\n", ":a\r\n",
        ":9223372036854775808\r\n", ":\r\n", "$9223372036854775808\r\n",
        "$-2\r\n", "*-2\r\n", "*4294967296\r\n", "*2147483648\r\n",
        "*9223372036854775808\r\n", "*4097\r\n",
        "%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n", ",1.5\r\n",
        "#t\r\n", "(12\r\n", "=5\r\ntxt:a\r\n", "!3\r\nERR\r\n"
    };

    unit_test("what is no reply of RESP2 is an error, and stays one");

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        reader = ngx_agt_fleet_reader_new(MAX, &stub_log);
        reply = NULL;

        unit_check(ngx_agt_fleet_reader_feed(reader,
                                             (const u_char *) texts[i],
                                             strlen(texts[i])) == NGX_OK);
        unit_check_note(ngx_agt_fleet_reader_reply(reader, &reply)
                        == NGX_ERROR, texts[i]);
        unit_check(reply == NULL);

        unit_check(ngx_agt_fleet_reader_feed(reader,
                                             (const u_char *) "+ok\r\n", 5)
                   == NGX_ERROR);
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_ERROR);

        ngx_agt_fleet_reader_free(reader);
    }

    /* the longest string there can be does not come, as it is too long */

    unit_check(parse("$9223372036854775807\r\nabc\r\n", 27) == NGX_AGAIN);
}


static void
test_caps(void)
{
    size_t  len, i;
    u_char  text[2000];

    unit_test("a reply has as many bytes as are given, and no more");

    len = (size_t) sprintf((char *) text, "$1000\r\n");
    memset(text + len, 'x', 1000);
    memcpy(text + len + 1000, "\r\n", 2);
    len += 1002;

    reader = ngx_agt_fleet_reader_new(len, &stub_log);

    for (i = 0; i < 3; i++) {
        unit_check(ngx_agt_fleet_reader_feed(reader, text, len - 1) == NGX_OK);
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_AGAIN);
        unit_check(ngx_agt_fleet_reader_feed(reader, text + len - 1, 1)
                   == NGX_OK);
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_OK);
        ngx_agt_fleet_reply_free(reply);
        reply = NULL;
    }

    unit_check(ngx_agt_fleet_reader_feed(reader, text, len - 1) == NGX_OK);
    unit_check(ngx_agt_fleet_reader_feed(reader, text, 2) == NGX_ERROR);

    ngx_agt_fleet_reader_free(reader);

    unit_test("bytes behind a reply count for the next one");

    reader = ngx_agt_fleet_reader_new(len, &stub_log);

    unit_check(ngx_agt_fleet_reader_feed(reader, (const u_char *) ":1\r\n:2", 6)
               == NGX_OK);
    unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_OK);
    ngx_agt_fleet_reply_free(reply);
    reply = NULL;

    unit_check(ngx_agt_fleet_reader_feed(reader, text, len - 2) == NGX_OK);
    unit_check(ngx_agt_fleet_reader_feed(reader, text, 1) == NGX_ERROR);

    ngx_agt_fleet_reader_free(reader);
}


static void
test_lists(void)
{
    char        *text, *p;
    size_t       size;
    ngx_uint_t   i, n;

    size = 8 * 40000;
    text = malloc(size);

    unit_test("a list has at most 4,096 elements");

    p = text + sprintf(text, "*%u\r\n", NGX_AGT_FLEET_REPLY_ARRAY);

    for (i = 0; i < NGX_AGT_FLEET_REPLY_ARRAY; i++) {
        p += sprintf(p, ":1\r\n");
    }

    unit_check(parse(text, (size_t) (p - text)) == NGX_OK);
    unit_check(reply->n == NGX_AGT_FLEET_REPLY_ARRAY);

    /* that there are more is known before they come */

    unit_check(parse("*4097\r\n", 7) == NGX_ERROR);
    unit_check(parse("*1\r\n*4097\r\n", 11) == NGX_ERROR);

    unit_test("a reply has at most 32,768 values");

    for (n = 0; n < 2; n++) {
        p = text + sprintf(text, "*%u\r\n", (unsigned) (7 + n));

        for (i = 0; i < 7 * 4096 + n; i++) {
            if (i % 4096 == 0) {
                p += sprintf(p, "*%u\r\n", i < 7 * 4096 ? 4096 : 1);
            }

            p += sprintf(p, ":1\r\n");
        }

        unit_check(parse(text, (size_t) (p - text)) == NGX_OK);
    }

    p = text + sprintf(text, "*9\r\n");

    for (i = 0; i < 9 * 3639; i++) {
        if (i % 3639 == 0) {
            p += sprintf(p, "*3639\r\n");
        }

        p += sprintf(p, ":1\r\n");
    }

    /* 1 + 9 + 9 * 3639 = 32761; with seven more, and eight */

    unit_check(parse(text, (size_t) (p - text)) == NGX_OK);

    text[1] = (char) ('9' + 1);
    memmove(text + 5, text + 4, (size_t) (p - text) - 4);
    memcpy(text, "*10\r\n", 5);
    p++;

    i = (ngx_uint_t) (p - text);

    p += sprintf(p, "*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
    unit_check(parse(text, (size_t) (p - text)) == NGX_OK);

    p = text + i + sprintf(text + i, "*7\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"
                                     ":1\r\n:1\r\n");
    unit_check(parse(text, (size_t) (p - text)) == NGX_ERROR);

    unit_test("the values of one reply do not count for the next");

    reader = ngx_agt_fleet_reader_new(MAX, &stub_log);
    p = text + sprintf(text, "*4096\r\n");

    for (i = 0; i < 4096; i++) {
        p += sprintf(p, "+a\r\n");
    }

    for (i = 0; i < 20; i++) {
        unit_check(ngx_agt_fleet_reader_feed(reader, (u_char *) text,
                                             (size_t) (p - text)) == NGX_OK);
        unit_check(ngx_agt_fleet_reader_reply(reader, &reply) == NGX_OK);
        ngx_agt_fleet_reply_free(reply);
        reply = NULL;
    }

    ngx_agt_fleet_reader_free(reader);
    free(text);

    unit_test("lists in lists have an end");

    unit_check(parse("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 28)
               == NGX_OK);
    unit_check(parse("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", 28)
               == NGX_ERROR);
}


static void
test_memory(void)
{
    ngx_int_t  n;

    static const char  text[] = "*2\r\n$3\r\nabc\r\n*3\r\n:7\r\n+ok\r\n$-1\r\n";

    unit_test("without memory there is no reply, and nothing is lost");

    stub_allocations = 0;
    unit_check(ngx_agt_fleet_reader_new(MAX, &stub_log) == NULL);

    for (n = 1; n < 7; n++) {
        stub_allocations = n;
        unit_check(parse(text, sizeof(text) - 1) == NGX_ERROR);
    }

    stub_allocations = 7;
    unit_check(parse(text, sizeof(text) - 1) == NGX_OK);
    stub_allocations = -1;
}


static void
test_command(void)
{
    u_char      big[300];
    ngx_str_t   args[NGX_AGT_FLEET_ARGUMENTS + 1], out;
    ngx_uint_t  i;

    unit_test("a command is formatted with any bytes in it");

    ngx_str_set(&args[0], "SET");
    ngx_str_set(&args[1], "a b\r\n\0%s");
    ngx_str_set(&args[2], "");

    unit_check(ngx_agt_fleet_command(args, 3, &out) == NGX_OK);
    unit_check(out.len == 33);
    unit_check(memcmp(out.data,
                      "*3\r\n$3\r\nSET\r\n$8\r\na b\r\n\0%s\r\n$0\r\n\r\n", 33)
               == 0);
    ngx_agt_fleet_command_free(&out);
    unit_check(out.data == NULL && out.len == 0);
    ngx_agt_fleet_command_free(&out);

    memset(big, 0xff, sizeof(big));
    args[0].data = big;
    args[0].len = sizeof(big);
    unit_check(ngx_agt_fleet_command(args, 1, &out) == NGX_OK);
    unit_check(out.len == 4 + 6 + 302);
    unit_check(memcmp(out.data, "*1\r\n$300\r\n\xff", 11) == 0);
    ngx_agt_fleet_command_free(&out);

    unit_test("a command has one to sixteen arguments");

    for (i = 0; i < NGX_AGT_FLEET_ARGUMENTS + 1; i++) {
        ngx_str_set(&args[i], "x");
    }

    unit_check(ngx_agt_fleet_command(args, 0, &out) == NGX_ERROR);
    unit_check(ngx_agt_fleet_command(args, NGX_AGT_FLEET_ARGUMENTS, &out)
               == NGX_OK);
    unit_check(out.len == 5 + 16 * 7);
    ngx_agt_fleet_command_free(&out);
    unit_check(ngx_agt_fleet_command(args, NGX_AGT_FLEET_ARGUMENTS + 1, &out)
               == NGX_ERROR);
}


static void
test_read(void)
{
    unit_test("entries are found in a reply to XREAD");

    unit_check(read_stream("*1\r\n*2\r\n$6\r\nedge:s\r\n*0\r\n") == NGX_OK);
    unit_check(read_stream("*-1\r\n") == NGX_DECLINED);
    unit_check(read_stream("$-1\r\n") == NGX_DECLINED);

    unit_test("any other reply is none to XREAD");

    unit_check(read_stream("*0\r\n") == NGX_ERROR);
    unit_check(read_stream("+OK\r\n") == NGX_ERROR);
    unit_check(read_stream("-ERR x\r\n") == NGX_ERROR);
    unit_check(read_stream(":1\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n$6\r\nedge:s\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*1\r\n$6\r\nedge:s\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*2\r\n$6\r\nedge:t\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*2\r\n$5\r\nedge:\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*2\r\n:6\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*2\r\n$6\r\nedge:s\r\n:0\r\n") == NGX_ERROR);
    unit_check(read_stream("*1\r\n*3\r\n$6\r\nedge:s\r\n*0\r\n:0\r\n")
               == NGX_ERROR);
    unit_check(read_stream("*2\r\n*2\r\n$6\r\nedge:s\r\n*0\r\n"
                           "*2\r\n$6\r\nedge:s\r\n*0\r\n") == NGX_ERROR);
}


static void
test_entry(void)
{
    unit_test("an entry has an id and one field");

    unit_check(read_entry("*1\r\n*2\r\n$4\r\n12-3\r\n"
                          "*2\r\n$1\r\ne\r\n$3\r\nabc\r\n") == NGX_OK);
    unit_check(id.ms == 12 && id.seq == 3 && unit_equal(&value, "abc"));

    unit_test("an entry of somebody else is skipped, by its id");

    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n"
                          "*2\r\n$1\r\nf\r\n$3\r\nabc\r\n") == NGX_DECLINED);
    unit_check(id.ms == 9 && id.seq == 0);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n"
                          "*4\r\n$1\r\ne\r\n$1\r\na\r\n"
                          "$1\r\ne\r\n$1\r\na\r\n") == NGX_DECLINED);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n*0\r\n") == NGX_DECLINED);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n*-1\r\n") == NGX_DECLINED);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n"
                          "*2\r\n:1\r\n$1\r\na\r\n") == NGX_DECLINED);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9-0\r\n"
                          "*2\r\n$1\r\ne\r\n:1\r\n") == NGX_DECLINED);

    unit_test("what has no id is no entry");

    unit_check(read_entry("*0\r\n") == NGX_ERROR);
    unit_check(read_entry("+OK\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n:1\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n*1\r\n$3\r\n9-0\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n*2\r\n$3\r\n9.0\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n*2\r\n:9\r\n*0\r\n") == NGX_ERROR);
    unit_check(read_entry("*1\r\n*3\r\n$3\r\n9-0\r\n*0\r\n*0\r\n")
               == NGX_ERROR);
}


static void
test_info(void)
{
    unit_test("the epoch, the length, the last id and the time are found");

    unit_check(read_info("*4\r\n$3\r\nabc\r\n:5\r\n$4\r\n12-3\r\n:77\r\n")
               == NGX_OK);
    unit_check(stream.epoch.len == 3
               && memcmp(stream.epoch.data, "abc", 3) == 0);
    unit_check(stream.length == 5 && stream.now == 77);
    unit_check(stream.last.ms == 12 && stream.last.seq == 3);

    unit_test("anything else is no such reply");

    unit_check(read_info("-ERR\r\n") == NGX_ERROR);
    unit_check(read_info("+OK\r\n") == NGX_ERROR);
    unit_check(read_info("*0\r\n") == NGX_ERROR);
    unit_check(read_info("*3\r\n$1\r\na\r\n:5\r\n$3\r\n1-1\r\n")
               == NGX_ERROR);
    unit_check(read_info("*5\r\n$1\r\na\r\n:5\r\n$3\r\n1-1\r\n:7\r\n:1\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n:1\r\n:5\r\n$3\r\n1-1\r\n:7\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n$1\r\na\r\n:-5\r\n$3\r\n1-1\r\n:7\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n$1\r\na\r\n$1\r\n5\r\n$3\r\n1-1\r\n:7\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n$1\r\na\r\n:5\r\n$3\r\n1.1\r\n:7\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n$1\r\na\r\n:5\r\n:11\r\n:7\r\n")
               == NGX_ERROR);
    unit_check(read_info("*4\r\n$1\r\na\r\n:5\r\n$3\r\n1-1\r\n$1\r\n7\r\n")
               == NGX_ERROR);
}


static void
test_role(void)
{
    unit_test("a primary is told from a replica");

    unit_check(read_role("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n") == NGX_OK);
    unit_check(read_role("*1\r\n$6\r\nmaster\r\n") == NGX_OK);
    unit_check(read_role("*1\r\n$5\r\nslave\r\n") == NGX_DECLINED);
    unit_check(read_role("*1\r\n$8\r\nsentinel\r\n") == NGX_DECLINED);
    unit_check(read_role("*1\r\n$7\r\nmaster2\r\n") == NGX_DECLINED);
    unit_check(read_role("*0\r\n") == NGX_ERROR);
    unit_check(read_role("*1\r\n:1\r\n") == NGX_ERROR);
    unit_check(read_role("$6\r\nmaster\r\n") == NGX_ERROR);
    unit_check(read_role("-NOPERM\r\n") == NGX_ERROR);
}


static void
test_ids(void)
{
    u_char              out[NGX_AGT_FLEET_ID_LEN];
    ngx_str_t           text;
    ngx_uint_t          i, j;
    ngx_agt_fleet_id_t  a, b;

    static const char  *good[] = {
        "0-0", "0-1", "1-0", "1-18446744073709551615", "2-5",
        "1700000000000-0", "18446744073709551615-0",
        "18446744073709551615-18446744073709551615"
    };

    static const char  *bad[] = {
        "", "-", "1", "1-", "-1", "1-1-1", "1--1", " 1-1", "1-1 ", "+1-1",
        "1-a", "a-1", "1-:", "1-/", "18446744073709551616-0",
        "0-18446744073709551616", "0-99999999999999999999999999999999999999"
    };

    unit_test("ids are read, written and compared");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        text = unit_str(good[i]);
        unit_check(ngx_agt_fleet_id_read(&text, &a) == NGX_OK);
        free(text.data);

        text.data = out;
        text.len = (size_t) (ngx_agt_fleet_id_write(out, &a) - out);
        unit_check(unit_equal(&text, good[i]));

        for (j = 0; j < sizeof(good) / sizeof(good[0]); j++) {
            text = unit_str(good[j]);
            unit_check(ngx_agt_fleet_id_read(&text, &b) == NGX_OK);
            free(text.data);

            unit_check((ngx_agt_fleet_id_compare(&a, &b) < 0) == (i < j));
            unit_check((ngx_agt_fleet_id_compare(&a, &b) > 0) == (i > j));
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text = unit_str(bad[i]);
        unit_check_note(ngx_agt_fleet_id_read(&text, &a) == NGX_ERROR, bad[i]);
        free(text.data);
    }
}


static ngx_int_t
parse(const char *text, size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    ngx_agt_fleet_reply_free(reply);
    reply = NULL;

    reader = ngx_agt_fleet_reader_new(MAX, &stub_log);
    copy = unit_copy(text, len);

    rc = ngx_agt_fleet_reader_feed(reader, copy.data, len);

    if (rc == NGX_OK) {
        rc = ngx_agt_fleet_reader_reply(reader, &reply);
    }

    free(copy.data);
    ngx_agt_fleet_reader_free(reader);

    return rc;
}


/* a reply of one text, or NULL */

static ngx_agt_fleet_reply_t *
reply_of(const char *text)
{
    (void) parse(text, strlen(text));

    return reply;
}


static ngx_int_t
read_stream(const char *text)
{
    ngx_str_t                     name = ngx_string("edge:s");
    const ngx_agt_fleet_reply_t  *entries;

    return ngx_agt_fleet_reply_read(reply_of(text), &name, &entries);
}


static ngx_int_t
read_entry(const char *text)
{
    return ngx_agt_fleet_reply_entry(reply_of(text), 0, &id, &value);
}


static ngx_int_t
read_info(const char *text)
{
    return ngx_agt_fleet_reply_info(reply_of(text), &stream);
}


static ngx_int_t
read_role(const char *text)
{
    return ngx_agt_fleet_reply_role(reply_of(text));
}
