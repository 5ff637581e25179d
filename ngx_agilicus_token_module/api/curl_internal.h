
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_
#define _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_


/*
 * What the files of the transport share; nobody else includes this.
 */

#include "api/curl.h"

#include <curl/curl.h>
#include <openssl/x509.h>


#define NGX_AGT_CURL_TYPE_LEN     128


struct ngx_agt_curl_s {
    CURLM                   *multi;
    struct curl_slist       *post_headers;
    struct curl_slist       *get_headers;
    X509_STORE              *store;
    const ngx_agt_curl_profile_t  *profile;

    ngx_event_t              timer;
    ngx_event_t              kick;

    ngx_queue_t              sockets;     /* that are watched */
    ngx_queue_t              connections; /* all */
    ngx_queue_t              ops;
    ngx_queue_t              idle;
    ngx_uint_t               nidle;

    ngx_log_t               *log;

    /* no connection could be made since the last one that was */
    unsigned                 lost:1;

    /* nginx's debug log reads the descriptor of an event's connection */
    ngx_connection_t         dummy;
};


struct ngx_agt_curl_op_s {
    ngx_queue_t              queue;   /* ops or idle */
    ngx_agt_curl_t          *pool;
    CURL                    *easy;
    struct curl_slist       *headers; /* with a bearer, else NULL */

    ngx_str_t                body;    /* what is sent */

    u_char                  *buf;     /* what is answered */
    size_t                   len;
    size_t                   size;
    size_t                   max_body;
    size_t                   header_len;

    ngx_uint_t               status;
    ngx_uint_t               attempts;
    time_t                   retry_after;
    ngx_msec_t               started;

    ngx_agt_curl_handler_pt  handler;
    void                    *data;

    unsigned                 heading:1;   /* header has begun */
    unsigned                 headed:1;    /* header is complete */
    unsigned                 too_large:1;
    unsigned                 encoded:1;

    size_t                   type_len;
    u_char                   type[NGX_AGT_CURL_TYPE_LEN];
    char                     error[CURL_ERROR_SIZE];
};


/* callbacks of libcurl for what is answered; "data" is the operation */

size_t ngx_agt_curl_header(char *p, size_t size, size_t n, void *data);
size_t ngx_agt_curl_write(char *p, size_t size, size_t n, void *data);

/*
 * How an operation ended, from libcurl's code and what was read so far.
 */
ngx_agt_curl_e ngx_agt_curl_class(ngx_agt_curl_op_t *op, CURLcode code);

/*
 * The same in words for a log; never anything that was sent or answered.
 */
const char *ngx_agt_curl_message(ngx_agt_curl_op_t *op,
    ngx_agt_curl_e error, CURLcode code);

/* callbacks of libcurl for sockets and its timer; "data" is the pool */

int ngx_agt_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *sockp);
curl_socket_t ngx_agt_curl_open_socket(void *data,
    curlsocktype purpose, struct curl_sockaddr *addr);
int ngx_agt_curl_close_socket(void *data, curl_socket_t fd);
int ngx_agt_curl_set_timer(CURLM *multi, long ms, void *data);

/*
 * Callback of libcurl before a request goes out; "data" is the operation.  On a
 * kept connection it refuses all but the first time, and where something waits
 * to be read: libcurl would read that as the answer.
 */
int ngx_agt_curl_prereq(void *data, char *ip, char *local, int port,
    int local_port);

/* callback of libcurl for a new TLS context; "data" is the pool */

CURLcode ngx_agt_curl_ssl_ctx(CURL *easy, void *ssl_ctx, void *data);

/*
 * Makes a store of the certificates in "pem", which the caller owns then, or
 * NULL where there is none in it.
 */
X509_STORE *ngx_agt_curl_load_store(const ngx_str_t *pem, ngx_log_t *log);

/*
 * Sets up the events of a new pool, and takes them and all sockets away.
 */
void ngx_agt_curl_init_events(ngx_agt_curl_t *pool);
void ngx_agt_curl_stop_events(ngx_agt_curl_t *pool);

/*
 * Hands over what is complete; called after each curl_multi_socket_action().
 * What the handlers do may submit and cancel operations.
 */
void ngx_agt_curl_drain(ngx_agt_curl_t *pool);


#endif /* _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_ */
