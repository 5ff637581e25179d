
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_CONNECTION_H_INCLUDED_
#define _NGX_AGT_FLEET_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "fleet/key.h"
#include "fleet/names.h"
#include "fleet/reply.h"


/*
 * A connection to Redis on nginx's own connections: TLS, the user, the database
 * and the role are behind it when it is ready.  Nothing waits for it.
 */

/* commands whose replies are still to come, at most */
#define NGX_AGT_FLEET_COMMANDS  2048

/* bytes of one reply, at most */
#define NGX_AGT_FLEET_REPLY_MAX  (4 * 1024 * 1024)


/* "agilicus_token_fleet" */

typedef struct {
    ngx_array_t            servers;   /* of ngx_agt_fleet_server_t */
    ngx_str_t              name;      /* what keys in Redis begin with */
    ngx_str_t              stream;    /* keys in Redis */
    ngx_str_t              epoch;
    ngx_str_t              lease;
    ngx_str_t              user;
    ngx_str_t              password;  /* empty: none */
    ngx_msec_t             timeout;
    ngx_resolver_t        *resolver;  /* of "http"; NULL: none */
    ngx_agt_fleet_keys_t  *keys;
    ngx_ssl_t             *ssl;       /* NULL: no server has TLS */
    ngx_uint_t             on;
} ngx_agt_fleet_conf_t;


typedef struct ngx_agt_fleet_connection_s  ngx_agt_fleet_connection_t;

/*
 * Takes a reply, which is freed after that.  "sent" is when its command was
 * sent, in milliseconds, monotonic.  The handler may close the connection.
 */
typedef void (*ngx_agt_fleet_reply_pt)(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, uint64_t sent, uint64_t number);


/* a command whose reply is still to come */

typedef struct {
    ngx_agt_fleet_reply_pt  handler;
    uint64_t                sent;      /* ms, monotonic */
    uint64_t                number;    /* the caller's */
    uint64_t                deadline;  /* ms, monotonic */
} ngx_agt_fleet_command_t;


struct ngx_agt_fleet_connection_s {
    const ngx_agt_fleet_conf_t  *conf;
    ngx_agt_fleet_names_t       *names;
    ngx_log_t                   *log;
    void                        *data;       /* the caller's */

    /* the connection is ready; it was lost, or could not be made */
    void                       (*ready)(ngx_agt_fleet_connection_t *conn);
    void                       (*lost)(ngx_agt_fleet_connection_t *conn);

    ngx_peer_connection_t        peer;
    ngx_agt_fleet_reader_t      *reader;
    uint64_t                     deadline;   /* ms: to be ready by then */
    ngx_uint_t                   server;     /* number of the present one */
    ngx_uint_t                   addr;       /* and of its address */
    uint64_t                     serial;     /* of connections */

    ngx_str_t                    out;        /* what is to be sent */
    size_t                       size;       /* bytes allocated for it */

    ngx_agt_fleet_command_t      commands[NGX_AGT_FLEET_COMMANDS];
    ngx_uint_t                   first;
    ngx_uint_t                   ncommands;

    const char                  *why;        /* it was lost */
    const ngx_agt_fleet_reply_t *answer;     /* of Redis, within lost() */

    unsigned                     open:1;
    unsigned                     is_ready:1;
    unsigned                     untaken:1;  /* a reply was */
};


/*
 * Begins to connect to the present server.  Returns NGX_OK: ready() or lost()
 * is called, later or at once.
 */
void ngx_agt_fleet_connection_open(ngx_agt_fleet_connection_t *conn);

/*
 * Closes a connection without a word; commands are forgotten.
 */
void ngx_agt_fleet_connection_close(ngx_agt_fleet_connection_t *conn);

/*
 * The next connection goes to the next address.
 */
void ngx_agt_fleet_connection_next(ngx_agt_fleet_connection_t *conn);

/*
 * Closes it because of "why" and calls lost(); the next one goes to the next
 * address.
 */
void ngx_agt_fleet_connection_fail(ngx_agt_fleet_connection_t *conn,
    const char *why);

/*
 * The same because of an answer of Redis that is not as it should be.
 */
void ngx_agt_fleet_connection_refuse(ngx_agt_fleet_connection_t *conn,
    const ngx_agt_fleet_reply_t *reply, const char *why);

/*
 * Sends a command of "n" arguments; its reply must come within the timeout of
 * the configuration and "block" milliseconds.  Returns NGX_OK; NGX_ERROR where
 * too many commands wait for replies, or the connection is lost.
 */
ngx_int_t ngx_agt_fleet_connection_send(ngx_agt_fleet_connection_t *conn,
    const ngx_str_t *args, ngx_uint_t n, uint64_t block,
    ngx_agt_fleet_reply_pt handler, uint64_t number);

/*
 * Sends what can be sent at once.
 */
void ngx_agt_fleet_connection_flush(ngx_agt_fleet_connection_t *conn);

/*
 * Fails a connection whose time is over; to be called from time to time.
 */
void ngx_agt_fleet_connection_check(ngx_agt_fleet_connection_t *conn);

/*
 * Returns the URL of the present server.
 */
const ngx_str_t *ngx_agt_fleet_connection_url(
    const ngx_agt_fleet_connection_t *conn);


#endif /* _NGX_AGT_FLEET_CONNECTION_H_INCLUDED_ */
