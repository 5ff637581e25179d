
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_RULESET_H_INCLUDED_
#define _NGX_AGT_RULES_RULESET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The host rules of one token (API: hosts[].allowed_list), packed: one run of
 * bytes without a pointer in it, so that it can lie in shared memory at any
 * address.
 *
 *     header | host | rule | item item ... | rule | item ... | host | ...
 *
 * A rule that can never match is left out, since rules only allow.  The packed
 * form contains no decision: rules (level 1) reads it again for each request.
 */

#define NGX_AGT_RULESET_VERSION   1

/* the longest string that an item can hold, in bytes */
#define NGX_AGT_RULESET_MAX_STR   0xffff

/* the longest name of a host */
#define NGX_AGT_RULESET_MAX_HOST  255

/* rule.methods: one bit for each method of the API, and one for "all" */
#define NGX_AGT_RULESET_ALL       0x80000000


typedef enum {
    NGX_AGT_RULESET_PATH = 1,   /* text: to compare with */
    NGX_AGT_RULESET_TEMPLATE,   /* text: the template */
    NGX_AGT_RULESET_QUERY,      /* text: name, value: exact match */
    NGX_AGT_RULESET_MATCHER,    /* text: extractor */
    NGX_AGT_RULESET_CRITERION,  /* of the matcher; text: extractor */
    NGX_AGT_RULESET_OPERAND,    /* of the criterion; text: string */
    NGX_AGT_RULESET_BODY        /* text: pointer, value: exact */
} ngx_agt_ruleset_item_e;


/* how a path is compared; a pattern is the source of a regular expression */

typedef enum {
    NGX_AGT_RULESET_LITERAL = 0,
    NGX_AGT_RULESET_PREFIX,     /* a literal and then ".*" */
    NGX_AGT_RULESET_PATTERN
} ngx_agt_ruleset_path_e;


typedef enum {
    NGX_AGT_RULESET_EQUALS = 0,
    NGX_AGT_RULESET_NOT_EQUALS,
    NGX_AGT_RULESET_GREATER,
    NGX_AGT_RULESET_LESS,
    NGX_AGT_RULESET_IN,
    NGX_AGT_RULESET_NOT_IN,
    NGX_AGT_RULESET_UNDEFINED
} ngx_agt_ruleset_operator_e;


/* the part that is still to be read; a plain copy of it is a bookmark */

typedef struct {
    const u_char                  *pos;
    const u_char                  *end;
} ngx_agt_ruleset_cursor_t;


typedef struct {
    ngx_str_t                 name;   /* normalised */
    ngx_agt_ruleset_cursor_t  rules;
} ngx_agt_ruleset_host_t;


typedef struct {
    uint32_t                  methods;
    uint32_t                  flags;
    ngx_agt_ruleset_cursor_t  items;   /* by type, in its order */

    /*
     * Where the rule has only one path, which is a literal or a prefix: the
     * path's length and last bytes.  They are enough to pass over most rules.
     * "len" is 0, or the last 8 bytes are in "ending", or 4 if the path has no
     * more than 7.
     */

    size_t                    len;
    const u_char             *ending;
} ngx_agt_ruleset_rule_t;


#define NGX_AGT_RULESET_SEPARATE_QUERY  0x01
#define NGX_AGT_RULESET_ANY_MATCHER     0x02    /* else all */

/* the rule has such items; one of them, or of matchers all, must match */
#define NGX_AGT_RULESET_PATHS           0x04
#define NGX_AGT_RULESET_TEMPLATES       0x08
#define NGX_AGT_RULESET_MATCHERS        0x10


typedef struct {
    ngx_agt_ruleset_item_e  type;

    ngx_uint_t              kind;   /* of a path, a criterion */
    ngx_uint_t              flags;
    uint32_t                hash;   /* of a pattern */

    ngx_str_t               text;
    ngx_str_t               value;  /* a pattern: how it begins */
} ngx_agt_ruleset_item_t;


/* flags of an item: of a path, a template, a matcher, an operand */

#define NGX_AGT_RULESET_AT_START   0x01    /* "^" */
#define NGX_AGT_RULESET_AT_END     0x02    /* "$" */
#define NGX_AGT_RULESET_IS_PREFIX  0x04
#define NGX_AGT_RULESET_INVERTED   0x08
#define NGX_AGT_RULESET_ANY        0x10    /* of its criteria */
#define NGX_AGT_RULESET_IS_NUMBER  0x20

