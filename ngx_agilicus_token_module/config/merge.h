
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_CONFIG_MERGE_H_INCLUDED_
#define _NGX_AGT_CONFIG_MERGE_H_INCLUDED_


/*
 * What the files of the configuration share; nobody else includes this.
 */

#include "ngx_agilicus_token_module.h"

/*
 * Remembers the place of the directive that is being read.
 */
void ngx_agt_here(ngx_conf_t *cf, ngx_agt_place_t *place);

/*
 * Logs why the configuration is refused, at the place of a directive that was
 * read earlier; "err" is an error number of the system, or 0.  Returns
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_refuse(ngx_conf_t *cf,
    const ngx_agt_place_t *place, ngx_err_t err, const char *fmt, ...);

/*
 * Refuses what cannot be kept of a location with reissue or create, with a
 * message that names the directive.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_exchange(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a revocation hook or a purge that anybody could reach: who can, can
 * lock people out.  NGX_OK or NGX_ERROR.
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
 * Refuses a location of a content handler of ours that something else answers
 * for: another content handler, in the location or in a block inside it,
 * "return" or "try_files".  After all modules have merged their levels.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_handlers(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Remembers for check_unenforced() that the directive that is being read has
 * an effect only where a token is asked for.  NGX_OK, or NGX_ERROR for lack of
 * memory.
 */
ngx_int_t ngx_agt_needs_token(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a block with such a directive where neither the block nor any block
 * inside it asks for a token.  After all levels have been merged.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_agt_check_unenforced(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * The place of an HTTP module's configuration among those of a location, by
 * the module's name; NGX_CONF_UNSET_UINT where nginx has no such module.
 */
ngx_uint_t ngx_agt_module_index(ngx_conf_t *cf, const char *name);

/*
 * Inherits what says which API is asked, and how; makes the origin if it
 * differs from the outer level's.  NGX_CONF_OK or NGX_CONF_ERROR.
 */
char *ngx_agt_merge_api(ngx_conf_t *cf,
    ngx_agt_loc_conf_t *prev, ngx_agt_loc_conf_t *conf);

/*
 * Refuses "agilicus_token_phase preaccess" where limit_req or limit_conn were
 * loaded after this module: they would run before it.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_limits(ngx_conf_t *cf);

/*
 * For a location that asks for tokens: refuses what would make enforcement
 * weaker than it looks.  NGX_CONF_OK or NGX_CONF_ERROR.
 */
char *ngx_agt_enforce(ngx_conf_t *cf, ngx_agt_loc_conf_t *conf);

/*
 * Refuses a feed that has no credential to ask with, whether or not anything
 * is enforced.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_check_feed(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Finds the API that the feed polls: the one configured for http as a whole.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_agt_feed_api(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/* refuses zones that are named and not defined; NGX_OK or NGX_ERROR */
ngx_int_t ngx_agt_check_zones(ngx_conf_t *cf, ngx_agt_main_conf_t *mcf);

/*
 * Life of the configuration.
 */
void *ngx_agt_create_main_conf(ngx_conf_t *cf);
char *ngx_agt_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_agt_create_loc_conf(ngx_conf_t *cf);
char *ngx_agt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/*
 * Zones and the handlers' registration, when all has been read.
 */
ngx_int_t ngx_agt_postconfiguration(ngx_conf_t *cf);


#endif /* _NGX_AGT_CONFIG_MERGE_H_INCLUDED_ */
