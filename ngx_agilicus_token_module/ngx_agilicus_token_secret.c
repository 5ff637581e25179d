
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_secret.h"


/* bytes of what is said of a token beside it */
#define NGX_AGILICUS_TOKEN_SECRET_MAX_PACKED  8192


static ngx_int_t ngx_agilicus_token_secret_candidate(
    ngx_agilicus_token_zone_t *zone, uint32_t context, ngx_uint_t place,
    u_char *key, u_char *packed, ngx_str_t *facts);


static ngx_str_t  ngx_agilicus_token_secret_of = ngx_string("parent");
static ngx_str_t  ngx_agilicus_token_secret_verified = ngx_string("verified");


size_t
ngx_agilicus_token_secret_pack(u_char *buf, size_t size,
    const ngx_agilicus_token_parent_t *parent, ngx_uint_t has_exp,
    int64_t exp, const ngx_str_t *jti)
{
    ngx_str_t                           digest;
    ngx_agilicus_token_facts_t          facts;
    ngx_agilicus_token_facts_builder_t  b;

    ngx_memzero(&facts, sizeof(ngx_agilicus_token_facts_t));

    if (parent->facts) {
        facts.sub = parent->facts->sub;
        facts.jti = parent->facts->jti;
        facts.session = parent->facts->session;
        facts.has_iat = parent->facts->has_iat;
        facts.iat = parent->facts->iat;
    }

    facts.has_exp = (has_exp != 0);
    facts.exp = exp;

    ngx_agilicus_token_facts_begin(&b, buf, size, &facts);
    ngx_agilicus_token_facts_list(&b, NGX_AGILICUS_TOKEN_FACTS_CLAIMS);

    if (parent->digest) {
        digest.data = (u_char *) parent->digest;
        digest.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

        ngx_agilicus_token_facts_add(&b, &ngx_agilicus_token_secret_of);
        ngx_agilicus_token_facts_add(&b, &digest);
    }

    if (jti) {
        ngx_agilicus_token_facts_add(&b, &ngx_agilicus_token_secret_verified);
        ngx_agilicus_token_facts_add(&b, jti);
    }

    return ngx_agilicus_token_facts_end(&b);
}


ngx_int_t
ngx_agilicus_token_secret_store(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key,
    ngx_agilicus_token_reason_e reason, const ngx_str_t *packed,
    const ngx_str_t *token, uint64_t sent)
{
    u_char     buf[NGX_AGILICUS_TOKEN_SECRET_MAX
                   + NGX_AGILICUS_TOKEN_SEAL_LEN];
    ngx_str_t  bound, sealed;

    if (token->len > NGX_AGILICUS_TOKEN_SECRET_MAX) {
        return NGX_DECLINED;
    }

    bound.data = (u_char *) key->key;
    bound.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

    if (ngx_agilicus_token_seal(token, &bound, buf) != NGX_OK) {
        return NGX_ERROR;
    }

    sealed.data = buf;
    sealed.len = token->len + NGX_AGILICUS_TOKEN_SEAL_LEN;

    return ngx_agilicus_token_cache_store(zone, key,
                                          NGX_AGILICUS_TOKEN_CLASS_ACTIVE,
                                          reason, packed, &sealed, sent, sent,
                                          0);
}


