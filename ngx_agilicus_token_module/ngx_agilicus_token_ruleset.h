
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGILICUS_TOKEN_RULESET_H_INCLUDED_
#define _NGX_AGILICUS_TOKEN_RULESET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The host rules of one token (API: hosts[].allowed_list), packed: one run of
 * bytes without a pointer in it, so that it can lie in shared memory at any
 * address.
 *
 *     header | host | rule | item item ... | rule | item ... | host | ...
 *
 * A rule that can never match is left out, for a rule only ever allows.  What
 * is packed says nothing about a request: rules (level 1) reads it anew for
 * each one.
 */

#define NGX_AGILICUS_TOKEN_RULESET_VERSION   1

/* the longest string that an item can hold, in bytes */
#define NGX_AGILICUS_TOKEN_RULESET_MAX_STR   0xffff

/* the longest name of a host */
#define NGX_AGILICUS_TOKEN_RULESET_MAX_HOST  255

/* rule.methods: one bit for each method of the API, and one for "all" */
#define NGX_AGILICUS_TOKEN_RULESET_ALL       0x80000000


typedef enum {
    NGX_AGILICUS_TOKEN_RULESET_PATH = 1,   /* text: what to compare with */
    NGX_AGILICUS_TOKEN_RULESET_TEMPLATE,   /* text: the template */
    NGX_AGILICUS_TOKEN_RULESET_QUERY,      /* text: name, value: exact match */
    NGX_AGILICUS_TOKEN_RULESET_MATCHER,    /* text: extractor */
    NGX_AGILICUS_TOKEN_RULESET_CRITERION,  /* of the matcher; text: extractor */
    NGX_AGILICUS_TOKEN_RULESET_OPERAND,    /* of the criterion; text: string */
    NGX_AGILICUS_TOKEN_RULESET_BODY        /* text: pointer, value: exact */
} ngx_agilicus_token_ruleset_item_e;


/* how a path is compared; a pattern is the source of a regular expression */

typedef enum {
    NGX_AGILICUS_TOKEN_RULESET_LITERAL = 0,
    NGX_AGILICUS_TOKEN_RULESET_PREFIX,     /* a literal and then ".*" */
    NGX_AGILICUS_TOKEN_RULESET_PATTERN
} ngx_agilicus_token_ruleset_path_e;


typedef enum {
    NGX_AGILICUS_TOKEN_RULESET_EQUALS = 0,
    NGX_AGILICUS_TOKEN_RULESET_NOT_EQUALS,
    NGX_AGILICUS_TOKEN_RULESET_GREATER,
    NGX_AGILICUS_TOKEN_RULESET_LESS,
    NGX_AGILICUS_TOKEN_RULESET_IN,
    NGX_AGILICUS_TOKEN_RULESET_NOT_IN,
    NGX_AGILICUS_TOKEN_RULESET_UNDEFINED
} ngx_agilicus_token_ruleset_operator_e;


/* what is still to be read; a plain copy of it is a bookmark */

typedef struct {
    const u_char                  *pos;
    const u_char                  *end;
} ngx_agilicus_token_ruleset_cursor_t;


typedef struct {
    ngx_str_t                             name;   /* normalised */
    ngx_agilicus_token_ruleset_cursor_t   rules;
} ngx_agilicus_token_ruleset_host_t;


typedef struct {
    uint32_t                              methods;
    ngx_agilicus_token_ruleset_cursor_t   items;   /* by type, in its order */

    unsigned                              separate_query:1;
    unsigned                              any_matcher:1;   /* else all */

    unsigned                              paths:1;         /* has some */
    unsigned                              templates:1;
    unsigned                              matchers:1;
} ngx_agilicus_token_ruleset_rule_t;


typedef struct {
    ngx_agilicus_token_ruleset_item_e   type;

    ngx_uint_t                          kind;   /* of a path, a criterion */
    uint32_t                            hash;   /* of a pattern */

    ngx_str_t                           text;
    ngx_str_t                           value;  /* a pattern: how it begins */
    int64_t                             number; /* an operand */

    unsigned                            at_start:1;   /* a path: "^" */
    unsigned                            at_end:1;     /* a path: "$" */
    unsigned                            prefix:1;     /* a template */
    unsigned                            has_value:1;
    unsigned                            inverted:1;   /* a matcher */
    unsigned                            any:1;        /* of its criteria */
    unsigned                            is_number:1;  /* an operand */
    unsigned                            is_list:1;    /* operands: of a list */
} ngx_agilicus_token_ruleset_item_t;


