
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/variables.h"
#include "request/context.h"
#include "request/detail.h"
#include "request/early.h"
#include "json/members.h"
#include "json/object.h"
#include "token/base64url.h"
#include "token/field.h"


static ngx_int_t ngx_agt_read_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_word_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_detail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_age_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_api_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_fingerprint_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_string_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_list_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_json_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_agt_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_agt_facts_t *ngx_agt_variable_facts(ngx_http_request_t *r);
static ngx_int_t ngx_agt_variable_text(
    ngx_http_variable_value_t *v, const ngx_str_t *value);
static ngx_int_t ngx_agt_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, int64_t number);


#define NGX_AGT_CLAIM  "agilicus_token_claim_"

#define ngx_agt_variable(name, handler, data)                                \
    { ngx_string("agilicus_token_" name), NULL, handler, data,               \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }

#define ngx_agt_fact(name, handler, member)                                  \
    ngx_agt_variable(name, handler,                                          \
                                offsetof(ngx_agt_facts_t, member))


static ngx_http_variable_t  ngx_agt_variables[] = {

    ngx_agt_variable("verdict", ngx_agt_word_variable, 0),
    ngx_agt_variable("reason", ngx_agt_word_variable, 1),
    ngx_agt_variable("detail", ngx_agt_detail_variable, 0),
    ngx_agt_variable("cache", ngx_agt_cache_variable, 0),
    ngx_agt_variable("age", ngx_agt_age_variable, 0),
    ngx_agt_variable("api_time", ngx_agt_api_time_variable, 0),
    ngx_agt_variable("fingerprint", ngx_agt_fingerprint_variable, 0),

    ngx_agt_fact("sub", ngx_agt_string_variable, sub),
    ngx_agt_fact("email", ngx_agt_string_variable, email),
    ngx_agt_fact("org", ngx_agt_string_variable, org),
    ngx_agt_fact("root_org", ngx_agt_string_variable, root_org),
    ngx_agt_fact("jti", ngx_agt_string_variable, jti),
    ngx_agt_fact("session", ngx_agt_string_variable, session),
    ngx_agt_variable("aud", ngx_agt_list_variable, NGX_AGT_FACTS_AUD),
    ngx_agt_variable("scopes", ngx_agt_list_variable, NGX_AGT_FACTS_SCOPES),
    ngx_agt_variable("roles", ngx_agt_list_variable, NGX_AGT_FACTS_ROLES),
    ngx_agt_variable("iat", ngx_agt_time_variable, 0),
    ngx_agt_variable("exp", ngx_agt_time_variable, 1),
    ngx_agt_variable("mfa_time", ngx_agt_time_variable, 2),
    ngx_agt_variable("json", ngx_agt_json_variable, 0),

    { ngx_string(NGX_AGT_CLAIM), NULL,
      ngx_agt_claim_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    ngx_http_null_variable
};


static const ngx_str_t  ngx_agt_cache_words[] = {
    ngx_string(""),
    ngx_string("HIT"),
    ngx_string("MISS"),
    ngx_string("JOINED"),
    ngx_string("UPDATING"),
    ngx_string("STALE"),
    ngx_string("BYPASS")
};


ngx_int_t
ngx_agt_variables_add(ngx_conf_t *cf)
{
    return ngx_agt_variables_add_table(cf, ngx_agt_variables);
}


ngx_int_t
ngx_agt_variables_add_table(ngx_conf_t *cf, ngx_http_variable_t *table)
{
    ngx_http_variable_t  *var, *v;

    for (v = table; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_agt_read_variable;
        var->data = (uintptr_t) v;

        if (v->flags & NGX_HTTP_VAR_PREFIX) {
            var->get_handler = v->get_handler;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_agt_variables_check(ngx_conf_t *cf)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    const char                 *own;
    ngx_http_variable_t        *v, *used;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    used = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (used[i].name.len < sizeof(NGX_AGT_CLAIM) - 1
            || ngx_strncmp(used[i].name.data, NGX_AGT_CLAIM,
                           sizeof(NGX_AGT_CLAIM) - 1)
               != 0)
        {
            continue;
        }

        name.len = used[i].name.len - (sizeof(NGX_AGT_CLAIM) - 1);
        name.data = used[i].name.data + sizeof(NGX_AGT_CLAIM) - 1;

        own = ngx_agt_json_member_variable(name.data, name.len);

        if (own[0] != '\0' && ngx_strcmp(own, "claim") != 0) {
            name.len = ngx_strlen(own);
            name.data = (u_char *) own;
        }

        for (v = ngx_agt_variables; v->name.len; v++) {

            if (v->get_handler != ngx_agt_string_variable
                && v->get_handler != ngx_agt_list_variable
                && v->get_handler != ngx_agt_time_variable)
            {
                continue;
            }

            if (v->name.len == sizeof("agilicus_token_") - 1 + name.len
                && ngx_strncmp(v->name.data + sizeof("agilicus_token_") - 1,
                               name.data, name.len)
                   == 0)
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "unknown \"%V\" variable: write \"$%V\"",
                              &used[i].name, &v->name);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* the getter of all variables of tables but $agilicus_token_claim_... */

static ngx_int_t
ngx_agt_read_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_http_variable_t *var = (ngx_http_variable_t *) data;

    if (ngx_agt_early_check(r, &var->name)) {
        return ngx_agt_variables_set(v, NULL);
    }

    return var->get_handler(r, v, var->data);
}


static ngx_int_t
ngx_agt_word_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || ctx->life < NGX_AGT_LIFE_DONE) {
        return ngx_agt_variables_set(v, NULL);
    }

    return ngx_agt_variables_set(v,
               data ? ngx_agt_reason_word(ctx->decision.reason)
                    : ngx_agt_verdict_word(ctx->decision.verdict));
}


static ngx_int_t
ngx_agt_detail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t       value;
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || ctx->life < NGX_AGT_LIFE_DONE) {
        return ngx_agt_variables_set(v, NULL);
    }

    value.data = ngx_pnalloc(r->pool, NGX_AGT_DETAIL_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_agt_detail(ctx, value.data);

    return ngx_agt_variables_set(v, &value);
}