ngx_int_t
ngx_agilicus_token_secret_find(ngx_agilicus_token_zone_t *zone,
    const ngx_agilicus_token_cache_key_t *key, u_char *buf,
    ngx_agilicus_token_secret_t *secret)
{
    ngx_str_t                   bound;
    ngx_agilicus_token_facts_t  facts;
    ngx_agilicus_token_found_t  found;

    if (ngx_agilicus_token_cache_find(zone, key, 1, &found) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(secret, sizeof(ngx_agilicus_token_secret_t));

    secret->class = found.class;
    secret->reason = found.reason;
    secret->sent = found.sent;
    secret->serial = found.serial;
    secret->clean = found.clean;

    if (found.class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return NGX_OK;
    }

    bound.data = (u_char *) key->key;
    bound.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

    if (ngx_agilicus_token_facts_open(&facts, found.facts.data,
                                      found.facts.len)
            != NGX_OK
        || found.rules.len > NGX_AGILICUS_TOKEN_SECRET_MAX
                             + NGX_AGILICUS_TOKEN_SEAL_LEN
        || ngx_agilicus_token_seal_open(&found.rules, &bound, buf) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    secret->token.data = buf;
    secret->token.len = found.rules.len - NGX_AGILICUS_TOKEN_SEAL_LEN;
    secret->has_exp = facts.has_exp;
    secret->exp = facts.exp;
    secret->verified = (ngx_agilicus_token_facts_find(
                            &facts.lists[NGX_AGILICUS_TOKEN_FACTS_CLAIMS],
                            &ngx_agilicus_token_secret_verified, &secret->jti)
                        == NGX_OK);

    return NGX_OK;
}


ngx_int_t
ngx_agilicus_token_secret_parent(ngx_agilicus_token_facts_t *facts,
    ngx_str_t *digest)
{
    if (ngx_agilicus_token_facts_find(
            &facts->lists[NGX_AGILICUS_TOKEN_FACTS_CLAIMS],
            &ngx_agilicus_token_secret_of, digest)
            != NGX_OK
        || digest->len != NGX_AGILICUS_TOKEN_DIGEST_LEN)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_agilicus_token_secret_reap(ngx_agilicus_token_zone_t *zone,
    ngx_agilicus_token_denials_t *denials, uint32_t context,
    const u_char *api, ngx_uint_t *place, ngx_uint_t n, u_char *buf,
    const ngx_agilicus_token_clock_t *now,
    void (*handler)(void *data, const ngx_str_t *token, int64_t exp),
    void *data)
{
    u_char                           digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    u_char                           packed
                                     [NGX_AGILICUS_TOKEN_SECRET_MAX_PACKED];
    ngx_str_t                        bytes, parent;
    ngx_uint_t                       end;
    ngx_agilicus_token_facts_t       facts;
    ngx_agilicus_token_secret_t      secret;
    ngx_agilicus_token_cache_key_t   key;

    end = ngx_min(*place + n, zone->facts->nslots);

    key.key = digest;
    key.context = context;

    while (*place < end) {

        if (ngx_agilicus_token_secret_candidate(zone, context, *place, digest,
                                                packed, &bytes)
                != NGX_OK
            || ngx_agilicus_token_facts_open(&facts, bytes.data, bytes.len)
                != NGX_OK
            || ngx_agilicus_token_secret_parent(&facts, &parent) != NGX_OK
            || ngx_agilicus_token_denied(denials, api, parent.data, &facts,
                                         NGX_AGILICUS_TOKEN_NEVER_ASKED, now)
                == NGX_AGILICUS_TOKEN_REASON_NONE
            || ngx_agilicus_token_secret_find(zone, &key, buf, &secret)
                != NGX_OK
            || secret.class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE)
        {
            (*place)++;
            continue;
        }

        /* another may move into its place, which is looked at again */

        ngx_agilicus_token_cache_remove(zone, &key);

        handler(data, &secret.token, secret.has_exp ? secret.exp : INT64_MAX);

        ngx_explicit_memzero(buf, secret.token.len);
    }

    return *place == zone->facts->nslots ? NGX_OK : NGX_AGAIN;
}


/* copies what a place of the index says, if it is a token of this context */

static ngx_int_t
ngx_agilicus_token_secret_candidate(ngx_agilicus_token_zone_t *zone,
    uint32_t context, ngx_uint_t place, u_char *key, u_char *packed,
    ngx_str_t *facts)
{
    ngx_int_t                    rc;
    ngx_agilicus_token_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_agilicus_token_zone_lock(zone);

    e = ngx_agilicus_token_table_slot(zone->facts, (uint32_t) place);

    if (e && e->context == context
        && e->reason == NGX_AGILICUS_TOKEN_REASON_REISSUE
        && e->facts_len <= NGX_AGILICUS_TOKEN_SECRET_MAX_PACKED)
    {
        ngx_memcpy(key, e->key, NGX_AGILICUS_TOKEN_DIGEST_LEN);
        ngx_memcpy(packed, e->data, e->facts_len);

        facts->data = packed;
        facts->len = e->facts_len;

        rc = NGX_OK;
    }

    ngx_agilicus_token_zone_unlock(zone);

    return rc;
}
