
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/curl_answer.h"
#include "token/bearer.h"
#include "token/text.h"


/* bytes of an answer's header, interim answers included */
#define NGX_AGT_CURL_MAX_HEADER   65536

/* bytes of the body of a refusal */
#define NGX_AGT_CURL_MAX_REFUSAL  65536


static void ngx_agt_curl_header_line(
    ngx_agt_curl_op_t *op, u_char *p, size_t len);


ngx_agt_curl_e
ngx_agt_curl_class(ngx_agt_curl_op_t *op, CURLcode code)
{
    /* a status is an answer, even if its body is broken */

    if (op->headed && (op->status < 200 || op->status > 299)) {
        return NGX_AGT_CURL_OK;
    }

    if (op->encoded) {
        return NGX_AGT_CURL_ENCODED;
    }

    if (op->too_large) {
        return NGX_AGT_CURL_TOO_LARGE;
    }

    switch (code) {

    case CURLE_OK:
        return op->headed ? NGX_AGT_CURL_OK : NGX_AGT_CURL_TRANSPORT;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return NGX_AGT_CURL_RESOLVE;

    case CURLE_COULDNT_CONNECT:
        return NGX_AGT_CURL_CONNECT;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return NGX_AGT_CURL_TLS;

    case CURLE_OPERATION_TIMEDOUT:
        return NGX_AGT_CURL_TIMEOUT;

    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
        return op->header_len ? NGX_AGT_CURL_TRANSPORT : NGX_AGT_CURL_BROKEN;

    default:
        return NGX_AGT_CURL_TRANSPORT;
    }
}


const char *
ngx_agt_curl_message(ngx_agt_curl_op_t *op,
    ngx_agt_curl_e error, CURLcode code)
{
    char  *p;

    switch (error) {

    case NGX_AGT_CURL_ENCODED:
        return "content coding in the answer";

    case NGX_AGT_CURL_TOO_LARGE:
        return "answer too large";

    case NGX_AGT_CURL_RESOLVE:
    case NGX_AGT_CURL_CONNECT:
    case NGX_AGT_CURL_TLS:
    case NGX_AGT_CURL_TIMEOUT:

        /* libcurl's own words; they may quote a peer's certificate */

        if (op->error[0]) {
            for (p = op->error; *p; p++) {
                if (*p < 0x20 || *p > 0x7e) {
                    *p = '?';
                }
            }

            return op->error;
        }

        /* fall through */

    default:
        return curl_easy_strerror(code);
    }
}


size_t
ngx_agt_curl_header(char *p, size_t size, size_t n, void *data)
{
    ngx_agt_curl_op_t *op = data;

    long    status;
    size_t  len;

    len = size * n;

    op->header_len += len;

    if (op->header_len > NGX_AGT_CURL_MAX_HEADER) {
        op->too_large = 1;
        return 0;
    }

    /* a trailer behind the body changes no value of the header */

    if (op->headed) {
        return len;
    }

    if (!op->heading) {

        /* a header begins: values of an interim answer do not count */

        op->heading = 1;
        op->type_len = 0;
        op->retry_after = 0;
        op->encoded = 0;

        return len;
    }

    while (len && (p[len - 1] == '\n' || p[len - 1] == '\r')) {
        len--;
    }

    if (len) {
        ngx_agt_curl_header_line(op, (u_char *) p, len);
        return size * n;
    }

    op->heading = 0;

    status = 0;
    (void) curl_easy_getinfo(op->easy, CURLINFO_RESPONSE_CODE, &status);

    if (status >= 200) {
        op->status = (ngx_uint_t) status;
        op->headed = 1;

        if (op->encoded && status <= 299) {
            return 0;
        }
    }

    return size * n;
}


static void
ngx_agt_curl_header_line(ngx_agt_curl_op_t *op, u_char *p, size_t len)
{
    time_t      t;
    u_char     *colon;
    ngx_str_t   name, value;

    colon = ngx_strlchr(p, p + len, ':');
    if (colon == NULL) {
        return;
    }

    name.data = p;
    name.len = colon - p;

    value.data = colon + 1;
    value.len = len - name.len - 1;

    ngx_agt_bearer_strip(&value);

    if (ngx_agt_text_is(&name, "content-type")) {
        op->type_len = ngx_min(value.len, NGX_AGT_CURL_TYPE_LEN);
        ngx_memcpy(op->type, value.data, op->type_len);
        return;
    }

    if (ngx_agt_text_is(&name, "content-encoding")
        && !ngx_agt_text_is(&value, "identity"))
    {
        op->encoded = 1;
        return;
    }

    /* RFC 9110, section 10.2.3: seconds, or until a date; 0 for others */

    if (ngx_agt_text_is(&name, "retry-after")) {
        t = ngx_atotm(value.data, value.len);

        if (t == NGX_ERROR) {
            t = ngx_max(ngx_parse_http_time(value.data, value.len)
                        - ngx_time(), 0);
        }

        op->retry_after = t;
    }
}


size_t
ngx_agt_curl_write(char *p, size_t size, size_t n, void *data)
{
    ngx_agt_curl_op_t *op = data;

    size_t   len, max, want;
    u_char  *buf;

    len = size * n;

    max = (op->status < 200 || op->status > 299)
          ? NGX_AGT_CURL_MAX_REFUSAL : op->max_body;

    if (len > max - op->len) {
        op->too_large = 1;
        return 0;
    }

    if (len > op->size - op->len) {
        want = ngx_max(op->len + len, op->size * 2);
        want = ngx_min(ngx_max(want, 2048), max);

        buf = ngx_alloc(want, op->pool->log);
        if (buf == NULL) {
            return 0;
        }

        if (op->buf) {
            ngx_memcpy(buf, op->buf, op->len);
            ngx_explicit_memzero(op->buf, op->len);
            ngx_free(op->buf);
        }

        op->buf = buf;
        op->size = want;
    }

    ngx_memcpy(op->buf + op->len, p, len);
    op->len += len;

    return len;
}
