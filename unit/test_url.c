
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "config/url.h"


static void test_one_form(void);
static void test_refused(void);
static void test_proxies(void);
static void test_stable(void);
static void test_addresses(void);
static void test_bytes(void);
static const char *canonical(const char *url, ngx_uint_t proxy);


static u_char       buf[512];
static const char  *why;


/* spellings of one API, and its one form */

static const struct {
    const char  *url;
    const char  *form;
} same[] = {

    /* scheme and host are without case */
    { "https://api.example", "https://api.example" },
    { "HTTPS://API.Example", "https://api.example" },
    { "hTTp://127.0.0.1", "http://127.0.0.1" },
    { "https://a_b-c.example", "https://a_b-c.example" },

    /* the port: no zeros, no default, and that of the other scheme stays */
    { "https://api.example:443", "https://api.example" },
    { "https://api.example:0443", "https://api.example" },
    { "https://api.example:80", "https://api.example:80" },
    { "http://127.0.0.1:80", "http://127.0.0.1" },
    { "http://127.0.0.1:443", "http://127.0.0.1:443" },
    { "http://127.0.0.1:8089", "http://127.0.0.1:8089" },
    { "http://127.0.0.1:08089", "http://127.0.0.1:8089" },
    { "http://127.0.0.1:0000000000000008089", "http://127.0.0.1:8089" },
    { "https://api.example:1", "https://api.example:1" },
    { "https://api.example:65535", "https://api.example:65535" },

    /* slashes at the end are none */
    { "https://api.example/", "https://api.example" },
    { "https://api.example///", "https://api.example" },
    { "https://api.example:443/", "https://api.example" },
    { "https://api.example/Path", "https://api.example/Path" },
    { "https://api.example/a/b/", "https://api.example/a/b" },
    { "https://api.example/...", "https://api.example/..." },
    { "https://api.example/.a", "https://api.example/.a" },
    { "https://api.example/v1x", "https://api.example/v1x" },
    { "https://api.example/xv1", "https://api.example/xv1" },
    { "https://api.example/v1/x", "https://api.example/v1/x" },
    { "https://v1.example", "https://v1.example" },

    /* an IPv6 address */
    { "http://[::1]", "http://[::1]" },
    { "http://[::1]:80", "http://[::1]" },
    { "http://[::1]:08089/", "http://[::1]:8089" },
    { "http://[0:0:0:0:0:0:0:1]", "http://[::1]" },
    { "http://[0000:0000:0000:0000:0000:0000:0000:0001]", "http://[::1]" },
    { "http://[::0.0.0.1]", "http://[::1]" },
    { "http://[0::1]", "http://[::1]" },
    { "http://[::0:1]", "http://[::1]" },
    { "https://[2001:DB8::A]", "https://[2001:db8::a]" },
    { "https://[2001:db8:0:0:1:0:0:1]", "https://[2001:db8::1:0:0:1]" },
    { "https://[2001:db8:0:0:1::1]", "https://[2001:db8::1:0:0:1]" },
    { "https://[2001:0:0:1:0:0:0:1]", "https://[2001:0:0:1::1]" },
    { "https://[1::3:4:5:6:7:8]", "https://[1:0:3:4:5:6:7:8]" },
    { "https://[::2:3:4:5:6:7:8]", "https://[0:2:3:4:5:6:7:8]" },
    { "https://[1:2:3:4:5:6:7::]", "https://[1:2:3:4:5:6:7:0]" },
    { "https://[1:2:3:4:5:6:7:8]", "https://[1:2:3:4:5:6:7:8]" },
    { "https://[1::]", "https://[1::]" },
    { "https://[::]", "https://[::]" },
    { "https://[0:0:0:0:0:0:0:0]", "https://[::]" },
    { "https://[64:ff9b::192.0.2.33]", "https://[64:ff9b::c000:221]" },
    { "https://[1:2:3:4:5:6:255.255.255.255]:443",
      "https://[1:2:3:4:5:6:ffff:ffff]" },
    { "https://[FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF]:65535",
      "https://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },

    /* addresses that are no loopback are good for https */
    { "https://192.0.2.1", "https://192.0.2.1" },
    { "https://0.0.0.0", "https://0.0.0.0" },
    { "http://127.255.255.255", "http://127.255.255.255" },

    /* what looks like a number in a name that is none */
    { "https://1.example", "https://1.example" },
    { "https://127.1a", "https://127.1a" },
    { "https://0xg", "https://0xg" }
};


/* URLs that are refused, each with a word of the message */

static const struct {
    const char  *url;
    const char  *word;
} refused[] = {
    { "", "\"https\" URL" },
    { "https://", "\"https\" URL" },
    { "http://", "\"https\" URL" },
    { "https:/api.example", "\"https\" URL" },
    { "https//api.example", "\"https\" URL" },
    { "api.example", "\"https\" URL" },
    { "ftp://127.0.0.1", "\"https\" URL" },
    { "httpsx://127.0.0.1", "\"https\" URL" },

    { "https://user@api.example", "plain path" },
    { "https://user:word@api.example", "plain path" },
    { "https://api.example?x", "plain path" },
    { "https://api.example#x", "plain path" },
    { "https://api.example/a%2fb", "plain path" },
    { "https://api%2eexample", "plain path" },
    { "https://api.example/a;b", "plain path" },
    { "https://api.example/a b", "plain path" },
    { "https://api.example/a\\b", "plain path" },
    { "https://api.example/a\"b", "plain path" },
    { "https://api.example/{a}", "plain path" },
    { "https://api.example/a|b", "plain path" },
    { "https://api.example/[a]", "plain path" },
    { "https://api.example\r\n", "plain path" },
    { "https://caf\xc3\xa9.example", "plain path" },
    { "https://[fe80::1%25eth0]", "plain path" },
    { "https://$host", "variables" },
    { "https://api.example/$x", "variables" },

    { "https://api.example/./a", "segments" },
    { "https://api.example/a/..", "segments" },
    { "https://api.example/a/../b", "segments" },
    { "https://api.example/..", "segments" },
    { "https://api.example//a", "segments" },
    { "https://api.example/a//b", "segments" },

    { "https://api.example/v1", "end in \"/v1\"" },
    { "https://api.example/v1/", "end in \"/v1\"" },
    { "https://api.example/v1//", "end in \"/v1\"" },
    { "https://api.example/V1", "end in \"/v1\"" },
    { "https://api.example/a/v1", "end in \"/v1\"" },
    { "https://api.example/v1/tokens", "\"/v1/tokens\" in it" },
    { "https://api.example/v1/tokens/", "\"/v1/tokens\" in it" },
    { "https://api.example/V1/Tokens/introspect", "\"/v1/tokens\" in it" },
    { "https://api.example/a/v1/tokens/b", "\"/v1/tokens\" in it" },

    { "https://:443", "no valid host" },
    { "https:///a", "no valid host" },
    { "https://a..example", "no valid host" },
    { "https://.example", "no valid host" },
    { "https://..", "no valid host" },
    { "https://a,b", "no valid host" },
    { "https://a[b", "no valid host" },
    { "https://::1", "no valid host" },
    { "https://[", "no valid host" },
    { "https://[]", "no valid host" },
    { "https://[::1", "no valid host" },
    { "https://[::1/]", "plain path" },
    { "https://[:]", "no valid host" },
    { "https://[:::]", "no valid host" },
    { "https://[1:2:3:4:5:6:7]", "no valid host" },
    { "https://[1:2:3:4:5:6:7:8:9]", "no valid host" },
    { "https://[1:2:3:4:5:6:7:8:]", "no valid host" },
    { "https://[1:2:3:4::5:6:7:8]", "no valid host" },
    { "https://[1:2:3:4:5:6:7:8::]", "no valid host" },
    { "https://[::1:2:3:4:5:6:7:8]", "no valid host" },
    { "https://[1::2::3]", "no valid host" },
    { "https://[:1::2]", "no valid host" },
    { "https://[1::2:]", "no valid host" },
    { "https://[12345::]", "no valid host" },
    { "https://[00001::]", "no valid host" },
    { "https://[g::]", "no valid host" },
    { "https://[v1.x]", "no valid host" },
    { "https://[1.2.3.4]", "no valid host" },
    { "https://[::1.2.3]", "no valid host" },
    { "https://[::1.2.3.4.5]", "no valid host" },
    { "https://[::1.2.3.256]", "no valid host" },
    { "https://[::01.2.3.4]", "no valid host" },
    { "https://[::1.2.3.4:5]", "no valid host" },
    { "https://[1:2:3:4:5:6:7:1.2.3.4]", "no valid host" },

    { "https://api.example.", "dot at the end" },
    { "https://api.example.:443", "dot at the end" },
    { "http://127.0.0.1.", "dot at the end" },

    /* one address in other forms */
    { "http://127.1", "four decimal numbers" },
    { "http://127.0.1", "four decimal numbers" },
    { "http://2130706433", "four decimal numbers" },
    { "http://0177.0.0.1", "four decimal numbers" },
    { "http://127.0.0.01", "four decimal numbers" },
    { "http://127.0.0.001", "four decimal numbers" },
    { "http://127.00.0.1", "four decimal numbers" },
    { "http://0x7f.0.0.1", "four decimal numbers" },
    { "http://0X7F000001", "four decimal numbers" },
    { "http://127.0.0.0x1", "four decimal numbers" },
    { "http://127.0.0.0x", "four decimal numbers" },
    { "http://127.0.0.256", "four decimal numbers" },
    { "http://127.0.0.1000", "four decimal numbers" },
    { "http://127.0.0.0.1", "four decimal numbers" },
    { "https://api.1", "four decimal numbers" },
    { "https://[::ffff:127.0.0.1]", "written as an IPv6 address" },
    { "http://[::FFFF:7f00:1]", "written as an IPv6 address" },
    { "http://[0:0:0:0:0:ffff:7f00:1]", "written as an IPv6 address" },

    { "https://api.example:", "no valid port" },
    { "https://api.example:0", "no valid port" },
    { "https://api.example:000", "no valid port" },
    { "https://api.example:65536", "no valid port" },
    { "https://api.example:4294967739", "no valid port" },
    { "https://api.example:18446744073709552059", "no valid port" },
    { "https://api.example:+443", "no valid port" },
    { "https://api.example:443x", "no valid port" },
    { "https://api.example:443:443", "no valid port" },
    { "https://[::1]443", "no valid port" },
    { "https://[::1]x:443", "no valid port" },
    { "https://[::1]:", "no valid port" },

    { "http://api.example", "plain \"http\"" },
    { "http://192.0.2.1", "plain \"http\"" },
    { "http://126.255.255.255", "plain \"http\"" },
    { "http://128.0.0.1", "plain \"http\"" },
    { "http://0.0.0.0", "plain \"http\"" },
    { "http://127.0.0.1.example", "plain \"http\"" },
    { "http://[::]", "plain \"http\"" },
    { "http://[::2]", "plain \"http\"" },
    { "http://[1::1]", "plain \"http\"" },
    { "http://[::1:1]", "plain \"http\"" },
    { "http://[::127.0.0.1]", "plain \"http\"" },
    { "http://[64:ff9b::127.0.0.1]", "plain \"http\"" },
    { "http://localhost", "a name could resolve" },
    { "http://LocalHost:80", "a name could resolve" }
};


static const struct {
    const char  *url;
    const char  *form;    /* NULL: refused */
} proxies[] = {
    { "http://proxy:3128", "http://proxy:3128" },
    { "HTTP://Proxy:03128/", "http://proxy:3128" },
    { "http://proxy:80", "http://proxy:80" },
    { "http://10.0.0.1:443", "http://10.0.0.1:443" },
    { "http://127.0.0.1:3128", "http://127.0.0.1:3128" },
    { "http://[2001:DB8:0::1]:3128", "http://[2001:db8::1]:3128" },
    { "http://proxy", NULL },
    { "http://proxy/", NULL },
    { "http://proxy:", NULL },
    { "http://proxy:0", NULL },
    { "http://proxy:3128/a", NULL },
    { "http://10.1:3128", NULL },
    { "https://proxy:3128", NULL },
    { "socks5://proxy:3128", NULL },
    { "http://u:p@proxy:3128", NULL },
    { "http://", NULL },
    { "", NULL }
};


int
main(void)
{
    test_one_form();
    test_refused();
    test_proxies();
    test_stable();
    test_addresses();
    test_bytes();

    return unit_done();
}


static void
test_one_form(void)
{
    size_t       i;
    const char  *form;

    unit_test("each spelling of an API is brought into one form");

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        form = canonical(same[i].url, 0);

        unit_check_note(form && strcmp(form, same[i].form) == 0, same[i].url);
    }
}


