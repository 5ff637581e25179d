
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_ANSWER_H_INCLUDED_
#define _NGX_AGT_JSON_ANSWER_H_INCLUDED_


#include "json/json.h"


/*
 * Answers of the operations other than introspection; json/list reads lists.
 */

/*
 * Reads a RawToken (API: answer of reissue and create): copies its "token" to
 * "buf" of "size" bytes, which the caller owns.  Returns NGX_OK, or NGX_ERROR
 * where the body is no RawToken or its token is longer.  The caller checks
 * whether it is a token68.
 */
ngx_int_t ngx_agt_json_raw_token(const u_char *body, size_t len,
    u_char *buf, size_t size, ngx_str_t *token);


#endif /* _NGX_AGT_JSON_ANSWER_H_INCLUDED_ */
