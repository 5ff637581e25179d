
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_FLEET_NAMES_H_INCLUDED_
#define _NGX_AGT_FLEET_NAMES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The addresses of the servers of a fleet.  Names are resolved when nginx
 * starts; and with its "resolver", where there is one, again before each new
 * connection.  Nothing waits for that: a name that is not resolved in time
 * keeps the addresses that it had.
 */


/* a server: one URL of the directive */

typedef struct {
    ngx_str_t       url;       /* as it is written, for logs */
    ngx_str_t       host;      /* that its certificate must name */
    ngx_str_t       db;        /* its number, or empty */
    ngx_addr_t     *addrs;     /* when nginx started */
    ngx_uint_t      naddrs;
    in_port_t       port;
    unsigned        tls:1;
    unsigned        literal:1; /* the host is an address, or there is none */
    unsigned        loopback:1; /* it must be on this machine */
} ngx_agt_fleet_server_t;


/* the addresses of a server that were found last; no pool: none were */

typedef struct {
    ngx_pool_t     *pool;
    ngx_addr_t     *addrs;
    ngx_uint_t      naddrs;
    ngx_uint_t      said;      /* that the name leads to another machine */
} ngx_agt_fleet_found_t;


typedef struct {
    const ngx_array_t      *servers;   /* of ngx_agt_fleet_server_t */
    ngx_resolver_t         *resolver;  /* NULL: there is none */
    ngx_log_t              *log;
    ngx_agt_fleet_found_t  *found;     /* of each server */

    ngx_resolver_ctx_t     *ctx;       /* of the name that is asked for */
    ngx_uint_t              server;    /* whose name it is */
    unsigned                done:1;    /* the answer has come, or none will */
} ngx_agt_fleet_names_t;


/*
 * Begins with the addresses of the configuration.  Returns NGX_OK, or NGX_ERROR
 * where there is no memory.
 */
ngx_int_t ngx_agt_fleet_names_init(ngx_agt_fleet_names_t *names,
    const ngx_array_t *servers, ngx_resolver_t *resolver, ngx_log_t *log);

/*
 * Ends what is asked for, and frees all addresses; a second time does nothing.
 */
void ngx_agt_fleet_names_free(ngx_agt_fleet_names_t *names);

/*
 * Asks for the name of a server, to be called until it returns 1: the addresses
 * are as they should be for the next connection, or there was no answer within
 * "timeout" milliseconds.  No connection to this server may be opened before.
 */
ngx_uint_t ngx_agt_fleet_names_ready(ngx_agt_fleet_names_t *names,
    ngx_uint_t server, ngx_msec_t timeout);

/*
 * Forgets what is asked for.
 */
void ngx_agt_fleet_names_stop(ngx_agt_fleet_names_t *names);

/*
 * Returns the addresses of a server and sets "*n" to their number, which is not
 * 0.  They stand until ngx_agt_fleet_names_ready() is called for it again.
 */
const ngx_addr_t *ngx_agt_fleet_names_addrs(const ngx_agt_fleet_names_t *names,
    ngx_uint_t server, ngx_uint_t *n);

/*
 * Returns 1 if this is an address of this machine that no other one can be
 * reached by, else 0.
 */
ngx_uint_t ngx_agt_fleet_names_is_loopback(const struct sockaddr *sa);


#endif /* _NGX_AGT_FLEET_NAMES_H_INCLUDED_ */
