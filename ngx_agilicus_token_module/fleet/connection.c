
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fleet/connection.h"
#include "zone/clock.h"

#include <openssl/x509v3.h>


/* bytes that are received at once */
#define NGX_AGT_FLEET_RECV  16384

/* bytes that wait to be sent, at most */
#define NGX_AGT_FLEET_OUT   (4 * 1024 * 1024)

/* bytes of why a connection could not be made, at most */
#define NGX_AGT_FLEET_WHY   128


static void ngx_agt_fleet_connection_connected(ngx_connection_t *c);
static ngx_err_t ngx_agt_fleet_connection_test(ngx_connection_t *c);
static void ngx_agt_fleet_connection_unconnected(
    ngx_agt_fleet_connection_t *conn, ngx_err_t err);
#if (NGX_SSL)
static void ngx_agt_fleet_connection_tls(ngx_connection_t *c);
static void ngx_agt_fleet_connection_shaken(ngx_connection_t *c);
static const char *ngx_agt_fleet_connection_verify(ngx_connection_t *c,
    const ngx_agt_fleet_server_t *server);
#endif
static void ngx_agt_fleet_connection_greet(ngx_agt_fleet_connection_t *conn);
static void ngx_agt_fleet_connection_greeted(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_connection_role(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);
static void ngx_agt_fleet_connection_write(ngx_event_t *ev);
static ngx_int_t ngx_agt_fleet_connection_put(
    ngx_agt_fleet_connection_t *conn);
static void ngx_agt_fleet_connection_read(ngx_event_t *ev);
static ngx_int_t ngx_agt_fleet_connection_take(
    ngx_agt_fleet_connection_t *conn);
static const ngx_agt_fleet_server_t *ngx_agt_fleet_connection_server(
    const ngx_agt_fleet_connection_t *conn);


void
ngx_agt_fleet_connection_open(ngx_agt_fleet_connection_t *conn)
{
    ngx_int_t          rc;
    ngx_uint_t         n;
    ngx_connection_t  *c;
    const ngx_addr_t  *addrs;

    static ngx_log_t  quiet;

    addrs = ngx_agt_fleet_names_addrs(conn->names, conn->server, &n);

    /* there may be fewer by now */

    conn->addr %= n;

    ngx_memzero(&conn->peer, sizeof(ngx_peer_connection_t));

    conn->peer.sockaddr = addrs[conn->addr].sockaddr;
    conn->peer.socklen = addrs[conn->addr].socklen;
    conn->peer.name = (ngx_str_t *) &addrs[conn->addr].name;
    conn->peer.get = ngx_event_get_peer;
    conn->peer.log = &quiet;
    conn->peer.log_error = NGX_ERROR_INFO;

    /* nginx would log each try, "crit" where a unix socket has gone */

    quiet = *conn->log;
    quiet.log_level = NGX_LOG_ALERT;

    conn->open = 1;
    conn->is_ready = 0;
    conn->untaken = 0;
    conn->first = 0;
    conn->ncommands = 0;
    conn->out.len = 0;
    conn->why = NULL;
    conn->serial++;
    conn->deadline = ngx_agt_clock_mono() + conn->conf->timeout;

    conn->reader = ngx_agt_fleet_reader_new(NGX_AGT_FLEET_REPLY_MAX,
                                            conn->log);
    if (conn->reader == NULL) {
        ngx_agt_fleet_connection_fail(conn, "there is no memory");
        return;
    }

    ngx_set_errno(0);

    rc = ngx_event_connect_peer(&conn->peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_agt_fleet_connection_unconnected(conn, ngx_errno);
        return;
    }

    c = conn->peer.connection;
    c->data = conn;
    c->log = conn->log;
    c->read->log = conn->log;
    c->write->log = conn->log;

    c->pool = ngx_create_pool(256, conn->log);
    if (c->pool == NULL) {
        ngx_agt_fleet_connection_fail(conn, "there is no memory");
        return;
    }

    c->write->handler = ngx_agt_fleet_connection_write;
    c->read->handler = ngx_agt_fleet_connection_read;

    if (rc == NGX_OK) {
        ngx_agt_fleet_connection_connected(c);
    }
}


/* the socket is connected, TLS is not yet */

static void
ngx_agt_fleet_connection_connected(ngx_connection_t *c)
{
    ngx_agt_fleet_connection_t *conn = c->data;

#if (NGX_SSL)

    if (ngx_agt_fleet_connection_server(conn)->tls) {
        ngx_agt_fleet_connection_tls(c);
        return;
    }

#endif

    ngx_agt_fleet_connection_greet(conn);
}


/* as ngx_http_upstream_test_connect() does */

static ngx_err_t
ngx_agt_fleet_connection_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


/* "err" is 0 where it is not known */

static void
ngx_agt_fleet_connection_unconnected(ngx_agt_fleet_connection_t *conn,
    ngx_err_t err)
{
    u_char  *p, *last;

    static u_char  why[NGX_AGT_FLEET_WHY];

    last = why + NGX_AGT_FLEET_WHY - 2;
    p = ngx_snprintf(why, NGX_AGT_FLEET_WHY - 2, "connecting failed");

    if (err) {
        p = ngx_slprintf(p, last, " (%d: ", err);
        p = ngx_strerror(err, p, (size_t) (last - p));
        *p++ = ')';
    }

    *p = '\0';

    ngx_agt_fleet_connection_fail(conn, (char *) why);
}


#if (NGX_SSL)

static void
ngx_agt_fleet_connection_tls(ngx_connection_t *c)
{
    ngx_agt_fleet_connection_t *conn = c->data;

    ngx_int_t                      rc;
    const ngx_agt_fleet_server_t  *server;

    server = ngx_agt_fleet_connection_server(conn);

    if (ngx_ssl_create_connection(conn->conf->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK
        || (!server->literal
            && SSL_set_tlsext_host_name(c->ssl->connection,
                                        (char *) server->host.data)
               == 0))
    {
        ngx_agt_fleet_connection_fail(conn, "TLS could not be set up");
        return;
    }

    c->sendfile = 0;

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_agt_fleet_connection_shaken;
        return;
    }

    ngx_agt_fleet_connection_shaken(c);
}


static void
ngx_agt_fleet_connection_shaken(ngx_connection_t *c)
{
    ngx_agt_fleet_connection_t *conn = c->data;

    const char  *why;

    why = ngx_agt_fleet_connection_verify(
                                   c, ngx_agt_fleet_connection_server(conn));
    if (why) {
        ngx_agt_fleet_connection_fail(conn, why);
        return;
    }

    c->write->handler = ngx_agt_fleet_connection_write;
    c->read->handler = ngx_agt_fleet_connection_read;

    ngx_agt_fleet_connection_greet(conn);
}


static const char *
ngx_agt_fleet_connection_verify(ngx_connection_t *c,
    const ngx_agt_fleet_server_t *server)
{
    X509  *cert;
    int    named;

    if (!c->ssl->handshaked) {
        return "the TLS handshake failed";
    }

    /* nginx's own callback lets every certificate pass */

    if (SSL_get_verify_result(c->ssl->connection) != X509_V_OK) {
        return "its certificate cannot be verified";
    }

    if (!server->literal) {
        return (ngx_ssl_check_host(c, (ngx_str_t *) &server->host) == NGX_OK)
               ? NULL : "its certificate is for another name";
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return "it has no certificate";
    }

    named = X509_check_ip_asc(cert, (char *) server->host.data, 0);
    X509_free(cert);

    return (named == 1) ? NULL : "its certificate is for another address";
}

#endif


static void
ngx_agt_fleet_connection_greet(ngx_agt_fleet_connection_t *conn)
{
    ngx_uint_t                     n;
    ngx_str_t                      args[3];
    const ngx_agt_fleet_conf_t    *conf;
    const ngx_agt_fleet_server_t  *server;

    conf = conn->conf;
    server = ngx_agt_fleet_connection_server(conn);

    if (conf->password.len) {
        n = 0;
        ngx_str_set(&args[n], "AUTH");
        n++;

        if (conf->user.len) {
            args[n++] = conf->user;
        }

        args[n++] = conf->password;

        if (ngx_agt_fleet_connection_send(conn, args, n, 0,
                                          ngx_agt_fleet_connection_greeted, 0)
            != NGX_OK)
        {
            return;
        }
    }

    if (server->db.len) {
        ngx_str_set(&args[0], "SELECT");
        args[1] = server->db;

        if (ngx_agt_fleet_connection_send(conn, args, 2, 0,
                                          ngx_agt_fleet_connection_greeted, 1)
            != NGX_OK)
        {
            return;
        }
    }

    ngx_str_set(&args[0], "ROLE");

    (void) ngx_agt_fleet_connection_send(conn, args, 1, 0,
                                         ngx_agt_fleet_connection_role, 0);
}


static void
ngx_agt_fleet_connection_greeted(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    if (ngx_agt_fleet_reply_is(reply, "OK")) {
        return;
    }

    /* what it answers to AUTH may repeat the password */

    if (number == 0) {
        ngx_agt_fleet_connection_fail(conn, "it refuses the user or password");
        return;
    }

    ngx_agt_fleet_connection_refuse(conn, reply, "it refuses the database");
}


static void
ngx_agt_fleet_connection_role(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number)
{
    switch (ngx_agt_fleet_reply_role(reply)) {

    case NGX_OK:
        conn->is_ready = 1;
        conn->ready(conn);
        return;

    case NGX_DECLINED:
        ngx_agt_fleet_connection_fail(conn, "it is not a primary");
        return;

    default:
        ngx_agt_fleet_connection_refuse(conn, reply,
                                        "it does not tell its role");
    }
}


void
ngx_agt_fleet_connection_close(ngx_agt_fleet_connection_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    conn->open = 0;
    conn->is_ready = 0;
    conn->ncommands = 0;
    conn->serial++;

    if (conn->out.data) {
        ngx_explicit_memzero(conn->out.data, conn->size);
        ngx_free(conn->out.data);
    }

    ngx_str_null(&conn->out);
    conn->size = 0;

    if (c) {
        conn->peer.connection = NULL;
        pool = c->pool;

#if (NGX_SSL)

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;

            (void) ngx_ssl_shutdown(c);
        }

#endif

        ngx_close_connection(c);

        if (pool) {
            ngx_destroy_pool(pool);
        }
    }

    /* a reply that is being handled has left the reader */

    ngx_agt_fleet_reader_free(conn->reader);
    conn->reader = NULL;
}


