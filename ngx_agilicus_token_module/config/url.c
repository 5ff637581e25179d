
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/url.h"
#include "token/text.h"


#define NGX_AGT_URL_GROUPS    8
#define NGX_AGT_URL_MAX_HOST  253


/* a URL in parts; what is wrong with it is in "why" */

typedef struct {
    const u_char  *host;
    const u_char  *host_end;
    const u_char  *path;
    const u_char  *last;      /* of the path, without slashes at its end */
    const char    *why;
    ngx_uint_t     port;      /* 0: none is given */
    ngx_uint_t     tls;
    ngx_uint_t     loopback;
    ngx_uint_t     ipv6;
    uint32_t       groups[NGX_AGT_URL_GROUPS];
} ngx_agt_url_t;


static ngx_int_t ngx_agt_url_scheme(ngx_agt_url_t *u,
    const ngx_str_t *url, ngx_uint_t proxy);
static ngx_int_t ngx_agt_url_bytes(ngx_agt_url_t *u, const ngx_str_t *url);
static ngx_int_t ngx_agt_url_path(ngx_agt_url_t *u);
static ngx_int_t ngx_agt_url_segment(ngx_agt_url_t *u,
    const u_char *p, const u_char *end);
static ngx_int_t ngx_agt_url_authority(ngx_agt_url_t *u);
static ngx_int_t ngx_agt_url_port(ngx_agt_url_t *u,
    const u_char *p, const u_char *end);
static ngx_int_t ngx_agt_url_name(ngx_agt_url_t *u);
static ngx_uint_t ngx_agt_url_is_number(const u_char *p, const u_char *end);
static ngx_int_t ngx_agt_url_address(int family, const u_char *p,
    const u_char *end, u_char *address);
static ngx_int_t ngx_agt_url_ipv6(ngx_agt_url_t *u);
static u_char *ngx_agt_url_write_ipv6(u_char *p, const uint32_t *groups);
static u_char *ngx_agt_url_write_number(u_char *p, uint32_t n, uint32_t base);


const char *
ngx_agt_url_canonical(const ngx_str_t *url, ngx_uint_t proxy, ngx_str_t *out)
{
    u_char        *p;
    const u_char  *s;
    ngx_agt_url_t  u;

    ngx_memzero(&u, sizeof(ngx_agt_url_t));

    if (ngx_agt_url_scheme(&u, url, proxy) != NGX_OK
        || ngx_agt_url_bytes(&u, url) != NGX_OK)
    {
        return u.why;
    }

    u.last = url->data + url->len;

    for (s = u.host; s < u.last && *s != '/'; s++) { /* void */ }

    u.path = s;

    while (u.last > u.path && u.last[-1] == '/') {
        u.last--;
    }

    if (proxy && u.last != u.path) {
        return "must be \"http://host:port\"";
    }

    if (ngx_agt_url_path(&u) != NGX_OK || ngx_agt_url_authority(&u) != NGX_OK)
    {
        return u.why;
    }

    if (proxy && u.port == 0) {
        return "must be \"http://host:port\": proxies have no usual port";
    }

    if (!proxy && !u.tls && !u.loopback) {
        return (u.host_end - u.host == sizeof("localhost") - 1
                && ngx_agt_text_begins(u.host, u.host_end, "localhost"))
               ? "must say \"127.0.0.1\" or \"[::1]\": a name could resolve "
                 "to any address"
               : "must be \"https\": plain \"http\" is for literal loopback "
                 "addresses only";
    }

    p = u.tls ? ngx_cpymem(out->data, "https://", sizeof("https://") - 1)
              : ngx_cpymem(out->data, "http://", sizeof("http://") - 1);

    if (u.ipv6) {
        p = ngx_agt_url_write_ipv6(p, u.groups);

    } else {
        for (s = u.host; s < u.host_end; s++) {
            *p++ = (u_char) ngx_tolower(*s);
        }
    }

    if (u.port && (proxy || u.port != (u.tls ? 443U : 80U))) {
        *p++ = ':';
        p = ngx_agt_url_write_number(p, (uint32_t) u.port, 10);
    }

    p = ngx_cpymem(p, u.path, (size_t) (u.last - u.path));

    *p = '\0';

    out->len = (size_t) (p - out->data);

    return NULL;
}


