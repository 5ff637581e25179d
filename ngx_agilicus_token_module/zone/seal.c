
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/seal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/mman.h>


#define NGX_AGT_SEAL_KEY    32
#define NGX_AGT_SEAL_NONCE  12
#define NGX_AGT_SEAL_TAG    16
#define NGX_AGT_SEAL_PARTS  6


static ngx_int_t ngx_agt_seal_cipher(EVP_CIPHER_CTX *ctx,
    ngx_uint_t encrypt, const u_char *nonce, const ngx_str_t *bound,
    const u_char *in, size_t len, u_char *out, u_char *tag);


/*
 * The master's, and by fork each worker's; survives configurations.  Behind
 * the key that seals lies that of digests.
 */

static u_char  *ngx_agt_seal_key;


ngx_int_t
ngx_agt_seal_init(ngx_log_t *log)
{
    u_char  *key;

    if (ngx_agt_seal_key) {
        return NGX_OK;
    }

    key = mmap(NULL, ngx_pagesize, PROT_READ|PROT_WRITE,
               MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (key == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "agilicus token: mmap() failed");
        return NGX_ERROR;
    }

    if (mlock(key, ngx_pagesize) == -1) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "agilicus token: mlock() failed, the key that seals "
                      "tokens may be swapped out");
    }

#ifdef MADV_DONTDUMP
    (void) madvise(key, ngx_pagesize, MADV_DONTDUMP);
#endif

    if (RAND_bytes(key, 2 * NGX_AGT_SEAL_KEY) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: RAND_bytes() failed");
        (void) munmap(key, ngx_pagesize);
        return NGX_ERROR;
    }

    ngx_agt_seal_key = key;

    return NGX_OK;
}


ngx_int_t
ngx_agt_seal_digest(u_char *out, const ngx_str_t *parts, ngx_uint_t n)
{
    ngx_str_t  all[1 + NGX_AGT_SEAL_PARTS];

    if (ngx_agt_seal_key == NULL || n > NGX_AGT_SEAL_PARTS) {
        return NGX_ERROR;
    }

    all[0].data = ngx_agt_seal_key + NGX_AGT_SEAL_KEY;
    all[0].len = NGX_AGT_SEAL_KEY;

    ngx_memcpy(&all[1], parts, n * sizeof(ngx_str_t));

    return ngx_agt_digest(out, all, n + 1);
}


/* nonce, sealed bytes, tag */

ngx_int_t
ngx_agt_seal_encrypt(const ngx_str_t *plain, const ngx_str_t *bound,
    u_char *out)
{
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    if (ngx_agt_seal_key == NULL || RAND_bytes(out, NGX_AGT_SEAL_NONCE) != 1) {
        return NGX_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_agt_seal_cipher(ctx, 1, out, bound, plain->data,
                             plain->len, out + NGX_AGT_SEAL_NONCE,
                             out + NGX_AGT_SEAL_NONCE
                             + plain->len);

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


ngx_int_t
ngx_agt_seal_decrypt(const ngx_str_t *sealed, const ngx_str_t *bound,
    u_char *out)
{
    u_char           tag[NGX_AGT_SEAL_TAG];
    size_t           len;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    if (ngx_agt_seal_key == NULL || sealed->len < NGX_AGT_SEAL_LEN) {
        return NGX_ERROR;
    }

    len = sealed->len - NGX_AGT_SEAL_LEN;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(tag, sealed->data + NGX_AGT_SEAL_NONCE + len, sizeof(tag));

    rc = ngx_agt_seal_cipher(ctx, 0, sealed->data, bound,
                             sealed->data + NGX_AGT_SEAL_NONCE, len, out, tag);

    EVP_CIPHER_CTX_free(ctx);

    if (rc != NGX_OK) {
        ngx_explicit_memzero(out, len);
    }

    return rc;
}


static ngx_int_t
ngx_agt_seal_cipher(EVP_CIPHER_CTX *ctx, ngx_uint_t encrypt,
    const u_char *nonce, const ngx_str_t *bound, const u_char *in, size_t len,
    u_char *out, u_char *tag)
{
    int        n;
    ngx_int_t  rc;

    rc = NGX_ERROR;

    if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                          ngx_agt_seal_key, nonce, (int) encrypt)
            != 1
        || EVP_CipherUpdate(ctx, NULL, &n, bound->data, (int) bound->len) != 1
        || EVP_CipherUpdate(ctx, out, &n, in, (int) len) != 1)
    {
        goto done;
    }

    if (!encrypt
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                               NGX_AGT_SEAL_TAG, tag)
           != 1)
    {
        goto done;
    }

    if (EVP_CipherFinal_ex(ctx, out + n, &n) != 1) {
        goto done;
    }

    if (encrypt
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
                               NGX_AGT_SEAL_TAG, tag)
           != 1)
    {
        goto done;
    }

    rc = NGX_OK;

done:

    ERR_clear_error();

    return rc;
}
