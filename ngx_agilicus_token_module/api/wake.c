
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/wake.h"

#include <sys/eventfd.h>


static void ngx_agt_wake_close(void *data);
static void ngx_agt_wake_handler(ngx_event_t *ev);


static ngx_connection_t  *ngx_agt_wake_connection;
static void             (*ngx_agt_wake_callback)(void);


ngx_int_t
ngx_agt_wake_create(ngx_agt_wake_t *wake, ngx_uint_t n, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_pool_cleanup_t  *cln;

    wake->n = 0;

    wake->fds = ngx_palloc(cycle->pool, n * sizeof(ngx_fd_t));
    cln = ngx_pool_cleanup_add(cycle->pool, 0);

    if (wake->fds == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_agt_wake_close;
    cln->data = wake;

    for (i = 0; i < n; i++) {
        wake->fds[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (wake->fds[i] == -1) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                          "agilicus token: eventfd() failed, workers look "
                          "for answers from time to time only");
            break;
        }

        wake->n++;
    }

    return NGX_OK;
}


static void
ngx_agt_wake_close(void *data)
{
    ngx_agt_wake_t *wake = data;

    ngx_uint_t  i;

    for (i = 0; i < wake->n; i++) {
        (void) close(wake->fds[i]);
    }

    wake->n = 0;
}


ngx_int_t
ngx_agt_wake_init(const ngx_agt_wake_t *wake,
    ngx_uint_t worker, void (*handler)(void), ngx_log_t *log)
{
    ngx_connection_t  *c;

    if (worker >= wake->n) {
        return NGX_OK;
    }

    c = ngx_get_connection(wake->fds[worker], log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->read->handler = ngx_agt_wake_handler;
    c->read->log = log;
    c->log = log;

    ngx_agt_wake_connection = c;
    ngx_agt_wake_callback = handler;

    return ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
}


void
ngx_agt_wake_exit(void)
{
    ngx_connection_t  *c;

    c = ngx_agt_wake_connection;

    if (c == NULL) {
        return;
    }

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_agt_wake_connection = NULL;
}


static void
ngx_agt_wake_handler(ngx_event_t *ev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = ev->data;

    if (read(c->fd, &n, sizeof(n)) == (ssize_t) sizeof(n)) {
        ngx_agt_wake_callback();
    }
}


void
ngx_agt_wake_up(const ngx_agt_wake_t *wake, uint64_t mask)
{
    uint64_t    one;
    ngx_uint_t  i;

    if (mask == 0) {
        return;
    }

    one = 1;

    for (i = 0; i < wake->n; i++) {
        if (mask & (uint64_t) 1 << (i % 64)) {

            /* a counter that is full wakes the worker as well */

            if (write(wake->fds[i], &one, sizeof(one)) == -1) {
                continue;
            }
        }
    }
}
