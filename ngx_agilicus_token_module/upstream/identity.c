
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/identity.h"
#include "request/headers.h"
#include "token/field.h"
#include "upstream/exchange.h"
#include "token/bearer.h"
#include "token/text.h"


/* headers that are longer, in bytes with their names, are warned of once */
#define NGX_AGT_IDENTITY_LARGE  4096


typedef enum {
    NGX_AGT_IDENTITY_TEXT = 0,
    NGX_AGT_IDENTITY_LIST,
    NGX_AGT_IDENTITY_TIME    /* exp */
} ngx_agt_identity_type_e;


typedef struct {
    ngx_str_t                name;      /* in the configuration */
    ngx_str_t                header;    /* after the prefix */
    size_t                   offset;    /* of a text in the facts */
    ngx_agt_identity_type_e  type;
    ngx_agt_facts_list_e     list;
} ngx_agt_identity_field_t;


#define ngx_agt_identity_text(name, header, member)                           \
    { ngx_string(name), ngx_string(header), offsetof(ngx_agt_facts_t, member), \
      NGX_AGT_IDENTITY_TEXT, 0 }

#define ngx_agt_identity_list(name, header, list)                             \
    { ngx_string(name), ngx_string(header), 0, NGX_AGT_IDENTITY_LIST, list }


