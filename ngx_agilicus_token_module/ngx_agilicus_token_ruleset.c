
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_ruleset.h"


/*
 * All headers are copied in and out, for the packed form may lie at any
 * address.  "size" is the whole length of what begins with the header.
 */

#define NGX_AGILICUS_TOKEN_RULESET_SEPARATE_QUERY  0x01
#define NGX_AGILICUS_TOKEN_RULESET_ANY_MATCHER     0x02
#define NGX_AGILICUS_TOKEN_RULESET_PATHS           0x04
#define NGX_AGILICUS_TOKEN_RULESET_TEMPLATES       0x08
#define NGX_AGILICUS_TOKEN_RULESET_MATCHERS        0x10

#define NGX_AGILICUS_TOKEN_RULESET_AT_START        0x01
#define NGX_AGILICUS_TOKEN_RULESET_AT_END          0x02
#define NGX_AGILICUS_TOKEN_RULESET_IS_PREFIX       0x04
#define NGX_AGILICUS_TOKEN_RULESET_HAS_VALUE       0x08
#define NGX_AGILICUS_TOKEN_RULESET_INVERTED        0x10
#define NGX_AGILICUS_TOKEN_RULESET_ANY             0x20
#define NGX_AGILICUS_TOKEN_RULESET_IS_NUMBER       0x40
#define NGX_AGILICUS_TOKEN_RULESET_IS_LIST         0x80


typedef struct {
    uint32_t      version;
    uint32_t      size;
    uint32_t      rules;
} ngx_agilicus_token_ruleset_header_t;


typedef struct {
    uint32_t      size;
    uint32_t      name;
} ngx_agilicus_token_ruleset_host_header_t;


typedef struct {
    uint32_t      size;
    uint32_t      methods;
    uint32_t      flags;
} ngx_agilicus_token_ruleset_rule_header_t;


typedef struct {
    uint8_t       type;
    uint8_t       kind;
    uint8_t       flags;
    uint8_t       reserved;
    uint16_t      text;
    uint16_t      value;
    uint32_t      hash;
} ngx_agilicus_token_ruleset_item_header_t;


/* an item on its way in */

typedef struct {
    uint8_t       type;
    uint8_t       kind;
    uint8_t       flags;
    uint32_t      hash;
    ngx_str_t     text;
    ngx_str_t     value;
} ngx_agilicus_token_ruleset_part_t;


static void ngx_agilicus_token_ruleset_add(
    ngx_agilicus_token_ruleset_builder_t *b,
    const ngx_agilicus_token_ruleset_part_t *part);
static void ngx_agilicus_token_ruleset_write(
    ngx_agilicus_token_ruleset_builder_t *b, const void *data, size_t len);
static void ngx_agilicus_token_ruleset_patch(u_char *p, uint32_t value);
static size_t ngx_agilicus_token_ruleset_literal(const ngx_str_t *pattern,
    size_t *len, u_char *out);
static size_t ngx_agilicus_token_ruleset_character(const u_char *p,
    const u_char *end);
static uint32_t ngx_agilicus_token_ruleset_hash(const ngx_str_t *s);
static ngx_uint_t ngx_agilicus_token_ruleset_is_template(const ngx_str_t *t);
static ngx_uint_t ngx_agilicus_token_ruleset_is_pointer(const ngx_str_t *p);
static ngx_int_t ngx_agilicus_token_ruleset_take(
    ngx_agilicus_token_ruleset_cursor_t *c, size_t header, void *h,
    ngx_agilicus_token_ruleset_cursor_t *content);


void
ngx_agilicus_token_ruleset_begin(ngx_agilicus_token_ruleset_builder_t *b,
    u_char *buf, size_t size)
{
    ngx_agilicus_token_ruleset_header_t  h;

    ngx_memzero(b, sizeof(ngx_agilicus_token_ruleset_builder_t));

    b->start = buf;
    b->pos = buf;
    b->end = buf + size;

    ngx_memzero(&h, sizeof(h));

    ngx_agilicus_token_ruleset_write(b, &h, sizeof(h));
}


ngx_int_t
ngx_agilicus_token_ruleset_host(ngx_agilicus_token_ruleset_builder_t *b,
    const ngx_str_t *name)
{
    ngx_agilicus_token_ruleset_host_header_t   h;

    ngx_agilicus_token_ruleset_host_end(b);

    return NGX_OK;
}
