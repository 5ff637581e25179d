
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "unit.h"

#include "token/reason.h"


static void
test_words(const char *name, const ngx_str_t *(*word)(ngx_uint_t n),
    ngx_uint_t last)
{
    size_t            i;
    ngx_uint_t        n, m;
    const ngx_str_t  *w;

    unit_test(name);

    unit_check(word(0)->len == 0);

    for (n = 1; n < last; n++) {
        w = word(n);

        unit_check(w->len > 0);
        unit_check(w->data[w->len] == '\0');

        for (i = 0; i < w->len; i++) {
            unit_check((w->data[i] >= 'a' && w->data[i] <= 'z')
                       || w->data[i] == '_');
        }

        for (m = 1; m < n; m++) {
            unit_check(!unit_equal(w, (char *) word(m)->data));
        }
    }

    unit_check(word(last)->len == 0);
    unit_check(word((ngx_uint_t) -1)->len == 0);
}


static void
test_details(void)
{
    ngx_uint_t  n;

    unit_test("only what needs no more words has no detail");

    for (n = 0; n < NGX_AGT_REASON_LAST; n++) {
        unit_check_note((ngx_agt_reason_detail(n) == NGX_AGT_DETAIL_NONE)
                        == (n == NGX_AGT_REASON_NONE
                            || n == NGX_AGT_REASON_REFRESH_TOKEN
                            || n == NGX_AGT_REASON_BOUND_TOKEN),
                        (char *) ngx_agt_reason_word(n)->data);
    }

    unit_check(ngx_agt_reason_detail(NGX_AGT_REASON_NO_TOKEN)
               == NGX_AGT_DETAIL_PLACES);
    unit_check(ngx_agt_reason_detail(NGX_AGT_REASON_EARLY)
               == NGX_AGT_DETAIL_LIMIT);
    unit_check(ngx_agt_reason_detail(NGX_AGT_REASON_LAST)
               == NGX_AGT_DETAIL_NONE);
    unit_check(ngx_agt_reason_detail((ngx_uint_t) -1) == NGX_AGT_DETAIL_NONE);
}


static void
test_causes(void)
{
    ngx_uint_t  n, m;

    unit_test("each cause has words of its own");

    unit_check(*ngx_agt_cause_words(NGX_AGT_CAUSE_NONE) == '\0');

    for (n = 1; n < NGX_AGT_CAUSE_LAST; n++) {
        unit_check(*ngx_agt_cause_words(n) != '\0');

        for (m = 1; m < n; m++) {
            unit_check(strcmp(ngx_agt_cause_words(n), ngx_agt_cause_words(m))
                       != 0);
        }
    }

    /* a number from shared memory may be any */

    unit_check(*ngx_agt_cause_words(NGX_AGT_CAUSE_LAST) == '\0');
    unit_check(*ngx_agt_cause_words((ngx_uint_t) -1) == '\0');

    unit_test("a cause and its operation make one number");

    unit_check(ngx_agt_cause_what(ngx_agt_cause_of(2, NGX_AGT_CAUSE_END))
               == NGX_AGT_CAUSE_END);
    unit_check(ngx_agt_cause_operation(ngx_agt_cause_of(2, 503)) == 3);
    unit_check(ngx_agt_cause_operation(NGX_AGT_CAUSE_TYPE) == 0);
    unit_check(NGX_AGT_CAUSE_LAST <= NGX_AGT_CAUSE_STATUS);
}


int
main(void)
{
    test_words("each verdict has a word of its own", ngx_agt_verdict_word,
               NGX_AGT_VERDICT_LAST);

    test_words("each reason has a word of its own",
               ngx_agt_reason_word, NGX_AGT_REASON_LAST);

    unit_test("a reason belongs to a verdict");

    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_NONE,
                                      NGX_AGT_VERDICT_ACTIVE));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_NO_IDENTITY,
                                      NGX_AGT_VERDICT_MISSING));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_SYNTAX,
                                      NGX_AGT_VERDICT_MALFORMED));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_AUDIENCE,
                                      NGX_AGT_VERDICT_INVALID));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_EXPIRED,
                                      NGX_AGT_VERDICT_EXPIRED));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_SUBJECT,
                                      NGX_AGT_VERDICT_REVOKED));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_MFA,
                                      NGX_AGT_VERDICT_STEP_UP));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_CREATE,
                                      NGX_AGT_VERDICT_FORBIDDEN));
    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_EARLY,
                                      NGX_AGT_VERDICT_UNAVAILABLE));

    unit_check(ngx_agt_reason_belongs(NGX_AGT_REASON_NONE,
                                      NGX_AGT_VERDICT_ANONYMOUS));
    unit_check(!ngx_agt_reason_belongs(NGX_AGT_REASON_SCOPE,
                                       NGX_AGT_VERDICT_INVALID));

    unit_test("the words are those of the interface");

    unit_check(unit_equal(ngx_agt_verdict_word(NGX_AGT_VERDICT_FORBIDDEN),
                          "forbidden"));
    unit_check(unit_equal(ngx_agt_reason_word(NGX_AGT_REASON_PATH), "path"));

    test_details();
    test_causes();

    return unit_done();
}
