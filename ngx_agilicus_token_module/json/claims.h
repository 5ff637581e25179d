
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_CLAIMS_H_INCLUDED_
#define _NGX_AGT_JSON_CLAIMS_H_INCLUDED_


#include "json/read.h"
#include "token/facts.h"


/*
 * Adds the custom claims of a Token to the list of claims that has been begun:
 * a pair of name and text for each scalar member that has no other place among
 * the facts.
 */
void ngx_agt_json_claims(ngx_agt_facts_builder_t *b, json_t *root);


#endif /* _NGX_AGT_JSON_CLAIMS_H_INCLUDED_ */
