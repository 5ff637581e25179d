
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/curl_socket.h"


/* a request goes out once, and once more where a kept connection was dead */
#define NGX_AGT_CURL_MAX_SENT     2


typedef struct {
    ngx_queue_t        queue;
    ngx_connection_t  *connection;
    ngx_agt_curl_t    *pool;
} ngx_agt_curl_socket_t;


/*
 * A connection of libcurl's, whether it is watched or kept for later.  libcurl
 * does not tell when it closes a connection that was never made, so the
 * descriptor may belong to another file by now: the inode tells.
 */

typedef struct {
    ngx_queue_t                         queue;
    ino_t                               inode;
    curl_socket_t                       fd;
    int                                 port;     /* local; 0: not known yet */
} ngx_agt_curl_connection_t;


static ngx_agt_curl_socket_t *ngx_agt_curl_find_socket(
    ngx_agt_curl_t *pool, curl_socket_t fd);
static ngx_agt_curl_socket_t *ngx_agt_curl_add_socket(
    ngx_agt_curl_t *pool, curl_socket_t fd);
static void ngx_agt_curl_forget_socket(ngx_agt_curl_socket_t *s);
static void ngx_agt_curl_watch(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t on);
static ngx_uint_t ngx_agt_curl_is_clean(ngx_agt_curl_t *pool, int port);
static void ngx_agt_curl_forget_connection(
    ngx_agt_curl_t *pool, curl_socket_t fd);
static ino_t ngx_agt_curl_inode(curl_socket_t fd);
static void ngx_agt_curl_event(ngx_event_t *ev);
static void ngx_agt_curl_timer(ngx_event_t *ev);


void
ngx_agt_curl_init_events(ngx_agt_curl_t *pool)
{
    ngx_queue_init(&pool->sockets);
    ngx_queue_init(&pool->connections);

    pool->dummy.fd = (ngx_socket_t) -1;
    pool->dummy.log = pool->log;
    pool->dummy.data = pool;

    pool->timer.handler = ngx_agt_curl_timer;
    pool->timer.data = &pool->dummy;
    pool->timer.log = pool->log;
    pool->timer.cancelable = 1;

    pool->kick.handler = ngx_agt_curl_timer;
    pool->kick.data = &pool->dummy;
    pool->kick.log = pool->log;
}


void
ngx_agt_curl_stop_events(ngx_agt_curl_t *pool)
{
    ngx_queue_t                *q;
    ngx_agt_curl_connection_t  *connection;

    /* connections whose end libcurl has not told */

    while (!ngx_queue_empty(&pool->connections)) {
        q = ngx_queue_head(&pool->connections);
        connection = ngx_queue_data(q, ngx_agt_curl_connection_t, queue);

        ngx_queue_remove(q);
        ngx_free(connection);
    }

    while (!ngx_queue_empty(&pool->sockets)) {
        q = ngx_queue_head(&pool->sockets);

        ngx_agt_curl_forget_socket(
            ngx_queue_data(q, ngx_agt_curl_socket_t, queue));
    }

    if (pool->timer.timer_set) {
        ngx_del_timer(&pool->timer);
    }

    if (pool->kick.posted) {
        ngx_delete_posted_event(&pool->kick);
    }
}


/*
 * Sockets.  libcurl says for which events to watch and owns the descriptors;
 * each watched socket takes a slot of worker_connections.  Events are level
 * triggered, since libcurl need not read until there is no more.
 */

int
ngx_agt_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *sockp)
{
    ngx_agt_curl_t *pool = data;

    ngx_connection_t       *c;
    ngx_agt_curl_socket_t  *s;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, pool->log, 0,
                   "agilicus token curl socket %d: %d", (int) fd, what);

    s = ngx_agt_curl_find_socket(pool, fd);

    if (what == CURL_POLL_REMOVE) {
        if (s) {
            ngx_agt_curl_forget_socket(s);
        }

        return 0;
    }

    if (s == NULL) {
        s = ngx_agt_curl_add_socket(pool, fd);

        if (s == NULL) {
            /* an error here would end the whole multi; this one times out */
            return 0;
        }
    }

    c = s->connection;

    ngx_agt_curl_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_agt_curl_watch(c->write, NGX_WRITE_EVENT, what & CURL_POLL_OUT);

    return 0;
}


