/*
 * Tokens as JWTs.
 */

#include "jwt.h"
#include "base64.h"
#include "json.h"
#include "shape.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    const char  *data;
    size_t       len;
} ag_part_t;


static void ag_jwt_append(ag_text_t *text, const unsigned char *data,
    size_t len);
static int ag_jwt_split(const char *token, size_t len, ag_part_t *parts);
static json_t *ag_jwt_object(const ag_part_t *part);
static int ag_jwt_ours(const ag_key_t *key, const json_t *header);


char *
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
ag_jwt_verify(const ag_key_t *key, const char *token, size_t len, char *jti)
{
    int             rc;
    size_t          n, signed_len;
    json_t         *header, *claims;
    ag_part_t       parts[3];
    const char     *id;
    unsigned char   signature[AG_TOKEN_MAX];

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

    if (n == AG_SIGNATURE_SIZE
        && ag_jwt_ours(key, header) == AG_OK
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
 * exactly our own algorithm and key; a critical extension (RFC 7515, 4.1.11)
 * is none that we wrote
 */

static int
ag_jwt_ours(const ag_key_t *key, const json_t *header)
{
    const char  *alg, *kid;

    alg = ag_json_string(header, "alg");
    kid = ag_json_string(header, "kid");

    if (alg == NULL || strcmp(alg, "ES256") != 0
        || kid == NULL || strcmp(kid, ag_key_id(key)) != 0
        || json_object_get(header, "crit"))
    {
        return AG_DECLINED;
    }

    return AG_OK;
}