void
ngx_agt_fleet_connection_fail(ngx_agt_fleet_connection_t *conn,
    const char *why)
{
    if (!conn->open) {
        return;
    }

    conn->why = why;

    ngx_agt_fleet_connection_close(conn);

    conn->lost(conn);

    ngx_agt_fleet_connection_next(conn);
}


void
ngx_agt_fleet_connection_next(ngx_agt_fleet_connection_t *conn)
{
    ngx_uint_t  n;

    (void) ngx_agt_fleet_names_addrs(conn->names, conn->server, &n);

    if (++conn->addr >= n) {
        conn->addr = 0;
        conn->server = (conn->server + 1) % conn->conf->servers.nelts;
    }
}


void
ngx_agt_fleet_connection_refuse(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, const char *why)
{
    conn->answer = reply;
    ngx_agt_fleet_connection_fail(conn, why);
    conn->answer = NULL;
}


ngx_int_t
ngx_agt_fleet_connection_send(ngx_agt_fleet_connection_t *conn,
    const ngx_str_t *args, ngx_uint_t n, uint64_t block,
    ngx_agt_fleet_reply_pt handler, uint64_t number)
{
    u_char                   *p;
    size_t                    size;
    ngx_str_t                 text;
    ngx_agt_fleet_command_t  *command;

    if (!conn->open || conn->ncommands == NGX_AGT_FLEET_COMMANDS) {
        return NGX_ERROR;
    }

    if (ngx_agt_fleet_command(args, n, &text) != NGX_OK) {
        ngx_agt_fleet_connection_fail(conn, "there is no memory");
        return NGX_ERROR;
    }

    if (conn->out.len + text.len > conn->size) {
        size = ngx_max(2 * conn->size, 4096);
        size = ngx_max(size, conn->out.len + text.len);

        p = (size <= NGX_AGT_FLEET_OUT) ? ngx_alloc(size, conn->log) : NULL;

        if (p == NULL) {
            ngx_agt_fleet_command_free(&text);
            ngx_agt_fleet_connection_fail(conn, "too much waits to be sent");
            return NGX_ERROR;
        }

        if (conn->out.data) {
            ngx_memcpy(p, conn->out.data, conn->out.len);
            ngx_explicit_memzero(conn->out.data, conn->size);
            ngx_free(conn->out.data);
        }

        conn->out.data = p;
        conn->size = size;
    }

    ngx_memcpy(conn->out.data + conn->out.len, text.data, text.len);
    conn->out.len += text.len;

    ngx_agt_fleet_command_free(&text);

    command = &conn->commands[(conn->first + conn->ncommands)
                              % NGX_AGT_FLEET_COMMANDS];
    conn->ncommands++;

    command->handler = handler;
    command->number = number;
    command->sent = ngx_agt_clock_mono_now();
    command->deadline = command->sent + conn->conf->timeout + block;

    /* what is written in one turn of the loop is sent together */

    ngx_post_event(conn->peer.connection->write, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_agt_fleet_connection_write(ngx_event_t *ev)
{
    ngx_err_t                    err;
    ngx_connection_t            *c;
    ngx_agt_fleet_connection_t  *conn;

    c = ev->data;
    conn = c->data;

    if (!conn->is_ready && conn->ncommands == 0) {

        err = ngx_agt_fleet_connection_test(c);

        if (err) {
            ngx_agt_fleet_connection_unconnected(conn, err);
            return;
        }

        ngx_agt_fleet_connection_connected(c);

        return;
    }

    if (ngx_agt_fleet_connection_put(conn) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_agt_fleet_connection_fail(conn, "the connection was lost");
    }
}


void
ngx_agt_fleet_connection_flush(ngx_agt_fleet_connection_t *conn)
{
    if (conn->is_ready) {
        (void) ngx_agt_fleet_connection_put(conn);
    }
}


static ngx_int_t
ngx_agt_fleet_connection_put(ngx_agt_fleet_connection_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    while (conn->out.len) {
        n = c->send(c, conn->out.data, conn->out.len);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        conn->out.len -= (size_t) n;

        ngx_memmove(conn->out.data, conn->out.data + n, conn->out.len);
        ngx_explicit_memzero(conn->out.data + conn->out.len, (size_t) n);
    }

    return NGX_OK;
}


static void
ngx_agt_fleet_connection_read(ngx_event_t *ev)
{
    ssize_t                      n;
    uint64_t                     serial;
    ngx_connection_t            *c;
    ngx_agt_fleet_connection_t  *conn;

    static u_char  buffer[NGX_AGT_FLEET_RECV];

    c = ev->data;
    conn = c->data;
    serial = conn->serial;

    if (!conn->is_ready && conn->ncommands == 0) {

        /* the write event tells of the connection */

        return;
    }

    for ( ;; ) {
        n = c->recv(c, buffer, NGX_AGT_FLEET_RECV);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_agt_fleet_connection_fail(conn, "the connection was lost");
            return;
        }

        if (ngx_agt_fleet_reader_feed(conn->reader, buffer, (size_t) n)
            != NGX_OK)
        {
            conn->untaken = 1;
            ngx_agt_fleet_connection_fail(conn, "an answer is too large");
            return;
        }

        if (ngx_agt_fleet_connection_take(conn) != NGX_OK
            || conn->serial != serial)
        {
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_agt_fleet_connection_fail(conn, "the connection was lost");
    }
}


/* handles the replies that are whole; NGX_ERROR where the connection is gone */

static ngx_int_t
ngx_agt_fleet_connection_take(ngx_agt_fleet_connection_t *conn)
{
    uint64_t                  serial;
    ngx_int_t                 rc;
    ngx_agt_fleet_reply_t    *reply;
    ngx_agt_fleet_command_t   command;

    serial = conn->serial;

    for ( ;; ) {
        rc = ngx_agt_fleet_reader_reply(conn->reader, &reply);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            conn->untaken = 1;
            ngx_agt_fleet_connection_fail(conn, "it does not speak RESP");
            return NGX_ERROR;
        }

        if (conn->ncommands == 0) {
            ngx_agt_fleet_reply_free(reply);
            ngx_agt_fleet_connection_fail(conn, "it answers unasked");
            return NGX_ERROR;
        }

        command = conn->commands[conn->first];

        conn->first = (conn->first + 1) % NGX_AGT_FLEET_COMMANDS;
        conn->ncommands--;

        command.handler(conn, reply, command.sent, command.number);

        ngx_agt_fleet_reply_free(reply);

        if (conn->serial != serial) {
            return NGX_ERROR;
        }
    }
}


void
ngx_agt_fleet_connection_check(ngx_agt_fleet_connection_t *conn)
{
    uint64_t  now;

    if (!conn->open) {
        return;
    }

    now = ngx_agt_clock_mono();

    if (!conn->is_ready && now > conn->deadline) {
        ngx_agt_fleet_connection_fail(conn, "it was not ready in time");

    } else if (conn->is_ready && conn->ncommands
               && now > conn->commands[conn->first].deadline)
    {
        ngx_agt_fleet_connection_fail(conn, "an answer did not come in time");
    }
}


const ngx_str_t *
ngx_agt_fleet_connection_url(const ngx_agt_fleet_connection_t *conn)
{
    return &ngx_agt_fleet_connection_server(conn)->url;
}


static const ngx_agt_fleet_server_t *
ngx_agt_fleet_connection_server(const ngx_agt_fleet_connection_t *conn)
{
    const ngx_agt_fleet_server_t  *servers;

    servers = conn->conf->servers.elts;

    return &servers[conn->server];
}