static ngx_int_t ngx_agt_identity_keep(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_int_t ngx_agt_identity_connection(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf, ngx_table_elt_t *h);
static ngx_uint_t ngx_agt_identity_is_name(
    const ngx_agt_main_conf_t *mcf, const u_char *name,
    size_t len);
static u_char ngx_agt_identity_fold(u_char ch);
static ngx_int_t ngx_agt_identity_header(ngx_http_request_t *r,
    ngx_agt_identity_conf_t *identity, const ngx_agt_facts_t *facts,
    const ngx_agt_identity_field_t *field);
static ngx_int_t ngx_agt_identity_value(ngx_http_request_t *r,
    const ngx_agt_identity_conf_t *identity, const ngx_agt_facts_t *facts,
    const ngx_agt_identity_field_t *field, ngx_str_t *value);


/* 1 once this worker has warned of a large header */
static ngx_uint_t  ngx_agt_identity_warned;


/* the defaults first: their bits are NGX_AGT_IDENTITY_FIELDS */

static const ngx_agt_identity_field_t  ngx_agt_identity_fields[] = {
    ngx_agt_identity_text("sub", "Sub", sub),
    ngx_agt_identity_text("email", "Email", email),
    ngx_agt_identity_text("org", "Org", org),
    ngx_agt_identity_text("jti", "Jti", jti),
    ngx_agt_identity_list("scopes", "Scopes", NGX_AGT_FACTS_SCOPES),
    ngx_agt_identity_list("roles", "Roles", NGX_AGT_FACTS_ROLES),
    ngx_agt_identity_text("root_org", "Root-Org", root_org),
    ngx_agt_identity_text("session", "Session", session),
    ngx_agt_identity_list("aud", "Aud", NGX_AGT_FACTS_AUD),
    { ngx_string("exp"), ngx_string("Exp"), 0, NGX_AGT_IDENTITY_TIME, 0 },
    { ngx_null_string, ngx_null_string, 0, NGX_AGT_IDENTITY_TEXT, 0 }
};


/*
 * Only this module may set identity headers.  If they are configured anywhere,
 * fields of their names are taken out of every request before another module
 * reads it.
 */

ngx_int_t
ngx_agt_identity_post_read_handler(ngx_http_request_t *r)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    if (ngx_agt_identity_remove(r, mcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_agt_identity_remove(ngx_http_request_t *r, const ngx_agt_main_conf_t *mcf)
{
    return ngx_agt_headers_copy(r, ngx_agt_identity_keep, mcf);
}


static ngx_int_t
ngx_agt_identity_keep(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    const ngx_agt_main_conf_t *mcf = data;

    if (ngx_agt_identity_is_name(mcf, h->key.data, h->key.len)) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "agilicus token: identity header taken out");
        return NGX_DECLINED;
    }

    return ngx_agt_headers_is(h, "Connection")
           ? ngx_agt_identity_connection(r, mcf, h) : NGX_OK;
}


/*
 * RFC 9110, section 7.6.1: a proxy drops the headers that Connection names.  A
 * client must not have identity headers or Authorization dropped that way where
 * "Connection" is forwarded.
 */

static ngx_int_t
ngx_agt_identity_connection(ngx_http_request_t *r,
    const ngx_agt_main_conf_t *mcf, ngx_table_elt_t *h)
{
    u_char     *dst;
    ngx_str_t   rest, name;

    rest = h->value;

    dst = ngx_pnalloc(r->pool, h->value.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    h->value.data = dst;

    while (ngx_agt_text_piece(&rest, ',', &name)) {
        ngx_agt_bearer_strip(&name);

        if (name.len == 0
            || ngx_agt_identity_is_name(mcf, name.data, name.len)
            || ngx_agt_text_is(&name, "authorization"))
        {
            continue;
        }

        if (dst != h->value.data) {
            *dst++ = ',';
        }

        dst = ngx_cpymem(dst, name.data, name.len);
    }

    *dst = '\0';
    h->value.len = dst - h->value.data;

    return NGX_OK;
}


/* whether a name begins with a configured prefix, in any spelling */

static ngx_uint_t
ngx_agt_identity_is_name(const ngx_agt_main_conf_t *mcf,
    const u_char *name, size_t len)
{
    size_t            j;
    ngx_uint_t        i;
    const ngx_str_t  *prefix;

    prefix = mcf->identity.elts;

    for (i = 0; i < mcf->identity.nelts; i++) {

        if (len < prefix[i].len) {
            continue;
        }

        for (j = 0; j < prefix[i].len; j++) {
            if (ngx_agt_identity_fold(name[j])
                != ngx_agt_identity_fold(prefix[i].data[j]))
            {
                break;
            }
        }

        if (j == prefix[i].len) {
            return 1;
        }
    }

    return 0;
}


/* CGI gives all of these characters the same name */

static u_char
ngx_agt_identity_fold(u_char ch)
{
    if (ch == '_' || ch == '.') {
        return '-';
    }

    return ngx_tolower(ch);
}


ngx_uint_t
ngx_agt_identity_field(const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; ngx_agt_identity_fields[i].name.len; i++) {
        if (ngx_agt_text_equal(&ngx_agt_identity_fields[i].name, name)) {
            return (ngx_uint_t) 1 << i;
        }
    }

    return 0;
}


ngx_uint_t
ngx_agt_identity_tells_rights(const ngx_agt_identity_conf_t *identity)
{
    static const ngx_str_t  roles = ngx_string("roles");

    return (identity->fields & ngx_agt_identity_field(&roles)) != 0;
}


ngx_int_t
ngx_agt_identity_add(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t              i;
    const ngx_agt_facts_t  *facts;

    /* facts of the token that goes upstream */

    if (lcf->reissue && ctx->exchange == NULL) {
        return NGX_OK;
    }

    facts = lcf->reissue ? &ctx->exchange->facts : &ctx->facts;

    for (i = 0; ngx_agt_identity_fields[i].name.len; i++) {
        if ((lcf->identity->fields & (ngx_uint_t) 1 << i)
            && ngx_agt_identity_header(r, lcf->identity, facts,
                                       &ngx_agt_identity_fields[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_identity_header(ngx_http_request_t *r,
    ngx_agt_identity_conf_t *identity, const ngx_agt_facts_t *facts,
    const ngx_agt_identity_field_t *field)
{
    u_char     *last;
    ngx_str_t   key, value;

    if (ngx_agt_identity_value(r, identity, facts, field, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a claim that is no text for a header is left out */

    if (value.len == 0) {
        return NGX_OK;
    }

    key.len = identity->prefix.len + field->header.len;
    key.data = ngx_pnalloc(r->pool, key.len + 1);
    if (key.data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(key.data, identity->prefix.data, identity->prefix.len);
    last = ngx_cpymem(last, field->header.data, field->header.len);
    *last = '\0';

    if (key.len + sizeof(": ") - 1 + value.len > NGX_AGT_IDENTITY_LARGE
        && !ngx_agt_identity_warned)
    {
        ngx_agt_identity_warned = 1;

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "agilicus token: the identity header \"%V\" is longer "
                      "than %d bytes, and upstream may refuse it: leave it out "
                      "with \"fields=\", or allow it there",
                      &key, NGX_AGT_IDENTITY_LARGE);
    }

    return ngx_agt_headers_add(r, &key, &value) ? NGX_OK : NGX_ERROR;
}


/* header values end with a null in nginx */

static ngx_int_t
ngx_agt_identity_value(ngx_http_request_t *r,
    const ngx_agt_identity_conf_t *identity, const ngx_agt_facts_t *facts,
    const ngx_agt_identity_field_t *field, ngx_str_t *value)
{
    size_t            len;
    u_char           *last;
    const ngx_str_t  *text;

    text = (const ngx_str_t *) ((const u_char *) facts + field->offset);

    switch (field->type) {

    case NGX_AGT_IDENTITY_TIME:
        len = NGX_INT64_LEN;
        break;

    case NGX_AGT_IDENTITY_LIST:
        len = facts->lists[field->list].end - facts->lists[field->list].pos;
        break;

    default: /* NGX_AGT_IDENTITY_TEXT */
        len = text->len;
    }

    if (identity->percent) {
        len *= NGX_AGT_FIELD_PERCENT;
    }

    value->data = ngx_pnalloc(r->pool, len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    last = value->data;

    switch (field->type) {

    case NGX_AGT_IDENTITY_TIME:
        if (facts->has_exp) {
            last = ngx_sprintf(last, "%L", facts->exp);
        }

        break;

    case NGX_AGT_IDENTITY_LIST:
        last = ngx_agt_field_list(last, facts, field->list, identity->percent);
        break;

    default: /* NGX_AGT_IDENTITY_TEXT */
        last = ngx_agt_field_text(last, text, "", identity->percent);
    }

    value->len = last ? last - value->data : 0;
    value->data[value->len] = '\0';

    return NGX_OK;
}
