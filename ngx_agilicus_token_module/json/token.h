
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_TOKEN_H_INCLUDED_
#define _NGX_AGT_JSON_TOKEN_H_INCLUDED_


#include "json/json.h"
#include "token/facts.h"
#include "token/reason.h"


/*
 * Reading of a Token, which is the answer to an introspection.
 */


/* bytes of the raw token of an API key that is taken, at most */
#define NGX_AGT_JSON_MAX_RAW  16384


/* a Token, packed; both parts lie in the caller's buffer */

typedef struct {
    ngx_str_t         facts;
    ngx_str_t         rules;    /* empty: the token has none */

    /* how many rules were left out, because they can never match */
    ngx_uint_t        dropped;

    /* with NGX_DECLINED: why the token is not active */
    ngx_agt_reason_e  reason;

    /* with the reason SAYS_NO: number of the member that refuses the token */
    ngx_uint_t        member;
} ngx_agt_json_token_t;


/*
 * Reads a Token (API: answer 200 of introspect) of "len" bytes into "buf" of
 * "size" bytes, which the caller owns.  Returns
 *
 * NGX_OK        the token is active, and "token" is set.  "exp" and "nbf" are
 *               facts: policy decides whether they have passed
 * NGX_DECLINED  the document is valid, but the token cannot be used: it is a
 *               refresh token ("refresh_token_jti") or a bound token ("cnf"),
 *               its "exp" or "nbf" cannot be read, or a member of the Token or
 *               of its "user" says no at "now" (seconds since the epoch).
 *               token->reason says which.  Members that will say no later set
 *               the end of the facts
 * NGX_ERROR     the document is not a Token: it is broken JSON, over a limit,
 *               not an object or without "sub", or a string member ("sub",
 *               "org", "jti", ...) has another type; or facts and rules are
 *               larger than "buf"
 *
 * DECLINED goes before ERROR: {"active":false} alone is DECLINED.
 *
 * "null" is read as absent, and so is an "iat" that cannot be read.  "aud" is a
 * string or an array of strings, "scopes" an array of strings, "roles" an
 * object of strings or arrays of strings; one that has another form is read as
 * absent, and so it meets no requirement.  Of "resource_permissions" those rows
 * are kept that are whole and of the token's own "sub" and "org".
 * "last_mfa_time" is an integer of 0 at least, or read as absent.  nbf is the
 * later of "nbf" and "token_validity.start".  Other scalar members become
 * claims.  "hosts" becomes a ruleset (rules/ruleset.h); a part of it that is
 * not understood, or has another form, allows nothing.
 */
ngx_int_t ngx_agt_json_token(const u_char *body, size_t len,
    int64_t now, u_char *buf, size_t size, ngx_agt_json_token_t *token);

/*
 * Reads an APIKeyIntrospectResponse (API: answer 200 of the introspection of an
 * API key) in the same way: "token" is its "primary_token", and members of the
 * answer itself that say no, now or from a time on, count too.  Copies
 * "raw_token" to the beginning of "buf" and sets "raw" to it; "raw" is empty
 * where there is none.  Its own "exp", if the raw token is a JWT, is "exp" of
 * the facts where it comes first.  NGX_ERROR also where "raw_token" is no
 * token68 or has more than NGX_AGT_JSON_MAX_RAW bytes.  The caller zeroes
 * "raw".
 */
ngx_int_t ngx_agt_json_api_key(const u_char *body, size_t len, int64_t now,
    u_char *buf, size_t size, ngx_agt_json_token_t *token, ngx_str_t *raw);

/*
 * Returns the name of a member that refuses tokens, with "user." in front of a
 * member of the user: a constant, which is empty for any other number.
 */
const char *ngx_agt_json_token_member(ngx_uint_t number);


#endif /* _NGX_AGT_JSON_TOKEN_H_INCLUDED_ */
