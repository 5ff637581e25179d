
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/entry.h"
#include "zone/denial_set.h"


/* seconds since the epoch: of no clock */
#define NGX_AGT_FLEET_GONE_MAX  0xffffffffff


static u_char *ngx_agt_fleet_put(u_char *p, uint64_t value, ngx_uint_t bytes);
static uint64_t ngx_agt_fleet_get(const u_char **p, ngx_uint_t bytes);
static u_char *ngx_agt_fleet_denial_encode(u_char *p,
    const ngx_agt_fleet_denial_t *denial);
static ngx_int_t ngx_agt_fleet_denial_decode(const u_char *p, size_t len,
    ngx_agt_fleet_denial_t *denial);
static ngx_uint_t ngx_agt_fleet_head_is_good(
    const ngx_agt_fleet_entry_t *entry);
static ngx_uint_t ngx_agt_fleet_denial_is_good(
    const ngx_agt_fleet_denial_t *denial);
static u_char *ngx_agt_fleet_mark_encode(u_char *p,
    const ngx_agt_fleet_mark_t *mark);
static ngx_int_t ngx_agt_fleet_mark_decode(const u_char *p, size_t len,
    ngx_agt_fleet_mark_t *mark, ngx_agt_fleet_line_t *lines);
static ngx_uint_t ngx_agt_fleet_mark_is_good(const ngx_agt_fleet_mark_t *mark);
static u_char *ngx_agt_fleet_poll_encode(u_char *p,
    const ngx_agt_feed_poll_t *poll);
static ngx_int_t ngx_agt_fleet_poll_decode(const u_char *p, size_t len,
    ngx_agt_feed_poll_t *poll);
static ngx_uint_t ngx_agt_fleet_poll_is_good(const ngx_agt_feed_poll_t *poll);


size_t
ngx_agt_fleet_entry_seal(ngx_agt_fleet_seal_t *seal,
    const ngx_agt_fleet_entry_t *entry, u_char *out, size_t max)
{
    ngx_str_t  plain;

    static u_char  buffer[NGX_AGT_FLEET_PLAIN_MAX];

    plain.data = buffer;
    plain.len = ngx_agt_fleet_entry_encode(entry, buffer);

    if (plain.len == 0 || max < plain.len + NGX_AGT_FLEET_SEAL_LEN
        || ngx_agt_fleet_seal_close(seal, entry->kind, &plain, out) != NGX_OK)
    {
        return 0;
    }

    return plain.len + NGX_AGT_FLEET_SEAL_LEN;
}


