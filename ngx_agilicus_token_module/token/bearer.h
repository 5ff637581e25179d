
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_BEARER_H_INCLUDED_
#define _NGX_AGT_TOKEN_BEARER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The token in a header, cookie or argument value; syntax only.  A token is
 * RFC 6750, section 2.1, b64token (RFC 9110, section 11.2, token68):
 *
 *     1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
 *
 * All readers take the longest length that a token may have, in bytes, and
 * return one of these:
 */

/* there is a token: "token" points to it, in memory that the caller owns */
#define NGX_AGT_BEARER_FOUND      0

/* there is no bearer token: no value, or a value of another scheme */
#define NGX_AGT_BEARER_NONE       1

/* there is a value where a bearer token belongs, but its syntax is wrong */
#define NGX_AGT_BEARER_MALFORMED  2

/* a well-formed token that is longer than allowed */
#define NGX_AGT_BEARER_TOO_LONG   3

/* the same place names a token more than once */
#define NGX_AGT_BEARER_REPEATED   4


/*
 * Reads the value of an Authorization field (RFC 9110, section 11.4; RFC 6750,
 * section 2.1).  The scheme is compared without regard to case and ends where
 * the token characters of RFC 9110 end; "Bearer" must be followed by one or
 * more SP and a b64token, and by nothing else.  White space around the value is
 * no part of it.  An empty value and any other scheme are NONE.
 */
ngx_uint_t ngx_agt_bearer_header(ngx_str_t *value, size_t max,
    ngx_str_t *token);

/*
 * Reads an Authorization field like ngx_agt_bearer_header(), but does not check
 * the token: sets "rest" to the text after the scheme, which may be anything.
 * Returns FOUND, NONE, or MALFORMED where the scheme is not followed by SP.
 */
ngx_uint_t ngx_agt_bearer_credentials(const ngx_str_t *value, ngx_str_t *rest);

/*
 * Does the same for the scheme "Basic" (RFC 7617, section 2).
 */
ngx_uint_t ngx_agt_bearer_basic(const ngx_str_t *value, ngx_str_t *rest);

/*
 * Reads a bare value, as it stands in a cookie: a b64token and nothing else.
 * An empty value is MALFORMED.
 */
ngx_uint_t ngx_agt_bearer_value(ngx_str_t *value, size_t max,
    ngx_str_t *token);

/*
 * Looks for the cookie "name" in the value of one Cookie field (RFC 6265,
 * section 4.2.1; pairs end at ";", names are case-sensitive, white space
 * around a pair is ignored, quotes are part of the value).  Adds to "*seen"
 * how often the name stands there, so that a caller with several fields can
 * tell; returns REPEATED as soon as "*seen" passes one.  Else as
 * ngx_agt_bearer_value(), or NONE where the name is not there or
 * its value is empty.
 */
ngx_uint_t ngx_agt_bearer_cookie(ngx_str_t *value, const ngx_str_t *name,
    size_t max, ngx_uint_t *seen, ngx_str_t *token);

/* of ngx_agt_bearer_cookie() and ngx_agt_bearer_subprotocol() */
typedef ngx_uint_t (*ngx_agt_bearer_field_pt)(ngx_str_t *value,
    const ngx_str_t *name, size_t max, ngx_uint_t *seen, ngx_str_t *token);

/*
 * Looks for the parameter "name" in a raw query string (without "?"):
 * parameters end at "&" only, names are compared byte for byte and undecoded.
 * The value is percent-decoded once into "buf", which the caller owns and
 * which must hold "max" bytes; "+", an empty or absent value and bad escapes
 * are MALFORMED.  On FOUND "token" lies in "buf".
 */
ngx_uint_t ngx_agt_bearer_query(ngx_str_t *args, const ngx_str_t *name,
    size_t max, u_char *buf, ngx_str_t *token);

/*
 * Looks for the element that begins with "prefix" in the value of one
 * Sec-WebSocket-Protocol field (RFC 6455, section 11.3.4: elements end at ",",
 * white space around one is ignored, letters are compared with their case); the
 * rest of the element is the token, and no rest is MALFORMED.  "*seen" counts
 * over several fields, as for cookies.
 */
ngx_uint_t ngx_agt_bearer_subprotocol(ngx_str_t *value,
    const ngx_str_t *prefix, size_t max, ngx_uint_t *seen, ngx_str_t *token);

/*
 * Copies the value of a Sec-WebSocket-Protocol field to "dst" (at least
 * value->len bytes) without any element that begins with "prefix", all others
 * untouched; returns the number of bytes written, 0 where no other is left.
 */
size_t ngx_agt_bearer_cut_subprotocol(ngx_str_t *value,
    const ngx_str_t *prefix, u_char *dst);

/*
 * Returns 1 if a parameter "name" stands in a raw query string, with or without
 * a value, else 0.
 */
ngx_uint_t ngx_agt_bearer_in_query(ngx_str_t *args, ngx_str_t *name);

/*
 * Copies "args" to "dst" (at least args->len bytes) without any parameter
 * called "name", all other bytes untouched and in order; returns the number
 * of bytes written.  One "&" goes with each parameter that is cut.
 */
size_t ngx_agt_bearer_cut_query(ngx_str_t *args, ngx_str_t *name, u_char *dst);

/*
 * Copies the value of a Cookie field to "dst" (at least value->len bytes)
 * without any cookie called "name"; returns the number of bytes written, 0
 * where the field has no other cookie.
 */
size_t ngx_agt_bearer_cut_cookie(ngx_str_t *value, ngx_str_t *name,
    u_char *dst);

/*
 * Takes the optional white space (RFC 9110, section 5.5: SP and HTAB) off both
 * ends of a field value; nginx itself takes only SP off.
 */
void ngx_agt_bearer_strip(ngx_str_t *value);

/*
 * Returns 1 if "s" is a b64token as a whole, else 0.
 */
ngx_uint_t ngx_agt_bearer_is_token68(const ngx_str_t *s);


#endif /* _NGX_AGT_TOKEN_BEARER_H_INCLUDED_ */