ngx_uint_t
ngx_agt_url_is_plain(const ngx_str_t *url)
{
    return ngx_agt_text_begins(url->data, url->data + url->len, "http:");
}


static ngx_int_t
ngx_agt_url_scheme(ngx_agt_url_t *u, const ngx_str_t *url, ngx_uint_t proxy)
{
    size_t         len;
    const u_char  *end;

    end = url->data + url->len;

    u->tls = !proxy && ngx_agt_text_begins(url->data, end, "https://");

    if (!u->tls && !ngx_agt_text_begins(url->data, end, "http://")) {
        goto invalid;
    }

    len = u->tls ? sizeof("https://") - 1 : sizeof("http://") - 1;

    if (url->len == len) {
        goto invalid;
    }

    u->host = url->data + len;

    return NGX_OK;

invalid:

    u->why = proxy ? "must be \"http://host:port\""
                   : "must be an \"https\" URL";

    return NGX_ERROR;
}


/* the bytes that may stand in a URL at all, wherever */

static ngx_int_t
ngx_agt_url_bytes(ngx_agt_url_t *u, const ngx_str_t *url)
{
    size_t  i;
    u_char  c;

    static const u_char  other[] = "-._~!&'()*+,=:/[]";

    for (i = 0; i < url->len; i++) {
        c = url->data[i];

        if (c == '$') {
            u->why = "must not have variables in it";
            return NGX_ERROR;
        }

        if (!ngx_agt_text_is_alnum(c)
            && memchr(other, c, sizeof(other) - 1) == NULL)
        {
            u->why = "must be made of a host, a port and a plain path only";
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the operations' own paths begin with "/v1/" */

static ngx_int_t
ngx_agt_url_path(ngx_agt_url_t *u)
{
    const u_char  *p, *end;

    for (p = u->path; p < u->last; p++) {
        if (ngx_agt_text_begins(p, u->last, "/v1/tokens")) {
            u->why = "must not have \"/v1/tokens\" in it, which is added to "
                     "it";
            return NGX_ERROR;
        }
    }

    if (u->last - u->path >= 3
        && ngx_agt_text_begins(u->last - 3, u->last, "/v1"))
    {
        u->why = "must not end in \"/v1\", which is added to it";
        return NGX_ERROR;
    }

    for (p = u->path; p < u->last; p = end) {
        p++;

        for (end = p; end < u->last && *end != '/'; end++) { /* void */ }

        if (ngx_agt_url_segment(u, p, end) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* servers take empty segments and dots out, each in its way */

static ngx_int_t
ngx_agt_url_segment(ngx_agt_url_t *u, const u_char *p, const u_char *end)
{
    const u_char  *s;

    for (s = p; s < end && *s == '.'; s++) { /* void */ }

    if (s == end && end - p <= 2) {
        u->why = "must not have empty segments or dot segments in its path";
        return NGX_ERROR;
    }

    for (s = p; s < end; s++) {
        if (*s == '[' || *s == ']') {
            u->why = "must be made of a host, a port and a plain path only";
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_url_authority(ngx_agt_url_t *u)
{
    const u_char  *p;

    p = u->host;

    if (*p == '[') {

        while (p < u->path && *p != ']') {
            p++;
        }

        if (p == u->path) {
            u->why = "has no valid host";
            return NGX_ERROR;
        }

        p++;
        u->ipv6 = 1;

    } else {
        while (p < u->path && *p != ':') {
            p++;
        }
    }

    u->host_end = p;

    if ((u->ipv6 ? ngx_agt_url_ipv6(u) : ngx_agt_url_name(u)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (p == u->path) ? NGX_OK : ngx_agt_url_port(u, p, u->path);
}


/* ":" and a number, which may have zeros before it */

static ngx_int_t
ngx_agt_url_port(ngx_agt_url_t *u, const u_char *p, const u_char *end)
{
    if (*p++ == ':') {

        while (p < end && ngx_agt_text_is_digit(*p) && u->port <= 65535) {
            u->port = u->port * 10 + (*p - '0');
            p++;
        }

        if (p == end && u->port >= 1 && u->port <= 65535) {
            return NGX_OK;
        }
    }

    u->why = "has no valid port";

    return NGX_ERROR;
}


/* a name of a host, or an IPv4 address in its usual form */

static ngx_int_t
ngx_agt_url_name(ngx_agt_url_t *u)
{
    u_char         c;
    u_char         address[4];
    const u_char  *p, *label;

    u->why = "has no valid host";

    if (u->host_end - u->host > NGX_AGT_URL_MAX_HOST) {
        return NGX_ERROR;
    }

    label = u->host;

    for (p = u->host; p < u->host_end; p++) {
        c = *p;

        if (c == '.') {
            if (p == label) {
                return NGX_ERROR;
            }

            label = p + 1;
            continue;
        }

        if (!ngx_agt_text_is_alnum(c) && c != '-' && c != '_') {
            return NGX_ERROR;
        }
    }

    if (label == u->host_end) {

        if (label != u->host) {
            u->why = "must not have a dot at the end of its host";
        }

        return NGX_ERROR;
    }

    if (!ngx_agt_url_is_number(label, u->host_end)) {
        return NGX_OK;
    }

    /* resolvers know more forms, octal, hexadecimal and with fewer parts */

    if (ngx_agt_url_address(AF_INET, u->host, u->host_end, address) != NGX_OK) {
        u->why = "must have an IPv4 address as four decimal numbers without "
                 "leading zeros";
        return NGX_ERROR;
    }

    u->loopback = (address[0] == 127);

    return NGX_OK;
}


/* decimal digits, or "0x" and hexadecimal ones */

static ngx_uint_t
ngx_agt_url_is_number(const u_char *p, const u_char *end)
{
    ngx_uint_t  hex;

    hex = (end - p >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x');

    if (hex) {
        p += 2;
    }

    while (p < end && (hex ? ngx_agt_text_hex(*p) != NGX_ERROR
                           : ngx_agt_text_is_digit(*p)))
    {
        p++;
    }

    return p == end;
}


static ngx_int_t
ngx_agt_url_address(int family, const u_char *p, const u_char *end,
    u_char *address)
{
    char    text[INET6_ADDRSTRLEN];
    size_t  len;

    len = (size_t) (end - p);

    if (len >= sizeof(text)) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, p, len);
    text[len] = '\0';

    return (inet_pton(family, text, address) == 1) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_agt_url_ipv6(ngx_agt_url_t *u)
{
    u_char      address[2 * NGX_AGT_URL_GROUPS];
    ngx_uint_t  i, zeros;

    u->why = "has no valid host";

    if (ngx_agt_url_address(AF_INET6, u->host + 1, u->host_end - 1, address)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AGT_URL_GROUPS; i++) {
        u->groups[i] = (uint32_t) address[2 * i] << 8 | address[2 * i + 1];
    }

    zeros = 0;

    for (i = 0; i < NGX_AGT_URL_GROUPS && u->groups[i] == 0; i++) {
        zeros++;
    }

    if (zeros == 5 && u->groups[5] == 0xffff) {
        u->why = "must not have an IPv4 address written as an IPv6 address";
        return NGX_ERROR;
    }

    u->loopback = (zeros == 7 && u->groups[7] == 1);

    return NGX_OK;
}


/* RFC 5952, section 4: the longest run of zeros is "::", a single one is not */

static u_char *
ngx_agt_url_write_ipv6(u_char *p, const uint32_t *groups)
{
    ngx_uint_t  i, run, gap, longest;

    gap = NGX_AGT_URL_GROUPS;
    longest = 1;
    run = 0;

    for (i = 0; i < NGX_AGT_URL_GROUPS; i++) {
        run = groups[i] ? 0 : run + 1;

        if (run > longest) {
            longest = run;
            gap = i + 1 - run;
        }
    }

    *p++ = '[';

    for (i = 0; i < NGX_AGT_URL_GROUPS; i++) {

        if (i == gap) {
            *p++ = ':';
            *p++ = ':';
            i += longest - 1;
            continue;
        }

        if (i && p[-1] != ':') {
            *p++ = ':';
        }

        p = ngx_agt_url_write_number(p, groups[i], 16);
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_agt_url_write_number(u_char *p, uint32_t n, uint32_t base)
{
    if (n >= base) {
        p = ngx_agt_url_write_number(p, n / base, base);
    }

    *p++ = (u_char) "0123456789abcdef"[n % base];

    return p;
}
