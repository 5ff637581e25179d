
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_INACTIVE_H_INCLUDED_
#define _NGX_AGT_JSON_INACTIVE_H_INCLUDED_


#include "json/read.h"
#include "token/facts.h"


/*
 * Looks for a member of a Token, or of its "user", that says at "now" (seconds
 * since the epoch) that the token must not be used.  Returns the number of the
 * first one, see ngx_agt_json_token_member(); 0 where there is none.  If a
 * member will say so later, the earliest such time becomes the end of "facts".
 */
ngx_uint_t ngx_agt_json_inactive(json_t *root, int64_t now,
    ngx_agt_facts_t *facts);


#endif /* _NGX_AGT_JSON_INACTIVE_H_INCLUDED_ */
