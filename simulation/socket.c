
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/* in place of nginx's connections: those of a worker to Redis */

#include "process.h"
#include <ngx_event_connect.h>


/* a session has two; another one may begin before they are closed */
#define SOCKETS  4


typedef struct {
    ngx_connection_t  c;
    ngx_event_t       read;
    ngx_event_t       write;
    uint64_t          serial;
    ngx_uint_t        used;
} socket_t;


static ssize_t socket_send(ngx_connection_t *c, u_char *buf, size_t size);
static ssize_t socket_recv(ngx_connection_t *c, u_char *buf, size_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value,
    socklen_t *len);
long __wrap_random(void);


static socket_t  sockets[SOCKETS];
static uint64_t  serial;


ngx_int_t
ngx_event_connect_peer(ngx_peer_connection_t *pc)
{
    socket_t            *s;
    ngx_uint_t           i;
    struct sockaddr_in  *sin;

    sim_no_lock("a connection is made");
    sim_pause("connect");

    for (i = 0; i < SOCKETS && sockets[i].used; i++) {
        /* void */
    }

    if (i == SOCKETS) {
        sim_fail("sockets: a worker has more than %u", SOCKETS);
    }

    s = &sockets[i];
    sin = (struct sockaddr_in *) pc->sockaddr;

    memset(s, 0, sizeof(socket_t));

    s->used = 1;
    s->serial = ++serial;

    s->c.fd = sim_connect(sin->sin_port);
    s->c.read = &s->read;
    s->c.write = &s->write;
    s->c.send = socket_send;
    s->c.recv = socket_recv;
    s->read.data = &s->c;
    s->write.data = &s->c;
    s->write.write = 1;

    pc->connection = &s->c;

    return NGX_AGAIN;
}


ngx_int_t
ngx_event_get_peer(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


void
ngx_close_connection(ngx_connection_t *c)
{
    socket_t  *s = (socket_t *) c;

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    sim_close(c->fd);
    s->used = 0;
}


ngx_int_t
ngx_handle_write_event(ngx_event_t *wev, size_t lowat)
{
    return NGX_OK;
}


static ssize_t
socket_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    ssize_t  n;

    sim_no_lock("a connection is written to");
    sim_pause("send");

    n = sim_send(c->fd, buf, size);

    sim_pause("sent");

    return n;
}


static ssize_t
socket_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    sim_no_lock("a connection is read from");
    sim_pause("recv");

    return sim_recv(c->fd, buf, size);
}


int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    *(int *) value = sim_refused(fd) ? ECONNREFUSED : 0;

    return 0;
}


long
__wrap_random(void)
{
    uint32_t  n;

    sim_random_bytes((u_char *) &n, sizeof(n));

    return (long) (n & 0x7fffffff);
}


/* what epoll tells, reading first */

void
process_sockets(void)
{
    uint64_t    which;
    socket_t   *s;
    ngx_uint_t  i, events;

    for (i = 0; i < SOCKETS; i++) {
        s = &sockets[i];

        if (!s->used) {
            continue;
        }

        which = s->serial;
        events = sim_ready(s->c.fd);

        if (events & SIM_READABLE) {
            s->read.handler(&s->read);
        }

        if (s->used && s->serial == which && (events & SIM_WRITABLE)) {
            s->write.handler(&s->write);
        }
    }
}


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    return ngx_calloc(sizeof(ngx_pool_t), log);
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    process_free_pool(pool);
    sim_free(pool);
}