typedef struct {
    u_char                        *start;
    u_char                        *pos;
    u_char                        *end;

    u_char                        *host;      /* where they were begun */
    u_char                        *rule;

    uint32_t                       methods;   /* of the rule */
    uint32_t                       flags;

    uint32_t                       rules;
    uint32_t                       before;    /* rules, without the host's */
    uint32_t                       dropped;

    unsigned                       overflow:1;
    unsigned                       host_overflow:1;  /* as they were begun */
    unsigned                       rule_overflow:1;
    unsigned                       never:1;   /* the rule cannot match */
} ngx_agilicus_token_ruleset_builder_t;


/* what a pattern is made of, see ngx_agilicus_token_ruleset_literal() */

typedef struct {
    ngx_agilicus_token_ruleset_path_e   kind;
    size_t                              len;
    unsigned                            at_start:1;
    unsigned                            at_end:1;
} ngx_agilicus_token_ruleset_literal_t;


/*
 * Starts a packed form in "buf" of "size" bytes, which the caller owns.
 */
void ngx_agilicus_token_ruleset_begin(ngx_agilicus_token_ruleset_builder_t *b,
    u_char *buf, size_t size);

/*
 * Starts the rules of a host.  Its name is normalised: lower case, without port
 * and trailing dot.  Returns NGX_DECLINED where that leaves no name of a host;
 * there is then nothing to add to.  A host without rules is left out.
 */
ngx_int_t ngx_agilicus_token_ruleset_host(
    ngx_agilicus_token_ruleset_builder_t *b, const ngx_str_t *name);

/*
 * Starts a rule of the host, and ends it: it is left out, and b->dropped one
 * more, if it has no method, neither path nor template, or never matches.
 */
void ngx_agilicus_token_ruleset_rule(ngx_agilicus_token_ruleset_builder_t *b);
void ngx_agilicus_token_ruleset_rule_end(
    ngx_agilicus_token_ruleset_builder_t *b);

/*
 * Keeps the query from the paths of the rule.
 */
void ngx_agilicus_token_ruleset_separate_query(
    ngx_agilicus_token_ruleset_builder_t *b);

/*
 * Says that the rule cannot be evaluated, and so never matches.
 */
void ngx_agilicus_token_ruleset_never(ngx_agilicus_token_ruleset_builder_t *b);

/*
 * Adds to the rule.  Items must come in the order of their enumeration.  A
 * method that the API does not know adds nothing; a pattern that is no more
 * than a literal or a prefix becomes one; what cannot be evaluated (a template
 * with unpaired braces, a broken pointer, a string too long) makes the rule one
 * that never matches.  "exact" may be NULL: what is named must then be there.
 */
void ngx_agilicus_token_ruleset_method(
    ngx_agilicus_token_ruleset_builder_t *b, const ngx_str_t *name);
void ngx_agilicus_token_ruleset_path(ngx_agilicus_token_ruleset_builder_t *b,
    const ngx_str_t *pattern);
void ngx_agilicus_token_ruleset_template(
    ngx_agilicus_token_ruleset_builder_t *b, const ngx_str_t *template,
    ngx_uint_t prefix);
void ngx_agilicus_token_ruleset_query(ngx_agilicus_token_ruleset_builder_t *b,
    const ngx_str_t *name, const ngx_str_t *exact);
void ngx_agilicus_token_ruleset_body(ngx_agilicus_token_ruleset_builder_t *b,
    const ngx_str_t *pointer, const ngx_str_t *exact);

/*
 * Adds matchers to the rule, "any" or all of which must hold, criteria to the
 * matcher, and operands to the criterion.  A criterion compares either with
 * another extractor or with operands: with one, or with a list of them.
 */
void ngx_agilicus_token_ruleset_matchers(
    ngx_agilicus_token_ruleset_builder_t *b, ngx_uint_t any);
void ngx_agilicus_token_ruleset_matcher(
    ngx_agilicus_token_ruleset_builder_t *b, const ngx_str_t *extractor,
    ngx_uint_t inverted, ngx_uint_t any);
void ngx_agilicus_token_ruleset_criterion(
    ngx_agilicus_token_ruleset_builder_t *b,
    ngx_agilicus_token_ruleset_operator_e op, const ngx_str_t *extractor,
    ngx_uint_t list);