static void
test_refused(void)
{
    size_t       i;
    const char  *form;

    unit_test("what has no such form is refused in words");

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        form = canonical(refused[i].url, 0);

        unit_check_note(form == NULL && strstr(why, refused[i].word),
                        refused[i].url);
    }
}


static void
test_proxies(void)
{
    size_t       i;
    const char  *form;

    unit_test("a proxy is http with a port, and has one form");

    for (i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        form = canonical(proxies[i].url, 1);

        unit_check_note(proxies[i].form
                        ? form && strcmp(form, proxies[i].form) == 0
                        : form == NULL, proxies[i].url);
    }
}


static void
test_stable(void)
{
    size_t       i;
    ngx_str_t    s;
    const char  *form;

    unit_test("the form of a form is itself, and tells http from https");

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        form = canonical(same[i].form, 0);

        unit_check_note(form && strcmp(form, same[i].form) == 0,
                        same[i].form);

        s.data = (u_char *) same[i].form;
        s.len = strlen(same[i].form);

        unit_check_note(ngx_agt_url_is_plain(&s)
                        == (same[i].form[4] == ':'), same[i].form);
    }
}


/* against the C library's own reader and writer of addresses */

static void
test_addresses(void)
{
    char             url[128], text[INET6_ADDRSTRLEN], form[64];
    uint32_t         random;
    ngx_uint_t       i, j, n;
    const char      *got;
    struct in6_addr  address;

    unit_test("any IPv6 address has the form of RFC 5952");

    random = 1;

    for (i = 0; i < 20000; i++) {

        for (j = 0; j < 16; j += 2) {
            random = random * 1103515245 + 12345;
            n = (random >> 16) & 0xffff;

            /* zeros and small numbers come often */

            if (n & 0x8000) {
                n = 0;

            } else if (n & 0x4000) {
                n &= 0xff;
            }

            address.s6_addr[j] = (u_char) (n >> 8);
            address.s6_addr[j + 1] = (u_char) n;
        }

        /* the C library writes what begins with zeros as IPv4 */

        address.s6_addr[0] = 0x20;

        if (inet_ntop(AF_INET6, &address, form, sizeof(form)) == NULL) {
            unit_check(0);
            return;
        }

        snprintf(url, sizeof(url),
                 "https://[%02X%02X:%02x%02x:%02X%02x:%x:%x:%x:%d.%d.%d.%d]",
                 address.s6_addr[0], address.s6_addr[1], address.s6_addr[2],
                 address.s6_addr[3], address.s6_addr[4], address.s6_addr[5],
                 address.s6_addr[6] << 8 | address.s6_addr[7],
                 address.s6_addr[8] << 8 | address.s6_addr[9],
                 address.s6_addr[10] << 8 | address.s6_addr[11],
                 address.s6_addr[12], address.s6_addr[13],
                 address.s6_addr[14], address.s6_addr[15]);

        got = canonical(url, 0);

        snprintf(text, sizeof(text), "%.40s", got ? got + 9 : "");

        if (strlen(text)) {
            text[strlen(text) - 1] = '\0';
        }

        unit_check_note(strcmp(text, form) == 0, url);
    }
}


