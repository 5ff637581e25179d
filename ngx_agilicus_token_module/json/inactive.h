
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_INACTIVE_H_INCLUDED_
#define _NGX_AGT_JSON_INACTIVE_H_INCLUDED_


#include "json/read.h"
#include "token/facts.h"


/*
 * Looks for a member of a Token, or of its "user", that says at "now" (seconds
 * since the epoch) that the token must not be used.  Returns the name of the
 * first one, a constant, with "user." in front of a member of the user; NULL
 * where there is none.  If a member will say so later, the earliest such time
 * becomes the end of "facts".
 */
const char *ngx_agt_json_inactive(json_t *root, int64_t now,
    ngx_agt_facts_t *facts);


#endif /* _NGX_AGT_JSON_INACTIVE_H_INCLUDED_ */
