
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_PATH_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_PATH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The path that host rules see.  It is the client's own, as it stood in the
 * request line, percent-decoded once; there is nothing else to normalise, for
 * a path that different readers could read differently is not taken at all:
 *
 *     one that does not begin with "/", or has "//" in it, or a segment of
 *     nothing but parameters ("/;x"), save that it may end in "/"
 *
 *     dot segments, "." and "..", also escaped, also with parameters ("..;x")
 *
 *     "\", also escaped; "/" and "?" escaped; "#" and "?" as they are
 *
 *     bytes up to 0x20 and 0x7f, and the same escaped, save "%20"
 *
 *     escapes that are none ("%zz", "%u002e"), and what is an escape still
 *     after decoding ("%252e", "%25%32%65")
 *
 *     what is not UTF-8 after decoding
 */

/*
 * Decodes the path of a request target (without "?" and query).  "path" is set
 * to "raw" itself where nothing was escaped, and else to "buf", which the
 * caller owns and which holds raw->len bytes.  Returns NGX_OK, or NGX_DECLINED
 * for a path that is not taken; "path" is then untouched.
 */
ngx_int_t ngx_agilicus_token_path_decode(const ngx_str_t *raw, u_char *buf,
    ngx_str_t *path);

/*
 * Returns 1 if "query" (without "?") is one that rules can be applied to: no
 * "#", no byte up to 0x20, no 0x7f, and UTF-8 as it stands; else 0.
 */
ngx_uint_t ngx_agilicus_token_path_is_query(const ngx_str_t *query);

/*
 * The length of the UTF-8 sequence at "p" (RFC 3629: no surrogate, nothing
 * overlong, nothing above U+10FFFF), or 0 if there is none.
 */
size_t ngx_agilicus_token_path_utf8(const u_char *p, const u_char *end);

/*
 * The value of a hexadecimal digit, or NGX_ERROR.
 */
ngx_int_t ngx_agilicus_token_path_hex(u_char c);


#endif /* _NGX_AGILICUS_TOKEN_PATH_H_INCLUDED_ */