/* a query parameter or a body has a value, a criterion an extractor */
#define NGX_AGT_RULESET_HAS_VALUE  0x40

/* the criterion has a list of operands */
#define NGX_AGT_RULESET_IS_LIST    0x80


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
} ngx_agt_ruleset_builder_t;


/*
 * Starts a packed form in "buf" of "size" bytes, which the caller owns.
 */
void ngx_agt_ruleset_begin(ngx_agt_ruleset_builder_t *b,
    u_char *buf, size_t size);

/*
 * Starts the rules of a host.  Its name is normalised: lower case, without port
 * and trailing dot.  Returns NGX_DECLINED where this leaves no valid name of a
 * host; no rules must then be added.  A host without rules is left out.
 */
ngx_int_t ngx_agt_ruleset_host(
    ngx_agt_ruleset_builder_t *b, const ngx_str_t *name);

/*
 * Start a rule of the host, and end it.  The rule is left out, and b->dropped
 * grows by one, if the rule has no method, neither path nor template, or never
 * matches.
 */
void ngx_agt_ruleset_rule(ngx_agt_ruleset_builder_t *b);
void ngx_agt_ruleset_rule_end(ngx_agt_ruleset_builder_t *b);

/*
 * Keeps the query from the paths of the rule.
 */
void ngx_agt_ruleset_separate_query(ngx_agt_ruleset_builder_t *b);

/*
 * Says that the rule cannot be evaluated, and so never matches.
 */
void ngx_agt_ruleset_never(ngx_agt_ruleset_builder_t *b);

/*
 * Adds to the rule.  Items must come in the order of their enumeration.  A
 * method that the API does not know adds nothing; a pattern that is no more
 * than a literal or a prefix becomes one.  An item that cannot be evaluated (a
 * template with unpaired braces, a broken pointer, a string too long) makes the
 * rule one that never matches.  "exact" may be NULL: the named parameter or
 * member must then be there, with any value.
 */
void ngx_agt_ruleset_method(
    ngx_agt_ruleset_builder_t *b, const ngx_str_t *name);
void ngx_agt_ruleset_path(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *pattern);
void ngx_agt_ruleset_template(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *template, ngx_uint_t prefix);
void ngx_agt_ruleset_query(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *name, const ngx_str_t *exact);
void ngx_agt_ruleset_body(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *pointer, const ngx_str_t *exact);

/*
 * Adds matchers to the rule, "any" or all of which must hold, criteria to the
 * matcher, and operands to the criterion.  A criterion compares either with
 * another extractor or with operands: with one, or with a list of them.
 */
void ngx_agt_ruleset_matchers(ngx_agt_ruleset_builder_t *b, ngx_uint_t any);
void ngx_agt_ruleset_matcher(ngx_agt_ruleset_builder_t *b,
    const ngx_str_t *extractor, ngx_uint_t inverted, ngx_uint_t any);
void ngx_agt_ruleset_criterion(ngx_agt_ruleset_builder_t *b,
    ngx_agt_ruleset_operator_e op, const ngx_str_t *extractor,
    ngx_uint_t list);
void ngx_agt_ruleset_string(
    ngx_agt_ruleset_builder_t *b, const ngx_str_t *value);
void ngx_agt_ruleset_number(ngx_agt_ruleset_builder_t *b, int64_t value);

/*
 * Ends the packed form and returns its length in bytes, or 0 if something did
 * not fit: the content of the buffer must then not be used.  b->rules and
 * b->dropped say how many rules it has, and how many were left out.
 */
size_t ngx_agt_ruleset_end(ngx_agt_ruleset_builder_t *b);

/*
 * Opens a packed form of "len" bytes for ngx_agt_ruleset_next_host()
 * (below).  "rules" is the number of rules in it.  Returns NGX_OK, or NGX_ERROR
 * where it is no packed form of this version and length.
 */
ngx_int_t ngx_agt_ruleset_open(ngx_agt_ruleset_cursor_t *hosts,
    ngx_uint_t *rules, const u_char *packed, size_t len);

/*
 * Returns the number in an operand that is a number.
 */
int64_t ngx_agt_ruleset_operand(const ngx_agt_ruleset_item_t *item);


/*
 * The packed form: headers, each followed by its own strings and items.
 * Readers copy the headers out, since they may lie at any address.
 */

typedef struct {
    uint32_t      size;
    uint32_t      version;
    uint32_t      rules;
} ngx_agt_ruleset_header_t;


typedef struct {
    uint32_t      size;
    uint32_t      name;      /* length of the name, which comes first */
} ngx_agt_ruleset_host_header_t;


