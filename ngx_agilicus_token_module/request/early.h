
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_REQUEST_EARLY_H_INCLUDED_
#define _NGX_AGT_REQUEST_EARLY_H_INCLUDED_


#include "request/context.h"


/* kinds of early reads: of token variables, and of $remote_user */
#define NGX_AGT_EARLY_TOKEN    0x01
#define NGX_AGT_EARLY_USER     0x02


/*
 * Wraps the getters of the variables that the configuration defines, after all
 * of it has been read.  The wrapper tells nginx not to keep a value that was
 * made of token variables.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_early_wrap(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf);

/*
 * Gives a location that enforces a number, and notes whether its requirements,
 * its rules or its tokens for upstream depend on variables.
 */
void ngx_agt_early_location(ngx_agt_main_conf_t *mcf,
    ngx_agt_loc_conf_t *conf);

/*
 * Three functions: one finds the variables that can be assigned, after nginx
 * has numbered all variables; one sets up a worker; one frees the state of the
 * worker.
 */
ngx_int_t ngx_agt_early_init(ngx_cycle_t *cycle, ngx_agt_main_conf_t *mcf);
ngx_int_t ngx_agt_early_worker(const ngx_agt_main_conf_t *mcf, ngx_log_t *log);
void ngx_agt_early_exit(void);

/*
 * The first function notes a read of the token variable "name".  It returns 1
 * if the location enforces and has not looked the token up yet, so that the
 * variable must be empty; else 0.  The second function notes a read of a
 * variable that depends only on the location.
 */
ngx_uint_t ngx_agt_early_check(ngx_http_request_t *r, const ngx_str_t *name);
void ngx_agt_early_depends(void);

/*
 * Begins to watch for assignments after a read of "kind".  Returns the client's
 * part of the context, or NULL if memory is short; then no assigned variable is
 * trusted in requests of this connection.
 */
ngx_agt_client_t *ngx_agt_early_read(ngx_http_request_t *r, ngx_uint_t kind);

/*
 * Notes in client->assigned whether a variable was assigned since the first
 * such read, and ends the watch until the next read.  The second also warns of
 * a variable that was read too early; it is to be called right before the
 * look-up if client->early is set.
 */
void ngx_agt_early_close(ngx_http_request_t *r, ngx_agt_client_t *client);
void ngx_agt_early_end(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_agt_loc_conf_t *lcf);

/*
 * Logs a warning, once per worker and location, that the variable "name" was
 * read before the token was looked up.
 */
void ngx_agt_early_warn(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, const ngx_str_t *name);

/*
 * Returns 1 if a read of this connection could not be noted for lack of memory,
 * else 0.
 */
ngx_uint_t ngx_agt_early_is_lost(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_EARLY_H_INCLUDED_ */
