
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/digest_cache.h"


/* a token's last bytes, which choose its place: they are the most random */
#define NGX_AGT_DIGEST_CACHE_TAIL   8

/* how often a token may be passed over before it makes room */
#define NGX_AGT_DIGEST_CACHE_LIVES  8


/* bytes that are compared together */
typedef uint64_t  ngx_agt_digest_bytes_t
    __attribute__((vector_size(16)));


typedef struct {
    uint32_t  len;            /* 0: free */
    uint32_t  lives;
    uint64_t  tail;
    u_char    digest[NGX_AGT_DIGEST_LEN];
    u_char    token[NGX_AGT_DIGEST_CACHE_MAX];
} __attribute__((aligned(64))) ngx_agt_digest_place_t;


static ngx_uint_t ngx_agt_digest_cache_equal(
    const ngx_agt_digest_place_t *place, const u_char *token);
static ngx_agt_digest_bytes_t ngx_agt_digest_cache_xor(const u_char *aligned,
    const u_char *b);
static ngx_agt_digest_place_t *ngx_agt_digest_cache_place(
    const ngx_str_t *token, uint64_t *tail);


static ngx_agt_digest_place_t  *ngx_agt_digest_places;
static ngx_uint_t               ngx_agt_digest_cache_shift;


size_t
ngx_agt_digest_cache_init(void *mem, size_t size)
{
    ngx_uint_t  places;

    places = NGX_AGT_DIGEST_CACHE_PLACES;
    ngx_agt_digest_cache_shift = 58;

    while (places && places * sizeof(ngx_agt_digest_place_t) > size) {
        places /= 2;
        ngx_agt_digest_cache_shift++;
    }

    /* by a shift of 64 no place can be chosen */

    if (places < 2) {
        ngx_agt_digest_places = NULL;
        return 0;
    }

    ngx_agt_digest_places = mem;
    ngx_memzero(mem, places * sizeof(ngx_agt_digest_place_t));

    return places * sizeof(ngx_agt_digest_place_t);
}


const u_char *
ngx_agt_digest_cache_find(const ngx_str_t *token)
{
    uint64_t                 tail;
    ngx_agt_digest_place_t  *place;

    place = ngx_agt_digest_cache_place(token, &tail);

    /*
     * The tail is compared as a whole: a client that guesses tokens learns all
     * 8 bytes or none.  Most other tokens are not read.
     */

    if (place == NULL || place->len != token->len || place->tail != tail
        || !ngx_agt_digest_cache_equal(place, token->data))
    {
        return NULL;
    }

    place->lives = NGX_AGT_DIGEST_CACHE_LIVES;

    return place->digest;
}


void
ngx_agt_digest_cache_add(const ngx_str_t *token, const u_char *digest)
{
    uint64_t                 tail;
    ngx_agt_digest_place_t  *place;

    place = ngx_agt_digest_cache_place(token, &tail);

    if (place == NULL) {
        return;
    }

    if (place->len && place->lives) {
        place->lives--;
        return;
    }

    if (place->len > token->len) {
        ngx_explicit_memzero(place->token + token->len,
                             place->len - token->len);
    }

    ngx_memcpy(place->token, token->data, token->len);
    ngx_memcpy(place->digest, digest, NGX_AGT_DIGEST_LEN);

    place->len = (uint32_t) token->len;
    place->tail = tail;
    place->lives = NGX_AGT_DIGEST_CACHE_LIVES;
}


/*
 * Compares all of a token but its tail, in a time that does not depend on where
 * it differs.
 */

static ngx_inline ngx_uint_t
ngx_agt_digest_cache_equal(const ngx_agt_digest_place_t *place, const u_char *b)
{
    size_t                  i, len;
    uint64_t                any, x, y;
    const u_char           *a;
    ngx_agt_digest_bytes_t  differ;

    a = place->token;
    len = place->len;

    ngx_memzero(&differ, sizeof(differ));

    for (i = 0; i + 4 * sizeof(differ) <= len; i += 4 * sizeof(differ)) {
        differ |= ngx_agt_digest_cache_xor(a + i, b + i)
                  | ngx_agt_digest_cache_xor(a + i + 16, b + i + 16)
                  | ngx_agt_digest_cache_xor(a + i + 32, b + i + 32)
                  | ngx_agt_digest_cache_xor(a + i + 48, b + i + 48);
    }

    for ( /* void */ ; i + sizeof(differ) <= len; i += sizeof(differ)) {
        differ |= ngx_agt_digest_cache_xor(a + i, b + i);
    }

    any = differ[0] | differ[1];

    if (len - i > NGX_AGT_DIGEST_CACHE_TAIL) {
        ngx_memcpy(&x, a + i, sizeof(uint64_t));
        ngx_memcpy(&y, b + i, sizeof(uint64_t));
        any |= x ^ y;
    }

    return any == 0;
}


static ngx_inline ngx_agt_digest_bytes_t
ngx_agt_digest_cache_xor(const u_char *aligned, const u_char *b)
{
    ngx_agt_digest_bytes_t  x, y;

    ngx_memcpy(&x, __builtin_assume_aligned(aligned, sizeof(x)), sizeof(x));
    ngx_memcpy(&y, b, sizeof(y));

    return x ^ y;
}


static ngx_inline ngx_agt_digest_place_t *
ngx_agt_digest_cache_place(const ngx_str_t *token, uint64_t *tail)
{
    if (token->len < NGX_AGT_DIGEST_CACHE_TAIL
        || token->len > NGX_AGT_DIGEST_CACHE_MAX
        || ngx_agt_digest_places == NULL)
    {
        return NULL;
    }

    ngx_memcpy(tail, token->data + token->len - NGX_AGT_DIGEST_CACHE_TAIL,
               sizeof(uint64_t));

    /* the highest bits of a product depend on all of the lower ones */

    return &ngx_agt_digest_places[(*tail * 0x9e3779b97f4a7c15)
                                 >> ngx_agt_digest_cache_shift];
}
