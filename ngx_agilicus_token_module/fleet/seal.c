
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/seal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>


#define NGX_AGT_FLEET_SALT     32
#define NGX_AGT_FLEET_NONCE    12
#define NGX_AGT_FLEET_TAG      16

/* bytes in front of the sealed ones */
#define NGX_AGT_FLEET_FRONT                                                   \
    (2 + NGX_AGT_FLEET_SALT + NGX_AGT_FLEET_NONCE)

/* what a key is derived for; none that seals is ever made public */
#define NGX_AGT_FLEET_INFO     "agilicus fleet"
#define NGX_AGT_FLEET_NAMES    "agilicus fleet name"

/* a seal is bound to version, kind, the name with its length, and the epoch */
#define NGX_AGT_FLEET_BOUND                                                   \
    (3 + NGX_AGT_FLEET_NAME_MAX + NGX_AGT_FLEET_EPOCH_LEN)

/* derived keys of other processes that are kept; a power of two */
#define NGX_AGT_FLEET_DERIVED  256


typedef struct {
    u_char      salt[NGX_AGT_FLEET_SALT];
    u_char      key[NGX_AGT_FLEET_KEY_LEN];
    ngx_uint_t  used;
} ngx_agt_fleet_derived_t;


/* lies on locked pages as a whole */

struct ngx_agt_fleet_seal_s {
    ngx_agt_fleet_keys_t     keys;
    ngx_agt_fleet_derived_t  own;
    uint64_t                 nonce;     /* of the next seal */
    EVP_CIPHER_CTX          *ctx;
    EVP_KDF_CTX             *kdf;
    size_t                   name_len;
    u_char                   name[NGX_AGT_FLEET_NAME_MAX];
    u_char                   epoch[NGX_AGT_FLEET_EPOCH_LEN];
    ngx_agt_fleet_derived_t  derived[NGX_AGT_FLEET_DERIVED];
};


static ngx_int_t ngx_agt_fleet_seal_derive(ngx_agt_fleet_seal_t *seal,
    const u_char *key, const u_char *salt, const char *info, u_char *out);
static ngx_int_t ngx_agt_fleet_seal_cipher(ngx_agt_fleet_seal_t *seal,
    ngx_uint_t encrypt, const u_char *key, const u_char *front,
    const u_char *in, size_t len, u_char *out, u_char *tag);
static size_t ngx_agt_fleet_seal_bound(const ngx_agt_fleet_seal_t *seal,
    const u_char *front, u_char *out);


ngx_agt_fleet_seal_t *
ngx_agt_fleet_seal_new(const ngx_agt_fleet_keys_t *keys, const ngx_str_t *name,
    ngx_log_t *log)
{
    EVP_KDF               *kdf;
    ngx_agt_fleet_seal_t  *seal;

    if (keys->n == 0 || name->len > NGX_AGT_FLEET_NAME_MAX) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "agilicus token: a fleet without a key, or with a name "
                      "that is too long");
        return NULL;
    }

    seal = ngx_agt_fleet_pages(sizeof(ngx_agt_fleet_seal_t), log);
    if (seal == NULL) {
        return NULL;
    }

    seal->keys = *keys;
    seal->name_len = name->len;
    ngx_memcpy(seal->name, name->data, name->len);

    seal->ctx = EVP_CIPHER_CTX_new();

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);

    if (kdf) {
        seal->kdf = EVP_KDF_CTX_new(kdf);
        EVP_KDF_free(kdf);
    }

    if (seal->ctx == NULL || seal->kdf == NULL
        || RAND_bytes(seal->own.salt, NGX_AGT_FLEET_SALT) != 1
        || ngx_agt_fleet_seal_derive(seal, keys->keys[0], seal->own.salt,
                                     NGX_AGT_FLEET_INFO, seal->own.key)
           != NGX_OK)
    {
        ERR_clear_error();
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "agilicus token: libcrypto could not derive a key of "
                      "the fleet");
        ngx_agt_fleet_seal_free(seal);
        return NULL;
    }

    return seal;
}


void
ngx_agt_fleet_seal_epoch(ngx_agt_fleet_seal_t *seal, const u_char *epoch)
{
    ngx_memcpy(seal->epoch, epoch, NGX_AGT_FLEET_EPOCH_LEN);
}


void
ngx_agt_fleet_seal_free(ngx_agt_fleet_seal_t *seal)
{
    if (seal == NULL) {
        return;
    }

    EVP_CIPHER_CTX_free(seal->ctx);
    EVP_KDF_CTX_free(seal->kdf);

    ngx_agt_fleet_pages_free(seal, sizeof(ngx_agt_fleet_seal_t));
}


ngx_int_t
ngx_agt_fleet_seal_close(ngx_agt_fleet_seal_t *seal, ngx_uint_t kind,
    const ngx_str_t *plain, u_char *out)
{
    u_char      *p;
    uint64_t     nonce;
    ngx_uint_t   i;

    /* the nonce counts up even where the seal fails: none is used twice */

    if (seal->nonce == 0xffffffffffffffff) {
        return NGX_ERROR;
    }

    nonce = seal->nonce++;

    p = out;
    *p++ = NGX_AGT_FLEET_VERSION;
    *p++ = (u_char) kind;
    p = ngx_cpymem(p, seal->own.salt, NGX_AGT_FLEET_SALT);

    for (i = NGX_AGT_FLEET_NONCE; i; i--) {
        p[i - 1] = (u_char) nonce;
        nonce >>= 8;
    }

    p += NGX_AGT_FLEET_NONCE;

    return ngx_agt_fleet_seal_cipher(seal, 1, seal->own.key, out, plain->data,
                                     plain->len, p, p + plain->len);
}