static ngx_agt_curl_socket_t *
ngx_agt_curl_find_socket(ngx_agt_curl_t *pool, curl_socket_t fd)
{
    ngx_queue_t            *q;
    ngx_agt_curl_socket_t  *s;

    for (q = ngx_queue_head(&pool->sockets);
         q != ngx_queue_sentinel(&pool->sockets);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_agt_curl_socket_t, queue);

        if (s->connection->fd == fd) {
            return s;
        }
    }

    return NULL;
}


static ngx_agt_curl_socket_t *
ngx_agt_curl_add_socket(ngx_agt_curl_t *pool, curl_socket_t fd)
{
    ngx_connection_t       *c;
    ngx_agt_curl_socket_t  *s;

    s = ngx_alloc(sizeof(ngx_agt_curl_socket_t), pool->log);
    if (s == NULL) {
        return NULL;
    }

    c = ngx_get_connection(fd, pool->log);
    if (c == NULL) {
        ngx_free(s);
        return NULL;
    }

    c->data = s;
    c->log = pool->log;
    c->read->log = pool->log;
    c->write->log = pool->log;
    c->read->handler = ngx_agt_curl_event;
    c->write->handler = ngx_agt_curl_event;

    s->connection = c;
    s->pool = pool;

    ngx_queue_insert_head(&pool->sockets, &s->queue);

    return s;
}


static void
ngx_agt_curl_forget_socket(ngx_agt_curl_socket_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_agt_curl_watch(c->read, NGX_READ_EVENT, 0);
    ngx_agt_curl_watch(c->write, NGX_WRITE_EVENT, 0);

    /* with accept_mutex, events are posted */

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_queue_remove(&s->queue);
    ngx_free(s);

    /* the descriptor is libcurl's to close; freeing looks at it */

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


static void
ngx_agt_curl_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t on)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    if (on) {
        if (!ev->active) {
            (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);
        }

        return;
    }

    if (!ev->active) {
        return;
    }

    /* libcurl may have closed the descriptor without telling */

    c = ev->data;

    flags = (fcntl(c->fd, F_GETFD) == -1) ? NGX_CLOSE_EVENT : NGX_LEVEL_EVENT;

    (void) ngx_del_event(ev, event, flags);
}


curl_socket_t
ngx_agt_curl_open_socket(void *data, curlsocktype purpose,
    struct curl_sockaddr *addr)
{
    ngx_agt_curl_t *pool = data;

    curl_socket_t               fd;
    ngx_agt_curl_connection_t  *connection;

    /* without a slot the socket could not be watched */

    if (ngx_cycle->free_connection_n == 0) {
        ngx_log_error(NGX_LOG_ERR, pool->log, 0,
                      "agilicus token: no worker connection to spare "
                      "for the Tokens API");
        return CURL_SOCKET_BAD;
    }

    connection = ngx_calloc(sizeof(ngx_agt_curl_connection_t), pool->log);
    if (connection == NULL) {
        return CURL_SOCKET_BAD;
    }

    fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);

    if (fd == CURL_SOCKET_BAD) {
        ngx_free(connection);
        return CURL_SOCKET_BAD;
    }

    ngx_agt_curl_forget_connection(pool, fd);

    connection->fd = fd;
    connection->inode = ngx_agt_curl_inode(fd);
    ngx_queue_insert_head(&pool->connections, &connection->queue);

    return fd;
}


int
ngx_agt_curl_close_socket(void *data, curl_socket_t fd)
{
    ngx_agt_curl_t *pool = data;

    ngx_agt_curl_socket_t  *s;

    s = ngx_agt_curl_find_socket(pool, fd);

    if (s) {
        ngx_agt_curl_forget_socket(s);
    }

    ngx_agt_curl_forget_connection(pool, fd);

    return close(fd);
}


int
ngx_agt_curl_prereq(void *data, char *ip, char *local, int port,
    int local_port)
{
    ngx_agt_curl_op_t *op = data;

    long  connects;

    if (op->attempts >= NGX_AGT_CURL_MAX_SENT) {
        return CURL_PREREQFUNC_ABORT;
    }

    /* 0: the request goes out on a kept connection */

    connects = 0;
    (void) curl_easy_getinfo(op->easy, CURLINFO_NUM_CONNECTS, &connects);

    if (connects == 0
        && (op->attempts || !ngx_agt_curl_is_clean(op->pool, local_port)))
    {
        return CURL_PREREQFUNC_ABORT;
    }

    op->attempts++;

    if (connects) {
        op->pool->lost = 0;
    }

    return CURL_PREREQFUNC_OK;
}