ngx_int_t
ngx_agt_fleet_entry_open(ngx_agt_fleet_seal_t *seal, const ngx_str_t *sealed,
    ngx_agt_fleet_entry_t *entry, ngx_agt_fleet_line_t *lines)
{
    ngx_str_t   plain;
    ngx_uint_t  version, kind;

    static u_char  buffer[NGX_AGT_FLEET_PLAIN_MAX];

    if (ngx_agt_fleet_seal_open(seal, sealed, buffer, sizeof(buffer), &version,
                                &kind)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (version != NGX_AGT_FLEET_VERSION || kind < NGX_AGT_FLEET_DENIAL
        || kind > NGX_AGT_FLEET_POLL)
    {
        return NGX_ABORT;
    }

    plain.data = buffer;
    plain.len = sealed->len - NGX_AGT_FLEET_SEAL_LEN;

    return ngx_agt_fleet_entry_decode(kind, &plain, entry, lines);
}


size_t
ngx_agt_fleet_entry_encode(const ngx_agt_fleet_entry_t *entry, u_char *out)
{
    u_char  *p;

    if (!ngx_agt_fleet_head_is_good(entry)) {
        return 0;
    }

    p = ngx_cpymem(out, entry->writer, NGX_AGT_FLEET_WRITER_LEN);
    p = ngx_agt_fleet_put(p, entry->number, 8);
    p = ngx_agt_fleet_put(p, entry->leeway, 4);

    switch (entry->kind) {

    case NGX_AGT_FLEET_DENIAL:
        p = ngx_agt_fleet_denial_encode(p, &entry->u.denial);
        break;

    case NGX_AGT_FLEET_MARK:
        p = ngx_agt_fleet_mark_encode(p, &entry->u.mark);
        break;

    case NGX_AGT_FLEET_POLL:
        p = ngx_agt_fleet_poll_encode(p, &entry->u.poll);
        break;

    case NGX_AGT_FLEET_RESEND:
    case NGX_AGT_FLEET_EMPTY:
        break;

    default:
        return 0;
    }

    return p ? (size_t) (p - out) : 0;
}


ngx_int_t
ngx_agt_fleet_entry_decode(ngx_agt_fleet_kind_e kind, const ngx_str_t *plain,
    ngx_agt_fleet_entry_t *entry, ngx_agt_fleet_line_t *lines)
{
    size_t         len;
    const u_char  *p;

    if (plain->len < NGX_AGT_FLEET_HEAD_LEN) {
        return NGX_DECLINED;
    }

    p = plain->data;
    len = plain->len - NGX_AGT_FLEET_HEAD_LEN;

    entry->kind = kind;

    ngx_memcpy(entry->writer, p, NGX_AGT_FLEET_WRITER_LEN);
    p += NGX_AGT_FLEET_WRITER_LEN;

    entry->number = ngx_agt_fleet_get(&p, 8);
    entry->leeway = (ngx_uint_t) ngx_agt_fleet_get(&p, 4);

    if (!ngx_agt_fleet_head_is_good(entry)) {
        return NGX_DECLINED;
    }

    switch (kind) {

    case NGX_AGT_FLEET_DENIAL:
        return ngx_agt_fleet_denial_decode(p, len, &entry->u.denial);

    case NGX_AGT_FLEET_MARK:
        return ngx_agt_fleet_mark_decode(p, len, &entry->u.mark, lines);

    case NGX_AGT_FLEET_POLL:
        return ngx_agt_fleet_poll_decode(p, len, &entry->u.poll);

    case NGX_AGT_FLEET_RESEND:
    case NGX_AGT_FLEET_EMPTY:
        return len ? NGX_DECLINED : NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


static u_char *
ngx_agt_fleet_put(u_char *p, uint64_t value, ngx_uint_t bytes)
{
    while (bytes--) {
        *p++ = (u_char) (value >> 8 * bytes);
    }

    return p;
}


static uint64_t
ngx_agt_fleet_get(const u_char **p, ngx_uint_t bytes)
{
    uint64_t  value;

    value = 0;

    while (bytes--) {
        value = value << 8 | *(*p)++;
    }

    return value;
}


/* the three functions return NULL where a member is out of its bounds */

static u_char *
ngx_agt_fleet_denial_encode(u_char *p, const ngx_agt_fleet_denial_t *denial)
{
    if (!ngx_agt_fleet_denial_is_good(denial)) {
        return NULL;
    }

    *p++ = (u_char) denial->kind;
    *p++ = (u_char) denial->source;
    *p++ = (u_char) denial->unknown;
    p = ngx_cpymem(p, denial->api, NGX_AGT_DIGEST_LEN);
    p = ngx_cpymem(p, denial->key, NGX_AGT_DIGEST_LEN);
    p = ngx_agt_fleet_put(p, denial->made, 8);
    p = ngx_agt_fleet_put(p, (uint64_t) denial->exp, 8);

    return ngx_agt_fleet_put(p, (uint64_t) denial->before, 8);
}


static u_char *
ngx_agt_fleet_mark_encode(u_char *p, const ngx_agt_fleet_mark_t *mark)
{
    ngx_uint_t  i;

    if (!ngx_agt_fleet_mark_is_good(mark)) {
        return NULL;
    }

    p = ngx_agt_fleet_put(p, mark->start, 8);
    p = ngx_agt_fleet_put(p, mark->gone, 8);
    p = ngx_agt_fleet_put(p, mark->n, 2);

    for (i = 0; i < mark->n; i++) {
        p = ngx_cpymem(p, mark->lines[i].writer, NGX_AGT_FLEET_WRITER_LEN);
        p = ngx_agt_fleet_put(p, mark->lines[i].first, 8);
        p = ngx_agt_fleet_put(p, mark->lines[i].last, 8);
    }

    return p;
}


static u_char *
ngx_agt_fleet_poll_encode(u_char *p, const ngx_agt_feed_poll_t *poll)
{
    if (!ngx_agt_fleet_poll_is_good(poll)) {
        return NULL;
    }

    p = ngx_cpymem(p, poll->id, NGX_AGT_DIGEST_LEN);
    p = ngx_agt_fleet_put(p, poll->start, 8);
    p = ngx_agt_fleet_put(p, poll->duration, 8);

    return ngx_agt_fleet_put(p, poll->incomplete, 1);
}


static ngx_int_t
ngx_agt_fleet_denial_decode(const u_char *p, size_t len,
    ngx_agt_fleet_denial_t *denial)
{
    if (len != NGX_AGT_FLEET_DENIAL_LEN - NGX_AGT_FLEET_HEAD_LEN) {
        return NGX_DECLINED;
    }

    denial->kind = *p++;
    denial->source = *p++;
    denial->unknown = *p++;

    ngx_memcpy(denial->api, p, NGX_AGT_DIGEST_LEN);
    p += NGX_AGT_DIGEST_LEN;

    ngx_memcpy(denial->key, p, NGX_AGT_DIGEST_LEN);
    p += NGX_AGT_DIGEST_LEN;

    denial->made = ngx_agt_fleet_get(&p, 8);
    denial->exp = (int64_t) ngx_agt_fleet_get(&p, 8);
    denial->before = (int64_t) ngx_agt_fleet_get(&p, 8);

    return ngx_agt_fleet_denial_is_good(denial) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_agt_fleet_mark_decode(const u_char *p, size_t len,
    ngx_agt_fleet_mark_t *mark, ngx_agt_fleet_line_t *lines)
{
    ngx_uint_t  i;

    len += NGX_AGT_FLEET_HEAD_LEN;

    if (len < NGX_AGT_FLEET_MARK_LEN(0)) {
        return NGX_DECLINED;
    }

    mark->start = ngx_agt_fleet_get(&p, 8);
    mark->gone = ngx_agt_fleet_get(&p, 8);
    mark->n = (ngx_uint_t) ngx_agt_fleet_get(&p, 2);
    mark->lines = lines;

    if (mark->n > NGX_AGT_FLEET_WRITERS
        || len != NGX_AGT_FLEET_MARK_LEN(mark->n))
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < mark->n; i++) {
        ngx_memcpy(lines[i].writer, p, NGX_AGT_FLEET_WRITER_LEN);
        p += NGX_AGT_FLEET_WRITER_LEN;

        lines[i].first = ngx_agt_fleet_get(&p, 8);
        lines[i].last = ngx_agt_fleet_get(&p, 8);
    }

    return ngx_agt_fleet_mark_is_good(mark) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_agt_fleet_poll_decode(const u_char *p, size_t len,
    ngx_agt_feed_poll_t *poll)
{
    if (len != NGX_AGT_FLEET_POLL_LEN - NGX_AGT_FLEET_HEAD_LEN) {
        return NGX_DECLINED;
    }

    ngx_memcpy(poll->id, p, NGX_AGT_DIGEST_LEN);
    p += NGX_AGT_DIGEST_LEN;

    poll->start = ngx_agt_fleet_get(&p, 8);
    poll->duration = ngx_agt_fleet_get(&p, 8);
    poll->incomplete = *p;

    return ngx_agt_fleet_poll_is_good(poll) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_agt_fleet_head_is_good(const ngx_agt_fleet_entry_t *entry)
{
    return entry->number != 0 && entry->number <= NGX_AGT_FLEET_NUMBER_MAX
           && entry->leeway <= NGX_AGT_FLEET_LEEWAY;
}


static ngx_uint_t
ngx_agt_fleet_denial_is_good(const ngx_agt_fleet_denial_t *denial)
{
    return denial->kind < NGX_AGT_DENIAL_KINDS
           && denial->source > NGX_AGT_ASKED_ABOUT
           && denial->source <= NGX_AGT_DENIED_BY_HOOK
           && denial->unknown <= 1
           && denial->made <= NGX_AGT_FLEET_NUMBER_MAX;
}


static ngx_uint_t
ngx_agt_fleet_mark_is_good(const ngx_agt_fleet_mark_t *mark)
{
    ngx_uint_t                   i;
    const ngx_agt_fleet_line_t  *line;

    if (mark->n > NGX_AGT_FLEET_WRITERS
        || mark->start > NGX_AGT_FLEET_NUMBER_MAX
        || mark->gone > NGX_AGT_FLEET_GONE_MAX)
    {
        return 0;
    }

    for (i = 0; i < mark->n; i++) {
        line = &mark->lines[i];

        if (line->first == 0 || line->last > NGX_AGT_FLEET_NUMBER_MAX
            || line->first > line->last + 1)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_agt_fleet_poll_is_good(const ngx_agt_feed_poll_t *poll)
{
    return poll->start <= NGX_AGT_FLEET_NUMBER_MAX
           && poll->duration <= NGX_AGT_FLEET_NUMBER_MAX
           && poll->incomplete <= 1;
}