static ngx_int_t
ngx_agt_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    return ngx_agt_variables_set(v,
               ctx ? &ngx_agt_cache_words[ctx->cache] : NULL);
}


static ngx_int_t
ngx_agt_age_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    uint64_t        now;
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || ctx->sent == 0) {
        return ngx_agt_variables_set(v, NULL);
    }

    now = ngx_agt_clock_mono();

    return ngx_agt_variable_number(r, v,
                    now > ctx->sent ? (int64_t) ((now - ctx->sent) / 1000)
                                    : 0);
}


static ngx_int_t
ngx_agt_api_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char         *p;
    ngx_str_t       value;
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || !ctx->has_api_time) {
        return ngx_agt_variables_set(v, NULL);
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%T.%03M", (time_t) (ctx->api_time / 1000),
                            ctx->api_time % 1000)
                - p;

    return ngx_agt_variables_set(v, &value);
}


static ngx_int_t
ngx_agt_fingerprint_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t       value;
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || !ctx->has_digest) {
        return ngx_agt_variables_set(v, NULL);
    }

    value.len = NGX_AGT_FINGERPRINT_LEN;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_agt_digest_fingerprint(ctx->digest, value.data);

    return ngx_agt_variables_set(v, &value);
}


static ngx_int_t
ngx_agt_string_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_facts_t  *facts;

    facts = ngx_agt_variable_facts(r);

    return ngx_agt_variable_text(v,
               facts ? (ngx_str_t *) ((u_char *) facts + data) : NULL);
}


static ngx_int_t
ngx_agt_list_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              value;
    ngx_agt_facts_t       *facts;
    const ngx_agt_list_t  *list;

    facts = ngx_agt_variable_facts(r);

    if (facts == NULL) {
        return ngx_agt_variables_set(v, NULL);
    }

    /* an item takes two bytes for its length: there is room for separators */

    list = &facts->lists[data];

    value.data = ngx_pnalloc(r->pool, list->end - list->pos + 1);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_agt_field_list(value.data, facts, data, 0) - value.data;

    return ngx_agt_variables_set(v, &value);
}


