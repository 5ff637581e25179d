
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_CURL_SOCKET_H_INCLUDED_
#define _NGX_AGT_API_CURL_SOCKET_H_INCLUDED_


#include "api/curl_internal.h"


/* callbacks of libcurl for sockets and its timer; "data" is the pool */

int ngx_agt_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *sockp);
curl_socket_t ngx_agt_curl_open_socket(void *data,
    curlsocktype purpose, struct curl_sockaddr *addr);
int ngx_agt_curl_close_socket(void *data, curl_socket_t fd);
int ngx_agt_curl_set_timer(CURLM *multi, long ms, void *data);

/*
 * Callback of libcurl before a request goes out; "data" is the operation.  A
 * kept connection is refused if the request was sent before, or if the
 * connection has bytes to read: libcurl would read them as the answer.
 */
int ngx_agt_curl_prereq(void *data, char *ip, char *local, int port,
    int local_port);

/*
 * Set up the events of a new pool, and remove the events and all sockets.
 */
void ngx_agt_curl_init_events(ngx_agt_curl_t *pool);
void ngx_agt_curl_stop_events(ngx_agt_curl_t *pool);


#endif /* _NGX_AGT_API_CURL_SOCKET_H_INCLUDED_ */
