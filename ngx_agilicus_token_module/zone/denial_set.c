
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/denial_set.h"


/* a key may lie in either of two buckets, so that they fill evenly */
#define NGX_AGT_DENIAL_SET_BUCKET  8


static ngx_agt_denial_t *ngx_agt_denial_set_bucket(
    ngx_agt_denial_set_t *t, const u_char *key, ngx_uint_t choice);
static ngx_agt_denial_t *ngx_agt_denial_set_place(ngx_agt_denial_set_t *t,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now);
static ngx_agt_denial_t *ngx_agt_denial_set_move(ngx_agt_denial_set_t *t,
    const u_char *key, const ngx_agt_clock_t *now);
static ngx_agt_denial_t *ngx_agt_denial_set_vacant(ngx_agt_denial_t *bucket,
    const u_char *key, const ngx_agt_clock_t *now);
static void ngx_agt_denial_set_copy(ngx_agt_denial_t *s,
    const ngx_agt_denial_t *from);
static ngx_uint_t ngx_agt_denial_goes(const ngx_agt_denial_t *s,
    const ngx_agt_denial_t *other, const ngx_agt_clock_t *now);
static uint64_t ngx_agt_denial_end(const ngx_agt_denial_t *s,
    const ngx_agt_clock_t *now);
static ngx_uint_t ngx_agt_denial_strengthen(ngx_agt_denial_t *s,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now);


ngx_agt_denial_set_t *
ngx_agt_denial_set_init(void *mem, size_t size, const uint64_t *hash_key)
{
    ngx_agt_denial_set_t  *t;

    if (size < NGX_AGT_DENIAL_SET_MIN) {
        return NULL;
    }

    ngx_memzero(mem, size);

    t = mem;

    t->hash_key[0] = hash_key[0];
    t->hash_key[1] = hash_key[1];

    /* the head takes the place of the first bucket */

    t->nbuckets = (uint32_t) ngx_min(
                      size / (NGX_AGT_DENIAL_SET_BUCKET
                              * sizeof(ngx_agt_denial_t)) - 1,
                      0xffffffff);

    return t;
}


ngx_int_t
ngx_agt_denial_set_add(ngx_agt_denial_set_t *t, const ngx_agt_denial_t *add,
    const ngx_agt_clock_t *now, uint64_t *gone)
{
    ngx_int_t          rc;
    ngx_agt_denial_t  *s;

    s = ngx_agt_denial_set_find(t, add->key, now);

    if (s) {
        return ngx_agt_denial_strengthen(s, add, now)
               ? NGX_OK : NGX_DECLINED;
    }

    rc = NGX_OK;

    s = ngx_agt_denial_set_place(t, add, now);

    if (s == NULL) {
        *gone = ngx_agt_denial_end(add, now);

        return NGX_ERROR;
    }

    if (ngx_agt_denial_set_is_live(s, now)
        && ngx_agt_denial_source(s)
           != NGX_AGT_ASKED_ABOUT)
    {
        *gone = ngx_agt_denial_end(s, now);
        t->lost++;
        rc = NGX_BUSY;
    }

    ngx_agt_denial_set_copy(s, add);

    t->added++;

    return rc;
}


ngx_agt_denial_t *
ngx_agt_denial_set_find(ngx_agt_denial_set_t *t,
    const u_char *key, const ngx_agt_clock_t *now)
{
    ngx_uint_t         choice, i;
    ngx_agt_denial_t  *s;

    for (choice = 0; choice < 2; choice++) {
        s = ngx_agt_denial_set_bucket(t, key, choice);

        for (i = 0; i < NGX_AGT_DENIAL_SET_BUCKET; i++) {

            if (ngx_agt_denial_set_is_live(&s[i], now)
                && ngx_memcmp(s[i].key, key, NGX_AGT_DENIAL_KEY_LEN) == 0)
            {
                return &s[i];
            }
        }
    }

    return NULL;
}


void
ngx_agt_denial_set_told(ngx_agt_denial_set_t *t,
    const u_char *key, const ngx_agt_clock_t *now)
{
    ngx_agt_denial_t  *s;

    s = ngx_agt_denial_set_find(t, key, now);

    if (s && ngx_agt_denial_source(s) == NGX_AGT_DENIED_UNTOLD) {
        s->mark = ngx_agt_denial_mark(
                                      ngx_agt_denial_made(s),
                                      NGX_AGT_DENIED_BY_API,
                                      ngx_agt_denial_kind(s));
    }
}


