/*
 * Tokens as JWTs.
 */

#include "jwt.h"
#include "base64.h"
#include "json.h"
#include "shape.h"
#include "text.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>


typedef struct {
    const char  *data;
    size_t       len;
} ag_part_t;


static int ag_jwt_ids(ag_token_t *token);
static json_t *ag_jwt_claims(const ag_authority_t *authority,
    const ag_token_t *token);
static int ag_jwt_optional(json_t *claims, const ag_token_t *token);
static char *ag_jwt_sign(const ag_key_t *key, const json_t *claims);
static void ag_jwt_append(ag_text_t *text, const unsigned char *data,
    size_t len);
static int ag_jwt_split(const char *token, size_t len, ag_part_t *parts);
static json_t *ag_jwt_object(const ag_part_t *part);
static const ag_key_t *ag_jwt_key(ag_keys_t *keys, const json_t *header);


int
ag_jwt_make(const ag_authority_t *authority, ag_token_t *token, char **text)
{
    json_t          *claims;
    const ag_key_t  *key;

    *text = NULL;

    if (ag_jwt_ids(token) != AG_OK) {
        return AG_ERROR;
    }

    key = ag_keys_signing(authority->keys);
    claims = ag_jwt_claims(authority, token);

    if (key && claims) {
        *text = ag_jwt_sign(key, claims);
    }

    json_decref(claims);

    if (*text == NULL) {
        return AG_ERROR;
    }

    if (ag_key_digest(*text, strlen(*text), token->digest) != AG_OK) {
        ag_jwt_free(*text);
        *text = NULL;
        return AG_ERROR;
    }

    token->updated = ag_date_now();

    return AG_OK;
}


static int
ag_jwt_ids(ag_token_t *token)
{
    char  id[23];

    if (token->jti == NULL
        && (ag_base64_random_id(id) != AG_OK
            || ag_token_set(&token->jti, id) != AG_OK))
    {
        return AG_ERROR;
    }

    if (token->session == NULL
        && (ag_base64_random_id(id) != AG_OK
            || ag_token_set(&token->session, id) != AG_OK))
    {
        return AG_ERROR;
    }

    return AG_OK;
}


static json_t *
ag_jwt_claims(const ag_authority_t *authority, const ag_token_t *token)
{
    json_t  *claims, *aud;

    aud = json_loads(token->aud, 0, NULL);

    claims = json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:s}",
                       "iss", authority->directory->issuer,
                       "sub", token->sub, "org", token->org, "aud", aud,
                       "jti", token->jti, "iat", (json_int_t) token->iat,
                       "session", token->session);

    if (claims && ag_jwt_optional(claims, token) != AG_OK) {
        json_decref(claims);
        return NULL;
    }

    return claims;
}


static int
ag_jwt_optional(json_t *claims, const ag_token_t *token)
{
    int  failed;

    failed = 0;

    if (token->exp != AG_NEVER) {
        failed |= json_object_set_new(claims, "exp", json_integer(token->exp));
    }

    if (token->nbf > token->iat) {
        failed |= json_object_set_new(claims, "nbf", json_integer(token->nbf));
    }

    if (token->masquerading) {
        failed |= json_object_set_new(claims, "masquerading", json_true());
    }

    if (token->refresh_of) {
        failed |= json_object_set_new(claims, "refresh_token_jti",
                                      json_string(token->refresh_of));
    }

    return failed ? AG_ERROR : AG_OK;
}


void
ag_jwt_free(char *text)
{
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}


