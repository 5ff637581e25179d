
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_HOOK_H_INCLUDED_
#define _NGX_AGT_JSON_HOOK_H_INCLUDED_


#include "json/json.h"
#include "token/facts.h"


/* bytes of the body of the revocation hook, and of one value in it */
#define NGX_AGT_JSON_MAX_HOOK    65536
#define NGX_AGT_JSON_MAX_DENIED  1024


/*
 * Reads the body of the revocation hook, {"jti":[...],"session":[...],
 * "sub":[...]}, and calls "deny" for each value.  Returns NGX_OK, or NGX_ERROR
 * where the body has any other form: "deny" has then not been called.
 */
ngx_int_t ngx_agt_json_hook(const u_char *body, size_t len,
    void (*deny)(void *data, ngx_agt_denial_kind_e kind,
    const ngx_str_t *value), void *data);


#endif /* _NGX_AGT_JSON_HOOK_H_INCLUDED_ */
