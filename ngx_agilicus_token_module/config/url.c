
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "config/url.h"
#include "token/bearer.h"


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
static ngx_int_t ngx_agt_url_ipv4(const u_char *p,
    const u_char *end, uint32_t *address);
static ngx_int_t ngx_agt_url_ipv6(ngx_agt_url_t *u);
static ngx_int_t ngx_agt_url_groups(const u_char *p,
    const u_char *end, uint32_t *groups);
static u_char *ngx_agt_url_write_ipv6(u_char *p, const uint32_t *groups);
static u_char *ngx_agt_url_write_number(u_char *p, uint32_t n, uint32_t base);
static ngx_uint_t ngx_agt_url_begins(const u_char *p,
    const u_char *end, const char *word);


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
                && ngx_agt_url_begins(u.host, u.host_end,
                                      "localhost"))
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
    return ngx_agt_url_begins(url->data, url->data + url->len, "http:");
}


static ngx_int_t
ngx_agt_url_scheme(ngx_agt_url_t *u, const ngx_str_t *url, ngx_uint_t proxy)
{
    size_t         len;
    const u_char  *end;

    end = url->data + url->len;

    u->tls = !proxy && ngx_agt_url_begins(url->data, end, "https://");

    if (!u->tls && !ngx_agt_url_begins(url->data, end, "http://")) {
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
    size_t   i, j;
    u_char   c;

    static const u_char  other[] = "-._~!&'()*+,=:/[]";

    for (i = 0; i < url->len; i++) {
        c = url->data[i];

        if (c == '$') {
            u->why = "must not have variables in it";
            return NGX_ERROR;
        }

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9'))
        {
            continue;
        }

        for (j = 0; j < sizeof(other) - 1 && c != other[j]; j++) { /* void */ }

        if (j == sizeof(other) - 1) {
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
        if (ngx_agt_url_begins(p, u->last, "/v1/tokens")) {
            u->why = "must not have \"/v1/tokens\" in it, which is added to "
                     "it";
            return NGX_ERROR;
        }
    }

    if (u->last - u->path >= 3
        && ngx_agt_url_begins(u->last - 3, u->last, "/v1"))
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

        while (p < end && *p >= '0' && *p <= '9' && u->port <= 65535) {
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
    uint32_t       address;
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

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '_')
        {
            continue;
        }

        return NGX_ERROR;
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

    if (ngx_agt_url_ipv4(u->host, u->host_end, &address) != NGX_OK)
    {
        u->why = "must have an IPv4 address as four decimal numbers without "
                 "leading zeros";
        return NGX_ERROR;
    }

    u->loopback = (address >> 24 == 127);

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

    while (p < end && (hex ? ngx_agt_bearer_hex(*p) != NGX_ERROR
                           : (*p >= '0' && *p <= '9')))
    {
        p++;
    }

    return p == end;
}


static ngx_int_t
ngx_agt_url_ipv4(const u_char *p, const u_char *end, uint32_t *address)
{
    uint32_t    n;
    ngx_uint_t  i, digits;

    *address = 0;

    for (i = 0; i < 4; i++) {

        if (i && (p == end || *p++ != '.')) {
            return NGX_ERROR;
        }

        n = 0;

        for (digits = 0; p < end && *p >= '0' && *p <= '9'; digits++) {

            if ((digits && n == 0) || digits == 3) {
                return NGX_ERROR;
            }

            n = n * 10 + (uint32_t) (*p++ - '0');
        }

        if (digits == 0 || n > 255) {
            return NGX_ERROR;
        }

        *address = *address << 8 | n;
    }

    return (p == end) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_agt_url_ipv6(ngx_agt_url_t *u)
{
    ngx_uint_t  i, zeros;

    u->why = "has no valid host";

    if (ngx_agt_url_groups(u->host + 1, u->host_end - 1, u->groups) != NGX_OK)
    {
        return NGX_ERROR;
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


/* RFC 4291, section 2.2 */

static ngx_int_t
ngx_agt_url_groups(const u_char *p, const u_char *end, uint32_t *groups)
{
    uint32_t       n;
    ngx_uint_t     i, gap, digits, none;
    const u_char  *s;

    none = NGX_AGT_URL_GROUPS;
    gap = none;
    i = 0;

    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }

    while (p < end) {

        if (i == NGX_AGT_URL_GROUPS) {
            return NGX_ERROR;
        }

        n = 0;
        digits = 0;

        for (s = p; s < end && ngx_agt_bearer_hex(*s) != NGX_ERROR
                    && digits <= 4; s++)
        {
            n = n << 4 | (uint32_t) ngx_agt_bearer_hex(*s);
            digits++;
        }

        if (s < end && *s == '.') {

            /* an IPv4 address is the last two groups */

            if (i + 2 > NGX_AGT_URL_GROUPS
                || ngx_agt_url_ipv4(p, end, &n) != NGX_OK)
            {
                return NGX_ERROR;
            }

            groups[i++] = n >> 16;
            groups[i++] = n & 0xffff;
            break;
        }

        if (digits == 0 || digits > 4) {
            return NGX_ERROR;
        }

        groups[i++] = n;
        p = s;

        if (p == end) {
            break;
        }

        if (*p++ != ':' || p == end) {
            return NGX_ERROR;
        }

        if (*p == ':') {

            if (gap != none || i == NGX_AGT_URL_GROUPS) {
                return NGX_ERROR;
            }

            gap = i;
            p++;
        }
    }

    if (gap == none) {
        return (i == NGX_AGT_URL_GROUPS) ? NGX_OK : NGX_ERROR;
    }

    if (i == NGX_AGT_URL_GROUPS) {
        return NGX_ERROR;
    }

    /* what follows the gap goes to the end */

    n = (uint32_t) (NGX_AGT_URL_GROUPS - i);

    while (i > gap) {
        i--;
        groups[i + n] = groups[i];
        groups[i] = 0;
    }

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


/* whatever the case of letters; "word" is in lower case */

static ngx_uint_t
ngx_agt_url_begins(const u_char *p, const u_char *end, const char *word)
{
    while (*word) {

        if (p == end || ngx_tolower(*p) != (u_char) *word) {
            return 0;
        }

        p++;
        word++;
    }

    return 1;
}
