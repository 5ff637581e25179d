
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_CONF_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_CONF_H_INCLUDED_


/*
 * What the files of the configuration share; nobody else includes this.
 */

#include "ngx_agilicus_token_module.h"

/*
 * Refuses what cannot be kept of a location with reissue or create, with a
 * message that names the directive.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_check_exchange(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf);

/*
 * Refuses a revocation hook or a purge that anybody could reach: who can, can
 * lock people out.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_check_hook(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf);

/*
 * Refuses a location of a content handler of ours that has another one too: it
 * would have the settings of ours and do what the other does.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_check_handler(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf);

/*
 * Inherits what says which API is asked, and how; makes the origin if it
 * differs from the outer level's.  NGX_CONF_OK or NGX_CONF_ERROR.
 */
char *ngx_agilicus_token_merge_api(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *prev, ngx_agilicus_token_loc_conf_t *conf);

/*
 * For a location that asks for tokens: refuses what would make enforcement
 * weaker than it looks.  NGX_CONF_OK or NGX_CONF_ERROR.
 */
char *ngx_agilicus_token_enforce(ngx_conf_t *cf,
    ngx_agilicus_token_loc_conf_t *conf);

/*
 * Refuses a feed that has no credential to ask with, whether or not anything
 * is enforced.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_check_feed(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf);

/*
 * Finds the API that the feed polls: the one configured for http as a whole.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_feed_api(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf);

/* refuses zones that are named and not defined; NGX_OK or NGX_ERROR */
ngx_int_t ngx_agilicus_token_check_zones(ngx_conf_t *cf,
    ngx_agilicus_token_main_conf_t *mcf);


#endif /* _NGX_AGILICUS_TOKEN_CONF_H_INCLUDED_ */
