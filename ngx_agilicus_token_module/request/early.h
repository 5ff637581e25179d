
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
 * Has the getters of the variables that the configuration defines called
 * through one of its own, which tells nginx not to keep what was made of token
 * variables; after the whole configuration has been read.
 */
ngx_int_t ngx_agt_early_wrap(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf);

/*
 * Notes for a location that enforces whether what it decides by has variables,
 * and gives it a number.
 */
void ngx_agt_early_location(ngx_agt_main_conf_t *mcf,
    ngx_agt_loc_conf_t *conf);

/*
 * Finds the variables that can be assigned, when nginx has numbered them all;
 * sets up a worker, and ends it.
 */
ngx_int_t ngx_agt_early_init(ngx_cycle_t *cycle, ngx_agt_main_conf_t *mcf);
ngx_int_t ngx_agt_early_worker(const ngx_agt_main_conf_t *mcf, ngx_log_t *log);
void ngx_agt_early_exit(void);

/*
 * Called for each read of a token variable.  Returns 1 where the location
 * enforces and has not looked the token up yet: the variable is empty then.
 * The second is for a variable that depends on the location too.
 */
ngx_uint_t ngx_agt_early_check(ngx_http_request_t *r, const ngx_str_t *name);
void ngx_agt_early_depends(void);

/*
 * Begins to notice what is assigned after a read of this kind.  Returns the
 * client's part, or NULL if there is no memory: what is assigned to requests
 * of this connection is not trusted then.
 */
ngx_agt_client_t *ngx_agt_early_read(ngx_http_request_t *r, ngx_uint_t kind);

/*
 * Notes in client->assigned what was assigned since the first such read, and
 * waits for the next.  The second also warns of what was read too early; to be
 * called right before the look-up where client->early is set.
 */
void ngx_agt_early_close(ngx_http_request_t *r, ngx_agt_client_t *client);
void ngx_agt_early_end(ngx_http_request_t *r, ngx_agt_client_t *client,
    const ngx_agt_loc_conf_t *lcf);

/*
 * Warns, once per worker and location, of a variable that was read too early
 * there.
 */
void ngx_agt_early_warn(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, const ngx_str_t *name);

/*
 * Whether reads of this connection went unnoticed for lack of memory.
 */
ngx_uint_t ngx_agt_early_is_lost(ngx_http_request_t *r);


#endif /* _NGX_AGT_REQUEST_EARLY_H_INCLUDED_ */