/*
 * Returns 1 if the kept connection with this local port can serve one more
 * request: it is still open, and no bytes have come on it since the last
 * answer.  Else it is shut down, so that libcurl lets it go.
 */

static ngx_uint_t
ngx_agt_curl_is_clean(ngx_agt_curl_t *pool, int port)
{
    u_char                      c;
    socklen_t                   len;
    ngx_uint_t                  found;
    ngx_queue_t                *q;
    ngx_sockaddr_t              address;
    ngx_agt_curl_connection_t  *connection;

    found = 0;
    q = ngx_queue_head(&pool->connections);

    while (q != ngx_queue_sentinel(&pool->connections)) {
        connection = ngx_queue_data(q, ngx_agt_curl_connection_t, queue);
        q = ngx_queue_next(q);

        if (connection->port == 0) {
            len = sizeof(ngx_sockaddr_t);

            if (getsockname(connection->fd, &address.sockaddr, &len) == 0) {
                connection->port = (int) ngx_inet_get_port(&address.sockaddr);
            }
        }

        if (connection->port != port) {
            continue;
        }

        if (ngx_agt_curl_inode(connection->fd) != connection->inode)
        {
            ngx_agt_curl_forget_connection(pool, connection->fd);
            continue;
        }

        /* connections to several addresses may share a local port */

        if (recv(connection->fd, &c, 1, MSG_PEEK|MSG_DONTWAIT) == -1
            && ngx_socket_errno == NGX_EAGAIN)
        {
            found = 1;
            continue;
        }

        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, pool->log, 0,
                       "agilicus token curl unclean: %d",
                       (int) connection->fd);

        (void) shutdown(connection->fd, SHUT_RDWR);

        return 0;
    }

    return found;
}


static void
ngx_agt_curl_forget_connection(ngx_agt_curl_t *pool, curl_socket_t fd)
{
    ngx_queue_t                *q;
    ngx_agt_curl_connection_t  *connection;

    for (q = ngx_queue_head(&pool->connections);
         q != ngx_queue_sentinel(&pool->connections);
         q = ngx_queue_next(q))
    {
        connection = ngx_queue_data(q, ngx_agt_curl_connection_t, queue);

        if (connection->fd == fd) {
            ngx_queue_remove(q);
            ngx_free(connection);
            return;
        }
    }
}


static ino_t
ngx_agt_curl_inode(curl_socket_t fd)
{
    struct stat  st;

    return (fstat(fd, &st) == -1) ? 0 : st.st_ino;
}


static void
ngx_agt_curl_event(ngx_event_t *ev)
{
    int                     running, mask;
    ngx_connection_t       *c;
    ngx_agt_curl_t         *pool;
    ngx_agt_curl_socket_t  *s;

    c = ev->data;
    s = c->data;
    pool = s->pool;

    mask = ev->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN;

    (void) curl_multi_socket_action(pool->multi, c->fd, mask, &running);

    /* "s" and "c" may be gone */

    ngx_agt_curl_drain(pool);
}


/*
 * The timer.  It is cancelable: kept connections, and calls without a waiter,
 * do not keep an exiting worker alive.  A waiter has a timer of its own.
 */

int
ngx_agt_curl_set_timer(CURLM *multi, long ms, void *data)
{
    ngx_agt_curl_t *pool = data;

    /* always deleted: nginx ignores small changes of a timer that is set */

    if (pool->timer.timer_set) {
        ngx_del_timer(&pool->timer);
    }

    if (ms == 0) {
        ngx_post_event(&pool->kick, &ngx_posted_events);
        return 0;
    }

    if (pool->kick.posted) {
        ngx_delete_posted_event(&pool->kick);
    }

    if (ms > 0) {
        ngx_add_timer(&pool->timer, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_agt_curl_timer(ngx_event_t *ev)
{
    int                running;
    ngx_connection_t  *c;
    ngx_agt_curl_t    *pool;

    c = ev->data;
    pool = c->data;

    (void) curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0,
                                    &running);

    ngx_agt_curl_drain(pool);
}
