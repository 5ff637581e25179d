
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_BODY_H_INCLUDED_
#define _NGX_AGT_JSON_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The bodies that are sent to the API.  Each function returns the length of the
 * body in bytes, and escapes each byte that must be escaped in JSON; a token68
 * has no such byte.
 */


/* API: introspect_options */

typedef struct {
    ngx_uint_t   exclude_roles;
    ngx_uint_t   support_http_matchers;
    ngx_uint_t   no_cache;
} ngx_agt_json_options_t;


/* the content of a token to be created; the caller owns the strings */

typedef struct {
    ngx_str_t                      sub;
    ngx_str_t                      org;
    ngx_str_t                     *audiences;
    ngx_uint_t                     naudiences;
    ngx_str_t                     *scopes;
    ngx_uint_t                     nscopes;
    ngx_str_t                     *roles;    /* application, role, ... */
    ngx_uint_t                     nroles;   /* twice their number */
    time_t                         duration; /* seconds */
} ngx_agt_json_create_t;


/*
 * Writes a TokenIntrospect (API: POST /v1/tokens/introspect) to "buf".  All
 * options are always written.  Where "buf" is NULL, it returns the length that
 * the body needs at most.
 */
size_t ngx_agt_json_introspect(u_char *buf, const ngx_str_t *token,
    const ngx_agt_json_options_t *options);

/*
 * Writes an APIKeyIntrospect (API: POST /v1/api_keys/introspect), for the
 * organisation of the key alone, to "buf".  All options are always written.
 * Where "buf" is NULL, it returns the length that the body needs at most.
 */
size_t ngx_agt_json_introspect_key(u_char *buf, const ngx_str_t *user,
    const ngx_str_t *key, const ngx_agt_json_options_t *options);

/*
 * Write a TokenRevoke, a TokenReissueRequest and a CreateTokenRequest to "buf".
 * Where "buf" is NULL, they return the length that the body needs at most.
 */
size_t ngx_agt_json_revoke(u_char *buf, const ngx_str_t *token,
    ngx_uint_t all_sessions);
size_t ngx_agt_json_reissue(u_char *buf, const ngx_str_t *token,
    const ngx_str_t *org);
size_t ngx_agt_json_create(u_char *buf, const ngx_agt_json_create_t *create);


#endif /* _NGX_AGT_JSON_BODY_H_INCLUDED_ */
