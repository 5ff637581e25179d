
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_memo.h"


/* bytes that a place is chosen by: a token's last ones, most of all random */
#define NGX_AGILICUS_TOKEN_MEMO_TAIL   8

/* how often a token may be passed over before it makes room */
#define NGX_AGILICUS_TOKEN_MEMO_LIVES  8


/* bytes that are compared together */
typedef uint64_t  ngx_agilicus_token_memo_bytes_t
    __attribute__((vector_size(16)));


typedef struct {
    uint32_t    len;            /* 0: free */
    uint32_t    lives;
    u_char      digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    u_char      token[NGX_AGILICUS_TOKEN_MEMO_MAX];
} ngx_agilicus_token_memo_t;


static ngx_uint_t ngx_agilicus_token_memo_equal(const u_char *a,
    const u_char *b, size_t len);
static ngx_agilicus_token_memo_t *ngx_agilicus_token_memo_place(
    const ngx_str_t *token);


static ngx_agilicus_token_memo_t
    ngx_agilicus_token_memos[NGX_AGILICUS_TOKEN_MEMO_PLACES];


const u_char *
ngx_agilicus_token_memo_find(const ngx_str_t *token)
{
    ngx_agilicus_token_memo_t  *memo;

    memo = ngx_agilicus_token_memo_place(token);

    if (memo == NULL || memo->len != token->len
        || !ngx_agilicus_token_memo_equal(memo->token, token->data,
                                          token->len))
    {
        return NULL;
    }

    memo->lives = NGX_AGILICUS_TOKEN_MEMO_LIVES;

    return memo->digest;
}


void
ngx_agilicus_token_memo_add(const ngx_str_t *token, const u_char *digest)
{
    ngx_agilicus_token_memo_t  *memo;

    memo = ngx_agilicus_token_memo_place(token);

    if (memo == NULL) {
        return;
    }

    if (memo->len && memo->lives) {
        memo->lives--;
        return;
    }

    if (memo->len > token->len) {
        ngx_explicit_memzero(memo->token + token->len,
                             memo->len - token->len);
    }

    ngx_memcpy(memo->token, token->data, token->len);
    ngx_memcpy(memo->digest, digest, NGX_AGILICUS_TOKEN_DIGEST_LEN);

    memo->len = (uint32_t) token->len;
    memo->lives = NGX_AGILICUS_TOKEN_MEMO_LIVES;
}


void
ngx_agilicus_token_memo_clear(void)
{
    ngx_explicit_memzero(ngx_agilicus_token_memos,
                         sizeof(ngx_agilicus_token_memos));
}


/* in a time that does not tell where they differ */

static ngx_uint_t
ngx_agilicus_token_memo_equal(const u_char *a, const u_char *b, size_t len)
{
    size_t                           i;
    uint64_t                         any[2];
    ngx_agilicus_token_memo_bytes_t  x, y, differ;

    ngx_memzero(&differ, sizeof(differ));

    for (i = 0; i + sizeof(x) <= len; i += sizeof(x)) {
        ngx_memcpy(&x, a + i, sizeof(x));
        ngx_memcpy(&y, b + i, sizeof(y));

        differ |= x ^ y;
    }

    ngx_memcpy(any, &differ, sizeof(any));

    for ( /* void */ ; i < len; i++) {
        any[0] |= a[i] ^ b[i];
    }

    return (any[0] | any[1]) == 0;
}


static ngx_agilicus_token_memo_t *
ngx_agilicus_token_memo_place(const ngx_str_t *token)
{
    uint64_t  tail;

    if (token->len < NGX_AGILICUS_TOKEN_MEMO_TAIL
        || token->len > NGX_AGILICUS_TOKEN_MEMO_MAX)
    {
        return NULL;
    }

    ngx_memcpy(&tail, token->data + token->len - NGX_AGILICUS_TOKEN_MEMO_TAIL,
               sizeof(uint64_t));

    /* the highest bits of a product depend on all of the lower ones */

    tail *= 0x9e3779b97f4a7c15;

    return &ngx_agilicus_token_memos[tail >> 58];
}