static char *
ag_jwt_sign(const ag_key_t *key, const json_t *claims)
{
    int             rc;
    char           *payload;
    size_t          len;
    ag_text_t       text, header;
    unsigned char   signature[AG_SIGNATURE_SIZE];

    memset(&text, 0, sizeof(ag_text_t));
    memset(&header, 0, sizeof(ag_text_t));

    payload = ag_json_dump(claims);

    ag_text_raw(&header, "{\"alg\":\"ES256\",\"kid\":");
    ag_text_quoted(&header, ag_key_id(key));
    ag_text_raw(&header, ",\"typ\":\"JWT\"}");

    rc = AG_ERROR;

    if (payload && !header.failed) {
        ag_jwt_append(&text, (unsigned char *) header.data, header.len);
        ag_text_raw(&text, ".");
        ag_jwt_append(&text, (unsigned char *) payload, strlen(payload));

        if (!text.failed) {
            rc = ag_key_sign(key, text.data, text.len, signature);
        }
    }

    ag_text_free(&header);
    free(payload);

    if (rc != AG_OK) {
        ag_text_free(&text);
        return NULL;
    }

    ag_text_raw(&text, ".");
    ag_jwt_append(&text, signature, AG_SIGNATURE_SIZE);

    return ag_text_take(&text, &len);
}


static void
ag_jwt_append(ag_text_t *text, const unsigned char *data, size_t len)
{
    char    *encoded;
    size_t   n;

    encoded = malloc(ag_base64_length(len) + 1);
    if (encoded == NULL) {
        text->failed = true;
        return;
    }

    n = ag_base64_encode(encoded, data, len);
    ag_text_bytes(text, encoded, n);

    free(encoded);
}


int
ag_jwt_verify(ag_keys_t *keys, const char *token, size_t len, char *jti)
{
    int              rc;
    size_t           n, signed_len;
    json_t          *header, *claims;
    ag_part_t        parts[3];
    const char      *id;
    const ag_key_t  *key;
    unsigned char    signature[AG_TOKEN_MAX];

    if (len > AG_TOKEN_MAX || ag_jwt_split(token, len, parts) != AG_OK) {
        return AG_MALFORMED;
    }

    rc = AG_MALFORMED;

    header = ag_jwt_object(&parts[0]);
    claims = ag_jwt_object(&parts[1]);
    id = claims ? ag_json_string(claims, "jti") : NULL;

    if (header == NULL || id == NULL || !ag_shape_is_identifier(id)
        || ag_base64_decode(signature, &n, parts[2].data, parts[2].len)
           != AG_OK)
    {
        goto done;
    }

    rc = AG_DECLINED;
    signed_len = parts[0].len + 1 + parts[1].len;

    key = ag_jwt_key(keys, header);

    if (n == AG_SIGNATURE_SIZE
        && key
        && ag_key_verify(key, token, signed_len, signature) == AG_OK)
    {
        memcpy(jti, id, strlen(id) + 1);
        rc = AG_OK;
    }

done:

    json_decref(header);
    json_decref(claims);

    return rc;
}


static int
ag_jwt_split(const char *token, size_t len, ag_part_t *parts)
{
    size_t       i;
    const char  *p, *dot, *end;

    p = token;
    end = token + len;

    for (i = 0; i < 3; i++) {
        dot = memchr(p, '.', (size_t) (end - p));

        if ((dot == NULL) != (i == 2)) {
            return AG_MALFORMED;
        }

        parts[i].data = p;
        parts[i].len = (size_t) ((dot ? dot : end) - p);

        if (parts[i].len == 0) {
            return AG_MALFORMED;
        }

        p = dot ? dot + 1 : end;
    }

    return AG_OK;
}


/* a part of the token as a JSON object: new reference, or NULL */

static json_t *
ag_jwt_object(const ag_part_t *part)
{
    size_t         len;
    ag_error_t     error;
    unsigned char  text[AG_TOKEN_MAX];

    if (ag_base64_decode(text, &len, part->data, part->len) != AG_OK) {
        return NULL;
    }

    return ag_json_parse((char *) text, len, &error);
}


/*
 * The key of a header with our own algorithm, or NULL. A critical extension
 * (RFC 7515, 4.1.11) is none that we wrote.
 */

static const ag_key_t *
ag_jwt_key(ag_keys_t *keys, const json_t *header)
{
    const char  *alg, *kid;

    alg = ag_json_string(header, "alg");
    kid = ag_json_string(header, "kid");

    if (alg == NULL || strcmp(alg, "ES256") != 0
        || kid == NULL || json_object_get(header, "crit"))
    {
        return NULL;
    }

    return ag_keys_find(keys, kid);
}
