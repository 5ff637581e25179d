
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_
#define _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_


/*
 * Types and functions that the files of the transport share.
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

    /* a connection failed, and none has been made since */
    unsigned                 lost:1;

    /* nginx's debug log reads the descriptor of an event's connection */
    ngx_connection_t         dummy;
};


struct ngx_agt_curl_op_s {
    ngx_queue_t              queue;   /* ops or idle */
    ngx_agt_curl_t          *pool;
    CURL                    *easy;
    struct curl_slist       *headers; /* NULL: only the pool's */

    ngx_str_t                body;    /* of the request */

    u_char                  *buf;     /* for the answer */
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


/*
 * Calls the handlers of all operations that have ended; called after each
 * curl_multi_socket_action().  The handlers may submit and cancel operations.
 */
void ngx_agt_curl_drain(ngx_agt_curl_t *pool);


#endif /* _NGX_AGT_API_CURL_INTERNAL_H_INCLUDED_ */