/* any byte in any place of a URL: refused, or one form that stays as it is */

static void
test_bytes(void)
{
    char         url[64], form[128];
    size_t       i;
    ngx_uint_t   c;
    const char  *got;

    static const char  pattern[] = "https://A.b:0443/c/d";

    unit_test("no byte leads beyond the buffer or to a second form");

    for (i = 0; i < sizeof(pattern) - 1; i++) {
        for (c = 1; c < 256; c++) {
            memcpy(url, pattern, sizeof(pattern));
            url[i] = (char) c;

            got = canonical(url, 0);

            if (got == NULL) {
                unit_check_note(why[0] != '\0', url);
                continue;
            }

            snprintf(form, sizeof(form), "%s", got);
            got = canonical(form, 0);

            unit_check_note(got && strcmp(got, form) == 0, url);
        }
    }
}


/* the canonical form, or NULL with "why" set; in a buffer of just that size */

static const char *
canonical(const char *url, ngx_uint_t proxy)
{
    u_char     *in, *room;
    ngx_str_t   s, out;

    s.len = strlen(url);

    in = malloc(s.len + 1);
    room = malloc(s.len + NGX_AGT_URL_ROOM);

    if (in == NULL || room == NULL) {
        abort();
    }

    /* nothing behind the end is read */

    memcpy(in, url, s.len);
    s.data = in;
    out.data = room;
    out.len = 0;

    why = ngx_agt_url_canonical(&s, proxy, &out);

    if (why == NULL) {
        unit_check_note(out.data[out.len] == '\0'
                        && strlen((char *) out.data) == out.len, url);

        snprintf((char *) buf, sizeof(buf), "%s", out.data);
    }

    free(in);
    free(room);

    return why ? NULL : (char *) buf;
}