ngx_agt_denial_t *
ngx_agt_denial_set_next(ngx_agt_denial_set_t *t,
    ngx_uint_t *i, const ngx_agt_clock_t *now)
{
    ngx_uint_t         n;
    ngx_agt_denial_t  *s;

    n = ngx_agt_denial_set_capacity(t);

    s = (ngx_agt_denial_t *) t + NGX_AGT_DENIAL_SET_BUCKET;

    while (*i < n) {
        if (ngx_agt_denial_set_is_live(&s[(*i)++], now)) {
            return &s[*i - 1];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_agt_denial_set_capacity(ngx_agt_denial_set_t *t)
{
    return (ngx_uint_t) t->nbuckets * NGX_AGT_DENIAL_SET_BUCKET;
}


/*
 * Returns a free place in the emptier of the two buckets, or one that was made
 * free by a move.  Where there is none, it returns the place of the denial to
 * replace, or NULL where none may be replaced.
 */

static ngx_agt_denial_t *
ngx_agt_denial_set_place(ngx_agt_denial_set_t *t,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now)
{
    ngx_uint_t         choice, i, n, most;
    const u_char      *key;
    ngx_agt_denial_t  *s, *place, *vacant, *goes;

    key = add->key;
    place = NULL;
    goes = NULL;
    most = 0;

    for (choice = 0; choice < 2; choice++) {
        s = ngx_agt_denial_set_bucket(t, key, choice);
        vacant = NULL;
        n = 0;

        for (i = 0; i < NGX_AGT_DENIAL_SET_BUCKET; i++) {

            if (!ngx_agt_denial_set_is_live(&s[i], now)) {

                if (s[i].mono
                    && ngx_memcmp(s[i].key, key, NGX_AGT_DENIAL_KEY_LEN)
                       == 0)
                {
                    /*
                     * else the old denial would live again beside the new one
                     * when the wall clock is set back
                     */
                    return &s[i];
                }

                vacant = &s[i];
                n++;
                continue;
            }

            if (goes == NULL || ngx_agt_denial_goes(&s[i], goes, now)) {
                goes = &s[i];
            }
        }

        if (n > most) {
            most = n;
            place = vacant;
        }
    }

    if (place == NULL) {
        place = ngx_agt_denial_set_move(t, key, now);
    }

    if (place) {
        return place;
    }

    /* protected denials stay, and so do denials of a later source */

    return (ngx_agt_denial_source(goes)
                < NGX_AGT_DENIED_UNTOLD
            && ngx_agt_denial_source(goes)
               <= ngx_agt_denial_source(add))
           ? goes : NULL;
}


/*
 * Moves a denial of the two buckets of "key" to the other bucket that it may
 * lie in, and returns its place, or NULL where all of those are full.
 */

static ngx_agt_denial_t *
ngx_agt_denial_set_move(ngx_agt_denial_set_t *t, const u_char *key,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t         choice, other, i;
    ngx_agt_denial_t  *s, *bucket, *vacant;

    for (choice = 0; choice < 2; choice++) {
        s = ngx_agt_denial_set_bucket(t, key, choice);

        for (i = 0; i < 2 * NGX_AGT_DENIAL_SET_BUCKET; i++) {
            other = i % 2;
            bucket = ngx_agt_denial_set_bucket(t, s[i / 2].key, other);
            vacant = ngx_agt_denial_set_vacant(bucket, s[i / 2].key, now);

            if (vacant) {
                t->moves++;
                ngx_agt_denial_set_copy(vacant, &s[i / 2]);

                ngx_memory_barrier();
                s[i / 2].mono = 0;

                return &s[i / 2];
            }
        }
    }

    return NULL;
}


/*
 * A free place of a bucket in which there is nothing with this key, also not
 * from a process that died in a move: one of two would not be strengthened.
 */

static ngx_agt_denial_t *
ngx_agt_denial_set_vacant(ngx_agt_denial_t *bucket, const u_char *key,
    const ngx_agt_clock_t *now)
{
    ngx_uint_t         i;
    ngx_agt_denial_t  *vacant;

    vacant = NULL;

    for (i = 0; i < NGX_AGT_DENIAL_SET_BUCKET; i++) {

        if (bucket[i].mono
            && ngx_memcmp(bucket[i].key, key, NGX_AGT_DENIAL_KEY_LEN) == 0)
        {
            return NULL;
        }

        if (!ngx_agt_denial_set_is_live(&bucket[i], now)) {
            vacant = &bucket[i];
        }
    }

    return vacant;
}


/* the place is free until the denial is whole */

static void
ngx_agt_denial_set_copy(ngx_agt_denial_t *s, const ngx_agt_denial_t *from)
{
    s->mono = 0;
    ngx_memory_barrier();

    ngx_memcpy(s->key, from->key, NGX_AGT_DENIAL_KEY_LEN);
    s->mark = from->mark;
    s->wall = from->wall;
    s->before = from->before;
    s->number = from->number;

    ngx_memory_barrier();
    s->mono = ngx_max(from->mono, 1);
}


/* 1 if "s" goes before "other" does: by source, and then by end */

static ngx_uint_t
ngx_agt_denial_goes(const ngx_agt_denial_t *s,
    const ngx_agt_denial_t *other, const ngx_agt_clock_t *now)
{
    uint64_t  a, b;

    a = ngx_agt_denial_source(s);
    b = ngx_agt_denial_source(other);

    return a < b
           || (a == b && ngx_agt_denial_end(s, now)
                         < ngx_agt_denial_end(other, now));
}


uint64_t
ngx_agt_denial_until(int64_t until, const ngx_agt_clock_t *now)
{
    uint64_t  lasts;

    if (until <= now->wall) {
        return now->mono;
    }

    /* an "exp" can be any number: a century is for ever */

    lasts = ngx_min((uint64_t) until - (uint64_t) now->wall, 3155760000);

    return now->mono + lasts * 1000;
}


static ngx_agt_denial_t *
ngx_agt_denial_set_bucket(ngx_agt_denial_set_t *t,
    const u_char *key, ngx_uint_t choice)
{
    uint32_t  bucket;
    uint64_t  a, b;

    /* others may choose the digested text; see the table's tag */

    ngx_memcpy(&a, key + choice * 16, sizeof(uint64_t));
    ngx_memcpy(&b, key + choice * 16 + 8, sizeof(uint64_t));

    bucket = (uint32_t) ngx_agt_digest_fold(a ^ t->hash_key[0],
                                            b ^ t->hash_key[1]);
    bucket = (uint32_t) (((uint64_t) bucket * t->nbuckets) >> 32);

    return (ngx_agt_denial_t *) t
           + ((size_t) bucket + 1) * NGX_AGT_DENIAL_SET_BUCKET;
}


ngx_uint_t
ngx_agt_denial_set_is_live(const ngx_agt_denial_t *s,
    const ngx_agt_clock_t *now)
{
    return s->mono != 0 && (s->mono > now->mono || s->wall > now->wall);
}


static uint64_t
ngx_agt_denial_end(const ngx_agt_denial_t *s, const ngx_agt_clock_t *now)
{
    uint64_t  wall;

    if (s->wall <= now->wall) {
        return s->mono;
    }

    /* an end in the far future: the sum must not overflow */

    wall = ngx_min((uint64_t) s->wall - (uint64_t) now->wall, 0xffffffff);

    return ngx_max(s->mono, now->mono + wall * 1000);
}


static ngx_uint_t
ngx_agt_denial_strengthen(ngx_agt_denial_t *s,
    const ngx_agt_denial_t *add, const ngx_agt_clock_t *now)
{
    uint64_t    made, source;
    ngx_uint_t  changed;

    /*
     * A denial that lives by the wall clock alone may have ended before this
     * clock was set back.  A token that it denies may have been found clean
     * meanwhile.
     */

    changed = (s->mono <= now->mono);

    if (add->before > s->before) {
        s->before = add->before;
        changed = 1;
    }

    made = ngx_agt_denial_made(s);
    source = ngx_agt_denial_source(s);

    if (ngx_agt_denial_kind(s)
        == NGX_AGT_DENIAL_SUBJECT
        && ngx_agt_denial_made(add) > made)
    {
        /* it now also denies tokens first asked about until this time */

        made = ngx_agt_denial_made(add);
        changed = 1;
    }

    source = ngx_max(source, ngx_agt_denial_source(add));

    s->mark = ngx_agt_denial_mark(made, source, ngx_agt_denial_kind(s));

    if (add->mono > s->mono) {
        s->mono = add->mono;
    }

    if (add->wall > s->wall) {
        s->wall = add->wall;
    }

    return changed;
}
