
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_RULES_QUERY_H_INCLUDED_
#define _NGX_AGT_RULES_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Compares one parameter of a raw query with one constraint of a rule (API:
 * RenderedQueryParameter).  Servers read a query differently: some end a
 * parameter at ";" too, take "+" for a space, ignore the case of names, read
 * "a[]" or "a%00" as "a", or "a.b" and "a b" as "a_b".  Each piece that some
 * server could take for the parameter must have the value, and all servers must
 * find it.  Hence "+" in a value matches nothing, nor does a broken escape.
 */

/*
 * Returns 1 if the parameter "name" stands in "query" (without "?"), and has
 * the value "exact", decoded once, at each place where it stands; else 0.
 * "exact" may be NULL: the value may then be any.
 */
ngx_uint_t ngx_agt_query_match(const ngx_str_t *query,
    const ngx_str_t *name, const ngx_str_t *exact);


#endif /* _NGX_AGT_RULES_QUERY_H_INCLUDED_ */
