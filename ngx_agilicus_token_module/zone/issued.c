
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/issued.h"


static ngx_int_t ngx_agt_issued_raw(const ngx_agt_cache_key_t *key,
    u_char *digest, ngx_agt_cache_key_t *raw);


size_t
ngx_agt_issued_pack(u_char *buf, size_t size, ngx_uint_t has_exp, int64_t exp)
{
    ngx_agt_facts_t          facts;
    ngx_agt_facts_builder_t  b;

    ngx_memzero(&facts, sizeof(ngx_agt_facts_t));

    facts.has_exp = (has_exp != 0);
    facts.exp = exp;

    ngx_agt_facts_begin(&b, buf, size, &facts);

    return ngx_agt_facts_end(&b);
}


ngx_int_t
ngx_agt_issued_store(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    ngx_agt_reason_e reason, const ngx_str_t *packed,
    const ngx_str_t *token, uint64_t sent)
{
    u_char     buf[NGX_AGT_ISSUED_MAX + NGX_AGT_SEAL_LEN];
    ngx_str_t  bound, sealed;

    if (token->len > NGX_AGT_ISSUED_MAX) {
        return NGX_DECLINED;
    }

    bound.data = (u_char *) key->key;
    bound.len = NGX_AGT_DIGEST_LEN;

    if (ngx_agt_seal_encrypt(token, &bound, buf) != NGX_OK) {
        return NGX_ERROR;
    }

    sealed.data = buf;
    sealed.len = token->len + NGX_AGT_SEAL_LEN;

    return ngx_agt_cache_store(zone, key, NGX_AGT_CLASS_ACTIVE,
                               reason, packed, &sealed, sent, sent, 0);
}


ngx_int_t
ngx_agt_issued_find(ngx_agt_zone_t *zone,
    const ngx_agt_cache_key_t *key, u_char *buf, ngx_agt_issued_t *secret)
{
    ngx_str_t        bound;
    ngx_agt_facts_t  facts;
    ngx_agt_found_t  found;

    if (ngx_agt_cache_find(zone, key, 1, &found) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(secret, sizeof(ngx_agt_issued_t));

    secret->class = found.class;
    secret->reason = found.reason;
    secret->sent = found.sent;
    secret->serial = found.serial;
    secret->clean = found.clean;
    secret->late = found.late;

    if (found.class != NGX_AGT_CLASS_ACTIVE) {
        secret->cause = ngx_agt_cache_cause(&found);
        return NGX_OK;
    }

    bound.data = (u_char *) key->key;
    bound.len = NGX_AGT_DIGEST_LEN;

    if (ngx_agt_facts_open(&facts, found.facts.data, found.facts.len)
            != NGX_OK
        || found.rules.len > NGX_AGT_ISSUED_MAX
                             + NGX_AGT_SEAL_LEN
        || ngx_agt_seal_decrypt(&found.rules, &bound, buf) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    secret->token.data = buf;
    secret->token.len = found.rules.len - NGX_AGT_SEAL_LEN;
    secret->has_exp = facts.has_exp;
    secret->exp = facts.exp;

    if (facts.has_end && (!facts.has_exp || facts.end < facts.exp)) {
        secret->has_exp = 1;
        secret->exp = facts.end;
    }

    secret->facts = found.facts;

    /* facts from an answer of the API always have a subject */

    secret->verified = (facts.sub.len != 0);

    return NGX_OK;
}


ngx_int_t
ngx_agt_issued_store_raw(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    const ngx_str_t *token, uint64_t sent)
{
    u_char               digest[NGX_AGT_DIGEST_LEN], packed[512];
    ngx_str_t            facts;
    ngx_agt_cache_key_t  raw;

    if (ngx_agt_issued_raw(key, digest, &raw) != NGX_OK) {
        return NGX_ERROR;
    }

    facts.data = packed;
    facts.len = ngx_agt_issued_pack(packed, sizeof(packed), 0, 0);

    return ngx_agt_issued_store(zone, &raw, NGX_AGT_REASON_NONE, &facts, token,
                                sent);
}


ngx_int_t
ngx_agt_issued_find_raw(ngx_agt_zone_t *zone, const ngx_agt_cache_key_t *key,
    uint64_t sent, u_char *buf, ngx_str_t *token)
{
    u_char               digest[NGX_AGT_DIGEST_LEN];
    ngx_agt_issued_t     secret;
    ngx_agt_cache_key_t  raw;

    if (ngx_agt_issued_raw(key, digest, &raw) != NGX_OK
        || ngx_agt_issued_find(zone, &raw, buf, &secret) != NGX_OK
        || secret.class != NGX_AGT_CLASS_ACTIVE)
    {
        return NGX_DECLINED;
    }

    if (secret.sent != sent) {
        ngx_explicit_memzero(secret.token.data, secret.token.len);
        return NGX_DECLINED;
    }

    *token = secret.token;

    return NGX_OK;
}


static ngx_int_t
ngx_agt_issued_raw(const ngx_agt_cache_key_t *key, u_char *digest,
    ngx_agt_cache_key_t *raw)
{
    ngx_str_t  parts[2];

    ngx_str_set(&parts[0], "\0raw token\0");
    parts[1].data = (u_char *) key->key;
    parts[1].len = NGX_AGT_DIGEST_LEN;

    raw->key = digest;
    raw->origin = key->origin;

    return ngx_agt_seal_digest(digest, parts, 2);
}