/*
 * A derived key is kept once it has opened a text, so that texts which were not
 * sealed by this fleet cannot drive out keys that are needed.
 */

ngx_int_t
ngx_agt_fleet_seal_open(ngx_agt_fleet_seal_t *seal, const ngx_str_t *sealed,
    u_char *out, size_t max, ngx_uint_t *version, ngx_uint_t *kind)
{
    size_t                    len;
    u_char                    key[NGX_AGT_FLEET_KEY_LEN];
    u_char                    tag[NGX_AGT_FLEET_TAG];
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const u_char             *salt, *in;
    ngx_agt_fleet_derived_t  *derived;

    if (sealed->len < NGX_AGT_FLEET_SEAL_LEN
        || sealed->len - NGX_AGT_FLEET_SEAL_LEN > max)
    {
        return NGX_DECLINED;
    }

    len = sealed->len - NGX_AGT_FLEET_SEAL_LEN;
    salt = sealed->data + 2;
    in = sealed->data + NGX_AGT_FLEET_FRONT;

    ngx_memcpy(tag, in + len, NGX_AGT_FLEET_TAG);

    *version = sealed->data[0];
    *kind = sealed->data[1];

    derived = &seal->derived[salt[0] % NGX_AGT_FLEET_DERIVED];

    if (derived->used
        && ngx_memcmp(derived->salt, salt, NGX_AGT_FLEET_SALT) == 0)
    {
        return ngx_agt_fleet_seal_cipher(seal, 0, derived->key, sealed->data,
                                         in, len, out, tag);
    }

    rc = NGX_DECLINED;

    for (i = 0; i < seal->keys.n && rc != NGX_OK; i++) {
        rc = ngx_agt_fleet_seal_derive(seal, seal->keys.keys[i], salt,
                                       NGX_AGT_FLEET_INFO, key);

        if (rc == NGX_OK) {
            rc = ngx_agt_fleet_seal_cipher(seal, 0, key, sealed->data, in, len,
                                           out, tag);
        }
    }

    if (rc == NGX_OK) {
        ngx_memcpy(derived->salt, salt, NGX_AGT_FLEET_SALT);
        ngx_memcpy(derived->key, key, NGX_AGT_FLEET_KEY_LEN);
        derived->used = 1;
    }

    ngx_explicit_memzero(key, NGX_AGT_FLEET_KEY_LEN);

    return rc;
}


ngx_int_t
ngx_agt_fleet_seal_name(ngx_agt_fleet_seal_t *seal, const u_char *digest,
    u_char *out)
{
    return ngx_agt_fleet_seal_derive(seal, seal->keys.keys[0], digest,
                                     NGX_AGT_FLEET_NAMES, out);
}


static ngx_int_t
ngx_agt_fleet_seal_derive(ngx_agt_fleet_seal_t *seal, const u_char *key,
    const u_char *salt, const char *info, u_char *out)
{
    int         rc;
    char        digest[] = "SHA256";
    OSSL_PARAM  params[5];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest,
                                                 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  (u_char *) key,
                                                  NGX_AGT_FLEET_KEY_LEN);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                  (u_char *) salt,
                                                  NGX_AGT_FLEET_SALT);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                  (char *) info,
                                                  ngx_strlen(info));
    params[4] = OSSL_PARAM_construct_end();

    rc = EVP_KDF_derive(seal->kdf, out, NGX_AGT_FLEET_KEY_LEN, params);

    /* libcrypto's copies of keys do not lie on locked pages: none may stay */

    EVP_KDF_CTX_reset(seal->kdf);

    if (rc != 1) {
        ERR_clear_error();
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* "front" is the beginning of the sealed text */

static ngx_int_t
ngx_agt_fleet_seal_cipher(ngx_agt_fleet_seal_t *seal, ngx_uint_t encrypt,
    const u_char *key, const u_char *front, const u_char *in, size_t len,
    u_char *out, u_char *tag)
{
    int              n;
    size_t           bound_len;
    u_char           bound[NGX_AGT_FLEET_BOUND];
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    ctx = seal->ctx;
    rc = encrypt ? NGX_ERROR : NGX_DECLINED;

    bound_len = ngx_agt_fleet_seal_bound(seal, front, bound);

    if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key,
                          front + NGX_AGT_FLEET_FRONT - NGX_AGT_FLEET_NONCE,
                          (int) encrypt)
            != 1
        || EVP_CipherUpdate(ctx, NULL, &n, bound, (int) bound_len) != 1
        || EVP_CipherUpdate(ctx, out, &n, in, (int) len) != 1)
    {
        goto done;
    }

    if (!encrypt
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, NGX_AGT_FLEET_TAG,
                               tag)
           != 1)
    {
        goto done;
    }

    if (EVP_CipherFinal_ex(ctx, out + len, &n) != 1) {
        goto done;
    }

    if (encrypt
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, NGX_AGT_FLEET_TAG,
                               tag)
           != 1)
    {
        goto done;
    }

    rc = NGX_OK;

done:

    (void) EVP_CIPHER_CTX_reset(ctx);
    ERR_clear_error();

    if (rc != NGX_OK && len) {
        ngx_explicit_memzero(out, len);
    }

    return rc;
}


static size_t
ngx_agt_fleet_seal_bound(const ngx_agt_fleet_seal_t *seal, const u_char *front,
    u_char *out)
{
    u_char  *p;

    p = out;
    *p++ = front[0];
    *p++ = front[1];
    *p++ = (u_char) seal->name_len;
    p = ngx_cpymem(p, seal->name, seal->name_len);
    p = ngx_cpymem(p, seal->epoch, NGX_AGT_FLEET_EPOCH_LEN);

    return (size_t) (p - out);
}
