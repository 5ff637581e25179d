
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_SYNTAX_H_INCLUDED_
#define _NGX_AGT_RULES_SYNTAX_H_INCLUDED_


#include "rules/ruleset.h"


/*
 * How the strings of a rule are read: names of methods and hosts, patterns,
 * templates and JSON pointers.
 */


/* the literal at the beginning of a pattern, see ngx_agt_syntax_literal() */

typedef struct {
    ngx_agt_ruleset_path_e  kind;
    size_t                  len;
    unsigned                at_start:1;
    unsigned                at_end:1;
} ngx_agt_syntax_literal_t;


/*
 * Return the bit of a method as a request has it ("GET"), and as a rule has it
 * ("get", "all"); 0 for any other string.  Both compare byte for byte.
 */
uint32_t ngx_agt_syntax_method_bit(const ngx_str_t *method);
uint32_t ngx_agt_syntax_method_name(const ngx_str_t *name);

/*
 * Takes the port and one trailing dot off "host" and sets "name" to the rest,
 * which points into "host".  Returns NGX_OK, or NGX_DECLINED where the rest is
 * no name of a host: letters in any case, digits, "-", "_" and single dots, or
 * an IPv6 address in brackets.
 */
ngx_int_t ngx_agt_syntax_host_name(const ngx_str_t *host, ngx_str_t *name);

/*
 * Returns 1 if "host", as a client or a configuration may write it, is the host
 * whose normalised name is "name", else 0.
 */
ngx_uint_t ngx_agt_syntax_is_host(const ngx_str_t *name,
    const ngx_str_t *host);

/*
 * Finds the literal at the beginning of a pattern.  Sets literal->len to its
 * length in bytes and "at_start" if it must stand at the start of the text;
 * "kind" and "at_end" say how the pattern goes on: it ends, or ".*" follows, or
 * something follows that only a regular expression can match.  Writes the
 * literal to "out", unless "out" is NULL; the literal is never longer than the
 * pattern.
 */
void ngx_agt_syntax_literal(const ngx_str_t *pattern,
    ngx_agt_syntax_literal_t *literal, u_char *out);

/*
 * Return 1 if the string is a template ("/a/{name}/b": at most one name in a
 * segment), or a JSON pointer (RFC 6901) that is not empty; else 0.
 */
ngx_uint_t ngx_agt_syntax_is_template(const ngx_str_t *template);
ngx_uint_t ngx_agt_syntax_is_pointer(const ngx_str_t *pointer);

/*
 * Returns the hash of a pattern, as items of a ruleset have it.
 */
uint32_t ngx_agt_syntax_hash(const ngx_str_t *s);


#endif /* _NGX_AGT_RULES_SYNTAX_H_INCLUDED_ */