void ngx_agilicus_token_ruleset_string(
    ngx_agilicus_token_ruleset_builder_t *b, const ngx_str_t *value);
void ngx_agilicus_token_ruleset_number(
    ngx_agilicus_token_ruleset_builder_t *b, int64_t value);

/*
 * Ends the packed form and returns its length in bytes, or 0 if anything did
 * not fit: what lies in the buffer must then not be used.  b->rules and
 * b->dropped say how many rules it has, and how many were left out.
 */
size_t ngx_agilicus_token_ruleset_end(
    ngx_agilicus_token_ruleset_builder_t *b);

/*
 * Opens a packed form of "len" bytes for ngx_agilicus_token_ruleset_next_host.
 * "rules" is the number of rules in it.  Returns NGX_OK, or NGX_ERROR where it
 * is no packed form of this version and length.
 */
ngx_int_t ngx_agilicus_token_ruleset_open(
    ngx_agilicus_token_ruleset_cursor_t *hosts, ngx_uint_t *rules,
    const u_char *packed, size_t len);

/*
 * Read the next host, rule or item and move on.  Strings point into the packed
 * form.  Return NGX_OK, NGX_DONE at the end, or NGX_ERROR where the rest cannot
 * be read: what belongs to it must then not allow anything.
 */
ngx_int_t ngx_agilicus_token_ruleset_next_host(
    ngx_agilicus_token_ruleset_cursor_t *hosts,
    ngx_agilicus_token_ruleset_host_t *host);
ngx_int_t ngx_agilicus_token_ruleset_next_rule(
    ngx_agilicus_token_ruleset_cursor_t *rules,
    ngx_agilicus_token_ruleset_rule_t *rule);
ngx_int_t ngx_agilicus_token_ruleset_next_item(
    ngx_agilicus_token_ruleset_cursor_t *items,
    ngx_agilicus_token_ruleset_item_t *item);

/*
 * Reads the next item if it is of this type.  NGX_OK, NGX_DECLINED if it is of
 * another type or there is none, or NGX_ERROR as above.
 */
ngx_int_t ngx_agilicus_token_ruleset_take_item(
    ngx_agilicus_token_ruleset_cursor_t *items,
    ngx_agilicus_token_ruleset_item_e type,
    ngx_agilicus_token_ruleset_item_t *item);

/*
 * The bit of a method as it stands in a request ("GET") and as it stands in a
 * rule ("get", "all"), or 0.  Both are compared byte for byte.
 */
uint32_t ngx_agilicus_token_ruleset_method_bit(const ngx_str_t *method);
uint32_t ngx_agilicus_token_ruleset_method_name(const ngx_str_t *name);

/*
 * Takes the port and one trailing dot off a host.  NGX_DECLINED if what is left
 * is no name of a host: letters in any case, digits, "-", "_" and single dots,
 * or an IPv6 address in brackets.
 */
ngx_int_t ngx_agilicus_token_ruleset_host_name(const ngx_str_t *host,
    ngx_str_t *name);

/*
 * Whether "host", as a client or a configuration may write it, is the host
 * whose normalised name is "name"; returns 1 or 0.
 */
ngx_uint_t ngx_agilicus_token_ruleset_is_host(const ngx_str_t *name,
    const ngx_str_t *host);

/*
 * Says what a pattern begins with: with a literal of literal->len bytes, at the
 * start of the text if "at_start"; and, in "kind" and "at_end", what follows:
 * nothing, ".*", or something that only a regular expression can tell.  Writes
 * the literal to "out", unless that is NULL.
 */
void ngx_agilicus_token_ruleset_literal(const ngx_str_t *pattern,
    ngx_agilicus_token_ruleset_literal_t *literal, u_char *out);

/*
 * Whether a template is one ("/a/{name}/b": at most one name in a segment), and
 * a JSON pointer one (RFC 6901, not empty); return 1 or 0.
 */
ngx_uint_t ngx_agilicus_token_ruleset_is_template(const ngx_str_t *template);
ngx_uint_t ngx_agilicus_token_ruleset_is_pointer(const ngx_str_t *pointer);

/*
 * The hash of a pattern, as items have it.
 */
uint32_t ngx_agilicus_token_ruleset_hash(const ngx_str_t *s);


#endif /* _NGX_AGILICUS_TOKEN_RULESET_H_INCLUDED_ */
