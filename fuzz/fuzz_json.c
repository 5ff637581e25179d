
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include <jansson.h>

#include "fuzz.h"

#include "json/object.h"
#include "json/token.h"


/* whatever is read as a Token is one for jansson too, and says the same */

#define NOW   1800000000
#define SIZE  (2 * NGX_AGT_JSON_MAX_BODY)


static void fuzz_document(json_t *root, ngx_agt_facts_t *facts);
static void fuzz_string(json_t *root, const char *name, const ngx_str_t *s);
static void fuzz_list(json_t *array, const ngx_agt_list_t *list);


void
fuzz_target(const uint8_t *data, size_t size)
{
    u_char               *again;
    json_t               *root;
    size_t                need;
    ngx_int_t             rc;
    ngx_agt_facts_t       facts;
    ngx_agt_json_token_t  token, second;

    static u_char  buf[SIZE];

    rc = ngx_agt_json_token(data, size, NOW, buf, SIZE, &token);

    if (rc != NGX_OK) {
        fuzz_check(rc == NGX_DECLINED || rc == NGX_ERROR);
        fuzz_check(token.facts.len == 0 && token.rules.len == 0);
        fuzz_check((rc == NGX_DECLINED)
                   == (token.reason != NGX_AGT_REASON_NONE));
        return;
    }

    fuzz_accepted++;

    fuzz_check(fuzz_within(&token.facts, buf, SIZE));
    fuzz_check(ngx_agt_facts_open(&facts, token.facts.data, token.facts.len)
               == NGX_OK);

    root = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, NULL);

    fuzz_check(json_is_object(root));
    fuzz_document(root, &facts);

    json_decref(root);

    /* the facts are an object of the length that was counted */

    need = ngx_agt_json_object(NULL, &facts);
    again = malloc(need);

    fuzz_check(ngx_agt_json_object(again, &facts) == need);

    root = json_loadb((const char *) again, need, JSON_REJECT_DUPLICATES, NULL);

    fuzz_check(json_is_object(root));

    json_decref(root);
    free(again);

    /* the same in a buffer that just fits, and nothing in a smaller one */

    need = token.facts.len + token.rules.len;
    again = malloc(need);

    fuzz_check(ngx_agt_json_token(data, size, NOW, again, need - 1, &second)
               == NGX_ERROR);
    fuzz_check(ngx_agt_json_token(data, size, NOW, again, need, &second)
               == NGX_OK);
    fuzz_check(memcmp(second.facts.data, token.facts.data, token.facts.len)
               == 0);

    free(again);
}


static void
fuzz_document(json_t *root, ngx_agt_facts_t *facts)
{
    json_t  *value;

    value = json_object_get(root, "active");
    fuzz_check(value == NULL || json_is_null(value) || json_is_true(value));

    value = json_object_get(root, "refresh_token_jti");
    fuzz_check(value == NULL || json_is_null(value));

    value = json_object_get(root, "cnf");
    fuzz_check(value == NULL || json_is_null(value));

    value = json_object_get(root, "exp");
    fuzz_check(facts->has_exp == (value != NULL && !json_is_null(value)));

    value = json_object_get(root, "masquerading");
    fuzz_check(facts->masquerading
               == (value != NULL && !json_is_null(value)
                   && !json_is_false(value)));

    fuzz_check(facts->sub.len > 0);

    fuzz_string(root, "sub", &facts->sub);
    fuzz_string(root, "sub_email", &facts->email);
    fuzz_string(root, "org", &facts->org);
    fuzz_string(root, "root_org", &facts->root_org);
    fuzz_string(root, "jti", &facts->jti);
    fuzz_string(root, "session", &facts->session);

    fuzz_list(json_object_get(root, "scopes"),
              &facts->lists[NGX_AGT_FACTS_SCOPES]);

    value = json_object_get(root, "aud");

    if (!json_is_string(value)) {
        fuzz_list(value, &facts->lists[NGX_AGT_FACTS_AUD]);
    }
}


static void
fuzz_string(json_t *root, const char *name, const ngx_str_t *s)
{
    json_t  *value;

    value = json_object_get(root, name);

    if (value == NULL || json_is_null(value)) {
        fuzz_check(s->len == 0);
        return;
    }

    fuzz_check(json_string_length(value) == s->len);
    fuzz_check(memcmp(json_string_value(value), s->data, s->len) == 0);
    fuzz_check(memchr(s->data, 0, s->len) == NULL);
}


/* every string of the array, in order, or none at all */

static void
fuzz_list(json_t *array, const ngx_agt_list_t *list)
{
    size_t          i;
    json_t         *item;
    ngx_str_t       s;
    ngx_uint_t      strings;
    ngx_agt_list_t  rest;

    rest = *list;
    strings = json_is_array(array);

    json_array_foreach(array, i, item) {
        strings &= json_is_string(item);
    }

    if (strings) {
        json_array_foreach(array, i, item) {
            fuzz_check(ngx_agt_facts_next(&rest, &s) == NGX_OK);
            fuzz_check(json_string_length(item) == s.len);
            fuzz_check(memcmp(json_string_value(item), s.data, s.len) == 0);
        }
    }

    fuzz_check(ngx_agt_facts_next(&rest, &s) == NGX_DONE);
}