typedef struct {
    uint32_t      size;
    uint32_t      methods;
    uint16_t      flags;
    uint16_t      len;       /* of the only path, or 0 */
    u_char        ending[8]; /* its last 8 bytes, or 4 */
} ngx_agt_ruleset_rule_header_t;


typedef struct {
    uint8_t       type;
    uint8_t       kind;
    uint8_t       flags;
    uint8_t       reserved;
    uint16_t      text;      /* lengths of the two strings that follow */
    uint16_t      value;
    uint32_t      hash;
} ngx_agt_ruleset_item_header_t;


/*
 * Read the next host, rule or item and move on; the last function moves on only
 * if the item is of the type.  Strings point into the packed form.  Return
 * NGX_OK; NGX_DONE at the end, or NGX_DECLINED where the next item is not of
 * the type; or NGX_ERROR where the rest cannot be read: the host or rule that
 * is being read must then not allow anything.
 */

static ngx_inline ngx_int_t
ngx_agt_ruleset_next_host(ngx_agt_ruleset_cursor_t *hosts,
    ngx_agt_ruleset_host_t *host)
{
    size_t                         len;
    ngx_agt_ruleset_host_header_t  h;

    len = (size_t) (hosts->end - hosts->pos);

    if (len == 0) {
        return NGX_DONE;
    }

    if (len < sizeof(h)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&h, hosts->pos, sizeof(h));

    if (h.size > len || h.size < sizeof(h) || h.size - sizeof(h) < h.name) {
        return NGX_ERROR;
    }

    host->name.data = (u_char *) hosts->pos + sizeof(h);
    host->name.len = h.name;

    host->rules.pos = hosts->pos + sizeof(h) + h.name;
    host->rules.end = hosts->pos + h.size;

    hosts->pos = host->rules.end;

    return NGX_OK;
}


static ngx_inline ngx_int_t
ngx_agt_ruleset_next_rule(ngx_agt_ruleset_cursor_t *rules,
    ngx_agt_ruleset_rule_t *rule)
{
    size_t         len;
    uint16_t       flags, path;
    uint32_t       size;
    const u_char  *p;

    p = rules->pos;
    len = (size_t) (rules->end - p);

    if (len == 0) {
        return NGX_DONE;
    }

    if (len < sizeof(ngx_agt_ruleset_rule_header_t)) {
        return NGX_ERROR;
    }

    /* copied member by member: a copy of the whole would be read once more */

    ngx_memcpy(&size, p, sizeof(uint32_t));

    if (size > len || size < sizeof(ngx_agt_ruleset_rule_header_t)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&rule->methods,
               p + offsetof(ngx_agt_ruleset_rule_header_t, methods),
               sizeof(uint32_t));
    ngx_memcpy(&flags, p + offsetof(ngx_agt_ruleset_rule_header_t, flags),
               sizeof(uint16_t));
    ngx_memcpy(&path, p + offsetof(ngx_agt_ruleset_rule_header_t, len),
               sizeof(uint16_t));

    rule->flags = flags;
    rule->len = path;
    rule->ending = p + offsetof(ngx_agt_ruleset_rule_header_t, ending);

    rule->items.pos = p + sizeof(ngx_agt_ruleset_rule_header_t);
    rule->items.end = p + size;

    rules->pos = rule->items.end;

    return NGX_OK;
}


static ngx_inline ngx_int_t
ngx_agt_ruleset_next_item(ngx_agt_ruleset_cursor_t *items,
    ngx_agt_ruleset_item_e type, ngx_agt_ruleset_item_t *item)
{
    size_t                         len;
    ngx_agt_ruleset_item_header_t  h;

    len = (size_t) (items->end - items->pos);

    /* the type is the first byte of the header */

    if (len == 0 || *items->pos != type) {
        return NGX_DECLINED;
    }

    if (len < sizeof(h)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&h, items->pos, sizeof(h));

    if (len - sizeof(h) < (size_t) h.text + h.value) {
        return NGX_ERROR;
    }

    item->type = type;
    item->kind = h.kind;
    item->flags = h.flags;
    item->hash = h.hash;

    item->text.data = (u_char *) items->pos + sizeof(h);
    item->text.len = h.text;
    item->value.data = item->text.data + h.text;
    item->value.len = h.value;

    items->pos = item->value.data + h.value;

    return NGX_OK;
}


#endif /* _NGX_AGT_RULES_RULESET_H_INCLUDED_ */
