
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_TOKEN_FIELD_H_INCLUDED_
#define _NGX_AGT_TOKEN_FIELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/facts.h"


/*
 * Facts as values of header fields and variables.  A value has the bytes 0x20
 * to 0x7e only, does not begin or end with a blank, and cannot be read in two
 * ways.  With "percent", other bytes and "%" are percent-encoded (RFC 3986,
 * section 2.1), and decoding a value gives the fact back, byte for byte.
 */

/* with "percent", a value is at most this many times as long as its text */
#define NGX_AGT_FIELD_PERCENT  3


/*
 * Writes one text to "dst", which has room for its length, or with "percent"
 * for NGX_AGT_FIELD_PERCENT times as much.  "apart" names more bytes that may
 * not stand in the value unencoded, or is "".  Returns the end of the written
 * value, or NULL where the text is empty, or where a byte would have to be
 * encoded and "percent" is 0.
 */
u_char *ngx_agt_field_text(u_char *dst, const ngx_str_t *text,
    const char *apart, ngx_uint_t percent);

/*
 * Writes a list of facts with spaces between its items; roles are written as
 * "application:role".  "dst" must have room for list->end - list->pos bytes, or
 * with "percent" for NGX_AGT_FIELD_PERCENT times as much.  An empty item is
 * left out.  With "percent" 0, an item is also left out if it has a byte that a
 * value cannot have, or that would divide the item: a space, or a colon in the
 * name of an application.  Returns the end of the written list.
 */
u_char *ngx_agt_field_list(u_char *dst, const ngx_agt_facts_t *facts,
    ngx_agt_facts_list_e list, ngx_uint_t percent);


#endif /* _NGX_AGT_TOKEN_FIELD_H_INCLUDED_ */
