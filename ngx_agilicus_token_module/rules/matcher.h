
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_MATCHER_H_INCLUDED_
#define _NGX_AGT_RULES_MATCHER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rules/ruleset.h"


/*
 * Matchers of a rule (API: RuleMatcherList).  A matcher compares the value that
 * an extractor finds in a request.  The API does not hand out the definitions
 * of extractors.  The module knows only extractors that are a name in the path
 * template that the request matched, and only the text of their value, not the
 * type that the extractor gives it.  With any other extractor the rule does not
 * match.
 *
 * Some results depend on the unknown type: the order of a text that is not an
 * integer, the comparison of such a text with an integer, and "undefined".
 * These results are neither true nor false, and their inverse is neither, too.
 */

typedef struct {
    ngx_str_t                      template;  /* empty: no template matched */
    ngx_str_t                      path;
    ngx_str_t                      subject;   /* with the query, or empty */
} ngx_agt_matcher_values_t;


/*
 * Reads all matchers from "items" and returns 1 if they hold: one of them with
 * "any", else all.  Returns 0 if they do not hold or the result is unknown.
 */
ngx_uint_t ngx_agt_matcher_hold(ngx_agt_ruleset_cursor_t *items,
    ngx_uint_t any, const ngx_agt_matcher_values_t *values);


#endif /* _NGX_AGT_RULES_MATCHER_H_INCLUDED_ */