static ngx_int_t
ngx_agt_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_agt_facts_t  *facts;

    facts = ngx_agt_variable_facts(r);

    if (facts && data == 0 && facts->has_iat) {
        return ngx_agt_variable_number(r, v, facts->iat);
    }

    if (facts && data == 1 && facts->has_exp) {
        return ngx_agt_variable_number(r, v, facts->exp);
    }

    if (facts && data == 2 && facts->has_mfa) {
        return ngx_agt_variable_number(r, v, facts->mfa);
    }

    return ngx_agt_variables_set(v, NULL);
}


static ngx_int_t
ngx_agt_json_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t            len;
    u_char           *p;
    ngx_str_t         value;
    ngx_agt_facts_t  *facts;

    facts = ngx_agt_variable_facts(r);

    if (facts == NULL) {
        return ngx_agt_variables_set(v, NULL);
    }

    len = ngx_agt_json_object(NULL, facts);

    value.len = ngx_agt_base64url_len(len);
    value.data = ngx_pnalloc(r->pool, value.len);
    p = ngx_pnalloc(r->pool, len);

    if (value.data == NULL || p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_agt_json_object(p, facts);

    ngx_agt_base64url_encode(p, len, value.data);

    return ngx_agt_variables_set(v, &value);
}


static ngx_int_t
ngx_agt_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    ngx_str_t         claim, value;
    ngx_agt_facts_t  *facts;

    if (ngx_agt_early_check(r, name)) {
        return ngx_agt_variables_set(v, NULL);
    }

    facts = ngx_agt_variable_facts(r);

    claim.len = name->len - (sizeof(NGX_AGT_CLAIM) - 1);
    claim.data = name->data + sizeof(NGX_AGT_CLAIM) - 1;

    if (facts == NULL
        || ngx_agt_facts_find(
               &facts->lists[NGX_AGT_FACTS_CLAIMS], &claim, &value)
           != NGX_OK)
    {
        return ngx_agt_variables_set(v, NULL);
    }

    (void) ngx_agt_json_claim_text(&value);

    return ngx_agt_variable_text(v, &value);
}


static ngx_agt_facts_t *
ngx_agt_variable_facts(ngx_http_request_t *r)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_find(r);

    if (ctx == NULL || !ctx->has_facts) {
        return NULL;
    }

    /* only the log is left to be written, and it names the user */

    if (ctx->cut) {
        return &ctx->facts;
    }

    switch (ctx->decision.verdict) {

    /* requirements are evaluated before there is a verdict */

    case NGX_AGT_VERDICT_NONE:

        if (ngx_agt_policy_expired(&ctx->facts, ctx->leeway,
                                   ctx->late, ngx_time()))
        {
            return NULL;
        }

        return &ctx->facts;

    case NGX_AGT_VERDICT_ACTIVE:
    case NGX_AGT_VERDICT_STEP_UP:
    case NGX_AGT_VERDICT_FORBIDDEN:
        return &ctx->facts;

    /* variables of a token that was refused are empty */

    default:
        return NULL;
    }
}


/* text that could end a header, or a line of a log, makes an empty value */

static ngx_int_t
ngx_agt_variable_text(ngx_http_variable_value_t *v, const ngx_str_t *value)
{
    size_t  i;

    if (value == NULL) {
        return ngx_agt_variables_set(v, NULL);
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f) {
            return ngx_agt_variables_set(v, NULL);
        }
    }

    return ngx_agt_variables_set(v, value);
}


ngx_int_t
ngx_agt_variables_set(ngx_http_variable_value_t *v, const ngx_str_t *value)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (value && value->len) {
        v->len = (unsigned) value->len;
        v->data = value->data;

    } else {
        v->len = 0;
        v->data = (u_char *) "";
    }

    return NGX_OK;
}


static ngx_int_t
ngx_agt_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, int64_t number)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%L", number) - value.data;

    return ngx_agt_variables_set(v, &value);
}
