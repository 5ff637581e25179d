
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_PATH_H_INCLUDED_
#define _NGX_AGT_RULES_PATH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rules/regex.h"
#include "rules/ruleset.h"


/*
 * The path that host rules see.  It is the client's path as it stood in the
 * request line, percent-decoded once.  The module normalises nothing else.  It
 * does not take a path that different servers could read in different ways:
 *
 *     a path that does not begin with "/", or has "//" in it, or a segment
 *     that has only parameters ("/;x"); but it may end in "/"
 *
 *     dot segments, "." and "..", also escaped, with parameters ("..;x") or
 *     with spaces ("..%20")
 *
 *     "\", also escaped; "/" and "?" escaped; "#" and "?" as they are
 *
 *     bytes up to 0x20 and 0x7f, and the same escaped, save "%20"
 *
 *     broken escapes ("%zz", "%u002e"), and text that is still an escape
 *     after decoding ("%252e", "%25%32%65")
 *
 *     text that is not UTF-8 after decoding
 */

/* the longest path and the longest query, in bytes, that can match */
#define NGX_AGT_PATH_MAX_LEN  65535


/*
 * The text that the paths of rules are compared with: the path of a request,
 * alone or with "?" and the query behind it.  One structure serves one decision
 * after the other, and keeps its buffer; it is all zero before the first.
 */

typedef struct {
    ngx_agt_regex_t  *patterns;

    u_char              *buf;
    size_t               size;

    ngx_str_t            path;
    ngx_str_t            query;
    ngx_str_t            whole;     /* made where it is needed */

    unsigned             has_query:1;
    unsigned             search:1;
    unsigned             is_utf8:1; /* the path, if looked at */
} ngx_agt_path_t;


/*
 * Decodes the path of a request target (without "?" and query).  "path" is set
 * to "raw" itself where nothing was escaped, and else to "buf", which the
 * caller owns and which holds raw->len bytes.  Returns NGX_OK, or NGX_DECLINED
 * for a path that is not taken; "path" is then untouched.
 */
ngx_int_t ngx_agt_path_decode(const ngx_str_t *raw, u_char *buf,
    ngx_str_t *path);

/*
 * Sets "fault" to the part for which ngx_agt_path_decode() has not taken "raw":
 * a byte, an escape, or a segment with the "/" before it.  "buf" as above.
 */
void ngx_agt_path_fault(const ngx_str_t *raw, u_char *buf, ngx_str_t *fault);

/*
 * Returns 1 if "query" (without "?") is one that rules can be applied to: no
 * "#", no byte up to 0x20, no 0x7f, and UTF-8 as it stands; else 0.
 */
ngx_uint_t ngx_agt_path_is_query(const ngx_str_t *query);

/*
 * Returns the length of the UTF-8 sequence at "p" (RFC 3629: no surrogate, no
 * overlong sequence, no code above U+10FFFF), or 0 if there is none.
 */
size_t ngx_agt_path_utf8(const u_char *p, const u_char *end);

/*
 * Returns 1 if a text is UTF-8 as a whole, else 0.
 */
ngx_uint_t ngx_agt_path_whole_utf8(const ngx_str_t *text);


/*
 * Starts a decision on a path that ngx_agt_path_decode() has taken and a query
 * that ngx_agt_path_is_query() has taken.
 */
void ngx_agt_path_begin(ngx_agt_path_t *s,
    ngx_agt_regex_t *patterns, const ngx_str_t *path,
    const ngx_str_t *query, ngx_uint_t has_query, ngx_uint_t search);

void ngx_agt_path_free(ngx_agt_path_t *s);

/*
 * Sets "whole" to the path with the query behind it, or to an empty string
 * where the request has no query.  Returns NGX_OK, or NGX_ERROR where this is
 * too long, or memory is short.
 */
ngx_int_t ngx_agt_path_whole(ngx_agt_path_t *s, ngx_str_t *whole);

/*
 * Returns 1 if the path of a rule matches, and 0 if it does not match or if the
 * result is unknown.  Without "separate_query" the rule's path sees the query
 * too.
 *
 * Text in the query never counts as text of the path: either the path matches
 * without the query as well, or a "?" in the pattern matches the "?" of the
 * request.  Else "/secret?/public" would match ".*" and "/public".
 */
ngx_uint_t ngx_agt_path_match(ngx_agt_path_t *s,
    const ngx_agt_ruleset_item_t *item, ngx_uint_t separate_query);


#endif /* _NGX_AGT_RULES_PATH_H_INCLUDED_ */
