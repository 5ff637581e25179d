
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "fuzz.h"

#include "rules/rules.h"


/* any bytes as a packed ruleset: whatever it says, deciding on it is safe */

static ngx_int_t fuzz_pointer(void *body, const ngx_str_t *pointer,
    ngx_str_t *value);


void
fuzz_target(const uint8_t *data, size_t size)
{
    ngx_int_t             rc;
    ngx_str_t             packed;
    ngx_uint_t            i;
    ngx_agt_reason_e      reason;
    ngx_agt_rules_view_t  view;

    static ngx_agt_rules_t  *rules;

    if (rules == NULL) {
        rules = ngx_agt_rules_create(64);
        fuzz_check(rules != NULL);
    }

    packed.data = (u_char *) data;
    packed.len = size;

    ngx_memzero(&view, sizeof(view));

    ngx_str_set(&view.host, "a");
    ngx_str_set(&view.method, "GET");
    ngx_str_set(&view.path, "/a/b/\xc3\xa9");

    view.state = NGX_AGT_RULES_GIVEN;
    view.pointer = fuzz_pointer;

    for (i = 0; i < 4; i++) {
        view.has_query = i & 1;
        view.search = (i >> 1) & 1;

        if (view.has_query) {
            ngx_str_set(&view.query, "q=1&r=%20");

        } else {
            ngx_str_null(&view.query);
        }

        rc = ngx_agt_rules_decide(rules, &packed, &view, &reason);

        fuzz_check(rc == NGX_OK || rc == NGX_DECLINED);
        fuzz_accepted += (rc == NGX_OK);
        fuzz_check((rc == NGX_OK) == (reason == NGX_AGT_REASON_NONE));
    }
}


static ngx_int_t
fuzz_pointer(void *body, const ngx_str_t *pointer, ngx_str_t *value)
{
    if (pointer->len > 1 && pointer->data[1] == 'x') {
        return NGX_DECLINED;
    }

    ngx_str_set(value, "1");

    return NGX_OK;
}
