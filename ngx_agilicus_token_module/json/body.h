
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_BODY_H_INCLUDED_
#define _NGX_AGT_JSON_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"


/*
 * The bodies of the operations other than introspection, and of the revocation
 * hook.  Reading is as strict as that of a Token.
 */

/* bytes of a list of tokens */
#define NGX_AGT_JSON_MAX_LIST         8388608
#define NGX_AGT_JSON_MAX_LIST_VALUES  400000

/* bytes of the hook's body, and of one value in it */
#define NGX_AGT_JSON_MAX_HOOK         65536
#define NGX_AGT_JSON_MAX_DENIED       1024


/*
 * A row of a list; "jti" lives until the callback returns.  Of a row that
 * cannot be read, only "wrong" and "number" are set.
 */

typedef struct {
    const char                    *wrong;    /* what is, or NULL; a constant */
    ngx_uint_t                     number;   /* of the row, from 1 on */
    ngx_str_t                      jti;
    int64_t                        exp;      /* seconds since the epoch */
    int64_t                        iat;
    unsigned                       has_exp:1;
    unsigned                       has_iat:1;
    unsigned                       revoked:1;
} ngx_agt_json_row_t;


/* what a token is created from; strings are the caller's */

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
 * Reads a RawToken (API: answer of reissue and create): copies its "token" to
 * "buf" of "size" bytes, which the caller owns.  NGX_ERROR where it is no
 * RawToken, or its token is longer.  Whether it is a token68 is the caller's to
 * check.
 */
ngx_int_t ngx_agt_json_raw_token(const u_char *body, size_t len,
    u_char *buf, size_t size, ngx_str_t *token);

/*
 * Reads a ListTokensResponse (API: answer of list): calls "row" for each of
 * its tokens, with their number known before in "*n", and in "*limit" how many
 * there could have been.  A row that cannot be read (it is no object, has no
 * jti, or a date that is none) says so in "wrong", and the others count.
 * NGX_ERROR where it is no list: "row" was then not called at all.
 */
ngx_int_t ngx_agt_json_list(const u_char *body, size_t len,
    void (*row)(void *data, const ngx_agt_json_row_t *row),
    void *data, ngx_uint_t *n, ngx_uint_t *limit);

/*
 * Reads the body of the revocation hook: {"jti":[...],"session":[...],
 * "sub":[...]}, and calls "deny" for each value.  NGX_ERROR where it is
 * anything else: "deny" was then not called at all.
 */
ngx_int_t ngx_agt_json_denials(const u_char *body, size_t len,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data);

/*
 * Write the bodies of TokenRevoke, TokenReissueRequest and CreateTokenRequest
 * to "buf" and return their length; with "buf" NULL, the length that they need
 * at most.
 */
size_t ngx_agt_json_revoke(u_char *buf, const ngx_str_t *token,
    ngx_uint_t all_sessions);
size_t ngx_agt_json_reissue(u_char *buf, const ngx_str_t *token,
    const ngx_str_t *org);
size_t ngx_agt_json_create(u_char *buf, const ngx_agt_json_create_t *create);


#endif /* _NGX_AGT_JSON_BODY_H_INCLUDED_ */
