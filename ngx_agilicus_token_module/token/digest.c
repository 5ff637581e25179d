
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "token/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>


/*
 * A process has one thread that digests, so one context serves for all; both
 * objects live as long as the process, and a copy of each goes to every child.
 */

static EVP_MD      *ngx_agt_digest_md;
static EVP_MD_CTX  *ngx_agt_digest_ctx;


ngx_int_t
ngx_agt_digest_init(void)
{
    if (ngx_agt_digest_md == NULL) {
        ngx_agt_digest_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    }

    if (ngx_agt_digest_ctx == NULL) {
        ngx_agt_digest_ctx = EVP_MD_CTX_new();
    }

    return (ngx_agt_digest_md && ngx_agt_digest_ctx) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_agt_digest(u_char *out, const ngx_str_t *parts, ngx_uint_t n)
{
    int          good;
    ngx_uint_t   i;
    EVP_MD_CTX  *ctx;

    ctx = ngx_agt_digest_ctx;

    good = ctx && ngx_agt_digest_md
           && EVP_DigestInit_ex2(ctx, ngx_agt_digest_md, NULL);

    for (i = 0; good && i < n; i++) {
        good = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len);
    }

    if (good && EVP_DigestFinal_ex(ctx, out, NULL)) {
        return NGX_OK;
    }

    ngx_memzero(out, NGX_AGT_DIGEST_LEN);

    return NGX_ERROR;
}


ngx_uint_t
ngx_agt_digest_equal(const u_char *a, const u_char *b)
{
    return CRYPTO_memcmp(a, b, NGX_AGT_DIGEST_LEN) == 0;
}


void
ngx_agt_digest_fingerprint(const u_char *digest, u_char *out)
{
    ngx_uint_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_AGT_FINGERPRINT_LEN / 2; i++) {
        *out++ = hex[digest[i] >> 4];
        *out++ = hex[digest[i] & 0xf];
    }
}
