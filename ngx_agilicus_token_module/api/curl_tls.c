
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/curl_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>


/* the oldest libcurl with CURLOPT_PROTOCOLS_STR */
#define NGX_AGT_CURL_MIN_VERSION  0x075500


const char *
ngx_agt_curl_unusable(void)
{
    const char             *version;
    size_t                  len;
    curl_version_info_data *info;

    info = curl_version_info(CURLVERSION_NOW);

    if (info->version_num < NGX_AGT_CURL_MIN_VERSION) {
        return "libcurl is older than 7.85.0";
    }

    if (!(info->features & CURL_VERSION_ASYNCHDNS)) {
        return "libcurl was built without asynchronous name resolution";
    }

    if (info->ssl_version == NULL
        || ngx_strncmp(info->ssl_version, "OpenSSL/", 8) != 0)
    {
        return "libcurl was not built with OpenSSL";
    }

    /* two copies of OpenSSL in one process end in a crash at a handshake */

    version = OpenSSL_version(OPENSSL_VERSION_STRING);
    len = ngx_strlen(version);

    if (ngx_strncmp(info->ssl_version + 8, version, len) != 0) {
        return "libcurl uses another OpenSSL than nginx";
    }

    return NULL;
}


const char *
ngx_agt_curl_system_store(void)
{
    curl_version_info_data  *info;

    info = curl_version_info(CURLVERSION_NOW);

    return info->cainfo;
}


CURLcode
ngx_agt_curl_ssl_ctx(CURL *easy, void *ssl_ctx, void *data)
{
    ngx_agt_curl_t *pool = data;

    if (pool->store == NULL) {
        return CURLE_OK;
    }

    SSL_CTX_set1_cert_store(ssl_ctx, pool->store);

    return CURLE_OK;
}


X509_STORE *
ngx_agt_curl_load_store(const ngx_str_t *pem, ngx_log_t *log)
{
    BIO         *bio;
    X509        *x509;
    X509_STORE  *store;
    ngx_uint_t   n;

    store = X509_STORE_new();
    bio = BIO_new_mem_buf(pem->data, (int) pem->len);

    if (store == NULL || bio == NULL) {
        goto failed;
    }

    for (n = 0; /* void */ ; n++) {
        x509 = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
        if (x509 == NULL) {
            break;
        }

        /* the same certificate twice is no error since OpenSSL 1.1.1 */

        if (X509_STORE_add_cert(store, x509) != 1) {
            X509_free(x509);
            goto failed;
        }

        X509_free(x509);
    }

    ERR_clear_error();

    if (n == 0) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "agilicus token: no certificate of an authority found");
        goto failed;
    }

    BIO_free(bio);

    return store;

failed:

    ERR_clear_error();

    if (bio) {
        BIO_free(bio);
    }

    if (store) {
        X509_STORE_free(store);
    }

    return NULL;
}
