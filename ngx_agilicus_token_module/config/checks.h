
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_CHECKS_H_INCLUDED_
#define _NGX_AGT_CONFIG_CHECKS_H_INCLUDED_


#include "ngx_agilicus_token_module.h"


/* a location, "if" or "limit_except" that is looked at when all is merged */

typedef struct {
    ngx_agt_loc_conf_t        *conf;
    ngx_http_core_loc_conf_t  *core;
    ngx_uint_t                 own;   /* "agilicus_token" stands in it */
} ngx_agt_location_t;


/*
 * What "nginx -t" refuses of directives that do not go together.  The causes
 * are logged; each message names the directive.
 */

/*
 * Remembers for ngx_agt_check_unenforced() that the directive that is being
 * read has an effect only where a token is asked for.  NGX_OK, or NGX_ERROR for
 * lack of memory.
 */
ngx_int_t ngx_agt_needs_token(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a block with such a directive where neither the block nor any block
 * inside it asks for a token.  After all levels have been merged.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_check_unenforced(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Refuses, for a location that asks for tokens, settings that make enforcement
 * weaker than it looks, and warns of those that may be wanted.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_check_location(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a location with "agilicus_token_reissue" or "agilicus_token_create"
 * that could have a token made for a caller who was not identified, or that
 * would let a request through for which there is no token to make.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_check_exchange(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a revocation hook or a purge that every client could reach, and gives
 * the location of a hook a buffer for the largest body that it takes.  NGX_OK
 * or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_hook(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

#define NGX_AGT_OTHER_HANDLER                                                 \
    "another directive that answers, such as \"proxy_pass\""

/*
 * Refuses one of our content handlers, at its place, beside "other", which
 * answers too.  Returns NGX_ERROR.
 */
ngx_int_t ngx_agt_refuse_handler(ngx_conf_t *cf,
    const ngx_agt_place_t *place, const char *other);

/*
 * Refuses a location of a content handler of ours that another directive
 * answers for: another content handler, in the location or in a block inside
 * it, "return" or "try_files".  After all modules have merged their levels.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_handlers(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Warns of each location that says "agilicus_token on" and has a "return",
 * which answers before the token is looked at.  After all modules have merged
 * their levels.
 */
void ngx_agt_check_returns(ngx_conf_t *cf, const ngx_agt_main_conf_t *mcf);

/*
 * Refuses "agilicus_token_phase preaccess" where limit_req or limit_conn were
 * loaded after this module: they would run before it.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_limits(ngx_conf_t *cf);

/*
 * Refuses a feed that has no credential to ask with, whether or not any
 * location asks for tokens.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_feed(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Refuses zones that are named and not defined.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_zones(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * The place of an HTTP module's configuration among those of a location, by
 * the module's name; NGX_CONF_UNSET_UINT where nginx has no such module.
 */
ngx_uint_t ngx_agt_module_index(ngx_conf_t *cf, const char *name);


#endif /* _NGX_AGT_CONFIG_CHECKS_H_INCLUDED_ */
