
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_OBJECT_H_INCLUDED_
#define _NGX_AGT_JSON_OBJECT_H_INCLUDED_


#include "token/facts.h"


/*
 * The first byte of a claim, as it is kept, that is a number or a boolean; no
 * string begins with it, for it is not UTF-8.
 */
#define NGX_AGT_JSON_LITERAL  0xff


/*
 * Makes a claim, as it is kept, its text.  Returns 1 if the claim is a string
 * in the Token, 0 if it is a number or a boolean.
 */
ngx_uint_t ngx_agt_json_claim_text(ngx_str_t *value);

/*
 * Writes the facts of a token to "buf" as one JSON object, with the names that
 * they have in a Token.  "iat", "exp" and "last_mfa_time" are numbers, in
 * seconds since the epoch; "aud", "scopes", "roles", "resource_permissions" and
 * "masquerading" are always there, and a text that is empty never is.  Claims
 * have the type that the API gave them.  Without "buf", only counts.  Returns
 * the length in bytes.
 */
size_t ngx_agt_json_object(u_char *buf, const ngx_agt_facts_t *facts);


#endif /* _NGX_AGT_JSON_OBJECT_H_INCLUDED_ */
