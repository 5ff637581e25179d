
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_QUERY_H_INCLUDED_
#define _NGX_AGT_RULES_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * One parameter of a raw query against one constraint of a rule (API:
 * RenderedQueryParameter).  Readers of a query differ: some end a parameter at
 * ";" too, take "+" for a space, names without regard to case, "a[]" or "a%00"
 * for "a", or "a.b" and "a b" for "a_b".  What any of them could take for the
 * parameter must have the value, and all of them must find it.  Hence "+" in a
 * value matches nothing, as do escapes that are none.
 */

/*
 * Whether the parameter "name" stands in "query" (without "?"), and has the
 * value "exact", decoded once, wherever it stands; "exact" may be NULL, which
 * means any value.  Returns 1 or 0.
 */
ngx_uint_t ngx_agt_query_match(const ngx_str_t *query,
    const ngx_str_t *name, const ngx_str_t *exact);


#endif /* _NGX_AGT_RULES_QUERY_H_INCLUDED_ */
