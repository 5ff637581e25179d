
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_JSON_H_INCLUDED_
#define _NGX_AGT_JSON_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"
#include "token/reason.h"


/*
 * API bodies to facts and back; the only file that knows jansson.  Reading is
 * strict (RFC 8259): UTF-8 without a byte order mark, no duplicate names, no
 * NUL in a string, nothing behind the document, and these limits, which are
 * checked before anything is built:
 */

/* bytes of an API body; also what is taken off the wire */
#define NGX_AGT_JSON_MAX_BODY    262144

/* arrays and objects within each other */
#define NGX_AGT_JSON_MAX_DEPTH   32

/* values in one document, all together */
#define NGX_AGT_JSON_MAX_VALUES  40000


typedef struct {
    ngx_uint_t                     exclude_roles;
    ngx_uint_t                     support_http_matchers;
    ngx_uint_t                     no_cache;
} ngx_agt_json_options_t;


/* what a Token says, packed; both parts lie in the caller's buffer */

typedef struct {
    ngx_str_t         facts;
    ngx_str_t         rules;   /* empty: the token has none */

    /* rules that could never match, and so are not among them */
    ngx_uint_t        dropped;

    /* why it is not active, with NGX_DECLINED */
    ngx_agt_reason_e  reason;

    /* the member that says no, with the reason SAYS_NO: a constant */
    const char       *member;
} ngx_agt_json_token_t;


/*
 * Makes the seed of jansson's hash tables, once per process and best before
 * workers are made: it is read from a file, which would otherwise happen in the
 * first reading.  May be called again at no cost.
 */
void ngx_agt_json_init(void);

/*
 * What a content type says of the body, without its parameters.
 */

typedef enum {
    NGX_AGT_JSON_TYPE_OTHER = 0,
    NGX_AGT_JSON_TYPE_NONE,      /* there is no type */
    NGX_AGT_JSON_TYPE_JSON,      /* application/json */
    NGX_AGT_JSON_TYPE_SUFFIX     /* application/...+json */
} ngx_agt_json_type_e;

ngx_agt_json_type_e ngx_agt_json_type(const ngx_str_t *type);

/*
 * Returns 1 if a body is one JSON object and nothing else, read as strictly as
 * a Token; else 0.
 */
ngx_uint_t ngx_agt_json_is_object(const u_char *body, size_t len);

/*
 * The length that ngx_agt_json_introspect() needs at most for a
 * token of "len" bytes.
 */
size_t ngx_agt_json_introspect_len(size_t len);

/*
 * Writes the TokenIntrospect body (API: POST /v1/tokens/introspect) for
 * "token" to "buf"; returns its length in bytes.  Every byte that JSON needs
 * escaped is, although a token68 has none.  All options are always written.
 */
size_t ngx_agt_json_introspect(u_char *buf, const ngx_str_t *token,
    const ngx_agt_json_options_t *options);

/*
 * Reads a Token (API: answer 200 of introspect) of "len" bytes into "buf" of
 * "size" bytes, which the caller owns.
 *
 * NGX_OK        a token that is active as far as a document can tell; "token"
 *               is set.  "exp" and "nbf" are facts: whether they have passed
 *               is policy's to say
 * NGX_DECLINED  a valid document of a token that nobody may use: refresh token
 *               ("refresh_token_jti"), bound token ("cnf"), "exp" or "nbf"
 *               present and unreadable, or a member of the Token or of its
 *               "user" that says no at "now" (seconds since the epoch);
 *               token->reason says which.  Members that will say no later
 *               give the facts their end
 * NGX_ERROR     not a Token: broken JSON, over a limit, not an object, no
 *               "sub", a string member ("sub", "org", "jti", ...) of another
 *               type, or facts and rules larger than "buf"
 *
 * DECLINED goes before ERROR: a bare {"active":false} is one.
 *
 * "null" is read as absent.  "iat" that cannot be read is absent.  "aud" is a
 * string or an array of strings, "scopes" an array of strings, "roles" an
 * object of strings or arrays of strings; of another form they are absent as
 * a whole, and so they meet no requirement.  nbf is the later of "nbf" and
 * "token_validity.start".  Other scalar members become claims.  "hosts" becomes
 * a ruleset (rules/ruleset.h); what is not understood in it, or is
 * of another form, allows nothing.
 */
ngx_int_t ngx_agt_json_token(const u_char *body, size_t len,
    int64_t now, u_char *buf, size_t size, ngx_agt_json_token_t *token);


#endif /* _NGX_AGT_JSON_JSON_H_INCLUDED_ */
