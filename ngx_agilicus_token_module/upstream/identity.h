
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_
#define _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_


#include "request/context.h"


/* the bits of sub, email, org, jti and scopes */
#define NGX_AGT_IDENTITY_FIELDS  0x1f


/*
 * The bit of a field of a token in ngx_agt_identity_conf_t, by its name in the
 * configuration; 0 if no field has this name.
 */
ngx_uint_t ngx_agt_identity_field(const ngx_str_t *name);

/*
 * Returns 1 if one of the headers tells rights, which the API may take away
 * while the token is good: roles; else 0.
 */
ngx_uint_t ngx_agt_identity_tells_rights(
    const ngx_agt_identity_conf_t *identity);

/*
 * Takes identity headers that a client sent out of its request; the handler of
 * the post-read phase, registered where they are configured.
 */
ngx_int_t ngx_agt_identity_post_read_handler(ngx_http_request_t *r);

/*
 * Replaces the list of the request's headers by a copy without identity
 * headers, which only the edge may set.  The old list stays where it is, so
 * pointers into it remain good.  NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_agt_identity_remove(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf);

/*
 * Adds the identity headers of an allowed request to what goes upstream, as
 * lcf->identity, which is not NULL, has them.  NGX_OK, or NGX_ERROR if there is
 * no memory.
 */
ngx_int_t ngx_agt_identity_add(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


#endif /* _NGX_AGT_UPSTREAM_IDENTITY_H_INCLUDED_ */
